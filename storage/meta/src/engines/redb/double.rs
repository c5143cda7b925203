//! A double of the disk: it remembers every write and every sync, and makes images of what a power
//! failure at some moment can leave behind.
//!
//! **Invariant:** in an image only what was synced is certain. Of each write after the last sync, any
//! 512-byte sectors may have arrived and others not, whatever their order. After a sync that has failed this
//! is so for good, as it is on Linux: the system takes for written what it has given up to write.

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
    /// Which file this handle is of.
    file: usize,
}

/// The database and the journal.
pub(super) type Files = [Vec<u8>; 2];

#[derive(Debug, Default)]
struct State {
    files: Files,
    /// What has happened since [`Double::new`], and to which file.
    events: Vec<(usize, Event)>,
    start: Files,
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
    SyncFailed,
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
    pub(super) fn new(files: Files) -> Double {
        let state = State { start: files.clone(), files, ..State::default() };
        Double { state: Arc::new(Mutex::new(state)), file: 0 }
    }

    /// An empty disk.
    pub(super) fn empty() -> Double {
        Double::new(Files::default())
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
    pub(super) fn image(&self, moment: usize, arrived: Arrived, dice: &mut Dice) -> Files {
        [0, 1].map(|file| self.image_of(file, moment, arrived, dice))
    }

    fn image_of(&self, file: usize, moment: usize, arrived: Arrived, dice: &mut Dice) -> Vec<u8> {
        let state = self.state.lock();
        let of_file = state.events[..moment].iter().filter(|(of, _)| *of == file);
        let events: Vec<&Event> = of_file.map(|(_, event)| event).collect();
        let mut image = state.start[file].clone();
        for (at, event) in events.iter().enumerate() {
            // What a failed sync was to write is not written by a later one: it is taken for done.
            let next_sync =
                events[at..].iter().find(|event| matches!(event, Event::Sync | Event::SyncFailed));
            let certain = matches!(next_sync, Some(Event::Sync));
            let (whole, percent) = match arrived {
                _ if certain => (true, 100),
                Arrived::Nothing => continue,
                Arrived::Everything => (true, 100),
                Arrived::WholeWrites { percent } if dice.roll(100) < percent => (true, 100),
                Arrived::WholeWrites { .. } => continue,
                Arrived::Sectors { percent } => (false, percent),
            };
            match event {
                Event::Write { offset, data } if certain => write(&mut image, *offset, data),
                Event::Write { offset, data } => {
                    for (at, part) in sectors_of(*offset, data) {
                        // Without the length that belongs to it, a sector is not in the file.
                        let fits = image.len().saturating_sub(at as usize).min(part.len());
                        if fits > 0 && (whole || dice.roll(100) < percent) {
                            write(&mut image, at, &part[..fits]);
                        }
                    }
                }
                Event::Resize(len) if whole || dice.roll(100) < percent => image.resize(*len as usize, 0),
                Event::Resize(_) | Event::Sync | Event::SyncFailed => {}
            }
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

fn write(image: &mut Vec<u8>, offset: u64, data: &[u8]) {
    let (start, end) = (offset as usize, offset as usize + data.len());
    if image.len() < end {
        image.resize(end, 0);
    }
    image[start..end].copy_from_slice(data);
}

impl Disk for Double {
    fn attach(&self) -> Result<Box<dyn StorageBackend>, Error> {
        Ok(Box::new(Double { file: 0, ..self.clone() }))
    }

    fn attach_journal(&self) -> Result<Box<dyn StorageBackend>, Error> {
        Ok(Box::new(Double { file: 1, ..self.clone() }))
    }

    fn free_bytes(&self) -> Option<u64> {
        let state = self.state.lock();
        state.capacity_bytes.map(|capacity| capacity.saturating_sub(state.files[0].len() as u64))
    }

    fn len_bytes(&self) -> Result<u64, Error> {
        Ok(self.state.lock().files.iter().map(|file| file.len() as u64).sum())
    }
}

impl StorageBackend for Double {
    fn len(&self) -> Result<u64, io::Error> {
        Ok(self.state.lock().files[self.file].len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        let state = self.state.lock();
        if state.fail_read {
            return Err(io::Error::other("a read fails as ordered"));
        }
        let end = offset as usize + out.len();
        let from = state.files[self.file].get(offset as usize..end);
        out.copy_from_slice(from.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        let mut state = self.state.lock();
        state.files[self.file].resize(len as usize, 0);
        state.events.push((self.file, Event::Resize(len)));
        Ok(())
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        let mut state = self.state.lock();
        match state.fail_sync_after {
            Some(0) => {
                state.fail_sync_after = None;
                state.events.push((self.file, Event::SyncFailed));
                return Err(io::Error::other("a sync fails as ordered"));
            }
            Some(good) => state.fail_sync_after = Some(good - 1),
            None => {}
        }
        state.events.push((self.file, Event::Sync));
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        let mut state = self.state.lock();
        if self.file == 0
            && state.capacity_bytes.is_some_and(|capacity| offset + data.len() as u64 > capacity)
        {
            return Err(io::ErrorKind::StorageFull.into());
        }
        write(&mut state.files[self.file], offset, data);
        state.events.push((self.file, Event::Write { offset, data: data.to_vec() }));
        Ok(())
    }
}
