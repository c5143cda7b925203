//! Cross-origin rules of buckets: their configuration, preflights, and what answers to web pages carry (Fetch standard
//! §3.2).

use allod_core::{BucketSettings, Core, CorsRule};
use allod_model::{Error, ErrorKind, Name, NameRule};
use http::StatusCode;
use http::header::{
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderValue, ORIGIN,
};
use s3s::dto::CORSConfiguration;

use crate::answer::{document, empty, set};
use crate::error::{Answer, Code, Failure};
use crate::handle::{Call, Mark, bucket_failure};
use crate::xml::{Xml, read};

/// Rules of one bucket at most (AWS' limit).
const RULES_MAX: usize = 100;
/// Methods that a rule may name.
const METHODS: [&str; 5] = ["GET", "PUT", "POST", "DELETE", "HEAD"];

/// GetBucketCors.
pub(crate) async fn get(call: &mut Call) -> Answer {
    let bucket = call.session.bucket(&call.bucket()?).await.map_err(bucket_failure)?;
    match bucket.settings.cors.is_empty() {
        false => Ok(document(write(&bucket.settings.cors))),
        true => Err(Failure::new(Code::NO_CORS, "The CORS configuration does not exist")),
    }
}

/// PutBucketCors.
pub(crate) async fn put(call: &mut Call) -> Answer {
    let rules = parse(&call.document().await?)?;
    change(call, rules).await?;
    Ok(empty(StatusCode::OK))
}

