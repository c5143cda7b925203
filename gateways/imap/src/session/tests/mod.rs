//! Conversations with a store in memory, line by line.

use std::net::IpAddr;
use std::sync::Arc;

use allod_blobs::{BlobConfig, MasterKey};
use allod_core::{AccountChange, Core, Door, Env, Options, Proof, Session, SimulatedClock};
use allod_meta::{Store, memory::Memory};
use allod_model::{Protocol, Timestamp, parse_grant};
use futures_util::FutureExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::unconstrained;

use super::{Conversation, Moment};
use crate::syntax::ast::Command;
use crate::syntax::{self, Reading};
use crate::wire::{Abort, Completion, Incoming, Io, Literals, Output, Reader, Status, Transport};

mod basics;
mod extensions;
mod hostile;
mod mailboxes;
mod notify;
mod patterns;
mod random;

/// A store with the accounts `alice` and `bob`.
pub(crate) struct Bench {
    pub(crate) core: Core,
    pub(crate) clock: SimulatedClock,
}

impl Bench {
    pub(crate) async fn new() -> Bench {
        let store = Store::new(Arc::new(Memory::new()));
        let (env, clock) = Env::simulated(42, Timestamp::from_secs(1_800_000_000));
        let mut options = Options::new(BlobConfig::new("memory:///"));
        options.env = env;
        let core = Core::open(store, MasterKey::from_bytes(&[7; 32]), options).await.unwrap();
        for name in ["alice", "bob"] {
            core.operator().add_account(name, AccountChange::default()).await.unwrap();
        }
        Bench { core, clock }
    }

    /// A session of `account` by IMAP with these grants.
    pub(crate) async fn session(&self, account: &str, grants: &[&str]) -> Session {
        let grants = grants.iter().map(|text| parse_grant(text).unwrap()).collect();
        let new = self.core.operator().add_credential(account, "test", grants, None).await.unwrap();
        let proof = Proof::Password { username: account.into(), password: new.password.to_string().into() };
        let address: IpAddr = "10.0.0.1".parse().unwrap();
        let protocols = vec![Protocol::new("imap")];
        let door = Door { protocols, address: Some(address), client: Some("test".into()) };
        self.core.authenticate(proof, door).await.unwrap()
    }

    /// A client of `alice` who may do everything.
    pub(crate) async fn client(&self) -> Client {
        self.limited(&["all"]).await
    }

    /// A client of `account` with these grants.
    pub(crate) async fn client_of(&self, account: &str, grants: &[&str]) -> Client {
        Client::new(self.session(account, grants).await)
    }

    /// A client of `alice` with these grants.
    pub(crate) async fn limited(&self, grants: &[&str]) -> Client {
        self.client_of("alice", grants).await
    }
}

/// One end of a conversation; the other is driven by its methods.
pub(crate) struct Client {
    conversation: Conversation,
    reader: Reader,
    out: Output,
    peer: DuplexStream,
    tag: u32,
    /// Whether scripts speak of `\Recent`; otherwise it is left out of what is told.
    recent: bool,
    /// Messages and values that steps remember: `{name}` in later ones.
    pub(crate) known: Vec<(String, String)>,
}

impl Client {
    fn new(session: Session) -> Client {
        let (peer, server) = tokio::io::duplex(256 << 20);
        let transport = Transport::new(Io::Memory(server));
        Client {
            conversation: Conversation::new(session),
            reader: Reader::new(transport.clone()),
            out: Output::new(transport),
            peer,
            tag: 0,
            recent: false,
            known: Vec::new(),
        }
    }

    /// Sends a command and returns all lines of its answer, the last one without its tag. A literal stands in the line
    /// that announces it, after a line end.
    pub(crate) async fn ask(&mut self, command: &str) -> Vec<String> {
        let answer = self.ask_bytes(command.as_bytes()).await;
        let told = lines(&answer).into_iter().map(|line| String::from_utf8_lossy(&line).into_owned());
        let told = told.filter(|line| self.recent || !line.ends_with(" RECENT"));
        told.map(
            |line| if self.recent { line } else { line.replace("(\\Recent", "(").replace(" \\Recent", "") },
        )
        .collect()
    }

    pub(crate) async fn ask_bytes(&mut self, command: &[u8]) -> Vec<u8> {
        self.tag += 1;
        let tag = format!("a{}", self.tag);
        self.peer.write_all(&[tag.as_bytes(), b" ", command, b"\r\n"].concat()).await.unwrap();
        let reading = Reading::of(self.out.enabled());
        let incoming = self.reader.command(reading, true).await.unwrap();
        let ran = self.run(incoming).await;
        let completion = match ran {
            Ok(completion) | Err(Abort::Answer(completion)) => completion,
            Err(Abort::Gone(_)) => Completion::bad("connection ended"),
        };
        let word = match completion.status {
            Status::Ok => "OK",
            Status::No => "NO",
            Status::Bad => "BAD",
        };
        self.out.raw(word).raw(" ");
        if let Some(code) = completion.code {
            self.out.raw("[").raw(code.0.as_bytes()).raw("] ");
        }
        self.out.raw(completion.text.as_bytes()).end();
        self.told().await
    }

