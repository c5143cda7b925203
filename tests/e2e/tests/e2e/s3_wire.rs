//! The S3 window on the wire: signatures, framing, checksums, and what is broken on purpose. What is refused leaves
//! nothing.

use std::time::Duration;

use allod_tests::{Reply, Request, Signer, UNSIGNED, hex};

use crate::noise;
use crate::s3::{Scene, code, elements};

/// CRC-32 of "hello" and of nothing, as headers carry it.
const HELLO_CRC32: &str = "NhCmhg==";
const WRONG_CRC32: &str = "AAAAAA==";

impl Scene {
    fn assert_untouched(&self, about: &str) {
        let got = self.ask("GET", "/bucket/k", &[], b"");
        assert_eq!((got.status, got.body.as_slice()), (200, &b"before"[..]), "{about}");
        assert_eq!(self.keys("/bucket"), ["k"], "{about}");
    }

    fn refused(&self, request: &Request, status: u16, wanted: &str) -> Reply {
        let reply = self.send(request);
        assert_eq!((reply.status, code(&reply).as_str()), (status, wanted), "{}", reply.text());
        self.assert_untouched(wanted);
        reply
    }

    fn with_k() -> Scene {
        let scene = Scene::new();
        scene.want(200, "PUT", "/bucket/k", &[], b"before");
        scene
    }
}

