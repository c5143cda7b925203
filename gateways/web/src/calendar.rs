//! Calendar: a month and an agenda, from what core finds and the formats expand.

use std::collections::BTreeMap;

use allod_core::{EventQuery, Found};
use allod_formats::calendar::{CompFilter, Object, TimeRange};
use allod_formats::value::{Date, Utc, unescape_text};
use allod_formats::zone::Zone;
use allod_formats::{Budget, Document, Limits};
use allod_model::{Kind, NameRule, Path};
use askama::Template;

use crate::error::Refusal;
use crate::frame::Frame;
use crate::respond::{self, Answer};
use crate::visit::Visit;

/// The cookie in which a script tells the browser's time zone.
const COOKIE_ZONE: &str = "allod-zone";
/// Calendars looked at.
const CALENDARS_MAX: usize = 100;
/// Instances on one page.
const INSTANCES_MAX: usize = 3000;
/// Days of the agenda.
const AGENDA_DAYS: i64 = 60;
/// Events named on one day of the month; of more there is the number.
const SHOWN_A_DAY: usize = 4;

#[derive(Clone)]
struct Event {
    start: Utc,
    day: Date,
    time: String,
    title: String,
    place: String,
    calendar: String,
    colour: usize,
}

struct Day {
    date: String,
    number: u8,
    inside: bool,
    today: bool,
    events: Vec<Event>,
    more: usize,
}

struct AgendaDay {
    date: String,
    today: bool,
    events: Vec<Event>,
}

#[derive(Template)]
#[template(path = "calendar.html")]
struct CalendarPage {
    f: Frame,
    agenda: bool,
    title: String,
    before: String,
    after: String,
    weekdays: Vec<&'static str>,
    weeks: Vec<Vec<Day>>,
    days: Vec<AgendaDay>,
    calendars: Vec<(String, usize)>,
    cut: bool,
}

/// The month or the agenda.
pub(crate) async fn page(visit: &Visit) -> Answer {
    let zone =
        visit.cookie(COOKIE_ZONE).map(|name| name.replace("%2F", "/")).and_then(|name| Zone::named(&name));
    let zone = zone.unwrap_or_else(Zone::utc);
    let today = zone.wall(Utc(visit.core().now().secs())).date();
    let agenda = visit.param("view") == Some("agenda");
    let month = visit.param("month").and_then(parse_month).unwrap_or((today.year(), today.month()));
    let first = Date::new(month.0, month.1, 1).ok_or(Refusal::NotFound)?;
    let (from, to) = match agenda {
        true => (today.days(), today.days() + AGENDA_DAYS),
        false => {
            let monday = first.days() - i64::from(monday_based(first));
            (monday, monday + 42)
        }
    };
    let range = (zone.at(Date::from_days(from).midnight()), zone.at(Date::from_days(to).midnight()));
    let (calendars, events, cut) = events(visit, range, &zone).await?;
    let mut by_day: BTreeMap<i64, Vec<Event>> = BTreeMap::new();
    for event in events {
        by_day.entry(event.day.days()).or_default().push(event);
    }
    let text = visit.text;
    let name = format!("{} {}", text.s(&format!("month.{}", month.1)), month.0);
    let page = CalendarPage {
        f: Frame::new(visit, "calendar", text.s("nav.calendar")),
        agenda,
        title: if agenda { text.s("calendar.agenda").to_owned() } else { name },
        before: step(month, -1),
        after: step(month, 1),
        weekdays: (1..=7).map(|day| text.s(&format!("weekday.{day}"))).collect(),
        weeks: if agenda { Vec::new() } else { weeks(from, month.1, today, &mut by_day) },
        days: match agenda {
            true => by_day
                .into_iter()
                .map(|(day, events)| AgendaDay {
                    date: iso(Date::from_days(day)),
                    today: day == today.days(),
                    events,
                })
                .collect(),
            false => Vec::new(),
        },
        calendars,
        cut,
    };
    respond::page(&page)
}

fn weeks(from: i64, month: u8, today: Date, by_day: &mut BTreeMap<i64, Vec<Event>>) -> Vec<Vec<Day>> {
    let day = |at: i64, by_day: &mut BTreeMap<i64, Vec<Event>>| {
        let date = Date::from_days(at);
        let mut events = by_day.remove(&at).unwrap_or_default();
        let more = events.len().saturating_sub(SHOWN_A_DAY);
        events.truncate(SHOWN_A_DAY);
        let (inside, today) = (date.month() == month, date.days() == today.days());
        Day { date: iso(date), number: date.day(), inside, today, events, more }
    };
    (0..6).map(|week| (0..7).map(|n| day(from + week * 7 + n, by_day)).collect()).collect()
}

