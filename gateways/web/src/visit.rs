//! A request: who sends it, in which language, from where; forms and the tokens that prove them ours.

use std::sync::Arc;

use allod_core::{Core, Door, Session};
use allod_kit::{Peer, RequestBody};
use allod_model::{ErrorKind, Protocol};
use http::header::{ACCEPT_LANGUAGE, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, ORIGIN, USER_AGENT};
use http::request::Parts;
use http::{HeaderMap, Method};
use http_body_util::{BodyExt, Limited};

use crate::Shared;
use crate::error::Refusal;
use crate::text::Text;

/// Largest form, in bytes. Files do not come by forms.
const FORM_BYTES_MAX: usize = 256 * 1024;
/// Fields of one form at most.
const FORM_FIELDS_MAX: usize = 2000;
/// Parameters of one query at most.
const QUERY_FIELDS_MAX: usize = 64;
/// Cookies looked at in one request.
const COOKIES_MAX: usize = 64;

/// The cookie of a sign-in. Behind TLS its name demands what no other host of the domain can forge.
const COOKIE_PLAIN: &str = "allod";
const COOKIE_TLS: &str = "__Host-allod";
/// The cookie of the language.
pub(crate) const COOKIE_LANGUAGE: &str = "allod-language";
/// The name of the field, and of the header, that carries a form's token.
pub(crate) const TOKEN_FIELD: &str = "token";
const TOKEN_HEADER: &str = "x-form-token";

/// A request as pages see it.
pub(crate) struct Visit {
    /// The gateway's own.
    pub web: Arc<Shared>,
    /// The request's method.
    pub method: Method,
    /// The path as sent.
    pub path: String,
    /// The query as sent.
    pub query: Vec<(String, String)>,
    /// Its headers.
    pub headers: HeaderMap,
    /// Who sent it.
    pub peer: Peer,
    /// The language to answer in.
    pub text: &'static Text,
    /// Who is signed in.
    pub person: Option<Person>,
}

/// Somebody who is signed in.
#[derive(Clone)]
pub(crate) struct Person {
    /// The account's whole.
    pub session: Session,
    /// What forms of this sign-in must bring along.
    pub form_token: String,
}

impl Visit {
    /// Reads a request's head and finds out who is signed in.
    pub async fn of(web: &Arc<Shared>, parts: Parts, peer: Peer) -> Visit {
        let query = parts.uri.query().unwrap_or_default();
        let query = form_urlencoded::parse(query.as_bytes()).into_owned().take(QUERY_FIELDS_MAX).collect();
        let text = language(&parts.headers);
        let mut visit = Visit {
            web: web.clone(),
            method: parts.method,
            path: parts.uri.path().to_owned(),
            query,
            headers: parts.headers,
            peer,
            text,
            person: None,
        };
        visit.person = visit.find_person().await;
        visit
    }

    async fn find_person(&self) -> Option<Person> {
        let token = self.cookie(self.cookie_name())?;
        match self.core().web_session(token, &self.door()).await {
            Ok(session) => {
                let form_token = session.form_token().ok()?;
                Some(Person { session, form_token })
            }
            Err(error) => {
                if error.kind != ErrorKind::Unauthenticated {
                    tracing::warn!(%error, "a sign-in cannot be looked at");
                }
                None
            }
        }
    }

    /// The store.
    pub fn core(&self) -> &Core {
        &self.web.core
    }

