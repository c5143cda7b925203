use std::thread;

use allod_tests::{Request, Server};

use crate::noise;

#[test]
fn what_is_put_is_had_back_after_a_restart() {
    let mut server = Server::start();
    let app = server.app(&["all"]);
    let sizes = [0, 1, 8192, 8193, 300_000, 3_000_000];
    for (n, size) in sizes.into_iter().enumerate() {
        let put = Request::dav("PUT", &app, &format!("/{n}")).body(noise(n as u64, size));
        assert_eq!(server.send(&put).status, 201);
    }
    server.stop();
    server.serve();
    for (n, size) in sizes.into_iter().enumerate() {
        let reply = server.send(&Request::dav("GET", &app, &format!("/{n}")));
        assert!(reply.status == 200 && reply.body == noise(n as u64, size), "{n}");
    }
    server.assert_sound();
}

#[test]
fn two_parallel_puts_of_one_new_name_make_one_node() {
    let server = Server::start();
    let app = server.app(&["all"]);
    for round in 0..20 {
        let target = format!("/{round}");
        let results: Vec<(u16, Option<String>)> = thread::scope(|scope| {
            let tasks: Vec<_> = (0..2)
                .map(|n| {
                    let (server, app, target) = (&server, &app, &target);
                    scope.spawn(move || {
                        let mut put = Request::dav("PUT", app, target).body(noise(n, 5000));
                        if round % 2 == 0 {
                            put = put.header("If-None-Match", "*");
                        }
                        let reply = server.send(&put);
                        (reply.status, reply.header("etag").map(str::to_owned))
                    })
                })
                .collect();
            tasks.into_iter().map(|task| task.join().unwrap()).collect()
        });
        let mut statuses: Vec<_> = results.iter().map(|(status, _)| *status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, if round % 2 == 0 { [201, 412] } else { [201, 204] });
        let reply = server.send(&Request::dav("GET", &app, &target));
        assert!(reply.body == noise(0, 5000) || reply.body == noise(1, 5000));
    }
}

#[test]
fn xml_bombs_are_refused_cheaply() {
    let server = Server::start();
    let app = server.app(&["all"]);
    let entity = "<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY b \"bbbb\"><!ENTITY c \"&b;&b;\">]>\
                  <D:propfind xmlns:D=\"DAV:\"><D:prop><a>&c;</a></D:prop></D:propfind>";
    let deep = format!("<D:propfind xmlns:D=\"DAV:\">{}", "<a>".repeat(30_000));
    for method in ["PROPFIND", "PROPPATCH", "REPORT", "LOCK"] {
        for body in [entity, &deep] {
            let reply = server.send(&Request::dav(method, &app, "/").header("Depth", "0").body(body));
            assert!(matches!(reply.status, 400 | 413 | 415), "{method}: {}", reply.status);
        }
        let huge = Request::dav(method, &app, "/").header("Content-Length", "104857600");
        let reply = server.send(&huge);
        assert_eq!(reply.status, 413, "{method}");
    }
    assert_eq!(server.send(&Request::new("GET", "/healthz")).status, 200);
}

#[test]
fn an_unfinished_request_head_does_not_keep_others_out() {
    let server = Server::start();
    let app = server.app(&["all"]);
    let mut slow: Vec<_> = (0..100).map(|_| server.connect()).collect();
    for connection in &mut slow {
        connection.write(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ");
    }
    assert_eq!(server.send(&Request::dav("PROPFIND", &app, "/").header("Depth", "0")).status, 207);
}

#[test]
fn a_sync_token_follows_every_change() {
    let server = Server::start();
    let app = server.app(&["all"]);
    assert_eq!(server.send(&Request::dav("MKCOL", &app, "/d")).status, 201);
    let sync = |token: &str| {
        let body = format!(
            "<D:sync-collection xmlns:D=\"DAV:\"><D:sync-token>{token}</D:sync-token>\
             <D:sync-level>1</D:sync-level><D:prop><D:getetag/></D:prop></D:sync-collection>"
        );
        let reply = server.send(&Request::dav("REPORT", &app, "/d/").body(body));
        let text = reply.text();
        let token =
            text.split("sync-token>").nth(1).and_then(|t| t.split('<').next()).unwrap_or("").to_owned();
        (reply.status, text, token)
    };
    let (status, _, first) = sync("");
    assert_eq!(status, 207);
    assert_eq!(server.send(&Request::dav("PUT", &app, "/d/a").body("1")).status, 201);
    assert_eq!(server.send(&Request::dav("PUT", &app, "/d/b").body("1")).status, 201);
    assert_eq!(server.send(&Request::dav("DELETE", &app, "/d/a")).status, 204);
    let (_, text, second) = sync(&first);
    assert!(text.contains("/d/a") && text.contains("404") && text.contains("/d/b"), "{text}");
    let (_, text, _) = sync(&second);
    assert!(!text.contains("/d/a") && !text.contains("/d/b"), "{text}");
    let (status, text, _) = sync("urn:not:ours");
    assert!(status == 403 && text.contains("valid-sync-token"), "{text}");
}
