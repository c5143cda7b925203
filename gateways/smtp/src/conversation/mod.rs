//! One connection, from greeting to good-bye: who speaks, what is allowed when, what ends it.

mod hello;
mod login;
mod message;
mod transaction;

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use allod_core::Session;
use allod_kit::{Accepted, StartTls, Stop};
use tokio::time::{Instant, timeout_at};

use crate::limits::{
    Counts, ERRORS_FREE, ERRORS_MAX, IDLE_COMMANDS_MAX, LINE_BYTES_MAX, SASL_BYTES_MAX, TARPIT, network,
};
use crate::reply::Reply;
use crate::shared::{Role, Shared};
use crate::syntax::{self, Announced, Command};
use crate::wire::{Wire, WireEnd};

pub(crate) use message::Origin;
pub(crate) use transaction::{Recipient, Transaction};

/// Time for the peer to close its side after the last answer.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(1);

/// Why a connection ends.
#[derive(Debug)]
enum End {
    /// The other end is gone.
    Gone,
    /// We end it, with these words.
    Bye(Reply),
    /// QUIT: everything has been said.
    Quit,
}

impl End {
    /// RFC 5321 §3.8: 421 before a server closes.
    fn bye(status: &'static str, text: impl Into<std::borrow::Cow<'static, str>>) -> End {
        End::Bye(Reply::new(421, status, text))
    }
}

impl From<WireEnd> for End {
    fn from(end: WireEnd) -> Self {
        match end {
            WireEnd::Gone(error) => {
                tracing::trace!(%error, "gone");
                End::Gone
            }
            WireEnd::Silent => End::bye("4.4.2", "Nothing came for too long"),
            WireEnd::TooMuch => End::Bye(Reply::new(521, "5.5.2", "Too much for one line or message")),
            // Where a line ends for the one who wrote it cannot be known, so nothing behind it is believed.
            WireEnd::Bare => {
                End::Bye(Reply::new(521, "5.5.2", "A line ends with CRLF, and nowhere else is CR or LF"))
            }
        }
    }
}

/// Serves one connection. `start_tls`: it began in plain text and can be encrypted.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    role: Role,
    start_tls: Option<StartTls>,
    accepted: Accepted,
    stop: Stop,
) {
    let address = accepted.address();
    let connection = match Box::pin(stop.run_until_cancelled(accepted.handshake())).await {
        Some(Ok(connection)) => connection,
        Some(Err(error)) => {
            tracing::debug!(%address, %error, "handshake failed");
            return;
        }
        None => return,
    };
    let wire = Wire::new(connection, shared.times);
    let tls = wire.is_tls();
    let mut peer = Box::new(Peer {
        wire,
        address: address.ip().to_canonical(),
        start_tls: start_tls.filter(|_| !tls),
        hello: None,
        session: None,
        revoked: Box::pin(std::future::pending()),
        transaction: None,
        listed: None,
        errors: 0,
        idle: 0,
        mails: 0,
        failed_logins: 0,
        shared,
        role,
        stop,
    });
    let end = Box::pin(peer.run()).await;
    tracing::debug!(%address, ?end, "connection ended");
    if let End::Bye(reply) = &end {
        peer.wire.say(reply);
    }
    if !matches!(end, End::Gone) {
        let _ = peer.wire.flush().await;
        peer.wire.close(DRAIN_TIME_MAX).await;
    }
}

/// How the peer greeted.
struct Hello {
    name: String,
    extended: bool,
}

/// The other end of a connection.
struct Peer {
    shared: Arc<Shared>,
    role: Role,
    stop: Stop,
    wire: Wire,
    address: IpAddr,
    start_tls: Option<StartTls>,
    hello: Option<Hello>,
    /// Who logged in; nobody does on the listener for the world.
    session: Option<Session>,
    /// Resolves when the credential is over.
    revoked: Pin<Box<dyn Future<Output = ()> + Send>>,
    transaction: Option<Transaction>,
    /// The list of senders of spam that has the address, once it was asked.
    listed: Option<Option<String>>,
    errors: u32,
    /// Commands that carry nothing.
    idle: u32,
    mails: u32,
    failed_logins: u32,
}

impl Peer {
    async fn run(&mut self) -> End {
        let place = match self.address.is_loopback() {
            true => None,
            false => match Counts::take(&self.shared.addresses, network(self.address)) {
                Some(place) => Some(place),
                None => return End::bye("4.7.0", "Too many connections from your address"),
            },
        };
        let end = self.greet_and_serve().await;
        drop(place);
        end
    }

