//! Lifecycle rules: what is removed by itself. Moves to other storage classes are refused: there is but one.

use allod_core::{BucketSettings, LifecycleRule};
use http::StatusCode;
use s3s::dto::{
    BucketLifecycleConfiguration, LifecycleExpiration, LifecycleRule as Given, LifecycleRuleFilter, Tag,
};

use crate::answer::{document, empty, iso_time};
use crate::error::{Answer, Code, Failure};
use crate::handle::{Call, bucket_failure};
use crate::lock::time_of;
use crate::xml::{Xml, read};

/// Rules of one bucket at most (AWS' limit).
const RULES_MAX: usize = 1000;
/// Longest id, in characters.
const ID_CHARS_MAX: usize = 255;
/// Milliseconds of a day: dates are midnights.
const DAY_MS: i64 = 86_400_000;

/// GetBucketLifecycleConfiguration.
pub(crate) async fn get(call: &mut Call) -> Answer {
    let bucket = call.session.bucket(&call.bucket()?).await.map_err(bucket_failure)?;
    match bucket.settings.lifecycle.is_empty() {
        false => Ok(document(write(&bucket.settings.lifecycle))),
        true => Err(Failure::new(Code::NO_LIFECYCLE, "The lifecycle configuration does not exist")),
    }
}

/// PutBucketLifecycleConfiguration.
pub(crate) async fn put(call: &mut Call) -> Answer {
    let rules = parse(&call.document().await?)?;
    change(call, rules).await?;
    Ok(empty(StatusCode::OK))
}

