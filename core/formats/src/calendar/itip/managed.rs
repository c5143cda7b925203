//! ATTACH lines that the server writes for attachments it keeps (RFC 8607 §3.5).

use super::Unsound;
use super::derive::instance_edits;
use super::edits::Edits;
use super::parts::{Part, Parts};
use super::with_parts;
use crate::calendar::Object;
use crate::property::{Property, caret_encoded};
use crate::value::{Utc, When};

/// Instances that one request can name.
pub const INSTANCES_MAX: usize = 500;

/// An attachment that the server keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Managed<'t> {
    /// MANAGED-ID.
    pub id: &'t str,
    /// Where it is had.
    pub uri: &'t str,
    /// FMTTYPE; empty when it is not known.
    pub media_type: &'t str,
    /// FILENAME.
    pub name: &'t str,
    /// SIZE, in bytes.
    pub size: u64,
}

/// Which instances of an object are meant (the `rid` of RFC 8607 §3.3.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rids {
    /// All: the recurring component and its overrides.
    All,
    /// Those named: `M` is the recurring component, anything else a RECURRENCE-ID.
    Some(Vec<String>),
}

/// Why an object is not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManagedError {
    /// It cannot be read.
    Unreadable,
    /// `valid-rid-parameter`: an instance that is named is not one.
    Rid,
    /// `valid-managed-id-parameter`: no component has that attachment.
    Id,
}

impl From<Unsound> for ManagedError {
    fn from(_: Unsound) -> ManagedError {
        ManagedError::Unreadable
    }
}

/// The MANAGED-IDs in an object, each once.
pub fn managed_ids(object: &Object<'_, '_>) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    for component in object.components() {
        for id in component.all("ATTACH").filter_map(|attach| attach.parameter("MANAGED-ID")) {
            if !ids.iter().any(|known| *known == id) {
                ids.push(id.into_owned());
            }
        }
    }
    ids
}

/// Adds an attachment to instances of an object; one without a component of its own gets one.
///
/// # Errors
/// [`ManagedError::Rid`], [`ManagedError::Unreadable`].
pub fn attach(bytes: &[u8], rids: &Rids, managed: &Managed<'_>) -> Result<Vec<u8>, ManagedError> {
    let line = managed.line();
    change(bytes, rids, &mut |edits, part| {
        edits.insert_line(part.component.end().start, &line);
        true
    })
}

/// Writes a new version of an attachment in place of an old one, in every instance that has it.
///
/// # Errors
/// [`ManagedError::Id`], [`ManagedError::Unreadable`].
pub fn reattach(bytes: &[u8], id: &str, managed: &Managed<'_>) -> Result<Vec<u8>, ManagedError> {
    let line = managed.line();
    change_with(bytes, &Rids::All, id, &mut |edits, property| edits.replace_line(property.span(), &line))
}

/// Takes an attachment off instances of an object.
///
/// # Errors
/// [`ManagedError::Id`] when none of them has it, [`ManagedError::Rid`], [`ManagedError::Unreadable`].
pub fn detach(bytes: &[u8], id: &str, rids: &Rids) -> Result<Vec<u8>, ManagedError> {
    change_with(bytes, rids, id, &mut |edits, property| edits.remove(property.span()))
}

impl Managed<'_> {
    fn line(&self) -> String {
        let mut line = format!("ATTACH;MANAGED-ID={}", caret_encoded(self.id));
        if !self.media_type.is_empty() {
            line.push_str(&format!(";FMTTYPE={}", caret_encoded(self.media_type)));
        }
        line.push_str(&format!(";FILENAME={};SIZE={}:{}", caret_encoded(self.name), self.size, self.uri));
        line
    }
}

fn change_with(
    bytes: &[u8],
    rids: &Rids,
    id: &str,
    edit: &mut dyn FnMut(&mut Edits<'_>, &Property<'_>),
) -> Result<Vec<u8>, ManagedError> {
    let mut found = false;
    let changed = change(bytes, rids, &mut |edits, part| {
        let mut here = false;
        for attach in part.component.all("ATTACH") {
            if attach.parameter("MANAGED-ID").is_some_and(|own| own == id) {
                edit(edits, attach);
                here = true;
            }
        }
        found |= here;
        here
    })?;
    if found { Ok(changed) } else { Err(ManagedError::Id) }
}

