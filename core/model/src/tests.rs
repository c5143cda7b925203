use crate::*;

#[test]
fn strict_names_refuse_what_a_drive_cannot_express() {
    for bad in [&b""[..], b".", b"..", b"a/b", b"a\0b", b"\xff\xfe", &[b'a'; 256]] {
        assert!(Name::new(bad, NameRule::Strict).is_err(), "{bad:?}");
    }
    for good in [&b"a"[..], "ünï".as_bytes(), b"...", b" ", b"con", &[b'a'; 255]] {
        assert_eq!(Name::new(good, NameRule::Strict).unwrap().as_bytes(), good);
    }
}

#[test]
fn raw_paths_keep_every_segment() {
    let path = Path::parse(b"bucket/a//./b/", NameRule::Raw).unwrap();
    let names: Vec<_> = path.names().iter().map(Name::as_bytes).collect();
    assert_eq!(names, [&b"bucket"[..], b"a", b"", b".", b"b", b""]);
    assert_eq!(Path::parse(b"//a///b//", NameRule::Strict).unwrap().to_string(), "/a/b");
}

#[test]
fn keys_of_files_and_folders_differ_and_sort_as_s3_does() {
    let name = Name::new(b"a", NameRule::Strict).unwrap();
    let (file, folder) = (EntryKey::file(&name), EntryKey::folder(&name));
    assert!(file < folder && folder.is_folder() && !file.is_folder());
    assert!(EntryKey::from_bytes(b"a-b") < folder, "S3 lists a-b before a/…");
    assert_eq!(folder.name(), name);
}

#[test]
fn grants_are_read_and_refused() {
    let g = parse_grant("/photos:r@webdav,s3").unwrap();
    assert_eq!((g.path.to_string().as_str(), g.rights), ("/photos", Rights::Read));
    assert!(g.covers(&Protocol::new("s3")) && !g.covers(&Protocol::new("imap")));
    let files = parse_grant("files").unwrap();
    let on = |p: &str| files.rights_on(&Path::parse(p.as_bytes(), NameRule::Strict).unwrap());
    assert_eq!(
        (on("/x"), on("/Mail/INBOX"), on("/Mailer")),
        (Some(Rights::Write), None, Some(Rights::Write))
    );
    assert_eq!(parse_grant("backup=/backups/laptop").unwrap().rights, Rights::Append);
    for bad in ["", "everything", "photos:r", "/photos", "/photos:x", "/p:r@ftp", "backup=p", "/a/../b:r"] {
        assert!(parse_grant(bad).is_err(), "{bad}");
    }
}

#[test]
fn sizes_and_durations() {
    assert_eq!(parse_size("10K"), Some(10_240));
    assert_eq!(parse_size("1.5GiB"), Some(1_610_612_736));
    assert_eq!(parse_size("ten"), None);
    assert_eq!(parse_duration_secs("90d"), Some(7_776_000));
    assert_eq!(parse_duration_secs("d"), None);
    assert_eq!(parse_duration_secs("5é"), None);
}
