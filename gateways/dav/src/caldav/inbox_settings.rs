//! What is set on the scheduling inbox: where invitations go (RFC 6638 §9.2), and which calendars make busy
//! (`calendar-free-busy-set` of the drafts before it, which older clients set; RFC 6638 §9.1 has it on each calendar).

use allod_core::PropertyChange;
use allod_model::{Error, ErrorKind, Path, Precondition};

use crate::handle::Call;
use crate::plan::Live;
use crate::principal::calendars;
use crate::settable::{self, Refused};
use crate::url::Target;
use crate::xml::Element;

/// What a request sets of it.
#[derive(Default)]
pub(crate) struct InboxSettings {
    /// The URL of the calendar that invitations are to be put into.
    pub(crate) default_calendar: Option<String>,
    /// The URLs of the calendars that are to make busy.
    pub(crate) busy_calendars: Option<Vec<String>>,
}

impl InboxSettings {
    /// Takes a property that is to be set; `false` when it is none of these.
    pub(crate) fn take(&mut self, live: Option<Live>, property: Element<'_>) -> bool {
        match live {
            Some(Live::ScheduleDefaultCalendarUrl) => {
                let href = property.dav_child("href").map(Element::text);
                self.default_calendar = Some(href.unwrap_or_default());
            }
            Some(Live::CalendarFreeBusySet) => {
                let hrefs = property.children().filter(|child| child.is_dav("href"));
                self.busy_calendars = Some(hrefs.map(Element::text).collect());
            }
            _ => return false,
        }
        true
    }

    /// Sets it; gives what cannot be set, by name, and why. Elsewhere than on the inbox nothing can.
    pub(crate) async fn apply(
        &self,
        call: &Call,
        on_inbox: bool,
    ) -> Result<Vec<(&'static str, Refused)>, Error> {
        let mut refused = Vec::new();
        if let Some(href) = &self.default_calendar {
            let why = match tree_path(call, href).filter(|_| on_inbox) {
                _ if !on_inbox => Some(settable::PROTECTED),
                Some(path) => match call.session.set_default_calendar(&path).await {
                    Err(error) if error.kind == ErrorKind::InvalidContent => Some(settable::NO_CALENDAR),
                    outcome => outcome.map(|()| None)?,
                },
                None => Some(settable::NO_CALENDAR),
            };
            refused.extend(why.map(|why| ("schedule-default-calendar-URL", why)));
        }
        if let Some(hrefs) = &self.busy_calendars {
            let why = match on_inbox {
                true => set_busy(call, hrefs).await?,
                false => Some(settable::PROTECTED),
            };
            refused.extend(why.map(|why| ("calendar-free-busy-set", why)));
        }
        Ok(refused)
    }
}

fn tree_path(call: &Call, href: &str) -> Option<Path> {
    match call.reference(href.as_bytes()) {
        Ok(Target::Tree { account, path, .. }) if account == call.account => Some(path),
        _ => None,
    }
}

/// Makes the calendars that are named opaque, and the others transparent; all must be there.
async fn set_busy(call: &Call, hrefs: &[String]) -> Result<Option<Refused>, Error> {
    let Some(wanted) = hrefs.iter().map(|href| tree_path(call, href)).collect::<Option<Vec<Path>>>() else {
        return Ok(Some(settable::SENSELESS));
    };
    let known = calendars(&call.session).await?;
    if !wanted.iter().all(|path| known.iter().any(|(known, _)| known == path)) {
        return Ok(Some(settable::SENSELESS));
    }
    for (path, transparent) in known {
        let now = !wanted.contains(&path);
        if now != transparent {
            let change = vec![PropertyChange::Transparent(now)];
            let want = allod_core::Want::Folder;
            call.session.set_properties(&path, want, change, Precondition::default()).await?;
        }
    }
    Ok(None)
}
