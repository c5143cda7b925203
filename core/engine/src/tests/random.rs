//! Random operations against a plain model in memory: contents, listings, roll-ups, change index and history.

use std::collections::BTreeMap;

use allod_model::Seq;
use proptest::prelude::*;

use super::*;

/// The model: every path that exists, with content for files.
type Tree = BTreeMap<String, Option<Vec<u8>>>;

#[derive(Clone, Debug)]
enum Op {
    Put(usize, u16),
    Mkdir(usize),
    Remove(usize),
    Rename(usize, usize),
    Copy(usize, usize),
    Restore(usize, usize),
    Collect,
}

/// All paths over three names, three deep: few enough that operations meet.
fn paths() -> Vec<String> {
    let mut paths = Vec::new();
    for a in ["a", "b", "c"] {
        paths.push(format!("/{a}"));
        for b in ["a", "b"] {
            paths.push(format!("/{a}/{b}"));
            paths.push(format!("/{a}/{b}/x"));
        }
    }
    paths
}

fn operation() -> impl Strategy<Value = Op> {
    let at = 0..paths().len();
    prop_oneof![
        4 => (at.clone(), any::<u16>()).prop_map(|(p, n)| Op::Put(p, n)),
        3 => at.clone().prop_map(Op::Mkdir),
        2 => at.clone().prop_map(Op::Remove),
        2 => (at.clone(), at.clone()).prop_map(|(a, b)| Op::Rename(a, b)),
        2 => (at.clone(), at.clone()).prop_map(|(a, b)| Op::Copy(a, b)),
        1 => (at, 0..10usize).prop_map(|(p, back)| Op::Restore(p, back)),
        1 => Just(Op::Collect),
    ]
}

fn parent_is_folder(tree: &Tree, at: &str) -> bool {
    let parent = &at[..at.rfind('/').unwrap()];
    parent.is_empty() || tree.get(parent) == Some(&None)
}

fn below<'a>(tree: &'a Tree, at: &str) -> Vec<&'a String> {
    let prefix = format!("{at}/");
    tree.keys().filter(|p| **p == at || p.starts_with(&prefix)).collect()
}

fn cut(tree: &mut Tree, at: &str) -> Tree {
    let keys: Vec<String> = below(tree, at).into_iter().cloned().collect();
    keys.into_iter()
        .map(|key| {
            let value = tree.remove(&key).unwrap();
            (key, value)
        })
        .collect()
}

fn apart(a: &str, b: &str) -> bool {
    a != b && !a.starts_with(&format!("{b}/")) && !b.starts_with(&format!("{a}/"))
}

/// Applies an operation to the model; `None` when it must be refused.
fn apply(tree: &Tree, op: &Op, paths: &[String]) -> Option<Tree> {
    let mut next = tree.clone();
    match op {
        Op::Put(p, n) => {
            let at = &paths[*p];
            if !parent_is_folder(tree, at) || tree.get(at) == Some(&None) {
                return None;
            }
            next.insert(at.clone(), Some(content(*n)));
        }
        Op::Mkdir(p) => {
            if !parent_is_folder(tree, &paths[*p]) || tree.contains_key(&paths[*p]) {
                return None;
            }
            next.insert(paths[*p].clone(), None);
        }
        Op::Remove(p) => {
            tree.get(&paths[*p])?;
            cut(&mut next, &paths[*p]);
        }
        Op::Rename(a, b) | Op::Copy(a, b) => {
            let (from, to) = (&paths[*a], &paths[*b]);
            if !apart(from, to) || !tree.contains_key(from) || !parent_is_folder(tree, to) {
                return None;
            }
            cut(&mut next, to);
            let moved = match op {
                Op::Rename(..) => cut(&mut next, from),
                _ => below(tree, from).into_iter().map(|key| (key.clone(), tree[key].clone())).collect(),
            };
            for (key, value) in moved {
                next.insert(format!("{to}{}", &key[from.len()..]), value);
            }
        }
        Op::Restore(..) | Op::Collect => {}
    }
    Some(next)
}

/// Some contents lie inline, some in one chunk, some in several.
fn content(n: u16) -> Vec<u8> {
    let len = match n % 8 {
        0 => 20_000,
        1 => 1_300_000,
        other => usize::from(other) * 10,
    };
    noise(u64::from(n % 16), len)
}

