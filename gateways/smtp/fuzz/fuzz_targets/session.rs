//! Any bytes from a peer, in each state that it can reach by itself: the first byte of the input chooses it. Every answer is
//! one that a client can read, the connection ends when the peer's side does, nothing arrives without its end, and nobody
//! reaches others by this server who did not log in.
#![no_main]

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use allod_blobs::{BlobConfig, MasterKey};
use allod_core::{AccountChange, Core, Env, SimulatedClock};
use allod_kit::{Binding, Gateway, Listener, StartTls, Stop, Tls};
use allod_meta::{Store, memory::Memory};
use allod_model::{NameRule, Path, Timestamp, parse_grant};
use allod_smtp::{Options, Role, Smtp};
use libfuzzer_sys::fuzz_target;
use std::net::SocketAddr;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// Longest time for one connection: nothing in it waits, so a hang is what takes longer.
const PATIENCE: Duration = Duration::from_secs(8);

struct Server {
    runtime: tokio::runtime::Runtime,
    core: Core,
    clock: SimulatedClock,
    mx: SocketAddr,
    submission: SocketAddr,
    login: String,
    tls: TlsConnector,
}

/// Where a peer stands when it begins to say what the fuzzer thinks of.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Mode {
    Mx,
    MxGreeted,
    MxEncrypted,
    Submission,
    LoggedIn,
}

const MODES: [Mode; 5] = [Mode::Mx, Mode::MxGreeted, Mode::MxEncrypted, Mode::Submission, Mode::LoggedIn];

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let (core, clock, mx, submission, login, tls) = runtime.block_on(start());
        Server { runtime, core, clock, mx, submission, login, tls }
    })
}