/// DeleteBucketLifecycle.
pub(crate) async fn delete(call: &mut Call) -> Answer {
    change(call, Vec::new()).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

async fn change(call: &Call, rules: Vec<LifecycleRule>) -> Result<(), Failure> {
    let change = move |settings: &mut BucketSettings| {
        settings.lifecycle.clone_from(&rules);
        Ok(())
    };
    call.session.change_bucket(&call.bucket()?, change).await.map_err(bucket_failure)
}

fn parse(body: &[u8]) -> Result<Vec<LifecycleRule>, Failure> {
    let configuration: BucketLifecycleConfiguration = read(body)?;
    let given = configuration.rules;
    if given.is_empty() || given.len() > RULES_MAX {
        return Err(Failure::malformed_xml());
    }
    let mut rules: Vec<LifecycleRule> = Vec::with_capacity(given.len());
    for (at, rule) in given.into_iter().enumerate() {
        let rule = parse_rule(rule, at)?;
        if rules.iter().any(|known| known.id == rule.id) {
            return Err(Failure::argument("Rule ID must be unique. Found same ID for more than one rule")
                .fact("ArgumentName", "ID"));
        }
        rules.push(rule);
    }
    Ok(rules)
}

fn parse_rule(given: Given, at: usize) -> Result<LifecycleRule, Failure> {
    if let Some(transitions) = &given.transitions
        && transitions.iter().any(|one| {
            one.date.as_ref().is_some_and(|date| time_of(date).is_none_or(|t| t.0.rem_euclid(DAY_MS) != 0))
        })
    {
        return Err(Failure::malformed_xml());
    }
    if given.transitions.is_some() || given.noncurrent_version_transitions.is_some() {
        return Err(Failure::not_implemented(
            "Transitions to other storage classes are not implemented: there is but one place",
        ));
    }
    let mut rule = LifecycleRule {
        // AWS makes an id, too.
        id: given.id.filter(|id| !id.is_empty()).unwrap_or_else(|| format!("rule-{}", at + 1)),
        enabled: match given.status.as_str() {
            "Enabled" => true,
            "Disabled" => false,
            _ => return Err(Failure::malformed_xml()),
        },
        bare_prefix: given.filter.is_none(),
        prefix: given.prefix.clone(),
        ..LifecycleRule::default()
    };
    if rule.id.chars().count() > ID_CHARS_MAX {
        return Err(Failure::argument("ID length should not exceed allowed limit of 255"));
    }
    match (given.filter, given.prefix) {
        (Some(_), Some(_)) => return Err(Failure::malformed_xml()),
        (Some(filter), None) => parse_filter(filter, &mut rule)?,
        (None, Some(_)) => {}
        (None, None) => return Err(Failure::malformed_xml()),
    }
    if let Some(expiration) = given.expiration {
        parse_expiration(&expiration, &mut rule)?;
    }
    if let Some(noncurrent) = given.noncurrent_version_expiration {
        rule.noncurrent_days = noncurrent.noncurrent_days.map(positive).transpose()?;
        rule.noncurrent_keep = noncurrent.newer_noncurrent_versions.map(positive).transpose()?;
        if rule.noncurrent_days.is_none() {
            return Err(Failure::malformed_xml());
        }
    }
    if let Some(abort) = given.abort_incomplete_multipart_upload {
        let days = abort.days_after_initiation.ok_or_else(Failure::malformed_xml)?;
        rule.abort_days = Some(positive(days)?);
        if !rule.tags.is_empty() {
            return Err(Failure::request("AbortIncompleteMultipartUpload cannot be specified with Tags."));
        }
    }
    let acts = rule.days.is_some()
        || rule.date.is_some()
        || rule.lone_markers
        || rule.noncurrent_days.is_some()
        || rule.abort_days.is_some();
    if acts { Ok(rule) } else { Err(Failure::request("At least one action needs to be specified in a rule")) }
}

fn parse_expiration(expiration: &LifecycleExpiration, rule: &mut LifecycleRule) -> Result<(), Failure> {
    rule.days = expiration.days.map(positive).transpose()?;
    rule.date = match &expiration.date {
        None => None,
        Some(date) => {
            let date = time_of(date).ok_or_else(Failure::malformed_xml)?;
            if date.0.rem_euclid(DAY_MS) != 0 {
                return Err(Failure::argument("'Date' must be at midnight GMT"));
            }
            Some(date)
        }
    };
    rule.lone_markers = expiration.expired_object_delete_marker.unwrap_or(false);
    let said = [rule.days.is_some(), rule.date.is_some(), expiration.expired_object_delete_marker.is_some()];
    if said.into_iter().filter(|said| *said).count() != 1 {
        return Err(Failure::malformed_xml());
    }
    Ok(())
}

fn parse_filter(filter: LifecycleRuleFilter, rule: &mut LifecycleRule) -> Result<(), Failure> {
    // Several conditions belong into `And`; they are taken without it, too, and then all must hold.
    let bare = filter.prefix.is_some()
        || filter.tag.is_some()
        || filter.object_size_greater_than.is_some()
        || filter.object_size_less_than.is_some();
    if bare && filter.and.is_some() {
        return Err(Failure::malformed_xml());
    }
    let (prefix, tags, larger, smaller) = match filter.and {
        Some(and) => (
            and.prefix,
            and.tags.unwrap_or_default(),
            and.object_size_greater_than,
            and.object_size_less_than,
        ),
        None => (
            filter.prefix,
            filter.tag.into_iter().collect(),
            filter.object_size_greater_than,
            filter.object_size_less_than,
        ),
    };
    let size = |bytes: Option<i64>| {
        bytes.map(|bytes| u64::try_from(bytes).map_err(|_| Failure::malformed_xml())).transpose()
    };
    rule.prefix = prefix;
    rule.tags = tags.into_iter().map(pair).collect::<Result<_, _>>()?;
    (rule.larger_than, rule.smaller_than) = (size(larger)?, size(smaller)?);
    Ok(())
}

fn pair(tag: Tag) -> Result<(String, String), Failure> {
    match (tag.key, tag.value) {
        (Some(key), Some(value)) if !key.is_empty() => Ok((key, value)),
        _ => Err(Failure::malformed_xml()),
    }
}

fn positive(number: i32) -> Result<u32, Failure> {
    match u32::try_from(number) {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(Failure::argument(
            "Numbers of days and versions in a lifecycle rule must be positive integers",
        )),
    }
}

fn write(rules: &[LifecycleRule]) -> Xml {
    let mut xml = Xml::new("LifecycleConfiguration");
    for rule in rules {
        xml.open("Rule").text("ID", &rule.id);
        match rule.bare_prefix {
            true => {
                xml.text("Prefix", rule.prefix.as_deref().unwrap_or_default());
            }
            false => write_filter(&mut xml, rule),
        }
        xml.plain("Status", if rule.enabled { "Enabled" } else { "Disabled" });
        if rule.days.is_some() || rule.date.is_some() || rule.lone_markers {
            xml.open("Expiration");
            maybe(&mut xml, "Days", rule.days);
            if let Some(date) = rule.date {
                xml.plain("Date", iso_time(date));
            }
            if rule.lone_markers {
                xml.plain("ExpiredObjectDeleteMarker", true);
            }
            xml.close();
        }
        if rule.noncurrent_days.is_some() {
            xml.open("NoncurrentVersionExpiration");
            maybe(&mut xml, "NoncurrentDays", rule.noncurrent_days);
            maybe(&mut xml, "NewerNoncurrentVersions", rule.noncurrent_keep);
            xml.close();
        }
        if rule.abort_days.is_some() {
            xml.open("AbortIncompleteMultipartUpload");
            maybe(&mut xml, "DaysAfterInitiation", rule.abort_days);
            xml.close();
        }
        xml.close();
    }
    xml
}

fn write_filter(xml: &mut Xml, rule: &LifecycleRule) {
    xml.open("Filter");
    let conditions = usize::from(rule.prefix.is_some())
        + rule.tags.len()
        + usize::from(rule.larger_than.is_some())
        + usize::from(rule.smaller_than.is_some());
    if conditions > 1 {
        xml.open("And");
    }
    xml.maybe("Prefix", rule.prefix.as_deref());
    for (key, value) in &rule.tags {
        xml.open("Tag").text("Key", key).text("Value", value).close();
    }
    maybe(xml, "ObjectSizeGreaterThan", rule.larger_than);
    maybe(xml, "ObjectSizeLessThan", rule.smaller_than);
    if conditions > 1 {
        xml.close();
    }
    xml.close();
}

fn maybe(xml: &mut Xml, name: &'static str, number: Option<impl std::fmt::Display>) {
    if let Some(number) = number {
        xml.plain(name, number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_rules(inner: &str) -> Result<Vec<LifecycleRule>, String> {
        let text = format!("<LifecycleConfiguration>{inner}</LifecycleConfiguration>");
        parse(text.as_bytes()).map_err(|failure| failure.code.into_owned())
    }

    #[test]
    fn there_and_back() {
        let expire = "<Expiration><Days>1</Days></Expiration>";
        let table = [
            format!("<Rule><ID>a</ID><Prefix>p/</Prefix><Status>Enabled</Status>{expire}</Rule>"),
            format!("<Rule><ID>a</ID><Filter/><Status>Disabled</Status>{expire}</Rule>"),
            format!(
                "<Rule><ID>a</ID><Filter><Prefix></Prefix></Filter><Status>Enabled</Status>{expire}</Rule>"
            ),
            "<Rule><ID>b</ID><Filter><And><Prefix>p</Prefix><Tag><Key>k</Key><Value>v</Value></Tag>\
             <ObjectSizeGreaterThan>5</ObjectSizeGreaterThan></And></Filter><Status>Enabled</Status>\
             <Expiration><Date>2030-01-01T00:00:00.000Z</Date></Expiration><NoncurrentVersionExpiration>\
             <NoncurrentDays>3</NoncurrentDays><NewerNoncurrentVersions>2</NewerNoncurrentVersions>\
             </NoncurrentVersionExpiration></Rule>"
                .to_owned(),
            "<Rule><ID>c</ID><Prefix></Prefix><Status>Enabled</Status><AbortIncompleteMultipartUpload>\
             <DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule>"
                .to_owned(),
        ];
        for text in table {
            let rules = parse_rules(&text).unwrap();
            let written = String::from_utf8(write(&rules).finish()).unwrap();
            let again = parse(written.as_bytes()).unwrap();
            assert_eq!(again, rules);
            assert!(written.contains(&text.replace("<Filter/>", "<Filter></Filter>")), "{written}");
        }
    }

    #[test]
    fn what_is_refused() {
        let expire = "<Expiration><Days>1</Days></Expiration>";
        let rule = |inner: &str| format!("<Rule><Filter/><Status>Enabled</Status>{inner}</Rule>");
        let table = [
            (String::new(), "MalformedXML"),
            (rule(""), "InvalidRequest"),
            (rule("<Expiration><Days>0</Days></Expiration>"), "InvalidArgument"),
            (rule("<Expiration><Days>-1</Days></Expiration>"), "InvalidArgument"),
            (rule("<Expiration></Expiration>"), "MalformedXML"),
            (rule("<Expiration><Date>2030-01-01T00:00:01Z</Date></Expiration>"), "InvalidArgument"),
            (rule("<Expiration><Date>20200101</Date></Expiration>"), "MalformedXML"),
            (
                rule("<Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition>"),
                "NotImplemented",
            ),
            (format!("<Rule><Filter/><Status>enabled</Status>{expire}</Rule>"), "MalformedXML"),
            (format!("<Rule><Status>Enabled</Status>{expire}</Rule>"), "MalformedXML"),
            (format!("<Rule><Prefix/><Filter/><Status>Enabled</Status>{expire}</Rule>"), "MalformedXML"),
            (
                format!("<Rule><ID>{}</ID><Prefix/><Status>Enabled</Status>{expire}</Rule>", "i".repeat(256)),
                "InvalidArgument",
            ),
            (
                format!("<Rule><ID>a</ID><Prefix/><Status>Enabled</Status>{expire}</Rule>").repeat(2),
                "InvalidArgument",
            ),
        ];
        for (inner, code) in table {
            assert_eq!(parse_rules(&inner), Err(code.to_owned()), "{inner}");
        }
    }
}
