//! Flags and keywords (RFC 9051 §2.3.2).

use allod_model::{Error, ErrorKind};
use serde::{Deserialize, Serialize};

use crate::fault::{Res, fail};

/// Keywords that one account can have in all its mailboxes together.
pub const KEYWORDS_MAX: usize = 400;
/// Longest keyword, in bytes.
pub const KEYWORD_BYTES_MAX: usize = 100;

/// System flags of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flags(pub u8);

impl Flags {
    /// No flag.
    pub const NONE: Flags = Flags(0);
    /// `\Seen`
    pub const SEEN: Flags = Flags(1);
    /// `\Answered`
    pub const ANSWERED: Flags = Flags(2);
    /// `\Flagged`
    pub const FLAGGED: Flags = Flags(4);
    /// `\Deleted`
    pub const DELETED: Flags = Flags(8);
    /// `\Draft`
    pub const DRAFT: Flags = Flags(16);

    /// Whether all of `other` are set.
    pub fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// These and those.
    pub fn with(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    /// These without those.
    pub fn without(self, other: Flags) -> Flags {
        Flags(self.0 & !other.0)
    }
}

/// A keyword of an account: its place in [`Keywords`].
pub type KeywordId = u16;

/// The names of an account's keywords. Their case does not matter when they are compared; the first one stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keywords(Vec<String>);

impl Keywords {
    /// The name of a keyword.
    pub fn name(&self, id: KeywordId) -> Option<&str> {
        self.0.get(usize::from(id)).map(String::as_str)
    }

    /// The keyword of this name.
    pub fn id(&self, name: &str) -> Option<KeywordId> {
        let at = self.0.iter().position(|known| known.eq_ignore_ascii_case(name))?;
        KeywordId::try_from(at).ok()
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// The keyword of this name, a new one when there is none.
    ///
    /// # Errors
    /// `TooLarge` beyond [`KEYWORDS_MAX`]; `InvalidContent` for a name that is none.
    pub(crate) fn id_or_new(&mut self, name: &str) -> Res<KeywordId> {
        if let Some(id) = self.id(name) {
            return Ok(id);
        }
        if !is_keyword(name) {
            return fail(ErrorKind::InvalidContent, format!("'{name}' cannot be a keyword"));
        }
        if self.0.len() >= KEYWORDS_MAX {
            return Err(Error::too_large("keywords of an account", KEYWORDS_MAX as u64).into());
        }
        self.0.push(name.to_owned());
        Ok((self.0.len() - 1) as KeywordId)
    }
}

/// RFC 9051 §9, `flag-keyword`: an atom; none of those begins with a backslash.
fn is_keyword(name: &str) -> bool {
    let special = |byte: u8| matches!(byte, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b']');
    !name.is_empty()
        && name.len() <= KEYWORD_BYTES_MAX
        && name.bytes().all(|byte| byte > b' ' && byte < 0x7f && !special(byte))
}

/// Flags and keywords of a message as they are stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks {
    pub flags: Flags,
    /// Ascending.
    pub keywords: Vec<KeywordId>,
}

impl Marks {
    pub fn is_seen(&self) -> bool {
        self.flags.has(Flags::SEEN)
    }

    pub fn is_deleted(&self) -> bool {
        self.flags.has(Flags::DELETED)
    }
}
