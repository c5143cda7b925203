//! Calendars and address books: what they take, whichever window it came by.

use allod_model::{Detail, ErrorKind};

use super::*;

fn event(uid: &str) -> Vec<u8> {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20240101T000000Z\r\n\
         DTSTART:20240101T090000Z\r\nX-ODD;A=\"b\":kept\r\n  as it is\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    .into_bytes()
}

fn card(uid: &str) -> Vec<u8> {
    format!("BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{uid}\r\nFN:Ada\r\nN:Lovelace;Ada;;;\r\nEND:VCARD\r\n")
        .into_bytes()
}

#[tokio::test]
async fn a_calendar_takes_one_valid_object_a_file() {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    let at = |name: &str| format!("/Calendars/Personal/{name}");
    put(&session, &at("a.ics"), &event("1")).await.unwrap();
    assert_eq!(get(&session, &at("a.ics")).await.unwrap(), event("1"), "byte for byte");
    let node = session.stat(&path(&at("a.ics")), Want::File, false).await.unwrap();
    assert_eq!(node.media_type.as_deref(), Some("text/calendar; charset=utf-8"));
    put(&session, &at("a.ics"), &event("1")).await.unwrap();

    let conflict = put(&session, &at("b.ics"), &event("1")).await.unwrap_err();
    assert_eq!(conflict.kind, ErrorKind::UidConflict);
    let with_method = String::from_utf8(event("2")).unwrap().replace("VERSION", "METHOD:REQUEST\r\nVERSION");
    let table: [(&[u8], &str); 5] = [
        (b"", "valid-calendar-data"),
        (b"hello", "valid-calendar-data"),
        (&card("1"), "valid-calendar-data"),
        (with_method.as_bytes(), "valid-calendar-object-resource"),
        (&[event("3"), event("4")].concat(), "valid-calendar-object-resource"),
    ];
    for (content, demand) in table {
        let error = put(&session, &at("c.ics"), content).await.unwrap_err();
        let shown = String::from_utf8_lossy(content).into_owned();
        assert_eq!(error.kind, ErrorKind::InvalidContent, "{shown}");
        assert!(
            matches!(error.detail, Detail::Demand("CALDAV", name) if name == demand),
            "{error:?} {shown}"
        );
    }
    // The same by another door and by a move.
    let raw = Path::parse(b"Calendars/Personal/d.ics", NameRule::Raw).unwrap();
    let moved = session.put(&raw, PutOptions::default(), Precondition::default(), body(b"x")).await;
    assert_eq!(moved.unwrap_err().kind, ErrorKind::InvalidContent);
    put(&session, "/loose.ics", b"not a calendar").await.unwrap();
    assert_eq!(
        rename(&session, "/loose.ics", &at("e.ics")).await.unwrap_err().kind,
        ErrorKind::InvalidContent
    );
    put(&session, "/loose.ics", &event("9")).await.unwrap();
    rename(&session, "/loose.ics", &at("e.ics")).await.unwrap();
    assert_eq!(copy(&session, &at("e.ics"), &at("f.ics")).await.unwrap_err().kind, ErrorKind::UidConflict);
    assert_eq!(mkdir(&session, &at("folder")).await.unwrap_err().kind, ErrorKind::InvalidContent);
    remove(&session, &at("e.ics")).await.unwrap();
    put(&session, &at("g.ics"), &event("9")).await.unwrap();
    // What is there keeps its identity.
    assert_eq!(put(&session, &at("g.ics"), &event("10")).await.unwrap_err().kind, ErrorKind::UidConflict);
    put(&session, "/loose.ics", &event("11")).await.unwrap();
    assert_eq!(copy(&session, "/loose.ics", &at("g.ics")).await.unwrap_err().kind, ErrorKind::UidConflict);
    assert_eq!(rename(&session, "/loose.ics", &at("g.ics")).await.unwrap_err().kind, ErrorKind::UidConflict);
    assert_eq!(get(&session, &at("g.ics")).await.unwrap(), event("9"));
    bench.assert_clean().await;
}

#[tokio::test]
async fn an_address_book_takes_one_valid_card_a_file() {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    let at = |name: &str| format!("/Contacts/Personal/{name}");
    put(&session, &at("a.vcf"), &card("1")).await.unwrap();
    assert_eq!(put(&session, &at("b.vcf"), &card("1")).await.unwrap_err().kind, ErrorKind::UidConflict);
    for wrong in [&b"x"[..], &event("1"), &[card("2"), card("3")].concat()] {
        let error = put(&session, &at("c.vcf"), wrong).await.unwrap_err();
        assert!(matches!(error.detail, Detail::Demand("CARDDAV", _)), "{error:?}");
    }
    let old = String::from_utf8(card("4")).unwrap().replace("3.0", "2.1");
    let error = put(&session, &at("d.vcf"), old.as_bytes()).await.unwrap_err();
    assert_eq!(error.detail, Detail::Demand("CARDDAV", "supported-address-data"));
    bench.assert_clean().await;
}
