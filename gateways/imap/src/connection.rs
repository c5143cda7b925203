//! One connection, from greeting to good-bye: who speaks, what is allowed when, what ends it.

mod anytime;
mod conversing;
mod login;

use std::borrow::Cow;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use allod_core::Core;
use allod_kit::{Accepted, StartTls, Stop};

use crate::Options;
use crate::capability;
use crate::limits::{BAD_MAX, Places};
use crate::syntax::ast::Tagged;
use crate::syntax::{self, Reading};
use crate::wire::{Abort, Code, Completion, Io, Output, ReadEnd, Reader, Status, Transport};

/// Why somebody who is never understood is shown the door.
const TOO_BAD: &str = "Too many commands that are not understood";
/// Time for the last words.
const GOODBYE_TIME_MAX: Duration = Duration::from_secs(2);
/// Time for the client to close its side after them.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(1);

/// What all connections share.
pub(crate) struct Shared {
    pub(crate) core: Core,
    pub(crate) options: Options,
    pub(crate) places: Places,
}

/// Serves one connection. `start_tls`: it began in plain text and can be encrypted.
pub(crate) async fn serve(shared: Arc<Shared>, start_tls: Option<StartTls>, accepted: Accepted, stop: Stop) {
    let peer = accepted.address();
    let address = peer.ip().to_canonical();
    let place = shared.places.address(address);
    if place.is_none() && accepted.is_tls() {
        // A handshake is what costs most; who has too many gets none.
        tracing::debug!(%peer, "too many connections");
        return;
    }
    let handshake = Box::pin(stop.run_until_cancelled(accepted.handshake())).await;
    let connection = match handshake {
        Some(Ok(connection)) => connection,
        Some(Err(error)) => {
            tracing::debug!(%peer, %error, "handshake failed");
            return;
        }
        None => return,
    };
    let tls = connection.is_tls();
    let transport = Transport::new(Io::Socket(connection));
    let mut client = Client {
        reader: Reader::new(transport.clone()),
        out: Output::new(transport),
        address,
        start_tls: start_tls.filter(|_| !tls),
        name: None,
        bad: 0,
        shared,
        stop,
        tls,
    };
    let end = match place {
        Some(_) => client.run().await,
        None => End::Bye(Some(Code::LIMIT), "Too many connections from your address".into()),
    };
    drop(place);
    match &end {
        End::Gone(error) => tracing::debug!(%peer, %error, "connection ended"),
        End::Bye(_, text) => tracing::debug!(%peer, %text, "connection ended by us"),
        End::LoggedOut => tracing::debug!(%peer, "logged out"),
    }
    Box::pin(client.part(end)).await;
}

/// Why a connection ends.
#[derive(Debug)]
enum End {
    /// The other end is gone, or bytes can no longer be told apart.
    Gone(io::Error),
    /// We end it, and say so.
    Bye(Option<Code>, Cow<'static, str>),
    /// LOGOUT: everything has been said.
    LoggedOut,
}

impl End {
    fn bye(text: impl Into<Cow<'static, str>>) -> End {
        End::Bye(None, text.into())
    }

    /// The server stops.
    fn stopping() -> End {
        // RFC 5530 §3: temporary; the client may come back.
        End::Bye(Some(Code::UNAVAILABLE), "The server stops; come back soon".into())
    }
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        End::Gone(error)
    }
}

impl From<ReadEnd> for End {
    fn from(end: ReadEnd) -> Self {
        match end {
            ReadEnd::Gone(error) => End::Gone(error),
            ReadEnd::Bye(text) => End::bye(text),
        }
    }
}

/// One client.
struct Client {
    shared: Arc<Shared>,
    stop: Stop,
    address: IpAddr,
    tls: bool,
    start_tls: Option<StartTls>,
    reader: Reader,
    out: Output,
    /// What it calls itself (RFC 2971).
    name: Option<String>,
    /// Commands in a row that were not understood.
    bad: u32,
}

