//! CardDAV on the wire.

use allod_tests::{App, Reply, Request, Server};

const BOOK: &str = "/Contacts/Personal/";

fn card(uid: &str, name: &str, more: &str) -> String {
    format!("BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{uid}\r\nFN:{name}\r\nN:{name};;;;\r\n{more}END:VCARD\r\n")
}

fn put(server: &Server, app: &App, name: &str, body: &str) -> Reply {
    let put = Request::dav("PUT", app, &format!("{BOOK}{name}"))
        .header("Content-Type", "text/vcard; charset=utf-8");
    server.send(&put.body(body))
}

fn query(server: &Server, app: &App, filter: &str, rest: &str) -> Reply {
    let body = format!(
        "<C:addressbook-query xmlns:D=\"DAV:\" xmlns:C=\"urn:ietf:params:xml:ns:carddav\"><D:prop><D:getetag/><C:address-data/></D:prop>\
         {filter}{rest}</C:addressbook-query>"
    );
    server.send(&Request::dav("REPORT", app, BOOK).header("Depth", "1").body(body))
}

#[test]
fn cards_are_found_by_what_is_in_them() {
    let server = Server::start();
    let app = server.app(&["contacts"]);
    let long = "NOTE:folded and\r\n  folded again\r\nitem1.EMAIL:ada@example.com\r\nitem1.X-ABLabel:_$!<Work>!$_\r\n";
    let ada = card("ada", "Ada Lovelace", long);
    assert_eq!(put(&server, &app, "ada.vcf", &ada).status, 201);
    assert_eq!(
        put(&server, &app, "ossian.vcf", &card("ossian", "Øssian Übel", "NICKNAME:me\r\n")).status,
        201
    );
    assert_eq!(put(&server, &app, "plain.vcf", &card("plain", "Plain Jane", "")).status, 201);
    let text = |collation: &str, kind: &str, text: &str| {
        format!("<C:text-match collation=\"{collation}\" match-type=\"{kind}\">{text}</C:text-match>")
    };
    let property =
        |name: &str, inside: &str| format!("<C:prop-filter name=\"{name}\">{inside}</C:prop-filter>");
    let nick = property("NICKNAME", &text("i;unicode-casemap", "equals", "ME"));
    let table = [
        // RFC 6352 §8.6.3.
        (format!("<C:filter>{nick}</C:filter>"), vec!["ossian"]),
        // RFC 6352 §8.6.4.
        (
            format!(
                "<C:filter test=\"anyof\">{}{}</C:filter>",
                property("FN", &text("i;unicode-casemap", "contains", "lovelace")),
                property("EMAIL", &text("i;unicode-casemap", "contains", "nobody")),
            ),
            vec!["ada"],
        ),
        (
            format!(
                "<C:filter>{}</C:filter>",
                property("FN", &text("i;unicode-casemap", "starts-with", "øSS"))
            ),
            vec!["ossian"],
        ),
        (format!("<C:filter>{}</C:filter>", property("FN", &text("i;octet", "starts-with", "øss"))), vec![]),
        (
            format!("<C:filter>{}</C:filter>", property("NICKNAME", "<C:is-not-defined/>")),
            vec!["ada", "plain"],
        ),
        (format!("<C:filter>{}</C:filter>", property("item1.EMAIL", "")), vec!["ada"]),
        ("<C:filter/>".to_owned(), vec!["ada", "ossian", "plain"]),
        (
            format!(
                "<C:filter test=\"allof\">{}{}</C:filter>",
                property("FN", &text("i;unicode-casemap", "contains", "a")),
                property("EMAIL", ""),
            ),
            vec!["ada"],
        ),
    ];
    for (filter, wanted) in table {
        let reply = query(&server, &app, &filter, "");
        assert_eq!(reply.status, 207, "{filter}");
        let body = reply.text();
        for name in ["ada", "ossian", "plain"] {
            assert_eq!(
                body.contains(&format!("/{name}.vcf<")),
                wanted.contains(&name),
                "{filter} {name} {body}"
            );
        }
    }
    let whole = server.send(&Request::dav("GET", &app, &format!("{BOOK}ada.vcf")));
    assert_eq!(whole.text(), ada, "byte for byte");
    let found =
        query(&server, &app, &format!("<C:filter>{}</C:filter>", property("item1.EMAIL", "")), "").text();
    assert!(found.contains("folded and&#13;\n  folded again"), "folds survive: {found}");
    let limited = query(&server, &app, "<C:filter/>", "<C:limit><C:nresults>2</C:nresults></C:limit>").text();
    assert_eq!(limited.matches("BEGIN:VCARD").count(), 2);
    assert!(
        limited.contains("507 Insufficient Storage") && limited.contains("number-of-matches-within-limits")
    );
}

