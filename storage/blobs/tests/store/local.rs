//! What only a folder has: packs, damage to files, a lock, a full disk.

use std::{
    collections::HashSet,
    fs,
    path::Path,
    pin::pin,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use allod_blobs::*;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, future::join_all};

use crate::{common::*, suite};

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_passes_the_suite() {
    let (blobs, _folder) = local().await;
    suite::on_any(&blobs).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_passes_the_suite() {
    suite::on_any(&Blobs::open(&BlobConfig::new("memory:///")).await.unwrap()).await;
}

#[tokio::test]
async fn a_url_names_the_same_folder() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("with space");
    let blobs = Blobs::open(&BlobConfig::local(&root)).await.unwrap();
    let refs = Account::new(&blobs, 1).store(&noise(1, 50_000)).await;
    drop(blobs);
    let url = format!("file://{}", root.display()).replace(' ', "%20");
    let blobs = Blobs::open(&BlobConfig::new(url)).await.unwrap();
    assert!(Account::new(&blobs, 1).read_all(&refs).await.unwrap() == noise(1, 50_000));
}

#[tokio::test]
async fn unusable_configurations_are_invalid() {
    for config in [
        BlobConfig::new(""),
        BlobConfig::new("nonsense"),
        BlobConfig::new("ftp://host/"),
        BlobConfig { pack_max: CHUNK_BYTES_MAX + 1, ..BlobConfig::new("memory:///") },
        BlobConfig { inline_max: 2 << 20, ..BlobConfig::new("memory:///") },
        BlobConfig { in_flight: 0, ..BlobConfig::new("memory:///") },
    ] {
        let error = Blobs::open(&config).await.err().expect("refused");
        assert_eq!(error.kind(), ErrorKind::Invalid, "{config:?}");
    }
}

#[tokio::test]
async fn a_folder_opens_once_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let config = BlobConfig::local(folder.path());
    let first = Blobs::open(&config).await.unwrap();
    let error = Blobs::open(&config).await.err().expect("locked");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    drop(first);
    Blobs::open(&config).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn middle_sized_content_shares_a_pack() {
    let (blobs, _folder) = local().await;
    let account = Account::new(&blobs, 1);
    let contents: Vec<_> = (0..40).map(|seed| noise(seed, 9_000 + 1_000 * seed as usize)).collect();
    let stored = join_all(contents.iter().map(|plain| account.store(plain))).await;
    let packs = blobs.packs().await.unwrap();
    assert_eq!(packs.len(), 1);
    assert!(!packs[0].sealed);
    let records: Vec<PackRecord> = blobs.records(packs[0].id).try_collect().await.unwrap();
    let listed: HashSet<_> =
        records.iter().map(|r| (r.account, r.name, r.plain_len, r.placement, r.sound)).collect();
    let expected: HashSet<_> =
        stored.iter().map(|refs| (1, refs[0].name, refs[0].plain_len, refs[0].placement, true)).collect();
    assert_eq!(listed, expected);
    for (refs, plain) in stored.iter().zip(&contents) {
        assert!(&account.read_all(refs).await.unwrap() == plain);
    }
    assert_eq!(blobs.totals().await.unwrap().pack_bytes, packs[0].size);
}

