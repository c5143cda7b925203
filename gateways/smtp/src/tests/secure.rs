//! Encryption that a domain asks for (RFC 8461), over a DNS, a host of policies and certificates of our own.

use allod_core::post::Queued;
use allod_kit::{HttpOptions, HttpRouter, Mount, Peer, RequestBody, ResponseBody, full_body, serve_http};

use super::*;

const HELLO: &str = "From: alice@a.example\r\nTo: bob@b.example\r\nSubject: Hello\r\n\r\nHow are you?";

/// A host of policies; what it says can be changed.
#[derive(Clone, Default)]
struct PolicyHost(Arc<Mutex<(String, &'static str)>>);

#[async_trait::async_trait]
impl Gateway for PolicyHost {
    fn name(&self) -> &'static str {
        "policies"
    }

    fn mounts(&self) -> Vec<Mount> {
        vec![Mount::exact("/.well-known/mta-sts.txt", &["GET", "HEAD"])]
    }

    async fn handle(&self, _: http::Request<RequestBody>, _: Peer) -> http::Response<ResponseBody> {
        let (text, kind) = self.0.lock().clone();
        let mut response = http::Response::new(full_body(text));
        response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static(kind));
        response
    }
}

struct Bench {
    dns: TestDns,
    host: PolicyHost,
    port: u16,
    trusted: Vec<Vec<u8>>,
    _stop: tokio_util::sync::DropGuard,
}

impl Bench {
    async fn new() -> Bench {
        let dns = TestDns::start().await;
        dns.host("mta-sts.b.example");
        let (tls, der) = certificate("mta-sts.b.example");
        let listener = Listener::bind(Binding::https("127.0.0.1:0".parse().unwrap(), tls)).await.unwrap();
        let (port, host, stop) = (listener.local_addr().unwrap().port(), PolicyHost::default(), Stop::new());
        let router = HttpRouter::new(vec![Arc::new(host.clone())], || true);
        tokio::spawn(serve_http(listener, router.into(), HttpOptions::default(), stop.clone()));
        let bench = Bench { dns, host, port, trusted: vec![der], _stop: stop.drop_guard() };
        bench.says("1", "enforce", "mx.b.example");
        bench
    }

    /// The domain has a policy with this id, mode and server, for an hour.
    fn says(&self, id: &str, mode: &str, server: &str) {
        let text = format!("version: STSv1\nmode: {mode}\nmx: {server}\nmax_age: 3600\n");
        *self.host.0.lock() = (text, "text/plain");
        self.record(Some(id));
    }

    fn record(&self, id: Option<&str>) {
        self.dns.records.lock().remove(&("_mta-sts.b.example".to_owned(), RecordType::TXT));
        if let Some(id) = id {
            self.dns.text("_mta-sts.b.example", &format!("v=STSv1; id={id};"));
        }
    }

    /// Bob's server with this certificate or none, and Alice's, which believes it or not.
    async fn sites(&self, tls: Option<(Tls, Vec<u8>)>, believed: bool) -> (Site, Site) {
        let (mx_a, mx_b) = (listener().await, listener().await);
        let mut trusted = self.trusted.clone();
        trusted.extend(tls.iter().filter(|_| believed).map(|(_, der)| der.clone()));
        let set = Options {
            relay_port: mx_b.1.port(),
            policy_port: self.port,
            trusted,
            ..options("mx.a.example", &self.dns)
        };
        let a = Site::start("alice", "a.example", mx_a, set).await;
        let tls = tls.map(|(tls, _)| StartTls::new(&tls, crate::ALPN).unwrap());
        let set = options("mx.b.example", &self.dns);
        let b = Site::with_tls("bob", "b.example", mx_b, set, tls, Times::default()).await;
        self.dns.exchanger("b.example", "mx.b.example");
        self.dns.host("mx.b.example");
        (a, b)
    }
}

async fn send(site: &Site) {
    let answer = Client::app(site).await.mail("alice@a.example", &["bob@b.example"], HELLO).await;
    assert!(answer.starts_with("250"), "{answer}");
}

