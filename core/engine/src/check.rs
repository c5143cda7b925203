//! `allod check`: everything stored is read, verified, and compared with what it was derived from.
//!
//! One snapshot of the metadata is judged, so changes going on meanwhile do not disturb. Damage is reported, never
//! repaired silently; `rebuild` rewrites only what is derived (roll-ups, counts of references, change index), and only
//! where nothing changed meanwhile.

mod facts;
mod joined;
mod mail;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use allod_meta::{KeyRange, Lookup, View};
use allod_model::{ContentId, EntryKey, ErrorKind, NodeId, Result, Seq};

use crate::account::AccountHandle;
use crate::content::{chunk_ref, page};
use crate::core::{Core, blocking};
use crate::fault::{Fault, Res};
use crate::keys::{Keys, Table, number_at};
use crate::reading::Records;
use crate::record::{Body, Chunk, Content, Entry, Folder, Kept, What, decode, encode};

/// Problems reported at most; more are counted.
const PROBLEMS_MAX: usize = 1000;
/// Rows mended in one transaction.
const MEND_ROWS: usize = 1000;

/// What a check found.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct CheckReport {
    /// Metadata records read.
    pub records: u64,
    /// Accounts.
    pub accounts: u64,
    /// Files and folders in trees and in history.
    pub entries: u64,
    /// Contents.
    pub contents: u64,
    /// Chunks read and verified.
    pub chunks: u64,
    /// Bytes of verified chunks, before compression.
    pub chunk_bytes: u64,
    /// What is wrong, for people; at most 1,000 are named.
    pub problems: Vec<String>,
    /// How many problems there are in all.
    pub problems_total: u64,
    /// Derived rows that were rewritten.
    pub mended: u64,
}

impl CheckReport {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.problems_total == 0
    }

    fn problem(&mut self, text: impl Into<String>) {
        self.problems_total += 1;
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(text.into());
        }
    }
}

/// A derived row that is not as it should be.
struct Mend {
    key: Vec<u8>,
    seen: Option<Vec<u8>>,
    right: Option<Vec<u8>>,
}

/// Hears how far a check is: what is being looked at, and how many things were done.
pub type Progress<'a> = &'a (dyn Fn(&str, u64) + Send + Sync);

impl Core {
    /// Verifies everything stored.
    ///
    /// # Errors
    /// `Unavailable` when the store can't be read at all; damage is not an error but part of the report.
    pub async fn check(&self, rebuild: bool, progress: Progress<'_>) -> Result<CheckReport> {
        let mut report = CheckReport::default();
        progress("records", 0);
        let core = self.clone();
        report = blocking(move || core.check_records(report)).await?;
        for record in self.account_records()? {
            report.accounts += 1;
            let account = match self.account(record.id) {
                Ok(account) => account,
                Err(fault) => {
                    report.problem(format!("account {}: {}", record.name, fault.0));
                    continue;
                }
            };
            progress(&format!("account {}", record.name), 0);
            let (core, handle) = (self.clone(), account.clone());
            let (done, mut mends, contents) = blocking(move || core.check_account(&handle, report)).await?;
            report = done;
            mends.extend(self.check_facts(&account, &contents, &mut report).await?);
            self.check_contents(&account, contents, &mut report, progress).await?;
            if rebuild && !mends.is_empty() {
                report.mended += self.mend(&account, mends).await?;
            }
        }
        Ok(report)
    }

    fn check_records(&self, mut report: CheckReport) -> Res<CheckReport> {
        let mut found = Vec::new();
        let verified = self.0.store.verify(&mut |finding| {
            match finding {
                allod_meta::Finding::Progress { .. } => {}
                allod_meta::Finding::Damaged { error, .. } => found.push(format!("metadata: {error}")),
                allod_meta::Finding::Unreadable { error, .. } => found.push(format!("metadata: {error}")),
            }
            ControlFlow::Continue(())
        })?;
        report.records = verified.records;
        found.into_iter().for_each(|text| report.problem(text));
        if !verified.is_sound() && report.is_clean() {
            report.problem("the metadata store reports damage");
        }
        Ok(report)
    }

