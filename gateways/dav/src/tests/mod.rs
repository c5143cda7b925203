//! The gateway through a real socket, over a store in memory.

use std::net::SocketAddr;
use std::sync::Arc;

use allod_blobs::{BlobConfig, MasterKey};
use allod_core::{AccountChange, Core, Options};
use allod_kit::{Binding, HttpOptions, HttpRouter, Listener, Stop, serve_http};
use allod_meta::{Store, memory::Memory};
use allod_model::parse_grant;
use base64::Engine;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Dav;

mod addressbooks;
mod calendars;
mod clients;
mod rules;
mod scheduling;
mod sharing;

/// A store with the account `alice` and an app credential for everything.
pub(crate) async fn store() -> (Core, String) {
    let store = Store::new(Arc::new(Memory::new()));
    let options = Options::new(BlobConfig::new("memory:///"));
    let core = Core::open(store, MasterKey::from_bytes(&[7; 32]), options).await.unwrap();
    let operator = core.operator();
    operator.add_account("alice", AccountChange::default()).await.unwrap();
    let grants = vec![parse_grant("all").unwrap()];
    let credential = operator.add_credential("alice", "test", grants, None).await.unwrap();
    let pair = format!("alice:{}", credential.password.as_str());
    (core, format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair)))
}

/// A served store and what a client remembers of its answers.
struct Client {
    address: SocketAddr,
    authorization: String,
    /// The last `ETag`, `Lock-Token` and `sync-token` seen: `{etag}`, `{lock}` and `{sync}` in later requests.
    etag: String,
    lock: String,
    sync: String,
    _stop: StopOnDrop,
}

/// An answer.
struct Reply {
    status: u16,
    /// Status line and headers; their names are in lower case.
    head: String,
    body: String,
}

/// A request and what must come back.
struct Step {
    method: &'static str,
    url: &'static str,
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
    status: u16,
    /// What head or body of the answer hold; behind `!`, what they do not.
    holds: &'static [&'static str],
}

const fn step(method: &'static str, url: &'static str, status: u16) -> Step {
    Step { method, url, headers: &[], body: "", status, holds: &[] }
}

impl Step {
    const fn with(mut self, headers: &'static [(&'static str, &'static str)]) -> Step {
        self.headers = headers;
        self
    }

    const fn body(mut self, body: &'static str) -> Step {
        self.body = body;
        self
    }

    const fn holds(mut self, holds: &'static [&'static str]) -> Step {
        self.holds = holds;
        self
    }
}

impl Client {
    async fn new() -> Client {
        Client::behind(Vec::new()).await
    }

    /// Of a server that trusts these proxies.
    async fn behind(trusted_proxies: Vec<allod_kit::Network>) -> Client {
        let (core, authorization) = store().await;
        Client::of(core, authorization, trusted_proxies).await
    }

    /// Of a store that is there already.
    async fn of(core: Core, authorization: String, trusted_proxies: Vec<allod_kit::Network>) -> Client {
        let listener = Listener::bind(Binding::plain("127.0.0.1:0".parse().unwrap())).await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), Stop::new());
        let router = Arc::new(HttpRouter::new(vec![Arc::new(Dav::new(core))], || true));
        let options = HttpOptions { trusted_proxies, ..HttpOptions::default() };
        tokio::spawn(serve_http(listener, router, options, stop.clone()));
        let (etag, lock, sync) = Default::default();
        Client { address, authorization, etag, lock, sync, _stop: StopOnDrop(stop) }
    }

    /// All steps in order, each on a connection of its own.
    async fn run(&mut self, steps: &[Step]) {
        for (number, step) in steps.iter().enumerate() {
            let reply = self.ask(step.method, step.url, step.headers, step.body).await;
            let text = format!("{}\n{}", reply.head, reply.body);
            assert_eq!(reply.status, step.status, "{number}: {} {} {text}", step.method, step.url);
            for wanted in step.holds {
                let fits = match wanted.strip_prefix('!') {
                    Some(unwanted) => !text.contains(&self.filled(unwanted)),
                    None => text.contains(&self.filled(wanted)),
                };
                assert!(fits, "{number}: {} {} {wanted} {text}", step.method, step.url);
            }
        }
    }

    /// One request with its body's length announced, unless the headers say that it comes in chunks.
    async fn ask(&mut self, method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let body = self.filled(body);
        let chunked = headers.iter().any(|(name, _)| *name == "Transfer-Encoding");
        let anonymous = headers.iter().any(|(name, _)| *name == "Anonymous");
        let waits = headers.iter().any(|(name, _)| *name == "Expect");
        let mut head = format!("{method} {url} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.address);
        if !anonymous {
            head += &format!("Authorization: {}\r\n", self.authorization);
        }
        for (name, value) in headers {
            head += &format!("{name}: {}\r\n", self.filled(value));
        }
        if !chunked {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        head += "\r\n";
        let mut socket = TcpStream::connect(self.address).await.unwrap();
        socket.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        if waits {
            let mut interim = [0; 4096];
            let length = socket.read(&mut interim).await.unwrap();
            if !interim.starts_with(b"HTTP/1.1 100") {
                answer.extend_from_slice(&interim[..length]);
            }
        }
        if answer.is_empty() {
            let chunk =
                if body.is_empty() { String::new() } else { format!("{:x}\r\n{body}\r\n", body.len()) };
            let chunks = chunk + "0\r\n\r\n";
            // A refusal may come, and the connection end, before all of it is sent.
            let _ = socket.write_all(if chunked { chunks.as_bytes() } else { body.as_bytes() }).await;
        }
        socket.read_to_end(&mut answer).await.unwrap();
        self.remember(Reply::read(&answer))
    }

    fn remember(&mut self, reply: Reply) -> Reply {
        let header = |name: &str| reply.header(name);
        self.etag = header("etag").unwrap_or_else(|| self.etag.clone());
        self.lock = header("lock-token").unwrap_or_else(|| self.lock.clone());
        if let Some((_, rest)) = reply.body.split_once("<D:sync-token>") {
            self.sync = rest.split('<').next().unwrap_or_default().to_owned();
        }
        reply
    }

    fn filled(&self, text: &str) -> String {
        let bare = self.lock.trim_matches(['<', '>']);
        text.replace("{etag}", &self.etag)
            .replace("{lock}", &self.lock)
            .replace("{bare}", bare)
            .replace("{sync}", &self.sync)
            .replace("{host}", &self.address.to_string())
    }
}

impl Reply {
    fn read(answer: &[u8]) -> Reply {
        let end = answer.windows(4).position(|w| w == b"\r\n\r\n").expect("an answer has a head");
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        let mut body = &answer[end + 4..];
        let mut whole = Vec::new();
        if head.contains("transfer-encoding: chunked") {
            loop {
                let line = body.windows(2).position(|w| w == b"\r\n").expect("a chunk has a length");
                let length = usize::from_str_radix(std::str::from_utf8(&body[..line]).unwrap(), 16).unwrap();
                whole.extend_from_slice(&body[line + 2..line + 2 + length]);
                body = &body[line + 4 + length..];
                if length == 0 {
                    break;
                }
            }
        } else {
            whole.extend_from_slice(body);
        }
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        Reply { status, head, body: String::from_utf8_lossy(&whole).into_owned() }
    }

    fn header(&self, name: &str) -> Option<String> {
        let line = self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))?;
        Some(line.to_owned())
    }
}

/// Ends the server with its client.
struct StopOnDrop(Stop);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}
