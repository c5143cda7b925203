//! Scans of a bucket against a plain set of keys, listed as AWS defines it.

use std::collections::BTreeSet;

use allod_model::Name;
use proptest::prelude::*;

use super::*;

const BUCKET: &str = "bucket";

type Keys = BTreeSet<Vec<u8>>;

/// An item of a page: the key, and whether it is a common prefix.
type Item = (Vec<u8>, bool);

fn name(text: &str) -> Name {
    Name::new(text.as_bytes(), NameRule::Raw).unwrap()
}

/// The path of a key in the bucket.
pub fn object(key: &[u8]) -> Path {
    Path::parse(&[BUCKET.as_bytes(), b"/", key].concat(), NameRule::Raw).unwrap()
}

async fn put_key(session: &Session, key: &[u8]) {
    let options = PutOptions { make_parents: true, raw: true, ..PutOptions::default() };
    let pre = Precondition::default();
    session.put(&object(key), options, pre, body(b"x")).await.unwrap();
}

fn request(prefix: &[u8], delimiter: &[u8], after: &[u8], limit: usize) -> ScanRequest {
    ScanRequest { prefix: prefix.into(), delimiter: delimiter.into(), after: after.into(), limit }
}

fn seen<T>(scan: &Scan<T>) -> Vec<Item> {
    scan.items.iter().map(|item| (item.key().to_vec(), matches!(item, ScanItem::Prefix(_)))).collect()
}

fn common(key: &[u8], request: &ScanRequest) -> Option<Vec<u8>> {
    let behind = key.strip_prefix(request.prefix.as_slice())?;
    if request.delimiter.is_empty() {
        return None;
    }
    let at = behind.windows(request.delimiter.len()).position(|w| w == request.delimiter)?;
    Some(key[..request.prefix.len() + at + request.delimiter.len()].to_vec())
}

/// All that a listing behind `request.after` must show.
fn expected(keys: &Keys, request: &ScanRequest) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    for key in keys.iter().filter(|key| key.starts_with(&request.prefix) && **key > request.after) {
        let item = match common(key, request) {
            Some(common) if common == request.after => continue,
            Some(common) => (common, true),
            None => (key.clone(), false),
        };
        if items.last() != Some(&item) {
            items.push(item);
        }
    }
    items
}

/// Pages to the end; each page must be full unless it is the last.
async fn all(session: &Session, first: ScanRequest) -> Vec<Item> {
    let (mut items, mut request) = (Vec::new(), first);
    loop {
        let page = session.scan(&name(BUCKET), request.clone()).await.unwrap();
        items.extend(seen(&page));
        let Some((next, None)) = page.next else { return items };
        assert_eq!(page.items.len(), request.limit, "no page is short when so little is there");
        // A common prefix in which `after` lies is before it, but shown once only.
        assert!(next > request.after || request.after.starts_with(&next) && next != request.after);
        request.after = next;
    }
}

/// Keys that meet: few segments, bytes on both sides of `/`, empty segments, dots, more than ASCII.
fn key() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => Just("a"), 3 => Just("b"), 5 => Just("/"), 1 => Just("."), 1 => Just(".."), 1 => Just("0"),
        1 => Just("-"), 1 => Just("ü"), 1 => Just("\u{1F4F7}"), 1 => Just("\u{1}"), 1 => Just("\0"), 1 => Just("//"),
    ];
    proptest::collection::vec(piece, 1..7).prop_map(|pieces| pieces.concat().into_bytes())
}

fn part_of_key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        2 => Just(Vec::new()),
        3 => key(),
        1 => key().prop_map(|mut key| { key.truncate(1); key }),
    ]
}

fn delimiter() -> impl Strategy<Value = Vec<u8>> {
    let known = ["", "/", "/", "/", "a", "b/", "//", "/a", "ü", "0", "zz"];
    proptest::sample::select(known.to_vec()).prop_map(|text| text.as_bytes().to_vec())
}

fn a_request() -> impl Strategy<Value = ScanRequest> {
    (part_of_key(), delimiter(), part_of_key(), 1..8usize)
        .prop_map(|(prefix, delimiter, after, limit)| request(&prefix, &delimiter, &after, limit))
}

