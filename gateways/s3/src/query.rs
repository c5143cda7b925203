//! The query of a request, decoded once.

use std::borrow::Cow;
use std::str::FromStr;

use percent_encoding::percent_decode_str;

use crate::error::{Code, Failure};

/// Parameters of a query at most.
const PARAMETERS_MAX: usize = 200;

/// The parameters of a query in the order sent, names and values decoded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads a query.
    ///
    /// # Errors
    /// `InvalidURI` when it is not UTF-8 once decoded; `InvalidRequest` for too many parameters.
    pub(crate) fn parse(raw: Option<&str>) -> Result<Query, Failure> {
        let mut found = Vec::new();
        for piece in raw.unwrap_or_default().split('&').filter(|piece| !piece.is_empty()) {
            if found.len() == PARAMETERS_MAX {
                return Err(Failure::request("the query has too many parameters"));
            }
            let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
            found.push((decode(name)?, decode(value)?));
        }
        Ok(Query(found))
    }

    /// Whether there is such a parameter, with or without a value.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// A parameter's value, `""` when it has none.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A number; absent and empty are the same.
    ///
    /// # Errors
    /// `InvalidArgument`, naming the parameter.
    pub(crate) fn number<T: FromStr>(&self, name: &'static str) -> Result<Option<T>, Failure> {
        let Some(text) = self.value(name).filter(|text| !text.is_empty()) else { return Ok(None) };
        let wrong = || {
            Failure::argument(format!("Provided {name} not an integer or within integer range"))
                .fact("ArgumentName", name)
                .fact("ArgumentValue", text)
        };
        if !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(wrong());
        }
        text.parse().map(Some).map_err(|_| wrong())
    }

    /// `encoding-type`: whether keys are to be percent-encoded.
    ///
    /// # Errors
    /// `InvalidArgument` for any other encoding.
    pub(crate) fn url_encoding(&self) -> Result<bool, Failure> {
        match self.value("encoding-type") {
            None | Some("") => Ok(false),
            Some(url) if url.eq_ignore_ascii_case("url") => Ok(true),
            Some(other) => Err(Failure::argument("Invalid Encoding Method specified in Request")
                .fact("ArgumentName", "encoding-type")
                .fact("ArgumentValue", other)),
        }
    }

    /// All parameters.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

fn decode(text: &str) -> Result<String, Failure> {
    let spaced: Cow<'_, str> = if text.contains('+') { text.replace('+', " ").into() } else { text.into() };
    let decoded = percent_decode_str(&spaced).decode_utf8();
    decoded
        .map(Cow::into_owned)
        .map_err(|_| Failure::new(Code::INVALID_URI, "Couldn't parse the specified URI: it is not UTF-8."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoded_once() {
        let query = Query::parse(Some("uploads&prefix=a%2525+b%2B&max-keys=7&empty=&&x=1=2")).unwrap();
        assert!(query.has("uploads") && query.has("empty") && !query.has("upload"));
        assert_eq!(query.value("prefix"), Some("a%25 b+"));
        assert_eq!(query.value("x"), Some("1=2"));
        assert_eq!(query.number::<usize>("max-keys").unwrap(), Some(7));
        assert_eq!(query.number::<usize>("empty").unwrap(), None);
        for wrong in ["-1", "x", "1.5", "+1", "99999999999999999999999"] {
            let query = Query::parse(Some(&format!("max-keys={}", wrong.replace('+', "%2B")))).unwrap();
            assert_eq!(query.number::<i32>("max-keys").unwrap_err().code, "InvalidArgument", "{wrong}");
        }
        assert_eq!(Query::parse(Some("a=%ff")).unwrap_err().code, "InvalidURI");
        assert!(Query::parse(Some(&"a&".repeat(1000))).is_err());
    }
}
