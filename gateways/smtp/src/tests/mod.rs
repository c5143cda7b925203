//! The gateway through real sockets, over stores in memory and a DNS of our own.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use allod_blobs::{BlobConfig, MasterKey};
use allod_core::{AccountChange, ByteRange, Core, Env, SimulatedClock};
use allod_kit::{Binding, Gateway, Listener, StartTls, Stop, Tls};
use allod_meta::{Store, memory::Memory};
use allod_model::{NameRule, Path, Timestamp, parse_grant};
use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, MX, TXT};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UdpSocket};

use crate::limits::Times;
use crate::{Options, Role, Smtp};

mod exchange;
mod following;
mod odd;
mod refusals;
mod secure;
mod submitting;
mod suspects;

/// How long something may take until a test fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a DNS server knows.
type Zone = HashMap<(String, RecordType), Vec<RData>>;

/// A DNS server in this process.
#[derive(Clone)]
struct TestDns {
    records: Arc<Mutex<Zone>>,
    address: SocketAddr,
}

impl TestDns {
    async fn start() -> TestDns {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let dns = TestDns { records: Arc::default(), address: socket.local_addr().unwrap() };
        let served = dns.clone();
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok((length, peer)) = socket.recv_from(&mut buffer).await {
                let Ok(query) = Message::from_vec(&buffer[..length]) else { continue };
                let _ = socket.send_to(&served.answer(&query).to_vec().unwrap(), peer).await;
            }
        });
        dns
    }

    fn answer(&self, query: &Message) -> Message {
        let mut answer = Message::response(query.metadata.id, query.metadata.op_code);
        let asked = query.queries.first().cloned().unwrap();
        let name = asked.name().to_ascii().trim_end_matches('.').to_lowercase();
        let records = self.records.lock();
        for data in records.get(&(name.clone(), asked.query_type())).into_iter().flatten() {
            answer.add_answer(Record::from_rdata(asked.name().clone(), 0, data.clone()));
        }
        if !records.keys().any(|(known, _)| *known == name) {
            answer.metadata.response_code = ResponseCode::NXDomain;
        }
        answer.add_query(asked);
        answer
    }

    fn add(&self, name: &str, data: RData) {
        let key = (name.to_lowercase(), data.record_type());
        self.records.lock().entry(key).or_default().push(data);
    }

    fn text(&self, name: &str, text: &str) {
        let parts = text.as_bytes().chunks(200).map(|part| String::from_utf8(part.to_vec()).unwrap());
        self.add(name, RData::TXT(TXT::new(parts.collect())));
    }

    fn host(&self, name: &str) {
        self.add(name, RData::A(A(Ipv4Addr::LOCALHOST)));
    }

    fn exchanger(&self, domain: &str, host: &str) {
        self.add(domain, RData::MX(MX::new(10, Name::from_ascii(format!("{host}.")).unwrap())));
    }
}

/// A server with one account.
struct Site {
    smtp: Arc<Smtp>,
    core: Core,
    clock: SimulatedClock,
    mx: SocketAddr,
    submission: SocketAddr,
    account: &'static str,
    password: String,
    records: crate::Records,
    _stop: tokio_util::sync::DropGuard,
}

