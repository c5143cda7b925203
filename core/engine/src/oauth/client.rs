//! Who asks to be let in: an app known by where its answers go.

use allod_model::{Error, ErrorKind, Result};

/// Longest redirect URI and client id, in bytes.
pub const REDIRECT_URI_BYTES_MAX: usize = 2048;
/// Longest host of a redirect URI, in bytes (RFC 1035 §2.3.4).
const HOST_BYTES_MAX: usize = 253;
/// Longest private-use scheme, in bytes.
const SCHEME_BYTES_MAX: usize = 100;

/// What kind of app it is, told from its redirect URI.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClientKind {
    /// A web page: the URI begins with `https://`.
    Web,
    /// An app on the person's own machine that listens there (RFC 8252 §7.3), or a web page under development.
    Loopback,
    /// An app that has claimed a scheme of its own (RFC 8252 §7.1), such as `org.example.app:/done`.
    Native,
}

/// An app that asks to be let in.
///
/// **Invariant:** made only by [`OauthClient::parse`], so its redirect URI is fit to be sent an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OauthClient {
    id: String,
    redirect_uri: String,
    origin: String,
    kind: ClientKind,
}

impl OauthClient {
    /// Reads what an authorization request says about the app.
    ///
    /// # Errors
    /// `InvalidContent` with what is wrong, in words for the person who sees the page. Then nothing may be sent to
    /// `redirect_uri`.
    pub fn parse(client_id: &str, redirect_uri: &str) -> Result<OauthClient> {
        if client_id.is_empty() || client_id.len() > REDIRECT_URI_BYTES_MAX {
            return wrong("the app does not say who it is (client_id)");
        }
        if client_id.chars().any(char::is_control) {
            return wrong("the app's client_id holds control characters");
        }
        if redirect_uri.is_empty() || redirect_uri.len() > REDIRECT_URI_BYTES_MAX {
            return wrong("the app does not say where the answer goes (redirect_uri)");
        }
        if !redirect_uri.bytes().all(is_uri_byte) {
            return wrong("the app's redirect_uri is not a URI");
        }
        // RFC 6749 §3.1.2: no fragment. A name before `@` is only ever there to mislead.
        if redirect_uri.contains(['#', '@']) {
            return wrong("the app's redirect_uri holds '#' or '@'");
        }
        let Some((scheme, rest)) = redirect_uri.split_once(':') else {
            return wrong("the app's redirect_uri has no scheme");
        };
        let (origin, kind) = match scheme.to_ascii_lowercase().as_str() {
            "https" => (origin("https", rest, 443)?.0, ClientKind::Web),
            "http" => {
                let (origin, host) = origin("http", rest, 80)?;
                if !matches!(host.as_str(), "localhost" | "127.0.0.1" | "[::1]") {
                    return wrong("the app's redirect_uri is not encrypted (http)");
                }
                (origin, ClientKind::Loopback)
            }
            scheme if is_private_use(scheme) && rest.starts_with('/') => {
                (format!("{scheme}:"), ClientKind::Native)
            }
            // RFC 8252 §7.1: such a scheme is a domain name turned round. So none that does something by itself
            // (javascript, data, file, blob …) can be one.
            _ => return wrong("the app's redirect_uri has a scheme that is not allowed"),
        };
        Ok(OauthClient { id: client_id.to_owned(), redirect_uri: redirect_uri.to_owned(), origin, kind })
    }

    /// What the app calls itself. Not to be shown: anybody can claim anything.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Where the answer goes, to the letter.
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// The origin of the redirect URI, such as `https://litewrite.net`, or `org.example.app:`. ASCII: a name in other
    /// scripts stays in its encoded form (`xn--…`), so that none can look like another.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The origin for people: without `https://`.
    pub fn name(&self) -> &str {
        let bare = self.origin.strip_prefix("https://").or_else(|| self.origin.strip_prefix("http://"));
        bare.unwrap_or(self.origin.trim_end_matches(':'))
    }

    /// What kind of app it is.
    pub fn kind(&self) -> ClientKind {
        self.kind
    }
}

fn wrong<T>(why: &str) -> Result<T> {
    Err(Error::new(ErrorKind::InvalidContent, why))
}

/// RFC 3986 §2: unreserved, reserved and `%`.
fn is_uri_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte)
}

fn is_private_use(scheme: &str) -> bool {
    let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '+' | '-' | '.');
    scheme.len() <= SCHEME_BYTES_MAX
        && scheme.starts_with(|c: char| c.is_ascii_lowercase())
        && scheme.chars().all(known)
        && scheme.split('.').count() > 1
        && scheme.split('.').all(|label| !label.is_empty())
}

/// RFC 6454 §4 and §6.2: the origin, and the host in it.
fn origin(scheme: &str, rest: &str, own_port: u16) -> Result<(String, String)> {
    let Some(rest) = rest.strip_prefix("//") else {
        return wrong("the app's redirect_uri names no host");
    };
    let authority = &rest[..rest.find(['/', '?']).unwrap_or(rest.len())];
    let (host, port) = match authority.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        Some((inner, port)) => {
            let Ok(address) = inner.parse::<std::net::Ipv6Addr>() else {
                return wrong("the host in the app's redirect_uri is no address");
            };
            (format!("[{address}]"), port)
        }
        None => {
            let end = authority.find(':').unwrap_or(authority.len());
            (authority[..end].to_ascii_lowercase(), &authority[end..])
        }
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    let named = !host.is_empty() && host.len() <= HOST_BYTES_MAX && host.chars().all(plain);
    let labels = named && host.split('.').all(|label| !label.is_empty() && !label.starts_with('-'));
    if !labels && !host.starts_with('[') {
        return wrong("the host in the app's redirect_uri is no host name");
    }
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => own_port,
        Some("") => own_port,
        Some(digits) if digits.len() <= 5 && digits.bytes().all(|b| b.is_ascii_digit()) => {
            match digits.parse() {
                Ok(port) if port > 0 => port,
                _ => return wrong("the port in the app's redirect_uri is no port"),
            }
        }
        _ => return wrong("the port in the app's redirect_uri is no port"),
    };
    let shown = if port == own_port { String::new() } else { format!(":{port}") };
    Ok((format!("{scheme}://{host}{shown}"), host))
}
