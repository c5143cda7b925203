//! Attachments that the server keeps.

use allod_formats::calendar::Rids;
use allod_model::{Detail, ErrorKind, Name, Rights};

use super::*;

const EVENT: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20240101T000000Z\r\n\
    DTSTART:20240101T090000Z\r\nRRULE:FREQ=DAILY;COUNT=3\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
const AT: &str = "/Calendars/Personal/a.ics";

fn url(token: &str, name: &Name) -> String {
    format!("https://x/{token}/{name}")
}

fn plan() -> NewAttachment {
    NewAttachment { name: "C:\\docs\\plan.txt".into(), media_type: Some("text/plain".into()), length: None }
}

async fn event(session: &Session) -> String {
    String::from_utf8(get(session, AT).await.unwrap()).unwrap().replace("\r\n ", "")
}

fn token(text: &str) -> String {
    let start = text.find("https://x/").unwrap() + 10;
    text[start..start + 40].to_owned()
}

async fn read(bench: &Bench, token: &str) -> model::Result<Vec<u8>> {
    let file = bench.core.open_attachment(token, door("caldav")).await?;
    collect(file.read(None)).await
}

#[tokio::test]
async fn attachments_are_kept_renewed_and_taken_off() {
    let bench = Bench::new().await;
    let session = bench.session(&["/Calendars/Personal:rw"]).await;
    let all = bench.session(&["all"]).await;
    put(&session, AT, EVENT.as_bytes()).await.unwrap();
    let at = path(AT);
    let none = Precondition::default;
    let first = session.attach(&at, Rids::All, plan(), &url, none(), body(b"one")).await.unwrap();
    let text = event(&session).await;
    assert!(
        text.contains(&format!(
            "MANAGED-ID={};FMTTYPE=text/plain;FILENAME=plan.txt;SIZE=3:",
            first.managed_id
        ))
    );
    let old = token(&text);
    assert_eq!(read(&bench, &old).await.unwrap(), b"one", "whoever has the URL");
    let second = session.reattach(&at, &first.managed_id, plan(), &url, none(), body(b"two!")).await.unwrap();
    assert_ne!(second.managed_id, first.managed_id);
    let text = event(&session).await;
    assert_eq!(read(&bench, &token(&text)).await.unwrap(), b"two!");
    assert_eq!(read(&bench, &old).await.unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(names(&all, "/Calendars/.attachments").await, [format!("{}/", second.managed_id)]);

    let one = || Rids::Some(vec!["20240102T090000Z".into()]);
    session.detach(&at, &second.managed_id, one(), none()).await.unwrap();
    let text = event(&session).await;
    assert_eq!(text.matches("MANAGED-ID").count(), 1, "still on the others");
    assert_eq!(read(&bench, &token(&text)).await.unwrap(), b"two!");
    session.detach(&at, &second.managed_id, Rids::All, none()).await.unwrap();
    assert!(!event(&session).await.contains("MANAGED-ID"));
    assert_eq!(read(&bench, &token(&text)).await.unwrap_err().kind, ErrorKind::NotFound);
    assert!(!names(&all, "/Calendars").await.contains(&".attachments/".to_owned()), "nothing is left");
    bench.assert_clean().await;
}

#[tokio::test]
async fn what_cannot_be_attached_leaves_nothing_behind() {
    let bench = Bench::new().await;
    let all = bench.session(&["all"]).await;
    put(&all, AT, EVENT.as_bytes()).await.unwrap();
    put(&all, "/plain.txt", b"x").await.unwrap();
    let at = path(AT);
    let none = Precondition::default;
    let demand = |error: model::Error| match error.detail {
        Detail::Demand("CALDAV", name) => name,
        _ => panic!("{error:?}"),
    };
    let wrong = Rids::Some(vec!["20250102T090000Z".into()]);
    let refused = all.attach(&at, wrong, plan(), &url, none(), body(b"x")).await.unwrap_err();
    assert_eq!(demand(refused), "valid-rid-parameter");
    let refused = all.reattach(&at, "nope", plan(), &url, none(), body(b"x")).await.unwrap_err();
    assert_eq!(demand(refused), "valid-managed-id-parameter");
    assert_eq!(
        demand(all.detach(&at, "nope", Rids::All, none()).await.unwrap_err()),
        "valid-managed-id-parameter"
    );
    let large = NewAttachment { length: Some(ATTACHMENT_BYTES_MAX + 1), ..plan() };
    assert_eq!(
        demand(all.attach(&at, Rids::All, large, &url, none(), body(b"x")).await.unwrap_err()),
        "max-attachment-size"
    );
    let stale =
        Precondition { if_match: Some(model::EtagMatch::OneOf(vec![model::Etag("0".into())])), ..none() };
    let refused = all.attach(&at, Rids::All, plan(), &url, stale, body(b"x")).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::PreconditionFailed);
    let plain =
        all.attach(&path("/plain.txt"), Rids::All, plan(), &url, none(), body(b"x")).await.unwrap_err();
    assert_eq!(plain.kind, ErrorKind::WrongKind);
    let reader = bench.session(&["/Calendars:r"]).await;
    let denied = reader.attach(&at, Rids::All, plan(), &url, none(), body(b"x")).await.unwrap_err();
    assert_eq!(denied.kind, ErrorKind::Denied);
    assert!(!names(&all, "/Calendars").await.contains(&".attachments/".to_owned()));
    assert_eq!(read(&bench, &"x".repeat(40)).await.unwrap_err().kind, ErrorKind::NotFound);

    // A borrower with all rights attaches to the owner's event, and the file is the owner's.
    bench.core.operator().add_account("bob", AccountChange::default()).await.unwrap();
    all.share(&path("/Calendars/Personal"), "bob", Rights::Write).await.unwrap();
    let grants = vec![parse_grant("all").unwrap()];
    let new = bench.core.operator().add_credential("bob", "t", grants, None).await.unwrap();
    let bob = bench.login("bob", &new.password, "caldav").await.unwrap();
    let lent = bob.mounts(&path("/Calendars")).await.unwrap().pop().unwrap();
    lent.session.attach(&at, Rids::All, plan(), &url, none(), body(b"bob's")).await.unwrap();
    assert_eq!(names(&all, "/Calendars/.attachments").await.len(), 1);
    bench.assert_clean().await;
}
