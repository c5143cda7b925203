//! Locks (RFC 4918 §6, §7). Kept by place: (folder, name). A lock taken at one door binds every door.

use std::ops::ControlFlow;
use std::time::Duration;

use allod_meta::{KeyRange, Lookup};
use allod_model::{Detail, Error, ErrorKind, LockToken, Name, NodeId, Path, Timestamp};

use crate::commit::Commit;
use crate::fault::Res;
use crate::keys::{Keys, Table};
use crate::node::{Lock, LockRequest};
use crate::reading::Records;
use crate::record::{Folder, decode, encode};
use crate::resolve::{ABOVE_ROOT, Spot};

/// The longest time a lock is given for, and the time when the client names none, in seconds.
pub const LOCK_SECS_MAX: u64 = 7 * 86_400;
/// See [`LOCK_SECS_MAX`].
pub const LOCK_SECS_DEFAULT: u64 = 3600;
/// Locks of one account at most.
pub const LOCKS_MAX: u64 = 10_000;
/// Longest `owner` element, in bytes.
pub const LOCK_OWNER_BYTES_MAX: usize = 4096;

/// What a write does to the place it names; decides which locks stand in its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Touch {
    /// Content or properties of what stands there.
    Content,
    /// The folder gains or loses this member (RFC 4918 §7.4).
    Membership,
    /// Everything below is affected as well: delete, move, overwrite of a folder.
    Subtree,
}

