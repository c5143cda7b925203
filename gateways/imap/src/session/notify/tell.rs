//! Looking again, and telling what is different.

use std::collections::BTreeMap;

use allod_core::mail::{MailboxInfo, MailboxStatus};

use super::{ANNOTATED_MAX, Known, Notifier};
use crate::session::Conversation;
use crate::session::name;
use crate::session::status::tell_status;
use crate::syntax::ast::{NotifyEvent, StatusItem};
use crate::wire::{Abort, Output};

impl Conversation {
    /// Tells what changed outside of the selected mailbox. `silent`: it was this client's doing.
    pub(in crate::session) async fn tell_others(
        &mut self,
        out: &mut Output,
        silent: bool,
    ) -> Result<(), Abort> {
        let Some(mut notifier) = self.notify.take() else { return Ok(()) };
        let looked = match notifier.watches() {
            true => self.look(&mut notifier, Some(out).filter(|_| !silent)).await,
            false => Ok(()),
        };
        self.notify = Some(notifier);
        looked
    }

    /// Brings what is known up to date, and tells what is different where there is an output.
    pub(super) async fn look(
        &self,
        notifier: &mut Notifier,
        mut out: Option<&mut Output>,
    ) -> Result<(), Abort> {
        let out = &mut out;
        self.look_at_subscriptions(notifier, out).await?;
        let infos = self.session.mailboxes().await?;
        let infos = infos.into_iter().filter_map(|info| Some((name::name_of(&info.path)?, info)));
        let infos: Vec<(String, MailboxInfo)> = infos.collect();
        if notifier.asks(&NotifyEvent::MailboxName) {
            tell_names(notifier, &infos, out);
        }
        self.look_at_messages(notifier, &infos, out).await?;
        self.look_at_annotations(notifier, &infos, out).await?;
        notifier.dirty.clear();
        notifier.all_dirty = false;
        Ok(())
    }

    async fn look_at_subscriptions(
        &self,
        notifier: &mut Notifier,
        out: &mut Option<&mut Output>,
    ) -> Result<(), Abort> {
        let paths = self.session.subscriptions().await?;
        let now = paths.iter().filter_map(name::name_of).collect();
        let before = std::mem::replace(&mut notifier.subscribed, now);
        let Some(out) = out else { return Ok(()) };
        for name in before.symmetric_difference(&notifier.subscribed) {
            if notifier.wants(name, &NotifyEvent::SubscriptionChange) {
                let path = name::parse(name);
                let there = match path {
                    Some(path) => self.session.mailbox_status(&path).await.is_ok(),
                    None => false,
                };
                let subscribed = notifier.subscribed.contains(name);
                out.raw("* LIST (").raw(if there { "" } else { "\\NonExistent" });
                out.raw(if there || !subscribed { "" } else { " " });
                out.raw(if subscribed { "\\Subscribed" } else { "" });
                out.raw(") \"/\" ").mailbox(name).end().flow().await?;
            }
        }
        Ok(())
    }

    /// STATUS of mailboxes whose messages changed.
    async fn look_at_messages(
        &self,
        notifier: &mut Notifier,
        infos: &[(String, MailboxInfo)],
        out: &mut Option<&mut Output>,
    ) -> Result<(), Abort> {
        let selected = self.view.as_ref().map(|view| view.id);
        let mut known = BTreeMap::new();
        for (name, info) in infos {
            let before = notifier.known.remove(&info.id).and_then(|known| known.status);
            let looks = notifier.all_dirty || before.is_none() || notifier.dirty.contains(&info.id);
            let status = match info.selectable && notifier.wants_messages(name) {
                true if looks => self.session.mailbox_status(&info.path).await.ok(),
                true => before.clone(),
                false => None,
            };
            if let (Some(out), Some(before), Some(now)) = (out.as_deref_mut(), &before, &status)
                && selected != Some(info.id)
            {
                tell_change(notifier, name, before, now, out);
                out.flow().await?;
            }
            known.insert(info.id, Known { name: name.clone(), status });
        }
        notifier.known = known;
        Ok(())
    }

    async fn look_at_annotations(
        &self,
        notifier: &mut Notifier,
        infos: &[(String, MailboxInfo)],
        out: &mut Option<&mut Output>,
    ) -> Result<(), Abort> {
        let of_mailbox = |name: &str| notifier.wants(name, &NotifyEvent::MailboxMetadataChange);
        let watched = infos.iter().filter(|(name, info)| info.rights.is_some() && of_mailbox(name));
        let watched = watched.take(ANNOTATED_MAX + 1);
        let mut all: Vec<_> = watched.map(|(name, info)| (name.clone(), Some(&info.path))).collect();
        if notifier.asks(&NotifyEvent::ServerMetadataChange) {
            all.push((String::new(), None));
        }
        let mut found = BTreeMap::new();
        for (name, path) in all {
            let now = self.session.annotations(path).await?;
            if let (Some(out), Some(before)) = (out.as_deref_mut(), notifier.annotations.get(&name)) {
                tell_annotations(&name, before, &now, out);
            }
            found.insert(name, now);
        }
        notifier.annotations = found;
        Ok(())
    }

