//! What an app credential opens: path prefix, rights, protocols.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{NameRule, Path};

/// An open name that each gateway registers: `webdav`, `caldav`, `imap`, `s3` …
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Protocol(pub String);

impl Protocol {
    /// A protocol by name.
    pub fn new(name: &str) -> Self {
        Protocol(name.to_owned())
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What may be done below a granted path. Ordered: each includes the ones before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Rights {
    /// `r`: list and read.
    Read,
    /// `a`: read, and create what is not there; never overwrite, rename or delete.
    Append,
    /// `rw`: everything.
    Write,
}

impl Rights {
    /// The letters used in grants: `r`, `a`, `rw`.
    pub fn as_str(self) -> &'static str {
        match self {
            Rights::Read => "r",
            Rights::Append => "a",
            Rights::Write => "rw",
        }
    }
}

/// One grant of a credential.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Grant {
    /// The prefix it opens.
    pub path: Path,
    /// What may be done there.
    pub rights: Rights,
    /// By which protocols; empty means by every one.
    pub protocols: Vec<Protocol>,
    /// Corners below `path` that stay closed.
    pub except: Vec<Path>,
    /// Whether mail may be sent (SMTP submission).
    pub send: bool,
    /// The grant as it was written, for display.
    pub text: String,
}

impl Grant {
    /// Whether the grant holds for `protocol`.
    pub fn covers(&self, protocol: &Protocol) -> bool {
        self.protocols.is_empty() || self.protocols.contains(protocol)
    }

    /// The rights that this grant gives on `path`, protocol aside.
    pub fn rights_on(&self, path: &Path) -> Option<Rights> {
        let open = path.starts_with(&self.path) && !self.except.iter().any(|closed| path.starts_with(closed));
        open.then_some(self.rights)
    }
}

/// Why a grant could not be read; the text says what is allowed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GrantError(pub String);

impl fmt::Display for GrantError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for GrantError {}

/// Protocol names that a grant may name.
const PROTOCOLS: [&str; 7] = ["webdav", "caldav", "carddav", "imap", "smtp", "remotestorage", "s3"];
/// What the preset `files` leaves closed: each has a preset of its own.
const NOT_FILES: [&str; 3] = ["Mail", "Calendars", "Contacts"];

/// Reads one grant as written on the command line: `all`, `files`, `mail`, `calendar`, `contacts`,
/// `backup=/PATH`, or `/PATH:RIGHTS[@PROTO,...]`.
///
/// # Errors
/// [`GrantError`] that names what is wrong and what is allowed.
pub fn parse_grant(text: &str) -> Result<Grant, GrantError> {
    let path = |p: &str| {
        Path::parse(p.as_bytes(), NameRule::Strict).map_err(|e| GrantError(format!("grant '{text}': {e}")))
    };
    let grant = |p: &str, rights, protocols: &[&str]| {
        Ok(Grant {
            path: path(p)?,
            rights,
            protocols: protocols.iter().map(|p| Protocol::new(p)).collect(),
            except: Vec::new(),
            send: false,
            text: text.to_owned(),
        })
    };
    match text {
        "all" => Ok(Grant { send: true, ..grant("/", Rights::Write, &[])? }),
        "files" => {
            let mut files = grant("/", Rights::Write, &["webdav", "remotestorage", "s3"])?;
            files.except = NOT_FILES.iter().map(|p| path(p)).collect::<Result<_, _>>()?;
            Ok(files)
        }
        "mail" => Ok(Grant { send: true, ..grant("/Mail", Rights::Write, &["imap", "smtp"])? }),
        "calendar" => grant("/Calendars", Rights::Write, &["caldav"]),
        "contacts" => grant("/Contacts", Rights::Write, &["carddav"]),
        _ => match text.strip_prefix("backup=") {
            Some(corner) if corner.starts_with('/') => grant(corner, Rights::Append, &[]),
            Some(_) => Err(GrantError(format!("grant '{text}': the path must start with '/'"))),
            None => parse_path_grant(text, &grant),
        },
    }
}

/// Builds a grant from path, rights and protocols.
type Build<'a> = &'a dyn Fn(&str, Rights, &[&str]) -> Result<Grant, GrantError>;

fn parse_path_grant(text: &str, grant: Build<'_>) -> Result<Grant, GrantError> {
    let usage = "use all, files, mail, calendar, contacts, backup=/PATH or /PATH:r|a|rw[@PROTO,...]";
    let wrong = |why: &str| GrantError(format!("grant '{text}': {why}; {usage}"));
    let (path, rest) = text.rsplit_once(':').ok_or_else(|| wrong("not a preset and no rights given"))?;
    if !path.starts_with('/') {
        return Err(wrong("the path must start with '/'"));
    }
    let (rights, protocols) = match rest.split_once('@') {
        Some((rights, protocols)) => (rights, protocols.split(',').map(str::trim).collect()),
        None => (rest, Vec::new()),
    };
    let rights = match rights {
        "r" => Rights::Read,
        "a" => Rights::Append,
        "rw" => Rights::Write,
        other => return Err(wrong(&format!("'{other}' are no rights"))),
    };
    if let Some(unknown) = protocols.iter().find(|p| !PROTOCOLS.contains(p)) {
        return Err(wrong(&format!("'{unknown}' is no protocol (known: {})", PROTOCOLS.join(" "))));
    }
    grant(path, rights, &protocols)
}
