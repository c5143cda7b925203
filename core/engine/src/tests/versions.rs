//! Buckets, versions and holds.

use allod_model::{Detail, ErrorKind, Etag, EtagMatch, Name, Precondition, Seq};

use super::*;

fn name(text: &str) -> Name {
    Name::new(text.as_bytes(), NameRule::Raw).unwrap()
}

fn raw(text: &str) -> Path {
    Path::parse(text.as_bytes(), NameRule::Raw).unwrap()
}

async fn put_object(session: &Session, at: &str, bytes: &[u8]) -> model::Result<ObjectFacts> {
    let options = PutOptions { md5: true, ..PutOptions::default() };
    put_with(session, at, options, bytes).await
}

async fn put_with(
    session: &Session,
    at: &str,
    options: PutOptions,
    bytes: &[u8],
) -> model::Result<ObjectFacts> {
    let written =
        session.put_object(&raw(at), options, Precondition::default(), body(bytes), |_, _| Ok(())).await?;
    Ok(*written.node.object.unwrap())
}

async fn get_object(session: &Session, at: &str, version: Option<VersionId>) -> model::Result<Vec<u8>> {
    let file = session.open_object(&raw(at), version, &Precondition::default()).await?;
    collect(file.read(None)).await
}

async fn delete(
    session: &Session,
    at: &str,
    version: Option<VersionId>,
    bypass: bool,
) -> model::Result<Deleted> {
    let request = DeleteRequest::new(raw(at), version);
    session.delete_objects(vec![request], bypass).await.unwrap().remove(0)
}

async fn set_versioning(session: &Session, bucket: &str, versioning: Versioning) -> model::Result<()> {
    session
        .change_bucket(&name(bucket), move |settings| {
            settings.versioning = versioning;
            Ok(())
        })
        .await
}

async fn versioned() -> (Bench, Session) {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    session.create_bucket(&name("bucket"), false).await.unwrap();
    set_versioning(&session, "bucket", Versioning::Enabled).await.unwrap();
    (bench, session)
}

async fn locked() -> (Bench, Session) {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    session.create_bucket(&name("vault"), true).await.unwrap();
    (bench, session)
}

fn retained(bench: &Bench, mode: RetentionMode, secs: i64) -> PutOptions {
    let until = bench.core.now().plus_secs(secs);
    let object = Object { retention: Some(Retention { mode, until }), ..Object::default() };
    PutOptions { object, ..PutOptions::default() }
}

#[tokio::test]
async fn buckets_are_the_plain_folders_at_the_top() {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    session.create_bucket(&name("backups"), false).await.unwrap();
    mkdir(&session, "/photos").await.unwrap();
    mkdir(&session, "/Not A Bucket").await.unwrap();
    let names: Vec<String> =
        session.buckets().await.unwrap().iter().map(|bucket| bucket.name.to_string()).collect();
    assert_eq!(names, ["backups", "photos", "public"], "neither typed folders nor other names");
    assert_eq!(session.create_bucket(&name("photos"), false).await.unwrap_err().kind, ErrorKind::Exists);
    for bad in ["ab", "UPPER", "a..b", "-ab", "ab-", "192.168.5.4", "under_score"] {
        let refused = session.create_bucket(&name(bad), false).await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::InvalidContent, "{bad}");
    }
    let refused = put_object(&session, "missing/key", b"x").await.unwrap_err();
    assert_eq!((refused.kind, refused.detail), (ErrorKind::NotFound, Detail::NoBucket));

    put_object(&session, "backups/a//b/", b"odd").await.unwrap();
    assert_eq!(session.delete_bucket(&name("backups")).await.unwrap_err().kind, ErrorKind::NotEmpty);
    assert_eq!(get_object(&session, "backups/a//b/", None).await.unwrap(), b"odd");
    delete(&session, "backups/a//b/", None, false).await.unwrap();
    session.delete_bucket(&name("backups")).await.unwrap();
    assert_eq!(session.bucket(&name("backups")).await.unwrap_err().detail, Detail::NoBucket);

    let corner = bench.session(&["/photos/2024:r"]).await;
    let seen: Vec<String> =
        corner.buckets().await.unwrap().iter().map(|bucket| bucket.name.to_string()).collect();
    assert_eq!(seen, ["photos"], "only the way to what is granted");
    assert_eq!(corner.bucket(&name("public")).await.unwrap_err().detail, Detail::NoBucket);
    bench.assert_clean().await;
}

