//! Any place that a URL names, looked at for its properties: what reports need that go from place to place.

use allod_core::{Node, Session, Want};
use allod_model::{Error, ErrorKind, Timestamp};
use http::HeaderMap;

use crate::error::{Doing, Failure};
use crate::handle::Call;
use crate::places::Places;
use crate::plan::Plan;
use crate::propfind;
use crate::props::{Subject, Writer};
use crate::url::{DAV_PREFIX, PRINCIPALS_PREFIX, Target, parse_target, place_url, principal_url, tree_base};

/// Who looks, and from where.
pub(crate) struct Visit<'a> {
    pub(crate) session: &'a Session,
    pub(crate) headers: &'a HeaderMap,
    /// The place of the request.
    pub(crate) target: Target,
    pub(crate) now: Timestamp,
}

/// A place that is there.
pub(crate) enum Seen {
    Node(Box<Node>),
    Place(&'static str),
    Principal,
}

impl Seen {
    pub(crate) fn subject(&self) -> Subject<'_> {
        match self {
            Seen::Node(node) => Subject::Node(node, &[]),
            Seen::Place(name) => Subject::Place(name),
            Seen::Principal => Subject::Principal,
        }
    }
}

impl<'a> Visit<'a> {
    pub(crate) fn of(call: &'a Call) -> Visit<'a> {
        let account = call.account.clone();
        Visit {
            session: &call.own,
            headers: &call.headers,
            target: Target::Tree { account, path: call.in_url.clone(), slash: call.slash },
            now: call.now,
        }
    }

    /// The URL of a place, and the place; `None` when the session sees nothing there.
    pub(crate) async fn see(&self, target: &Target, dead: bool) -> Result<Option<(String, Seen)>, Error> {
        let own = self.session.account();
        Ok(match target {
            Target::Root => Some(("/".to_owned(), Seen::Place("allod"))),
            Target::Trees => Some((DAV_PREFIX.to_owned(), Seen::Place("dav"))),
            Target::Principals => Some((PRINCIPALS_PREFIX.to_owned(), Seen::Place("principals"))),
            Target::Principal { account } if *account == own => Some((principal_url(&own), Seen::Principal)),
            Target::Tree { account, path, slash } if *account == own => {
                let want = if *slash { Want::Folder } else { Want::Any };
                let found = match self.session.through(path).await? {
                    Some((mount, inside)) if inside == mount.path => Ok(mount.node),
                    Some((mount, inside)) => mount.session.stat(&inside, want, dead).await,
                    None => self.session.stat(path, want, dead).await,
                };
                match found {
                    Ok(node) => {
                        let url = place_url(&tree_base(&own), path, node.is_folder());
                        Some((url, Seen::Node(Box::new(node))))
                    }
                    Err(error) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::WrongKind) => None,
                    Err(error) => return Err(error),
                }
            }
            Target::Principal { .. } | Target::Tree { .. } => None,
        })
    }

    /// As [`Visit::see`], for a URL that this server wrote.
    pub(crate) async fn see_url(&self, url: &str, dead: bool) -> Result<Option<(String, Seen)>, Error> {
        match parse_target(url.as_bytes()) {
            Ok(target) => self.see(&target, dead).await,
            Err(_) => Ok(None),
        }
    }

    /// A writer for a plan.
    pub(crate) async fn writer(&self, plan: Plan) -> Result<Writer, Error> {
        propfind::writer(self.session, &Places::own(&self.session.account()), plan, self.now).await
    }

    /// The place of the request.
    ///
    /// # Errors
    /// 404 when it is not there.
    pub(crate) async fn here(&self, dead: bool) -> Result<(String, Seen), Failure> {
        let seen = self.see(&self.target, dead).await.map_err(failing)?;
        seen.ok_or_else(Failure::not_found)
    }
}

/// Translates core's failures.
pub(crate) fn failing(error: Error) -> Failure {
    Failure::of(error, Doing::Report, str::to_owned)
}
