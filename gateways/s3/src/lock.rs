//! Object lock: a bucket's default, retention and legal hold of versions.

use allod_core::{DefaultRetention, ObjectChange, Period, Retention, Versioning};
use allod_model::{Error, ErrorKind, Precondition};
use http::StatusCode;
use s3s::dto::{
    ObjectLockConfiguration, ObjectLockLegalHold, ObjectLockRetention, Timestamp, TimestampFormat,
};

use crate::answer::{document, empty, iso_time, parse_iso_time};
use crate::error::{Answer, Code, Doing, Failure};
use crate::facts::{facts_of, mode_name, parse_mode};
use crate::get::version_asked;
use crate::handle::{Call, bucket_failure, object_failure};
use crate::xml::{Xml, read};

/// The longest default retention (AWS' limit).
const DAYS_MAX: i32 = 36_500;
const YEARS_MAX: i32 = 100;

/// A time in a document, in core's terms.
pub(crate) fn time_of(time: &Timestamp) -> Option<allod_model::Timestamp> {
    let mut text = Vec::new();
    time.format(TimestampFormat::DateTime, &mut text).ok()?;
    parse_iso_time(std::str::from_utf8(&text).ok()?)
}

/// GetObjectLockConfiguration.
pub(crate) async fn get_configuration(call: &mut Call) -> Answer {
    let bucket = call.session.bucket(&call.bucket()?).await.map_err(bucket_failure)?;
    let Some(default) = bucket.settings.object_lock else {
        let message = "Object Lock configuration does not exist for this bucket";
        return Err(Failure::new(Code::NO_LOCK_CONFIGURATION, message));
    };
    let mut xml = Xml::new("ObjectLockConfiguration");
    xml.plain("ObjectLockEnabled", "Enabled");
    if let Some(default) = default {
        xml.open("Rule").open("DefaultRetention").plain("Mode", mode_name(default.mode));
        match default.period {
            Period::Days(days) => xml.plain("Days", days),
            Period::Years(years) => xml.plain("Years", years),
        };
    }
    Ok(document(xml))
}

/// PutObjectLockConfiguration. Object lock cannot be switched off, and needs versions.
pub(crate) async fn put_configuration(call: &mut Call) -> Answer {
    let default = parse_configuration(&call.document().await?)?;
    let refused = Error::new(ErrorKind::WrongKind, "object lock needs versions");
    let change = move |settings: &mut allod_core::BucketSettings| {
        if settings.object_lock.is_none() && settings.versioning != Versioning::Enabled {
            return Err(refused.clone());
        }
        settings.object_lock = Some(default);
        Ok(())
    };
    let changed = call.session.change_bucket(&call.bucket()?, change).await;
    changed.map_err(|error| match error.kind {
        ErrorKind::WrongKind => Failure::new(
            Code::INVALID_BUCKET_STATE,
            "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration",
        ),
        _ => bucket_failure(error),
    })?;
    Ok(empty(StatusCode::OK))
}

fn parse_configuration(body: &[u8]) -> Result<Option<DefaultRetention>, Failure> {
    let configuration: ObjectLockConfiguration = read(body)?;
    if configuration.object_lock_enabled.as_ref().map(|enabled| enabled.as_str()) != Some("Enabled") {
        return Err(Failure::malformed_xml());
    }
    let Some(rule) = configuration.rule else { return Ok(None) };
    let default = rule.default_retention.ok_or_else(Failure::malformed_xml)?;
    let mode = default.mode.as_ref().and_then(|mode| parse_mode(mode.as_str()));
    let mode = mode.ok_or_else(Failure::malformed_xml)?;
    let positive = |number: i32, max: i32| match u32::try_from(number) {
        Ok(period) if (1..=max).contains(&number) => Ok(period),
        _ => Err(Failure::new(
            Code::INVALID_RETENTION,
            "The default retention period must be a positive number, of at most 36500 days or 100 years",
        )),
    };
    let period = match (default.days, default.years) {
        (Some(days), None) => Period::Days(positive(days, DAYS_MAX)?),
        (None, Some(years)) => Period::Years(positive(years, YEARS_MAX)?),
        _ => return Err(Failure::malformed_xml()),
    };
    Ok(Some(DefaultRetention { mode, period }))
}

/// GetObjectRetention.
pub(crate) async fn get_retention(call: &mut Call) -> Answer {
    demand_lock(call).await?;
    let version = version_asked(call)?;
    let node = call.session.stat_object(&call.path()?, version, &Precondition::default()).await;
    let node = node.map_err(object_failure)?;
    let Some(retention) = facts_of(&node)?.object.retention else {
        let message = "The specified object does not have a ObjectLock configuration";
        return Err(Failure::new(Code::NO_OBJECT_LOCK, message));
    };
    let mut xml = Xml::new("Retention");
    xml.plain("Mode", mode_name(retention.mode)).plain("RetainUntilDate", iso_time(retention.until));
    Ok(document(xml))
}

/// PutObjectRetention.
pub(crate) async fn put_retention(call: &mut Call) -> Answer {
    let retention = parse_retention(&call.document().await?)?;
    change(call, ObjectChange::Retention(retention)).await
}

