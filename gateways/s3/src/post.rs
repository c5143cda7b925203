//! POST Object: upload by an HTML form with a signed policy. The file is streamed as any other content.

use std::sync::Arc;
use std::task::{Poll, ready};

use allod_core::{Arrived, Door, Node, Object};
use allod_kit::{RequestBody, ResponseBody};
use allod_model::Precondition;
use futures_util::{Stream, StreamExt};
use http::header::HOST;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::answer::{document, empty, set};
use crate::chunked::{ChunkSigner, parse_amz_time, same_text};
use crate::claims::{Claims, Payload, Taken};
use crate::content::Outcome;
use crate::error::{Answer, Code, Doing, Failure};
use crate::facts::{self, facts_of, identify_written, show_checksum};
use crate::form::{Fields, Form};
use crate::handle::Shared;
use crate::place::{Place, object_path};
use crate::policy::{self, Lengths};
use crate::put::put_options;
use crate::signature::{CLOCK_SKEW_SECS_MAX, open_session, parse_credential};
use crate::xml::Xml;
use crate::{refusals, tagging};

pub(crate) use crate::form::boundary;

/// How long before its use a form may have been signed, in seconds: 7 days.
const SIGNED_SECS_MAX: i64 = 7 * 86_400;
/// Field names that are also headers of a PUT.
const HEADERS: [&str; 6] = [
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
];

/// POST Object.
pub(crate) async fn handle(
    shared: &Arc<Shared>,
    place: &Place,
    head: &Parts,
    body: RequestBody,
    boundary: &str,
    door: Door,
) -> Answer {
    let bucket = place.bucket().unwrap_or_default();
    let (fields, form) = Form::begin(body, boundary).await?;
    let now = shared.core.now();
    let key = admit(shared, &fields, &door, now).await?;
    let policy = fields.get("policy").unwrap_or_default();
    let name = fields.get("key").filter(|key| !key.is_empty()).ok_or_else(|| {
        Failure::argument(
            "Bucket POST must contain a field named 'key'. If it is specified, please check the order of the fields.",
        )
        .fact("ArgumentName", "key")
    })?;
    let name = name.replace("${filename}", &fields.filename);
    let lengths = policy::judge(policy, &fields, bucket, &name, now)?;
    let session = open_session(&shared.core, key, door).await?;
    let headers = headers_of(&fields)?;
    refusals::check(&headers, Some(bucket))?;
    let (media_type, mut object) = facts::parse(&headers)?;
    if let Some(tags) = fields.get("tagging") {
        object.tags = tagging::parse(tags.as_bytes(), allod_core::OBJECT_TAGS_MAX)?;
    }
    let claims = Claims { payload: Payload::Unsigned, length: None, ..Claims::parse(&headers)? };
    let outcome = Outcome::default();
    let file = file(form, claims.clone(), lengths, outcome.clone());
    let judged = outcome.clone();
    let at_end = move |arrived: &Arrived, object: &mut Object| {
        let verdict = judge(&claims, lengths, arrived, judged.taken());
        object.checksum = Some(verdict.map_err(|failure| judged.fail(failure))?);
        Ok(())
    };
    let options = put_options(media_type, object, None);
    let path = object_path(bucket, &name)?;
    let written = session.put_object(&path, options, Precondition::default(), file, at_end).await;
    let written = written.map_err(|error| outcome.explain(error, Doing::Object))?;
    respond(head, &fields, bucket, &name, &written.node)
}

/// Checks the policy's signature.
async fn admit(
    shared: &Shared,
    fields: &Fields,
    door: &Door,
    now: allod_model::Timestamp,
) -> Result<allod_core::SigningKey, Failure> {
    if fields.get("awsaccesskeyid").is_some() || fields.get("signature").is_some() {
        return Err(Failure::request(
            "The authorization mechanism you have provided is not supported. Please use Signature Version 4: \
             x-amz-credential, x-amz-algorithm, x-amz-date and x-amz-signature.",
        ));
    }
    // A form without a policy is anonymous, and nobody may write anonymously.
    let Some(policy) = fields.get("policy") else { return Err(Failure::denied()) };
    let field = |name: &'static str| {
        fields.get(name).ok_or_else(|| {
            Failure::argument(format!("Bucket POST must contain a field named '{name}'."))
                .fact("ArgumentName", name)
        })
    };
    if field("x-amz-algorithm")? != "AWS4-HMAC-SHA256" {
        return Err(Failure::argument("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\""));
    }
    let (access_key, scope) = parse_credential(field("x-amz-credential")?)?;
    let text = field("x-amz-date")?;
    let time = parse_amz_time(text).filter(|_| scope.starts_with(text.get(..8).unwrap_or(" ")));
    let time = time.ok_or_else(|| Failure::argument("x-amz-date is not the time of the credential's day"))?;
    let age = now.secs() - time.secs();
    if !(-i64::from(CLOCK_SKEW_SECS_MAX)..=SIGNED_SECS_MAX).contains(&age) {
        let message = "The form was signed too long ago, or in the future. Sign it anew, and set your clock.";
        return Err(Failure::new(Code::ACCESS_DENIED, message));
    }
    let key = shared.core.signing_key(&access_key, door).await;
    let key = key.map_err(|error| Failure::of(error, Doing::Login))?;
    let signed = ChunkSigner::new(key.secret(), text, &scope, "").sign(policy);
    if !same_text(&signed, field("x-amz-signature")?) {
        shared.core.signature_failed(&key, door);
        let message = "The request signature we calculated does not match the signature you provided.";
        return Err(Failure::new(Code::SIGNATURE_MISMATCH, message));
    }
    Ok(key)
}

