//! Against a real S3 server. `conformance/s3-backend/run` starts one and runs these.
//!
//! | variable | meaning |
//! |---|---|
//! | `ALLOD_S3_ENDPOINT` | such as `http://127.0.0.1:9000` |
//! | `ALLOD_S3_BUCKET` | a bucket that exists |
//! | `ALLOD_S3_ACCESS_KEY`, `ALLOD_S3_SECRET_KEY` | credentials |
//! | `ALLOD_S3_STOP`, `ALLOD_S3_START` | shell commands that kill the server and start it again |
#![cfg(feature = "s3")]

use std::{
    process::Command,
    time::{Duration, Instant},
};

use allod_blobs::*;
use bytes::Bytes;
use futures_util::TryStreamExt;

use crate::{common::*, suite};

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set; see conformance/s3-backend/run"))
}

/// The server's bucket; each test has a prefix of its own.
fn config(prefix: &str) -> BlobConfig {
    // The time makes repeated runs against one bucket strangers.
    let run = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    BlobConfig {
        s3: S3Config {
            endpoint: Some(variable("ALLOD_S3_ENDPOINT")),
            access_key_id: Some(variable("ALLOD_S3_ACCESS_KEY")),
            secret_access_key: Some(variable("ALLOD_S3_SECRET_KEY")),
            allow_http: true,
            ..S3Config::default()
        },
        retry_for: Duration::from_secs(3),
        ..BlobConfig::new(format!("s3://{}/{prefix}-{run}", variable("ALLOD_S3_BUCKET")))
    }
}

fn shell(variable_name: &str) {
    let status = Command::new("sh").args(["-c", &variable(variable_name)]).status().unwrap();
    assert!(status.success(), "{variable_name} failed");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an S3 server"]
async fn a_server_passes_the_suite() {
    suite::on_any(&Blobs::open(&config("suite")).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an S3 server"]
async fn wrong_credentials_are_denied() {
    let mut wrong = config("denied");
    wrong.s3.secret_access_key = Some("not the secret".into());
    let blobs = Blobs::open(&wrong).await.unwrap();
    let error = blobs.health().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
    let account = Account::new(&blobs, 1);
    let error = account.try_store(&noise(1, 50_000), 65_536).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error:?}");
    let text = format!("{error:?} {error} {:?}", wrong);
    assert!(!text.contains("not the secret"), "an error shows the secret");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an S3 server"]
async fn a_missing_bucket_is_unavailable() {
    let blobs = Blobs::open(&BlobConfig { url: "s3://no-such-bucket".into(), ..config("x") }).await.unwrap();
    let error = Account::new(&blobs, 1).try_store(&noise(1, 50_000), 65_536).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Denied), "{error:?}");
}

/// Named to be run last and alone: it stops the server that the others need.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "stops the S3 server"]
async fn zz_a_killed_server_is_unavailable_and_leaves_nothing_half() {
    let blobs = Blobs::open(&config("killed")).await.unwrap();
    let account = Account::new(&blobs, 1);
    let plain = noise(1, 30_000_000);
    let before = account.store(&plain[..5_000_000]).await;

    let mut writer = account.writer(false);
    let mut failed = None;
    for (n, piece) in plain.chunks(100_000).enumerate() {
        if n == 150 {
            shell("ALLOD_S3_STOP");
        }
        if let Err(error) = writer.write(Bytes::copy_from_slice(piece)).await {
            failed = Some(error);
            break;
        }
    }
    let error = match failed {
        Some(error) => error,
        None => writer.finish().await.expect_err("the server is gone"),
    };
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    let begun = Instant::now();
    let error = account.read_all(&before).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(30), "it took {:?} to say so", begun.elapsed());
    assert_eq!(blobs.health().await.unwrap_err().kind(), ErrorKind::Unavailable);

    shell("ALLOD_S3_START");
    let begun = Instant::now();
    while blobs.health().await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(60), "the server did not come back");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // Every object that is there is whole, those of the broken upload too.
    let objects: Vec<ObjectEntry> = blobs.list_objects(Some(1)).try_collect().await.unwrap();
    assert!(objects.len() >= before.len());
    for object in objects {
        let chunk = ChunkRef {
            name: object.name,
            // Noise does not compress, so the lengths follow from each other.
            plain_len: u32::try_from(object.size).unwrap() - 22,
            placement: Placement::Object,
            fresh: true,
        };
        blobs.verify(1, &account.key, &chunk).await.unwrap();
    }
    assert!(account.read_all(&before).await.unwrap() == plain[..5_000_000]);
    let refs = account.store(&plain).await;
    assert!(account.read_all(&refs).await.unwrap() == plain);
}
