//! LIST in all its forms, LSUB, XLIST, NAMESPACE (RFC 9051 §6.3.9, RFC 5258, RFC 5819, RFC 6154, RFC 8440, RFC 3501).

use std::collections::{BTreeMap, HashSet};

use allod_core::Session;
use allod_core::mail::{MailboxInfo, SpecialUse};

use super::Conversation;
use super::acl::rights_letters;
use super::name::{self, INBOX, home};
use super::pattern::Pattern;
use super::select::enable_condstore;
use super::status::{look, tell_status};
use crate::syntax::ast::{List, StatusItem};
use crate::wire::{Abort, Completion, Output};

/// A name that may be told.
#[derive(Default)]
struct Listed {
    /// Absent for one that is only subscribed, or stands above such a one.
    info: Option<(MailboxInfo, Session)>,
    subscribed: bool,
}

/// Names that may be told, in their order.
type Table = BTreeMap<String, Listed>;

impl Conversation {
    pub(super) async fn list(&mut self, list: List, out: &mut Output) -> Result<Completion, Abort> {
        if !list.extended && list.patterns.iter().all(String::is_empty) {
            // RFC 9051 §6.3.9: a question for the delimiter.
            out.raw(if list.xlist { "* XLIST" } else { "* LIST" }).raw(" (\\Noselect) \"/\" \"\"\r\n");
            return Ok(Completion::ok("Listed"));
        }
        if list.returns.status.as_ref().is_some_and(|items| items.contains(&StatusItem::HighestModSeq)) {
            enable_condstore(self.view.as_deref(), out);
        }
        let table = self.table(list.select.subscribed || list.returns.subscribed).await?;
        let patterns: Vec<_> = list.patterns.iter().filter(|pattern| !pattern.is_empty()).collect();
        let patterns: Vec<_> = patterns.iter().map(|text| Pattern::new(&list.reference, text)).collect();
        let fits = |name: &str| patterns.iter().any(|pattern| pattern.fits(name));
        let parents = above(table.iter().filter(|(_, listed)| listed.info.is_some()).map(|(name, _)| name));
        let inner = Inner::new(&table, &list, &fits);
        for (name, listed) in &table {
            let meets = meets(listed, &list);
            let child_info =
                inner.below.contains(name.as_str()) && (meets || inner.alone.contains(name.as_str()));
            if !(meets || child_info) || !fits(name) {
                continue;
            }
            out.raw(if list.xlist { "* XLIST (" } else { "* LIST (" });
            attributes(out, name, listed, &list, parents.contains(name.as_str()));
            out.raw(") \"/\" ").mailbox(name);
            if child_info {
                out.raw(" (\"CHILDINFO\" (").raw(criteria(&list)).raw("))");
            }
            out.end();
            self.tell_more(name, listed, &list, out).await?;
            out.flow().await?;
        }
        Ok(Completion::ok("Listed"))
    }

    /// STATUS and MYRIGHTS of a mailbox that was told.
    async fn tell_more(
        &self,
        name: &str,
        listed: &Listed,
        list: &List,
        out: &mut Output,
    ) -> Result<(), Abort> {
        let Some((info, session)) = &listed.info else { return Ok(()) };
        if let (true, Some(items)) = (info.selectable, &list.returns.status) {
            // RFC 5819 §2: one that is gone meanwhile has none.
            if let Ok((status, recent)) = look(session, &info.path, items).await {
                tell_status(out, name, &status, recent, items);
            }
        }
        if list.returns.my_rights
            && let Some(rights) = info.rights
        {
            out.raw("* MYRIGHTS ").mailbox(name).raw(" ").raw(rights_letters(rights)).end();
        }
        Ok(())
    }

    pub(super) async fn lsub(
        &mut self,
        reference: String,
        pattern: String,
        out: &mut Output,
    ) -> Result<Completion, Abort> {
        if pattern.is_empty() {
            out.raw("* LSUB (\\Noselect) \"/\" \"\"\r\n");
            return Ok(Completion::ok("Listed"));
        }
        let mut table = self.table(true).await?;
        table.retain(|_, listed| listed.subscribed);
        let wanted = Pattern::new(&reference, &pattern);
        // RFC 3501 §6.3.9: `%` that stops above a subscribed name tells of the level that it stops at.
        let mut parents: Vec<String> = Vec::new();
        if pattern.contains('%') {
            let all = above(table.keys());
            parents = all.into_iter().filter(|name| !table.contains_key(*name)).map(str::to_owned).collect();
        }
        parents.into_iter().for_each(|name| _ = table.entry(name).or_default());
        for (name, listed) in table.iter().filter(|(name, _)| wanted.fits(name)) {
            out.raw(if listed.subscribed { "* LSUB () \"/\" " } else { "* LSUB (\\Noselect) \"/\" " });
            out.mailbox(name).end().flow().await?;
        }
        Ok(Completion::ok("Listed"))
    }

