//! Threading messages (RFC 5256): ORDEREDSUBJECT and REFERENCES.

use std::collections::HashMap;
use std::sync::Arc;

use allod_model::{NodeId, Result};

use crate::fault::Res;
use crate::mail::brief::{Brief, EMPTY, TextNumber};
use crate::mail::fetch::each_row;
use crate::mail::sort::sent_secs;
use crate::mail::uids::UidSet;
use crate::session::Session;

/// How messages are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThreadBy {
    /// One thread for each base subject.
    OrderedSubject,
    /// By References and In-Reply-To, then by base subject.
    References,
    /// By References and In-Reply-To alone (draft-ietf-morg-inthread, `REFS`).
    Refs,
}

/// One message in a thread, or a place whose message is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ThreadNode {
    /// The UID; none for a message that is not there.
    pub uid: Option<u32>,
    /// Places of the children in [`Forest::nodes`], in order.
    pub children: Vec<usize>,
}

/// Threads. Nodes name each other by number: a thread may be deeper than a stack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forest {
    /// All nodes.
    pub nodes: Vec<ThreadNode>,
    /// Places of the threads' first nodes, in order.
    pub roots: Vec<usize>,
}

/// What threading needs of a message.
struct Member {
    uid: u32,
    sent: i64,
    brief: Arc<Brief>,
}

impl Session {
    /// The threads of messages. Those that are gone are left out.
    ///
    /// # Errors
    /// `NotFound` when the mailbox is gone; `Corrupt`.
    pub async fn thread_messages(&self, mailbox: NodeId, uids: &UidSet, by: ThreadBy) -> Result<Forest> {
        let (me, uids) = (self.clone(), uids.clone());
        crate::core::blocking(move || {
            let members = me.members_of(mailbox, &uids)?;
            Ok(match by {
                ThreadBy::OrderedSubject => by_subject(members),
                ThreadBy::References => Threading::of(members).finish(true),
                ThreadBy::Refs => Threading::of(members).finish(false),
            })
        })
        .await
    }

    fn members_of(&self, mailbox: NodeId, uids: &UidSet) -> Res<Vec<Member>> {
        let view = self.view()?;
        self.check_mailbox(&view, mailbox)?;
        let group = self.briefs_for(&view, mailbox, uids)?;
        let mut members = Vec::new();
        each_row(&view, self, mailbox, uids, 0, |uid, row| {
            let brief = group.of(&view, self.handle(), row.content)?;
            members.push(Member { uid, sent: sent_secs(row, &brief), brief });
            Ok(std::ops::ControlFlow::Continue(()))
        })?;
        Ok(members)
    }
}

/// RFC 5256 §3, ORDEREDSUBJECT: the first message of a subject has the others as its children.
fn by_subject(mut members: Vec<Member>) -> Forest {
    members.sort_unstable_by_key(|member| (member.brief.subject, member.sent, member.uid));
    let mut forest = Forest::default();
    let mut begins: Vec<(i64, u32, usize)> = Vec::new();
    let mut subject: Option<TextNumber> = None;
    for member in members {
        let place = forest.nodes.len();
        forest.nodes.push(ThreadNode { uid: Some(member.uid), children: Vec::new() });
        match begins.last() {
            Some((_, _, root)) if subject == Some(member.brief.subject) => {
                forest.nodes[*root].children.push(place);
            }
            _ => begins.push((member.sent, member.uid, place)),
        }
        subject = Some(member.brief.subject);
    }
    begins.sort_unstable();
    forest.roots = begins.into_iter().map(|(_, _, root)| root).collect();
    forest
}

/// Threads that are left when those of one subject are put together.
#[derive(Default)]
struct Left {
    roots: Vec<usize>,
    at: HashMap<usize, usize>,
}

impl Left {
    fn push(&mut self, root: usize) {
        self.at.insert(root, self.roots.len());
        self.roots.push(root);
    }

    /// Puts a thread where another was, or at the end.
    fn replace(&mut self, known: usize, new: usize) {
        match self.at.remove(&known) {
            Some(at) => {
                self.roots[at] = new;
                self.at.insert(new, at);
            }
            None => self.push(new),
        }
    }
}

