use allod_model::{ErrorKind, Seq};

use super::*;

#[tokio::test]
async fn what_was_removed_or_overwritten_comes_back() {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    mkdir(&session, "/docs").await.unwrap();
    mkdir(&session, "/docs/deep").await.unwrap();
    put(&session, "/docs/a", b"first").await.unwrap();
    put(&session, "/docs/deep/b", &noise(1, 2_000_000)).await.unwrap();
    put(&session, "/docs/keep", b"kept").await.unwrap();
    bench.clock.advance_secs(60);
    let then = bench.core.0.env.now();
    bench.clock.advance_secs(60);
    put(&session, "/docs/a", b"second").await.unwrap();
    put(&session, "/docs/new", b"new").await.unwrap();
    remove(&session, "/docs/deep").await.unwrap();
    let versions = session.versions(&path("/docs/a")).await.unwrap();
    assert_eq!(versions.iter().map(|v| v.size).collect::<Vec<_>>(), [5]);
    let trash = session.trash(10).await.unwrap();
    assert_eq!(
        trash.iter().map(|t| (t.path.as_str(), t.size)).collect::<Vec<_>>(),
        [("/docs/deep/", 2_000_000)]
    );

    let said = session.restore(&path("/docs"), then, true).await.unwrap();
    assert_eq!(get(&session, "/docs/a").await.unwrap(), b"second", "a dry run changes nothing");
    let done = session.restore(&path("/docs"), then, false).await.unwrap();
    assert_eq!(said, done);
    assert_eq!(done.len(), 3, "only what differs: {done:?}");
    assert_eq!(get(&session, "/docs/a").await.unwrap(), b"first");
    assert_eq!(get(&session, "/docs/deep/b").await.unwrap(), noise(1, 2_000_000));
    assert_eq!(names(&session, "/docs").await, ["a", "deep/", "keep"]);
    bench.assert_clean().await;

    // And back again: a restore is a commit like any other.
    let log = session.log(&Path::root(), None, 1).await.unwrap();
    session.restore_as_of(&path("/docs"), Seq(log[0].seq.0 - 1), false).await.unwrap();
    assert_eq!(get(&session, "/docs/a").await.unwrap(), b"second");
    assert_eq!(names(&session, "/docs").await, ["a", "keep", "new"]);
    bench.assert_clean().await;
}

#[tokio::test]
async fn a_folder_that_moved_away_is_restored_where_it_was() {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    mkdir(&session, "/a").await.unwrap();
    mkdir(&session, "/a/sub").await.unwrap();
    put(&session, "/a/sub/f", b"then").await.unwrap();
    let then = session.stat(&path("/a/sub/f"), Want::Any, false).await.unwrap().seq;
    rename(&session, "/a/sub", "/moved").await.unwrap();
    put(&session, "/moved/f", b"now").await.unwrap();
    // Only /a is restored: the folder lives on elsewhere, so a copy of its state then comes back.
    session.restore_as_of(&path("/a"), then, false).await.unwrap();
    assert_eq!(get(&session, "/a/sub/f").await.unwrap(), b"then");
    assert_eq!(get(&session, "/moved/f").await.unwrap(), b"now");
    bench.assert_clean().await;
    // The whole account is restored: the move itself is taken back.
    session.restore_as_of(&Path::root(), then, false).await.unwrap();
    assert!(session.stat(&path("/moved"), Want::Any, false).await.is_err());
    assert_eq!(get(&session, "/a/sub/f").await.unwrap(), b"then");
    bench.assert_clean().await;
}

#[tokio::test]
async fn one_apps_doings_are_undone_and_those_of_others_stay() {
    let bench = Bench::new().await;
    let owner = bench.session(&["all"]).await;
    let (bad, app) = bench.app(&["/:rw"]).await;
    mkdir(&owner, "/photos").await.unwrap();
    mkdir(&owner, "/photos/2024").await.unwrap();
    for name in ["one", "two", "three", "four"] {
        put(&owner, &format!("/photos/{name}"), name.as_bytes()).await.unwrap();
    }
    put(&owner, "/photos/2024/x", b"x").await.unwrap();
    bench.clock.advance_secs(3600);
    let since = bench.core.0.env.now();
    put(&app, "/photos/one", b"encrypted").await.unwrap();
    remove(&app, "/photos/two").await.unwrap();
    rename(&app, "/photos/three", "/photos/hidden").await.unwrap();
    remove(&app, "/photos/2024").await.unwrap();
    mkdir(&app, "/ransom").await.unwrap();
    put(&app, "/ransom/note", b"pay").await.unwrap();
    put(&app, "/photos/four", b"bad").await.unwrap();
    put(&owner, "/photos/four", b"my own change").await.unwrap();
    put(&owner, "/photos/five", b"five").await.unwrap();

    let done = owner.undo(&bad.id, since, false).await.unwrap();
    assert_eq!(names(&owner, "/photos").await, ["2024/", "five", "four", "one", "three", "two"]);
    for name in ["one", "two", "three", "five"] {
        assert_eq!(get(&owner, &format!("/photos/{name}")).await.unwrap(), name.as_bytes());
    }
    assert_eq!(get(&owner, "/photos/2024/x").await.unwrap(), b"x");
    assert_eq!(get(&owner, "/photos/four").await.unwrap(), b"my own change");
    assert!(owner.stat(&path("/ransom"), Want::Any, false).await.is_err());
    let skipped: Vec<_> = done.iter().filter(|o| matches!(o.action, Action::Skipped(_))).collect();
    assert_eq!(skipped.iter().map(|o| o.path.as_str()).collect::<Vec<_>>(), ["/photos/four"]);
    bench.assert_clean().await;
}

