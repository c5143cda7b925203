//! Completing an upload: its parts become one content and the object shows it, in one commit.

use std::collections::BTreeMap;

use allod_meta::Lookup;
use allod_model::{ContentId, Detail, Error, ErrorKind, Path, Precondition, Result, Rights};

use crate::checksum;
use crate::commit::Commit;
use crate::content::Reader;
use crate::core::blocking;
use crate::fault::{Res, fail};
use crate::joined;
use crate::node::{PutOptions, Written};
use crate::object::*;
use crate::put::{FILE_BYTES_MAX, Judged, Ready, Target};
use crate::reading::Records;
use crate::record::{CompletedUpload, StoredPart, encode, hex};
use crate::rules::Facts;
use crate::session::Session;
use crate::upload::{COMPLETED_SECS, no_upload, parse_id, remove_upload, stored_parts};
use crate::versions::Superseding;

/// What the client asks to be completed.
struct Completion {
    path: Path,
    id: UploadId,
    choices: Vec<PartChoice>,
    checksum: Option<Checksum>,
    size: Option<u64>,
    pre: Precondition,
}

/// An upload that is ready to be joined.
struct Joining {
    options: PutOptions,
    target: Target,
    parts: Vec<StoredPart>,
    size: u64,
    digest: [u8; 32],
    md5: [u8; 16],
}

impl Session {
    /// Joins the chosen parts into the object, in one commit. Asked again with the same parts after it succeeded, it
    /// answers the same (a client that did not hear the answer), as long as the object is what it made, for a day.
    /// `checksum`: the object's, as the client claims it; compared with what the parts give. `size`: likewise.
    ///
    /// # Errors
    /// As [`Session::put_object`]; `NotFound` with [`Detail::NoUpload`]; `InvalidContent` with [`Detail::NoPart`] (a
    /// part is missing or has another tag or checksum), [`Detail::PartOrder`], [`Detail::PartTooSmall`] or
    /// [`Detail::BadDigest`]; `Busy` when a chosen part is replaced meanwhile.
    pub async fn complete_upload(
        &self,
        path: &Path,
        id: &UploadId,
        parts: Vec<PartChoice>,
        checksum: Option<Checksum>,
        size: Option<u64>,
        pre: Precondition,
    ) -> Result<Written> {
        let (path, id) = (path.clone(), id.clone());
        let wanted = Completion { path, id, choices: parts, checksum, size, pre };
        let about = wanted.path.clone();
        self.complete(wanted).await.map_err(|error| self.noted(&about, error))
    }

    async fn complete(&self, wanted: Completion) -> Result<Written> {
        self.scope().check_write(&wanted.path, Rights::Append)?;
        let me = self.clone();
        let (wanted, prepared) = blocking(move || {
            let prepared = me.prepare(&wanted)?;
            Ok((wanted, prepared))
        })
        .await?;
        let joining = match prepared {
            Ok(joining) => joining,
            Err(written) => return Ok(*written),
        };
        let judged = self.judge_joined(&wanted.path, &joining).await?;
        let about = wanted.path.clone();
        self.commit_many(&about, move |me, commit| me.complete_in(commit, &wanted, &joining, &judged)).await
    }

    /// Everything that can be found out before the commit; `Err` with the answer when it was completed before.
    fn prepare(&self, wanted: &Completion) -> Res<std::result::Result<Joining, Box<Written>>> {
        let view = self.view()?;
        let found = match self.find_upload(&view, &wanted.path, &wanted.id) {
            Err(fault) if fault.0.detail == Detail::NoUpload => {
                return self.answer_again(&view, wanted).map(|written| Err(Box::new(written)));
            }
            other => other?,
        };
        let parts = choose(stored_parts(&view, self.keys(), found.number)?, &wanted.choices)?;
        let size = parts.iter().map(|part| part.size).sum();
        if size > FILE_BYTES_MAX {
            return Err(Error::too_large("bytes of a file", FILE_BYTES_MAX).into());
        }
        if wanted.size.is_some_and(|wanted| wanted != size) {
            return fail(ErrorKind::InvalidContent, "the parts together have another size than announced");
        }
        let checksum = object_checksum(found.record.checksum, &parts, wanted.checksum.as_ref())?;
        let options = PutOptions {
            media_type: found.record.media_type,
            modified: found.record.modified,
            object: Object { parts: parts.len() as u32, checksum, ..found.record.object },
            make_parents: true,
            raw: true,
            ..PutOptions::default()
        };
        let target = self.check_before_reading(&wanted.path, &options, &wanted.pre)?;
        let (digest, md5) = (joined::digest(self.handle(), &parts), joined::md5(&parts));
        Ok(Ok(Joining { options, target, parts, size, digest, md5 }))
    }

    /// Lets the rules of the folder see the whole, where they must.
    async fn judge_joined(&self, path: &Path, joining: &Joining) -> Result<Judged> {
        let kind = joining.target.kind;
        let Some(max) = joining.target.whole_max else {
            return Ok(Judged { kind, facts: Facts::default(), arranged: None });
        };
        if joining.size > max {
            return Err(Error::too_large("bytes of a resource in this folder", max));
        }
        let mut whole = Vec::with_capacity(joining.size as usize);
        for part in &joining.parts {
            let reader = Reader::open(self.core(), self.handle(), &self.view()?, part.content)?;
            whole.extend(reader.whole().await?);
        }
        let name = path.last().ok_or_else(Error::not_found)?;
        let facts = self.core().0.rules.of(kind)?.judge(name, Some(&whole))?;
        let arranged = (kind == allod_model::Kind::Calendar).then(|| self.filed(&whole));
        Ok(Judged { kind, facts, arranged })
    }