async fn observe(session: &Session, at: &Path, tree: &mut Tree) {
    let listing = session.list(at, None, 2000, false).await.unwrap();
    for node in listing.nodes {
        let path = at.join(node.name.clone());
        if at.is_root() && ["Mail", "Calendars", "Contacts", "public"].contains(&node.name.as_str()) {
            continue;
        }
        if node.is_folder() {
            tree.insert(path.to_string(), None);
            Box::pin(observe(session, &path, tree)).await;
        } else {
            tree.insert(path.to_string(), Some(get(session, &path.to_string()).await.unwrap()));
        }
    }
}

/// A client that keeps a folder in sync by tokens alone.
#[derive(Default)]
struct Mirror {
    token: Option<Seq>,
    members: BTreeMap<String, bool>,
}

impl Mirror {
    async fn follow(&mut self, session: &Session) {
        loop {
            let changes = session.changes(&Path::root(), self.token, 3, false).await.unwrap();
            for change in changes.changes {
                let key = String::from_utf8(change.key.as_bytes().to_vec()).unwrap();
                match change.node {
                    // A file that became a folder, or the reverse, is one member that changed.
                    Some(node) => {
                        self.members
                            .retain(|known, _| known.trim_end_matches('/') != key.trim_end_matches('/'));
                        self.members.insert(key, node.is_folder());
                    }
                    None => drop(self.members.remove(&key)),
                }
            }
            self.token = Some(changes.token);
            if !changes.more {
                return;
            }
        }
    }
}

async fn run(ops: Vec<Op>) {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    let paths = paths();
    let mut tree = Tree::new();
    let mut mirror = Mirror::default();
    let mut past: Vec<(Seq, Tree)> = Vec::new();
    for op in ops {
        bench.clock.advance_secs(1);
        let expected = apply(&tree, &op, &paths);
        let outcome = match &op {
            Op::Put(p, n) => put(&session, &paths[*p], &content(*n)).await.map(drop),
            Op::Mkdir(p) => mkdir(&session, &paths[*p]).await.map(drop),
            Op::Remove(p) => remove(&session, &paths[*p]).await,
            Op::Rename(a, b) => rename(&session, &paths[*a], &paths[*b]).await.map(drop),
            Op::Copy(a, b) => copy(&session, &paths[*a], &paths[*b]).await.map(drop),
            Op::Collect => bench.core.collect(true).await.map(drop),
            Op::Restore(p, back) => {
                if let Some((seq, then)) = past.iter().rev().nth(*back) {
                    tree = restore(&session, &paths[*p], *seq, then, tree).await;
                }
                Ok(())
            }
        };
        match expected {
            Some(next) if !matches!(op, Op::Restore(..)) => {
                assert!(outcome.is_ok(), "{op:?}: {outcome:?}");
                tree = next;
            }
            Some(_) => {}
            None => assert!(outcome.is_err(), "{op:?} must be refused"),
        }
        let mut seen = Tree::new();
        observe(&session, &Path::root(), &mut seen).await;
        assert_eq!(seen.keys().collect::<Vec<_>>(), tree.keys().collect::<Vec<_>>(), "{op:?}");
        assert!(seen == tree, "contents differ after {op:?}");
        let root = session.stat(&Path::root(), Want::Folder, false).await.unwrap();
        let bytes: u64 = tree.values().flatten().map(|c| c.len() as u64).sum();
        let documents = tree.values().flatten().count() as u64;
        assert_eq!((root.size, root.folder.unwrap().documents), (bytes, documents), "{op:?}");
        mirror.follow(&session).await;
        let top: Vec<_> = names(&session, "/").await;
        assert_eq!(mirror.members.keys().cloned().collect::<Vec<_>>(), top, "sync after {op:?}");
        let seq = session.log(&Path::root(), None, 1).await.unwrap()[0].seq;
        past.push((seq, tree.clone()));
    }
    bench.assert_clean().await;
}

/// Restores one path and says what the tree must be then; a restore whose parent folder is gone is refused.
async fn restore(session: &Session, at: &str, seq: Seq, then: &Tree, tree: Tree) -> Tree {
    let outcome = session.restore_as_of(&path(at), seq, false).await;
    let known = tree.contains_key(at) || then.contains_key(at);
    if !known || !parent_is_folder(&tree, at) {
        assert!(outcome.is_err(), "restore {at}: {outcome:?}");
        return tree;
    }
    assert!(outcome.is_ok(), "restore {at}: {outcome:?}");
    let mut next = tree;
    cut(&mut next, at);
    for key in below(then, at) {
        next.insert(key.clone(), then[key].clone());
    }
    next
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_tree_behaves_as_the_model(ops in proptest::collection::vec(operation(), 1..40)) {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(run(ops));
    }
}
