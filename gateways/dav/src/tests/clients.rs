//! What particular clients send, in their order. Each test is named for its client.

use super::*;

#[tokio::test]
async fn quirk_gvfs_mounts_writes_and_moves() {
    const STAT: &str = r#"<?xml version="1.0" encoding="utf-8" ?>
 <D:propfind xmlns:D="DAV:">
  <D:prop>
<D:resourcetype/>
<D:getcontentlength/>
  </D:prop>
 </D:propfind>"#;
    const LIST: &str = r#"<?xml version="1.0" encoding="utf-8" ?>
 <D:propfind xmlns:D="DAV:">
  <D:prop>
<D:creationdate/>
<D:displayname/>
<D:getcontentlength/>
<D:getcontenttype/>
<D:getetag/>
<D:getlastmodified/>
<D:resourcetype/>
  </D:prop>
 </D:propfind>"#;
    const QUOTA: &str = r#"<?xml version="1.0" encoding="utf-8" ?>
 <D:propfind xmlns:D="DAV:">
  <D:prop>
<D:quota-available-bytes/>
<D:quota-used-bytes/>
  </D:prop>
 </D:propfind>"#;
    let steps = [
        step("OPTIONS", "/dav/alice/", 200).holds(&["dav: 1, 2"]),
        step("PROPFIND", "/dav/alice/", 207).with(&[("Depth", "0")]).body(STAT).holds(&["<D:collection/>"]),
        step("PROPFIND", "/dav/alice", 207)
            .with(&[("Depth", "0")])
            .body(STAT)
            .holds(&["/dav/alice/</D:href>"]),
        step("PROPFIND", "/dav/alice/", 207)
            .with(&[("Depth", "0")])
            .body(QUOTA)
            .holds(&["quota-used-bytes>0<"]),
        step("HEAD", "/dav/alice/a", 404),
        step("PUT", "/dav/alice/a", 201).body("one"),
        step("PUT", "/dav/alice/a", 204).with(&[("If-Match", "{etag}")]).body("two"),
        step("PUT", "/dav/alice/a", 412).with(&[("If-Match", "\"old\"")]).body("three"),
        step("MKCOL", "/dav/alice/d", 201),
        step("PROPFIND", "/dav/alice/", 207).with(&[("Depth", "1")]).body(LIST).holds(&[
            "/dav/alice/a</D:href>",
            "/dav/alice/d/</D:href>",
            "<D:getcontentlength>3<",
        ]),
        step("MOVE", "/dav/alice/a", 201)
            .with(&[("Destination", "http://{host}/dav/alice/d/b"), ("Overwrite", "F")]),
        step("COPY", "/dav/alice/d", 201).with(&[
            ("Destination", "http://{host}/dav/alice/e"),
            ("Overwrite", "F"),
            ("Depth", "infinity"),
        ]),
        step("GET", "/dav/alice/e/b", 200).holds(&["two"]),
        step("DELETE", "/dav/alice/e/", 204),
    ];
    Client::new().await.run(&steps).await;
}

