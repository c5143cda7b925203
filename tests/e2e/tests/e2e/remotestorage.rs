//! remoteStorage beside the other doors: what goes in by one is there in all.

use allod_tests::{App, Request, Server};

use crate::noise;

fn storage(method: &str, app: &App, path: &str) -> Request {
    Request::new(method, &format!("/storage/alice{path}"))
        .header("Authorization", &format!("Bearer {}", app.bearer))
}

#[test]
fn written_by_one_door_seen_changed_and_removed_by_the_other() {
    let server = Server::start();
    let app = server.app(&["all"]);
    let send = |request: &Request| server.send(request);
    let large = noise(3, 3_000_000);
    for (path, bytes) in
        [("/notes/a", b"small".to_vec()), ("/notes/deep/er/b", large), ("/public/notes/c", Vec::new())]
    {
        let put = storage("PUT", &app, path).header("Content-Type", "text/x-odd; a=B").body(bytes.clone());
        let stored = send(&put);
        assert_eq!(stored.status, 201, "{path}");
        let seen = send(&Request::dav("GET", &app, path));
        assert_eq!((seen.status, seen.body == bytes), (200, true), "{path}");
        assert_eq!(seen.header("content-type"), Some("text/x-odd; a=B"));
        assert_eq!(seen.header("etag"), stored.header("etag"), "one version for both");

        assert_eq!(send(&Request::dav("PUT", &app, path).body("by the drive")).status, 204);
        let seen = send(&storage("GET", &app, path));
        assert_eq!(seen.text(), "by the drive");
        let stale =
            storage("PUT", &app, path).header("If-Match", stored.header("etag").unwrap()).body("late");
        assert_eq!(send(&stale).status, 412, "the other door's change is noticed");
        assert_eq!(send(&Request::dav("DELETE", &app, path)).status, 204);
        assert_eq!(send(&storage("GET", &app, path)).status, 404);
    }
    assert_eq!(send(&Request::dav("MKCOL", &app, "/notes2")).status, 201);
    assert_eq!(send(&Request::dav("PUT", &app, "/notes2/x").body("x")).status, 201);
    let listed = send(&storage("GET", &app, "/notes2/")).text();
    assert!(listed.contains("\"x\":{"), "{listed}");
    assert_eq!(send(&storage("DELETE", &app, "/notes2/x")).status, 200);
    assert_eq!(send(&Request::dav("GET", &app, "/notes2/x")).status, 404);
    let folder = Request::dav("PROPFIND", &app, "/notes2/").header("Depth", "0");
    assert_eq!(send(&folder).status, 207, "a folder that was asked for stays");
    server.assert_sound();
}

#[test]
fn a_lock_of_the_drive_binds_apps() {
    let server = Server::start();
    let app = server.app(&["all"]);
    assert_eq!(server.send(&storage("PUT", &app, "/notes/a").body("x")).status, 201);
    let lock = "<D:lockinfo xmlns:D=\"DAV:\"><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/>\
        </D:locktype></D:lockinfo>";
    assert_eq!(server.send(&Request::dav("LOCK", &app, "/notes/a").body(lock)).status, 200);
    assert_eq!(server.send(&storage("PUT", &app, "/notes/a").body("y")).status, 423);
    assert_eq!(server.send(&storage("DELETE", &app, "/notes/a")).status, 423);
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let mut server = Server::start();
    let app = server.app(&["all"]);
    for n in 0..50 {
        assert_eq!(
            server.send(&storage("PUT", &app, &format!("/notes/{n}")).body(format!("{n}"))).status,
            201
        );
    }
    server.kill();
    server.serve();
    for n in 0..50 {
        assert_eq!(server.send(&storage("GET", &app, &format!("/notes/{n}"))).text(), format!("{n}"));
    }
}

#[test]
fn only_one_of_many_creators_wins() {
    let server = Server::start();
    let app = server.app(&["all"]);
    for round in 0..10 {
        let create = storage("PUT", &app, &format!("/notes/{round}")).header("If-None-Match", "*").body("x");
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..8).map(|_| scope.spawn(|| server.send(&create).status)).collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).collect()
        });
        assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
        assert!(statuses.iter().all(|status| matches!(status, 201 | 412)), "{statuses:?}");
    }
}
