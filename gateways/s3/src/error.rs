//! What goes wrong, in S3's words.
//!
//! Codes and statuses are those of the S3 API reference, "Error responses". Clients decide by the code whether to try
//! again, so each is chosen for what the client will do with it; the message is for the person in front of it.

use std::borrow::Cow;

use allod_kit::{ResponseBody, empty_body, full_body};
use allod_model::{Detail, Error, ErrorKind};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};

use crate::answer::RequestId;
use crate::version::version_text;
use crate::xml::Xml;

/// When to come back after storage failed, in seconds.
const UNAVAILABLE_RETRY_SECS: u64 = 5;
/// When to come back after competing operations, in seconds.
const BUSY_RETRY_SECS: u64 = 1;

/// An answer, or why there is none.
pub(crate) type Answer = Result<Response<ResponseBody>, Failure>;

/// An error code of the S3 API and its status.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Code(pub(crate) &'static str, pub(crate) u16);

macro_rules! codes {
    ($($name:ident = $code:literal $status:literal;)*) => {
        impl Code {
            $(pub(crate) const $name: Code = Code($code, $status);)*
        }
    };
}

codes! {
    ACCESS_DENIED = "AccessDenied" 403;
    ACL_NOT_SUPPORTED = "AccessControlListNotSupported" 400;
    BAD_DIGEST = "BadDigest" 400;
    BUCKET_NOT_EMPTY = "BucketNotEmpty" 409;
    ENTITY_TOO_LARGE = "EntityTooLarge" 400;
    ENTITY_TOO_SMALL = "EntityTooSmall" 400;
    ILLEGAL_VERSIONING = "IllegalVersioningConfigurationException" 400;
    INCOMPLETE_BODY = "IncompleteBody" 400;
    INTERNAL_ERROR = "InternalError" 500;
    INVALID_ACCESS_KEY = "InvalidAccessKeyId" 403;
    INVALID_ARGUMENT = "InvalidArgument" 400;
    INVALID_BUCKET_NAME = "InvalidBucketName" 400;
    INVALID_BUCKET_STATE = "InvalidBucketState" 409;
    INVALID_DIGEST = "InvalidDigest" 400;
    INVALID_ENCRYPTION = "InvalidEncryptionAlgorithmError" 400;
    INVALID_PART = "InvalidPart" 400;
    INVALID_PART_ORDER = "InvalidPartOrder" 400;
    INVALID_POLICY = "InvalidPolicyDocument" 400;
    INVALID_RANGE = "InvalidRange" 416;
    INVALID_REQUEST = "InvalidRequest" 400;
    INVALID_RETENTION = "InvalidRetentionPeriod" 400;
    INVALID_STORAGE_CLASS = "InvalidStorageClass" 400;
    INVALID_TAG = "InvalidTag" 400;
    INVALID_URI = "InvalidURI" 400;
    KEY_TOO_LONG = "KeyTooLongError" 400;
    MALFORMED_POST = "MalformedPOSTRequest" 400;
    MALFORMED_TRAILER = "MalformedTrailerError" 400;
    MALFORMED_XML = "MalformedXML" 400;
    MESSAGE_TOO_LARGE = "MaxMessageLengthExceeded" 400;
    METADATA_TOO_LARGE = "MetadataTooLarge" 400;
    METHOD_NOT_ALLOWED = "MethodNotAllowed" 405;
    MISSING_BODY = "MissingRequestBodyError" 400;
    MISSING_LENGTH = "MissingContentLength" 411;
    NO_ENCRYPTION = "ServerSideEncryptionConfigurationNotFoundError" 404;
    NO_OWNERSHIP = "OwnershipControlsNotFoundError" 404;
    BUCKET_OWNED = "BucketAlreadyOwnedByYou" 409;
    BUCKET_EXISTS = "BucketAlreadyExists" 409;
    NO_CORS = "NoSuchCORSConfiguration" 404;
    NO_LIFECYCLE = "NoSuchLifecycleConfiguration" 404;
    NO_LOCK_CONFIGURATION = "ObjectLockConfigurationNotFoundError" 404;
    NO_OBJECT_LOCK = "NoSuchObjectLockConfiguration" 404;
    NO_POLICY = "NoSuchBucketPolicy" 404;
    NO_PUBLIC_BLOCK = "NoSuchPublicAccessBlockConfiguration" 404;
    NO_REPLICATION = "ReplicationConfigurationNotFoundError" 404;
    NO_SUCH_BUCKET = "NoSuchBucket" 404;
    NO_SUCH_KEY = "NoSuchKey" 404;
    NO_SUCH_UPLOAD = "NoSuchUpload" 404;
    NO_SUCH_VERSION = "NoSuchVersion" 404;
    NO_TAGS = "NoSuchTagSet" 404;
    NO_WEBSITE = "NoSuchWebsiteConfiguration" 404;
    NOT_IMPLEMENTED = "NotImplemented" 501;
    NOT_MODIFIED = "NotModified" 304;
    OPERATION_ABORTED = "OperationAborted" 409;
    PRECONDITION_FAILED = "PreconditionFailed" 412;
    QUERY_PARAMETERS = "AuthorizationQueryParametersError" 400;
    QUOTA_EXCEEDED = "QuotaExceeded" 403;
    REQUEST_TIMEOUT = "RequestTimeout" 400;
    SIGNATURE_MISMATCH = "SignatureDoesNotMatch" 403;
    SLOW_DOWN = "SlowDown" 503;
    SHA256_MISMATCH = "XAmzContentSHA256Mismatch" 400;
}