/// An empty document ends the retention.
fn parse_retention(body: &[u8]) -> Result<Option<Retention>, Failure> {
    let retention: ObjectLockRetention = read(body)?;
    match (&retention.mode, &retention.retain_until_date) {
        (None, None) => Ok(None),
        (Some(mode), Some(until)) => {
            let mode = parse_mode(mode.as_str()).ok_or_else(Failure::malformed_xml)?;
            let until = time_of(until).ok_or_else(Failure::malformed_xml)?;
            Ok(Some(Retention { mode, until }))
        }
        _ => Err(Failure::malformed_xml()),
    }
}

/// GetObjectLegalHold.
pub(crate) async fn get_legal_hold(call: &mut Call) -> Answer {
    demand_lock(call).await?;
    let version = version_asked(call)?;
    let node = call.session.stat_object(&call.path()?, version, &Precondition::default()).await;
    let node = node.map_err(object_failure)?;
    let mut xml = Xml::new("LegalHold");
    xml.plain("Status", if facts_of(&node)?.object.legal_hold { "ON" } else { "OFF" });
    Ok(document(xml))
}

/// PutObjectLegalHold.
pub(crate) async fn put_legal_hold(call: &mut Call) -> Answer {
    let hold: ObjectLockLegalHold = read(&call.document().await?)?;
    let on = match hold.status.as_ref().map(|status| status.as_str()) {
        Some("ON") => true,
        Some("OFF") => false,
        _ => return Err(Failure::malformed_xml()),
    };
    change(call, ObjectChange::LegalHold(on)).await
}

async fn change(call: &mut Call, change: ObjectChange) -> Answer {
    demand_lock(call).await?;
    let version = version_asked(call)?;
    let bypass = call.bypasses_governance();
    let changed = call.session.change_object(&call.path()?, version, change, bypass).await;
    changed.map_err(|error| Failure::of(error, Doing::Object))?;
    Ok(empty(StatusCode::OK))
}

/// S3 has a code of its own for buckets without object lock. Core refuses by itself what this overlooks.
async fn demand_lock(call: &Call) -> Result<(), Failure> {
    let bucket = call.session.bucket(&call.bucket()?).await.map_err(bucket_failure)?;
    match bucket.settings.object_lock {
        Some(_) => Ok(()),
        None => Err(Failure::request("Bucket is missing Object Lock Configuration")),
    }
}

#[cfg(test)]
mod tests {
    use allod_core::RetentionMode;

    use super::*;

    #[test]
    fn configurations() {
        let parse = |inner: &str| {
            let text = format!("<ObjectLockConfiguration>{inner}</ObjectLockConfiguration>");
            parse_configuration(text.as_bytes()).map_err(|failure| failure.code.into_owned())
        };
        let rule = |inner: &str| {
            format!(
                "<ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>{inner}</DefaultRetention></Rule>"
            )
        };
        let default = |period| Ok(Some(DefaultRetention { mode: RetentionMode::Governance, period }));
        assert_eq!(parse("<ObjectLockEnabled>Enabled</ObjectLockEnabled>"), Ok(None));
        assert_eq!(parse(&rule("<Mode>GOVERNANCE</Mode><Days>1</Days>")), default(Period::Days(1)));
        assert_eq!(parse(&rule("<Mode>GOVERNANCE</Mode><Years>2</Years>")), default(Period::Years(2)));
        let table = [
            ("<ObjectLockEnabled>Disabled</ObjectLockEnabled>".to_owned(), "MalformedXML"),
            (String::new(), "MalformedXML"),
            (rule("<Mode>governance</Mode><Days>1</Days>"), "MalformedXML"),
            (rule("<Mode>GOVERNANCE</Mode><Days>1</Days><Years>1</Years>"), "MalformedXML"),
            (rule("<Mode>GOVERNANCE</Mode>"), "MalformedXML"),
            (rule("<Mode>GOVERNANCE</Mode><Days>0</Days>"), "InvalidRetentionPeriod"),
            (rule("<Mode>GOVERNANCE</Mode><Years>-1</Years>"), "InvalidRetentionPeriod"),
            (rule("<Mode>GOVERNANCE</Mode><Days>36501</Days>"), "InvalidRetentionPeriod"),
        ];
        for (inner, code) in table {
            assert_eq!(parse(&inner), Err(code.to_owned()), "{inner}");
        }
    }

    #[test]
    fn retentions() {
        let parse = |inner: &str| {
            let text = format!("<Retention>{inner}</Retention>");
            parse_retention(text.as_bytes()).map_err(|failure| failure.code.into_owned())
        };
        let until = allod_model::Timestamp(1_893_456_000_000);
        assert_eq!(parse(""), Ok(None));
        let text = "<Mode>COMPLIANCE</Mode><RetainUntilDate>2030-01-01T00:00:00Z</RetainUntilDate>";
        assert_eq!(parse(text), Ok(Some(Retention { mode: RetentionMode::Compliance, until })));
        for wrong in ["<Mode>COMPLIANCE</Mode>", &text.replace("COMPLIANCE", "x"), &text.replace("2030", "x")]
        {
            assert_eq!(parse(wrong), Err("MalformedXML".into()), "{wrong}");
        }
    }
}
