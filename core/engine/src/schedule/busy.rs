//! When people of this server are busy: RFC 6638 §5.

use allod_formats::calendar::itip::{Owner, busy_of, busy_reply, busy_request};
use allod_formats::calendar::{Busy, CompFilter, Object, TimeRange, merge_busy};
use allod_formats::value::Utc;
use allod_formats::zone::Zone;
use allod_formats::{Budget, Document, Limits};
use allod_model::{Detail, Error, ErrorKind, NameRule, Path, Result};

use super::calendars::{self, HOME};
use super::making;
use crate::fault::Res;
use crate::find::EventQuery;
use crate::resolve::folder_row;
use crate::session::Session;

/// People that one request can ask about.
const ASKED_MAX: usize = 200;
/// Longest window, in seconds.
const WINDOW_SECS_MAX: i64 = 2 * 366 * 86_400;

/// What is told of one person.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BusyAnswer {
    /// The calendar user address as it was asked.
    pub recipient: String,
    /// A request status of RFC 5546 §3.6: `2.0;Success`, `3.7;Invalid calendar user`.
    pub status: &'static str,
    /// The iCalendar object with the answer.
    pub body: Option<Vec<u8>>,
}

impl Session {
    /// Answers a request for busy times: a VFREEBUSY with METHOD:REQUEST. Of each person it tells when his calendars
    /// make him busy, and nothing else; those that make nobody busy do not count.
    ///
    /// # Errors
    /// `InvalidContent` with the demand `valid-scheduling-message` (RFC 6638 §5.2.1); `Denied` with `valid-organizer`
    /// (§5.2.2) when the session's account does not have the organizer's address, and for a session without rights in
    /// the outbox.
    pub async fn free_busy_of(&self, request: &[u8]) -> Result<Vec<BusyAnswer>> {
        let outbox = Path::parse(format!("{HOME}/outbox").as_bytes(), NameRule::Strict)?;
        let granted = self.scope().check_read(&outbox).map(drop);
        if granted.is_err() || !self.is_own() {
            return Err(self.noted(&outbox, Error::denied()));
        }
        let demand =
            |kind, message: &str, demand| Error::new(kind, message).with(Detail::Demand("CALDAV", demand));
        let document = Document::parse(request, Limits::default()).ok();
        if document.as_ref().and_then(|document| Object::of(document).ok()).is_none() {
            let why = "not one calendar object of sound make";
            return Err(demand(ErrorKind::InvalidContent, why, "valid-calendar-data"));
        }
        let asked = busy_request(request).filter(|asked| {
            asked.attendees.len() <= ASKED_MAX && asked.end.0.saturating_sub(asked.start.0) <= WINDOW_SECS_MAX
        });
        let Some(asked) = asked else {
            let why = "not a request for busy times, or for too many or too long";
            return Err(demand(ErrorKind::InvalidContent, why, "valid-scheduling-message"));
        };
        if !self.owner().is(&asked.organizer) {
            return Err(demand(ErrorKind::Denied, "the organizer is somebody else", "valid-organizer"));
        }
        let making = making(self.core().0.env.now());
        let mut answers = Vec::with_capacity(asked.attendees.len());
        for recipient in &asked.attendees {
            let account = {
                let view = self.view()?;
                self.core().account_of_address(&view, recipient)?
            };
            let answer = match account {
                None => BusyAnswer {
                    recipient: recipient.clone(),
                    status: "3.7;Invalid calendar user",
                    body: None,
                },
                Some(account) => {
                    let there = self.core().delivery_session(self.core().account(account)?);
                    let busy = there.all_busy((asked.start, asked.end), asked.but.as_deref()).await?;
                    let body = busy_reply(&asked, recipient, &busy, making);
                    BusyAnswer { recipient: recipient.clone(), status: "2.0;Success", body: Some(body) }
                }
            };
            answers.push(answer);
        }
        Ok(answers)
    }

    /// When all calendars of the account together make busy, but for one event.
    async fn all_busy(&self, range: (Utc, Utc), but: Option<&str>) -> Result<Vec<Busy>> {
        let look = || -> Res<Vec<Path>> {
            let view = self.view()?;
            let mut paths = Vec::new();
            for calendar in calendars::calendars(&view, self.keys())? {
                // RFC 6638 §9.1
                if !folder_row(&view, self.keys(), calendar.folder)?.transparent {
                    paths.push(calendar.path);
                }
            }
            Ok(paths)
        };
        let mut busy = Vec::new();
        for path in look()? {
            for kind in ["VEVENT", "VFREEBUSY", "VAVAILABILITY"] {
                let window = TimeRange { start: Some(range.0), end: Some(range.1) };
                let inner =
                    CompFilter { name: kind.into(), time_range: Some(window), ..CompFilter::default() };
                let filter =
                    CompFilter { name: "VCALENDAR".into(), components: vec![inner], ..CompFilter::default() };
                let query = EventQuery { filter, zone: Zone::utc(), with_properties: false };
                let mut finding = self.find_events(&path, query).await?;
                while let Some(page) = finding.next().await? {
                    let (but, owner) = (but.map(str::to_owned), self.owner());
                    let periods = crate::core::blocking(move || {
                        let of = |found: &crate::find::Found| {
                            times_of(&found.bytes, range, but.as_deref(), &owner)
                        };
                        Ok(page.iter().flat_map(of).collect::<Vec<_>>())
                    });
                    busy.extend(periods.await?);
                }
            }
        }
        Ok(merge_busy(busy))
    }
}

/// What makes the owner busy in an object, unless it is the one that is being planned.
fn times_of(bytes: &[u8], range: (Utc, Utc), but: Option<&str>, owner: &Owner) -> Vec<Busy> {
    let Ok(document) = Document::parse(bytes, Limits::default()) else { return Vec::new() };
    let Ok(object) = Object::of(&document) else { return Vec::new() };
    let uid = object.components().iter().find_map(|component| component.value("UID").map(str::to_owned));
    if but.is_some_and(|but| uid.as_deref().map(str::trim) == Some(but)) {
        return Vec::new();
    }
    busy_of(&object, owner, range, &Zone::utc(), Budget::default()).0
}
