//! What a gateway is to the server that runs it.

use async_trait::async_trait;
use http::{Request, Response, StatusCode};

use crate::{ListenError, Peer, RequestBody, ResponseBody, full_body};

/// Tells everyone to stop. Cloned freely; once cancelled it stays so.
pub type Stop = tokio_util::sync::CancellationToken;

/// A protocol family's door to the store.
///
/// A gateway mounts on the shared HTTP listener ([`Gateway::mounts`], [`Gateway::handle`]), or listens by itself
/// ([`Gateway::serve`]), or both.
#[async_trait]
pub trait Gateway: Send + Sync {
    /// A short name for logs and settings: `dav`, `imap`.
    fn name(&self) -> &'static str;

    /// The places on the shared HTTP listener that belong to this gateway. Empty: none.
    fn mounts(&self) -> Vec<Mount> {
        Vec::new()
    }

    /// Answers one request to one of its [`Gateway::mounts`]. Dropped when the client goes away.
    async fn handle(&self, request: Request<RequestBody>, peer: Peer) -> Response<ResponseBody> {
        let _ = (request, peer);
        let mut response = Response::new(full_body("not found\n"));
        *response.status_mut() = StatusCode::NOT_FOUND;
        response
    }

    /// Serves listeners of its own until `stop`, then finishes what was acknowledged and returns. The default
    /// returns at once.
    ///
    /// # Errors
    /// [`ListenError`] when a listener cannot be opened.
    async fn serve(&self, stop: Stop) -> Result<(), ListenError> {
        let _ = stop;
        Ok(())
    }
}

/// A place on the shared HTTP listener.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mount {
    /// Only requests to this host (without port, compared without case), or with `*.` before it to every host below
    /// it; `None`: every host.
    pub host: Option<String>,
    /// Which paths.
    pub path: MountPath,
    /// Only these methods; empty: every method.
    pub methods: &'static [&'static str],
}

/// Which request paths a [`Mount`] claims. Compared with the path as sent, before any decoding.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MountPath {
    /// This path and no other.
    Exact(&'static str),
    /// A prefix that ends in `/`; the path without that slash belongs to it too.
    Prefix(&'static str),
}

impl Mount {
    /// Everything below `prefix` (ending in `/`), on every host, by every method.
    pub fn prefix(prefix: &'static str) -> Mount {
        debug_assert!(prefix.ends_with('/'), "a prefix ends in a slash");
        Mount { host: None, path: MountPath::Prefix(prefix), methods: &[] }
    }

    /// One path, on every host, by these methods only (empty: by every method).
    pub fn exact(path: &'static str, methods: &'static [&'static str]) -> Mount {
        Mount { host: None, path: MountPath::Exact(path), methods }
    }

    /// How well this mount fits a request; `None`: not at all. The greatest wins: a host beats none, then the
    /// longer path, then a list of methods.
    pub(crate) fn fit(&self, host: Option<&str>, path: &str, method: &str) -> Option<(bool, usize, bool)> {
        if let Some(wanted) = &self.host
            && !host.is_some_and(|host| is_host(wanted, host))
        {
            return None;
        }
        if !self.methods.is_empty() && !self.methods.contains(&method) {
            return None;
        }
        let length = match self.path {
            MountPath::Exact(exact) => (path == exact).then_some(exact.len() + 1),
            MountPath::Prefix(prefix) => {
                let inside = path.starts_with(prefix) || prefix.strip_suffix('/') == Some(path);
                inside.then_some(prefix.len())
            }
        }?;
        Some((self.host.is_some(), length, !self.methods.is_empty()))
    }
}

fn is_host(wanted: &str, host: &str) -> bool {
    let Some(above) = wanted.strip_prefix('*') else { return host.eq_ignore_ascii_case(wanted) };
    let below = host.len().checked_sub(above.len()).filter(|start| *start > 0);
    below.and_then(|start| host.get(start..)).is_some_and(|end| end.eq_ignore_ascii_case(above))
}
