//! A folder as a plain page for people with a browser.

use allod_core::{Listing, Session};
use allod_kit::ResponseBody;
use allod_model::{EntryKey, Error, Path};
use http::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};

use crate::date::write_iso_date;
use crate::error::{Answer, Doing, Failure};
use crate::escape::{escape_into, escaped};
use crate::handle::Call;
use crate::pages::{Pages, paged};
use crate::url::encode_segment;

/// Members fetched and written at a time.
const PAGE_NODES: usize = 500;
/// Nothing but the page's own style may be loaded or run.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const STYLE: &str = "body{font:1rem system-ui;margin:2rem}td{padding:.1rem 1rem .1rem 0}";

/// Answers GET on a folder.
pub(crate) async fn handle(call: &Call) -> Answer {
    let rows = Rows {
        session: call.session.clone(),
        folder: call.path.clone(),
        url: call.url(&call.path, true),
        after: None,
    };
    let body = paged(head(call, &rows.url), rows).await;
    Ok(html(body.map_err(call.failing(Doing::Read)).map_err(not_a_folder)?))
}

/// A page for people.
pub(crate) fn html(body: ResponseBody) -> Response<ResponseBody> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert("content-security-policy", HeaderValue::from_static(POLICY));
    headers.insert("referrer-policy", HeaderValue::from_static("no-referrer"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    response
}

/// A URL with a slash at its end names no file.
fn not_a_folder(failure: Failure) -> Failure {
    match failure.status {
        http::StatusCode::CONFLICT => Failure::not_found(),
        _ => failure,
    }
}

fn head(call: &Call, url: &str) -> Vec<u8> {
    let title = match call.path.last() {
        Some(name) => escaped(name.as_str()),
        None => escaped(&call.account),
    };
    let mut out = format!(
        "<!DOCTYPE html><html><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title><style>{STYLE}</style><h1>{title}</h1><table>\n"
    )
    .into_bytes();
    if !call.path.is_root() {
        let above = url.trim_end_matches('/').rsplit_once('/').map_or("", |(above, _)| above);
        out.extend_from_slice(format!("<tr><td><a href=\"{above}/\">..</a>\n").as_bytes());
    }
    out
}

/// The rows of the table.
struct Rows {
    session: Session,
    folder: Path,
    /// The folder's URL with its slash.
    url: String,
    after: Option<EntryKey>,
}

impl Pages for Rows {
    async fn page(&mut self, out: &mut Vec<u8>) -> Result<bool, Error> {
        let listing = self.session.list(&self.folder, self.after.as_ref(), PAGE_NODES, false).await?;
        write_rows(out, &self.url, &listing);
        self.after = listing.next;
        if self.after.is_none() {
            out.extend_from_slice(b"</table></html>\n");
        }
        Ok(self.after.is_some())
    }
}

/// Links are absolute, so that they work with and without a slash at the end of the page's URL.
fn write_rows(out: &mut Vec<u8>, url: &str, listing: &Listing) {
    for node in &listing.nodes {
        out.extend_from_slice(b"<tr><td><a href=\"");
        out.extend_from_slice(url.as_bytes());
        encode_segment(out, node.name.as_bytes());
        let slash: &[u8] = if node.is_folder() { b"/" } else { b"" };
        out.extend_from_slice(slash);
        out.extend_from_slice(b"\">");
        escape_into(out, node.name.as_str());
        out.extend_from_slice(slash);
        out.extend_from_slice(b"</a><td>");
        if !node.is_folder() {
            out.extend_from_slice(itoa::Buffer::new().format(node.size).as_bytes());
        }
        out.extend_from_slice(b"<td>");
        write_iso_date(out, node.modified);
        out.push(b'\n');
    }
}
