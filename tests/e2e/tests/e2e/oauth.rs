//! Letting apps in, attacked from every side that the standards warn of (RFC 6819, RFC 9700).

use allod_tests::{Browser, Reply, Request, Server, form};
use serde_json::Value;

const PASSWORD: &str = "correct horse";
const HOME: &str = "https://litewrite.net";
const REDIRECT: &str = "https://litewrite.net/done";
/// RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

fn server() -> Server {
    let server = Server::start();
    server.set_password("alice", PASSWORD);
    server
}

fn person(server: &Server) -> Browser<'_> {
    Browser::signed_in(server, "alice", PASSWORD)
}

/// A sound request, with some parameters replaced, added, or (by an empty value) left out.
fn request(changes: &[(&str, &str)]) -> Vec<(String, String)> {
    let sound = [
        ("client_id", HOME),
        ("redirect_uri", REDIRECT),
        ("response_type", "code"),
        ("scope", "notes:rw"),
        ("state", "s t&=#"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let mut pairs: Vec<(String, String)> =
        sound.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    for (name, value) in changes {
        pairs.retain(|(known, _)| known != name);
        if !value.is_empty() {
            pairs.push(((*name).to_owned(), (*value).to_owned()));
        }
    }
    pairs
}

fn pairs(owned: &[(String, String)]) -> Vec<(&str, &str)> {
    owned.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

fn ask(browser: &mut Browser<'_>, changes: &[(&str, &str)]) -> Reply {
    browser.get(&format!("/oauth/authorize/alice?{}", form(&pairs(&request(changes)))))
}

fn token_of(page: &Reply) -> String {
    let text = page.text();
    let (_, rest) = text.split_once("name=\"token\" value=\"").unwrap_or_else(|| panic!("no form: {text}"));
    rest.split('"').next().unwrap().to_owned()
}

/// The person allows a request; where the browser is sent.
fn allow(browser: &mut Browser<'_>, changes: &[(&str, &str)], more: &[(&str, &str)]) -> Reply {
    let token = token_of(&ask(browser, changes));
    let owned = request(changes);
    let mut fields = pairs(&owned);
    fields.extend([("token", token.as_str()), ("decision", "allow"), ("keep-0", "1")]);
    fields.extend(more);
    browser.post("/oauth/authorize/alice", &fields)
}

fn parameter(location: &str, name: &str) -> Option<String> {
    let (_, tail) = location.split_once(['?', '#'])?;
    tail.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}="))).map(str::to_owned)
}

fn code(browser: &mut Browser<'_>) -> String {
    let reply = allow(browser, &[], &[]);
    let location = reply.header("location").unwrap().to_owned();
    assert!(location.starts_with(&format!("{REDIRECT}?code=")), "{location}");
    parameter(&location, "code").unwrap()
}

fn post(server: &Server, target: &str, fields: &[(&str, &str)]) -> (u16, Value) {
    let request = Request::new("POST", target)
        .header("Content-Type", "application/x-www-form-urlencoded")
        .header("Origin", HOME)
        .body(form(fields));
    let reply = server.send(&request);
    assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
    (reply.status, serde_json::from_slice(&reply.body).unwrap_or(Value::Null))
}

fn redeem(server: &Server, code: &str, changes: &[(&str, &str)]) -> (u16, Value) {
    let mut fields = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("client_id", HOME),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ];
    for (name, value) in changes {
        fields.retain(|(known, _)| known != name);
        fields.push((name, value));
    }
    post(server, "/oauth/token", &fields)
}

fn storage(server: &Server, method: &str, path: &str, token: &str) -> u16 {
    let request = Request::new(method, &format!("/storage/alice{path}"));
    server.send(&request.header("Authorization", &format!("Bearer {token}")).body("x")).status
}

fn apps(server: &Server) -> usize {
    server.cli(&["app", "list", "alice", "--json"]).as_array().map_or(0, Vec::len)
}

#[test]
fn the_whole_way_by_code_and_by_token() {
    let server = server();
    let mut browser = Browser::new(&server);
    let first = ask(&mut browser, &[]);
    let location = first.header("location").unwrap();
    assert!(first.status == 303 && location.starts_with("/ui/sign-in?"), "{location}");
    let mut browser = person(&server);
    let page = ask(&mut browser, &[]);
    for words in ["<strong>litewrite.net</strong>", "Read and change notes", "/public/notes"] {
        assert!(page.text().contains(words), "{words}: {}", page.text());
    }
    let reply = allow(&mut browser, &[], &[]);
    let location = reply.header("location").unwrap();
    assert_eq!((reply.status, parameter(location, "state").as_deref()), (303, Some("s%20t%26%3D%23")));
    let issuer = format!("http%3A%2F%2F{}", server.address().replace(':', "%3A"));
    assert_eq!(parameter(location, "iss"), Some(issuer), "RFC 9207");
    let (status, tokens) = redeem(&server, &parameter(location, "code").unwrap(), &[]);
    assert_eq!(
        (status, &tokens["scope"], &tokens["token_type"]),
        (200, &"notes:rw".into(), &"Bearer".into())
    );
    let access = tokens["access_token"].as_str().unwrap();
    assert_eq!(storage(&server, "PUT", "/notes/a", access), 201);
    assert_eq!(storage(&server, "PUT", "/other/a", access), 403);

    let reply = allow(&mut browser, &[("response_type", "token"), ("code_challenge", "")], &[("end", "1d")]);
    let location = reply.header("location").unwrap();
    assert!(location.starts_with(&format!("{REDIRECT}#access_token=")), "{location}");
    assert_eq!(parameter(location, "expires_in").as_deref(), Some("86400"));
    assert_eq!(storage(&server, "GET", "/notes/a", &parameter(location, "access_token").unwrap()), 200);
    assert_eq!(apps(&server), 2);
}

#[test]
fn nothing_is_ever_sent_to_an_address_that_is_not_sound() {
    let server = server();
    let mut browser = person(&server);
    let long = format!("https://a.example/{}", "x".repeat(3000));
    for redirect in [
        "https://litewrite.net@evil.example/",
        "https://user:x@litewrite.net/",
        "https://litewrite.net/#fragment",
        "https://litewrite.net\\@evil.example/",
        "https://litewrite.net%2f@evil.example/",
        "https://litewrite.net%2fevil.example/",
        "https://litewrite.net:99999/",
        "https:litewrite.net",
        "//evil.example/",
        "/local",
        "http://litewrite.net/",
        "http://localhost.evil.example/",
        "http://127.0.0.1.evil.example/",
        "javascript:alert(1)",
        "JaVaScRiPt://litewrite.net/%0aalert(1)",
        "data:text/html,<script>alert(1)</script>",
        "file:///etc/passwd",
        "blob:https://litewrite.net/x",
        "myapp:/x",
        "https://аpple.com/",
        "https://litewrite.net/\r\nSet-Cookie: a=b",
        "https://litewrite.net/\"><script>alert(1)</script>",
        &long,
    ] {
        for kind in ["code", "token", "nonsense"] {
            let page = ask(&mut browser, &[("redirect_uri", redirect), ("response_type", kind)]);
            assert_eq!((page.status, page.header("location")), (400, None), "{redirect}");
            let text = page.text();
            assert!(
                !text.contains("<script>alert") && !text.contains("href=\"javascript"),
                "{redirect}: {text}"
            );
        }
        // A form that says so itself is refused in the same way.
        let token = token_of(&ask(&mut browser, &[]));
        let owned = request(&[("redirect_uri", redirect)]);
        let mut fields = pairs(&owned);
        fields.extend([("token", token.as_str()), ("decision", "allow"), ("keep-0", "1")]);
        let reply = browser.post("/oauth/authorize/alice", &fields);
        assert_eq!((reply.status, reply.header("location")), (400, None), "{redirect}");
    }
    assert_eq!(apps(&server), 0);
}

#[test]
fn errors_wait_for_the_person_to_go_back() {
    let server = server();
    let mut browser = person(&server);
    for (changes, error) in [
        (&[("response_type", "id_token")][..], "unsupported_response_type"),
        (&[("scope", "everything")], "invalid_scope"),
        (&[("scope", "")], "invalid_scope"),
        (&[("scope", "public:rw")], "invalid_scope"),
        // PKCE can't be talked away.
        (&[("code_challenge", "")], "invalid_request"),
        (&[("code_challenge_method", "plain")], "invalid_request"),
        (&[("code_challenge_method", "")], "invalid_request"),
        (&[("redirect_uri", "org.example.app:/x"), ("response_type", "token")], "unauthorized_client"),
    ] {
        let page = ask(&mut browser, changes);
        assert_eq!(
            (page.status, page.header("location")),
            (400, None),
            "{error}: nobody is forwarded unasked"
        );
        assert!(page.text().contains(&format!("error={error}")), "{error}: {}", page.text());
    }
    let twice = format!("/oauth/authorize?{}&client_id=x", form(&pairs(&request(&[]))));
    assert_eq!(browser.get(&twice).status, 400, "a parameter stands once");
    assert_eq!(ask(&mut browser, &[("code_challenge", "short")]).status, 200);
    assert_eq!(allow(&mut browser, &[("code_challenge", "short")], &[]).header("location"), None);
}

#[test]
fn pages_cannot_be_framed_injected_or_forged() {
    let server = server();
    let mut browser = person(&server);
    let cookie = browser.send(
        Request::new("POST", "/ui/sign-in")
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(form(&[("name", "alice"), ("password", PASSWORD)])),
    );
    let cookie = cookie.header("set-cookie").unwrap().to_owned();
    for flag in ["HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(flag), "{cookie}");
    }
    let script = "\"><script>alert(1)</script>";
    let page = ask(&mut browser, &[("client_id", script), ("state", script)]);
    assert_eq!(page.status, 200);
    assert!(!page.text().contains("<script>alert"), "{}", page.text());
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(page.header("x-frame-options"), Some("DENY"));
    assert_eq!(page.header("cache-control"), Some("no-store"));

    let token = token_of(&ask(&mut browser, &[]));
    let owned = request(&[]);
    let with = |token: &str| {
        let mut fields = owned.clone();
        fields.extend(
            [("token", token), ("decision", "allow"), ("keep-0", "1")]
                .map(|(n, v)| (n.to_owned(), v.to_owned())),
        );
        fields
    };
    let forged = with("0000");
    assert_eq!(browser.post("/oauth/authorize/alice", &pairs(&forged)).status, 403, "without its token");
    let sound = with(&token);
    for origin in ["https://evil.example", "null", "http://localhost"] {
        assert_eq!(
            browser.post_from(origin, "/oauth/authorize/alice", &pairs(&sound)).status,
            403,
            "{origin}"
        );
    }
    let by_get = format!("/oauth/authorize/alice?{}", form(&pairs(&sound)));
    assert_eq!(browser.get(&by_get).status, 200, "asking is not allowing");
    let mut other = Browser::signed_in(&server, "alice", PASSWORD);
    assert_eq!(other.post("/oauth/authorize/alice", &pairs(&sound)).status, 403, "another sign-in's token");
    let mut stranger = Browser::new(&server);
    assert_ne!(stranger.post("/oauth/authorize/alice", &pairs(&sound)).status, 303);
    assert_eq!(apps(&server), 0);
    let mut wrong = browser.get(&format!("/oauth/authorize/bob?{}", form(&pairs(&owned))));
    assert_eq!(wrong.status, 422, "another account than the person's");
    wrong = browser.post("/oauth/authorize/bob", &pairs(&sound));
    assert_eq!(wrong.status, 422);
    assert_eq!(apps(&server), 0);
}

#[test]
fn nobody_gets_more_than_the_person_gave() {
    let server = server();
    let mut browser = person(&server);
    let code_of = |reply: &Reply| parameter(reply.header("location").unwrap_or_default(), "code");
    let narrow = allow(&mut browser, &[], &[("read-0", "1"), ("within-0", "work")]);
    let (_, tokens) = redeem(&server, &code_of(&narrow).unwrap(), &[("scope", "*:rw")]);
    assert_eq!(tokens["scope"], "/notes/work:r@remotestorage /public/notes/work:r@remotestorage");
    let access = tokens["access_token"].as_str().unwrap();
    assert_eq!(storage(&server, "PUT", "/notes/work/a", access), 403);
    assert_eq!(storage(&server, "GET", "/notes/a", access), 403);
    assert_eq!(storage(&server, "GET", "/notes/work/a", access), 404);
    let refresh = tokens["refresh_token"].as_str().unwrap();
    for scope in ["notes:rw", "*:rw", "/notes/work:rw@remotestorage"] {
        let fields = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh),
            ("client_id", HOME),
            ("scope", scope),
        ];
        let (status, answer) = post(&server, "/oauth/token", &fields);
        assert_eq!((status, &answer["error"]), (400, &"invalid_scope".into()), "{scope}");
    }
    for within in ["../Mail", "/../../x", "a/../../b"] {
        let reply = allow(&mut browser, &[], &[("within-0", within)]);
        assert_eq!((reply.status, code_of(&reply)), (422, None), "{within}");
    }
    let denied = allow(&mut browser, &[], &[]);
    assert_eq!(denied.status, 303);
    let none = {
        let token = token_of(&ask(&mut browser, &[]));
        let owned = request(&[]);
        let mut fields = pairs(&owned);
        fields.extend([("token", token.as_str()), ("decision", "deny")]);
        browser.post("/oauth/authorize/alice", &fields)
    };
    let location = none.header("location").unwrap();
    assert!(parameter(location, "error").as_deref() == Some("access_denied") && !location.contains("code="));
}

