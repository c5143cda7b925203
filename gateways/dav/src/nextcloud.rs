//! What Nextcloud's own programs and those that know it need: other names for the same places, a few properties, uploads
//! in pieces, and the two or three documents by which they tell what they talk to.
//!
//! | their place | ours |
//! |---|---|
//! | `/remote.php/dav/files/U/…`, `/remote.php/webdav/…` | `/dav/U/…`, as files only |
//! | `/remote.php/dav/calendars/U/…` | `/dav/U/Calendars/…` |
//! | `/remote.php/dav/addressbooks/users/U/…` | `/dav/U/Contacts/…` |
//! | `/remote.php/dav/principals/users/U/` | `/principals/U/` |
//! | `/remote.php/dav/uploads/U/ID/…` | `/dav/U/.uploads/ID/…`, a folder that listings of files leave out |
//! | `/remote.php/dav/` | `/` |
//!
//! URLs are translated before they are read and when they are printed, and nothing else is different: no rule is told
//! twice.

mod documents;
mod props;
mod uploads;

use std::borrow::Cow;

use allod_model::{Name, NameRule, Path, Protocol};

use crate::url::encode_segment;

pub(crate) use documents::{PLACES, document};
pub(crate) use props::{NAMESPACE, file_id, write_property};
pub(crate) use uploads::{assemble, is_assembly, prepare};

/// Below which all of this lies.
pub(crate) const REMOTE_PREFIX: &str = "/remote.php/";
const DAV: &str = "/remote.php/dav";
const WEBDAV: &str = "/remote.php/webdav";
/// The folder that holds pieces of uploads under way.
pub(crate) const UPLOADS: &str = ".uploads";

/// Which of their windows a URL belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Window {
    /// Our own URLs.
    #[default]
    Own,
    Files,
    WebDav,
    Calendars,
    AddressBooks,
    Uploads,
}

impl Window {
    /// The window of a URL's path.
    pub(crate) fn of(path: &str) -> Window {
        let Some(rest) = path.strip_prefix(DAV) else {
            let is_webdav =
                path.strip_prefix(WEBDAV).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
            return if is_webdav { Window::WebDav } else { Window::Own };
        };
        match rest.trim_start_matches('/').split('/').next() {
            Some("files") => Window::Files,
            Some("calendars") => Window::Calendars,
            Some("addressbooks") => Window::AddressBooks,
            Some("uploads") => Window::Uploads,
            _ => Window::Own,
        }
    }

    /// The protocols by which grants count there: in the window of files, calendars are not shown as files.
    pub(crate) fn protocols(self) -> Vec<Protocol> {
        let names: &[&str] = match self {
            Window::Own => &["webdav", "caldav", "carddav"],
            Window::Files | Window::WebDav | Window::Uploads => &["webdav"],
            Window::Calendars => &["caldav"],
            Window::AddressBooks => &["carddav"],
        };
        names.iter().map(|name| Protocol::new(name)).collect()
    }

    /// Whether it shows the drive's files, and so leaves out what is not the person's.
    pub(crate) fn shows_files(self) -> bool {
        matches!(self, Window::Files | Window::WebDav)
    }

    /// The URL of a path of the tree; `None` when the window does not reach there.
    pub(crate) fn base(self, account: &str, path: &Path) -> Option<(String, Path)> {
        let (prefix, home, named) = match self {
            Window::Own => return None,
            Window::Files => ("/remote.php/dav/files/", None, true),
            Window::WebDav => (WEBDAV, None, false),
            Window::Calendars => ("/remote.php/dav/calendars/", Some("Calendars"), true),
            Window::AddressBooks => ("/remote.php/dav/addressbooks/users/", Some("Contacts"), true),
            Window::Uploads => ("/remote.php/dav/uploads/", Some(UPLOADS), true),
        };
        let inside = match (home, path.names()) {
            (None, names) => names,
            (Some(home), [first, rest @ ..]) if first.as_str() == home => rest,
            (Some(_), _) => return None,
        };
        let mut base = prefix.as_bytes().to_vec();
        if named {
            encode_segment(&mut base, account.as_bytes());
        }
        // **Invariant:** percent-encoding yields ASCII.
        Some((String::from_utf8(base).unwrap_or_default(), Path::from_names(inside.to_vec())))
    }
}

