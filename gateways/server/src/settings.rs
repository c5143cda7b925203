//! Settings: flags before environment (both read by the command line) before the file `allod.toml` in the data
//! directory before defaults.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use allod_kit::Network;
use allod_model::{parse_duration_secs, parse_size};
use serde::Deserialize;

pub use crate::smtp_settings::{SmarthostSettings, SmtpServing};

/// The settings file's name in the data directory.
pub const FILE_NAME: &str = "allod.toml";
/// Longest settings file, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What can be set; all of it has defaults. The same names are keys of `allod.toml`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub struct Settings {
    /// Where HTTP is served: WebDAV and, later, everything else that speaks HTTP.
    pub http: Option<SocketAddr>,
    /// The S3 window.
    pub s3: Option<S3Serving>,
    /// The IMAP window.
    pub imap: Option<ImapServing>,
    /// Mail: submission, mail from the world, the way out.
    pub smtp: Option<SmtpServing>,
    /// Certificate chain, PEM.
    pub tls_cert: Option<PathBuf>,
    /// Private key, PEM.
    pub tls_key: Option<PathBuf>,
    /// Serve plain text on addresses that others can reach.
    pub insecure: Option<bool>,
    /// Proxies whose `X-Forwarded-For` is believed: addresses or networks.
    pub trusted_proxies: Option<Vec<String>>,
    /// Metadata engine: `redb` (default), and in builds that have them `fjall`, `sled`.
    pub engine: Option<String>,
    /// Memory for the metadata cache, such as `64M`.
    pub metadata_cache: Option<String>,
    /// Where content lies: `file:///…`, `s3://bucket/prefix`. Default: `blobs` in the data directory.
    pub blobs: Option<String>,
    /// How to reach an S3 bucket.
    pub blobs_s3: Option<S3Settings>,
    /// How long what was overwritten or deleted is kept, such as `30d`.
    pub retention: Option<String>,
    /// Free space to leave on the disk, such as `64M`.
    pub disk_reserve: Option<String>,
    /// The file that holds the passphrase of the master key.
    pub passphrase_file: Option<PathBuf>,
    /// Whom to tell of holes in security, for `security.txt`: `mailto:` or `https:` addresses.
    pub security_contacts: Option<Vec<String>>,
}

/// How S3 is served.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3Serving {
    /// Whether it is served at all; it is unless this says `false`.
    pub enabled: Option<bool>,
    /// Where.
    pub listen: Option<SocketAddr>,
    /// One name or several below which buckets are host names, such as `s3.example.org`.
    pub domain: Option<Domains>,
    /// The region that clients are told. Default `us-east-1`; requests signed for others are served all the same.
    pub region: Option<String>,
    /// The length of a lifecycle day in seconds, for tests.
    pub lifecycle_day_secs: Option<u64>,
}

/// One name or several.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Domains {
    /// One.
    One(String),
    /// Several.
    Several(Vec<String>),
}

impl S3Serving {
    fn or(self, other: S3Serving) -> S3Serving {
        S3Serving {
            enabled: self.enabled.or(other.enabled),
            listen: self.listen.or(other.listen),
            domain: self.domain.or(other.domain),
            region: self.region.or(other.region),
            lifecycle_day_secs: self.lifecycle_day_secs.or(other.lifecycle_day_secs),
        }
    }

    /// The names below which buckets are host names.
    pub fn domains(&self) -> Vec<String> {
        match &self.domain {
            None => Vec::new(),
            Some(Domains::One(name)) => vec![name.clone()],
            Some(Domains::Several(names)) => names.clone(),
        }
    }

    /// The region that clients are told.
    pub fn region(&self) -> &str {
        self.region.as_deref().unwrap_or(allod_s3::REGION_DEFAULT)
    }
}

/// How IMAP is served.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImapServing {
    /// Whether it is served at all; it is unless this says `false`.
    pub enabled: Option<bool>,
    /// Where, beginning in plain text; with a certificate STARTTLS is offered and needed.
    pub listen: Option<SocketAddr>,
    /// Where, by TLS from the start.
    pub listen_tls: Option<SocketAddr>,
    /// Connections of one account at once.
    pub account_connections_max: Option<usize>,
    /// Connections from one address at once.
    pub address_connections_max: Option<usize>,
}

impl ImapServing {
    fn or(self, other: ImapServing) -> ImapServing {
        // An address that is named stands alone, so those of another place are not added to it.
        let named = self.listen.is_some() || self.listen_tls.is_some();
        let (listen, listen_tls) = match named {
            true => (self.listen, self.listen_tls),
            false => (other.listen, other.listen_tls),
        };
        ImapServing {
            enabled: self.enabled.or(other.enabled),
            listen,
            listen_tls,
            account_connections_max: self.account_connections_max.or(other.account_connections_max),
            address_connections_max: self.address_connections_max.or(other.address_connections_max),
        }
    }
}

/// How to reach the bucket that content lies in.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3Settings {
    /// The server, such as `https://s3.example.com`.
    pub endpoint: Option<String>,
    /// The region.
    pub region: Option<String>,
    /// The access key's id.
    pub access_key: Option<String>,
    /// The access key's secret.
    pub secret_key: Option<String>,
    /// Allow an `http://` endpoint.
    #[serde(default)]
    pub allow_http: bool,
    /// Name the bucket in the host.
    #[serde(default)]
    pub virtual_hosted: bool,
}

