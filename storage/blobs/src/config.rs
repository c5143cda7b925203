//! What a store needs to know to open.

use std::{fmt, path::PathBuf, time::Duration};

use url::Url;

use crate::{CHUNK_BYTES_MAX, Error, Result};

/// Content up to this length is handed back inline, bytes.
pub const INLINE_BYTES_MAX_DEFAULT: usize = 8 * 1024;
/// Content up to this length is one chunk, bytes.
pub const PACK_BYTES_MAX_DEFAULT: usize = 1024 * 1024;
/// Memory for chunks on their way, over all transfers, bytes.
pub const BUFFER_BYTES_DEFAULT: usize = 16 * 1024 * 1024;

/// Where content lies and how much memory moving it may take.
#[derive(Debug, Clone)]
pub struct BlobConfig {
    /// `file:///folder`, `memory:///`, `s3://bucket/prefix`, and with their cargo features `gs://bucket/prefix` and
    /// `az://container/prefix`. Empty means the folder [`BlobConfig::root`].
    pub url: String,
    /// The folder for an empty `url`, usually `blobs` in the data directory. Created if it does not exist.
    pub root: PathBuf,
    /// Credentials and address for `s3://`.
    pub s3: S3Config,
    /// Options for `gs://` and `az://`, by the names that `object_store` gives them.
    pub options: Vec<(String, String)>,
    /// Content up to this length touches no store: [`Stored::Inline`](crate::Stored::Inline). Bytes.
    pub inline_max: usize,
    /// Content up to this length is a single chunk, on a disk in a pack. Bytes; at most [`CHUNK_BYTES_MAX`].
    pub pack_max: usize,
    /// The budget for chunk buffers of all transfers, bytes. Each transfer gets one buffer (1.5 MiB) in any case.
    pub buffer_bytes: usize,
    /// Chunks that one writer stores at the same time.
    pub in_flight: usize,
    /// Chunks that one reader has read or is reading beside the one it hands out.
    pub read_ahead: usize,
    /// How long a failing request to an object store is tried again before it is `Unavailable`.
    pub retry_for: Duration,
}

impl BlobConfig {
    /// A store in a folder of this machine.
    pub fn local(root: impl Into<PathBuf>) -> BlobConfig {
        BlobConfig { root: root.into(), ..BlobConfig::new("") }
    }

    /// A store at a URL.
    pub fn new(url: impl Into<String>) -> BlobConfig {
        BlobConfig {
            url: url.into(),
            root: PathBuf::new(),
            s3: S3Config::default(),
            options: Vec::new(),
            inline_max: INLINE_BYTES_MAX_DEFAULT,
            pack_max: PACK_BYTES_MAX_DEFAULT,
            buffer_bytes: BUFFER_BYTES_DEFAULT,
            in_flight: 8,
            read_ahead: 3,
            retry_for: Duration::from_secs(10),
        }
    }

    /// Where content lies.
    pub(crate) fn location(&self) -> Result<Location> {
        if self.url.is_empty() {
            return match self.root.as_os_str().is_empty() {
                false => Ok(Location::Folder(self.root.clone())),
                true => Err(Error::invalid("neither a URL nor a folder for blobs is given")),
            };
        }
        let url =
            Url::parse(&self.url).map_err(|e| Error::invalid("the blob URL is not a URL").caused_by(e))?;
        if url.scheme() != "file" {
            return Ok(Location::Elsewhere(url));
        }
        let folder = url.to_file_path();
        folder
            .map(Location::Folder)
            .map_err(|()| Error::invalid("the blob URL names no folder of this machine"))
    }

    pub(crate) fn validate(&self) -> Result<()> {
        if self.pack_max > CHUNK_BYTES_MAX {
            return Err(Error::invalid(format!("pack_max is beyond {CHUNK_BYTES_MAX} bytes")));
        }
        if self.inline_max > self.pack_max {
            return Err(Error::invalid("inline_max is beyond pack_max"));
        }
        if self.in_flight == 0 {
            return Err(Error::invalid("in_flight is zero"));
        }
        Ok(())
    }
}

/// Where content lies.
pub(crate) enum Location {
    /// In a folder of this machine.
    Folder(PathBuf),
    /// Behind another scheme.
    Elsewhere(Url),
}

/// How to reach a bucket of an S3 server.
#[derive(Clone, Default)]
pub struct S3Config {
    /// The server, such as `http://127.0.0.1:9000`. `None` means Amazon's for the region.
    pub endpoint: Option<String>,
    /// The region; `None` means `us-east-1`.
    pub region: Option<String>,
    /// The access key's id. Without it, the machine's own role is asked for (Amazon only).
    pub access_key_id: Option<String>,
    /// The access key's secret.
    pub secret_access_key: Option<String>,
    /// The token of temporary credentials.
    pub session_token: Option<String>,
    /// Whether an `http://` endpoint may be used. Content is sealed in any case; requests could be altered.
    pub allow_http: bool,
    /// Whether the bucket is named in the host (`bucket.server`) instead of the path (`server/bucket`).
    pub virtual_hosted: bool,
}

impl fmt::Debug for S3Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Config")
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .field("access_key_id", &self.access_key_id)
            .field("allow_http", &self.allow_http)
            .field("virtual_hosted", &self.virtual_hosted)
            .finish_non_exhaustive()
    }
}
