//! Stores as earlier releases wrote them stay readable.
//!
//! `fixtures/<n>/` is a store of format `n`: the folder of blobs, and the master key sealed by the passphrase
//! "fixture". Fixtures are never changed. `make` writes the one of today's format, to be checked in beside them when
//! the format changes.

use std::{fs, path::Path};

use allod_blobs::*;

use crate::common::*;

const ACCOUNT: u64 = 5;

/// Small limits, so that a small fixture has everything.
fn config(root: &Path) -> BlobConfig {
    BlobConfig { inline_max: 100, pack_max: 1000, ..BlobConfig::local(root) }
}

fn contents() -> Vec<Vec<u8>> {
    vec![noise(1, 800), prose(2, 900), noise(3, 5_000), vec![0; 2_000_000]]
}

fn fixtures() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/store/fixtures")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), &to).unwrap();
        }
    }
}

#[tokio::test]
async fn stores_of_every_release_are_read() {
    let mut seen = 0;
    for fixture in fs::read_dir(fixtures()).unwrap() {
        let fixture = fixture.unwrap().path();
        let folder = tempfile::tempdir().unwrap();
        copy(&fixture, folder.path());
        let master = MasterKey::load(&folder.path().join("master.key"), Some("fixture")).unwrap();
        let key = master.unwrap(&fs::read(folder.path().join("account.key")).unwrap(), b"account 5").unwrap();
        let blobs = Blobs::open(&config(&folder.path().join("blobs"))).await.unwrap();
        let account = Account { key, ..Account::new(&blobs, ACCOUNT) };
        let refs = fs::read(folder.path().join("refs")).unwrap();
        let refs: Vec<Vec<ChunkRef>> = postcard::from_bytes(&refs).unwrap();
        for (refs, plain) in refs.iter().zip(contents()) {
            assert!(account.read_all(refs).await.unwrap() == plain, "{}", fixture.display());
        }
        // And it is written to as if it were new: what is there is found again.
        account.index.commit(&refs.concat());
        for plain in contents() {
            assert!(account.store(&plain).await.iter().all(|chunk| !chunk.fresh));
        }
        account.store(&noise(9, 500)).await;
        assert_eq!(blobs.packs().await.unwrap().len(), 1);
        seen += 1;
    }
    assert!(seen > 0);
}

/// Not a test: writes a fixture to the folder that `ALLOD_BLOBS_FIXTURE` names.
#[tokio::test]
#[ignore = "writes a fixture"]
async fn make() {
    let Some(folder) = std::env::var_os("ALLOD_BLOBS_FIXTURE") else { return };
    let folder = Path::new(&folder);
    fs::create_dir_all(folder).unwrap();
    let master = MasterKey::create(&folder.join("master.key"), Some("fixture")).unwrap();
    let key = AccountKey::random().unwrap();
    fs::write(folder.join("account.key"), master.wrap(&key, b"account 5")).unwrap();
    {
        let blobs = Blobs::open(&config(&folder.join("blobs"))).await.unwrap();
        let account = Account { key, ..Account::new(&blobs, ACCOUNT) };
        let mut refs = Vec::new();
        for plain in contents() {
            refs.push(account.store(&plain).await);
        }
        fs::write(folder.join("refs"), postcard::to_allocvec(&refs).unwrap()).unwrap();
    }
    fs::remove_file(folder.join("blobs/lock")).unwrap();
    remove_empty(folder);
}

/// Empty folders do not survive a checkout, so the fixture has none.
fn remove_empty(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            remove_empty(&path);
            let _ = fs::remove_dir(&path);
        }
    }
}