    /// RFC 5465 §3.1, STATUS: how things are now.
    pub(super) fn tell_all_status(&self, notifier: &Notifier, out: &mut Output) {
        let selected = self.view.as_ref().map(|view| view.id);
        for (id, known) in &notifier.known {
            let Some(status) = known.status.as_ref().filter(|_| selected != Some(*id)) else { continue };
            let mut items = vec![StatusItem::Messages, StatusItem::UidNext, StatusItem::UidValidity];
            if notifier.wants(&known.name, &NotifyEvent::FlagChange) || out.enabled().condstore {
                items.push(StatusItem::HighestModSeq);
            }
            tell_status(out, &known.name, status, 0, &items);
        }
    }
}

/// RFC 5465 §5.1–5.3: what is different in a mailbox.
fn tell_change(
    notifier: &Notifier,
    name: &str,
    before: &MailboxStatus,
    now: &MailboxStatus,
    out: &mut Output,
) {
    let condstore = out.enabled().condstore;
    let mut items = Vec::new();
    if (before.uid_next, before.exists) != (now.uid_next, now.exists) {
        items.extend([StatusItem::Messages, StatusItem::UidNext, StatusItem::UidValidity]);
    }
    if notifier.wants(name, &NotifyEvent::FlagChange) {
        if before.unseen != now.unseen {
            items.push(StatusItem::Unseen);
        }
        if items.is_empty() && condstore && before.modseq != now.modseq {
            items.push(StatusItem::UidValidity);
        }
    }
    if !items.is_empty() {
        if condstore {
            items.push(StatusItem::HighestModSeq);
        }
        tell_status(out, name, now, 0, &items);
    }
}

/// RFC 5465 §5.4: names that came, went, or are others now.
fn tell_names(notifier: &Notifier, infos: &[(String, MailboxInfo)], out: &mut Option<&mut Output>) {
    let Some(out) = out else { return };
    let wants = |name: &str| notifier.wants(name, &NotifyEvent::MailboxName);
    let parent_of = |name: &str| name.rsplit_once('/').map(|(parent, _)| parent.to_owned());
    let mut parents = std::collections::BTreeSet::new();
    for (name, info) in infos {
        match notifier.known.get(&info.id) {
            Some(known) if known.name == *name => {}
            Some(known) => {
                // What is below a renamed mailbox is not told apart.
                let tail = |name: &str| name.rsplit('/').next().map(str::to_owned);
                let followed = tail(&known.name) == tail(name)
                    && parent_of(name).is_some_and(|parent| {
                        infos.iter().any(|(other, above)| {
                            *other == parent
                                && notifier
                                    .known
                                    .get(&above.id)
                                    .is_some_and(|was| Some(&was.name) == parent_of(&known.name).as_ref())
                        })
                    });
                if !followed && (wants(name) || wants(&known.name)) {
                    tell_name(out, name, info);
                    out.raw(" (\"OLDNAME\" (").mailbox(&known.name).raw("))\r\n");
                }
            }
            None => {
                if wants(name) {
                    tell_name(out, name, info);
                    out.end();
                }
                parents.extend(parent_of(name));
            }
        }
    }
    for (id, known) in &notifier.known {
        if !infos.iter().any(|(_, info)| info.id == *id) {
            if wants(&known.name) {
                out.raw("* LIST (\\NonExistent) \"/\" ").mailbox(&known.name).end();
            }
            parents.extend(parent_of(&known.name));
        }
    }
    // RFC 5465 §5.4: the parent is affected too.
    let is_old = |info: &MailboxInfo| notifier.known.contains_key(&info.id);
    for (name, info) in infos.iter().filter(|(name, info)| parents.contains(name) && is_old(info)) {
        if wants(name) {
            tell_name(out, name, info);
            out.end();
        }
    }
}

fn tell_name(out: &mut Output, name: &str, info: &MailboxInfo) {
    out.raw("* LIST (").raw(if info.selectable { "" } else { "\\Noselect " });
    out.raw(if info.children { "\\HasChildren" } else { "\\HasNoChildren" });
    out.raw(") \"/\" ").mailbox(name);
}

/// RFC 5464 §4.4.2: names of entries that are different.
fn tell_annotations(name: &str, before: &[(String, Vec<u8>)], now: &[(String, Vec<u8>)], out: &mut Output) {
    let came = now.iter().filter(|entry| !before.contains(entry)).map(|(name, _)| name);
    let went = before.iter().filter(|(old, _)| !now.iter().any(|(name, _)| name == old));
    let changed: Vec<_> = came.chain(went.map(|(name, _)| name)).collect();
    if changed.is_empty() {
        return;
    }
    out.raw("* METADATA ").mailbox(name);
    for entry in changed {
        out.raw(" ").astring(entry);
    }
    out.end();
}
