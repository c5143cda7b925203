//! Mail in every window: what one puts, another sees, changes and removes.

use std::time::{Duration, Instant};

use allod_tests::{App, Imap, Request, Server};

use crate::noise;

/// A message with this subject.
pub fn mail(subject: &str) -> Vec<u8> {
    let text = format!(
        "From: Ada <ada@example.org>\r\nTo: alice@example.org\r\nSubject: {subject}\r\n\
         Date: Wed, 17 Jul 1996 02:23:25 -0700\r\nMessage-ID: <{subject}@example.org>\r\n\r\nA line.\r\n"
    );
    text.into_bytes()
}

/// The paths of the messages in a folder, as WebDAV lists them, below `/dav/alice`.
pub fn files(server: &Server, app: &App, folder: &str) -> Vec<String> {
    let body = "<D:propfind xmlns:D=\"DAV:\"><D:prop><D:getetag/></D:prop></D:propfind>";
    let list = Request::dav("PROPFIND", app, folder).header("Depth", "1").body(body);
    let text = server.send(&list).text();
    let hrefs = text.split("<D:href>").skip(1).filter_map(|rest| rest.split_once("</D:href>"));
    let below = hrefs.filter_map(|(href, _)| href.strip_prefix("/dav/alice"));
    below.filter(|path| !path.ends_with('/')).map(str::to_owned).collect()
}

#[test]
fn a_message_that_is_appended_is_a_file() {
    let mut server = Server::start();
    let app = server.app(&["all"]);
    let mut imap = Imap::login(&server, &app);
    let text = mail("bytes");
    let appended = imap.append("INBOX", &text);
    assert!(appended.completion.starts_with("OK [APPENDUID "), "{}", appended.completion);
    let found = files(&server, &app, "/Mail/INBOX/");
    assert_eq!(found.len(), 1);
    let reply = server.send(&Request::dav("GET", &app, &found[0]));
    assert!(reply.status == 200 && reply.body == text, "byte for byte");
    assert!(reply.header("content-type").is_some_and(|media| media.starts_with("message/rfc822")));
    imap.want("SELECT INBOX");
    assert_eq!(imap.want("FETCH 1 BODY.PEEK[]").literal(), text);
    // What is acknowledged survives a kill.
    server.kill();
    server.serve();
    let mut imap = Imap::select(&server, &app, "INBOX");
    assert_eq!(imap.want("FETCH 1 BODY.PEEK[]").literal(), text);
    drop(imap);
    server.assert_sound();
}

#[test]
fn other_windows_are_heard_of_while_idle() {
    let server = Server::start();
    let app = server.app(&["all"]);
    let mut imap = Imap::select(&server, &app, "INBOX");
    imap.idle();
    let put = |name: &str, text: Vec<u8>| {
        let put = Request::dav("PUT", &app, name).header("Content-Type", "message/rfc822").body(text);
        server.send(&put).status
    };
    let began = Instant::now();
    assert_eq!(put("/Mail/INBOX/one.eml", mail("one")), 201);
    imap.wait("* 1 EXISTS");
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(put("/Mail/INBOX/two.eml", mail("two")), 201);
    imap.wait("* 2 EXISTS");
    imap.done();
    let first = imap.want("FETCH 1 (UID BODY.PEEK[])");
    assert_eq!(first.literal(), mail("one"));
    // Other content is another message: it gets a UID of its own.
    assert_eq!(put("/Mail/INBOX/one.eml", mail("changed")), 204);
    imap.want("NOOP");
    let found = imap.want("UID SEARCH ALL");
    assert_eq!(found.with("* SEARCH 2 3").len() + found.with("ALL 2:3").len(), 1, "{:?}", found.untagged);
    assert_eq!(imap.want("UID FETCH 3 BODY.PEEK[]").literal(), mail("changed"));
    imap.idle();
    assert_eq!(server.send(&Request::dav("DELETE", &app, "/Mail/INBOX/two.eml")).status, 204);
    imap.wait("* 1 EXPUNGE");
    imap.done();
    assert_eq!(put("/Mail/INBOX/none.eml", b"\0\0\0".to_vec()) / 100, 4, "no message");
}

