//! What a loss of power can leave of a recorded history.
//!
//! * Of a file's bytes only what was there when its last sync began is certain. Of each later write any
//!   512-byte sectors may have arrived.
//! * A name is certain once its directory has been synced. Later changes of names arrive in order, up to
//!   any of them, as journalling file systems do it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::recording::{Event, FileId, moved_name};
use super::writer::Dice;

const SECTOR_BYTES: u64 = 512;

/// How much of what was not synced has arrived, in percent of the sectors; 0 and 100 are exact.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrived {
    pub(crate) sectors_percent: u64,
}

#[derive(Default)]
struct Content {
    len: u64,
    sectors: BTreeMap<u64, [u8; SECTOR_BYTES as usize]>,
}

impl Content {
    fn write(&mut self, offset: u64, data: &[u8], mut arrives: impl FnMut() -> bool) {
        let (mut at, mut rest) = (offset, data);
        while !rest.is_empty() {
            let within = (at % SECTOR_BYTES) as usize;
            let (piece, further) = rest.split_at(rest.len().min(SECTOR_BYTES as usize - within));
            if arrives() {
                let sector = self.sectors.entry(at / SECTOR_BYTES).or_insert([0; SECTOR_BYTES as usize]);
                sector[within..within + piece.len()].copy_from_slice(piece);
                self.len = self.len.max(at + piece.len() as u64);
            }
            (at, rest) = (at + piece.len() as u64, further);
        }
    }

    fn resize(&mut self, len: u64) {
        if len < self.len {
            self.sectors.split_off(&len.div_ceil(SECTOR_BYTES));
            if let Some(last) = self.sectors.get_mut(&(len / SECTOR_BYTES)) {
                last[(len % SECTOR_BYTES) as usize..].fill(0);
            }
        }
        self.len = len;
    }

    fn store(&self, path: &Path) {
        let file = File::create(path).unwrap();
        file.set_len(self.len).unwrap();
        for (number, sector) in &self.sectors {
            let offset = number * SECTOR_BYTES;
            let fits = self.len.saturating_sub(offset).min(SECTOR_BYTES) as usize;
            file.write_all_at(&sector[..fits], offset).unwrap();
        }
    }
}

/// Makes the image of a loss of power after `moment` events, in the directory `into`.
pub(crate) fn make(
    events: &[Event],
    moment: usize,
    arrived: Arrived,
    root: &Path,
    into: &Path,
    dice: &mut Dice,
) {
    let events = &events[..moment];
    let (files, dirs) = names(events, arrived, dice);
    let contents = contents(events, arrived, dice);
    let target = |path: &Path| into.join(path.strip_prefix(root).unwrap());
    for dir in dirs {
        std::fs::create_dir_all(target(&dir)).unwrap();
    }
    for (path, file) in files {
        let target = target(&path);
        if target.parent().is_some_and(Path::is_dir) {
            contents[&file].store(&target);
        }
    }
}

/// The names that are there: files and directories.
fn names(
    events: &[Event],
    arrived: Arrived,
    dice: &mut Dice,
) -> (BTreeMap<PathBuf, FileId>, BTreeSet<PathBuf>) {
    let mut synced: HashMap<&Path, usize> = HashMap::new();
    for event in events {
        if let Event::SyncDir { path, since } = event {
            synced.insert(path, *since);
        }
    }
    let certain = |at: usize, path: &Path| path.parent().and_then(|dir| synced.get(dir)) > Some(&at);
    let mut last_certain = 0;
    for (at, event) in events.iter().enumerate() {
        let (Event::Create { path, .. }
        | Event::MakeDir { path }
        | Event::Remove { path }
        | Event::Rename { to: path, .. }) = event
        else {
            continue;
        };
        if certain(at, path) {
            last_certain = at + 1;
        }
    }
    let end = match arrived.sectors_percent {
        0 => last_certain,
        100 => events.len(),
        _ => last_certain + dice.roll((events.len() - last_certain) as u64 + 1) as usize,
    };
    let (mut files, mut dirs) = (BTreeMap::new(), BTreeSet::new());
    for event in &events[..end] {
        match event {
            Event::Create { file, path } => {
                files.insert(path.clone(), *file);
            }
            Event::MakeDir { path } => {
                dirs.insert(path.clone());
            }
            Event::Remove { path } => {
                files.remove(path);
                dirs.remove(path);
            }
            Event::Rename { from, to } => {
                files.remove(to);
                let moved = |name: &PathBuf| moved_name(name, from, to);
                files = files.iter().map(|(name, file)| (moved(name), *file)).collect();
                dirs = dirs.iter().map(moved).collect();
            }
            _ => {}
        }
    }
    (files, dirs)
}

fn contents(events: &[Event], arrived: Arrived, dice: &mut Dice) -> HashMap<FileId, Content> {
    let mut synced: HashMap<FileId, usize> = HashMap::new();
    for event in events {
        if let Event::SyncFile { file, since } = event {
            synced.insert(*file, *since);
        }
    }
    let mut contents: HashMap<FileId, Content> = HashMap::new();
    for (at, event) in events.iter().enumerate() {
        let mut arrives = |file: &FileId| {
            synced.get(file).is_some_and(|since| at < *since) || dice.roll(100) < arrived.sectors_percent
        };
        match event {
            Event::Create { file, .. } => {
                contents.insert(*file, Content::default());
            }
            Event::Write { file, offset, data } => {
                contents.entry(*file).or_default().write(*offset, data, || arrives(file));
            }
            Event::Resize { file, len } if arrives(file) => {
                contents.entry(*file).or_default().resize(*len);
            }
            _ => {}
        }
    }
    contents
}
