//! From a request to its operation: what it is about, who asks, and what comes back.

use std::net::IpAddr;
use std::sync::Arc;

use allod_core::{Core, Door, Proof, Session};
use allod_kit::{Peer, RequestBody, ResponseBody};
use allod_model::{Error, ErrorKind, Name, Path, Precondition, Protocol};
use bytes::Bytes;
use http::header::{ACCESS_CONTROL_REQUEST_METHOD, CONTENT_TYPE, HeaderMap, ORIGIN, USER_AGENT};
use http::request::Parts;
use http::{Method, Request, Response};

use crate::answer::{self, RequestId};
use crate::chunked::ChunkSigner;
use crate::claims::Claims;
use crate::content::{Content, read_whole};
use crate::error::{Answer, Code, Doing, Failure};
use crate::place::{Located, PUBLIC_BUCKET, Place, locate};
use crate::query::Query;
use crate::route::{Operation, Setting, resolve};
use crate::signature::{Claim, Gatekeeper, parse_claim};
use crate::{
    attributes, bucket, copy, cors, delete, get, lifecycle, listing, lock, multipart, parts, post, put,
    refusals, settings, tagging, versions,
};

/// The protocol's name in grants.
pub(crate) const PROTOCOL: &str = "s3";
/// Longest `User-Agent` handed on, in bytes.
const CLIENT_BYTES_MAX: usize = 256;
/// A document of settings, in bytes.
const DOCUMENT_BYTES_MAX: usize = 512 * 1024;
/// A document that lists a thousand keys or ten thousand parts, in bytes.
const LIST_DOCUMENT_BYTES_MAX: usize = 8 << 20;

/// What all requests share.
pub(crate) struct Shared {
    pub(crate) core: Core,
    pub(crate) gatekeeper: Gatekeeper,
    /// Names below which buckets are host names, in lower case.
    pub(crate) domains: Vec<String>,
    pub(crate) region: String,
}

/// A request of somebody who was let in.
pub(crate) struct Call {
    pub(crate) shared: Arc<Shared>,
    pub(crate) session: Session,
    /// Nobody in particular.
    pub(crate) anonymous: bool,
    pub(crate) place: Place,
    pub(crate) query: Query,
    pub(crate) head: Parts,
    body: Option<RequestBody>,
    signer: Option<ChunkSigner>,
}

impl Call {
    /// The request's headers.
    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// One header as text; `None` when absent or not text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.headers.get(name)?.to_str().ok()
    }

    /// The bucket's name.
    pub(crate) fn bucket(&self) -> Result<Name, Failure> {
        self.place.bucket_name()
    }

    /// The object's path.
    pub(crate) fn path(&self) -> Result<Path, Failure> {
        self.place.path()
    }

    /// The object's key as sent.
    pub(crate) fn key(&self) -> &str {
        match &self.place {
            Place::Object(_, key) => key,
            Place::Service | Place::Bucket(_) => "",
        }
    }

    /// The user id of the account.
    pub(crate) fn owner(&self) -> String {
        owner_of(&self.session.account())
    }

    /// The body as content to be stored, and what the request says of it.
    pub(crate) fn content(&mut self) -> Result<(Content, Claims), Failure> {
        let claims = Claims::parse(self.headers())?;
        let body = self.body.take().unwrap_or_else(RequestBody::empty);
        let content = Content::new(body, &claims, self.signer.take())?;
        Ok((content, claims))
    }

    /// The body as a document of settings.
    pub(crate) async fn document(&mut self) -> Result<Bytes, Failure> {
        self.read(DOCUMENT_BYTES_MAX).await
    }

    /// The body as a document that lists keys or parts.
    pub(crate) async fn list_document(&mut self) -> Result<Bytes, Failure> {
        self.read(LIST_DOCUMENT_BYTES_MAX).await
    }

    /// The body that finishes an upload. The checksum in the headers is the object's, not the body's.
    pub(crate) async fn upload_document(&mut self) -> Result<Bytes, Failure> {
        let mut headers = self.head.headers.clone();
        for name in self.head.headers.keys().filter(|name| name.as_str().contains("-checksum-")) {
            headers.remove(name);
        }
        let claims = Claims::parse(&headers)?;
        let body = self.body.take().unwrap_or_else(RequestBody::empty);
        read_whole(body, &claims, self.signer.take(), LIST_DOCUMENT_BYTES_MAX).await
    }

    async fn read(&mut self, max: usize) -> Result<Bytes, Failure> {
        let claims = Claims::parse(self.headers())?;
        let body = self.body.take().unwrap_or_else(RequestBody::empty);
        read_whole(body, &claims, self.signer.take(), max).await
    }

    /// Whether the request asks to end a governance retention early.
    pub(crate) fn bypasses_governance(&self) -> bool {
        let header = self.header("x-amz-bypass-governance-retention");
        header.is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
    }
}

/// The user id of an account: its name, which needs no looking up.
pub(crate) fn owner_of(account: &str) -> String {
    account.to_owned()
}

/// Translates core's failures with objects.
pub(crate) fn object_failure(error: Error) -> Failure {
    Failure::of(error, Doing::Object)
}

