//! Listings of versions against a model: every version and delete marker once, newest first.

use std::collections::BTreeMap;

use allod_model::Name;
use proptest::prelude::*;

use super::*;

const KEYS: [&str; 7] = ["a", "a/", "a/b", "a.b", "a/c/d", "b", "\u{1}"];

fn name(text: &str) -> Name {
    Name::new(text.as_bytes(), NameRule::Raw).unwrap()
}

fn at(key: &str) -> Path {
    Path::parse(format!("bucket/{key}").as_bytes(), NameRule::Raw).unwrap()
}

#[derive(Clone, Debug)]
enum Op {
    Put(usize),
    /// By another window.
    Write(usize),
    Delete(usize),
    /// Key, and which of its versions.
    DeleteVersion(usize, usize),
    Versioning(bool),
}

fn operation() -> impl Strategy<Value = Op> {
    let key = 0..KEYS.len();
    prop_oneof![
        6 => key.clone().prop_map(Op::Put),
        1 => key.clone().prop_map(Op::Write),
        3 => key.clone().prop_map(Op::Delete),
        3 => (key, any::<usize>()).prop_map(|(k, n)| Op::DeleteVersion(k, n)),
        1 => any::<bool>().prop_map(Op::Versioning),
    ]
}

/// Key → its versions, newest first: id, and whether it is a delete marker.
type Model = BTreeMap<String, Vec<(VersionId, bool)>>;

struct World {
    bench: Bench,
    session: Session,
    versioning: Versioning,
    model: Model,
}

impl World {
    async fn new() -> World {
        let bench = Bench::new().await;
        let session = bench.session(&["all"]).await;
        session.create_bucket(&name("bucket"), false).await.unwrap();
        World { bench, session, versioning: Versioning::Off, model: Model::new() }
    }

    fn note(&mut self, key: &str, id: VersionId, marker: bool) {
        let versions = self.model.entry(key.to_owned()).or_default();
        if id == VersionId::Null {
            versions.retain(|(old, _)| *old != VersionId::Null);
        }
        versions.insert(0, (id, marker));
    }

    async fn apply(&mut self, op: Op) {
        let session = &self.session;
        match op {
            Op::Put(k) => {
                let pre = Precondition::default();
                let options = PutOptions::default();
                let here = at(KEYS[k]);
                let put = session.put_object(&here, options, pre.clone(), body(b"x"), |_, _| Ok(()));
                put.await.unwrap();
                let shown = session.stat_object(&at(KEYS[k]), None, &pre).await.unwrap();
                self.note(KEYS[k], shown.object.unwrap().version, false);
            }
            Op::Write(k) => {
                let strict =
                    Path::parse(format!("/bucket/{}", KEYS[k]).as_bytes(), NameRule::Strict).unwrap();
                let pre = Precondition::default();
                if KEYS[k].ends_with('/')
                    || session.put(&strict, PutOptions::default(), pre.clone(), body(b"y")).await.is_err()
                {
                    return;
                }
                let shown = session.stat_object(&at(KEYS[k]), None, &pre).await.unwrap();
                self.note(KEYS[k], shown.object.unwrap().version, false);
            }
            Op::Delete(k) => {
                let deleted = self.delete(KEYS[k], None).await;
                match deleted.version {
                    Some(id) => self.note(KEYS[k], id, true),
                    None => drop(self.model.remove(KEYS[k])),
                }
            }
            Op::DeleteVersion(k, n) => {
                let Some(versions) = self.model.get_mut(KEYS[k]).filter(|v| !v.is_empty()) else { return };
                let n = n % versions.len();
                let (id, _) = versions.remove(n);
                self.delete(KEYS[k], Some(id)).await;
            }
            Op::Versioning(on) => {
                self.versioning = if on { Versioning::Enabled } else { Versioning::Suspended };
                let wanted = self.versioning;
                let change = move |settings: &mut BucketSettings| {
                    settings.versioning = wanted;
                    Ok(())
                };
                session.change_bucket(&name("bucket"), change).await.unwrap();
            }
        }
        self.model.retain(|_, versions| !versions.is_empty());
    }

    async fn delete(&self, key: &str, version: Option<VersionId>) -> Deleted {
        let request = DeleteRequest::new(at(key), version);
        self.session.delete_objects(vec![request], false).await.unwrap().remove(0).unwrap()
    }

    async fn page(&self, request: &ScanRequest, behind: Option<VersionId>) -> Scan<ObjectVersion> {
        self.session.scan_versions(&name("bucket"), request.clone(), behind).await.unwrap()
    }

