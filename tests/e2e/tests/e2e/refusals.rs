//! Grants × operations × ways to name a path.

use allod_tests::{App, Request, Server};

/// Ways to write `/secret/f` below the account's root, or to get there.
const SPELLINGS: [&str; 16] = [
    "/secret/f",
    "//secret/f",
    "/secret//f",
    "/secret/./f",
    "/open/../secret/f",
    "/open/%2e%2e/secret/f",
    "/open/%2E%2E/secret/f",
    "/open/..%2fsecret/f",
    "/open/%2e%2e%2fsecret%2ff",
    "/%73ecret/f",
    "/secret%2ff",
    "/./secret/f",
    "/open/../../alice/secret/f",
    "/../alice/secret/f",
    "/secret/f?x=/open/",
    "/secret/f;/open/",
];

struct Scene {
    server: Server,
    owner: App,
}

impl Scene {
    fn new() -> Scene {
        let server = Server::start();
        let owner = server.app(&["all"]);
        for folder in ["/secret", "/open"] {
            assert_eq!(server.send(&Request::dav("MKCOL", &owner, folder)).status, 201);
        }
        for file in ["/secret/f", "/open/f"] {
            assert_eq!(server.send(&Request::dav("PUT", &owner, file).body("untouched")).status, 201);
        }
        Scene { server, owner }
    }

    fn assert_untouched(&self, about: &str) {
        let reply = self.server.send(&Request::dav("GET", &self.owner, "/secret/f"));
        assert_eq!((reply.status, reply.text().as_str()), (200, "untouched"), "{about}");
        let body = "<D:propfind xmlns:D=\"DAV:\"><D:prop><D:getetag/></D:prop></D:propfind>";
        let list = Request::dav("PROPFIND", &self.owner, "/secret/").header("Depth", "1").body(body);
        let listed = self.server.send(&list).text().matches("<D:response>").count();
        assert_eq!(listed, 2, "{about}: nothing was added beside it");
    }
}

#[test]
fn no_spelling_of_a_path_leads_out_of_a_corner() {
    let scene = Scene::new();
    for grant in ["/open:rw", "/open:r", "/open:a", "/secretx:rw", "/secret:rw@s3"] {
        let app = scene.server.app(&[grant, "/open:rw"]);
        for spelling in SPELLINGS {
            for method in [
                "GET",
                "HEAD",
                "PROPFIND",
                "PUT",
                "DELETE",
                "MKCOL",
                "PROPPATCH",
                "LOCK",
                "COPY",
                "MOVE",
                "REPORT",
            ] {
                let mut request = Request::dav(method, &app, spelling).header("Depth", "0");
                request = match method {
                    "PUT" => request.body("broken in"),
                    "COPY" | "MOVE" => request.header("Destination", "/dav/alice/open/stolen"),
                    "LOCK" => request.body(
                        "<D:lockinfo xmlns:D=\"DAV:\"><D:lockscope><D:exclusive/></D:lockscope>\
                         <D:locktype><D:write/></D:locktype></D:lockinfo>",
                    ),
                    "PROPPATCH" => request.body(
                        "<D:propertyupdate xmlns:D=\"DAV:\"><D:set><D:prop><x xmlns=\"u:\">1</x></D:prop></D:set>\
                         </D:propertyupdate>",
                    ),
                    _ => request,
                };
                let reply = scene.server.send(&request);
                let about = format!("{grant} {method} {spelling}: {}", reply.status);
                assert!((400..500).contains(&reply.status), "{about}");
                assert!(!reply.text().contains("untouched"), "{about}");
            }
        }
        scene.assert_untouched(grant);
    }
}

#[test]
fn a_destination_is_judged_like_a_target() {
    let scene = Scene::new();
    let app = scene.server.app(&["/open:rw"]);
    let bob = scene.server.cli(&["account", "add", "bob", "--json"]);
    assert_eq!(bob["name"], "bob");
    let address = scene.server.address();
    for destination in [
        "/dav/alice/secret/g".to_owned(),
        "/dav/alice/secret/f".to_owned(),
        "/dav/alice/open/../secret/g".to_owned(),
        "/dav/alice/open/%2e%2e/secret/g".to_owned(),
        format!("http://{address}/dav/alice/secret/g"),
        "http://elsewhere.example/dav/alice/open/g".to_owned(),
        "/dav/bob/g".to_owned(),
        "/dav/bob/open/g".to_owned(),
        "/principals/alice/g".to_owned(),
        "/".to_owned(),
        "not a uri".to_owned(),
        String::new(),
    ] {
        for method in ["COPY", "MOVE"] {
            let request = Request::dav(method, &app, "/open/f").header("Destination", &destination);
            let reply = scene.server.send(&request);
            assert!((400..600).contains(&reply.status), "{method} {destination}: {}", reply.status);
        }
        let reply = scene.server.send(&Request::dav("GET", &app, "/open/f"));
        assert_eq!(reply.text(), "untouched", "{destination}");
        scene.assert_untouched(&destination);
    }
}

#[test]
fn an_append_only_app_creates_and_nothing_else() {
    let scene = Scene::new();
    let app = scene.server.app(&["backup=/backups/laptop"]);
    let send = |request: &Request| scene.server.send(request).status;
    assert_eq!(send(&Request::dav("MKCOL", &app, "/backups/laptop/2026")), 201);
    assert_eq!(send(&Request::dav("PUT", &app, "/backups/laptop/2026/a").body("one")), 201);
    for (request, about) in [
        (Request::dav("PUT", &app, "/backups/laptop/2026/a").body("two"), "overwrite"),
        (Request::dav("DELETE", &app, "/backups/laptop/2026/a"), "delete"),
        (Request::dav("DELETE", &app, "/backups/laptop"), "delete the corner"),
        (
            Request::dav("MOVE", &app, "/backups/laptop/2026/a")
                .header("Destination", "/dav/alice/backups/laptop/b"),
            "rename",
        ),
        (
            Request::dav("COPY", &app, "/backups/laptop/2026")
                .header("Destination", "/dav/alice/backups/laptop/2026/a"),
            "copy over",
        ),
        (Request::dav("PUT", &app, "/backups/x").body("out"), "outside"),
        (Request::dav("PUT", &app, "/x").body("out"), "far outside"),
    ] {
        assert!(matches!(send(&request), 403 | 409), "{about}: {}", send(&request));
    }
    let reply = scene.server.send(&Request::dav("GET", &app, "/backups/laptop/2026/a"));
    assert_eq!(reply.text(), "one");
}

#[test]
fn other_accounts_do_not_exist_for_a_stranger() {
    let scene = Scene::new();
    scene.server.cli(&["account", "add", "bob", "--json"]);
    let made = scene.server.cli(&["app", "add", "bob", "x", "--grant", "all", "--json"]);
    let bob = App {
        id: String::new(),
        user: "bob".into(),
        password: made["password"].as_str().unwrap().into(),
        bearer: String::new(),
        access_key: String::new(),
        secret_key: String::new(),
    };
    for method in ["GET", "PROPFIND", "PUT", "DELETE", "MKCOL"] {
        let known = scene.server.send(&Request::new(method, "/dav/alice/secret/f").login(&bob)).status;
        let unknown = scene.server.send(&Request::new(method, "/dav/nobody/secret/f").login(&bob)).status;
        assert!((400..500).contains(&known) && known == unknown, "{method}: {known} {unknown}");
    }
    scene.assert_untouched("bob");
    let mut wrong = scene.owner.clone();
    wrong.user = "bob".into();
    assert_eq!(scene.server.send(&Request::new("GET", "/dav/bob/").login(&wrong)).status, 401);
}
