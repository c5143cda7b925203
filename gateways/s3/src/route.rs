//! Which operation a request asks for.
//!
//! S3 tells operations apart by query parameters that clients may misspell or that a server may not know. So the rule
//! is the reverse of the usual one: a parameter that could name a sub-resource and is not known here is refused. No
//! request meant for a sub-resource ever reaches the object or the bucket itself.

use http::Method;

use crate::error::{Code, Failure};
use crate::place::Place;
use crate::query::Query;

/// Every operation there is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Operation {
    ListBuckets,
    CreateBucket,
    HeadBucket,
    DeleteBucket,
    /// A setting of a bucket is read.
    GetSetting(Setting),
    /// A setting of a bucket is written.
    PutSetting(Setting),
    /// A setting of a bucket is removed.
    DeleteSetting(Setting),
    ListObjects,
    ListObjectsV2,
    ListVersions,
    ListUploads,
    DeleteObjects,
    /// Upload by an HTML form.
    PostObject,
    GetObject,
    HeadObject,
    GetAttributes,
    PutObject,
    CopyObject,
    DeleteObject,
    GetTagging,
    PutTagging,
    DeleteTagging,
    GetRetention,
    PutRetention,
    GetLegalHold,
    PutLegalHold,
    GetObjectAcl,
    PutObjectAcl,
    CreateUpload,
    UploadPart,
    CopyPart,
    ListParts,
    CompleteUpload,
    AbortUpload,
}

/// A setting of a bucket, by its sub-resource.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Setting {
    Accelerate,
    Acl,
    Cors,
    Encryption,
    Lifecycle,
    Location,
    Logging,
    Notification,
    ObjectLock,
    OwnershipControls,
    Policy,
    PolicyStatus,
    PublicAccessBlock,
    Replication,
    RequestPayment,
    Tagging,
    Versioning,
    Website,
}

impl Operation {
    /// Whether anybody may ask for it without a signature: reading what is below `public`.
    pub(crate) fn is_anonymous_read(self) -> bool {
        matches!(self, Operation::GetObject | Operation::HeadObject)
    }
}

/// Settings of buckets by the name of their sub-resource: what can be done with them.
const SETTINGS: [(&str, Setting, &str); 18] = [
    ("accelerate", Setting::Accelerate, "G"),
    ("acl", Setting::Acl, "GP"),
    ("cors", Setting::Cors, "GPD"),
    ("encryption", Setting::Encryption, "GPD"),
    ("lifecycle", Setting::Lifecycle, "GPD"),
    ("location", Setting::Location, "G"),
    ("logging", Setting::Logging, "G"),
    ("notification", Setting::Notification, "G"),
    ("object-lock", Setting::ObjectLock, "GP"),
    ("ownershipControls", Setting::OwnershipControls, "GPD"),
    ("policy", Setting::Policy, "GD"),
    ("policyStatus", Setting::PolicyStatus, "G"),
    ("publicAccessBlock", Setting::PublicAccessBlock, "GPD"),
    ("replication", Setting::Replication, "GD"),
    ("requestPayment", Setting::RequestPayment, "GP"),
    ("tagging", Setting::Tagging, "GPD"),
    ("versioning", Setting::Versioning, "GP"),
    ("website", Setting::Website, "GD"),
];

/// Parameters that refine an operation and never name one.
const REFINING: [&str; 25] = [
    "allow-unordered",
    "bucket-region",
    "continuation-token",
    "delimiter",
    "encoding-type",
    "fetch-owner",
    "key-marker",
    "list-type",
    "marker",
    "max-buckets",
    "max-keys",
    "max-parts",
    "max-uploads",
    "part-number-marker",
    "partNumber",
    "prefix",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "start-after",
    "upload-id-marker",
    "version-id-marker",
];

/// Parameters that choose among the operations on a bucket or an object, settings aside.
const CHOOSING: [&str; 9] = [
    "attributes",
    "delete",
    "legal-hold",
    "retention",
    "uploadId",
    "uploads",
    "versionId",
    "versions",
    "tagging",
];

/// Finds the operation.
///
/// # Errors
/// `NotImplemented` for what is not served here, `MethodNotAllowed` for a method that the resource does not have.
pub(crate) fn resolve(
    method: &Method,
    place: &Place,
    query: &Query,
    copies: bool,
    is_form: bool,
) -> Result<Operation, Failure> {
    for (name, value) in query.iter() {
        check_parameter(method, name, value)?;
    }
    match place {
        Place::Service if *method == Method::GET => Ok(Operation::ListBuckets),
        Place::Service => Err(not_allowed()),
        Place::Bucket(_) => resolve_bucket(method, query, is_form),
        Place::Object(..) => resolve_object(method, query, copies),
    }
}