#[tokio::test]
async fn quirk_kio_looks_before_it_writes() {
    const EXISTS: &str = "<?xml version=\"1.0\" encoding=\"utf-8\" ?><D:propfind xmlns:D=\"DAV:\"><D:prop><D:creationdate/>\
        <D:getcontentlength/><D:displayname/><D:resourcetype/></D:prop></D:propfind>";
    const LIST: &str = "<?xml version=\"1.0\" encoding=\"utf-8\" ?><D:propfind xmlns:D=\"DAV:\"><D:prop><D:creationdate/>\
        <D:getcontentlength/><D:displayname/><D:source/><D:getcontentlanguage/><D:getcontenttype/><D:getlastmodified/>\
        <D:getetag/><D:supportedlock/><D:lockdiscovery/><D:resourcetype/><D:quota-available-bytes/>\
        <D:quota-used-bytes/></D:prop></D:propfind>";
    const XML: (&str, &str) = ("Content-Type", "text/xml; charset=utf-8");
    let steps = [
        step("PROPFIND", "/dav/alice/a.txt", 404).with(&[XML, ("Depth", "0")]).body(EXISTS),
        step("PUT", "/dav/alice/a.txt", 201).body("one"),
        step("PROPFIND", "/dav/alice/a.txt", 207).with(&[XML, ("Depth", "0")]).body(EXISTS),
        step("MKCOL", "/dav/alice/d", 201).with(&[XML]),
        step("PROPFIND", "/dav/alice", 207).with(&[XML, ("Depth", "1")]).body(LIST).holds(&[
            "<D:href>/dav/alice/</D:href><D:propstat><D:prop><D:creationdate>",
            "<D:getcontenttype>text/plain<",
            "<D:lockdiscovery/>",
            "<D:quota-used-bytes>3<",
        ]),
        step("COPY", "/dav/alice/a.txt", 201).with(&[
            XML,
            ("Destination", "http://{host}/dav/alice/d/a.txt"),
            ("Overwrite", "F"),
            ("Depth", "infinity"),
        ]),
        step("MOVE", "/dav/alice/a.txt", 412).with(&[
            XML,
            ("Destination", "http://{host}/dav/alice/d/a.txt"),
            ("Overwrite", "F"),
            ("Depth", "infinity"),
        ]),
        step("MOVE", "/dav/alice/a.txt", 204).with(&[
            XML,
            ("Destination", "http://{host}/dav/alice/d/a.txt"),
            ("Overwrite", "T"),
            ("Depth", "infinity"),
        ]),
        step("DELETE", "/dav/alice/d", 204),
    ];
    Client::new().await.run(&steps).await;
}

#[tokio::test]
async fn quirk_keepass_puts_in_place_and_waits_for_100() {
    const EXPECT: (&str, &str) = ("Expect", "100-continue");
    let steps = [
        step("GET", "/dav/alice/db.kdbx", 401)
            .with(&[("Anonymous", "1")])
            .holds(&["www-authenticate: Basic"]),
        step("GET", "/dav/alice/db.kdbx", 404),
        step("PUT", "/dav/alice/db.kdbx", 401).with(&[("Anonymous", "1"), EXPECT]).body("never sent"),
        step("PUT", "/dav/alice/db.kdbx", 201).with(&[EXPECT]).body("one"),
        step("PUT", "/dav/alice/db.kdbx", 204).with(&[EXPECT]).body("two"),
        step("GET", "/dav/alice/db.kdbx", 200).holds(&["two"]),
        // With file transactions: a temporary file takes the place of the old one.
        step("PUT", "/dav/alice/db.kdbx.tmp", 201).with(&[EXPECT]).body("three"),
        step("DELETE", "/dav/alice/db.kdbx", 204),
        step("MOVE", "/dav/alice/db.kdbx.tmp", 201)
            .with(&[("Destination", "http://{host}/dav/alice/db.kdbx"), ("Overwrite", "T")]),
        step("GET", "/dav/alice/db.kdbx", 200).holds(&["three"]),
    ];
    Client::new().await.run(&steps).await;
}

