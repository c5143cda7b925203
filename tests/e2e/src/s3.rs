//! Requests signed by Signature Version 4, written from its description, not from the server's code.

use std::time::{SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::http::Request;
use crate::server::App;

/// The hash that stands for a body that is not signed.
pub const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
/// The host that [`Request`] names where nothing else is said.
const HOST: &str = "localhost";

/// Signs requests.
#[derive(Clone, Debug)]
pub struct Signer {
    /// The access key.
    pub access_key: String,
    /// The secret key.
    pub secret_key: String,
    /// The region signed for.
    pub region: String,
    /// How far the clock is off, in seconds.
    pub skew_secs: i64,
    /// The host asked for.
    pub host: String,
}

/// A signature and what it was made in.
struct Signed {
    time: String,
    scope: String,
    signature: String,
}

impl Signer {
    /// Signs as an app credential.
    pub fn of(app: &App) -> Signer {
        Signer {
            access_key: app.access_key.clone(),
            secret_key: app.secret_key.clone(),
            region: "us-east-1".into(),
            skew_secs: 0,
            host: HOST.into(),
        }
    }

    /// A signed request. `target` is sent as given; its path must be encoded as Signature V4 wants it.
    pub fn request(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Request {
        self.with_hash(method, target, headers, body, &hex(&Sha256::digest(body)))
    }

    /// As [`Signer::request`], with another value of `x-amz-content-sha256`.
    pub fn with_hash(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        hash: &str,
    ) -> Request {
        let (request, _) = self.signed(method, target, headers, hash);
        request.body(body)
    }

    /// A body in signed chunks of `size` bytes, with trailers behind it.
    pub fn chunked(
        &self,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        size: usize,
        trailers: &[(&str, &str)],
    ) -> Request {
        let length = body.len().to_string();
        let mut headers = [headers, &[("x-amz-decoded-content-length", length.as_str())]].concat();
        let names = trailers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(",");
        let mut hash = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD".to_owned();
        if !trailers.is_empty() {
            headers.push(("x-amz-trailer", &names));
            hash.push_str("-TRAILER");
        }
        let (request, signed) = self.signed("PUT", target, &headers, &hash);
        let mut previous = signed.signature.clone();
        let mut out = Vec::new();
        for chunk in body.chunks(size).chain([&[][..]]) {
            let text = format!(
                "AWS4-HMAC-SHA256-PAYLOAD\n{}\n{}\n{previous}\n{}\n{}",
                signed.time,
                signed.scope,
                hex(&Sha256::digest(b"")),
                hex(&Sha256::digest(chunk))
            );
            previous = self.sign(&signed.scope, &text);
            out.extend_from_slice(format!("{:x};chunk-signature={previous}\r\n", chunk.len()).as_bytes());
            out.extend_from_slice(chunk);
            if !chunk.is_empty() {
                out.extend_from_slice(b"\r\n");
            }
        }
        if !trailers.is_empty() {
            let lines: String = trailers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
            let hash = hex(&Sha256::digest(lines.as_bytes()));
            let text =
                format!("AWS4-HMAC-SHA256-TRAILER\n{}\n{}\n{previous}\n{hash}", signed.time, signed.scope);
            let signature = self.sign(&signed.scope, &text);
            out.extend_from_slice(lines.replace('\n', "\r\n").as_bytes());
            out.extend_from_slice(format!("x-amz-trailer-signature:{signature}\r\n").as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        request.body(out)
    }

    /// A URL, without its host, that needs no header.
    pub fn presigned(&self, method: &str, target: &str, expires_secs: i64) -> String {
        let (date, time) = self.now();
        let scope = format!("{date}/{}/s3/aws4_request", self.region);
        let credential = format!("{}/{scope}", self.access_key).replace('/', "%2F");
        let mark = if target.contains('?') { '&' } else { '?' };
        let target = format!(
            "{target}{mark}X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={credential}&X-Amz-Date={time}\
             &X-Amz-Expires={expires_secs}&X-Amz-SignedHeaders=host"
        );
        let canonical = canonical(method, &target, &format!("host:{}\n", self.host), "host", UNSIGNED);
        let text = string_to_sign(&time, &scope, &canonical);
        format!("{target}&X-Amz-Signature={}", self.sign(&scope, &text))
    }

    /// The fields that sign a policy given as JSON, in the order of a form.
    pub fn policy_fields(&self, policy: &str) -> Vec<(String, String)> {
        let (date, time) = self.now();
        let scope = format!("{date}/{}/s3/aws4_request", self.region);
        let credential = format!("{}/{scope}", self.access_key);
        let policy = policy.replace("CREDENTIAL", &credential).replace("DATE", &time);
        let policy = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, policy);
        let signature = self.sign(&scope, &policy);
        [
            ("policy", policy),
            ("x-amz-algorithm", "AWS4-HMAC-SHA256".to_owned()),
            ("x-amz-credential", credential),
            ("x-amz-date", time),
            ("x-amz-signature", signature),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    fn signed(&self, method: &str, target: &str, headers: &[(&str, &str)], hash: &str) -> (Request, Signed) {
        let (date, time) = self.now();
        let scope = format!("{date}/{}/s3/aws4_request", self.region);
        let mut all: Vec<(String, String)> =
            headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), (*value).to_owned())).collect();
        all.push(("x-amz-date".into(), time.clone()));
        all.push(("x-amz-content-sha256".into(), hash.to_owned()));
        let mut request = Request::new(method, target).header("Host", &self.host);
        for (name, value) in &all {
            request = request.header(name, value);
        }
        // Framing is between this connection and the server.
        all.retain(|(name, _)| !matches!(name.as_str(), "expect" | "transfer-encoding" | "content-length"));
        all.push(("host".into(), self.host.clone()));
        all.sort();
        let lines: String = all.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
        let names = all.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(";");
        let canonical = canonical(method, target, &lines, &names, hash);
        let signature = self.sign(&scope, &string_to_sign(&time, &scope, &canonical));
        let value = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
            self.access_key
        );
        (request.header("Authorization", &value), Signed { time, scope, signature })
    }

    fn sign(&self, scope: &str, text: &str) -> String {
        let first = format!("AWS4{}", self.secret_key).into_bytes();
        let key = scope.split('/').fold(first, |key, word| hmac(&key, word.as_bytes()));
        hex(&hmac(&key, text.as_bytes()))
    }

    /// Date and time as Signature V4 writes them.
    fn now(&self) -> (String, String) {
        let secs = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() as i64;
        let secs = secs + self.skew_secs;
        let (days, clock) = (secs.div_euclid(86_400), secs.rem_euclid(86_400));
        let (mut year, mut rest) = (1970, days);
        let length = |year: i64| {
            let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
            if leap { 366 } else { 365 }
        };
        while rest >= length(year) {
            rest -= length(year);
            year += 1;
        }
        let february = length(year) - 337;
        let mut month = 1;
        for days in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
            if rest < days {
                break;
            }
            rest -= days;
            month += 1;
        }
        let date = format!("{year:04}{month:02}{:02}", rest + 1);
        let time = format!("{date}T{:02}{:02}{:02}Z", clock / 3600, clock / 60 % 60, clock % 60);
        (date, time)
    }
}

