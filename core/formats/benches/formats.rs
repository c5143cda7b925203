//! What the paths cost that every report takes: parse, expand, filter.

use std::hint::black_box;

use allod_formats::calendar::{CompFilter, Facts, Object, TimeRange};
use allod_formats::card::{self, Card};
use allod_formats::collation::{Collation, MatchType, TextMatch};
use allod_formats::value::Utc;
use allod_formats::zone::Zone;
use allod_formats::{Budget, Document, Limits, mail};
use criterion::{Criterion, criterion_group, criterion_main};

const EVENT: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nBEGIN:VTIMEZONE\r\nTZID:Europe/Berlin\r\n\
    BEGIN:DAYLIGHT\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\nTZNAME:CEST\r\nDTSTART:19700329T020000\r\n\
    RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\r\nEND:DAYLIGHT\r\nBEGIN:STANDARD\r\nTZOFFSETFROM:+0200\r\n\
    TZOFFSETTO:+0100\r\nTZNAME:CET\r\nDTSTART:19701025T030000\r\nRRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\r\n\
    END:STANDARD\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT\r\nUID:a-b-c\r\nDTSTAMP:20240101T000000Z\r\n\
    DTSTART;TZID=Europe/Berlin:20150105T090000\r\nDTEND;TZID=Europe/Berlin:20150105T100000\r\n\
    RRULE:FREQ=WEEKLY;BYDAY=MO,WE,FR\r\nEXDATE;TZID=Europe/Berlin:20240103T090000\r\nSUMMARY:A meeting of people\r\n\
    LOCATION:Room 1\r\nATTENDEE;CN=A;PARTSTAT=ACCEPTED:mailto:a@example.com\r\nBEGIN:VALARM\r\nACTION:DISPLAY\r\n\
    TRIGGER:-PT15M\r\nEND:VALARM\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
const CARD: &str = "BEGIN:VCARD\r\nVERSION:3.0\r\nN:Doe;Jane;;;\r\nFN:Jane Doe\r\nEMAIL;TYPE=home:jane@example.com\r\n\
    TEL;TYPE=cell:+1 555 1234\r\nORG:Example;Research\r\nBDAY:1985-04-12\r\nUID:1\r\nEND:VCARD\r\n";

fn month() -> (Utc, Utc) {
    (Utc(1_717_200_000), Utc(1_719_792_000))
}

fn calendars(c: &mut Criterion) {
    let limits = Limits::default();
    let zone = Zone::utc();
    c.bench_function("parse an event", |b| b.iter(|| Document::parse(black_box(EVENT.as_bytes()), limits)));
    let document = Document::parse(EVENT.as_bytes(), limits).expect("it parses");
    let object = Object::of(&document).expect("it is an object");
    c.bench_function("facts of an event", |b| b.iter(|| Facts::of(black_box(&object))));
    let expansion = object.expansion(&zone);
    c.bench_function("a month of an event from 2015", |b| {
        b.iter(|| expansion.between(month().0, month().1, Budget::default()));
    });
    let endless = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nDTSTART:19700101T000000Z\nRRULE:FREQ=MINUTELY;INTERVAL=7\n\
        END:VEVENT\nEND:VCALENDAR\n";
    let minutely = Document::parse(endless.as_bytes(), limits).expect("it parses");
    let minutely = Object::of(&minutely).expect("it is an object").expansion(&zone);
    c.bench_function("an hour of a minutely event from 1970", |b| {
        b.iter(|| minutely.between(month().0, Utc(month().0.0 + 3600), Budget::default()));
    });
    let time_range = Some(TimeRange { start: Some(month().0), end: Some(month().1) });
    let inner = CompFilter { name: "VEVENT".to_owned(), time_range, ..CompFilter::default() };
    let filter =
        CompFilter { name: "VCALENDAR".to_owned(), components: vec![inner], ..CompFilter::default() };
    c.bench_function("parse and filter an event by month", |b| {
        b.iter(|| {
            let document = Document::parse(black_box(EVENT.as_bytes()), limits).ok()?;
            filter.matches(&Object::of(&document).ok()?, &zone, Budget::default())
        });
    });
}

