//! How the paths of a session and URLs belong together. Mostly a path is what follows the account in the URL; a folder
//! that another account lends stands elsewhere in its owner's tree than in the borrower's URLs.

use allod_core::Mount;
use allod_model::Path;

use crate::nextcloud::Window;
use crate::url::{place_url, principal_url, tree_base};

/// The URLs of one account, for a session on its tree or on what it was lent.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    /// The account that logged in.
    account: String,
    /// URL of its root without the slash at the end: `/dav/alice`.
    base: String,
    /// By which window the client came; its URLs are shown in the answer.
    window: Window,
    lent: Option<Lent>,
}

#[derive(Clone, Debug)]
struct Lent {
    /// Where the folder stands in the borrower's URLs.
    at: Path,
    /// Where it stands in the owner's tree.
    path: Path,
    owner: String,
}

impl Places {
    /// For the account's own tree.
    pub(crate) fn own(account: &str) -> Places {
        Places { account: account.to_owned(), base: tree_base(account), window: Window::Own, lent: None }
    }

    /// For what it was lent.
    pub(crate) fn lent(account: &str, mount: &Mount) -> Places {
        let (at, path, owner) = (mount.at.clone(), mount.path.clone(), mount.owner.clone());
        Places { lent: Some(Lent { at, path, owner }), ..Places::own(account) }
    }

    /// The same, shown by the URLs of a window.
    pub(crate) fn within(self, window: Window) -> Places {
        Places { window, ..self }
    }

    /// By which window the client came.
    pub(crate) fn window(&self) -> Window {
        self.window
    }

    /// The account that logged in.
    pub(crate) fn account(&self) -> &str {
        &self.account
    }

    /// URL of the principal of whom all this belongs to.
    pub(crate) fn owner(&self) -> String {
        principal_url(self.lent.as_ref().map_or(&self.account, |lent| &lent.owner))
    }

    /// The URL of a path of the session; `folder` adds the slash.
    pub(crate) fn url(&self, path: &Path, folder: bool) -> String {
        let in_url = match &self.lent {
            Some(lent) => &moved(path, &lent.path, &lent.at),
            None => path,
        };
        match self.window.base(&self.account, in_url) {
            Some((base, inside)) => place_url(&base, &inside, folder),
            None => place_url(&self.base, in_url, folder),
        }
    }

    /// The session's path of what a URL names; `None` when the session does not reach there.
    pub(crate) fn path(&self, in_url: Path) -> Option<Path> {
        match &self.lent {
            Some(lent) => in_url.starts_with(&lent.at).then(|| moved(&in_url, &lent.at, &lent.path)),
            None => Some(in_url),
        }
    }
}

/// What lies below `from` at the same place below `to`; what does not, at `to` itself.
fn moved(path: &Path, from: &Path, to: &Path) -> Path {
    let below = if path.starts_with(from) { &path.names()[from.depth()..] } else { &[] };
    below.iter().fold(to.clone(), |path, name| path.join(name.clone()))
}

#[cfg(test)]
mod tests {
    use allod_model::NameRule;

    use super::*;

    #[test]
    fn lent_folders_stand_elsewhere() {
        let path = |text: &str| Path::parse(text.as_bytes(), NameRule::Strict).unwrap();
        let lent =
            Lent { at: path("Calendars/Work (bob)"), path: path("Calendars/Work"), owner: "bob".into() };
        let places = Places { lent: Some(lent), ..Places::own("alice") };
        let url = places.url(&path("Calendars/Work/a.ics"), false);
        assert_eq!(url, "/dav/alice/Calendars/Work%20(bob)/a.ics");
        assert_eq!(places.url(&path("Calendars"), true), "/dav/alice/Calendars/Work%20(bob)/");
        assert_eq!(places.path(path("Calendars/Work (bob)/a.ics")), Some(path("Calendars/Work/a.ics")));
        assert_eq!(places.path(path("Calendars/Work/a.ics")), None);
        assert_eq!(places.owner(), "/principals/bob/");
        let own = Places::own("alice");
        assert_eq!(own.url(&path("a"), true), "/dav/alice/a/");
        assert_eq!((own.path(path("a")), own.owner()), (Some(path("a")), "/principals/alice/".to_owned()));
    }
}