/// Changes the components that `rids` names. `edit` says whether it changed the one it was given.
fn change(
    bytes: &[u8],
    rids: &Rids,
    edit: &mut dyn FnMut(&mut Edits<'_>, &Part<'_, '_>) -> bool,
) -> Result<Vec<u8>, ManagedError> {
    with_parts(bytes, |parts| {
        let mut edits = Edits::new(parts.bytes());
        let Rids::Some(rids) = rids else {
            for part in &parts.list {
                edit(&mut edits, part);
            }
            return Ok(edits.finish());
        };
        if rids.is_empty() || rids.len() > INSTANCES_MAX {
            return Err(ManagedError::Rid);
        }
        for id in ids_of(parts, rids)? {
            if let Some(part) = parts.at(id) {
                edit(&mut edits, part);
                continue;
            }
            let (Some(master), Some(id)) = (parts.master(), id) else { return Err(ManagedError::Rid) };
            if !parts.has_instance(id) {
                return Err(ManagedError::Rid);
            }
            let mut own = instance_edits(parts, master.component, id);
            if edit(&mut own, master) {
                edits.insert(master.component.span().end, &own.render(master.component.span()));
            }
        }
        Ok(edits.finish())
    })
}

/// Each instance that is named, once; none: the recurring component.
fn ids_of(parts: &Parts<'_, '_>, rids: &[String]) -> Result<Vec<Option<Utc>>, ManagedError> {
    let tzid = parts.master().and_then(|part| part.component.first("DTSTART")?.parameter("TZID"));
    let mut ids = Vec::new();
    for rid in rids {
        let id = match rid.trim() {
            "M" => parts.master().map(|_| None).ok_or(ManagedError::Rid)?,
            rid => {
                let when = When::parse(rid, tzid.as_deref()).ok_or(ManagedError::Rid)?;
                Some(parts.id_of(&when))
            }
        };
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEEKLY: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART;TZID=Europe/Berlin:20240101T090000\r\n\
        DURATION:PT1H\r\nRRULE:FREQ=WEEKLY;COUNT=5\r\nX-KEPT;A=b:as it\r\n  is\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:1\r\n\
        RECURRENCE-ID;TZID=Europe/Berlin:20240108T090000\r\nDTSTART;TZID=Europe/Berlin:20240108T100000\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    const FILE: Managed<'_> =
        Managed { id: "a1", uri: "https://x/y", media_type: "text/plain", name: "Plan: \"A\".txt", size: 7 };
    const LINE: &str =
        "ATTACH;MANAGED-ID=a1;FMTTYPE=text/plain;FILENAME=\"Plan: ^'A^'.txt\";SIZE=7:h\r\n ttps://x/y\r\n";

    fn text(bytes: Result<Vec<u8>, ManagedError>) -> String {
        String::from_utf8(bytes.unwrap()).unwrap()
    }

    fn some(rids: &[&str]) -> Rids {
        Rids::Some(rids.iter().map(|rid| (*rid).to_owned()).collect())
    }

    #[test]
    fn attachments_come_and_go_and_all_else_stays() {
        let added = text(attach(WEEKLY.as_bytes(), &Rids::All, &FILE));
        assert_eq!(added.matches(LINE).count(), 2, "{added}");
        assert_eq!(added.replace(LINE, ""), WEEKLY);
        assert_eq!(text(detach(added.as_bytes(), "a1", &Rids::All)), WEEKLY);
        let other = Managed { id: "b2", size: 8, ..FILE };
        let renewed = text(reattach(added.as_bytes(), "a1", &other));
        assert_eq!(renewed.matches("MANAGED-ID=b2").count(), 2);
        assert!(!renewed.contains("MANAGED-ID=a1"));
        assert_eq!(detach(added.as_bytes(), "zz", &Rids::All), Err(ManagedError::Id));
        assert_eq!(reattach(WEEKLY.as_bytes(), "a1", &FILE), Err(ManagedError::Id));
    }

    #[test]
    fn single_instances_get_components_of_their_own() {
        let master = text(attach(WEEKLY.as_bytes(), &some(&["M"]), &FILE));
        assert_eq!(master.matches(LINE).count(), 1);
        let known = text(attach(WEEKLY.as_bytes(), &some(&["20240108T080000Z"]), &FILE));
        assert_eq!((known.matches(LINE).count(), known.matches("BEGIN:VEVENT").count()), (1, 2));
        let new = text(attach(WEEKLY.as_bytes(), &some(&["20240115T090000", "20240115T080000Z"]), &FILE));
        assert_eq!((new.matches(LINE).count(), new.matches("BEGIN:VEVENT").count()), (1, 3), "{new}");
        assert!(new.contains("RECURRENCE-ID;TZID=Europe/Berlin:20240115T090000\r\n"), "{new}");
        assert_eq!(new.matches("RRULE").count(), 1);
        // Off one instance of a series that has it everywhere.
        let everywhere = text(attach(WEEKLY.as_bytes(), &Rids::All, &FILE));
        let off = text(detach(everywhere.as_bytes(), "a1", &some(&["20240122T080000Z"])));
        assert_eq!((off.matches(LINE).count(), off.matches("BEGIN:VEVENT").count()), (2, 3), "{off}");
        for wrong in [&["20240116T080000Z"][..], &["20250101T080000Z"], &["x"], &[]] {
            assert_eq!(attach(WEEKLY.as_bytes(), &some(wrong), &FILE), Err(ManagedError::Rid), "{wrong:?}");
        }
    }
}
