//! The store: opening, looking after, and the doors to writer and reader.

use std::{
    fs::File,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, stream::BoxStream};

use crate::{
    AccountKey, BlobConfig, CHUNK_BYTES_MAX, ChunkIndex, ChunkName, ChunkRef, ChunkSource, Error, ErrorKind,
    ObjectEntry, PackRecord, Placement, Result, Writer,
    budget::{Budget, Buf},
    config::Location,
    disk,
    envelope::{self, CHUNK_OVERHEAD},
    objects::Objects,
    pack::{self, Appender},
    reader,
};

/// An opened store of content. Cheap to clone; the last clone to go closes it, waiting for an append that is under
/// way.
///
/// Its operations run inside a tokio runtime and do their blocking work on its blocking threads. None of that work
/// waits for other such work, so any limit to those threads will do.
#[derive(Clone)]
pub struct Blobs(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub objects: Objects,
    pub packs: Option<Packs>,
    pub budget: Budget,
    pub inline_max: usize,
    pub pack_max: usize,
    pub in_flight: usize,
    pub read_ahead: usize,
}

pub(crate) struct Packs {
    pub folder: Arc<PathBuf>,
    pub appender: Appender,
    /// Held while the store is open; given back after the appender has ended.
    _lock: File,
}

impl Packs {
    /// Takes the lock of the folder `root`, which exists, and opens its packs.
    fn open(root: &Path) -> Result<Packs> {
        let lock = disk::lock(root)?;
        let folder = root.join("packs");
        disk::create_folder(&folder)?;
        Ok(Packs { appender: Appender::open(&folder)?, folder: Arc::new(folder), _lock: lock })
    }
}

/// One pack file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackInfo {
    /// The pack's number.
    pub id: u64,
    /// Length of the file, bytes.
    pub size: u64,
    /// Whether it may be compacted and removed: true for all but the newest.
    pub sealed: bool,
}

/// How much a store holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Number of objects.
    pub objects: u64,
    /// Their sealed length, bytes.
    pub object_bytes: u64,
    /// Number of packs.
    pub packs: u64,
    /// Their length, bytes, dead records included.
    pub pack_bytes: u64,
}

impl Blobs {
    /// Opens the store that `config` describes, creating folders that are missing.
    ///
    /// A remote store is not contacted; [`Blobs::health`] does that.
    ///
    /// # Errors
    /// `Invalid` for an unusable configuration; `Unavailable` if another process has the folder open; errors of the
    /// disk.
    pub async fn open(config: &BlobConfig) -> Result<Blobs> {
        config.validate()?;
        let config = config.clone();
        blocking(move || {
            let (objects, packs) = match config.location()? {
                Location::Folder(root) => {
                    disk::create_folder(&root)?;
                    let root = root
                        .canonicalize()
                        .map_err(|e| Error::io(format!("cannot open {}", root.display()), e))?;
                    // The lock covers the objects too.
                    let packs = Packs::open(&root)?;
                    (Objects::open_folder(&root)?, Some(packs))
                }
                Location::Elsewhere(url) => (Objects::open_url(&config, &url)?, None),
            };
            Ok(Blobs(Arc::new(Inner {
                objects,
                packs,
                budget: Budget::new(config.buffer_bytes),
                inline_max: config.inline_max,
                pack_max: config.pack_max,
                in_flight: config.in_flight,
                read_ahead: config.read_ahead,
            })))
        })
        .await
    }

    /// Begins to store one content. Dropping the writer abandons it; see [`Writer`].
    pub fn writer(
        &self,
        account: u64,
        key: AccountKey,
        index: Arc<dyn ChunkIndex>,
        want_md5: bool,
    ) -> Writer {
        Writer::new(self.0.clone(), account, key, index, want_md5)
    }

