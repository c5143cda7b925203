//! Listing a bucket in true byte order of its keys, as one flat space.

use allod_model::{EntryKey, Name, Path, Result, Rights};

use crate::core::blocking;
use crate::fault::{Res, todo_yet};
use crate::node::Node;
use crate::object::*;
use crate::objects::object_facts;
use crate::record::Entry;
use crate::resolve::node;
use crate::roll::page;
use crate::session::Session;
use crate::walk::Walk;

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
        let versioned = self.is_versioned(&view, &root)?;
        let path = Path::root().join(bucket.clone());
        let mut walk = Walk::new(&view, self.keys(), self.scope(), root.node, path);
        page(&mut walk, request, |key, (entry, rights)| Ok(Some(object_node(key, &entry, rights, versioned))))
    }

    /// As [`Session::scan`], with every version and delete marker: keys in byte order, newest version first.
    /// `after_version`: within the key `request.after`, only what is older than this version.
    ///
    /// # Errors
    /// As [`Session::scan`].
    pub async fn scan_versions(
        &self,
        bucket: &Name,
        request: ScanRequest,
        after_version: Option<VersionId>,
    ) -> Result<Scan<ObjectVersion>> {
        let _ = (bucket, request, after_version);
        todo_yet()
    }
}

/// A file as a scan shows it; `key` ends with its name.
fn object_node(key: &[u8], entry: &Entry, rights: Rights, versioned: bool) -> Node {
    let name = key.rsplit(|byte| *byte == b'/').next().unwrap_or(key);
    let mut node = node(&EntryKey::from_bytes(name), entry, None, Vec::new());
    node.rights = Some(rights);
    node.object = entry.file().map(|file| Box::new(object_facts(file, versioned)));
    node
}