#[tokio::test]
async fn an_undo_keeps_what_others_put_into_a_new_folder() {
    let bench = Bench::new().await;
    let owner = bench.session(&["all"]).await;
    let (id, app) = bench.app(&["/:rw"]).await;
    let since = bench.core.0.env.now();
    bench.clock.advance_secs(1);
    mkdir(&app, "/new").await.unwrap();
    put(&app, "/new/theirs", b"1").await.unwrap();
    put(&owner, "/new/mine", b"2").await.unwrap();
    owner.undo(&id.id, since, false).await.unwrap();
    assert_eq!(names(&owner, "/new").await, ["mine"]);
    let log = owner.log(&path("/new"), Some(&id.id), 10).await.unwrap();
    assert_eq!(log.len(), 2);
    assert_eq!(log[0].changes, [("/new/theirs".to_owned(), "created")]);
    bench.assert_clean().await;
}

#[tokio::test]
async fn history_ends_with_the_retention_and_space_comes_back() {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    let start = bench.core.0.env.now();
    mkdir(&session, "/a").await.unwrap();
    put(&session, "/a/big", &noise(1, 4_000_000)).await.unwrap();
    put(&session, "/a/small", b"small").await.unwrap();
    put(&session, "/b", &noise(2, 200_000)).await.unwrap();
    put(&session, "/b", b"replaced").await.unwrap();
    copy(&session, "/a", "/copy").await.unwrap();
    remove(&session, "/a").await.unwrap();
    bench.core.collect(true).await.unwrap();
    assert!(bench.core.0.blobs.totals().await.unwrap().objects > 1, "still in history");
    bench.clock.advance_secs(31 * 86_400);
    put(&session, "/later", b"x").await.unwrap();
    bench.clock.advance_secs(1);
    bench.core.collect(true).await.unwrap();
    bench.assert_clean().await;
    assert_eq!(get(&session, "/copy/big").await.unwrap(), noise(1, 4_000_000), "shared content stays");
    remove(&session, "/copy").await.unwrap();
    bench.clock.advance_secs(31 * 86_400);
    put(&session, "/later", b"y").await.unwrap();
    bench.clock.advance_secs(31 * 86_400);
    bench.core.collect(true).await.unwrap();
    assert_eq!(bench.core.0.blobs.totals().await.unwrap().objects, 0);
    let gone = session.restore(&path("/a"), start.plus_secs(1), false).await.unwrap_err();
    assert_eq!(gone.kind, ErrorKind::HorizonPassed);
    bench.assert_clean().await;
}

#[tokio::test]
async fn an_account_that_is_removed_leaves_nothing() {
    let bench = Bench::new().await;
    let (new, session) = bench.app(&["all"]).await;
    put(&session, "/f", &noise(1, 3_000_000)).await.unwrap();
    bench.core.operator().remove_account("alice").await.unwrap();
    assert_eq!(get(&session, "/f").await.unwrap_err().kind, ErrorKind::Unauthenticated);
    assert!(bench.login("alice", &new.password, "webdav").await.is_err());
    bench.core.collect(true).await.unwrap();
    assert_eq!(bench.core.0.blobs.totals().await.unwrap().objects, 0);
    bench.core.operator().add_account("alice", AccountChange::default()).await.unwrap();
    assert!(
        bench.login("alice", &new.password, "webdav").await.is_err(),
        "an old secret opens no new account"
    );
    bench.assert_clean().await;
}

#[tokio::test]
async fn a_large_undo_takes_several_commits() {
    let bench = Bench::new().await;
    let owner = bench.session(&["all"]).await;
    let (id, app) = bench.app(&["/:rw"]).await;
    mkdir(&owner, "/seed").await.unwrap();
    for n in 0..100 {
        put(&owner, &format!("/seed/{n:0200}"), b"x").await.unwrap();
    }
    let since = bench.core.0.env.now();
    bench.clock.advance_secs(1);
    for n in 0..45 {
        copy(&app, "/seed", &format!("/copy{n}")).await.unwrap();
    }
    for n in 0..45 {
        for m in 0..100 {
            remove(&app, &format!("/copy{n}/{m:0200}")).await.unwrap();
        }
    }
    for m in 0..100 {
        put(&app, &format!("/seed/{m:0200}"), b"spoilt").await.unwrap();
    }
    let done = owner.undo(&id.id, since, false).await.unwrap();
    assert!(done.len() > COMMIT_STEPS_MAX, "{}", done.len());
    assert_eq!(names(&owner, "/").await, ["Calendars/", "Contacts/", "Mail/", "public/", "seed/"]);
    assert_eq!(get(&owner, &format!("/seed/{:0200}", 7)).await.unwrap(), b"x");
    let log = owner.log(&Path::root(), None, 1).await.unwrap();
    assert!(log[0].changes.len() > 100, "a commit's record may need several rows");
    bench.assert_clean().await;
    bench.clock.advance_secs(200 * 86_400);
    put(&owner, "/last", b"1").await.unwrap();
    bench.clock.advance_secs(200 * 86_400);
    bench.core.collect(true).await.unwrap();
    assert_eq!(owner.log(&Path::root(), None, 10_000).await.unwrap().len(), 0);
    bench.assert_clean().await;
}
