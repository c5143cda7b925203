//! Mailboxes: UIDs, flags, changes, and what comes in and goes out by other doors.

use allod_meta::Lookup;
use allod_model::{ErrorKind, NodeId, Seq};

use super::*;
use crate::mail::*;

const ONE: &[u8] = b"From: Ann <ann@example.org>\r\nTo: Bob <bob@example.org>\r\nSubject: Lunch\r\n\
    Date: Mon, 6 Nov 2023 10:00:00 +0100\r\nMessage-ID: <1@example.org>\r\n\r\nShall we eat at noon?\r\n";
const TWO: &[u8] = b"From: Bob <bob@example.org>\r\nTo: Ann <ann@example.org>\r\nSubject: Re: Lunch\r\n\
    Date: Mon, 6 Nov 2023 11:00:00 +0100\r\nMessage-ID: <2@example.org>\r\nIn-Reply-To: <1@example.org>\r\n\r\n\
    Gladly. =C3=84pfel too\r\n";

async fn append(session: &Session, at: &str, bytes: &[u8], flags: Flags) -> model::Result<u32> {
    let staged = session.stage_message(bytes.len() as u64, body(bytes)).await?;
    let new = NewMessage { staged, flags, keywords: Vec::new(), internal: None };
    Ok(session.append(&path(at), vec![new]).await?.uids[0])
}

async fn uids(session: &Session, at: &str) -> Vec<u32> {
    session.select_mailbox(&path(at)).await.unwrap().uids.to_set().iter().collect()
}

async fn message(session: &Session, mailbox: NodeId, uid: u32) -> Message {
    let parts = MessageParts { facts: true, header: true, bytes: true, ..MessageParts::default() };
    let set = UidSet::from_iter([uid]);
    session.messages(mailbox, &set, 0, 1, parts).await.unwrap().pop().unwrap()
}

fn add(flags: Flags) -> MarkChange {
    MarkChange { operation: Operation::Add, flags, keywords: Vec::new(), unchanged_since: None }
}

#[tokio::test]
async fn a_new_account_has_mailboxes_for_everything() {
    let bench = Bench::new().await;
    let session = bench.session(&["mail", "all"]).await;
    let found = session.mailboxes().await.unwrap();
    let shown: Vec<_> =
        found.iter().map(|info| (info.path.to_string(), info.special, info.children)).collect();
    let expected = [
        ("/Mail/Archive", Some(SpecialUse::Archive)),
        ("/Mail/Drafts", Some(SpecialUse::Drafts)),
        ("/Mail/INBOX", None),
        ("/Mail/Junk", Some(SpecialUse::Junk)),
        ("/Mail/Sent", Some(SpecialUse::Sent)),
        ("/Mail/Trash", Some(SpecialUse::Trash)),
    ];
    assert_eq!(shown, expected.map(|(path, special)| (path.to_owned(), special, false)));
    let subscribed: Vec<_> = session.subscriptions().await.unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(subscribed, expected.map(|(path, _)| path.to_owned()));
}

#[tokio::test]
async fn messages_get_uids_that_are_never_used_again() {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    let inbox = "/Mail/INBOX";
    assert_eq!(append(&session, inbox, ONE, Flags::NONE).await.unwrap(), 1);
    assert_eq!(append(&session, inbox, TWO, Flags::SEEN).await.unwrap(), 2);
    let status = session.mailbox_status(&path(inbox)).await.unwrap();
    assert_eq!((status.exists, status.unseen, status.uid_next, status.deleted), (2, 1, 3, 0));
    assert_eq!(status.bytes, (ONE.len() + TWO.len()) as u64);

    let marked =
        session.mark_messages(status.id, &UidSet::from_iter([2]), add(Flags::DELETED)).await.unwrap();
    assert!(marked.messages[0].altered && marked.messages[0].modseq > status.modseq);
    let gone = session.expunge_messages(status.id, None).await.unwrap();
    assert_eq!(gone, UidSet::from_iter([2]));
    assert_eq!(append(&session, inbox, TWO, Flags::NONE).await.unwrap(), 3);
    assert_eq!(uids(&session, inbox).await, [1, 3]);
    let changes = session.mailbox_changes(status.id, status.modseq).await.unwrap();
    assert_eq!((changes.changed, changes.vanished), (UidSet::from_iter([3]), UidSet::from_iter([2])));
    bench.assert_clean().await;
}