    #[allow(clippy::type_complexity)]
    fn check_account(
        &self,
        account: &Arc<AccountHandle>,
        report: CheckReport,
    ) -> Res<(CheckReport, Vec<Mend>, View)> {
        let view = self.view()?;
        let mut walk = Walk {
            view: &view,
            account,
            keys: account.keys(),
            name: account.record().name.clone(),
            report,
            mends: Vec::new(),
            refs: HashMap::new(),
            folders: BTreeMap::new(),
            mail: BTreeMap::new(),
        };
        walk.run()?;
        let (report, mends) = (walk.report, walk.mends);
        Ok((report, mends, view))
    }

    /// Opens every content and reads every chunk once.
    async fn check_contents(
        &self,
        account: &Arc<AccountHandle>,
        view: View,
        report: &mut CheckReport,
        progress: Progress<'_>,
    ) -> Result<()> {
        let prefix = account.keys().table(Table::Content);
        let (mut after, mut seen) = (None::<Vec<u8>>, HashSet::new());
        let name = account.record().name.clone();
        loop {
            let rows = match view.scan_prefix(&prefix, after.as_deref(), 256) {
                Ok(rows) => rows,
                // A damaged record was reported by the first pass; what lies behind it is read row by row there.
                Err(error) if error.kind == allod_meta::ErrorKind::Corrupt && error.key.is_some() => {
                    after = error.key;
                    continue;
                }
                Err(error) => return Err(Fault::from(error).into()),
            };
            let Some((last, _)) = rows.last() else { return Ok(()) };
            after = Some(last.clone());
            for (key, value) in &rows {
                let id = ContentId(number_at(key.get(prefix.len()..).unwrap_or(&[])).unwrap_or(0));
                report.contents += 1;
                let content: Content = match decode(value) {
                    Ok(content) => content,
                    Err(error) => {
                        report.problem(format!("{name}: content {id}: {error}"));
                        continue;
                    }
                };
                self.check_content(account, &view, id, &content, &mut seen, report).await?;
            }
            progress(&format!("content of {name}"), report.contents);
        }
    }

    async fn check_content(
        &self,
        account: &Arc<AccountHandle>,
        view: &View,
        id: ContentId,
        content: &Content,
        seen: &mut HashSet<[u8; 32]>,
        report: &mut CheckReport,
    ) -> Result<()> {
        let name = account.record().name.clone();
        if matches!(content.body, Body::Inline(_)) {
            match account.open_inline(id, content) {
                Ok(plain) if plain.len() as u64 == content.size => {}
                Ok(_) => report.problem(format!("{name}: content {id} has another length than recorded")),
                Err(fault) => report.problem(format!("{name}: content {id}: {}", fault.0)),
            }
            return Ok(());
        }
        if matches!(content.body, Body::Joined { .. }) {
            let found = joined::judge(view, account, id, content).unwrap_or_else(|f| Some(f.0.to_string()));
            found.into_iter().for_each(|what| report.problem(format!("{name}: content {id}: {what}")));
            return Ok(());
        }
        let (mut n, mut size) = (0, 0);
        loop {
            let parts = match page(view, account, id, &content.body, n) {
                Ok(Some(parts)) => parts,
                Ok(None) => break,
                Err(fault) => {
                    report.problem(format!("{name}: content {id}: {}", fault.0));
                    return Ok(());
                }
            };
            for part in parts {
                size += u64::from(part.1);
                if seen.insert(part.0) {
                    self.check_chunk(account, view, id, part, report).await?;
                }
            }
            n += 1;
        }
        if size != content.size {
            report.problem(format!("{name}: content {id} has another length than its chunks"));
        }
        Ok(())
    }

