//! What a browser shows at `/`: that this is allod, and how to connect. It is the same for everybody.

use allod_kit::{ResponseBody, full_body};
use http::Response;
use http::header::HeaderValue;

use crate::index_page::html;

/// Nothing at all may be loaded or run.
const POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Without a style of its own, so that each browser shows it as its owner likes to read.
const PAGE: &str = r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>allod</title>
</head>
<body>
<main>
<h1>This is an allod server</h1>
<p>It keeps files, calendars and contacts for the people who have an account here. There is nothing to see without one.</p>
<h2>Connect your calendars and contacts</h2>
<p>Add a CalDAV or CardDAV account to your phone, mail program or calendar. It asks for a server: give it the address of
this page. It finds the rest by itself; where it does not, this is the whole address:</p>
<p><code>https://SERVER/principals/ACCOUNT/</code></p>
<h2>Connect to your files</h2>
<p>Give this address to your file manager, backup program or app, as a WebDAV server:</p>
<p><code>https://SERVER/dav/ACCOUNT/</code></p>
<ul>
<li><code>SERVER</code> is the address of this page, with the number behind the colon if there is one.</li>
<li><code>ACCOUNT</code> is the name of your account.</li>
<li>Log in with the name of your account and an app password. Whoever runs this server makes one for each of your
devices and programs.</li>
</ul>
</main>
</body>
</html>
"#;

/// The page.
pub(crate) fn page() -> Response<ResponseBody> {
    let mut response = html(full_body(PAGE));
    response.headers_mut().insert("content-security-policy", HeaderValue::from_static(POLICY));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_loaded_or_run() {
        for tag in ["<script", "<style", "<link", "<img", "http://", "style="] {
            assert!(!PAGE.contains(tag), "{tag}");
        }
        assert_eq!(page().headers()["content-security-policy"], POLICY);
    }
}