/// The fields that mean what headers of a PUT mean.
fn headers_of(fields: &Fields) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    for (name, value) in fields.iter() {
        let header = match name {
            "acl" => "x-amz-acl",
            name if HEADERS.contains(&name) || name == "content-md5" => name,
            name if name.starts_with("x-amz-") && !is_about_signature(name) => name,
            _ => continue,
        };
        let wrong = || Failure::argument(format!("The field '{name}' cannot stand in a header"));
        let header = HeaderName::try_from(header).map_err(|_| wrong())?;
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| wrong())?;
        headers.append(header, value);
    }
    Ok(headers)
}

fn is_about_signature(name: &str) -> bool {
    matches!(
        name,
        "x-amz-algorithm" | "x-amz-credential" | "x-amz-date" | "x-amz-signature" | "x-amz-content-sha256"
    )
}

/// The file's bytes, with its checksum taken in passing; ends in an `Err` when the form breaks off or is longer than
/// the policy lets it be.
fn file(
    mut form: Form,
    claims: Claims,
    lengths: Option<Lengths>,
    outcome: Outcome,
) -> impl Stream<Item = allod_model::Result<bytes::Bytes>> + Send + Unpin {
    let max = lengths.map_or(u64::MAX, |lengths| lengths.max).min(allod_core::PART_BYTES_MAX);
    let mut summer = Some(allod_core::ChecksumHasher::new(claims.kind()));
    let mut received = 0_u64;
    futures_util::stream::poll_fn(move |context| {
        let Some(taking) = &mut summer else { return Poll::Ready(None) };
        let failure = match ready!(form.poll_next_unpin(context)) {
            Some(Ok(piece)) => {
                received += piece.len() as u64;
                if received <= max {
                    taking.update(&piece);
                    return Poll::Ready(Some(Ok(piece)));
                }
                too_long(max)
            }
            Some(Err(failure)) => failure,
            None => {
                if let Some(summer) = summer.take() {
                    let (kind, checksum) = (summer.kind(), summer.finish().value);
                    outcome.set(Taken { sha256: None, kind, checksum, kept: None, trailers: Vec::new() });
                }
                return Poll::Ready(None);
            }
        };
        summer = None;
        Poll::Ready(Some(Err(outcome.fail(failure))))
    })
}

fn too_long(max: u64) -> Failure {
    Failure::new(Code::ENTITY_TOO_LARGE, "Your proposed upload exceeds the maximum allowed size")
        .fact("MaxSizeAllowed", max.to_string())
}

fn judge(
    claims: &Claims,
    lengths: Option<Lengths>,
    arrived: &Arrived,
    taken: Option<Taken>,
) -> Result<allod_core::Checksum, Failure> {
    if let Some(lengths) = lengths
        && arrived.size < lengths.min
    {
        let message = "Your proposed upload is smaller than the minimum allowed size";
        return Err(Failure::new(Code::ENTITY_TOO_SMALL, message)
            .fact("ProposedSize", arrived.size.to_string())
            .fact("MinSizeAllowed", lengths.min.to_string()));
    }
    let taken = taken.ok_or_else(|| Failure::request("the form did not end"))?;
    claims.judge(arrived, taken)
}

fn respond(
    head: &Parts,
    fields: &Fields,
    bucket: &str,
    key: &str,
    node: &Node,
) -> Result<Response<ResponseBody>, Failure> {
    let facts = facts_of(node)?;
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let host = head.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let location = format!("http://{host}/{bucket}/{}", encode(key).replace("%2F", "/"));
    let redirect = fields.get("success_action_redirect").or_else(|| fields.get("redirect"));
    let redirect = redirect.and_then(|url| url.parse::<http::Uri>().ok()).filter(|url| url.host().is_some());
    let mut response = match (redirect, fields.get("success_action_status")) {
        (Some(url), _) => {
            let mark = if url.query().is_some() { '&' } else { '?' };
            let etag = encode(&format!("\"{}\"", facts.etag));
            let mut response = empty(StatusCode::SEE_OTHER);
            let to = format!("{url}{mark}bucket={}&key={}&etag={etag}", encode(bucket), encode(key));
            set(response.headers_mut(), "location", to);
            response
        }
        (None, Some("201")) => {
            let mut xml = Xml::bare("PostResponse");
            xml.text("Location", &location).text("Bucket", bucket).text("Key", key).etag(&facts.etag);
            let mut response = document(xml);
            *response.status_mut() = StatusCode::CREATED;
            set(response.headers_mut(), "location", &location);
            response
        }
        (None, status) => {
            let ok = if status == Some("200") { StatusCode::OK } else { StatusCode::NO_CONTENT };
            let mut response = empty(ok);
            set(response.headers_mut(), "location", &location);
            response
        }
    };
    identify_written(response.headers_mut(), facts);
    show_checksum(response.headers_mut(), &facts.object);
    Ok(response)
}
