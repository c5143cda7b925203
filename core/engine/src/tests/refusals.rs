use std::time::Duration;

use allod_model::{Detail, ErrorKind, LockToken};

use super::*;

/// Every operation of a session, as far as it touches `at`.
const OPERATIONS: [&str; 13] = [
    "stat",
    "list",
    "open",
    "changes",
    "create",
    "overwrite",
    "mkdir",
    "remove",
    "rename-from",
    "rename-to",
    "copy-to",
    "properties",
    "lock",
];

async fn attempt(session: &Session, operation: &str, at: &str) -> model::Result<()> {
    let pre = Precondition::default;
    let here = path(at);
    match operation {
        "stat" => session.stat(&here, Want::Any, true).await.map(drop),
        "list" => session.list(&here, None, 10, false).await.map(drop),
        "open" => session.open(&path(&format!("{at}/old")), &pre()).await.map(drop),
        "changes" => session.changes(&here, None, 10, false).await.map(drop),
        "create" => put(session, &format!("{at}/new"), b"x").await.map(drop),
        "overwrite" => put(session, &format!("{at}/old"), b"x").await.map(drop),
        "mkdir" => mkdir(session, &format!("{at}/sub")).await.map(drop),
        "remove" => remove(session, &format!("{at}/old")).await,
        "rename-from" => rename(session, &format!("{at}/old"), "/mine/x").await.map(drop),
        "rename-to" => rename(session, "/mine/y", &format!("{at}/y")).await.map(drop),
        "copy-to" => copy(session, "/mine/y", &format!("{at}/z")).await.map(drop),
        "properties" => {
            let changes = vec![PropertyChange::Remove("a".into(), "b".into())];
            session.set_properties(&path(&format!("{at}/old")), Want::Any, changes, pre()).await.map(drop)
        }
        "lock" => {
            let request = LockRequest { deep: false, exclusive: true, owner: None, timeout: None };
            session.lock(&path(&format!("{at}/old")), request, pre()).await.map(drop)
        }
        _ => unreachable!("a listed operation"),
    }
}

/// grant on /corner → what each operation does there, in the order of [`OPERATIONS`]: `+` allowed, `d` denied,
/// `n` not found.
const MATRIX: [(&[&str], &str, &str); 6] = [
    (&["/mine:rw", "/corner:rw"], "/corner", "+++++++++++++"),
    (&["/mine:rw", "/corner:a"], "/corner", "+++++d+dd++dd"),
    (&["/mine:rw", "/corner:r"], "/corner", "++++ddddddddd"),
    (&["/mine:rw"], "/corner", "nnnnddddddddd"),
    (&["/mine:rw", "/corner/inner:rw"], "/corner", "++n+ddddddddd"),
    (&["/mine:rw", "/corner:rw@s3"], "/corner", "nnnnddddddddd"),
];

#[tokio::test]
async fn every_operation_is_judged_by_the_grants() {
    for (grants, at, expected) in MATRIX {
        for (operation, want) in OPERATIONS.iter().zip(expected.chars()) {
            let bench = Bench::new().await;
            let owner = bench.session(&["all"]).await;
            for folder in ["/mine", "/corner", "/corner/inner"] {
                mkdir(&owner, folder).await.unwrap();
            }
            for file in ["/corner/old", "/mine/y"] {
                put(&owner, file, b"old").await.unwrap();
            }
            let session = bench.session(grants).await;
            let outcome = attempt(&session, operation, at).await;
            let got = match &outcome {
                Ok(()) => '+',
                Err(error) if error.kind == ErrorKind::Denied => 'd',
                Err(error) if error.kind == ErrorKind::NotFound => 'n',
                Err(error) => panic!("{grants:?} {operation}: {error:?}"),
            };
            assert_eq!(got, want, "{grants:?} {operation}");
            if got != '+' {
                assert_eq!(get(&owner, "/corner/old").await.unwrap(), b"old");
                assert_eq!(names(&owner, "/corner").await, ["inner/", "old"], "{grants:?} {operation}");
            }
        }
    }
}

#[tokio::test]
async fn a_corner_is_listed_without_its_neighbours() {
    let bench = Bench::new().await;
    let owner = bench.session(&["all"]).await;
    for folder in ["/a", "/a/b", "/a/c", "/d"] {
        mkdir(&owner, folder).await.unwrap();
    }
    put(&owner, "/a/b/f", b"1").await.unwrap();
    put(&owner, "/a/c/g", b"secret").await.unwrap();
    let session = bench.session(&["/a/b:r"]).await;
    assert_eq!(names(&session, "/").await, ["a/"]);
    assert_eq!(names(&session, "/a").await, ["b/"]);
    assert_eq!(names(&session, "/a/b").await, ["f"]);
    let way = session.stat(&path("/a"), Want::Any, false).await.unwrap();
    assert_eq!((way.size, way.folder.unwrap().documents, way.rights), (0, 0, None));
    let changes = session.changes(&path("/"), None, 100, false).await.unwrap();
    assert_eq!(changes.changes.len(), 1);
}