    /// All names: what is there, and what is subscribed.
    async fn table(&self, subscriptions: bool) -> Result<Table, Abort> {
        let mut table = Table::new();
        for info in self.session.mailboxes().await? {
            if let Some(name) = name::name_of(&info.path) {
                let session = self.session.clone();
                table.insert(name, Listed { info: Some((info, session)), subscribed: false });
            }
        }
        self.lent_mailboxes(&mut table).await?;
        if subscriptions {
            for path in self.session.subscriptions().await? {
                if let Some(name) = name::name_of(&path) {
                    table.entry(name).or_default().subscribed = true;
                }
            }
            // RFC 5258 §3.5: what stands above a subscribed name that is not there is not there either.
            let missing: Vec<String> = above(table.keys()).into_iter().map(str::to_owned).collect();
            missing.into_iter().for_each(|name| _ = table.entry(name).or_default());
        }
        Ok(table)
    }
}

impl Conversation {
    /// Adds what other accounts lend, with what is in it.
    async fn lent_mailboxes(&self, table: &mut Table) -> Result<(), Abort> {
        for mount in self.session.mounts(&home()).await? {
            let depth = mount.path.depth();
            for info in mount.session.mailboxes().await? {
                if !info.path.starts_with(&mount.path) {
                    continue;
                }
                let inside = info.path.names()[depth..].iter().cloned();
                let at = inside.fold(mount.at.clone(), |path, name| path.join(name));
                if let Some(name) = name::name_of(&at) {
                    // What it is for is the owner's affair.
                    let info = MailboxInfo { special: None, ..info };
                    table.insert(
                        name,
                        Listed { info: Some((info, mount.session.clone())), subscribed: false },
                    );
                }
            }
        }
        Ok(())
    }
}

/// RFC 5258 §3.5: names that have something below them that meets the criteria.
struct Inner<'a> {
    below: HashSet<&'a str>,
    /// Of these, something of that is not told itself.
    alone: HashSet<&'a str>,
}

impl<'a> Inner<'a> {
    fn new(table: &'a Table, list: &List, fits: &impl Fn(&str) -> bool) -> Inner<'a> {
        if !list.select.recursive_match {
            return Inner { below: HashSet::new(), alone: HashSet::new() };
        }
        let meeting = || table.iter().filter(|(_, listed)| meets(listed, list)).map(|(name, _)| name);
        Inner { below: above(meeting()), alone: above(meeting().filter(|name| !fits(name))) }
    }
}

/// All names above these.
fn above<'a>(names: impl Iterator<Item = &'a String>) -> HashSet<&'a str> {
    let mut found = HashSet::new();
    for name in names {
        let mut rest = name.as_str();
        while let Some((parent, _)) = rest.rsplit_once('/') {
            if !found.insert(parent) {
                break;
            }
            rest = parent;
        }
    }
    found
}

/// The selection options; without any, whatever is there.
fn meets(listed: &Listed, list: &List) -> bool {
    let select = &list.select;
    let special = listed.info.as_ref().is_some_and(|(info, _)| info.special.is_some());
    (listed.info.is_some() || select.subscribed)
        && (!select.subscribed || listed.subscribed)
        && (!select.special_use || special)
}

fn criteria(list: &List) -> &'static str {
    match (list.select.subscribed, list.select.special_use) {
        (true, true) => "\"SUBSCRIBED\" \"SPECIAL-USE\"",
        (false, true) => "\"SPECIAL-USE\"",
        _ => "\"SUBSCRIBED\"",
    }
}

fn attributes(out: &mut Output, name: &str, listed: &Listed, list: &List, parent: bool) {
    match &listed.info {
        // RFC 5258 §3: it implies \Noselect.
        None => out.raw("\\NonExistent "),
        Some((info, _)) if !info.selectable => out.raw("\\Noselect "),
        Some(_) => out,
    };
    out.raw(if parent { "\\HasChildren" } else { "\\HasNoChildren" });
    if listed.subscribed && (list.select.subscribed || list.returns.subscribed) {
        out.raw(" \\Subscribed");
    }
    if list.xlist && name == INBOX {
        out.raw(" \\Inbox");
    }
    if let Some(special) = listed.info.as_ref().and_then(|(info, _)| info.special) {
        out.raw(" ").raw(special_word(special, list.xlist));
    }
}

/// RFC 6154 §2, RFC 8457; XLIST had some words of its own.
fn special_word(special: SpecialUse, xlist: bool) -> &'static str {
    match special {
        SpecialUse::All if xlist => "\\AllMail",
        SpecialUse::Flagged if xlist => "\\Starred",
        SpecialUse::Junk if xlist => "\\Spam",
        SpecialUse::All => "\\All",
        SpecialUse::Archive => "\\Archive",
        SpecialUse::Drafts => "\\Drafts",
        SpecialUse::Flagged => "\\Flagged",
        SpecialUse::Important => "\\Important",
        SpecialUse::Junk => "\\Junk",
        SpecialUse::Sent => "\\Sent",
        SpecialUse::Trash => "\\Trash",
    }
}

/// RFC 2342: one's own mailboxes, below nothing.
pub(super) fn namespace(out: &mut Output) -> Completion {
    out.raw("* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n");
    Completion::ok("Namespaces told")
}
