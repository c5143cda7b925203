//! The gateway through real sockets, over a store in memory.

mod announced;
mod login;
mod sizes;
mod stay;

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use allod_blobs::{BlobConfig, MasterKey};
use allod_core::{AccountChange, Core, NewCredential};
use allod_kit::{Binding, Gateway, Listener, StartTls, Stop, Tls};
use allod_meta::{Store, memory::Memory};
use allod_model::parse_grant;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::{ALPN, Imap, Options};

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A served store with the account `alice`.
struct Served {
    core: Core,
    app: NewCredential,
    address: SocketAddr,
    /// TLS from the start.
    tls_address: SocketAddr,
    stop: Stop,
    _folder: tempfile::TempDir,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn serve() -> Served {
    serve_with(Options::default()).await
}

async fn serve_with(options: Options) -> Served {
    let store = Store::new(Arc::new(Memory::new()));
    let blobs = allod_core::Options::new(BlobConfig::new("memory:///"));
    let core = Core::open(store, MasterKey::from_bytes(&[7; 32]), blobs).await.unwrap();
    let operator = core.operator();
    let addresses =
        AccountChange { emails: Some(vec!["alice@example.org".into()]), ..AccountChange::default() };
    operator.add_account("alice", addresses).await.unwrap();
    let app = credential(&core, "all").await;
    let folder = tempfile::tempdir().unwrap();
    let tls = certificate(folder.path());
    let local = "127.0.0.1:0".parse().unwrap();
    let plain = Listener::bind(Binding::start_tls(local)).await.unwrap();
    let encrypted = Listener::bind(Binding::tls(local, tls.clone(), ALPN)).await.unwrap();
    let (address, tls_address) = (plain.local_addr().unwrap(), encrypted.local_addr().unwrap());
    let imap = Imap::new(core.clone(), options);
    imap.add(plain, Some(StartTls::new(&tls, ALPN).unwrap()));
    imap.add(encrypted, None);
    let stop = Stop::new();
    let serving = stop.clone();
    tokio::spawn(async move { imap.serve(serving).await });
    Served { core, app, address, tls_address, stop, _folder: folder }
}

async fn credential(core: &Core, grant: &str) -> NewCredential {
    let grants = vec![parse_grant(grant).unwrap()];
    core.operator().add_credential("alice", "test", grants, None).await.unwrap()
}

fn certificate(folder: &Path) -> Tls {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    Tls::load(&cert, &key).unwrap()
}

trait Bytes: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Bytes for T {}

/// A client that controls every byte.
struct Client {
    io: Box<dyn Bytes>,
    received: Vec<u8>,
    tags: u32,
}

impl Client {
    fn over(io: impl Bytes + 'static) -> Client {
        Client { io: Box::new(io), received: Vec::new(), tags: 0 }
    }

    /// Connected; the greeting was read.
    async fn connect(served: &Served) -> Client {
        let mut client = Client::over(TcpStream::connect(served.address).await.unwrap());
        client.until("* OK").await;
        client
    }

    /// Logged in.
    async fn alice(served: &Served) -> Client {
        let mut client = Client::connect(served).await;
        let answer = client.ask(&format!("LOGIN alice {}", served.app.password.as_str())).await;
        assert!(answer.contains(" OK "), "{answer}");
        client
    }

    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.io.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Everything up to and with the line that begins so.
    async fn until(&mut self, beginning: &str) -> String {
        let mut found = String::new();
        loop {
            let Some(line) = self.line().await else { panic!("no '{beginning}' in: {found}") };
            found.push_str(&line);
            if line.starts_with(beginning) {
                return found;
            }
        }
    }

    /// The next line with its end; `None` at the end of the connection.
    async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.received.iter().position(|byte| *byte == b'\n') {
                let line = self.received.drain(..=end).collect::<Vec<_>>();
                return Some(String::from_utf8_lossy(&line).into_owned());
            }
            let mut buffer = [0; 4096];
            let count =
                timeout(PATIENCE, self.io.read(&mut buffer)).await.expect("an answer in time").unwrap_or(0);
            if count == 0 {
                return None;
            }
            self.received.extend_from_slice(&buffer[..count]);
        }
    }

    /// What is still said until the connection ends.
    async fn rest(&mut self) -> String {
        let mut found = String::new();
        while let Some(line) = self.line().await {
            found.push_str(&line);
        }
        found
    }

    /// A command, and its whole answer.
    async fn ask(&mut self, command: &str) -> String {
        self.tags += 1;
        let tag = format!("t{}", self.tags);
        self.send(format!("{tag} {command}\r\n")).await;
        self.until(&format!("{tag} ")).await
    }
}

/// The other end of RFC 4978.
fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.flush().unwrap();
    encoder.get_ref().clone()
}

fn inflate(bytes: &[u8]) -> String {
    let mut text = Vec::new();
    // It has no end yet.
    let _ = flate2::read::DeflateDecoder::new(bytes).read_to_end(&mut text);
    String::from_utf8(text).unwrap()
}