#[test]
fn bodies_that_are_not_what_they_claim() {
    let scene = Scene::with_k();
    let signer = &scene.signer;
    let wrong: [(&[(&str, &str)], &str); 10] = [
        (&[("Content-MD5", "1B2M2Y8AsgTpgAmY7PhCfg==")], "BadDigest"),
        (&[("Content-MD5", "nonsense")], "InvalidDigest"),
        (&[("x-amz-checksum-crc32", WRONG_CRC32)], "BadDigest"),
        (&[("x-amz-checksum-crc32c", WRONG_CRC32)], "BadDigest"),
        (&[("x-amz-checksum-crc64nvme", "AAAAAAAAAAA=")], "BadDigest"),
        (&[("x-amz-checksum-sha1", "2jmj7l5rSw0yVb/vlWAYkK/YBwk=")], "BadDigest"),
        (&[("x-amz-checksum-sha256", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")], "BadDigest"),
        (&[("x-amz-checksum-sha256", "short")], "BadDigest"),
        (&[("x-amz-checksum-crc32", HELLO_CRC32), ("x-amz-checksum-crc32c", WRONG_CRC32)], "InvalidRequest"),
        (&[("x-amz-sdk-checksum-algorithm", "CRC32")], "InvalidRequest"),
    ];
    for (headers, wanted) in wrong {
        for target in ["/bucket/k", "/bucket/fresh"] {
            scene.refused(&signer.request("PUT", target, headers, b"hello"), 400, wanted);
        }
    }
    let other = hex(&[0; 32]);
    let request = signer.with_hash("PUT", "/bucket/k", &[], b"hello", &other);
    scene.refused(&request, 400, "XAmzContentSHA256Mismatch");
    let right = [("x-amz-checksum-crc32", HELLO_CRC32)];
    let put = scene.want(200, "PUT", "/bucket/k", &right, b"hello");
    assert_eq!(put.header("x-amz-checksum-crc32"), Some(HELLO_CRC32));
    scene.server.assert_sound();
}

#[test]
fn chunked_bodies() {
    let scene = Scene::with_k();
    let signer = &scene.signer;
    let data = noise(1, 200_000);
    for (target, headers) in [
        ("/bucket/one", &[("Content-Encoding", "aws-chunked,gzip")][..]),
        ("/bucket/two", &[("Content-Encoding", "aws-chunked")]),
        ("/bucket/three", &[]),
    ] {
        let reply = scene.send(&signer.chunked(target, headers, &data, 65_536, &[]));
        assert_eq!(reply.status, 200, "{}", reply.text());
        let got = scene.want(200, "GET", target, &[], b"");
        let coding = (target == "/bucket/one").then_some("gzip");
        assert!(got.body == data && got.header("content-encoding") == coding, "{target}");
        scene.want(204, "DELETE", target, &[], b"");
    }
    let trailers = [("x-amz-checksum-crc32", HELLO_CRC32)];
    let signed = signer.chunked("/bucket/t", &[], b"hello", 2, &trailers);
    let reply = scene.send(&signed);
    assert_eq!(
        (reply.status, reply.header("x-amz-checksum-crc32")),
        (200, Some(HELLO_CRC32)),
        "{}",
        reply.text()
    );
    let hash = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
    let unsigned = |body: &str, extra: &[(&str, &str)]| {
        let length = [("x-amz-decoded-content-length", "5"), ("x-amz-trailer", "x-amz-checksum-crc32")];
        signer.with_hash("PUT", "/bucket/t", &[&length, extra].concat(), body.as_bytes(), hash)
    };
    let body = format!("2\r\nhe\r\n3\r\nllo\r\n0\r\nx-amz-checksum-crc32:{HELLO_CRC32}\r\n\r\n");
    assert_eq!(scene.send(&unsigned(&body, &[])).status, 200);
    let over_chunked = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let reply = scene.send(&unsigned(&over_chunked, &[("Transfer-Encoding", "chunked")]));
    assert_eq!(reply.status, 200, "{}", reply.text());
    scene.want(204, "DELETE", "/bucket/t", &[], b"");
    scene.refused(&unsigned(&body.replace(HELLO_CRC32, WRONG_CRC32), &[]), 400, "BadDigest");
    scene.refused(
        &unsigned(&body.replace("x-amz-checksum-crc32", "x-other"), &[]),
        400,
        "MalformedTrailerError",
    );
    scene.refused(&unsigned("5\r\nhello\r\n", &[]), 400, "IncompleteBody");
    scene.refused(&unsigned("4\r\nhell\r\n0\r\n\r\n", &[]), 400, "IncompleteBody");
    scene.refused(&unsigned("6\r\nhello!\r\n0\r\n\r\n", &[]), 400, "IncompleteBody");
    scene.refused(&unsigned("5\r\nhello!\r\n0\r\n\r\n", &[]), 400, "InvalidRequest");
    scene.refused(&unsigned("zz\r\n", &[]), 400, "InvalidRequest");
    let mut spoiled = signer.chunked("/bucket/t", &[], &data, 65_536, &[]).bytes();
    let at = spoiled.len() - 60_000;
    spoiled[at] ^= 1;
    let mut connection = scene.server.connect_s3();
    connection.write(&spoiled);
    let reply = connection.read_reply(false);
    assert_eq!((reply.status, code(&reply).as_str()), (403, "SignatureDoesNotMatch"));
    scene.assert_untouched("a spoiled chunk");
}

#[test]
fn bodies_cut_off_leave_nothing() {
    let scene = Scene::with_k();
    let data = noise(1, 3_000_000);
    for target in ["/bucket/k", "/bucket/fresh"] {
        for request in [
            scene.signer.with_hash("PUT", target, &[], &data, UNSIGNED),
            scene.signer.chunked(target, &[], &data, 65_536, &[]),
        ] {
            let bytes = request.bytes();
            let mut connection = scene.server.connect_s3();
            connection.write(&bytes[..bytes.len() / 2]);
            connection.finish_sending();
            let reply = connection.read_reply(false);
            assert!(reply.status == 0 || code(&reply) == "IncompleteBody", "{}", reply.text());
            scene.assert_untouched(target);
        }
    }
    // Refused before the body is asked for.
    let headers = [("Expect", "100-continue"), ("If-None-Match", "*"), ("Content-Length", "3000000")];
    let mut connection = scene.server.connect_s3();
    connection.write(&scene.signer.with_hash("PUT", "/bucket/k", &headers, b"", UNSIGNED).bytes());
    assert_eq!(connection.read_reply(false).status, 412);
    let headers = [("Expect", "100-continue"), ("Content-Length", "5")];
    let mut connection = scene.server.connect_s3();
    connection.write(&scene.signer.with_hash("PUT", "/bucket/k", &headers, b"", UNSIGNED).bytes());
    let mut said = [0; 25];
    assert_eq!((connection.read_some(&mut said), &said[..12]), (25, &b"HTTP/1.1 100"[..]));
    connection.write(b"hello");
    assert_eq!(connection.read_reply(false).status, 200);
}

#[test]
fn signatures() {
    let scene = Scene::with_k();
    let get = |signer: &Signer| scene.send(&signer.request("GET", "/bucket/k", &[], b""));
    // quirk_git_annex_region: a host's address for a region.
    for region in ["mars-north-7", "127.0.0.2", "s3.example.org", "US East"] {
        let elsewhere = Signer { region: region.into(), ..scene.signer.clone() };
        assert_eq!(get(&elsewhere).status, 200, "every region will do: {region}");
        let wrong = Signer { secret_key: "wrong".into(), ..elsewhere };
        assert_eq!(code(&get(&wrong)), "SignatureDoesNotMatch", "and none spares the signature: {region}");
    }
    let wrong = Signer { secret_key: "wrong".into(), ..scene.signer.clone() };
    let reply = get(&wrong);
    assert_eq!((reply.status, code(&reply).as_str()), (403, "SignatureDoesNotMatch"));
    let unknown = Signer { access_key: "AKIDNONE".into(), ..scene.signer.clone() };
    assert_eq!(code(&get(&unknown)), "InvalidAccessKeyId");
    for (skew_secs, wanted) in [(-840, 200), (840, 200), (-960, 403), (960, 403)] {
        let reply = get(&Signer { skew_secs, ..scene.signer.clone() });
        assert_eq!(reply.status, wanted, "{skew_secs}");
        assert!(wanted == 200 || code(&reply) == "RequestTimeTooSkewed", "{}", reply.text());
    }
    let request = scene.signer.request("GET", "/bucket/k", &[], b"");
    let reply = scene.send(&request.clone().header("x-amz-meta-x", "1"));
    assert_eq!((reply.status, code(&reply).as_str()), (403, "AccessDenied"), "a header that was not signed");
    for authorization in ["AWS AKID:abc=", "Basic eDp5", "Bearer x"] {
        let reply = scene.send(&Request::new("GET", "/bucket/k").header("Authorization", authorization));
        assert_eq!(reply.status, 400, "{authorization}: {}", reply.text());
    }
    let reply = scene.send(&Request::new("GET", "/bucket/k").header("Authorization", "AWS AKID:abc="));
    assert!(reply.text().contains("Signature Version 4"), "{}", reply.text());
    for (method, target) in
        [("GET", "/"), ("GET", "/bucket"), ("GET", "/bucket/k"), ("PUT", "/bucket/k"), ("DELETE", "/bucket")]
    {
        let reply = scene.send(&Request::new(method, target).body("x"));
        assert_eq!((reply.status, code(&reply).as_str()), (403, "AccessDenied"), "{method} {target}");
    }
    scene.assert_untouched("wrong signatures");
}

#[test]
fn presigned_urls() {
    let scene = Scene::with_k();
    let url = scene.signer.presigned("GET", "/bucket/k?response-content-type=text%2Fodd", 60);
    let got = scene.send(&Request::new("GET", &url));
    assert_eq!((got.status, got.header("content-type")), (200, Some("text/odd")), "{}", got.text());
    assert_eq!(code(&scene.send(&Request::new("DELETE", &url))), "SignatureDoesNotMatch");
    assert_eq!(
        code(&scene.send(&Request::new("GET", &url.replace("text", "xext")))),
        "SignatureDoesNotMatch"
    );
    let old = Signer { skew_secs: -120, ..scene.signer.clone() };
    let reply = scene.send(&Request::new("GET", &old.presigned("GET", "/bucket/k", 60)));
    assert_eq!((reply.status, code(&reply).as_str()), (403, "AccessDenied"));
    assert!(reply.text().contains("expired"), "{}", reply.text());
    let reply = scene.send(&Request::new("GET", &scene.signer.presigned("GET", "/bucket/k", 604_801)));
    assert_eq!(code(&reply), "AuthorizationQueryParametersError");
    let put = scene.signer.presigned("PUT", "/bucket/fresh", 60);
    let copy = Request::new("PUT", &put).header("x-amz-copy-source", "/bucket/k");
    assert_eq!(code(&scene.send(&copy)), "AccessDenied", "a presigned URL is for what was signed");
    scene.assert_untouched("presigned");
    assert_eq!(scene.send(&Request::new("PUT", &put).body("by url")).status, 200);
    assert_eq!(scene.want(200, "GET", "/bucket/fresh", &[], b"").body, b"by url");
}

#[test]
fn what_anybody_may_read() {
    let scene = Scene::with_k();
    scene.want(200, "PUT", "/public/page", &[("Content-Type", "text/html")], b"for all");
    for target in ["/public/page", "/alice:public/page"] {
        let got = scene.send(&Request::new("GET", target));
        assert_eq!((got.status, got.body.as_slice()), (200, &b"for all"[..]), "{target}");
        assert_eq!(scene.send(&Request::new("HEAD", target)).status, 200);
    }
    for (method, target) in [
        ("GET", "/public"),
        ("GET", "/public?list-type=2"),
        ("PUT", "/public/page"),
        ("DELETE", "/public/page"),
        ("GET", "/public/page?acl"),
        ("GET", "/public/page?tagging"),
        ("GET", "/bob:public/page"),
        ("GET", "/alice:bucket/k"),
    ] {
        let reply = scene.send(&Request::new(method, target));
        assert!(matches!(reply.status, 400 | 403), "{method} {target}: {}", reply.status);
    }
    let reply = scene.send(&Request::new("GET", "/public/page?response-content-type=x%2Fy"));
    assert_eq!((reply.status, code(&reply).as_str()), (400, "InvalidRequest"));
    assert_eq!(scene.send(&Request::new("GET", "/public/none")).status, 404);
}

#[test]
fn unknown_sub_resources_never_reach_the_object() {
    let scene = Scene::with_k();
    for name in
        ["torrent", "restore", "select&select-type=2", "website", "foo", "Acl", "append", "metadataTable"]
    {
        for method in ["GET", "PUT", "DELETE", "POST"] {
            let reply = scene.ask(method, &format!("/bucket/k?{name}"), &[], b"over");
            assert!(reply.status >= 400, "{method} ?{name}: {}", reply.status);
            assert_ne!(reply.body, b"before", "{method} ?{name}");
            let reply = scene.ask(method, &format!("/bucket?{name}"), &[], b"");
            assert!(reply.status >= 400 || name == "website", "{method} bucket ?{name}: {}", reply.status);
        }
    }
    for (headers, wanted) in [
        (("x-amz-server-side-encryption-customer-algorithm", "AES256"), "NotImplemented"),
        (("x-amz-server-side-encryption", "aws:kms"), "NotImplemented"),
        (("x-amz-acl", "public-read"), "AccessControlListNotSupported"),
        (("x-amz-grant-read", "id=1"), "AccessControlListNotSupported"),
        (("x-amz-storage-class", "GOLD"), "InvalidStorageClass"),
        (("x-amz-write-offset-bytes", "5"), "NotImplemented"),
        (("x-amz-expected-bucket-owner", "bob"), "AccessDenied"),
    ] {
        let reply = scene.ask("PUT", "/bucket/k", &[headers], b"over");
        assert_eq!(code(&reply), wanted, "{headers:?}");
    }
    scene.assert_untouched("sub-resources");
}

#[test]
fn hostile_documents() {
    let scene = Scene::with_k();
    let deep = format!("<Delete>{}", "<Object>".repeat(100_000));
    let bomb = "<!DOCTYPE a [<!ENTITY b \"cc\">]><Delete><Object><Key>&b;</Key></Object></Delete>";
    let many = format!("<Delete>{}</Delete>", "<Object><Key>k</Key></Object>".repeat(1001));
    let huge = vec![b' '; 9 << 20];
    let documents = [
        (deep.as_bytes(), "MalformedXML"),
        (bomb.as_bytes(), "MalformedXML"),
        (many.as_bytes(), "MalformedXML"),
        (&huge, "MaxMessageLengthExceeded"),
        (b"", "MalformedXML"),
        (b"\xff\xfe<", "MalformedXML"),
        (b"<Delete><Object><Key>k</Key></Object>", "MalformedXML"),
    ];
    for (document, wanted) in documents {
        let reply = scene.ask("POST", "/bucket?delete", &[], document);
        assert_eq!(
            (reply.status, code(&reply).as_str()),
            (400, wanted),
            "{:?}",
            &document[..document.len().min(60)]
        );
    }
    let wrong = [("Content-MD5", "1B2M2Y8AsgTpgAmY7PhCfg==")];
    let delete = b"<Delete><Object><Key>k</Key></Object></Delete>";
    assert_eq!(code(&scene.ask("POST", "/bucket?delete", &wrong, delete)), "BadDigest");
    scene.assert_untouched("documents");
}

#[test]
fn forms() {
    let scene = Scene::with_k();
    let policy = "{\"expiration\": \"2099-01-01T00:00:00Z\", \"conditions\": [{\"bucket\": \"bucket\"}, \
                  [\"starts-with\", \"$key\", \"user/\"], [\"content-length-range\", 3, 200000], \
                  [\"eq\", \"$success_action_status\", \"201\"], {\"x-amz-algorithm\": \"AWS4-HMAC-SHA256\"}, \
                  {\"x-amz-credential\": \"CREDENTIAL\"}, {\"x-amz-date\": \"DATE\"}]}";
    let form = |policy: &str, key: &str, file: &[u8], extra: &[(&str, &str)]| {
        let mut fields =
            vec![("key".to_owned(), key.to_owned()), ("success_action_status".into(), "201".into())];
        fields.extend(extra.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        fields.extend(scene.signer.policy_fields(policy));
        let mut body = Vec::new();
        for (name, value) in fields {
            let part = format!("--b0\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
            body.extend_from_slice(part.as_bytes());
        }
        body.extend_from_slice(
            b"--b0\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\n",
        );
        body.extend_from_slice(file);
        body.extend_from_slice(b"\r\n--b0--\r\n");
        Request::new("POST", "/bucket").header("Content-Type", "multipart/form-data; boundary=b0").body(body)
    };
    let data = noise(1, 150_000);
    let reply = scene.send(&form(policy, "user/${filename}", &data, &[]));
    assert_eq!(reply.status, 201, "{}", reply.text());
    assert_eq!(elements(&reply.text(), "Key"), ["user/a.txt"]);
    assert!(scene.want(200, "GET", "/bucket/user/a.txt", &[], b"").body == data);
    scene.want(204, "DELETE", "/bucket/user/a.txt", &[], b"");
    let expired = policy.replace("2099", "2009");
    let table = [
        (form(policy, "other", b"hello", &[]), 403, "AccessDenied"),
        (form(policy, "user/k", b"hello", &[("x-amz-meta-extra", "1")]), 403, "AccessDenied"),
        (form(&expired, "user/k", b"hello", &[]), 403, "AccessDenied"),
        (form(policy, "user/k", b"he", &[]), 400, "EntityTooSmall"),
        (form(policy, "user/k", &noise(2, 200_001), &[]), 400, "EntityTooLarge"),
        (form("{}", "user/k", b"hello", &[]), 400, "InvalidPolicyDocument"),
        (
            Request::new("POST", "/bucket").header("Content-Type", "multipart/form-data").body("x"),
            400,
            "MalformedPOSTRequest",
        ),
    ];
    for (request, status, wanted) in table {
        scene.refused(&request, status, wanted);
    }
    // Cut off in the middle of the file.
    let bytes = form(policy, "user/k", &data, &[]).bytes();
    let mut connection = scene.server.connect_s3();
    connection.write(&bytes[..bytes.len() / 2]);
    connection.finish_sending();
    let _ = connection.read_reply(false);
    std::thread::sleep(Duration::from_millis(100));
    scene.assert_untouched("a form cut off");
}

#[test]
fn buckets_as_host_names() {
    let server = allod_tests::Server::start_with(&["--s3-domain", "s3.test", "--s3-region", "here"]);
    let made = server.cli(&["app", "add", "alice", "x", "--grant", "all", "--json"]);
    let port = server.s3_address().rsplit(':').next().unwrap();
    assert_eq!(made["s3"]["endpoint"], format!("http://s3.test:{port}"));
    assert_eq!(made["s3"]["region"], "here");
    let status = server.cli(&["status", "--json"]).to_string();
    assert!(status.contains(server.s3_address()), "{status}");
    let app = server.app(&["all"]);
    let at = |host: &str| Signer { host: host.into(), ..Signer::of(&app) };
    let ask = |address: &str, host: &str, method: &str, target: &str, body: &[u8]| {
        allod_tests::Connection::open(address).send(&at(host).request(method, target, &[], body))
    };
    // The same on the listener of its own and on the one that is shared, there by host name only.
    for address in [server.s3_address(), server.address()] {
        let bucket = if address == server.address() { "shared" } else { "own" };
        let host = format!("{bucket}.s3.test:{port}");
        assert_eq!(ask(address, "s3.test", "PUT", &format!("/{bucket}"), b"").status, 200);
        let put = ask(address, &host, "PUT", "//odd%20key/", b"by host");
        assert_eq!(put.status, 200, "{}", put.text());
        assert_eq!(ask(address, &host, "GET", "//odd%20key/", b"").body, b"by host");
        let listed = ask(address, &host.to_uppercase(), "GET", "/?list-type=2", b"").text();
        assert_eq!(elements(&listed, "Key"), ["/odd key/"], "{listed}");
        let by_path = ask(address, "s3.test", "GET", &format!("/{bucket}//odd%20key/"), b"");
        assert_eq!(by_path.body, b"by host");
    }
    assert_eq!(ask(server.address(), "localhost", "GET", "/own", b"").status, 404, "the drive is no S3");
    let location = ask(server.s3_address(), "s3.test", "GET", "/own?location", b"").text();
    assert!(location.contains("here"), "{location}");
}

#[test]
fn half_closed_and_hanging_clients_hold_nothing() {
    let scene = Scene::with_k();
    let mut hanging = Vec::new();
    for n in 0..64 {
        let mut connection = scene.server.connect_s3();
        let length = [("Content-Length", "1000000")];
        let target = format!("/bucket/hanging{n}");
        connection.write(&scene.signer.with_hash("PUT", &target, &length, b"", UNSIGNED).bytes());
        connection.write(&noise(n, 10_000));
        if n % 2 == 0 {
            connection.finish_sending();
        }
        hanging.push(connection);
    }
    for round in 0..20 {
        scene.want(200, "PUT", "/bucket/k", &[], b"before");
        scene.assert_untouched(&format!("round {round}"));
    }
    drop(hanging);
    std::thread::sleep(Duration::from_millis(200));
    scene.assert_untouched("after they left");
    scene.server.assert_sound();
}
