//! Authorization requests, from a query or from our own form.

use allod_core::oauth::{AppScope, ClientKind, Flow, OauthClient, parse_scope};

use crate::respond::url_part;

/// Longest `state`, in bytes.
const STATE_BYTES_MAX: usize = 4096;
/// The parameters that are carried through the form.
pub(crate) const CARRIED: [&str; 7] = [
    "client_id",
    "redirect_uri",
    "response_type",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
];

/// An app's request.
pub(crate) struct Request {
    pub client: OauthClient,
    pub scopes: Vec<AppScope>,
    pub flow: Flow,
    pub state: Option<String>,
}

/// What is wrong with a request.
pub(crate) enum Wrong {
    /// Nobody to be told: only the person sees this.
    Client(String),
    /// The app can be told, if the person goes back to it: its address with the error, its name, and why.
    Request { back: String, name: String, why: String },
}

impl Request {
    /// Reads a request; `value` gives the values of a parameter. `issuer` is this server.
    ///
    /// # Errors
    /// [`Wrong`].
    pub fn read<'a>(value: impl Fn(&str) -> Vec<&'a str>, issuer: &str) -> Result<Request, Wrong> {
        let one = |name: &str| value(name).first().copied().unwrap_or_default();
        let repeated = CARRIED.iter().find(|name| value(name).len() > 1);
        if let Some(name) = repeated {
            // RFC 6749 §3.1. Which one would count is nothing to guess at.
            return Err(Wrong::Client(format!("the request names '{name}' twice")));
        }
        let client = OauthClient::parse(one("client_id"), one("redirect_uri"));
        let client = client.map_err(|error| Wrong::Client(error.message))?;
        let (kind, state) = (one("response_type"), Some(one("state")).filter(|s| !s.is_empty()));
        if state.is_some_and(|state| state.len() > STATE_BYTES_MAX) {
            return Err(Wrong::Client("the request's state is too long".to_owned()));
        }
        let state = state.map(str::to_owned);
        let wrong = |error: &str, why: &str| {
            let flow = if kind == "token" { Flow::Implicit } else { Flow::Code { challenge: String::new() } };
            let pairs = [("error", error), ("error_description", why)];
            let back = location(&client, &flow, &pairs, state.as_deref(), issuer);
            Err(Wrong::Request { back, name: client.name().to_owned(), why: why.to_owned() })
        };
        let flow = match kind {
            "token" if client.kind() == ClientKind::Native => {
                return wrong("unauthorized_client", "an app on a device must use response_type=code");
            }
            "token" => Flow::Implicit,
            "code" if one("code_challenge").is_empty() => {
                return wrong("invalid_request", "code_challenge is missing: PKCE is needed (RFC 7636)");
            }
            // RFC 7636 §4.3: without a method it would be "plain", which protects nothing.
            "code" if one("code_challenge_method") != "S256" => {
                return wrong("invalid_request", "code_challenge_method must be S256");
            }
            "code" => Flow::Code { challenge: one("code_challenge").to_owned() },
            _ => return wrong("unsupported_response_type", "response_type must be 'code' or 'token'"),
        };
        match parse_scope(one("scope")) {
            Err(error) => wrong("invalid_scope", &error.message),
            Ok(scopes) => Ok(Request { client, scopes, flow, state }),
        }
    }
}

/// Where the browser is sent with an answer: RFC 6749 §4.1.2, §4.2.2; `iss` by RFC 9207.
pub(crate) fn location(
    client: &OauthClient,
    flow: &Flow,
    pairs: &[(&str, &str)],
    state: Option<&str>,
    issuer: &str,
) -> String {
    let uri = client.redirect_uri();
    let mut location = uri.to_owned();
    location.push(match flow {
        Flow::Implicit => '#',
        Flow::Code { .. } if uri.contains('?') => '&',
        Flow::Code { .. } => '?',
    });
    let last = [("state", state), ("iss", Some(issuer))];
    let last = last.into_iter().filter_map(|(name, value)| Some((name, value?)));
    for (at, (name, value)) in pairs.iter().copied().chain(last).enumerate() {
        if at > 0 {
            location.push('&');
        }
        // A space as %20: scripts that read a fragment do not know `+`.
        location.push_str(&format!("{name}={}", url_part(value.as_bytes())));
    }
    location
}
