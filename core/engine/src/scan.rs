//! Listing a bucket in true byte order of its keys, as one flat space.

use allod_model::{EntryKey, Name, Path, Result, Rights};

use crate::core::blocking;
use crate::fault::Res;
use crate::node::Node;
use crate::object::*;
use crate::objects::object_facts;
use crate::record::{Entry, File, Kept};
use crate::resolve::{folder_row, node};
use crate::roll::page;
use crate::session::Session;
use crate::walk::{Stand, Standing, Walk};

impl Session {
    /// Keys of a bucket in byte order; [`Node::object`] is filled. Reads no more than the page needs: whole folders are
    /// passed over where the delimiter hides what is in them. Keys longer than
    /// [`allod_model::RAW_KEY_BYTES_MAX`], which other windows can make, are left out.
    ///
    /// # Errors
    /// `NotFound` with `NoBucket`.
    pub async fn scan(&self, bucket: &Name, request: ScanRequest) -> Result<Scan<Node>> {
        let (me, bucket) = (self.clone(), bucket.clone());
        blocking(move || me.scan_now(&bucket, &request)).await
    }

    fn scan_now(&self, bucket: &Name, request: &ScanRequest) -> Res<Scan<Node>> {
        let view = self.view()?;
        let root = self.bucket_entry(&view, bucket)?;
        let versioned = folder_row(&view, self.keys(), root.node)?.is_versioned();
        let path = Path::root().join(bucket.clone());
        let mut walk = Walk::new(&view, self.keys(), self.scope(), root.node, path);
        page(&mut walk, request, |key, stand| match stand.what {
            Standing::Current(entry) => Ok(Some(object_node(key, &entry, stand.rights, versioned))),
            Standing::Kept(..) => Ok(None),
        })
    }

    /// As [`Session::scan`], with every version and delete marker: keys in byte order, newest version first.
    /// `after_version`: within the key `request.after`, only what is older than this version; it need not be there any
    /// more, so that a client can delete what a page showed and go on.
    ///
    /// # Errors
    /// As [`Session::scan`].
    pub async fn scan_versions(
        &self,
        bucket: &Name,
        request: ScanRequest,
        after_version: Option<VersionId>,
    ) -> Result<Scan<ObjectVersion>> {
        let (me, bucket) = (self.clone(), bucket.clone());
        blocking(move || me.scan_versions_now(&bucket, &request, after_version)).await
    }

    fn scan_versions_now(
        &self,
        bucket: &Name,
        request: &ScanRequest,
        after_version: Option<VersionId>,
    ) -> Res<Scan<ObjectVersion>> {
        let view = self.view()?;
        let root = self.bucket_entry(&view, bucket)?;
        let versioned = folder_row(&view, self.keys(), root.node)?.is_versioned();
        let path = Path::root().join(bucket.clone());
        let walk = Walk::new(&view, self.keys(), self.scope(), root.node, path);
        let mut walk = walk.with_versions(after_version);
        let mut scan = page(&mut walk, request, |key, stand| Ok(Some(version(key, stand, versioned))))?;
        // A page can end within a key.
        if let (Some((next, within)), Some(ScanItem::Key(key, last))) = (&mut scan.next, scan.items.last())
            && next == key
        {
            *within = Some(last.id);
        }
        Ok(scan)
    }
}

fn version(key: &[u8], stand: Stand, versioned: bool) -> ObjectVersion {
    let (rights, latest) = (stand.rights, stand.latest);
    let entry = match stand.what {
        Standing::Current(entry) | Standing::Kept(_, Kept::Version(entry)) => entry,
        Standing::Kept(order, marker @ Kept::Marker { time, .. }) => {
            return ObjectVersion { id: marker.id(order), latest, modified: time, node: None };
        }
    };
    let id = entry.file().map_or(VersionId::Null, File::version_id);
    let node = Some(object_node(key, &entry, rights, versioned));
    ObjectVersion { id, latest, modified: entry.modified, node }
}

/// A file as a scan shows it; `key` ends with its name.
fn object_node(key: &[u8], entry: &Entry, rights: Rights, versioned: bool) -> Node {
    let name = key.rsplit(|byte| *byte == b'/').next().unwrap_or(key);
    let mut node = node(&EntryKey::from_bytes(name), entry, None, Vec::new());
    node.rights = Some(rights);
    node.object = entry.file().map(|file| Box::new(object_facts(file, versioned)));
    node
}
