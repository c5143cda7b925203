//! The one thread that appends to packs.
//!
//! Whoever waits while a sync runs is served by the next one, so many small writers share its cost. A record is
//! answered only after `fdatasync`, which also makes the file's new length durable.

use std::{
    fs::File,
    io::{self, IoSlice, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
};

use tokio::sync::oneshot;

use super::{Condition, PACK_BYTES_MAX, RECORD_HEADER_LEN, RecordHeader};
use crate::{ChunkName, Error, ErrorKind, Placement, Result, budget::Buf};

/// One sync covers about this much at most, bytes, so that the first who waits does not wait for long.
const BATCH_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Appends sealed chunks to the open pack. Dropping it waits for what is under way.
pub(crate) struct Appender {
    requests: Option<mpsc::Sender<Request>>,
    thread: Option<thread::JoinHandle<()>>,
    newest: Arc<AtomicU64>,
}

struct Request {
    account: u64,
    name: ChunkName,
    plain_len: u32,
    sealed: Buf,
    reply: oneshot::Sender<Result<Placement>>,
}

impl Appender {
    /// Takes over the packs in `folder`, which exists and which nobody else has open.
    ///
    /// The last pack is walked through. If its tail is whole it is appended to; otherwise it stays as it is, bytes
    /// of an unacknowledged record included, and the next record begins a new pack. Nothing is ever cut off: what
    /// looks torn may be damage to something that was acknowledged.
    ///
    /// # Errors
    /// Errors of the disk.
    pub(crate) fn open(folder: &Path) -> Result<Appender> {
        let (open, newest) = match super::list(folder)?.last() {
            Some((id, len)) => (resume(folder, *id, *len)?, *id),
            None => (None, 0),
        };
        let newest = Arc::new(AtomicU64::new(newest));
        let (requests, received) = mpsc::channel();
        let mut worker = Worker { folder: folder.to_owned(), open, newest: newest.clone() };
        let thread = thread::Builder::new()
            .name("allod-packs".into())
            .spawn(move || worker.run(&received))
            .map_err(|e| Error::io("cannot start the thread that appends to packs", e))?;
        Ok(Appender { requests: Some(requests), thread: Some(thread), newest })
    }

    /// The number of the newest pack; 0 if there is none yet.
    pub(crate) fn newest(&self) -> u64 {
        self.newest.load(Ordering::Acquire)
    }

    /// Appends a sealed chunk and waits until it is durable. Dropping the future leaves at most an unreferenced
    /// record.
    pub(crate) async fn append(
        &self,
        account: u64,
        name: ChunkName,
        plain_len: u32,
        sealed: Buf,
    ) -> Result<Placement> {
        let gone = || Error::new(ErrorKind::Unavailable, "the thread that appends to packs has ended");
        let (reply, answer) = oneshot::channel();
        let request = Request { account, name, plain_len, sealed, reply };
        self.requests.as_ref().ok_or_else(gone)?.send(request).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// Whether the thread is still there.
    pub(crate) fn is_alive(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }
}

impl Drop for Appender {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Opens the last pack for appending, if its tail is whole.
fn resume(folder: &Path, id: u64, len: u64) -> Result<Option<OpenPack>> {
    if len >= PACK_BYTES_MAX {
        return Ok(None);
    }
    match super::scan(folder, id, |_| true) {
        Ok(Condition::Whole) => {
            let path = super::path(folder, id);
            let fail = |e| Error::io(format!("cannot open the pack {}", path.display()), e);
            let mut file = File::options().read(true).write(true).open(&path).map_err(fail)?;
            file.seek(SeekFrom::Start(len)).map_err(fail)?;
            Ok(Some(OpenPack { id, file, len }))
        }
        Ok(Condition::Broken { at }) => {
            tracing::warn!(pack = id, at, len, "the last pack is unfinished or damaged; it stays as it is");
            Ok(None)
        }
        Err(error) if error.kind() == ErrorKind::Corrupt => {
            tracing::error!(pack = id, %error, "the last pack is damaged; it stays as it is");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

struct OpenPack {
    id: u64,
    file: File,
    /// Length up to which all is durable, bytes.
    len: u64,
}

struct Worker {
    folder: PathBuf,
    open: Option<OpenPack>,
    newest: Arc<AtomicU64>,
}

impl Worker {
    fn run(&mut self, requests: &mpsc::Receiver<Request>) {
        while let Ok(first) = requests.recv() {
            let mut bytes = first.sealed.len();
            let mut batch = vec![first];
            while bytes < BATCH_BYTES_MAX
                && let Ok(next) = requests.try_recv()
            {
                bytes += next.sealed.len();
                batch.push(next);
            }
            // Nobody waits any more for what was aborted.
            batch.retain(|request| !request.reply.is_closed());
            if !batch.is_empty() {
                self.serve(batch);
            }
        }
    }

    fn serve(&mut self, batch: Vec<Request>) {
        let outcome = self.write(&batch);
        for (index, request) in batch.into_iter().enumerate() {
            let answer = match &outcome {
                Ok(placements) => Ok(placements[index]),
                Err(error) => Err(error.again()),
            };
            // The buffer goes back to the pool before the answer wakes whoever may want one.
            drop(request.sealed);
            let _ = request.reply.send(answer);
        }
    }

    /// Writes and syncs a batch; where its records lie.
    fn write(&mut self, batch: &[Request]) -> Result<Vec<Placement>> {
        let folder = self.folder.clone();
        let pack = self.pack_for_writing()?;
        let fail = |e| {
            Error::io(format!("cannot append to the pack {}", super::path(&folder, pack.id).display()), e)
        };
        let mut end = pack.len;
        let mut placements = Vec::with_capacity(batch.len());
        let mut written = Ok(());
        for request in batch {
            let (placement, record_len) = place(pack.id, end, request);
            written = write_record(&mut pack.file, request);
            if written.is_err() {
                break;
            }
            placements.push(placement);
            end += record_len;
        }
        if let Err(error) = written {
            // Nobody was told of what stands behind `len`, so it may go; if it cannot, the pack is left alone.
            let len = pack.len;
            let undone = pack.file.set_len(len).and_then(|()| pack.file.seek(SeekFrom::Start(len)));
            let error = fail(error);
            if undone.is_err() {
                self.open = None;
            }
            return Err(error);
        }
        if let Err(error) = pack.file.sync_data() {
            // After a failed sync nobody knows what is on the disk, and trying again may wrongly succeed.
            let error = fail(error);
            self.open = None;
            return Err(error);
        }
        pack.len = end;
        Ok(placements)
    }

    fn pack_for_writing(&mut self) -> Result<&mut OpenPack> {
        let full = self.open.as_ref().is_none_or(|pack| pack.len >= PACK_BYTES_MAX);
        if full {
            let id = self.newest.load(Ordering::Acquire) + 1;
            let created = super::create(&self.folder, id);
            // A failure that left the file behind uses its number up, so that the next try takes another.
            if created.is_ok() || super::path(&self.folder, id).exists() {
                self.newest.store(id, Ordering::Release);
            }
            let file = created?;
            self.open = Some(OpenPack { id, file, len: super::FILE_HEADER_LEN as u64 });
        }
        // **Invariant:** the branch above has set it if it was not set.
        Ok(self.open.as_mut().expect("a pack is open"))
    }
}

/// Where a request's record goes, and how many bytes it takes there.
fn place(pack: u64, offset: u64, request: &Request) -> (Placement, u64) {
    let len = sealed_len(request);
    (Placement::Pack { pack, offset, len }, RECORD_HEADER_LEN as u64 + u64::from(len))
}

fn sealed_len(request: &Request) -> u32 {
    // **Invariant:** a sealed chunk is little longer than CHUNK_BYTES_MAX, which fits in 32 bits.
    u32::try_from(request.sealed.len()).expect("a sealed chunk fits in 32 bits")
}

fn write_record(file: &mut File, request: &Request) -> io::Result<()> {
    let header = RecordHeader {
        account: request.account,
        name: request.name,
        sealed_len: sealed_len(request),
        plain_len: request.plain_len,
        body_crc: crc32c::crc32c(&request.sealed),
    };
    let header = header.encode();
    let mut slices = [IoSlice::new(&header), IoSlice::new(&request.sealed)];
    let mut left = &mut slices[..];
    while !left.is_empty() {
        match file.write_vectored(left) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut left, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
