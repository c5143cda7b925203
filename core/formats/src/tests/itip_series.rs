//! A series that its organizer and an attendee change in turn, against a plain model of each instance.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{calendar_of, parsed, utc};
use crate::Budget;
use crate::calendar::{Object, itip::*};
use crate::value::Utc;
use crate::zone::Zone;

const DAYS: u32 = 6;
const OPEN: &str = "NEEDS-ACTION";
const ANSWERS: [&str; 3] = ["ACCEPTED", "DECLINED", "TENTATIVE"];

/// What happens next.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// The organizer names the series anew.
    Rename,
    /// He moves one instance, to another hour.
    Move(u32),
    /// He cancels one, or takes that back.
    Cancel(u32),
    /// He takes the attendee off one, or puts him on it again.
    Uninvite(u32),
    /// The attendee answers for the series.
    Answer(usize),
    /// He answers for one instance.
    AnswerOne(u32, usize),
    /// He removes one instance.
    Hide(u32),
}

#[derive(Clone, Debug, Default)]
struct Model {
    name: u32,
    moved: BTreeMap<u32, u32>,
    cancelled: BTreeSet<u32>,
    uninvited: BTreeSet<u32>,
    series: &'static str,
    one: BTreeMap<u32, &'static str>,
    hidden: BTreeSet<u32>,
}

fn id(day: u32) -> String {
    format!("202401{:02}T100000Z", day + 1)
}

impl Model {
    fn hour(&self, day: u32) -> u32 {
        self.moved.get(&day).copied().unwrap_or(10)
    }

    fn answer(&self, day: u32) -> &'static str {
        self.one.get(&day).copied().unwrap_or(self.series)
    }

    fn people(&self, partstat: Option<&str>) -> String {
        let bernard =
            partstat.map(|partstat| format!("ATTENDEE;PARTSTAT={partstat};RSVP=TRUE:mailto:b@example.com\n"));
        format!(
            "ORGANIZER:mailto:a@example.com\nATTENDEE;PARTSTAT=ACCEPTED:mailto:a@example.com\n{}",
            bernard.unwrap_or_default()
        )
    }

    /// As the organizer's client writes it, which knows all answers but counts no SEQUENCE.
    fn text(&self) -> String {
        let excluded: String = self.cancelled.iter().map(|day| format!("EXDATE:{}\n", id(*day))).collect();
        let own: BTreeSet<u32> =
            self.moved.keys().chain(&self.uninvited).chain(self.one.keys()).copied().collect();
        let overrides: String = own
            .difference(&self.cancelled)
            .map(|day| {
                let partstat = Some(self.answer(*day)).filter(|_| !self.uninvited.contains(day));
                format!(
                    "BEGIN:VEVENT\nUID:1\nDTSTAMP:20240101T000000Z\nRECURRENCE-ID:{}\nDTSTART:202401{:02}T{:02}0000Z\n\
                     DURATION:PT30M\nSUMMARY:{}\n{}END:VEVENT\n",
                    id(*day),
                    day + 1,
                    self.hour(*day),
                    self.name,
                    self.people(partstat)
                )
            })
            .collect();
        calendar_of(&format!(
            "BEGIN:VEVENT\nUID:1\nDTSTAMP:20240101T000000Z\nDTSTART:{}\nDURATION:PT30M\nRRULE:FREQ=DAILY;COUNT={DAYS}\n\
             SUMMARY:{}\n{excluded}{}END:VEVENT\n{overrides}",
            id(0),
            self.name,
            self.people(Some(self.series))
        ))
    }

    /// What the change of the series does to the answers; false when it is none that makes sense.
    fn organize(&mut self, step: Step) -> bool {
        match step {
            Step::Rename => self.name += 1,
            Step::Move(day) if !self.cancelled.contains(&day) => {
                self.moved.insert(day, 11 + self.hour(day) % 10);
                // RFC 6638 §3.2.8
                self.one.insert(day, OPEN);
                if !self.uninvited.contains(&day) {
                    self.hidden.remove(&day);
                }
            }
            Step::Cancel(day) => {
                if self.cancelled.remove(&day) {
                    // Reinstated: all are asked again, and it is as the series.
                    self.series = OPEN;
                    self.hidden.remove(&day);
                } else {
                    self.cancelled.insert(day);
                    self.moved.remove(&day);
                    self.one.remove(&day);
                    self.uninvited.remove(&day);
                    self.hidden.remove(&day);
                }
            }
            Step::Uninvite(day) if !self.cancelled.contains(&day) => {
                if self.uninvited.remove(&day) {
                    self.one.insert(day, OPEN);
                } else {
                    self.uninvited.insert(day);
                    self.one.remove(&day);
                }
                self.hidden.remove(&day);
            }
            _ => return false,
        }
        true
    }

    fn is_his(&self, day: u32) -> bool {
        !self.cancelled.contains(&day) && !self.uninvited.contains(&day) && !self.hidden.contains(&day)
    }
}

