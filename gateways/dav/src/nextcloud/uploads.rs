//! Uploads in pieces ("chunking v2"): MKCOL of a folder, PUT of each piece, MOVE of `.file` to where it belongs.
//!
//! Pieces are files in a folder of the tree, so they count against the quota, are durable when acknowledged, and end with
//! their credential. The whole is written from them as one stream in one commit; then they go. An upload that its program
//! has forgotten is removed when another one begins, a week later.

use allod_core::{ByteStream, FolderOptions, Node, PutOptions, Session, Want};
use allod_model::{EntryKey, Error, ErrorKind, Path, Precondition, Timestamp};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http::StatusCode;
use http::header::{ETAG, HeaderValue};

use super::{file_id, uploads_folder};
use crate::error::{Answer, Doing, Failure};
use crate::get::etag_header;
use crate::handle::{Call, empty};
use crate::quirks::quirk_rclone_mtime;
use crate::refusal;

/// The name of the whole, in the folder of its pieces.
const WHOLE: &[u8] = b".file";
/// Pieces of one upload at most.
const PIECES_MAX: usize = 10_000;
/// How long an upload may lie untouched, in seconds.
const FORGOTTEN_SECS: i64 = 7 * 86_400;
/// Uploads under way that are looked through for forgotten ones.
const LOOKED_THROUGH_MAX: usize = 1000;

/// Whether a MOVE is of a whole that is to be put together.
pub(crate) fn is_assembly(path: &Path) -> bool {
    let below = path.depth() == 3 && path.starts_with(&uploads_folder());
    below && path.last().is_some_and(|name| name.as_bytes() == WHOLE)
}

/// Makes the folder of all uploads before the first one, and removes forgotten ones.
pub(crate) async fn prepare(session: &Session, now: Timestamp) -> Result<(), Failure> {
    let failing = |error| Failure::of(error, Doing::MakeFolder, str::to_owned);
    let folder = uploads_folder();
    match session.make_folder(&folder, FolderOptions::default(), Precondition::default()).await {
        Ok(_) => return Ok(()),
        Err(error) if error.kind == ErrorKind::Exists => {}
        Err(error) => return Err(failing(error)),
    }
    let listing = session.list(&folder, None, LOOKED_THROUGH_MAX, false).await.map_err(failing)?;
    for node in listing.nodes {
        if now.secs() - node.modified.secs() > FORGOTTEN_SECS {
            let gone = session.remove(&folder.join(node.name), Want::Folder, Precondition::default()).await;
            // Somebody else may have been faster; the next upload tries again.
            gone.or_else(|error| if error.kind == ErrorKind::NotFound { Ok(()) } else { Err(error) })
                .map_err(failing)?;
        }
    }
    Ok(())
}

/// Puts the pieces of an upload together at `to`.
pub(crate) async fn assemble(call: &Call, to: &Path) -> Answer {
    let folder = call.path.parent().unwrap_or_default();
    let pieces = pieces(call, &folder).await?;
    let total = pieces.iter().map(|node| node.size).sum::<u64>();
    let announced = call.header("oc-total-length").map(|length| length.trim().parse::<u64>());
    if announced.is_some_and(|length| length != Ok(total)) {
        return Err(Failure::bad_request("the pieces are not as long together as announced"));
    }
    let modified = quirk_rclone_mtime(&call.headers);
    let options = PutOptions { modified, length: Some(total), ..PutOptions::default() };
    let body = joined(call.session.clone(), folder.clone(), pieces);
    let written = call.session.put(to, options, call.precondition()?, Box::pin(body)).await;
    let written = match written {
        Ok(written) => written,
        Err(error) => return Err(refusal::of_write(call, to.parent(), error, Doing::Write).await),
    };
    // The whole is durable; what is left of the pieces is no failure of it.
    if let Err(error) = call.session.remove(&folder, Want::Folder, Precondition::default()).await {
        tracing::warn!(%error, "pieces of a finished upload stay for a while");
    }
    let mut response = empty(if written.created { StatusCode::CREATED } else { StatusCode::NO_CONTENT });
    let headers = response.headers_mut();
    if let Some(etag) = etag_header(&written.node) {
        headers.insert("oc-etag", etag.clone());
        headers.insert(ETAG, etag);
    }
    if let Ok(id) = HeaderValue::from_str(&file_id(&written.node)) {
        headers.insert("oc-fileid", id);
    }
    if modified.is_some() {
        headers.insert("x-oc-mtime", HeaderValue::from_static("accepted"));
    }
    Ok(response)
}

/// The pieces in their order: by number where they are numbers, as they are.
async fn pieces(call: &Call, folder: &Path) -> Result<Vec<Node>, Failure> {
    let (mut pieces, mut after): (Vec<Node>, Option<EntryKey>) = (Vec::new(), None);
    loop {
        let listing = call.session.list(folder, after.as_ref(), PIECES_MAX, false).await;
        let listing = listing.map_err(call.failing(Doing::Transfer))?;
        pieces.extend(listing.nodes.into_iter().filter(|node| !node.is_folder()));
        if pieces.len() > PIECES_MAX {
            return Err(Failure::bad_request("an upload has at most 10,000 pieces"));
        }
        after = listing.next;
        if after.is_none() {
            break;
        }
    }
    pieces.sort_by_key(|node| (node.name.as_str().parse::<u64>().unwrap_or(u64::MAX), node.name.clone()));
    Ok(pieces)
}

/// The bytes of all pieces, one after the other; each must still be what was counted.
fn joined(
    session: Session,
    folder: Path,
    pieces: Vec<Node>,
) -> impl Stream<Item = Result<Bytes, Error>> + Send {
    stream::iter(pieces)
        .then(move |node| {
            let (session, path) = (session.clone(), folder.join(node.name.clone()));
            async move {
                let file = session.open(&path, &Precondition::default()).await;
                let same = |found: &Node| found.etag == node.etag && found.size == node.size;
                let pieces: ByteStream = match file {
                    Ok(file) if same(&file.node) => file.read(None),
                    Ok(_) => failed(Error::new(ErrorKind::InvalidContent, "a piece changed meanwhile")),
                    Err(error) => failed(error),
                };
                pieces
            }
        })
        .flatten()
}

fn failed(error: Error) -> ByteStream {
    Box::pin(stream::once(async move { Err(error) }))
}