#[tokio::test]
async fn a_message_is_a_file_and_a_file_a_message() {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    let inbox = path("/Mail/INBOX");
    let mut watch = session.watch();
    put(&session, "/Mail/INBOX/dropped.eml", ONE).await.unwrap();
    let event = watch.next().await.unwrap();
    let selected = session.select_mailbox(&inbox).await.unwrap();
    assert_eq!(event.folders, [selected.status.id]);
    assert_eq!((selected.uids.len(), selected.first_unseen), (1, Some(1)));
    let found = message(&session, selected.status.id, 1).await;
    let facts = found.facts.unwrap();
    assert_eq!(facts.envelope.subject.as_deref(), Some(b"Lunch".as_slice()));
    assert_eq!(found.header.unwrap().as_ref(), &ONE[..ONE.len() - b"Shall we eat at noon?\r\n".len()]);

    append(&session, "/Mail/INBOX", TWO, Flags::NONE).await.unwrap();
    let files = names(&session, "/Mail/INBOX").await;
    let other = files.iter().find(|name| *name != "dropped.eml").unwrap();
    assert_eq!(get(&session, &format!("/Mail/INBOX/{other}")).await.unwrap(), TWO);
    assert_eq!(message(&session, selected.status.id, 2).await.bytes.unwrap().as_ref(), TWO);
    // The same bytes again are the same message; other bytes are another one, unseen.
    let id = selected.status.id;
    session.mark_messages(id, &UidSet::from_iter([1]), add(Flags::SEEN)).await.unwrap();
    put(&session, "/Mail/INBOX/dropped.eml", ONE).await.unwrap();
    assert_eq!(uids(&session, "/Mail/INBOX").await, [1, 2]);
    assert!(message(&session, id, 1).await.flags.has(Flags::SEEN));
    put(&session, "/Mail/INBOX/dropped.eml", TWO).await.unwrap();
    assert_eq!(uids(&session, "/Mail/INBOX").await, [2, 3]);
    assert_eq!(message(&session, id, 3).await.flags, Flags::NONE);
    remove(&session, "/Mail/INBOX/dropped.eml").await.unwrap();
    assert_eq!(uids(&session, "/Mail/INBOX").await, [2]);
    let refused = put(&session, "/Mail/INBOX/photo.jpg", b"\xff\xd8\xff\xe0").await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::InvalidContent);
    bench.assert_clean().await;
}

#[tokio::test]
async fn flags_travel_with_a_message() {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    put(&session, "/Mail/INBOX/a.eml", ONE).await.unwrap();
    let id = session.mailbox_status(&path("/Mail/INBOX")).await.unwrap().id;
    let change = MarkChange { keywords: vec!["$Forwarded".into()], ..add(Flags::FLAGGED) };
    session.mark_messages(id, &UidSet::from_iter([1]), change).await.unwrap();
    let before = message(&session, id, 1).await;

    bench.clock.advance_secs(1000);
    let copied = session.copy_messages(id, &UidSet::from_iter([1]), &path("/Mail/Archive")).await.unwrap();
    assert_eq!(copied.pairs, [(1, 1)]);
    let copy = message(&session, copied.mailbox, 1).await;
    assert_eq!((copy.flags, &copy.keywords), (before.flags, &before.keywords));
    assert_eq!((copy.content, copy.thread, copy.internal), (before.content, before.thread, before.internal));
    assert!(copy.saved > before.saved);

    let moved = session.move_messages(id, &UidSet::from_iter([1]), &path("/Mail/Trash")).await.unwrap();
    assert_eq!(names(&session, "/Mail/Trash").await, ["a.eml"]);
    assert_eq!(message(&session, moved.mailbox, 1).await.flags, Flags::FLAGGED);
    assert!(uids(&session, "/Mail/INBOX").await.is_empty());

    // By the drive, too, and back from history.
    let options = TransferOptions { overwrite: false, shallow: false };
    let (from, to) = (path("/Mail/Trash/a.eml"), path("/Mail/INBOX/b.eml"));
    session.rename(&from, &to, options, Precondition::default()).await.unwrap();
    assert_eq!(uids(&session, "/Mail/INBOX").await, [2]);
    assert_eq!(message(&session, id, 2).await.flags, Flags::FLAGGED);
    let before = bench.core.now();
    bench.clock.advance_secs(10);
    remove(&session, "/Mail/INBOX/b.eml").await.unwrap();
    session.restore(&to, before, false).await.unwrap();
    assert_eq!(uids(&session, "/Mail/INBOX").await, [3]);
    assert_eq!(message(&session, id, 3).await.flags, Flags::FLAGGED);
    let whole = path("/Mail/Copy");
    session.copy(&path("/Mail/INBOX"), &whole, options, Precondition::default()).await.unwrap();
    let copy = session.mailbox_status(&whole).await.unwrap();
    assert_eq!((copy.exists, message(&session, copy.id, 1).await.flags), (1, Flags::FLAGGED));
    bench.assert_clean().await;
}

