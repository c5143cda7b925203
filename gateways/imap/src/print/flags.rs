//! Flags, from core's words and into them.

use allod_core::mail::{Flags, KeywordId, Keywords};

use crate::syntax::ast::Flag;
use crate::wire::Output;

const SYSTEM: [(Flags, &str); 5] = [
    (Flags::ANSWERED, "\\Answered"),
    (Flags::FLAGGED, "\\Flagged"),
    (Flags::DELETED, "\\Deleted"),
    (Flags::SEEN, "\\Seen"),
    (Flags::DRAFT, "\\Draft"),
];

/// `(\Seen \Recent word)`
pub(crate) fn flags(out: &mut Output, flags: Flags, recent: bool, ids: &[KeywordId], names: &Keywords) {
    let mut space = "(";
    for (flag, word) in SYSTEM {
        if flags.has(flag) {
            out.raw(std::mem::replace(&mut space, " ")).raw(word);
        }
    }
    if recent {
        out.raw(std::mem::replace(&mut space, " ")).raw("\\Recent");
    }
    for name in ids.iter().filter_map(|id| names.name(*id)) {
        out.raw(std::mem::replace(&mut space, " ")).raw(name);
    }
    out.raw(if space == "(" { "()" } else { ")" });
}

/// All system flags, the keywords, and `\*` where new ones may be made (RFC 9051 §7.1).
pub(crate) fn possible<'a>(out: &mut Output, keywords: impl Iterator<Item = &'a str>, more: bool) {
    out.raw("(\\Answered \\Flagged \\Deleted \\Seen \\Draft");
    for keyword in keywords {
        out.raw(" ").raw(keyword);
    }
    out.raw(if more { " \\*)" } else { ")" });
}

/// What a client sent: system flags and keywords. `\Recent` is nobody's to set (RFC 3501 §2.3.2).
pub(crate) fn sorted(list: Vec<Flag>) -> (Flags, Vec<String>) {
    let (mut flags, mut keywords) = (Flags::NONE, Vec::new());
    for flag in list {
        match flag {
            Flag::Keyword(name) => keywords.push(name),
            Flag::Recent => {}
            other => flags = flags.with(system(&other).unwrap_or_default()),
        }
    }
    (flags, keywords)
}

/// A system flag in core's words.
pub(crate) fn system(flag: &Flag) -> Option<Flags> {
    match flag {
        Flag::Seen => Some(Flags::SEEN),
        Flag::Answered => Some(Flags::ANSWERED),
        Flag::Flagged => Some(Flags::FLAGGED),
        Flag::Deleted => Some(Flags::DELETED),
        Flag::Draft => Some(Flags::DRAFT),
        Flag::Recent | Flag::Keyword(_) => None,
    }
}
