//! Revoking cuts what is open within a second.

use std::time::{Duration, Instant};

use allod_tests::{Request, Server};

use crate::noise;

#[test]
fn open_uploads_and_downloads_end_within_a_second() {
    let server = Server::start();
    let (owner, app) = (server.app(&["all"]), server.app(&["all"]));
    assert_eq!(server.send(&Request::dav("PUT", &owner, "/big").body(noise(1, 40_000_000))).status, 201);
    let mut download = server.connect();
    download.write(&Request::dav("GET", &app, "/big").bytes());
    let mut buffer = vec![0; 1000];
    assert!(download.read_some(&mut buffer) > 0);
    let mut upload = server.connect();
    upload.write(&Request::dav("PUT", &app, "/new").header("Content-Length", "50000000").bytes());
    upload.write(&noise(2, 1_000_000));
    let mut idle = server.connect();
    assert_eq!(idle.send(&Request::dav("PROPFIND", &app, "/").header("Depth", "0")).status, 207);

    std::thread::sleep(Duration::from_millis(100));
    server.cli(&["app", "revoke", &app.id, "--json"]);
    let revoked = Instant::now();
    assert_eq!(idle.send(&Request::dav("PROPFIND", &app, "/").header("Depth", "0")).status, 401);
    let reply = upload.read_reply(false);
    assert!(reply.status == 0 || reply.status >= 400, "{}", reply.status);
    assert!(revoked.elapsed() < Duration::from_secs(1), "the upload ended after {:?}", revoked.elapsed());
    let mut total = 0;
    let mut buffer = vec![0; 1 << 20];
    loop {
        match download.read_some(&mut buffer) {
            0 => break,
            n => total += n,
        }
    }
    assert!(total < 40_000_000, "a download must not run to its end");
    assert!(revoked.elapsed() < Duration::from_secs(2));
    assert_eq!(server.send(&Request::dav("GET", &owner, "/new")).status, 404);
}