#[tokio::test]
async fn mailboxes_are_made_renamed_and_removed() {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    session.create_mailbox(&path("/Mail/Lists/rust/users"), None).await.unwrap();
    append(&session, "/Mail/Lists/rust", ONE, Flags::NONE).await.unwrap();
    let before = session.mailbox_status(&path("/Mail/Lists/rust")).await.unwrap();
    let refused = session.delete_mailbox(&path("/Mail/Lists")).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::NotEmpty);
    session.rename_mailbox(&path("/Mail/Lists/rust"), &path("/Mail/Old/rust")).await.unwrap();
    let after = session.mailbox_status(&path("/Mail/Old/rust")).await.unwrap();
    assert_eq!(after, before, "UIDVALIDITY and all stay");
    let shown: Vec<_> = session.mailboxes().await.unwrap().iter().map(|info| info.path.to_string()).collect();
    assert!(shown.contains(&"/Mail/Old/rust/users".to_owned()));

    append(&session, "/Mail/INBOX", ONE, Flags::NONE).await.unwrap();
    session.rename_mailbox(&path("/Mail/INBOX"), &path("/Mail/2023")).await.unwrap();
    assert!(uids(&session, "/Mail/INBOX").await.is_empty());
    assert_eq!(uids(&session, "/Mail/2023").await, [1]);
    assert_eq!(session.delete_mailbox(&path("/Mail/INBOX")).await.unwrap_err().kind, ErrorKind::Denied);
    let first = session.mailbox_status(&path("/Mail/2023")).await.unwrap().uid_validity;
    session.delete_mailbox(&path("/Mail/2023")).await.unwrap();
    session.create_mailbox(&path("/Mail/2023"), None).await.unwrap();
    assert!(session.mailbox_status(&path("/Mail/2023")).await.unwrap().uid_validity > first);
    let outside = session.create_mailbox(&path("/Other"), None).await.unwrap_err();
    assert_eq!(outside.kind, ErrorKind::InvalidContent);
    bench.assert_clean().await;
}

#[tokio::test]
async fn searches_find_words_in_headers_bodies_and_dates() {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    append(&session, "/Mail/INBOX", ONE, Flags::SEEN).await.unwrap();
    append(&session, "/Mail/INBOX", TWO, Flags::NONE).await.unwrap();
    let id = session.mailbox_status(&path("/Mail/INBOX")).await.unwrap().id;
    let text = |field, text: &str| Query::Text(field, text.to_owned());
    let subject = || Field::Header("subject".into());
    let not = |query| Query::Not(Box::new(query));
    let day = 19_667; // 6 November 2023
    let cases: [(Query, &[u32]); 15] = [
        (Query::All, &[1, 2]),
        (text(Field::Text, "EXAMPLE.org"), &[1, 2]),
        (text(Field::Body, "at noon"), &[1]),
        (text(Field::Body, "lunch"), &[]),
        (text(Field::Text, "lunch"), &[1, 2]),
        (text(subject(), "re: lu"), &[2]),
        (text(subject(), "x"), &[]),
        (text(Field::Header("in-reply-to".into()), ""), &[2]),
        (not(Query::Flags(Flags::SEEN)), &[2]),
        (Query::And(vec![text(subject(), "lunch"), Query::Flags(Flags::SEEN)]), &[1]),
        (Query::Or(vec![text(Field::Body, "noon"), text(Field::Body, "gladly")]), &[1, 2]),
        (Query::Days(DateOf::Sent, day, day), &[1, 2]),
        (Query::Days(DateOf::Sent, i64::MIN, day - 1), &[]),
        (Query::Larger(ONE.len() as u64), &[2]),
        (Query::And(vec![Query::Uids(UidSet::from_iter([2])), text(Field::Body, "o")]), &[2]),
    ];
    for (query, expected) in cases {
        let expected: Vec<u32> = expected.to_vec();
        let found: Vec<u32> = session.search_messages(id, &query).await.unwrap().iter().collect();
        assert_eq!(found, expected, "{query:?}");
    }
    let order =
        session.sort_messages(id, &UidSet::all(), &[SortKey { by: SortBy::Date, reverse: true }]).await;
    assert_eq!(order.unwrap(), [2, 1]);
    let threads = session.thread_messages(id, &UidSet::all(), ThreadBy::References).await.unwrap();
    assert_eq!(threads.roots.len(), 1);
    let root = &threads.nodes[threads.roots[0]];
    assert_eq!((root.uid, threads.nodes[root.children[0]].uid), (Some(1), Some(2)));
    let (one, two) = (message(&session, id, 1).await, message(&session, id, 2).await);
    assert_eq!(one.thread, two.thread);
}

