//! The S3 window: what goes in comes out, exactly, here and in the drive.

use allod_tests::{App, Reply, Request, Server, Signer};

use crate::noise;

/// A server with a bucket and somebody who may do everything.
pub struct Scene {
    pub server: Server,
    pub owner: App,
    pub signer: Signer,
}

impl Scene {
    pub fn new() -> Scene {
        let server = Server::start();
        let owner = server.app(&["all"]);
        let signer = Signer::of(&owner);
        let scene = Scene { server, owner, signer };
        scene.want(200, "PUT", "/bucket", &[], b"");
        scene
    }

    pub fn send(&self, request: &Request) -> Reply {
        self.server.connect_s3().send(request)
    }

    pub fn ask(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        self.send(&self.signer.request(method, target, headers, body))
    }

    pub fn want(
        &self,
        status: u16,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Reply {
        let reply = self.ask(method, target, headers, body);
        assert_eq!(reply.status, status, "{method} {target} {headers:?}: {}", reply.text());
        reply
    }

    /// The keys of a listing.
    pub fn keys(&self, target: &str) -> Vec<String> {
        elements(&self.want(200, "GET", target, &[], b"").text(), "Key")
    }
}

/// The texts of all elements of a name, unescaped.
pub fn elements(document: &str, name: &str) -> Vec<String> {
    let (start, end) = (format!("<{name}>"), format!("</{name}>"));
    let texts = document.split(start.as_str()).skip(1).filter_map(|rest| rest.split(end.as_str()).next());
    let unescape = |text: &str| {
        let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
        text.replace("&#xa;", "\n").replace("&#xd;", "\r").replace("&#x1;", "\u{1}").replace("&amp;", "&")
    };
    texts.map(unescape).collect()
}

/// The code of an error document.
pub fn code(reply: &Reply) -> String {
    elements(&reply.text(), "Code").first().cloned().unwrap_or_default()
}

fn md5_of_hello() -> &'static str {
    "\"5d41402abc4b2a76b9719d911017c592\""
}

#[test]
fn an_object_in_both_windows() {
    let scene = Scene::new();
    let headers = [
        ("Content-Type", "text/x-note"),
        ("Cache-Control", "max-age=5"),
        ("x-amz-meta-Colour", "blue"),
        ("x-amz-tagging", "a=1&b=2"),
        ("x-amz-server-side-encryption", "AES256"),
    ];
    let put = scene.want(200, "PUT", "/bucket/dir/note", &headers, b"hello");
    assert_eq!(put.header("etag"), Some(md5_of_hello()));
    assert_eq!(put.header("x-amz-server-side-encryption"), Some("AES256"));
    assert!(put.header("x-amz-request-id").is_some() && put.header("x-amz-id-2").is_some());
    assert!(put.header("x-amz-version-id").is_none(), "this bucket keeps no versions");
    for method in ["GET", "HEAD"] {
        let got = scene.want(200, method, "/bucket/dir/note", &[("x-amz-checksum-mode", "ENABLED")], b"");
        for (name, value) in [
            ("etag", md5_of_hello()),
            ("content-type", "text/x-note"),
            ("cache-control", "max-age=5"),
            ("x-amz-meta-colour", "blue"),
            ("x-amz-tagging-count", "2"),
            ("content-length", "5"),
            ("accept-ranges", "bytes"),
            ("x-amz-checksum-type", "FULL_OBJECT"),
        ] {
            assert_eq!(got.header(name), Some(value), "{method} {name}");
        }
        assert!(got.header("x-amz-checksum-crc64nvme").is_some(), "S3 gives each object one");
        assert_eq!(got.body, if method == "GET" { &b"hello"[..] } else { b"" });
    }
    let drive = scene.server.send(&Request::dav("GET", &scene.owner, "/bucket/dir/note"));
    assert_eq!((drive.status, drive.body.as_slice()), (200, &b"hello"[..]));
    let moved = Request::dav("MOVE", &scene.owner, "/bucket/dir/note")
        .header("Destination", "/dav/alice/bucket/renamed");
    assert_eq!(scene.server.send(&moved).status, 201);
    assert_eq!(scene.keys("/bucket"), ["renamed"]);
    assert_eq!(
        scene.server.send(&Request::dav("PUT", &scene.owner, "/bucket/new").body("by dav")).status,
        201
    );
    let got = scene.want(200, "GET", "/bucket/new", &[], b"");
    assert_eq!(got.body, b"by dav");
    assert!(got.header("etag").unwrap().ends_with("-1\""), "no client may take it for an MD5");
    assert_eq!(got.header("content-type"), Some("binary/octet-stream"));
    scene.want(204, "DELETE", "/bucket/renamed", &[], b"");
    scene.want(204, "DELETE", "/bucket/renamed", &[], b"");
    assert_eq!(code(&scene.want(404, "GET", "/bucket/renamed", &[], b"")), "NoSuchKey");
    assert_eq!(code(&scene.want(409, "DELETE", "/bucket", &[], b"")), "BucketNotEmpty");
    scene.want(204, "DELETE", "/bucket/new", &[], b"");
    scene.want(204, "DELETE", "/bucket", &[], b"");
    assert_eq!(code(&scene.want(404, "GET", "/bucket", &[], b"")), "NoSuchBucket");
    scene.server.assert_sound();
}