#[tokio::test]
async fn quirk_cyberduck_keeps_times_in_properties_of_its_own() {
    const ALL: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?><D:propfind xmlns:D="DAV:"><D:allprop/></D:propfind>"#;
    const TIMES: &str = r#"<D:propfind xmlns:D="DAV:" xmlns:s="SAR:"><D:prop><D:getlastmodified/><s:lastmodified/><s:lastmodified_server/></D:prop></D:propfind>"#;
    const PATCH: &str = r#"<D:propertyupdate xmlns:D="DAV:" xmlns:s="SAR:"><D:set><D:prop><s:lastmodified>Sun, 06 Nov 1994 08:49:37 GMT</s:lastmodified><s:lastmodified_server>Sun, 06 Nov 1994 09:00:00 GMT</s:lastmodified_server></D:prop></D:set><D:remove/></D:propertyupdate>"#;
    const LOCK: &str = r#"<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockinfo>"#;
    let steps = [
        step("HEAD", "/dav/alice/", 200),
        step("PROPFIND", "/dav/alice/", 207).with(&[("Depth", "1")]).body(ALL).holds(&["<D:collection/>"]),
        step("MKCOL", "/dav/alice/d/", 201),
        step("PUT", "/dav/alice/d/a", 201)
            .with(&[("Expect", "100-continue")])
            .body("one")
            .holds(&["etag: \""]),
        step("PROPFIND", "/dav/alice/d/a", 207).with(&[("Depth", "1")]).body(TIMES).holds(&["404 Not Found"]),
        step("PROPPATCH", "/dav/alice/d/a", 207).body(PATCH).holds(&["200 OK"]),
        step("PROPFIND", "/dav/alice/d/a", 207)
            .with(&[("Depth", "1")])
            .body(TIMES)
            .holds(&["Sun, 06 Nov 1994 08:49:37 GMT</s:lastmodified>", "!404 Not Found"]),
        // It would append; that must not be taken for the whole.
        step("PUT", "/dav/alice/d/a", 400).with(&[("Content-Range", "bytes 3-5/6")]).body("two"),
        step("GET", "/dav/alice/d/a", 200).holds(&["\none", "!two"]),
        step("LOCK", "/dav/alice/d/a", 200).body(LOCK).holds(&["<D:locktoken>"]),
        step("PUT", "/dav/alice/d/a", 423).body("two"),
        step("PUT", "/dav/alice/d/a", 204).with(&[("If", "({lock})")]).body("two"),
        step("UNLOCK", "/dav/alice/d/a", 204).with(&[("Lock-Token", "{lock}")]),
        step("MOVE", "/dav/alice/d/", 201)
            .with(&[("Destination", "http://{host}/dav/alice/e/"), ("Overwrite", "T")]),
        step("DELETE", "/dav/alice/e/", 204),
    ];
    Client::new().await.run(&steps).await;
}

#[tokio::test]
async fn quirk_joplin_sends_tags_without_quotes() {
    const STAT: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
			<d:propfind xmlns:d="DAV:">
				<d:prop xmlns:oc="http://owncloud.org/ns">
					<d:getlastmodified/><d:resourcetype/>
				</d:prop>
			</d:propfind>"#;
    const IGNORE: (&str, &str) = ("If-None-Match", "JoplinIgnore-42130");
    let steps = [
        step("PROPFIND", "/dav/alice/notes", 404).with(&[IGNORE, ("Depth", "0")]).body(STAT),
        step("MKCOL", "/dav/alice/notes/", 201).with(&[IGNORE]),
        step("MKCOL", "/dav/alice/notes/", 405).with(&[IGNORE]),
        step("PUT", "/dav/alice/notes/a.md", 201).with(&[IGNORE]).body("one"),
        step("PUT", "/dav/alice/notes/a.md", 204).with(&[IGNORE]).body("two"),
        step("PROPFIND", "/dav/alice/notes/", 207).with(&[IGNORE, ("Depth", "1")]).body(STAT).holds(&[
            "<D:href>/dav/alice/notes/a.md</D:href><D:propstat><D:prop><D:getlastmodified>",
            "!404",
        ]),
        // Sync target locks are files; times are compared.
        step("MKCOL", "/dav/alice/notes/locks/", 201).with(&[IGNORE]),
        step("PUT", "/dav/alice/notes/locks/1_2_abc.json", 201).with(&[IGNORE]).body("{}"),
        step("MOVE", "/dav/alice/notes/a.md", 201).with(&[
            IGNORE,
            ("Destination", "http://{host}/dav/alice/notes/b.md"),
            ("Overwrite", "T"),
        ]),
        step("GET", "/dav/alice/notes/b.md", 200).holds(&["two"]),
        step("DELETE", "/dav/alice/notes/gone.md", 404).with(&[IGNORE]),
        step("DELETE", "/dav/alice/notes/locks/1_2_abc.json", 204).with(&[IGNORE]),
    ];
    Client::new().await.run(&steps).await;
}

