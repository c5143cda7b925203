//! An IMAP client that sends exactly what it is told and reads answers to the byte.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::server::{App, Server};

const TIMEOUT: Duration = Duration::from_secs(30);

/// One answer: its lines as text, with what stood in literals beside it.
#[derive(Clone, Debug, Default)]
pub struct Line {
    /// The line, each literal in it as `{n}`.
    pub text: String,
    /// Its literals.
    pub literals: Vec<Vec<u8>>,
}

/// All that was said to one command.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What came before the tagged line.
    pub untagged: Vec<Line>,
    /// The tagged line without its tag: `OK …`.
    pub completion: String,
}

impl Answer {
    /// Whether it ended well.
    pub fn is_ok(&self) -> bool {
        self.completion.starts_with("OK")
    }

    /// The untagged lines that hold `text`.
    pub fn with(&self, text: &str) -> Vec<&Line> {
        self.untagged.iter().filter(|line| line.text.contains(text)).collect()
    }

    /// The first literal of all.
    pub fn literal(&self) -> &[u8] {
        self.untagged.iter().flat_map(|line| &line.literals).next().map_or(&[], Vec::as_slice)
    }
}

/// A connection.
pub struct Imap {
    stream: TcpStream,
    received: Vec<u8>,
    tags: u32,
}

impl Imap {
    /// A new connection whose greeting was read.
    pub fn connect(server: &Server) -> Imap {
        let stream = TcpStream::connect(server.imap_address()).expect("IMAP is served");
        stream.set_read_timeout(Some(TIMEOUT)).expect("a time-out can be set");
        let mut imap = Imap { stream, received: Vec::new(), tags: 0 };
        let greeting = imap.line().expect("a greeting");
        assert!(greeting.text.starts_with("* OK "), "{}", greeting.text);
        imap
    }

    /// A new connection that is logged in.
    pub fn login(server: &Server, app: &App) -> Imap {
        let mut imap = Imap::connect(server);
        let answer = imap.ask(&format!("LOGIN {} {}", app.user, app.password));
        assert!(answer.is_ok(), "{}", answer.completion);
        imap
    }

    /// Logged in, with this mailbox selected.
    pub fn select(server: &Server, app: &App, mailbox: &str) -> Imap {
        let mut imap = Imap::login(server, app);
        imap.want(&format!("SELECT \"{mailbox}\""));
        imap
    }

    /// Sends bytes.
    pub fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("it can be sent");
    }

    /// The next line; `None` at the connection's end.
    pub fn line(&mut self) -> Option<Line> {
        let mut line = Line::default();
        loop {
            let text = String::from_utf8_lossy(&self.until_crlf()?).into_owned();
            line.text.push_str(&text);
            let size = text.strip_suffix('}').and_then(|text| text.rsplit_once('{')?.1.parse().ok());
            let Some(size) = size else { return Some(line) };
            while self.received.len() < size {
                self.receive()?;
            }
            line.literals.push(self.received.drain(..size).collect());
        }
    }

    fn until_crlf(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(end) = self.received.windows(2).position(|two| two == b"\r\n") {
                let line = self.received.drain(..end).collect();
                self.received.drain(..2);
                return Some(line);
            }
            self.receive()?;
        }
    }

    fn receive(&mut self) -> Option<()> {
        let mut buffer = [0; 1 << 16];
        match self.stream.read(&mut buffer) {
            Ok(0) => None,
            Ok(count) => {
                self.received.extend_from_slice(&buffer[..count]);
                Some(())
            }
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => None,
            Err(error) => panic!("no answer: {error}"),
        }
    }

    /// Waits for a line that holds `text`; what came before is lost.
    pub fn wait(&mut self, text: &str) -> Line {
        let began = Instant::now();
        loop {
            let line = self.line().unwrap_or_else(|| panic!("the connection ended before '{text}'"));
            if line.text.contains(text) {
                return line;
            }
            assert!(began.elapsed() < TIMEOUT, "'{text}' does not come");
        }
    }

    /// Sends a command, which may hold literals sent without waiting, and reads its answer.
    pub fn ask(&mut self, command: &str) -> Answer {
        self.ask_bytes(command.as_bytes())
    }

    /// As [`Imap::ask`].
    pub fn ask_bytes(&mut self, command: &[u8]) -> Answer {
        self.tags += 1;
        let tag = format!("t{} ", self.tags);
        self.write(&[tag.as_bytes(), command, b"\r\n"].concat());
        self.answer(&tag)
    }

    fn answer(&mut self, tag: &str) -> Answer {
        let mut untagged = Vec::new();
        loop {
            let line = self.line().unwrap_or_else(|| panic!("the connection ended: {untagged:?}"));
            match line.text.strip_prefix(tag) {
                Some(completion) => return Answer { untagged, completion: completion.to_owned() },
                None => untagged.push(line),
            }
        }
    }

    /// Sends a command that must succeed.
    pub fn want(&mut self, command: &str) -> Answer {
        let answer = self.ask(command);
        assert!(answer.is_ok(), "{command}: {} {:?}", answer.completion, answer.untagged);
        answer
    }

    /// Adds a message.
    pub fn append(&mut self, mailbox: &str, message: &[u8]) -> Answer {
        let command = format!("APPEND \"{mailbox}\" {{{}+}}\r\n", message.len());
        self.ask_bytes(&[command.as_bytes(), message].concat())
    }

    /// Begins IDLE.
    pub fn idle(&mut self) {
        self.write(b"idle IDLE\r\n");
        self.wait("+ ");
    }

    /// Ends IDLE; what was told meanwhile.
    pub fn done(&mut self) -> Answer {
        self.write(b"DONE\r\n");
        self.answer("idle ")
    }
}