/// S3 has a code of its own for `If-Match` on what is not there.
pub(crate) async fn if_match_failure(
    call: &Call,
    path: &Path,
    pre: &Precondition,
    failure: Failure,
) -> Failure {
    if pre.if_match.is_none() || !failure.is(Code::PRECONDITION_FAILED) {
        return failure;
    }
    match call.session.stat_object(path, None, &Precondition::default()).await {
        Err(error) if error.kind == ErrorKind::NotFound => object_failure(error),
        _ => failure,
    }
}

/// Translates core's failures with buckets.
pub(crate) fn bucket_failure(error: Error) -> Failure {
    Failure::of(error, Doing::Bucket)
}

/// Answers a request of any kind.
pub(crate) async fn handle(
    shared: &Arc<Shared>,
    request: Request<RequestBody>,
    peer: Peer,
) -> Response<ResponseBody> {
    let id = RequestId::new();
    let (head, body) = request.into_parts();
    let resource = head.uri.path().to_owned();
    let is_head = head.method == Method::HEAD;
    let origin = head.headers.get(ORIGIN).cloned();
    let method = head.method.clone();
    let asked_method = head.headers.get(ACCESS_CONTROL_REQUEST_METHOD).cloned();
    let asked = Asked::parse(shared, &head);
    let marks = asked.as_ref().ok().map(Asked::mark);
    let answer = match asked {
        Ok(asked) => answer_asked(shared, asked, head, body, peer).await,
        Err(failure) => Err(failure),
    };
    let mut response = answer.unwrap_or_else(|failure| {
        if failure.is(Code::INTERNAL_ERROR) || failure.is(Code::SLOW_DOWN) {
            tracing::warn!(id = id.as_str(), code = %failure.code, message = %failure.message, "S3 request failed");
        }
        failure.into_response(&resource, &id, is_head)
    });
    if let (Some(origin), Some(mark)) = (origin, marks)
        && method != Method::OPTIONS
    {
        let method = asked_method.as_ref().and_then(|value| value.to_str().ok()).unwrap_or(method.as_str());
        cors::decorate(&shared.core, &mark, &origin, method, response.headers_mut()).await;
    }
    answer::finish(&mut response, &id);
    response
}

/// A request before anybody was let in.
struct Asked {
    located: Located,
    query: Query,
    claim: Option<Claim>,
}

/// Whose bucket a request is about, for cross-origin rules.
pub(crate) struct Mark {
    pub(crate) bucket: Option<String>,
    pub(crate) access_key: Option<String>,
    pub(crate) account: Option<String>,
}

impl Asked {
    fn parse(shared: &Shared, head: &Parts) -> Result<Asked, Failure> {
        let query = Query::parse(head.uri.query())?;
        let located = locate(head, &shared.domains)?;
        let claim = match head.method == Method::OPTIONS {
            true => None,
            false => parse_claim(&head.headers, &query)?,
        };
        Ok(Asked { located, query, claim })
    }

    fn mark(&self) -> Mark {
        // A presigned URL names its key; its preflight comes without the signature being looked at.
        let in_query = self.query.value("X-Amz-Credential").and_then(|text| text.split('/').next());
        let claimed = self.claim.as_ref().map(|claim| claim.access_key.as_str());
        Mark {
            bucket: self.located.place.bucket().map(str::to_owned),
            access_key: claimed.or(in_query).map(str::to_owned),
            account: self.located.account.clone(),
        }
    }
}

async fn answer_asked(
    shared: &Arc<Shared>,
    asked: Asked,
    head: Parts,
    body: RequestBody,
    peer: Peer,
) -> Answer {
    if head.method == Method::OPTIONS {
        return cors::preflight(&shared.core, &asked.mark(), &head.headers).await;
    }
    let copies = head.headers.contains_key("x-amz-copy-source");
    let form = post::boundary(head.headers.get(CONTENT_TYPE)).filter(|_| head.method == Method::POST);
    let operation = resolve(&head.method, &asked.located.place, &asked.query, copies, form.is_some())?;
    refusals::check(&head.headers, asked.located.place.bucket())?;
    let door = door(&head.headers, peer.client);
    if let (Operation::PostObject, Some(boundary)) = (operation, form) {
        return post::handle(shared, &asked.located.place, &head, body, &boundary, door).await;
    }
    let (session, signer, anonymous) = match &asked.claim {
        Some(claim) => {
            let admitted = shared.gatekeeper.admit(&shared.core, &head, claim, door).await?;
            (admitted.session, admitted.signer, false)
        }
        None => (admit_anyone(shared, &asked, operation, door).await?, None, true),
    };
    // The public corner of another account is read without a signature.
    if !anonymous && asked.located.account.as_ref().is_some_and(|account| *account != session.account()) {
        return Err(Failure::denied());
    }
    check_owner(&head.headers, &session)?;
    let revoked = session.clone();
    let call = Call {
        shared: shared.clone(),
        session,
        anonymous,
        place: asked.located.place,
        query: asked.query,
        head,
        body: Some(body),
        signer,
    };
    tokio::select! {
        biased;
        answer = perform(call, operation) => answer,
        () = revoked.revoked() => Err(Failure::denied()),
    }
}