#[tokio::test]
async fn quirk_finder_writes_in_chunks_under_a_lock() {
    const STAT: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<D:propfind xmlns:D="DAV:">
<D:prop>
<D:getlastmodified/>
<D:getcontentlength/>
<D:creationdate/>
<D:resourcetype/>
</D:prop>
</D:propfind>"#;
    const QUOTA: &str = r#"<D:propfind xmlns:D="DAV:"><D:prop><D:quota-available-bytes/><D:quota-used-bytes/><D:quota/><D:quotaused/></D:prop></D:propfind>"#;
    const LOCK: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<D:lockinfo xmlns:D="DAV:">
<D:lockscope><D:exclusive/></D:lockscope>
<D:locktype><D:write/></D:locktype>
<D:owner>
<D:href>http://www.apple.com/webdav_fs/</D:href>
</D:owner>
</D:lockinfo>"#;
    const CHUNKED: (&str, &str) = ("Transfer-Encoding", "Chunked");
    let steps = [
        step("OPTIONS", "/dav/alice/", 200).holds(&["dav: 1, 2"]),
        step("PROPFIND", "/dav/alice/", 207).with(&[("Depth", "0")]).body(QUOTA),
        step("PROPFIND", "/dav/alice/a", 404).with(&[("Depth", "0")]).body(STAT),
        step("PUT", "/dav/alice/a", 201),
        step("LOCK", "/dav/alice/a", 200).with(&[("Depth", "0"), ("Timeout", "Second-600")]).body(LOCK),
        step("PUT", "/dav/alice/a", 204)
            .with(&[CHUNKED, ("X-Expected-Entity-Length", "5"), ("If", "({lock})")])
            .body("12345"),
        // Cut off on the way: what was there stays.
        step("PUT", "/dav/alice/a", 400)
            .with(&[CHUNKED, ("X-Expected-Entity-Length", "9"), ("If", "({lock})")])
            .body("67890"),
        step("LOCK", "/dav/alice/a", 200).with(&[("If", "({lock})"), ("Timeout", "Second-600")]),
        step("UNLOCK", "/dav/alice/a", 204).with(&[("Lock-Token", "{lock}")]),
        step("GET", "/dav/alice/a", 200).holds(&["12345"]),
        step("PUT", "/dav/alice/._a", 201).with(&[CHUNKED, ("X-Expected-Entity-Length", "4")]).body("fork"),
        step("PROPFIND", "/dav/alice/", 207).with(&[("Depth", "1")]).body(STAT).holds(&["/dav/alice/._a<"]),
        step("MOVE", "/dav/alice/a", 201).with(&[("Destination", "http://{host}/dav/alice/b")]),
        step("DELETE", "/dav/alice/._a", 204),
    ];
    Client::new().await.run(&steps).await;
}

#[tokio::test]
async fn quirk_davfs2_locks_what_is_not_there() {
    const LIST: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<propfind xmlns="DAV:"><prop>
<getetag xmlns="DAV:"/>
<getcontentlength xmlns="DAV:"/>
<creationdate xmlns="DAV:"/>
<getlastmodified xmlns="DAV:"/>
<resourcetype xmlns="DAV:"/>
<executable xmlns="http://apache.org/dav/props/"/>
</prop></propfind>
"#;
    const LOCK: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<lockinfo xmlns='DAV:'>
 <lockscope><exclusive/></lockscope>
<locktype><write/></locktype><owner>alice</owner>
</lockinfo>
"#;
    const EXECUTABLE: &str = r#"<?xml version="1.0" encoding="utf-8" ?><D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><executable xmlns="http://apache.org/dav/props/">T</executable></D:prop></D:set></D:propertyupdate>"#;
    let steps = [
        step("OPTIONS", "/dav/alice/", 200).holds(&["dav: 1, 2", "allow: "]),
        step("PROPFIND", "/dav/alice/", 207).with(&[("Depth", "1")]).body(LIST).holds(&["<D:collection/>"]),
        step("LOCK", "/dav/alice/a", 201).with(&[("Depth", "0"), ("Timeout", "Second-1800")]).body(LOCK),
        step("HEAD", "/dav/alice/a", 200).holds(&["content-length: 0", "etag: "]),
        step("PUT", "/dav/alice/a", 204)
            .with(&[("If-Match", "{etag}"), ("If", "<http://{host}/dav/alice/a> ({lock})")])
            .body("one"),
        step("HEAD", "/dav/alice/a", 200).holds(&["content-length: 3"]),
        step("PUT", "/dav/alice/a", 412)
            .with(&[("If-Match", "\"other\""), ("If", "<http://{host}/dav/alice/a> ({lock})")])
            .body("two"),
        step("PROPPATCH", "/dav/alice/a", 207)
            .with(&[("If", "<http://{host}/dav/alice/a> ({lock})")])
            .body(EXECUTABLE)
            .holds(&["200 OK"]),
        step("LOCK", "/dav/alice/a", 200)
            .with(&[("If", "<http://{host}/dav/alice/a> ({lock})"), ("Timeout", "Second-1800")]),
        step("UNLOCK", "/dav/alice/a", 204).with(&[("Lock-Token", "{lock}")]),
        step("PROPFIND", "/dav/alice/", 207)
            .with(&[("Depth", "1")])
            .body(LIST)
            .holds(&[">T</executable>", "{etag}"]),
        step("MOVE", "/dav/alice/a", 201)
            .with(&[("Destination", "http://{host}/dav/alice/b"), ("Overwrite", "T")]),
        step("DELETE", "/dav/alice/b", 204),
    ];
    Client::new().await.run(&steps).await;
}

