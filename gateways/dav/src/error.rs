//! What goes wrong, in WebDAV's words.

use allod_kit::{ResponseBody, full_body};
use allod_model::{Detail, Error, ErrorKind};
use http::header::{ALLOW, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Response, StatusCode};

use crate::condition::Malformed;
use crate::escape::escape_into;
use crate::handle::ALLOWED;
use crate::url::UrlError;
use crate::xml::{CALDAV, CARDDAV, XmlError};

/// The challenge: RFC 7617 §2.1.
const CHALLENGE: &str = "Basic realm=\"allod\", charset=\"UTF-8\"";
/// When to come back after storage failed, in seconds.
const UNAVAILABLE_RETRY_SECS: u64 = 10;
/// When to come back after competing operations, in seconds.
const BUSY_RETRY_SECS: u64 = 1;

/// An answer, or why there is none.
pub(crate) type Answer = Result<Response<ResponseBody>, Failure>;

/// What was being done: some failures have another name for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Doing {
    /// GET, HEAD, PROPFIND.
    Read,
    /// PUT, DELETE.
    Write,
    /// MKCOL.
    MakeFolder,
    /// MKCALENDAR.
    MakeCalendar,
    /// COPY, MOVE.
    Transfer,
    /// PROPPATCH.
    Properties,
    /// LOCK.
    Lock,
    /// UNLOCK.
    Unlock,
    /// REPORT.
    Report,
}

/// A failure on its way to the client.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    /// The precondition or postcondition element of RFC 4918 §16, by namespace and name.
    element: Option<(&'static str, &'static str)>,
    /// The place the element is about.
    place: Option<String>,
    retry_after: Option<u64>,
    /// For people.
    message: String,
    /// Further headers, for 304.
    pub(crate) headers: Option<Box<HeaderMap>>,
}

impl Failure {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Failure {
        Failure {
            status,
            element: None,
            place: None,
            retry_after: None,
            message: message.into(),
            headers: None,
        }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Failure {
        Failure::new(StatusCode::BAD_REQUEST, message)
    }

    pub(crate) fn forbidden(element: &'static str) -> Failure {
        Failure::new(StatusCode::FORBIDDEN, "").element(element)
    }

    pub(crate) fn method_not_allowed() -> Failure {
        Failure::new(StatusCode::METHOD_NOT_ALLOWED, "this method does not work here")
    }

    pub(crate) fn unauthenticated() -> Failure {
        Failure::new(StatusCode::UNAUTHORIZED, "log in with an app password")
    }

    pub(crate) fn not_found() -> Failure {
        Failure::new(StatusCode::NOT_FOUND, "there is nothing of that name")
    }

    pub(crate) fn element(mut self, name: &'static str) -> Failure {
        self.element = Some(("DAV:", name));
        self
    }

    fn retry_after(mut self, secs: u64) -> Failure {
        self.retry_after = Some(secs);
        self
    }

    /// 403 with a condition of another namespace than `DAV:`.
    pub(crate) fn condition(namespace: &'static str, name: &'static str, message: &str) -> Failure {
        let mut failure = Failure::new(StatusCode::FORBIDDEN, message);
        failure.element = Some((namespace, name));
        failure
    }

    /// With another status.
    pub(crate) fn status(mut self, status: StatusCode) -> Failure {
        self.status = status;
        self
    }

    /// Says which place the condition is about.
    pub(crate) fn at(mut self, url: String) -> Failure {
        self.place = Some(url);
        self
    }

    /// What it says to people.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Whether it names that condition.
    pub(crate) fn is(&self, condition: &str) -> bool {
        self.element.is_some_and(|(_, name)| name == condition)
    }

    /// The condition that it names.
    #[cfg(test)]
    pub(crate) fn element_name(&self) -> Option<&'static str> {
        self.element.map(|(_, name)| name)
    }