#[test]
fn what_is_expunged_is_gone_everywhere_and_can_be_had_back() {
    let server = Server::start();
    let app = server.app(&["all"]);
    let mut imap = Imap::login(&server, &app);
    imap.append("INBOX", &mail("gone"));
    let path = files(&server, &app, "/Mail/INBOX/").remove(0);
    imap.want("SELECT INBOX");
    imap.want("STORE 1 +FLAGS.SILENT (\\Deleted)");
    let answer = imap.want("EXPUNGE");
    assert_eq!(answer.with("* 1 EXPUNGE").len(), 1);
    assert_eq!(server.send(&Request::dav("GET", &app, &path)).status, 404);
    let trash = server.cli(&["trash", "alice", "--json"]);
    let gone = trash.as_array().and_then(|list| list.iter().find(|one| one["path"] == path.as_str()));
    let before = gone.and_then(|one| one["seq"].as_u64()).expect("it lies in the trash") - 1;
    server.cli(&["restore", "alice", &path, "--seq", &before.to_string(), "--json"]);
    assert_eq!(server.send(&Request::dav("GET", &app, &path)).body, mail("gone"));
    assert_eq!(imap.want("NOOP").with("* 1 EXISTS").len(), 1);
    assert_eq!(imap.want("FETCH 1 BODY.PEEK[]").literal(), mail("gone"));
}

#[test]
fn a_mailbox_that_is_made_is_a_folder() {
    let server = Server::start();
    let app = server.app(&["all"]);
    let mut imap = Imap::login(&server, &app);
    imap.want("CREATE \"Entw&APw-rfe/Neu\"");
    imap.want("SUBSCRIBE \"Entw&APw-rfe/Neu\"");
    imap.append("Entw&APw-rfe/Neu", &mail("x"));
    assert_eq!(files(&server, &app, "/Mail/Entw%C3%BCrfe/Neu/").len(), 1);
    assert_eq!(
        server
            .send(
                &Request::dav("MOVE", &app, "/Mail/Entw%C3%BCrfe/")
                    .header("Destination", "/dav/alice/Mail/Moved/")
            )
            .status,
        201
    );
    let listed = imap.want("LIST \"\" \"*\"");
    assert!(!listed.with("Moved/Neu").is_empty(), "{:?}", listed.untagged);
    assert_eq!(imap.want("STATUS Moved/Neu (MESSAGES)").with("MESSAGES 1").len(), 1);
}

#[test]
fn a_lock_binds_mail_programs_too() {
    let server = Server::start();
    let app = server.app(&["all"]);
    let mut imap = Imap::login(&server, &app);
    imap.append("INBOX", &mail("locked"));
    let path = files(&server, &app, "/Mail/INBOX/").remove(0);
    let lock = "<D:lockinfo xmlns:D=\"DAV:\"><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype>\
                </D:lockinfo>";
    assert_eq!(server.send(&Request::dav("LOCK", &app, &path).body(lock)).status, 200);
    imap.want("SELECT INBOX");
    imap.ask("STORE 1 +FLAGS.SILENT (\\Deleted)");
    imap.ask("EXPUNGE");
    assert_eq!(server.send(&Request::dav("GET", &app, &path)).status, 200, "a locked message stays");
}

#[test]
fn a_large_message_passes_through() {
    let server = Server::start();
    let app = server.app(&["all"]);
    let mut imap = Imap::select(&server, &app, "INBOX");
    let body: String = noise(3, 9_000_000).iter().map(|byte| char::from(b'a' + byte % 26)).collect();
    let lines: Vec<&str> = (0..body.len() / 70).map(|n| &body[n * 70..(n + 1) * 70]).collect();
    let text = [mail("large"), lines.join("\r\n").into_bytes(), b"\r\n".to_vec()].concat();
    let appended = imap.append("INBOX", &text);
    assert!(appended.is_ok(), "{}", appended.completion);
    imap.want("NOOP");
    assert!(imap.want("FETCH 1 BODY.PEEK[]").literal() == text, "byte for byte");
    let part = imap.want("FETCH 1 BODY.PEEK[]<5000000.1000>");
    assert_eq!(part.literal(), &text[5_000_000..5_001_000]);
    assert_eq!(imap.want("FETCH 1 RFC822.SIZE").with(&format!("RFC822.SIZE {}", text.len())).len(), 1);
}

#[test]
fn revoked_and_stopped() {
    let mut server = Server::start();
    let (kept, revoked) = (server.app(&["mail"]), server.app(&["mail"]));
    let mut idle = Imap::select(&server, &revoked, "INBOX");
    idle.idle();
    let mut quiet = Imap::login(&server, &kept);
    server.cli(&["app", "revoke", &revoked.id, "--json"]);
    let began = Instant::now();
    idle.wait("* BYE ");
    assert!(idle.line().is_none());
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    quiet.want("NOOP");
    server.stop();
    quiet.wait("* BYE ");
}