    async fn greet_and_serve(&mut self) -> End {
        self.wire.say(&Reply::new(220, "", format!("{} ESMTP allod", self.shared.options.hostname)));
        let until = Instant::now() + self.shared.times.connection;
        loop {
            match timeout_at(until, self.next()).await {
                Ok(Ok(())) => {}
                Ok(Err(end)) => return end,
                Err(_) => return End::bye("4.4.2", "This connection took too long"),
            }
        }
    }

    /// One command.
    async fn next(&mut self) -> Result<(), End> {
        // RFC 4954 §4: a first response may stand in the command.
        let bytes_max = if self.role == Role::Submission { SASL_BYTES_MAX } else { LINE_BYTES_MAX };
        let line = {
            let stop = self.stop.clone();
            tokio::select! {
                biased;
                () = stop.cancelled() => return Err(End::bye("4.3.2", "The server stops; come back soon")),
                () = self.revoked.as_mut() => return Err(End::bye("4.7.0", "The app password was revoked")),
                line = self.wire.line(bytes_max, self.shared.times.command) => line?,
            }
        };
        if syntax::is_foreign(&line) {
            return Err(End::Bye(Reply::new(521, "5.5.2", "This is a mail server")));
        }
        let line = zeroize::Zeroizing::new(line);
        let announced = Announced { submission: self.role == Role::Submission };
        match syntax::command(&line, announced) {
            Ok(command) => self.obey(command).await,
            Err(reply) => self.answer(reply).await,
        }
    }

    async fn obey(&mut self, command: Command) -> Result<(), End> {
        match command {
            Command::Hello { name, extended } => self.hello(name, extended).await,
            Command::Mail(mail) => {
                let reply = self.mail(mail).await;
                self.answer(reply).await
            }
            Command::Rcpt(rcpt) => {
                let reply = Box::pin(self.rcpt(rcpt)).await;
                self.answer(reply).await
            }
            Command::Data => Box::pin(self.data()).await,
            Command::Bdat { bytes, last } => Box::pin(self.bdat(bytes, last)).await,
            Command::Auth { mechanism, initial } => Box::pin(self.auth(&mechanism, initial)).await,
            Command::StartTls => Box::pin(self.start_tls()).await,
            Command::Quit => {
                self.wire.say(&Reply::new(221, "2.0.0", "Good-bye"));
                Err(End::Quit)
            }
            Command::Rset => {
                self.transaction = None;
                self.idle(Reply::new(250, "2.0.0", "Forgotten")).await
            }
            Command::Noop => self.idle(Reply::new(250, "2.0.0", "Nothing done")).await,
            Command::Vrfy => self.idle(Reply::new(252, "2.1.5", "Send it, and see")).await,
            Command::Help => self.idle(Reply::new(214, "2.0.0", "RFC 5321")).await,
        }
    }

    /// Answers a command that carries nothing; too many of them end the connection.
    async fn idle(&mut self, reply: Reply) -> Result<(), End> {
        self.idle += 1;
        if self.idle > IDLE_COMMANDS_MAX {
            return Err(End::bye("4.7.0", "Too many commands that carry nothing"));
        }
        self.answer(reply).await
    }

    /// Writes an answer. Whoever makes errors waits for it, and is shown out in the end.
    async fn answer(&mut self, reply: Reply) -> Result<(), End> {
        if reply.code == 421 {
            return Err(End::Bye(reply));
        }
        if reply.is_refusal() {
            self.errors += 1;
            if self.errors > ERRORS_FREE {
                self.wire.flush().await?;
                tokio::time::sleep(TARPIT).await;
            }
        }
        self.wire.say(&reply);
        if self.errors > ERRORS_MAX {
            return Err(End::bye("4.7.0", "Too many errors"));
        }
        Ok(self.wire.relieve().await?)
    }

    /// RFC 2920 §3.1: some commands are the last of a group. Whoever sends more without waiting for the answer speaks
    /// to nobody in particular, and what it says next could be taken for something else.
    fn synchronized(&self) -> Result<(), End> {
        match self.wire.has_more() {
            true => Err(End::Bye(Reply::new(521, "5.5.0", "Wait for the answer before sending more"))),
            false => Ok(()),
        }
    }
}
