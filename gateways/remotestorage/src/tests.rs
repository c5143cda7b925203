//! The gateway through a real socket, over a store in memory: the draft's status codes as a table.

use std::net::SocketAddr;
use std::sync::Arc;

use allod_blobs::{BlobConfig, MasterKey};
use allod_core::{AccountChange, Core, Options};
use allod_kit::{Binding, HttpOptions, HttpRouter, Listener, Stop, serve_http};
use allod_meta::{Store, memory::Memory};
use allod_model::parse_grant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::RemoteStorage;

/// A served store. In requests `{rw}`, `{r}`, `{all}`, `{bob}` stand for tokens and `{etag}` for the last version seen.
struct Bench {
    core: Core,
    address: SocketAddr,
    tokens: Vec<(&'static str, String)>,
    etag: String,
    stop: Stop,
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

struct Reply {
    status: u16,
    /// Names in lower case.
    head: String,
    body: String,
}

/// Request line, token, headers, body, status, and what the answer holds.
type Step<'a> = (&'a str, &'a str, &'a str, &'a str, u16, &'a [&'a str]);

impl Bench {
    async fn new() -> Bench {
        let store = Store::new(Arc::new(Memory::new()));
        let options = Options::new(BlobConfig::new("memory:///"));
        let core = Core::open(store, MasterKey::from_bytes(&[7; 32]), options).await.unwrap();
        let operator = core.operator();
        for name in ["alice", "bob"] {
            operator.add_account(name, AccountChange::default()).await.unwrap();
        }
        let quota = AccountChange { quota: Some(Some(100_000)), ..AccountChange::default() };
        operator.change_account("alice", quota).await.unwrap();
        let mut tokens = Vec::new();
        for (name, account, grants) in [
            ("{rw}", "alice", &["/notes:rw@remotestorage", "/public/notes:rw@remotestorage"][..]),
            ("{r}", "alice", &["/notes:r@remotestorage", "/public/notes:r@remotestorage"]),
            ("{all}", "alice", &["/:rw@remotestorage"]),
            ("{append}", "alice", &["/notes:a"]),
            ("{sub}", "alice", &["/notes/work:rw", "/notes/deep/er:r"]),
            ("{dav}", "alice", &["/notes:rw@webdav"]),
            ("{bob}", "bob", &["all"]),
        ] {
            let grants = grants.iter().map(|grant| parse_grant(grant).unwrap()).collect();
            let made = operator.add_credential(account, name, grants, None).await.unwrap();
            tokens.push((name, made.bearer.to_string()));
        }
        let listener = Listener::bind(Binding::plain("127.0.0.1:0".parse().unwrap())).await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), Stop::new());
        let router = Arc::new(HttpRouter::new(vec![Arc::new(RemoteStorage::new(core.clone()))], || true));
        tokio::spawn(serve_http(listener, router, HttpOptions::default(), stop.clone()));
        Bench { core, address, tokens, etag: String::new(), stop }
    }

    fn filled(&self, text: &str) -> String {
        let text = text.replace("{etag}", &self.etag).replace("{here}", &self.address.to_string());
        self.tokens.iter().fold(text, |text, (name, token)| text.replace(name, token))
    }

    /// Sends a request: method and target, headers by `|`, body. `token` becomes the Authorization header.
    async fn ask(&mut self, line: &str, token: &str, headers: &str, body: &str) -> Reply {
        let mut head = format!("{line} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.address);
        if !token.is_empty() {
            head += &format!("Authorization: Bearer {token}\r\n");
        }
        for header in headers.split('|').filter(|header| !header.is_empty()) {
            head += &format!("{header}\r\n");
        }
        if !headers.contains("Transfer-Encoding") && (line.starts_with("PUT") || !body.is_empty()) {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        let mut socket = TcpStream::connect(self.address).await.unwrap();
        let request = self.filled(&format!("{head}\r\n")) + body;
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        let _ = socket.read_to_end(&mut bytes).await;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let text = text.trim_start_matches("HTTP/1.1 100 Continue\r\n\r\n");
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
        let lower = |line: &str| match line.split_once(':') {
            Some((name, value)) => format!("{}:{value}", name.to_ascii_lowercase()),
            None => line.to_owned(),
        };
        let head: Vec<String> = head.lines().map(lower).collect();
        if let Some(tag) = head.iter().find_map(|line| line.strip_prefix("etag: ")) {
            self.etag = tag.trim().to_owned();
        }
        Reply { status, head: head.join("\n"), body: body.to_owned() }
    }

    /// Each step: request line, token, headers, body, status, and what the answer holds (`!`: does not hold).
    async fn run(&mut self, steps: &[Step<'_>]) {
        for (number, (line, token, headers, body, status, holds)) in steps.iter().enumerate() {
            let before = self.etag.clone();
            let reply = self.ask(line, token, headers, body).await;
            let text = format!("{}\n\n{}", reply.head, reply.body);
            assert_eq!(reply.status, *status, "{number}: {line} ({token})\n{text}");
            for wanted in *holds {
                let after = std::mem::replace(&mut self.etag, before.clone());
                let (unwanted, wanted) = match wanted.strip_prefix('!') {
                    Some(unwanted) => (true, self.filled(unwanted)),
                    None => (false, self.filled(wanted)),
                };
                self.etag = after;
                assert_eq!(text.contains(&wanted), !unwanted, "{number}: {line}: {wanted}\n{text}");
            }
        }
    }
}

#[tokio::test]
async fn documents_and_versions() {
    let mut bench = Bench::new().await;
    bench
        .run(&[
            (
                "PUT /storage/alice/notes/a.txt",
                "{rw}",
                "Content-Type: text/plain; Charset=UTF-8",
                "one",
                201,
                &["etag: \""],
            ),
            (
                "GET /storage/alice/notes/a.txt",
                "{rw}",
                "",
                "",
                200,
                &[
                    "etag: {etag}",
                    "content-type: text/plain; Charset=UTF-8",
                    "content-length: 3",
                    "cache-control: no-cache\n",
                    "last-modified: ",
                    "accept-ranges: bytes",
                    "\n\none",
                ],
            ),
            (
                "HEAD /storage/alice/notes/a.txt",
                "{r}",
                "",
                "",
                200,
                &["content-length: 3", "!\n\none", "etag: {etag}"],
            ),
            (
                "GET /storage/alice/notes/a.txt",
                "{r}",
                "If-None-Match: \"x\", {etag}",
                "",
                304,
                &["etag: {etag}", "!\n\none", "cache-control: no-cache"],
            ),
            ("GET /storage/alice/notes/a.txt", "{r}", "If-None-Match: *", "", 304, &[]),
            ("GET /storage/alice/notes/a.txt", "{r}", "If-Match: \"x\"", "", 412, &["etag: {etag}"]),
            ("GET /storage/alice/notes/a.txt", "{r}", "If-None-Match: junk", "", 400, &[]),
            (
                "GET /storage/alice/notes/a.txt",
                "{r}",
                "Range: bytes=1-1",
                "",
                206,
                &["content-range: bytes 1-1/3", "\n\nn"],
            ),
            (
                "GET /storage/alice/notes/a.txt",
                "{r}",
                "Range: bytes=1-|If-Range: \"x\"",
                "",
                200,
                &["\n\none"],
            ),
            (
                "GET /storage/alice/notes/a.txt",
                "{r}",
                "Range: bytes=3-",
                "",
                416,
                &["content-range: bytes */3"],
            ),
            ("HEAD /storage/alice/notes/a.txt", "{r}", "Range: bytes=1-1", "", 200, &["content-length: 3"]),
            ("PUT /storage/alice/notes/a.txt", "{rw}", "If-None-Match: *", "two", 412, &["etag: {etag}"]),
            ("PUT /storage/alice/notes/a.txt", "{rw}", "If-Match: \"x\"", "two", 412, &["etag: {etag}"]),
            ("PUT /storage/alice/notes/a.txt", "{rw}", "If-Match: W/{etag}", "two", 412, &[]),
            ("PUT /storage/alice/notes/a.txt", "{rw}", "If-Match: {etag}", "two", 200, &["!etag: {etag}"]),
            ("PUT /storage/alice/notes/b/c/d", "{rw}", "If-Match: \"x\"", "x", 412, &["!etag"]),
            (
                "PUT /storage/alice/notes/b/c/d",
                "{rw}",
                "If-None-Match: *|Transfer-Encoding: chunked",
                "3\r\nabc\r\n0\r\n\r\n",
                201,
                &[],
            ),
            (
                "GET /storage/alice/notes/b/c/d",
                "{rw}",
                "",
                "",
                200,
                &["\n\nabc", "content-type: application/octet-stream"],
            ),
            ("PUT /storage/alice/notes/e", "{rw}", "Expect: 100-continue", "x", 201, &[]),
            ("PUT /storage/alice/notes/e", "{rw}", "Content-Range: bytes 0-0/3", "x", 400, &[]),
            ("PUT /storage/alice/notes/e", "{rw}", "Content-Encoding: gzip", "x", 415, &[]),
            ("PUT /storage/alice/notes/a.txt/x", "{rw}", "", "x", 409, &[]),
            ("PUT /storage/alice/notes/b", "{rw}", "", "x", 409, &[]),
            ("PUT /storage/alice/notes/b/c", "{rw}", "", "x", 409, &[]),
            ("GET /storage/alice/notes/b", "{rw}", "", "", 404, &["!etag"]),
            ("GET /storage/alice/notes/a.txt/", "{rw}", "", "", 404, &[]),
            ("DELETE /storage/alice/notes/b", "{rw}", "", "", 404, &[]),
            ("PUT /storage/alice/notes/b/", "{rw}", "", "x", 400, &[]),
            ("PUT /storage/alice/", "{all}", "", "x", 400, &[]),
            ("DELETE /storage/alice/notes/b/", "{rw}", "", "", 400, &[]),
            ("POST /storage/alice/notes/e", "{rw}", "", "x", 405, &["allow: GET"]),
            ("MKCOL /storage/alice/notes/f", "{rw}", "", "", 405, &[]),
            ("DELETE /storage/alice/notes/e", "{rw}", "If-Match: \"x\"", "", 412, &["etag: \""]),
            ("DELETE /storage/alice/notes/none", "{rw}", "If-Match: \"x\"", "", 412, &["!etag"]),
            ("DELETE /storage/alice/notes/none", "{rw}", "", "", 404, &["!etag"]),
            ("HEAD /storage/alice/notes/e", "{rw}", "", "", 200, &[]),
            ("DELETE /storage/alice/notes/e", "{rw}", "If-Match: {etag}", "", 200, &["etag: {etag}"]),
            ("GET /storage/alice/notes/e", "{rw}", "", "", 404, &[]),
            ("DELETE /storage/alice/notes/b/c/d", "{rw}", "", "", 200, &[]),
            ("PUT /storage/alice/notes/b", "{rw}", "", "now a document", 201, &[]),
        ])
        .await;
}

#[tokio::test]
async fn folders() {
    let mut bench = Bench::new().await;
    bench
        .run(&[
            (
                "GET /storage/alice/notes/",
                "{rw}",
                "",
                "",
                200,
                &[
                    "content-type: application/ld+json",
                    "etag: \"",
                    "cache-control: no-cache",
                    "{\"@context\":\"http://remotestorage.io/spec/folder-description\",\"items\":{}}",
                ],
            ),
            ("GET /storage/alice/", "{all}", "", "", 200, &["\"items\":{}"]),
            (
                "PUT /storage/alice/notes/a",
                "{rw}",
                "Content-Type: image/jpeg; charset=binary",
                "12345",
                201,
                &[],
            ),
            (
                "GET /storage/alice/notes/",
                "{rw}",
                "",
                "",
                200,
                &[
                    "\"a\":{\"Content-Length\":5,\"Content-Type\":\"image/jpeg; charset=binary\",\"ETag\":\"",
                    "\"Last-Modified\":\"",
                ],
            ),
            (
                "GET /storage/alice/notes/",
                "{rw}",
                "If-None-Match: {etag}",
                "",
                304,
                &["etag: {etag}", "!items"],
            ),
            ("HEAD /storage/alice/notes/", "{rw}", "", "", 200, &["etag: {etag}", "content-length: "]),
            ("PUT /storage/alice/notes/b/c/d", "{rw}", "", "x", 201, &[]),
            ("GET /storage/alice/notes/", "{rw}", "", "", 200, &["\"b/\":{\"ETag\":\"", "!\"c/\""]),
            ("PUT /storage/alice/notes/b/c/d", "{rw}", "", "y", 200, &[]),
            ("GET /storage/alice/", "{all}", "", "", 200, &["\"notes/\":{\"ETag\"", "!Mail", "!public"]),
            ("PUT /storage/alice/notes/b/c/d", "{rw}", "", "z", 200, &[]),
            ("GET /storage/alice/notes/none/", "{r}", "", "", 200, &["\"items\":{}"]),
            ("DELETE /storage/alice/notes/b/c/d", "{rw}", "", "", 200, &[]),
            ("GET /storage/alice/notes/", "{rw}", "", "", 200, &["!b/"]),
            ("GET /storage/alice/notes/b/", "{rw}", "", "", 200, &["\"items\":{}"]),
        ])
        .await;
    let version = |reply: &Reply| reply.head.lines().find(|l| l.starts_with("etag:")).unwrap().to_owned();
    let mut seen = Vec::new();
    for round in 0..3 {
        bench.ask("PUT /storage/alice/notes/x/y/z", "{rw}", "", &format!("{round}")).await;
        for folder in ["notes/x/y/", "notes/x/", "notes/"] {
            let reply = bench.ask(&format!("GET /storage/alice/{folder}"), "{rw}", "", "").await;
            assert!(!seen.contains(&version(&reply)), "{folder}: a version that was there before");
            seen.push(version(&reply));
        }
        bench.ask("DELETE /storage/alice/notes/x/y/z", "{rw}", "", "").await;
    }
}

#[tokio::test]
async fn a_folder_of_many_is_one_description() {
    let bench = &mut Bench::new().await;
    let session = bench.core.operator().session("alice").unwrap();
    for n in 0..2100 {
        let path = allod_model::Path::parse(format!("notes/{n}").as_bytes(), allod_model::NameRule::Strict);
        let body = futures_util::stream::iter([Ok(bytes::Bytes::from_static(b"x"))]);
        let options = allod_core::PutOptions { make_parents: true, ..Default::default() };
        session.put(&path.unwrap(), options, Default::default(), body).await.unwrap();
    }
    let reply = bench.ask("GET /storage/alice/notes/", "{rw}", "", "").await;
    let joined: String = match reply.head.contains("chunked") {
        true => reply
            .body
            .split("\r\n")
            .enumerate()
            .filter(|(at, _)| at % 2 == 1)
            .map(|(_, piece)| piece)
            .collect(),
        false => reply.body,
    };
    let description: serde_json::Value = serde_json::from_str(&joined).unwrap();
    assert_eq!(description["items"].as_object().unwrap().len(), 2100);
}

#[tokio::test]
async fn who_may_do_what() {
    let mut bench = Bench::new().await;
    bench
        .run(&[
            ("PUT /storage/alice/notes/a", "{rw}", "", "x", 201, &[]),
            ("PUT /storage/alice/public/notes/a", "{rw}", "Content-Type: text/html", "x", 201, &[]),
            ("GET /storage/alice/notes/a", "", "", "", 401, &["www-authenticate: Bearer realm", "!error="]),
            ("GET /storage/alice/notes/a", "junk", "", "", 401, &["error=\"invalid_token\""]),
            ("GET /storage/alice/notes/a", "", "Authorization: Basic YTpi", "", 401, &[]),
            ("GET /storage/alice/notes/a?access_token={rw}", "", "", "", 401, &[]),
            ("PUT /storage/alice/notes/a", "{r}", "", "y", 403, &["error=\"insufficient_scope\""]),
            ("DELETE /storage/alice/notes/a", "{r}", "", "", 403, &[]),
            ("PUT /storage/alice/notes/a", "{append}", "", "y", 403, &[]),
            ("DELETE /storage/alice/notes/a", "{append}", "", "", 403, &[]),
            ("PUT /storage/alice/notes/new", "{append}", "", "y", 201, &[]),
            ("GET /storage/alice/other/a", "{rw}", "", "", 403, &[]),
            ("GET /storage/alice/other/", "{rw}", "", "", 403, &[]),
            ("PUT /storage/alice/other/a", "{rw}", "", "y", 403, &[]),
            ("DELETE /storage/alice/other/a", "{rw}", "", "", 403, &[]),
            ("PUT /storage/alice/a", "{rw}", "", "y", 403, &[]),
            ("GET /storage/alice/", "{rw}", "", "", 403, &[]),
            ("GET /storage/alice/public/", "{rw}", "", "", 403, &[]),
            ("PUT /storage/alice/notesx/a", "{rw}", "", "y", 403, &[]),
            ("GET /storage/alice/notes/a", "{dav}", "", "", 403, &[]),
            ("GET /storage/bob/notes/a", "{rw}", "", "", 403, &[]),
            ("GET /storage/nobody/notes/a", "{rw}", "", "", 403, &[]),
            ("PUT /storage/bob/notes/a", "{all}", "", "y", 403, &[]),
            ("GET /storage/alice/notes/a", "{bob}", "", "", 403, &[]),
            (
                "GET /storage/alice/public/notes/a",
                "",
                "",
                "",
                200,
                &["cache-control: no-cache, public", "sandbox"],
            ),
            ("GET /storage/alice/public/notes/a", "junk", "", "", 200, &[]),
            ("GET /storage/alice/public/notes/a", "{bob}", "", "", 200, &[]),
            ("HEAD /storage/alice/public/notes/a", "", "", "", 200, &[]),
            ("GET /storage/alice/public/notes/none", "", "", "", 404, &[]),
            ("GET /storage/nobody/public/notes/a", "", "", "", 404, &[]),
            ("GET /storage/alice/public/notes/", "", "", "", 401, &[]),
            ("GET /storage/alice/public/notes/none/", "", "", "", 401, &[]),
            ("GET /storage/alice/public/notes", "", "", "", 404, &[]),
            ("GET /storage/alice/public/", "", "", "", 401, &[]),
            ("GET /storage/alice/public", "", "", "", 401, &[]),
            ("PUT /storage/alice/public/notes/a", "", "", "y", 401, &[]),
            ("DELETE /storage/alice/public/notes/a", "", "", "", 401, &[]),
            ("PUT /storage/alice/public/other/a", "{rw}", "", "y", 403, &[]),
            ("GET /storage/alice/public/notes/", "{r}", "", "", 200, &["\"a\""]),
            ("GET /storage/alice/public/../notes/a", "", "", "", 400, &[]),
            ("GET /storage/alice/public/%2e%2e/notes/a", "", "", "", 400, &[]),
            ("GET /storage/alice/public/..%2fnotes/a", "", "", "", 400, &[]),
            ("GET /storage/alice/public/notes%2fa", "", "", "", 400, &[]),
            ("GET /storage/alice//notes/a", "{rw}", "", "", 400, &[]),
            ("GET /storage/alice/notes//a", "{rw}", "", "", 400, &[]),
            ("GET /storage/alice%2fnotes/a", "{rw}", "", "", 403, &[]),
            ("GET /storage/", "{rw}", "", "", 403, &[]),
            ("GET /storage/alice/notes/a", "{rw}", "", "", 200, &["\n\nx"]),
        ])
        .await;
}

#[tokio::test]
async fn a_narrowed_token_sees_the_way_to_its_corner() {
    let mut bench = Bench::new().await;
    let steps: [Step<'_>; 13] = [
        ("PUT /storage/alice/notes/work/a", "{sub}", "", "x", 201, &[]),
        ("PUT /storage/alice/notes/a", "{rw}", "", "x", 201, &[]),
        ("PUT /storage/alice/notes/deep/er/a", "{rw}", "", "x", 201, &[]),
        ("PUT /storage/alice/notes/deep/b", "{rw}", "", "x", 201, &[]),
        ("GET /storage/alice/notes/a", "{sub}", "", "", 403, &[]),
        ("GET /storage/alice/notes/", "{sub}", "", "", 200, &["\"work/\"", "\"deep/\"", "!\"a\""]),
        ("GET /storage/alice/notes/", "{sub}", "If-None-Match: {etag}", "", 304, &[]),
        ("PUT /storage/alice/notes/a", "{rw}", "", "y", 200, &[]),
        ("GET /storage/alice/notes/deep/", "{sub}", "", "", 200, &["\"er/\"", "!\"b\""]),
        ("GET /storage/alice/notes/", "{sub}", "", "", 200, &[]),
        ("PUT /storage/alice/notes/a", "{rw}", "If-None-Match: {etag}", "z", 200, &[]),
        ("GET /storage/alice/notes/none/", "{sub}", "", "", 403, &[]),
        ("GET /storage/alice/", "{sub}", "", "", 403, &[]),
    ];
    bench.run(&steps).await;
    let reply = bench.ask("GET /storage/alice/notes/", "{sub}", "", "").await;
    let before = bench.etag.clone();
    bench.ask("PUT /storage/alice/notes/deep/er/a", "{rw}", "", "changed").await;
    let after = bench.ask("GET /storage/alice/notes/", "{sub}", "", "").await;
    assert!(reply.status == 200 && after.status == 200 && bench.etag != before, "a change below is seen");
}

#[tokio::test]
async fn names_of_every_sort() {
    let mut bench = Bench::new().await;
    let long = "x".repeat(255);
    let names = [
        ("a%20b", "a b"),
        ("%C3%A9", "é"),
        ("e%CC%81", "e\u{301}"),
        ("a+b", "a+b"),
        ("a%2Bb%3Fc%23d%25e", "a+b?c#d%e"),
        ("a:b@c;d=e&f,g!h$i'j(k)l*m", "a:b@c;d=e&f,g!h$i'j(k)l*m"),
        ("...", "..."),
        (".hidden", ".hidden"),
        ("%22quoted%22%5C", "\"quoted\"\\"),
        ("%0A%09%7F", "\n\t\u{7f}"),
        ("%E6%97%A5%E6%9C%AC", "日本"),
        ("%F0%9F%98%80", "😀"),
        ("__proto__", "__proto__"),
        ("constructor", "constructor"),
        ("a%252Fb", "a%2Fb"),
        (long.as_str(), long.as_str()),
    ];
    for (encoded, name) in names {
        let line = |method: &str| format!("{method} /storage/alice/notes/{encoded}");
        assert_eq!(bench.ask(&line("PUT"), "{rw}", "", name).await.status, 201, "{encoded}");
        let reply = bench.ask(&line("GET"), "{rw}", "", "").await;
        assert_eq!((reply.status, reply.body.as_str()), (200, name), "{encoded}");
        let listed = bench.ask("GET /storage/alice/notes/", "{rw}", "", "").await;
        let listed: serde_json::Value = serde_json::from_str(&listed.body).unwrap();
        assert!(listed["items"].get(name).is_some(), "{name}");
        assert_eq!(
            bench
                .ask(
                    &line("PUT").replace("notes/", "notes/d/").replace(encoded, &format!("{encoded}/f")),
                    "{rw}",
                    "",
                    ""
                )
                .await
                .status,
            201
        );
        assert_eq!(bench.ask(&line("DELETE"), "{rw}", "", "").await.status, 200, "{encoded}");
    }
    let too_long = format!("GET /storage/alice/notes/{}x", long);
    let too_deep = format!("GET /storage/alice/notes{}", "/d".repeat(600));
    for (line, status) in [
        (too_long.as_str(), 414),
        (too_deep.as_str(), 414),
        ("GET /storage/alice/notes/%00", 400),
        ("GET /storage/alice/notes/.", 400),
        ("GET /storage/alice/notes/%2e", 400),
        ("GET /storage/alice/notes/./", 400),
        ("GET /storage/alice/notes/%ff", 400),
        ("GET /storage/alice/notes/%", 400),
        ("GET /storage/alice/notes/%zz", 400),
        ("PUT /storage/alice/notes/a?b", 400),
        ("DELETE /storage/alice/notes/a?", 400),
    ] {
        assert_eq!(bench.ask(line, "{rw}", "", "").await.status, status, "{line}");
    }
}

#[tokio::test]
async fn refusals_of_core_come_in_the_drafts_words() {
    let mut bench = Bench::new().await;
    let much = "x".repeat(100_001);
    let steps: [Step<'_>; 8] = [
        ("PUT /storage/alice/notes/much", "{rw}", "", &much, 507, &["access-control-allow-origin"]),
        (
            "PUT /storage/alice/Calendars/Personal/a.ics",
            "{all}",
            "Content-Type: text/calendar",
            "no event",
            400,
            &["\n\n"],
        ),
        ("PUT /storage/alice/Contacts/Personal/a.vcf", "{all}", "", "no card", 400, &[]),
        ("PUT /storage/alice/notes/a", "{rw}", "Content-Type: \u{e9}", "x", 400, &[]),
        ("PUT /storage/alice/notes/a", "{rw}", "If-Match: nothing", "x", 400, &[]),
        ("GET /storage/alice/notes/a", "{rw}", "", "", 404, &[]),
        ("GET /storage/alice/notes/", "{rw}", "", "", 200, &["\"items\":{}"]),
        ("GET /storage/alice/Calendars/Personal/", "{all}", "", "", 200, &["\"items\":{}"]),
    ];
    bench.run(&steps).await;
    let mut socket = TcpStream::connect(bench.address).await.unwrap();
    let head = "PUT /storage/alice/notes/cut HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nAuthorization: Bearer {rw}\r\n\r\nshort";
    socket.write_all(bench.filled(head).as_bytes()).await.unwrap();
    socket.shutdown().await.unwrap();
    let mut end = Vec::new();
    let _ = socket.read_to_end(&mut end).await;
    assert!(!String::from_utf8_lossy(&end).starts_with("HTTP/1.1 20"), "a short body is not taken");
    assert_eq!(bench.ask("GET /storage/alice/notes/cut", "{rw}", "", "").await.status, 404);
}

#[tokio::test]
async fn every_answer_is_open_to_other_origins() {
    let mut bench = Bench::new().await;
    let origin = "Origin: https://litewrite.net";
    let open: &[&str] = &[
        "access-control-allow-origin: https://litewrite.net",
        "access-control-expose-headers: ETag",
        "vary: Origin",
        "!allow-credentials",
    ];
    let steps: [Step<'_>; 9] = [
        ("PUT /storage/alice/notes/a", "{rw}", origin, "x", 201, open),
        ("GET /storage/alice/notes/a", "{rw}", origin, "", 200, open),
        ("GET /storage/alice/notes/", "{rw}", origin, "", 200, open),
        ("GET /storage/alice/notes/b", "{rw}", origin, "", 404, open),
        ("GET /storage/alice/notes/a", "", origin, "", 401, open),
        ("GET /storage/alice/other/a", "{rw}", origin, "", 403, open),
        ("POST /storage/alice/notes/a", "{rw}", origin, "", 405, open),
        ("GET /storage/alice/notes/%", "{rw}", origin, "", 400, open),
        ("DELETE /storage/alice/notes/a", "{rw}", origin, "", 200, open),
    ];
    bench.run(&steps).await;
    let asked = "Origin: https://litewrite.net|Access-Control-Request-Method: PUT|Access-Control-Request-Headers: authorization,if-match";
    for place in ["alice/notes/a", "nobody/x", "alice/%"] {
        let reply = bench.ask(&format!("OPTIONS /storage/{place}"), "", asked, "").await;
        assert_eq!((reply.status, reply.body.as_str()), (204, ""));
        for wanted in [
            "allow-origin: https://litewrite.net",
            "PUT",
            "DELETE",
            "Authorization",
            "If-None-Match",
            "Range",
        ] {
            assert!(reply.head.contains(wanted), "{wanted}: {}", reply.head);
        }
    }
}

#[tokio::test]
async fn webfinger_says_the_same_of_everybody() {
    let mut bench = Bench::new().await;
    let finger = |resource: &str| format!("GET /.well-known/webfinger?resource={resource}");
    let known = bench.ask(&finger("acct:alice@{here}"), "", "Origin: https://a.example", "").await;
    for wanted in ["application/jrd+json", "access-control-allow-origin: *"] {
        assert!(known.head.contains(wanted), "{wanted}: {}", known.head);
    }
    let here = bench.address;
    let record: serde_json::Value = serde_json::from_str(&known.body).unwrap();
    let link = &record["links"][0];
    assert_eq!(link["rel"], "http://tools.ietf.org/id/draft-dejong-remotestorage");
    assert_eq!(link["href"], format!("http://{here}/storage/alice"));
    let properties = &link["properties"];
    assert_eq!(properties["http://remotestorage.io/spec/version"], "draft-dejong-remotestorage-26");
    assert_eq!(
        properties["http://tools.ietf.org/html/rfc6749#section-4.2"],
        format!("http://{here}/oauth/authorize/alice")
    );
    assert_eq!(properties["http://tools.ietf.org/html/rfc7636"], "S256");
    let unknown = bench.ask(&finger("acct:nobody@{here}"), "", "", "").await;
    assert_eq!(unknown.body.replace("nobody", "alice"), known.body);
    for resource in
        ["https%3A%2F%2F{here}%2Falice", "acct%3AALICE%40{here}", "alice@{here}", "http://{here}/~alice/"]
    {
        let reply = bench.ask(&finger(resource), "", "", "").await;
        assert!(reply.status == 200 && reply.body.contains("/storage/alice\""), "{resource}: {}", reply.body);
    }
    for (query, status) in [
        ("", 400),
        ("?resource=", 404),
        ("?resource=acct:@{here}", 404),
        ("?resource=acct:a%22b@{here}", 404),
        ("?resource=acct:..%2fx@{here}", 404),
        ("?resource=ftp://x/alice", 404),
        ("?resource=https://{here}/", 404),
        ("?resource=%ff", 400),
        ("?resource=alice@x&resource=bob@x", 400),
    ] {
        assert_eq!(
            bench.ask(&format!("GET /.well-known/webfinger{query}"), "", "", "").await.status,
            status,
            "{query}"
        );
    }
    let other = bench.ask(&format!("{}&rel=other", finger("alice@x")), "", "", "").await;
    assert!(other.body.contains("\"links\":[]"), "{}", other.body);
    assert_eq!(bench.ask("POST /.well-known/webfinger", "", "", "").await.status, 405);
    let hostile = bench.ask(&finger("alice@x"), "", "X-Forwarded-Host: evil.example", "").await;
    assert!(!hostile.body.contains("evil"), "only a trusted proxy names the host");
}