    /// Reads `range` of a content of `size` bytes, whose references `chunks` gives page by page.
    ///
    /// Chunks are verified whole before a byte of them comes out; the pieces are theirs, cut to the range. Some
    /// chunks are read ahead, within the budget. After an error the stream ends. Dropping it stops reading.
    ///
    /// # Errors
    /// As items: `Invalid` if the range is not within the size; `NotFound` or `Corrupt` if a chunk is missing or
    /// damaged, or the references do not make up `size` bytes; `Unavailable`; errors of the source.
    pub fn reader(
        &self,
        account: u64,
        key: AccountKey,
        chunks: Arc<dyn ChunkSource>,
        size: u64,
        range: Range<u64>,
    ) -> impl Stream<Item = Result<Bytes>> + Send + 'static + use<> {
        reader::stream(self.0.clone(), account, key, chunks, size, range)
    }

    /// Reads a chunk whole where that needs no waiting but for the local disk: for a thread that may block and reads many
    /// short contents. `None` for a chunk that lies elsewhere; a reader gets that.
    ///
    /// # Errors
    /// `NotFound`, `Corrupt`, `Unavailable`.
    pub fn read_blocking(&self, account: u64, key: &AccountKey, chunk: &ChunkRef) -> Result<Option<Bytes>> {
        let Placement::Pack { pack, offset, len } = chunk.placement else { return Ok(None) };
        let mut buf = self.0.budget.buf(sealed_len_max(chunk)?);
        pack::read(&self.0.packs()?.folder, account, &chunk.name, (pack, offset, len), &mut buf)?;
        let budget = &self.0.budget;
        let (buf, plain) =
            envelope::open_chunk(key.chunk_cipher(), &chunk.name, chunk.plain_len, buf, budget)?;
        Ok(Some(Bytes::copy_from_slice(&buf[plain])))
    }

    /// Reads a chunk whole and verifies it.
    ///
    /// # Errors
    /// `NotFound`, `Corrupt`, `Unavailable`.
    pub async fn verify(&self, account: u64, key: &AccountKey, chunk: &ChunkRef) -> Result<()> {
        let buf = self.0.budget.buf(sealed_len_max(chunk)?);
        self.0.clone().fetch(account, key.clone(), *chunk, buf).await.map(|_| ())
    }

    /// Whether something lies where `placement` says, without reading it whole.
    ///
    /// # Errors
    /// `Unavailable` if that cannot be told.
    pub async fn exists(&self, account: u64, name: &ChunkName, placement: Placement) -> Result<bool> {
        let Placement::Pack { pack, offset, len } = placement else {
            return self.0.objects.exists(account, name).await;
        };
        let folder = self.0.packs()?.folder.clone();
        let name = *name;
        blocking(move || pack::exists(&folder, account, &name, (pack, offset, len))).await
    }

    /// Removes a chunk's object. That it is gone already is no error.
    ///
    /// The caller makes sure that nothing refers to it. On a disk the removal may be undone by a power failure.
    ///
    /// # Errors
    /// `Denied`, `Unavailable`.
    pub async fn delete_object(&self, account: u64, name: &ChunkName) -> Result<()> {
        self.0.objects.delete(account, name).await
    }

    /// All objects (of one account), in no particular order.
    ///
    /// # Errors
    /// As items: `Denied`, `Unavailable`.
    pub fn list_objects(&self, account: Option<u64>) -> BoxStream<'static, Result<ObjectEntry>> {
        self.0.objects.list(account)
    }

    /// The packs, oldest first; none where the back-end keeps each chunk as an object.
    ///
    /// # Errors
    /// Errors of the disk.
    pub async fn packs(&self) -> Result<Vec<PackInfo>> {
        let Some(packs) = &self.0.packs else { return Ok(Vec::new()) };
        let folder = packs.folder.clone();
        let listed = blocking(move || pack::list(&folder)).await?;
        let newest = listed.last().map_or(0, |(id, _)| *id).max(packs.appender.newest());
        Ok(listed.into_iter().map(|(id, size)| PackInfo { id, size, sealed: id < newest }).collect())
    }

    /// The records of a pack, in the order of their offsets. Each is read and its checksum compared.
    ///
    /// # Errors
    /// As items: `NotFound` without the pack; `Corrupt` if it is no pack; errors of the disk.
    pub fn records(&self, pack: u64) -> BoxStream<'static, Result<PackRecord>> {
        let folder = match self.0.packs() {
            Ok(packs) => packs.folder.clone(),
            Err(error) => return futures_util::stream::once(async { Err(error) }).boxed(),
        };
        let (sender, receiver) = tokio::sync::mpsc::channel(256);
        tokio::task::spawn_blocking(move || {
            let walked = pack::scan(&folder, pack, |record| sender.blocking_send(Ok(record)).is_ok());
            if let Err(error) = walked {
                let _ = sender.blocking_send(Err(error));
            }
        });
        futures_util::stream::unfold(receiver, |mut receiver| async {
            receiver.recv().await.map(|record| (record, receiver))
        })
        .boxed()
    }

    /// Removes a pack, durably. The caller has moved all its live records by [`Blobs::rewrite`] and committed where
    /// they lie now. That it is gone already is no error.
    ///
    /// # Errors
    /// `Invalid` for the newest pack, which is still written and keeps numbers from being used twice; errors of the
    /// disk.
    pub async fn remove_pack(&self, pack: u64) -> Result<()> {
        let packs = self.0.packs()?;
        if pack >= packs.appender.newest() {
            return Err(Error::invalid(format!("pack {pack} is the newest and stays")));
        }
        let folder = packs.folder.clone();
        blocking(move || {
            let path = pack::path(&folder, pack);
            match std::fs::remove_file(&path) {
                Ok(()) => disk::sync_folder(&folder),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
                Err(error) => Err(Error::io(format!("cannot remove {}", path.display()), error)),
            }
        })
        .await
    }

    /// Appends the record at `placement`, still sealed, to the open pack; where it lies now, durably.
    ///
    /// The old record stays until its pack is removed. Run several at the same time: they share syncs.
    ///
    /// # Errors
    /// `Invalid` if `placement` is no pack's; `NotFound` or `Corrupt` if the record is missing or damaged (it is not
    /// moved then); `NoSpace` and other errors of the disk.
    pub async fn rewrite(&self, account: u64, name: &ChunkName, placement: Placement) -> Result<Placement> {
        let Placement::Pack { pack, offset, len } = placement else {
            return Err(Error::invalid("only records of packs can be rewritten"));
        };
        if len as usize > CHUNK_BYTES_MAX + CHUNK_OVERHEAD {
            return Err(Error::corrupt(format!("chunk {} is too long to be one", name.hex())));
        }
        let packs = self.0.packs()?;
        let (folder, name) = (packs.folder.clone(), *name);
        let mut buf = self.0.budget.buf(len as usize);
        let (plain_len, buf) = blocking(move || {
            let plain_len = pack::read(&folder, account, &name, (pack, offset, len), &mut buf)?;
            Ok((plain_len, buf))
        })
        .await?;
        packs.appender.append(account, name, plain_len, buf).await
    }

    /// Whether the store answers and lets us in. Reads only, so it may be asked often.
    ///
    /// # Errors
    /// `Denied` for wrong credentials; `Unavailable` otherwise.
    pub async fn health(&self) -> Result<()> {
        if let Some(packs) = &self.0.packs {
            if !packs.appender.is_alive() {
                return Err(Error::new(ErrorKind::Unavailable, "the thread that appends to packs has ended"));
            }
            let folder = packs.folder.clone();
            return blocking(move || pack::list(&folder).map(|_| ())).await;
        }
        self.0.objects.look().await
    }

    /// How much the store holds. Lists all of it, so it takes long on a large one.
    ///
    /// # Errors
    /// `Denied`, `Unavailable`.
    pub async fn totals(&self) -> Result<Totals> {
        let mut totals = Totals::default();
        for pack in self.packs().await? {
            totals.packs += 1;
            totals.pack_bytes += pack.size;
        }
        let mut objects = self.list_objects(None);
        while let Some(object) = objects.try_next().await? {
            totals.objects += 1;
            totals.object_bytes += object.size;
        }
        Ok(totals)
    }

    /// Bytes of all chunk buffers now in use, the handed-out pieces of readers included.
    pub fn buffer_bytes_used(&self) -> usize {
        self.0.budget.used()
    }
}

