//! Buckets: the top-level plain folders whose names are legal bucket names, and what is set for them.

use std::ops::ControlFlow;

use allod_meta::{KeyRange, Lookup};
use allod_model::{Detail, EntryKey, Error, ErrorKind, Kind, Name, NodeId, Path, Result, Rights};

use crate::access::Sight;
use crate::commit::Commit;
use crate::fault::{Res, fail};
use crate::lock::{self, Touch};
use crate::object::{Bucket, BucketSettings, LifecycleRule, Versioning};
use crate::reading::Records;
use crate::record::{BucketFlags, Entry, Folder, What, decode, encode};
use crate::resolve::spot;
use crate::session::Session;

/// Buckets of one account at most; more top-level folders are not shown as buckets.
pub const BUCKETS_MAX: usize = 10_000;
/// All settings of a bucket together, in bytes.
pub const BUCKET_SETTINGS_BYTES_MAX: usize = 60 * 1024;
/// Length of a bucket's name, in bytes.
const NAME_BYTES: std::ops::RangeInclusive<usize> = 3..=63;

/// Whether a name is legal for a bucket: 3 to 63 bytes, labels of lower-case letters, digits and hyphens with dots
/// between them, a letter or digit at both ends of each label, and not like an address.
pub fn is_bucket_name(name: &Name) -> bool {
    let bytes = name.as_bytes();
    let plain = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let edge = |b: Option<&u8>| b.is_some_and(plain);
    let label = |label: &[u8]| {
        edge(label.first()) && edge(label.last()) && label.iter().all(|b| plain(b) || *b == b'-')
    };
    NAME_BYTES.contains(&bytes.len())
        && bytes.split(|b| *b == b'.').all(label)
        && name.as_str().parse::<std::net::Ipv4Addr>().is_err()
}

