//! Letting apps in, against what may go wrong.

use allod_model::{ErrorKind, Rights};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::*;
use crate::tests::{Bench, door, path, put};
use crate::{AccountChange, Proof, Session, SignIn, model};

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const HOME: &str = "https://litewrite.net";

/// What is wrong, and how it comes so.
type Spoiled = (&'static str, fn(&mut CodeUse));

fn client() -> OauthClient {
    OauthClient::parse(HOME, "https://litewrite.net/done").unwrap()
}

fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}

fn consent(scope: &str, flow: Flow) -> Consent {
    let asked = parse_scope(scope).unwrap();
    Consent { client: client(), given: asked.clone(), asked, expires: None, flow }
}

fn code_flow() -> Flow {
    Flow::Code { challenge: challenge(VERIFIER) }
}

/// A store, and alice signed in.
async fn scene() -> (Bench, Session) {
    let bench = Bench::new().await;
    let password = || zeroize::Zeroizing::new("correct horse".to_owned());
    let change = AccountChange { password: Some(password()), ..AccountChange::default() };
    bench.core.operator().change_account("alice", change).await.unwrap();
    match bench.core.sign_in("alice", password(), &door("web")).await.unwrap() {
        SignIn::Done(new) => (bench, new.session),
        SignIn::SecondFactor(_) => panic!("there is no second factor"),
    }
}

async fn code(me: &Session, scope: &str) -> String {
    match me.allow_app(consent(scope, code_flow())).await.unwrap() {
        Allowed::Code(code) => code.to_string(),
        Allowed::Token { .. } => panic!("a code was asked for"),
    }
}

fn code_use(code: &str) -> CodeUse {
    CodeUse {
        code: code.to_owned().into(),
        client_id: HOME.into(),
        redirect_uri: "https://litewrite.net/done".into(),
        verifier: VERIFIER.to_owned().into(),
    }
}

async fn redeem(bench: &Bench, request: CodeUse) -> model::Result<IssuedTokens> {
    bench.core.redeem_code(request, &door("oauth")).await
}

async fn refresh(bench: &Bench, token: &str) -> model::Result<IssuedTokens> {
    bench.core.refresh_tokens(token, HOME, None, &door("oauth")).await
}

async fn login(bench: &Bench, token: &str) -> model::Result<Session> {
    bench.core.authenticate(Proof::Bearer(token.to_owned().into()), door("remotestorage")).await
}

#[tokio::test]
async fn an_implicit_token_opens_the_module_until_it_is_revoked() {
    let (bench, me) = scene().await;
    let allowed = me.allow_app(consent("notes:rw", Flow::Implicit)).await.unwrap();
    let Allowed::Token { token, scope, expires_secs } = allowed else { panic!("a token was asked for") };
    assert_eq!((scope.as_str(), expires_secs), ("notes:rw", None));
    let session = login(&bench, &token).await.unwrap();
    for corner in ["notes", "public/notes"] {
        me.ensure_folder(&path(corner)).await.unwrap();
        put(&session, &format!("{corner}/a"), b"x").await.unwrap();
    }
    assert_eq!(put(&session, "other", b"x").await.unwrap_err().kind, ErrorKind::Denied);
    let listed = bench.core.operator().credentials(Some("alice")).await.unwrap();
    assert_eq!((listed[0].label.as_str(), listed[0].origin.as_deref()), ("litewrite.net", Some(HOME)));
    bench.core.revoke_token(&token, Some("https://other.example"), &door("oauth")).await.unwrap_err();
    assert!(login(&bench, &token).await.is_ok());
    bench.core.revoke_token(&token, Some(HOME), &door("oauth")).await.unwrap();
    assert_eq!(put(&session, "notes/b", b"x").await.unwrap_err().kind, ErrorKind::Unauthenticated);
    session.revoked().await;
    assert!(login(&bench, &token).await.is_err());
    assert!(bench.core.operator().credentials(Some("alice")).await.unwrap().is_empty());
    bench.core.revoke_token(&token, None, &door("oauth")).await.unwrap();
}