    /// Pages to the end: key, id, marker, latest; a common prefix has no id.
    async fn list(&self, delimiter: &str, limit: usize) -> Vec<Shown> {
        let mut request = ScanRequest { delimiter: delimiter.into(), limit, ..ScanRequest::default() };
        let (mut behind, mut items) = (None, Vec::new());
        loop {
            let page = self.page(&request, behind).await;
            items.extend(page.items.iter().map(shown));
            let Some((next, within)) = page.next else { return items };
            assert_eq!(page.items.len(), limit);
            (request.after, behind) = (next, within);
        }
    }

    fn expected(&self, delimiter: &str) -> Vec<Shown> {
        let mut items: Vec<Shown> = Vec::new();
        for (key, versions) in &self.model {
            if let Some(cut) = key.find(delimiter).filter(|_| !delimiter.is_empty()) {
                let common = (key[..cut + delimiter.len()].to_owned(), None);
                if items.last() != Some(&common) {
                    items.push(common);
                }
                continue;
            }
            for (n, (id, marker)) in versions.iter().enumerate() {
                items.push((key.clone(), Some((*id, *marker, n == 0))));
            }
        }
        items
    }
}

type Shown = (String, Option<(VersionId, bool, bool)>);

fn shown(item: &ScanItem<ObjectVersion>) -> Shown {
    let key = String::from_utf8(item.key().to_vec()).unwrap();
    match item {
        ScanItem::Key(_, version) => (key, Some((version.id, version.node.is_none(), version.latest))),
        ScanItem::Prefix(_) => (key, None),
    }
}

async fn run(ops: Vec<Op>, limit: usize) {
    let mut world = World::new().await;
    for op in ops {
        world.bench.clock.advance_secs(1);
        world.apply(op.clone()).await;
        for delimiter in ["", "/", "."] {
            for limit in [limit, 1000] {
                assert_eq!(
                    world.list(delimiter, limit).await,
                    world.expected(delimiter),
                    "{op:?} {delimiter:?}"
                );
            }
        }
    }
    world.bench.assert_clean().await;
    // Who deletes what each page shows, and goes on behind it, empties the bucket.
    let mut request = ScanRequest { limit, ..ScanRequest::default() };
    let mut behind = None;
    loop {
        let page = world.page(&request, behind).await;
        for (key, version) in page.items.iter().map(shown) {
            world.delete(&key, Some(version.unwrap().0)).await;
        }
        let Some((next, within)) = page.next else { break };
        (request.after, behind) = (next, within);
    }
    world.session.delete_bucket(&name("bucket")).await.unwrap();
    world.bench.assert_clean().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 300, ..ProptestConfig::default() })]

    #[test]
    fn versions_are_listed_as_the_model_has_them(
        ops in proptest::collection::vec(operation(), 1..30),
        limit in 1..4usize,
    ) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(run(ops, limit));
    }
}

#[tokio::test]
async fn a_key_with_many_versions_is_listed_once() {
    let mut world = World::new().await;
    world.apply(Op::Versioning(true)).await;
    for _ in 0..1200 {
        world.apply(Op::Put(2)).await;
    }
    world.apply(Op::Put(5)).await;
    for (delimiter, limit) in [("", 1000), ("", 7), ("/", 1000)] {
        assert_eq!(world.list(delimiter, limit).await, world.expected(delimiter));
    }
    // A walk that is tired ends its page between keys.
    let view = world.session.view().unwrap();
    let root = world.session.bucket_entry(&view, &name("bucket")).unwrap().node;
    let walk =
        crate::walk::Walk::new(&view, world.session.keys(), world.session.scope(), root, path("bucket"));
    let mut walk = walk.with_versions(None);
    walk.grow_tired_after(50);
    let request = ScanRequest { limit: 1000, ..ScanRequest::default() };
    let page = crate::roll::page(&mut walk, &request, |_, stand| Ok(Some(stand.latest))).unwrap();
    assert_eq!(page.items.len(), 1000);
    assert_eq!(page.next.unwrap().0, b"a/b");
}

#[tokio::test]
async fn versions_of_hidden_keys_are_not_shown() {
    let mut world = World::new().await;
    world.apply(Op::Versioning(true)).await;
    for _ in 0..3 {
        for key in 0..KEYS.len() {
            world.apply(Op::Put(key)).await;
        }
    }
    world.apply(Op::Delete(4)).await;
    world.session = world.bench.session(&["/bucket/a/c:r", "/bucket/b:r"]).await;
    world.model.retain(|key, _| ["a/c/d", "b"].contains(&key.as_str()));
    for delimiter in ["", "/"] {
        for limit in [1, 1000] {
            assert_eq!(world.list(delimiter, limit).await, world.expected(delimiter));
        }
    }
}