#[test]
fn codes_and_tokens_work_once_and_for_their_app_only() {
    let server = server();
    let mut browser = person(&server);
    for changes in [
        &[("client_id", "https://evil.example")][..],
        &[("redirect_uri", "https://litewrite.net/done/")],
        &[("redirect_uri", "https://LITEWRITE.net/done")],
        &[("code_verifier", "e2e2e2e2e2e2e2e2e2e2e2e2e2e2e2e2e2e2e2e2e2e")],
        &[("code_verifier", CHALLENGE)],
        &[("code", "guessed")],
    ] {
        let code = code(&mut browser);
        let (status, answer) = redeem(&server, &code, changes);
        assert_eq!((status, &answer["error"]), (400, &"invalid_grant".into()), "{changes:?}");
    }
    let code_without = code(&mut browser);
    assert_eq!(redeem(&server, &code_without, &[("code_verifier", "")]).0, 400, "no verifier, no token");
    assert_eq!(apps(&server), 0, "nothing came of all this");

    let once = code(&mut browser);
    let (_, tokens) = redeem(&server, &once, &[]);
    let access = tokens["access_token"].as_str().unwrap();
    assert_eq!(storage(&server, "PUT", "/notes/a", access), 201);
    assert_eq!(redeem(&server, &once, &[]).0, 400, "a second time");
    assert_eq!(storage(&server, "GET", "/notes/a", access), 401, "and what it gave is gone");

    let (_, tokens) = redeem(&server, &code(&mut browser), &[]);
    let old = tokens["refresh_token"].as_str().unwrap();
    let renew = |token: &str, client: &str| {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", client)];
        post(&server, "/oauth/token", &fields)
    };
    assert_eq!(renew(old, "https://evil.example").0, 400);
    let (status, renewed) = renew(old, HOME);
    assert_eq!(status, 200);
    let access = renewed["access_token"].as_str().unwrap();
    assert_eq!(storage(&server, "GET", "/notes/a", access), 200);
    assert_eq!(renew(old, HOME).0, 400, "an old one");
    assert_eq!(storage(&server, "GET", "/notes/a", access), 401, "the family is gone");
    assert_eq!(renew(renewed["refresh_token"].as_str().unwrap(), HOME).0, 400);
    for fields in [
        &[("grant_type", "password"), ("username", "alice")][..],
        &[("grant_type", "client_credentials")],
        &[],
    ] {
        assert_eq!(post(&server, "/oauth/token", fields).0, 400);
    }
    let twice = [
        ("grant_type", "refresh_token"),
        ("refresh_token", old),
        ("refresh_token", old),
        ("client_id", HOME),
    ];
    assert_eq!(post(&server, "/oauth/token", &twice).1["error"], "invalid_request");
}