fn iso(date: Date) -> String {
    format!("{:04}-{:02}-{:02}", date.year(), date.month(), date.day())
}

fn parse_month(text: &str) -> Option<(i32, u8)> {
    let (year, month) = text.split_once('-')?;
    let (year, month) = (year.parse::<i32>().ok()?, month.parse::<u8>().ok()?);
    ((1900..=2200).contains(&year) && (1..=12).contains(&month)).then_some((year, month))
}

fn step((year, month): (i32, u8), by: i32) -> String {
    let at = year * 12 + i32::from(month) - 1 + by;
    format!("?month={:04}-{:02}", at.div_euclid(12), at.rem_euclid(12) + 1)
}

/// Days since Monday.
fn monday_based(date: Date) -> u8 {
    // 1970-01-01 was a Thursday.
    (date.days() + 3).rem_euclid(7) as u8
}

type Gathered = (Vec<(String, usize)>, Vec<Event>, bool);

/// What takes place in the window, in all calendars, in order.
async fn events(visit: &Visit, range: (Utc, Utc), zone: &Zone) -> Result<Gathered, Refusal> {
    let session = visit.session()?;
    let home = Path::parse(b"Calendars", NameRule::Strict)?;
    let listing = session.list(&home, None, CALENDARS_MAX, false).await?;
    let (mut calendars, mut all, mut cut) = (Vec::new(), Vec::new(), listing.next.is_some());
    for node in listing.nodes.into_iter().filter(|n| n.folder.is_some_and(|f| f.kind == Kind::Calendar)) {
        let colour = calendars.len() % 6;
        let name = node.name.to_string();
        calendars.push((name.clone(), colour));
        let window = TimeRange { start: Some(range.0), end: Some(range.1) };
        let inner = CompFilter { name: "VEVENT".into(), time_range: Some(window), ..CompFilter::default() };
        let filter =
            CompFilter { name: "VCALENDAR".into(), components: vec![inner], ..CompFilter::default() };
        let query = EventQuery { filter, zone: zone.clone(), with_properties: false };
        let mut finding = session.find_events(&home.join(node.name), query).await?;
        while let Some(found) = finding.next().await? {
            let zone = zone.clone();
            let expanded = tokio::task::spawn_blocking(move || expand(&found, range, &zone));
            for event in expanded.await.map_err(|_| Refusal::NotFound)? {
                all.push(Event { calendar: name.clone(), colour, ..event });
            }
            if all.len() >= INSTANCES_MAX {
                cut = true;
                break;
            }
        }
    }
    all.sort_by(|a, b| (a.day.days(), a.start, &a.title).cmp(&(b.day.days(), b.start, &b.title)));
    all.truncate(INSTANCES_MAX);
    Ok((calendars, all, cut))
}

fn expand(found: &[Found], (start, end): (Utc, Utc), zone: &Zone) -> Vec<Event> {
    let mut events = Vec::new();
    for one in found {
        let Ok(document) = Document::parse(&one.bytes, Limits::default()) else { continue };
        let Ok(object) = Object::of(&document) else { continue };
        let budget = Budget { instances: INSTANCES_MAX, ..Budget::default() };
        let components = object.components();
        for instance in object.expansion(zone).between(start, end, budget) {
            let component = components[instance.component];
            let value =
                |name: &str| component.value(name).map(|v| unescape_text(v).into_owned()).unwrap_or_default();
            let whole_day = component
                .first("DTSTART")
                .and_then(allod_formats::value::When::of)
                .is_some_and(|when| when.is_date());
            let wall = if whole_day { instance.wall } else { zone.wall(instance.start) };
            let secs = wall.second_of_day();
            events.push(Event {
                start: instance.start,
                day: wall.date(),
                time: if whole_day {
                    String::new()
                } else {
                    format!("{:02}:{:02}", secs / 3600, secs / 60 % 60)
                },
                title: value("SUMMARY"),
                place: value("LOCATION"),
                calendar: String::new(),
                colour: 0,
            });
        }
    }
    events
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_step_over_years() {
        assert_eq!(step((2026, 1), -1), "?month=2025-12");
        assert_eq!(step((2026, 12), 1), "?month=2027-01");
        assert_eq!(parse_month("2026-13"), None);
        assert_eq!(monday_based(Date::new(2026, 11, 23).unwrap()), 0);
    }
}