#[tokio::test]
async fn a_code_is_redeemed_once_and_its_second_use_revokes() {
    let (bench, me) = scene().await;
    let code = code(&me, "notes:r").await;
    let tokens = redeem(&bench, code_use(&code)).await.unwrap();
    assert_eq!((tokens.scope.as_str(), tokens.expires_secs), ("notes:r", ACCESS_SECS as u64));
    let session = login(&bench, &tokens.access).await.unwrap();
    assert_eq!(put(&session, "notes/a", b"x").await.unwrap_err().kind, ErrorKind::Denied);
    bench.clock.advance_secs(CODE_SECS + 5);
    assert_eq!(redeem(&bench, code_use(&code)).await.err().unwrap().kind, ErrorKind::Unauthenticated);
    session.revoked().await;
    assert!(login(&bench, &tokens.access).await.is_err());
    assert!(refresh(&bench, &tokens.refresh).await.is_err());
}

#[tokio::test]
async fn a_code_that_comes_with_something_else_is_gone() {
    let (bench, me) = scene().await;
    let other = "e".repeat(43);
    let table: [Spoiled; 5] = [
        ("client", |u| u.client_id = "https://evil.example".into()),
        ("redirect", |u| u.redirect_uri = "https://litewrite.net/done?".into()),
        ("verifier", |u| u.verifier = "e".repeat(43).into()),
        ("no verifier", |u| u.verifier = String::new().into()),
        ("the challenge itself", |u| u.verifier = challenge(VERIFIER).into()),
    ];
    assert_ne!(challenge(&other), challenge(VERIFIER));
    for (about, change) in table {
        let code = code(&me, "notes:rw").await;
        let mut request = code_use(&code);
        change(&mut request);
        assert_eq!(redeem(&bench, request).await.err().unwrap().kind, ErrorKind::Unauthenticated, "{about}");
        assert!(redeem(&bench, code_use(&code)).await.is_err(), "{about}: it was spent");
    }
    let code = code(&me, "notes:rw").await;
    bench.clock.advance_secs(CODE_SECS);
    assert!(redeem(&bench, code_use(&code)).await.is_err(), "it is over");
    assert!(bench.core.operator().credentials(Some("alice")).await.unwrap().is_empty());
}

#[tokio::test]
async fn refresh_tokens_rotate_and_an_old_one_revokes_the_family() {
    let (bench, me) = scene().await;
    let first = redeem(&bench, code_use(&code(&me, "notes:rw").await)).await.unwrap();
    bench.clock.advance_secs(ACCESS_SECS);
    assert!(login(&bench, &first.access).await.is_err(), "it is over");
    let second = refresh(&bench, &first.refresh).await.unwrap();
    assert!(login(&bench, &second.access).await.is_ok());
    let wider = bench.core.refresh_tokens(&second.refresh, HOME, Some("notes:rw *:rw"), &door("oauth")).await;
    assert_eq!(wider.err().unwrap().kind, ErrorKind::InvalidContent);
    let strange =
        bench.core.refresh_tokens(&second.refresh, "https://evil.example", None, &door("oauth")).await;
    assert_eq!(strange.err().unwrap().kind, ErrorKind::Unauthenticated);
    let third = refresh(&bench, &second.refresh).await.unwrap();
    let mut forged = third.refresh.to_string();
    forged.replace_range(forged.len() - 2.., "AA");
    for nonsense in ["", "allod_r_", "allod_r_x_1_y", forged.as_str(), &format!("{}x", &*third.refresh)] {
        assert!(refresh(&bench, nonsense).await.is_err());
    }
    assert!(login(&bench, &third.access).await.is_ok(), "nonsense revokes nothing");
    assert!(refresh(&bench, &first.refresh).await.is_err());
    for access in [&second.access, &third.access] {
        assert!(login(&bench, access).await.is_err(), "the family is gone");
    }
    assert!(refresh(&bench, &third.refresh).await.is_err());
}

