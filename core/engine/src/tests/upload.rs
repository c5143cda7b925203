//! Uploads in parts: begun, stored, joined, given up; and what remains of them.

use allod_model::{Detail, ErrorKind, Etag, EtagMatch, Name};
use futures_util::FutureExt;

use super::*;

const MIN: usize = PART_BYTES_MIN as usize;

fn name(text: &str) -> Name {
    Name::new(text.as_bytes(), NameRule::Raw).unwrap()
}

fn at(text: &str) -> Path {
    Path::parse(format!("bucket/{text}").as_bytes(), NameRule::Raw).unwrap()
}

async fn bench() -> (Bench, Session) {
    let bench = Bench::with(|options| options.retention_secs = 60).await;
    let session = bench.session(&["all"]).await;
    session.create_bucket(&name("bucket"), false).await.unwrap();
    (bench, session)
}

async fn begin(session: &Session, key: &str) -> UploadId {
    session.begin_upload(&at(key), PutOptions::default(), None).await.unwrap()
}

async fn part(session: &Session, key: &str, id: &UploadId, n: u32, bytes: &[u8]) -> model::Result<Part> {
    session.upload_part(&at(key), id, n, Some(bytes.len() as u64), body(bytes), |_| Ok(None)).await
}

fn choices(parts: &[Part]) -> Vec<PartChoice> {
    let choice = |part: &Part| PartChoice {
        number: part.number,
        etag: crate::record::hex(&part.md5),
        checksum: part.checksum.clone(),
    };
    parts.iter().map(choice).collect()
}

async fn complete(session: &Session, key: &str, id: &UploadId, parts: &[Part]) -> model::Result<Written> {
    session.complete_upload(&at(key), id, choices(parts), None, None, Precondition::default()).await
}

async fn put_key(session: &Session, key: &str, bytes: &[u8]) -> Written {
    let options = PutOptions { md5: true, ..PutOptions::default() };
    let pre = Precondition::default();
    session.put_object(&at(key), options, pre, body(bytes), |_, _| Ok(())).await.unwrap()
}

async fn read(session: &Session, key: &str, range: Option<(usize, usize)>) -> Vec<u8> {
    let file = session.open_object(&at(key), None, &Precondition::default()).await.unwrap();
    let range = range.map(|(start, end)| ByteRange { start: start as u64, end: end as u64 });
    super::collect(file.read(range)).await.unwrap()
}

async fn etag(session: &Session, key: &str) -> String {
    session.stat_object(&at(key), None, &Precondition::default()).await.unwrap().object.unwrap().etag
}

fn detail<T: std::fmt::Debug>(outcome: model::Result<T>) -> (ErrorKind, Detail) {
    let error = outcome.unwrap_err();
    (error.kind, error.detail)
}

async fn rows(bench: &Bench, table: crate::keys::Table) -> usize {
    use allod_meta::Lookup;
    let account = bench.core.account_named("alice").unwrap().unwrap();
    let view = bench.core.view().unwrap();
    view.scan_prefix(&account.keys().table(table), None, 100_000).unwrap().len()
}

/// Everything that uploads leave in the rows and in the store.
async fn assert_nothing_left(bench: &Bench) {
    use crate::keys::Table;
    bench.clock.advance_secs(8 * 86_400);
    bench.core.collect(true).await.unwrap();
    bench.core.collect(true).await.unwrap();
    for table in [Table::Upload, Table::UploadPart, Table::Completed, Table::Pending, Table::Dying] {
        assert_eq!(rows(bench, table).await, 0, "{table:?}");
    }
    bench.assert_clean().await;
}

#[tokio::test]
async fn parts_become_one_object_that_reads_as_one() {
    let (bench, session) = bench().await;
    let pieces = [noise(1, MIN), noise(2, MIN + 12_345), noise(3, 100)];
    let whole = pieces.concat();
    let id = begin(&session, "a/b").await;
    let mut parts = Vec::new();
    for (n, piece) in [5, 9, 10].into_iter().zip(&pieces) {
        parts.push(part(&session, "a/b", &id, n, piece).await.unwrap());
    }
    assert_eq!(session.quota().await.unwrap().used, 0, "nothing of it is in the tree");
    let written = complete(&session, "a/b", &id, &parts).await.unwrap();
    assert!(written.created && written.node.size == whole.len() as u64);
    assert_eq!(read(&session, "a/b", None).await, whole);
    let edge = MIN + MIN + 12_345;
    for (start, end) in [(0, 1), (MIN - 1, MIN + 1), (MIN, MIN + 5), (edge - 3, whole.len()), (7, 7)] {
        assert_eq!(read(&session, "a/b", Some((start, end))).await, whole[start..end]);
    }
    let again = get(&session, "/bucket/a/b").await.unwrap();
    assert_eq!(again.len(), whole.len(), "other windows read it too");
    let listed = session.object_parts(&at("a/b"), None, 1, 10).await.unwrap();
    assert_eq!(
        listed.iter().map(|p| (p.number, p.size)).collect::<Vec<_>>(),
        [(2, MIN as u64 + 12_345), (3, 100)]
    );
    let (range, count) = session.part_range(&at("a/b"), None, 2).await.unwrap();
    assert_eq!((range.start, range.end, count), (MIN as u64, edge as u64, 3));
    assert_eq!(detail(session.part_range(&at("a/b"), None, 4).await).0, ErrorKind::InvalidContent);
    copy(&session, "/bucket/a/b", "/bucket/copy").await.unwrap();
    remove(&session, "/bucket/a/b").await.unwrap();
    bench.clock.advance_secs(100);
    bench.core.collect(true).await.unwrap();
    assert_eq!(read(&session, "copy", None).await, whole, "the copy holds what it needs");
    remove(&session, "/bucket/copy").await.unwrap();
    assert_nothing_left(&bench).await;
    assert_eq!(rows(&bench, crate::keys::Table::Joined).await, 0);
    assert_eq!(bench.core.0.blobs.totals().await.unwrap().objects, 0);
}

