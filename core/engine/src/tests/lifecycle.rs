//! What rules remove, and what they leave.

use allod_model::Name;

use super::*;

const DAY: i64 = 86_400;

fn name(text: &str) -> Name {
    Name::new(text.as_bytes(), NameRule::Raw).unwrap()
}

fn at(key: &str) -> Path {
    Path::parse(format!("bucket/{key}").as_bytes(), NameRule::Raw).unwrap()
}

async fn bench(versioning: Versioning, rules: Vec<LifecycleRule>) -> (Bench, Session) {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    session.create_bucket(&name("bucket"), false).await.unwrap();
    set(&session, versioning, rules).await;
    (bench, session)
}

async fn set(session: &Session, versioning: Versioning, rules: Vec<LifecycleRule>) {
    let change = move |settings: &mut BucketSettings| {
        settings.versioning = versioning;
        settings.lifecycle = rules.clone();
        Ok(())
    };
    session.change_bucket(&name("bucket"), change).await.unwrap();
}

fn rule(change: impl FnOnce(&mut LifecycleRule)) -> LifecycleRule {
    let mut rule = LifecycleRule { id: "rule".into(), enabled: true, ..LifecycleRule::default() };
    change(&mut rule);
    rule
}

async fn put_with(session: &Session, key: &str, bytes: &[u8], object: Object) {
    let options = PutOptions { object, ..PutOptions::default() };
    let pre = Precondition::default();
    session.put_object(&at(key), options, pre, body(bytes), |_, _| Ok(())).await.unwrap();
}

async fn put_key(session: &Session, key: &str) {
    put_with(session, key, b"x", Object::default()).await;
}

async fn delete(session: &Session, key: &str) {
    let request = DeleteRequest::new(at(key), None);
    session.delete_objects(vec![request], false).await.unwrap().remove(0).unwrap();
}

/// Days pass, with a round in each.
async fn pass(bench: &Bench, days: i64) {
    for _ in 0..days {
        bench.clock.advance_secs(DAY);
        bench.core.collect(false).await.unwrap();
    }
}

/// All versions: `key`, with `*` when it is shown and `-` for a delete marker.
async fn versions(session: &Session) -> Vec<String> {
    let request = ScanRequest { limit: 1000, ..ScanRequest::default() };
    let page = session.scan_versions(&name("bucket"), request, None).await.unwrap();
    let text = |item: &ScanItem<ObjectVersion>| {
        let ScanItem::Key(key, version) = item else { unreachable!() };
        let (shown, marker) = (version.latest, version.node.is_none());
        format!(
            "{}{}{}",
            String::from_utf8(key.clone()).unwrap(),
            if shown { "*" } else { "" },
            if marker { "-" } else { "" }
        )
    };
    page.items.iter().map(text).collect()
}

#[tokio::test]
async fn it_is_told_when_an_object_goes() {
    let date = Timestamp::from_secs(1_700_000_000 / DAY * DAY + 9 * DAY);
    let rules = vec![
        rule(|r| (r.id, r.prefix, r.days) = ("week".into(), Some("logs/".into()), Some(7))),
        rule(|r| (r.id, r.tags, r.days) = ("tag".into(), vec![("keep".into(), "no".into())], Some(1))),
        rule(|r| (r.id, r.date) = ("date".into(), Some(date))),
        rule(|r| (r.id, r.enabled, r.days) = ("off".into(), false, Some(1))),
        rule(|r| (r.id, r.noncurrent_days) = ("replaced".into(), Some(1))),
    ];
    let (bench, session) = bench(Versioning::Enabled, rules).await;
    let midnight = |days: i64| Timestamp::from_secs(1_700_000_000 / DAY * DAY + (days + 1) * DAY);
    let put = async |key: &str, object: Object| {
        let (options, pre) = (PutOptions { object, ..PutOptions::default() }, Precondition::default());
        let written = session.put_object(&at(key), options, pre, body(b"x"), |_, _| Ok(())).await.unwrap();
        written.node.object.unwrap()
    };
    let stat = async |key: &str, version| {
        let node = session.stat_object(&at(key), version, &Precondition::default()).await.unwrap();
        node.object.unwrap().expiry
    };
    let first = put("logs/a", Object::default()).await;
    assert_eq!(first.expiry, Some((midnight(7), "week".into())));
    let tags = vec![("keep".to_owned(), "no".to_owned())];
    assert_eq!(
        put("logs/tagged", Object { tags, ..Object::default() }).await.expiry,
        Some((midnight(1), "tag".into()))
    );
    assert_eq!(put("b", Object::default()).await.expiry, Some((date, "date".into())));
    bench.clock.advance_secs(DAY);
    assert_eq!(stat("logs/a", None).await, Some((midnight(7), "week".into())));
    assert_eq!(put("logs/a", Object::default()).await.expiry, Some((midnight(8), "week".into())));
    assert_eq!(stat("logs/a", Some(first.version)).await, None);
    set(&session, Versioning::Enabled, vec![rule(|r| r.noncurrent_days = Some(1))]).await;
    assert_eq!(stat("b", None).await, None);
}