async fn start() -> (Core, SimulatedClock, SocketAddr, SocketAddr, String, TlsConnector) {
    let store = Store::new(Arc::new(Memory::new()));
    let mut options = allod_core::Options::new(BlobConfig::new("memory:///"));
    let (env, clock) = Env::simulated(7, Timestamp(1_800_000_000_000));
    options.env = env;
    let core = Core::open(store, MasterKey::from_bytes(&[7; 32]), options).await.expect("a store");
    let emails = Some(vec!["alice@a.example".to_owned()]);
    let change = AccountChange { emails, ..AccountChange::default() };
    core.operator().add_account("alice", change).await.expect("an account");
    let grants = vec![parse_grant("mail").expect("a grant")];
    let app = core.operator().add_credential("alice", "fuzz", grants, None).await.expect("a credential");
    let made = rcgen::generate_simple_self_signed(vec!["mx.a.example".to_owned()]).expect("a certificate");
    let folder = std::env::temp_dir().join(format!("allod-smtp-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).expect("written");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("written");
    let start_tls = StartTls::new(&Tls::load(&cert, &key).expect("read"), allod_smtp::ALPN).expect("usable");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).expect("a root");
    let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let options = Options { hostname: "mx.a.example".into(), resolver: Some(dns().await), ..Options::default() };
    let smtp = Smtp::new(core.clone(), options);
    let mut addresses = Vec::new();
    for role in [Role::Mx, Role::Submission] {
        let listener = Listener::bind(Binding::plain("127.0.0.1:0".parse().expect("an address"))).await;
        let listener = listener.expect("a listener");
        addresses.push(listener.local_addr().expect("its address"));
        smtp.add(role, listener, Some(start_tls.clone()));
    }
    tokio::spawn(async move { smtp.serve(Stop::new()).await });
    // The login of an app in two lines: base64 of its parts.
    let login = format!("AUTH LOGIN {}\r\n{}\r\n", base64(b"alice"), base64(app.password.as_bytes()));
    (core, clock, addresses[0], addresses[1], login, TlsConnector::from(Arc::new(config)))
}

/// A DNS in which no name exists.
async fn dns() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    let address = socket.local_addr().expect("its address");
    tokio::spawn(async move {
        let mut query = [0; 4096];
        while let Ok((length, peer)) = socket.recv_from(&mut query).await {
            if length > 12 {
                (query[2], query[3]) = (0x81, 0x83);
                let _ = socket.send_to(&query[..length], peer).await;
            }
        }
    });
    address
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = |three: &[u8]| {
        let whole = three.iter().fold(0u32, |whole, byte| whole << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        (0..4).map(|at| match at <= three.len() {
            true => char::from(DIGITS[(whole >> (18 - 6 * at)) as usize & 63]),
            false => '=',
        }).collect::<String>()
    };
    bytes.chunks(3).map(digits).collect()
}

impl Server {
    async fn run(&self, mode: Mode, bytes: &[u8]) {
        // Guesses and limits of an hour are over.
        self.clock.advance_secs(7200);
        self.drained().await;
        let before = self.arrived().await;
        let address = if matches!(mode, Mode::Submission | Mode::LoggedIn) { self.submission } else { self.mx };
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        let answers = match mode {
            Mode::Mx | Mode::Submission => talk(&mut stream, bytes).await,
            Mode::MxGreeted => {
                said(&mut stream, b"EHLO c.example\r\n", 2).await;
                talk(&mut stream, bytes).await
            }
            Mode::MxEncrypted => {
                said(&mut stream, b"EHLO c.example\r\n", 2).await;
                said(&mut stream, b"STARTTLS\r\n", 1).await;
                let name = rustls::pki_types::ServerName::try_from("mx.a.example").expect("a name");
                let mut tls = self.tls.connect(name, stream).await.expect("encrypted");
                talk(&mut tls, bytes).await
            }
            Mode::LoggedIn => {
                said(&mut stream, b"EHLO c.example\r\n", 2).await;
                for line in self.login.split_inclusive('\n') {
                    said(&mut stream, line.as_bytes(), 1).await;
                }
                talk(&mut stream, bytes).await
            }
        };
        let replies = check(&answers);
        self.drained().await;
        let came = self.arrived().await - before;
        let count = |begin: &str| replies.iter().filter(|reply| reply.starts_with(begin)).count();
        let (delivered, queued) = (count("250 2.0.0 Delivered"), count("250 2.0.0 Queued"));
        let lower = bytes.to_ascii_lowercase();
        let has = |word: &[u8]| lower.windows(word.len()).any(|window| window == word);
        match mode {
            Mode::LoggedIn => assert!(came >= delivered, "{came} {delivered}"),
            _ => {
                assert_eq!((came, queued), (delivered, 0), "what arrives was acknowledged, and the reverse");
                assert!(count("250 2.1.5") == 0 || has(b"alice") || has(b"postmaster"), "a stranger was taken");
                assert!(mode != Mode::Submission || delivered == 0, "taken from nobody");
            }
        }
        let ended = has(b"\r\n.\r\n") || has(b"last");
        assert!(ended || (delivered == 0 && queued == 0), "taken without its end");
    }

    /// Waits until all that was queued is sent or reported.
    async fn drained(&self) {
        let queue = self.core.operator().queue();
        let empty = async {
            loop {
                let waiting = queue.list(None, 10).await.expect("a queue");
                let Some(mail) = waiting.first() else { return };
                // What is held goes unsent.
                if mail.envelope.hold_until.is_some() || mail.recipients.iter().any(|one| one.tries > 0) {
                    let _ = queue.drop_mail(&mail.id).await;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(PATIENCE, empty).await.expect("the queue drains");
    }

    async fn arrived(&self) -> usize {
        let session = self.core.operator().session("alice").expect("an account");
        let mut count = 0;
        for name in ["INBOX", "Junk"] {
            let path = Path::parse(format!("/Mail/{name}").as_bytes(), NameRule::Strict).expect("a path");
            count += session.mailbox_status(&path).await.expect("a mailbox").uid_next as usize;
        }
        count
    }
}

/// Says it and hears so many answers.
async fn said(stream: &mut TcpStream, bytes: &[u8], answers: usize) {
    stream.write_all(bytes).await.expect("sent");
    let mut heard = Vec::new();
    let mut buffer = [0; 4096];
    while check_some(&heard) < answers {
        let read = timeout(PATIENCE, stream.read(&mut buffer)).await.expect("an answer").expect("an answer");
        assert!(read > 0, "it ends: {}", String::from_utf8_lossy(&heard));
        heard.extend_from_slice(&buffer[..read]);
    }
}

/// How many whole answers these are.
fn check_some(bytes: &[u8]) -> usize {
    let lines = bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\r\n"));
    lines.filter(|line| line.get(3) == Some(&b' ')).count()
}

async fn talk<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, bytes: &[u8]) -> Vec<u8> {
    // What is refused early may meet a closed door.
    let _ = stream.write_all(bytes).await;
    let _ = stream.flush().await;
    let _ = stream.shutdown().await;
    let mut answers = Vec::new();
    let heard = timeout(PATIENCE, stream.read_to_end(&mut answers)).await.expect("it ends");
    let _ = heard;
    answers
}

/// The answers, whole lines each; panics unless a client can read them.
fn check(bytes: &[u8]) -> Vec<String> {
    let mut replies = Vec::new();
    let mut whole = String::new();
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let Some(text) = line.strip_suffix(b"\r\n") else { panic!("a line does not end: {line:?}") };
        let code = text.get(..3).is_some_and(|code| code.iter().all(u8::is_ascii_digit) && (b'2'..=b'5').contains(&code[0]));
        let plain = text.iter().all(|byte| (b' '..=b'~').contains(byte)) && line.len() <= 512;
        assert!(code && plain, "no answer: {}", String::from_utf8_lossy(line));
        whole.push_str(&String::from_utf8_lossy(text));
        match text.get(3) {
            Some(b'-') => {}
            Some(b' ') => replies.push(std::mem::take(&mut whole)),
            other => panic!("no answer: {other:?}"),
        }
    }
    assert!(whole.is_empty(), "an answer does not end: {whole}");
    replies
}

fuzz_target!(|bytes: &[u8]| {
    let Some((first, rest)) = bytes.split_first() else { return };
    let server = server();
    server.runtime.block_on(server.run(MODES[usize::from(*first) % MODES.len()], rest));
});
