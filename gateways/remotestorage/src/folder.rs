//! Folder descriptions (draft §4): what is in a folder, by name and version.
//!
//! Folders exist by their documents: one that holds none is not listed, and asking for one that is not there shows an
//! empty one. A folder's version is its roll-up in core, which moves with anything below it.

use std::io;

use allod_core::{Listing, Node, Want};
use allod_kit::{ResponseBody, full_body, stream_body};
use allod_model::{EntryKey, ErrorKind, Etag, Path};
use bytes::Bytes;
use futures_util::stream;
use http::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue};
use serde_json::{Map, Value, json};

use crate::condition;
use crate::document::{MEDIA_TYPE_DEFAULT, http_date};
use crate::error::{Answer, Failure};
use crate::handle::Call;

/// Members read at a time.
const PAGE_NODES: usize = 1000;
/// The version of a folder that is not there.
const NOTHING: &str = "0";
/// Folders that lead to a granted one are looked through this deep.
const PASSAGE_DEPTH_MAX: usize = 16;
const BEGIN: &str = "{\"@context\":\"http://remotestorage.io/spec/folder-description\",\"items\":{";
const END: &str = "}}";

/// Answers GET and HEAD on a folder.
pub async fn describe(call: &Call) -> Answer {
    let condition = condition::parse(&call.headers)?;
    let path = &call.place.path;
    let granted = call.session.rights(path).is_some();
    // A token for a module says nothing about the folders above; below, a narrowed one shows the way to its corner.
    let above = path.is_root() || (path.depth() == 1 && call.place.is_public());
    if !granted && above {
        return Err(Failure::insufficient_scope());
    }
    let version = match call.session.stat(path, Want::Folder, false).await {
        Ok(_) if !granted => Some(passage_version(call, path.clone(), PASSAGE_DEPTH_MAX).await?),
        Ok(node) => Some(node.etag),
        Err(error) if error.kind == ErrorKind::NotFound && granted => None,
        Err(error) if error.kind == ErrorKind::NotFound => return Err(Failure::insufficient_scope()),
        Err(error) => return Err(error.into()),
    };
    if version.is_none() && call.session.stat(path, Want::File, false).await.is_ok() {
        return Err(Failure::not_found());
    }
    let exists = version.is_some();
    let version = version.unwrap_or_else(|| Etag(NOTHING.to_owned()));
    condition::holds(&condition, Some(&version)).map_err(|failure| {
        failure.with(ETAG, &format!("\"{version}\"")).with(CACHE_CONTROL, call.cache_control())
    })?;
    let body = match exists {
        true => members(call).await?,
        false => full_body(format!("{BEGIN}{END}")),
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/ld+json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(call.cache_control()));
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{version}\"")) {
        headers.insert(ETAG, tag);
    }
    Ok(response)
}

/// The version of a folder that only leads to what is granted: it moves with that, and with nothing else.
async fn passage_version(call: &Call, path: Path, depth: usize) -> Result<Etag, Failure> {
    let listing = call.session.list(&path, None, PAGE_NODES, false).await?;
    let mut versions = Vec::new();
    for node in listing.nodes {
        let version = match node.rights {
            None if depth > 0 => Box::pin(passage_version(call, path.join(node.name), depth - 1)).await?,
            _ => node.etag,
        };
        versions.push(version.0);
    }
    Ok(Etag(format!("p-{}", versions.join("."))))
}

/// The members as JSON: in one piece where they fit in a page, else page by page as they are read.
async fn members(call: &Call) -> Result<ResponseBody, Failure> {
    let first = page(call, None).await?;
    let items = items(call, &first.nodes).await?;
    if first.next.is_none() {
        return Ok(full_body(format!("{BEGIN}{items}{END}")));
    }
    let state = State {
        session: call.session.clone(),
        path: call.place.path.clone(),
        next: first.next,
        any: !items.is_empty(),
        ended: false,
    };
    let begin = stream::once(async move { Ok(Bytes::from(format!("{BEGIN}{items}"))) });
    let rest = stream::try_unfold(state, |mut state| async move {
        if state.ended {
            return Ok(None);
        }
        let Some(after) = state.next.take() else {
            state.ended = true;
            return Ok(Some((Bytes::from_static(END.as_bytes()), state)));
        };
        let listing = state.session.list(&state.path, Some(&after), PAGE_NODES, false).await;
        let listing = listing.map_err(io::Error::other)?;
        state.next = listing.next;
        let mut piece = String::new();
        for node in &listing.nodes {
            add(&mut piece, state.any, node, &node.etag);
            state.any |= !piece.is_empty();
        }
        Ok(Some((Bytes::from(piece), state)))
    });
    Ok(stream_body(futures_util::StreamExt::chain(begin, rest)))
}

struct State {
    session: allod_core::Session,
    path: Path,
    next: Option<EntryKey>,
    any: bool,
    ended: bool,
}

async fn page(call: &Call, after: Option<&EntryKey>) -> Result<Listing, Failure> {
    Ok(call.session.list(&call.place.path, after, PAGE_NODES, false).await?)
}

async fn items(call: &Call, nodes: &[Node]) -> Result<String, Failure> {
    let mut text = String::new();
    for node in nodes {
        let version = match node.rights {
            None => {
                let path = call.place.path.join(node.name.clone());
                passage_version(call, path, PASSAGE_DEPTH_MAX).await?
            }
            Some(_) => node.etag.clone(),
        };
        let any = !text.is_empty();
        add(&mut text, any, node, &version);
    }
    Ok(text)
}

/// Appends a member, unless it is a folder without documents (draft §4).
fn add(text: &mut String, any: bool, node: &Node, version: &Etag) {
    let name = node.name.as_str();
    let (key, value) = match &node.folder {
        Some(facts) if facts.documents == 0 && node.rights.is_some() => return,
        Some(_) => (format!("{name}/"), json!({ "ETag": version.0 })),
        None => {
            let kind = node.media_type.as_deref().unwrap_or(MEDIA_TYPE_DEFAULT);
            let mut facts = Map::new();
            facts.insert("ETag".into(), version.0.clone().into());
            facts.insert("Content-Type".into(), kind.into());
            facts.insert("Content-Length".into(), node.size.into());
            facts.insert("Last-Modified".into(), http_date(node.modified).into());
            (name.to_owned(), Value::Object(facts))
        }
    };
    if any {
        text.push(',');
    }
    text.push_str(&Value::String(key).to_string());
    text.push(':');
    text.push_str(&value.to_string());
}