#[tokio::test]
async fn a_credential_opens_only_with_its_secret_account_and_protocol() {
    let bench = Bench::new().await;
    bench.core.operator().add_account("bob", AccountChange::default()).await.unwrap();
    let (new, _) = bench.app(&["/x:rw@webdav"]).await;
    assert!(bench.login("ALICE", &new.password, "webdav").await.is_ok());
    let kind = |outcome: model::Result<Session>| outcome.err().map(|error| error.kind);
    assert_eq!(kind(bench.login("bob", &new.password, "webdav").await), Some(ErrorKind::Unauthenticated));
    assert_eq!(kind(bench.login("alice", "wrong", "webdav").await), Some(ErrorKind::Unauthenticated));
    assert_eq!(kind(bench.login("alice", &new.bearer, "webdav").await), Some(ErrorKind::Unauthenticated));
    assert_eq!(kind(bench.login("alice", &new.password, "imap").await), Some(ErrorKind::Denied));
    let bearer = Proof::Bearer(new.bearer.clone());
    assert!(bench.core.authenticate(bearer, door("webdav")).await.is_ok());
    let audit = bench.core.operator().audit("alice", 100).await.unwrap();
    let events: Vec<_> = audit.iter().map(|event| event.event.as_str()).collect();
    for event in ["account-created", "credential-created", "login-failed", "refused"] {
        assert!(events.contains(&event), "{event} in {events:?}");
    }
    let info = bench.core.operator().credential(&new.id.0).await.unwrap();
    let last = info.last_use.unwrap();
    assert_eq!((last.protocol.as_str(), last.address.as_deref()), ("webdav", Some("10.0.0.1")));
    assert_eq!(last.client.as_deref(), Some("test"));
}

#[tokio::test]
async fn revoking_ends_what_is_open() {
    let bench = Bench::new().await;
    let (new, session) = bench.app(&["all"]).await;
    put(&session, "/f", &noise(1, 20_000_000)).await.unwrap();
    let mut reading = session.open(&path("/f"), &Precondition::default()).await.unwrap().read(None);
    reading.next().await.unwrap().unwrap();
    let slow = stream::unfold(0u8, |n| async move {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Some((Ok(Bytes::from(vec![n; 1000])), n))
    });
    let writer = session.clone();
    let writing = tokio::spawn(async move {
        writer.put(&path("/g"), PutOptions::default(), Precondition::default(), Box::pin(slow)).await
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    bench.core.operator().revoke_credential(&new.id.0).await.unwrap();
    tokio::time::timeout(Duration::from_secs(1), session.revoked()).await.unwrap();
    let written = tokio::time::timeout(Duration::from_secs(1), writing).await.unwrap().unwrap();
    assert_eq!(written.unwrap_err().kind, ErrorKind::Unauthenticated);
    let mut last = Ok(Bytes::new());
    while let Some(piece) = reading.next().await {
        last = piece;
    }
    assert_eq!(last.unwrap_err().kind, ErrorKind::Unauthenticated);
    assert_eq!(get(&session, "/f").await.unwrap_err().kind, ErrorKind::Unauthenticated);
    assert!(bench.login("alice", &new.password, "webdav").await.is_err());
}

#[tokio::test]
async fn an_expired_credential_is_over() {
    let bench = Bench::new().await;
    let expires = bench.core.0.env.now().plus_secs(60);
    let grants = vec![parse_grant("all").unwrap()];
    let new = bench.core.operator().add_credential("alice", "soon", grants, Some(expires)).await.unwrap();
    let session = bench.login("alice", &new.password, "webdav").await.unwrap();
    bench.clock.advance_secs(61);
    assert_eq!(put(&session, "/f", b"x").await.unwrap_err().kind, ErrorKind::Unauthenticated);
    assert!(bench.login("alice", &new.password, "webdav").await.is_err());
}

#[tokio::test]
async fn guessing_is_slowed_down() {
    let bench = Bench::new().await;
    let (new, _) = bench.app(&["all"]).await;
    for _ in 0..20 {
        assert!(bench.login("alice", "guess", "webdav").await.is_err());
    }
    assert!(
        bench.login("alice", &new.password, "webdav").await.is_ok(),
        "an address that succeeded is trusted"
    );
    let elsewhere = || Door { address: Some("10.0.0.2".parse().unwrap()), ..door("webdav") };
    let proof =
        |secret: &str| Proof::Password { username: "alice".into(), password: secret.to_owned().into() };
    for _ in 0..20 {
        assert!(bench.core.authenticate(proof("guess"), elsewhere()).await.is_err());
    }
    let blocked = bench.core.authenticate(proof(&new.password), elsewhere()).await.err().unwrap();
    assert_eq!(blocked.kind, ErrorKind::Busy);
    assert!(matches!(blocked.detail, Detail::RetryAfter(secs) if secs > 0));
    bench.clock.advance_secs(60);
    assert!(bench.core.authenticate(proof(&new.password), elsewhere()).await.is_ok());
}

#[tokio::test]
async fn a_wrong_token_unlocks_nothing() {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    put(&session, "/f", b"x").await.unwrap();
    let error = session.unlock(&path("/f"), &LockToken("urn:uuid:none".into())).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::PreconditionFailed);
}