impl Session {
    /// The buckets that the session may see, in byte order of their names.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn buckets(&self) -> Result<Vec<Bucket>> {
        let me = self.clone();
        crate::core::blocking(move || me.buckets_now()).await
    }

    fn buckets_now(&self) -> Res<Vec<Bucket>> {
        let view = self.view()?;
        let prefix = self.keys().entries(NodeId::ROOT);
        let mut found = Vec::new();
        view.each(&KeyRange::prefix(&prefix), prefix.len(), |key, value| {
            let key = EntryKey::from_bytes(key);
            let name = key.name();
            if key.is_folder() && is_bucket_name(&name) && self.sees_bucket(&name) {
                let entry: Entry = decode(value)?;
                if matches!(entry.what, What::Folder { kind: Kind::Plain, .. }) {
                    found.push((name, entry));
                }
            }
            Ok(if found.len() < BUCKETS_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        found.into_iter().map(|(name, entry)| self.describe_bucket(&view, name, &entry)).collect()
    }

    fn sees_bucket(&self, name: &Name) -> bool {
        self.scope().sight(&Path::root().join(name.clone())) != Sight::Hidden
    }

    fn describe_bucket(&self, rows: &impl Lookup, name: Name, entry: &Entry) -> Res<Bucket> {
        let settings: Option<BucketSettings> = rows.record(&self.keys().bucket(entry.node))?;
        Ok(Bucket { name, created: entry.created, settings: settings.unwrap_or_default() })
    }

    /// One bucket.
    ///
    /// # Errors
    /// `NotFound` with `NoBucket`, also for a folder that is not a bucket and for what the session must not know of.
    pub async fn bucket(&self, name: &Name) -> Result<Bucket> {
        let look = || -> Res<Bucket> {
            let view = self.view()?;
            let entry = self.bucket_entry(&view, name)?;
            self.describe_bucket(&view, name.clone(), &entry)
        };
        Ok(look()?)
    }

    /// The folder that a bucket is.
    pub(crate) fn bucket_entry(&self, rows: &impl Lookup, name: &Name) -> Res<Entry> {
        let seen = is_bucket_name(name) && self.sees_bucket(name);
        let entry: Option<Entry> = match seen {
            true => rows.record(&self.keys().entry(NodeId::ROOT, &EntryKey::folder(name)))?,
            false => None,
        };
        let plain = entry.filter(|entry| matches!(entry.what, What::Folder { kind: Kind::Plain, .. }));
        plain.ok_or_else(|| no_bucket().into())
    }

    /// Makes a bucket, with object lock (and versions) switched on if asked.
    ///
    /// # Errors
    /// `Exists`; `InvalidContent` when the name is not legal for a bucket; `Denied`.
    pub async fn create_bucket(&self, name: &Name, object_lock: bool) -> Result<()> {
        if !is_bucket_name(name) {
            let message = "a bucket's name has 3 to 63 lower-case letters, digits, hyphens and dots";
            return Err(Error::new(ErrorKind::InvalidContent, message));
        }
        let path = Path::root().join(name.clone());
        self.scope().check_write(&path, Rights::Append).map_err(|e| self.noted(&path, e))?;
        let at = path.clone();
        self.commit(&path, move |_, commit| {
            let spot = spot(&*commit.txn, commit.keys, &at)?;
            if !spot.is_empty() {
                return fail(ErrorKind::Exists, format!("{at} exists already"));
            }
            lock::check(commit, &at, &spot, Touch::Membership, &[])?;
            let entry = commit.create_folder(Kind::Plain, true);
            let node = entry.node;
            commit.replace(NodeId::ROOT, &spot.folder_key(), Some(entry))?;
            if object_lock {
                let settings = BucketSettings {
                    versioning: Versioning::Enabled,
                    object_lock: Some(None),
                    ..BucketSettings::default()
                };
                write_settings(commit, node, &settings)?;
            }
            Ok(())
        })
        .await
    }

    /// Removes a bucket that holds no object and no version; what is still being uploaded into it is given up.
    ///
    /// # Errors
    /// `NotFound`, `NotEmpty`, `Denied`, `Locked`.
    pub async fn delete_bucket(&self, name: &Name) -> Result<()> {
        let path = Path::root().join(name.clone());
        let name = name.clone();
        let view = self.view().map_err(Error::from)?;
        self.bucket_entry(&view, &name).map_err(Error::from)?;
        self.scope().check_write_below(&path, Rights::Write).map_err(|e| self.noted(&path, e))?;
        let at = path.clone();
        self.commit(&path, move |me, commit| {
            let entry = me.bucket_entry(&*commit.txn, &name)?;
            let row = commit.folder(entry.node)?;
            if row.documents > 0 || row.kept > 0 {
                return fail(ErrorKind::NotEmpty, "the bucket still holds objects or versions");
            }
            let spot = spot(&*commit.txn, commit.keys, &at)?;
            lock::check(commit, &at, &spot, Touch::Subtree, &[])?;
            commit.replace(NodeId::ROOT, &spot.folder_key(), None)?;
            lock::drop_at(commit, &spot)
        })
        .await
    }

    /// Changes what is set for a bucket: `change` gets the settings as they are and leaves them as they shall be. It
    /// may run more than once. Object lock cannot be switched off, nor versions while it is on.
    ///
    /// # Errors
    /// `NotFound`, `Denied`; `InvalidContent` for what cannot be; what `change` returns; `TooLarge` over
    /// [`BUCKET_SETTINGS_BYTES_MAX`].
    pub async fn change_bucket(
        &self,
        name: &Name,
        mut change: impl FnMut(&mut BucketSettings) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let path = Path::root().join(name.clone());
        let name = name.clone();
        let view = self.view().map_err(Error::from)?;
        self.bucket_entry(&view, &name).map_err(Error::from)?;
        self.scope().check_write(&path, Rights::Write).map_err(|e| self.noted(&path, e))?;
        self.commit(&path, move |me, commit| {
            let entry = me.bucket_entry(&*commit.txn, &name)?;
            let old: BucketSettings = commit.txn.record(&commit.keys.bucket(entry.node))?.unwrap_or_default();
            let mut new = old.clone();
            change(&mut new)?;
            check_settings(&old, &mut new)?;
            write_settings(commit, entry.node, &new)
        })
        .await
    }

    /// The bucket of an object's path, which must be there; for a write.
    pub(crate) fn bucket_of(&self, rows: &impl Lookup, path: &Path) -> Res<Entry> {
        let name = path.names().first().ok_or_else(no_bucket)?;
        self.bucket_entry(rows, name)
    }
}

/// There is no such bucket, or it must not be known of.
pub fn no_bucket() -> Error {
    Error::new(ErrorKind::NotFound, "there is no such bucket").with(Detail::NoBucket)
}

impl Folder {
    /// Whether the bucket keeps, or once kept, versions.
    pub fn is_versioned(&self) -> bool {
        self.bucket.as_ref().is_some_and(|flags| flags.versioning != Versioning::Off)
    }
}

fn check_settings(old: &BucketSettings, new: &mut BucketSettings) -> Res<()> {
    if old.object_lock.is_some() && new.object_lock.is_none() {
        return fail(ErrorKind::InvalidContent, "object lock cannot be switched off");
    }
    if new.object_lock.is_some() && new.versioning != Versioning::Enabled {
        return fail(ErrorKind::InvalidContent, "object lock needs versions: they cannot be suspended")
            .map_err(|fault: crate::fault::Fault| fault.0.with(Detail::Held).into());
    }
    if old.versioning != Versioning::Off && new.versioning == Versioning::Off {
        new.versioning = Versioning::Suspended;
    }
    Ok(())
}

fn write_settings(commit: &mut Commit, bucket: NodeId, settings: &BucketSettings) -> Res<()> {
    let bytes = encode(settings);
    if bytes.len() > BUCKET_SETTINGS_BYTES_MAX {
        let max = BUCKET_SETTINGS_BYTES_MAX as u64;
        return Err(Error::too_large("bytes of a bucket's settings", max).into());
    }
    commit.txn.put(&commit.keys.bucket(bucket), &bytes)?;
    let flags = BucketFlags { versioning: settings.versioning, object_lock: settings.object_lock };
    let plain = flags.versioning == Versioning::Off && flags.object_lock.is_none();
    let row = commit.change_folder(bucket)?;
    row.bucket = (!plain).then(|| Box::new(flags));
    row.ruled = settings.lifecycle.iter().any(LifecycleRule::expires_objects);
    Ok(())
}
