use allod_model::ErrorKind;

use super::*;

#[tokio::test]
async fn a_damaged_chunk_is_told_and_never_served() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::with(|options| options.blobs = BlobConfig::local(folder.path())).await;
    let session = bench.session(&["all"]).await;
    put(&session, "/big", &noise(1, 3_000_000)).await.unwrap();
    put(&session, "/middle", &noise(2, 300_000)).await.unwrap();
    bench.assert_clean().await;
    let mut damaged = 0;
    let mut folders = vec![folder.path().to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap().path();
            if entry.is_dir() {
                folders.push(entry);
                continue;
            }
            let mut bytes = std::fs::read(&entry).unwrap();
            if bytes.len() > 100_000 {
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
                std::fs::write(&entry, bytes).unwrap();
                damaged += 1;
            }
        }
    }
    assert!(damaged >= 2);
    for at in ["/big", "/middle"] {
        assert_eq!(get(&session, at).await.unwrap_err().kind, ErrorKind::Corrupt);
    }
    let report = bench.core.check(false, &|_, _| {}).await.unwrap();
    assert_eq!(report.problems_total, damaged, "{:#?}", report.problems);
}

#[tokio::test]
async fn derived_rows_are_rebuilt() {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    mkdir(&session, "/a").await.unwrap();
    put(&session, "/a/f", b"12345").await.unwrap();
    copy(&session, "/a/f", "/a/g").await.unwrap();
    let account = session.handle().clone();
    bench
        .core
        .transact(account.shard(), move |txn| {
            use allod_meta::Lookup;
            let keys = account.keys();
            for table in [crate::keys::Table::Change, crate::keys::Table::Refs] {
                for (key, _) in txn.scan_prefix(&keys.table(table), None, 1000)? {
                    txn.delete(&key)?;
                }
            }
            let row = keys.folder(model::NodeId::ROOT);
            let folder = crate::resolve::folder_row(txn, keys, model::NodeId::ROOT)?;
            txn.put(&row, &crate::record::encode(&crate::record::Folder { bytes: 1, ..folder }))?;
            Ok(())
        })
        .await
        .unwrap();
    let report = bench.core.check(true, &|_, _| {}).await.unwrap();
    assert!(report.problems_total > 2 && report.mended == report.problems_total, "{report:#?}");
    bench.assert_clean().await;
    assert_eq!(session.quota().await.unwrap().used, 10);
}

#[tokio::test]
async fn equal_content_is_stored_once_in_an_account() {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    let bytes = noise(1, 5_000_000);
    put(&session, "/a", &bytes).await.unwrap();
    let before = bench.core.0.blobs.totals().await.unwrap();
    put(&session, "/b", &bytes).await.unwrap();
    assert_eq!(bench.core.0.blobs.totals().await.unwrap(), before);
    let tags = [
        session.stat(&path("/a"), Want::Any, false).await.unwrap().etag,
        session.stat(&path("/b"), Want::Any, false).await.unwrap().etag,
    ];
    assert_eq!(tags[0], tags[1]);
}

#[tokio::test]
async fn uploads_that_come_to_nothing_give_their_space_back() {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    let broken = body(&noise(1, 8_000_000))
        .chain(stream::iter([Err(model::Error::new(ErrorKind::Unavailable, "gone"))]));
    assert!(session.put(&path("/f"), PutOptions::default(), Precondition::default(), broken).await.is_err());
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    bench.core.collect(true).await.unwrap();
    assert_eq!(bench.core.0.blobs.totals().await.unwrap().objects, 0);
    bench.assert_clean().await;
}

#[tokio::test]
async fn uploads_and_collection_race_safely() {
    let bench = Bench::with(|options| options.retention_secs = 0).await;
    let session = bench.session(&["all"]).await;
    let collector = bench.core.clone();
    let collecting = tokio::spawn(async move {
        for _ in 0..60 {
            collector.collect(true).await.unwrap();
            tokio::task::yield_now().await;
        }
    });
    let mut writers = Vec::new();
    for n in 0..4u64 {
        let session = session.clone();
        writers.push(tokio::spawn(async move {
            for round in 0..15u64 {
                // Few distinct contents, so that dying chunks are wanted again all the time.
                let bytes = noise(round % 3, 1_500_000);
                put(&session, &format!("/{n}"), &bytes).await.unwrap();
                assert_eq!(get(&session, &format!("/{n}")).await.unwrap(), bytes);
                remove(&session, &format!("/{n}")).await.unwrap();
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    collecting.await.unwrap();
    bench.clock.advance_secs(10);
    bench.assert_clean().await;
}
