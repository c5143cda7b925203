//! What the commands do: a conversation on a session of core.
//!
//! A conversation translates: names into paths, message numbers into UIDs, core's answers into lines. It remembers only
//! what the client was told of the selected mailbox ([`view::View`]), for that is what message numbers mean; after each
//! command it tells what changed since ([`sync`]). It decides nothing that core decides.

mod acl;
mod append;
mod copy;
mod expunge;
mod fetch;
mod list;
mod mailboxes;
mod metadata;
mod name;
mod notify;
mod pattern;
mod place;
mod query;
mod quota;
mod search;
mod select;
mod status;
mod store;
mod sync;
mod view;

use allod_core::{Session, Watch};

use self::notify::Notifier;
use self::sync::Telling;
use self::view::View;
use crate::syntax::ast::{Command, Tagged};
use crate::wire::{Abort, Completion, Enabled, Literals, Output};

/// Largest message that is taken, in bytes.
pub(crate) const APPEND_BYTES_MAX: u64 = allod_core::mail::MESSAGE_BYTES_MAX;

/// When changes are told without a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Moment {
    /// During IDLE: everything may be told, EXPUNGE too.
    Idle,
    /// Between commands, because of NOTIFY.
    Between,
}

/// One client's conversation after login. It knows the selected mailbox and what the client was told of it.
pub(crate) struct Conversation {
    session: Session,
    watch: Watch,
    notify: Option<Box<Notifier>>,
    view: Option<Box<View>>,
}

impl Conversation {
    /// The client said what it is.
    pub(crate) fn note_client(&self, name: &str) {
        self.session.note_client(name);
    }

    /// Begins, with nothing selected.
    pub(crate) fn new(session: Session) -> Conversation {
        let watch = session.watch();
        Conversation { session, watch, notify: None, view: None }
    }

    /// Runs one command. Untagged answers go to `out`, unsolicited ones at its end where this command allows them;
    /// the connection writes the tagged one. Messages of APPEND and REPLACE come by `body`.
    ///
    /// # Errors
    /// [`Abort`]: another way to give the completion, or the connection is gone.
    pub(crate) async fn run(
        &mut self,
        tagged: Tagged,
        out: &mut Output,
        body: &mut Literals<'_>,
    ) -> Result<Completion, Abort> {
        let (telling, uid) = telling(&tagged.command);
        let is_own_doing = names_mailboxes(&tagged.command) && self.watches();
        if is_own_doing {
            Box::pin(self.tell_others(out, false)).await?;
        }
        self.check_lent(out).await?;
        let completion = match self.carry_out(tagged, out, body).await {
            Ok(completion) | Err(Abort::Answer(completion)) => completion,
            Err(gone) => return Err(gone),
        };
        Box::pin(self.sync(out, telling, uid)).await?;
        if is_own_doing {
            // RFC 5465 §5: what this client did it is not told.
            Box::pin(self.tell_others(out, true)).await?;
        }
        Ok(completion)
    }

    /// Futures are boxed: an idle connection is not to keep room for the greatest of them.
    async fn carry_out(
        &mut self,
        tagged: Tagged,
        out: &mut Output,
        body: &mut Literals<'_>,
    ) -> Result<Completion, Abort> {
        let Tagged { tag, command } = tagged;
        match command {
            Command::Noop => Ok(Completion::ok("Nothing to do")),
            Command::Check => Ok(Completion::ok("Everything is on disk always")),
            Command::Select(select) => Box::pin(self.select(select, out)).await,
            Command::Close => Box::pin(self.close(out)).await,
            Command::Unselect => self.unselect(),
            Command::Create { mailbox, special_use } => Box::pin(self.create(mailbox, special_use)).await,
            Command::Delete(mailbox) => Box::pin(self.delete(mailbox, out)).await,
            Command::Rename { from, to } => Box::pin(self.rename(from, to, out)).await,
            Command::Subscribe(mailbox) => Box::pin(self.subscribe(mailbox, true)).await,
            Command::Unsubscribe(mailbox) => Box::pin(self.subscribe(mailbox, false)).await,
            Command::List(list) => Box::pin(self.list(list, out)).await,
            Command::Lsub { reference, pattern } => Box::pin(self.lsub(reference, pattern, out)).await,
            Command::Namespace => Ok(list::namespace(out)),
            Command::Status { mailbox, items } => Box::pin(self.status(mailbox, items, out)).await,
            Command::Append { mailbox } => Box::pin(self.append(mailbox, body)).await,
            Command::Replace { message, uid, mailbox } => {
                Box::pin(self.replace(message, uid, mailbox, out, body)).await
            }
            Command::Expunge { uids } => Box::pin(self.expunge(uids, out)).await,
            Command::Search(search) => Box::pin(self.search(tag, search, out)).await,
            Command::Sort(sort) => Box::pin(self.sort(tag, sort, out)).await,
            Command::Thread(thread) => Box::pin(self.thread(thread, out)).await,
            Command::Fetch(fetch) => Box::pin(self.fetch(fetch, out)).await,
            Command::Store(store) => Box::pin(self.store(store, out)).await,
            Command::Copy { set, uid, mailbox } => Box::pin(self.copy(set, uid, mailbox)).await,
            Command::Move { set, uid, mailbox } => Box::pin(self.move_(set, uid, mailbox, out)).await,
            Command::GetQuota(root) => Box::pin(self.get_quota(root, out)).await,
            Command::GetQuotaRoot(mailbox) => Box::pin(self.get_quota_root(mailbox, out)).await,
            Command::SetQuota { .. } => Ok(self.set_quota()),
            Command::GetMetadata(asked) => Box::pin(self.get_metadata(asked, out)).await,
            Command::SetMetadata { mailbox, entries } => Box::pin(self.set_metadata(mailbox, entries)).await,
            Command::MyRights(mailbox) => Box::pin(self.my_rights(mailbox, out)).await,
            Command::GetAcl(mailbox) => Box::pin(self.get_acl(mailbox, out)).await,
            Command::ListRights { mailbox, identifier } => {
                Box::pin(self.list_rights(mailbox, identifier, out)).await
            }
            Command::SetAcl { mailbox, identifier, change, rights } => {
                Box::pin(self.set_acl(mailbox, identifier, change, rights)).await
            }
            Command::DeleteAcl { mailbox, identifier } => {
                Box::pin(self.delete_acl(mailbox, identifier)).await
            }
            Command::Notify(notify) => Box::pin(self.set_notify(notify, out)).await,
            _ => Ok(Completion::bad("Unknown command")),
        }
    }