#[tokio::test]
async fn any_token_revokes_the_app_and_other_credentials_stay() {
    let (bench, me) = scene().await;
    for which in ["access", "refresh"] {
        let tokens = redeem(&bench, code_use(&code(&me, "notes:rw").await)).await.unwrap();
        let token = if which == "access" { &tokens.access } else { &tokens.refresh };
        bench.core.revoke_token(token, None, &door("oauth")).await.unwrap();
        assert!(login(&bench, &tokens.access).await.is_err(), "{which}");
        assert!(refresh(&bench, &tokens.refresh).await.is_err(), "{which}");
    }
    let (new, _) = bench.app(&["all"]).await;
    bench.core.revoke_token(&new.bearer, None, &door("oauth")).await.unwrap();
    assert!(login(&bench, &new.bearer).await.is_ok(), "it did not come by OAuth");
}

#[tokio::test]
async fn only_a_person_lets_in_and_never_more_than_was_asked() {
    let (bench, me) = scene().await;
    let (_, everything) = bench.app(&["all"]).await;
    let refused = everything.allow_app(consent("notes:rw", Flow::Implicit)).await;
    assert_eq!(refused.err().unwrap().kind, ErrorKind::Denied);
    assert_eq!(everything.add_app("x", Vec::new(), None).await.err().unwrap().kind, ErrorKind::Denied);
    let anyone = Proof::Anonymous { account: Some("alice".into()) };
    let anyone = bench.core.authenticate(anyone, door("web")).await.unwrap();
    assert!(anyone.allow_app(consent("notes:rw", Flow::Implicit)).await.is_err());
    let wider = ["notes:rw *:rw", "other:r", "files", "/notes:rw", "/:r@remotestorage", "mail"];
    for scope in wider {
        let mut wide = consent("notes:rw", Flow::Implicit);
        wide.given = parse_scope(scope).unwrap();
        let refused = me.allow_app(wide).await;
        assert_eq!(refused.err().unwrap().kind, ErrorKind::Denied, "{scope}");
    }
    bench.clock.advance_secs(3600);
    let refused = me.allow_app(consent("*:rw", Flow::Implicit)).await;
    assert_eq!(refused.err().unwrap().kind, ErrorKind::Denied, "the password is asked for once more");
    me.confirm("correct horse".to_owned().into()).await.unwrap();
    assert!(me.allow_app(consent("*:rw", Flow::Implicit)).await.is_ok());
    let mut over = consent("notes:rw", Flow::Implicit);
    over.expires = Some(bench.core.now());
    assert!(me.allow_app(over).await.is_err());
    for challenge in ["", "short", &"!".repeat(43), VERIFIER.trim_end_matches('k')] {
        let flow = Flow::Code { challenge: challenge.to_owned() };
        assert!(me.allow_app(consent("notes:rw", flow)).await.is_err(), "{challenge}");
    }
    let mut native = consent("notes:rw", Flow::Implicit);
    native.client = OauthClient::parse("x", "org.example.app:/done").unwrap();
    assert!(me.allow_app(native).await.is_err());
}

#[tokio::test]
async fn a_given_end_ends_all_tokens_and_makes_room() {
    let (bench, me) = scene().await;
    let mut short = consent("notes:rw", code_flow());
    short.expires = Some(bench.core.now().plus_secs(600));
    let Allowed::Code(code) = me.allow_app(short).await.unwrap() else { panic!("a code") };
    let tokens = redeem(&bench, code_use(&code)).await.unwrap();
    assert_eq!(tokens.expires_secs, 600);
    bench.clock.advance_secs(600);
    assert!(login(&bench, &tokens.access).await.is_err());
    assert!(refresh(&bench, &tokens.refresh).await.is_err());
    me.allow_app(consent("notes:rw", Flow::Implicit)).await.unwrap();
    let left = bench.core.operator().credentials(Some("alice")).await.unwrap();
    assert_eq!(left.len(), 1, "the one that was over is gone");
}

