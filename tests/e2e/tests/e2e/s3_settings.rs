//! The S3 window: what is set for a bucket, and what answers tell because of it.

use allod_tests::{Reply, Request};

use crate::noise;
use crate::s3::{Scene, code, elements};

#[test]
fn settings_that_say_what_is_so() {
    let scene = Scene::new();
    let text = |target: &str| scene.want(200, "GET", target, &[], b"").text();
    let none = |target: &str, wanted: &str| {
        assert_eq!(code(&scene.want(404, "GET", target, &[], b"")), wanted, "{target}");
    };
    let algorithm = |name: &str| {
        format!(
            "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>{name}\
             </SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>"
        )
    };
    let gone = "ServerSideEncryptionConfigurationNotFoundError";
    none("/bucket?encryption", gone);
    let refused = scene.ask("PUT", "/bucket?encryption", &[], algorithm("aws:kms").as_bytes());
    assert_eq!(code(&refused), "NotImplemented");
    none("/bucket?encryption", gone);
    scene.want(200, "PUT", "/bucket?encryption", &[], algorithm("AES256").as_bytes());
    assert_eq!(elements(&text("/bucket?encryption"), "SSEAlgorithm"), ["AES256"]);
    scene.want(204, "DELETE", "/bucket?encryption", &[], b"");
    none("/bucket?encryption", gone);

    let gone = "NoSuchPublicAccessBlockConfiguration";
    none("/bucket?publicAccessBlock", gone);
    let block = "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls><RestrictPublicBuckets>true\
                 </RestrictPublicBuckets></PublicAccessBlockConfiguration>";
    scene.want(200, "PUT", "/bucket?publicAccessBlock", &[], block.as_bytes());
    let said = text("/bucket?publicAccessBlock");
    let table = [
        ("BlockPublicAcls", "true"),
        ("IgnorePublicAcls", "false"),
        ("BlockPublicPolicy", "false"),
        ("RestrictPublicBuckets", "true"),
    ];
    for (name, wanted) in table {
        assert_eq!(elements(&said, name), [wanted], "{said}");
    }
    scene.want(204, "DELETE", "/bucket?publicAccessBlock", &[], b"");
    none("/bucket?publicAccessBlock", gone);

    let owned = "BucketOwnerEnforced";
    assert_eq!(elements(&text("/bucket?ownershipControls"), "ObjectOwnership"), [owned]);
    let controls = |name: &str| {
        format!(
            "<OwnershipControls><Rule><ObjectOwnership>{name}</ObjectOwnership></Rule></OwnershipControls>"
        )
    };
    let writer = controls("ObjectWriter");
    let refused = scene.ask("PUT", "/bucket?ownershipControls", &[], writer.as_bytes());
    assert_eq!(code(&refused), "AccessControlListNotSupported");
    scene.want(204, "DELETE", "/bucket?ownershipControls", &[], b"");
    none("/bucket?ownershipControls", "OwnershipControlsNotFoundError");
    scene.want(200, "PUT", "/bucket?ownershipControls", &[], controls(owned).as_bytes());
    assert_eq!(elements(&text("/bucket?ownershipControls"), "ObjectOwnership"), [owned]);
}

#[test]
fn settings_and_buckets_made_again() {
    let scene = Scene::new();
    let tags = "<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>";
    scene.want(204, "PUT", "/bucket?tagging", &[], tags.as_bytes());
    scene.want(200, "PUT", "/bucket/k", &[], b"kept");
    scene.want(200, "PUT", "/bucket", &[], b"");
    assert_eq!(scene.want(200, "GET", "/bucket/k", &[], b"").body, b"kept");
    let text = scene.want(200, "GET", "/bucket?tagging", &[], b"").text();
    assert_eq!(elements(&text, "Value"), ["1"], "its settings stay");
    let made = scene.server.send(&Request::dav("PUT", &scene.owner, "/planner").body("a file"));
    assert_eq!(made.status, 201, "{}", made.text());
    let reply = scene.ask("PUT", "/planner", &[], b"");
    assert_eq!((reply.status, code(&reply).as_str()), (409, "BucketAlreadyExists"));
}

#[test]
fn answers_that_web_pages_may_read() {
    let scene = Scene::new();
    let rules = "<CORSConfiguration><CORSRule><AllowedOrigin>https://*.example.org</AllowedOrigin>\
                 <AllowedMethod>PUT</AllowedMethod><ExposeHeader>ETag</ExposeHeader></CORSRule></CORSConfiguration>";
    let origin = ("Origin", "https://a.example.org");
    let allowed = |reply: &Reply| reply.header("access-control-allow-origin").map(str::to_owned);
    let put = scene.want(200, "PUT", "/bucket/k", &[origin], b"x");
    assert_eq!(allowed(&put), None, "no rules yet");
    scene.want(200, "PUT", "/bucket?cors", &[], rules.as_bytes());
    let put = scene.want(200, "PUT", "/bucket/k", &[origin], b"x");
    assert_eq!(allowed(&put).as_deref(), Some(origin.1));
    assert_eq!(put.header("access-control-allow-methods"), Some("PUT"));
    assert_eq!(put.header("access-control-expose-headers"), Some("ETag"));
    let elsewhere = scene.want(200, "PUT", "/bucket/k", &[("Origin", "https://example.com")], b"x");
    assert_eq!(allowed(&elsewhere), None);
    // The method that is named counts, as it does in a preflight.
    let named = |method| ("Access-Control-Request-Method", method);
    let table = [(&[][..], None), (&[named("PUT")], Some(origin.1)), (&[named("GET")], None)];
    for (more, wanted) in table {
        let got = scene.want(200, "GET", "/bucket/k", &[&[origin], more].concat(), b"");
        assert_eq!(allowed(&got).as_deref(), wanted, "{more:?}");
    }
    let put = scene.want(200, "PUT", "/bucket/k", &[origin, named("GET")], b"x");
    assert_eq!(allowed(&put), None);
    let missing = scene.want(404, "GET", "/bucket/none", &[origin, named("PUT")], b"");
    assert_eq!(allowed(&missing).as_deref(), Some(origin.1), "a page may read a refusal, too");
}