    /// Where the request comes from, in core's words.
    pub fn door(&self) -> Door {
        let client = self.headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok());
        Door {
            protocols: vec![Protocol::new(allod_core::PROTOCOL)],
            address: Some(self.peer.client),
            client: client.map(str::to_owned),
        }
    }

    /// Who is signed in.
    ///
    /// # Errors
    /// [`Refusal::SignIn`], which leads to the sign-in page and back.
    pub fn person(&self) -> Result<&Person, Refusal> {
        self.person.as_ref().ok_or(Refusal::SignIn)
    }

    /// The session of who is signed in.
    ///
    /// # Errors
    /// As [`Visit::person`].
    pub fn session(&self) -> Result<&Session, Refusal> {
        Ok(&self.person()?.session)
    }

    /// A parameter of the query.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A cookie's value.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let headers = self.headers.get_all(COOKIE).iter().filter_map(|header| header.to_str().ok());
        let mut pairs = headers.flat_map(|header| header.split(';')).take(COOKIES_MAX);
        pairs.find_map(|pair| {
            let (known, value) = pair.trim().split_once('=')?;
            (known == name).then_some(value)
        })
    }

    /// The name of the sign-in's cookie on this connection.
    pub fn cookie_name(&self) -> &'static str {
        if self.peer.tls { COOKIE_TLS } else { COOKIE_PLAIN }
    }

    /// The host and port that the browser asked for; from a trusted proxy, what that says.
    pub fn host(&self) -> Option<&str> {
        let forwarded = self.headers.get("x-forwarded-host").filter(|_| self.peer.proxied);
        let host = forwarded.or(self.headers.get(HOST))?.to_str().ok()?;
        let sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']' | '_');
        (!host.is_empty() && host.len() <= 255 && host.chars().all(sound)).then_some(host)
    }

    /// The host alone, without the port.
    pub fn host_name(&self) -> &str {
        let host = self.host().unwrap_or("localhost");
        match host.rfind(':') {
            Some(colon) if !host[colon..].contains(']') => &host[..colon],
            _ => host,
        }
    }

    /// What stands before a path of this server, for links that leave it: `https://host:port`.
    pub fn origin(&self) -> String {
        let scheme = if self.peer.tls { "https" } else { "http" };
        format!("{scheme}://{}", self.host().unwrap_or("localhost"))
    }

    /// Whether a browser's script asks, and wants JSON.
    pub fn wants_json(&self) -> bool {
        self.headers.get("accept").is_some_and(|accept| accept.as_bytes().starts_with(b"application/json"))
    }

    /// Refuses a request that another site's page sent: browsers say where a request comes from.
    ///
    /// # Errors
    /// [`Refusal::Forged`].
    pub fn check_origin(&self) -> Result<(), Refusal> {
        if let Some(site) = self.headers.get("sec-fetch-site")
            && !matches!(site.as_bytes(), b"same-origin" | b"none")
        {
            return Err(Refusal::Forged);
        }
        let Some(origin) = self.headers.get(ORIGIN) else { return Ok(()) };
        let own = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
        match own {
            Some((_, host)) if Some(host) == self.host() => Ok(()),
            _ => Err(Refusal::Forged),
        }
    }

    /// Refuses a request without the token of this sign-in.
    ///
    /// # Errors
    /// [`Refusal::Forged`]; [`Refusal::SignIn`] when nobody is signed in.
    pub fn check_token(&self, given: Option<&str>) -> Result<(), Refusal> {
        let person = self.person()?;
        let header = self.headers.get(TOKEN_HEADER).and_then(|token| token.to_str().ok());
        let given = given.or(header).unwrap_or_default();
        // The token is a keyed hash that a guess in time tells nothing about: it is as long as its hash.
        let equal = given.len() == person.form_token.len()
            && given.bytes().zip(person.form_token.bytes()).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0;
        if equal { Ok(()) } else { Err(Refusal::Forged) }
    }

    /// Reads a form that somebody who is signed in sent, with the token of the sign-in.
    ///
    /// # Errors
    /// [`Refusal::Forged`], [`Refusal::SignIn`], [`Refusal::Malformed`].
    pub async fn form(&self, body: RequestBody) -> Result<Form, Refusal> {
        self.check_origin()?;
        self.person()?;
        let form = self.read_form(body).await?;
        self.check_token(form.get(TOKEN_FIELD))?;
        Ok(form)
    }

    /// Reads a form that needs no sign-in.
    ///
    /// # Errors
    /// [`Refusal::Forged`], [`Refusal::Malformed`].
    pub async fn open_form(&self, body: RequestBody) -> Result<Form, Refusal> {
        self.check_origin()?;
        self.read_form(body).await
    }

    /// Reads a form that may come from anywhere.
    ///
    /// # Errors
    /// [`Refusal::Malformed`].
    pub async fn read_form(&self, body: RequestBody) -> Result<Form, Refusal> {
        let kind = self.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let announced =
            self.headers.get(CONTENT_LENGTH).and_then(|len| len.to_str().ok()?.parse::<u64>().ok());
        if !kind.starts_with("application/x-www-form-urlencoded")
            || announced.is_some_and(|len| len > FORM_BYTES_MAX as u64)
        {
            return Err(Refusal::Malformed);
        }
        let read = Limited::new(body, FORM_BYTES_MAX).collect().await.map_err(|_| Refusal::Malformed)?;
        let bytes = read.to_bytes();
        let fields: Vec<_> = form_urlencoded::parse(&bytes).into_owned().take(FORM_FIELDS_MAX + 1).collect();
        if fields.len() > FORM_FIELDS_MAX {
            return Err(Refusal::Malformed);
        }
        Ok(Form(fields))
    }
}

/// A form's fields.
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    /// The first field of this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The first field of this name, empty when there is none.
    pub fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    /// All fields of this name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

fn language(headers: &HeaderMap) -> &'static Text {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|header| header.to_str().ok());
    let chosen = cookies.flat_map(|header| header.split(';')).take(COOKIES_MAX).find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        Text::of(value).filter(|_| name == COOKIE_LANGUAGE)
    });
    let accepted = headers.get(ACCEPT_LANGUAGE).and_then(|header| header.to_str().ok()).unwrap_or_default();
    chosen.unwrap_or_else(|| Text::accepted(accepted))
}

/// A path of this server to come back to after signing in, from a form or a query: only paths of the page itself and
/// of the consent page, so that nobody is sent elsewhere.
pub(crate) fn own_path(path: &str) -> Option<&str> {
    let ours = ["/ui/", "/oauth/"].iter().any(|prefix| path.starts_with(prefix));
    let plain = path.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    let climbs = path.split(['/', '?', '#']).any(|part| part == ".." || part == ".");
    (ours && plain && !climbs && !path.contains("//") && path.len() <= 4096).then_some(path)
}