#[tokio::test]
async fn tags_are_those_of_s3() {
    let (bench, session) = bench().await;
    let zeros = vec![0; MIN];
    let known: [(&[&[u8]], &str); 4] = [
        (&[&zeros, &zeros], "a7d414b9133d6483d9a1c4e04e856e3b-2"),
        (&[&zeros, &zeros, &[0; 100]], "2e657cb38c73237a089b866e6c5f2aaf-3"),
        (&[&[0; 100]], "b66957d6f3d4dafbcb7d95e0616b2258-1"),
        (&[b""], "59adb24ef3cdbe0297f05b395827453f-1"),
    ];
    for (pieces, tag) in known {
        let id = begin(&session, "k").await;
        let mut parts = Vec::new();
        for (n, piece) in (1..).zip(pieces) {
            parts.push(part(&session, "k", &id, n, piece).await.unwrap());
        }
        complete(&session, "k", &id, &parts).await.unwrap();
        assert_eq!(etag(&session, "k").await, tag);
        assert_eq!(read(&session, "k", None).await, pieces.concat());
    }
    bench.assert_clean().await;
}

#[tokio::test]
async fn a_choice_is_judged() {
    let (bench, session) = bench().await;
    let id = begin(&session, "k").await;
    let one = part(&session, "k", &id, 1, &noise(1, MIN)).await.unwrap();
    let two = part(&session, "k", &id, 2, b"small").await.unwrap();
    let three = part(&session, "k", &id, 3, b"smaller").await.unwrap();
    let refused = |detail| (ErrorKind::InvalidContent, detail);
    let parts = |list: &[&Part]| list.iter().map(|part| (*part).clone()).collect::<Vec<_>>();
    let tried = complete(&session, "k", &id, &[]).await;
    assert_eq!(detail(tried), refused(Detail::NoPart));
    let tried = complete(&session, "k", &id, &parts(&[&two, &one])).await;
    assert_eq!(detail(tried), refused(Detail::PartOrder));
    let tried = complete(&session, "k", &id, &parts(&[&one, &one])).await;
    assert_eq!(detail(tried), refused(Detail::PartOrder));
    let tried = complete(&session, "k", &id, &parts(&[&one, &two, &three])).await;
    assert_eq!(detail(tried), refused(Detail::PartTooSmall));
    let tried = complete(&session, "k", &id, &[Part { number: 4, ..three.clone() }]).await;
    assert_eq!(detail(tried), refused(Detail::NoPart));
    let tried = complete(&session, "k", &id, &[Part { md5: one.md5, ..three.clone() }]).await;
    assert_eq!(detail(tried), refused(Detail::NoPart));
    let (here, sized) = (at("k"), choices(&parts(&[&one])));
    let tried = session.complete_upload(&here, &id, sized, None, Some(5), Precondition::default());
    assert_eq!(tried.await.unwrap_err().kind, ErrorKind::InvalidContent);
    for number in [0, PARTS_MAX + 1] {
        assert_eq!(detail(part(&session, "k", &id, number, b"x").await).0, ErrorKind::InvalidContent);
    }
    let long = session.upload_part(&at("k"), &id, 1, Some(PART_BYTES_MAX + 1), body(b""), |_| Ok(None)).await;
    assert_eq!(detail(long).0, ErrorKind::TooLarge);
    let short = session.upload_part(&at("k"), &id, 1, Some(5), body(b"four"), |_| Ok(None)).await;
    assert_eq!(detail(short).0, ErrorKind::InvalidContent);
    let nothing = session.stat_object(&at("k"), None, &Precondition::default()).await;
    assert_eq!(detail(nothing).0, ErrorKind::NotFound);
    // What was refused changed nothing; a subset is a choice too.
    complete(&session, "k", &id, &parts(&[&one, &three])).await.unwrap();
    assert_eq!(read(&session, "k", Some((MIN, MIN + 7))).await, b"smaller");
    assert_nothing_left(&bench).await;
}

#[tokio::test]
async fn the_same_completion_is_answered_the_same() {
    let (bench, session) = bench().await;
    let id = begin(&session, "k").await;
    let one = part(&session, "k", &id, 1, b"one").await.unwrap();
    let once = PutOptions::default();
    let other = session.begin_upload(&at("k"), once, None).await.unwrap();
    assert_eq!(detail(complete(&session, "k", &other, std::slice::from_ref(&one)).await).1, Detail::NoPart);
    let first = complete(&session, "k", &id, std::slice::from_ref(&one)).await.unwrap();
    bench.clock.advance_secs(3600);
    bench.core.collect(false).await.unwrap();
    let none = EtagMatch::Any;
    let pre = Precondition { if_none_match: Some(none), ..Precondition::default() };
    let again = session
        .complete_upload(&at("k"), &id, choices(std::slice::from_ref(&one)), None, None, pre)
        .await
        .unwrap();
    assert_eq!(again, first);
    let gone = (ErrorKind::NotFound, Detail::NoUpload);
    let two = Part { number: 2, ..one.clone() };
    assert_eq!(detail(complete(&session, "k", &id, &[two]).await), gone, "another choice");
    assert_eq!(detail(complete(&session, "j", &id, std::slice::from_ref(&one)).await), gone, "another key");
    assert_eq!(detail(part(&session, "k", &id, 1, b"x").await), gone);
    assert_eq!(detail(session.abort_upload(&at("k"), &id).await), gone);
    assert_eq!(detail(session.upload(&at("k"), &id).await), gone);
    put_key(&session, "k", b"else").await;
    assert_eq!(detail(complete(&session, "k", &id, &[one]).await), gone, "the object is another one");
    assert_nothing_left(&bench).await;
}

