//! Calendars that whoever knows a secret address may read: subscription links.
//!
//! The address is a token of 200 random bits, found by its keyed hash; the owner can see it again, so it is kept
//! sealed. It opens one calendar, by its id, for reading, without what is marked as private.

use std::sync::Arc;

use allod_formats::calendar::CompFilter;
use allod_formats::zone::Zone;
use allod_meta::Lookup;
use allod_model::{AccountId, Error, ErrorKind, Grant, Kind, NodeId, Path, Result, Rights, Timestamp};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::access::Scope;
use crate::account::AccountHandle;
use crate::audit;
use crate::core::Core;
use crate::fault::Res;
use crate::find::{EventQuery, Finding};
use crate::keys::{GLOBAL_SHARD, global};
use crate::node::{Door, Node, Want};
use crate::reading::Records;
use crate::record::{Actor, encode};
use crate::resolve::{find, find_folder, load_node};
use crate::secret;
use crate::session::Session;
use crate::sharing::path_of;

/// Longest token looked at, in bytes.
const TOKEN_BYTES_MAX: usize = 64;

/// What a token opens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct LinkRecord {
    owner: AccountId,
    folder: NodeId,
    since: Timestamp,
}

/// A published calendar, opened by its link.
pub struct Published {
    /// The calendar.
    pub node: Node,
    /// Its objects.
    pub objects: Finding,
}

impl Session {
    /// Publishes a calendar; returns the token of its link, the same one each time.
    ///
    /// # Errors
    /// `NotFound`; `WrongKind` when it is no calendar; `Denied` without all rights on it.
    pub async fn publish(&self, folder: &Path) -> Result<Zeroizing<String>> {
        if let Some(token) = self.published(folder).await? {
            return Ok(token);
        }
        let id = self.published_folder(folder)?;
        let core = self.core().clone();
        let token = secret::link(&core.0.env);
        let (owner, now, who) = (self.handle().id(), core.0.env.now(), self.credential());
        let record = LinkRecord { owner, folder: id, since: now };
        let (hash, own) = (core.0.hasher.link(&token), global::link_of(owner, id));
        let (sealed, text) = (core.0.master.seal(&own, token.as_bytes()), folder.to_string());
        core.transact(GLOBAL_SHARD, move |txn| {
            txn.put(&global::link(&hash), &encode(&record))?;
            txn.put(&own, &sealed)?;
            let event = audit::event(now, "published", who.as_ref(), None, None, text.clone());
            audit::write(txn, owner, &event)
        })
        .await?;
        Ok(token)
    }

    /// The token of a calendar's link; `None` when it is not published. Only who may publish it sees it.
    ///
    /// # Errors
    /// As [`Session::publish`].
    pub async fn published(&self, folder: &Path) -> Result<Option<Zeroizing<String>>> {
        let look = || -> Res<Option<Zeroizing<String>>> {
            let id = self.published_folder(folder)?;
            let row = global::link_of(self.handle().id(), id);
            let Some(sealed) = self.view()?.get(&row)? else { return Ok(None) };
            let plain = self.core().0.master.open(&row, &sealed)?;
            let unreadable = |_| Error::new(ErrorKind::Corrupt, "a link's token cannot be read");
            Ok(Some(Zeroizing::new(String::from_utf8(plain.to_vec()).map_err(unreadable)?)))
        };
        Ok(look()?)
    }

    /// Ends a calendar's link for good; publishing again makes another one.
    ///
    /// # Errors
    /// As [`Session::publish`]; `NotFound` also when it is not published.
    pub async fn unpublish(&self, folder: &Path) -> Result<()> {
        let token = self.published(folder).await?.ok_or_else(Error::not_found)?;
        let id = self.published_folder(folder)?;
        let core = self.core().clone();
        let (owner, now, who) = (self.handle().id(), core.0.env.now(), self.credential());
        let (hash, own, text) = (core.0.hasher.link(&token), global::link_of(owner, id), folder.to_string());
        core.transact(GLOBAL_SHARD, move |txn| {
            txn.delete(&global::link(&hash))?;
            txn.delete(&own)?;
            let event = audit::event(now, "unpublished", who.as_ref(), None, None, text.clone());
            audit::write(txn, owner, &event)
        })
        .await
    }

    fn published_folder(&self, folder: &Path) -> Result<NodeId> {
        let check = || -> Res<NodeId> {
            self.scope().check_read(folder)?;
            if !self.is_own() {
                return Err(Error::denied().into());
            }
            self.scope().check_write_below(folder, Rights::Write)?;
            let (id, row) = find_folder(&self.view()?, self.keys(), folder)?;
            match row.kind {
                Kind::Calendar => Ok(id),
                _ => Err(Error::new(ErrorKind::WrongKind, "only calendars can be published").into()),
            }
        };
        check().map_err(|fault| self.noted(folder, fault.0))
    }
}

impl Core {
    /// Opens a published calendar.
    ///
    /// # Errors
    /// `NotFound` when no calendar has this link (any more).
    pub async fn open_link(&self, token: &str, door: Door) -> Result<Published> {
        // Nobody guesses 200 bits, and who goes on asking for a link that has ended is no attacker: nothing is throttled.
        let (session, path, node) = self.link_session(token, &door)?.ok_or_else(Error::not_found)?;
        let filter = CompFilter { name: "VCALENDAR".into(), ..CompFilter::default() };
        let query = EventQuery { filter, zone: Zone::utc(), with_properties: false };
        let objects = session.find_events(&path, query).await?.public_only();
        Ok(Published { node, objects })
    }

    fn link_session(&self, token: &str, door: &Door) -> Res<Option<(Session, Path, Node)>> {
        if token.len() > TOKEN_BYTES_MAX {
            return Ok(None);
        }
        let view = self.view()?;
        let record: Option<LinkRecord> = view.record(&global::link(&self.0.hasher.link(token)))?;
        let Some(record) = record else { return Ok(None) };
        let Ok(account) = self.account(record.owner) else { return Ok(None) };
        let Some(path) = path_of(&view, account.keys(), record.folder)? else { return Ok(None) };
        let session = self.reader(account, &path, door);
        let (key, entry) = find(&view, session.keys(), &path, Want::Folder)?;
        let node = load_node(&view, session.handle(), &key, &entry, true)?;
        Ok(Some((session, path, node)))
    }

    /// A session for whoever has a link: it reads at and below one path, and nothing else.
    pub(crate) fn reader(&self, account: Arc<AccountHandle>, path: &Path, door: &Door) -> Session {
        let grant = Grant {
            path: path.clone(),
            rights: Rights::Read,
            protocols: Vec::new(),
            except: Vec::new(),
            send: false,
            text: "link".into(),
        };
        let protocol = door.protocols.first().map(|p| p.0.clone()).unwrap_or_default();
        let actor = Actor { credential: None, protocol, address: door.address.map(|a| a.to_string()) };
        let scope = Arc::new(Scope::of(vec![grant]));
        Session::new(self.clone(), account, scope, actor, None, door.address)
    }
}