#[tokio::test]
async fn numbers_are_bounded() {
    let (bench, me) = scene().await;
    let mut refused = 0;
    for _ in 0..110 {
        refused += u32::from(me.allow_app(consent("notes:rw", code_flow())).await.is_err());
    }
    assert_eq!(refused, 10, "codes");
    bench.clock.advance_secs(3600);
    let mut tokens = redeem(&bench, code_use(&code(&me, "notes:rw").await)).await.unwrap();
    let first = tokens.access.to_string();
    for _ in 0..16 {
        assert!(login(&bench, &first).await.is_ok());
        tokens = refresh(&bench, &tokens.refresh).await.unwrap();
    }
    assert!(login(&bench, &first).await.is_err(), "the oldest access token went");
    assert!(login(&bench, &tokens.access).await.is_ok());
}

#[test]
fn redirect_uris() {
    let fine = [
        ("https://litewrite.net", "https://litewrite.net", ClientKind::Web),
        ("https://litewrite.net/", "https://litewrite.net", ClientKind::Web),
        ("HTTPS://Litewrite.NET:443/a?b=c", "https://litewrite.net", ClientKind::Web),
        ("https://litewrite.net:8443/%2f..", "https://litewrite.net:8443", ClientKind::Web),
        ("https://xn--pple-43d.com/", "https://xn--pple-43d.com", ClientKind::Web),
        ("http://localhost:4200/x", "http://localhost:4200", ClientKind::Loopback),
        ("http://127.0.0.1:1/", "http://127.0.0.1:1", ClientKind::Loopback),
        ("http://[::1]:80/", "http://[::1]", ClientKind::Loopback),
        ("org.example.app:/done", "org.example.app:", ClientKind::Native),
        ("org.example.app://done", "org.example.app:", ClientKind::Native),
    ];
    for (uri, origin, kind) in fine {
        let client = OauthClient::parse("x", uri).unwrap_or_else(|e| panic!("{uri}: {e}"));
        assert_eq!((client.origin(), client.kind(), client.redirect_uri()), (origin, kind, uri));
    }
    let long = format!("https://a.example/{}", "x".repeat(REDIRECT_URI_BYTES_MAX));
    let refused = [
        "",
        "litewrite.net",
        "//litewrite.net",
        "/done",
        "https:litewrite.net",
        "https:/litewrite.net",
        "https://",
        "https:///done",
        "https://litewrite.net@evil.example/",
        "https://user:word@litewrite.net/",
        "https://litewrite.net%2f@evil.example",
        "https://litewrite.net%2fevil.example/",
        "https://litewrite.net\\@evil.example/",
        "https://litewrite.net/#x",
        "https://litewrite.net:99999/",
        "https://litewrite.net:0/",
        "https://litewrite.net:4x/",
        "https://.evil.example/",
        "https://evil..example/",
        "https://аpple.com/",
        "https://[::1",
        "https://[zz]/",
        "http://litewrite.net/",
        "http://localhost.evil.example/",
        "http://127.0.0.1.evil.example/",
        "http://10.0.0.1/",
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "javascript://litewrite.net/%0aalert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "blob:https://litewrite.net/x",
        "vbscript:x",
        "about:blank",
        "ftp://litewrite.net/",
        "myapp:/done",
        "org.example.app:done",
        ".app:/done",
        "org..app:/done",
        "https://litewrite.net/ x",
        "https://litewrite.net/\r\nSet-Cookie: x",
        "https://litewrite.net/<script>",
        "https://litewrite.net/\"x",
        &long,
    ];
    for uri in refused {
        assert!(OauthClient::parse("x", uri).is_err(), "{uri}");
    }
    assert!(OauthClient::parse("", "https://a.example/").is_err());
    assert!(OauthClient::parse("a\nb", "https://a.example/").is_err());
}