#[test]
fn checksums_of_parts() {
    let scene = Scene::new();
    let algorithm = [("x-amz-checksum-algorithm", "CRC32")];
    let begun = scene.want(200, "POST", "/bucket/big?uploads", &algorithm, b"");
    assert_eq!(begun.header("x-amz-checksum-type"), Some("COMPOSITE"));
    let id = elements(&begun.text(), "UploadId").remove(0);
    let parts = [noise(1, 5 << 20), b"hello".to_vec()];
    let (mut sums, mut chosen) = (Vec::new(), String::new());
    for (number, part) in (1..).zip(&parts) {
        let target = format!("/bucket/big?partNumber={number}&uploadId={id}");
        let stored = scene.want(200, "PUT", &target, &[], part);
        let (tag, sum) = (stored.header("etag").unwrap(), stored.header("x-amz-checksum-crc32").unwrap());
        chosen += &format!(
            "<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag><ChecksumCRC32>{sum}</ChecksumCRC32></Part>"
        );
        sums.push(sum.to_owned());
    }
    assert_eq!(sums[1], "NhCmhg==");
    let document = format!("<CompleteMultipartUpload>{chosen}</CompleteMultipartUpload>");
    let done =
        scene.want(200, "POST", &format!("/bucket/big?uploadId={id}"), &[], document.as_bytes()).text();
    let whole = elements(&done, "ChecksumCRC32").remove(0);
    assert!(whole.ends_with("-2"), "{done}");
    let mode = [("x-amz-checksum-mode", "ENABLED")];
    let sum = |method: &str, target: &str, status, headers: &[(&str, &str)]| {
        let reply = scene.want(status, method, target, headers, b"");
        ["x-amz-checksum-crc32", "x-amz-checksum-type"].map(|name| reply.header(name).map(str::to_owned))
    };
    let shown = |value: &str| [Some(value.to_owned()), Some("COMPOSITE".to_owned())];
    for method in ["GET", "HEAD"] {
        assert_eq!(sum(method, "/bucket/big", 200, &mode), shown(&whole));
        assert_eq!(sum(method, "/bucket/big?partNumber=1", 206, &mode), shown(&sums[0]));
        assert_eq!(sum(method, "/bucket/big?partNumber=2", 206, &mode), shown(&sums[1]));
        assert_eq!(sum(method, "/bucket/big?partNumber=2", 206, &[]), [None, None]);
        assert_eq!(sum(method, "/bucket/big", 206, &[mode[0], ("Range", "bytes=0-4")]), [None, None]);
    }
}

#[test]
fn when_a_rule_will_remove_it() {
    let scene = Scene::new();
    let rule = "<LifecycleConfiguration><Rule><ID>after a week</ID><Filter><Prefix>logs/</Prefix></Filter>\
                <Status>Enabled</Status><Expiration><Days>7</Days></Expiration></Rule></LifecycleConfiguration>";
    scene.want(200, "PUT", "/bucket/logs/old", &[], b"x");
    scene.want(200, "PUT", "/bucket?lifecycle", &[], rule.as_bytes());
    let told = |reply: Reply| reply.header("x-amz-expiration").map(str::to_owned).unwrap_or_default();
    let put = told(scene.want(200, "PUT", "/bucket/logs/new", &[], b"x"));
    assert!(
        put.starts_with("expiry-date=\"") && put.ends_with(" 00:00:00 GMT\", rule-id=\"after%20a%20week\""),
        "{put}"
    );
    for key in ["logs/new", "logs/old"] {
        for method in ["GET", "HEAD"] {
            assert_eq!(told(scene.want(200, method, &format!("/bucket/{key}"), &[], b"")), put);
        }
    }
    let copy = [("x-amz-copy-source", "/bucket/logs/old")];
    assert_eq!(told(scene.want(200, "PUT", "/bucket/logs/copy", &copy, b"")), put);
    assert_eq!(told(scene.want(200, "PUT", "/bucket/kept", &copy, b"")), "");
    let begun = scene.want(200, "POST", "/bucket/logs/parts?uploads", &[], b"").text();
    let target = format!("/bucket/logs/parts?uploadId={}", elements(&begun, "UploadId")[0]);
    let stored = scene.want(200, "PUT", &format!("{target}&partNumber=1"), &[], b"x");
    let document = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part></CompleteMultipartUpload>",
        stored.header("etag").unwrap()
    );
    assert_eq!(told(scene.want(200, "POST", &target, &[], document.as_bytes())), put);
    scene.want(204, "DELETE", "/bucket?lifecycle", &[], b"");
    assert_eq!(told(scene.want(200, "GET", "/bucket/logs/new", &[], b"")), "");
}