#[tokio::test]
async fn quirk_rclone_sets_times_and_reads_them_back() {
    const LIST: &str = r#"<?xml version="1.0"?>
<d:propfind  xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns" xmlns:nc="http://nextcloud.org/ns">
 <d:prop>
  <d:displayname />
  <d:getlastmodified />
  <d:getcontentlength />
  <d:resourcetype />
  <d:getcontenttype />
  <oc:checksums />
  <oc:permissions />
 </d:prop>
</d:propfind>
"#;
    const TIME: &str = r#"<?xml version="1.0" encoding="utf-8" ?>
<D:propertyupdate xmlns:D="DAV:">
 <D:set>
  <D:prop>
   <lastmodified xmlns="DAV:">784111777</lastmodified>
  </D:prop>
 </D:set>
</D:propertyupdate>
"#;
    const READ: &str = "<D:getlastmodified>Sun, 06 Nov 1994 08:49:37 GMT<";
    let steps = [
        step("PROPFIND", "/dav/alice/d", 404).with(&[("Depth", "0")]).body(LIST),
        step("MKCOL", "/dav/alice/d/e/", 409),
        step("MKCOL", "/dav/alice/d/", 201),
        step("MKCOL", "/dav/alice/d/", 405),
        step("PUT", "/dav/alice/d/a", 201)
            .with(&[("X-OC-Mtime", "1000000000"), ("OC-Checksum", "SHA1:x")])
            .body("0123456789")
            .holds(&["x-oc-mtime: accepted", "oc-etag: "]),
        step("PROPFIND", "/dav/alice/d/", 207)
            .with(&[("Depth", "1")])
            .body(LIST)
            .holds(&["09 Sep 2001 01:46:40 GMT<"]),
        // It checks the number of responses and the status of the first.
        step("PROPPATCH", "/dav/alice/d/a", 207).body(TIME).holds(&["HTTP/1.1 200 OK", "!404"]),
        step("PROPFIND", "/dav/alice/d/a", 207).with(&[("Depth", "0")]).body(LIST).holds(&[READ]),
        step("GET", "/dav/alice/d/a", 206).with(&[("Depth", "0"), ("Range", "bytes=2-4")]).holds(&[
            "content-range: bytes 2-4/10",
            "234",
            "!2345",
        ]),
        step("COPY", "/dav/alice/d/a", 201).with(&[
            ("Destination", "http://{host}/dav/alice/d/b"),
            ("Overwrite", "T"),
            ("X-OC-Mtime", "784111777"),
        ]),
        step("PROPFIND", "/dav/alice/d/b", 207).with(&[("Depth", "0")]).body(LIST).holds(&[READ]),
        step("MOVE", "/dav/alice/d/", 201)
            .with(&[("Destination", "http://{host}/dav/alice/f/"), ("Overwrite", "T")]),
        step("DELETE", "/dav/alice/f/", 204),
    ];
    Client::new().await.run(&steps).await;
}

