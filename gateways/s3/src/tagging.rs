//! Tags of objects and of buckets.

use allod_core::{OBJECT_TAGS_MAX, ObjectChange, ObjectFacts};
use allod_model::Precondition;
use http::StatusCode;
use s3s::dto::Tagging;

use crate::answer::{document, empty, set};
use crate::error::{Answer, Code, Failure};
use crate::facts::{check_tags, facts_of};
use crate::get::version_asked;
use crate::handle::{Call, bucket_failure, object_failure};
use crate::version::version_id_text;
use crate::xml::{Xml, read};

/// Tags of one bucket at most (AWS' limit).
const BUCKET_TAGS_MAX: usize = 50;

/// GetObjectTagging.
pub(crate) async fn get_object(call: &mut Call) -> Answer {
    let version = version_asked(call)?;
    let node = call.session.stat_object(&call.path()?, version, &Precondition::default()).await;
    let node = node.map_err(object_failure)?;
    let facts = facts_of(&node)?;
    let mut response = document(write(&facts.object.tags));
    mark(&mut response, facts);
    Ok(response)
}

/// PutObjectTagging: replaces all tags.
pub(crate) async fn put_object(call: &mut Call) -> Answer {
    let tags = parse(&call.document().await?, OBJECT_TAGS_MAX)?;
    change(call, tags, StatusCode::OK).await
}

/// DeleteObjectTagging.
pub(crate) async fn delete_object(call: &mut Call) -> Answer {
    change(call, Vec::new(), StatusCode::NO_CONTENT).await
}

async fn change(call: &mut Call, tags: Vec<(String, String)>, status: StatusCode) -> Answer {
    let version = version_asked(call)?;
    let change = ObjectChange::Tags(tags);
    let changed = call.session.change_object(&call.path()?, version, change, false).await;
    let facts = changed.map_err(object_failure)?;
    let mut response = empty(status);
    mark(&mut response, &facts);
    Ok(response)
}

fn mark(response: &mut http::Response<allod_kit::ResponseBody>, facts: &ObjectFacts) {
    if facts.versioned {
        set(response.headers_mut(), "x-amz-version-id", version_id_text(facts.version));
    }
}

/// GetBucketTagging.
pub(crate) async fn get_bucket(call: &mut Call) -> Answer {
    let bucket = call.session.bucket(&call.bucket()?).await.map_err(bucket_failure)?;
    match bucket.settings.tags.is_empty() {
        false => Ok(document(write(&bucket.settings.tags))),
        true => Err(Failure::new(Code::NO_TAGS, "The TagSet does not exist")),
    }
}

/// PutBucketTagging: replaces all tags.
pub(crate) async fn put_bucket(call: &mut Call) -> Answer {
    let tags = parse(&call.document().await?, BUCKET_TAGS_MAX)?;
    set_bucket(call, tags).await
}

/// DeleteBucketTagging.
pub(crate) async fn delete_bucket(call: &mut Call) -> Answer {
    set_bucket(call, Vec::new()).await
}

async fn set_bucket(call: &mut Call, tags: Vec<(String, String)>) -> Answer {
    let change = move |settings: &mut allod_core::BucketSettings| {
        settings.tags.clone_from(&tags);
        Ok(())
    };
    call.session.change_bucket(&call.bucket()?, change).await.map_err(bucket_failure)?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// Reads a document of tags.
///
/// # Errors
/// `MalformedXML`, `InvalidTag`.
pub(crate) fn parse(body: &[u8], max: usize) -> Result<Vec<(String, String)>, Failure> {
    let tagging: Tagging = read(body)?;
    let tags = tagging.tag_set.into_iter().map(|tag| match (tag.key, tag.value) {
        (Some(key), Some(value)) => Ok((key, value)),
        _ => Err(Failure::malformed_xml()),
    });
    check_tags(tags.collect::<Result<_, _>>()?, max)
}

fn write(tags: &[(String, String)]) -> Xml {
    let mut xml = Xml::new("Tagging");
    xml.open("TagSet");
    for (key, value) in tags {
        xml.open("Tag").text("Key", key).text("Value", value).close();
    }
    xml
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let tags = vec![("a&b".to_owned(), " é ".to_owned()), ("c".to_owned(), String::new())];
        assert_eq!(parse(&write(&tags).finish(), 10).unwrap(), tags);
        assert_eq!(parse(&write(&[]).finish(), 10).unwrap(), []);
        let code = |text: &str| parse(text.as_bytes(), 1).unwrap_err().code;
        assert_eq!(code("<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>"), "MalformedXML");
        assert_eq!(code("<Tagging></Tagging>"), "MalformedXML");
        assert_eq!(code("<Tagging><TagSet><Tag><Key></Key><Value/></Tag></TagSet></Tagging>"), "InvalidTag");
    }
}