#[tokio::test(flavor = "multi_thread")]
async fn compaction_moves_what_lives_and_frees_the_rest() {
    let (blobs, _folder) = local().await;
    let account = Account::new(&blobs, 1);
    // 80 records of 1 MiB fill the first pack, even where the last ten to come into it were written as one group.
    let contents: Vec<_> = (0..80).map(|seed| noise(seed, 1 << 20)).collect();
    let mut stored: Vec<ChunkRef> = Vec::new();
    for some in contents.chunks(10) {
        stored
            .extend(join_all(some.iter().map(|plain| account.store(plain))).await.iter().map(|refs| refs[0]));
    }
    let packs = blobs.packs().await.unwrap();
    assert_eq!(packs.iter().map(|pack| pack.sealed).collect::<Vec<_>>(), [true, false]);
    assert_eq!(blobs.remove_pack(packs[1].id).await.unwrap_err().kind(), ErrorKind::Invalid);

    // Every fifth record of the first pack lives on.
    let in_first =
        |chunk: &ChunkRef| matches!(chunk.placement, Placement::Pack { pack, .. } if pack == packs[0].id);
    let live: Vec<usize> = (0..contents.len()).filter(|n| n % 5 == 0 && in_first(&stored[*n])).collect();
    let moved = join_all(live.iter().map(|n| blobs.rewrite(1, &stored[*n].name, stored[*n].placement))).await;
    for (n, placement) in live.iter().zip(moved) {
        stored[*n].placement = placement.unwrap();
        assert!(!in_first(&stored[*n]));
    }
    blobs.remove_pack(packs[0].id).await.unwrap();
    blobs.remove_pack(packs[0].id).await.unwrap();
    assert_eq!(blobs.packs().await.unwrap().len(), 1);
    for (n, (chunk, plain)) in stored.iter().zip(&contents).enumerate() {
        let read = account.read_all(&[*chunk]).await;
        match live.contains(&n) || !in_first(chunk) {
            true => assert!(&read.unwrap() == plain),
            false => assert_eq!(read.unwrap_err().kind(), ErrorKind::NotFound),
        }
    }
}

