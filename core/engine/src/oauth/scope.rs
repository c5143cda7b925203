//! What apps ask for: scope strings (RFC 6749 §3.3) and the grants they mean.
//!
//! | scope | means |
//! |---|---|
//! | `notes:r`, `notes:rw` | remoteStorage module: `/notes/` and `/public/notes/`, by remoteStorage |
//! | `*:r`, `*:rw` | the whole tree, by remoteStorage |
//! | `files`, `calendar`, `contacts`, `mail` | the presets of app credentials; with `.r` behind, for reading only |
//! | `/PATH:RIGHTS[@PROTO,...]` | a grant as on the command line; bytes that a scope can't hold as `%XX` |

use allod_model::{Error, ErrorKind, Grant, NameRule, Path, Protocol, Result, Rights, parse_grant};

use crate::access::Scope;

/// Longest scope string, in bytes.
pub const SCOPE_BYTES_MAX: usize = 4096;
/// Scopes of one request at most.
pub const SCOPES_ASKED_MAX: usize = 30;
/// Longest name of a module, in bytes.
const MODULE_BYTES_MAX: usize = 100;
/// The module by which a path below `public` would be named; reserved (draft-dejong-remotestorage-26 §9).
const PUBLIC: &str = "public";
const PRESETS: [&str; 4] = ["files", "calendar", "contacts", "mail"];

/// What a scope is about, for pages that name it in words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Subject {
    /// A remoteStorage module: a top-level folder, and the one of its name in `public`.
    Module(String),
    /// Everything in the account.
    Everything,
    /// One of `files`, `calendar`, `contacts`, `mail`.
    Preset(&'static str),
    /// A folder.
    Folder(Path),
}

/// One scope of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AppScope {
    text: String,
    subject: Subject,
    grants: Vec<Grant>,
}

/// What a person makes of one scope.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ScopeChoice {
    /// Give it at all.
    pub keep: bool,
    /// Only to read.
    pub read_only: bool,
    /// Only this folder within it, as `a/b`; empty: all of it.
    pub within: String,
}

impl AppScope {
    /// The scope as a string that [`parse_scope`] reads as the same.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it is about.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The grants it means.
    pub fn grants(&self) -> &[Grant] {
        &self.grants
    }

    /// Whether it lets the app change anything.
    pub fn writes(&self) -> bool {
        self.grants.iter().any(|grant| grant.rights > Rights::Read)
    }

    /// Whether it lets the app send mail.
    pub fn sends(&self) -> bool {
        self.grants.iter().any(|grant| grant.send)
    }

    /// What is left of it by a person's choice; `None` when it is not given. Never more than it was.
    ///
    /// # Errors
    /// `InvalidContent` for a folder that can't be, or that the scope does not cover.
    pub fn narrowed(&self, choice: &ScopeChoice) -> Result<Option<AppScope>> {
        if !choice.keep {
            return Ok(None);
        }
        let within = Path::parse(choice.within.as_bytes(), NameRule::Strict)?;
        if within.is_root() && (!choice.read_only || !self.writes()) {
            return Ok(Some(self.clone()));
        }
        let rights = |grant: &Grant| if choice.read_only { Rights::Read } else { grant.rights };
        let mut grants = Vec::new();
        for grant in &self.grants {
            let path = Path::from_names(grant.path.names().iter().chain(within.names()).cloned().collect());
            if grant.rights_on(&path).is_none() {
                return wrong(format!("'{}' is not within what the app asks for", choice.within));
            }
            let except = grant.except.iter().filter(|closed| closed.starts_with(&path)).cloned().collect();
            let mut narrow = Grant { path, rights: rights(grant), except, send: false, ..grant.clone() };
            narrow.send = grant.send && within.is_root() && !choice.read_only;
            narrow.text = grant_text(&narrow);
            grants.push(narrow);
        }
        let narrow = if within.is_root() { self.read_only_form(grants) } else { Self::folder_form(grants) };
        Ok(Some(narrow))
    }

    fn read_only_form(&self, grants: Vec<Grant>) -> AppScope {
        let text = match &self.subject {
            Subject::Module(name) => format!("{name}:r"),
            Subject::Everything => "*:r".to_owned(),
            Subject::Preset(name) => format!("{name}.r"),
            Subject::Folder(_) => return Self::folder_form(grants),
        };
        AppScope { text, subject: self.subject.clone(), grants }
    }

    fn folder_form(grants: Vec<Grant>) -> AppScope {
        let text = grants.iter().map(|grant| encode(&grant.text)).collect::<Vec<_>>().join(" ");
        let first = grants.first().map(|grant| grant.path.clone()).unwrap_or_default();
        AppScope { text, subject: Subject::Folder(first), grants }
    }
}

/// Reads a scope string.
///
/// # Errors
/// `InvalidContent` that names the scope which can't be read; `TooLarge`.
pub fn parse_scope(text: &str) -> Result<Vec<AppScope>> {
    if text.len() > SCOPE_BYTES_MAX {
        return Err(Error::too_large("bytes of a scope", SCOPE_BYTES_MAX as u64));
    }
    let mut scopes: Vec<AppScope> = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let scope = parse_one(word)?;
        if scopes.iter().any(|known| known.text == scope.text) {
            continue;
        }
        if scopes.len() == SCOPES_ASKED_MAX {
            return Err(Error::too_large("scopes of an app", SCOPES_ASKED_MAX as u64));
        }
        scopes.push(scope);
    }
    if scopes.is_empty() {
        return wrong("the app does not say what it wants (scope)".to_owned());
    }
    Ok(scopes)
}