#[tokio::test]
async fn an_object_has_the_tag_of_s3_and_the_drive_its_own() {
    let (bench, session) = versioned().await;
    let facts = put_object(&session, "bucket/hello", b"hello").await.unwrap();
    assert_eq!(facts.etag, "5d41402abc4b2a76b9719d911017c592");
    put(&session, "/bucket/drive", b"hello").await.unwrap();
    let drive = session.stat_object(&raw("bucket/drive"), None, &Precondition::default()).await.unwrap();
    let tag = drive.object.unwrap().etag;
    assert_eq!(tag, format!("{}-1", drive.etag.0), "never taken for an MD5");
    for etag in [tag, drive.etag.0] {
        let one = EtagMatch::OneOf(vec![Etag(etag)]);
        let pre = Precondition { if_match: Some(one), ..Precondition::default() };
        assert!(session.open_object(&raw("bucket/drive"), None, &pre).await.is_ok());
    }
    bench.assert_clean().await;
}

#[tokio::test]
async fn every_write_makes_a_version_whichever_window_it_came_by() {
    let (bench, session) = versioned().await;
    let first = put_object(&session, "bucket/a/k", b"one").await.unwrap().version;
    put(&session, "/bucket/a/k", b"two").await.unwrap();
    let second = session.stat_object(&raw("bucket/a/k"), None, &Precondition::default()).await.unwrap();
    let second = second.object.unwrap().version;
    assert_ne!(first, second);
    session
        .set_properties(
            &path("/bucket/a/k"),
            Want::File,
            vec![PropertyChange::Modified(Timestamp::from_secs(5))],
            Precondition::default(),
        )
        .await
        .unwrap();
    let deleted = delete(&session, "bucket/a/k", None, false).await.unwrap();
    assert!(deleted.marker);
    let gone = get_object(&session, "bucket/a/k", None).await.unwrap_err();
    assert!(matches!(gone.detail, Detail::DeleteMarker(_)));
    assert_eq!(get_object(&session, "bucket/a/k", Some(first)).await.unwrap(), b"one");
    assert_eq!(get_object(&session, "bucket/a/k", Some(second)).await.unwrap(), b"two");
    let absent = get_object(&session, "bucket/a/k", Some(VersionId::Seq(Seq(9999)))).await.unwrap_err();
    assert_eq!(absent.detail, Detail::NoVersion);
    assert_eq!(session.delete_bucket(&name("bucket")).await.unwrap_err().kind, ErrorKind::NotEmpty);
    bench.assert_clean().await;

    // Taking the marker away brings back what was below it, with its own version.
    let undone = delete(&session, "bucket/a/k", deleted.version, false).await.unwrap();
    assert_eq!((undone.version, undone.marker), (deleted.version, true));
    let shown = session.stat_object(&raw("bucket/a/k"), None, &Precondition::default()).await.unwrap();
    assert_eq!(shown.object.unwrap().version, second);
    assert_eq!(get(&session, "/bucket/a/k").await.unwrap(), b"two");
    // The newest goes for good, the one below shows; then the last.
    delete(&session, "bucket/a/k", Some(second), false).await.unwrap();
    assert_eq!(get_object(&session, "bucket/a/k", None).await.unwrap(), b"one");
    delete(&session, "bucket/a/k", Some(first), false).await.unwrap();
    assert_eq!(names(&session, "/bucket").await, [""; 0], "the folder that the key made is gone too");
    bench.assert_clean().await;
    session.delete_bucket(&name("bucket")).await.unwrap();
    bench.assert_clean().await;
}

#[tokio::test]
async fn a_suspended_bucket_replaces_its_null_version_only() {
    let bench = Bench::new().await;
    let session = bench.session(&["all"]).await;
    session.create_bucket(&name("bucket"), false).await.unwrap();
    assert_eq!(put_object(&session, "bucket/k", b"null").await.unwrap().version, VersionId::Null);
    set_versioning(&session, "bucket", Versioning::Enabled).await.unwrap();
    let kept = put_object(&session, "bucket/k", b"kept").await.unwrap().version;
    assert_eq!(get_object(&session, "bucket/k", Some(VersionId::Null)).await.unwrap(), b"null");
    set_versioning(&session, "bucket", Versioning::Suspended).await.unwrap();
    assert_eq!(put_object(&session, "bucket/k", b"newer").await.unwrap().version, VersionId::Null);
    assert_eq!(get_object(&session, "bucket/k", Some(VersionId::Null)).await.unwrap(), b"newer");
    assert_eq!(get_object(&session, "bucket/k", Some(kept)).await.unwrap(), b"kept");
    let deleted = delete(&session, "bucket/k", None, false).await.unwrap();
    assert_eq!(deleted, Deleted { version: Some(VersionId::Null), marker: true });
    let gone = get_object(&session, "bucket/k", Some(VersionId::Null)).await.unwrap_err();
    assert_eq!(gone.detail, Detail::DeleteMarker(0));
    assert_eq!(get_object(&session, "bucket/k", Some(kept)).await.unwrap(), b"kept");
    delete(&session, "bucket/never/was", None, false).await.unwrap();
    bench.assert_clean().await;
}

