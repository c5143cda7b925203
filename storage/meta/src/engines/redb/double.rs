//! A double of the disk: it remembers every write and every sync, and makes images of what a power
//! failure at some moment can leave behind.
//!
//! **Invariant:** in an image only what was synced is certain. Of each write after the last sync, any
//! 512-byte sectors may have arrived and others not, whatever their order.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use redb::StorageBackend;

use super::Disk;
use crate::Error;
use crate::suite::Dice;

/// What a disk writes as one, in bytes.
const SECTOR_BYTES: u64 = 512;

/// A disk in memory. Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub(super) struct Double {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    /// What has happened since [`Double::new`], if it is recorded.
    events: Vec<Event>,
    start: Vec<u8>,
    capacity_bytes: Option<u64>,
    /// Calls of each sort until one fails.
    fail_sync_after: Option<u32>,
    fail_read: bool,
}

#[derive(Clone, Debug)]
enum Event {
    Write { offset: u64, data: Vec<u8> },
    Resize(u64),
    Sync,
}

/// How likely it is that a write which was not synced has arrived.
#[derive(Clone, Copy, Debug)]
pub(super) enum Arrived {
    Nothing,
    Everything,
    Sectors { percent: u64 },
    WholeWrites { percent: u64 },
}

impl Double {
    /// A disk with these bytes on it.
    pub(super) fn new(bytes: Vec<u8>) -> Double {
        let state = State { start: bytes.clone(), bytes, ..State::default() };
        Double { state: Arc::new(Mutex::new(state)) }
    }

    /// How much has happened; a moment for [`Double::image`].
    pub(super) fn now(&self) -> usize {
        self.state.lock().events.len()
    }

    /// Writes beyond this size fail as on a full disk.
    pub(super) fn limit(&self, capacity_bytes: Option<u64>) {
        self.state.lock().capacity_bytes = capacity_bytes;
    }

    /// The sync after so many good ones fails, once.
    pub(super) fn fail_sync_after(&self, good: u32) {
        self.state.lock().fail_sync_after = Some(good);
    }

    /// Reads fail, until this is taken back.
    pub(super) fn fail_reads(&self, fail: bool) {
        self.state.lock().fail_read = fail;
    }

    /// What may be on the disk after a power failure at `moment`.
    pub(super) fn image(&self, moment: usize, arrived: Arrived, dice: &mut Dice) -> Vec<u8> {
        let state = self.state.lock();
        let events = &state.events[..moment];
        let synced = events.iter().rposition(|event| matches!(event, Event::Sync)).map_or(0, |at| at + 1);
        let mut image = state.start.clone();
        for event in &events[..synced] {
            match event {
                Event::Write { offset, data } => write(&mut image, *offset, data),
                Event::Resize(len) => image.resize(*len as usize, 0),
                Event::Sync => {}
            }
        }
        // Sectors that have arrived, the last version of each. The length may or may not have.
        let mut sectors: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
        let mut len = image.len() as u64;
        for event in &events[synced..] {
            let whole = match arrived {
                Arrived::Nothing => continue,
                Arrived::Everything => true,
                Arrived::WholeWrites { percent } if dice.roll(100) < percent => true,
                Arrived::WholeWrites { .. } => continue,
                Arrived::Sectors { .. } => false,
            };
            let mut arrives = || match arrived {
                Arrived::Sectors { percent } => whole || dice.roll(100) < percent,
                _ => whole,
            };
            match event {
                Event::Write { offset, data } => {
                    for (at, part) in sectors_of(*offset, data) {
                        if arrives() {
                            sectors.insert(at, part.to_vec());
                        }
                    }
                }
                Event::Resize(to) if arrives() => len = *to,
                Event::Resize(_) | Event::Sync => {}
            }
        }
        image.resize(len as usize, 0);
        for (offset, data) in sectors {
            let fits = len.saturating_sub(offset).min(data.len() as u64) as usize;
            write(&mut image, offset, &data[..fits]);
        }
        image
    }
}

/// The pieces of a write that lie in one sector each.
fn sectors_of(offset: u64, data: &[u8]) -> Vec<(u64, &[u8])> {
    let mut pieces = Vec::new();
    let (mut at, mut rest) = (offset, data);
    while !rest.is_empty() {
        let room = (SECTOR_BYTES - at % SECTOR_BYTES).min(rest.len() as u64);
        let (piece, further) = rest.split_at(room as usize);
        pieces.push((at, piece));
        (at, rest) = (at + room, further);
    }
    pieces
}

fn write(image: &mut [u8], offset: u64, data: &[u8]) {
    image[offset as usize..offset as usize + data.len()].copy_from_slice(data);
}

impl Disk for Double {
    fn attach(&self) -> Result<Box<dyn StorageBackend>, Error> {
        Ok(Box::new(self.clone()))
    }

    fn len_bytes(&self) -> Result<u64, Error> {
        Ok(self.state.lock().bytes.len() as u64)
    }
}

impl StorageBackend for Double {
    fn len(&self) -> Result<u64, io::Error> {
        Ok(self.state.lock().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        let state = self.state.lock();
        if state.fail_read {
            return Err(io::Error::other("a read fails as ordered"));
        }
        let end = offset as usize + out.len();
        let from = state.bytes.get(offset as usize..end);
        out.copy_from_slice(from.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        let mut state = self.state.lock();
        state.bytes.resize(len as usize, 0);
        state.events.push(Event::Resize(len));
        Ok(())
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        let mut state = self.state.lock();
        match state.fail_sync_after {
            Some(0) => {
                state.fail_sync_after = None;
                return Err(io::Error::other("a sync fails as ordered"));
            }
            Some(good) => state.fail_sync_after = Some(good - 1),
            None => {}
        }
        state.events.push(Event::Sync);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        let mut state = self.state.lock();
        if state.capacity_bytes.is_some_and(|capacity| offset + data.len() as u64 > capacity) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        write(&mut state.bytes, offset, data);
        state.events.push(Event::Write { offset, data: data.to_vec() });
        Ok(())
    }
}