#[test]
fn keys_come_back_exact() {
    let scene = Scene::new();
    // As sent, and as the key is.
    let keys = [
        ("a", "a"),
        ("a/b", "a/b"),
        ("a//b", "a//b"),
        ("/lead", "/lead"),
        ("//", "//"),
        ("dir/", "dir/"),
        ("./x", "./x"),
        ("x/../y", "x/../y"),
        ("%25252F", "%252F"),
        ("sp%20ace%2Bplus", "sp ace+plus"),
        ("%C3%A9%F0%9F%98%80", "é😀"),
        ("q%3Fx%23y%26z%3D", "q?x#y&z="),
        ("nl%0Acr%0D%01", "nl\ncr\r\u{1}"),
        ("%3Ca%3E%22%27%26amp%3B", "<a>\"'&amp;"),
    ];
    for (sent, key) in keys {
        scene.want(200, "PUT", &format!("/bucket/{sent}"), &[], key.as_bytes());
    }
    for (sent, key) in keys {
        let got = scene.want(200, "GET", &format!("/bucket/{sent}"), &[], b"");
        assert_eq!(got.body, key.as_bytes(), "{sent}");
    }
    let mut wanted: Vec<String> = keys.iter().map(|(_, key)| (*key).to_owned()).collect();
    wanted.sort();
    assert_eq!(scene.keys("/bucket"), wanted);
    let listed = scene.want(200, "GET", "/bucket?encoding-type=url&list-type=2", &[], b"").text();
    assert!(listed.contains("<EncodingType>url</EncodingType>"));
    assert!(listed.contains("<Key>nl%0Acr%0D%01</Key>") && listed.contains("<Key>%25252F</Key>"), "{listed}");
    let long = "k".repeat(1024);
    scene.want(200, "PUT", &format!("/bucket/{long}"), &[], b"long");
    assert_eq!(code(&scene.want(400, "PUT", &format!("/bucket/{long}k"), &[], b"")), "KeyTooLongError");
    // All of them again by one document.
    let escape = |key: &str| {
        let key = key.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        key.replace('\n', "&#10;").replace('\r', "&#xD;").replace('\u{1}', "&#x1;").replace('😀', "&#128512;")
    };
    let objects: String = wanted
        .iter()
        .chain([&long])
        .map(|key| format!("<Object><Key>{}</Key></Object>", escape(key)))
        .collect();
    let body = format!("<Delete>{objects}<Quiet>true</Quiet></Delete>");
    let reply = scene.want(200, "POST", "/bucket?delete", &[], body.as_bytes());
    assert_eq!(elements(&reply.text(), "Error"), Vec::<String>::new());
    assert_eq!(scene.keys("/bucket"), Vec::<String>::new());
}