#[tokio::test]
async fn a_hold_binds_every_window() {
    let (bench, session) = locked().await;
    bench.clock.advance_secs(5);
    let before = bench.core.now();
    bench.clock.advance_secs(5);
    let options = retained(&bench, RetentionMode::Compliance, 3600);
    let version = put_with(&session, "vault/a/k", options, b"held").await.unwrap().version;
    mkdir(&session, "/elsewhere").await.unwrap();
    let denied = |outcome: model::Result<()>| {
        let error = outcome.unwrap_err();
        assert_eq!((error.kind, error.detail), (ErrorKind::Denied, Detail::Held));
    };
    denied(remove(&session, "/vault/a/k").await);
    denied(remove(&session, "/vault/a").await);
    denied(remove(&session, "/vault").await);
    denied(put(&session, "/vault/a/k", b"other").await.map(drop));
    denied(rename(&session, "/vault/a/k", "/elsewhere/k").await.map(drop));
    denied(rename(&session, "/vault/a", "/elsewhere/a").await.map(drop));
    denied(rename(&session, "/vault", "/renamed").await.map(drop));
    put(&session, "/elsewhere/f", b"f").await.unwrap();
    denied(rename(&session, "/elsewhere/f", "/vault/a/k").await.map(drop));
    denied(copy(&session, "/elsewhere/f", "/vault/a/k").await.map(drop));
    denied(delete(&session, "vault/a/k", Some(version), true).await.map(drop));
    denied(session.restore(&path("/vault/a"), before, false).await.map(drop));

    // Who knows versions puts a new one on top; the held one stays below.
    put_object(&session, "vault/a/k", b"newer").await.unwrap();
    delete(&session, "vault/a/k", None, false).await.unwrap();
    assert_eq!(get_object(&session, "vault/a/k", Some(version)).await.unwrap(), b"held");
    denied(delete(&session, "vault/a/k", Some(version), true).await.map(drop));
    denied(remove(&session, "/vault").await);
    let shorter = ObjectChange::Retention(None);
    let refused = session.change_object(&raw("vault/a/k"), Some(version), shorter, true).await.unwrap_err();
    assert_eq!(refused.detail, Detail::Held);
    bench.assert_clean().await;

    denied(bench.core.operator().remove_account("alice").await);

    bench.clock.advance_secs(3601);
    delete(&session, "vault/a/k", Some(version), false).await.unwrap();
    remove(&session, "/vault").await.unwrap();
    bench.assert_clean().await;
    bench.clock.advance_secs(40 * 86_400);
    bench.core.collect(true).await.unwrap();
    bench.assert_clean().await;
}

#[tokio::test]
async fn governance_can_be_passed_by_saying_so_and_a_legal_hold_cannot() {
    let (bench, session) = locked().await;
    let options = retained(&bench, RetentionMode::Governance, 3600);
    let version = put_with(&session, "vault/k", options, b"held").await.unwrap().version;
    let one = Some(version);
    assert_eq!(delete(&session, "vault/k", one, false).await.unwrap_err().detail, Detail::Held);
    session.change_object(&raw("vault/k"), one, ObjectChange::LegalHold(true), false).await.unwrap();
    assert_eq!(delete(&session, "vault/k", one, true).await.unwrap_err().detail, Detail::Held);
    session.change_object(&raw("vault/k"), one, ObjectChange::LegalHold(false), false).await.unwrap();
    let until = bench.core.now().plus_secs(7200);
    let longer = ObjectChange::Retention(Some(Retention { mode: RetentionMode::Governance, until }));
    session.change_object(&raw("vault/k"), one, longer, false).await.unwrap();
    let off = ObjectChange::Retention(None);
    let refused = session.change_object(&raw("vault/k"), one, off, false).await.unwrap_err();
    assert_eq!(refused.detail, Detail::Held);
    delete(&session, "vault/k", one, true).await.unwrap();

    session.create_bucket(&name("plain"), false).await.unwrap();
    let options = retained(&bench, RetentionMode::Governance, 3600);
    let refused = put_with(&session, "plain/k", options, b"x").await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::InvalidContent, "a lock that would not hold is refused");
    bench.assert_clean().await;
}

#[tokio::test]
async fn the_default_retention_holds_what_any_window_writes() {
    let (bench, session) = locked().await;
    let default = DefaultRetention { mode: RetentionMode::Compliance, period: Period::Days(1) };
    session
        .change_bucket(&name("vault"), move |settings| {
            settings.object_lock = Some(Some(default));
            Ok(())
        })
        .await
        .unwrap();
    put(&session, "/vault/dav", b"x").await.unwrap();
    assert_eq!(remove(&session, "/vault/dav").await.unwrap_err().detail, Detail::Held);
    let suspended = set_versioning(&session, "vault", Versioning::Suspended).await.unwrap_err();
    assert_eq!(suspended.kind, ErrorKind::InvalidContent);
    bench.clock.advance_secs(86_401);
    remove(&session, "/vault/dav").await.unwrap();
    bench.assert_clean().await;
}

