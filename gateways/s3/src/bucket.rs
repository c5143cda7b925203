//! Buckets: list, make, look, remove.

use allod_model::ErrorKind;
use http::StatusCode;
use s3s::dto::CreateBucketConfiguration;

use crate::answer::{document, empty, iso_time, set};
use crate::error::{Answer, Doing, Failure};
use crate::handle::{Call, bucket_failure};
use crate::refusals::no_acls;
use crate::settings::UNNAMED_REGION;
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

/// CreateBucket. Every location will do: there is but one place.
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
    if !body.is_empty() {
        read::<CreateBucketConfiguration>(&body)?;
    }
    let name = call.bucket()?;
    if let Err(error) = call.session.create_bucket(&name, lock).await {
        // In its first region S3 lets owners make a bucket again, and clients count on it.
        let again = error.kind == ErrorKind::Exists && call.shared.region == UNNAMED_REGION;
        let same =
            again && call.session.bucket(&name).await.is_ok_and(|b| b.settings.object_lock.is_some() >= lock);
        if !same {
            return Err(Failure::of(error, Doing::MakeBucket));
        }
    }
    let mut response = empty(StatusCode::OK);
    set(response.headers_mut(), "location", format!("/{name}"));
    Ok(response)
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