    /// Says which element of `CARDDAV:` it is about.
    fn carddav(mut self, name: &'static str) -> Failure {
        self.element = Some((CARDDAV, name));
        self
    }

    /// Says which element of `CALDAV:` it is about.
    fn caldav(mut self, name: &'static str) -> Failure {
        self.element = Some((CALDAV, name));
        self
    }

    /// Translates core's failure. `url_of` writes a path of the account as a URL.
    pub(crate) fn of(error: Error, doing: Doing, url_of: impl Fn(&str) -> String) -> Failure {
        let place = match &error.detail {
            Detail::Path(path) => Some(url_of(path)),
            _ => None,
        };
        let mut failure = Failure::translated(error, doing);
        failure.place = failure.place.or(place);
        failure
    }

    /// **Invariant:** no wildcard arm, so that a new kind of failure does not compile before it has an answer here.
    fn translated(error: Error, doing: Doing) -> Failure {
        let Error { kind, detail, message } = error;
        let with = |status| Failure::new(status, message.clone());
        match kind {
            ErrorKind::NotFound => with(StatusCode::NOT_FOUND),
            // RFC 4918 §9.3.1: MKCOL on a mapped URL is 405.
            ErrorKind::Exists if doing == Doing::MakeFolder => with(StatusCode::METHOD_NOT_ALLOWED),
            // RFC 4791 §5.3.1.
            ErrorKind::Exists if doing == Doing::MakeCalendar => {
                with(StatusCode::FORBIDDEN).element("resource-must-be-null")
            }
            ErrorKind::Exists => with(StatusCode::PRECONDITION_FAILED),
            ErrorKind::NotEmpty => with(StatusCode::CONFLICT),
            // RFC 4918 §9.7.1, §9.3.1, §9.8.5: no parent is 409.
            ErrorKind::WrongKind if detail == Detail::MissingParent => with(StatusCode::CONFLICT),
            ErrorKind::WrongKind => match doing {
                // RFC 4918 §9.7.2: PUT to a collection.
                Doing::Write => with(StatusCode::METHOD_NOT_ALLOWED),
                Doing::Report => with(StatusCode::FORBIDDEN).element("supported-report"),
                Doing::MakeFolder
                | Doing::MakeCalendar
                | Doing::Transfer
                | Doing::Properties
                | Doing::Lock => with(StatusCode::FORBIDDEN),
                Doing::Read | Doing::Unlock => with(StatusCode::CONFLICT),
            },
            // RFC 4791 §5.3.2.1, RFC 6352 §6.3.2.1.
            ErrorKind::InvalidContent => match detail {
                Detail::Demand("CALDAV", name) => with(StatusCode::FORBIDDEN).caldav(name),
                Detail::Demand("CARDDAV", name) => with(StatusCode::FORBIDDEN).carddav(name),
                _ => with(StatusCode::FORBIDDEN),
            },
            // RFC 4791 §5.3.2.1.
            ErrorKind::UidConflict => with(StatusCode::FORBIDDEN).caldav("no-uid-conflict"),
            ErrorKind::PreconditionFailed if detail == Detail::NotModified => with(StatusCode::NOT_MODIFIED),
            // RFC 4918 §9.11.1.
            ErrorKind::PreconditionFailed if doing == Doing::Unlock => {
                with(StatusCode::CONFLICT).element("lock-token-matches-request-uri")
            }
            ErrorKind::PreconditionFailed => with(StatusCode::PRECONDITION_FAILED),
            // RFC 4918 §9.10.6.
            ErrorKind::Locked if doing == Doing::Lock => {
                with(StatusCode::LOCKED).element("no-conflicting-lock")
            }
            // RFC 4918 §11.3, §16.
            ErrorKind::Locked => with(StatusCode::LOCKED).element("lock-token-submitted"),
            // RFC 6638 §4.3.1.1, §5.2.2: refused for a reason of its own.
            ErrorKind::Denied if let Detail::Demand("CALDAV", name) = detail => {
                with(StatusCode::FORBIDDEN).caldav(name)
            }
            // RFC 3744 §7.1.1.
            ErrorKind::Denied => with(StatusCode::FORBIDDEN).element("need-privileges"),
            ErrorKind::Unauthenticated => Failure::unauthenticated(),
            // RFC 4331 §6.
            ErrorKind::OverQuota => with(StatusCode::INSUFFICIENT_STORAGE).element("quota-not-exceeded"),
            // RFC 4918 §9.2.1: no space to record the property.
            ErrorKind::TooLarge if doing == Doing::Properties => with(StatusCode::INSUFFICIENT_STORAGE),
            // RFC 4791 §7.8: the answer would take too much.
            ErrorKind::TooLarge if doing == Doing::Report => {
                with(StatusCode::INSUFFICIENT_STORAGE).element("number-of-matches-within-limits")
            }
            ErrorKind::TooLarge => with(StatusCode::PAYLOAD_TOO_LARGE),
            // RFC 6578 §3.2.
            ErrorKind::HorizonPassed => with(StatusCode::FORBIDDEN).element("valid-sync-token"),
            ErrorKind::Busy => match detail {
                Detail::RetryAfter(secs) => with(StatusCode::TOO_MANY_REQUESTS).retry_after(secs),
                _ => with(StatusCode::SERVICE_UNAVAILABLE).retry_after(BUSY_RETRY_SECS),
            },
            // Asking again does not help, so it is not 503; the operator has been told.
            ErrorKind::Corrupt => {
                Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "the stored data is damaged")
            }
            ErrorKind::Unavailable => {
                Failure::new(StatusCode::SERVICE_UNAVAILABLE, "the storage cannot be used now")
                    .retry_after(UNAVAILABLE_RETRY_SECS)
            }
        }
    }

    /// The answer to send.
    pub(crate) fn into_response(self) -> Response<ResponseBody> {
        let bodiless = self.status == StatusCode::NOT_MODIFIED;
        let (kind, body) = match self.element {
            _ if bodiless => (None, Vec::new()),
            Some(element) => (Some("application/xml; charset=utf-8"), self.error_body(element)),
            None => (Some("text/plain; charset=utf-8"), format!("{}\n", self.message).into_bytes()),
        };
        let mut response = Response::new(full_body(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if let Some(kind) = kind {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        match self.status {
            StatusCode::UNAUTHORIZED => headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE)),
            StatusCode::METHOD_NOT_ALLOWED => headers.insert(ALLOW, HeaderValue::from_static(ALLOWED)),
            _ => None,
        };
        if let Some(secs) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(secs));
        }
        if let Some(more) = self.headers {
            headers.extend(*more);
        }
        response
    }

    /// RFC 4918 §14.5.
    fn error_body(&self, (namespace, name): (&str, &str)) -> Vec<u8> {
        let mut body = b"<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:error xmlns:D=\"DAV:\">".to_vec();
        let (prefix, declaration) = match namespace {
            "DAV:" => ("D", String::new()),
            other => ("C", format!(" xmlns:C=\"{other}\"")),
        };
        body.extend_from_slice(format!("<{prefix}:{name}{declaration}>").as_bytes());
        if let Some(place) = &self.place {
            body.extend_from_slice(b"<D:href>");
            escape_into(&mut body, place);
            body.extend_from_slice(b"</D:href>");
        }
        body.extend_from_slice(format!("</{prefix}:{name}>").as_bytes());
        if namespace != "DAV:" && !self.message.is_empty() {
            // Programs look at the element; this is for whoever looks at the answer. XML 1.0 §2.5: no `--` inside.
            let words: String = self.message.chars().filter(|c| !c.is_control() && *c != '-').collect();
            body.extend_from_slice(b"<!-- ");
            body.extend_from_slice(words.as_bytes());
            body.extend_from_slice(b" -->");
        }
        body.extend_from_slice(b"</D:error>\n");
        body
    }
}