impl Client {
    async fn run(&mut self) -> End {
        let greeting = format!("* OK [CAPABILITY {}] allod ready\r\n", self.capabilities());
        if let Err(error) = self.out.raw(greeting).flush().await {
            return End::Gone(error);
        }
        let (session, _place) = match Box::pin(self.log_in()).await {
            Ok(logged_in) => logged_in,
            Err(end) => return end,
        };
        self.converse(session).await
    }

    /// What is announced before login.
    fn capabilities(&self) -> String {
        capability::before_login(self.start_tls.is_some(), self.may_login())
    }

    /// Whether a password may be sent as things are.
    fn may_login(&self) -> bool {
        may_login(self.tls, self.address, self.shared.options.insecure)
    }

    /// How names are written now.
    fn reading(&self) -> Reading {
        Reading::of(self.out.enabled())
    }

    /// Understands a command, or answers that it is none.
    async fn understand(&mut self, bytes: Vec<u8>) -> Result<Option<Tagged>, End> {
        // Some clients send an empty line after a literal.
        if bytes.trim_ascii().is_empty() {
            self.bad += 1;
            return if self.bad > BAD_MAX { Err(End::bye(TOO_BAD)) } else { Ok(None) };
        }
        let understood = syntax::command(&bytes, self.reading());
        // It may hold a password.
        let bytes = zeroize::Zeroizing::new(bytes);
        match understood {
            Ok(tagged) => Ok(Some(tagged)),
            Err(bad) => {
                self.answer(syntax::tag(&bytes).as_deref(), bad).await?;
                Ok(None)
            }
        }
    }

    /// Writes how a command ended and sends everything. Without a tag it is nobody's answer (RFC 9051 §7.1.3).
    async fn answer(&mut self, tag: Option<&str>, completion: Completion) -> Result<(), End> {
        let Completion { status, code, text } = completion;
        self.bad = if status == Status::Bad { self.bad + 1 } else { 0 };
        let status = match status {
            Status::Ok => " OK ",
            Status::No => " NO ",
            Status::Bad => " BAD ",
        };
        self.out.raw(tag.unwrap_or("*")).raw(status);
        if let Some(Code(code)) = code {
            self.out.raw("[").raw(printable(&code).as_bytes()).raw("] ");
        }
        // RFC 9051 §9, text: one character at least.
        let text = if text.is_empty() { Cow::Borrowed("Done") } else { text };
        self.out.raw(printable(&text).as_bytes()).end();
        self.out.flush().await?;
        if self.bad > BAD_MAX {
            return Err(End::bye(TOO_BAD));
        }
        Ok(())
    }

    /// Says good-bye and closes.
    async fn part(&mut self, end: End) {
        let last_words = async {
            if let End::Bye(code, text) = &end
                && self.out.abandon()
            {
                self.out.raw("* BYE ");
                if let Some(Code(code)) = code {
                    self.out.raw("[").raw(code.as_bytes()).raw("] ");
                }
                self.out.raw(printable(text).as_bytes()).end();
                let _ = self.out.flush().await;
            }
            let _ = self.reader.transport().shutdown().await;
        };
        let said = tokio::time::timeout(GOODBYE_TIME_MAX, last_words).await;
        if said.is_ok() && !matches!(end, End::Gone(_)) && !self.stop.is_cancelled() {
            self.reader.drain(DRAIN_TIME_MAX).await;
        }
    }
}

/// RFC 9051 §11.1: no password where others can read it.
pub(crate) fn may_login(tls: bool, address: IpAddr, insecure: bool) -> bool {
    tls || insecure || address.is_loopback()
}

/// Nothing that could end a line early.
fn printable(text: &str) -> Cow<'_, str> {
    match text.bytes().all(|byte| matches!(byte, 0x20..=0x7e)) {
        true => Cow::Borrowed(text),
        false => {
            text.chars().map(|c| if (' '..='~').contains(&c) { c } else { '?' }).collect::<String>().into()
        }
    }
}

/// The completion that an abort stands for, or the end of the connection.
fn settle(ran: Result<Completion, Abort>) -> Result<Completion, End> {
    match ran {
        Ok(completion) | Err(Abort::Answer(completion)) => Ok(completion),
        Err(Abort::Gone(error)) => Err(End::Gone(error)),
    }
}
