//! Random work on mailboxes against a plain model, and a client that follows by MODSEQ alone.

use std::collections::BTreeMap;

use allod_model::{NodeId, Seq};
use proptest::prelude::*;

use super::*;
use crate::mail::*;

const BOXES: [&str; 3] = ["/Mail/INBOX", "/Mail/Archive", "/Mail/Trash"];

#[derive(Clone, Debug)]
enum Op {
    Append(usize, u8, u8),
    Mark(usize, Vec<u32>, u8, u8),
    Copy(usize, Vec<u32>, usize),
    Move(usize, Vec<u32>, usize),
    Expunge(usize),
    /// A file dropped in by the drive, under one of a few names.
    Drop(usize, u8, u8),
    /// A file of such a name removed.
    Remove(usize, u8),
    /// A file of such a name moved by the drive.
    Rename(usize, u8, usize),
    Collect,
}

fn op() -> impl Strategy<Value = Op> {
    let at = 0..BOXES.len();
    let uids = || prop::collection::vec(1u32..12, 1..4);
    prop_oneof![
        (at.clone(), 0u8..6, 0u8..32).prop_map(|(at, n, flags)| Op::Append(at, n, flags)),
        (at.clone(), uids(), 0u8..3, 0u8..32)
            .prop_map(|(at, uids, how, flags)| Op::Mark(at, uids, how, flags)),
        (at.clone(), uids(), at.clone()).prop_map(|(from, uids, to)| Op::Copy(from, uids, to)),
        (at.clone(), uids(), at.clone()).prop_map(|(from, uids, to)| Op::Move(from, uids, to)),
        at.clone().prop_map(Op::Expunge),
        (at.clone(), 0u8..3, 0u8..6).prop_map(|(at, name, n)| Op::Drop(at, name, n)),
        (at.clone(), 0u8..3).prop_map(|(at, name)| Op::Remove(at, name)),
        (at.clone(), 0u8..3, at).prop_map(|(from, name, to)| Op::Rename(from, name, to)),
        Just(Op::Collect),
    ]
}

#[derive(Clone, Debug, PartialEq)]
struct Mail {
    number: u8,
    flags: u8,
    name: Option<u8>,
}

#[derive(Default, Clone)]
struct Model {
    boxes: [BTreeMap<u32, Mail>; 3],
    last: [u32; 3],
}

impl Model {
    fn file(&mut self, at: usize, mail: Mail) {
        self.last[at] += 1;
        self.boxes[at].insert(self.last[at], mail);
    }

    fn named(&self, at: usize, name: u8) -> Option<u32> {
        self.boxes[at].iter().find(|(_, mail)| mail.name == Some(name)).map(|(uid, _)| *uid)
    }
}

fn bytes(number: u8) -> Vec<u8> {
    let filler = "word ".repeat(usize::from(number) * 700);
    format!("Subject: number {number}\r\nMessage-ID: <{number}@x>\r\n\r\n{filler}\r\n").into_bytes()
}

/// What a client knows of a mailbox that asks only for changes.
#[derive(Default)]
struct Mirror {
    modseq: Seq,
    flags: BTreeMap<u32, u8>,
}

impl Mirror {
    async fn follow(&mut self, session: &Session, mailbox: NodeId) {
        let changes = session.mailbox_changes(mailbox, self.modseq).await.unwrap();
        self.flags.retain(|uid, _| !changes.vanished.contains(*uid));
        let parts = MessageParts::default();
        for message in session.messages(mailbox, &changes.changed, 0, 1000, parts).await.unwrap() {
            self.flags.insert(message.uid, message.flags.0);
        }
        self.modseq = changes.modseq;
    }
}

struct Run {
    bench: Bench,
    session: Session,
    ids: [NodeId; 3],
    model: Model,
    mirrors: [Mirror; 3],
}

impl Run {
    async fn new() -> Run {
        let bench = Bench::new().await;
        let session = bench.session(&["all"]).await;
        let mut ids = [NodeId(0); 3];
        for (id, at) in ids.iter_mut().zip(BOXES) {
            *id = session.mailbox_status(&path(at)).await.unwrap().id;
        }
        Run { bench, session, ids, model: Model::default(), mirrors: Default::default() }
    }

