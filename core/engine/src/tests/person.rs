//! Signing in, and what only the person may do.

use allod_model::{ErrorKind, Rights};
use zeroize::Zeroizing;

use super::*;

const PASSWORD: &str = "correct horse";

fn web() -> &'static Door {
    static DOOR: std::sync::OnceLock<Door> = std::sync::OnceLock::new();
    DOOR.get_or_init(|| door("web"))
}

fn secret(text: &str) -> Zeroizing<String> {
    text.to_owned().into()
}

/// A bench whose account has a password.
async fn bench() -> Bench {
    let bench = Bench::new().await;
    let change = AccountChange { password: Some(secret(PASSWORD)), ..AccountChange::default() };
    bench.core.operator().change_account("alice", change).await.unwrap();
    bench
}

async fn sign_in(bench: &Bench) -> NewWebSession {
    match bench.core.sign_in("alice", secret(PASSWORD), web()).await.unwrap() {
        SignIn::Done(new) => new,
        SignIn::SecondFactor(_) => panic!("no second factor is set up"),
    }
}

async fn kind<T>(outcome: impl Future<Output = model::Result<T>>) -> ErrorKind {
    outcome.await.err().expect("it is refused").kind
}

#[tokio::test]
async fn a_password_opens_the_whole_account_and_a_wrong_one_nothing() {
    let bench = bench().await;
    let new = sign_in(&bench).await;
    put(&new.session, "/notes", b"hello").await.unwrap();
    let again = bench.core.web_session(&new.token, web()).await.unwrap();
    assert_eq!(get(&again, "/notes").await.unwrap(), b"hello");
    for (name, password) in [("alice", "wrong horse"), ("nobody", PASSWORD), ("alice", ""), ("", PASSWORD)] {
        let refused = kind(bench.core.sign_in(name, secret(password), web())).await;
        assert_eq!(refused, ErrorKind::Unauthenticated, "{name} {password}");
    }
    // The account's password opens the page and no protocol.
    assert!(bench.login("alice", PASSWORD, "webdav").await.is_err());
    for token in ["", "x", &"a".repeat(1000)] {
        assert_eq!(kind(bench.core.web_session(token, web())).await, ErrorKind::Unauthenticated);
    }
    let line = &again.activity(None, None, 10).await.unwrap().lines[0].line;
    assert_eq!((line.protocol.as_str(), line.credential.clone()), ("web", again.credential()));
}

#[tokio::test]
async fn guesses_are_slowed_down() {
    let bench = bench().await;
    sign_in(&bench).await;
    let mut last = ErrorKind::NotFound;
    for _ in 0..25 {
        last = kind(bench.core.sign_in("alice", secret("wrong horse"), web())).await;
    }
    assert_eq!(last, ErrorKind::Busy, "also from an address that is known for the account");
    assert_eq!(kind(bench.core.sign_in("alice", secret(PASSWORD), web())).await, ErrorKind::Busy);
    bench.clock.advance_secs(600);
    sign_in(&bench).await;
}

#[tokio::test]
async fn sign_ins_end_by_themselves_and_at_once() {
    let bench = bench().await;
    let one = sign_in(&bench).await;
    bench.clock.advance_secs(WEB_SESSION_IDLE_SECS - 10);
    let used = bench.core.web_session(&one.token, web()).await.unwrap();
    bench.clock.advance_secs(WEB_SESSION_IDLE_SECS - 10);
    bench.core.web_session(&one.token, web()).await.unwrap();
    bench.clock.advance_secs(WEB_SESSION_IDLE_SECS + 10);
    assert_eq!(kind(bench.core.web_session(&one.token, web())).await, ErrorKind::Unauthenticated);
    drop(used);

    let two = sign_in(&bench).await;
    for _ in 0..(WEB_SESSION_SECS / WEB_SESSION_IDLE_SECS) {
        bench.clock.advance_secs(WEB_SESSION_IDLE_SECS - 1);
        bench.core.web_session(&two.token, web()).await.unwrap();
    }
    bench.clock.advance_secs(WEB_SESSION_IDLE_SECS - 1);
    assert_eq!(kind(bench.core.web_session(&two.token, web())).await, ErrorKind::Unauthenticated);

    let (three, four) = (sign_in(&bench).await, sign_in(&bench).await);
    let id = three.session.credential().unwrap().0;
    four.session.end_web_session(&id).await.unwrap();
    assert_eq!(kind(get(&three.session, "/")).await, ErrorKind::Unauthenticated, "what was open ends too");
    three.session.revoked().await;
    assert!(four.session.web_sessions().await.unwrap().iter().all(|info| info.current));
    four.session.change_password(secret(PASSWORD), secret("another horse")).await.unwrap();
    bench.core.web_session(&four.token, web()).await.unwrap();
    four.session.sign_out().await.unwrap();
    assert_eq!(kind(bench.core.web_session(&four.token, web())).await, ErrorKind::Unauthenticated);
}

