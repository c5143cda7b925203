//! Which of its rights a credential ever made use of, so that its owner can narrow it.
//!
//! Bits per top folder, in memory at each check that was passed, written with the last uses. What is only looked for and
//! refused does not count.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use allod_model::{Path, Rights};
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};

/// Top folders told apart for one credential; the rights used in others are kept under the root's name.
const TOPS_MAX: usize = 64;
/// Longest name of a top folder that is kept, in bytes.
const NAME_BYTES_MAX: usize = 255;

/// What a credential made use of, as it is stored: bits by top folder, the root's own under the empty name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsedRow(pub BTreeMap<Vec<u8>, u8>);

/// The same while the credential is in use.
#[derive(Debug, Default)]
pub struct UsedRights {
    tops: RwLock<BTreeMap<Vec<u8>, u8>>,
    dirty: AtomicBool,
}

fn bit(rights: Rights) -> u8 {
    match rights {
        Rights::Read => 1,
        Rights::Append => 2,
        Rights::Write => 4,
    }
}

impl UsedRights {
    /// What is known from before.
    pub fn new(row: UsedRow) -> Self {
        UsedRights { tops: RwLock::new(row.0), dirty: AtomicBool::new(false) }
    }

    /// Notes that a right was made use of. A read of the map as a rule.
    pub fn note(&self, path: &Path, rights: Rights) {
        let top = path.names().first().map_or(&[][..], |name| name.as_bytes());
        let top = if top.len() > NAME_BYTES_MAX { &[] } else { top };
        let bit = bit(rights);
        if self.tops.read().get(top).is_some_and(|bits| bits & bit != 0) {
            return;
        }
        let mut tops = self.tops.write();
        let full = tops.len() >= TOPS_MAX && !tops.contains_key(top);
        *tops.entry(if full { Vec::new() } else { top.to_vec() }).or_default() |= bit;
        self.dirty.store(true, Ordering::Release);
    }

    /// What is known now.
    pub fn row(&self) -> UsedRow {
        UsedRow(self.tops.read().clone())
    }

    /// What is to be written, if anything came since the last time.
    pub fn unwritten(&self) -> Option<UsedRow> {
        self.dirty.swap(false, Ordering::AcqRel).then(|| self.row())
    }
}

impl UsedRow {
    /// The highest right that was made use of, anywhere.
    pub fn highest(&self) -> Option<Rights> {
        let bits = self.0.values().fold(0, |all, bits| all | bits);
        [Rights::Write, Rights::Append, Rights::Read].into_iter().find(|rights| bits & bit(*rights) != 0)
    }

    /// The top folders in which anything was made use of.
    pub fn tops(&self) -> impl Iterator<Item = String> {
        self.0.keys().filter(|top| !top.is_empty()).map(|top| String::from_utf8_lossy(top).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use allod_model::NameRule;

    #[test]
    fn rights_are_noted_once_and_bounded() {
        let used = UsedRights::default();
        let path = |text: &str| Path::parse(text.as_bytes(), NameRule::Strict).unwrap();
        used.note(&path("/photos/a"), Rights::Read);
        assert_eq!(used.row().highest(), Some(Rights::Read));
        assert!(used.unwritten().is_some() && used.unwritten().is_none());
        used.note(&path("/photos/b"), Rights::Read);
        assert!(used.unwritten().is_none(), "nothing new");
        used.note(&path("/"), Rights::Append);
        assert_eq!(used.row().highest(), Some(Rights::Append));
        for n in 0..200 {
            used.note(&path(&format!("/{n}")), Rights::Write);
        }
        assert!(used.row().0.len() <= TOPS_MAX + 1);
        assert_eq!(used.row().tops().next().unwrap(), "0");
    }
}