    async fn run(&mut self, incoming: Incoming) -> Result<Completion, Abort> {
        let (tagged, first) = match incoming {
            Incoming::Refused(_, refusal) => return Ok(refusal),
            Incoming::Streamed(head, literal) => (head.tagged, Some((head.message, literal))),
            Incoming::Command(bytes) => {
                let reading = Reading::of(self.out.enabled());
                (syntax::command(&bytes, reading)?, None)
            }
        };
        if let Command::Enable(names) = &tagged.command {
            return Ok(self.enable(names));
        }
        let mut body = match first {
            Some((message, literal)) => Literals::begin(&mut self.reader, message, literal),
            None => Literals::none(&mut self.reader),
        };
        let ran = self.conversation.run(tagged, &mut self.out, &mut body).await;
        let _ = body.finish().await;
        ran
    }

    fn enable(&mut self, names: &[String]) -> Completion {
        let mut enabled = self.out.enabled();
        for name in names {
            match name.as_str() {
                "CONDSTORE" => enabled.condstore = true,
                "QRESYNC" => (enabled.qresync, enabled.condstore) = (true, true),
                "UTF8=ACCEPT" => enabled.utf8_accept = true,
                _ => enabled.imap4rev2 = true,
            }
        }
        self.conversation.enable(enabled, &mut self.out);
        Completion::ok("Enabled")
    }

    async fn told(&mut self) -> Vec<u8> {
        self.out.flush().await.unwrap();
        let mut told = Vec::new();
        // What is there is read, however long this task ran.
        while let Some(Ok(count)) = unconstrained(self.peer.read_buf(&mut told)).now_or_never() {
            if count == 0 {
                break;
            }
        }
        told
    }

    /// What is told during IDLE, or between commands.
    pub(crate) async fn report(&mut self, moment: Moment) -> Vec<String> {
        let _ = self.conversation.report(&mut self.out, moment).await;
        let told = self.told().await;
        let told = lines(&told).into_iter().map(|line| String::from_utf8_lossy(&line).into_owned());
        told.filter(|line| self.recent || !line.ends_with(" RECENT")).collect()
    }

    /// Whether a change was noticed.
    pub(crate) fn is_woken(&mut self) -> bool {
        unconstrained(self.conversation.changed()).now_or_never().is_some()
    }

    /// Puts a message into a mailbox.
    pub(crate) async fn append(&mut self, mailbox: &str, more: &str, message: &str) -> Vec<String> {
        let more = if more.is_empty() { String::new() } else { format!("{more} ") };
        self.ask(&format!("APPEND {mailbox} {more}{{{}+}}\r\n{message}", message.len())).await
    }

    /// A conversation as it is written: `C: ` sends, `S: ` is what must come, line by line and in this order; `*` at a
    /// line's end stands for anything, and `S: ...` for any lines.
    pub(crate) async fn talk(&mut self, script: &str) {
        let mut answer: Vec<String> = Vec::new();
        let mut any = false;
        let mut asked = String::new();
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if let Some(command) = line.strip_prefix("C: ") {
                assert!(any || answer.is_empty(), "{asked}: also told: {answer:#?}");
                asked = self.filled(command).replace("\\r", "\r").replace("\\n", "\n");
                answer =
                    if asked == "IDLE" { self.report(Moment::Idle).await } else { self.ask(&asked).await };
                answer.reverse();
                any = false;
            } else if line == "S: ..." {
                any = true;
            } else if let Some(wanted) = line.strip_prefix("S: ") {
                let wanted = self.filled(wanted).replace("\\r", "\r").replace("\\n", "\n");
                loop {
                    let told = answer.pop().unwrap_or_else(|| panic!("{asked}: not told: {wanted}"));
                    if fits(&told, &wanted) {
                        break;
                    }
                    assert!(any, "{asked}\n   told: {told:?}\n wanted: {wanted:?}");
                }
                any = false;
            } else {
                panic!("neither C: nor S: {line}");
            }
        }
        assert!(any || answer.is_empty(), "{asked}: also told: {answer:#?}");
    }

    fn filled(&self, text: &str) -> String {
        self.known
            .iter()
            .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("<{name}>"), value))
    }

    /// The word after `before` in an answer, remembered as `name`.
    pub(crate) async fn learn(&mut self, name: &str, command: &str, before: &str) -> String {
        let answer = self.ask(command).await.join("\r\n");
        let rest = answer.split_once(before).unwrap_or_else(|| panic!("{before} in {answer}")).1;
        let end = rest.find([' ', ']', ')', '\r']).unwrap_or(rest.len());
        let value = rest[..end].to_owned();
        self.known.retain(|(known, _)| known != name);
        self.known.push((name.to_owned(), value.clone()));
        value
    }
}

fn fits(told: &str, wanted: &str) -> bool {
    match wanted.strip_suffix('*') {
        Some(beginning) => told.starts_with(beginning),
        None => told == wanted,
    }
}

/// The lines of an answer; literals belong to the line that announces them.
pub(crate) fn lines(answer: &[u8]) -> Vec<Vec<u8>> {
    let (mut lines, mut line, mut rest) = (Vec::new(), Vec::new(), answer);
    while let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
        line.extend_from_slice(&rest[..end]);
        rest = &rest[end + 2..];
        let size = announced(&line);
        match size {
            Some(size) => {
                line.extend_from_slice(b"\r\n");
                line.extend_from_slice(&rest[..size]);
                rest = &rest[size..];
            }
            None => lines.push(std::mem::take(&mut line)),
        }
    }
    assert!(rest.is_empty() && line.is_empty(), "{:?}", String::from_utf8_lossy(rest));
    lines
}

fn announced(line: &[u8]) -> Option<usize> {
    let line = line.strip_suffix(b"}")?;
    let at = line.iter().rposition(|byte| *byte == b'{')?;
    std::str::from_utf8(&line[at + 1..]).ok()?.parse().ok()
}