/// Our name for a place that may be named as theirs; still encoded.
pub(crate) fn native(path: &[u8]) -> Cow<'_, [u8]> {
    let Some(rest) = path.strip_prefix(DAV.as_bytes()) else { return Cow::Borrowed(path) };
    let rest = match rest {
        b"" | b"/" => return Cow::Borrowed(b"/"),
        [b'/', rest @ ..] => rest,
        _ => return Cow::Borrowed(path),
    };
    let table: [(&[u8], &str, &str); 5] = [
        (b"files/", "/dav/", ""),
        (b"calendars/", "/dav/", "/Calendars"),
        (b"addressbooks/users/", "/dav/", "/Contacts"),
        (b"principals/users/", "/principals/", ""),
        (b"uploads/", "/dav/", "/.uploads"),
    ];
    for (theirs, ours, home) in table {
        let Some(below) = rest.strip_prefix(theirs) else { continue };
        let end = below.iter().position(|byte| *byte == b'/').unwrap_or(below.len());
        return Cow::Owned([ours.as_bytes(), &below[..end], home.as_bytes(), &below[end..]].concat());
    }
    Cow::Borrowed(path)
}

/// The path or URL of `/remote.php/webdav`, which names no account, as the account's own; others as they are.
pub(crate) fn with_account<'a>(reference: &'a [u8], account: &str) -> Cow<'a, [u8]> {
    let found = reference.windows(WEBDAV.len()).position(|window| window == WEBDAV.as_bytes());
    // Only as the beginning of a path: behind nothing, or behind a host.
    let begins = |at: usize| {
        at == 0 || !reference[..at].ends_with(b"/") && reference[..at].windows(3).any(|w| w == b"://")
    };
    let ends = |at: usize| matches!(reference.get(at + WEBDAV.len()), None | Some(b'/'));
    match found.filter(|at| begins(*at) && ends(*at)) {
        None => Cow::Borrowed(reference),
        Some(at) => {
            let mut named = reference[..at].to_vec();
            named.extend_from_slice(b"/remote.php/dav/files/");
            encode_segment(&mut named, account.as_bytes());
            named.extend_from_slice(&reference[at + WEBDAV.len()..]);
            Cow::Owned(named)
        }
    }
}

/// The folder of uploads under way.
fn uploads_folder() -> Path {
    // Invariant: the constant is a strict name.
    Name::new(UPLOADS.as_bytes(), NameRule::Strict).map(|name| Path::root().join(name)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn their_places_are_ours() {
        let table = [
            ("/remote.php/dav", "/"),
            ("/remote.php/dav/", "/"),
            ("/remote.php/dav/files/alice", "/dav/alice"),
            ("/remote.php/dav/files/alice/a%20b/", "/dav/alice/a%20b/"),
            ("/remote.php/dav/calendars/alice/Personal/x.ics", "/dav/alice/Calendars/Personal/x.ics"),
            ("/remote.php/dav/addressbooks/users/alice/", "/dav/alice/Contacts/"),
            ("/remote.php/dav/principals/users/alice/", "/principals/alice/"),
            ("/remote.php/dav/uploads/alice/1/2", "/dav/alice/.uploads/1/2"),
            ("/remote.php/davx", "/remote.php/davx"),
            ("/remote.php/dav/trashbin/alice", "/remote.php/dav/trashbin/alice"),
            ("/dav/alice/remote.php/dav/files/x", "/dav/alice/remote.php/dav/files/x"),
        ];
        for (theirs, ours) in table {
            assert_eq!(native(theirs.as_bytes()), ours.as_bytes(), "{theirs}");
        }
        let table = [
            ("/remote.php/webdav/a", "/remote.php/dav/files/al%25ice/a"),
            ("http://host/remote.php/webdav/", "http://host/remote.php/dav/files/al%25ice/"),
            ("/dav/alice/remote.php/webdav/a", "/dav/alice/remote.php/webdav/a"),
            ("/remote.php/webdavx", "/remote.php/webdavx"),
        ];
        for (given, named) in table {
            assert_eq!(with_account(given.as_bytes(), "al%ice"), named.as_bytes(), "{given}");
        }
    }

    #[test]
    fn what_is_printed_is_read_back() {
        let path = |text: &str| Path::parse(text.as_bytes(), NameRule::Strict).unwrap();
        for (url, at) in [
            ("/remote.php/dav/files/alice", "a/b"),
            ("/remote.php/dav/calendars/alice", "Calendars/x"),
            ("/remote.php/dav/addressbooks/users/alice", "Contacts/x"),
            ("/remote.php/dav/uploads/alice", ".uploads/x"),
        ] {
            let (base, inside) = Window::of(url).base("alice", &path(at)).unwrap();
            assert_eq!(base, url);
            let url = crate::url::place_url(&base, &inside, false);
            assert_eq!(native(url.as_bytes()), format!("/dav/alice/{at}").as_bytes());
        }
        assert!(Window::Calendars.base("alice", &path("notes")).is_none());
    }
}