#[test]
fn what_an_address_book_refuses() {
    let server = Server::start();
    let app = server.app(&["contacts"]);
    assert_eq!(put(&server, &app, "a.vcf", &card("one", "A", "")).status, 201);
    let event = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART:20240101T000000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    for (name, body, status, condition) in [
        ("b.vcf", card("one", "B", ""), 403, "no-uid-conflict"),
        ("c.vcf", card("two", "C", "").replace("VERSION:3.0", "VERSION:2.1"), 403, "supported-address-data"),
        ("d.vcf", event.to_owned(), 403, "valid-address-data"),
        ("e.vcf", card("three", "E", "NOTE:\u{1}\r\n"), 403, "valid-address-data"),
        ("f.vcf", format!("{}{}", card("4", "F", ""), card("5", "G", "")), 403, "valid-address-data"),
    ] {
        let reply = put(&server, &app, name, &body);
        assert_eq!(reply.status, status, "{name}");
        let text = reply.text();
        assert!(
            text.contains(&format!("<C:{condition} xmlns:C=\"urn:ietf:params:xml:ns:carddav\"")),
            "{text}"
        );
        assert_eq!(server.send(&Request::dav("GET", &app, &format!("{BOOK}{name}"))).status, 404, "{name}");
    }
    let huge = card("6", "H", &format!("NOTE:{}\r\n", "x".repeat(11 << 20)));
    let reply = put(&server, &app, "h.vcf", &huge);
    assert!(
        reply.status == 403 && reply.text().contains("max-resource-size"),
        "{} {}",
        reply.status,
        reply.text()
    );
}

/// What DAVx5, Thunderbird and Evolution ask first.
#[test]
fn discovery_leads_to_the_address_book() {
    let server = Server::start();
    let app = server.app(&["contacts"]);
    for method in ["GET", "PROPFIND"] {
        let reply = server.send(&Request::new(method, "/.well-known/carddav"));
        assert_eq!((reply.status, reply.header("location")), (301, Some("/dav/")));
    }
    let ask = |path: &str, prop: &str| {
        let body = format!(
            "<D:propfind xmlns:D=\"DAV:\" xmlns:C=\"urn:ietf:params:xml:ns:carddav\"><D:prop>{prop}</D:prop></D:propfind>"
        );
        let reply = server.send(&Request::new("PROPFIND", path).login(&app).header("Depth", "1").body(body));
        assert_eq!(reply.status, 207, "{path}");
        reply.text()
    };
    assert!(ask("/dav/", "<D:current-user-principal/>").contains("<D:href>/principals/alice/</D:href>"));
    assert!(
        ask("/principals/alice/", "<C:addressbook-home-set/>")
            .contains("<D:href>/dav/alice/Contacts/</D:href>")
    );
    let books = ask("/dav/alice/Contacts/", "<D:resourcetype/><C:supported-address-data/><D:sync-token/>");
    assert!(books.contains("<CR:addressbook/>") && books.contains("version=\"4.0\""), "{books}");
    // The first propstat must be the one that was found, or Thunderbird finds no address book.
    let row = books.split("<D:href>/dav/alice/Contacts/Personal/</D:href>").nth(1).unwrap();
    assert!(row.starts_with("<D:propstat><D:prop><D:resourcetype>"), "{row}");
    let options = server.send(&Request::new("OPTIONS", "/principals/alice/"));
    let dav = options.header("dav").unwrap();
    assert!(
        dav.contains("addressbook") && dav.contains("calendar-access") && dav.contains("access-control"),
        "{dav}"
    );
}
