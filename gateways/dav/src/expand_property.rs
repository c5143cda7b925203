//! `expand-property` (RFC 3253 §3.8): properties, and of what they point to properties again.

use std::future::Future;
use std::pin::Pin;

use allod_kit::full_body;
use allod_model::Error;
use http::StatusCode;

use crate::error::{Answer, Failure};
use crate::handle::xml;
use crate::plan::{Ask, Plan};
use crate::propfind::{MULTISTATUS_HEAD, MULTISTATUS_TAIL};
use crate::visit::{Seen, Visit, failing};
use crate::xml::{DAV, Element};

/// How often one may ask for what is pointed to by what is pointed to.
const NESTING_MAX: usize = 4;
/// Most places described in one answer.
const PLACES_MAX: usize = 500;

/// Answers the report.
pub(crate) async fn handle(visit: &Visit<'_>, root: Element<'_>) -> Answer {
    let (url, seen) = visit.here(true).await?;
    let wanted = wishes(root, 0)?;
    let mut expansion = Expansion { visit, left: PLACES_MAX };
    let mut out = MULTISTATUS_HEAD.to_vec();
    expansion.response(&mut out, &url, &seen, &wanted).await.map_err(failing)?;
    out.extend_from_slice(MULTISTATUS_TAIL);
    Ok(xml(StatusCode::MULTI_STATUS, full_body(out)))
}

/// A property, and what is wanted of each place that it points to.
struct Wish {
    ask: Ask,
    inner: Vec<Wish>,
}

fn wishes(element: Element<'_>, depth: usize) -> Result<Vec<Wish>, Failure> {
    if depth > NESTING_MAX {
        return Err(Failure::bad_request("expand-property is nested too deeply"));
    }
    let properties = element.children().filter(|child| child.is_dav("property"));
    properties
        .map(|property| {
            let name = property.attribute("name").unwrap_or_default();
            let namespace = property.attribute("namespace").unwrap_or(DAV);
            let ask = Ask::named(namespace, name);
            let ask = ask.ok_or_else(|| Failure::bad_request("a property has a name"))?;
            Ok(Wish { ask, inner: wishes(property, depth + 1)? })
        })
        .collect()
}

struct Expansion<'a> {
    visit: &'a Visit<'a>,
    /// How many more places may be described.
    left: usize,
}

impl Expansion<'_> {
    /// Appends a `response` for a place.
    fn response<'s>(
        &'s mut self,
        out: &'s mut Vec<u8>,
        url: &'s str,
        seen: &'s Seen,
        wishes: &'s [Wish],
    ) -> Pin<Box<dyn Future<Output = Result<(), Error>> + Send + 's>> {
        Box::pin(async move {
            self.left = self.left.saturating_sub(1);
            let mut plan = Plan::none();
            wishes.iter().for_each(|wish| {
                plan.ask(wish.ask.clone());
            });
            let writer = self.visit.writer(plan).await?;
            let (mut found, mut missing) = (Vec::new(), Vec::new());
            for wish in wishes {
                let mut value = Vec::new();
                if !writer.one(&mut value, &wish.ask, seen.subject()) {
                    wish.ask.write_empty(&mut missing);
                } else if wish.inner.is_empty() {
                    found.extend_from_slice(&value);
                } else {
                    self.expand(&mut found, &value, &wish.inner).await?;
                }
            }
            out.extend_from_slice(b"<D:response><D:href>");
            out.extend_from_slice(url.as_bytes());
            out.extend_from_slice(b"</D:href>");
            for (properties, status) in [(found, "200 OK"), (missing, "404 Not Found")] {
                if status == "200 OK" || !properties.is_empty() {
                    out.extend_from_slice(b"<D:propstat><D:prop>");
                    out.extend_from_slice(&properties);
                    out.extend_from_slice(b"</D:prop><D:status>HTTP/1.1 ");
                    out.extend_from_slice(status.as_bytes());
                    out.extend_from_slice(b"</D:status></D:propstat>");
                }
            }
            out.extend_from_slice(b"</D:response>\n");
            Ok(())
        })
    }

    /// Appends a property with a `response` in the place of each `href` that can be followed.
    async fn expand(&mut self, out: &mut Vec<u8>, value: &[u8], inner: &[Wish]) -> Result<(), Error> {
        const OPEN: &str = "<D:href>";
        const CLOSE: &str = "</D:href>";
        // **Invariant:** live properties are written as text with these very tags.
        let mut rest = std::str::from_utf8(value).unwrap_or_default();
        while let Some((before, after)) = rest.split_once(OPEN) {
            let Some((url, after)) = after.split_once(CLOSE) else { break };
            out.extend_from_slice(before.as_bytes());
            let seen = if self.left > 0 { self.visit.see_url(url, true).await? } else { None };
            match seen {
                Some((url, seen)) => self.response(out, &url, &seen, inner).await?,
                None => {
                    for part in [OPEN, url, CLOSE] {
                        out.extend_from_slice(part.as_bytes());
                    }
                }
            }
            rest = after;
        }
        out.extend_from_slice(rest.as_bytes());
        Ok(())
    }
}
