//! Mail from an account's own app.

use super::*;

const HELLO: &str = "From: Alice <alice@a.example>\r\nTo: alice@a.example\r\nBcc: secret@x.example\r\nSubject: x\r\n\r\n.dot\r\nHello";

#[tokio::test]
async fn nobody_sends_without_logging_in() {
    let (site, _dns) = alone().await;
    let mut client = Client::connect(site.submission).await;
    client.say("MAIL FROM:<alice@a.example>", 503).await;
    client.say("EHLO laptop.example", 250).await;
    client.say("MAIL FROM:<alice@a.example>", 530).await;
    client.say("AUTH SCRAM-SHA-1 AAAA", 504).await;
    client.say("AUTH LOGIN", 334).await;
    client.say("*", 501).await;
    client.say("AUTH LOGIN", 334).await;
    client.say(&crate::sasl::encode("alice@a.example"), 334).await;
    client.say(&crate::sasl::encode(&site.password), 235).await;
    client.say("AUTH LOGIN", 503).await;
}

#[tokio::test]
async fn a_credential_must_allow_to_send() {
    let (site, _dns) = alone().await;
    let grants = vec![parse_grant("/Mail:rw").unwrap()];
    let reader = site.core.operator().add_credential("alice", "reader", grants, None).await.unwrap();
    let mut client = Client::connect(site.submission).await;
    client.say("EHLO laptop.example", 250).await;
    let login = crate::sasl::encode(format!("\0alice\0{}", reader.password.as_str()));
    client.say(&format!("AUTH PLAIN {login}"), 535).await;
    client.say("MAIL FROM:<alice@a.example>", 530).await;
}

#[tokio::test]
async fn senders_are_bound_to_the_login() {
    let (site, _dns) = alone().await;
    let mut client = Client::app(&site).await;
    client.say("MAIL FROM:<bob@a.example>", 550).await;
    client.say("MAIL FROM:<x@elsewhere.example>", 550).await;
    let table = [
        ("From: x@elsewhere.example\r\n\r\nx", "550"),
        ("From: alice@a.example, x@elsewhere.example\r\n\r\nx", "550"),
        ("From: alice@a.example\r\nFrom: x@elsewhere.example\r\n\r\nx", "554"),
        ("From: alice@a.example\r\nSender: x@elsewhere.example\r\n\r\nx", "550"),
        ("From: \"alice@a.example\" <x@elsewhere.example>\r\n\r\nx", "550"),
        ("From: x@elsewhere.example <alice@a.example>\r\n\r\nx", "554"),
        ("From: Us: alice@a.example, x@elsewhere.example;\r\n\r\nx", "55"),
        ("From: Us: alice@a.example;\r\n\r\nx", "554"),
        ("From: alice@a.example\r\nSender: alice@a.example\r\nSender: x@elsewhere.example\r\n\r\nx", "554"),
        ("From: alice@a.example\r\nResent-From: x@elsewhere.example\r\n\r\nx", "550"),
        (
            "From: alice@a.example\r\nResent-From: alice@a.example\r\nResent-Sender: x@elsewhere.example\r\n\r\nx",
            "550",
        ),
        ("From : alice@a.example\r\nfrom\t: x@elsewhere.example\r\n\r\nx", "55"),
        ("From: =?utf-8?q?x=40elsewhere.example?=\r\n\r\nx", "55"),
        ("From: \"alice@a.example\"@elsewhere.example\r\n\r\nx", "550"),
        ("From: <@a.example:x@elsewhere.example>\r\n\r\nx", "550"),
        ("From:\r\n alice@a.example,\r\n x@elsewhere.example\r\n\r\nx", "550"),
        ("Subject: none\r\n\r\nx", "554"),
        ("From:\r\n\r\nx", "554"),
    ];
    for (message, code) in table {
        let answer = client.mail("alice@a.example", &["alice@a.example"], message).await;
        assert!(answer.starts_with(code), "{message}: {answer}");
        if answer.starts_with('5') {
            // Errors count: a new connection for the next one.
            client = Client::app(&site).await;
        }
    }
}

