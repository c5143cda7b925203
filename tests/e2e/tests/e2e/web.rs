//! Attacks on the web page, one row each, over real sockets.

use allod_tests::{Reply, Request, Server};

const PASSWORD: &str = "correct horse";
const HOSTILE: &str = "<img src=x onerror=alert(1)>\"'&";

/// A browser that is signed in.
struct Browser<'s> {
    server: &'s Server,
    cookie: String,
    token: String,
}

fn encode(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn form(fields: &[(&str, &str)]) -> String {
    let pairs: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    pairs.join("&")
}

fn post(target: &str, fields: &[(&str, &str)]) -> Request {
    Request::new("POST", target)
        .header("Content-Type", "application/x-www-form-urlencoded")
        .header("Origin", "http://localhost")
        .body(form(fields))
}

fn cookie(reply: &Reply) -> Option<String> {
    let set =
        reply.headers.iter().find(|(name, value)| name == "set-cookie" && value.starts_with("allod="))?;
    Some(set.1.split(';').next()?.to_owned())
}

impl<'s> Browser<'s> {
    fn sign_in(server: &'s Server, account: &str) -> Browser<'s> {
        let invited = server.cli(&["account", "invite", account, "--json"]);
        let link = invited["link"].as_str().unwrap();
        let path = &link[link.find("/ui/").unwrap()..];
        let reply = server.send(&post(path, &[("password", PASSWORD), ("again", PASSWORD)]));
        assert_eq!(reply.status, 303, "{}", reply.text());
        let mut browser = Browser { server, cookie: cookie(&reply).unwrap(), token: String::new() };
        let page = browser.get("/ui/settings").text();
        browser.token = page.split("data-token=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        browser
    }

    fn get(&self, target: &str) -> Reply {
        self.server.send(&Request::new("GET", target).header("Cookie", &self.cookie))
    }

    fn post(&self, target: &str, fields: &[(&str, &str)]) -> Reply {
        let fields = [&[("token", self.token.as_str())], fields].concat();
        self.server.send(&post(target, &fields).header("Cookie", &self.cookie))
    }
}

#[test]
fn forms_of_other_sites_do_nothing() {
    let server = Server::start();
    let alice = Browser::sign_in(&server, "alice");
    let app = server.app(&["files"]);
    let revoke = format!("/ui/apps/{}/revoke", app.id);
    let with = |request: Request| request.header("Cookie", &alice.cookie);
    let plain = |target: &str| {
        Request::new("POST", target).header("Content-Type", "application/x-www-form-urlencoded")
    };
    let (good, bad) = (form(&[("token", &alice.token)]), form(&[("token", &"0".repeat(40))]));
    let rows = [
        ("no token", with(plain(&revoke).header("Origin", "http://localhost"))),
        ("a wrong token", with(plain(&revoke).body(bad))),
        ("another origin", with(plain(&revoke).header("Origin", "http://evil.example").body(good.clone()))),
        ("a null origin", with(plain(&revoke).header("Origin", "null").body(good.clone()))),
        ("another port", with(plain(&revoke).header("Origin", "http://localhost:81").body(good.clone()))),
        (
            "cross-site by metadata",
            with(plain(&revoke).header("Sec-Fetch-Site", "cross-site").body(good.clone())),
        ),
        (
            "same site, other host",
            with(plain(&revoke).header("Sec-Fetch-Site", "same-site").body(good.clone())),
        ),
    ];
    for (what, request) in rows {
        assert_eq!(server.send(&request).status, 403, "{what}");
    }
    let text = with(Request::new("POST", &revoke).header("Content-Type", "text/plain").body(good));
    assert_eq!(server.send(&text).status, 400, "a form that a page can send without asking, but no form");
    assert_eq!(server.send(&with(Request::new("GET", &revoke))).status, 404, "GET changes nothing");
    let upload = with(Request::new("PUT", "/ui/upload/x").body("x"));
    assert_eq!(server.send(&upload).status, 403, "an upload without a token");
    assert_eq!(
        server.send(&Request::dav("PROPFIND", &app, "/").header("Depth", "0")).status,
        207,
        "still there"
    );
    assert_eq!(alice.post(&revoke, &[]).status, 303);
    assert_eq!(server.send(&Request::dav("PROPFIND", &app, "/").header("Depth", "0")).status, 401);
    let login = post("/ui/sign-in", &[("name", "alice"), ("password", PASSWORD)]);
    assert_eq!(server.send(&login.clone().header("Sec-Fetch-Site", "cross-site")).status, 403, "login CSRF");
}

#[test]
fn cookies_and_headers_are_strict() {
    let server = Server::start();
    let alice = Browser::sign_in(&server, "alice");
    let planted = "allod=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    let login = post("/ui/sign-in", &[("name", "alice"), ("password", PASSWORD)]).header("Cookie", planted);
    let reply = server.send(&login);
    let set = reply.header("set-cookie").unwrap();
    for flag in ["HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(set.contains(flag), "{set}");
    }
    assert!(!set.contains("Domain"), "{set}");
    assert_ne!(cookie(&reply).unwrap(), planted, "a token that was planted is not taken over");
    assert_ne!(cookie(&reply).unwrap(), alice.cookie, "each sign-in has a token of its own");
    for target in ["/ui/sign-in", "/ui/settings", "/ui/nothing", "/ui/static/style.css"] {
        let reply = alice.get(target);
        let policy = reply.header("content-security-policy").unwrap();
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{target}"
        );
        assert!(!policy.contains("unsafe"), "{target}: {policy}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{target}");
        assert_eq!(reply.header("referrer-policy"), Some("same-origin"), "{target}");
        assert_eq!(reply.header("cross-origin-opener-policy"), Some("same-origin"), "{target}");
    }
    for target in ["/ui/files", "/ui/apps", "/ui/connect", "/ui/settings", "/ui/apps/new"] {
        let page = alice.get(target).text();
        for inline in ["<script>", " style=\"", " onclick=", "javascript:"] {
            assert!(!page.contains(inline), "{target} holds {inline}");
        }
    }
}

#[test]
fn nobody_is_led_elsewhere() {
    let server = Server::start();
    Browser::sign_in(&server, "alice");
    let rows = [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "/ui//evil.example",
        "/ui/../../evil",
        "javascript:alert(1)",
        "/dav/alice/",
        "/ui/\r\nSet-Cookie: a=b",
    ];
    for then in rows {
        let login = [("name", "alice"), ("password", PASSWORD), ("then", then)];
        let reply = server.send(&post("/ui/sign-in", &login));
        assert_eq!((reply.status, reply.header("location")), (303, Some("/ui/")), "{then}");
    }
    let login = [("name", "alice"), ("password", PASSWORD), ("then", "/oauth/authorize?client_id=x&scope=a")];
    let reply = server.send(&post("/ui/sign-in", &login));
    assert_eq!(reply.header("location"), Some("/oauth/authorize?client_id=x&scope=a"));
    let first = server.send(&Request::new("GET", "/ui/files/notes?x=1"));
    assert_eq!(first.header("location"), Some("/ui/sign-in?then=%2Fui%2Ffiles%2Fnotes%3Fx%3D1"));
}

#[test]
fn what_people_store_is_never_run() {
    let server = Server::start();
    let alice = Browser::sign_in(&server, "alice");
    let app = server.app(&["all"]);
    let name = encode(HOSTILE);
    let put = |path: &str, kind: &str, bytes: &str| {
        let request = Request::dav("PUT", &app, path).header("Content-Type", kind).body(bytes);
        assert_eq!(server.send(&request).status, 201, "{path}");
    };
    put(&format!("/{name}"), "text/html", "<script>alert(1)</script>");
    put("/picture.svg", "image/svg+xml", "<svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"alert(1)\"/>");
    put("/lie.png", "text/html; charset=utf-8", "<script>alert(1)</script>");
    put("/page.html", "text/html", "<script>alert(1)</script>");
    let event = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20261110T100000Z\r\nSUMMARY:<script>alert(1)</script>\r\nLOCATION:\"><img src=x onerror=alert(1)>\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    put("/Calendars/Personal/1.ics", "text/calendar", event);
    let card = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:1\r\nFN:<script>alert(1)</script>\r\nN:x;;;;\r\nEMAIL:\"><script>alert(1)</script>@x\r\nEND:VCARD\r\n";
    put("/Contacts/Personal/1.vcf", "text/vcard", card);
    let mail = "From: \"<script>alert(1)</script>\" <a@x>\r\nTo: b@x\r\nSubject: <script>alert(1)</script>\r\nMIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>hello</p><script>alert(1)</script><img src=\"https://tracker.example/x.gif\" onerror=\"alert(1)\">\r\n";
    let sent =
        Request::dav("PUT", &app, "/Mail/INBOX/1.eml").header("Content-Type", "message/rfc822").body(mail);
    assert!(server.send(&sent).status < 300);
    let label = ("label", "<script>alert(1)</script>");
    assert_eq!(alice.post("/ui/apps/new", &[label, ("which", "files")]).status, 200);

    let pages = [
        "/ui/files".to_owned(),
        format!("/ui/files/{name}"),
        format!("/ui/versions/{name}"),
        "/ui/activity".to_owned(),
        "/ui/activity?view=doors".to_owned(),
        "/ui/space".to_owned(),
        "/ui/apps".to_owned(),
        "/ui/trash".to_owned(),
        "/ui/calendar?month=2026-11".to_owned(),
        "/ui/contacts".to_owned(),
        "/ui/contacts?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E".to_owned(),
        "/ui/mail".to_owned(),
        "/ui/mail/INBOX?uid=1".to_owned(),
        "/ui/mail/INBOX?uid=1&body".to_owned(),
        "/ui/files?done=%3Cscript%3Ealert(1)".to_owned(),
    ];
    for page in &pages {
        let reply = alice.get(page);
        let text = reply.text();
        assert_eq!(reply.status, 200, "{page}: {text}");
        for never in ["<script>alert", "<img src=x", "onerror=\"", "tracker.example"] {
            assert!(!text.contains(never), "{page} holds {never}");
        }
    }
    let body = alice.get("/ui/mail/INBOX?uid=1&body");
    assert!(
        body.header("content-security-policy").unwrap().starts_with("sandbox"),
        "mail stands in a sandbox"
    );
    assert!(body.text().contains("<p>hello</p>"));
    for file in [name.as_str(), "picture.svg", "page.html", "lie.png"] {
        let reply = alice.get(&format!("/ui/raw/{file}"));
        assert!(reply.header("content-security-policy").unwrap().starts_with("sandbox"), "{file}");
        assert!(reply.header("content-disposition").unwrap().starts_with("attachment"), "{file}");
        assert_eq!(reply.header("content-type"), Some("application/octet-stream"), "{file}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{file}");
    }
}

#[test]
fn paths_stay_in_the_account() {
    let server = Server::start();
    server.cli(&["account", "add", "bob", "--json"]);
    let (alice, bob) = (Browser::sign_in(&server, "alice"), Browser::sign_in(&server, "bob"));
    let app = server.app(&["files"]);
    let put = Request::dav("PUT", &app, "/secret.txt").body("alice's own");
    assert_eq!(server.send(&put).status, 201);
    assert_eq!(alice.get("/ui/raw/secret.txt").text(), "alice's own");
    let rows = [
        "/ui/raw/secret.txt",
        "/ui/raw/../alice/secret.txt",
        "/ui/raw/%2e%2e/alice/secret.txt",
        "/ui/raw/..%2falice%2fsecret.txt",
        "/ui/raw/%00",
        "/ui/files/secret.txt",
        "/ui/versions/..",
        "/ui/static/..%2fCargo.toml",
        "/ui/static/../src/lib.rs",
    ];
    for target in rows {
        assert_eq!(bob.get(target).status, 404, "{target}");
    }
    for (target, fields) in [
        (format!("/ui/apps/{}/revoke", app.id), vec![]),
        (format!("/ui/apps/{}/narrow", app.id), vec![("rights", "r")]),
    ] {
        assert_eq!(bob.post(&target, &fields).status, 404, "{target}");
    }
    assert_eq!(bob.get(&format!("/ui/apps/{}", app.id)).status, 404);
    assert_eq!(bob.get(&format!("/ui/apps/{}/state", app.id)).status, 404);
    let undone = bob.post(&format!("/ui/apps/{}/undo", app.id), &[("since", "30d")]);
    assert!(undone.status < 400);
    assert_eq!(alice.get("/ui/raw/secret.txt").text(), "alice's own", "nothing of alice's was undone");
    let target = [("path", "/../../etc"), ("seq", "1")];
    assert!(bob.post("/ui/trash", &target).status >= 400);
    let moved = [("do", "move"), ("name", ".."), ("to", "/")];
    assert!(bob.post("/ui/files", &moved).status >= 400);
}

#[test]
fn tokens_that_are_over_open_nothing() {
    let server = Server::start();
    let alice = Browser::sign_in(&server, "alice");
    let other = server.send(&post("/ui/sign-in", &[("name", "alice"), ("password", PASSWORD)]));
    let other = cookie(&other).unwrap();
    assert_eq!(alice.get("/ui/settings").status, 200);
    assert_eq!(alice.post("/ui/sign-out", &[]).status, 303);
    assert_eq!(alice.get("/ui/settings").status, 303, "signed out");
    assert_eq!(alice.post("/ui/files", &[("do", "folder"), ("to", "x")]).status, 401);
    let get = Request::new("GET", "/ui/settings").header("Cookie", &other);
    assert_eq!(server.send(&get).status, 200, "the other sign-in is not touched");
    // A form token belongs to its sign-in.
    let stolen = post("/ui/sign-out", &[("token", &alice.token)]).header("Cookie", &other);
    assert_eq!(server.send(&stolen).status, 403);
    // An operator's new password ends every sign-in.
    Browser::sign_in(&server, "alice");
    assert_eq!(server.send(&get).status, 303);
    for bad in ["allod=", "allod=x", "allod=web-aaaaaaaaaaaaaaaa", "allod=\"; x"] {
        assert_eq!(
            server.send(&Request::new("GET", "/ui/settings").header("Cookie", bad)).status,
            303,
            "{bad}"
        );
    }
}

#[test]
fn forms_and_uploads_are_bounded() {
    let server = Server::start();
    let alice = Browser::sign_in(&server, "alice");
    let huge = Request::new("POST", "/ui/files")
        .header("Content-Type", "application/x-www-form-urlencoded")
        .header("Cookie", &alice.cookie)
        .header("Content-Length", "104857600");
    assert_eq!(server.send(&huge).status, 400);
    let fields: Vec<_> = (0..3000).map(|_| ("name", "x")).collect();
    assert_eq!(alice.post("/ui/files", &fields).status, 400);
    let upload = |path: &str, body: &str| {
        let request = Request::new("PUT", path).header("Cookie", &alice.cookie);
        server.send(
            &request.header("X-Form-Token", &alice.token).header("Accept", "application/json").body(body),
        )
    };
    assert_eq!(upload("/ui/upload/notes/a.txt", "one").status, 200);
    assert_eq!(upload("/ui/upload/notes/a.txt", "two").status, 409, "nothing is overwritten unasked");
    assert_eq!(alice.get("/ui/raw/notes/a.txt").text(), "one");
    assert_eq!(upload("/ui/upload/notes/a.txt?replace", "two").status, 200);
    assert_eq!(alice.get("/ui/raw/notes/a.txt").text(), "two");
}
