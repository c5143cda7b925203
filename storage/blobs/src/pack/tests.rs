use std::collections::HashMap;

use super::*;
use crate::{ErrorKind, Placement, budget::Budget, tests::noise};

/// A folder with packs and what was acknowledged about it.
struct Packs {
    folder: tempfile::TempDir,
    budget: Budget,
}

type Stored = HashMap<Placement, (ChunkName, Vec<u8>)>;

impl Packs {
    fn new() -> Packs {
        Packs { folder: tempfile::tempdir().unwrap(), budget: Budget::new(1 << 20) }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    async fn append(
        &self,
        appender: &Appender,
        seed: u64,
        len: usize,
    ) -> Result<(Placement, (ChunkName, Vec<u8>))> {
        let bytes = noise(seed, len);
        let name = ChunkName(*blake3::hash(&bytes).as_bytes());
        let mut sealed = self.budget.buf(len);
        sealed.extend(&bytes);
        let placement = appender.append(1, name, len as u32, sealed).await?;
        Ok((placement, (name, bytes)))
    }

    fn read(&self, account: u64, name: &ChunkName, placement: Placement) -> Result<Vec<u8>> {
        let Placement::Pack { pack, offset, len } = placement else { panic!("not in a pack") };
        let mut buf = self.budget.buf(len as usize);
        read(self.path(), account, name, (pack, offset, len), &mut buf)?;
        Ok(buf.to_vec())
    }

    fn assert_whole(&self, stored: &Stored) {
        for (placement, (name, bytes)) in stored {
            assert!(&self.read(1, name, *placement).unwrap() == bytes);
        }
    }

    fn records(&self, id: u64) -> (Vec<PackRecord>, Condition) {
        let mut records = Vec::new();
        let condition = scan(self.path(), id, |record| {
            records.push(record);
            true
        });
        (records, condition.unwrap())
    }
}

/// Where the record at a placement ends.
fn end(placement: &Placement) -> u64 {
    let Placement::Pack { offset, len, .. } = placement else { panic!("not in a pack") };
    offset + RECORD_HEADER_LEN as u64 + u64::from(*len)
}

#[tokio::test]
async fn appending_goes_on_after_a_clean_close() {
    let packs = Packs::new();
    let mut stored = Stored::new();
    for round in 0..3 {
        let appender = Appender::open(packs.path()).unwrap();
        for n in 0..5 {
            stored.extend([packs.append(&appender, round * 10 + n, 100 + n as usize).await.unwrap()]);
        }
    }
    assert_eq!(list(packs.path()).unwrap().len(), 1);
    packs.assert_whole(&stored);
    let (records, condition) = packs.records(1);
    assert_eq!((records.len(), condition), (15, Condition::Whole));
}

#[tokio::test]
async fn a_pack_torn_anywhere_keeps_every_record_before() {
    let packs = Packs::new();
    let mut stored = Stored::new();
    {
        let appender = Appender::open(packs.path()).unwrap();
        for n in 0..3 {
            stored.extend([packs.append(&appender, n, 50 + n as usize * 30).await.unwrap()]);
        }
    }
    let whole = fs::read(path(packs.path(), 1)).unwrap();
    for len in 0..=whole.len() {
        let torn = Packs::new();
        fs::write(path(torn.path(), 1), &whole[..len]).unwrap();
        let survivors: Stored =
            stored.iter().filter(|(p, _)| end(p) <= len as u64).map(|(p, s)| (*p, s.clone())).collect();
        {
            let appender = Appender::open(torn.path()).unwrap();
            torn.assert_whole(&survivors);
            let (placement, added) = torn.append(&appender, 100, 70).await.unwrap();
            assert_eq!(torn.read(1, &added.0, placement).unwrap(), added.1);
        }
        // It was added behind a clean end, or else in a new pack; nothing of the old one was touched.
        let clean = len == FILE_HEADER_LEN || stored.keys().any(|p| end(p) == len as u64);
        assert_eq!(list(torn.path()).unwrap().len(), if clean { 1 } else { 2 }, "torn at {len}");
        assert!(fs::read(path(torn.path(), 1)).unwrap().starts_with(&whole[..len]));
        torn.assert_whole(&survivors);
        for (placement, (name, _)) in stored.iter().filter(|(p, _)| end(p) > len as u64) {
            if !clean {
                assert_eq!(torn.read(1, name, *placement).unwrap_err().kind(), ErrorKind::Corrupt);
            }
        }
    }
}

#[tokio::test]
async fn a_flipped_byte_spoils_its_record_only() {
    let packs = Packs::new();
    let mut stored = Stored::new();
    {
        let appender = Appender::open(packs.path()).unwrap();
        for n in 0..3 {
            stored.extend([packs.append(&appender, n, 60).await.unwrap()]);
        }
    }
    let file = path(packs.path(), 1);
    let whole = fs::read(&file).unwrap();
    for at in FILE_HEADER_LEN..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x10;
        fs::write(&file, &flipped).unwrap();
        for (placement, (name, bytes)) in &stored {
            let Placement::Pack { offset, .. } = placement else { panic!("not in a pack") };
            let hit = (*offset..end(placement)).contains(&(at as u64));
            match packs.read(1, name, *placement) {
                Ok(read) => assert!(!hit && &read == bytes, "flipped at {at}"),
                Err(error) => {
                    assert!(hit && error.kind() == ErrorKind::Corrupt, "flipped at {at}: {error:?}")
                }
            }
        }
        // A walk still meets the records behind the damage.
        let (records, condition) = packs.records(1);
        assert!(matches!(condition, Condition::Broken { at: broken } if broken <= at as u64));
        assert_eq!(records.iter().filter(|record| record.sound).count(), 2, "flipped at {at}");
    }
    // Damage in what was the open pack: it stays as it is, the next record begins another.
    let appender = Appender::open(packs.path()).unwrap();
    packs.append(&appender, 9, 10).await.unwrap();
    assert_eq!(list(packs.path()).unwrap().len(), 2);
    assert_eq!(appender.newest(), 2);
}

