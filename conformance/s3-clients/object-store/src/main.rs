//! object_store's own integration tests (its feature `integration`) against the server at URL, in BUCKET.
//!
//! `allod-object-store-probe URL BUCKET`; keys come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. Prints `ok NAME` or
//! `FAILED NAME: why` for each, then `done`; the tests want an empty bucket and leave one.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt};
use object_store::aws::{AmazonS3, AmazonS3Builder, Checksum, S3CopyIfNotExists};
use object_store::path::Path;
use object_store::signer::Signer;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, RetryConfig, integration as suite};

type Test = Box<dyn FnOnce(AmazonS3) -> BoxFuture<'static, ()> + Send>;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let words: Vec<String> = std::env::args().collect();
    let [_, url, bucket] = words.as_slice() else {
        eprintln!("want URL BUCKET");
        std::process::exit(2);
    };
    let builder = || {
        // Failures show at once; `from_env` takes the keys.
        let retry =
            RetryConfig { max_retries: 1, retry_timeout: Duration::from_secs(20), ..Default::default() };
        AmazonS3Builder::from_env()
            .with_endpoint(url)
            .with_bucket_name(bucket)
            .with_allow_http(true)
            .with_retry(retry)
            .with_copy_if_not_exists(S3CopyIfNotExists::Multipart)
    };
    let mut failed = false;
    let plain: Vec<(&str, Test)> = vec![
        ("put-get-delete-list", test(|s| async move { suite::put_get_delete_list(&s).await })),
        ("list-with-offset", test(|s| async move { suite::list_with_offset_exclusivity(&s).await })),
        ("get-opts", test(|s| async move { suite::get_opts(&s).await })),
        ("directories", test(|s| async move { suite::list_uses_directories_correctly(&s).await })),
        ("list-with-delimiter", test(|s| async move { suite::list_with_delimiter(&s).await })),
        ("list-paginated", test(|s| async move { suite::list_paginated(&s, &s).await })),
        ("rename-and-copy", test(|s| async move { suite::rename_and_copy(&s).await })),
        ("copy-rename-nonexistent", test(|s| async move { suite::copy_rename_nonexistent_object(&s).await })),
        ("copy-if-not-exists", test(|s| async move { suite::copy_if_not_exists(&s).await })),
        ("put-modes", test(|s| async move { suite::put_opts(&s, true).await })),
        ("stream-get", test(|s| async move { suite::stream_get(&s).await })),
        ("multipart", test(|s| async move { suite::multipart(&s, &s).await })),
        ("multipart-with-opts", test(|s| async move { suite::multipart_with_opts(&s, &s).await })),
        ("multipart-out-of-order", test(|s| async move { suite::multipart_out_of_order(&s).await })),
        (
            "multipart-part-out-of-order",
            test(|s| async move { suite::multipart_put_part_out_of_order(&s, &s).await }),
        ),
        ("multipart-race", test(|s| async move { suite::multipart_race_condition(&s, true).await })),
        ("attributes", test(|s| async move { suite::put_get_attributes(&s).await })),
        ("odd-paths", test(odd_paths)),
        ("one-creator", test(one_creator)),
        ("delete-stream", test(delete_stream)),
        ("signed-url", test(signed_url)),
    ];
    for (name, run) in plain {
        failed |= !report(name, builder().build().expect("a client"), run).await;
    }
    let variants = [
        ("unsigned-payload", builder().with_unsigned_payload(true)),
        ("checksum-sha256", builder().with_checksum_algorithm(Checksum::SHA256)),
        ("checksum-crc64nvme", builder().with_checksum_algorithm(Checksum::CRC64NVME)),
        ("no-tagging", builder().with_disable_tagging(true)),
    ];
    for (name, variant) in variants {
        let run = test(|s| async move { suite::put_get_delete_list(&s).await });
        failed |= !report(name, variant.build().expect("a client"), run).await;
    }
    println!("done");
    std::process::exit(i32::from(failed));
}

fn test<F: Future<Output = ()> + Send + 'static>(run: impl FnOnce(AmazonS3) -> F + Send + 'static) -> Test {
    Box::new(move |store| run(store).boxed())
}