/// The first mail that waits, once it was tried so often.
async fn tried(site: &Site, times: u32) -> Queued {
    let queue = site.core.operator().queue();
    let wait = async {
        loop {
            if let Some(mail) = queue.list(None, 1).await.unwrap().pop()
                && mail.recipients[0].tries >= times
            {
                return mail;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("it is tried")
}

#[tokio::test]
async fn a_policy_is_kept_to() {
    let bench = Bench::new().await;
    let (a, b) = bench.sites(Some(certificate("mx.b.example")), true).await;
    send(&a).await;
    assert!(b.arrived("INBOX", 1).await[0].contains("with ESMTPS"));
    // Another policy, which names another server: this one gets nothing.
    bench.says("2", "enforce", "*.other.example");
    send(&a).await;
    let mail = tried(&a, 1).await;
    assert!(mail.recipients[0].answer.starts_with("4.7.5 No server of b.example"), "{mail:?}");
    // It is being tested only.
    bench.says("3", "testing", "*.other.example");
    a.core.operator().queue().retry(&mail.id).await.unwrap();
    b.arrived("INBOX", 2).await;
    a.drained().await;
}

#[tokio::test]
async fn who_cannot_be_verified_gets_nothing() {
    let table = [
        // Signed by nobody who is believed; for another name; not encrypted at all.
        (Some(certificate("mx.b.example")), false, "4.7.5"),
        (Some(certificate("mx.c.example")), true, "4.7.5"),
        (None, true, "4.7.4"),
    ];
    for (tls, believed, status) in table {
        let bench = Bench::new().await;
        let (a, b) = bench.sites(tls, believed).await;
        send(&a).await;
        let mail = tried(&a, 1).await;
        assert!(mail.recipients[0].answer.starts_with(status), "{mail:?}");
        assert!(b.mailbox("INBOX").await.is_empty());
    }
}

#[tokio::test]
async fn a_policy_outlives_a_restart_and_whoever_hides_it() {
    let bench = Bench::new().await;
    let (a, b) = bench.sites(None, true).await;
    send(&a).await;
    tried(&a, 1).await;
    // Neither record nor host are there any more, and the server is another process.
    bench.record(None);
    *bench.host.0.lock() = (String::new(), "text/html");
    let again = Smtp::new(a.core.clone(), a.smtp.shared.options.clone());
    let known = crate::outbound::enforced(&again.shared, "b.example").await;
    assert!(known, "the policy was kept");
    // A new record whose policy cannot be had changes nothing.
    bench.record(Some("9"));
    assert!(crate::outbound::enforced(&again.shared, "b.example").await);
    a.clock.advance_secs(3601);
    assert!(!crate::outbound::enforced(&again.shared, "b.example").await, "it has expired");
    drop(b);
}

#[tokio::test]
async fn what_is_no_policy_is_none() {
    let bench = Bench::new().await;
    let (a, _b) = bench.sites(None, true).await;
    let enforced = || crate::outbound::enforced(&a.smtp.shared, "b.example");
    *bench.host.0.lock() = ("version: STSv1\nmode: enforce\nmx: x.y\nmax_age: 10\n".into(), "text/html");
    assert!(!enforced().await, "of another kind");
    bench.says("2", "enforce", &"x".repeat(70_000));
    assert!(!enforced().await, "too large");
    bench.says("3", "enforce", "x.y");
    bench.dns.text("_mta-sts.b.example", "v=STSv1; id=4;");
    assert!(!enforced().await, "two records");
    bench.says("not-an-id", "enforce", "x.y");
    assert!(!enforced().await, "no id");
    bench.says("5", "enforce", "x.y");
    assert!(enforced().await);
}

/// What this server says of itself is what another one reads.
#[tokio::test]
async fn our_own_policy_is_served() {
    let bench = Bench::new().await;
    let (_a, b) = bench.sites(None, true).await;
    let (listener, address) = listener().await;
    let router = HttpRouter::new(vec![b.smtp.clone()], || true);
    let stop = Stop::new();
    tokio::spawn(serve_http(listener, router.into(), HttpOptions::default(), stop.clone()));
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request =
        "GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: mta-sts.b.example\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(
        head.starts_with("HTTP/1.1 200") && head.to_lowercase().contains("content-type: text/plain"),
        "{head}"
    );
    *bench.host.0.lock() = (body.to_owned(), "text/plain");
    bench.record(Some("7"));
    let records = b.records.of("b.example").await.unwrap();
    let record = records.iter().find(|record| record.name == "_mta-sts.b.example").unwrap();
    assert!(record.value.starts_with("v=STSv1; id="), "{record:?}");
    assert!(crate::outbound::enforced(&_a.smtp.shared, "b.example").await, "{body}");
    stop.cancel();
}
