//! Preconditions, judged where they count: inside the commit, or at the moment a read opens its revision.

use allod_meta::Lookup;
use allod_model::{
    Condition, Detail, Error, ErrorKind, Etag, EtagMatch, Path, Precondition, StateList, Timestamp,
};

use crate::access::{Scope, Sight};
use crate::fault::{Fault, Res};
use crate::keys::Keys;
use crate::lock;
use crate::node::Want;
use crate::record::Entry;
use crate::resolve::{Spot, folder_row, spot};

/// What a precondition is judged against.
pub struct Judge<'a, R: Lookup> {
    pub rows: &'a R,
    pub keys: Keys,
    pub scope: &'a Scope,
    pub now: Timestamp,
    /// A read (GET, HEAD): a failed `If-None-Match` means "not modified".
    pub reading: bool,
}

impl<R: Lookup> Judge<'_, R> {
    /// Demands that `pre` holds for what stands at `spot`, which is at `path`.
    ///
    /// # Errors
    /// `PreconditionFailed`, for a read with `NotModified` where that is meant.
    pub fn demand(&self, pre: &Precondition, path: &Path, spot: &Spot, want: Want) -> Res<()> {
        self.demand_of(pre, spot.found(want).map(|(_, entry)| entry))?;
        self.demand_any(&pre.any_of, path, spot)
    }

    /// As [`Judge::demand`], for what was found elsewhere (an earlier version); state lists aside.
    pub fn demand_of(&self, pre: &Precondition, found: Option<&Entry>) -> Res<()> {
        // The tag of a folder needs its row: looked up only when a condition asks for it.
        let tagged = pre.if_match.is_some() || pre.if_none_match.is_some();
        let etag = if tagged { self.etag(found)? } else { None };
        // A file has a tag by its digest and one by its MD5; both are strong and neither can be taken for the other.
        let object = found.and_then(Entry::file).filter(|_| tagged).map(|file| Etag(file.object_etag()));
        let matches = |tags: &EtagMatch| tags.matches(etag.as_ref()) || tags.matches(object.as_ref());
        // RFC 9110 §13.2.2: the order of evaluation.
        match (&pre.if_match, pre.if_unmodified_since) {
            (Some(tags), _) if !matches(tags) && found.is_none() => return absent(),
            (Some(tags), _) if !matches(tags) => return failed("If-Match"),
            (None, Some(since)) if found.is_some_and(|e| e.modified.secs() > since.secs()) => {
                return failed("If-Unmodified-Since");
            }
            _ => {}
        }
        if let Some(tag) = &pre.if_schedule_tag {
            let event = found.and_then(Entry::file).and_then(|file| file.event());
            let known = event.and_then(|event| event.schedule).map(crate::schedule::tag);
            if known.as_ref() != Some(tag) {
                // RFC 6638 §3.2.10.1
                return failed("If-Schedule-Tag-Match");
            }
        }
        match (&pre.if_none_match, pre.if_modified_since) {
            (Some(tags), _) if matches(tags) => {
                return if self.reading { not_modified() } else { failed("If-None-Match") };
            }
            (None, Some(since))
                if self.reading && found.is_some_and(|e| e.modified.secs() <= since.secs()) =>
            {
                return not_modified();
            }
            _ => {}
        }
        Ok(())
    }

    fn etag(&self, found: Option<&Entry>) -> Res<Option<Etag>> {
        let Some(entry) = found else { return Ok(None) };
        if let Some(file) = entry.file() {
            return Ok(Some(file.etag()));
        }
        let row = folder_row(self.rows, self.keys, entry.node)?;
        let key = crate::resolve::root_key();
        Ok(Some(crate::resolve::node(&key, entry, Some(&row), Vec::new()).etag))
    }

    /// RFC 4918 §10.4.3: one of the lists must hold.
    fn demand_any(&self, lists: &[StateList], path: &Path, here: &Spot) -> Res<()> {
        if lists.is_empty() {
            return Ok(());
        }
        for list in lists {
            if self.holds(list, path, here)? {
                return Ok(());
            }
        }
        failed("If")
    }

    fn holds(&self, list: &StateList, path: &Path, here: &Spot) -> Res<bool> {
        let path = list.resource.as_ref().unwrap_or(path);
        let hidden = list.foreign || self.scope.sight(path) == Sight::Hidden;
        let there = match &list.resource {
            _ if hidden => None,
            None => Some(here.clone()),
            Some(path) => match spot(self.rows, self.keys, path) {
                Ok(spot) => Some(spot),
                Err(Fault(error)) if error.detail == Detail::MissingParent => None,
                Err(fault) => return Err(fault),
            },
        };
        for condition in &list.conditions {
            let (state, wanted) = match condition {
                Condition::Etag(tag, wanted) => {
                    let found = there.as_ref().and_then(|spot| spot.found(Want::Any)).map(|(_, entry)| entry);
                    (self.etag(found)?.as_ref() == Some(tag), *wanted)
                }
                Condition::Token(token, wanted) => {
                    let locks = match &there {
                        Some(spot) => lock::holding(self.rows, self.keys, path, spot, self.now)?,
                        None => Vec::new(),
                    };
                    (locks.iter().any(|lock| lock.token == *token), *wanted)
                }
            };
            if state != wanted {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn failed(which: &str) -> Res<()> {
    Err(Error::new(ErrorKind::PreconditionFailed, format!("the condition of {which} does not hold")).into())
}

fn absent() -> Res<()> {
    let why = "the condition of If-Match does not hold: nothing is there";
    Err(Error::new(ErrorKind::PreconditionFailed, why).with(Detail::Absent).into())
}

fn not_modified() -> Res<()> {
    Err(Error::new(ErrorKind::PreconditionFailed, "not modified").with(Detail::NotModified).into())
}