/// Runs one test on its own task, so that its panic is its result, in a bucket emptied first.
async fn report(name: &str, store: AmazonS3, run: Test) -> bool {
    if let Err(error) = empty(&store).await {
        println!("FAILED {name}: cannot empty the bucket before it: {error}");
        return false;
    }
    std::panic::set_hook(Box::new(|_| {}));
    let done = tokio::time::timeout(Duration::from_secs(120), tokio::spawn(run(store))).await;
    let why = match done {
        Ok(Ok(())) => {
            println!("ok {name}");
            return true;
        }
        Ok(Err(error)) => {
            let panic = error.into_panic();
            let text =
                panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
            text.unwrap_or("panicked").replace('\n', " ")
        }
        Err(_) => "took longer than 120 s".to_owned(),
    };
    println!("FAILED {name}: {}", why.chars().take(300).collect::<String>());
    false
}

async fn empty(store: &AmazonS3) -> object_store::Result<()> {
    let found = store.list(None).map_ok(|meta| meta.location).boxed();
    store.delete_stream(found).try_collect::<Vec<Path>>().await.map(drop)
}

/// Names that the crate keeps to the letter, through listings too.
async fn odd_paths(store: AmazonS3) {
    let names = [
        "a b",
        "a+b",
        "é",
        "e\u{301}",
        "日本語",
        "🦀",
        "a%2Fb",
        "100%",
        "a&b=c",
        "it's",
        "(x)",
        "a;b",
        "a=b",
        "a@b",
        "~a",
        "a.",
        ".a",
        "..a",
    ];
    for name in names {
        let path = Path::parse(format!("odd/{name}/x")).expect("a path");
        store.put(&path, name.as_bytes().to_vec().into()).await.expect(name);
        assert_eq!(store.get(&path).await.expect(name).bytes().await.expect(name), name.as_bytes(), "{name}");
    }
    let mut found: Vec<String> = store
        .list(Some(&Path::from("odd")))
        .map_ok(|meta| meta.location.to_string())
        .try_collect()
        .await
        .expect("a listing");
    let mut wanted: Vec<String> = names.iter().map(|name| format!("odd/{name}/x")).collect();
    found.sort();
    wanted.sort();
    assert_eq!(found, wanted);
}

/// Of sixteen creators at once one wins.
async fn one_creator(store: AmazonS3) {
    let store = Arc::new(store);
    for round in 0..5 {
        let path = Path::from(format!("race/{round}"));
        let racers = (0..16).map(|racer| {
            let (store, path) = (Arc::clone(&store), path.clone());
            tokio::spawn(async move {
                store
                    .put_opts(&path, vec![racer as u8; 1000].into(), PutOptions::from(PutMode::Create))
                    .await
                    .is_ok()
            })
        });
        let won = futures::future::join_all(racers)
            .await
            .into_iter()
            .filter(|done| matches!(done, Ok(true)))
            .count();
        assert_eq!(won, 1, "round {round}: {won} creators won");
    }
}

/// 1,500 deletions go out as two DeleteObjects.
async fn delete_stream(store: AmazonS3) {
    let names: Vec<Path> = (0..1500).map(|at| Path::from(format!("many/{at} é&<"))).collect();
    let store = &store;
    let put = |path: Path| async move { store.put(&path, "x".into()).await };
    futures::stream::iter(names.clone())
        .map(put)
        .buffer_unordered(16)
        .try_collect::<Vec<_>>()
        .await
        .expect("put");
    let gone = store.delete_stream(futures::stream::iter(names.into_iter().map(Ok)).boxed());
    assert_eq!(gone.try_collect::<Vec<_>>().await.expect("delete").len(), 1500);
    assert_eq!(store.list(Some(&Path::from("many"))).count().await, 0);
}

async fn signed_url(store: AmazonS3) {
    let path = Path::from("signed/é +.txt");
    store.put(&path, "signed".into()).await.expect("put");
    let url = store
        .signed_url("GET".parse().expect("a method"), &path, Duration::from_secs(60))
        .await
        .expect("a URL");
    let done = std::process::Command::new("curl").args(["-sSf", url.as_str()]).output().expect("curl");
    assert_eq!(done.stdout, b"signed", "{}", String::from_utf8_lossy(&done.stderr));
}