#[tokio::test]
async fn a_copy_shares_content_and_takes_what_it_is_told() {
    let (bench, session) = versioned().await;
    let object = Object {
        metadata: vec![("colour".into(), "green".into())],
        tags: vec![("t".into(), "1".into())],
        ..Object::default()
    };
    let options = PutOptions { md5: true, media_type: Some("a/b".into()), object, ..PutOptions::default() };
    let first = put_with(&session, "bucket/k", options, &noise(3, 300_000)).await.unwrap().version;
    let plain = CopyOptions::default();
    let at = raw("bucket/copy/of/k");
    let (written, source) =
        session.copy_object(&raw("bucket/k"), &at, plain, Precondition::default()).await.unwrap();
    assert_eq!(source.version, first);
    let facts = written.node.object.unwrap();
    assert_eq!((facts.etag, facts.object.metadata), (source.etag, source.object.metadata));
    assert_ne!(facts.version, first);
    assert_eq!(written.node.media_type.as_deref(), Some("a/b"));
    let anew = Object { metadata: vec![("colour".into(), "red".into())], ..Object::default() };
    let replace = CopyOptions { replace: Some((None, anew)), ..CopyOptions::default() };
    let same = raw("bucket/k");
    let (written, _) = session.copy_object(&same, &same, replace, Precondition::default()).await.unwrap();
    assert_eq!(written.node.object.unwrap().object.metadata[0].1, "red");
    assert_eq!(get_object(&session, "bucket/k", Some(first)).await.unwrap(), noise(3, 300_000));
    bench.assert_clean().await;
}

#[tokio::test]
async fn an_append_only_key_makes_and_never_changes() {
    let (bench, owner) = versioned().await;
    let backup = bench.session(&["backup=/bucket/laptop"]).await;
    put_object(&backup, "bucket/laptop/one", b"1").await.unwrap();
    let refused = |error: model::Error| assert_eq!(error.kind, ErrorKind::Denied);
    refused(put_object(&backup, "bucket/laptop/one", b"2").await.unwrap_err());
    refused(put_object(&backup, "bucket/other", b"2").await.unwrap_err());
    refused(delete(&backup, "bucket/laptop/one", None, false).await.unwrap_err());
    let tags = ObjectChange::Tags(Vec::new());
    refused(backup.change_object(&raw("bucket/laptop/one"), None, tags, false).await.unwrap_err());
    refused(set_versioning(&backup, "bucket", Versioning::Suspended).await.unwrap_err());
    refused(backup.delete_bucket(&name("bucket")).await.unwrap_err());
    refused(backup.create_bucket(&name("more"), false).await.unwrap_err());
    put_object(&owner, "bucket/secret", b"s").await.unwrap();
    let hidden = get_object(&backup, "bucket/secret", None).await.unwrap_err();
    assert_eq!(hidden.kind, ErrorKind::NotFound);
    bench.assert_clean().await;
}

#[tokio::test]
async fn signed_requests_and_anybody_open_what_they_should() {
    let bench = Bench::new().await;
    let (new, owner) = bench.app(&["all"]).await;
    put(&owner, "/public/page", b"for all").await.unwrap();
    let key = bench.core.signing_key(&new.access_key, &door("s3")).await.unwrap();
    assert_eq!(key.secret(), &**new.secret_key);
    let session = bench.core.authenticate(Proof::Signature(key.clone()), door("s3")).await.unwrap();
    assert_eq!(get(&session, "/public/page").await.unwrap(), b"for all");
    let unknown = bench.core.signing_key("ALNOBODY", &door("s3")).await.err().unwrap();
    assert_eq!(unknown.kind, ErrorKind::Unauthenticated);

    let anyone = Proof::Anonymous { account: None };
    let anyone = bench.core.authenticate(anyone, door("s3")).await.unwrap();
    assert_eq!(get_object(&anyone, "public/page", None).await.unwrap(), b"for all");
    put(&owner, "/private", b"mine").await.unwrap();
    assert_eq!(get(&anyone, "/private").await.unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(put_object(&anyone, "public/page", b"x").await.unwrap_err().kind, ErrorKind::Denied);

    bench.core.operator().revoke_credential(&new.id.0).await.unwrap();
    assert!(bench.core.signing_key(&new.access_key, &door("s3")).await.is_err());
    let over = bench.core.authenticate(Proof::Signature(key), door("s3")).await.err().unwrap();
    assert_eq!(over.kind, ErrorKind::Unauthenticated);
}
