//! Mailbox names and places in the tree: `A/B` is the folder `Mail/A/B`.

use allod_model::{Name, NameRule, PATH_BYTES_MAX, Path};

use crate::syntax::ast::Mailbox;
use crate::wire::{Abort, Code, Completion};

/// Where mailboxes are.
const HOME: &str = "Mail";
/// The one that every account has.
pub(crate) const INBOX: &str = "INBOX";

/// The folder that mailboxes are in.
pub(crate) fn home() -> Path {
    // Invariant: a plain word is a name.
    Path::parse(HOME.as_bytes(), NameRule::Strict).expect("a plain word")
}

/// The folder that a name stands for.
///
/// # Errors
/// NO [CANNOT] for a name that no mailbox can have.
pub(crate) fn path_of(mailbox: &Mailbox) -> Result<Path, Abort> {
    parse(&mailbox.0)
        .ok_or_else(|| Abort::Answer(Completion::no(Code::CANNOT, "No mailbox can have this name")))
}

/// The same, `None` for a name that no mailbox can have.
pub(crate) fn parse(name: &str) -> Option<Path> {
    let is_odd = |level: &str| level.is_empty() || level.chars().any(is_control);
    if name.len() > PATH_BYTES_MAX - HOME.len() - 1 || name.split('/').any(is_odd) {
        return None;
    }
    Path::parse(format!("{HOME}/{name}").as_bytes(), NameRule::Strict).ok()
}

/// The name of a folder; `None` where it cannot be said, or would be said of another one.
pub(crate) fn name_of(path: &Path) -> Option<String> {
    let [home, levels @ ..] = path.names() else { return None };
    if home.as_bytes() != HOME.as_bytes() || levels.is_empty() {
        return None;
    }
    let is_odd = |level: &Name| !level.is_strict() || level.as_str().chars().any(is_control);
    let top = levels[0].as_str();
    // RFC 9051 §5.1: every spelling of INBOX is the inbox.
    let hidden = top.eq_ignore_ascii_case(INBOX) && top != INBOX;
    if hidden || levels.iter().any(is_odd) {
        return None;
    }
    Some(levels.iter().map(Name::as_str).collect::<Vec<_>>().join("/"))
}

/// RFC 9051 §5.1, RFC 5198 §2: no controls, no separators of lines.
fn is_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
}
