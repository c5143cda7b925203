//! From the greeting to a session: STARTTLS, LOGIN, AUTHENTICATE.

use allod_core::{Door, Proof, Session};
use allod_model::{ErrorKind, Protocol};
use zeroize::Zeroizing;

use super::{Client, End};
use crate::auth::{Claim, Mechanism, Step};
use crate::capability;
use crate::limits::{FAILED_LOGIN_PAUSE, FAILED_LOGINS_MAX, LOGIN_TIME_MAX, Place, SASL_BYTES_MAX};
use crate::session::APPEND_BYTES_MAX;
use crate::syntax::Reading;
use crate::syntax::ast::{Command, Secret, Tagged};
use crate::wire::{Code, Completion, Incoming, Io};

/// A session, and its place among the account's connections.
pub(super) type LoggedIn = (Session, Place<String>);

impl Client {
    /// Serves the client until somebody is known.
    pub(super) async fn log_in(&mut self) -> Result<LoggedIn, End> {
        let stop = self.stop.clone();
        tokio::select! {
            biased;
            () = stop.cancelled() => Err(End::stopping()),
            outcome = self.commands_before_login() => outcome,
            () = tokio::time::sleep(LOGIN_TIME_MAX) => Err(End::bye("Nobody logged in for a minute")),
        }
    }

    async fn commands_before_login(&mut self) -> Result<LoggedIn, End> {
        let mut failed = 0;
        loop {
            self.reader.wait().await?;
            let bytes = match self.reader.command(Reading::default(), false).await? {
                Incoming::Command(bytes) => bytes,
                Incoming::Refused(tag, refusal) => {
                    self.answer(tag.as_deref(), refusal).await?;
                    continue;
                }
                // Invariant: messages are streamed after login only.
                Incoming::Streamed(..) => return Err(End::bye("Log in first")),
            };
            let Some(Tagged { tag, command }) = self.understand(bytes).await? else { continue };
            let claim = match command {
                Command::Login { username, password } => self.login_claim(username, password),
                Command::Authenticate { mechanism, initial } => self.exchange(&mechanism, initial).await?,
                other => {
                    self.before_login(&tag, other).await?;
                    continue;
                }
            };
            let refusal = match claim {
                Ok(claim) => match self.admit(claim).await? {
                    Ok(logged_in) => {
                        let capabilities = capability::logged_in(false, APPEND_BYTES_MAX);
                        let done = Completion::ok("Logged in");
                        let code = Code::new(format!("CAPABILITY {capabilities}"));
                        self.answer(Some(&tag), done.with(code)).await?;
                        return Ok(logged_in);
                    }
                    Err(refusal) => {
                        failed += 1;
                        tokio::time::sleep(FAILED_LOGIN_PAUSE).await;
                        refusal
                    }
                },
                Err(refusal) => refusal,
            };
            self.answer(Some(&tag), refusal).await?;
            if failed >= FAILED_LOGINS_MAX {
                return Err(End::bye("Too many failed logins"));
            }
        }
    }

    /// Any other command.
    async fn before_login(&mut self, tag: &str, command: Command) -> Result<(), End> {
        let completion = match command {
            Command::Capability => {
                let capabilities = self.capabilities();
                self.out.raw("* CAPABILITY ").raw(capabilities).end();
                Completion::ok("CAPABILITY completed")
            }
            Command::Noop => Completion::ok("NOOP completed"),
            Command::Logout => return Err(self.log_out(tag).await),
            Command::Id(fields) => return self.identify(tag, &fields).await,
            Command::StartTls => return self.start_tls(tag).await,
            _ => Completion::bad("Log in first"),
        };
        self.answer(Some(tag), completion).await
    }

    /// RFC 9051 §6.2.1.
    async fn start_tls(&mut self, tag: &str) -> Result<(), End> {
        let Some(start_tls) = self.start_tls.take() else {
            return self.answer(Some(tag), Completion::bad("STARTTLS is not offered here")).await;
        };
        self.answer(Some(tag), Completion::ok("Begin TLS")).await?;
        let Io::Socket(connection) = self.reader.transport().take() else {
            return Err(End::bye("STARTTLS is not offered here"));
        };
        // What was sent ahead of the handshake, whoever sent it, is not obeyed after it.
        self.reader.forget();
        let connection = Box::pin(start_tls.upgrade(connection)).await?;
        self.reader.transport().put(Io::Socket(connection));
        self.tls = true;
        // What the client said of itself before may have been said by somebody else.
        self.name = None;
        Ok(())
    }