#[test]
fn listings_by_pages() {
    let scene = Scene::new();
    for key in ["a", "a/1", "a/2", "b", "b/x/1", "c"] {
        scene.want(200, "PUT", &format!("/bucket/{key}"), &[], b"");
    }
    let flat = ["a", "a/1", "a/2", "b", "b/x/1", "c"];
    let mut found = Vec::new();
    let mut marker = String::new();
    loop {
        let target = format!("/bucket?list-type=2&max-keys=2{marker}");
        let page = scene.want(200, "GET", &target, &[], b"").text();
        found.extend(elements(&page, "Key"));
        assert_eq!(elements(&page, "KeyCount"), ["2"]);
        match elements(&page, "NextContinuationToken").first() {
            Some(token) => marker = format!("&continuation-token={token}"),
            None => break,
        }
    }
    assert_eq!(found, flat);
    let page = scene.want(200, "GET", "/bucket?delimiter=%2F&max-keys=3", &[], b"").text();
    assert_eq!(elements(&page, "IsTruncated"), ["true"]);
    let shown = [elements(&page, "Key"), elements(&page, "Prefix")].concat();
    assert_eq!(shown, ["a", "b", "", "a/"]);
    assert_eq!(elements(&page, "NextMarker"), ["b"]);
    let page = scene.want(200, "GET", "/bucket?delimiter=%2F&marker=a%2F", &[], b"").text();
    assert_eq!(elements(&page, "Prefix"), ["", "b/"], "a common prefix is not repeated");
    let page = scene.want(200, "GET", "/bucket?prefix=a%2F&start-after=0&list-type=2", &[], b"").text();
    assert_eq!(elements(&page, "Key"), ["a/1", "a/2"], "a start before the prefix is no end");
    let page = scene.want(200, "GET", "/bucket?max-keys=0&list-type=2", &[], b"").text();
    assert_eq!(
        (elements(&page, "KeyCount"), elements(&page, "IsTruncated")),
        (vec!["0".into()], vec!["false".into()])
    );
    for wrong in
        ["max-keys=x", "max-keys=-1", "continuation-token=x&list-type=2", "encoding-type=gzip", "list-type=3"]
    {
        let reply = scene.want(400, "GET", &format!("/bucket?{wrong}"), &[], b"");
        assert_eq!(code(&reply), "InvalidArgument", "{wrong}");
    }
}

#[test]
fn ranges_and_conditions() {
    let scene = Scene::new();
    let data = noise(1, 300_000);
    let etag = scene.want(200, "PUT", "/bucket/k", &[], &data).header("etag").unwrap().to_owned();
    let table = [
        ("bytes=0-4", 0, 5),
        ("bytes=100000-199999", 100_000, 200_000),
        ("bytes=-7", 299_993, 300_000),
        ("bytes=299999-", 299_999, 300_000),
    ];
    for (range, start, end) in table {
        let got = scene.want(206, "GET", "/bucket/k", &[("Range", range)], b"");
        assert_eq!(got.body, data[start..end], "{range}");
        assert_eq!(got.header("content-range"), Some(format!("bytes {start}-{}/300000", end - 1).as_str()));
        let head = scene.want(206, "HEAD", "/bucket/k", &[("Range", range)], b"");
        assert_eq!(head.header("content-length"), Some((end - start).to_string().as_str()));
    }
    let reply = scene.want(416, "GET", "/bucket/k", &[("Range", "bytes=300000-")], b"");
    assert_eq!(
        (code(&reply).as_str(), reply.header("content-range")),
        ("InvalidRange", Some("bytes */300000"))
    );
    for ignored in ["bytes=5-1", "bytes=0-1,3-4", "lines=1-2"] {
        assert_eq!(scene.want(200, "GET", "/bucket/k", &[("Range", ignored)], b"").body, data);
    }
    let (past, future) = ("Mon, 12 Oct 2009 17:50:30 GMT", "Mon, 12 Oct 2099 17:50:30 GMT");
    let table = [
        (("If-Match", etag.as_str()), 200),
        (("If-Match", "\"other\""), 412),
        (("If-None-Match", etag.as_str()), 304),
        (("If-None-Match", "\"other\""), 200),
        (("If-Modified-Since", future), 304),
        (("If-Modified-Since", past), 200),
        (("If-Unmodified-Since", past), 412),
        (("If-Unmodified-Since", future), 200),
    ];
    for (header, status) in table {
        for method in ["GET", "HEAD"] {
            let reply = scene.want(status, method, "/bucket/k", &[header], b"");
            if status == 304 {
                assert_eq!(reply.header("etag"), Some(etag.as_str()), "a cache renews what it has");
            }
        }
    }
    // RFC 9110 §13.2.2: the tag beats the date.
    scene.want(200, "GET", "/bucket/k", &[("If-Match", &etag), ("If-Unmodified-Since", past)], b"");
    scene.want(304, "GET", "/bucket/k", &[("If-None-Match", &etag), ("If-Modified-Since", past)], b"");
    scene.want(412, "PUT", "/bucket/k", &[("If-None-Match", "*")], b"other");
    scene.want(412, "PUT", "/bucket/k", &[("If-Match", "\"other\"")], b"other");
    scene.want(412, "DELETE", "/bucket/k", &[("If-Match", "\"other\"")], b"");
    assert_eq!(scene.want(200, "GET", "/bucket/k", &[], b"").body, data);
    scene.want(200, "PUT", "/bucket/k", &[("If-Match", &etag)], b"new");
    scene.want(200, "PUT", "/bucket/fresh", &[("If-None-Match", "*")], b"new");
    let source = [("x-amz-copy-source", "/bucket/k"), ("x-amz-copy-source-if-match", "\"other\"")];
    scene.want(412, "PUT", "/bucket/copy", &source, b"");
}

