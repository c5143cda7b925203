//! Headers that ask for what is not served here. Each is refused in plain words: a client that believes its data to be
//! locked, encrypted by its own key or shared must not be left in that belief.

use http::HeaderMap;

use crate::error::{Code, Failure};
use crate::place::PUBLIC_BUCKET;
use crate::route::Operation;

/// Headers that are refused whatever their value, by how they begin.
const NOT_IMPLEMENTED: [(&str, &str); 7] = [
    (
        "x-amz-server-side-encryption-customer-",
        "Encryption by a key of yours (SSE-C) is not implemented: content is always encrypted at rest by the server's key",
    ),
    (
        "x-amz-copy-source-server-side-encryption-customer-",
        "Encryption by a key of yours (SSE-C) is not implemented",
    ),
    ("x-amz-server-side-encryption-aws-kms-key-id", "Encryption by KMS is not implemented: use AES256"),
    ("x-amz-server-side-encryption-context", "Encryption by KMS is not implemented: use AES256"),
    ("x-amz-write-offset-bytes", "Appending to objects is not implemented"),
    ("x-amz-rename-source", "Renaming objects is not implemented: copy and delete"),
    ("x-amz-source-expected-bucket-owner-", "This header is not implemented"),
];

/// Conditions that only a delete can have.
const OF_DELETES: [&str; 2] = ["x-amz-if-match-last-modified-time", "x-amz-if-match-size"];

/// Refuses what a request of this kind cannot ask for.
///
/// # Errors
/// `NotImplemented`, `InvalidArgument`.
pub(crate) fn check_operation(headers: &HeaderMap, operation: Operation) -> Result<(), Failure> {
    let deletes = operation == Operation::DeleteObject;
    if let Some(name) = OF_DELETES.iter().find(|name| !deletes && headers.contains_key(**name)) {
        return Err(Failure::not_implemented("This condition is for deletes only: use If-Match")
            .fact("Header", *name));
    }
    let reads = matches!(operation, Operation::GetObject | Operation::HeadObject);
    if reads && headers.contains_key("x-amz-server-side-encryption") {
        let message = "x-amz-server-side-encryption header is not supported for this operation.";
        return Err(Failure::argument(message).fact("ArgumentName", "x-amz-server-side-encryption"));
    }
    Ok(())
}

/// Refuses what is not served.
///
/// # Errors
/// `NotImplemented`, `InvalidEncryptionAlgorithmError`, `AccessControlListNotSupported`, `InvalidToken`.
pub(crate) fn check(headers: &HeaderMap, bucket: Option<&str>) -> Result<(), Failure> {
    for name in headers.keys().map(http::HeaderName::as_str).filter(|name| name.starts_with("x-amz-")) {
        if let Some((_, why)) = NOT_IMPLEMENTED.iter().find(|(start, _)| name.starts_with(start)) {
            return Err(Failure::not_implemented(*why).fact("Header", name));
        }
        if name.starts_with("x-amz-grant-") {
            return Err(no_acls());
        }
        if name == "x-amz-security-token" {
            let message = "There are no temporary credentials here: leave out the session token.".to_owned();
            return Err(Failure::foreign("InvalidToken".into(), http::StatusCode::BAD_REQUEST, message));
        }
    }
    check_encryption(headers)?;
    check_acl(headers, bucket)
}

fn check_encryption(headers: &HeaderMap) -> Result<(), Failure> {
    match headers.get("x-amz-server-side-encryption").map(http::HeaderValue::as_bytes) {
        None | Some(b"AES256") => Ok(()),
        Some(b"aws:kms" | b"aws:kms:dsse") => {
            Err(Failure::not_implemented("Encryption by KMS is not implemented: use AES256"))
        }
        Some(_) => Err(Failure::new(
            Code::INVALID_ENCRYPTION,
            "The encryption request you specified is not valid. Supported value: AES256.",
        )),
    }
}

/// Who may do what is said by grants of credentials. What is below `public` may be read by anybody.
fn check_acl(headers: &HeaderMap, bucket: Option<&str>) -> Result<(), Failure> {
    match headers.get("x-amz-acl").map(http::HeaderValue::as_bytes) {
        None | Some(b"private" | b"bucket-owner-full-control" | b"bucket-owner-read") => Ok(()),
        Some(b"public-read") if bucket == Some(PUBLIC_BUCKET) => Ok(()),
        Some(
            b"public-read"
            | b"public-read-write"
            | b"authenticated-read"
            | b"aws-exec-read"
            | b"log-delivery-write",
        ) => Err(no_acls()),
        Some(_) => Err(Failure::argument("This canned ACL does not exist").fact("ArgumentName", "x-amz-acl")),
    }
}

/// There are no access control lists.
pub(crate) fn no_acls() -> Failure {
    let message = "The bucket does not allow ACLs: access is given by the grants of app credentials.";
    Failure::new(Code::ACL_NOT_SUPPORTED, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_in_plain_words() {
        let code = |name: &'static str, value: &str, bucket: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            check(&headers, Some(bucket)).err().map(|failure| failure.code.into_owned())
        };
        let table = [
            ("x-amz-server-side-encryption-customer-algorithm", "AES256", Some("NotImplemented")),
            ("x-amz-server-side-encryption-customer-key", "x", Some("NotImplemented")),
            ("x-amz-server-side-encryption", "aws:kms", Some("NotImplemented")),
            ("x-amz-server-side-encryption", "ROT13", Some("InvalidEncryptionAlgorithmError")),
            ("x-amz-server-side-encryption", "AES256", None),
            ("x-amz-acl", "private", None),
            ("x-amz-acl", "bucket-owner-full-control", None),
            ("x-amz-acl", "public-read", Some("AccessControlListNotSupported")),
            ("x-amz-acl", "mine", Some("InvalidArgument")),
            ("x-amz-grant-read", "id=x", Some("AccessControlListNotSupported")),
            ("x-amz-security-token", "x", Some("InvalidToken")),
            ("x-amz-write-offset-bytes", "1", Some("NotImplemented")),
            ("x-amz-meta-x", "1", None),
        ];
        for (name, value, wanted) in table {
            assert_eq!(code(name, value, "b").as_deref(), wanted, "{name}: {value}");
        }
        assert_eq!(code("x-amz-acl", "public-read", "public"), None);
    }
}