pub(crate) fn door(headers: &HeaderMap, address: IpAddr) -> Door {
    let client = headers.get(USER_AGENT).map(|agent| {
        let bytes = agent.as_bytes();
        String::from_utf8_lossy(&bytes[..bytes.len().min(CLIENT_BYTES_MAX)]).into_owned()
    });
    Door { protocols: vec![Protocol::new(PROTOCOL)], address: Some(address), client }
}

/// Anybody may read what is below `public` by its name, and nothing else.
async fn admit_anyone(
    shared: &Shared,
    asked: &Asked,
    operation: Operation,
    door: Door,
) -> Result<Session, Failure> {
    let public = asked.located.place.bucket() == Some(PUBLIC_BUCKET);
    if !public || !operation.is_anonymous_read() {
        return Err(Failure::denied());
    }
    let proof = Proof::Anonymous { account: asked.located.account.clone() };
    shared.core.authenticate(proof, door).await.map_err(|error| match error.kind {
        ErrorKind::Unauthenticated => Failure::denied(),
        _ => Failure::of(error, Doing::Login),
    })
}

/// A client may say whose bucket it means.
fn check_owner(headers: &HeaderMap, session: &Session) -> Result<(), Failure> {
    for name in ["x-amz-expected-bucket-owner", "x-amz-source-expected-bucket-owner"] {
        let Some(value) = headers.get(name) else { continue };
        let account = session.account();
        if value.to_str().unwrap_or_default() != owner_of(&account) {
            return Err(Failure::denied());
        }
    }
    Ok(())
}

async fn perform(mut call: Call, operation: Operation) -> Answer {
    let call = &mut call;
    match operation {
        Operation::ListBuckets => bucket::list(call).await,
        Operation::CreateBucket => bucket::create(call).await,
        Operation::HeadBucket => bucket::head(call).await,
        Operation::DeleteBucket => bucket::delete(call).await,
        Operation::GetSetting(setting) => get_setting(call, setting).await,
        Operation::PutSetting(setting) => put_setting(call, setting).await,
        Operation::DeleteSetting(setting) => delete_setting(call, setting).await,
        Operation::ListObjects => listing::list_v1(call).await,
        Operation::ListObjectsV2 => listing::list_v2(call).await,
        Operation::ListVersions => versions::list(call).await,
        Operation::ListUploads => parts::list_uploads(call).await,
        Operation::DeleteObjects => delete::many(call).await,
        Operation::GetObject | Operation::HeadObject => get::handle(call).await,
        Operation::GetAttributes => attributes::handle(call).await,
        Operation::PutObject => put::handle(call).await,
        Operation::CopyObject => copy::object(call).await,
        Operation::DeleteObject => delete::one(call).await,
        Operation::GetTagging => tagging::get_object(call).await,
        Operation::PutTagging => tagging::put_object(call).await,
        Operation::DeleteTagging => tagging::delete_object(call).await,
        Operation::GetRetention => lock::get_retention(call).await,
        Operation::PutRetention => lock::put_retention(call).await,
        Operation::GetLegalHold => lock::get_legal_hold(call).await,
        Operation::PutLegalHold => lock::put_legal_hold(call).await,
        Operation::GetObjectAcl => settings::get_object_acl(call).await,
        Operation::PutObjectAcl => settings::put_object_acl(call).await,
        Operation::CreateUpload => multipart::create(call).await,
        Operation::UploadPart => parts::upload(call).await,
        Operation::CopyPart => copy::part(call).await,
        Operation::ListParts => parts::list(call).await,
        Operation::CompleteUpload => multipart::complete(call).await,
        Operation::AbortUpload => multipart::abort(call).await,
        // A form is answered before anybody is let in by a signature of the head.
        Operation::PostObject => Err(Failure::new(Code::MALFORMED_POST, "this is not an HTML form")),
    }
}

async fn get_setting(call: &mut Call, setting: Setting) -> Answer {
    match setting {
        Setting::Cors => cors::get(call).await,
        Setting::Lifecycle => lifecycle::get(call).await,
        Setting::ObjectLock => lock::get_configuration(call).await,
        Setting::Tagging => tagging::get_bucket(call).await,
        setting => settings::get(call, setting).await,
    }
}

async fn put_setting(call: &mut Call, setting: Setting) -> Answer {
    match setting {
        Setting::Cors => cors::put(call).await,
        Setting::Lifecycle => lifecycle::put(call).await,
        Setting::ObjectLock => lock::put_configuration(call).await,
        Setting::Tagging => tagging::put_bucket(call).await,
        setting => settings::put(call, setting).await,
    }
}

async fn delete_setting(call: &mut Call, setting: Setting) -> Answer {
    match setting {
        Setting::Cors => cors::delete(call).await,
        Setting::Lifecycle => lifecycle::delete(call).await,
        Setting::Tagging => tagging::delete_bucket(call).await,
        setting => settings::delete(call, setting).await,
    }
}
