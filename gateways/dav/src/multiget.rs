//! `calendar-multiget` (RFC 4791 §7.9) and `addressbook-multiget` (RFC 6352 §8.7): many objects by name.

use allod_core::{Found, Session, Want};
use allod_model::{Error, ErrorKind, Kind, Path};
use http::StatusCode;

use crate::caldav::timezones;
use crate::error::{Answer, Doing, Failure};
use crate::escape::escape_into;
use crate::handle::{Call, xml};
use crate::pages::{Fetching, Pages, paged};
use crate::plan::Plan;
use crate::propfind::{self, MULTISTATUS_HEAD, MULTISTATUS_TAIL, parse_prefer};
use crate::props::{Subject, Writer};
use crate::query;
use crate::url::Target;
use crate::xml::Element;

/// Answers the report for objects of folders of `kind`. Depth does not matter (RFC 4791 §7.9), so it is not read.
pub(crate) async fn answer(call: &Call, root: Element<'_>, mut plan: Plan, kind: Kind) -> Answer {
    query::judge(call).await?;
    let failing = call.failing(Doing::Report);
    call.stat(false).await.map_err(&failing)?;
    let wanted: Vec<Wanted> = root
        .children()
        .filter(|child| child.is_dav("href"))
        .map(|href| Wanted::of(call, href.text()))
        .collect();
    if wanted.is_empty() {
        return Err(Failure::bad_request("a multiget holds at least one href"));
    }
    let preference = parse_prefer(&call.headers);
    plan.minimal |= preference.minimal;
    let writer = propfind::writer(&call.session, &call.places, plan, call.now).await.map_err(&failing)?;
    let objects = Objects {
        session: call.session.clone(),
        writer,
        kind,
        wanted: wanted.into_iter(),
        fetching: Fetching::default(),
        parent: None,
    };
    let body = paged(MULTISTATUS_HEAD.to_vec(), objects).await.map_err(&failing)?;
    let mut response = xml(StatusCode::MULTI_STATUS, body);
    preference.applied(&mut response);
    Ok(response)
}

/// One of the objects asked for.
struct Wanted {
    /// As the client wrote it: so it finds its row again.
    href: String,
    /// What it names; `None` when it can name nothing here.
    path: Option<Path>,
}

impl Wanted {
    fn of(call: &Call, href: String) -> Wanted {
        let target = if href.starts_with('/') || href.contains("://") {
            call.reference(href.as_bytes())
        } else {
            // RFC 3986 §5.2: relative to the folder of the request.
            let base = if call.slash { Some(call.path.clone()) } else { call.path.parent() };
            let base = call.url(&base.unwrap_or_else(Path::root), true);
            call.reference(format!("{base}{href}").as_bytes())
        };
        let path = match target {
            Ok(Target::Tree { account, path, slash: false }) if account == call.account => {
                call.places.path(path)
            }
            _ => None,
        };
        Wanted { href, path }
    }
}

struct Objects {
    session: Session,
    writer: Writer,
    kind: Kind,
    wanted: std::vec::IntoIter<Wanted>,
    fetching: Fetching,
    /// The folder of the last object, and whether its members are what is asked for: most are siblings.
    parent: Option<(Path, bool)>,
}

impl Pages for Objects {
    async fn page(&mut self, out: &mut Vec<u8>) -> Result<bool, Error> {
        let page: Vec<Wanted> = self.wanted.by_ref().take(self.fetching.count()).collect();
        let paths: Vec<Path> = page.iter().filter_map(|one| one.path.clone()).collect();
        let found = self.session.fetch(&paths, self.writer.plan.needs_dead()).await?;
        self.fetching.learn(found.iter().flatten());
        let mut found = found.into_iter();
        for one in page {
            let Some(path) = one.path else {
                write_missing(out, &one.href, StatusCode::NOT_FOUND);
                continue;
            };
            match found.next().unwrap_or_else(|| Err(Error::not_found())) {
                Ok(found) if self.fits(&path).await? => self.write(out, &one.href, &found),
                Ok(_) => write_missing(out, &one.href, StatusCode::NOT_FOUND),
                Err(error) => write_missing(out, &one.href, status_of(error)),
            }
        }
        if self.wanted.len() > 0 {
            return Ok(true);
        }
        out.extend_from_slice(MULTISTATUS_TAIL);
        Ok(false)
    }
}

impl Objects {
    /// Whether the place is in a folder of the right kind. What is asked of a calendar is not told of other files.
    async fn fits(&mut self, path: &Path) -> Result<bool, Error> {
        let Some(parent) = path.parent() else { return Ok(false) };
        if let Some((known, fits)) = &self.parent
            && *known == parent
        {
            return Ok(*fits);
        }
        let fits = match self.session.stat(&parent, Want::Folder, true).await {
            Ok(node) => {
                self.writer.zone = timezones::of_collection(&node.properties);
                // RFC 6638 §2.2: what is in the inbox is had the same way.
                let inbox = self.kind == Kind::Calendar;
                node.folder
                    .is_some_and(|facts| facts.kind == self.kind || (inbox && facts.kind == Kind::Inbox))
            }
            Err(error) if error.kind == ErrorKind::NotFound => false,
            Err(error) => return Err(error),
        };
        self.parent = Some((parent, fits));
        Ok(fits)
    }

    fn write(&mut self, out: &mut Vec<u8>, href: &str, found: &Found) {
        let mut escaped = Vec::with_capacity(href.len());
        escape_into(&mut escaped, href);
        self.writer.response_with(out, &escaped, Subject::Node(&found.node, &[]), Some(&found.bytes));
    }
}

/// RFC 4791 §7.9: what is not there is said for itself.
fn write_missing(out: &mut Vec<u8>, href: &str, status: StatusCode) {
    out.extend_from_slice(b"<D:response><D:href>");
    escape_into(out, href);
    out.extend_from_slice(b"</D:href><D:status>HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"</D:status></D:response>\n");
}

fn status_of(error: Error) -> StatusCode {
    match error.kind {
        // A folder is no object.
        ErrorKind::WrongKind => StatusCode::NOT_FOUND,
        _ => Failure::of(error, Doing::Read, str::to_owned).status,
    }
}
