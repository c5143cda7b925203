//! COPY and MOVE (RFC 4918 §9.8, §9.9).

use allod_core::TransferOptions;
use allod_model::Detail;
use http::{HeaderMap, Method, StatusCode};

use crate::error::{Answer, Doing, Failure};
use crate::handle::{Call, empty};
use crate::nextcloud::{self, Window};
use crate::propfind::{Depth, parse_depth};
use crate::refusal;
use crate::url::Target;

/// Answers COPY and MOVE on a place in the tree.
pub(crate) async fn handle(call: &Call) -> Answer {
    let destination =
        call.headers.get("destination").ok_or_else(|| Failure::bad_request("Destination is missing"))?;
    let moving = call.method == Method::from_bytes(b"MOVE").unwrap_or_default();
    let to = match call.reference(destination.as_bytes())? {
        Target::Tree { account, path, .. } if account == call.account => call.places.path(path),
        _ => None,
    };
    let to = match to {
        Some(to) if call.mount_root().is_none() => to,
        // Another account, or a place that no tree has; what is lent stays where it is.
        _ => return Err(Failure::new(StatusCode::FORBIDDEN, "nothing can be put at that destination")),
    };
    if moving && call.places.window() == Window::Uploads && nextcloud::is_assembly(&call.path) {
        return nextcloud::assemble(call, &to).await;
    }
    let options =
        TransferOptions { overwrite: parse_overwrite(&call.headers)?, shallow: parse_shallow(call, moving)? };
    // RFC 4918 §9.8.5, §9.9.4: source and destination are the same.
    if to == call.path {
        return Err(Failure::new(StatusCode::FORBIDDEN, "source and destination are the same"));
    }
    if call.slash {
        // Only a folder is meant; core would take a file of that name.
        let found = call.session.stat(&call.path, call.want(), false).await;
        found.map_err(call.failing(Doing::Transfer))?;
    }
    let precondition = call.precondition()?;
    let written = match moving {
        true => call.session.rename(&call.path, &to, options, precondition).await,
        false => call.session.copy(&call.path, &to, options, precondition).await,
    };
    let written = match written {
        Ok(written) => written,
        // What another account lends is not in this tree.
        Err(error)
            if error.detail == Detail::MissingParent
                && matches!(call.session.through(&to).await, Ok(Some(_))) =>
        {
            return Err(Failure::new(StatusCode::FORBIDDEN, "nothing moves from one account to another"));
        }
        Err(error) => return Err(refusal::of_write(call, to.parent(), error, Doing::Transfer).await),
    };
    Ok(empty(if written.created { StatusCode::CREATED } else { StatusCode::NO_CONTENT }))
}

/// RFC 4918 §10.6: absent means "T".
fn parse_overwrite(headers: &HeaderMap) -> Result<bool, Failure> {
    let Some(value) = headers.get("overwrite") else { return Ok(true) };
    match value.as_bytes().trim_ascii() {
        b"T" | b"t" => Ok(true),
        b"F" | b"f" => Ok(false),
        _ => Err(Failure::bad_request("Overwrite is T or F")),
    }
}

fn parse_shallow(call: &Call, moving: bool) -> Result<bool, Failure> {
    match (parse_depth(&call.headers, Depth::Infinity)?, moving) {
        (Depth::Infinity, _) => Ok(false),
        (Depth::Zero, false) => Ok(true),
        // RFC 4918 §9.9.2: a MOVE is always of everything. Of a file, `0` says the same.
        (Depth::Zero, true) if !call.slash => Ok(false),
        _ => Err(Failure::bad_request("this Depth does not work here")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// floccus and Joplin replace files by MOVE with `Overwrite: T`; none at all means the same.
    #[test]
    fn quirk_floccus_move_overwrites() {
        let overwrite = |value: Option<&str>| {
            let mut headers = HeaderMap::new();
            if let Some(value) = value {
                headers.insert("overwrite", value.parse().unwrap());
            }
            parse_overwrite(&headers).ok()
        };
        assert_eq!(overwrite(Some("T")), Some(true));
        assert_eq!(overwrite(None), Some(true));
        assert_eq!(overwrite(Some("F")), Some(false));
        assert_eq!(overwrite(Some("yes")), None);
    }
}