#[tokio::test]
async fn what_is_not_granted_is_refused() {
    let bench = Bench::new().await;
    let owner = bench.session(&["all"]).await;
    append(&owner, "/Mail/INBOX", ONE, Flags::NONE).await.unwrap();
    append(&owner, "/Mail/Sent", ONE, Flags::NONE).await.unwrap();
    let id = owner.mailbox_status(&path("/Mail/INBOX")).await.unwrap().id;
    let sent = owner.mailbox_status(&path("/Mail/Sent")).await.unwrap().id;
    let reader = bench.session(&["/Mail/INBOX:r"]).await;
    let one = UidSet::from_iter([1]);
    assert_eq!(message(&reader, id, 1).await.uid, 1);
    let kind = |outcome: model::Result<()>| outcome.unwrap_err().kind;
    let (inbox, archive) = (path("/Mail/INBOX"), path("/Mail/Archive"));
    let marks = reader.mark_messages(id, &one, add(Flags::SEEN)).await.map(drop);
    let expunge = reader.expunge_messages(id, None).await.map(drop);
    let copies = reader.copy_messages(id, &one, &archive).await.map(drop);
    let moves = reader.move_messages(id, &one, &archive).await.map(drop);
    let appends = append(&reader, "/Mail/INBOX", ONE, Flags::NONE).await.map(drop);
    let makes = reader.create_mailbox(&path("/Mail/New"), None).await.map(drop);
    let notes = reader.annotate(Some(&inbox), vec![("/shared/comment".into(), None)]).await;
    for refused in [marks, expunge, copies, moves, appends, makes, notes] {
        assert_eq!(kind(refused), ErrorKind::Denied);
    }
    let none = MessageParts::default();
    let hidden = [
        reader.messages(sent, &one, 0, 9, none).await.map(drop),
        reader.open_message(sent, 1).await.map(drop),
        reader.mailbox_changes(sent, Seq(0)).await.map(drop),
        reader.search_messages(sent, &Query::All).await.map(drop),
        reader.sort_messages(sent, &one, &[]).await.map(drop),
        reader.thread_messages(sent, &one, ThreadBy::Refs).await.map(drop),
        reader.mark_messages(sent, &one, add(Flags::SEEN)).await.map(drop),
        reader.copy_messages(sent, &one, &inbox).await.map(drop),
        reader.select_mailbox(&path("/Mail/Sent")).await.map(drop),
        reader.delete_mailbox(&path("/Mail/Sent")).await,
        reader.annotations(Some(&path("/Mail/Sent"))).await.map(drop),
    ];
    for (n, refused) in hidden.into_iter().enumerate() {
        assert!(matches!(kind(refused), ErrorKind::NotFound | ErrorKind::Denied), "{n}");
    }
    let shown: Vec<_> = reader.mailboxes().await.unwrap().iter().map(|info| info.path.to_string()).collect();
    assert_eq!(shown, ["/Mail/INBOX"]);
    let appender = bench.session(&["/Mail/INBOX:a"]).await;
    append(&appender, "/Mail/INBOX", TWO, Flags::NONE).await.unwrap();
    assert_eq!(kind(appender.mark_messages(id, &one, add(Flags::SEEN)).await.map(drop)), ErrorKind::Denied);
}

