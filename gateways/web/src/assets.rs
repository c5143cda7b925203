//! Files of the page's own: style sheet and scripts, in the binary.

use allod_kit::{ResponseBody, full_body};
use http::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use rust_embed::RustEmbed;

use crate::error::Refusal;
use crate::respond::{Answer, header};
use crate::visit::Visit;

/// What lies in `static/`.
#[derive(RustEmbed)]
#[folder = "static/"]
struct Assets;

/// The address of a file; it changes with the content, so that browsers can keep it for good.
pub(crate) fn url(name: &str) -> String {
    let hash = Assets::get(name).map(|file| file.metadata.sha256_hash()).unwrap_or_default();
    let version: String = hash[..6].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("/ui/static/{name}?v={version}")
}

/// Serves a file.
pub(crate) fn serve(visit: &Visit, name: &str) -> Answer {
    let file = Assets::get(name).ok_or(Refusal::NotFound)?;
    let mut response: Response<ResponseBody> = Response::new(full_body(file.data.into_owned()));
    header(&mut response, CONTENT_TYPE, media_type(name));
    let lasting = visit.param("v").is_some();
    header(
        &mut response,
        CACHE_CONTROL,
        if lasting { "public, max-age=31536000, immutable" } else { "no-cache" },
    );
    Ok(response)
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        _ => "application/octet-stream",
    }
}
