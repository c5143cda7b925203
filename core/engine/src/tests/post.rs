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
    let claimed = queue.claim(10, lease, |_| true).await.unwrap();
    assert_eq!((claimed.len(), claimed[0].recipients.len()), (1, 2));
    assert!(queue.claim(10, lease, |_| true).await.unwrap().is_empty(), "claimed");
    bench.clock.advance_secs(61);
    assert!(queue.claim(10, lease, |_| false).await.unwrap().is_empty(), "not wanted");
    assert_eq!(queue.claim(10, lease, |_| true).await.unwrap().len(), 1, "whoever claimed it hangs");
    queue.give_back(&id);
    assert_eq!(queue.claim(10, lease, |_| true).await.unwrap().len(), 1, "given back");
    queue.note(&id, vec![Attempt::Untried, Attempt::Untried]).await.unwrap();
    assert!(queue.claim(10, lease, |_| true).await.unwrap().is_empty(), "noted, and still claimed");

    let later = bench.core.now().plus_secs(300);
    let attempts = vec![Attempt::Delivered("250 ok".into()), Attempt::Later("451 busy".into(), later)];
    let left = queue.settle(&id, attempts).await.unwrap().unwrap();
    assert_eq!(left.recipients[0].state, RecipientState::Delivered);
    assert_eq!((left.recipients[1].tries, left.recipients[1].answer.as_str()), (1, "451 busy"));
    assert_eq!(queue.next().await.unwrap(), Some(later));
    assert!(queue.claim(10, lease, |_| true).await.unwrap().is_empty(), "not yet");
    queue.retry(&id).await.unwrap();
    assert_eq!(queue.claim(10, lease, |_| true).await.unwrap().len(), 1);
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
    assert!(queue.claim(1, Duration::from_secs(9), |_| true).await.unwrap().is_empty());
    bench.clock.advance_secs(501);
    assert_eq!(queue.claim(1, Duration::from_secs(9), |_| true).await.unwrap().len(), 1);
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

mod arriving {
    use super::*;
    use crate::mail::Flags;
    use crate::post::Action;

    async fn arrive(bench: &Bench, arrival: &Arrival, text: &str) -> Delivered {
        let delivery = bench.core.operator().delivery("alice").unwrap();
        let staged = delivery.stage_message(text.len() as u64, body(text.as_bytes())).await.unwrap();
        delivery.take_mail(arrival, staged).await.unwrap()
    }

    fn from(address: &str) -> Arrival {
        Arrival { from: address.into(), to: "alice@example.org".into(), junk: false }
    }

    fn rule(conditions: Vec<Condition>, actions: Vec<Action>) -> Rule {
        Rule { name: "r".into(), enabled: true, any: false, conditions, actions, stop: false }
    }

    fn subject(how: Match, text: &str) -> Condition {
        Condition::Header { name: "subject".into(), how, text: text.into() }
    }

    fn places(arrived: &Delivered) -> Vec<String> {
        arrived.mailboxes.iter().map(|(path, _)| path.to_string()).collect()
    }

    #[tokio::test]
    async fn rules_file_mail() {
        let (bench, session) = bench().await;
        session.create_mailbox(&path("/Mail/Lists/rust"), None).await.unwrap();
        let file = |name: &str| Action::File(name.into());
        let rules = vec![
            rule(vec![subject(Match::Begins, "[rust]")], vec![file("Lists/rust"), Action::Mark(Flags::SEEN)]),
            rule(vec![subject(Match::Is, "both")], vec![file("Archive"), file("Drafts")]),
            rule(vec![subject(Match::Contains, "gone")], vec![file("Nowhere")]),
            rule(vec![Condition::Larger(2000)], vec![Action::Keyword("big".into())]),
            rule(vec![subject(Match::Ends, "buy!")], vec![Action::Discard]),
            Rule { enabled: false, ..rule(vec![], vec![Action::Discard]) },
            Rule {
                any: true,
                stop: true,
                ..rule(
                    vec![
                        Condition::SentTo(Match::Begins, "alice+fwd".into()),
                        subject(Match::Contains, "forward"),
                    ],
                    vec![Action::Forward("a@else.org".into())],
                )
            },
            rule(vec![subject(Match::Contains, "forward")], vec![Action::Discard]),
        ];
        session.set_filing(Filing { rules: rules.clone(), vacation: None }).await.unwrap();
        assert_eq!(session.filing().await.unwrap().rules, rules);
        let cases: [(&str, &[&str], &[&str]); 8] = [
            ("hello", &["/Mail/INBOX"], &[]),
            ("[RUST] news", &["/Mail/Lists/rust"], &[]),
            ("Both", &["/Mail/Archive", "/Mail/Drafts"], &[]),
            ("it is gone", &["/Mail/INBOX"], &[]),
            ("please buy!", &["/Mail/Trash"], &[]),
            ("forward this", &["/Mail/INBOX"], &["a@else.org"]),
            ("=?utf-8?q?=5Brust=5D_caf=C3=A9?=", &["/Mail/Lists/rust"], &[]),
            ("", &["/Mail/INBOX"], &[]),
        ];
        for (subject, mailboxes, forward) in cases {
            let text = format!("From: b@x.org\r\nSubject: {subject}\r\n\r\nHi\r\n");
            let arrived = arrive(&bench, &from("b@x.org"), &text).await;
            assert_eq!(places(&arrived), mailboxes, "{subject}");
            assert_eq!(arrived.forward, forward, "{subject}");
        }
        let junk = Arrival { junk: true, ..from("b@x.org") };
        assert_eq!(places(&arrive(&bench, &junk, "Subject: x\r\n\r\nx\r\n").await), ["/Mail/Junk"]);
        let status = session.mailbox_status(&path("/Mail/Lists/rust")).await.unwrap();
        assert_eq!((status.exists, status.unseen), (2, 0));
        bench.assert_clean().await;

        let reader = bench.session(&["/Mail:r"]).await;
        assert_eq!(reader.set_filing(Filing::default()).await.unwrap_err().kind, ErrorKind::Denied);
        let many = Filing { rules: vec![rule(vec![], vec![]); RULES_MAX + 1], vacation: None };
        assert_eq!(session.set_filing(many).await.unwrap_err().kind, ErrorKind::TooLarge);
        let odd = Filing { rules: vec![rule(vec![], vec![file("../x")])], vacation: None };
        assert_eq!(session.set_filing(odd).await.unwrap_err().kind, ErrorKind::InvalidContent);
    }

