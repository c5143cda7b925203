//! Signature Version 4 with an unsigned payload. The key of the day is derived once.

use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

const REGION: &str = "us-east-1";
const SIGNED: &str = "host;x-amz-content-sha256;x-amz-date";

pub struct Signer {
    access_key: String,
    secret_key: String,
    day: String,
    key: [u8; 32],
}

impl Signer {
    pub fn from_env() -> Option<Self> {
        let word = |name| std::env::var(name).ok();
        Some(Self {
            access_key: word("AWS_ACCESS_KEY_ID")?,
            secret_key: word("AWS_SECRET_ACCESS_KEY")?,
            day: String::new(),
            key: [0; 32],
        })
    }

    /// Adds the fields to the head. `path` and `query` are encoded and in order already.
    pub fn sign(&mut self, head: &mut String, method: &str, host: &str, path: &str, query: &str) {
        let stamp = stamp();
        if self.day != stamp[..8] {
            self.day = stamp[..8].to_owned();
            let words = [self.day.as_str(), REGION, "s3", "aws4_request"];
            self.key = words
                .iter()
                .fold(Vec::from(format!("AWS4{}", self.secret_key)), |key, word| hmac(&key, word).to_vec())
                .try_into()
                .expect("32 bytes");
        }
        let canonical = format!(
            "{method}\n{path}\n{query}\nhost:{host}\nx-amz-content-sha256:UNSIGNED-PAYLOAD\nx-amz-date:{stamp}\n\n{SIGNED}\nUNSIGNED-PAYLOAD"
        );
        let scope = format!("{}/{REGION}/s3/aws4_request", self.day);
        let text = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}", hex(&Sha256::digest(canonical)));
        let signature = hex(&hmac(&self.key, &text));
        let _ = write!(
            head,
            "x-amz-date: {stamp}\r\nx-amz-content-sha256: UNSIGNED-PAYLOAD\r\n\
             authorization: AWS4-HMAC-SHA256 Credential={}/{scope},SignedHeaders={SIGNED},Signature={signature}\r\n",
            self.access_key
        );
    }
}

/// Everything but unreserved characters as %XX.
pub fn encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(byte.into()),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
        out
    })
}

fn hmac(key: &[u8], text: &str) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length will do");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// Now, as YYYYMMDDTHHMMSSZ; the date by Howard Hinnant's civil_from_days.
fn stamp() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs();
    let (days, second) = (now / 86_400 + 719_468, now % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let moon = (5 * day_of_year + 2) / 153;
    let (day, month) = (day_of_year - (153 * moon + 2) / 5 + 1, if moon < 10 { moon + 3 } else { moon - 9 });
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z", second / 3600, second / 60 % 60, second % 60)
}