fn files_below(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files_below(&path)) } else { found.push(path) }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_to_an_object_is_never_served() {
    let (blobs, folder) = local().await;
    let account = Account::new(&blobs, 1);
    for plain in [noise(1, 1_500_000), prose(1, 1_500_000)] {
        let refs = account.store(&plain).await;
        let objects = files_below(&folder.path().join("blobs/objects"));
        let object = objects.iter().find(|path| path.ends_with(refs[0].name.hex())).unwrap();
        let whole = fs::read(object).unwrap();
        let len = whole.len();
        for offset in [0, 1, 2, 5, 6, len / 2, len - 17, len - 16, len - 1] {
            flip(object, offset);
            let error = account.read_all(&refs).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "flipped at {offset}");
            assert!(error.to_string().contains(&refs[0].name.hex()));
            let error = blobs.verify(1, &account.key, &refs[0]).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            flip(object, offset);
        }
        for other in [&whole[..len - 1], &whole[..0], &[&whole[..], b"x"].concat()] {
            fs::write(object, other).unwrap();
            assert_eq!(account.read_all(&refs).await.unwrap_err().kind(), ErrorKind::Corrupt);
        }
        // Another sound chunk in its place is damage too.
        let second = objects.iter().find(|path| path.ends_with(refs[1].name.hex())).unwrap();
        fs::copy(second, object).unwrap();
        assert_eq!(account.read_all(&refs).await.unwrap_err().kind(), ErrorKind::Corrupt);
        fs::write(object, whole).unwrap();
        assert!(account.read_all(&refs).await.unwrap() == plain);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn references_that_do_not_fit_the_size_are_damage() {
    let (blobs, _folder) = local().await;
    let account = Account::new(&blobs, 1);
    let refs = account.store(&noise(1, 3_000_000)).await;
    for (given, size) in [(&refs[..1], 3_000_000), (&refs[..], 2_999_999)] {
        let chunks = Arc::new(given.to_vec());
        let read: Result<Vec<Bytes>> =
            blobs.reader(1, account.key.clone(), chunks, size, 0..size).try_collect().await;
        assert_eq!(read.unwrap_err().kind(), ErrorKind::Corrupt);
    }
    let lying = [ChunkRef { plain_len: refs[0].plain_len - 1, ..refs[0] }];
    assert_eq!(account.read_all(&lying).await.unwrap_err().kind(), ErrorKind::Corrupt);
    let huge = [ChunkRef { plain_len: u32::MAX, ..refs[0] }];
    assert_eq!(account.read_all(&huge).await.unwrap_err().kind(), ErrorKind::Corrupt);
}

#[tokio::test(flavor = "multi_thread")]
async fn sixteen_up_and_sixteen_down_stay_within_memory() {
    let (blobs, _folder) = local().await;
    let account = Account::new(&blobs, 1);
    let plain = noise(1, 6_000_000);
    let refs = account.store(&plain).await;
    let most = Arc::new(AtomicUsize::new(0));
    let watch = {
        let (blobs, most) = (blobs.clone(), most.clone());
        tokio::spawn(async move {
            loop {
                most.fetch_max(blobs.buffer_bytes_used(), Ordering::Relaxed);
                tokio::time::sleep(Duration::from_micros(200)).await;
            }
        })
    };
    let up = join_all((0..16).map(|n| {
        let account = Account::new(&blobs, 100 + n);
        async move { account.store(&noise(n, 6_000_000)).await }
    }));
    let down = join_all((0..16).map(|_| async {
        let size = plain.len() as u64;
        let mut stream = pin!(blobs.reader(1, account.key.clone(), Arc::new(refs.clone()), size, 0..size));
        let mut at = 0;
        while let Some(piece) = stream.try_next().await.unwrap() {
            assert!(plain[at..].starts_with(&piece));
            at += piece.len();
        }
        assert_eq!(at, plain.len());
    }));
    tokio::join!(up, down);
    watch.abort();
    assert!(most.load(Ordering::Relaxed) <= 64 << 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn transfers_that_stand_still_keep_nobody_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let config = BlobConfig { buffer_bytes: 2 << 20, ..BlobConfig::local(folder.path()) };
    let blobs = Blobs::open(&config).await.unwrap();
    let account = Account::new(&blobs, 1);
    let plain = noise(1, 5_000_000);
    let refs = account.store(&plain).await;
    // Ten uploads and ten downloads begin, take the whole budget, and stop.
    let mut standing = Vec::new();
    let mut streams = Vec::new();
    for _ in 0..10 {
        let mut writer = account.writer(false);
        writer.write(Bytes::from(noise(2, 4_000_000))).await.unwrap();
        standing.push(writer);
        let size = plain.len() as u64;
        let mut stream =
            Box::pin(blobs.reader(1, account.key.clone(), Arc::new(refs.clone()), size, 0..size));
        let piece = stream.next().await.unwrap().unwrap();
        streams.push((stream, piece));
    }
    let work = async {
        let refs = account.store(&plain).await;
        assert!(account.read_all(&refs).await.unwrap() == plain);
    };
    tokio::time::timeout(Duration::from_secs(60), work).await.expect("no transfer waits for others");
}

/// A file system of 12 MiB, if this process may mount one.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<SmallDisk> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=12m", "tmpfs"])
            .arg(folder.path())
            .output();
        mounted.is_ok_and(|output| output.status.success()).then_some(SmallDisk(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).output();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_no_space_and_leaves_nothing_half() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("SKIPPED: this process may not mount a small file system");
        return;
    };
    let blobs = Blobs::open(&BlobConfig::local(disk.0.path())).await.unwrap();
    let account = Account::new(&blobs, 1);
    let kept = account.store(&noise(1, 50_000)).await;
    let error = account.try_store(&noise(2, 20_000_000), 65_536).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoSpace, "{error:?}");
    // Chunks that were on their way when the writer failed may still end.
    let unfinished = disk.0.path().join("unfinished");
    for _ in 0..200 {
        if blobs.buffer_bytes_used() == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(files_below(&unfinished).is_empty());
    // Packs: fill what is left, fail, and go on where it was whole once there is room again.
    let mut filled = Vec::new();
    let error = loop {
        let plain = noise(1000 + filled.len() as u64, 700_000);
        match account.try_store(&plain, 65_536).await {
            Ok(finished) => filled.push((account.index.refs(&finished), plain)),
            Err(error) => break error,
        }
        assert!(filled.len() < 30);
    };
    assert_eq!(error.kind(), ErrorKind::NoSpace, "{error:?}");
    let objects: Vec<ObjectEntry> = blobs.list_objects(None).try_collect().await.unwrap();
    for object in objects {
        blobs.delete_object(object.account, &object.name).await.unwrap();
    }
    let after = account.store(&noise(3, 60_000)).await;
    let pack = blobs.packs().await.unwrap()[0].id;
    let records: Vec<PackRecord> = blobs.records(pack).try_collect().await.unwrap();
    assert!(records.iter().all(|record| record.sound));
    assert_eq!(records.len(), filled.len() + 2);
    assert!(account.read_all(&kept).await.unwrap() == noise(1, 50_000));
    assert!(account.read_all(&after).await.unwrap() == noise(3, 60_000));
    for (refs, plain) in &filled {
        assert!(&account.read_all(refs).await.unwrap() == plain);
    }
}