#[test]
fn an_upload_in_parts() {
    let scene = Scene::new();
    let begun = scene.want(200, "POST", "/bucket/big?uploads", &[("x-amz-meta-a", "1")], b"").text();
    let id = elements(&begun, "UploadId").remove(0);
    let parts = [noise(1, 5 << 20), noise(2, 5 << 20), noise(3, 1000)];
    let mut tags = Vec::new();
    for (number, part) in (1..).zip(&parts) {
        let target = format!("/bucket/big?partNumber={number}&uploadId={id}");
        let stored = scene.want(200, "PUT", &target, &[], part);
        tags.push(stored.header("etag").unwrap().to_owned());
    }
    let listed = scene.want(200, "GET", &format!("/bucket/big?uploadId={id}&max-parts=2"), &[], b"").text();
    assert_eq!(elements(&listed, "PartNumber"), ["1", "2"]);
    assert_eq!(elements(&listed, "IsTruncated"), ["true"]);
    let under_way = scene.want(200, "GET", "/bucket?uploads", &[], b"").text();
    assert_eq!(
        (elements(&under_way, "Key"), elements(&under_way, "UploadId")),
        (vec!["big".to_owned()], vec![id.clone()])
    );
    assert_eq!(scene.keys("/bucket"), Vec::<String>::new(), "nothing is seen before the end");
    let document = |tags: &[(usize, &str)]| {
        let parts: String = tags
            .iter()
            .map(|(number, tag)| format!("<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>"))
            .collect();
        format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>")
    };
    let complete = |status, tags: &[(usize, &str)], headers: &[(&str, &str)]| {
        scene.want(status, "POST", &format!("/bucket/big?uploadId={id}"), headers, document(tags).as_bytes())
    };
    let (one, two, three) = (tags[0].as_str(), tags[1].as_str(), tags[2].as_str());
    assert_eq!(code(&complete(400, &[], &[])), "MalformedXML");
    assert_eq!(code(&complete(400, &[(1, two)], &[])), "InvalidPart");
    assert_eq!(code(&complete(400, &[(2, two), (1, one)], &[])), "InvalidPartOrder");
    assert_eq!(code(&complete(400, &[(1, one), (3, three), (2, two)], &[])), "InvalidPartOrder");
    assert_eq!(code(&complete(400, &[(3, three), (4, one)], &[])), "InvalidPart");
    assert_eq!(
        code(&complete(404, &[(1, one), (2, two), (3, three)], &[("If-Match", "\"x\"")])),
        "NoSuchKey"
    );
    let done =
        complete(200, &[(1, one), (2, two), (3, three)], &[("x-amz-mp-object-size", "10486760")]).text();
    assert!(elements(&done, "ETag")[0].ends_with("-3\""), "{done}");
    let again = complete(200, &[(1, one), (2, two), (3, three)], &[]).text();
    assert_eq!(
        elements(&again, "ETag"),
        elements(&done, "ETag"),
        "a client that did not hear the answer asks again"
    );
    let got = scene.want(200, "GET", "/bucket/big", &[], b"");
    assert!(got.body == parts.concat() && got.header("x-amz-meta-a") == Some("1"));
    let part = scene.want(206, "GET", "/bucket/big?partNumber=3", &[], b"");
    assert!(part.body == parts[2] && part.header("x-amz-mp-parts-count") == Some("3"));
    let wanted = [("x-amz-object-attributes", "ETag,ObjectParts,ObjectSize")];
    let facts = scene.want(200, "GET", "/bucket/big?attributes", &wanted, b"").text();
    assert_eq!(elements(&facts, "PartsCount"), ["3"]);
    assert_eq!(elements(&facts, "ObjectSize"), ["10486760"]);
    let begun = scene.want(200, "POST", "/bucket/gone?uploads", &[], b"").text();
    let id = elements(&begun, "UploadId").remove(0);
    scene.want(204, "DELETE", &format!("/bucket/gone?uploadId={id}"), &[], b"");
    let reply = scene.want(404, "PUT", &format!("/bucket/gone?partNumber=1&uploadId={id}"), &[], b"x");
    assert_eq!(code(&reply), "NoSuchUpload");
    scene.server.assert_sound();
}

