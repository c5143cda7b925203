//! CardDAV over a socket.

use super::*;

const ADA: &str = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:ada\r\nFN:Ada Lovelace\r\nN:Lovelace;Ada;;;\r\nEMAIL;TYPE=home:ada@example.com\r\n\
    item1.TEL:+49 30 1\r\nitem1.X-ABLabel:Büro\r\nEND:VCARD\r\n";
const GRACE: &str = "BEGIN:VCARD\r\nVERSION:4.0\r\nUID:grace\r\nFN:Grace Hopper\r\nKIND:individual\r\nEMAIL:grace@example.org\r\nEND:VCARD\r\n";
const BOOK: &str = "/dav/alice/Contacts/Personal/";
const ONE: (&str, &str) = ("Depth", "1");

#[tokio::test]
async fn cards_are_asked_for() {
    const QUERY: &str = r#"<r:addressbook-query xmlns:d="DAV:" xmlns:r="urn:ietf:params:xml:ns:carddav"><d:prop><d:getetag/><r:address-data/></d:prop>
        <r:filter test="anyof"><r:prop-filter name="FN"><r:text-match match-type="starts-with">ADA</r:text-match></r:prop-filter></r:filter></r:addressbook-query>"#;
    const LIMIT: &str = r#"<r:addressbook-query xmlns:d="DAV:" xmlns:r="urn:ietf:params:xml:ns:carddav"><d:prop><d:getetag/></d:prop><r:filter/><r:limit><r:nresults>1</r:nresults></r:limit></r:addressbook-query>"#;
    const FOUR: &str = r#"<r:addressbook-multiget xmlns:d="DAV:" xmlns:r="urn:ietf:params:xml:ns:carddav"><d:prop><r:address-data content-type="text/vcard" version="4.0"/></d:prop><d:href>/dav/alice/Contacts/Personal/ada.vcf</d:href></r:addressbook-multiget>"#;
    const PARTS: &str = r#"<r:addressbook-multiget xmlns:d="DAV:" xmlns:r="urn:ietf:params:xml:ns:carddav"><d:prop><r:address-data><r:prop name="UID"/><r:prop name="EMAIL"/></r:address-data></d:prop><d:href>ada.vcf</d:href><d:href>/dav/alice/Contacts/Personal/grace.vcf</d:href><d:href>none</d:href></r:addressbook-multiget>"#;
    const ANY: &str = r#"<r:addressbook-multiget xmlns:d="DAV:" xmlns:r="urn:ietf:params:xml:ns:carddav"><d:prop><r:address-data/></d:prop><d:href>/dav/alice/Contacts/Personal/grace.vcf</d:href></r:addressbook-multiget>"#;
    const JCARD: &str = r#"<r:addressbook-multiget xmlns:d="DAV:" xmlns:r="urn:ietf:params:xml:ns:carddav"><d:prop><r:address-data content-type="application/vcard+json"/></d:prop><d:href>ada.vcf</d:href></r:addressbook-multiget>"#;
    const COLLATION: &str = r#"<r:addressbook-query xmlns:d="DAV:" xmlns:r="urn:ietf:params:xml:ns:carddav"><d:prop><d:getetag/></d:prop>
        <r:filter><r:prop-filter name="FN"><r:text-match collation="i;klingon">x</r:text-match></r:prop-filter></r:filter></r:addressbook-query>"#;
    const SYNC: &str = r#"<d:sync-collection xmlns:d="DAV:" xmlns:r="urn:ietf:params:xml:ns:carddav"><d:sync-token/><d:sync-level>1</d:sync-level><d:prop><d:getetag/><r:address-data/></d:prop></d:sync-collection>"#;
    const PROPS: &str = r#"<d:propfind xmlns:d="DAV:" xmlns:r="urn:ietf:params:xml:ns:carddav"><d:prop><r:supported-address-data/><r:supported-collation-set/><r:max-resource-size/><d:supported-report-set/><d:sync-token/></d:prop></d:propfind>"#;
    let steps = [
        step("PUT", "/dav/alice/Contacts/Personal/ada.vcf", 201)
            .with(&[("Content-Type", "text/vcard")])
            .body(ADA),
        step("PUT", "/dav/alice/Contacts/Personal/grace.vcf", 201)
            .with(&[("Content-Type", "text/vcard")])
            .body(GRACE),
        step("REPORT", BOOK, 207).with(&[ONE]).body(QUERY).holds(&[
            "ada.vcf</D:href>",
            "<CR:address-data>BEGIN:VCARD&#13;",
            "item1.X-ABLabel:Büro",
            "!grace",
        ]),
        step("REPORT", BOOK, 207).with(&[ONE]).body(LIMIT).holds(&[
            "<D:href>/dav/alice/Contacts/Personal/</D:href><D:status>HTTP/1.1 507",
            "<D:number-of-matches-within-limits/>",
            "!grace",
        ]),
        step("REPORT", BOOK, 207).body(FOUR).holds(&["VERSION:4.0", "item1.X-ABLabel"]),
        step("REPORT", BOOK, 207).body(PARTS).holds(&[
            "VERSION:3.0",
            "ada@example.com",
            "!FN:",
            "<D:href>none</D:href><D:status>HTTP/1.1 404",
        ]),
        step("REPORT", BOOK, 207).body(ANY).holds(&["VERSION:3.0", "!VERSION:4.0"]),
        step("GET", "/dav/alice/Contacts/Personal/grace.vcf", 200).holds(&["VERSION:4.0"]),
        step("REPORT", BOOK, 403)
            .body(JCARD)
            .holds(&["<C:supported-address-data xmlns:C=\"urn:ietf:params:xml:ns:carddav\""]),
        step("REPORT", BOOK, 403)
            .with(&[ONE])
            .body(COLLATION)
            .holds(&["<C:supported-collation xmlns:C=\"urn:ietf:params:xml:ns:carddav\""]),
        step("REPORT", "/dav/alice/Calendars/Personal/", 403)
            .with(&[ONE])
            .body(QUERY)
            .holds(&["supported-report"]),
        step("REPORT", "/dav/alice/Contacts/Personal/ada.vcf", 207).body(QUERY).holds(&["ada.vcf</D:href>"]),
        step("REPORT", BOOK, 207).body(SYNC).holds(&["UID:ada", "UID:grace", "<D:sync-token>"]),
        step("PROPFIND", BOOK, 207).with(&[("Depth", "0")]).body(PROPS).holds(&[
            "<CR:address-data-type content-type=\"text/vcard\" version=\"4.0\"/>",
            "<CR:supported-collation>i;unicode-casemap</CR:supported-collation>",
            "<CR:addressbook-multiget/>",
            "!404",
        ]),
    ];
    Client::new().await.run(&steps).await;
}

