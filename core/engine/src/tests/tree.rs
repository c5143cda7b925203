use allod_model::{Detail, ErrorKind, EtagMatch};

use super::*;

#[tokio::test]
async fn what_is_put_is_read_back_at_every_size() {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    for (n, len) in [0, 1, 8192, 8193, 100_000, 1 << 20, 5_000_000].into_iter().enumerate() {
        let bytes = noise(n as u64, len);
        let written = put(&session, "/f", &bytes).await.unwrap();
        assert_eq!((written.created, written.node.size), (n == 0, len as u64));
        assert_eq!(get(&session, "/f").await.unwrap(), bytes);
        let file = session.open(&path("/f"), &Precondition::default()).await.unwrap();
        let (start, end) = (len as u64 / 3, len as u64 / 2);
        let part = collect(file.read(Some(ByteRange { start, end }))).await.unwrap();
        assert_eq!(part, &bytes[start as usize..end as usize]);
    }
    bench.assert_clean().await;
}

#[tokio::test]
async fn a_new_account_has_its_first_folders() {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    assert_eq!(names(&session, "/").await, ["Calendars/", "Contacts/", "Mail/", "public/"]);
    let mail = ["Archive/", "Drafts/", "INBOX/", "Junk/", "Sent/", "Trash/"];
    assert_eq!(names(&session, "/Mail").await, mail);
    let refused = put(&session, "/Calendars/Personal/x.ics", b"not judged yet").await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::InvalidContent);
}

#[tokio::test]
async fn a_body_that_breaks_off_leaves_the_old_file() {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    let old = noise(1, 300_000);
    put(&session, "/f", &old).await.unwrap();
    for len in [10, 10_000, 3_000_000] {
        let broken = body(&noise(2, len))
            .chain(stream::iter([Err(model::Error::new(ErrorKind::Unavailable, "the client went away"))]));
        let outcome = session.put(&path("/f"), PutOptions::default(), Precondition::default(), broken).await;
        assert!(outcome.is_err());
        for announced in [len as u64 + 1, len as u64 - 1] {
            let options = PutOptions { length: Some(announced), ..PutOptions::default() };
            let outcome =
                session.put(&path("/f"), options, Precondition::default(), body(&noise(2, len))).await;
            assert_eq!(outcome.unwrap_err().kind, ErrorKind::InvalidContent);
        }
    }
    assert_eq!(get(&session, "/f").await.unwrap(), old);
    bench.core.collect(true).await.unwrap();
    bench.assert_clean().await;
}

#[tokio::test]
async fn of_parallel_creators_exactly_one_wins() {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    let attempts = (0..16).map(|n| {
        let session = session.clone();
        tokio::spawn(async move {
            let pre = Precondition { if_none_match: Some(EtagMatch::Any), ..Precondition::default() };
            session.put(&path("/new"), PutOptions::default(), pre, body(&noise(n, 100))).await
        })
    });
    let mut won = 0;
    for attempt in attempts.collect::<Vec<_>>() {
        match attempt.await.unwrap() {
            Ok(written) => {
                assert!(written.created);
                won += 1;
            }
            Err(error) => assert_eq!(error.kind, ErrorKind::PreconditionFailed),
        }
    }
    assert_eq!(won, 1);
    let etag = session.stat(&path("/new"), Want::Any, false).await.unwrap().etag;
    let (mut won, mut tasks) = (0, Vec::new());
    for n in 0..16 {
        let (session, etag) = (session.clone(), etag.clone());
        tasks.push(tokio::spawn(async move {
            let pre =
                Precondition { if_match: Some(EtagMatch::OneOf(vec![etag])), ..Precondition::default() };
            session.put(&path("/new"), PutOptions::default(), pre, body(&noise(100 + n, 100))).await
        }));
    }
    for task in tasks {
        won += u32::from(task.await.unwrap().is_ok());
    }
    assert_eq!(won, 1);
}