#[test]
fn versions_and_locks() {
    let scene = Scene::new();
    scene.want(200, "PUT", "/locked", &[("x-amz-bucket-object-lock-enabled", "true")], b"");
    let put = |body: &[u8]| {
        let reply = scene.want(200, "PUT", "/locked/k", &[], body);
        reply.header("x-amz-version-id").unwrap().to_owned()
    };
    let (first, second) = (put(b"one"), put(b"two"));
    assert_eq!(scene.want(200, "GET", &format!("/locked/k?versionId={first}"), &[], b"").body, b"one");
    let hold = "<LegalHold><Status>ON</Status></LegalHold>";
    scene.want(200, "PUT", &format!("/locked/k?legal-hold&versionId={first}"), &[], hold.as_bytes());
    let marker = scene.want(204, "DELETE", "/locked/k", &[], b"");
    assert_eq!(marker.header("x-amz-delete-marker"), Some("true"));
    let gone = scene.want(404, "GET", "/locked/k", &[], b"");
    assert_eq!(gone.header("x-amz-delete-marker"), Some("true"));
    let marker = marker.header("x-amz-version-id").unwrap().to_owned();
    scene.want(405, "GET", &format!("/locked/k?versionId={marker}"), &[], b"");
    let listed = scene.want(200, "GET", "/locked?versions", &[], b"").text();
    assert_eq!(elements(&listed, "VersionId"), [marker.clone(), second.clone(), first.clone()]);
    assert_eq!(elements(&listed, "IsLatest"), ["true", "false", "false"]);
    let held = scene.want(403, "DELETE", &format!("/locked/k?versionId={first}"), &[], b"");
    assert_eq!(code(&held), "AccessDenied");
    scene.want(204, "DELETE", &format!("/locked/k?versionId={second}"), &[], b"");
    scene.want(204, "DELETE", &format!("/locked/k?versionId={marker}"), &[], b"");
    assert_eq!(scene.want(200, "GET", "/locked/k", &[], b"").body, b"one");
    let drive = scene.server.send(&Request::dav("DELETE", &scene.owner, "/locked/k"));
    assert!(drive.status >= 400, "the owner's own drive cannot break a hold: {}", drive.status);
    let reply = scene.want(400, "GET", "/locked/k?versionId=nonsense", &[], b"");
    assert_eq!(code(&reply), "InvalidArgument");
    assert_eq!(
        code(&scene.want(404, "GET", "/locked/k?versionId=0fffffffffffffff", &[], b"")),
        "NoSuchVersion"
    );
    let suspend = "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>";
    assert_eq!(
        code(&scene.want(409, "PUT", "/locked?versioning", &[], suspend.as_bytes())),
        "InvalidBucketState"
    );
    let lock = [("x-amz-object-lock-legal-hold", "ON")];
    assert_eq!(
        code(&scene.want(400, "PUT", "/bucket/k", &lock, b"x")),
        "InvalidRequest",
        "never a silent promise"
    );
    assert_eq!(scene.keys("/bucket"), Vec::<String>::new());
}