#[tokio::test]
async fn address_books_are_made_by_mkcol() {
    /// RFC 6352 §6.3.1.1.
    const MAKE: &str = r#"<D:mkcol xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav"><D:set><D:prop><D:resourcetype><D:collection/><C:addressbook/></D:resourcetype>
        <D:displayname>Lisa's Contacts</D:displayname><C:addressbook-description xml:lang="en">My primary address book.</C:addressbook-description></D:prop></D:set></D:mkcol>"#;
    const ASK: &str = r#"<D:propfind xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav"><D:prop><D:resourcetype/><D:displayname/><C:addressbook-description/></D:prop></D:propfind>"#;
    const XML: (&str, &str) = ("Content-Type", "application/xml");
    let steps = [
        step("MKCOL", "/dav/alice/Contacts/lisa/", 201).with(&[XML]).body(MAKE),
        step("PROPFIND", "/dav/alice/Contacts/lisa/", 207).with(&[("Depth", "0")]).body(ASK).holds(&[
            "<CR:addressbook/>",
            "Lisa&#39;s Contacts",
            "My primary address book.",
        ]),
        step("MKCOL", "/dav/alice/Contacts/lisa/inner/", 403)
            .with(&[XML])
            .body(MAKE)
            .holds(&["addressbook-collection-location-ok"]),
        step("MKCOL", "/dav/alice/Contacts/lisa/", 405).with(&[XML]).body(MAKE),
    ];
    Client::new().await.run(&steps).await;
}
