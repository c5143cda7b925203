//! Uploads that break off never become the file.

use std::time::{Duration, Instant};

use allod_tests::{Request, Server};

use crate::noise;

fn eventually(mut holds: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(5) {
        if holds() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

#[test]
fn an_upload_cut_at_any_offset_leaves_the_old_file() {
    let server = Server::start();
    let app = server.app(&["all"]);
    let old = noise(1, 200_000);
    assert_eq!(server.send(&Request::dav("PUT", &app, "/f").body(old.clone())).status, 201);
    for size in [100usize, 10_000, 2_500_000] {
        let new = noise(2, size);
        let framed = Request::dav("PUT", &app, "/f").body(new.clone()).bytes();
        let head = framed.len() - size;
        for part in 0..8 {
            let cut = head + (size - 1) * part / 7;
            let mut connection = server.connect();
            connection.write(&framed[..cut]);
            match part % 2 {
                0 => drop(connection),
                _ => {
                    connection.finish_sending();
                    let reply = connection.read_reply(false);
                    assert!(reply.status == 0 || reply.status >= 400, "{}", reply.status);
                }
            }
        }
        for target in ["/new", "/f"] {
            let mut chunked =
                Request::dav("PUT", &app, target).header("Transfer-Encoding", "chunked").bytes();
            chunked.extend_from_slice(format!("{size:x}\r\n").as_bytes());
            chunked.extend_from_slice(&new);
            for end in ["", "\r\n", "\r\nzz\r\n", "\r\n5\r\nab"] {
                let mut connection = server.connect();
                connection.write(&chunked);
                connection.write(end.as_bytes());
                connection.finish_sending();
                let reply = connection.read_reply(false);
                assert!(reply.status == 0 || reply.status >= 400, "{end:?} {}", reply.status);
            }
        }
        let reply = server.send(&Request::dav("GET", &app, "/f"));
        assert!(reply.body == old, "size {size}");
        assert_eq!(server.send(&Request::dav("GET", &app, "/new")).status, 404);
    }
    assert!(eventually(|| server.send(&Request::dav("PUT", &app, "/f").body("whole")).status == 204));
    server.assert_sound();
}

#[test]
fn a_wrong_password_is_told_before_the_body_is_read() {
    let server = Server::start();
    let mut app = server.app(&["all"]);
    app.password = "wrong".into();
    let request = Request::dav("PUT", &app, "/f")
        .header("Expect", "100-continue")
        .header("Content-Length", "1000000000");
    let mut connection = server.connect();
    connection.write(&request.bytes());
    assert_eq!(connection.read_reply(false).status, 401);
}