#[test]
fn scopes_mean_their_grants_and_narrowing_only_narrows() {
    let shown = |text: &str| -> Vec<String> {
        let scopes = parse_scope(text).unwrap();
        let grants = scopes.iter().flat_map(AppScope::grants);
        grants.map(|g| format!("{}:{}", g.path, g.rights.as_str())).collect()
    };
    assert_eq!(shown("notes:rw"), ["/notes:rw", "/public/notes:rw"]);
    assert_eq!(shown("notes:r  notes:r"), ["/notes:r", "/public/notes:r"]);
    assert_eq!(shown("*:r"), ["/:r"]);
    assert_eq!(shown("calendar contacts.r"), ["/Calendars:rw", "/Contacts:r"]);
    assert_eq!(shown("/My%20notes:a@webdav"), ["/My notes:a"]);
    let refused = [
        "",
        " ",
        "notes",
        "notes:x",
        "public:rw",
        "Public:r",
        ":rw",
        "*:x",
        "../x:rw",
        "a/b:rw",
        "all",
        "/x",
        "/x:q",
        "/x:rw@ftp",
        "/../x:rw",
        "n\"otes:rw",
        "/%zz:rw",
        "/%ff:rw",
        "backup=/x",
        ".:rw",
        "*",
        "notes:rw\u{e9}",
    ];
    for text in refused {
        assert!(parse_scope(text).is_err(), "{text}");
    }
    assert!(parse_scope(&"x:r ".repeat(2000)).is_err());
    let many: Vec<String> = (0..=SCOPES_ASKED_MAX).map(|n| format!("m{n}:r")).collect();
    assert!(parse_scope(&many.join(" ")).is_err());

    let choose = |scope: &str, read_only: bool, within: &str| {
        let choice = ScopeChoice { keep: true, read_only, within: within.to_owned() };
        parse_scope(scope).unwrap()[0].narrowed(&choice)
    };
    for scope in
        ["notes:rw", "notes:r", "*:rw", "files", "mail", "calendar", "contacts.r", "/a%20b:rw", "/x:a@s3"]
    {
        let asked = parse_scope(scope).unwrap();
        for (read_only, within) in [(false, ""), (true, ""), (false, "a b/c"), (true, "d")] {
            let narrow = choose(scope, read_only, within).unwrap().unwrap();
            let narrow = vec![narrow];
            assert!(scope::is_within(&narrow, &asked), "{scope} {read_only} {within}");
            assert!(!read_only || !narrow[0].writes() && !narrow[0].sends());
            let again = parse_scope(narrow[0].text()).unwrap();
            let (one, other) = (scope::is_within(&again, &narrow), scope::is_within(&narrow, &again));
            assert!(one && other, "{} says what it gives", narrow[0].text());
        }
    }
    assert_eq!(choose("notes:rw", true, "").unwrap().unwrap().text(), "notes:r");
    assert_eq!(choose("mail", true, "").unwrap().unwrap().text(), "mail.r");
    let sub = choose("notes:rw", false, "work").unwrap().unwrap();
    assert_eq!(sub.text(), "/notes/work:rw@remotestorage /public/notes/work:rw@remotestorage");
    assert!(choose("files", false, "Mail/INBOX").is_err());
    assert!(choose("notes:rw", false, "../x").is_err());
    assert_eq!(parse_scope("notes:rw").unwrap()[0].narrowed(&ScopeChoice::default()).unwrap(), None);
    assert_eq!(sub.grants()[0].rights, Rights::Write);
}

proptest::proptest! {
    #[test]
    fn whatever_comes_is_read_or_refused(id in ".{0,40}", uri in "(https?|[a-z.]{1,9})?:?/{0,2}.{0,60}", scope in "[ -~]{0,80}|.*") {
        if let Ok(client) = OauthClient::parse(&id, &uri) {
            proptest::prop_assert!(client.redirect_uri().bytes().all(|b| b.is_ascii_graphic()));
            proptest::prop_assert!(!uri.contains(['@', '#', '\\', '"', '<']));
        }
        if let Ok(scopes) = parse_scope(&scope) {
            let again = parse_scope(&scope_text(&scopes)).unwrap();
            proptest::prop_assert_eq!(scopes, again);
        }
    }

    #[test]
    fn narrowing_never_widens(scope in "[a-z]{1,4}:rw?|files|mail|/[a-z]{1,3}:(r|a|rw)", within in "[a-zA-Z/. ]{0,12}", read in proptest::bool::ANY) {
        let asked = parse_scope(&scope).unwrap_or_default();
        for one in &asked {
            let choice = ScopeChoice { keep: true, read_only: read, within: within.clone() };
            if let Ok(Some(narrow)) = one.narrowed(&choice) {
                proptest::prop_assert!(scope::is_within(&[narrow], &asked));
            }
        }
    }
}
