//! From a path to rows.

use allod_meta::Lookup;
use allod_model::{Detail, EntryKey, Error, ErrorKind, Name, NodeId, Path};

use crate::components::Components;
use crate::fault::{Fault, Res};
use crate::keys::Keys;
use crate::node::{EventFacts, FolderFacts, Node, Property, Want};
use crate::reading::Records;
use crate::record::{Content, Entry, File, Folder, What};

/// The folder above the root, so that the root is an entry like any other.
pub const ABOVE_ROOT: NodeId = NodeId(0);

/// The key of the root in [`ABOVE_ROOT`].
pub fn root_key() -> EntryKey {
    EntryKey::from_bytes(b"/")
}

/// A place in the tree, occupied or not, whose parent exists.
#[derive(Clone, Debug)]
pub struct Spot {
    /// The folders on the way, [`ABOVE_ROOT`] first, the parent last.
    pub way: Vec<NodeId>,
    /// The name in the parent; empty for the root.
    pub name: Name,
    pub file: Option<Entry>,
    pub folder: Option<Entry>,
}

impl Spot {
    pub fn parent(&self) -> NodeId {
        // Invariant: `way` begins with ABOVE_ROOT.
        *self.way.last().expect("a way has at least its start")
    }

    pub fn file_key(&self) -> EntryKey {
        EntryKey::file(&self.name)
    }

    pub fn folder_key(&self) -> EntryKey {
        EntryKey::folder(&self.name)
    }