    /// Whether a mailbox is selected.
    pub(crate) fn is_selected(&self) -> bool {
        self.view.is_some()
    }

    /// The client enabled something more (RFC 5161); `enabled` is all of it.
    pub(crate) fn enable(&mut self, enabled: Enabled, out: &mut Output) {
        if enabled.condstore {
            select::enable_condstore(self.view.as_deref(), out);
        }
        out.set_enabled(enabled);
    }

    /// Whether changes are to be told between commands too (RFC 5465).
    pub(crate) fn notifies(&self) -> bool {
        self.notify.as_ref().is_some_and(|notify| notify.watches() || notify.of_selected().0)
    }

    /// Whether mailboxes that are not selected are watched.
    fn watches(&self) -> bool {
        self.notify.as_ref().is_some_and(|notify| notify.watches())
    }

    /// Resolves when there may be something for [`Conversation::report`]. Cancel-safe.
    pub(crate) async fn changed(&mut self) {
        let Conversation { watch, view, notify, .. } = self;
        let selected = view.as_ref().map(|view| (view.id, view.told));
        let mut lent = view.as_deref_mut().and_then(|view| view.lent.as_mut()).map(|lent| &mut lent.watch);
        let is_own = lent.is_none();
        loop {
            let notify = notify.as_deref_mut().filter(|notify| notify.watches());
            if selected.is_none() && notify.is_none() {
                return std::future::pending().await;
            }
            let of_lender = async {
                match lent.as_deref_mut() {
                    Some(lent) => lent.next().await,
                    None => std::future::pending().await,
                }
            };
            let (event, own) = tokio::select! {
                event = watch.next() => (event, true),
                event = of_lender => (event, false),
            };
            if own && let Some(notify) = notify {
                notify.note(event.as_ref().map(|event| event.folders.as_slice()));
                return;
            }
            // Events were missed: whoever looks finds what they were.
            let Some(event) = event else { return };
            if own == is_own
                && let Some((id, told)) = selected
                && event.seq > told
                && event.folders.contains(&id)
            {
                return;
            }
        }
    }

    /// Tells what changed.
    ///
    /// # Errors
    /// As [`Conversation::run`].
    pub(crate) async fn report(&mut self, out: &mut Output, moment: Moment) -> Result<(), Abort> {
        let telling = match moment {
            Moment::Idle => Telling::All,
            Moment::Between if self.notify.as_ref().is_some_and(|notify| notify.is_immediate()) => {
                Telling::All
            }
            Moment::Between => Telling::KeepNumbers,
        };
        self.check_lent(out).await?;
        Box::pin(self.sync(out, telling, false)).await?;
        if self.watches() { Box::pin(self.tell_others(out, false)).await } else { Ok(()) }
    }

    /// The selected mailbox.
    ///
    /// # Errors
    /// BAD when there is none.
    fn view(&mut self) -> Result<&mut View, Abort> {
        self.view.as_deref_mut().ok_or_else(none_selected)
    }
}

/// Commands after which there are other names, or other things known of them.
fn names_mailboxes(command: &Command) -> bool {
    matches!(
        command,
        Command::Create { .. }
            | Command::Delete(_)
            | Command::Rename { .. }
            | Command::Subscribe(_)
            | Command::Unsubscribe(_)
            | Command::SetMetadata { .. }
    )
}

fn none_selected() -> Abort {
    Completion::bad("Select a mailbox first").into()
}

/// What may be told after a command, and whether UIDs are told along.
fn telling(command: &Command) -> (Telling, bool) {
    match command {
        // RFC 9051 §7.5.1: no EXPUNGE while message numbers are being spoken of. COPY is not named there; a client
        // that sends commands ahead is safer so.
        Command::Fetch(fetch) => by_uid(fetch.uid),
        Command::Store(store) => by_uid(store.uid),
        Command::Search(search) => by_uid(search.uid),
        Command::Sort(sort) => by_uid(sort.uid),
        Command::Thread(thread) => by_uid(thread.uid),
        Command::Copy { uid, .. } => by_uid(*uid),
        Command::Select(_) | Command::Close | Command::Unselect => (Telling::Nothing, false),
        Command::Move { uid, .. } | Command::Replace { uid, .. } => (Telling::All, *uid),
        Command::Expunge { uids } => (Telling::All, uids.is_some()),
        _ => (Telling::All, false),
    }
}

fn by_uid(uid: bool) -> (Telling, bool) {
    (if uid { Telling::All } else { Telling::KeepNumbers }, uid)
}

#[cfg(test)]
mod tests;