#[tokio::test]
async fn the_oldest_of_too_many_sign_ins_ends() {
    let bench = bench().await;
    let mut all = Vec::new();
    for _ in 0..WEB_SESSIONS_MAX + 2 {
        bench.clock.advance_secs(1);
        all.push(sign_in(&bench).await);
    }
    assert!(bench.core.web_session(&all[1].token, web()).await.is_err());
    assert!(bench.core.web_session(&all[2].token, web()).await.is_ok());
    assert_eq!(all[5].session.web_sessions().await.unwrap().len(), WEB_SESSIONS_MAX);
}

#[tokio::test]
async fn an_app_is_no_person() {
    let bench = bench().await;
    let (new, app) = bench.app(&["all"]).await;
    let me = sign_in(&bench).await.session;
    assert_eq!(kind(app.apps()).await, ErrorKind::Denied);
    assert_eq!(kind(app.add_app("x", vec![], None)).await, ErrorKind::Denied);
    assert_eq!(kind(app.revoke_app(&new.id.0)).await, ErrorKind::Denied);
    assert_eq!(kind(app.narrow_app(&new.id.0, Rights::Read)).await, ErrorKind::Denied);
    assert_eq!(kind(app.web_sessions()).await, ErrorKind::Denied);
    assert_eq!(kind(app.end_other_web_sessions()).await, ErrorKind::Denied);
    assert_eq!(kind(app.sign_out()).await, ErrorKind::Denied);
    assert_eq!(kind(app.confirm(secret(PASSWORD))).await, ErrorKind::Denied);
    assert_eq!(kind(app.change_password(secret(PASSWORD), secret("12345678"))).await, ErrorKind::Denied);
    assert_eq!(kind(app.factors()).await, ErrorKind::Denied);
    assert_eq!(kind(app.add_authenticator("", "")).await, ErrorKind::Denied);
    assert_eq!(kind(app.remove_authenticator()).await, ErrorKind::Denied);
    assert_eq!(kind(app.activity(None, None, 1)).await, ErrorKind::Denied);
    assert_eq!(kind(app.events(1)).await, ErrorKind::Denied);
    assert!(app.form_token().is_err() && app.new_authenticator("x").is_err());
    assert_eq!(me.apps().await.unwrap().len(), 1);
}

#[tokio::test]
async fn nobody_sees_or_touches_another_accounts_apps_and_sign_ins() {
    let bench = bench().await;
    let (app, _) = bench.app(&["all"]).await;
    let alice = sign_in(&bench).await.session;
    let change = AccountChange { password: Some(secret(PASSWORD)), ..AccountChange::default() };
    bench.core.operator().add_account("bob", change).await.unwrap();
    let SignIn::Done(bob) = bench.core.sign_in("bob", secret(PASSWORD), web()).await.unwrap() else {
        panic!("no second factor is set up");
    };
    let (bob, id) = (bob.session, &app.id.0);
    assert_eq!(kind(bob.app(id)).await, ErrorKind::NotFound);
    assert_eq!(kind(bob.revoke_app(id)).await, ErrorKind::NotFound);
    assert_eq!(kind(bob.narrow_app(id, Rights::Read)).await, ErrorKind::NotFound);
    assert_eq!(kind(bob.end_web_session(&alice.credential().unwrap().0)).await, ErrorKind::NotFound);
    assert!(alice.app(id).await.is_ok());
}

#[tokio::test]
async fn a_key_for_everything_needs_the_password_anew() {
    let bench = bench().await;
    let me = sign_in(&bench).await.session;
    let all = || vec![parse_grant("all").unwrap()];
    me.add_app("soon after signing in", all(), None).await.unwrap();
    bench.clock.advance_secs(3600);
    assert_eq!(kind(me.add_app("later", all(), None)).await, ErrorKind::Denied);
    me.add_app("a corner", vec![parse_grant("/photos:r").unwrap()], None).await.unwrap();
    assert_eq!(kind(me.confirm(secret("wrong horse"))).await, ErrorKind::Unauthenticated);
    me.confirm(secret(PASSWORD)).await.unwrap();
    me.add_app("later", all(), None).await.unwrap();
}

