//! The calendar of birthdays.

use allod_model::{ErrorKind, Rights};

use super::*;

fn card(uid: &str, name: &str, more: &str) -> Vec<u8> {
    format!("BEGIN:VCARD\r\nVERSION:4.0\r\nUID:{uid}\r\nFN:{name}\r\n{more}END:VCARD\r\n").into_bytes()
}

async fn derived(bench: &Bench, session: &Session) -> Vec<String> {
    let account = bench.core.account_named("alice").unwrap().unwrap();
    bench.core.derive_birthdays(&account).await.unwrap();
    let mut summaries = Vec::new();
    for name in names(session, "/Calendars/Birthdays").await {
        let text = get(session, &format!("/Calendars/Birthdays/{name}")).await.unwrap();
        let text = String::from_utf8(text).unwrap();
        let line = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned();
        summaries.push(format!("{} {}", line("DTSTART;VALUE=DATE:"), line("SUMMARY:")));
    }
    summaries.sort();
    summaries
}

#[tokio::test]
async fn birthdays_follow_the_cards() {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    let account = bench.core.account_named("alice").unwrap().unwrap();
    put(&session, "/Contacts/Personal/x.vcf", &card("x", "Nobody", "")).await.unwrap();
    bench.core.derive_birthdays(&account).await.unwrap();
    assert!(
        !names(&session, "/Calendars").await.contains(&"Birthdays/".to_owned()),
        "made with the first birthday"
    );

    put(&session, "/Contacts/Personal/a.vcf", &card("a", "Ada", "BDAY:18151210\r\nANNIVERSARY:18350708\r\n"))
        .await
        .unwrap();
    put(&session, "/Contacts/Personal/b.vcf", &card("b", "Bob", "BDAY:--0229\r\n")).await.unwrap();
    assert_eq!(
        derived(&bench, &session).await,
        ["18151210 🎂 Ada (1815)", "18350708 💍 Ada (1835)", "19720229 🎂 Bob"]
    );
    let seq = session.stat(&path("/"), Want::Folder, false).await.unwrap().folder.unwrap().below;
    put(
        &session,
        "/Contacts/Personal/a.vcf",
        &card("a", "Ada", "TEL:1\r\nBDAY:18151210\r\nANNIVERSARY:18350708\r\n"),
    )
    .await
    .unwrap();
    derived(&bench, &session).await;
    let now = session.stat(&path("/"), Want::Folder, false).await.unwrap().folder.unwrap().below;
    assert_eq!(now.0, seq.0 + 1, "what does not change a birthday writes none");

    put(&session, "/Contacts/Personal/a.vcf", &card("a", "Ada King", "BDAY:18151210\r\n")).await.unwrap();
    assert_eq!(derived(&bench, &session).await, ["18151210 🎂 Ada King (1815)", "19720229 🎂 Bob"]);
    remove(&session, "/Contacts/Personal/b.vcf").await.unwrap();
    assert_eq!(derived(&bench, &session).await, ["18151210 🎂 Ada King (1815)"]);
    // A whole address book out of the home, and in again.
    rename(&session, "/Contacts/Personal", "/Elsewhere").await.unwrap();
    assert!(derived(&bench, &session).await.is_empty());
    rename(&session, "/Elsewhere", "/Contacts/Friends").await.unwrap();
    assert_eq!(derived(&bench, &session).await.len(), 1);
    bench.assert_clean().await;
}

#[tokio::test]
async fn nobody_else_writes_there_and_who_removes_it_is_rid_of_it() {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    let account = bench.core.account_named("alice").unwrap().unwrap();
    put(&session, "/Contacts/Personal/a.vcf", &card("a", "Ada", "BDAY:18151210\r\n")).await.unwrap();
    derived(&bench, &session).await;
    let calendar = path("/Calendars/Birthdays");
    let node = session.stat(&calendar, Want::Folder, false).await.unwrap();
    assert_eq!(node.rights, Some(Rights::Read));
    let member = names(&session, "/Calendars/Birthdays").await.remove(0);
    let member = format!("/Calendars/Birthdays/{member}");
    let bytes = get(&session, &member).await.unwrap();
    assert_eq!(put(&session, &member, &bytes).await.unwrap_err().kind, ErrorKind::Denied);
    assert_eq!(remove(&session, &member).await.unwrap_err().kind, ErrorKind::Denied);
    assert_eq!(
        rename(&session, &member, "/Calendars/Personal/a.ics").await.unwrap_err().kind,
        ErrorKind::Denied
    );
    copy(&session, &member, "/Calendars/Personal/a.ics").await.unwrap();
    let color = Property { namespace: "x".into(), name: "color".into(), xml: "<color xmlns='x'/>".into() };
    let change = vec![PropertyChange::Set(color)];
    session.set_properties(&calendar, Want::Folder, change, Precondition::default()).await.unwrap();
    copy(&session, "/Calendars/Birthdays", "/Calendars/Mine").await.unwrap();
    put(&session, &member.replace("Birthdays", "Mine"), &bytes).await.unwrap();

    remove(&session, "/Calendars/Birthdays").await.unwrap();
    put(&session, "/Contacts/Personal/b.vcf", &card("b", "Bob", "BDAY:--0229\r\n")).await.unwrap();
    bench.core.derive_birthdays(&account).await.unwrap();
    assert!(!names(&session, "/Calendars").await.contains(&"Birthdays/".to_owned()));
    bench.core.want_birthdays(&account).await.unwrap();
    assert_eq!(derived(&bench, &session).await.len(), 2);
    bench.assert_clean().await;
}

#[tokio::test]
async fn a_worker_keeps_them() {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    put(&session, "/Contacts/Personal/a.vcf", &card("a", "Ada", "BDAY:18151210\r\n")).await.unwrap();
    let core = bench.core.clone();
    let worker = tokio::spawn(async move { core.keep_birthdays().await });
    let mut watch = session.watch();
    if !names(&session, "/Calendars").await.contains(&"Birthdays/".to_owned()) {
        watch.next().await.unwrap();
    }
    assert_eq!(names(&session, "/Calendars/Birthdays").await.len(), 1, "what was left before is done");
    put(&session, "/Contacts/Personal/b.vcf", &card("b", "Bob", "BDAY:--0229\r\n")).await.unwrap();
    while names(&session, "/Calendars/Birthdays").await.len() < 2 {
        watch.next().await.unwrap();
    }
    worker.abort();
}
