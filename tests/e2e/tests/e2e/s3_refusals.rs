//! Every operation of the S3 window × a credential that forbids it.

use std::time::{Duration, Instant};

use allod_tests::{Request, Signer};

use crate::noise;
use crate::s3::{Scene, elements};

/// What an operation needs: 0 to read, 1 to add, 2 to change.
type Need = u8;

/// Method, target, headers, body, and what it needs.
type Operation = (&'static str, &'static str, &'static [(&'static str, &'static str)], &'static str, Need);

/// Operations on `/bucket` and `/bucket/k`: method, target, headers, body, need.
const OPERATIONS: [Operation; 38] = [
    ("HEAD", "/bucket", &[], "", 0),
    ("GET", "/bucket", &[], "", 0),
    ("GET", "/bucket?list-type=2", &[], "", 0),
    ("GET", "/bucket?versions", &[], "", 0),
    ("GET", "/bucket?uploads", &[], "", 0),
    ("GET", "/bucket?location", &[], "", 0),
    ("GET", "/bucket?versioning", &[], "", 0),
    ("GET", "/bucket?acl", &[], "", 0),
    ("GET", "/bucket/k", &[], "", 0),
    ("HEAD", "/bucket/k", &[], "", 0),
    ("GET", "/bucket/k?tagging", &[], "", 0),
    ("GET", "/bucket/k?acl", &[], "", 0),
    ("GET", "/bucket/k?attributes", &[("x-amz-object-attributes", "ETag")], "", 0),
    ("PUT", "/bucket/new", &[], "x", 1),
    ("PUT", "/bucket/copy", &[("x-amz-copy-source", "/bucket/k")], "", 1),
    ("POST", "/bucket/parts?uploads", &[], "", 1),
    ("PUT", "/bucket/k", &[], "over", 2),
    ("PUT", "/bucket/k", &[("x-amz-copy-source", "/bucket/other")], "", 2),
    ("DELETE", "/bucket/k", &[], "", 2),
    ("POST", "/bucket?delete", &[], "<Delete><Object><Key>k</Key></Object></Delete>", 2),
    ("PUT", "/bucket/k?tagging", &[], "<Tagging><TagSet/></Tagging>", 2),
    ("DELETE", "/bucket/k?tagging", &[], "", 2),
    ("PUT", "/bucket/k?acl", &[("x-amz-acl", "private")], "", 2),
    ("PUT", "/bucket/k?legal-hold", &[], "<LegalHold><Status>ON</Status></LegalHold>", 2),
    ("PUT", "/bucket/k?retention", &[], "<Retention/>", 2),
    ("PUT", "/bucket?tagging", &[], "<Tagging><TagSet/></Tagging>", 2),
    ("DELETE", "/bucket?tagging", &[], "", 2),
    (
        "PUT",
        "/bucket?versioning",
        &[],
        "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
        2,
    ),
    (
        "PUT",
        "/bucket?cors",
        &[],
        "<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule>\
         </CORSConfiguration>",
        2,
    ),
    ("DELETE", "/bucket?cors", &[], "", 2),
    (
        "PUT",
        "/bucket?lifecycle",
        &[],
        "<LifecycleConfiguration><Rule><Prefix/><Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule>\
         </LifecycleConfiguration>",
        2,
    ),
    ("DELETE", "/bucket?lifecycle", &[], "", 2),
    ("PUT", "/bucket?acl", &[("x-amz-acl", "private")], "", 2),
    ("DELETE", "/bucket?encryption", &[], "", 2),
    ("DELETE", "/bucket?policy", &[], "", 2),
    (
        "PUT",
        "/bucket?object-lock",
        &[],
        "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>",
        2,
    ),
    ("DELETE", "/bucket", &[], "", 2),
    ("PUT", "/another", &[], "", 2),
];

fn scene() -> Scene {
    let scene = Scene::new();
    scene.want(200, "PUT", "/elsewhere", &[], b"");
    for key in ["k", "other"] {
        scene.want(200, "PUT", &format!("/bucket/{key}"), &[], b"before");
    }
    scene
}

fn assert_untouched(scene: &Scene, allowed: Need, about: &str) {
    assert_eq!(scene.want(200, "GET", "/bucket/k", &[], b"").body, b"before", "{about}");
    assert_eq!(scene.want(200, "GET", "/bucket/k?tagging", &[], b"").text().matches("<Tag>").count(), 0);
    let keys = scene.keys("/bucket");
    let wanted: &[&str] = if allowed == 0 { &["k", "other"] } else { &["copy", "k", "new", "other"] };
    assert!(keys.iter().all(|key| wanted.contains(&key.as_str())), "{about}: {keys:?}");
    assert!(keys.len() >= 2, "{about}: {keys:?}");
    assert!(!scene.want(200, "GET", "/bucket?versioning", &[], b"").text().contains("Enabled"), "{about}");
    for setting in ["cors", "lifecycle", "tagging", "object-lock"] {
        assert_eq!(
            scene.ask("GET", &format!("/bucket?{setting}"), &[], b"").status,
            404,
            "{about}: {setting}"
        );
    }
}

