//! Who is listed and who comes for the first time; and the way out by a smarthost.

use std::sync::atomic::Ordering;

use tokio::io::{AsyncRead, AsyncWrite};

use super::*;
use crate::{Smarthost, SmarthostTls};

/// A server that judges peers on this machine as it does others.
async fn judging(set: Options) -> Site {
    let site = Site::start("alice", "a.example", listener().await, set).await;
    site.smtp.shared.judges_loopback.store(true, Ordering::Relaxed);
    site
}

async fn rcpt(address: SocketAddr) -> String {
    let mut client = Client::connect(address).await;
    client.say("EHLO c.example", 250).await;
    client.say("MAIL FROM:<x@y.example>", 250).await;
    client.raw(b"RCPT TO:<alice@a.example>\r\n").await;
    client.answer().await
}

#[tokio::test]
async fn who_is_listed_is_refused() {
    let dns = TestDns::start().await;
    let lists = vec!["silent.example".to_owned(), "bl.example".to_owned()];
    let site = judging(Options { dnsbl: lists, ..options("mx.a.example", &dns) }).await;
    assert!(rcpt(site.mx).await.starts_with("250"));
    // RFC 5782 §2.1; Spamhaus tells errors of its own so, which list nobody.
    let a = |last: [u8; 4]| RData::A(A(Ipv4Addr::from(last)));
    dns.add("1.0.0.127.bl.example", a([127, 255, 255, 254]));
    assert!(rcpt(site.mx).await.starts_with("250"));
    dns.add("1.0.0.127.bl.example", a([127, 0, 0, 2]));
    let answer = rcpt(site.mx).await;
    assert!(answer.starts_with("554 5.7.1") && answer.contains("bl.example"), "{answer}");
    let listed = &site.smtp.shared.dns;
    let v6 = "2001:db8::1".parse().unwrap();
    assert!(!listed.lists("bl.example", v6).await);
    let name = format!("1.{}8.b.d.0.1.0.0.2.bl.example", "0.".repeat(23));
    dns.add(&name, a([127, 0, 0, 4]));
    assert!(listed.lists("bl.example", v6).await);
    // An app that logs in is not asked for.
    let mut app = Client::app(&site).await;
    app.say("MAIL FROM:<alice@a.example>", 250).await;
    app.say("RCPT TO:<alice@a.example>", 250).await;
}

#[tokio::test]
async fn who_came_again_is_known_after_a_restart() {
    let dns = TestDns::start().await;
    let set = Options { greylisting: true, ..options("mx.a.example", &dns) };
    let site = judging(set.clone()).await;
    assert!(rcpt(site.mx).await.starts_with("451 4.7.1"));
    site.smtp.shared.greylist.save(&site.smtp.shared).await;
    // Another process, a minute later.
    let restarted = async || {
        let smtp = Arc::new(Smtp::new(site.core.clone(), set.clone()));
        smtp.shared.judges_loopback.store(true, Ordering::Relaxed);
        let (listener, address) = listener().await;
        smtp.add(Role::Mx, listener, None);
        let (stop, served) = (Stop::new(), smtp.clone());
        let serving = stop.clone();
        let done = tokio::spawn(async move { served.serve(serving).await });
        (address, stop, done)
    };
    site.clock.advance_secs(90);
    let (address, stop, done) = restarted().await;
    let known = async {
        while !rcpt(address).await.starts_with("250") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, known).await.expect("it waited before the restart");
    stop.cancel();
    done.await.unwrap().unwrap();
    // What was learned last was kept at the stop.
    site.clock.advance_secs(86_400);
    let (address, _stop, _done) = restarted().await;
    let known = async {
        while !rcpt(address).await.starts_with("250") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, known).await.expect("it is known");
}

/// A smarthost with one user.
#[derive(Clone)]
struct Host {
    tls: Option<StartTls>,
    mechanisms: &'static str,
    taken: Arc<Mutex<Vec<String>>>,
    logins: Arc<Mutex<Vec<String>>>,
}

const RIGHT: [&str; 2] = ["u@host.example", "secret"];

impl Host {
    async fn serve(self, listener: Listener) {
        loop {
            let accepted = listener.accept().await;
            let host = self.clone();
            tokio::spawn(async move {
                let Ok(mut connection) = accepted.handshake().await else { return };
                let _ = connection.write_all(b"220 host\r\n").await;
                if host.talk(&mut connection, host.tls.is_some()).await
                    && let Some(tls) = &host.tls
                    && let Ok(mut connection) = tls.upgrade(connection).await
                {
                    host.talk(&mut connection, false).await;
                }
            });
        }
    }

