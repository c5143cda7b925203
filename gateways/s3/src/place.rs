//! What a request is about: the service, a bucket or an object, by path or by host name.

use allod_model::{Name, NameRule, Path, RAW_KEY_BYTES_MAX};
use http::header::HOST;
use percent_encoding::percent_decode_str;

use crate::error::{Code, Failure};

/// The bucket that anybody may read from.
pub(crate) const PUBLIC_BUCKET: &str = "public";

/// What a request is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// All buckets.
    Service,
    /// A bucket.
    Bucket(String),
    /// An object: bucket and key.
    Object(String, String),
}

impl Place {
    /// The bucket.
    pub(crate) fn bucket(&self) -> Option<&str> {
        match self {
            Place::Service => None,
            Place::Bucket(bucket) | Place::Object(bucket, _) => Some(bucket),
        }
    }

    /// The bucket's name in core's terms.
    ///
    /// # Errors
    /// `InvalidBucketName` for what no bucket can be called.
    pub(crate) fn bucket_name(&self) -> Result<Name, Failure> {
        bucket_name(self.bucket().unwrap_or_default())
    }

    /// The object's path in the account.
    ///
    /// # Errors
    /// `KeyTooLongError`, `InvalidBucketName`.
    pub(crate) fn path(&self) -> Result<Path, Failure> {
        match self {
            Place::Object(bucket, key) => object_path(bucket, key),
            Place::Service | Place::Bucket(_) => Err(Failure::request("this request needs a key")),
        }
    }
}

/// A bucket's name in core's terms.
pub(crate) fn bucket_name(bucket: &str) -> Result<Name, Failure> {
    Name::new(bucket.as_bytes(), NameRule::Strict).map_err(|_| {
        Failure::new(Code::INVALID_BUCKET_NAME, "The specified bucket is not valid.")
            .fact("BucketName", bucket)
    })
}

/// The path of an object: the key's segments below the bucket, none of them dropped.
pub(crate) fn object_path(bucket: &str, key: &str) -> Result<Path, Failure> {
    let too_long = || {
        Failure::new(Code::KEY_TOO_LONG, "Your key is too long")
            .fact("Size", key.len().to_string())
            .fact("MaxSizeAllowed", RAW_KEY_BYTES_MAX.to_string())
    };
    if key.len() > RAW_KEY_BYTES_MAX {
        return Err(too_long());
    }
    bucket_name(bucket)?;
    Path::parse(format!("{bucket}/{key}").as_bytes(), NameRule::Raw).map_err(|_| too_long())
}

/// A request's place, and how it was named.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Located {
    pub(crate) place: Place,
    /// Named by `ACCOUNT:public` in the path: whose public bucket.
    pub(crate) account: Option<String>,
}

/// Finds what a request is about. `domains` are the names below which buckets are host names, in lower case.
///
/// # Errors
/// `InvalidURI` when the path is not UTF-8 once decoded.
pub(crate) fn locate(head: &http::request::Parts, domains: &[String]) -> Result<Located, Failure> {
    let path = percent_decode_str(head.uri.path());
    let path = path
        .decode_utf8()
        .map_err(|_| Failure::new(Code::INVALID_URI, "Couldn't parse the specified URI: it is not UTF-8."))?;
    let path = path.strip_prefix('/').unwrap_or(&path);
    if let Some(bucket) = host(head).and_then(|host| bucket_of_host(&host, domains)) {
        let place = match path {
            "" => Place::Bucket(bucket),
            key => Place::Object(bucket, key.to_owned()),
        };
        return Ok(Located { place, account: None });
    }
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let (account, bucket) = match bucket.split_once(':') {
        Some((account, PUBLIC_BUCKET)) if !account.is_empty() => (Some(account.to_owned()), PUBLIC_BUCKET),
        _ => (None, bucket),
    };
    let place = match (bucket, key) {
        ("", "") => Place::Service,
        ("", _) => {
            return Err(Failure::new(Code::INVALID_BUCKET_NAME, "The specified bucket is not valid."));
        }
        (bucket, "") => Place::Bucket(bucket.to_owned()),
        (bucket, key) => Place::Object(bucket.to_owned(), key.to_owned()),
    };
    Ok(Located { place, account })
}

/// The host that a request names, in lower case and without its port.
pub(crate) fn host(head: &http::request::Parts) -> Option<String> {
    let named = match head.headers.get(HOST) {
        Some(host) => host.to_str().ok()?,
        // HTTP/2 names it in the request's target.
        None => head.uri.authority()?.as_str(),
    };
    let end = match named.rfind(']') {
        Some(bracket) => bracket + 1,
        None => named.find(':').unwrap_or(named.len()),
    };
    Some(named[..end].to_ascii_lowercase())
}

/// The bucket that a host below one of `domains` names.
pub(crate) fn bucket_of_host(host: &str, domains: &[String]) -> Option<String> {
    let bucket = domains.iter().find_map(|domain| host.strip_suffix(domain.as_str())?.strip_suffix('.'));
    bucket.filter(|bucket| !bucket.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locate_in(host: &str, target: &str) -> Result<Located, Failure> {
        let request = http::Request::builder().uri(target).header(HOST, host).body(()).unwrap();
        locate(&request.into_parts().0, &["s3.example.org".to_owned()])
    }

    #[test]
    fn places() {
        let object = |bucket: &str, key: &str| Place::Object(bucket.into(), key.into());
        let bucket = |bucket: &str| Place::Bucket(bucket.into());
        let table = [
            ("h:9000", "/", Place::Service),
            ("h", "/b", bucket("b")),
            ("h", "/b/", bucket("b")),
            ("h", "/b/k", object("b", "k")),
            ("h", "/b//k", object("b", "/k")),
            ("h", "/b//", object("b", "/")),
            ("h", "/b/a//./../c/", object("b", "a//./../c/")),
            ("h", "/b/a%2Fb%2520c+d%23", object("b", "a/b%20c+d#")),
            ("h", "/b/%C3%A9?x", object("b", "é")),
            ("B1.S3.example.org:9000", "/", bucket("b1")),
            ("b1.s3.example.org", "/k/", object("b1", "k/")),
            ("a.b.s3.example.org", "//k", object("a.b", "/k")),
            ("s3.example.org", "/b/k", object("b", "k")),
            ("xs3.example.org", "/b/k", object("b", "k")),
        ];
        for (host, target, place) in table {
            assert_eq!(locate_in(host, target).unwrap().place, place, "{host} {target}");
        }
        let public = locate_in("h", "/alice:public/a/b").unwrap();
        assert_eq!((public.place, public.account.as_deref()), (object("public", "a/b"), Some("alice")));
        assert_eq!(locate_in("h", "/b/%ff").unwrap_err().code, "InvalidURI");
        assert_eq!(locate_in("h", "//k").unwrap_err().code, "InvalidBucketName");
    }

    #[test]
    fn keys_become_paths_without_loss() {
        for key in ["a", "/", "//", "a//b", "./x", "../y/", "a/b/", "\u{0}", &"k".repeat(1024)] {
            let path = object_path("bucket", key).unwrap();
            let names: Vec<_> = path.names()[1..].iter().map(Name::as_str).collect();
            assert_eq!(names.join("/"), key);
        }
        assert_eq!(object_path("bucket", &"k".repeat(1025)).unwrap_err().code, "KeyTooLongError");
        assert_eq!(object_path("bucket", &"/".repeat(1024)).unwrap_err().code, "KeyTooLongError");
        assert_eq!(object_path("..", "k").unwrap_err().code, "InvalidBucketName");
    }
}
