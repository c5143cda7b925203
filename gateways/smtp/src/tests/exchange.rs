//! Two servers that exchange mail, by way of a DNS.

use allod_core::post::RecipientState;

use super::*;
use crate::Found;

const HELLO: &str =
    "From: Alice <alice@a.example>\r\nTo: Bob <bob@b.example>\r\nSubject: Hello\r\n\r\nHow are you?";

/// Two sites that find each other.
pub(super) async fn two() -> (Site, Site, TestDns) {
    let dns = TestDns::start().await;
    let (a, b) = (listener().await, listener().await);
    let (port_a, port_b) = (a.1.port(), b.1.port());
    let set_a = Options { relay_port: port_b, ..options("mx.a.example", &dns) };
    let set_b = Options { relay_port: port_a, ..options("mx.b.example", &dns) };
    let a = Site::start("alice", "a.example", a, set_a).await;
    let b = Site::start("bob", "b.example", b, set_b).await;
    a.publish(&dns, "a.example", "mx.a.example").await;
    b.publish(&dns, "b.example", "mx.b.example").await;
    (a, b, dns)
}

#[tokio::test]
async fn a_mail_and_its_answer() {
    let (a, b, _dns) = two().await;
    let answer = Client::app(&a).await.mail("alice@a.example", &["bob@b.example"], HELLO).await;
    assert!(answer.starts_with("250 2.0.0 Queued"), "{answer}");
    let found = b.arrived("INBOX", 1).await;
    let mail = &found[0];
    assert!(
        mail.starts_with("Return-Path: <alice@a.example>\r\nAuthentication-Results: mx.b.example;"),
        "{mail}"
    );
    assert_eq!(mail.matches("dkim=pass").count(), 2, "{mail}");
    for part in ["spf=pass", "dmarc=pass", "X-Spam-Status: No", "for <bob@b.example>", "How are you?\r\n"] {
        assert!(mail.contains(part), "{part}: {mail}");
    }
    let back = "From: bob@b.example\r\nTo: alice@a.example\r\nSubject: Re: Hello\r\n\r\nWell";
    assert!(Client::app(&b).await.mail("bob@b.example", &["alice@a.example"], back).await.starts_with("250"));
    assert!(a.arrived("INBOX", 1).await[0].contains("dmarc=pass"));
    a.drained().await;
    b.drained().await;
}

#[tokio::test]
async fn what_cannot_be_delivered_comes_back() {
    let (a, _b, dns) = two().await;
    dns.exchanger("null.example", "");
    let to = ["nobody@b.example", "x@nowhere.example", "x@null.example"];
    assert!(Client::app(&a).await.mail("alice@a.example", &to, HELLO).await.starts_with("250"));
    let found = a.arrived("INBOX", 1).await;
    let report = &found[0];
    for part in [
        "Return-Path: <>",
        "multipart/report; report-type=delivery-status",
        "Final-Recipient: rfc822; nobody@b.example\r\nAction: failed\r\nStatus: 5.1.1",
        "Final-Recipient: rfc822; x@nowhere.example\r\nAction: failed\r\nStatus: 5.1.2",
        "Final-Recipient: rfc822; x@null.example\r\nAction: failed\r\nStatus: 5.1.10",
        "Content-Type: message/rfc822",
        "How are you?",
    ] {
        assert!(report.contains(part), "{part}: {report}");
    }
    a.drained().await;
}