    async fn check_chunk(
        &self,
        account: &Arc<AccountHandle>,
        view: &View,
        id: ContentId,
        part: crate::record::ChunkPart,
        report: &mut CheckReport,
    ) -> Result<()> {
        let verify = async |rows: &View| -> Res<()> {
            let chunk = chunk_ref(rows, account, part)?;
            Ok(self.0.blobs.verify(account.id().0, account.key(), &chunk).await?)
        };
        let mut outcome = verify(view).await;
        if outcome.is_err() {
            // It may have moved, or gone with its content, since the snapshot was taken.
            let now = self.view()?;
            let gone = now.get(&account.keys().content(id)).map_err(Fault::from)?.is_none();
            outcome = if gone { Ok(()) } else { verify(&now).await };
        }
        match outcome {
            Ok(()) => {
                report.chunks += 1;
                report.chunk_bytes += u64::from(part.1);
            }
            Err(Fault(error)) if error.kind == ErrorKind::Unavailable => return Err(error),
            Err(Fault(error)) => {
                let name = account.record().name.clone();
                let chunk = crate::record::hex(&part.0[..8]);
                report.problem(format!("{name}: content {id}: chunk {chunk}…: {error}"));
            }
        }
        Ok(())
    }

    async fn mend(&self, account: &Arc<AccountHandle>, mends: Vec<Mend>) -> Result<u64> {
        let mut done = 0;
        let mut mends = mends.into_iter().peekable();
        while mends.peek().is_some() {
            let step: Vec<Mend> = mends.by_ref().take(MEND_ROWS).collect();
            done += self
                .transact(account.shard(), move |txn| {
                    let mut done = 0;
                    for mend in &step {
                        if txn.get(&mend.key)? == mend.seen {
                            match &mend.right {
                                Some(value) => txn.put(&mend.key, value)?,
                                None => txn.delete(&mend.key)?,
                            }
                            done += 1;
                        }
                    }
                    Ok(done)
                })
                .await?;
        }
        Ok(done)
    }
}

/// What was counted of a folder's members.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
struct Counted {
    members: u64,
    documents: u64,
    bytes: u64,
    kept: u64,
    held: u64,
}

impl std::fmt::Display for Counted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Counted { members, documents, bytes, kept, held } = self;
        write!(f, "{members}/{documents}/{bytes}/{kept}/{held} members/documents/bytes/versions/holds")
    }
}

/// One part of a walk over an account's rows.
type Part<'a> = fn(&mut Walk<'a>) -> Res<()>;

struct Walk<'a> {
    view: &'a View,
    account: &'a AccountHandle,
    keys: Keys,
    name: String,
    report: CheckReport,
    mends: Vec<Mend>,
    refs: HashMap<ContentId, u64>,
    folders: BTreeMap<NodeId, Counted>,
    /// Messages in each mailbox.
    mail: BTreeMap<NodeId, u64>,
}

impl<'a> Walk<'a> {
    fn problem(&mut self, text: String) {
        self.report.problem(format!("{}: {text}", self.name));
    }

    /// A derived row that differs is a problem, and can be mended.
    fn derived(&mut self, what: String, key: Vec<u8>, seen: Option<Vec<u8>>, right: Option<Vec<u8>>) {
        self.problem(format!("{what} (derived; `allod check --rebuild` mends it)"));
        self.mends.push(Mend { key, seen, right });
    }