    fn complete_in(
        &self,
        commit: &mut Commit,
        wanted: &Completion,
        joining: &Joining,
        judged: &Judged,
    ) -> Res<Written> {
        commit.superseding = Superseding::AsVersion;
        let found = match self.find_upload(&*commit.txn, &wanted.path, &wanted.id) {
            // Somebody was faster.
            Err(fault) if fault.0.detail == Detail::NoUpload => {
                return self.answer_again(&*commit.txn, wanted);
            }
            other => other?,
        };
        let now = choose(stored_parts(&*commit.txn, commit.keys, found.number)?, &wanted.choices)?;
        let same = |(now, then): (&StoredPart, &StoredPart)| now.content == then.content;
        if !now.iter().zip(&joining.parts).all(same) {
            return fail(ErrorKind::Busy, "a part was replaced meanwhile; try again");
        }
        let Joining { options, parts, size, digest, md5, .. } = joining;
        let mut made = ContentId(0);
        let written = self.place(commit, &wanted.path, options, &wanted.pre, judged, |commit| {
            made = joined::write(commit, parts, *digest)?;
            Ok(Ready { content: made, size: *size, digest: *digest, md5: Some(*md5) })
        })?;
        let numbers: Vec<u32> = wanted.choices.iter().map(|choice| choice.number).collect();
        remove_upload(commit, &found.row, found.number, &numbers)?;
        let completed = CompletedUpload {
            secret: found.record.secret,
            bucket: found.bucket,
            time: commit.now,
            choice: choice_hash(&wanted.choices),
            content: made,
            created: written.created,
        };
        commit.txn.put(&commit.keys.completed(found.number), &encode(&completed))?;
        Ok(written)
    }

    /// The answer to a request that was answered before.
    ///
    /// # Errors
    /// `NotFound` with `NoUpload` when it was not, or when the object is something else by now.
    fn answer_again(&self, rows: &impl Lookup, wanted: &Completion) -> Res<Written> {
        let (number, secret) = parse_id(&wanted.id).ok_or_else(no_upload)?;
        let done: CompletedUpload = rows.record(&self.keys().completed(number))?.ok_or_else(no_upload)?;
        let bucket = self.bucket_of(rows, &wanted.path)?.node;
        let fresh = done.time.plus_secs(COMPLETED_SECS) > self.core().0.env.now();
        let choice = choice_hash(&wanted.choices);
        if done.secret != secret || done.bucket != bucket || done.choice != choice || !fresh {
            return Err(no_upload().into());
        }
        let found = self.find_object(rows, &wanted.path, None, &Precondition::default());
        let (mut node, entry) = found.map_err(|_| no_upload())?;
        if entry.file().map(|file| file.content) != Some(done.content) {
            return Err(no_upload().into());
        }
        node.rights = None;
        Ok(Written { node, created: done.created, altered: false })
    }
}

/// The parts that the client chose, in order.
///
/// # Errors
/// `InvalidContent` with `NoPart`, `PartOrder` or `PartTooSmall`.
fn choose(stored: Vec<(u32, StoredPart)>, choices: &[PartChoice]) -> Res<Vec<StoredPart>> {
    let refused = |detail, why: String| Err(Error::new(ErrorKind::InvalidContent, why).with(detail).into());
    if choices.is_empty() {
        return refused(Detail::NoPart, "no part is named".into());
    }
    if !choices.is_sorted_by(|one, next| one.number < next.number) {
        return refused(Detail::PartOrder, "parts are not named in ascending order".into());
    }
    let mut stored: BTreeMap<u32, StoredPart> = stored.into_iter().collect();
    let mut chosen = Vec::with_capacity(choices.len());
    for choice in choices {
        let named = stored.remove(&choice.number).filter(|part| {
            let tag = hex(&part.md5).eq_ignore_ascii_case(&choice.etag);
            tag && choice.checksum.as_ref().is_none_or(|sum| part.checksum.as_ref() == Some(sum))
        });
        match named {
            Some(part) => chosen.push(part),
            None => return refused(Detail::NoPart, format!("there is no such part {}", choice.number)),
        }
    }
    let but_last = &chosen[..chosen.len() - 1];
    if let Some(at) = but_last.iter().position(|part| part.size < PART_BYTES_MIN) {
        let number = choices.get(at).map_or(0, |choice| choice.number);
        return refused(Detail::PartTooSmall, format!("part {number} is not the last and too small"));
    }
    Ok(chosen)
}

/// The object's checksum from those of its parts, compared with what the client claims.
///
/// # Errors
/// `InvalidContent` with `BadDigest`, also for a claim that the parts cannot confirm.
fn object_checksum(
    wanted: Option<(ChecksumKind, bool)>,
    parts: &[StoredPart],
    claim: Option<&Checksum>,
) -> Res<Option<Checksum>> {
    let claimed = claim.map(|claim| (claim.kind, claim.composite));
    let Some((kind, composite)) = wanted.or(claimed) else { return Ok(None) };
    let sums = parts.iter().map(|part| (part.checksum.as_ref(), part.size));
    let found = checksum::join(kind, composite, sums);
    let agrees = |claim: &Checksum| {
        found.as_ref().is_some_and(|found| found.kind == claim.kind && found.value == claim.value)
    };
    if claim.is_some_and(|claim| !agrees(claim)) {
        let error = Error::new(ErrorKind::InvalidContent, "the object's checksum is not what its parts give");
        return Err(error.with(Detail::BadDigest).into());
    }
    Ok(found)
}

fn choice_hash(choices: &[PartChoice]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for choice in choices {
        hasher.update(&choice.number.to_be_bytes());
        hasher.update(&(choice.etag.len() as u64).to_be_bytes());
        hasher.update(choice.etag.as_bytes());
    }
    *hasher.finalize().as_bytes()
}