/// What was being done: some failures have another name for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Doing {
    /// Something with a bucket or its settings.
    Bucket,
    /// Making a bucket.
    MakeBucket,
    /// Something with an object.
    Object,
    /// Something with an upload in parts.
    Upload,
    /// Finding out who asks.
    Login,
}

/// A failure on its way to the client.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) code: Cow<'static, str>,
    pub(crate) status: StatusCode,
    /// For people: what happened and what to do.
    pub(crate) message: Cow<'static, str>,
    /// Further elements of the error document.
    facts: Vec<(&'static str, String)>,
    pub(crate) headers: Option<Box<HeaderMap>>,
}

impl Failure {
    pub(crate) fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Failure {
        // **Invariant:** the table above holds statuses only.
        let status = StatusCode::from_u16(code.1).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Failure { code: code.0.into(), status, message: message.into(), facts: Vec::new(), headers: None }
    }

    /// A failure that the signature check found.
    pub(crate) fn foreign(code: String, status: StatusCode, message: String) -> Failure {
        Failure { code: code.into(), status, message: message.into(), facts: Vec::new(), headers: None }
    }

    pub(crate) fn is(&self, code: Code) -> bool {
        self.code == code.0
    }

    pub(crate) fn argument(message: impl Into<Cow<'static, str>>) -> Failure {
        Failure::new(Code::INVALID_ARGUMENT, message)
    }

    pub(crate) fn request(message: impl Into<Cow<'static, str>>) -> Failure {
        Failure::new(Code::INVALID_REQUEST, message)
    }

    pub(crate) fn denied() -> Failure {
        Failure::new(Code::ACCESS_DENIED, "Access Denied")
    }

    pub(crate) fn malformed_xml() -> Failure {
        let message =
            "The XML you provided was not well-formed or did not validate against our published schema";
        Failure::new(Code::MALFORMED_XML, message)
    }

    pub(crate) fn not_implemented(what: impl Into<Cow<'static, str>>) -> Failure {
        Failure::new(Code::NOT_IMPLEMENTED, what)
    }

    /// A further element of the error document.
    pub(crate) fn fact(mut self, name: &'static str, value: impl Into<String>) -> Failure {
        self.facts.push((name, value.into()));
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl AsRef<str>) -> Failure {
        if let Ok(value) = HeaderValue::from_str(value.as_ref()) {
            self.headers.get_or_insert_default().insert(HeaderName::from_static(name), value);
        }
        self
    }

    fn retry_after(self, secs: u64) -> Failure {
        self.header("retry-after", secs.to_string())
    }

    /// Translates core's failure.
    ///
    /// **Invariant:** no wildcard arm, so that a new kind of failure does not compile before it has an answer here.
    pub(crate) fn of(error: Error, doing: Doing) -> Failure {
        let Error { kind, detail, message } = error;
        let with = |code| Failure::new(code, message.clone());
        match kind {
            ErrorKind::NotFound => missing(detail, doing),
            ErrorKind::Exists if doing == Doing::MakeBucket => Failure::new(
                Code::BUCKET_EXISTS,
                "The requested bucket name is not available: something else of that name is in the account.",
            ),
            ErrorKind::Exists => with(Code::PRECONDITION_FAILED),
            ErrorKind::NotEmpty => {
                Failure::new(Code::BUCKET_NOT_EMPTY, "The bucket you tried to delete is not empty")
            }
            ErrorKind::WrongKind => match doing {
                Doing::Bucket | Doing::MakeBucket => with(Code::NO_SUCH_BUCKET),
                Doing::Object | Doing::Upload | Doing::Login => with(Code::INVALID_REQUEST),
            },
            ErrorKind::InvalidContent => invalid(detail, doing, message),
            ErrorKind::UidConflict => with(Code::INVALID_ARGUMENT),
            ErrorKind::PreconditionFailed if detail == Detail::NotModified => with(Code::NOT_MODIFIED),
            // A condition that needs the object finds none.
            ErrorKind::PreconditionFailed if detail == Detail::Absent && doing != Doing::Bucket => {
                Failure::new(Code::NO_SUCH_KEY, "The specified key does not exist.")
            }
            ErrorKind::PreconditionFailed => Failure::new(
                Code::PRECONDITION_FAILED,
                "At least one of the pre-conditions you specified did not hold",
            ),
            ErrorKind::Locked => with(Code::OPERATION_ABORTED),
            ErrorKind::Denied if detail == Detail::Held => {
                Failure::new(Code::ACCESS_DENIED, "Access Denied because object protected by object lock.")
            }
            ErrorKind::Denied => Failure::denied(),
            ErrorKind::Unauthenticated if doing == Doing::Login => Failure::new(
                Code::INVALID_ACCESS_KEY,
                "The AWS Access Key Id you provided does not exist in our records.",
            ),
            ErrorKind::Unauthenticated => Failure::denied(),
            ErrorKind::OverQuota => with(Code::QUOTA_EXCEEDED),
            ErrorKind::TooLarge => too_large(detail, message),
            ErrorKind::HorizonPassed => with(Code::INVALID_ARGUMENT),
            ErrorKind::Busy => {
                let secs = match detail {
                    Detail::RetryAfter(secs) => secs,
                    _ => BUSY_RETRY_SECS,
                };
                with(Code::SLOW_DOWN).retry_after(secs)
            }
            ErrorKind::Corrupt => with(Code::INTERNAL_ERROR),
            ErrorKind::Unavailable => with(Code::SLOW_DOWN).retry_after(UNAVAILABLE_RETRY_SECS),
        }
    }