#[tokio::test]
async fn of_concurrent_completions_one_counts() {
    let (bench, session) = bench().await;
    let id = begin(&session, "k").await;
    let parts = [
        part(&session, "k", &id, 1, b"one").await.unwrap(),
        part(&session, "k", &id, 2, b"two").await.unwrap(),
    ];
    let tries = (0..8).map(|n| {
        let (session, id, chosen) = (session.clone(), id.clone(), vec![parts[n % 2].clone()]);
        tokio::spawn(async move { complete(&session, "k", &id, &chosen).await.map(|_| n % 2) })
    });
    let mut won = Vec::new();
    for outcome in futures_util::future::join_all(tries).await {
        match outcome.unwrap() {
            Ok(which) => won.push(which),
            Err(error) => assert_eq!(error.detail, Detail::NoUpload),
        }
    }
    assert!(won.len() == 4 && won.iter().all(|which| *which == won[0]), "{won:?}");
    assert_eq!(read(&session, "k", None).await, [b"one", b"two"][won[0]]);
    let before = session.stat_object(&at("k"), None, &Precondition::default()).await.unwrap();
    assert_eq!(before.seq, session.log(&Path::root(), None, 1).await.unwrap()[0].seq, "one commit");
    for round in 0..6 {
        let id = begin(&session, "l").await;
        let one = part(&session, "l", &id, 1, b"one").await.unwrap();
        let (joins, aborts) = tokio::join!(
            {
                let s = session.clone();
                let id = id.clone();
                async move { complete(&s, "l", &id, &[one]).await }
            },
            async {
                if round % 2 == 0 {
                    tokio::task::yield_now().await
                };
                session.abort_upload(&at("l"), &id).await
            },
        );
        assert!(joins.is_ok() != aborts.is_ok(), "{joins:?} {aborts:?}");
    }
    assert_nothing_left(&bench).await;
}

#[tokio::test]
async fn a_part_can_be_sent_again() {
    let (bench, session) = bench().await;
    let id = begin(&session, "k").await;
    let old = part(&session, "k", &id, 1, &noise(1, 3_000_000)).await.unwrap();
    let new = part(&session, "k", &id, 1, &noise(2, 3_000_000)).await.unwrap();
    let (listed, more) = session.parts(&at("k"), &id, 0, 10).await.unwrap();
    assert_eq!((listed.as_slice(), more), (&[new.clone()][..], false));
    assert_eq!(detail(complete(&session, "k", &id, &[old]).await).1, Detail::NoPart);
    bench.core.collect(true).await.unwrap();
    assert_eq!(rows(&bench, crate::keys::Table::Content).await, 1, "the replaced part went");
    complete(&session, "k", &id, &[new]).await.unwrap();
    assert_eq!(read(&session, "k", None).await, noise(2, 3_000_000));
    assert_nothing_left(&bench).await;
}

#[tokio::test]
async fn uploads_outlive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let engine = Arc::new(allod_meta::memory::Memory::new());
    let open = async || {
        let mut options = Options::new(BlobConfig::local(folder.path()));
        options.env = Env::simulated(9, Timestamp::from_secs(1_700_000_000)).0;
        let store = Store::new(engine.clone());
        Core::open(store, MasterKey::from_bytes(&[7; 32]), options).await.unwrap()
    };
    let core = open().await;
    core.operator().add_account("alice", AccountChange::default()).await.unwrap();
    let grants = vec![parse_grant("all").unwrap()];
    let new = core.operator().add_credential("alice", "test", grants, None).await.unwrap();
    let login = async |core: &Core| {
        let proof = Proof::Password { username: "alice".into(), password: new.password.clone() };
        core.authenticate(proof, door("s3")).await.unwrap()
    };
    let session = login(&core).await;
    session.create_bucket(&name("bucket"), false).await.unwrap();
    let id = begin(&session, "k").await;
    let one = part(&session, "k", &id, 1, &noise(1, MIN)).await.unwrap();
    // A part is cut off in the middle, and so is the server.
    let stuck = body(&noise(2, 2_500_000)).chain(stream::pending());
    let here = at("k");
    let mut sending = Box::pin(session.upload_part(&here, &id, 2, None, Box::pin(stuck), |_| Ok(None)));
    for _ in 0..50 {
        assert!(sending.as_mut().now_or_never().is_none());
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    drop(sending);
    drop(session);
    core.close().await.unwrap();
    drop(core);
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    let core = open().await;
    let session = login(&core).await;
    core.collect(true).await.unwrap();
    let (listed, _) = session.parts(&at("k"), &id, 0, 10).await.unwrap();
    assert_eq!(listed, std::slice::from_ref(&one));
    let two = part(&session, "k", &id, 2, b"end").await.unwrap();
    complete(&session, "k", &id, &[one, two]).await.unwrap();
    assert_eq!(read(&session, "k", Some((MIN - 1, MIN + 3))).await[1..], *b"end");
    let report = core.check(false, &|_, _| {}).await.unwrap();
    assert!(report.is_clean(), "{:#?}", report.problems);
}