#[tokio::test]
async fn what_is_late_is_told_once_and_given_up() {
    let (a, _b, dns) = two().await;
    // Nothing listens there: the name has another address than the servers.
    dns.exchanger("late.example", "mx.late.example");
    dns.add("mx.late.example", RData::A(A(Ipv4Addr::new(127, 9, 9, 9))));
    assert!(
        Client::app(&a).await.mail("alice@a.example", &["x@late.example"], HELLO).await.starts_with("250")
    );
    let queue = a.core.operator().queue();
    let tried = async |times: u32| {
        let wait = async {
            while queue
                .list(None, 10)
                .await
                .unwrap()
                .first()
                .is_some_and(|mail| mail.recipients[0].tries < times)
            {
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("it is tried");
    };
    tried(1).await;
    assert!(a.mailbox("INBOX").await.is_empty());
    a.clock.advance_secs(5 * 3600);
    let id = queue.list(None, 10).await.unwrap()[0].id.clone();
    queue.retry(&id).await.unwrap();
    tried(2).await;
    let found = a.arrived("INBOX", 1).await;
    assert!(
        found[0].contains("Action: delayed\r\nStatus: 4.4.1") || found[0].contains("Status: 4.4.2"),
        "{}",
        found[0]
    );
    a.clock.advance_secs(3600);
    queue.retry(&id).await.unwrap();
    tried(3).await;
    assert_eq!(a.mailbox("INBOX").await.len(), 1, "told once");
    a.clock.advance_secs(5 * 86_400);
    queue.retry(&id).await.unwrap();
    let found = a.arrived("INBOX", 2).await;
    assert!(found[1].contains("Action: failed\r\nStatus: 5.4.7"), "{}", found[1]);
    a.drained().await;
}

/// A server that says nothing holds up neither the other recipients of a mail nor the record of what they have.
#[tokio::test]
async fn what_is_delivered_is_on_record_while_others_hang() {
    let (a, b, dns) = two().await;
    let silent = tokio::net::TcpListener::bind(("127.0.0.2", b.mx.port())).await.unwrap();
    dns.exchanger("silent.example", "mx.silent.example");
    dns.add("mx.silent.example", RData::A(A(Ipv4Addr::new(127, 0, 0, 2))));
    let to = ["bob@b.example", "x@silent.example"];
    assert!(Client::app(&a).await.mail("alice@a.example", &to, HELLO).await.starts_with("250"));
    let (_held, _) = tokio::time::timeout(PATIENCE, silent.accept()).await.unwrap().unwrap();
    b.arrived("INBOX", 1).await;
    let queue = a.core.operator().queue();
    let recorded = async {
        loop {
            let states: Vec<RecipientState> = queue.list(None, 1).await.unwrap()[0]
                .recipients
                .iter()
                .map(|one| one.state.clone())
                .collect();
            if states == [RecipientState::Delivered, RecipientState::Waiting] {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, recorded).await.expect("it is recorded");
    // Nor does it hold up other mails, however many wait for it.
    for _ in 0..30 {
        let answer = Client::app(&a).await.mail("alice@a.example", &["x@silent.example"], HELLO).await;
        assert!(answer.starts_with("250"), "{answer}");
    }
    assert!(
        Client::app(&a).await.mail("alice@a.example", &["bob@b.example"], HELLO).await.starts_with("250")
    );
    b.arrived("INBOX", 2).await;
    assert_eq!(b.mailbox("INBOX").await.len(), 2);
}

#[tokio::test]
async fn forgeries_are_refused_or_filed_as_junk() {
    let (_a, b, dns) = two().await;
    dns.text("_dmarc.strict.example", "v=DMARC1; p=reject");
    dns.text("strict.example", "v=spf1 -all");
    dns.text("_dmarc.mild.example", "v=DMARC1; p=quarantine");
    let forged = |domain: &str| {
        format!(
            "From: x@{domain}\r\nTo: bob@b.example\r\nSubject: s\r\nDate: d\r\nMessage-ID: <1@x>\r\n\r\nx"
        )
    };
    let mut world = Client::connect(b.mx).await;
    world.say("EHLO liar.example", 250).await;
    let answer = world.mail("x@strict.example", &["bob@b.example"], &forged("strict.example")).await;
    assert!(answer.starts_with("550 5.7.1"), "{answer}");
    let answer = world.mail("x@mild.example", &["bob@b.example"], &forged("mild.example")).await;
    assert!(answer.starts_with("250"), "{answer}");
    assert!(b.arrived("Junk", 1).await[0].contains("X-Spam-Flag: YES"));
    let answer = world.mail("x@other.example", &["bob@b.example"], "Subject: BUY THIS NOW\r\n\r\nx").await;
    assert!(answer.starts_with("250"), "{answer}");
    assert_eq!(b.arrived("Junk", 2).await.len(), 2);
    assert!(b.mailbox("INBOX").await.is_empty());
}

#[tokio::test]
async fn without_a_dns_mail_comes_all_the_same() {
    let (site, dns) = alone().await;
    // Somebody who does not answer.
    let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let set = Options { resolver: Some(silent.local_addr().unwrap()), ..options("mx.c.example", &dns) };
    let other = Site::start("carol", "c.example", listener().await, set).await;
    drop(site);
    let mut world = Client::connect(other.mx).await;
    world.say("EHLO mx.y.example", 250).await;
    let answer = world
        .mail(
            "x@y.example",
            &["carol@c.example"],
            "From: x@y.example\r\nDate: d\r\nMessage-ID: <1@x>\r\n\r\nx",
        )
        .await;
    assert!(answer.starts_with("250"), "{answer}");
    assert!(other.mailbox("INBOX").await[0].contains("temperror"));
}

#[tokio::test]
async fn success_is_reported_where_it_was_asked_for() {
    let (a, b, _dns) = two().await;
    let mut client = Client::app(&a).await;
    client.say("MAIL FROM:<alice@a.example> RET=HDRS ENVID=q1", 250).await;
    client.say("RCPT TO:<bob@b.example> NOTIFY=SUCCESS ORCPT=rfc822;b@x.example", 250).await;
    client.say("DATA", 354).await;
    client.raw(format!("{HELLO}\r\n.\r\n").as_bytes()).await;
    assert!(client.answer().await.starts_with("250"));
    b.arrived("INBOX", 1).await;
    let found = a.arrived("INBOX", 1).await;
    for part in [
        "Action: relayed",
        "Original-Envelope-Id: q1",
        "Original-Recipient: rfc822;b@x.example",
        "text/rfc822-headers",
    ] {
        assert!(found[0].contains(part), "{part}: {}", found[0]);
    }
    assert!(!found[0].contains("How are you?"));
}

#[tokio::test]
async fn what_is_held_waits() {
    let (a, b, _dns) = two().await;
    let mut client = Client::app(&a).await;
    client.say("MAIL FROM:<alice@a.example> HOLDFOR=600", 250).await;
    client.say("RCPT TO:<bob@b.example>", 250).await;
    client.say("RCPT TO:<alice@a.example>", 250).await;
    client.say("DATA", 354).await;
    client.raw(format!("{HELLO}\r\n.\r\n").as_bytes()).await;
    assert!(client.answer().await.starts_with("250"));
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!((a.queued().await, b.mailbox("INBOX").await.len()), (1, 0));
    a.clock.advance_secs(601);
    // Any other mail wakes the sender.
    let other = HELLO.replace("Hello", "Second");
    assert!(
        Client::app(&a).await.mail("alice@a.example", &["bob@b.example"], &other).await.starts_with("250")
    );
    b.arrived("INBOX", 2).await;
    a.arrived("INBOX", 1).await;
}

#[tokio::test]
async fn records_are_found_right_or_missing() {
    let (a, _b, dns) = two().await;
    let mut states = Vec::new();
    for record in a.records.of("a.example").await.unwrap() {
        states.push((record.kind, a.records.check(&record).await == Found::Right));
    }
    let right = states.iter().filter(|(kind, right)| *right && *kind != "SRV").count();
    assert_eq!(right, states.iter().filter(|(kind, _)| *kind == "TXT" || *kind == "MX").count());
    dns.records.lock().clear();
    let mx = &a.records.of("a.example").await.unwrap()[0];
    // The answer may come from memory.
    assert!(matches!(a.records.check(mx).await, Found::Missing | Found::Right));
}
