//! Objects in somebody's object store.

use std::{sync::Arc, time::Duration};

use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};
use url::Url;

use crate::{BlobConfig, Error, Result};

/// One request with its whole answer may take this long: a chunk over a slow line that others share.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(180);
/// A server that is not there is found out after this long.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a failing request is tried again, within the time that the configuration gives.
const RETRIES_MAX: usize = 8;

fn client() -> ClientOptions {
    ClientOptions::new().with_timeout(REQUEST_TIMEOUT).with_connect_timeout(CONNECT_TIMEOUT)
}

fn retry(config: &BlobConfig) -> RetryConfig {
    let backoff = BackoffConfig {
        init_backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(2),
        base: 2.0,
    };
    RetryConfig { backoff, max_retries: RETRIES_MAX, retry_timeout: config.retry_for }
}

fn unusable(error: object_store::Error) -> Error {
    Error::invalid("the blob URL or its options are not usable").caused_by(error)
}

/// The store for `s3://bucket/...`.
#[cfg(feature = "s3")]
pub(super) fn s3(config: &BlobConfig, url: &Url) -> Result<Arc<dyn ObjectStore>> {
    use object_store::aws::AmazonS3Builder;

    let bucket = url.host_str().ok_or_else(|| Error::invalid("the blob URL names no bucket"))?;
    let s3 = &config.s3;
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(s3.region.as_deref().unwrap_or("us-east-1"))
        .with_virtual_hosted_style_request(s3.virtual_hosted)
        .with_client_options(client())
        .with_allow_http(s3.allow_http)
        .with_retry(retry(config))
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
    builder.build().map(|store| Arc::new(store) as _).map_err(unusable)
}

/// The store for `gs://bucket/...`.
#[cfg(feature = "gcs")]
pub(super) fn gcs(config: &BlobConfig, url: &Url) -> Result<Arc<dyn ObjectStore>> {
    use object_store::gcp::GoogleCloudStorageBuilder;

    let mut builder = GoogleCloudStorageBuilder::new()
        .with_url(url.as_str())
        .with_client_options(client())
        .with_retry(retry(config));
    for (name, value) in &config.options {
        builder = builder.with_config(name.parse().map_err(unusable)?, value);
    }
    builder.build().map(|store| Arc::new(store) as _).map_err(unusable)
}

/// The store for `az://container/...`.
#[cfg(feature = "azure")]
pub(super) fn azure(config: &BlobConfig, url: &Url) -> Result<Arc<dyn ObjectStore>> {
    use object_store::azure::MicrosoftAzureBuilder;

    let mut builder = MicrosoftAzureBuilder::new()
        .with_url(url.as_str())
        .with_client_options(client())
        .with_retry(retry(config));
    for (name, value) in &config.options {
        builder = builder.with_config(name.parse().map_err(unusable)?, value);
    }
    builder.build().map(|store| Arc::new(store) as _).map_err(unusable)
}