#[tokio::test]
async fn a_record_is_read_only_by_its_own_name_and_account() {
    let packs = Packs::new();
    let appender = Appender::open(packs.path()).unwrap();
    let (placement, (name, _)) = packs.append(&appender, 1, 100).await.unwrap();
    let (other, (other_name, _)) = packs.append(&appender, 2, 100).await.unwrap();
    for (account, name, placement) in [(2, name, placement), (1, other_name, placement), (1, name, other)] {
        assert_eq!(packs.read(account, &name, placement).unwrap_err().kind(), ErrorKind::Corrupt);
    }
    let Placement::Pack { offset, len, .. } = placement else { panic!("not in a pack") };
    for (pack, offset, len, kind) in [
        (7, offset, len, ErrorKind::NotFound),
        (1, offset + 1, len, ErrorKind::Corrupt),
        (1, offset, len - 1, ErrorKind::Corrupt),
        (1, 1 << 40, len, ErrorKind::Corrupt),
    ] {
        let error = packs.read(1, &name, Placement::Pack { pack, offset, len }).unwrap_err();
        assert_eq!(error.kind(), kind, "{pack} {offset} {len}");
        assert!(!exists(packs.path(), 1, &name, (pack, offset, len)).unwrap());
    }
    assert!(exists(packs.path(), 1, &name, (1, offset, len)).unwrap());
}

#[tokio::test]
async fn a_pack_that_cannot_be_made_fails_the_batch_and_not_the_next() {
    let packs = Packs::new();
    let appender = Appender::open(packs.path()).unwrap();
    // A folder stands where the first pack would go.
    fs::create_dir(path(packs.path(), 1)).unwrap();
    assert!(packs.append(&appender, 1, 100).await.is_err());
    let (placement, (name, bytes)) = packs.append(&appender, 1, 100).await.unwrap();
    assert!(matches!(placement, Placement::Pack { pack: 2, .. }));
    assert_eq!(packs.read(1, &name, placement).unwrap(), bytes);
}

#[test]
fn what_is_no_pack_is_said_to_be_none() {
    let packs = Packs::new();
    fs::write(path(packs.path(), 3), noise(1, 500)).unwrap();
    assert_eq!(scan(packs.path(), 3, |_| true).unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(scan(packs.path(), 4, |_| true).unwrap_err().kind(), ErrorKind::NotFound);
    // Opening goes on with a new pack.
    assert_eq!(Appender::open(packs.path()).unwrap().newest(), 3);
}

#[test]
fn a_header_comes_back() {
    let header = RecordHeader {
        account: u64::MAX - 5,
        name: ChunkName([9; 32]),
        sealed_len: 77,
        plain_len: 55,
        body_crc: 3,
    };
    let bytes = header.encode();
    assert_eq!(RecordHeader::decode(&bytes), Some(header));
    for offset in 0..RECORD_HEADER_LEN {
        let mut flipped = bytes;
        flipped[offset] ^= 1;
        assert_eq!(RecordHeader::decode(&flipped), None, "flipped at {offset}");
    }
}