#[tokio::test]
async fn rights_that_were_never_used_are_known_and_taken() {
    let bench = bench().await;
    let (new, app) = bench.app(&["files"]).await;
    let me = sign_in(&bench).await.session;
    assert_eq!(me.app(&new.id.0).await.unwrap().used, None);
    put(&me, "/photos/one", b"1").await.unwrap_err();
    mkdir(&me, "/photos").await.unwrap();
    put(&me, "/photos/one", b"1").await.unwrap();
    get(&app, "/photos/one").await.unwrap();
    let info = me.app(&new.id.0).await.unwrap();
    assert_eq!((info.used, info.rights), (Some(Rights::Read), Rights::Write));
    assert_eq!(info.used_in, ["photos"]);
    put(&app, "/photos/two", b"2").await.unwrap();
    assert_eq!(me.app(&new.id.0).await.unwrap().used, Some(Rights::Append));

    me.narrow_app(&new.id.0, Rights::Read).await.unwrap();
    assert_eq!(kind(get(&app, "/photos/one")).await, ErrorKind::Unauthenticated, "what was open ends");
    let app = bench.login("alice", &new.password, "webdav").await.unwrap();
    get(&app, "/photos/one").await.unwrap();
    assert_eq!(kind(put(&app, "/photos/three", b"3")).await, ErrorKind::Denied);
    assert_eq!(kind(get(&app, "/Mail")).await, ErrorKind::NotFound, "what was closed stays closed");
    // Narrowing is no way to widen.
    me.narrow_app(&new.id.0, Rights::Write).await.unwrap();
    let app = bench.login("alice", &new.password, "webdav").await.unwrap();
    assert_eq!(kind(put(&app, "/photos/three", b"3")).await, ErrorKind::Denied);
}

#[tokio::test]
async fn invitations_and_the_first_set_up_work_once() {
    let bench = Bench::new().await;
    let operator = bench.core.operator();
    assert!(operator.offer_set_up().await.unwrap().is_none(), "there is an account");
    let old = operator.invite("alice").await.unwrap();
    let token = operator.invite("alice").await.unwrap();
    assert_eq!(kind(bench.core.invited(&old)).await, ErrorKind::NotFound, "a new one ends the old one");
    assert_eq!(bench.core.invited(&token).await.unwrap().account, "alice");
    let short = bench.core.accept_invitation(&token, secret("short"), web());
    assert_eq!(kind(short).await, ErrorKind::InvalidContent);
    let accepted = bench.core.accept_invitation(&token, secret(PASSWORD), web()).await.unwrap();
    assert!(matches!(accepted, SignIn::Done(_)));
    let again = bench.core.accept_invitation(&token, secret("other horse"), web());
    assert_eq!(kind(again).await, ErrorKind::NotFound);
    sign_in(&bench).await;
    let late = operator.invite("alice").await.unwrap();
    bench.clock.advance_secs(INVITATION_SECS + 1);
    assert_eq!(kind(bench.core.invited(&late)).await, ErrorKind::NotFound);

    operator.remove_account("alice").await.unwrap();
    let token = operator.offer_set_up().await.unwrap().unwrap();
    let wrong = bench.core.set_up("guess", "bob", None, secret(PASSWORD), web());
    assert_eq!(kind(wrong).await, ErrorKind::NotFound);
    let bad = bench.core.set_up(&token, "B O B", None, secret(PASSWORD), web());
    assert_eq!(kind(bad).await, ErrorKind::InvalidContent);
    bench.core.set_up(&token, "bob", None, secret(PASSWORD), web()).await.unwrap();
    let twice = bench.core.set_up(&token, "eve", None, secret(PASSWORD), web());
    assert_eq!(kind(twice).await, ErrorKind::NotFound);
}

/// The code that an authenticator app shows at the bench's time, `steps` codes from now.
fn code(bench: &Bench, key: &str, steps: i64) -> String {
    let key = totp_rs::Secret::try_from_base32(key).unwrap();
    let totp = totp_rs::Builder::new().with_secret(key).build_noncompliant();
    totp.generate((bench.core.now().secs() + 30 * steps) as u64).to_string()
}