    #[tokio::test]
    async fn whoever_is_away_answers_people_once() {
        let (bench, session) = bench().await;
        let now = bench.core.now();
        let vacation = Vacation {
            from: Some(now),
            until: Some(now.plus_secs(20 * 86_400)),
            subject: None,
            text: "Back in May.".into(),
            days: 7,
        };
        session.set_filing(Filing { rules: Vec::new(), vacation: Some(vacation) }).await.unwrap();
        let mail = |more: &str| format!("From: b@x.org\r\nTo: Alice <Alice@example.org>\r\n{more}\r\nHi\r\n");
        let answered =
            async |arrival: Arrival, more: &str| arrive(&bench, &arrival, &mail(more)).await.answer.is_some();
        assert!(answered(from("b@x.org"), "").await);
        assert!(!answered(from("B@x.org"), "").await, "once");
        assert!(answered(from("c@x.org"), "").await, "somebody else");
        assert!(!answered(from(""), "").await, "a report");
        assert!(!answered(from("noreply@y.org"), "").await);
        assert!(!answered(from("d@x.org"), "List-Id: <x>\r\n").await);
        assert!(!answered(from("e@x.org"), "Auto-Submitted: auto-replied\r\n").await);
        assert!(!answered(from("f@x.org"), "Precedence: bulk\r\n").await);
        assert!(!answered(Arrival { junk: true, ..from("g@x.org") }, "").await);
        let hidden = "From: h@x.org\r\nTo: others@z.org\r\n\r\nHi\r\n";
        assert!(arrive(&bench, &from("h@x.org"), hidden).await.answer.is_none(), "a blind copy");
        bench.clock.advance_secs(8 * 86_400);
        assert!(answered(from("b@x.org"), "").await, "a week later");
        bench.clock.advance_secs(30 * 86_400);
        assert!(!answered(from("z@x.org"), "").await, "back");
        bench.assert_clean().await;
    }
}

#[tokio::test]
async fn a_restart_frees_what_was_being_sent() {
    let (bench, session) = bench().await;
    send(&session, envelope("alice@example.org", &["a@x.org"])).await.unwrap();
    let lease = Duration::from_secs(1800);
    assert_eq!(bench.core.operator().queue().claim(1, lease, |_| true).await.unwrap().len(), 1);
    let mut options = Options::new(BlobConfig::new("memory:///"));
    (options.env, _) = Env::simulated(43, bench.core.now());
    // The process was killed: another one opens the store.
    let core =
        Core::open(bench.core.0.store.clone(), MasterKey::from_bytes(&[7; 32]), options).await.unwrap();
    assert_eq!(core.operator().queue().claim(1, lease, |_| true).await.unwrap().len(), 1);
}

#[tokio::test]
async fn notes_are_replaced_and_found_by_their_beginning() {
    let (bench, _session) = bench().await;
    let operator = bench.core.operator();
    for (name, bytes) in [("a/2", "two"), ("a/1", "one"), ("b/1", "other"), ("a/1", "uno")] {
        operator.note(name, Some(bytes.as_bytes())).await.unwrap();
    }
    let found = operator.notes("a/", 10).await.unwrap();
    assert_eq!(found, [("1".to_owned(), b"uno".to_vec()), ("2".to_owned(), b"two".to_vec())]);
    assert_eq!(operator.notes("a/", 1).await.unwrap().len(), 1);
    operator.note("a/1", None).await.unwrap();
    assert_eq!(operator.notes("a/", 10).await.unwrap().len(), 1);
    let large = vec![0; 49 << 10];
    assert_eq!(operator.note("c", Some(&large)).await.unwrap_err().kind, ErrorKind::TooLarge);
}