#[tokio::test]
async fn objects_go_by_prefix_tag_size_and_date() {
    let date = Timestamp::from_secs(1_700_000_000 + 4 * DAY);
    let (bench, session) = bench(
        Versioning::Off,
        vec![
            rule(|r| (r.prefix, r.days) = (Some("logs/".into()), Some(3))),
            rule(|r| (r.tags, r.days) = (vec![("keep".into(), "no".into())], Some(1))),
            rule(|r| (r.larger_than, r.smaller_than, r.days) = (Some(2), Some(6), Some(2))),
            rule(|r| (r.prefix, r.date) = (Some("old".into()), Some(date))),
            rule(|r| (r.enabled, r.days) = (false, Some(1))),
        ],
    )
    .await;
    put_key(&session, "logs/a").await;
    put_key(&session, "logs/b/c").await;
    put_with(&session, "small", b"12", Object::default()).await;
    put_with(&session, "middle", b"123", Object::default()).await;
    put_with(&session, "large", b"123456", Object::default()).await;
    let tags = vec![("keep".to_owned(), "no".to_owned()), ("x".to_owned(), "y".to_owned())];
    put_with(&session, "tagged", b"x", Object { tags, ..Object::default() }).await;
    let tags = vec![("keep".to_owned(), "yes".to_owned())];
    put_with(&session, "tagged-otherwise", b"x", Object { tags, ..Object::default() }).await;
    put_key(&session, "older").await;
    let all = ["large", "logs/a", "logs/b/c", "middle", "older", "small", "tagged", "tagged-otherwise"];
    let left = async |gone: &[&str]| {
        let right: Vec<_> =
            all.iter().filter(|key| !gone.contains(*key)).map(|key| format!("{key}*")).collect();
        assert_eq!(versions(&session).await, right);
    };
    bench.core.collect(false).await.unwrap();
    left(&[]).await;
    pass(&bench, 1).await;
    left(&["tagged"]).await;
    pass(&bench, 1).await;
    left(&["tagged", "middle"]).await;
    pass(&bench, 1).await;
    left(&["tagged", "middle", "logs/a", "logs/b/c"]).await;
    pass(&bench, 1).await;
    left(&["tagged", "middle", "logs/a", "logs/b/c", "older"]).await;
    // It is an ordinary delete: in the log, and to be had back.
    let log = session.log(&Path::root(), None, 1).await.unwrap();
    assert_eq!((log[0].protocol.as_str(), &log[0].credential), ("lifecycle", &None));
    assert!(!session.trash(10).await.unwrap().is_empty());
    bench.assert_clean().await;
}

#[tokio::test]
async fn versions_go_and_the_newest_of_them_stay() {
    let rules = vec![rule(|r| (r.noncurrent_days, r.noncurrent_keep) = (Some(2), Some(2)))];
    let (bench, session) = bench(Versioning::Enabled, rules).await;
    for _ in 0..6 {
        put_key(&session, "k").await;
    }
    put_key(&session, "one").await;
    pass(&bench, 1).await;
    assert_eq!(versions(&session).await.len(), 7);
    pass(&bench, 1).await;
    assert_eq!(versions(&session).await, ["k*", "k", "k", "one*"]);
    delete(&session, "one").await;
    set(&session, Versioning::Enabled, vec![rule(|r| r.noncurrent_days = Some(2))]).await;
    pass(&bench, 1).await;
    assert_eq!(versions(&session).await, ["k*", "one*-", "one"], "replaced a day ago only");
    pass(&bench, 1).await;
    assert_eq!(versions(&session).await, ["k*", "one*-"]);
    set(&session, Versioning::Enabled, vec![rule(|r| r.lone_markers = true)]).await;
    pass(&bench, 1).await;
    assert_eq!(versions(&session).await, ["k*"]);
    bench.assert_clean().await;
}

