//! Who asks: Signature V4 in the `Authorization` header or in a presigned URL, checked by s3s.
//!
//! s3s sees the head of a request and an empty body: it rebuilds the canonical request and compares signatures, and
//! nothing else of it runs. What it does not look at is looked at here: which headers must be signed, how long a
//! presigned URL may live, and that nobody comes by Signature V2.

use std::sync::Arc;

use allod_core::{Core, Door, Proof, Session, SigningKey};
use async_trait::async_trait;
use http::header::{AUTHORIZATION, DATE, HeaderValue};
use http::request::Parts;
use http::{Extensions, HeaderMap, Method, Request, StatusCode, Uri};
use s3s::auth::{S3Auth, SecretKey};
use s3s::config::{S3Config, StaticConfigProvider};
use s3s::route::S3Route;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::validation::NameValidation;
use s3s::{Body, S3, S3Request, S3Response, S3Result};

use crate::answer::parse_http_time;
use crate::chunked::{ChunkSigner, parse_amz_time};
use crate::error::{Code, Doing, Failure};
use crate::query::Query;

/// How far a request's clock may be off, in seconds.
pub(crate) const CLOCK_SKEW_SECS_MAX: u32 = 15 * 60;
/// How long a presigned URL may be good, in seconds: 7 days.
const PRESIGNED_SECS_MAX: i64 = 7 * 86_400;
/// Hexadecimal digits of a signature.
const SIGNATURE_DIGITS: usize = 64;
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const USE_V4: &str = "The authorization mechanism you have provided is not supported. Please use Signature Version 4 \
                      (AWS4-HMAC-SHA256); in older tools: signature_version = s3v4.";

tokio::task_local! {
    /// The key of the request whose signature is being checked.
    static KEY: SigningKey;
}

/// What a request says of its signature.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Claim {
    pub(crate) access_key: String,
    /// `DATE/REGION/s3/aws4_request`.
    scope: String,
    signed_headers: Vec<String>,
    signature: String,
    /// In the query instead of in a header.
    presigned: bool,
}

/// Reads what a request says of its signature; `None` when it has none.
///
/// # Errors
/// `InvalidRequest` for Signature V2, `InvalidArgument` for other schemes,
/// `AuthorizationQueryParametersError` and `AuthorizationHeaderMalformed`.
pub(crate) fn parse_claim(headers: &HeaderMap, query: &Query) -> Result<Option<Claim>, Failure> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let header = values.next();
    let in_query = query.has("X-Amz-Algorithm") || query.has("X-Amz-Signature");
    let is_v2 = query.has("AWSAccessKeyId") || query.has("Signature");
    if values.next().is_some() || (header.is_some() && (in_query || is_v2)) {
        return Err(Failure::argument(
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string \
             parameter or the Authorization header should be specified",
        ));
    }
    if is_v2 {
        return Err(Failure::request(USE_V4));
    }
    match header {
        Some(value) => parse_header(value.to_str().unwrap_or_default()).map(Some),
        None if in_query => parse_query(query).map(Some),
        None => Ok(None),
    }
}

