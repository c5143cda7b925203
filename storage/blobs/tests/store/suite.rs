//! What every back-end must do. `on_any` runs it all against one store, which may hold other things already.

use std::time::{Duration, SystemTime};

use allod_blobs::*;
use futures_util::TryStreamExt;

use crate::common::*;

/// Account numbers that no other test of a shared store uses.
const FIRST: u64 = 7_100;

pub async fn on_any(blobs: &Blobs) {
    blobs.health().await.unwrap();
    every_length_comes_back(&Account::new(blobs, FIRST)).await;
    ranges_equal_slices(&Account::new(blobs, FIRST + 1)).await;
    equal_content_is_stored_once(blobs).await;
    repetition_within_a_content_is_stored_once(&Account::new(blobs, FIRST + 4)).await;
    objects_are_listed_and_deleted(&Account::new(blobs, FIRST + 5)).await;
    a_missing_object_is_not_found(&Account::new(blobs, FIRST + 6)).await;
    abandoned_writers_leave_the_budget_empty(&Account::new(blobs, FIRST + 7)).await;
    assert_eq!(blobs.buffer_bytes_used(), 0);
}

async fn every_length_comes_back(account: &Account) {
    let lengths = [
        (0, 1),
        (1, 1),
        (8192, 1000),
        (8193, 8193),
        (300_000, 4096),
        (1 << 20, 65_536),
        ((1 << 20) + 1, 65_536),
        (3_500_000, 70_000),
        (2_345_678, 2_345_678),
    ];
    for (len, piece) in lengths {
        for plain in [noise(len as u64, len), prose(len as u64, len)] {
            let finished = account.try_store(&plain, piece).await.unwrap();
            assert_eq!(finished.size, len as u64);
            assert_eq!(finished.digest, account.key.digest(&plain));
            let md5: [u8; 16] = <md5::Md5 as md5::Digest>::digest(&plain).into();
            assert_eq!(finished.md5, Some(md5));
            if len <= 8192 {
                assert_eq!(finished.stored, Stored::Inline { plain: plain.into() });
                continue;
            }
            let refs = account.index.refs(&finished);
            assert!(if len <= 1 << 20 { refs.len() == 1 } else { refs.len() > len / CHUNK_BYTES_MAX });
            assert!(account.read_all(&refs).await.unwrap() == plain, "{len} bytes came back changed");
            for chunk in &refs {
                account.blobs.verify(account.id, &account.key, chunk).await.unwrap();
                assert!(account.blobs.exists(account.id, &chunk.name, chunk.placement).await.unwrap());
            }
        }
    }
}

async fn ranges_equal_slices(account: &Account) {
    let plain = noise(1, 3_000_000);
    let size = plain.len() as u64;
    let refs = account.store(&plain).await;
    let border = u64::from(refs[0].plain_len);
    for range in [
        0..0,
        0..1,
        border - 1..border + 1,
        border..border + 1,
        5..size,
        size - 1..size,
        size..size,
        7..2_900_000,
    ] {
        let part = account.read(&refs, range.clone()).await.unwrap();
        assert!(part == plain[range.start as usize..range.end as usize], "{range:?}");
    }
    let beyond = account.read(&refs, 5..size + 1).await.unwrap_err();
    assert_eq!(beyond.kind(), ErrorKind::Invalid);
}

async fn equal_content_is_stored_once(blobs: &Blobs) {
    let account = Account::new(blobs, FIRST + 2);
    let plain = noise(2, 4_000_000);
    let first = account.store(&plain).await;
    account.index.commit(&first);
    let again = account.index.refs(&account.try_store(&plain, 1_000).await.unwrap());
    assert!(first.iter().all(|chunk| chunk.fresh) && again.iter().all(|chunk| !chunk.fresh));
    let places =
        |refs: &[ChunkRef]| refs.iter().map(|c| (c.name, c.plain_len, c.placement)).collect::<Vec<_>>();
    assert_eq!(places(&first), places(&again));
    // An insertion near the beginning leaves the chunks behind it as they are.
    let edited = [&plain[..1000], b"inserted", &plain[1000..]].concat();
    let edited = account.store(&edited).await;
    assert!(edited.iter().filter(|chunk| chunk.fresh).count() <= 2);
    // Another account names everything otherwise.
    let stranger = Account::new(blobs, FIRST + 3).store(&plain).await;
    assert!(stranger.iter().all(|chunk| chunk.fresh && first.iter().all(|c| c.name != chunk.name)));
}

async fn repetition_within_a_content_is_stored_once(account: &Account) {
    let plain = vec![0; 20_000_000];
    let refs = account.store(&plain).await;
    assert_eq!(refs.iter().filter(|chunk| chunk.fresh).count(), 2, "the repeated chunk and the last");
    assert!(account.read_all(&refs).await.unwrap() == plain);
}

async fn objects_are_listed_and_deleted(account: &Account) {
    let begun = SystemTime::now();
    let refs = account.store(&noise(3, 3_000_000)).await;
    let list = || account.blobs.list_objects(Some(account.id)).try_collect::<Vec<_>>();
    let listed = list().await.unwrap();
    assert_eq!(listed.len(), refs.len());
    for object in &listed {
        let chunk = refs.iter().find(|chunk| chunk.name == object.name).unwrap();
        assert_eq!((object.account, object.size), (account.id, u64::from(chunk.plain_len) + 22));
        // Clocks of servers and file systems are coarse.
        assert!(object.modified > begun - Duration::from_secs(60));
    }
    assert!(account.blobs.totals().await.unwrap().objects >= refs.len() as u64);
    for chunk in &refs {
        account.blobs.delete_object(account.id, &chunk.name).await.unwrap();
        account.blobs.delete_object(account.id, &chunk.name).await.unwrap();
        assert!(!account.blobs.exists(account.id, &chunk.name, chunk.placement).await.unwrap());
    }
    assert!(list().await.unwrap().is_empty());
}

async fn a_missing_object_is_not_found(account: &Account) {
    let plain = noise(4, 3_000_000);
    let refs = account.store(&plain).await;
    account.blobs.delete_object(account.id, &refs[1].name).await.unwrap();
    let error = account.read_all(&refs).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
    let before = account.read(&refs, 0..u64::from(refs[0].plain_len)).await.unwrap();
    assert!(before == plain[..before.len()]);
    let error = account.blobs.verify(account.id, &account.key, &refs[1]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

async fn abandoned_writers_leave_the_budget_empty(account: &Account) {
    let plain: bytes::Bytes = noise(5, 5_000_000).into();
    let mut writer = account.writer(false);
    writer.write(plain.clone()).await.unwrap();
    drop(writer);
    for _ in 0..200 {
        if account.blobs.buffer_bytes_used() == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(account.blobs.buffer_bytes_used(), 0);
    // What it left can be stored again, over itself.
    let refs = account.store(&plain).await;
    assert!(account.read_all(&refs).await.unwrap() == plain);
}