impl Settings {
    /// Reads the file in a data directory; without one, everything is unset.
    ///
    /// # Errors
    /// A line that names the file and what is wrong in it.
    pub fn from_file(data: &Path) -> Result<Settings, String> {
        let file = data.join(FILE_NAME);
        match fs::metadata(&file) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Settings::default()),
            Err(error) => return Err(format!("{}: {error}", file.display())),
            Ok(meta) if meta.len() > FILE_BYTES_MAX => {
                return Err(format!("{} is too large", file.display()));
            }
            Ok(_) => {}
        }
        let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        toml::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))
    }

    /// These settings, with what is unset taken from `other`.
    pub fn or(self, other: Settings) -> Settings {
        Settings {
            http: self.http.or(other.http),
            s3: Some(self.s3.unwrap_or_default().or(other.s3.unwrap_or_default())),
            imap: Some(self.imap.unwrap_or_default().or(other.imap.unwrap_or_default())),
            smtp: Some(self.smtp.unwrap_or_default().or(other.smtp.unwrap_or_default())),
            tls_cert: self.tls_cert.or(other.tls_cert),
            tls_key: self.tls_key.or(other.tls_key),
            insecure: self.insecure.or(other.insecure),
            trusted_proxies: self.trusted_proxies.or(other.trusted_proxies),
            engine: self.engine.or(other.engine),
            metadata_cache: self.metadata_cache.or(other.metadata_cache),
            blobs: self.blobs.or(other.blobs),
            blobs_s3: self.blobs_s3.or(other.blobs_s3),
            retention: self.retention.or(other.retention),
            disk_reserve: self.disk_reserve.or(other.disk_reserve),
            passphrase_file: self.passphrase_file.or(other.passphrase_file),
            security_contacts: self.security_contacts.or(other.security_contacts),
        }
    }

    /// How S3 is served.
    pub fn s3(&self) -> S3Serving {
        self.s3.clone().unwrap_or_default()
    }

    /// How IMAP is served.
    pub fn imap(&self) -> ImapServing {
        self.imap.clone().unwrap_or_default()
    }

    /// How mail is sent and taken.
    pub fn smtp(&self) -> SmtpServing {
        self.smtp.clone().unwrap_or_default()
    }

    /// Whether a certificate is set.
    ///
    /// # Errors
    /// When only one half of it is.
    pub fn tls_files(&self) -> Result<Option<(&Path, &Path)>, String> {
        match (&self.tls_cert, &self.tls_key) {
            (Some(cert), Some(key)) => Ok(Some((cert, key))),
            (None, None) => Ok(None),
            _ => Err("a certificate needs both --tls-cert and --tls-key".into()),
        }
    }

    /// The proxies to believe.
    ///
    /// # Errors
    /// A line that names the one that is no address or network.
    pub fn proxies(&self) -> Result<Vec<Network>, String> {
        let listed = self.trusted_proxies.iter().flatten();
        listed
            .map(|text| text.parse().map_err(|error| format!("trusted_proxies: '{text}': {error}")))
            .collect()
    }

    /// A duration setting in seconds.
    ///
    /// # Errors
    /// A line that names the setting and how to write it.
    pub fn retention_secs(&self) -> Result<Option<u64>, String> {
        read(&self.retention, "retention", parse_duration_secs, "such as 30d or 12h")
    }

    /// See [`Settings::disk_reserve`].
    ///
    /// # Errors
    /// As [`Settings::retention_secs`].
    pub fn disk_reserve_bytes(&self) -> Result<Option<u64>, String> {
        read(&self.disk_reserve, "disk_reserve", parse_size, "such as 64M or 1G")
    }

    /// See [`Settings::metadata_cache`].
    ///
    /// # Errors
    /// As [`Settings::retention_secs`].
    pub fn metadata_cache_bytes(&self) -> Result<Option<u64>, String> {
        read(&self.metadata_cache, "metadata_cache", parse_size, "such as 64M or 1G")
    }
}

fn read(
    text: &Option<String>,
    name: &str,
    parse: fn(&str) -> Option<u64>,
    usage: &str,
) -> Result<Option<u64>, String> {
    let Some(text) = text else { return Ok(None) };
    parse(text).map(Some).ok_or_else(|| format!("{name}: '{text}' is not understood; write it {usage}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_read_and_flags_win() {
        let folder = tempfile::tempdir().unwrap();
        let text = "http = \"127.0.0.1:1\"\nretention = \"10d\"\n[blobs_s3]\nendpoint = \"http://x\"\n\
                    [s3]\ndomain = [\"a\", \"b\"]\nregion = \"here\"\n";
        fs::write(folder.path().join(FILE_NAME), text).unwrap();
        let file = Settings::from_file(folder.path()).unwrap();
        assert_eq!(file.retention_secs(), Ok(Some(864_000)));
        let s3 = S3Serving { domain: Some(Domains::One("c".into())), ..S3Serving::default() };
        let flags =
            Settings { http: Some("127.0.0.1:2".parse().unwrap()), s3: Some(s3), ..Settings::default() };
        assert_eq!(file.s3().domains(), ["a", "b"]);
        let both = flags.or(file);
        assert_eq!(both.http.unwrap().port(), 2);
        assert_eq!((both.s3().domains(), both.s3().region()), (vec!["c".to_owned()], "here"));
        assert_eq!(both.blobs_s3.unwrap().endpoint.as_deref(), Some("http://x"));
    }

    #[test]
    fn a_misspelt_setting_is_told() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE_NAME), "htttp = \"127.0.0.1:1\"\n").unwrap();
        let error = Settings::from_file(folder.path()).unwrap_err();
        assert!(error.contains("htttp") && error.contains(FILE_NAME), "{error}");
    }
}
