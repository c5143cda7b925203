//! The policy of a form: until when it is good, and what its fields must be ("Creating a POST policy" of the S3 API
//! reference).

use allod_model::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::answer::parse_iso_time;
use crate::error::{Code, Failure};
use crate::form::Fields;

/// Fields that no condition needs to speak of.
const UNSPOKEN: [&str; 5] = ["file", "policy", "signature", "awsaccesskeyid", "x-amz-signature"];
/// Conditions of a policy at most.
const CONDITIONS_MAX: usize = 500;

/// What a policy says of the file's length, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Lengths {
    pub(crate) min: u64,
    pub(crate) max: u64,
}

enum Condition {
    Equal(String, String),
    StartsWith(String, String),
    Length(Lengths),
}

/// Compares a form with its policy, and gives what the policy says of the file's length.
///
/// # Errors
/// `InvalidPolicyDocument` when it cannot be read; `AccessDenied` when it is over or a condition does not hold, or when
/// there is a field that it does not speak of.
pub(crate) fn judge(
    policy: &str,
    fields: &Fields,
    bucket: &str,
    now: Timestamp,
) -> Result<Option<Lengths>, Failure> {
    let (expires, conditions) = parse(policy)?;
    if expires <= now {
        return Err(denied("Policy expired."));
    }
    let value = |name: &str| match name {
        "bucket" => Some(bucket),
        name => fields.get(name),
    };
    let mut lengths = None;
    let mut spoken = Vec::new();
    for condition in &conditions {
        let (holds, name, text) = match condition {
            Condition::Equal(name, text) => (value(name) == Some(text.as_str()), name, text),
            Condition::StartsWith(name, text) => {
                // With nothing to start with, any value will do, and none.
                (value(name).unwrap_or_default().starts_with(text.as_str()), name, text)
            }
            Condition::Length(range) => {
                lengths = Some(*range);
                continue;
            }
        };
        if !holds {
            return Err(denied(&format!("Policy Condition failed: [\"${name}\", \"{text}\"]")));
        }
        spoken.push(name.as_str());
    }
    let extra = fields
        .iter()
        .map(|(name, _)| name)
        .find(|name| !spoken.contains(name) && !UNSPOKEN.contains(name) && !name.starts_with("x-ignore-"));
    match extra {
        None => Ok(lengths),
        Some(name) => Err(denied(&format!("Extra input fields: {name}"))),
    }
}

fn denied(why: &str) -> Failure {
    Failure::new(Code::ACCESS_DENIED, format!("Invalid according to Policy: {why}"))
}

fn invalid(why: &'static str) -> Failure {
    Failure::new(Code::INVALID_POLICY, format!("Invalid Policy: {why}"))
}

fn parse(policy: &str) -> Result<(Timestamp, Vec<Condition>), Failure> {
    let compact: String = policy.split_ascii_whitespace().collect();
    let bytes = STANDARD.decode(compact).map_err(|_| invalid("it is not Base64"))?;
    let document: Value = serde_json::from_slice(&bytes).map_err(|_| invalid("it is not JSON"))?;
    let expiration = document["expiration"].as_str().ok_or_else(|| invalid("it has no expiration"))?;
    let expires = parse_iso_time(expiration).filter(|_| expiration.contains(['T', 't']));
    let expires = expires.ok_or_else(|| invalid("its expiration is no time"))?;
    let listed = document["conditions"].as_array().ok_or_else(|| invalid("it has no conditions"))?;
    if listed.is_empty() || listed.len() > CONDITIONS_MAX {
        return Err(invalid("it has no conditions, or too many"));
    }
    let mut conditions = Vec::new();
    for condition in listed {
        match condition {
            Value::Object(pairs) if !pairs.is_empty() => {
                for (name, value) in pairs {
                    let value = value.as_str().ok_or_else(|| invalid("a condition's value is not text"))?;
                    conditions.push(Condition::Equal(name.to_ascii_lowercase(), value.to_owned()));
                }
            }
            Value::Array(words) => conditions.push(parse_words(words)?),
            _ => return Err(invalid("a condition is neither an object nor a list")),
        }
    }
    Ok((expires, conditions))
}