impl From<UrlError> for Failure {
    fn from(error: UrlError) -> Failure {
        match error {
            UrlError::Malformed => Failure::bad_request("this URL is not acceptable"),
            UrlError::TooLong => {
                Failure::new(StatusCode::URI_TOO_LONG, "a name in this URL, or all of it, is too long")
            }
            // RFC 4918 §9.8.5, §9.9.4: the destination is on another server.
            UrlError::Foreign => {
                Failure::new(StatusCode::BAD_GATEWAY, "the destination is on another server")
            }
            UrlError::Unknown => Failure::not_found(),
        }
    }
}

impl From<Malformed> for Failure {
    fn from(_: Malformed) -> Failure {
        Failure::bad_request("a conditional header cannot be understood")
    }
}

impl From<XmlError> for Failure {
    fn from(error: XmlError) -> Failure {
        match error {
            XmlError::Malformed(what) => Failure::bad_request(format!("the XML is not acceptable: {what}")),
            XmlError::Encoding => Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "send XML in UTF-8"),
            XmlError::Limit("bytes") => Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "the XML is too large"),
            XmlError::Limit(what) => Failure::bad_request(format!("the XML has too many of: {what}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(kind: ErrorKind, detail: Detail, doing: Doing) -> u16 {
        Failure::of(Error::new(kind, "x").with(detail), doing, str::to_owned).status.as_u16()
    }

    #[test]
    fn the_table_of_the_design() {
        use Doing::*;
        use ErrorKind::*;
        for (kind, detail, doing, wanted) in [
            (NotFound, Detail::None, Read, 404),
            (Exists, Detail::None, MakeFolder, 405),
            (Exists, Detail::None, Transfer, 412),
            (WrongKind, Detail::MissingParent, Write, 409),
            (WrongKind, Detail::MissingParent, MakeFolder, 409),
            (WrongKind, Detail::MissingParent, Transfer, 409),
            (WrongKind, Detail::None, Write, 405),
            (WrongKind, Detail::None, Transfer, 403),
            (PreconditionFailed, Detail::None, Write, 412),
            (PreconditionFailed, Detail::NotModified, Read, 304),
            (PreconditionFailed, Detail::None, Doing::Unlock, 409),
            (Locked, Detail::None, Write, 423),
            (Denied, Detail::None, Write, 403),
            (OverQuota, Detail::None, Write, 507),
            (InvalidContent, Detail::None, Write, 403),
            (InvalidContent, Detail::Demand("CALDAV", "valid-calendar-data"), Write, 403),
            (TooLarge, Detail::None, Write, 413),
            (Busy, Detail::RetryAfter(9), Read, 429),
            (Busy, Detail::None, Read, 503),
            (Unavailable, Detail::None, Read, 503),
            (Corrupt, Detail::None, Read, 500),
            (HorizonPassed, Detail::None, Report, 403),
            (Unauthenticated, Detail::None, Read, 401),
        ] {
            assert_eq!(status(kind, detail.clone(), doing), wanted, "{kind:?} {detail:?} {doing:?}");
        }
    }

    #[test]
    fn bodies_name_the_condition_and_the_place() {
        let error = Error::new(ErrorKind::Locked, "x").with(Detail::Path("/a&b".to_owned()));
        let failure = Failure::of(error, Doing::Write, |path| format!("/dav/alice{path}"));
        let body = String::from_utf8(failure.error_body(("DAV:", "lock-token-submitted"))).unwrap();
        assert!(body.contains(
            "<D:error xmlns:D=\"DAV:\"><D:lock-token-submitted><D:href>/dav/alice/a&amp;b</D:href></D:lock-token-submitted></D:error>"
        ));
    }

    #[test]
    fn quirk_thunderbird_one_realm() {
        let response = Failure::unauthenticated().into_response();
        assert_eq!(response.headers()[WWW_AUTHENTICATE], CHALLENGE);
    }
}
