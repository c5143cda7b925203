//! NOTIFY (RFC 5465): which events are told, and of which mailboxes.
//!
//! A client that asked for events of mailboxes that are not selected has them remembered as they were told last, and
//! each change is found by looking again.

mod tell;
mod validity;

use std::collections::{BTreeMap, BTreeSet};

use allod_core::mail::MailboxStatus;
use allod_model::NodeId;

use self::validity::check;
use super::Conversation;
use super::name::INBOX;
use crate::syntax::ast::{EventGroup, FetchItem, MailboxFilter, Notify, NotifyEvent};
use crate::wire::{Abort, Code, Completion, Output};

/// Mailboxes whose annotations are watched.
const ANNOTATED_MAX: usize = 200;

/// What a client asked for.
pub(super) struct Notifier {
    /// Of the selected mailbox; none of its events without.
    selected: Option<Selected>,
    groups: Vec<EventGroup>,
    /// Mailboxes as they were told last.
    known: BTreeMap<NodeId, Known>,
    subscribed: BTreeSet<String>,
    /// Of mailboxes, and of the account under the empty name.
    annotations: BTreeMap<String, Vec<(String, Vec<u8>)>>,
    /// Folders that changed since.
    dirty: BTreeSet<NodeId>,
    /// Some changes were missed: look at all.
    all_dirty: bool,
}

struct Known {
    name: String,
    /// Where messages are watched.
    status: Option<MailboxStatus>,
}

/// Events of the selected mailbox.
struct Selected {
    /// RFC 5465 §6.1.2: EXPUNGE waits for a command that allows it.
    delayed: bool,
    /// Of new messages, what is told.
    items: Vec<FetchItem>,
    flags: bool,
}

impl Notifier {
    /// Whether EXISTS and EXPUNGE are told, and flags.
    pub(super) fn of_selected(&self) -> (bool, bool) {
        self.selected.as_ref().map_or((false, false), |selected| (true, selected.flags))
    }

    /// Whether EXPUNGE is told at once.
    pub(super) fn is_immediate(&self) -> bool {
        self.selected.as_ref().is_some_and(|selected| !selected.delayed)
    }

    /// What is told of each new message.
    pub(super) fn items(&self) -> &[FetchItem] {
        self.selected.as_ref().map_or(&[], |selected| &selected.items)
    }

    /// Whether other mailboxes are watched.
    pub(super) fn watches(&self) -> bool {
        !self.groups.is_empty()
    }

    /// Notes what changed; `None`: nobody knows what.
    pub(super) fn note(&mut self, folders: Option<&[NodeId]>) {
        /// Folders noted; beyond them all are looked at.
        const DIRTY_MAX: usize = 1000;
        match folders {
            Some(folders) if self.dirty.len() < DIRTY_MAX => self.dirty.extend(folders),
            _ => self.all_dirty = true,
        }
    }

    /// The events asked for of a mailbox that is not selected.
    fn events<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a NotifyEvent> {
        let groups = self.groups.iter().filter(move |group| self.covers(&group.filter, name));
        groups.flat_map(|group| group.events.iter())
    }

    fn covers(&self, filter: &MailboxFilter, name: &str) -> bool {
        let is_below = |above: &str| name.strip_prefix(above).is_some_and(|rest| rest.starts_with('/'));
        match filter {
            MailboxFilter::Selected | MailboxFilter::SelectedDelayed => false,
            MailboxFilter::Personal => true,
            // Mail is delivered to the inbox.
            MailboxFilter::Inboxes => name == INBOX,
            MailboxFilter::Subscribed => self.subscribed.contains(name),
            MailboxFilter::Subtree(all) => all.iter().any(|top| top.0 == name || is_below(&top.0)),
            MailboxFilter::Mailboxes(all) => all.iter().any(|one| one.0 == name),
        }
    }

    fn wants(&self, name: &str, event: &NotifyEvent) -> bool {
        self.events(name).any(|asked| asked == event)
    }

    fn wants_messages(&self, name: &str) -> bool {
        self.wants(name, &NotifyEvent::MessageExpunge)
    }

    /// Whether any group asks for an event.
    fn asks(&self, event: &NotifyEvent) -> bool {
        self.groups.iter().any(|group| group.events.contains(event))
    }
}

impl Conversation {
    pub(super) async fn set_notify(&mut self, notify: Notify, out: &mut Output) -> Result<Completion, Abort> {
        let (status, groups) = match notify {
            Notify::None => (false, Vec::new()),
            Notify::Set { status, groups } => (status, groups),
        };
        if let Err(refusal) = check(&groups) {
            return Ok(refusal);
        }
        let selected = groups.iter().find_map(selected_of);
        let is_other = |group: &EventGroup| {
            !group.events.is_empty()
                && !matches!(group.filter, MailboxFilter::Selected | MailboxFilter::SelectedDelayed)
        };
        let groups = groups.into_iter().filter(is_other).collect();
        let (known, subscribed) = (BTreeMap::new(), BTreeSet::new());
        let (annotations, dirty) = (BTreeMap::new(), BTreeSet::new());
        let mut notifier =
            Notifier { selected, groups, known, subscribed, annotations, dirty, all_dirty: true };
        self.look(&mut notifier, None).await?;
        if notifier.annotations.len() > ANNOTATED_MAX {
            // RFC 5465 §3.1
            let code = Code::new("NOTIFICATIONOVERFLOW");
            return Ok(Completion::no(code, "Too many mailboxes to watch for metadata"));
        }
        if status {
            self.tell_all_status(&notifier, out);
        }
        self.notify = Some(Box::new(notifier));
        Ok(Completion::ok("You will be notified"))
    }
}

fn selected_of(group: &EventGroup) -> Option<Selected> {
    let delayed = match group.filter {
        MailboxFilter::Selected => false,
        MailboxFilter::SelectedDelayed => true,
        _ => return None,
    };
    let items = group.events.iter().find_map(|event| match event {
        NotifyEvent::MessageNew(items) => Some(items.clone()),
        _ => None,
    });
    let flags = group.events.contains(&NotifyEvent::FlagChange);
    items.map(|items| Selected { delayed, items, flags })
}