fn check_parameter(method: &Method, name: &str, value: &str) -> Result<(), Failure> {
    let setting = SETTINGS.iter().any(|(known, ..)| *known == name);
    if setting || REFINING.contains(&name) || CHOOSING.contains(&name) {
        return Ok(());
    }
    // `x-id` of SDKs, `X-Amz-…` of presigned URLs, and what AWS leaves to clients for their logs.
    if name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("x-")) {
        return Ok(());
    }
    // A parameter with a value that nobody knows may break a cache, but it must not change what is stored.
    if !value.is_empty() && (method == Method::GET || method == Method::HEAD) && !is_subresource(name) {
        return Ok(());
    }
    Err(Failure::not_implemented(format!(
        "A parameter you provided implies functionality that is not implemented: '{name}'"
    ))
    .fact("Header", name))
}

/// Sub-resources of AWS that are not served here, whatever value they have.
fn is_subresource(name: &str) -> bool {
    const OTHERS: [&str; 13] = [
        "analytics",
        "append",
        "intelligent-tiering",
        "inventory",
        "metadataConfiguration",
        "metadataTable",
        "metrics",
        "renameObject",
        "restore",
        "select",
        "select-type",
        "session",
        "torrent",
    ];
    OTHERS.contains(&name)
}

fn resolve_bucket(method: &Method, query: &Query, is_form: bool) -> Result<Operation, Failure> {
    if let Some((_, setting, does)) = SETTINGS.iter().find(|(name, ..)| query.has(name)) {
        return match method.as_str() {
            "GET" => Ok(Operation::GetSetting(*setting)),
            "PUT" if does.contains('P') => Ok(Operation::PutSetting(*setting)),
            "DELETE" if does.contains('D') => Ok(Operation::DeleteSetting(*setting)),
            "PUT" => Err(Failure::not_implemented("This setting of a bucket is not implemented")),
            _ => Err(not_allowed()),
        };
    }
    let misplaced = ["attributes", "legal-hold", "retention", "uploadId", "versionId"];
    if let Some(name) = misplaced.into_iter().find(|name| query.has(name)) {
        return Err(Failure::request(format!("'{name}' works on objects only")));
    }
    match (method.as_str(), query.has("uploads"), query.has("versions"), query.has("delete")) {
        ("GET", true, false, false) => Ok(Operation::ListUploads),
        ("GET", false, true, false) => Ok(Operation::ListVersions),
        ("GET", false, false, false) => match query.value("list-type") {
            Some("2") => Ok(Operation::ListObjectsV2),
            None | Some("" | "1") => Ok(Operation::ListObjects),
            Some(_) => Err(Failure::argument("list-type is 1 or 2")),
        },
        ("POST", false, false, true) => Ok(Operation::DeleteObjects),
        ("POST", false, false, false) if is_form => Ok(Operation::PostObject),
        ("HEAD", false, false, false) => Ok(Operation::HeadBucket),
        ("PUT", false, false, false) => Ok(Operation::CreateBucket),
        ("DELETE", false, false, false) => Ok(Operation::DeleteBucket),
        _ => Err(not_allowed()),
    }
}

fn resolve_object(method: &Method, query: &Query, copies: bool) -> Result<Operation, Failure> {
    let (get, put, delete) = (*method == Method::GET, *method == Method::PUT, *method == Method::DELETE);
    let chosen =
        ["acl", "attributes", "legal-hold", "retention", "tagging"].into_iter().find(|n| query.has(n));
    if let Some(name) = chosen {
        return match name {
            "acl" if get => Ok(Operation::GetObjectAcl),
            "acl" if put => Ok(Operation::PutObjectAcl),
            "attributes" if get => Ok(Operation::GetAttributes),
            "legal-hold" if get => Ok(Operation::GetLegalHold),
            "legal-hold" if put => Ok(Operation::PutLegalHold),
            "retention" if get => Ok(Operation::GetRetention),
            "retention" if put => Ok(Operation::PutRetention),
            "tagging" if get => Ok(Operation::GetTagging),
            "tagging" if put => Ok(Operation::PutTagging),
            "tagging" if delete => Ok(Operation::DeleteTagging),
            _ => Err(not_allowed()),
        };
    }
    if let Some((name, ..)) = SETTINGS.iter().find(|(name, ..)| query.has(name)) {
        return Err(Failure::request(format!("'{name}' works on buckets only")));
    }
    if query.has("delete") || query.has("versions") {
        return Err(not_allowed());
    }
    let part = query.has("partNumber");
    match (method.as_str(), query.has("uploads"), query.has("uploadId")) {
        ("POST", true, false) => Ok(Operation::CreateUpload),
        ("POST", false, true) => Ok(Operation::CompleteUpload),
        ("PUT", false, true) if part && copies => Ok(Operation::CopyPart),
        ("PUT", false, true) if part => Ok(Operation::UploadPart),
        ("PUT", false, true) => Err(Failure::request("a part needs its partNumber")),
        ("PUT", false, false) if part => Err(Failure::request("a part needs its uploadId")),
        ("PUT", false, false) if copies => Ok(Operation::CopyObject),
        ("PUT", false, false) => Ok(Operation::PutObject),
        ("GET", false, true) => Ok(Operation::ListParts),
        ("GET", false, false) => Ok(Operation::GetObject),
        ("HEAD", false, false) => Ok(Operation::HeadObject),
        ("DELETE", false, true) => Ok(Operation::AbortUpload),
        ("DELETE", false, false) => Ok(Operation::DeleteObject),
        _ => Err(not_allowed()),
    }
}

