//! What follows from a mail: rules of the account, answers, invitations.

use allod_core::PutOptions;
use allod_core::post::{Action, Filing, Rule, Vacation};
use allod_model::Precondition;
use bytes::Bytes;

use super::exchange::two;
use super::*;

const EVENT: &str = "/Calendars/Personal/lunch.ics";

fn event(partstat: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//t//EN\r\nBEGIN:VEVENT\r\nUID:lunch\r\nDTSTAMP:20270101T000000Z\r\n\
         DTSTART:20270201T100000Z\r\nDTEND:20270201T110000Z\r\nSUMMARY:Lunch\r\nORGANIZER:mailto:alice@a.example\r\n\
         ATTENDEE;PARTSTAT=ACCEPTED:mailto:alice@a.example\r\n\
         ATTENDEE;PARTSTAT={partstat};RSVP=TRUE:mailto:bob@b.example\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

async fn put(site: &Site, text: &str) {
    let grants = vec![parse_grant("calendar").unwrap()];
    let operator = site.core.operator();
    let new = operator.add_credential(site.account, "calendar", grants, None).await.unwrap();
    let proof = allod_core::Proof::Password { username: site.account.into(), password: new.password.clone() };
    let protocols = vec![allod_model::Protocol::new("caldav")];
    let door = allod_core::Door { protocols, address: None, client: None };
    let session = site.core.authenticate(proof, door).await.unwrap();
    let path = Path::parse(EVENT.as_bytes(), NameRule::Strict).unwrap();
    let options = PutOptions { length: Some(text.len() as u64), ..PutOptions::default() };
    let body = futures_util::stream::iter([Ok(Bytes::from(text.to_owned()))]);
    session.put(&path, options, Precondition::default(), body).await.unwrap();
}

async fn calendar(site: &Site) -> String {
    let session = site.core.operator().session(site.account).unwrap();
    let path = Path::parse(EVENT.as_bytes(), NameRule::Strict).unwrap();
    let file = session.open(&path, &Precondition::default()).await.unwrap();
    let all = ByteRange { start: 0, end: file.node.size };
    String::from_utf8_lossy(&file.gather(all).await.unwrap()).replace("\r\n ", "")
}

#[tokio::test]
async fn an_invitation_and_its_answer_go_by_mail() {
    let (a, b, _dns) = two().await;
    a.core.start_workers();
    b.core.start_workers();
    put(&a, &event("NEEDS-ACTION")).await;
    let invitation = b.arrived("INBOX", 1).await.remove(0);
    for part in ["Subject: Invitation: Lunch", "text/calendar", "method=\"REQUEST\"", "dmarc=pass"] {
        assert!(invitation.contains(part), "{part}: {invitation}");
    }
    // Bob's client takes it into his calendar and accepts.
    put(&b, &event("NEEDS-ACTION")).await;
    put(&b, &event("ACCEPTED")).await;
    let answer = a.arrived("INBOX", 1).await.remove(0);
    assert!(answer.contains("method=\"REPLY\""), "{answer}");
    let wait = async {
        while !calendar(&a).await.contains("PARTSTAT=ACCEPTED;")
            || calendar(&a).await.contains("NEEDS-ACTION")
        {
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("the answer reaches the calendar");
}

#[tokio::test]
async fn a_forged_answer_changes_nothing() {
    let (a, _b, dns) = two().await;
    dns.text("liar.example", "v=spf1 ip4:127.0.0.1 -all");
    put(&a, &event("NEEDS-ACTION")).await;
    let reply = event("DECLINED").replace("BEGIN:VEVENT", "METHOD:REPLY\r\nBEGIN:VEVENT");
    let mail = |from: &str| {
        format!(
            "From: {from}\r\nTo: alice@a.example\r\nDate: d\r\nMessage-ID: <1@x>\r\nMIME-Version: 1.0\r\n\
             Content-Type: text/calendar; method=REPLY; charset=utf-8\r\n\r\n{reply}"
        )
    };
    let mut world = Client::connect(a.mx).await;
    world.say("EHLO mx.liar.example", 250).await;
    // Neither who is verified but another, nor who only says that he is Bob.
    let honest = world.mail("x@liar.example", &["alice@a.example"], &mail("x@liar.example")).await;
    assert!(honest.starts_with("250"), "{honest}");
    world.mail("x@liar.example", &["alice@a.example"], &mail("bob@b.example")).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!calendar(&a).await.contains("DECLINED"));
}

#[tokio::test]
async fn rules_forward_and_answer() {
    let (a, b, _dns) = two().await;
    let forward = Rule {
        name: "copy".into(),
        enabled: true,
        any: false,
        conditions: Vec::new(),
        actions: vec![Action::File("Archive".into()), Action::Forward("bob@b.example".into())],
        stop: true,
    };
    let vacation = Vacation {
        from: None,
        until: None,
        subject: Some("Away".into()),
        text: "Back soon.".into(),
        days: 7,
    };
    let session = a.core.operator().session("alice").unwrap();
    session.set_filing(Filing { rules: vec![forward], vacation: Some(vacation) }).await.unwrap();
    let mail = "From: bob@b.example\r\nTo: alice@a.example\r\nSubject: Hello\r\n\r\nFirst";
    assert!(Client::app(&b).await.mail("bob@b.example", &["alice@a.example"], mail).await.starts_with("250"));
    a.arrived("Archive", 1).await;
    let found = b.arrived("INBOX", 2).await;
    let copy = found.iter().find(|mail| mail.contains("First")).unwrap();
    assert!(copy.starts_with("Return-Path: <alice@a.example>"), "{copy}");
    let answer = found.iter().find(|mail| mail.contains("Back soon.")).unwrap();
    assert!(
        answer.starts_with("Return-Path: <>") && answer.contains("Auto-Submitted: auto-replied"),
        "{answer}"
    );
}
