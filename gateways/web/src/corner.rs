//! The corner of the tree that a credential opens, as a drawing.

use std::collections::BTreeMap;

use allod_model::{Grant, Rights};

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
    /// Corners below that stay closed.
    pub except: Vec<String>,
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

/// Draws what grants open.
pub(crate) fn draw(text: &Text, grants: &[Grant]) -> Corner {
    let mut tree: BTreeMap<Vec<String>, Option<(Rights, Vec<String>)>> = BTreeMap::new();
    for grant in grants.iter().take(DRAWN_MAX) {
        let names: Vec<String> = grant.path.names().iter().map(ToString::to_string).collect();
        for depth in 0..names.len() {
            tree.entry(names[..depth].to_vec()).or_insert(None);
        }
        let except = grant.except.iter().map(|path| path.last().map(ToString::to_string).unwrap_or_default());
        let known = tree.entry(names).or_insert(None);
        let rights = known.as_ref().map_or(grant.rights, |(known, _)| grant.rights.max(*known));
        *known = Some((rights, except.collect()));
    }
    let branches = tree
        .into_iter()
        .map(|(names, granted)| Branch {
            depth: names.len().min(6),
            name: names.last().cloned().unwrap_or_else(|| text.s("corner.root").to_owned()),
            rights: granted.as_ref().map(|(granted, _)| rights(text, *granted).to_owned()),
            mark: granted.as_ref().map_or("", |(granted, _)| granted.as_str()),
            except: granted.map(|(_, except)| except).unwrap_or_default(),
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