#[test]
fn revoked_is_revoked_at_once() {
    let server = server();
    let mut browser = person(&server);
    for which in ["access_token", "refresh_token"] {
        let (_, tokens) = redeem(&server, &code(&mut browser), &[]);
        let access = tokens["access_token"].as_str().unwrap();
        let token = tokens[which].as_str().unwrap();
        let mut open = server.connect();
        let get =
            Request::new("GET", "/storage/alice/notes/").header("Authorization", &format!("Bearer {access}"));
        assert_eq!(open.send(&get).status, 200);
        let other = [("token", token), ("client_id", "https://evil.example")];
        assert_eq!(post(&server, "/oauth/revoke", &other).0, 400, "another app's");
        assert_eq!(open.send(&get).status, 200);
        assert_eq!(post(&server, "/oauth/revoke", &[("token", token)]).0, 200);
        assert_eq!(open.send(&get).status, 401, "{which}: on the open connection too");
        assert_eq!(post(&server, "/oauth/revoke", &[("token", token)]).0, 200, "RFC 7009: no failure");
    }
    let drive = server.app(&["all"]);
    assert_eq!(post(&server, "/oauth/revoke", &[("token", &drive.bearer)]).0, 200);
    assert_eq!(storage(&server, "GET", "/notes/", &drive.bearer), 200, "it did not come by OAuth");
    assert_eq!(apps(&server), 1);
}

#[test]
fn everything_wants_the_password_and_apps_survive_a_restart() {
    let mut server = server();
    let token = {
        let mut browser = person(&server);
        let reply = allow(&mut browser, &[("response_type", "token")], &[]);
        parameter(reply.header("location").unwrap(), "access_token").unwrap()
    };
    assert_eq!(storage(&server, "PUT", "/notes/a", &token), 201);
    server.kill();
    server.serve();
    assert_eq!(storage(&server, "GET", "/notes/a", &token), 200, "durable before it was told");
    server.assert_sound();
}
