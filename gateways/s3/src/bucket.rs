//! Buckets: list, make, look, remove.

use allod_core::BucketSettings;
use allod_model::{Error, ErrorKind, Name};
use http::StatusCode;
use s3s::dto::CreateBucketConfiguration;

use crate::answer::{document, empty, iso_time, set};
use crate::error::{Answer, Code, Doing, Failure};
use crate::handle::{Call, bucket_failure};
use crate::refusals::no_acls;
use crate::settings::{LOCATION, note};
use crate::xml::{Xml, read};

/// Buckets of one page at most.
const BUCKETS_MAX: usize = 10_000;

/// ListBuckets: the buckets that the credential may see.
pub(crate) async fn list(call: &mut Call) -> Answer {
    let limit = call.query.number::<usize>("max-buckets")?;
    if limit.is_some_and(|limit| limit == 0 || limit > BUCKETS_MAX) {
        return Err(Failure::argument("max-buckets is between 1 and 10000"));
    }
    let prefix = call.query.value("prefix").unwrap_or_default();
    let after = call.query.value("continuation-token").unwrap_or_default();
    let buckets = call.session.buckets().await.map_err(bucket_failure)?;
    let mut shown = buckets
        .iter()
        .filter(|bucket| bucket.name.as_str().starts_with(prefix) && bucket.name.as_str() > after)
        .peekable();
    let owner = call.owner();
    let mut xml = Xml::new("ListAllMyBucketsResult");
    xml.open("Owner").text("ID", &owner).text("DisplayName", &call.session.account()).close();
    xml.open("Buckets");
    let mut last = None;
    for bucket in shown.by_ref().take(limit.unwrap_or(BUCKETS_MAX)) {
        xml.open("Bucket").text("Name", bucket.name.as_str());
        xml.plain("CreationDate", iso_time(bucket.created)).text("BucketRegion", &call.shared.region).close();
        last = Some(bucket.name.as_str());
    }
    xml.close();
    if let (Some(last), Some(_)) = (last, shown.peek()) {
        xml.text("ContinuationToken", last);
    }
    xml.maybe("Prefix", call.query.value("prefix"));
    Ok(document(xml))
}

/// Longest name of a location, in bytes.
const LOCATION_BYTES_MAX: usize = 64;

/// CreateBucket. Every location will do: there is but one place. A bucket that is there already is made once more, as in
/// the oldest region of AWS: clients make sure of their bucket this way.
pub(crate) async fn create(call: &mut Call) -> Answer {
    match call.header("x-amz-object-ownership") {
        None | Some("BucketOwnerEnforced") => {}
        Some("BucketOwnerPreferred" | "ObjectWriter") => return Err(no_acls()),
        Some(_) => return Err(Failure::argument("Invalid x-amz-object-ownership header")),
    }
    let lock = match call.header("x-amz-bucket-object-lock-enabled").map(str::to_ascii_lowercase).as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(Failure::argument("x-amz-bucket-object-lock-enabled is true or false")),
    };
    let body = call.document().await?;
    let asked = match body.is_empty() {
        true => None,
        false => read::<CreateBucketConfiguration>(&body)?.location_constraint,
    };
    let name = call.bucket()?;
    match call.session.create_bucket(&name, lock).await {
        Ok(()) => {}
        Err(error) if error.kind == ErrorKind::Exists => check_own(call, &name, lock, error).await?,
        Err(error) => return Err(Failure::of(error, Doing::MakeBucket)),
    }
    if let Some(location) = asked.filter(|location| !location.as_str().is_empty()) {
        let location = location.as_str().to_owned();
        if location.len() > LOCATION_BYTES_MAX {
            return Err(Failure::argument("The location is too long"));
        }
        let change = move |settings: &mut BucketSettings| {
            note(settings, LOCATION, Some(location.clone()));
            Ok(())
        };
        // Who may make the bucket but not change it has no location to note.
        let _ = call.session.change_bucket(&name, change).await;
    }
    let mut response = empty(StatusCode::OK);
    set(response.headers_mut(), "location", format!("/{name}"));
    Ok(response)
}

/// Whether what is there is the bucket that was asked for. Nobody may believe a bucket to be locked that is not.
async fn check_own(call: &Call, name: &Name, lock: bool, error: Error) -> Result<(), Failure> {
    match call.session.bucket(name).await {
        Ok(bucket) if !lock || bucket.settings.object_lock.is_some() => Ok(()),
        Ok(_) => {
            Err(Failure::new(Code::BUCKET_OWNED, "The bucket is there already, and without object lock"))
        }
        Err(_) => Err(Failure::of(error, Doing::MakeBucket)),
    }
}

/// HeadBucket.
pub(crate) async fn head(call: &mut Call) -> Answer {
    call.session.bucket(&call.bucket()?).await.map_err(bucket_failure)?;
    let mut response = empty(StatusCode::OK);
    set(response.headers_mut(), "x-amz-bucket-region", &call.shared.region);
    set(response.headers_mut(), "x-amz-access-point-alias", "false");
    Ok(response)
}

/// DeleteBucket: only an empty one.
pub(crate) async fn delete(call: &mut Call) -> Answer {
    call.session.delete_bucket(&call.bucket()?).await.map_err(bucket_failure)?;
    Ok(empty(StatusCode::NO_CONTENT))
}