/// The greatest length that the sealed form of a chunk may have, bytes; `Corrupt` for what is too long to be a chunk.
pub(crate) fn sealed_len_max(chunk: &ChunkRef) -> Result<usize> {
    let sealed_len = match chunk.placement {
        Placement::Pack { len, .. } => len as usize,
        Placement::Object => chunk.plain_len as usize + CHUNK_OVERHEAD,
    };
    match chunk.plain_len as usize <= CHUNK_BYTES_MAX && sealed_len <= CHUNK_BYTES_MAX + CHUNK_OVERHEAD {
        true => Ok(sealed_len),
        false => Err(Error::corrupt(format!("chunk {} is too long to be one", chunk.name.hex()))),
    }
}

impl Inner {
    pub(crate) fn packs(&self) -> Result<&Packs> {
        self.packs.as_ref().ok_or_else(|| Error::new(ErrorKind::NotFound, "this back-end has no packs"))
    }

    /// Reads a chunk into `buf`, which has room for [`sealed_len_max`], and opens it.
    pub(crate) async fn fetch(
        self: Arc<Self>,
        account: u64,
        key: AccountKey,
        chunk: ChunkRef,
        mut buf: Buf,
    ) -> Result<(Buf, Range<usize>)> {
        let what = move |error: Error| match error.kind() {
            ErrorKind::Corrupt => {
                Error::corrupt(format!("chunk {} is damaged", chunk.name.hex())).caused_by(error)
            }
            _ => error,
        };
        let budget = self.budget.clone();
        let open =
            move |buf| envelope::open_chunk(key.chunk_cipher(), &chunk.name, chunk.plain_len, buf, &budget);
        match chunk.placement {
            Placement::Pack { pack, offset, len } => {
                let folder = self.packs()?.folder.clone();
                blocking(move || {
                    pack::read(&folder, account, &chunk.name, (pack, offset, len), &mut buf)?;
                    open(buf)
                })
                .await
            }
            Placement::Object => self.objects.get(account, &chunk.name, buf, open).await,
        }
        .map_err(what)
    }
}

/// Runs what blocks or computes for long on the pool for that.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(Error::task)?
}