    /// As an answer to a request for `resource` (its path as sent). An answer to HEAD, and one that is not an error,
    /// has no body.
    pub(crate) fn into_response(
        self,
        resource: &str,
        id: &RequestId,
        bodiless: bool,
    ) -> Response<ResponseBody> {
        let mut response = Response::new(empty_body());
        *response.status_mut() = self.status;
        if !bodiless && self.status != StatusCode::NOT_MODIFIED {
            *response.body_mut() = full_body(self.document(resource, id));
            let xml = HeaderValue::from_static("application/xml");
            response.headers_mut().insert(CONTENT_TYPE, xml);
        }
        if let Some(headers) = self.headers {
            response.headers_mut().extend(*headers);
        }
        response
    }

    fn document(&self, resource: &str, id: &RequestId) -> Vec<u8> {
        let mut xml = Xml::bare("Error");
        xml.text("Code", &self.code).text("Message", &self.message);
        for (name, value) in &self.facts {
            xml.text(name, value);
        }
        xml.text("Resource", resource).text("RequestId", id.as_str()).text("HostId", id.as_str());
        xml.finish()
    }

    /// As elements of one outcome among many.
    pub(crate) fn write_into(&self, xml: &mut Xml) {
        xml.text("Code", &self.code).text("Message", &self.message);
    }
}

fn missing(detail: Detail, doing: Doing) -> Failure {
    let no_bucket = || Failure::new(Code::NO_SUCH_BUCKET, "The specified bucket does not exist");
    match detail {
        Detail::NoBucket => no_bucket(),
        Detail::NoUpload => Failure::new(
            Code::NO_SUCH_UPLOAD,
            "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted \
             or completed.",
        ),
        Detail::NoVersion => Failure::new(Code::NO_SUCH_VERSION, "The specified version does not exist."),
        Detail::DeleteMarker(seq) => Failure::new(Code::NO_SUCH_KEY, "The specified key does not exist.")
            .header("x-amz-delete-marker", "true")
            .header("x-amz-version-id", version_text(seq)),
        _ => match doing {
            Doing::Bucket | Doing::MakeBucket => no_bucket(),
            Doing::Object | Doing::Upload | Doing::Login => {
                Failure::new(Code::NO_SUCH_KEY, "The specified key does not exist.")
            }
        },
    }
}

fn invalid(detail: Detail, doing: Doing, message: String) -> Failure {
    match detail {
        Detail::NoPart => Failure::new(
            Code::INVALID_PART,
            "One or more of the specified parts could not be found. The part may not have been uploaded, or the \
             specified entity tag or checksum may not match the part's.",
        ),
        Detail::PartOrder => Failure::new(
            Code::INVALID_PART_ORDER,
            "The list of parts was not in ascending order. Parts must be ordered by part number.",
        ),
        Detail::PartTooSmall => Failure::new(
            Code::ENTITY_TOO_SMALL,
            "Your proposed upload is smaller than the minimum allowed size",
        ),
        Detail::BadDigest => {
            Failure::new(Code::BAD_DIGEST, "The checksum you specified did not match what we received.")
        }
        Detail::NoBucket => Failure::new(Code::NO_SUCH_BUCKET, "The specified bucket does not exist"),
        _ if doing == Doing::MakeBucket => Failure::new(Code::INVALID_BUCKET_NAME, message),
        _ => Failure::argument(message),
    }
}

fn too_large(detail: Detail, message: String) -> Failure {
    match detail {
        Detail::Limit("bytes of a key" | "bytes of a path" | "bytes of a name" | "depth of a path", _) => {
            Failure::new(Code::KEY_TOO_LONG, "Your key is too long")
        }
        _ => Failure::new(Code::ENTITY_TOO_LARGE, message),
    }
}