#[tokio::test]
async fn an_expired_object_leaves_a_marker_where_versions_are_kept() {
    let (bench, session) = bench(Versioning::Enabled, vec![rule(|r| r.days = Some(1))]).await;
    put_key(&session, "a/b").await;
    delete(&session, "gone").await;
    pass(&bench, 1).await;
    assert_eq!(versions(&session).await, ["a/b*-", "a/b"], "and a marker that hid nothing went");
    pass(&bench, 3).await;
    assert_eq!(versions(&session).await, ["a/b*-", "a/b"], "once");
    set(&session, Versioning::Suspended, vec![rule(|r| r.days = Some(1))]).await;
    put_key(&session, "a/b").await;
    pass(&bench, 1).await;
    assert_eq!(versions(&session).await, ["a/b*-", "a/b-", "a/b"]);
    bench.assert_clean().await;
}

#[tokio::test]
async fn what_is_held_or_fresh_stays() {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    session.create_bucket(&name("bucket"), true).await.unwrap();
    let rules = vec![rule(|r| (r.days, r.noncurrent_days) = (Some(1), Some(1)))];
    set_rules(&session, rules).await;
    let until = bench.core.now().plus_secs(5 * DAY);
    let retention = Some(Retention { mode: RetentionMode::Compliance, until });
    put_with(&session, "held", b"x", Object { retention, ..Object::default() }).await;
    put_key(&session, "free").await;
    pass(&bench, 4).await;
    assert_eq!(versions(&session).await, ["held*-", "held"]);
    let events = bench.core.operator().audit("alice", 100).await.unwrap();
    assert!(!events.iter().any(|event| event.event == "refused"), "{events:?}");
    pass(&bench, 3).await;
    assert_eq!(versions(&session).await, [""; 0]);
    // A time of long ago, set by a client, makes nothing old.
    let modified = Some(Timestamp::from_secs(1));
    let options = PutOptions { modified, ..PutOptions::default() };
    session.put(&path("/bucket/copied"), options, Precondition::default(), body(b"x")).await.unwrap();
    bench.clock.advance_secs(DAY - 10);
    bench.core.collect(false).await.unwrap();
    assert_eq!(versions(&session).await, ["copied*"]);
    bench.assert_clean().await;
}

async fn set_rules(session: &Session, rules: Vec<LifecycleRule>) {
    let change = move |settings: &mut BucketSettings| {
        settings.lifecycle = rules.clone();
        Ok(())
    };
    session.change_bucket(&name("bucket"), change).await.unwrap();
}

#[tokio::test]
async fn rules_act_once_a_day_and_days_can_be_short() {
    let bench = Bench::with(|options| options.lifecycle_day_secs = 10).await;
    let session = bench.session(&["all"]).await;
    session.create_bucket(&name("bucket"), false).await.unwrap();
    set_rules(&session, vec![rule(|r| r.days = Some(2))]).await;
    put_key(&session, "k").await;
    bench.clock.advance_secs(11);
    bench.core.collect(false).await.unwrap();
    assert_eq!(versions(&session).await, ["k*"]);
    bench.clock.advance_secs(10);
    bench.core.collect(false).await.unwrap();
    assert_eq!(versions(&session).await, [""; 0]);
    // The run of this day is over.
    set_rules(&session, vec![rule(|r| r.date = Some(Timestamp::from_secs(1)))]).await;
    put_key(&session, "l").await;
    bench.core.collect(false).await.unwrap();
    assert_eq!(versions(&session).await, ["l*"]);
    bench.clock.advance_secs(10);
    bench.core.collect(false).await.unwrap();
    assert_eq!(versions(&session).await, [""; 0]);
}

/// More than one step, keys with more versions than a step takes, and locks in the way.
#[tokio::test]
async fn a_run_takes_as_many_steps_as_it_needs() {
    let (bench, session) = bench(Versioning::Enabled, vec![rule(|r| r.noncurrent_days = Some(1))]).await;
    for _ in 0..700 {
        put_key(&session, "many").await;
    }
    for n in 0..300 {
        for _ in 0..3 {
            put_key(&session, &format!("f/{n:03}")).await;
        }
    }
    pass(&bench, 1).await;
    let mut right: Vec<_> = (0..300).map(|n| format!("f/{n:03}*")).collect();
    right.push("many*".into());
    assert_eq!(versions(&session).await, right);
    set(&session, Versioning::Off, vec![rule(|r| r.days = Some(1))]).await;
    let request = LockRequest {
        deep: true,
        exclusive: true,
        owner: None,
        timeout: Some(std::time::Duration::from_secs(600_000)),
    };
    session.lock(&path("/bucket/f"), request, Precondition::default()).await.unwrap();
    pass(&bench, 1).await;
    let left = versions(&session).await;
    assert!(left.iter().filter(|key| key.starts_with("f/") && key.ends_with('*')).count() == 300, "{left:?}");
    assert!(!left.contains(&"many*".to_owned()));
    bench.assert_clean().await;
}