#[tokio::test]
async fn what_is_missing_is_added_and_what_is_secret_goes() {
    let (site, _dns) = alone().await;
    let mut client = Client::app(&site).await;
    let stuffed = HELLO.replace("\r\n.dot", "\r\n..dot");
    let answer = client.mail("alice@a.example", &["alice@a.example", "alice+x@a.example"], &stuffed).await;
    assert!(answer.starts_with("250 2.0.0 Delivered"), "{answer}");
    let found = site.arrived("INBOX", 1).await;
    assert_eq!(found.len(), 1, "one account, one copy");
    let mail = &found[0];
    for part in
        ["Return-Path: <alice@a.example>", "\r\nDate: ", "\r\nMessage-ID: <", "with ESMTPA;", "\r\n.dot\r\n"]
    {
        assert!(mail.contains(part), "{part}: {mail}");
    }
    for part in ["\r\nBcc:", "secret@", "127.0.0.1"] {
        assert!(!mail.contains(part), "{part}: {mail}");
    }
    assert_eq!(mail.matches("DKIM-Signature:").count(), 2);
}

#[tokio::test]
async fn recipients_are_judged() {
    let (site, _dns) = alone().await;
    let mut client = Client::app(&site).await;
    client.say("MAIL FROM:<alice@a.example>", 250).await;
    client.say("RCPT TO:<nobody@a.example>", 550).await;
    client.say("RCPT TO:<x@[192.0.2.1]>", 550).await;
    client.say("RCPT TO:<x@localhost>", 550).await;
    client.say("RCPT TO:<ü@elsewhere.example>", 553).await;
    client.say("RCPT TO:<x@elsewhere.example> NOTIFY=SUCCESS ORCPT=rfc822;x@elsewhere.example", 250).await;
}

#[tokio::test]
async fn a_full_account_is_told() {
    let (site, _dns) = alone().await;
    let change = AccountChange { quota: Some(Some(3000)), ..AccountChange::default() };
    site.core.operator().change_account("alice", change).await.unwrap();
    let mut world = Client::connect(site.mx).await;
    world.say("EHLO c.example", 250).await;
    world.say("MAIL FROM:<x@y.example> SIZE=5000", 250).await;
    let answer = world.say("RCPT TO:<alice@a.example>", 452).await;
    assert!(answer.contains("4.2.2"));
    world.say("RSET", 250).await;
    let large = format!("From: x@y.example\r\n\r\n{}", "x\r\n".repeat(2000));
    let answer = world.mail("x@y.example", &["alice@a.example"], &large).await;
    assert!(answer.starts_with("452 4.2.2"), "{answer}");
    assert!(site.mailbox("INBOX").await.is_empty());
}

#[tokio::test]
async fn revoking_ends_the_connection() {
    let (site, _dns) = alone().await;
    let mut client = Client::app(&site).await;
    let operator = site.core.operator();
    let known = operator.credentials(Some("alice")).await.unwrap();
    operator.revoke_credential(&known[0].id.0).await.unwrap();
    assert!(client.answer().await.starts_with("421"));
}

#[tokio::test]
async fn an_hour_has_its_recipients() {
    let dns = TestDns::start().await;
    let set = Options { hour_recipients_max: 2, ..options("mx.a.example", &dns) };
    let site = Site::start("alice", "a.example", listener().await, set).await;
    let mut client = Client::app(&site).await;
    for code in ["250", "250", "450"] {
        let answer = client.mail("alice@a.example", &["alice@a.example"], HELLO).await;
        assert!(answer.starts_with(code), "{answer}");
    }
    site.clock.advance_secs(3601);
    assert!(client.mail("alice@a.example", &["alice@a.example"], HELLO).await.starts_with("250"));
}