/// The components of a text, each with the instance that it is.
fn blocks(text: &str) -> (String, Vec<String>) {
    let start = text.find("BEGIN:VEVENT").unwrap();
    let inner = text[start..].trim_end().strip_suffix("END:VCALENDAR").unwrap();
    let all = inner.split_inclusive("END:VEVENT\r\n").map(str::to_owned).collect();
    (text[..start].to_owned(), all)
}

fn joined((head, blocks): (String, Vec<String>)) -> String {
    format!("{head}{}END:VCALENDAR\r\n", blocks.concat())
}

fn with_partstat(block: &str, partstat: &str) -> String {
    let line = |line: &str| match line.contains("mailto:b@") {
        true => {
            let start = line.find("PARTSTAT=").unwrap();
            let end = start + line[start..].find(';').unwrap();
            format!("{}PARTSTAT={partstat}{}\r\n", &line[..start], &line[end..])
        }
        false => format!("{line}\r\n"),
    };
    block.lines().map(line).collect()
}

/// What the attendee's client makes of his object.
fn edited(text: &str, model: &Model, step: Step) -> String {
    let (head, mut blocks) = blocks(text);
    let at = |blocks: &[String], day: u32| {
        blocks.iter().position(|block| block.contains(&format!("RECURRENCE-ID:{}\r\n", id(day))))
    };
    let master = blocks.iter().position(|block| !block.contains("RECURRENCE-ID")).unwrap();
    match step {
        Step::Answer(answer) => blocks[master] = with_partstat(&blocks[master], ANSWERS[answer]),
        Step::AnswerOne(day, answer) => match at(&blocks, day) {
            Some(place) => blocks[place] = with_partstat(&blocks[place], ANSWERS[answer]),
            None => {
                let keeps = |line: &&str| !line.starts_with("RRULE") && !line.starts_with("EXDATE");
                let own: String =
                    blocks[master].lines().filter(keeps).map(|line| format!("{line}\r\n")).collect();
                let begin = format!("DTSTART:{}\r\n", id(0));
                let own = own.replace(&begin, &format!("RECURRENCE-ID:{0}\r\nDTSTART:{0}\r\n", id(day)));
                blocks.push(with_partstat(&own, ANSWERS[answer]));
            }
        },
        Step::Hide(day) => {
            if let Some(place) = at(&blocks, day) {
                blocks.remove(place);
            }
            let master = blocks.iter().position(|block| !block.contains("RECURRENCE-ID")).unwrap();
            blocks[master] = blocks[master].replace("SUMMARY", &format!("EXDATE:{}\r\nSUMMARY", id(day)));
        }
        _ => unreachable!("an attendee's step: {model:?}"),
    }
    joined((head, blocks))
}

fn deliver(messages: &[Message], to: Vec<u8>, owner: &Owner) -> Vec<u8> {
    messages.iter().fold(to, |stored, message| {
        if !message.to.iter().any(|address| owner.is(address)) {
            return stored;
        }
        let known = Some(stored.as_slice()).filter(|stored| !stored.is_empty());
        let applied = match message.method {
            Method::Request => apply_request(known, &message.bytes, owner, message.asks_anew),
            _ => apply_cancel(&stored, &message.bytes, owner),
        };
        applied.map_or(stored, |applied| applied.bytes)
    })
}

/// Each instance that is not cancelled: where it begins, and what the attendee answered.
fn seen(bytes: &[u8]) -> BTreeMap<Utc, (Utc, String)> {
    let document = parsed(bytes);
    let object = Object::of(&document).unwrap();
    let window = (utc("20240101T000000Z"), utc("20240201T000000Z"));
    let components = parties(bytes).unwrap();
    let instances = object.expansion(&Zone::utc()).between(window.0, window.1, Budget::default());
    let of = |instance: crate::recur::Instance| {
        let component = &components[instance.component];
        let attendee = component.attendees.iter().find(|party| party.canonical == "mailto:b@example.com")?;
        let partstat = attendee.partstat.clone();
        (!component.cancelled).then_some((instance.recurrence_id, (instance.start, partstat)))
    };
    instances.into_iter().filter_map(of).collect()
}