/// The locks on one place, not on what is above or below.
fn at(rows: &impl Lookup, keys: Keys, folder: NodeId, name: &Name, now: Timestamp) -> Res<Vec<Lock>> {
    let mut locks = Vec::new();
    let prefix = keys.locks(folder, name.as_bytes());
    rows.each(&KeyRange::prefix(&prefix), prefix.len(), |_, value| {
        let lock: Lock = decode(value)?;
        if lock.expires > now {
            locks.push(lock);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(locks)
}

/// The names on the way to a spot, paired with the folder each is in: the root first, the spot itself last.
fn levels(spot: &Spot, path: &Path) -> Vec<(NodeId, Name)> {
    let root = crate::resolve::root_key().name();
    let mut levels = vec![(ABOVE_ROOT, root)];
    levels.extend(spot.way.iter().skip(1).copied().zip(path.names().iter().cloned()));
    levels
}

/// The locks that hold on a place: its own, and deep ones from above.
pub fn holding(rows: &impl Lookup, keys: Keys, path: &Path, spot: &Spot, now: Timestamp) -> Res<Vec<Lock>> {
    let levels = levels(spot, path);
    let mut locks = Vec::new();
    for (depth, (folder, name)) in levels.iter().enumerate() {
        let own = depth + 1 == levels.len();
        locks.extend(at(rows, keys, *folder, name, now)?.into_iter().filter(|lock| own || lock.deep));
    }
    Ok(locks)
}

/// Refuses a write that a lock forbids.
///
/// # Errors
/// `Locked`, with the root of the lock in the way.
pub fn check(commit: &mut Commit, path: &Path, spot: &Spot, touch: Touch, tokens: &[LockToken]) -> Res<()> {
    if commit.state.locks == 0 {
        return Ok(());
    }
    let (keys, now) = (commit.keys, commit.now);
    let levels = levels(spot, path);
    for (depth, (folder, name)) in levels.iter().enumerate() {
        let above = levels.len() - 1 - depth;
        let counts = |lock: &Lock| above == 0 || lock.deep || (above == 1 && touch != Touch::Content);
        let locks = at(&*commit.txn, keys, *folder, name, now)?;
        permit(locks.into_iter().filter(counts).collect(), tokens)?;
    }
    if touch == Touch::Subtree
        && let Some(entry) = &spot.folder
    {
        let inside = entry.node;
        for (_, group) in below(commit, inside)? {
            permit(group, tokens)?;
        }
    }
    Ok(())
}

/// One place's locks: an exclusive one needs its token, shared ones need one of theirs.
fn permit(locks: Vec<Lock>, tokens: &[LockToken]) -> Res<()> {
    let Some(first) = locks.first() else { return Ok(()) };
    if locks.iter().any(|lock| tokens.contains(&lock.token)) {
        return Ok(());
    }
    let error = Error::new(ErrorKind::Locked, format!("{} is locked", first.root));
    Err(error.with(Detail::Path(first.root.to_string())).into())
}

type Place = (NodeId, Name);

/// All locks at or below `folder`'s members, by place. Looks at every lock of the account; there are few.
fn below(commit: &mut Commit, folder: NodeId) -> Res<Vec<(Place, Vec<Lock>)>> {
    let mut groups: Vec<(Place, Vec<Lock>)> = Vec::new();
    for (place, lock) in all(commit)? {
        if lock.expires <= commit.now || !is_inside(commit, place.0, folder)? {
            continue;
        }
        match groups.last_mut() {
            Some((last, group)) if *last == place => group.push(lock),
            _ => groups.push((place, vec![lock])),
        }
    }
    Ok(groups)
}

fn all(commit: &Commit) -> Res<Vec<(Place, Lock)>> {
    let prefix = commit.keys.table(Table::Lock);
    let mut locks = Vec::new();
    commit.txn.each(&KeyRange::prefix(&prefix), prefix.len(), |key, value| {
        let folder = NodeId(crate::keys::number_at(key).unwrap_or(0));
        let lock: Lock = decode(value)?;
        let name = lock.root.last().cloned().unwrap_or_else(|| crate::resolve::root_key().name());
        locks.push(((folder, name), lock));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(locks)
}

fn is_inside(commit: &mut Commit, mut folder: NodeId, above: NodeId) -> Res<bool> {
    for _ in 0..allod_model::PATH_DEPTH_MAX + 2 {
        if folder == above {
            return Ok(true);
        }
        if folder == NodeId::ROOT || folder == ABOVE_ROOT {
            return Ok(false);
        }
        let row: Option<Folder> = commit.txn.record(&commit.keys.folder(folder))?;
        match row {
            Some(row) if row.detached.is_none() => folder = row.parent,
            _ => return Ok(false),
        }
    }
    Ok(false)
}

/// Removes the locks on a place and below it: what stood there is gone or moved (RFC 4918 §7.5, §9.6).
pub fn drop_at(commit: &mut Commit, spot: &Spot) -> Res<()> {
    if commit.state.locks == 0 {
        return Ok(());
    }
    let (folder, name) = (spot.parent(), spot.name.clone());
    let here = at(&*commit.txn, commit.keys, folder, &name, Timestamp(i64::MIN))?;
    for lock in here {
        remove(commit, folder, &name, &lock)?;
    }
    match &spot.folder {
        Some(entry) => drop_below(commit, entry.node),
        None => Ok(()),
    }
}

/// Removes the locks on everything in a folder, at any depth.
pub fn drop_below(commit: &mut Commit, inside: NodeId) -> Res<()> {
    if commit.state.locks == 0 {
        return Ok(());
    }
    for ((folder, name), group) in below(commit, inside)? {
        for lock in group {
            remove(commit, folder, &name, &lock)?;
        }
    }
    Ok(())
}

fn remove(commit: &mut Commit, folder: NodeId, name: &Name, lock: &Lock) -> Res<()> {
    commit.txn.delete(&commit.keys.lock(folder, name.as_bytes(), &lock.token.0))?;
    commit.state.locks = commit.state.locks.saturating_sub(1);
    commit.touch_state();
    Ok(())
}

/// Takes a lock on a place.
///
/// # Errors
/// `Locked` when another one conflicts; `TooLarge` at [`LOCKS_MAX`] or with an owner that is too long.
pub fn take(commit: &mut Commit, path: &Path, spot: &Spot, lock: Lock) -> Res<Lock> {
    if lock.owner.as_ref().is_some_and(|owner| owner.len() > LOCK_OWNER_BYTES_MAX) {
        return Err(Error::too_large("bytes of a lock's owner", LOCK_OWNER_BYTES_MAX as u64).into());
    }
    let mut in_the_way = holding(&*commit.txn, commit.keys, path, spot, commit.now)?;
    if lock.deep
        && let Some(entry) = &spot.folder
    {
        in_the_way.extend(below(commit, entry.node)?.into_iter().flat_map(|(_, group)| group));
    }
    if let Some(other) = in_the_way.iter().find(|other| other.exclusive || lock.exclusive) {
        let error = Error::new(ErrorKind::Locked, format!("{} is locked already", other.root));
        return Err(error.with(Detail::Path(other.root.to_string())).into());
    }
    if commit.state.locks >= LOCKS_MAX {
        drop_expired(commit)?;
        if commit.state.locks >= LOCKS_MAX {
            return Err(Error::too_large("locks of an account", LOCKS_MAX).into());
        }
    }
    commit.txn.put(&commit.keys.lock(spot.parent(), spot.name.as_bytes(), &lock.token.0), &encode(&lock))?;
    commit.state.locks += 1;
    commit.touch_state();
    Ok(lock)
}

/// Forgets locks whose time is over.
pub fn drop_expired(commit: &mut Commit) -> Res<()> {
    for ((folder, name), lock) in all(commit)? {
        if lock.expires <= commit.now {
            remove(commit, folder, &name, &lock)?;
        }
    }
    Ok(())
}

/// Extends a lock that holds on the place and whose token was presented.
///
/// # Errors
/// `PreconditionFailed` when there is none.
pub fn refresh(
    commit: &mut Commit,
    path: &Path,
    spot: &Spot,
    timeout: Option<Duration>,
    tokens: &[LockToken],
) -> Res<Lock> {
    let (place, mut lock) = find(commit, path, spot, |lock| tokens.contains(&lock.token))?;
    lock.expires = expiry(commit.now, timeout);
    commit.txn.put(&commit.keys.lock(place.0, place.1.as_bytes(), &lock.token.0), &encode(&lock))?;
    Ok(lock)
}

/// Removes the lock with this token that holds on the place.
///
/// # Errors
/// `PreconditionFailed` when there is none.
pub fn release(commit: &mut Commit, path: &Path, spot: &Spot, token: &LockToken) -> Res<()> {
    let (place, lock) = find(commit, path, spot, |lock| lock.token == *token)?;
    remove(commit, place.0, &place.1, &lock)
}

fn find(commit: &Commit, path: &Path, spot: &Spot, wanted: impl Fn(&Lock) -> bool) -> Res<(Place, Lock)> {
    let levels = levels(spot, path);
    for (depth, (folder, name)) in levels.iter().enumerate() {
        let own = depth + 1 == levels.len();
        let locks = at(&*commit.txn, commit.keys, *folder, name, commit.now)?;
        if let Some(lock) = locks.into_iter().find(|lock| (own || lock.deep) && wanted(lock)) {
            return Ok(((*folder, name.clone()), lock));
        }
    }
    Err(Error::new(ErrorKind::PreconditionFailed, "no lock with this token holds here").into())
}

/// When a lock asked for now ends.
pub fn expiry(now: Timestamp, timeout: Option<Duration>) -> Timestamp {
    let secs = timeout.map_or(LOCK_SECS_DEFAULT, |timeout| timeout.as_secs().clamp(1, LOCK_SECS_MAX));
    now.plus_secs(secs as i64)
}

/// A new lock as asked for.
pub fn build(
    path: &Path,
    request: &LockRequest,
    token: LockToken,
    credential: allod_model::CredentialId,
    now: Timestamp,
) -> Lock {
    Lock {
        token,
        root: path.clone(),
        deep: request.deep,
        exclusive: request.exclusive,
        owner: request.owner.clone(),
        expires: expiry(now, request.timeout),
        credential,
    }
}

/// The locks on the members of a folder.
pub fn on_members(rows: &impl Lookup, keys: Keys, folder: NodeId, now: Timestamp) -> Res<Vec<Lock>> {
    let mut locks = Vec::new();
    let mut prefix = keys.table(Table::Lock);
    prefix.extend_from_slice(&folder.0.to_be_bytes());
    rows.each(&KeyRange::prefix(&prefix), prefix.len(), |_, value| {
        let lock: Lock = decode(value)?;
        if lock.expires > now {
            locks.push(lock);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(locks)
}
