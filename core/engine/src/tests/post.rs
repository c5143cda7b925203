//! Mail that waits to be sent, and whom an address reaches.

use std::time::Duration;

use allod_model::{ErrorKind, Timestamp};

use super::*;
use crate::post::*;

const MAIL: &[u8] = b"From: alice@example.org\r\nTo: bob@elsewhere.org\r\nSubject: x\r\n\r\nHello\r\n";

async fn bench() -> (Bench, Session) {
    let bench = Bench::new().await;
    let emails = vec!["alice@example.org".into(), "info@example.org".into(), "*@shop.example".into()];
    let change = AccountChange { emails: Some(emails), ..AccountChange::default() };
    bench.core.operator().change_account("alice", change).await.unwrap();
    let session = bench.session(&["all"]).await;
    (bench, session)
}

fn envelope(from: &str, to: &[&str]) -> Envelope {
    let recipient = |address: &&str| Recipient { address: (*address).to_owned(), ..Recipient::default() };
    Envelope { from: from.into(), recipients: to.iter().map(recipient).collect(), ..Envelope::default() }
}

async fn send(session: &Session, envelope: Envelope) -> model::Result<String> {
    let staged = session.stage_message(MAIL.len() as u64, body(MAIL)).await?;
    session.send(envelope, staged).await
}

#[tokio::test]
async fn addresses_reach_accounts() {
    let (bench, session) = bench().await;
    bench.core.set_own_domains(vec!["example.net".into()]);
    let operator = bench.core.operator();
    operator.add_account("bob", AccountChange::default()).await.unwrap();
    let cases = [
        ("Alice@Example.org", Some(("alice", None))),
        ("alice+shop@example.org", Some(("alice", Some("shop")))),
        ("alice+a+b@example.org", Some(("alice", Some("a+b")))),
        ("info@example.org", Some(("alice", None))),
        ("anything@shop.example", Some(("alice", None))),
        ("any+thing@shop.example", Some(("alice", None))),
        ("bob@example.net", Some(("bob", None))),
        ("bob+x@example.net", Some(("bob", Some("x")))),
        ("bob@example.org", None),
        ("nobody@example.org", None),
        ("+x@example.org", None),
        ("alice", None),
        ("", None),
    ];
    for (address, expected) in cases {
        let found = operator.addressee(address).await.unwrap();
        let found = found.as_ref().map(|found| (found.account.as_str(), found.detail.as_deref()));
        assert_eq!(found, expected, "{address}");
    }
    assert_eq!(operator.own_domains().await.unwrap(), ["example.net", "example.org", "shop.example"]);
    assert!(session.may_send_as("info@example.org").await.unwrap());
    assert!(!session.may_send_as("bob@example.net").await.unwrap());
    let reader = bench.session(&["/Mail:rw"]).await;
    assert!(!reader.may_send_as("alice@example.org").await.unwrap());
}

#[tokio::test]
async fn a_mail_waits_until_each_recipient_is_settled() {
    let (bench, session) = bench().await;
    let queue = bench.core.operator().queue();
    let id = send(&session, envelope("alice@example.org", &["a@x.org", "b@y.org"])).await.unwrap();
    assert_eq!(queue.bytes(&id).await.unwrap(), MAIL);
    bench.core.collect(true).await.unwrap();
    bench.assert_clean().await;
    let lease = Duration::from_secs(60);
    let claimed = queue.claim(10, lease).await.unwrap();
    assert_eq!((claimed.len(), claimed[0].recipients.len()), (1, 2));
    assert!(queue.claim(10, lease).await.unwrap().is_empty(), "claimed");
    bench.clock.advance_secs(61);
    assert_eq!(queue.claim(10, lease).await.unwrap().len(), 1, "whoever claimed it died");

    let later = bench.core.now().plus_secs(300);
    let attempts = vec![Attempt::Delivered("250 ok".into()), Attempt::Later("451 busy".into(), later)];
    let left = queue.settle(&id, attempts).await.unwrap().unwrap();
    assert_eq!(left.recipients[0].state, RecipientState::Delivered);
    assert_eq!((left.recipients[1].tries, left.recipients[1].answer.as_str()), (1, "451 busy"));
    assert_eq!(queue.next().await.unwrap(), Some(later));
    assert!(queue.claim(10, lease).await.unwrap().is_empty(), "not yet");
    queue.retry(&id).await.unwrap();
    assert_eq!(queue.claim(10, lease).await.unwrap().len(), 1);
    let left = queue.settle(&id, vec![Attempt::Untried, Attempt::Failed("550 no".into())]).await.unwrap();
    assert_eq!(left, None);
    assert!(queue.list(None, 10).await.unwrap().is_empty());
    assert_eq!(queue.bytes(&id).await.unwrap_err().kind, ErrorKind::NotFound);

    let id = send(&session, envelope("", &["a@x.org"])).await.unwrap();
    queue.drop_mail(&id).await.unwrap();
    assert_eq!(queue.next().await.unwrap(), None);
    bench.core.collect(true).await.unwrap();
    bench.assert_clean().await;
}

#[tokio::test]
async fn what_may_not_be_sent_is_refused() {
    let (bench, session) = bench().await;
    let spoofed = send(&session, envelope("bob@example.org", &["a@x.org"])).await.unwrap_err();
    assert_eq!(spoofed.kind, ErrorKind::Denied);
    let nobody = send(&session, envelope("alice@example.org", &[])).await.unwrap_err();
    assert_eq!(nobody.kind, ErrorKind::InvalidContent);
    let many = vec!["a@x.org"; RECIPIENTS_MAX + 1];
    assert_eq!(
        send(&session, envelope("alice@example.org", &many)).await.unwrap_err().kind,
        ErrorKind::TooLarge
    );
    let reader = bench.session(&["/Mail:rw"]).await;
    let refused = send(&reader, envelope("alice@example.org", &["a@x.org"])).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Denied);
    let held = Envelope {
        hold_until: Some(Timestamp::from_secs(1_700_000_500)),
        ..envelope("alice@example.org", &["a@x.org"])
    };
    send(&session, held).await.unwrap();
    let queue = bench.core.operator().queue();
    assert!(queue.claim(1, Duration::from_secs(9)).await.unwrap().is_empty());
    bench.clock.advance_secs(501);
    assert_eq!(queue.claim(1, Duration::from_secs(9)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn arriving_mail_is_added_and_nothing_else_is_done() {
    let (bench, session) = bench().await;
    let operator = bench.core.operator();
    let delivery = operator.delivery("alice").unwrap();
    let staged = delivery.stage_message(MAIL.len() as u64, body(MAIL)).await.unwrap();
    let new = crate::mail::NewMessage {
        staged,
        flags: crate::mail::Flags::NONE,
        keywords: Vec::new(),
        internal: None,
    };
    let done = delivery.append(&path("/Mail/INBOX"), vec![new]).await.unwrap();
    assert_eq!(session.mailbox_status(&path("/Mail/INBOX")).await.unwrap().exists, 1);
    let all = crate::mail::UidSet::all();
    let archive = path("/Mail/Archive");
    let refused = delivery.move_messages(done.mailbox, &all, &archive).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Denied);
    assert!(put(&delivery, "/notes.txt", b"x").await.is_err());

    assert!(operator.sealed("dkim/example.org").await.unwrap().is_none());
    let kept = operator.keep_sealed("dkim/example.org", b"key").await.unwrap();
    assert_eq!(kept.as_slice(), b"key");
    let again = operator.keep_sealed("dkim/example.org", b"other").await.unwrap();
    assert_eq!(again.as_slice(), b"key");
}