    async fn step(&mut self, op: &Op) {
        let session = self.session.clone();
        match op {
            Op::Append(at, number, flags) => {
                let whole = bytes(*number);
                let staged = session.stage_message(whole.len() as u64, body(&whole)).await.unwrap();
                let new = NewMessage { staged, flags: Flags(*flags), keywords: Vec::new(), internal: None };
                let done = session.append(&path(BOXES[*at]), vec![new]).await.unwrap();
                self.model.file(*at, Mail { number: *number, flags: *flags, name: None });
                assert_eq!(done.uids, [self.model.last[*at]]);
            }
            Op::Mark(at, uids, how, flags) => {
                let operation = [Operation::Replace, Operation::Add, Operation::Remove][usize::from(*how)];
                let change = MarkChange {
                    operation,
                    flags: Flags(*flags),
                    keywords: Vec::new(),
                    unchanged_since: None,
                };
                let set = UidSet::from_ranges(uids.iter().map(|uid| (*uid, *uid)));
                session.mark_messages(self.ids[*at], &set, change).await.unwrap();
                for (_, mail) in self.model.boxes[*at].iter_mut().filter(|(uid, _)| uids.contains(uid)) {
                    mail.flags = [*flags, mail.flags | flags, mail.flags & !flags][usize::from(*how)];
                }
            }
            Op::Copy(from, uids, to) | Op::Move(from, uids, to) => {
                let moving = matches!(op, Op::Move(..));
                let set = UidSet::from_ranges(uids.iter().map(|uid| (*uid, *uid)));
                let target = path(BOXES[*to]);
                let done = match moving {
                    true => session.move_messages(self.ids[*from], &set, &target).await.unwrap(),
                    false => session.copy_messages(self.ids[*from], &set, &target).await.unwrap(),
                };
                let there: Vec<u32> =
                    set.iter().filter(|uid| self.model.boxes[*from].contains_key(uid)).collect();
                for (uid, pair) in there.iter().zip(&done.pairs) {
                    let mut mail = self.model.boxes[*from][uid].clone();
                    if moving {
                        self.model.boxes[*from].remove(uid);
                    }
                    // A name goes along by a move where it is free.
                    let taken = mail.name.is_some_and(|name| self.model.named(*to, name).is_some());
                    mail.name = mail.name.filter(|_| moving && !taken);
                    self.model.file(*to, mail);
                    assert_eq!(*pair, (*uid, self.model.last[*to]));
                }
                assert_eq!(there.len(), done.pairs.len());
            }
            Op::Expunge(at) => {
                let gone: Vec<u32> =
                    session.expunge_messages(self.ids[*at], None).await.unwrap().iter().collect();
                let deleted = |mail: &Mail| Flags(mail.flags).has(Flags::DELETED);
                let expected: Vec<u32> = self.model.boxes[*at]
                    .iter()
                    .filter(|(_, mail)| deleted(mail))
                    .map(|(uid, _)| *uid)
                    .collect();
                assert_eq!(gone, expected);
                self.model.boxes[*at].retain(|_, mail| !deleted(mail));
            }
            Op::Drop(at, name, number) => {
                put(&session, &format!("{}/{name}.eml", BOXES[*at]), &bytes(*number)).await.unwrap();
                match self.model.named(*at, *name) {
                    Some(uid) if self.model.boxes[*at][&uid].number == *number => {}
                    old => {
                        old.map(|uid| self.model.boxes[*at].remove(&uid));
                        self.model.file(*at, Mail { number: *number, flags: 0, name: Some(*name) });
                    }
                }
            }
            Op::Remove(at, name) => {
                let removed = remove(&session, &format!("{}/{name}.eml", BOXES[*at])).await;
                let known = self.model.named(*at, *name);
                assert_eq!(removed.is_ok(), known.is_some());
                known.map(|uid| self.model.boxes[*at].remove(&uid));
            }
            Op::Rename(from, name, to) if from != to => {
                let options = TransferOptions { overwrite: true, shallow: false };
                let place = |at: usize| path(&format!("{}/{name}.eml", BOXES[at]));
                let moved =
                    session.rename(&place(*from), &place(*to), options, Precondition::default()).await;
                let known = self.model.named(*from, *name);
                assert_eq!(moved.is_ok(), known.is_some());
                if let Some(mail) = known.and_then(|uid| self.model.boxes[*from].remove(&uid)) {
                    self.model.named(*to, *name).map(|uid| self.model.boxes[*to].remove(&uid));
                    self.model.file(*to, mail);
                }
            }
            Op::Rename(..) => {}
            Op::Collect => {
                self.bench.core.collect(false).await.unwrap();
            }
        }
    }

    async fn compare(&mut self) {
        for (at, name) in BOXES.iter().enumerate() {
            let selected = self.session.select_mailbox(&path(name)).await.unwrap();
            let model = &self.model.boxes[at];
            let uids: Vec<u32> = selected.uids.to_set().iter().collect();
            assert_eq!(uids, model.keys().copied().collect::<Vec<_>>());
            let status = selected.status;
            let unseen = model.values().filter(|mail| !Flags(mail.flags).has(Flags::SEEN)).count();
            assert_eq!(status.unseen as usize, unseen);
            assert_eq!(status.uid_next, self.model.last[at] + 1);
            self.mirrors[at].follow(&self.session, self.ids[at]).await;
            let flags: BTreeMap<u32, u8> = model.iter().map(|(uid, mail)| (*uid, mail.flags)).collect();
            assert_eq!(self.mirrors[at].flags, flags, "{name}");
        }
    }

    async fn compare_bytes(&self) {
        for (at, id) in self.ids.iter().enumerate() {
            for (uid, mail) in &self.model.boxes[at] {
                let whole = collect(self.session.open_message(*id, *uid).await.unwrap().read(None)).await;
                assert_eq!(whole.unwrap(), bytes(mail.number));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 300, ..ProptestConfig::default() })]
    #[test]
    fn mailboxes_are_as_the_model_says(ops in prop::collection::vec(op(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut run = Run::new().await;
            for op in &ops {
                run.step(op).await;
                run.compare().await;
            }
            run.compare_bytes().await;
            run.bench.core.collect(true).await.unwrap();
            run.compare_bytes().await;
            run.bench.assert_clean().await;
        });
    }
}
