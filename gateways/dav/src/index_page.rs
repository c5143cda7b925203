//! A folder as a plain page for people with a browser.

use std::io;

use allod_core::{Listing, Session};
use allod_kit::stream_body;
use allod_model::{EntryKey, Path};
use bytes::Bytes;
use futures_util::stream::try_unfold;
use http::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};

use crate::date::write_iso_date;
use crate::error::{Answer, Doing, Failure};
use crate::escape::{escape_into, escaped};
use crate::handle::Call;
use crate::url::encode_segment;

/// Members fetched and written at a time.
const PAGE_NODES: usize = 500;
/// Nothing but the page's own style may be loaded or run.
pub(crate) const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const STYLE: &str = "body{font:1rem system-ui;margin:2rem}td{padding:.1rem 1rem .1rem 0}";

/// Answers GET on a folder.
pub(crate) async fn handle(call: &Call) -> Answer {
    let url = call.url(&call.path, true);
    let first = call
        .session
        .list(&call.path, None, PAGE_NODES, false)
        .await
        .map_err(call.failing(Doing::Read))
        .map_err(not_a_folder)?;
    let mut out = head(call, &url);
    write_rows(&mut out, &url, &first);
    let pages = Pages { session: call.session.clone(), folder: call.path.clone(), url };
    let state = (Some(out), pages, first.next);
    let body = try_unfold(Some(state), |state| async move {
        let Some((ready, pages, next)) = state else { return Ok::<_, io::Error>(None) };
        let (mut out, next) = match (ready, next) {
            (Some(out), next) => (out, next),
            (None, Some(after)) => pages.rows(&after).await?,
            (None, None) => return Ok(None),
        };
        if next.is_some() {
            return Ok(Some((Bytes::from(out), Some((None, pages, next)))));
        }
        out.extend_from_slice(b"</table></html>\n");
        Ok(Some((Bytes::from(out), None)))
    });
    let mut response = Response::new(stream_body(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert("content-security-policy", HeaderValue::from_static(POLICY));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    Ok(response)
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
        None => escaped(&call.session.account()),
    };
    let mut out = format!(
        "<!DOCTYPE html><html><meta charset=\"utf-8\"><title>{title}</title><style>{STYLE}</style><h1>{title}</h1><table>\n"
    )
    .into_bytes();
    if !call.path.is_root() {
        let above = url.trim_end_matches('/').rsplit_once('/').map_or("", |(above, _)| above);
        out.extend_from_slice(format!("<tr><td><a href=\"{above}/\">..</a>\n").as_bytes());
    }
    out
}

struct Pages {
    session: Session,
    folder: Path,
    url: String,
}

impl Pages {
    async fn rows(&self, after: &EntryKey) -> io::Result<(Vec<u8>, Option<EntryKey>)> {
        let listing = self
            .session
            .list(&self.folder, Some(after), PAGE_NODES, false)
            .await
            .map_err(io::Error::other)?;
        let mut out = Vec::new();
        write_rows(&mut out, &self.url, &listing);
        Ok((out, listing.next))
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
