//! Chunks as objects of their own: on a disk, in memory, or in somebody's object store.

mod local;
#[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
mod remote;

use std::{sync::Arc, time::SystemTime};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream::BoxStream};
use object_store::{
    ObjectMeta, ObjectStore, ObjectStoreExt, PutPayload, local::LocalFileSystem, memory::InMemory, path::Path,
};
use url::Url;

use local::LocalObjects;

use crate::{BlobConfig, ChunkName, Error, ErrorKind, Result, blobs::blocking, budget::Buf};

const OBJECTS: &str = "objects";

/// One object, as a listing shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectEntry {
    /// Whose chunk it is.
    pub account: u64,
    /// The chunk's name.
    pub name: ChunkName,
    /// When it was stored, by the clock of the back-end.
    pub modified: SystemTime,
    /// Length of the sealed bytes.
    pub size: u64,
}

/// The object half of a store.
pub(crate) struct Objects {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    /// The same objects as files, if the store is a folder of this machine.
    local: Option<Arc<LocalObjects>>,
    /// Whether the store keeps the very buffers that it is given.
    keeps: bool,
}

impl Objects {
    /// Objects in a folder of this machine, which exists and which nobody else has open.
    pub(crate) fn open_folder(folder: &std::path::Path) -> Result<Objects> {
        let local = LocalObjects::open(folder)?;
        let store = LocalFileSystem::new_with_prefix(folder)
            .map_err(|e| Error::store(format!("cannot open {}", folder.display()), e))?
            .with_fsync(true);
        Ok(Objects {
            store: Arc::new(store),
            prefix: Path::default(),
            local: Some(Arc::new(local)),
            keeps: false,
        })
    }

    /// Objects elsewhere, at the URL of the configuration.
    #[cfg_attr(not(any(feature = "s3", feature = "gcs", feature = "azure")), expect(unused_variables))]
    pub(crate) fn open_url(config: &BlobConfig, url: &Url) -> Result<Objects> {
        let prefix = Path::from_url_path(url.path())
            .map_err(|e| Error::invalid("the blob URL has an unusable path").caused_by(e))?;
        let store: Arc<dyn ObjectStore> = match url.scheme() {
            "memory" => Arc::new(InMemory::new()),
            #[cfg(feature = "s3")]
            "s3" => remote::s3(config, url)?,
            #[cfg(feature = "gcs")]
            "gs" => remote::gcs(config, url)?,
            #[cfg(feature = "azure")]
            "az" => remote::azure(config, url)?,
            scheme => return Err(Error::invalid(format!("this build stores no blobs at {scheme}://"))),
        };
        Ok(Objects { store, prefix, local: None, keeps: url.scheme() == "memory" })
    }

    /// `objects/<account>/<2 digits>/<64 digits>`: the digits in between keep folders of a disk small.
    fn path(&self, account: u64, name: &ChunkName) -> Path {
        let hex = name.hex();
        [OBJECTS, &account.to_string(), &hex[..2], &hex]
            .into_iter()
            .fold(self.prefix.clone(), |path, part| path.join(part))
    }

    /// Stores a sealed chunk, durable on return. Storing the same again does no harm.
    pub(crate) async fn put(&self, account: u64, name: &ChunkName, sealed: Buf) -> Result<()> {
        if let Some(local) = &self.local {
            let (local, name) = (local.clone(), *name);
            return blocking(move || local.put(account, &name, &sealed)).await;
        }
        let path = self.path(account, name);
        // A store in memory keeps what it is given, which must not be a buffer out of the budget.
        let sealed = if self.keeps { Bytes::copy_from_slice(&sealed) } else { Bytes::from_owner(sealed) };
        match self.store.put(&path, PutPayload::from_bytes(sealed)).await {
            Ok(_) => Ok(()),
            Err(error) => Err(reachable(Error::store(format!("cannot store {path}"), error))),
        }
    }

    /// Reads a sealed chunk into `buf` and gives it to `then`, off the runtime's threads. Longer objects than the
    /// buffer has room for are damage.
    pub(crate) async fn get<T: Send + 'static>(
        &self,
        account: u64,
        name: &ChunkName,
        mut buf: Buf,
        then: impl FnOnce(Buf) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if let Some(local) = &self.local {
            let (local, name) = (local.clone(), *name);
            return blocking(move || {
                local.get(account, &name, &mut buf)?;
                then(buf)
            })
            .await;
        }
        self.download(&self.path(account, name), &mut buf).await?;
        blocking(move || then(buf)).await
    }

    async fn download(&self, path: &Path, buf: &mut Buf) -> Result<()> {
        let fail = |e| Error::store(format!("cannot read {path}"), e);
        let object = self.store.get(path).await.map_err(fail)?;
        if object.meta.size > buf.capacity() as u64 {
            return Err(Error::corrupt(format!("{path} is longer than its reference says")));
        }
        let size = object.meta.size as usize;
        let mut pieces = object.into_stream();
        while let Some(piece) = pieces.try_next().await.map_err(fail)? {
            if buf.len() + piece.len() > size {
                return Err(Error::corrupt(format!("{path} is longer than announced")));
            }
            buf.extend(&piece);
        }
        match buf.len() == size {
            true => Ok(()),
            false => Err(Error::new(ErrorKind::Unavailable, format!("{path} was cut short on its way"))),
        }
    }

    /// Removes a chunk's object; that it is gone already is no error.
    pub(crate) async fn delete(&self, account: u64, name: &ChunkName) -> Result<()> {
        let path = self.path(account, name);
        match self.store.delete(&path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(Error::store(format!("cannot delete {path}"), error)),
        }
    }

    /// Whether a chunk has an object.
    pub(crate) async fn exists(&self, account: u64, name: &ChunkName) -> Result<bool> {
        let path = self.path(account, name);
        match self.store.head(&path).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(Error::store(format!("cannot look at {path}"), error)),
        }
    }

    /// Asks for the accounts that have objects: the shortest request that any store answers only to those it lets in.
    pub(crate) async fn look(&self) -> Result<()> {
        let listed = self.store.list_with_delimiter(Some(&self.prefix.clone().join(OBJECTS))).await;
        listed.map(|_| ()).map_err(|error| reachable(Error::store("cannot list objects", error)))
    }

    /// All objects (of one account), in no order. Objects with foreign names are left out.
    pub(crate) fn list(&self, account: Option<u64>) -> BoxStream<'static, Result<ObjectEntry>> {
        let mut prefix = self.prefix.clone().join(OBJECTS);
        if let Some(account) = account {
            prefix = prefix.join(account.to_string());
        }
        self.store
            .list(Some(&prefix))
            .filter_map(|listed| async {
                match listed {
                    Ok(meta) => entry(&meta).map(Ok),
                    Err(error) => Some(Err(reachable(Error::store("cannot list objects", error)))),
                }
            })
            .boxed()
    }
}

/// Only a missing bucket is "not found" to a request that needs no object.
fn reachable(error: Error) -> Error {
    match error.kind() {
        ErrorKind::NotFound => {
            Error::new(ErrorKind::Unavailable, "the folder or bucket is gone").caused_by(error)
        }
        _ => error,
    }
}

fn entry(meta: &ObjectMeta) -> Option<ObjectEntry> {
    let mut parts = meta.location.as_ref().rsplit('/');
    let name = ChunkName::from_hex(parts.next()?)?;
    let account = parts.nth(1)?.parse().ok()?;
    Some(ObjectEntry { account, name, modified: meta.last_modified.into(), size: meta.size })
}
