//! Pages of keys with common prefixes, as S3 lists: the same for objects, versions and uploads under way.

use std::ops::Bound;

use crate::fault::Res;
use crate::object::{SCAN_ITEMS_MAX, Scan, ScanItem, ScanRequest};

/// What a [`Source`] comes by.
pub enum Met<T> {
    /// Something that stands at a key.
    Key(T),
    /// A folder: all keys below it begin with its key. It is passed over unless entered.
    Folder,
    /// Enough was read for one page.
    Tired,
}

/// Keys in byte order, with what stands at them.
pub trait Source {
    type Item;

    /// Goes to the first key from `key` on (`inclusive`), or behind it.
    fn seek(&mut self, key: &[u8], inclusive: bool) -> Res<()>;

    /// The next key or folder; `None` at the end.
    fn next(&mut self) -> Res<Option<Met<Self::Item>>>;

    /// The key last met.
    fn key(&self) -> &[u8];

    /// Goes into the folder last met.
    fn enter(&mut self);

    /// Whether the folder last met holds a key; `None` when only a look into it can tell.
    fn holds_keys(&mut self) -> Res<Option<bool>>;

    /// The last key that needs no second look: all up to here was met and passed.
    fn passed(&mut self) -> &mut Vec<u8>;
}

/// Puts a page together. `show` makes the item of a key, and may leave it out.
///
/// The rules are those of `ListObjectsV2` and `ListObjectVersions`: a common prefix ends with the first delimiter
/// behind the request's prefix, counts as one item, and stands behind `after` when any of its keys does, unless
/// `after` is the common prefix itself.
pub fn page<S: Source, T>(
    source: &mut S,
    request: &ScanRequest,
    mut show: impl FnMut(&[u8], S::Item) -> Res<Option<T>>,
) -> Res<Scan<T>> {
    let mut scan = Scan { items: Vec::new(), next: None };
    let limit = request.limit.min(SCAN_ITEMS_MAX);
    if limit == 0 || !begin(source, request)? {
        return Ok(scan);
    }
    while let Some(met) = source.next()? {
        let key = source.key();
        if !matches!(met, Met::Tired) && !key.starts_with(&request.prefix) {
            break;
        }
        let common = common_prefix(key, request).map(<[u8]>::to_vec);
        let (item, at_folder) = match (met, common) {
            (Met::Tired, _) => {
                scan.next = Some((source.passed().clone(), None));
                return Ok(scan);
            }
            (Met::Key(_), Some(common)) => (ScanItem::Prefix(common), false),
            (Met::Key(found), None) => {
                let key = key.to_vec();
                let Some(shown) = show(&key, found)? else { continue };
                (ScanItem::Key(key, shown), false)
            }
            (Met::Folder, Some(common)) => match source.holds_keys()? {
                Some(true) => {
                    let whole = source.key() == common;
                    (ScanItem::Prefix(common), whole)
                }
                Some(false) => continue,
                None => {
                    source.enter();
                    continue;
                }
            },
            (Met::Folder, None) => {
                source.enter();
                continue;
            }
        };
        if scan.items.len() == limit {
            scan.next = scan.items.last().map(|last| (last.key().to_vec(), None));
            return Ok(scan);
        }
        // A folder that is itself the common prefix is simply not entered.
        let more = match &item {
            ScanItem::Prefix(common) if !at_folder => skip(source, common)?,
            _ => true,
        };
        scan.items.push(item);
        if !more {
            break;
        }
    }
    Ok(scan)
}

/// Sets the source to where the page begins; `false` when nothing can follow.
fn begin(source: &mut impl Source, request: &ScanRequest) -> Res<bool> {
    let ScanRequest { prefix, after, .. } = request;
    source.passed().clone_from(after);
    if after.is_empty() || after < prefix {
        // No key is empty.
        source.seek(prefix, !prefix.is_empty())?;
        return Ok(true);
    }
    if !after.starts_with(prefix) {
        return Ok(false);
    }
    match common_prefix(after, request) {
        Some(common) if common == after.as_slice() => {
            let common = common.to_vec();
            skip(source, &common)
        }
        _ => {
            source.seek(after, false)?;
            Ok(true)
        }
    }
}

/// Goes behind all keys that begin with `common`, at once; `false` when nothing can follow.
fn skip(source: &mut impl Source, common: &[u8]) -> Res<bool> {
    let Bound::Excluded(next) = allod_meta::KeyRange::prefix(common).to().map(<[u8]>::to_vec) else {
        return Ok(false);
    };
    common.clone_into(source.passed());
    source.seek(&next, true)?;
    Ok(true)
}

/// The common prefix that `key` is shown by: up to and with the first delimiter behind the request's prefix.
fn common_prefix<'k>(key: &'k [u8], request: &ScanRequest) -> Option<&'k [u8]> {
    let ScanRequest { prefix, delimiter, .. } = request;
    if delimiter.is_empty() || !key.starts_with(prefix) {
        return None;
    }
    let behind = &key[prefix.len()..];
    let at = behind.windows(delimiter.len()).position(|window| window == delimiter)?;
    key.get(..prefix.len() + at + delimiter.len())
}