#[tokio::test]
async fn what_is_dropped_in_the_middle_leaves_nothing_half_done() {
    let (bench, session) = bench().await;
    let id = begin(&session, "k").await;
    let one = part(&session, "k", &id, 1, b"one").await.unwrap();
    for polls in 0..6 {
        let mut sending = Box::pin(part(&session, "k", &id, 2, b"two"));
        let mut done = false;
        for _ in 0..polls {
            done = done || sending.as_mut().now_or_never().is_some();
            if !done {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
        }
        drop(sending);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        bench.core.collect(true).await.unwrap();
        bench.assert_clean().await;
    }
    let mut completing = Box::pin(complete(&session, "k", &id, std::slice::from_ref(&one)));
    assert!(completing.as_mut().now_or_never().is_none());
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    drop(completing);
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    // Whether it got there or not, asking again succeeds.
    complete(&session, "k", &id, &[one]).await.unwrap();
    assert_eq!(read(&session, "k", None).await, b"one");
    assert_nothing_left(&bench).await;
}

#[tokio::test]
async fn abandoned_uploads_are_given_up() {
    let (bench, session) = bench().await;
    let rule = LifecycleRule {
        id: "r".into(),
        enabled: true,
        prefix: Some("tmp/".into()),
        abort_days: Some(2),
        ..LifecycleRule::default()
    };
    session
        .change_bucket(&name("bucket"), move |settings| {
            settings.lifecycle = vec![rule.clone()];
            Ok(())
        })
        .await
        .unwrap();
    let ids = [begin(&session, "tmp/a").await, begin(&session, "b").await];
    part(&session, "tmp/a", &ids[0], 1, b"x").await.unwrap();
    let left = async || {
        bench.core.collect(false).await.unwrap();
        let request = ScanRequest { limit: 10, ..ScanRequest::default() };
        let page = session.uploads(&name("bucket"), request, None).await.unwrap();
        page.items.iter().map(|item| String::from_utf8(item.key().to_vec()).unwrap()).collect::<Vec<_>>()
    };
    bench.clock.advance_secs(86_400);
    assert_eq!(left().await, ["b", "tmp/a"]);
    bench.clock.advance_secs(86_400);
    assert_eq!(left().await, ["b"]);
    bench.clock.advance_secs(5 * 86_400);
    assert_eq!(left().await, [""; 0]);
    // Those of a bucket that is gone go with it.
    let id = begin(&session, "c").await;
    part(&session, "c", &id, 1, b"x").await.unwrap();
    session.delete_bucket(&name("bucket")).await.unwrap();
    bench.core.collect(false).await.unwrap();
    assert_eq!(rows(&bench, crate::keys::Table::Upload).await, 0);
    assert_nothing_left(&bench).await;
}

#[tokio::test]
async fn uploads_are_listed_like_keys_and_by_age() {
    let (bench, session) = bench().await;
    let mut begun = Vec::new();
    for key in ["b", "a/1", "b", "a/2", "\u{0}x", "b/", "c"] {
        begun.push((key, begin(&session, key).await));
    }
    let list = async |session: &Session, delimiter: &str, after: &str, after_id: Option<&UploadId>, limit| {
        let request =
            ScanRequest { delimiter: delimiter.into(), after: after.into(), limit, ..ScanRequest::default() };
        let page = session.uploads(&name("bucket"), request, after_id).await.unwrap();
        let shown = |item: &ScanItem<UploadFacts>| {
            let id = match item {
                ScanItem::Key(_, facts) => begun.iter().position(|(_, id)| *id == facts.id).unwrap(),
                ScanItem::Prefix(_) => 99,
            };
            (String::from_utf8(item.key().to_vec()).unwrap(), id)
        };
        (page.items.iter().map(shown).collect::<Vec<_>>(), page.next.is_some())
    };
    let all = ["\u{0}x", "a/1", "a/2", "b", "b", "b/", "c"].into_iter().zip([4, 1, 3, 0, 2, 5, 6]);
    let all: Vec<_> = all.map(|(key, n)| (key.to_owned(), n)).collect();
    assert_eq!(list(&session, "", "", None, 100).await, (all.clone(), false));
    assert_eq!(list(&session, "", "", None, 4).await, (all[..4].to_vec(), true));
    assert_eq!(list(&session, "", "b", Some(&begun[0].1), 100).await.0, all[4..]);
    assert_eq!(list(&session, "", "b", None, 100).await.0, all[5..]);
    let folded = list(&session, "/", "", None, 100).await.0;
    let keys: Vec<_> = folded.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["\u{0}x", "a/", "b", "b", "b/", "c"]);
    let corner = bench.session(&["/bucket/a:r"]).await;
    assert_eq!(list(&corner, "", "", None, 100).await.0, all[1..3]);
    for (key, id) in &begun {
        session.abort_upload(&at(key), id).await.unwrap();
    }
    assert_nothing_left(&bench).await;
}

