//! What the paths cost that every report takes: parse, expand, filter.

use std::hint::black_box;

use allod_formats::calendar::{CompFilter, Facts, Object, TimeRange};
use allod_formats::card::{self, Card};
use allod_formats::collation::{Collation, MatchType, TextMatch};
use allod_formats::value::Utc;
use allod_formats::zone::Zone;
use allod_formats::{Budget, Document, Limits};
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

/// What criterion runs.
mod group {
    #![allow(missing_docs, reason = "the macro writes functions without comments")]
    use super::{calendars, cards, criterion_group};
    criterion_group!(all, calendars, cards);
}

criterion_main!(group::all);