    /// All parts. One that meets a damaged record is cut short; then nothing is mended, since what was counted is
    /// not whole.
    fn run(&mut self) -> Res<()> {
        let parts: [(&str, Part<'a>); 10] = [
            ("entries", Self::entries),
            ("history", Self::versions),
            ("versions", Self::kept),
            ("parts", Self::parts),
            ("queue", Self::queue),
            ("folders", Self::roll_ups),
            ("references", Self::references),
            ("chunks", Self::chunk_counts),
            ("times", Self::times),
            ("mailboxes", Self::mailboxes),
        ];
        for (what, part) in parts {
            match part(self) {
                Err(Fault(error)) if error.kind == ErrorKind::Corrupt => {
                    self.problem(format!("{what} cannot be judged whole: {error}"));
                    self.mends.clear();
                    return Ok(());
                }
                other => other?,
            }
        }
        Ok(())
    }

    /// Every entry: its folder, its node, its place in the change index, its contents.
    fn entries(&mut self) -> Res<()> {
        let prefix = self.keys.table(Table::Entry);
        let view = self.view;
        view.each(&KeyRange::prefix(&prefix), prefix.len(), |tail, value| {
            let folder = NodeId(number_at(tail).unwrap_or(0));
            let key = EntryKey::from_bytes(tail.get(8..).unwrap_or(&[]));
            self.report.entries += 1;
            match decode::<Entry>(value) {
                Ok(entry) => self.entry(folder, &key, &entry)?,
                Err(error) => self.problem(format!("entry {key:?} in folder {folder}: {error}")),
            }
            Ok(ControlFlow::Continue(()))
        })
    }

    fn entry(&mut self, folder: NodeId, key: &EntryKey, entry: &Entry) -> Res<()> {
        if key.is_folder() != entry.is_folder() {
            self.problem(format!("entry {key:?} in folder {folder} is not what its key says"));
        }
        entry.contents().for_each(|content| *self.refs.entry(content).or_insert(0) += 1);
        let counted = self.folders.entry(folder).or_default();
        counted.members += 1;
        if let Some(file) = entry.file() {
            counted.documents += 1;
            counted.bytes += file.size;
            counted.held += u64::from(file.has_hold());
            if file.mail().is_some() {
                *self.mail.entry(folder).or_insert(0) += 1;
            }
        }
        let row = self.keys.change(folder, entry.seq, key);
        let seen = self.view.get(&row)?;
        if seen.as_deref() != Some(&[1]) {
            let what = format!("entry {key:?} in folder {folder} is missing from the change index");
            self.derived(what, row, seen, Some(vec![1]));
        }
        if entry.is_folder() && self.view.record::<Folder>(&self.keys.folder(entry.node))?.is_none() {
            self.problem(format!("folder {} ({key:?}) has no row", entry.node));
        }
        Ok(())
    }

    fn versions(&mut self) -> Res<()> {
        let prefix = self.keys.table(Table::Version);
        let view = self.view;
        view.each(&KeyRange::prefix(&prefix), prefix.len(), |tail, value| {
            self.report.entries += 1;
            match decode::<Entry>(value) {
                Ok(entry) => {
                    entry.contents().for_each(|content| *self.refs.entry(content).or_insert(0) += 1);
                }
                Err(error) => {
                    let seq =
                        Seq(number_at(tail.get(tail.len().saturating_sub(8)..).unwrap_or(&[])).unwrap_or(0));
                    self.problem(format!("an entry in history, replaced by commit {seq}: {error}"));
                }
            }
            Ok(ControlFlow::Continue(()))
        })
    }

    /// Every mail that waits to be sent holds a content.
    fn queue(&mut self) -> Res<()> {
        let (view, keys) = (self.view, self.keys);
        crate::post::queued_contents(view, keys, |content| *self.refs.entry(content).or_insert(0) += 1)
    }

    /// Every version and delete marker that a bucket keeps.
    fn kept(&mut self) -> Res<()> {
        let prefix = self.keys.table(Table::Kept);
        let view = self.view;
        view.each(&KeyRange::prefix(&prefix), prefix.len(), |tail, value| {
            self.report.entries += 1;
            let counted = self.folders.entry(NodeId(number_at(tail).unwrap_or(0))).or_default();
            counted.kept += 1;
            match decode::<Kept>(value) {
                Ok(Kept::Version(entry)) => {
                    counted.held += u64::from(entry.file().is_some_and(|file| file.has_hold()));
                    entry.contents().for_each(|content| *self.refs.entry(content).or_insert(0) += 1);
                }
                Ok(Kept::Marker { .. }) => {}
                Err(error) => self.problem(format!("a version kept in a bucket: {error}")),
            }
            Ok(ControlFlow::Continue(()))
        })
    }

    /// Each folder's counts against what its members add up to.
    fn roll_ups(&mut self) -> Res<()> {
        let prefix = self.keys.table(Table::Folder);
        let mut rows: BTreeMap<NodeId, (Vec<u8>, Folder)> = BTreeMap::new();
        let view = self.view;
        view.each(&KeyRange::prefix(&prefix), prefix.len(), |id, value| {
            rows.insert(NodeId(number_at(id).unwrap_or(0)), (value.to_vec(), decode(value)?));
            Ok(ControlFlow::Continue(()))
        })?;
        let mut totals = self.folders.clone();
        // A folder made later can stand above an older one, so sums are carried up from the deepest.
        let mut order: Vec<(usize, NodeId)> = rows.keys().map(|id| (depth(&rows, *id), *id)).collect();
        order.sort_by(|a, b| b.cmp(a));
        for (_, id) in &order {
            let (_, row) = &rows[id];
            let linked = *id != NodeId::ROOT && row.detached.is_none() && row.parent != *id;
            if linked {
                let own = totals.get(id).copied().unwrap_or_default();
                let above = totals.entry(row.parent).or_default();
                above.documents += own.documents;
                above.bytes += own.bytes;
                above.kept += own.kept;
                above.held += own.held;
            }
        }
        for (id, (value, row)) in &rows {
            if *id == crate::resolve::ABOVE_ROOT {
                continue;
            }
            let right = totals.get(id).copied().unwrap_or_default();
            let counted = Counted {
                members: row.members,
                documents: row.documents,
                bytes: row.bytes,
                kept: row.kept,
                held: row.held,
            };
            if counted != right {
                let what = format!("folder {id}: counts {counted} instead of {right}");
                let mended = Folder {
                    members: right.members,
                    documents: right.documents,
                    bytes: right.bytes,
                    kept: right.kept,
                    held: right.held,
                    ..row.clone()
                };
                self.derived(what, self.keys.folder(*id), Some(value.clone()), Some(encode(&mended)));
            }
            self.folder_link(*id, row)?;
        }
        Ok(())
    }

    fn folder_link(&mut self, id: NodeId, row: &Folder) -> Res<()> {
        let entry: Option<Entry> = self.view.record(&self.keys.entry(row.parent, &row.key))?;
        let linked = entry.is_some_and(|entry| entry.node == id && matches!(entry.what, What::Folder { .. }));
        let sound = match row.detached {
            None => linked,
            Some(seq) => {
                self.view.get(&self.keys.purge(id))?.is_some()
                    || self.view.get(&self.keys.version(row.parent, &row.key, seq))?.is_some()
            }
        };
        if !sound {
            self.problem(format!("folder {id} ({:?}) stands neither in the tree nor in history", row.key));
        }
        Ok(())
    }

    /// Counts of references against the entries that hold them.
    fn references(&mut self) -> Res<()> {
        let refs = std::mem::take(&mut self.refs);
        for (content, right) in &refs {
            if self.view.get(&self.keys.content(*content))?.is_none() {
                self.problem(format!("content {content} is referred to and missing"));
                continue;
            }
            let row = self.keys.refs(*content);
            let seen = self.view.get(&row)?;
            let count = seen.as_ref().map_or(1, |bytes| number_at(bytes).unwrap_or(1));
            if count != *right {
                let mended = (*right != 1).then(|| right.to_be_bytes().to_vec());
                self.derived(
                    format!("content {content}: {count} references instead of {right}"),
                    row,
                    seen,
                    mended,
                );
            }
        }
        let prefix = self.keys.table(Table::Content);
        let (view, keys) = (self.view, self.keys);
        let mut lost = Vec::new();
        view.each(&KeyRange::prefix(&prefix), prefix.len(), |id, _| {
            let id = ContentId(number_at(id).unwrap_or(0));
            if !refs.contains_key(&id) && view.get(&keys.dying(id))?.is_none() {
                lost.push(id);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        for id in lost {
            let what = format!("content {id} is held by nothing and not on its way out");
            self.derived(what, self.keys.dying(id), None, Some(0i64.to_be_bytes().to_vec()));
        }
        Ok(())
    }

    /// Counts of references on chunks against the contents that hold them, and lists on their way in or out.
    fn chunk_counts(&mut self) -> Res<()> {
        let mut right: HashMap<[u8; 32], u64> = HashMap::new();
        let (view, account, keys) = (self.view, self.account, self.keys);
        let prefix = keys.table(Table::Content);
        let mut problems = Vec::new();
        view.each(&KeyRange::prefix(&prefix), prefix.len(), |id, value| {
            let id = ContentId(number_at(id).unwrap_or(0));
            let content: Content = decode(value)?;
            let mut n = 0;
            loop {
                match page(view, account, id, &content.body, n) {
                    Ok(Some(parts)) => {
                        parts.iter().for_each(|(name, _)| *right.entry(*name).or_insert(0) += 1);
                        n += 1;
                    }
                    Ok(None) => break,
                    Err(fault) => {
                        problems.push(format!("content {id}: {}", fault.0));
                        break;
                    }
                }
            }
            Ok(ControlFlow::Continue(()))
        })?;
        problems.into_iter().for_each(|text| self.problem(text));
        let pending = keys.table(Table::Pending);
        view.each(&KeyRange::prefix(&pending), pending.len(), |id, _| {
            let mut pages = keys.manifest(ContentId(number_at(id).unwrap_or(0)), 0);
            pages.truncate(pages.len() - 4);
            view.each(&KeyRange::prefix(&pages), 0, |_, value| {
                let parts: Vec<crate::record::ChunkPart> = decode(value)?;
                parts.iter().for_each(|(name, _)| *right.entry(*name).or_insert(0) += 1);
                Ok(ControlFlow::Continue(()))
            })?;
            Ok(ControlFlow::Continue(()))
        })?;
        self.compare_chunks(right)
    }

    fn compare_chunks(&mut self, mut right: HashMap<[u8; 32], u64>) -> Res<()> {
        let (view, prefix) = (self.view, self.keys.table(Table::Chunk));
        view.each(&KeyRange::prefix(&prefix), prefix.len(), |name, value| {
            let Ok(name) = <[u8; 32]>::try_from(name) else { return Ok(ControlFlow::Continue(())) };
            let chunk: Chunk = decode(value)?;
            let counted = right.remove(&name).unwrap_or(0);
            if chunk.refs != counted {
                let what = format!(
                    "chunk {}…: {} references instead of {counted}",
                    crate::record::hex(&name[..8]),
                    chunk.refs
                );
                let mended = encode(&Chunk { refs: counted, ..chunk });
                self.derived(what, self.keys.chunk(&name), Some(value.to_vec()), Some(mended));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        for name in right.into_keys() {
            self.problem(format!("chunk {}… is needed and not in the index", crate::record::hex(&name[..8])));
        }
        Ok(())
    }
}

fn depth(rows: &BTreeMap<NodeId, (Vec<u8>, Folder)>, mut id: NodeId) -> usize {
    let mut depth = 0;
    while let Some((_, row)) = rows.get(&id) {
        if id == NodeId::ROOT
            || row.detached.is_some()
            || row.parent == id
            || depth > 2 * allod_model::PATH_DEPTH_MAX
        {
            break;
        }
        depth += 1;
        id = row.parent;
    }
    depth
}