fn parse_header(text: &str) -> Result<Claim, Failure> {
    let (scheme, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
    match scheme {
        ALGORITHM => {}
        "AWS" => return Err(Failure::request(USE_V4)),
        _ if scheme.starts_with("AWS4-") => {
            return Err(Failure::not_implemented("Only AWS4-HMAC-SHA256 is implemented"));
        }
        _ => return Err(Failure::argument("Unsupported Authorization Type: use Signature Version 4")),
    }
    let field = |name: &str| {
        let found = rest.split(',').find_map(|one| one.trim().strip_prefix(name)?.strip_prefix('='));
        found.filter(|value| !value.is_empty()).ok_or_else(|| {
            let message = format!("The authorization header is malformed; {name} is missing.");
            Failure::foreign("AuthorizationHeaderMalformed".into(), StatusCode::BAD_REQUEST, message)
        })
    };
    let (access_key, scope) = parse_credential(field("Credential")?)?;
    Ok(Claim {
        access_key,
        scope,
        signed_headers: field("SignedHeaders")?.split(';').map(str::to_ascii_lowercase).collect(),
        signature: field("Signature")?.to_owned(),
        presigned: false,
    })
}

fn parse_query(query: &Query) -> Result<Claim, Failure> {
    let wrong = |message: &str| Failure::new(Code::QUERY_PARAMETERS, message.to_owned());
    let field = |name: &str| {
        query.value(name).filter(|value| !value.is_empty()).ok_or_else(|| {
            wrong(
                "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, \
                 X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
            )
        })
    };
    if field("X-Amz-Algorithm")? != ALGORITHM {
        return Err(wrong("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\""));
    }
    field("X-Amz-Date")?;
    // Refused with 403, as a URL that is over is: no client learns anything from the difference.
    let expires =
        field("X-Amz-Expires")?.parse::<i64>().ok().filter(|secs| (1..=PRESIGNED_SECS_MAX).contains(secs));
    if expires.is_none() {
        let message = "X-Amz-Expires must be between 1 and 604800 seconds (a week)";
        let mut failure = wrong(message);
        failure.status = StatusCode::FORBIDDEN;
        return Err(failure);
    }
    let (access_key, scope) = parse_credential(field("X-Amz-Credential")?)?;
    Ok(Claim {
        access_key,
        scope,
        signed_headers: field("X-Amz-SignedHeaders")?.split(';').map(str::to_ascii_lowercase).collect(),
        signature: field("X-Amz-Signature")?.to_owned(),
        presigned: true,
    })
}

/// `KEY/DATE/REGION/s3/aws4_request`. Every region will do: there is but one place.
pub(crate) fn parse_credential(text: &str) -> Result<(String, String), Failure> {
    let words: Vec<&str> = text.split('/').collect();
    match words.as_slice() {
        [key, date, region, "s3", "aws4_request"] if !key.is_empty() => {
            Ok(((*key).to_owned(), format!("{date}/{region}/s3/aws4_request")))
        }
        [_, _, _, service, _] if *service != "s3" => {
            Err(Failure::request("The credential is scoped to another service: sign for the service 's3'"))
        }
        _ => Err(Failure::foreign(
            "AuthorizationHeaderMalformed".into(),
            StatusCode::BAD_REQUEST,
            "The credential is malformed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/s3/aws4_request\".".into(),
        )),
    }
}

/// Checks signatures and opens sessions.
pub(crate) struct Gatekeeper {
    service: S3Service,
}

/// Somebody whose signature was found right.
pub(crate) struct Admitted {
    pub(crate) session: Session,
    /// Signs the chunks of the body.
    pub(crate) signer: Option<ChunkSigner>,
}

impl Gatekeeper {
    /// A checker of signatures.
    pub(crate) fn new() -> Gatekeeper {
        let mut config = S3Config::default();
        config.presigned_url_max_skew_time_secs = CLOCK_SKEW_SECS_MAX;
        // Nothing of a body ever reaches s3s; should that change, it meets small bounds.
        config.xml_max_body_size = 0;
        config.post_object_max_file_size = 0;
        config.form_max_fields_size = 0;
        let mut builder = S3ServiceBuilder::new(NoOperation);
        builder.set_auth(KeyOfRequest);
        builder.set_route(Passage);
        builder.set_validation(AnyName);
        builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
        Gatekeeper { service: builder.build() }
    }

    /// Checks a request's signature and opens the session of who signed it.
    ///
    /// # Errors
    /// `InvalidAccessKeyId`, `SignatureDoesNotMatch`, `RequestTimeTooSkewed`, `AccessDenied`, `SlowDown`.
    pub(crate) async fn admit(
        &self,
        core: &Core,
        head: &Parts,
        claim: &Claim,
        door: Door,
    ) -> Result<Admitted, Failure> {
        check_signed_headers(head, claim)?;
        let time = request_time(head, claim)?;
        let key =
            core.signing_key(&claim.access_key, &door).await.map_err(|e| Failure::of(e, Doing::Login))?;
        let checked = match claim.signature.len() == SIGNATURE_DIGITS {
            true => KEY.scope(key.clone(), self.check(head, time.as_deref())).await,
            false => Err(mismatch()),
        };
        if let Err(failure) = checked {
            if failure.is(Code::SIGNATURE_MISMATCH) {
                core.signature_failed(&key, &door);
            }
            return Err(failure);
        }
        let signer = time.map(|time| ChunkSigner::new(key.secret(), &time, &claim.scope, &claim.signature));
        let session = open_session(core, key, door).await?;
        Ok(Admitted { session, signer })
    }

    async fn check(&self, head: &Parts, time: Option<&str>) -> Result<(), Failure> {
        let mut request = Request::new(Body::empty());
        *request.method_mut() = head.method.clone();
        *request.uri_mut() = head.uri.clone();
        *request.version_mut() = head.version;
        *request.headers_mut() = head.headers.clone();
        if let Some(time) = time.and_then(|time| HeaderValue::from_str(time).ok()) {
            request.headers_mut().entry("x-amz-date").or_insert(time);
        }
        let answer = self.service.call(request).await;
        let Ok(answer) = answer else {
            return Err(Failure::request("The signature of this request cannot be checked"));
        };
        if answer.extensions().get::<Passed>().is_some() {
            return Ok(());
        }
        let document = answer.body().bytes().unwrap_or_default();
        Err(read_refusal(answer.status(), &String::from_utf8_lossy(&document)))
    }
}

/// Opens the session of a key whose signature was found right.
pub(crate) async fn open_session(core: &Core, key: SigningKey, door: Door) -> Result<Session, Failure> {
    core.authenticate(Proof::Signature(key), door).await.map_err(|error| Failure::of(error, Doing::Login))
}

fn mismatch() -> Failure {
    Failure::new(
        Code::SIGNATURE_MISMATCH,
        "The request signature we calculated does not match the signature you provided. Check your secret key and \
         signing method.",
    )
}

/// What s3s answered, in our words.
fn read_refusal(status: StatusCode, document: &str) -> Failure {
    let element = |name: &str| {
        let start = document.split_once(&format!("<{name}>"))?.1;
        Some(start.split_once(&format!("</{name}>"))?.0.to_owned())
    };
    let code = element("Code").unwrap_or_default();
    let known = match code.as_str() {
        "SignatureDoesNotMatch" => return mismatch(),
        "RequestTimeTooSkewed" => {
            "The difference between the request time and the current time is too large. Set your clock."
        }
        "" => return Failure::request("The signature of this request cannot be checked"),
        _ => "",
    };
    let message = element("Message").filter(|_| known.is_empty()).unwrap_or_else(|| known.to_owned());
    let status = if status.is_client_error() { status } else { StatusCode::BAD_REQUEST };
    Failure::foreign(code, status, message)
}

/// S3 wants the host and every header of its own to be signed: otherwise whoever holds a presigned URL could add
/// `x-amz-copy-source` or take off a condition.
fn check_signed_headers(head: &Parts, claim: &Claim) -> Result<(), Failure> {
    let is_signed = |name: &str| claim.signed_headers.iter().any(|signed| signed == name);
    let missing: Vec<&str> = head
        .headers
        .keys()
        .map(http::HeaderName::as_str)
        .filter(|name| name.starts_with("x-amz-") && !is_signed(name))
        // The body's hash is compared with the body, so nothing is gained by forging it.
        .filter(|name| !(claim.presigned && *name == "x-amz-content-sha256"))
        .chain((!is_signed("host")).then_some("host"))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let message = "There were headers present in the request which were not signed";
    Err(Failure::new(Code::ACCESS_DENIED, message).fact("HeadersNotSigned", missing.join(", ")))
}

/// The time of signing as Signature V4 writes it; `None` for a presigned URL, whose body has no chunks.
fn request_time(head: &Parts, claim: &Claim) -> Result<Option<String>, Failure> {
    if claim.presigned {
        return Ok(None);
    }
    let denied = || {
        let message = "AWS authentication requires a valid Date or x-amz-date header";
        Failure::new(Code::ACCESS_DENIED, message)
    };
    if let Some(value) = head.headers.get("x-amz-date") {
        let text = value.to_str().map_err(|_| denied())?;
        parse_amz_time(text).ok_or_else(denied)?;
        return Ok(Some(text.to_owned()));
    }
    // Some clients sign the Date header instead.
    let text = head.headers.get(DATE).and_then(|value| value.to_str().ok()).ok_or_else(denied)?;
    if parse_amz_time(text).is_some() {
        return Ok(Some(text.to_owned()));
    }
    // RFC 5322 §3.3 writes zones as numbers; some clients do so here.
    let zone = text.strip_suffix("-0000").or(text.strip_suffix("+0000"));
    let time = parse_http_time(&zone.map_or_else(|| text.to_owned(), |start| format!("{start}GMT")));
    let time = time.ok_or_else(denied)?;
    let iso = crate::answer::iso_time(time);
    Ok(Some(iso.split('.').next().unwrap_or_default().replace(['-', ':'], "") + "Z"))
}

/// Gives s3s the key that was looked up for this request.
struct KeyOfRequest;

#[async_trait]
impl S3Auth for KeyOfRequest {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        let found =
            KEY.try_with(|key| (key.access_key() == access_key).then(|| SecretKey::from(key.secret())));
        found.ok().flatten().ok_or_else(|| s3s::s3_error!(InvalidAccessKeyId))
    }
}

/// Marks an answer: the signature is right.
#[derive(Clone)]
struct Passed;

/// Takes every request whose signature is right, so that none is routed by s3s.
struct Passage;

#[async_trait]
impl S3Route for Passage {
    fn is_match(&self, _: &Method, _: &Uri, _: &HeaderMap, _: &mut Extensions) -> bool {
        true
    }

    async fn call(&self, _: S3Request<Body>) -> S3Result<S3Response<Body>> {
        let mut answer = S3Response::new(Body::empty());
        answer.extensions.insert(Passed);
        Ok(answer)
    }
}

/// s3s serves no operation itself.
struct NoOperation;

impl S3 for NoOperation {}

/// Which names are legal for a bucket is decided in core.
struct AnyName;

impl NameValidation for AnyName {
    fn validate_bucket_name(&self, _: &str) -> bool {
        true
    }
}

#[cfg(test)]
mod tests;
