//! What else the server offers, so that the instructions can name it.

/// A listener of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// `imap`, `imaps`, `submission`, `submissions`, `s3` …
    pub name: String,
    /// The port.
    pub port: u16,
    /// Whether connections to it are encrypted from the start.
    pub tls: bool,
    /// Whether they can be encrypted later (STARTTLS).
    pub start_tls: bool,
}

/// What the server offers beside this page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Site {
    /// Listeners other than the page's own.
    pub listeners: Vec<Listener>,
    /// Where S3 clients connect, as a URL; `None` when S3 is switched off.
    pub s3_endpoint: Option<String>,
    /// The region that S3 clients are told.
    pub s3_region: String,
    /// Whom to tell of holes in security (RFC 9116): `mailto:` or `https:` addresses.
    pub security_contacts: Vec<String>,
}

impl Site {
    /// The first listener of this name.
    pub(crate) fn listener(&self, name: &str) -> Option<&Listener> {
        self.listeners.iter().find(|listener| listener.name == name)
    }
}
