//! What apps can learn of the endpoints (RFC 8414).

use allod_kit::ResponseBody;
use http::Response;
use serde_json::json;

use super::{AUTHORIZE, REVOKE, TOKEN};
use crate::respond::json;
use crate::text::Text;
use crate::visit::Visit;

/// The metadata document.
pub(super) fn describe(visit: &Visit) -> Response<ResponseBody> {
    let origin = visit.origin();
    let languages: Vec<_> = Text::all().iter().map(|text| text.lang).collect();
    json(&json!({
        "issuer": origin,
        "authorization_endpoint": format!("{origin}{AUTHORIZE}"),
        "token_endpoint": format!("{origin}{TOKEN}"),
        "revocation_endpoint": format!("{origin}{REVOKE}"),
        "scopes_supported": ["*:r", "*:rw", "files", "files.r", "calendar", "calendar.r", "contacts", "contacts.r", "mail", "mail.r"],
        "response_types_supported": ["code", "token"],
        "response_modes_supported": ["query", "fragment"],
        "grant_types_supported": ["authorization_code", "implicit", "refresh_token"],
        "token_endpoint_auth_methods_supported": ["none"],
        "revocation_endpoint_auth_methods_supported": ["none"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "ui_locales_supported": languages,
    }))
}