#[tokio::test]
async fn quirk_webdav4_stats_without_depth() {
    let steps = [
        step("MKCOL", "/dav/alice/d/", 201),
        step("MKCOL", "/dav/alice/d/e/", 201),
        step("PUT", "/dav/alice/d/e/a", 201).body("one"),
        step("PROPFIND", "/dav/alice/d", 207).holds(&["<D:href>/dav/alice/d/</D:href>", "/dav/alice/d/e/a<"]),
        step("PROPFIND", "/dav/alice/d/e/a", 207).holds(&["<D:getcontentlength>3<"]),
        step("PROPFIND", "/dav/alice/none", 404),
    ];
    Client::new().await.run(&steps).await;
}

#[tokio::test]
async fn quirk_npm_webdav_lists_deeply_and_unlocks_barely() {
    const ALL: &str = r#"<?xml version="1.0"?><propfind xmlns="DAV:"><allprop/></propfind>"#;
    const LOCK: &str = r#"<?xml version="1.0"?><lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype><owner><href>me</href></owner></lockinfo>"#;
    let steps = [
        step("MKCOL", "/dav/alice/d", 201),
        step("PUT", "/dav/alice/d/a", 201).with(&[("Overwrite", "T")]).body("one"),
        step("PROPFIND", "/dav/alice/", 207).with(&[("Depth", "infinity")]).body(ALL).holds(&[
            "/dav/alice/</D:href>",
            "/dav/alice/d/</D:href>",
            "/dav/alice/d/a</D:href>",
        ]),
        step("LOCK", "/dav/alice/d/a", 200).body(LOCK),
        step("UNLOCK", "/dav/alice/d/a", 400).with(&[("Lock-Token", "<{bare}")]),
        step("UNLOCK", "/dav/alice/d/a", 204).with(&[("Lock-Token", "{bare}")]),
        step("DELETE", "/dav/alice/d/a", 204),
    ];
    Client::new().await.run(&steps).await;
}

#[tokio::test]
async fn quirk_windows_asks_the_parents_without_login() {
    const ANONYMOUS: (&str, &str) = ("Anonymous", "1");
    let steps = [
        step("OPTIONS", "/", 200).with(&[ANONYMOUS]).holds(&["ms-author-via: DAV", "dav: 1, 2"]),
        step("OPTIONS", "/dav/alice", 200).with(&[ANONYMOUS]).holds(&["ms-author-via: DAV"]),
        step("PROPFIND", "/dav/alice", 401).with(&[ANONYMOUS, ("Depth", "0")]),
        step("PROPFIND", "/", 207).with(&[("Depth", "1")]).holds(&["<D:href>/dav/</D:href>"]),
        step("PROPFIND", "/dav", 207).with(&[("Depth", "1")]).holds(&["<D:href>/dav/alice/</D:href>"]),
        step("PROPFIND", "/dav/alice", 207).with(&[("Depth", "1")]).holds(&["<D:href>/dav/alice/</D:href>"]),
    ];
    Client::new().await.run(&steps).await;
}

#[tokio::test]
async fn quirk_rclone_recalculates_checksums() {
    let steps = [
        step("PUT", "/dav/alice/a", 201).with(&[("OC-Checksum", "SHA1:x")]).body("abc"),
        step("PATCH", "/dav/alice/a", 204)
            .with(&[("X-Recalculate-Hash", "sha1")])
            .holds(&["oc-checksum: SHA1:a9993e364706816aba3e25717850c26c9cd0d89d"]),
        step("PATCH", "/dav/alice/a", 204)
            .with(&[("X-Recalculate-Hash", "md5")])
            .holds(&["oc-checksum: MD5:900150983cd24fb0d6963f7d28e17f72"]),
        step("PATCH", "/dav/alice/a", 405).with(&[("X-Recalculate-Hash", "crc32")]),
        step("PATCH", "/dav/alice/a", 405).body("x"),
        step("PATCH", "/dav/alice/", 405).with(&[("X-Recalculate-Hash", "md5")]),
        step("PATCH", "/dav/alice/none", 404).with(&[("X-Recalculate-Hash", "md5")]),
    ];
    Client::new().await.run(&steps).await;
}