async fn run(keys: Keys, requests: Vec<ScanRequest>, empty: Vec<Vec<u8>>) {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    mkdir(&session, BUCKET).await.unwrap();
    for key in &keys {
        put_key(&session, key).await;
    }
    // Folders without files, made by another window.
    for folder in empty {
        let folder = format!("{BUCKET}/{}", String::from_utf8(folder).unwrap());
        let strict = Path::parse(folder.as_bytes(), NameRule::Strict);
        if let Ok(strict) = strict {
            let _ = session.make_folder(&strict, FolderOptions::default(), Precondition::default()).await;
        }
    }
    for mut request in requests {
        let wanted = expected(&keys, &request);
        assert_eq!(all(&session, request.clone()).await, wanted, "{request:?}");
        // Where a page ends does not matter.
        request.limit = 1000;
        assert_eq!(all(&session, request.clone()).await, wanted, "{request:?}");
        // From any key that a listing showed.
        for (after, _) in &wanted {
            let request = ScanRequest { after: after.clone(), limit: 3, ..request.clone() };
            assert_eq!(all(&session, request.clone()).await, expected(&keys, &request), "{request:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, max_shrink_iters: 300, ..ProptestConfig::default() })]

    #[test]
    fn a_scan_lists_as_aws_does(
        keys in proptest::collection::btree_set(key(), 1..40),
        requests in proptest::collection::vec(a_request(), 1..12),
        empty in proptest::collection::vec(key(), 0..3),
    ) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(run(keys, requests, empty));
    }
}

async fn filled(keys: &[&str]) -> (Bench, Session) {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    mkdir(&session, BUCKET).await.unwrap();
    for key in keys {
        put_key(&session, key.as_bytes()).await;
    }
    (bench, session)
}

async fn list(session: &Session, prefix: &str, delimiter: &str, after: &str) -> Vec<String> {
    let request = request(prefix.as_bytes(), delimiter.as_bytes(), after.as_bytes(), 1000);
    let page = session.scan(&name(BUCKET), request).await.unwrap();
    page.items.iter().map(|item| String::from_utf8(item.key().to_vec()).unwrap()).collect()
}

#[tokio::test]
async fn keys_are_raw_and_in_byte_order() {
    let keys = ["a", "a/", "a//b", "a/b", "a.b", "a0", "./..", "//", "x/"];
    let (_bench, session) = filled(&keys).await;
    let sorted = ["./..", "//", "a", "a.b", "a/", "a//b", "a/b", "a0", "x/"];
    assert_eq!(list(&session, "", "", "").await, sorted);
    assert_eq!(list(&session, "", "/", "").await, ["./", "/", "a", "a.b", "a/", "a0", "x/"]);
    assert_eq!(list(&session, "a/", "/", "").await, ["a/", "a//", "a/b"]);
}

#[tokio::test]
async fn a_common_prefix_is_shown_while_keys_behind_the_marker_lie_in_it() {
    let (_bench, session) = filled(&["a/1", "a/2", "b"]).await;
    assert_eq!(list(&session, "", "/", "a/1").await, ["a/", "b"]);
    assert_eq!(list(&session, "", "/", "a/2").await, ["b"]);
    assert_eq!(list(&session, "", "/", "a/").await, ["b"]);
}

#[tokio::test]
async fn objects_carry_their_facts() {
    let (_bench, session) = filled(&["k"]).await;
    let options = PutOptions { md5: true, raw: true, ..PutOptions::default() };
    session.put(&object(b"m"), options, Precondition::default(), body(b"")).await.unwrap();
    let page = session.scan(&name(BUCKET), request(b"", b"", b"", 10)).await.unwrap();
    let etags: Vec<_> = page
        .items
        .iter()
        .map(|item| match item {
            ScanItem::Key(_, node) => node.object.as_ref().unwrap().etag.clone(),
            ScanItem::Prefix(_) => unreachable!(),
        })
        .collect();
    assert!(etags[0].len() == 34 && etags[0].ends_with("-1"), "no MD5 is known: {}", etags[0]);
    assert_eq!(etags[1], "d41d8cd98f00b204e9800998ecf8427e");
}

#[tokio::test]
async fn only_the_granted_corner_is_shown() {
    let (bench, all) = filled(&["a/1", "b/c/1", "b/d/1", "b/e", "c/1", "d"]).await;
    let session = bench.session(&["/bucket/b/c:rw", "/bucket/d:r"]).await;
    assert_eq!(list(&session, "", "", "").await, ["b/c/1", "d"]);
    assert_eq!(list(&session, "", "/", "").await, ["b/", "d"]);
    assert_eq!(list(&session, "", "/", "a/1").await, ["b/", "d"]);
    assert_eq!(list(&session, "a/", "", "").await, [""; 0]);
    assert_eq!(list(&session, "", "", "b/d").await, ["d"]);
    let other = bench.session(&["/elsewhere:rw"]).await;
    let hidden = other.scan(&name(BUCKET), request(b"", b"", b"", 10)).await.unwrap_err();
    let absent = all.scan(&name("nothing"), request(b"", b"", b"", 10)).await.unwrap_err();
    assert_eq!((hidden.kind, hidden.detail), (absent.kind, absent.detail));
    // A prefix whose only keys are hidden is not shown.
    let narrow = bench.session(&["/bucket/b/c/2:r", "/bucket/d:r"]).await;
    assert_eq!(list(&narrow, "", "/", "").await, ["d"]);
}

#[tokio::test]
async fn folders_without_files_show_nothing() {
    let (_bench, session) = filled(&["b/1"]).await;
    for folder in ["a", "a/x", "c"] {
        mkdir(&session, &format!("{BUCKET}/{folder}")).await.unwrap();
    }
    assert_eq!(list(&session, "", "/", "").await, ["b/"]);
    assert_eq!(list(&session, "", "", "").await, ["b/1"]);
}

#[tokio::test]
async fn keys_too_long_for_s3_are_left_out() {
    let (_bench, session) = filled(&["k"]).await;
    let mut folder = String::from(BUCKET);
    for _ in 0..6 {
        folder = format!("{folder}/{}", "d".repeat(200));
        mkdir(&session, &folder).await.unwrap();
    }
    put(&session, &format!("{folder}/f"), b"x").await.unwrap();
    assert_eq!(list(&session, "", "", "").await, ["k"]);
}

/// A page of a large bucket costs a page. Rows are counted, not time.
#[tokio::test]
async fn a_page_of_a_large_bucket_reads_a_page() {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    mkdir(&session, BUCKET).await.unwrap();
    for folder in 0..40 {
        for file in 0..40 {
            put_key(&session, format!("{folder:03}/{file:03}").as_bytes()).await;
        }
    }
    let view = session.view().unwrap();
    let root = session.bucket_entry(&view, &name(BUCKET)).unwrap().node;
    let at = path(BUCKET);
    let cost = |prefix: &[u8], delimiter: &[u8], after: &[u8], limit| {
        let mut walk = crate::walk::Walk::new(&view, session.keys(), session.scope(), root, at.clone());
        let request = request(prefix, delimiter, after, limit);
        let page = crate::roll::page(&mut walk, &request, |_, _| Ok(Some(()))).unwrap();
        (seen(&page), walk.rows_read())
    };
    let (items, rows) = cost(b"", b"/", b"", 1000);
    assert_eq!((items.len(), rows < 100), (40, true), "{rows}");
    let (items, rows) = cost(b"", b"/", b"030/", 3);
    assert_eq!((items.len(), rows < 40), (3, true), "{rows}");
    let (items, rows) = cost(b"", b"", b"020/020", 10);
    assert_eq!((items[0].0.as_slice(), items.len(), rows < 40), (&b"020/021"[..], 10, true), "{rows}");
    let (items, rows) = cost(b"03", b"", b"", 10);
    assert_eq!((items[0].0.as_slice(), items.len(), rows < 40), (&b"030/000"[..], 10, true), "{rows}");
    // Ten common prefixes `000/0` … of forty keys each, by seeking behind each.
    let (items, rows) = cost(b"", b"/0", b"", 1000);
    assert_eq!((items.len(), rows < 2000), (40, true), "{rows}");
}

/// A walk that grows tired is taken up again and misses nothing.
#[tokio::test]
async fn a_page_of_hidden_names_ends_and_goes_on() {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    mkdir(&session, BUCKET).await.unwrap();
    for folder in 0..12 {
        for file in 0..12 {
            put_key(&session, format!("{folder:03}/{file:03}").as_bytes()).await;
        }
    }
    let narrow = bench.session(&["/bucket/005/007:r", "/bucket/009/003:r", "/bucket/011:r"]).await;
    let view = narrow.view().unwrap();
    let root = narrow.bucket_entry(&view, &name(BUCKET)).unwrap().node;
    let at = path(BUCKET);
    for delimiter in [&b""[..], b"/", b"/0", b"0"] {
        let (mut items, mut after, mut pages) = (Vec::new(), Vec::new(), 0);
        loop {
            let mut walk = crate::walk::Walk::new(&view, narrow.keys(), narrow.scope(), root, at.clone());
            walk.grow_tired_after(5);
            let request = request(b"", delimiter, &after, 1000);
            let page = crate::roll::page(&mut walk, &request, |_, _| Ok(Some(()))).unwrap();
            items.extend(seen(&page));
            pages += 1;
            let Some((next, None)) = page.next else { break };
            assert!(next > after || after.starts_with(&next) && next != after);
            after = next;
        }
        let mut keys: Keys = [b"005/007".to_vec(), b"009/003".to_vec()].into();
        keys.extend((0..12).map(|file| format!("011/{file:03}").into_bytes()));
        assert_eq!(items, expected(&keys, &request(b"", delimiter, b"", 1000)), "{delimiter:?}");
        assert!(pages > 3);
    }
}
