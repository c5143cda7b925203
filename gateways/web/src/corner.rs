//! The corner of the tree that a credential opens, as a drawing.

use std::collections::BTreeMap;

use allod_model::{Grant, Path, Rights};

use crate::show;
use crate::text::Text;

/// Grants drawn for one credential; more are told as a number.
const DRAWN_MAX: usize = 12;

/// One line of the drawing.
pub(crate) struct Branch {
    /// How far below the root, at most six.
    pub depth: usize,
    /// The folder's name.
    pub name: String,
    /// What may be done there; `None` on the way to it.
    pub rights: Option<String>,
    /// The class of the mark: `r`, `a`, `rw`.
    pub mark: &'static str,
    /// Whether it stays closed inside of what is open.
    pub closed: bool,
}

/// A drawing.
pub(crate) struct Corner {
    /// Its lines, from the root down.
    pub branches: Vec<Branch>,
    /// By which protocols; empty for every one.
    pub protocols: Vec<String>,
    /// Whether mail may be sent.
    pub send: bool,
    /// Grants that are not drawn.
    pub more: usize,
}

/// What rights mean.
pub(crate) fn rights(text: &Text, rights: Rights) -> &'static str {
    match rights {
        Rights::Read => text.s("rights.r"),
        Rights::Append => text.s("rights.a"),
        Rights::Write => text.s("rights.rw"),
    }
}

/// What stands at one place of the drawing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Way,
    Open(Rights),
    Closed,
}

/// Draws what grants open.
pub(crate) fn draw(text: &Text, grants: &[Grant]) -> Corner {
    let mut tree: BTreeMap<Vec<String>, Mark> = BTreeMap::new();
    let names = |path: &Path| path.names().iter().map(ToString::to_string).collect::<Vec<String>>();
    for grant in grants.iter().take(DRAWN_MAX) {
        let names_of = names(&grant.path);
        for depth in 0..names_of.len() {
            tree.entry(names_of[..depth].to_vec()).or_insert(Mark::Way);
        }
        let mark = tree.entry(names_of).or_insert(Mark::Way);
        *mark = Mark::Open(match mark {
            Mark::Open(known) => grant.rights.max(*known),
            _ => grant.rights,
        });
        for closed in grant.except.iter().take(DRAWN_MAX) {
            let covered = grants.iter().any(|other| other.rights_on(closed).is_some());
            tree.entry(names(closed)).or_insert(if covered { Mark::Way } else { Mark::Closed });
        }
    }
    let branches = tree
        .into_iter()
        .map(|(names, mark)| Branch {
            depth: names.len().min(6),
            name: names.last().cloned().unwrap_or_else(|| text.s("corner.root").to_owned()),
            rights: match mark {
                Mark::Open(granted) => Some(rights(text, granted).to_owned()),
                _ => None,
            },
            mark: match mark {
                Mark::Open(granted) => granted.as_str(),
                _ => "",
            },
            closed: mark == Mark::Closed,
        })
        .collect();
    let mut protocols: Vec<String> =
        grants.iter().flat_map(|grant| &grant.protocols).map(|p| show::protocol(text, &p.0)).collect();
    protocols.sort();
    protocols.dedup();
    if grants.iter().any(|grant| grant.protocols.is_empty()) {
        protocols.clear();
    }
    let send = grants.iter().any(|grant| grant.send);
    Corner { branches, protocols, send, more: grants.len().saturating_sub(DRAWN_MAX) }
}