/// DeleteBucketCors.
pub(crate) async fn delete(call: &mut Call) -> Answer {
    change(call, Vec::new()).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

async fn change(call: &Call, rules: Vec<CorsRule>) -> Result<(), Failure> {
    let change = move |settings: &mut BucketSettings| {
        settings.cors.clone_from(&rules);
        Ok(())
    };
    call.session.change_bucket(&call.bucket()?, change).await.map_err(bucket_failure)
}

fn parse(body: &[u8]) -> Result<Vec<CorsRule>, Failure> {
    let configuration: CORSConfiguration = read(body)?;
    let rules = configuration.cors_rules;
    if rules.is_empty() || rules.len() > RULES_MAX {
        return Err(Failure::malformed_xml());
    }
    let rules = rules.into_iter().map(|rule| {
        let rule = CorsRule {
            id: rule.id,
            origins: rule.allowed_origins,
            methods: rule.allowed_methods,
            headers: rule.allowed_headers.unwrap_or_default(),
            expose: rule.expose_headers.unwrap_or_default(),
            max_age_secs: rule.max_age_seconds.map(|secs| u32::try_from(secs).unwrap_or(0)),
        };
        if rule.origins.is_empty() || rule.methods.is_empty() {
            return Err(Failure::malformed_xml());
        }
        if let Some(method) = rule.methods.iter().find(|method| !METHODS.contains(&method.as_str())) {
            let message =
                format!("Found unsupported HTTP method in CORS config. Unsupported method is {method}");
            return Err(Failure::request(message));
        }
        let patterns = rule.origins.iter().chain(&rule.headers);
        if let Some(pattern) = patterns.clone().find(|pattern| pattern.matches('*').count() > 1) {
            let message = format!("'{pattern}' can not have more than one wildcard.");
            return Err(Failure::request(message));
        }
        Ok(rule)
    });
    rules.collect()
}

fn write(rules: &[CorsRule]) -> Xml {
    let mut xml = Xml::new("CORSConfiguration");
    for rule in rules {
        xml.open("CORSRule").maybe("ID", rule.id.as_deref());
        let lists = [
            ("AllowedOrigin", &rule.origins),
            ("AllowedMethod", &rule.methods),
            ("AllowedHeader", &rule.headers),
            ("ExposeHeader", &rule.expose),
        ];
        for (name, values) in lists {
            for value in values {
                xml.text(name, value);
            }
        }
        if let Some(secs) = rule.max_age_secs {
            xml.plain("MaxAgeSeconds", secs);
        }
        xml.close();
    }
    xml
}

/// Answers a browser that asks before it sends a request. It has no credential; which account is meant is told by the
/// access key of a presigned URL, or found by the bucket's name.
pub(crate) async fn preflight(core: &Core, mark: &Mark, headers: &HeaderMap) -> Answer {
    let text = |name: &http::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let (Some(origin), Some(method)) = (text(&ORIGIN), text(&ACCESS_CONTROL_REQUEST_METHOD)) else {
        return Err(Failure::new(
            Code("BadRequest", 400),
            "Insufficient information. Origin request header and Access-Control-Request-Method are needed.",
        ));
    };
    let forbidden = |why: &'static str| Failure::new(Code("AccessForbidden", 403), why);
    let rules = rules(core, mark).await?;
    if rules.is_empty() {
        return Err(forbidden("CORSResponse: CORS is not enabled for this bucket."));
    }
    let wanted: Vec<&str> = text(&ACCESS_CONTROL_REQUEST_HEADERS)
        .unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .collect();
    let rule = rules.iter().find(|rule| {
        let heads = |name: &&str| rule.headers.iter().any(|pattern| matches(pattern, name, true));
        allows(rule, origin, method) && wanted.iter().all(heads)
    });
    let rule = rule.ok_or_else(|| {
        forbidden(
            "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request \
             method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the \
             resource's CORS spec.",
        )
    })?;
    let mut response = empty(StatusCode::OK);
    let headers = response.headers_mut();
    announce(headers, rule, origin);
    set(headers, "access-control-allow-methods", rule.methods.join(", "));
    if !wanted.is_empty() {
        set(headers, "access-control-allow-headers", wanted.join(", ").to_ascii_lowercase());
    }
    Ok(response)
}

/// Adds to an answer what lets a web page read it.
pub(crate) async fn decorate(
    core: &Core,
    mark: &Mark,
    origin: &HeaderValue,
    method: &str,
    headers: &mut HeaderMap,
) {
    let (Ok(rules), Ok(origin)) = (rules(core, mark).await, origin.to_str()) else { return };
    if let Some(rule) = rules.iter().find(|rule| allows(rule, origin, method)) {
        announce(headers, rule, origin);
        set(headers, "access-control-allow-methods", rule.methods.join(", "));
    }
}

async fn rules(core: &Core, mark: &Mark) -> Result<Vec<CorsRule>, Failure> {
    let Some(bucket) = &mark.bucket else { return Ok(Vec::new()) };
    let Ok(name) = Name::new(bucket.as_bytes(), NameRule::Strict) else { return Ok(Vec::new()) };
    let found = core.bucket_cors(mark.access_key.as_deref(), mark.account.as_deref(), &name).await;
    match found {
        Ok(rules) => Ok(rules),
        // What is not there has no rules; nobody learns whether it is.
        Err(Error { kind: ErrorKind::NotFound | ErrorKind::Unauthenticated, .. }) => Ok(Vec::new()),
        Err(error) => Err(bucket_failure(error)),
    }
}

fn allows(rule: &CorsRule, origin: &str, method: &str) -> bool {
    rule.origins.iter().any(|pattern| matches(pattern, origin, false))
        && rule.methods.iter().any(|allowed| allowed == method)
}

/// What a preflight and an answer have in common.
fn announce(headers: &mut HeaderMap, rule: &CorsRule, origin: &str) {
    let any = rule.origins.iter().any(|pattern| pattern == "*");
    set(headers, "access-control-allow-origin", if any { "*" } else { origin });
    if !any {
        set(headers, "access-control-allow-credentials", "true");
    }
    if !rule.expose.is_empty() {
        set(headers, "access-control-expose-headers", rule.expose.join(", "));
    }
    if let Some(secs) = rule.max_age_secs {
        set(headers, "access-control-max-age", secs.to_string());
    }
    set(headers, "vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method");
}

/// Whether a text is of a form with at most one `*`.
fn matches(pattern: &str, text: &str, any_case: bool) -> bool {
    let (pattern, text) = match any_case {
        true => (pattern.to_ascii_lowercase(), text.to_ascii_lowercase()),
        false => (pattern.to_owned(), text.to_owned()),
    };
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, end)) => {
            text.len() >= start.len() + end.len() && text.starts_with(start) && text.ends_with(end)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let table = [
            ("*", "http://a", true),
            ("http://a", "http://a", true),
            ("http://a", "http://ab", false),
            ("http://*.a", "http://x.a", true),
            ("http://*.a", "http://.a", true),
            ("http://*.a", "http://a", false),
            ("ab*ba", "aba", false),
            ("*.put", "foo.put", true),
            ("HTTP://A", "http://a", false),
        ];
        for (pattern, text, wanted) in table {
            assert_eq!(matches(pattern, text, false), wanted, "{pattern} {text}");
        }
        assert!(matches("X-Amz-*", "x-amz-date", true));
    }

    #[test]
    fn there_and_back() {
        let rule = CorsRule {
            id: Some("one".into()),
            origins: vec!["http://*.example.org".into()],
            methods: vec!["GET".into(), "PUT".into()],
            headers: vec!["*".into()],
            expose: vec!["ETag".into()],
            max_age_secs: Some(3000),
        };
        assert_eq!(parse(&write(std::slice::from_ref(&rule)).finish()).unwrap(), vec![rule.clone()]);
        let code = |rule: CorsRule| parse(&write(&[rule]).finish()).unwrap_err().code;
        assert_eq!(code(CorsRule { methods: vec!["PATCH".into()], ..rule.clone() }), "InvalidRequest");
        assert_eq!(code(CorsRule { origins: vec!["*.*".into()], ..rule.clone() }), "InvalidRequest");
        assert_eq!(code(CorsRule { origins: vec![], ..rule }), "MalformedXML");
        assert_eq!(parse(&write(&[]).finish()).unwrap_err().code, "MalformedXML");
    }
}