async fn ticket(bench: &Bench) -> Zeroizing<String> {
    match bench.core.sign_in("alice", secret(PASSWORD), web()).await.unwrap() {
        SignIn::SecondFactor(ticket) => ticket.token,
        SignIn::Done(_) => panic!("the password alone opened the account"),
    }
}

#[tokio::test]
async fn a_second_factor_is_asked_for_and_each_code_works_once() {
    let bench = bench().await;
    let me = sign_in(&bench).await.session;
    let new = me.new_authenticator("example.org").unwrap();
    assert!(
        new.url.contains(new.secret.as_str()) && new.url.starts_with("otpauth://totp/example.org:alice?")
    );
    assert_eq!(kind(me.add_authenticator(&new.secret, "000000")).await, ErrorKind::InvalidContent);
    let first = code(&bench, &new.secret, 0);
    let recovery = me.add_authenticator(&new.secret, &first).await.unwrap();
    assert_eq!(recovery.len(), RECOVERY_CODES);
    let core = &bench.core;

    let waiting = ticket(&bench).await;
    let replayed = core.sign_in_with_code(&waiting, &first, web());
    assert_eq!(kind(replayed).await, ErrorKind::Unauthenticated, "the code that set it up is used up");
    let next = code(&bench, &new.secret, 1);
    core.sign_in_with_code(&waiting, &next, web()).await.unwrap();
    assert_eq!(kind(core.sign_in_with_code(&waiting, &next, web())).await, ErrorKind::NotFound);
    let other = ticket(&bench).await;
    assert_eq!(kind(core.sign_in_with_code(&other, &next, web())).await, ErrorKind::Unauthenticated);
    core.sign_in_with_code(&other, &recovery[3].to_uppercase(), web()).await.unwrap();
    assert_eq!(me.factors().await.unwrap().recovery, RECOVERY_CODES - 1);
    let third = ticket(&bench).await;
    let spent = core.sign_in_with_code(&third, &recovery[3], web());
    assert_eq!(kind(spent).await, ErrorKind::Unauthenticated);

    bench.clock.advance_secs(301);
    assert_eq!(kind(core.sign_in_with_code(&third, &recovery[4], web())).await, ErrorKind::NotFound);
    bench.clock.advance_secs(3600);
    assert_eq!(kind(me.remove_authenticator()).await, ErrorKind::Denied, "the password was long ago");
    me.confirm(secret(PASSWORD)).await.unwrap();
    me.remove_authenticator().await.unwrap();
    sign_in(&bench).await;
}

#[tokio::test]
async fn codes_are_not_guessed() {
    let bench = bench().await;
    let me = sign_in(&bench).await.session;
    let new = me.new_authenticator("example.org").unwrap();
    me.add_authenticator(&new.secret, &code(&bench, &new.secret, 0)).await.unwrap();
    bench.clock.advance_secs(60);
    let mut refused = Vec::new();
    let mut waiting = ticket(&bench).await;
    for n in 0..12 {
        if n % 4 == 0 {
            waiting = ticket(&bench).await;
        }
        refused.push(kind(bench.core.sign_in_with_code(&waiting, "000000", web())).await);
    }
    assert_eq!(refused[0], ErrorKind::Unauthenticated);
    assert_eq!(refused[11], ErrorKind::Busy, "{refused:?}");
}

#[tokio::test]
async fn activity_comes_in_pages() {
    let bench = bench().await;
    let (new, app) = bench.app(&["files"]).await;
    let me = sign_in(&bench).await.session;
    for n in 0..5 {
        put(&app, &format!("/a{n}"), b"x").await.unwrap();
        put(&me, &format!("/m{n}"), b"x").await.unwrap();
    }
    let mut seen = Vec::new();
    let mut before = None;
    loop {
        let page = me.activity(before, Some(&new.id), 2).await.unwrap();
        seen.extend(page.lines.into_iter().map(|told| told.line.changes[0].0.clone()));
        match page.next {
            Some(next) => before = Some(next),
            None => break,
        }
    }
    assert_eq!(seen, ["/a4", "/a3", "/a2", "/a1", "/a0"]);
    assert!(me.events(50).await.unwrap().iter().any(|event| event.event == "signed-in"));
    bench.assert_clean().await;
}