fn parse_words(words: &[Value]) -> Result<Condition, Failure> {
    let [operator, first, second] = words else { return Err(invalid("a condition has three members")) };
    let operator = operator.as_str().ok_or_else(|| invalid("a condition begins with a word"))?;
    if operator.eq_ignore_ascii_case("content-length-range") {
        // AWS takes numbers written as text too.
        let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok());
        let (Some(min), Some(max)) = (number(first), number(second)) else {
            return Err(invalid("content-length-range needs two numbers"));
        };
        return Ok(Condition::Length(Lengths { min, max }));
    }
    let name = first.as_str().and_then(|name| name.strip_prefix('$'));
    let (Some(name), Some(text)) = (name, second.as_str()) else {
        return Err(invalid("a condition needs a $field and a text"));
    };
    let (name, text) = (name.to_ascii_lowercase(), text.to_owned());
    match operator.to_ascii_lowercase().as_str() {
        "eq" => Ok(Condition::Equal(name, text)),
        "starts-with" => Ok(Condition::StartsWith(name, text)),
        _ => Err(invalid("an operator is not known")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(document: &str, fields: &[(&str, &str)]) -> Result<Option<Lengths>, String> {
        let policy = STANDARD.encode(document);
        let fields = Fields::of(fields);
        let now = Timestamp(1_700_000_000_000);
        judge(&policy, &fields, "b", now).map_err(|failure| failure.code.into_owned())
    }

    fn with(conditions: &str) -> String {
        format!("{{\"expiration\": \"2030-01-01T00:00:00Z\", \"conditions\": [{conditions}]}}")
    }

    #[test]
    fn conditions() {
        let denied = Err("AccessDenied".to_owned());
        let table = [
            (r#"{"bucket": "b"}"#, vec![], Ok(None)),
            (r#"{"bucket": "c"}"#, vec![], denied.clone()),
            (r#"{"bucket": "b"}, ["starts-with", "$key", "u/"]"#, vec![("key", "u/x")], Ok(None)),
            (r#"{"bucket": "b"}, ["starts-with", "$key", "u/"]"#, vec![("key", "v/x")], denied.clone()),
            (r#"["starts-with", "$Key", ""]"#, vec![("key", "x")], Ok(None)),
            (r#"["starts-with", "$key", ""]"#, vec![], Ok(None)),
            (r#"["starts-with", "$key", "a"]"#, vec![], denied.clone()),
            (r#"["EQ", "$acl", "private"]"#, vec![("acl", "private"), ("x-ignore-a", "1")], Ok(None)),
            (r#"["eq", "$acl", "private"]"#, vec![("acl", "private"), ("key", "k")], denied.clone()),
            (r#"{"bucket": "b"}"#, vec![("policy", "x"), ("x-amz-signature", "x")], Ok(None)),
            (r#"["content-length-range", 1, "9"]"#, vec![], Ok(Some(Lengths { min: 1, max: 9 }))),
        ];
        for (conditions, fields, wanted) in table {
            assert_eq!(judged(&with(conditions), &fields), wanted, "{conditions}");
        }
        assert_eq!(judged(&with(r#"{"bucket": "b"}"#).replace("2030", "2020"), &[]), denied);
    }

    #[test]
    fn what_cannot_be_read() {
        let unknown = with(r#"["like", "$key", "x"]"#);
        let table = [
            "",
            "x",
            "[]",
            "{}",
            r#"{"conditions": [{"bucket": "b"}]}"#,
            r#"{"expiration": "2030-01-01T00:00:00Z"}"#,
            r#"{"expiration": "soon", "conditions": [{"bucket": "b"}]}"#,
            r#"{"expiration": "2030-01-01 00:00:00Z", "conditions": [{"bucket": "b"}]}"#,
            r#"{"expiration": "2030-01-01T00:00:00Z", "conditions": []}"#,
            &unknown,
            &with("5"),
            &with("{}"),
            &with(r#"{"a": 1}"#),
            &with(r#"["eq", "key", "x"]"#),
            &with(r#"["eq", "$key"]"#),
            &with(r#"["content-length-range", -1, 5]"#),
        ];
        for document in table {
            assert_eq!(judged(document, &[]), Err("InvalidPolicyDocument".into()), "{document}");
        }
        assert!(judge("!", &Fields::default(), "b", Timestamp(0)).is_err());
    }
}