    fn login_claim(&self, username: String, password: Secret) -> Result<Claim, Completion> {
        self.check_private()?;
        let password = std::str::from_utf8(&password.0).map(|text| Zeroizing::new(text.to_owned()));
        let Ok(password) = password else { return Err(Completion::bad("This password is not UTF-8")) };
        Ok(Claim { proof: Proof::Password { username, password }, named: None, told: None })
    }

    fn check_private(&self) -> Result<(), Completion> {
        if self.may_login() {
            return Ok(());
        }
        // RFC 5530 §3: not allowed in plain text.
        let text = "No password in plain text: use STARTTLS, or the port for TLS";
        Err(Completion::no(Code::PRIVACY_REQUIRED, text))
    }

    /// RFC 9051 §6.2.2: challenges and responses until somebody claims to be somebody.
    async fn exchange(
        &mut self,
        mechanism: &str,
        initial: Option<Secret>,
    ) -> Result<Result<Claim, Completion>, End> {
        if let Err(refusal) = self.check_private() {
            return Ok(Err(refusal));
        }
        let Some(mut mechanism) = Mechanism::new(mechanism) else {
            return Ok(Err(Completion::no(Code::CANNOT, "There is no such mechanism")));
        };
        let mut response = initial.map(|Secret(bytes)| bytes);
        loop {
            match mechanism.step(response.take()) {
                Step::Challenge(challenge) => match self.challenge(challenge).await? {
                    Ok(bytes) => response = Some(bytes),
                    Err(refusal) => return Ok(Err(refusal)),
                },
                Step::Claim(claim) => return Ok(Ok(claim)),
                Step::NotForOthers => {
                    let text = "Nobody acts for somebody else here";
                    return Ok(Err(Completion::no(Code::AUTHORIZATION_FAILED, text)));
                }
                Step::Wrong(text) => return Ok(Err(Completion::bad(text))),
            }
        }
    }

    /// One challenge and what is answered to it.
    async fn challenge(&mut self, challenge: &str) -> Result<Result<Zeroizing<Vec<u8>>, Completion>, End> {
        self.out.raw("+ ").raw(crate::auth::encode(challenge)).end().flush().await?;
        let line = Zeroizing::new(self.reader.line(SASL_BYTES_MAX).await?);
        // RFC 9051 §6.2.2: `*` cancels.
        if line.trim_ascii() == b"*" {
            return Ok(Err(Completion::bad("Cancelled")));
        }
        let decoded = crate::auth::decode(line.trim_ascii());
        Ok(decoded.ok_or_else(|| Completion::bad("This is not base64")))
    }

    /// Presents a claim to core.
    async fn admit(&mut self, claim: Claim) -> Result<Result<LoggedIn, Completion>, End> {
        let Claim { proof, named, told } = claim;
        let door = Door {
            protocols: vec![Protocol::new("imap")],
            address: Some(self.address),
            client: self.name.clone(),
        };
        let session = match self.shared.core.authenticate(proof, door).await {
            Ok(session) => session,
            Err(error) => {
                // RFC 7628 §3.2.2: the reason by a challenge, whose response is ignored.
                if let Some(reason) = told {
                    let _ = self.challenge(reason).await?;
                }
                let refusal = Completion::from(error.clone());
                // RFC 5530 §3: known, but not let in here.
                let denied = error.kind == ErrorKind::Denied;
                return Ok(Err(if denied { refusal.with(Code::AUTHORIZATION_FAILED) } else { refusal }));
            }
        };
        let account = session.account();
        if let Some(named) = named {
            let is_it = |name: &String| name.eq_ignore_ascii_case(&named);
            if !is_it(&account) && !session.addresses().iter().any(is_it) {
                let text = "This app password belongs to another account";
                return Ok(Err(Completion::no(Code::AUTHORIZATION_FAILED, text)));
            }
        }
        Ok(match self.shared.places.account(account) {
            Some(place) => Ok((session, place)),
            None => Err(Completion::no(Code::LIMIT, "Too many connections of this account")),
        })
    }
}