fn canonical(method: &str, target: &str, headers: &str, names: &str, hash: &str) -> String {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut parameters: Vec<String> = query
        .split('&')
        .filter(|one| !one.is_empty())
        .map(|one| if one.contains('=') { one.to_owned() } else { format!("{one}=") })
        .collect();
    parameters.sort();
    format!("{method}\n{path}\n{}\n{headers}\n{names}\n{hash}", parameters.join("&"))
}

fn string_to_sign(time: &str, scope: &str, canonical: &str) -> String {
    format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hex(&Sha256::digest(canonical.as_bytes())))
}

fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any key will do");
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

/// Hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "GET Object" of the S3 API reference, "Examples: Signature calculations".
    #[test]
    fn the_published_example() {
        let signer = Signer {
            access_key: "AKIAIOSFODNN7EXAMPLE".into(),
            secret_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into(),
            region: "us-east-1".into(),
            skew_secs: 0,
            host: HOST.into(),
        };
        let empty = hex(&Sha256::digest(b""));
        let headers = format!(
            "host:examplebucket.s3.amazonaws.com\nrange:bytes=0-9\nx-amz-content-sha256:{empty}\n\
             x-amz-date:20130524T000000Z\n"
        );
        let canonical =
            canonical("GET", "/test.txt", &headers, "host;range;x-amz-content-sha256;x-amz-date", &empty);
        let scope = "20130524/us-east-1/s3/aws4_request";
        let signature = signer.sign(scope, &string_to_sign("20130524T000000Z", scope, &canonical));
        assert_eq!(signature, "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
    }
}