#[tokio::test]
async fn rights_are_judged_at_every_step() {
    let (bench, owner) = bench().await;
    put_key(&owner, "corner/old", b"old").await;
    let (append, read_only, other) = (
        bench.session(&["/bucket/corner:a"]).await,
        bench.session(&["/bucket/corner:r"]).await,
        bench.session(&["/bucket/elsewhere:rw"]).await,
    );
    let begun = append.begin_upload(&at("corner/new"), PutOptions::default(), None).await.unwrap();
    let one = part(&append, "corner/new", &begun, 1, b"one").await.unwrap();
    for session in [&read_only, &other] {
        let denied = (ErrorKind::Denied, Detail::None);
        let tried = session.begin_upload(&at("corner/x"), PutOptions::default(), None).await;
        assert_eq!(detail(tried), denied);
        assert_eq!(detail(part(session, "corner/new", &begun, 1, b"x").await), denied);
        assert_eq!(detail(complete(session, "corner/new", &begun, std::slice::from_ref(&one)).await), denied);
        assert_eq!(detail(session.abort_upload(&at("corner/new"), &begun).await), denied);
    }
    assert_eq!(detail(other.parts(&at("corner/new"), &begun, 0, 10).await).0, ErrorKind::NotFound);
    assert!(read_only.parts(&at("corner/new"), &begun, 0, 10).await.is_ok());
    // What came to stand there meanwhile needs the right to replace it.
    put_key(&owner, "corner/new", b"faster").await;
    let refused = complete(&append, "corner/new", &begun, std::slice::from_ref(&one)).await;
    assert_eq!(detail(refused).0, ErrorKind::Denied);
    owner.delete_objects(vec![DeleteRequest::new(at("corner/new"), None)], false).await.unwrap();
    complete(&append, "corner/new", &begun, &[one]).await.unwrap();
    let tried = append.begin_upload(&at("corner/old"), PutOptions::default(), None).await;
    assert_eq!(detail(tried).0, ErrorKind::Denied);
    let source = append.begin_upload(&at("corner/copy"), PutOptions::default(), None).await.unwrap();
    put_key(&owner, "secret", b"secret").await;
    let stolen = append
        .copy_part(&at("corner/copy"), &source, 1, &at("secret"), None, None, &Precondition::default())
        .await;
    assert_eq!(detail(stolen).0, ErrorKind::NotFound);
    append.abort_upload(&at("corner/copy"), &source).await.unwrap();
    let nowhere = Path::parse(b"nowhere/k", NameRule::Raw).unwrap();
    let missing = owner.begin_upload(&nowhere, PutOptions::default(), None);
    assert_eq!(detail(missing.await).1, Detail::NoBucket);
    assert_nothing_left(&bench).await;
}

#[tokio::test]
async fn limits_quota_and_conditions_hold() {
    let (bench, session) = bench().await;
    let id = begin(&session, "k").await;
    let mut parts = vec![part(&session, "k", &id, 1, &noise(1, MIN)).await.unwrap()];
    parts.push(part(&session, "k", &id, 2, &noise(1, MIN)).await.unwrap());
    let quota = |bytes| AccountChange { quota: Some(bytes), ..AccountChange::default() };
    bench.core.operator().change_account("alice", quota(Some(MIN as u64 + 10))).await.unwrap();
    assert_eq!(detail(complete(&session, "k", &id, &parts).await).0, ErrorKind::OverQuota);
    let tried = session.upload_part(&at("k"), &id, 3, Some(2 * MIN as u64), body(b""), |_| Ok(None)).await;
    assert_eq!(detail(tried).0, ErrorKind::OverQuota);
    complete(&session, "k", &id, &parts[..1]).await.unwrap();
    bench.core.operator().change_account("alice", quota(None)).await.unwrap();

    let id = begin(&session, "k").await;
    let one = part(&session, "k", &id, 1, b"one").await.unwrap();
    let pre = |etag: &str| Precondition {
        if_match: Some(EtagMatch::OneOf(vec![Etag(etag.into())])),
        ..Precondition::default()
    };
    let tried = session
        .complete_upload(&at("k"), &id, choices(std::slice::from_ref(&one)), None, None, pre("x-1"))
        .await;
    assert_eq!(detail(tried).0, ErrorKind::PreconditionFailed);
    let tag = etag(&session, "k").await;
    session.complete_upload(&at("k"), &id, choices(&[one]), None, None, pre(&tag)).await.unwrap();

    let account = session.handle().clone();
    let full = UPLOADS_MAX.to_be_bytes();
    let row = account.keys().upload_count();
    bench.core.transact(account.shard(), move |txn| Ok(txn.put(&row, &full)?)).await.unwrap();
    let tried = session.begin_upload(&at("k"), PutOptions::default(), None).await;
    assert_eq!(detail(tried), (ErrorKind::TooLarge, Detail::Limit("uploads under way", UPLOADS_MAX)));
    let report = bench.core.check(true, &|_, _| {}).await.unwrap();
    assert_eq!((report.problems_total, report.mended), (1, 1), "{:#?}", report.problems);
    begin(&session, "k").await;
    assert_nothing_left(&bench).await;
}

#[tokio::test]
async fn checksums_of_parts_make_the_objects() {
    let (bench, session) = bench().await;
    let pieces = [noise(1, MIN), noise(2, 777)];
    let whole = pieces.concat();
    let sum = |kind, bytes: &[u8]| {
        let mut hasher = crate::checksum::Hasher::new(kind);
        hasher.update(bytes);
        hasher.finish()
    };
    use ChecksumKind as K;
    let tried = session.begin_upload(&at("k"), PutOptions::default(), Some((K::Sha256, false))).await;
    assert_eq!(detail(tried).0, ErrorKind::InvalidContent);
    for (kind, composite) in [(K::Crc32, false), (K::Crc64Nvme, false), (K::Crc32c, true), (K::Sha256, true)]
    {
        let id =
            session.begin_upload(&at("k"), PutOptions::default(), Some((kind, composite))).await.unwrap();
        let mut parts = Vec::new();
        for (n, piece) in (1..).zip(&pieces) {
            let own = sum(kind, piece);
            let at_end = move |_: &Arrived| Ok(Some(own));
            parts.push(session.upload_part(&at("k"), &id, n, None, body(piece), at_end).await.unwrap());
        }
        let other = sum(K::Sha1, b"");
        let tried = session.upload_part(&at("k"), &id, 3, None, body(b""), move |_| Ok(Some(other))).await;
        assert_eq!(detail(tried).0, ErrorKind::InvalidContent);
        let right = match composite {
            false => sum(kind, &whole),
            true => {
                let values: Vec<u8> = parts.iter().flat_map(|p| p.checksum.clone().unwrap().value).collect();
                Checksum { composite, ..sum(kind, &values) }
            }
        };
        let pre = Precondition::default;
        let wrong = Checksum { value: vec![0; right.value.len()], ..right.clone() };
        let tried = session.complete_upload(&at("k"), &id, choices(&parts), Some(wrong), None, pre()).await;
        assert_eq!(detail(tried), (ErrorKind::InvalidContent, Detail::BadDigest));
        let claim = Some(right.clone());
        let size = Some(whole.len() as u64);
        session.complete_upload(&at("k"), &id, choices(&parts), claim, size, pre()).await.unwrap();
        let facts = session.stat_object(&at("k"), None, &pre()).await.unwrap().object.unwrap();
        assert_eq!(facts.object.checksum, Some(right));
    }
    bench.assert_clean().await;
}

