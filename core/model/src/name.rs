//! Names and paths. Kept as given: never normalised, never silently changed.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind, Result};

/// Longest strict name, in bytes.
pub const NAME_BYTES_MAX: usize = 255;
/// Longest raw key (all segments with their slashes), in bytes; S3's limit.
pub const RAW_KEY_BYTES_MAX: usize = 1024;
/// Deepest path, in names.
pub const PATH_DEPTH_MAX: usize = 512;
/// Longest strict path, in bytes with its slashes.
pub const PATH_BYTES_MAX: usize = 16 * 1024;

/// How strong the demands on a name are; chosen by the gateway for the entry that it writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NameRule {
    /// UTF-8, 1–255 bytes, no `/`, no NUL, neither `.` nor `..`, and no file beside a folder of the same name.
    Strict,
    /// Any segment of an S3 key: UTF-8, up to 1,024 bytes, may be empty, `.` or `..`; `a` may stand beside `a/`.
    Raw,
}

/// One segment of a path: a name in a folder.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Name(Vec<u8>);

impl Name {
    /// Checks `bytes` against `rule`.
    ///
    /// # Errors
    /// `InvalidContent` with a message that says which demand failed; `TooLarge` when too long.
    pub fn new(bytes: &[u8], rule: NameRule) -> Result<Name> {
        let invalid =
            |why: &str| Error::new(ErrorKind::InvalidContent, format!("this name is not allowed: {why}"));
        if std::str::from_utf8(bytes).is_err() {
            return Err(invalid("it is not UTF-8"));
        }
        if bytes.contains(&b'/') {
            return Err(invalid("it contains '/'"));
        }
        match rule {
            NameRule::Strict => {
                if bytes.len() > NAME_BYTES_MAX {
                    return Err(Error::too_large("bytes of a name", NAME_BYTES_MAX as u64));
                }
                if bytes.is_empty() || bytes == b"." || bytes == b".." {
                    return Err(invalid("it is empty, '.' or '..'"));
                }
                if bytes.contains(&0) {
                    return Err(invalid("it contains NUL"));
                }
            }
            NameRule::Raw if bytes.len() > RAW_KEY_BYTES_MAX => {
                return Err(Error::too_large("bytes of a key", RAW_KEY_BYTES_MAX as u64));
            }
            NameRule::Raw => {}
        }
        Ok(Name(bytes.to_vec()))
    }

    /// The bytes as given.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// As text; names are always UTF-8.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Whether a strict gateway can express it.
    pub fn is_strict(&self) -> bool {
        Name::new(&self.0, NameRule::Strict).is_ok()
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The key of an entry in its folder: the name's bytes, followed by `/` for a folder.
///
/// **Invariant:** ends in `/` exactly for folders; so the byte order of keys, walked depth first, is S3 order.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EntryKey(Vec<u8>);

impl EntryKey {
    /// The key of a file called `name`.
    pub fn file(name: &Name) -> Self {
        EntryKey(name.0.clone())
    }

    /// The key of a folder called `name`.
    pub fn folder(name: &Name) -> Self {
        let mut bytes = name.0.clone();
        bytes.push(b'/');
        EntryKey(bytes)
    }

    /// Takes bytes that came from storage or from a listing's continuation.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        EntryKey(bytes.to_vec())
    }

    /// The key's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether the key names a folder.
    pub fn is_folder(&self) -> bool {
        self.0.last() == Some(&b'/')
    }

    /// The key of the folder of the same name for a file's key, and the reverse.
    pub fn twin(&self) -> EntryKey {
        match self.is_folder() {
            true => EntryKey::file(&self.name()),
            false => EntryKey::folder(&self.name()),
        }
    }

    /// The name without the folder's slash.
    pub fn name(&self) -> Name {
        let bytes = self.0.strip_suffix(b"/").unwrap_or(&self.0);
        Name(bytes.to_vec())
    }
}

impl fmt::Debug for EntryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

/// A way from the account's root to an entry. The empty path is the root.
///
/// A path does not say whether its last name is a file or a folder; operations say what they want.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Path(Vec<Name>);

impl Path {
    /// The root.
    pub fn root() -> Self {
        Path(Vec::new())
    }

    /// Splits `bytes` at `/`. For [`NameRule::Strict`] leading, trailing and doubled slashes are dropped (the
    /// empty string is the root); for [`NameRule::Raw`] every segment counts and none is dropped.
    ///
    /// # Errors
    /// As [`Name::new`]; `TooLarge` when deeper than [`PATH_DEPTH_MAX`] or longer than [`PATH_BYTES_MAX`]
    /// (raw: [`RAW_KEY_BYTES_MAX`]).
    pub fn parse(bytes: &[u8], rule: NameRule) -> Result<Path> {
        let max = match rule {
            NameRule::Strict => PATH_BYTES_MAX,
            NameRule::Raw => RAW_KEY_BYTES_MAX + 64, // a bucket's name stands before the key
        };
        if bytes.len() > max {
            return Err(Error::too_large("bytes of a path", max as u64));
        }
        let mut names = Vec::new();
        for segment in bytes.split(|b| *b == b'/') {
            if rule == NameRule::Strict && segment.is_empty() {
                continue;
            }
            if names.len() == PATH_DEPTH_MAX {
                return Err(Error::too_large("depth of a path", PATH_DEPTH_MAX as u64));
            }
            names.push(Name::new(segment, rule)?);
        }
        Ok(Path(names))
    }

    /// From names already checked.
    pub fn from_names(names: Vec<Name>) -> Self {
        Path(names)
    }

    /// The names from the root down.
    pub fn names(&self) -> &[Name] {
        &self.0
    }

    /// Whether this is the root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// How many names deep.
    pub fn depth(&self) -> usize {
        self.0.len()
    }

    /// The last name; `None` for the root.
    pub fn last(&self) -> Option<&Name> {
        self.0.last()
    }

    /// The path without its last name; `None` for the root.
    pub fn parent(&self) -> Option<Path> {
        let (_, above) = self.0.split_last()?;
        Some(Path(above.to_vec()))
    }

    /// This path with `name` appended.
    pub fn join(&self, name: Name) -> Path {
        let mut names = self.0.clone();
        names.push(name);
        Path(names)
    }

    /// Whether `self` is `above` or lies below it. Compared by bytes, name by name.
    pub fn starts_with(&self, above: &Path) -> bool {
        self.0.len() >= above.0.len() && self.0[..above.0.len()] == above.0[..]
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("/");
        }
        for name in &self.0 {
            write!(f, "/{name}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