/// Listeners come first: each site must know the other's port.
async fn listener() -> (Listener, SocketAddr) {
    let listener = Listener::bind(Binding::plain("127.0.0.1:0".parse().unwrap())).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

impl Site {
    async fn start(
        account: &'static str,
        domain: &str,
        mx: (Listener, SocketAddr),
        options: Options,
    ) -> Site {
        Site::with_tls(account, domain, mx, options, None, Times::default()).await
    }

    async fn with_tls(
        account: &'static str,
        domain: &str,
        (mx, mx_address): (Listener, SocketAddr),
        options: Options,
        tls: Option<StartTls>,
        times: Times,
    ) -> Site {
        let store = Store::new(Arc::new(Memory::new()));
        let mut core_options = allod_core::Options::new(BlobConfig::new("memory:///"));
        let (env, clock) = Env::simulated(7, Timestamp(1_800_000_000_000));
        core_options.env = env;
        let core = Core::open(store, MasterKey::from_bytes(&[7; 32]), core_options).await.unwrap();
        let operator = core.operator();
        let address = format!("{account}@{domain}");
        let change = AccountChange { emails: Some(vec![address]), ..AccountChange::default() };
        operator.add_account(account, change).await.unwrap();
        let grants = vec![parse_grant("mail").unwrap()];
        let credential = operator.add_credential(account, "test", grants, None).await.unwrap();
        let smtp = Arc::new(Smtp::with_times(core.clone(), options, times));
        let (submission, submission_address) = listener().await;
        smtp.add(Role::Mx, mx, tls.clone());
        smtp.add(Role::Submission, submission, tls);
        let records = smtp.records();
        let stop = Stop::new();
        let serving = stop.clone();
        let served = smtp.clone();
        tokio::spawn(async move { served.serve(serving).await });
        Site {
            smtp,
            core,
            clock,
            mx: mx_address,
            submission: submission_address,
            account,
            password: credential.password.to_string(),
            records,
            _stop: stop.drop_guard(),
        }
    }

    /// The messages of a mailbox.
    async fn mailbox(&self, folder: &str) -> Vec<String> {
        let session = self.core.operator().session(self.account).unwrap();
        let path = Path::parse(format!("/Mail/{folder}").as_bytes(), NameRule::Strict).unwrap();
        let mut found = Vec::new();
        let status = session.mailbox_status(&path).await.unwrap();
        for uid in 1..status.uid_next {
            let file = session.open_message(status.id, uid).await.unwrap();
            let all = ByteRange { start: 0, end: file.node.size };
            found.push(String::from_utf8_lossy(&file.gather(all).await.unwrap()).into_owned());
        }
        found
    }

    /// Waits until the mailbox has so many messages.
    async fn arrived(&self, folder: &str, count: usize) -> Vec<String> {
        let wait = async {
            loop {
                let found = self.mailbox(folder).await;
                if found.len() >= count {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("the mail arrives")
    }

    async fn queued(&self) -> usize {
        self.core.operator().queue().list(None, 100).await.unwrap().len()
    }

    /// Waits until nothing waits to be sent: what arrived is recorded a moment later.
    async fn drained(&self) {
        let wait = async {
            while self.queued().await > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("the queue is emptied");
    }

    /// Publishes what the site says that must be in the DNS.
    async fn publish(&self, dns: &TestDns, domain: &str, host: &str) {
        dns.exchanger(domain, host);
        dns.host(host);
        for record in self.records.of(domain).await.unwrap() {
            if record.kind == "TXT" {
                dns.text(&record.name, &record.value);
            }
        }
    }
}

/// A client that speaks line by line.
struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    async fn connect(address: SocketAddr) -> Client {
        let mut client = Client { stream: BufReader::new(TcpStream::connect(address).await.unwrap()) };
        assert!(client.answer().await.starts_with("220 "));
        client
    }

    /// Logged in.
    async fn app(site: &Site) -> Client {
        let mut client = Client::connect(site.submission).await;
        client.say("EHLO laptop.example", 250).await;
        let login = crate::sasl::encode(format!("\0{}\0{}", site.account, site.password));
        client.say(&format!("AUTH PLAIN {login}"), 235).await;
        client
    }

    async fn raw(&mut self, bytes: &[u8]) {
        let _ = self.stream.get_mut().write_all(bytes).await;
    }

    /// The next answer, all its lines; empty at the end.
    async fn answer(&mut self) -> String {
        let read = async {
            let mut whole = String::new();
            loop {
                let mut line = String::new();
                match self.stream.read_line(&mut line).await {
                    Ok(read) if read > 0 => {}
                    _ => return whole,
                }
                whole.push_str(&line);
                if line.as_bytes().get(3) != Some(&b'-') {
                    return whole;
                }
            }
        };
        tokio::time::timeout(PATIENCE, read).await.expect("an answer in time")
    }

    /// Says a line and hears an answer with that code.
    async fn say(&mut self, line: &str, code: u16) -> String {
        self.raw(format!("{line}\r\n").as_bytes()).await;
        let answer = self.answer().await;
        assert!(answer.starts_with(&code.to_string()), "{line}: {answer}");
        answer
    }

    /// One mail; the last answer.
    async fn mail(&mut self, from: &str, to: &[&str], message: &str) -> String {
        self.say(&format!("MAIL FROM:<{from}>"), 250).await;
        for one in to {
            self.say(&format!("RCPT TO:<{one}>"), 250).await;
        }
        self.say("DATA", 354).await;
        self.raw(message.as_bytes()).await;
        self.raw(b"\r\n.\r\n").await;
        self.answer().await
    }
}

/// A certificate for a name that nobody else signed, and its bytes.
fn certificate(name: &str) -> (Tls, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    (Tls::load(&cert, &key).unwrap(), made.cert.der().to_vec())
}

fn options(host: &str, dns: &TestDns) -> Options {
    Options {
        hostname: host.to_owned(),
        resolver: Some(dns.address),
        relay_loopback: true,
        relay_port: 9,
        ..Options::default()
    }
}

/// One site with an empty DNS.
async fn alone() -> (Site, TestDns) {
    let dns = TestDns::start().await;
    let site = Site::start("alice", "a.example", listener().await, options("mx.a.example", &dns)).await;
    (site, dns)
}