#[tokio::test]
async fn folders_move_and_keep_their_identity() {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    mkdir(&session, "/a").await.unwrap();
    mkdir(&session, "/a/b").await.unwrap();
    put(&session, "/a/b/f", b"hello").await.unwrap();
    mkdir(&session, "/c").await.unwrap();
    let before = session.stat(&path("/a/b"), Want::Folder, false).await.unwrap();
    assert!(rename(&session, "/a/b", "/c/d").await.unwrap().created);
    let after = session.stat(&path("/c/d"), Want::Folder, false).await.unwrap();
    assert_eq!(before.id, after.id);
    assert_eq!(get(&session, "/c/d/f").await.unwrap(), b"hello");
    let root = session.stat(&Path::root(), Want::Folder, false).await.unwrap();
    assert_eq!((root.size, root.folder.unwrap().documents), (5, 1));
    for (from, to) in [("/c", "/c/x"), ("/c/d", "/c/d/e/f"), ("/c", "/c"), ("/c/d", "/c")] {
        assert_eq!(rename(&session, from, to).await.unwrap_err().kind, ErrorKind::WrongKind, "{from} {to}");
        assert_eq!(copy(&session, from, to).await.unwrap_err().kind, ErrorKind::WrongKind, "{from} {to}");
    }
    let missing = rename(&session, "/c", "/nowhere/x").await.unwrap_err();
    assert_eq!((missing.kind, missing.detail), (ErrorKind::WrongKind, Detail::MissingParent));
    bench.assert_clean().await;
}

#[tokio::test]
async fn a_copy_shares_content_and_stands_alone() {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    mkdir(&session, "/a").await.unwrap();
    for n in 0..30 {
        mkdir(&session, &format!("/a/{n}")).await.unwrap();
        for m in 0..40 {
            put(&session, &format!("/a/{n}/{m}"), format!("{n} {m}").as_bytes()).await.unwrap();
        }
    }
    put(&session, "/a/big", &noise(1, 3_000_000)).await.unwrap();
    assert!(copy(&session, "/a", "/b").await.unwrap().created);
    let (a, b) = (
        session.stat(&path("/a"), Want::Any, false).await.unwrap(),
        session.stat(&path("/b"), Want::Any, false).await.unwrap(),
    );
    assert_eq!((a.size, a.folder.unwrap().documents), (b.size, b.folder.unwrap().documents));
    remove(&session, "/a").await.unwrap();
    assert_eq!(get(&session, "/b/29/39").await.unwrap(), b"29 39");
    assert_eq!(get(&session, "/b/big").await.unwrap(), noise(1, 3_000_000));
    let changes = session.changes(&path("/b"), None, 7, false).await.unwrap();
    assert!(changes.more && changes.changes.len() == 7, "a copy's members have tokens between them");
    bench.assert_clean().await;
}

#[tokio::test]
async fn changes_name_each_member_once_and_end_at_the_horizon() {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    mkdir(&session, "/a").await.unwrap();
    let first = session.changes(&path("/a"), None, 100, false).await.unwrap();
    assert!(first.changes.is_empty() && !first.more);
    for n in 0..5 {
        put(&session, &format!("/a/{n}"), b"one").await.unwrap();
    }
    put(&session, "/a/2", b"two").await.unwrap();
    remove(&session, "/a/3").await.unwrap();
    let next = session.changes(&path("/a"), Some(first.token), 100, false).await.unwrap();
    let seen: Vec<_> = next.changes.iter().map(|c| (c.key.name().to_string(), c.node.is_some())).collect();
    let expected = [("0", true), ("1", true), ("4", true), ("2", true), ("3", false)];
    assert_eq!(seen, expected.map(|(name, live)| (name.to_owned(), live)));
    let fresh = session.changes(&path("/a"), None, 100, false).await.unwrap();
    assert_eq!(fresh.changes.len(), 4, "what is gone does not appear in a first sync");
    let quiet = session.changes(&path("/a"), Some(next.token), 100, false).await.unwrap();
    assert!(quiet.changes.is_empty());
    bench.clock.advance_secs(91 * 86_400);
    put(&session, "/other", b"x").await.unwrap();
    bench.clock.advance_secs(91 * 86_400);
    bench.core.collect(false).await.unwrap();
    let late = session.changes(&path("/a"), Some(first.token), 100, false).await.unwrap_err();
    assert_eq!(late.kind, ErrorKind::HorizonPassed);
    let never = session.changes(&path("/a"), Some(model::Seq(1_000_000)), 100, false).await.unwrap_err();
    assert_eq!(never.kind, ErrorKind::HorizonPassed);
    bench.assert_clean().await;
}

