//! Many files of one kind of folder at once, with their bytes: what reports ask for by name.

use std::sync::Arc;

use allod_meta::View;
use allod_model::{EntryKey, Error, ErrorKind, NodeId, Path, Result};
use bytes::Bytes;

use crate::content::Reader;
use crate::fault::{Fault, Res};
use crate::find::Found;
use crate::node::{Node, Want};
use crate::read::veil;
use crate::reading::Records;
use crate::record::Entry;
use crate::resolve::{find, find_folder, load_node};
use crate::session::Session;

/// Most paths of one call.
pub const FETCH_PATHS_MAX: usize = 1000;
/// Largest file handed out whole, in bytes: more than the rules of typed folders admit.
const WHOLE_BYTES_MAX: u64 = 16 << 20;

/// A file found, its bytes perhaps still to be read.
pub struct Fetched {
    pub node: Node,
    pub bytes: Content,
}

/// Bytes at hand, or where to read them.
pub enum Content {
    Here(Bytes),
    Stored(Arc<Reader>),
}

impl Fetched {
    /// Reads what is not at hand.
    pub async fn whole(self) -> Result<Found> {
        let bytes = match self.bytes {
            Content::Here(bytes) => bytes,
            Content::Stored(reader) => Bytes::from(reader.whole().await?),
        };
        Ok(Found { node: self.node, bytes })
    }
}

impl Session {
    /// The files at these paths (at most [`FETCH_PATHS_MAX`]) with their bytes, in the order asked; each fails for
    /// itself. One snapshot answers for all.
    ///
    /// # Errors
    /// Of one: `NotFound`, `WrongKind` for a folder, `TooLarge`, `Corrupt`. Of the call: `TooLarge`, `Unauthenticated`,
    /// `Unavailable`.
    pub async fn fetch(&self, paths: &[Path], with_properties: bool) -> Result<Vec<Result<Found>>> {
        if paths.len() > FETCH_PATHS_MAX {
            return Err(Error::too_large("paths of one call", FETCH_PATHS_MAX as u64));
        }
        let (me, paths) = (self.clone(), paths.to_vec());
        let fetched = crate::core::blocking(move || {
            let view = me.view()?;
            let mut parent = None;
            Ok(paths
                .iter()
                .map(|path| me.fetch_one(&view, path, &mut parent, with_properties).map_err(Error::from))
                .collect::<Vec<Result<Fetched>>>())
        })
        .await?;
        let mut found = Vec::with_capacity(fetched.len());
        for one in fetched {
            found.push(match one {
                Ok(one) => one.whole().await,
                Err(error) => Err(error),
            });
        }
        Ok(found)
    }

    /// `parent` remembers the folder of the last path: most are siblings.
    fn fetch_one(
        &self,
        view: &View,
        path: &Path,
        parent: &mut Option<(Path, NodeId)>,
        with_properties: bool,
    ) -> Res<Fetched> {
        self.scope().check_read(path)?;
        let (Some(name), Some(above)) = (path.last(), path.parent()) else {
            return Err(Error::not_found().into());
        };
        let folder = match parent {
            Some((known, id)) if *known == above => *id,
            _ => {
                let (id, _) = find_folder(view, self.keys(), &above)?;
                *parent = Some((above, id));
                id
            }
        };
        let key = EntryKey::file(name);
        let entry: Option<Entry> = view.record(&self.keys().entry(folder, &key))?;
        match entry {
            Some(entry) => self.fetch_entry(view, path, &key, &entry, with_properties),
            None => {
                // Says what is there instead.
                find(view, self.keys(), path, Want::Any)?;
                Err(Error::new(ErrorKind::WrongKind, "that is a folder, not a file").into())
            }
        }
    }

    /// A file's facts and bytes.
    pub(crate) fn fetch_entry(
        &self,
        view: &View,
        path: &Path,
        key: &EntryKey,
        entry: &Entry,
        with_properties: bool,
    ) -> Res<Fetched> {
        let file = entry.file().ok_or_else(Error::not_found)?;
        if file.size > WHOLE_BYTES_MAX {
            return Err(Error::too_large("bytes of a file in a report", WHOLE_BYTES_MAX).into());
        }
        let mut node = load_node(view, self.handle(), key, entry, with_properties)?;
        veil(&mut node, self.scope().sight(path));
        let reader = Reader::open(self.core(), self.handle(), view, file.content)?;
        let bytes = match reader.inline() {
            Some(plain) => Content::Here(plain.map_err(|fault: Fault| fault.0)?),
            None => Content::Stored(reader),
        };
        Ok(Fetched { node, bytes })
    }
}