fn cards(c: &mut Criterion) {
    let text = TextMatch::new("doe", Collation::UnicodeCasemap, MatchType::Contains, false);
    let property =
        card::PropFilter { name: "FN".to_owned(), texts: vec![text], ..card::PropFilter::default() };
    let filter = card::Filter { all_of: false, properties: vec![property] };
    c.bench_function("parse and filter a card by name", |b| {
        b.iter(|| {
            let document = Document::parse(black_box(CARD.as_bytes()), Limits::default()).ok()?;
            Some(filter.matches(&Card::of(&document)?))
        });
    });
}

/// A message as most are: a header with what relays add, a text, the same in HTML, a small picture; 20 KiB.
fn message() -> Vec<u8> {
    let mut text = String::new();
    for n in 0..8 {
        text += &format!(
            "Received: from mx{n}.example.org (mx{n}.example.org [192.0.2.{n}])\r\n\tby mail.example.com (Postfix) with \
             ESMTPS id 4XYZ{n}\r\n\tfor <jane@example.com>; Mon,  1 Jul 2024 10:0{n}:00 +0200 (CEST)\r\n"
        );
    }
    text += "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=2024;\r\n\th=from:to:subject:date; \
        bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;\r\n\tb=";
    text += &"dGhpcyBpcyBhIHNpZ25hdHVyZQ".repeat(12);
    text += "\r\nFrom: =?utf-8?q?J=C3=B6rg_M=C3=BCller?= <joerg@example.org>\r\nTo: Jane Doe <jane@example.com>, \
        \"Team, the\" <team@example.com>\r\nCc: a@example.com, b@example.com\r\nSubject: Re: [list] \
        =?utf-8?q?Gr=C3=BC=C3=9Fe?= from the mountains\r\nDate: Mon, 1 Jul 2024 10:00:00 +0200\r\nMessage-ID: \
        <20240701.1@example.org>\r\nReferences: <1@example.org> <2@example.org> <3@example.org>\r\nIn-Reply-To: \
        <3@example.org>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=\"=_outer\"\r\n\r\n--=_outer\r\n\
        Content-Type: multipart/alternative; boundary=\"=_inner\"\r\n\r\n--=_inner\r\nContent-Type: text/plain; \
        charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n";
    text += &"We are well and hope that you are, too. The weather is fine here in the =\r\nmountains, and caf=C3=A9s \
        are open.\r\n"
        .repeat(25);
    text += "--=_inner\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<html><head><style>p { margin: 0 }</style>\
        </head><body>\r\n";
    text += &"<p class=\"x\">We are <b>well</b> and hope that you are, too.&nbsp;The weather is fine here.</p>\r\n".repeat(50);
    text += "</body></html>\r\n--=_inner--\r\n--=_outer\r\nContent-Type: image/png; name=\"view.png\"\r\n\
        Content-Disposition: inline; filename=\"view.png\"\r\nContent-ID: <1>\r\nContent-Transfer-Encoding: base64\r\n\r\n";
    while text.len() < 20 * 1024 {
        text += "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9\r\n";
    }
    (text + "--=_outer--\r\n").into_bytes()
}

fn messages(c: &mut Criterion) {
    let bytes = message();
    c.bench_function("read a message of 20 KiB", |b| b.iter(|| mail::read(black_box(&bytes))));
    let facts = mail::read(&bytes);
    c.bench_function("search text of a message of 20 KiB", |b| {
        b.iter(|| mail::search_text(black_box(&bytes), &facts));
    });
    let names =
        ["from", "to", "cc", "subject", "date", "message-id", "references", "content-type", "x-priority"];
    c.bench_function("nine fields of a header", |b| {
        b.iter(|| mail::header::select(black_box(facts.root.header.of(&bytes)), &names, false));
    });
}

/// What criterion runs.
mod group {
    #![allow(missing_docs, reason = "the macro writes functions without comments")]
    use super::{calendars, cards, criterion_group, messages};
    criterion_group!(all, calendars, cards, messages);
}

criterion_main!(group::all);
