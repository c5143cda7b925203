//! What the standards ask, where it takes a whole exchange to see it.

use super::*;

#[tokio::test]
async fn not_modified_carries_what_200_would() {
    let mut client = Client::new().await;
    client.ask("PUT", "/dav/alice/a", &[], "one").await;
    let whole = client.ask("GET", "/dav/alice/a", &[], "").await;
    let since = whole.header("last-modified").unwrap();
    for condition in
        [("If-None-Match", "{etag}"), ("If-Modified-Since", since.as_str()), ("If-None-Match", "*")]
    {
        let reply = client.ask("GET", "/dav/alice/a", &[condition], "").await;
        assert_eq!((reply.status, reply.body.as_str()), (304, ""), "{condition:?}");
        for name in ["etag", "last-modified", "cache-control"] {
            assert_eq!(reply.header(name), whole.header(name), "{condition:?} {name}");
        }
    }
}

#[tokio::test]
async fn infinite_depth_shows_everything_once() {
    let mut client = Client::new().await;
    let mut urls = vec!["/dav/alice/t/".to_owned()];
    client.ask("MKCOL", "/dav/alice/t/", &[], "").await;
    for a in ["a", "b", "c"] {
        for url in
            [format!("/dav/alice/t/{a}/"), format!("/dav/alice/t/{a}/x/"), format!("/dav/alice/t/{a}.txt")]
        {
            let method = if url.ends_with('/') { "MKCOL" } else { "PUT" };
            assert_eq!(client.ask(method, &url, &[], "").await.status, 201);
            urls.push(url);
        }
        for n in 0..5 {
            let url = format!("/dav/alice/t/{a}/x/{n}");
            assert_eq!(client.ask("PUT", &url, &[], "1").await.status, 201);
            urls.push(url);
        }
    }
    for headers in [&[("Depth", "infinity")][..], &[]] {
        let reply = client.ask("PROPFIND", "/dav/alice/t", headers, "").await;
        assert_eq!(reply.status, 207);
        for url in &urls {
            assert_eq!(reply.body.matches(&format!("<D:href>{url}</D:href>")).count(), 1, "{url}");
        }
        assert_eq!(reply.body.matches("<D:response>").count(), urls.len());
        assert!(reply.body.ends_with("</D:multistatus>\n"));
    }
    let rootless = [("Depth", "infinity"), ("Prefer", "depth-noroot")];
    let reply = client.ask("PROPFIND", "/dav/alice/t", &rootless, "").await;
    assert_eq!(reply.body.matches("<D:response>").count(), urls.len() - 1);
}

#[tokio::test]
async fn a_file_that_becomes_a_folder_is_reported_once() {
    const SYNC: &str = r#"<D:sync-collection xmlns:D="DAV:"><D:sync-token>{sync}</D:sync-token><D:sync-level>1</D:sync-level><D:prop><D:getetag/></D:prop></D:sync-collection>"#;
    let steps = [
        step("MKCOL", "/dav/alice/u/", 201),
        step("PUT", "/dav/alice/u/x", 201).body("one"),
        step("REPORT", "/dav/alice/u/", 207).body(SYNC).holds(&["/dav/alice/u/x<"]),
        step("DELETE", "/dav/alice/u/x", 204),
        step("MKCOL", "/dav/alice/u/x", 201),
        step("REPORT", "/dav/alice/u/", 207).body(SYNC).holds(&["/dav/alice/u/x/<", "!/dav/alice/u/x<"]),
        step("DELETE", "/dav/alice/u/x/", 204),
        step("REPORT", "/dav/alice/u/", 207).body(SYNC).holds(&["/dav/alice/u/x/<", "HTTP/1.1 404"]),
    ];
    Client::new().await.run(&steps).await;
}

#[tokio::test]
async fn forwarded_hosts_are_believed_only_from_a_trusted_proxy() {
    let headers =
        [("Destination", "https://cloud.example/dav/alice/b"), ("X-Forwarded-Host", "cloud.example")];
    for (trusted, wanted) in [(Vec::new(), 502), (vec!["127.0.0.1".parse().unwrap()], 201)] {
        let mut client = Client::behind(trusted).await;
        client.ask("PUT", "/dav/alice/a", &[], "one").await;
        assert_eq!(client.ask("MOVE", "/dav/alice/a", &headers, "").await.status, wanted);
    }
}

#[tokio::test]
async fn the_root_leads_clients_on() {
    let steps = [
        step("GET", "/", 404),
        step("POST", "/", 404),
        step("PROPFIND", "/", 401).with(&[("Anonymous", "1"), ("Depth", "0")]),
        step("GET", "/dav/", 200).holds(&["/dav/alice/"]),
        step("GET", "/dav/", 401).with(&[("Anonymous", "1")]),
    ];
    Client::new().await.run(&steps).await;
}

#[tokio::test]
async fn minimal_answers_to_proppatch() {
    const FINE: &str = r#"<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><D:displayname>n</D:displayname></D:prop></D:set></D:propertyupdate>"#;
    const REFUSED: &str = r#"<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><D:getetag>n</D:getetag></D:prop></D:set></D:propertyupdate>"#;
    const MINIMAL: &[(&str, &str)] = &[("Prefer", "return=minimal")];
    let steps = [
        step("PUT", "/dav/alice/a", 201).body("one"),
        step("PROPPATCH", "/dav/alice/a", 200)
            .with(MINIMAL)
            .body(FINE)
            .holds(&["preference-applied: return=minimal"]),
        step("PROPPATCH", "/dav/alice/a", 207).with(MINIMAL).body(REFUSED).holds(&["403 Forbidden"]),
    ];
    Client::new().await.run(&steps).await;
}

#[tokio::test]
async fn a_body_of_mkcol_must_be_understood() {
    let steps = [
        step("MKCOL", "/dav/alice/a", 415).with(&[("Content-Type", "text/plain")]).body("x"),
        step("MKCOL", "/dav/alice/a", 201).with(&[("Content-Type", "text/plain")]),
        step("MKCOL", "/dav/alice/b", 201).with(&[("Transfer-Encoding", "chunked")]),
    ];
    Client::new().await.run(&steps).await;
}
