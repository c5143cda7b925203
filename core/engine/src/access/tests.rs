use allod_model::{NameRule, parse_grant};

use super::*;

fn scope(grants: &[&str], protocol: &str) -> Scope {
    let grants: Vec<_> = grants.iter().map(|g| parse_grant(g).unwrap()).collect();
    Scope::new(&grants, &[Protocol::new(protocol)])
}

fn path(text: &str) -> Path {
    Path::parse(text.as_bytes(), NameRule::Strict).unwrap()
}

#[test]
fn a_corner_shows_only_the_way_to_it() {
    let scope = scope(&["/photos/2024:r"], "webdav");
    for (at, sight) in [
        ("/", Sight::Passage),
        ("/photos", Sight::Passage),
        ("/photos/2024", Sight::Granted(Rights::Read)),
        ("/photos/2024/a/b", Sight::Granted(Rights::Read)),
        ("/photos/2023", Sight::Hidden),
        ("/photos/20245", Sight::Hidden),
        ("/Photos/2024", Sight::Hidden),
        ("/mail", Sight::Hidden),
    ] {
        assert_eq!(scope.sight(&path(at)), sight, "{at}");
    }
    assert!(scope.check_write(&path("/photos/2024/a"), Rights::Append).is_err());
}

#[test]
fn the_strongest_of_several_grants_holds() {
    let scope = scope(&["/:r", "/backups:a", "/backups/tmp:rw"], "webdav");
    assert_eq!(scope.sight(&path("/x")), Sight::Granted(Rights::Read));
    assert_eq!(scope.sight(&path("/backups/x")), Sight::Granted(Rights::Append));
    assert_eq!(scope.sight(&path("/backups/tmp/x")), Sight::Granted(Rights::Write));
}

#[test]
fn a_grant_holds_only_for_its_protocols() {
    assert!(scope(&["/a:rw@s3"], "webdav").is_empty());
    assert!(!scope(&["/a:rw@s3,webdav"], "webdav").is_empty());
    assert!(scope(&["calendar"], "webdav").is_empty());
}

#[test]
fn exceptions_stay_closed_also_to_what_acts_on_a_whole_subtree() {
    let scope = scope(&["files"], "webdav");
    assert_eq!(scope.sight(&path("/Mail/INBOX")), Sight::Hidden);
    assert_eq!(scope.uniform_below(&Path::root()), None);
    assert_eq!(scope.uniform_below(&path("/docs")), Some(Rights::Write));
    assert!(scope.check_write_below(&path("/docs"), Rights::Write).is_ok());
    assert!(scope.check_write_below(&Path::root(), Rights::Write).is_err());
}