#[tokio::test]
async fn a_mailbox_can_be_lent() {
    let bench = Bench::new().await;
    let alice = bench.session(&["all"]).await;
    append(&alice, "/Mail/INBOX", ONE, Flags::NONE).await.unwrap();
    alice.create_mailbox(&path("/Mail/Team/Support"), None).await.unwrap();
    append(&alice, "/Mail/Team/Support", ONE, Flags::NONE).await.unwrap();
    bench.core.operator().add_account("bob", AccountChange::default()).await.unwrap();
    alice.share(&path("/Mail/Team"), "bob", allod_model::Rights::Read).await.unwrap();
    let new =
        bench.core.operator().add_credential("bob", "t", vec![parse_grant("mail").unwrap()], None).await;
    let bob = bench.login("bob", &new.unwrap().password, "imap").await.unwrap();
    let mounts = bob.mounts(&path("/Mail")).await.unwrap();
    assert_eq!(mounts[0].at.to_string(), "/Mail/Team (alice)");
    let lent = &mounts[0].session;
    let shown: Vec<_> = lent.mailboxes().await.unwrap().iter().map(|info| info.path.to_string()).collect();
    assert_eq!(shown, ["/Mail/Team", "/Mail/Team/Support"]);
    let id = lent.mailbox_status(&path("/Mail/Team/Support")).await.unwrap().id;
    assert_eq!(message(lent, id, 1).await.uid, 1);
    let one = UidSet::from_iter([1]);
    let refused = lent.mark_messages(id, &one, add(Flags::SEEN)).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Denied);
    let inbox = alice.mailbox_status(&path("/Mail/INBOX")).await.unwrap().id;
    assert_eq!(lent.open_message(inbox, 1).await.err().unwrap().kind, ErrorKind::NotFound);
    alice.share(&path("/Mail/Team"), "bob", allod_model::Rights::Write).await.unwrap();
    let lent = bob.mounts(&path("/Mail")).await.unwrap().remove(0).session;
    lent.mark_messages(id, &one, add(Flags::SEEN)).await.unwrap();
    assert!(message(&alice, id, 1).await.flags.has(Flags::SEEN));
    alice.unshare(&path("/Mail/Team"), "bob").await.unwrap();
    assert!(bob.mounts(&path("/Mail")).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_folder_made_among_mailboxes_is_one() {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    mkdir(&session, "/Mail/Projects").await.unwrap();
    mkdir(&session, "/Mail/Projects/Boat").await.unwrap();
    append(&session, "/Mail/Projects/Boat", ONE, Flags::NONE).await.unwrap();
    let shown = session.mailboxes().await.unwrap();
    assert!(shown.iter().any(|info| info.path == path("/Mail/Projects/Boat") && info.selectable));
    assert!(shown.iter().any(|info| info.path == path("/Mail/Projects") && info.children));
}

#[tokio::test]
async fn annotations_are_kept() {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    let (inbox, name) = (path("/Mail/INBOX"), "/shared/Comment".to_owned());
    session.annotate(Some(&inbox), vec![(name.clone(), Some(b"caf\xc3\xa9\0".to_vec()))]).await.unwrap();
    let found = session.annotations(Some(&inbox)).await.unwrap();
    assert_eq!(found, [("/shared/comment".to_owned(), b"caf\xc3\xa9\0".to_vec())]);
    assert!(session.annotations(None).await.unwrap().is_empty());
    session.annotate(Some(&inbox), vec![(name, None)]).await.unwrap();
    assert!(session.annotations(Some(&inbox)).await.unwrap().is_empty());
    let long = vec![("/private/x".to_owned(), Some(vec![0; ANNOTATION_BYTES_MAX + 1]))];
    assert_eq!(session.annotate(None, long).await.unwrap_err().kind, ErrorKind::TooLarge);
}

#[tokio::test]
async fn searches_of_many_messages_find_the_same_with_and_without_spans() {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    let words = ["meadow", "harbour", "lantern", "orchard", "granite", "thistle", "copper"];
    for n in 0..200usize {
        let (one, two) = (words[n % 7], words[n / 7 % 7]);
        let text = format!("Subject: about {one} {n}\r\n\r\nThere was a {two} and {n} more.\r\n");
        append(&session, "/Mail/INBOX", text.as_bytes(), Flags::NONE).await.unwrap();
    }
    let id = session.mailbox_status(&path("/Mail/INBOX")).await.unwrap().id;
    session.mark_messages(id, &UidSet::from_ranges([(60, 70)]), add(Flags::DELETED)).await.unwrap();
    session.expunge_messages(id, None).await.unwrap();
    let text = |field: Field, text: &str| Query::Text(field, text.to_owned());
    let subject = || Field::Header("Subject".into());
    let queries = [
        text(Field::Text, "Harbour"),
        text(Field::Body, "lantern and 1"),
        text(subject(), "copper 1"),
        text(Field::Body, "an"),
        text(Field::Text, "nowhere"),
        Query::Not(Box::new(text(Field::Text, "granite"))),
        Query::Or(vec![text(subject(), "orchard"), text(Field::Body, "orchard")]),
        Query::And(vec![text(subject(), "orchard"), text(Field::Body, "granite")]),
    ];
    let mut before = Vec::new();
    for query in &queries {
        before.push(session.search_messages(id, query).await.unwrap());
    }
    assert_eq!((before[0].is_empty(), before[4].is_empty()), (false, true));
    let account = bench.core.account_named("alice").unwrap().unwrap();
    bench.core.build_spans(&account, id).await.unwrap();
    for (query, before) in queries.iter().zip(&before) {
        assert_eq!(session.search_messages(id, query).await.unwrap(), *before, "{query:?}");
    }
    let whole = UidSet::from_ranges([(1, 200)]);
    let classes: Vec<u16> = signature::Signature::of(&["harbour"]).classes().collect();
    let narrowed = spans::candidates(&bench.core.view().unwrap(), &account, id, 200, &classes).unwrap();
    assert!(narrowed.intersection(&whole).len() < 100, "{}", narrowed.intersection(&whole).len());
    bench.assert_clean().await;
}

#[tokio::test]
async fn a_message_is_recent_for_one_session() {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    for _ in 0..3 {
        append(&session, "/Mail/INBOX", ONE, Flags::NONE).await.unwrap();
    }
    let inbox = path("/Mail/INBOX");
    let status = session.mailbox_status(&inbox).await.unwrap();
    assert_eq!(session.recent_messages(status.id).await.unwrap(), 3);
    assert_eq!(session.claim_recent(status.id, 2).await.unwrap(), Some((1, 2)));
    assert_eq!(session.claim_recent(status.id, 2).await.unwrap(), None);
    assert_eq!(session.recent_messages(status.id).await.unwrap(), 1);
    assert_eq!(session.claim_recent(status.id, 3).await.unwrap(), Some((3, 3)));
    let reader = bench.session(&["/Mail:r"]).await;
    assert_eq!(reader.claim_recent(status.id, 9).await.unwrap_err().kind, ErrorKind::Denied);
    bench.assert_clean().await;
}

#[tokio::test]
async fn facts_as_they_lay_before_are_read_and_put_in_order() {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    append(&session, "/Mail/INBOX", ONE, Flags::NONE).await.unwrap();
    let inbox = session.mailbox_status(&path("/Mail/INBOX")).await.unwrap().id;
    let before = message(&session, inbox, 1).await;
    let content = before.content;
    let moved = move |commit: &mut crate::commit::Commit| {
        for part in 0..=4 {
            let row = commit.keys.mail_part(part, content, 0);
            let sealed = commit.txn.get(&row)?.expect("each part of a short message");
            commit.txn.delete(&row)?;
            // The common fields are younger than the order.
            if part != 4 {
                commit.txn.put(&commit.keys.mail_facts(content, part, 0), &sealed)?;
            }
        }
        Ok(())
    };
    bench.core.step(session.handle(), moved).await.unwrap();
    assert_eq!(message(&session, inbox, 1).await, before);
    let common = MessageParts { common: true, ..MessageParts::default() };
    let found = session.messages(inbox, &UidSet::all(), 0, 1, common).await.unwrap();
    assert_eq!(found[0].header, before.header);
    bench.assert_clean().await;

    let mended = bench.core.check(true, &|_, _| {}).await.unwrap();
    assert!(mended.is_clean(), "{:#?}", mended.problems);
    let former = session.keys().mail_facts_of(content);
    assert!(session.view().unwrap().scan_prefix(&former, None, 9).unwrap().is_empty());
    assert_eq!(message(&session, inbox, 1).await, before);
    bench.assert_clean().await;
}
