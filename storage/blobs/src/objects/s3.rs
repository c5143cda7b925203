//! Objects in a bucket of an S3 server.

use std::time::Duration;

use object_store::{
    BackoffConfig, ClientOptions, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder},
};
use url::Url;

use crate::{BlobConfig, Error, Result};

/// One request with its whole answer may take this long: a chunk over a slow line that others share.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(180);
/// A server that is not there is found out after this long.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The store for `s3://bucket/...`.
pub(super) fn open(config: &BlobConfig, url: &Url) -> Result<AmazonS3> {
    let bucket = url.host_str().ok_or_else(|| Error::invalid("the blob URL names no bucket"))?;
    let s3 = &config.s3;
    let client = ClientOptions::new()
        .with_timeout(REQUEST_TIMEOUT)
        .with_connect_timeout(CONNECT_TIMEOUT)
        .with_allow_http(s3.allow_http);
    let retry = RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(2),
            base: 2.0,
        },
        max_retries: 8,
        retry_timeout: config.retry_for,
    };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(s3.region.as_deref().unwrap_or("us-east-1"))
        .with_virtual_hosted_style_request(s3.virtual_hosted)
        .with_allow_http(s3.allow_http)
        .with_client_options(client)
        .with_retry(retry)
        // Servers differ in how they answer a bulk deletion of what is not there; a single one they all understand.
        .with_disable_bulk_delete(true);
    if let Some(endpoint) = &s3.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    if let Some(id) = &s3.access_key_id {
        builder = builder.with_access_key_id(id);
    }
    if let Some(secret) = &s3.secret_access_key {
        builder = builder.with_secret_access_key(secret);
    }
    if let Some(token) = &s3.session_token {
        builder = builder.with_token(token);
    }
    builder.build().map_err(|e| Error::invalid("the S3 configuration is not usable").caused_by(e))
}