#[tokio::test]
async fn parts_are_copied_from_objects() {
    let (bench, session) = bench().await;
    let source = noise(7, MIN + 1000);
    put_key(&session, "source", &source).await;
    let kind = ChecksumKind::Crc32c;
    let id = session.begin_upload(&at("k"), PutOptions::default(), Some((kind, false))).await.unwrap();
    let pre = Precondition::default();
    let copied = async |number, from: &str, range: Option<(usize, usize)>| {
        let range = range.map(|(start, end)| ByteRange { start: start as u64, end: end as u64 });
        session.copy_part(&at("k"), &id, number, &at(from), None, range, &pre).await
    };
    let (one, facts) = copied(1, "source", None).await.unwrap();
    assert_eq!(crate::record::hex(&one.md5), facts.etag);
    let before = rows(&bench, crate::keys::Table::Content).await;
    let (two, _) = copied(2, "source", Some((10, MIN + 10))).await.unwrap();
    assert_eq!(rows(&bench, crate::keys::Table::Content).await, before + 1, "only a range is stored anew");
    assert_eq!(detail(copied(3, "source", Some((0, MIN + 1001))).await).0, ErrorKind::InvalidContent);
    assert_eq!(detail(copied(3, "none", None).await).0, ErrorKind::NotFound);
    put(&session, "/bucket/drive", b"from elsewhere").await.unwrap();
    let (three, _) = copied(3, "drive", None).await.unwrap();
    assert_eq!(crate::record::hex(&three.md5), "7221da5ff01a7e7add46a62c3366e314");
    complete(&session, "k", &id, &[one, two, three]).await.unwrap();
    let whole = [&source[..], &source[10..MIN + 10], b"from elsewhere"].concat();
    assert_eq!(read(&session, "k", None).await, whole);
    let facts = session.stat_object(&at("k"), None, &pre).await.unwrap().object.unwrap();
    let mut hasher = crate::checksum::Hasher::new(kind);
    hasher.update(&whole);
    assert_eq!(facts.object.checksum, Some(hasher.finish()));
    // A joined object as the source: its bytes are stored again, never a list in a list.
    let id = begin(&session, "l").await;
    let (one, _) = session.copy_part(&at("l"), &id, 1, &at("k"), None, None, &pre).await.unwrap();
    complete(&session, "l", &id, &[one]).await.unwrap();
    assert_eq!(read(&session, "l", None).await, whole);
    remove(&session, "/bucket/source").await.unwrap();
    bench.clock.advance_secs(100);
    bench.core.collect(true).await.unwrap();
    assert_eq!(read(&session, "k", None).await, whole);
    assert_nothing_left(&bench).await;
}

/// As many parts as there can be, none of them stored twice: the rows of one commit stay within bounds.
#[tokio::test]
async fn the_most_parts_are_joined_in_one_commit() {
    use crate::record::{StoredPart, encode};
    let (bench, session) = bench().await;
    put_key(&session, "source", &noise(1, MIN)).await;
    let id = begin(&session, "k").await;
    let pre = Precondition::default();
    let (one, _) = session.copy_part(&at("k"), &id, 1, &at("source"), None, None, &pre).await.unwrap();
    let (account, number) = (session.handle().clone(), crate::upload::parse_id(&id).unwrap().0);
    let more = async |numbers: std::ops::RangeInclusive<u32>| {
        let account = account.clone();
        bench
            .core
            .transact(account.shard(), move |txn| {
                let now = Timestamp::from_secs(1_700_000_000);
                let mut commit = crate::commit::Commit::begin(txn, &account, now)?;
                let row = commit.keys.upload_part(number, 1);
                let part: StoredPart = crate::reading::Records::record(&*commit.txn, &row)?.unwrap();
                for n in numbers.clone() {
                    commit.retain(part.content)?;
                    commit.txn.put(&commit.keys.upload_part(number, n), &encode(&part))?;
                }
                commit.finish_quietly()
            })
            .await
            .unwrap();
    };
    more(2..=PARTS_MAX).await;
    bench.assert_clean().await;
    let parts: Vec<Part> = (1..=PARTS_MAX).map(|number| Part { number, ..one.clone() }).collect();
    let written = complete(&session, "k", &id, &parts).await.unwrap();
    assert_eq!(written.node.size, u64::from(PARTS_MAX) * PART_BYTES_MIN);
    let middle = 7_777 * MIN;
    let bytes = noise(1, MIN);
    let around = [&bytes[MIN - 4..], &bytes[..4]].concat();
    assert_eq!(read(&session, "k", Some((middle - 4, middle + 4))).await, around);
    let (range, count) = session.part_range(&at("k"), None, 7_778).await.unwrap();
    assert_eq!((range.start, count), (middle as u64, PARTS_MAX));
    let listed = session.object_parts(&at("k"), None, 9_990, 1000).await.unwrap();
    assert_eq!((listed.len(), listed[0].number), (10, 9_991));
    bench.assert_clean().await;
    remove(&session, "/bucket/k").await.unwrap();

    // Given up, too.
    let id = begin(&session, "k").await;
    session.copy_part(&at("k"), &id, 1, &at("source"), None, None, &pre).await.unwrap();
    let number = crate::upload::parse_id(&id).unwrap().0;
    let handle = account.clone();
    bench
        .core
        .transact(account.shard(), move |txn| {
            let now = Timestamp::from_secs(1_700_000_000);
            let mut commit = crate::commit::Commit::begin(txn, &handle, now)?;
            for n in 2..=PARTS_MAX {
                let content = commit.store_inline(&n.to_be_bytes())?;
                let (size, digest) = (4, handle.key().digest(&n.to_be_bytes()).0);
                let part = StoredPart { content, size, digest, md5: [0; 16], checksum: None, modified: now };
                commit.txn.put(&commit.keys.upload_part(number, n), &encode(&part))?;
            }
            commit.finish_quietly()
        })
        .await
        .unwrap();
    session.abort_upload(&at("k"), &id).await.unwrap();
    assert_nothing_left(&bench).await;
    assert_eq!(rows(&bench, crate::keys::Table::Content).await, 1);
}

