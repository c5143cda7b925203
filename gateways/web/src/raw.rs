//! Bytes of the drive, served so that they never run as a script of this origin.

use allod_core::{ByteRange, Node, OpenFile};
use allod_kit::{ResponseBody, empty_body, stream_body};
use allod_model::{Path, Precondition};
use futures_util::StreamExt;
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderName, IF_NONE_MATCH, RANGE,
};
use http::{Method, Response, StatusCode};

use crate::error::Refusal;
use crate::place::path_of;
use crate::respond::{Answer, header, url_part};
use crate::visit::Visit;

/// Nothing that a file holds may run or load anything.
const SANDBOX: &str =
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'";
/// The browser's own reader of PDF does not work in a sandbox; it runs nothing in this origin.
const PDF: &str = "default-src 'none'; style-src 'unsafe-inline'; object-src 'self'; frame-ancestors 'self'";

/// How a file can be shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Show {
    Image,
    Audio,
    Video,
    Pdf,
    Text,
    Nothing,
}

impl Show {
    /// The word that templates know.
    pub fn word(self) -> &'static str {
        match self {
            Show::Image => "image",
            Show::Audio => "audio",
            Show::Video => "video",
            Show::Pdf => "pdf",
            Show::Text => "text",
            Show::Nothing => "",
        }
    }
}

/// The media type of a file: as its client gave it, else by its name.
pub(crate) fn media_type(node: &Node) -> String {
    let given = node.media_type.as_deref().filter(|given| !given.starts_with("application/octet-stream"));
    let essence = given.and_then(|given| given.split(';').next()).map(|e| e.trim().to_ascii_lowercase());
    let guessed =
        || mime_guess::from_path(node.name.as_str()).first_raw().unwrap_or("application/octet-stream");
    essence.filter(|essence| essence.contains('/')).unwrap_or_else(|| guessed().to_owned())
}

/// How a type can be shown. SVG and HTML are documents that run scripts: they are not shown.
pub(crate) fn shows(media: &str) -> Show {
    match media {
        "image/png" | "image/jpeg" | "image/gif" | "image/webp" | "image/avif" | "image/bmp" => Show::Image,
        "application/pdf" => Show::Pdf,
        "text/html" | "text/xml" | "application/xhtml+xml" => Show::Text,
        "application/json" | "application/toml" | "application/xml" => Show::Text,
        _ if media.starts_with("text/") => Show::Text,
        _ if media.starts_with("audio/") => Show::Audio,
        _ if media.starts_with("video/") => Show::Video,
        _ => Show::Nothing,
    }
}

/// The icon of a type.
pub(crate) fn icon(media: &str) -> &'static str {
    match shows(media) {
        Show::Image => "image",
        Show::Audio => "music",
        Show::Video => "video",
        _ => "file",
    }
}

/// Serves a file of the drive.
pub(crate) async fn serve(visit: &Visit) -> Answer {
    let path = path_of(visit, "raw")?;
    let file = visit.session()?.open(&path, &Precondition::default()).await?;
    let download = visit.param("download").is_some();
    send(visit, &path, &file, download).await
}

/// Answers with a file's bytes, whole or a range.
pub(crate) async fn send(visit: &Visit, path: &Path, file: &OpenFile, download: bool) -> Answer {
    let node = &file.node;
    let media = media_type(node);
    let shown = shows(&media);
    let mut response: Response<ResponseBody> = Response::new(empty_body());
    let inline = !download && matches!(shown, Show::Image | Show::Audio | Show::Video | Show::Pdf);
    let name = path.last().map(|name| url_part(name.as_bytes())).unwrap_or_default();
    let disposition = if inline { "inline" } else { "attachment" };
    header(&mut response, CONTENT_DISPOSITION, &format!("{disposition}; filename*=UTF-8''{name}"));
    // What is not shown is saved, and never looked at by the browser.
    header(&mut response, CONTENT_TYPE, if inline { &media } else { "application/octet-stream" });
    header(&mut response, CONTENT_SECURITY_POLICY, if shown == Show::Pdf && inline { PDF } else { SANDBOX });
    header(&mut response, HeaderName::from_static("x-frame-options"), "SAMEORIGIN");
    header(&mut response, ACCEPT_RANGES, "bytes");
    header(&mut response, CACHE_CONTROL, "private, no-cache");
    let etag = format!("\"{}\"", node.etag);
    header(&mut response, ETAG, &etag);
    if visit.headers.get(IF_NONE_MATCH).is_some_and(|tags| tags.as_bytes() == etag.as_bytes()) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(response);
    }
    let range = match visit.headers.get(RANGE).and_then(|range| range.to_str().ok()) {
        Some(text) => range(text, node.size),
        None => Asked::Whole,
    };
    let (start, end) = match range {
        Asked::Whole => (0, node.size),
        Asked::Part(start, end) => {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            header(&mut response, CONTENT_RANGE, &format!("bytes {start}-{}/{}", end - 1, node.size));
            (start, end)
        }
        Asked::Beyond => {
            *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            header(&mut response, CONTENT_RANGE, &format!("bytes */{}", node.size));
            return Ok(response);
        }
    };
    header(&mut response, CONTENT_LENGTH, &(end - start).to_string());
    if visit.method != Method::HEAD && start < end {
        let stream = file.begin(ByteRange { start, end }).await.map_err(Refusal::from)?;
        *response.body_mut() = stream_body(stream.map(|piece| piece.map_err(std::io::Error::other)));
    }
    Ok(response)
}

enum Asked {
    Whole,
    Part(u64, u64),
    Beyond,
}

/// RFC 9110 §14.2: one range; anything else is answered with the whole.
fn range(text: &str, size: u64) -> Asked {
    let Some((first, last)) = text.strip_prefix("bytes=").and_then(|spec| spec.trim().split_once('-')) else {
        return Asked::Whole;
    };
    let (start, end) = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(start), Ok(last)) if last >= start => (start, last.saturating_add(1).min(size)),
        (Ok(start), _) if last.is_empty() => (start, size),
        (_, Ok(count)) if first.is_empty() => (size.saturating_sub(count), size),
        _ => return Asked::Whole,
    };
    if start < end { Asked::Part(start, end) } else { Asked::Beyond }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let table = [
            ("bytes=0-3", Some((0, 4))),
            ("bytes=2-", Some((2, 10))),
            ("bytes=-3", Some((7, 10))),
            ("bytes=-30", Some((0, 10))),
            ("bytes=5-99", Some((5, 10))),
            ("bytes=0-1,3-4", None),
            ("lines=0-1", None),
        ];
        for (text, wanted) in table {
            let found = match range(text, 10) {
                Asked::Part(start, end) => Some((start, end)),
                _ => None,
            };
            assert_eq!(found, wanted, "{text}");
        }
        assert!(matches!(range("bytes=10-", 10), Asked::Beyond));
    }

    #[test]
    fn documents_with_scripts_are_never_shown_as_such() {
        for media in [
            "image/svg+xml",
            "application/xhtml+xml",
            "text/html",
            "text/xml",
            "application/x-shockwave-flash",
        ] {
            assert!(!matches!(shows(media), Show::Image | Show::Pdf | Show::Audio | Show::Video), "{media}");
        }
    }
}