#[tokio::test]
async fn implicit_folders_vanish_and_asked_for_ones_stay() {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    let options = PutOptions { make_parents: true, ..PutOptions::default() };
    mkdir(&session, "/kept").await.unwrap();
    for at in ["/x/y/z/f", "/kept/y/f"] {
        session.put(&path(at), options.clone(), Precondition::default(), body(b"1")).await.unwrap();
    }
    rename(&session, "/x/y/z/f", "/x/y/z/g").await.unwrap();
    assert_eq!(names(&session, "/x/y/z").await, ["g"]);
    remove(&session, "/x/y/z/g").await.unwrap();
    remove(&session, "/kept/y/f").await.unwrap();
    assert!(session.stat(&path("/x"), Want::Any, false).await.is_err());
    assert!(names(&session, "/kept").await.is_empty());
    bench.assert_clean().await;
}

#[tokio::test]
async fn quota_holds_for_every_way_to_write() {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    let change = AccountChange { quota: Some(Some(1000)), ..AccountChange::default() };
    bench.core.operator().change_account("alice", change).await.unwrap();
    put(&session, "/a", &[1; 600]).await.unwrap();
    assert_eq!(put(&session, "/b", &[1; 600]).await.unwrap_err().kind, ErrorKind::OverQuota);
    assert_eq!(copy(&session, "/a", "/b").await.unwrap_err().kind, ErrorKind::OverQuota);
    put(&session, "/a", &[2; 900]).await.unwrap();
    let quota = session.quota().await.unwrap();
    assert_eq!((quota.used, quota.limit, quota.available), (900, Some(1000), Some(100)));
    remove(&session, "/a").await.unwrap();
    put(&session, "/b", &[1; 600]).await.unwrap();
    bench.assert_clean().await;
}

#[tokio::test]
async fn properties_are_kept_changed_and_bounded() {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    put(&session, "/f", b"1").await.unwrap();
    let property =
        |name: &str, xml: &str| Property { namespace: "urn:x".into(), name: name.into(), xml: xml.into() };
    let set = |p: Property| vec![PropertyChange::Set(p)];
    let all = Precondition::default;
    session.set_properties(&path("/f"), Want::Any, set(property("a", "<a/>")), all()).await.unwrap();
    session.set_properties(&path("/f"), Want::Any, set(property("b", "<b/>")), all()).await.unwrap();
    put(&session, "/f", b"2").await.unwrap();
    copy(&session, "/f", "/g").await.unwrap();
    rename(&session, "/g", "/h").await.unwrap();
    let node = session.stat(&path("/h"), Want::Any, true).await.unwrap();
    assert_eq!(node.properties, [property("a", "<a/>"), property("b", "<b/>")]);
    let huge = set(property("c", &"x".repeat(61 * 1024)));
    let refused = session.set_properties(&path("/f"), Want::Any, huge, all()).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::TooLarge);
    let gone = vec![PropertyChange::Remove("urn:x".into(), "a".into())];
    let node = session.set_properties(&path("/f"), Want::Any, gone, all()).await.unwrap();
    assert_eq!(node.properties, [property("b", "<b/>")]);
    bench.assert_clean().await;
}

#[tokio::test]
async fn watchers_hear_of_each_commit_in_order() {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    let mut watch = session.watch();
    let mut seqs = Vec::new();
    for n in 0..3 {
        seqs.push(put(&session, &format!("/{n}"), b"x").await.unwrap().node.seq);
    }
    for seq in seqs {
        assert_eq!(watch.next().await.unwrap().seq, seq);
    }
}

#[tokio::test]
async fn a_page_of_changes_ends_between_commits() {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    for folder in ["/d", "/d/x", "/e"] {
        mkdir(&session, folder).await.unwrap();
    }
    put(&session, "/d/old", b"1").await.unwrap();
    let start = session.changes(&path("/d"), None, 100, false).await.unwrap().token;
    put(&session, "/d/a", b"1").await.unwrap();
    // One commit that changes two members.
    rename(&session, "/d/old", "/d/new").await.unwrap();
    put(&session, "/d/b", b"1").await.unwrap();
    let (mut token, mut pages) = (start, Vec::new());
    loop {
        let page = session.changes(&path("/d"), Some(token), 2, false).await.unwrap();
        pages.push(page.changes.iter().map(|c| c.key.name().to_string()).collect::<Vec<_>>());
        token = page.token;
        if !page.more {
            break;
        }
    }
    assert_eq!(pages, [vec!["a"], vec!["new", "old"], vec!["b"]]);
}
