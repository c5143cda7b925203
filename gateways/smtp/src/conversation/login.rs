//! AUTH (RFC 4954).

use allod_core::{Door, Proof};
use allod_model::{ErrorKind, Protocol};

use super::{End, Peer};
use crate::limits::{FAILED_LOGINS_MAX, SASL_BYTES_MAX, TARPIT};
use crate::reply::{Reply, refusal};
use crate::sasl::{self, BEARER_REFUSED, Mechanism, Step};
use crate::shared::Role;

impl Peer {
    pub(super) async fn auth(&mut self, mechanism: &str, initial: Option<String>) -> Result<(), End> {
        if let Some(reply) = self.login_refused() {
            return self.answer(reply).await;
        }
        self.synchronized()?;
        let Some(mechanism) = Mechanism::new(mechanism) else {
            return self.answer(Reply::new(504, "5.5.4", "There is no such mechanism")).await;
        };
        let reply = match self.exchange(mechanism, initial).await? {
            Ok((proof, named, told)) => self.admit(proof, named, told).await?,
            Err(reply) => reply,
        };
        self.answer(reply).await
    }

    fn login_refused(&self) -> Option<Reply> {
        if self.role == Role::Mx {
            return Some(Reply::new(502, "5.5.1", "Nobody logs in here; use the port for submission"));
        }
        if self.hello.as_ref().is_none_or(|hello| !hello.extended) {
            return Some(Reply::new(503, "5.5.1", "Say EHLO first"));
        }
        // RFC 4954 §4.
        if self.session.is_some() || self.transaction.is_some() {
            return Some(Reply::new(503, "5.5.1", "Not now"));
        }
        let text = "No password in plain text: use STARTTLS, or the port for TLS";
        (!self.may_log_in()).then(|| Reply::new(538, "5.7.11", text))
    }

    /// Challenges and responses until somebody claims to be somebody.
    async fn exchange(
        &mut self,
        mut mechanism: Mechanism,
        initial: Option<String>,
    ) -> Result<Result<(Proof, Option<String>, bool), Reply>, End> {
        let wrong = |text| Ok(Err(Reply::new(501, "5.5.2", text)));
        let mut response = match initial.as_deref() {
            None => None,
            // RFC 4954 §4: an empty one.
            Some("=") => Some(Default::default()),
            Some(text) => match sasl::decode(text.as_bytes()) {
                Some(bytes) => Some(bytes),
                None => return wrong("This is not base64"),
            },
        };
        loop {
            match mechanism.step(response.take()) {
                Step::Claim(proof, named, told) => return Ok(Ok((proof, named, told))),
                Step::Wrong(text) => return wrong(text),
                Step::Challenge(text) => {
                    let line = self.challenge(text).await?;
                    if *line == b"*" {
                        return Ok(Err(Reply::new(501, "5.7.0", "Given up")));
                    }
                    match sasl::decode(&line) {
                        Some(bytes) => response = Some(bytes),
                        None => return wrong("This is not base64"),
                    }
                }
            }
        }
    }

    async fn challenge(&mut self, text: &str) -> Result<zeroize::Zeroizing<Vec<u8>>, End> {
        self.wire.raw(format!("334 {}\r\n", sasl::encode(text)).as_bytes());
        let line = self.wire.line(SASL_BYTES_MAX, self.shared.times.command).await?;
        Ok(zeroize::Zeroizing::new(line))
    }

    async fn admit(&mut self, proof: Proof, named: Option<String>, told: bool) -> Result<Reply, End> {
        let client = self.hello.as_ref().map(|hello| hello.name.clone());
        let door = Door { protocols: vec![Protocol::new("smtp")], address: Some(self.address), client };
        let admitted = self.shared.core.authenticate(proof, door).await;
        let refused = match admitted {
            Ok(session) if named.is_some_and(|name| !is_named(&session, &name)) => {
                Reply::new(535, "5.7.8", "The token belongs to another account")
            }
            Ok(session) if !session.may_send() => {
                Reply::new(535, "5.7.8", "This app password does not allow to send mail")
            }
            Ok(session) => {
                let watched = session.clone();
                self.revoked = Box::pin(async move { watched.revoked().await });
                self.session = Some(session);
                return Ok(Reply::new(235, "2.7.0", "Welcome"));
            }
            Err(error) if error.kind == ErrorKind::Busy => {
                return Err(End::Bye(Reply::new(421, "4.7.0", "Too many failed logins; try again later")));
            }
            Err(error) if matches!(error.kind, ErrorKind::Denied) => {
                Reply::new(535, "5.7.8", "This app password does not allow to send mail")
            }
            Err(error) => refusal(&error),
        };
        if told {
            // RFC 7628 §3.2.3: the client answers with a dummy response, and then hears the result.
            self.challenge(BEARER_REFUSED).await?;
        }
        self.failed_logins += 1;
        self.wire.flush().await?;
        tokio::time::sleep(TARPIT).await;
        if self.failed_logins >= FAILED_LOGINS_MAX {
            self.wire.say(&refused);
            return Err(End::bye("4.7.0", "Too many failed logins"));
        }
        Ok(refused)
    }
}

fn is_named(session: &allod_core::Session, name: &str) -> bool {
    let same = |own: &str| own.eq_ignore_ascii_case(name);
    same(&session.account()) || session.addresses().iter().any(|address| same(address))
}