#[test]
fn each_operation_needs_its_right() {
    let scene = scene();
    for (grants, allowed) in [
        (&["/bucket:r"][..], Some(0)),
        (&["/bucket:a"], Some(1)),
        (&["backup=/bucket"], Some(1)),
        (&["/elsewhere:rw"], None),
        (&["/bucket:rw@webdav"], None),
        (&["mail", "calendar"], None),
    ] {
        let signer = Signer::of(&scene.server.app(grants));
        for (method, target, headers, body, need) in OPERATIONS {
            let reply = scene.send(&signer.request(method, target, headers, body.as_bytes()));
            let about = format!("{grants:?}: {method} {target}: {} {}", reply.status, reply.text());
            if allowed.is_some_and(|allowed| need <= allowed) {
                assert!(reply.status < 300, "{about}");
            } else {
                // One delete of several is refused by itself.
                let codes = elements(&reply.text(), "Code");
                let each = target.ends_with("?delete") && codes == ["AccessDenied"];
                assert!(each || matches!(reply.status, 400 | 403 | 404), "{about}");
                // A request that is wrong in another way may be told so; it has changed nothing.
                let hides = allowed.is_none() && method != "HEAD";
                assert!(!hides || !reply.text().contains("before"), "{about}");
            }
            assert_untouched(&scene, allowed.unwrap_or(0), &about);
        }
        let listed = scene.send(&signer.request("GET", "/", &[], b""));
        let names = elements(&listed.text(), "Name");
        let wanted: &[&str] = match (allowed, grants[0].starts_with("/elsewhere")) {
            (Some(_), _) => &["bucket"],
            (None, true) => &["elsewhere"],
            (None, false) => &[],
        };
        assert_eq!(names, wanted, "{grants:?} shows only what it opens");
        for key in ["new", "copy"] {
            scene.want(204, "DELETE", &format!("/bucket/{key}"), &[], b"");
        }
        let uploads = scene.want(200, "GET", "/bucket?uploads", &[], b"").text();
        for id in elements(&uploads, "UploadId") {
            scene.want(204, "DELETE", &format!("/bucket/parts?uploadId={id}"), &[], b"");
        }
    }
    scene.server.assert_sound();
}

#[test]
fn copies_do_not_reach_into_closed_corners() {
    let scene = scene();
    scene.want(200, "PUT", "/secret", &[], b"");
    scene.want(200, "PUT", "/secret/s", &[], b"closed");
    let signer = Signer::of(&scene.server.app(&["/bucket:rw"]));
    let source = [("x-amz-copy-source", "/secret/s")];
    let copy = scene.send(&signer.request("PUT", "/bucket/stolen", &source, b""));
    assert!(matches!(copy.status, 403 | 404), "{}", copy.text());
    let begun = scene.send(&signer.request("POST", "/bucket/stolen?uploads", &[], b"")).text();
    let id = elements(&begun, "UploadId").remove(0);
    let target = format!("/bucket/stolen?partNumber=1&uploadId={id}");
    let part = scene.send(&signer.request("PUT", &target, &source, b""));
    assert!(matches!(part.status, 403 | 404), "{}", part.text());
    let other = Signer::of(&scene.server.app(&["/elsewhere:rw"]));
    let foreign = scene.send(&other.request("PUT", &target, &[], b"x"));
    assert!(matches!(foreign.status, 403 | 404), "{}", foreign.text());
    assert_eq!(scene.keys("/bucket"), ["k", "other"]);
}

#[test]
fn revoking_acts_at_once() {
    let scene = scene();
    scene.want(200, "PUT", "/bucket/big", &[], &noise(1, 40_000_000));
    let app = scene.server.app(&["all"]);
    let signer = Signer::of(&app);
    let mut download = scene.server.connect_s3();
    download.write(&signer.request("GET", "/bucket/big", &[], b"").bytes());
    let mut buffer = vec![0; 1000];
    assert!(download.read_some(&mut buffer) > 0);
    let mut upload = scene.server.connect_s3();
    let length = [("Content-Length", "50000000")];
    upload.write(&signer.with_hash("PUT", "/bucket/new", &length, b"", allod_tests::UNSIGNED).bytes());
    upload.write(&noise(2, 1_000_000));
    let mut idle = scene.server.connect_s3();
    assert_eq!(idle.send(&signer.request("GET", "/bucket/k", &[], b"")).status, 200);
    std::thread::sleep(Duration::from_millis(100));
    scene.server.cli(&["app", "revoke", &app.id, "--json"]);
    let revoked = Instant::now();
    for (method, target, headers, body, _) in OPERATIONS {
        let reply = idle.send(&signer.request(method, target, headers, body.as_bytes()));
        // After a few of them, core lets the address wait.
        assert!(matches!(reply.status, 403 | 503), "{method} {target}: {}", reply.text());
    }
    let reply = upload.read_reply(false);
    assert!(reply.status == 0 || reply.status >= 400, "{}", reply.status);
    assert!(revoked.elapsed() < Duration::from_secs(2), "the upload ended after {:?}", revoked.elapsed());
    let (mut total, mut buffer) = (0, vec![0; 1 << 20]);
    loop {
        match download.read_some(&mut buffer) {
            0 => break,
            n => total += n,
        }
    }
    assert!(total < 40_000_000, "a download must not run to its end");
    assert_eq!(scene.keys("/bucket"), ["big", "k", "other"]);
    let drive = scene.server.send(&Request::dav("GET", &scene.owner, "/bucket/k"));
    assert_eq!(drive.body, b"before");
}