    /// Until the end, or until STARTTLS: then it is `true`.
    async fn talk<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: &mut S, plain: bool) -> bool {
        let mut stream = BufReader::new(stream);
        let mut logged_in = false;
        let mut line = String::new();
        let next = async |stream: &mut BufReader<&mut S>, line: &mut String| {
            line.clear();
            stream.read_line(line).await.is_ok_and(|read| read > 0)
        };
        while next(&mut stream, &mut line).await {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            let verb = words.first().map(|word| word.to_uppercase()).unwrap_or_default();
            let answer = match verb.as_str() {
                "EHLO" if plain => "250-host\r\n250 STARTTLS".to_owned(),
                "EHLO" => format!("250-host\r\n250 AUTH {}", self.mechanisms),
                "STARTTLS" => {
                    let _ = stream.get_mut().write_all(b"220 go\r\n").await;
                    return true;
                }
                "AUTH" => {
                    let mut said = words.get(2).map(|text| text.to_owned());
                    let mut parts = Vec::new();
                    let count = if words[1] == "PLAIN" { 1 } else { 2 };
                    while parts.len() < count {
                        if said.is_none() {
                            let ask = if parts.is_empty() { "VXNlcm5hbWU6" } else { "UGFzc3dvcmQ6" };
                            let _ = stream.get_mut().write_all(format!("334 {ask}\r\n").as_bytes()).await;
                            next(&mut stream, &mut line).await;
                            said = Some(line.trim().to_owned());
                        }
                        let bytes = crate::sasl::decode(said.take().unwrap_or_default().as_bytes()).unwrap();
                        parts.push(String::from_utf8_lossy(&bytes).into_owned());
                    }
                    self.logins.lock().push(words[1].clone());
                    logged_in = parts.join("\0").trim_start_matches('\0') == RIGHT.join("\0");
                    if logged_in { "235 welcome".to_owned() } else { "535 5.7.8 wrong".to_owned() }
                }
                "MAIL" if !logged_in => "530 log in".to_owned(),
                "DATA" => {
                    let _ = stream.get_mut().write_all(b"354 go\r\n").await;
                    let mut message = String::new();
                    while next(&mut stream, &mut line).await && line != ".\r\n" {
                        message.push_str(&line);
                    }
                    self.taken.lock().push(message);
                    "250 taken".to_owned()
                }
                "QUIT" => return false,
                _ => "250 ok".to_owned(),
            };
            let _ = stream.get_mut().write_all(format!("{answer}\r\n").as_bytes()).await;
        }
        false
    }
}

/// A site that sends by a smarthost with this encryption, mechanisms and password; and that smarthost.
async fn by_smarthost(
    tls: SmarthostTls,
    mechanisms: &'static str,
    password: &str,
    believed: bool,
) -> (Site, Host) {
    let dns = TestDns::start().await;
    let (certificate, der) = certificate("localhost");
    let address = "127.0.0.1:0".parse().unwrap();
    let binding = match tls {
        SmarthostTls::Implicit => Binding::tls(address, certificate.clone(), crate::ALPN),
        _ => Binding::plain(address),
    };
    let start_tls = StartTls::new(&certificate, crate::ALPN).unwrap();
    let listener = Listener::bind(binding).await.unwrap();
    let smarthost = Smarthost {
        host: "localhost".into(),
        port: listener.local_addr().unwrap().port(),
        tls,
        login: Some((RIGHT[0].into(), password.to_owned().into())),
    };
    let host = Host {
        tls: (tls == SmarthostTls::StartTls).then_some(start_tls),
        mechanisms,
        taken: Arc::default(),
        logins: Arc::default(),
    };
    tokio::spawn(host.clone().serve(listener));
    let trusted = if believed { vec![der] } else { Vec::new() };
    let set = Options { smarthost: Some(smarthost), trusted, ..options("mx.a.example", &dns) };
    (Site::start("alice", "a.example", super::listener().await, set).await, host)
}

async fn send(site: &Site) {
    let mail = "From: alice@a.example\r\nTo: x@elsewhere.example\r\nSubject: s\r\n\r\nHello";
    let to = ["x@elsewhere.example", "y@other.example"];
    assert!(Client::app(site).await.mail("alice@a.example", &to, mail).await.starts_with("250"));
}

#[tokio::test]
async fn a_smarthost_takes_all_mail() {
    for (tls, mechanisms) in [
        (SmarthostTls::Implicit, "PLAIN LOGIN"),
        (SmarthostTls::StartTls, "LOGIN"),
        (SmarthostTls::StartTls, "PLAIN"),
        (SmarthostTls::None, "PLAIN LOGIN"),
    ] {
        let (site, host) = by_smarthost(tls, mechanisms, RIGHT[1], true).await;
        send(&site).await;
        let sent = async {
            while site.queued().await > 0 || host.taken.lock().is_empty() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, sent).await.expect("it is sent");
        let taken = host.taken.lock().clone();
        assert!(taken.len() == 1 && taken[0].ends_with("Hello\r\n"), "once for both: {taken:?}");
        assert_eq!(host.logins.lock().len(), 1, "{tls:?}");
        assert!(mechanisms.contains(host.logins.lock()[0].as_str()));
        assert!(site.mailbox("INBOX").await.is_empty(), "no report");
    }
}

/// A wrong password and a certificate that is not believed are the operator's to set right: nothing comes back.
#[tokio::test]
async fn a_smarthost_that_refuses_is_tried_again() {
    let table = [
        (SmarthostTls::StartTls, "wrong", true, "4.7.8"),
        (SmarthostTls::StartTls, RIGHT[1], false, "4."),
        (SmarthostTls::Implicit, RIGHT[1], false, "4."),
    ];
    for (tls, password, believed, status) in table {
        let (site, host) = by_smarthost(tls, "PLAIN LOGIN", password, believed).await;
        send(&site).await;
        let queue = site.core.operator().queue();
        let tried = async {
            loop {
                let mail = queue.list(None, 1).await.unwrap().pop().expect("it stays");
                if mail.recipients.iter().all(|one| one.tries > 0) {
                    return mail;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let mail = tokio::time::timeout(PATIENCE, tried).await.expect("it is tried");
        assert!(mail.recipients.iter().all(|one| one.answer.starts_with(status)), "{mail:?}");
        assert!(host.taken.lock().is_empty() && site.mailbox("INBOX").await.is_empty());
        if !believed {
            assert!(host.logins.lock().is_empty(), "no password to a stranger");
        }
    }
}