/// A place in a tree being put together (RFC 5256 §3, REFERENCES).
#[derive(Default)]
struct Container {
    /// Place in the list of members.
    member: Option<usize>,
    parent: Option<usize>,
    children: Vec<usize>,
}

struct Threading {
    members: Vec<Member>,
    containers: Vec<Container>,
}

impl Threading {
    /// Step 1: links every message to those that it refers to.
    fn of(members: Vec<Member>) -> Threading {
        let mut threading = Threading { members, containers: Vec::new() };
        let mut by_id: HashMap<TextNumber, usize> = HashMap::new();
        for at in 0..threading.members.len() {
            let brief = threading.members[at].brief.clone();
            let known = brief.id.and_then(|id| by_id.get(&id).copied());
            // A second message of an id that is taken has one of its own.
            let place = known.filter(|place| threading.containers[*place].member.is_none());
            let place = place.unwrap_or_else(|| threading.container());
            threading.containers[place].member = Some(at);
            if let Some(id) = brief.id
                && known.is_none()
            {
                by_id.insert(id, place);
            }
            let mut parent = None;
            for reference in &brief.references {
                let next = *by_id.entry(*reference).or_insert_with(|| threading.container());
                if let Some(parent) = parent
                    && threading.containers[next].parent.is_none()
                {
                    threading.link(parent, next);
                }
                parent = Some(next);
            }
            // 1.B: the last reference is the parent, whatever was thought before.
            threading.unlink(place);
            if let Some(parent) = parent {
                threading.link(parent, place);
            }
        }
        threading
    }

    fn container(&mut self) -> usize {
        self.containers.push(Container::default());
        self.containers.len() - 1
    }

    /// Makes a child of a parent unless that would be a loop.
    fn link(&mut self, parent: usize, child: usize) {
        let mut above = Some(parent);
        while let Some(at) = above {
            if at == child {
                return;
            }
            above = self.containers[at].parent;
        }
        self.containers[child].parent = Some(parent);
        self.containers[parent].children.push(child);
    }

    fn unlink(&mut self, child: usize) {
        if let Some(parent) = self.containers[child].parent.take() {
            self.containers[parent].children.retain(|other| *other != child);
        }
    }

    /// Steps 2 to 6.
    fn finish(mut self, by_subject: bool) -> Forest {
        let roots: Vec<usize> =
            (0..self.containers.len()).filter(|at| self.containers[*at].parent.is_none()).collect();
        let mut roots = self.prune(roots);
        if by_subject {
            self.sort_roots(&mut roots);
            roots = self.gather_subjects(roots);
        }
        self.sort_all(&mut roots);
        self.forest(roots)
    }

    /// Step 3: takes out places without a message; their children come in their place, one level up, but at the root
    /// only where it is a single one.
    fn prune(&mut self, roots: Vec<usize>) -> Vec<usize> {
        for at in self.deepest_first(&roots) {
            let children = std::mem::take(&mut self.containers[at].children);
            let mut kept = Vec::with_capacity(children.len());
            for child in children {
                if self.containers[child].member.is_some() {
                    kept.push(child);
                } else {
                    kept.extend(std::mem::take(&mut self.containers[child].children));
                }
            }
            kept.iter().for_each(|child| self.containers[*child].parent = Some(at));
            self.containers[at].children = kept;
        }
        let mut left = Vec::new();
        for root in roots {
            if self.containers[root].member.is_some() || self.containers[root].children.len() > 1 {
                left.push(root);
            } else if let Some(child) = self.containers[root].children.pop() {
                self.containers[child].parent = None;
                left.push(child);
            }
        }
        left
    }

    /// All places below `roots`, children before their parents.
    fn deepest_first(&self, roots: &[usize]) -> Vec<usize> {
        let mut order: Vec<usize> = roots.to_vec();
        let mut next = 0;
        while next < order.len() {
            order.extend(&self.containers[order[next]].children);
            next += 1;
        }
        order.reverse();
        order
    }

    fn sent(&self, at: usize) -> (i64, u32) {
        // A place without a message counts as its first child.
        let mut at = at;
        while self.containers[at].member.is_none() {
            match self.containers[at].children.first() {
                Some(child) => at = *child,
                None => return (0, 0),
            }
        }
        let member = self.containers[at].member.map(|member| &self.members[member]);
        member.map_or((0, 0), |member| (member.sent, member.uid))
    }