#[test]
fn settings_of_buckets() {
    let scene = Scene::new();
    let rule = "<CORSConfiguration><CORSRule><AllowedOrigin>http://*.example.org</AllowedOrigin>\
                <AllowedMethod>GET</AllowedMethod><AllowedHeader>x-*</AllowedHeader>\
                <ExposeHeader>etag</ExposeHeader></CORSRule></CORSConfiguration>";
    assert_eq!(code(&scene.want(404, "GET", "/bucket?cors", &[], b"")), "NoSuchCORSConfiguration");
    scene.want(200, "PUT", "/bucket?cors", &[], rule.as_bytes());
    let preflight = |origin: &str, method: &str, headers: &str| {
        let request = Request::new("OPTIONS", "/bucket/k").header("Origin", origin);
        let request = request.header("Access-Control-Request-Method", method);
        scene.send(&request.header("Access-Control-Request-Headers", headers))
    };
    let allowed = preflight("http://a.example.org", "GET", "X-Custom");
    assert_eq!(allowed.status, 200, "{}", allowed.text());
    assert_eq!(allowed.header("access-control-allow-origin"), Some("http://a.example.org"));
    assert_eq!(allowed.header("access-control-allow-headers"), Some("x-custom"));
    assert_eq!(preflight("http://a.example.com", "GET", "x-custom").status, 403);
    assert_eq!(preflight("http://a.example.org", "PUT", "x-custom").status, 403);
    assert_eq!(preflight("http://a.example.org", "GET", "authorization").status, 403);
    scene.want(200, "PUT", "/bucket/k", &[], b"hello");
    let got = scene.want(200, "GET", "/bucket/k", &[("Origin", "http://a.example.org")], b"");
    assert_eq!(got.header("access-control-expose-headers"), Some("etag"));
    let got = scene.want(200, "GET", "/bucket/k", &[("Origin", "http://a.example.com")], b"");
    assert_eq!(got.header("access-control-allow-origin"), None);
    scene.want(204, "DELETE", "/bucket?cors", &[], b"");
    assert_eq!(preflight("http://a.example.org", "GET", "x-custom").status, 403);
    for (name, wanted) in [
        ("location", "LocationConstraint"),
        ("versioning", "VersioningConfiguration"),
        ("acl", "FULL_CONTROL"),
        ("ownershipControls", "BucketOwnerEnforced"),
        ("requestPayment", "BucketOwner"),
        ("policyStatus", "false"),
        ("logging", "BucketLoggingStatus"),
        ("notification", "NotificationConfiguration"),
        ("accelerate", "AccelerateConfiguration"),
    ] {
        let text = scene.want(200, "GET", &format!("/bucket?{name}"), &[], b"").text();
        assert!(text.contains(wanted), "{name}: {text}");
    }
    for name in [
        "policy",
        "website",
        "replication",
        "tagging",
        "lifecycle",
        "object-lock",
        "publicAccessBlock",
        "encryption",
    ] {
        assert_eq!(scene.ask("GET", &format!("/bucket?{name}"), &[], b"").status, 404, "{name}");
    }
    for name in ["policy", "website", "replication", "logging", "notification", "accelerate"] {
        let reply = scene.ask("PUT", &format!("/bucket?{name}"), &[], b"<x/>");
        assert_eq!((reply.status, code(&reply).as_str()), (501, "NotImplemented"), "{name}");
    }
    scene.want(200, "PUT", "/bucket", &[], b"");
    assert_eq!(scene.keys("/bucket"), ["k"], "making it again changes nothing");
    let lock = [("x-amz-bucket-object-lock-enabled", "true")];
    assert_eq!(code(&scene.want(409, "PUT", "/bucket", &lock, b"")), "BucketAlreadyOwnedByYou");
    assert_eq!(code(&scene.want(400, "PUT", "/Bad_Name", &[], b"")), "InvalidBucketName");
}
