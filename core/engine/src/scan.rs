//! Listing a bucket in true byte order of its keys, as one flat space.

use allod_meta::View;
use allod_model::{Detail, EntryKey, Error, ErrorKind, Kind, Name, NodeId, Path, Result, Rights};

use crate::access::Sight;
use crate::core::blocking;
use crate::fault::{Fault, Res, todo_yet};
use crate::node::Node;
use crate::object::*;
use crate::reading::Records;
use crate::record::{Entry, What, hex};
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
    /// `NotFound` without the bucket.
    pub async fn scan(&self, bucket: &Name, request: ScanRequest) -> Result<Scan<Node>> {
        let (me, bucket) = (self.clone(), bucket.clone());
        blocking(move || me.scan_now(&bucket, &request)).await
    }

    fn scan_now(&self, bucket: &Name, request: &ScanRequest) -> Res<Scan<Node>> {
        let view = self.view()?;
        let (root, path) = self.bucket_folder(&view, bucket)?;
        let mut walk = Walk::new(&view, self.keys(), self.scope(), root, path);
        page(&mut walk, request, |key, (entry, rights)| Ok(Some(object_node(key, &entry, rights))))
    }

    /// The folder that is the bucket `name`: its id and path.
    ///
    /// # Errors
    /// `NotFound` with `NoBucket`, also for what the session must not know of.
    pub(crate) fn bucket_folder(&self, view: &View, name: &Name) -> Res<(NodeId, Path)> {
        let none = || Fault(Error::new(ErrorKind::NotFound, "no such bucket").with(Detail::NoBucket));
        let path = Path::from_names(vec![name.clone()]);
        if self.scope().sight(&path) == Sight::Hidden {
            return Err(none());
        }
        let key = EntryKey::folder(name);
        let entry: Entry = view.record(&self.keys().entry(NodeId::ROOT, &key))?.ok_or_else(none)?;
        match entry.what {
            What::Folder { kind: Kind::Plain, .. } => Ok((entry.node, path)),
            _ => Err(none()),
        }
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
fn object_node(key: &[u8], entry: &Entry, rights: Rights) -> Node {
    let name = key.rsplit(|byte| *byte == b'/').next().unwrap_or(key);
    let mut node = node(&EntryKey::from_bytes(name), entry, None, Vec::new());
    node.rights = Some(rights);
    node.object = object_facts(entry).map(Box::new);
    node
}

/// What a listing shows of an object; `None` for a folder.
fn object_facts(entry: &Entry) -> Option<ObjectFacts> {
    let file = entry.file()?;
    let etag = match &file.md5 {
        Some(md5) => hex(md5),
        None => format!("{}-1", hex(&file.digest)),
    };
    let object = Object::default();
    Some(ObjectFacts { etag, version: VersionId::Null, versioned: false, object })
}