fn not_allowed() -> Failure {
    let message = "The specified method is not allowed against this resource.";
    Failure::new(Code::METHOD_NOT_ALLOWED, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(method: &str, target: &str) -> Result<Operation, String> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let place = match path.trim_start_matches('/').split_once('/') {
            None if path == "/" => Place::Service,
            None => Place::Bucket("b".into()),
            Some((bucket, key)) => Place::Object(bucket.into(), key.into()),
        };
        let (query, copies) = (query.replace("!copy", ""), query.contains("!copy"));
        let query = Query::parse(Some(&query)).unwrap();
        resolve(&method.parse().unwrap(), &place, &query, copies, false).map_err(|f| f.code.into_owned())
    }

    #[test]
    fn operations() {
        use Operation::*;
        let table = [
            ("GET", "/?x-id=ListBuckets", ListBuckets),
            ("PUT", "/b", CreateBucket),
            ("GET", "/b", ListObjects),
            ("GET", "/b?list-type=2&prefix=a&x=1", ListObjectsV2),
            ("GET", "/b?versions", ListVersions),
            ("GET", "/b?uploads=", ListUploads),
            ("GET", "/b?location", GetSetting(Setting::Location)),
            ("DELETE", "/b?cors", DeleteSetting(Setting::Cors)),
            ("POST", "/b?delete", DeleteObjects),
            ("GET", "/b/k?versionId=null&X-Amz-Date=x", GetObject),
            ("HEAD", "/b/k?partNumber=1", HeadObject),
            ("PUT", "/b/k?x-id=PutObject", PutObject),
            ("PUT", "/b/k?!copy", CopyObject),
            ("PUT", "/b/k?partNumber=1&uploadId=u", UploadPart),
            ("PUT", "/b/k?partNumber=1&uploadId=u!copy", CopyPart),
            ("POST", "/b/k?uploads", CreateUpload),
            ("DELETE", "/b/k?uploadId=u", AbortUpload),
            ("DELETE", "/b/k?tagging&versionId=null", DeleteTagging),
        ];
        for (method, target, wanted) in table {
            assert_eq!(resolved(method, target), Ok(wanted), "{method} {target}");
        }
    }

    #[test]
    fn no_sub_resource_reaches_what_is_above_it() {
        let objects =
            ["torrent", "restore", "select", "website", "anything", "Acl", "append=1", "renameObject"];
        for method in ["GET", "HEAD", "PUT", "DELETE", "POST"] {
            for name in objects {
                let outcome = resolved(method, &format!("/b/k?{name}"));
                assert!(outcome.is_err(), "{method} ?{name}: {outcome:?}");
            }
        }
        for (name, ..) in SETTINGS {
            let delete = resolved("DELETE", &format!("/b?{name}"));
            assert_ne!(delete, Ok(Operation::DeleteBucket), "{name}");
            assert_ne!(resolved("PUT", &format!("/b?{name}")), Ok(Operation::CreateBucket), "{name}");
            assert_ne!(resolved("DELETE", &format!("/b/k?{name}")), Ok(Operation::DeleteObject), "{name}");
        }
        for target in ["/b?analytics", "/b?inventory&id=1", "/b?session", "/b?metadataTable", "/b?foo"] {
            for method in ["GET", "PUT", "DELETE", "POST", "HEAD"] {
                assert_eq!(resolved(method, target), Err("NotImplemented".into()), "{method} {target}");
            }
        }
        assert_eq!(resolved("DELETE", "/b/k?acl"), Err("MethodNotAllowed".into()));
        assert_eq!(resolved("PUT", "/b?foo=bar"), Err("NotImplemented".into()));
        assert_eq!(resolved("PUT", "/b/k?versions"), Err("MethodNotAllowed".into()));
        assert_eq!(resolved("PUT", "/b/k?policy"), Err("InvalidRequest".into()));
    }
}