    /// Step 4.
    fn sort_roots(&mut self, roots: &mut [usize]) {
        for root in roots.iter() {
            if self.containers[*root].member.is_none() {
                self.sort_children(*root);
            }
        }
        roots.sort_by_key(|root| self.sent(*root));
    }

    fn sort_children(&mut self, at: usize) {
        let mut children = std::mem::take(&mut self.containers[at].children);
        children.sort_by_key(|child| self.sent(*child));
        self.containers[at].children = children;
    }

    /// The subject of a thread, and whether its first message is a reply.
    fn subject(&self, root: usize) -> (TextNumber, bool) {
        let first = match self.containers[root].member {
            Some(member) => Some(member),
            None => self.containers[root].children.first().and_then(|child| self.containers[*child].member),
        };
        first.map_or((EMPTY, false), |at| {
            let brief = &self.members[at].brief;
            (brief.subject, brief.is_reply)
        })
    }

    /// Step 5: puts threads of one subject together.
    fn gather_subjects(&mut self, roots: Vec<usize>) -> Vec<usize> {
        let mut table: HashMap<TextNumber, usize> = HashMap::new();
        for root in &roots {
            let (subject, is_reply) = self.subject(*root);
            if subject == EMPTY {
                continue;
            }
            let better = match table.get(&subject) {
                None => true,
                Some(known) => {
                    let dummy = self.containers[*root].member.is_none();
                    let known_dummy = self.containers[*known].member.is_none();
                    (dummy && !known_dummy) || (!known_dummy && self.subject(*known).1 && !is_reply)
                }
            };
            if better {
                table.insert(subject, *root);
            }
        }
        let mut left = Left::default();
        let mut merged: HashMap<usize, usize> = HashMap::new();
        for root in roots {
            let (subject, is_reply) = self.subject(root);
            let Some(known) = table.get(&subject).copied().filter(|known| *known != root) else {
                left.push(root);
                continue;
            };
            let known = merged.get(&known).copied().unwrap_or(known);
            self.merge(root, known, is_reply, &mut left, &mut merged);
        }
        let mut left = left.roots;
        left.retain(|root| self.containers[*root].parent.is_none());
        left
    }

    /// Step 5.C: joins the thread `root` to the thread `known` of the same subject.
    fn merge(
        &mut self,
        root: usize,
        known: usize,
        is_reply: bool,
        left: &mut Left,
        merged: &mut HashMap<usize, usize>,
    ) {
        let dummy = self.containers[root].member.is_none();
        let known_dummy = self.containers[known].member.is_none();
        if dummy && known_dummy {
            for child in std::mem::take(&mut self.containers[root].children) {
                self.containers[child].parent = None;
                self.link(known, child);
            }
        } else if known_dummy || (is_reply && !self.subject(known).1) {
            self.link(known, root);
        } else {
            // Both become children of a place of their own.
            let place = self.container();
            self.link(place, known);
            self.link(place, root);
            left.replace(known, place);
            merged.insert(known, place);
        }
    }

    /// Step 6.
    fn sort_all(&mut self, roots: &mut [usize]) {
        for at in self.deepest_first(roots) {
            self.sort_children(at);
        }
        roots.sort_by_key(|root| self.sent(*root));
    }

    fn forest(self, roots: Vec<usize>) -> Forest {
        let mut forest = Forest::default();
        /// No message comes to this place.
        const NOWHERE: usize = usize::MAX;
        let mut places = vec![NOWHERE; self.containers.len()];
        let order = self.deepest_first(&roots);
        forest.nodes.reserve(order.len());
        for at in order {
            let container = &self.containers[at];
            let children = container.children.iter().map(|child| places[*child]).collect();
            places[at] = forest.nodes.len();
            let uid = container.member.map(|member| self.members[member].uid);
            forest.nodes.push(ThreadNode { uid, children });
        }
        forest.roots = roots.iter().map(|root| places[*root]).filter(|place| *place != NOWHERE).collect();
        forest
    }
}
