use allod_model::{Condition, ErrorKind, LockToken, StateList};

use super::*;

async fn lock(session: &Session, at: &str, deep: bool, exclusive: bool) -> model::Result<LockToken> {
    let request = LockRequest { deep, exclusive, owner: Some("<D:owner/>".into()), timeout: None };
    session.lock(&path(at), request, Precondition::default()).await.map(|(lock, _)| lock.token)
}

fn with(tokens: &[&LockToken]) -> Precondition {
    Precondition { lock_tokens: tokens.iter().map(|t| (*t).clone()).collect(), ..Precondition::default() }
}

#[tokio::test]
async fn a_lock_binds_every_write_until_its_token_is_shown() {
    let bench = Bench::new().await;
    let (one, other) = (bench.session(&["all"]).await, bench.session(&["all"]).await);
    mkdir(&one, "/d").await.unwrap();
    put(&one, "/d/f", b"1").await.unwrap();
    let token = lock(&one, "/d/f", false, true).await.unwrap();
    for outcome in [
        put(&other, "/d/f", b"2").await.map(drop),
        remove(&other, "/d/f").await,
        rename(&other, "/d/f", "/d/g").await.map(drop),
        remove(&other, "/d").await,
        rename(&other, "/d", "/e").await.map(drop),
        lock(&other, "/d/f", false, true).await.map(drop),
        lock(&other, "/d/f", false, false).await.map(drop),
        lock(&other, "/d", true, true).await.map(drop),
    ] {
        assert_eq!(outcome.unwrap_err().kind, ErrorKind::Locked);
    }
    put(&other, "/d/free", b"x").await.unwrap();
    one.put(&path("/d/f"), PutOptions::default(), with(&[&token]), body(b"3")).await.unwrap();
    one.unlock(&path("/d/f"), &token).await.unwrap();
    put(&other, "/d/f", b"4").await.unwrap();
    bench.assert_clean().await;
}

#[tokio::test]
async fn a_deep_lock_covers_what_is_below_and_membership() {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    mkdir(&session, "/d").await.unwrap();
    mkdir(&session, "/d/e").await.unwrap();
    let token = lock(&session, "/d", true, true).await.unwrap();
    assert_eq!(put(&session, "/d/e/f", b"1").await.unwrap_err().kind, ErrorKind::Locked);
    assert_eq!(mkdir(&session, "/d/x").await.unwrap_err().kind, ErrorKind::Locked);
    assert_eq!(lock(&session, "/d/e", false, true).await.unwrap_err().kind, ErrorKind::Locked);
    session.put(&path("/d/e/f"), PutOptions::default(), with(&[&token]), body(b"1")).await.unwrap();
    assert_eq!(session.locks(&path("/d/e/f")).await.unwrap().len(), 1);
    assert_eq!(session.locks_within(&Path::root()).await.unwrap().len(), 1);
    session.unlock(&path("/d/e/f"), &token).await.unwrap();
    mkdir(&session, "/d/x").await.unwrap();
    let shallow = lock(&session, "/d", false, true).await.unwrap();
    assert_eq!(put(&session, "/d/new", b"1").await.unwrap_err().kind, ErrorKind::Locked);
    put(&session, "/d/e/f", b"2").await.unwrap();
    session.remove(&path("/d"), Want::Any, with(&[&shallow])).await.unwrap();
    mkdir(&session, "/d").await.unwrap();
    assert!(session.locks(&path("/d")).await.unwrap().is_empty(), "a lock goes with what it locked");
}

#[tokio::test]
async fn shared_locks_stand_beside_each_other() {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    put(&session, "/f", b"1").await.unwrap();
    let (one, two) = (
        lock(&session, "/f", false, false).await.unwrap(),
        lock(&session, "/f", false, false).await.unwrap(),
    );
    assert_eq!(lock(&session, "/f", false, true).await.unwrap_err().kind, ErrorKind::Locked);
    assert_eq!(put(&session, "/f", b"2").await.unwrap_err().kind, ErrorKind::Locked);
    session.put(&path("/f"), PutOptions::default(), with(&[&two]), body(b"2")).await.unwrap();
    session.unlock(&path("/f"), &one).await.unwrap();
    assert_eq!(put(&session, "/f", b"3").await.unwrap_err().kind, ErrorKind::Locked);
}

#[tokio::test]
async fn locks_end_by_themselves_and_can_be_extended() {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    let token = lock(&session, "/new", false, true).await.unwrap();
    assert_eq!(get(&session, "/new").await.unwrap(), b"", "locking an unmapped path makes an empty file");
    bench.clock.advance_secs(3000);
    session.refresh_lock(&path("/new"), None, with(&[&token])).await.unwrap();
    bench.clock.advance_secs(3000);
    assert_eq!(put(&session, "/new", b"x").await.unwrap_err().kind, ErrorKind::Locked);
    bench.clock.advance_secs(1000);
    put(&session, "/new", b"x").await.unwrap();
    let refreshed = session.refresh_lock(&path("/new"), None, with(&[&token])).await.unwrap_err();
    assert_eq!(refreshed.kind, ErrorKind::PreconditionFailed);
}

#[tokio::test]
async fn state_lists_are_judged_in_the_commit() {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    put(&session, "/f", b"1").await.unwrap();
    let token = lock(&session, "/f", false, true).await.unwrap();
    let etag = session.stat(&path("/f"), Want::Any, false).await.unwrap().etag;
    let list = |conditions: Vec<Condition>| StateList { resource: None, foreign: false, conditions };
    let attempt = async |lists: Vec<StateList>| {
        let pre = Precondition { any_of: lists, ..with(&[&token]) };
        session.put(&path("/f"), PutOptions::default(), pre, body(b"1")).await.map_err(|error| error.kind)
    };
    let (good, bad) = (Condition::Token(token.clone(), true), Condition::Token(token.clone(), false));
    let tagged = Condition::Etag(etag.clone(), true);
    assert!(attempt(vec![list(vec![good.clone(), tagged.clone()])]).await.is_ok());
    assert_eq!(attempt(vec![list(vec![bad.clone()])]).await, Err(ErrorKind::PreconditionFailed));
    assert!(attempt(vec![list(vec![bad]), list(vec![tagged])]).await.is_ok());
    let elsewhere = StateList { resource: None, foreign: true, conditions: vec![good] };
    assert_eq!(attempt(vec![elsewhere]).await, Err(ErrorKind::PreconditionFailed));
}
