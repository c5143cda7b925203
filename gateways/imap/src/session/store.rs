//! STORE (RFC 9051 §6.4.6, RFC 7162 §3.1.3).

use allod_core::mail::{MarkChange, MarkedMessage, Operation, UidSet};
use allod_model::Seq;

use super::Conversation;
use super::select::enable_condstore;
use super::sync::Telling;
use crate::print::{flags, set};
use crate::syntax::ast::{Flag, FlagsChange, Store};
use crate::wire::{Abort, Code, Completion, Output};

impl Conversation {
    pub(super) async fn store(&mut self, store: Store, out: &mut Output) -> Result<Completion, Abort> {
        if store.unchanged_since.is_some() {
            enable_condstore(self.view.as_deref(), out);
        }
        if store.flags.contains(&Flag::Recent) {
            // RFC 3501 §2.3.2
            return Ok(Completion::bad("\\Recent is nobody's to set"));
        }
        let view = self.writable()?;
        let uids = view.resolve(&store.set, store.uid)?;
        // What others changed is told first: with .SILENT, nothing of it would be told otherwise.
        self.sync(out, Telling::KeepNumbers, store.uid).await?;
        let operation = match store.change {
            FlagsChange::Replace => Operation::Replace,
            FlagsChange::Add => Operation::Add,
            FlagsChange::Remove => Operation::Remove,
        };
        let (system, keywords) = flags::sorted(store.flags);
        let change = MarkChange {
            operation,
            flags: system,
            keywords,
            unchanged_since: store.unchanged_since.map(Seq),
        };
        let id = self.view()?.id;
        let marked = self.selected()?.mark_messages(id, &uids, change).await?;
        self.tell_marked(&marked.messages, store.uid, store.silent, out).await?;
        let done = UidSet::from_iter(marked.messages.iter().map(|message| message.uid));
        let missing = uids.difference(&done).difference(&marked.modified);
        let view = self.view()?;
        if !marked.modified.is_empty() {
            let numbers = set::text(&view.numbers(&marked.modified, store.uid));
            let code = Code::new(format!("MODIFIED {numbers}"));
            let text = "Some had changed";
            return Ok(Completion::ok(text).with(code));
        }
        Ok(ended("Stored", &missing))
    }

    /// FETCH answers with flags after a change of them.
    async fn tell_marked(
        &mut self,
        messages: &[MarkedMessage],
        uid: bool,
        silent: bool,
        out: &mut Output,
    ) -> Result<(), Abort> {
        let view = self.view()?;
        if messages.iter().any(|message| !view.knows(&message.keywords)) {
            let names = self.selected()?.keywords().await?;
            let view = self.view()?;
            view.names = names;
            let all: Vec<_> = messages.iter().flat_map(|message| message.keywords.clone()).collect();
            view.learn(out, &all);
        }
        let view = self.view()?;
        let condstore = out.enabled().condstore;
        let uid = uid || out.enabled().qresync;
        for message in messages {
            // What another session changed a moment ago was not told: then .SILENT keeps nothing back.
            let silent = silent && view.saw(message.uid, message.previous);
            view.show(message.uid, message.modseq);
            // RFC 7162 §3.1.3: MODSEQ is told even with .SILENT.
            let Some(seq) = view.uids.seq(message.uid) else { continue };
            if silent && !(condstore && message.altered) {
                continue;
            }
            out.raw("* ").number(seq.into()).raw(" FETCH (");
            let mut space = "";
            if uid {
                out.raw("UID ").number(message.uid.into());
                space = " ";
            }
            if !silent {
                out.raw(std::mem::replace(&mut space, " "));
                view.flags(out, message.uid, message.flags, &message.keywords);
            }
            if condstore {
                out.raw(space).raw("MODSEQ (").number(message.modseq.0).raw(")");
            }
            out.raw(")\r\n").flow().await?;
        }
        Ok(())
    }
}

/// How a command on messages ends of which some may be gone. RFC 2180 §4: what could be done is done, and the code says
/// that it was not all; NO would be shown to the person.
pub(super) fn ended(text: &'static str, missing: &UidSet) -> Completion {
    match missing.is_empty() {
        true => Completion::ok(text),
        false => Completion::ok(text).with(Code::EXPUNGE_ISSUED),
    }
}