/// The collector is cut off again and again while it takes a long list apart.
#[tokio::test]
async fn a_collection_that_is_cut_off_is_taken_up_again() {
    use crate::record::StoredPart;
    let (bench, session) = bench().await;
    let account = session.handle().clone();
    let handle = account.clone();
    bench
        .core
        .transact(account.shard(), move |txn| {
            let mut commit = crate::commit::Commit::begin(txn, &handle, Timestamp::from_secs(1_700_000_000))?;
            let parts: Vec<StoredPart> = (0..1000u32)
                .map(|n| {
                    let plain = n.to_be_bytes();
                    let content = commit.store_inline(&plain)?;
                    let (digest, modified) = (handle.key().digest(&plain).0, commit.now);
                    Ok(StoredPart { content, size: 4, digest, md5: [0; 16], checksum: None, modified })
                })
                .collect::<crate::fault::Res<_>>()?;
            let digest = crate::joined::digest(&handle, &parts);
            let whole = crate::joined::write(&mut commit, &parts, digest)?;
            // Nothing refers to it: it is on its way out.
            commit.release(whole)?;
            commit.finish_quietly()
        })
        .await
        .unwrap();
    let mut rounds = 0;
    while rows(&bench, crate::keys::Table::Content).await > 0 {
        let _ =
            tokio::time::timeout(std::time::Duration::from_millis(1 + rounds % 4), bench.core.collect(false))
                .await;
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        bench.assert_clean().await;
        rounds += 1;
    }
    assert!(rounds > 1, "it was cut off at least once");
    assert_nothing_left(&bench).await;
}

#[tokio::test]
async fn a_reader_keeps_the_parts_it_has_not_reached() {
    let (bench, session) = bench().await;
    let id = begin(&session, "k").await;
    let pieces = [noise(1, MIN), noise(2, MIN), noise(3, 2_000_000)];
    let mut parts = Vec::new();
    for (n, piece) in (1..).zip(&pieces) {
        parts.push(part(&session, "k", &id, n, piece).await.unwrap());
    }
    complete(&session, "k", &id, &parts).await.unwrap();
    let file = session.open_object(&at("k"), None, &Precondition::default()).await.unwrap();
    let mut reading = file.read(None);
    let mut seen = reading.next().await.unwrap().unwrap().to_vec();
    remove(&session, "/bucket/k").await.unwrap();
    bench.clock.advance_secs(100);
    bench.core.collect(true).await.unwrap();
    while let Some(piece) = reading.next().await {
        seen.extend_from_slice(&piece.unwrap());
    }
    assert!(seen == pieces.concat());
    drop((reading, file));
    assert_nothing_left(&bench).await;
    assert_eq!(rows(&bench, crate::keys::Table::Content).await, 0);
}

#[tokio::test]
async fn a_versioned_bucket_keeps_what_an_upload_replaces() {
    let (bench, session) = bench().await;
    session
        .change_bucket(&name("bucket"), |settings| {
            settings.versioning = Versioning::Enabled;
            Ok(())
        })
        .await
        .unwrap();
    let old = put_key(&session, "k", b"old").await.node.object.unwrap().version;
    let id = begin(&session, "k").await;
    let one = part(&session, "k", &id, 1, b"new").await.unwrap();
    let written = complete(&session, "k", &id, std::slice::from_ref(&one)).await.unwrap();
    let facts = written.node.object.clone().unwrap();
    assert!(facts.versioned && facts.version != old && facts.object.parts == 1);
    let file = session.open_object(&at("k"), Some(old), &Precondition::default()).await.unwrap();
    assert_eq!(super::collect(file.read(None)).await.unwrap(), b"old");
    assert_eq!(complete(&session, "k", &id, &[one]).await.unwrap().node.object, written.node.object);
    bench.assert_clean().await;
}

mod random {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Op {
        Begin(usize),
        /// Upload, part number, which source.
        Part(usize, u32, usize),
        /// Upload; which of its parts, as bits.
        Complete(usize, u32),
        Abort(usize),
        Put(usize, usize),
        Remove(usize),
        Copy(usize, usize),
        Collect,
    }

    const KEYS: [&str; 3] = ["a", "a/b", "c"];