fn expected(model: &Model, his: bool) -> BTreeMap<Utc, (Utc, String)> {
    let days = (0..DAYS).filter(|day| {
        let there = !model.cancelled.contains(day) && !model.uninvited.contains(day);
        there && !(his && model.hidden.contains(day))
    });
    let of = |day: u32| {
        let start = utc(&format!("202401{:02}T{:02}0000Z", day + 1, model.hour(day)));
        (utc(&id(day)), (start, model.answer(day).to_owned()))
    };
    days.map(of).collect()
}

fn a_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        Just(Step::Rename),
        (0..DAYS).prop_map(Step::Move),
        (0..DAYS).prop_map(Step::Cancel),
        (0..DAYS).prop_map(Step::Uninvite),
        (0..3_usize).prop_map(Step::Answer),
        (0..DAYS, 0..3_usize).prop_map(|(day, answer)| Step::AnswerOne(day, answer)),
        (0..DAYS).prop_map(Step::Hide),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 80, ..ProptestConfig::default() })]

    #[test]
    fn both_see_the_same_series(steps in proptest::collection::vec(a_step(), 1..14)) {
        let (a, b) = (Owner::new(["a@example.com"]), Owner::new(["b@example.com"]));
        let mut model = Model { series: OPEN, ..Model::default() };
        let mut now = utc("20231201T000000Z");
        let making = |now: Utc| Making { now, product: "-//x//y//EN" };
        let write = organizer_write(None, Some(model.text().as_bytes()), &a, true, making(now)).unwrap();
        let mut organizers = write.stored.unwrap_or_else(|| model.text().into_bytes());
        let mut his = deliver(&write.messages, Vec::new(), &b);
        for step in steps {
            now = Utc(now.0 + 60);
            let told = format!("{step:?} of {model:?}");
            match step {
                Step::Rename | Step::Move(_) | Step::Cancel(_) | Step::Uninvite(_) => {
                    if !model.organize(step) {
                        continue;
                    }
                    let new = model.text();
                    let write = organizer_write(Some(&organizers), Some(new.as_bytes()), &a, false, making(now)).unwrap();
                    organizers = write.stored.unwrap_or_else(|| new.into_bytes());
                    his = deliver(&write.messages, his, &b);
                }
                Step::Answer(answer) => {
                    model.series = ANSWERS[answer];
                    let new = edited(&String::from_utf8(his.clone()).unwrap(), &model, step);
                    let write = attendee_write(Some(&his), Some(new.as_bytes()), &b, making(now));
                    let write = write.unwrap_or_else(|error| panic!("{told}: {error:?}\n{new}"));
                    his = write.stored.unwrap_or_else(|| new.into_bytes());
                    if let Some(reply) = write.reply {
                        organizers = apply_reply(&organizers, &reply.bytes, "b@example.com", &a).unwrap().bytes;
                    }
                }
                Step::AnswerOne(day, _) | Step::Hide(day) => {
                    // Whoever put away what he had declined, and then accepts the series, gets it back.
                    let told_nothing = matches!(step, Step::Hide(_)) && model.answer(day) == "DECLINED";
                    if !model.is_his(day) || told_nothing {
                        continue;
                    }
                    let new = edited(&String::from_utf8(his.clone()).unwrap(), &model, step);
                    let answer = match step {
                        Step::AnswerOne(_, answer) => ANSWERS[answer],
                        _ => {
                            model.hidden.insert(day);
                            "DECLINED"
                        }
                    };
                    // An instance that is gone from his object answers as the series, unless the organizer knows better.
                    let own = organizers.windows(30).any(|w| w == format!("RECURRENCE-ID:{}", id(day)).as_bytes());
                    if own || answer != model.series || matches!(step, Step::AnswerOne(..)) {
                        model.one.insert(day, answer);
                    }
                    let write = attendee_write(Some(&his), Some(new.as_bytes()), &b, making(now));
                    let write = write.unwrap_or_else(|error| panic!("{told}: {error:?}\n{new}"));
                    his = write.stored.unwrap_or_else(|| new.into_bytes());
                    if let Some(reply) = write.reply {
                        organizers = apply_reply(&organizers, &reply.bytes, "b@example.com", &a).unwrap().bytes;
                    }
                }
            }
            let texts = || format!(
                "{told}\nthe organizer:\n{}\nhis:\n{}",
                String::from_utf8_lossy(&organizers),
                String::from_utf8_lossy(&his)
            );
            prop_assert_eq!(seen(&organizers), expected(&model, false), "{}", texts());
            prop_assert_eq!(seen(&his), expected(&model, true), "{}", texts());
        }
    }
}