    /// What stands here, as wanted: the file if there is one, else the folder.
    pub fn found(&self, want: Want) -> Option<(EntryKey, &Entry)> {
        let file = || self.file.as_ref().map(|entry| (self.file_key(), entry));
        let folder = || self.folder.as_ref().map(|entry| (self.folder_key(), entry));
        match want {
            Want::Any => file().or_else(folder),
            Want::File => file(),
            Want::Folder => folder(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.file.is_none() && self.folder.is_none()
    }
}

impl Spot {
    /// Refuses to put an object over one of another identity: `no-uid-conflict` of RFC 4791 §5.3.2.1 and RFC 6352
    /// §6.3.2.1.
    ///
    /// # Errors
    /// `UidConflict`.
    pub fn keep_uid(&self, new: Option<&str>) -> Res<()> {
        let old = self.file.as_ref().and_then(Entry::file).and_then(|file| file.uid.as_deref());
        match (old, new) {
            (Some(old), Some(new)) if old != new => {
                let message =
                    format!("{} is an object with another UID; it cannot become this one", self.name);
                let detail = Detail::Uid(new.to_owned(), self.name.to_string());
                Err(Error::new(ErrorKind::UidConflict, message).with(detail).into())
            }
            _ => Ok(()),
        }
    }
}

/// Finds the place that `path` names.
///
/// # Errors
/// `WrongKind` with `MissingParent` when the folder it would be in is not there.
pub fn spot(rows: &impl Lookup, keys: Keys, path: &Path) -> Res<Spot> {
    let mut way = Vec::with_capacity(path.depth() + 1);
    way.push(ABOVE_ROOT);
    let Some((last, above)) = path.names().split_last() else {
        let folder = rows.record(&keys.entry(ABOVE_ROOT, &root_key()))?;
        return Ok(Spot { way, name: root_key().name(), file: None, folder });
    };
    let mut folder = NodeId::ROOT;
    for name in above {
        way.push(folder);
        let entry: Option<Entry> = rows.record(&keys.entry(folder, &EntryKey::folder(name)))?;
        folder = entry.ok_or_else(missing_parent)?.node;
    }
    way.push(folder);
    let file = rows.record(&keys.entry(folder, &EntryKey::file(last)))?;
    let inner = rows.record(&keys.entry(folder, &EntryKey::folder(last)))?;
    Ok(Spot { way, name: last.clone(), file, folder: inner })
}

fn missing_parent() -> Fault {
    let error = Error::new(ErrorKind::WrongKind, "the folder that this would be in does not exist");
    error.with(Detail::MissingParent).into()
}

/// What `path` names, for reading.
///
/// # Errors
/// `NotFound`.
pub fn find(rows: &impl Lookup, keys: Keys, path: &Path, want: Want) -> Res<(EntryKey, Entry)> {
    let spot = match spot(rows, keys, path) {
        Err(Fault(error)) if error.detail == Detail::MissingParent => return Err(Error::not_found().into()),
        other => other?,
    };
    match spot.found(want) {
        Some((key, entry)) => Ok((key, entry.clone())),
        None => Err(Error::not_found().into()),
    }
}

/// The folder that `path` names: its id and row.
///
/// # Errors
/// `NotFound`; `WrongKind` when a file is there.
pub fn find_folder(rows: &impl Lookup, keys: Keys, path: &Path) -> Res<(NodeId, Folder)> {
    let entry = match find(rows, keys, path, Want::Folder) {
        Ok((_, entry)) => entry,
        Err(fault) => {
            let file = find(rows, keys, path, Want::File).is_ok();
            let wrong = || Error::new(ErrorKind::WrongKind, "that is a file, not a folder").into();
            return Err(if file { wrong() } else { fault });
        }
    };
    Ok((entry.node, folder_row(rows, keys, entry.node)?))
}

/// A folder's row, which must be there.
pub fn folder_row(rows: &impl Lookup, keys: Keys, id: NodeId) -> Res<Folder> {
    rows.record(&keys.folder(id))?.ok_or_else(|| crate::commit::missing("a folder's row"))
}

/// Puts together what callers see. `folder` is the folder's row when `entry` is one.
pub fn node(key: &EntryKey, entry: &Entry, folder: Option<&Folder>, properties: Vec<Property>) -> Node {
    let base = |size, etag, media_type, modified, folder| Node {
        id: entry.node,
        name: key.name(),
        folder,
        size,
        etag,
        media_type,
        created: entry.created,
        modified,
        seq: entry.seq,
        properties,
        rights: None,
        calendar: entry.file().and_then(event_facts),
        object: None,
    };
    match (&entry.what, folder) {
        (What::File(file), _) => base(file.size, file.etag(), file.media_type.clone(), entry.modified, None),
        (What::Folder { kind, .. }, row) => {
            let (token, below) = row.map_or((entry.seq, entry.seq), |r| (r.token, r.below.max(entry.seq)));
            let facts = FolderFacts {
                kind: *kind,
                token,
                below,
                documents: row.map_or(0, |r| r.documents),
                components: row.map_or(Components::ALL, |r| r.components),
                transparent: row.is_some_and(|r| r.transparent),
                derived: row.is_some_and(|r| r.derived),
            };
            let etag = allod_model::Etag(format!("f{:x}-{:x}", entry.node.0, below.0));
            let modified = row.map_or(entry.modified, |r| r.modified.max(entry.modified));
            base(row.map_or(0, |r| r.bytes), etag, None, modified, Some(facts))
        }
    }
}

fn event_facts(file: &File) -> Option<EventFacts> {
    let event = file.event()?;
    Some(EventFacts {
        component: event.component.names().next()?,
        schedule_tag: event.schedule.map(|seq| format!("{:x}", seq.0)),
    })
}

/// As [`node`], reading the folder's row and, if asked, the dead properties.
pub fn load_node(
    rows: &impl Lookup,
    account: &crate::account::AccountHandle,
    key: &EntryKey,
    entry: &Entry,
    with_properties: bool,
) -> Res<Node> {
    let folder = match entry.is_folder() {
        true => Some(folder_row(rows, account.keys(), entry.node)?),
        false => None,
    };
    let properties = match entry.properties {
        Some(id) if with_properties => load_properties(rows, account, id)?,
        _ => Vec::new(),
    };
    Ok(node(key, entry, folder.as_ref(), properties))
}

/// Dead properties stored as content `id`.
pub fn load_properties(
    rows: &impl Lookup,
    account: &crate::account::AccountHandle,
    id: allod_model::ContentId,
) -> Res<Vec<Property>> {
    let content: Content = rows
        .record(&account.keys().content(id))?
        .ok_or_else(|| crate::commit::missing("the row of a resource's properties"))?;
    crate::record::decode(&account.open_inline(id, &content)?).map_err(Fault)
}