    fn operation() -> impl Strategy<Value = Op> {
        prop_oneof![
            3 => (0..3usize).prop_map(Op::Begin),
            8 => (any::<usize>(), 1..5u32, 0..4usize).prop_map(|(u, n, s)| Op::Part(u, n, s)),
            4 => (any::<usize>(), any::<u32>()).prop_map(|(u, bits)| Op::Complete(u, bits)),
            1 => any::<usize>().prop_map(Op::Abort),
            1 => (0..3usize, 0..4usize).prop_map(|(k, s)| Op::Put(k, s)),
            1 => (0..3usize).prop_map(Op::Remove),
            1 => (0..3usize, 0..3usize).prop_map(|(a, b)| Op::Copy(a, b)),
            1 => Just(Op::Collect),
        ]
    }

    /// An upload: its key, its id, its parts with the source of each.
    type Begun = (usize, UploadId, BTreeMap<u32, (Part, usize)>);

    struct World {
        bench: Bench,
        session: Session,
        sources: Vec<Vec<u8>>,
        uploads: Vec<Begun>,
        objects: BTreeMap<usize, Vec<usize>>,
    }

    impl World {
        async fn apply(&mut self, op: Op) {
            let session = &self.session;
            let pick = |n: usize| (!self.uploads.is_empty()).then(|| n % self.uploads.len());
            match op {
                Op::Begin(key) => {
                    let id = begin(session, KEYS[key]).await;
                    self.uploads.push((key, id, BTreeMap::new()));
                }
                Op::Part(n, number, source) => {
                    let Some(n) = pick(n) else { return };
                    let (key, id, parts) = &mut self.uploads[n];
                    let from = at(&format!("source{source}"));
                    let pre = Precondition::default();
                    let copied =
                        session.copy_part(&at(KEYS[*key]), id, number, &from, None, None, &pre).await;
                    parts.insert(number, (copied.unwrap().0, source));
                }
                Op::Complete(n, bits) => {
                    let Some(n) = pick(n) else { return };
                    let (key, id, parts) = &self.uploads[n];
                    let chosen: Vec<_> =
                        parts.values().filter(|(part, _)| bits >> part.number & 1 == 1).collect();
                    let small = |source: usize| self.sources[source].len() < MIN;
                    let right =
                        chosen.split_last().is_some_and(|(_, rest)| rest.iter().all(|(_, s)| !small(*s)));
                    let list: Vec<_> = chosen.iter().map(|(part, _)| part.clone()).collect();
                    let done = complete(session, KEYS[*key], id, &list).await;
                    assert_eq!(done.is_ok(), right, "{done:?}");
                    if right {
                        self.objects.insert(*key, chosen.iter().map(|(_, source)| *source).collect());
                        self.uploads.remove(n);
                    }
                }
                Op::Abort(n) => {
                    let Some(n) = pick(n) else { return };
                    let (key, id, _) = self.uploads.remove(n);
                    session.abort_upload(&at(KEYS[key]), &id).await.unwrap();
                }
                Op::Put(key, source) => {
                    put_key(session, KEYS[key], &self.sources[source]).await;
                    self.objects.insert(key, vec![source]);
                }
                Op::Remove(key) => {
                    let request = DeleteRequest::new(at(KEYS[key]), None);
                    session.delete_objects(vec![request], false).await.unwrap();
                    self.objects.remove(&key);
                }
                Op::Copy(from, to) => {
                    let Some(object) = self.objects.get(&from).filter(|_| from != to) else { return };
                    let options = CopyOptions::default();
                    let pre = Precondition::default();
                    session.copy_object(&at(KEYS[from]), &at(KEYS[to]), options, pre).await.unwrap();
                    self.objects.insert(to, object.clone());
                }
                Op::Collect => {
                    self.bench.clock.advance_secs(100);
                    self.bench.core.collect(true).await.unwrap();
                }
            }
        }

        async fn judge(&self) {
            for (n, key) in KEYS.iter().enumerate() {
                let found = self.session.open_object(&at(key), None, &Precondition::default()).await;
                let Some(sources) = self.objects.get(&n) else {
                    assert!(found.is_err());
                    continue;
                };
                let file = found.unwrap();
                let mut start = 0;
                for source in sources.iter().map(|source| &self.sources[*source]) {
                    for (from, to) in
                        [(0, source.len().min(9)), (source.len().saturating_sub(9), source.len())]
                    {
                        let range = ByteRange { start: start + from as u64, end: start + to as u64 };
                        let bytes = super::super::collect(file.read(Some(range))).await.unwrap();
                        assert!(bytes == source[from..to]);
                    }
                    start += source.len() as u64;
                }
                assert_eq!(file.node.size, start);
            }
            for (key, id, parts) in &self.uploads {
                let (listed, _) = self.session.parts(&at(KEYS[*key]), id, 0, 100).await.unwrap();
                assert_eq!(
                    listed.iter().collect::<Vec<_>>(),
                    parts.values().map(|(p, _)| p).collect::<Vec<_>>()
                );
            }
        }
    }

    async fn run(ops: Vec<Op>) {
        let (bench, session) = bench().await;
        let sources = vec![noise(1, MIN), noise(2, MIN + 7), noise(3, 100), Vec::new()];
        for (n, source) in sources.iter().enumerate() {
            put_key(&session, &format!("source{n}"), source).await;
        }
        let mut world = World { bench, session, sources, uploads: Vec::new(), objects: BTreeMap::new() };
        for op in ops {
            world.bench.clock.advance_secs(1);
            world.apply(op).await;
            world.judge().await;
        }
        world.bench.assert_clean().await;
        assert_nothing_left(&world.bench).await;
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 100, ..ProptestConfig::default() })]

        #[test]
        fn uploads_behave_as_the_model(ops in proptest::collection::vec(operation(), 1..40)) {
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(run(ops));
        }
    }
}
