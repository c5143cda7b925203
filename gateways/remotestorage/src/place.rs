//! From a URL's path to a place in an account's tree.

use allod_model::{ErrorKind, Name, NameRule, Path};

use crate::STORAGE_PREFIX;
use crate::error::Failure;

/// A place in a storage.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// The account's name as the URL has it.
    pub account: String,
    /// Where in its tree.
    pub path: Path,
    /// The URL ended in a slash: a folder.
    pub folder: bool,
}

impl Place {
    /// Reads the path of a URL below `/storage/`.
    ///
    /// # Errors
    /// 400 for what is no item name (draft §4): empty, `.`, `..`, with a slash or NUL in it, not UTF-8, not
    /// percent-encoded; 414 when too long or too deep.
    pub fn parse(path: &str) -> Result<Place, Failure> {
        let rest = path.strip_prefix(STORAGE_PREFIX).ok_or_else(Failure::not_found)?;
        let (account, rest) = rest.split_once('/').unwrap_or((rest, ""));
        let account = decode(account)?;
        let account = String::from_utf8(account)
            .map_err(|_| Failure::bad_request("the account's name is not UTF-8"))?;
        let (inner, folder) = match rest.strip_suffix('/') {
            Some(inner) => (inner, true),
            None => (rest, rest.is_empty()),
        };
        if rest.is_empty() {
            return Ok(Place { account, path: Path::root(), folder });
        }
        let mut names = Vec::new();
        for segment in inner.split('/') {
            if names.len() == allod_model::PATH_DEPTH_MAX {
                return Err(Failure::uri_too_long());
            }
            let name = Name::new(&decode(segment)?, NameRule::Strict).map_err(|error| match error.kind {
                ErrorKind::TooLarge => Failure::uri_too_long(),
                _ => Failure::bad_request(error.message),
            })?;
            names.push(name);
        }
        if inner.len() > allod_model::PATH_BYTES_MAX {
            return Err(Failure::uri_too_long());
        }
        Ok(Place { account, path: Path::from_names(names), folder })
    }

    /// Draft §9: what anybody may read.
    pub fn is_public_document(&self) -> bool {
        !self.folder && self.is_public() && self.path.depth() > 1
    }

    /// Whether it lies in the folder `public`.
    pub fn is_public(&self) -> bool {
        self.path.names().first().is_some_and(|name| name.as_bytes() == b"public")
    }
}

/// RFC 3986 §2.1; a `%` that begins no encoded byte is refused rather than guessed at.
fn decode(segment: &str) -> Result<Vec<u8>, Failure> {
    let mut rest = segment.as_bytes();
    let mut out = Vec::with_capacity(rest.len());
    while let Some((byte, after)) = rest.split_first() {
        if *byte != b'%' {
            out.push(*byte);
            rest = after;
            continue;
        }
        let digit = |at: usize| after.get(at).and_then(|b| char::from(*b).to_digit(16));
        let (Some(high), Some(low)) = (digit(0), digit(1)) else {
            return Err(Failure::bad_request("the URL is not percent-encoded"));
        };
        out.push((high * 16 + low) as u8);
        rest = &after[2..];
    }
    Ok(out)
}