/// The string of several scopes.
pub fn scope_text(scopes: &[AppScope]) -> String {
    scopes.iter().map(AppScope::text).collect::<Vec<_>>().join(" ")
}

fn wrong<T>(why: String) -> Result<T> {
    Err(Error::new(ErrorKind::InvalidContent, why))
}

fn parse_one(word: &str) -> Result<AppScope> {
    // RFC 6749 §3.3: visible ASCII without quotes and backslashes.
    if !word.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)) {
        return wrong("the app asks for something unreadable (scope)".to_owned());
    }
    let (bare, read_only) = match word.strip_suffix(".r") {
        Some(bare) => (bare, true),
        None => (word, false),
    };
    if let Some(preset) = PRESETS.into_iter().find(|preset| *preset == bare) {
        return preset_scope(preset, read_only);
    }
    if word.starts_with('/') {
        let unknown = |why: String| Error::new(ErrorKind::InvalidContent, why);
        let text = decode(word).ok_or_else(|| unknown(format!("the scope '{word}' cannot be read")))?;
        let grant = parse_grant(&text).map_err(|error| unknown(error.to_string()))?;
        let subject = Subject::Folder(grant.path.clone());
        return Ok(AppScope { text: encode(&text), subject, grants: vec![grant] });
    }
    let (module, rights) = match word.rsplit_once(':') {
        Some((module, "r")) => (module, Rights::Read),
        Some((module, "rw")) => (module, Rights::Write),
        _ => return wrong(format!("the app asks for '{word}', which is nothing that can be given")),
    };
    if module == "*" {
        let grants = vec![by_remotestorage(Path::root(), rights)];
        return Ok(AppScope { text: word.to_owned(), subject: Subject::Everything, grants });
    }
    module_scope(word, module, rights)
}

fn module_scope(word: &str, module: &str, rights: Rights) -> Result<AppScope> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let sound = module.starts_with(|c: char| c.is_ascii_alphanumeric())
        && module.len() <= MODULE_BYTES_MAX
        && module.chars().all(plain);
    // draft-dejong-remotestorage-26 §9: the reserved word.
    if !sound || module.eq_ignore_ascii_case(PUBLIC) {
        return wrong(format!("the app asks for '{word}', which is nothing that can be given"));
    }
    let at = |text: &str| Path::parse(text.as_bytes(), NameRule::Strict);
    let grants = vec![
        by_remotestorage(at(module)?, rights),
        by_remotestorage(at(&format!("{PUBLIC}/{module}"))?, rights),
    ];
    Ok(AppScope { text: word.to_owned(), subject: Subject::Module(module.to_owned()), grants })
}

fn preset_scope(preset: &'static str, read_only: bool) -> Result<AppScope> {
    let grant =
        parse_grant(preset).map_err(|error| Error::new(ErrorKind::InvalidContent, error.to_string()))?;
    let whole = AppScope { text: preset.to_owned(), subject: Subject::Preset(preset), grants: vec![grant] };
    let choice = ScopeChoice { keep: true, read_only, within: String::new() };
    Ok(whole.narrowed(&choice)?.unwrap_or(whole))
}

fn by_remotestorage(path: Path, rights: Rights) -> Grant {
    let protocols = vec![Protocol::new("remotestorage")];
    let mut grant = Grant { path, rights, protocols, except: Vec::new(), send: false, text: String::new() };
    grant.text = grant_text(&grant);
    grant
}

/// A grant as it is written on the command line.
fn grant_text(grant: &Grant) -> String {
    let protocols: Vec<&str> = grant.protocols.iter().map(|p| p.0.as_str()).collect();
    let by = if protocols.is_empty() { String::new() } else { format!("@{}", protocols.join(",")) };
    format!("{}:{}{by}", grant.path, grant.rights.as_str())
}

fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'%' | b'"' | b'\\' | ..=0x20 | 0x7f.. => out.push_str(&format!("%{byte:02X}")),
            _ => out.push(char::from(byte)),
        }
    }
    out
}

fn decode(text: &str) -> Option<String> {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((byte, after)) = rest.split_first() {
        if *byte != b'%' {
            bytes.push(*byte);
            rest = after;
            continue;
        }
        let digit = |at: usize| char::from(*after.get(at)?).to_digit(16);
        bytes.push((digit(0)? * 16 + digit(1)?) as u8);
        rest = &after[2..];
    }
    String::from_utf8(bytes).ok()
}

/// Whether `inner` opens nothing that `outer` does not.
pub(crate) fn is_within(inner: &[AppScope], outer: &[AppScope]) -> bool {
    let all: Vec<&Grant> = outer.iter().flat_map(|scope| &scope.grants).collect();
    inner.iter().flat_map(|scope| &scope.grants).all(|grant| all.iter().any(|wide| covers(wide, grant)))
}

fn covers(wide: &Grant, narrow: &Grant) -> bool {
    let protocols = wide.protocols.is_empty()
        || (!narrow.protocols.is_empty() && narrow.protocols.iter().all(|p| wide.protocols.contains(p)));
    let closed = |corner: &allod_model::Path| {
        // A closed corner within the narrow grant must be closed there too.
        !corner.starts_with(&narrow.path) || narrow.except.iter().any(|own| corner.starts_with(own))
    };
    Scope::of(vec![wide.clone()]).check_write(&narrow.path, narrow.rights).is_ok()
        && protocols
        && wide.except.iter().all(closed)
        && (wide.send || !narrow.send)
}
