use super::*;

fn generic(text: &str) -> object_store::Error {
    object_store::Error::Generic { store: "S3", source: text.into() }
}

#[test]
fn failures_of_stores_are_sorted() {
    let cases = [
        (generic("connection refused"), ErrorKind::Unavailable),
        (generic("Server returned non-2xx status code: 403 Forbidden: <xml>"), ErrorKind::Denied),
        (generic("Server returned non-2xx status code: 404 Not Found: "), ErrorKind::NotFound),
        (generic("Server returned non-2xx status code: 503 Slow Down: "), ErrorKind::Unavailable),
        (object_store::Error::NotFound { path: "p".into(), source: "s".into() }, ErrorKind::NotFound),
        (object_store::Error::PermissionDenied { path: "p".into(), source: "s".into() }, ErrorKind::Denied),
        (
            object_store::Error::Generic {
                store: "LocalFileSystem",
                source: io::Error::from(io::ErrorKind::StorageFull).into(),
            },
            ErrorKind::NoSpace,
        ),
    ];
    for (error, kind) in cases {
        let text = error.to_string();
        assert_eq!(Error::store("x", error).kind(), kind, "{text}");
    }
}

#[test]
fn failures_of_the_disk_are_sorted() {
    for (from, to) in [
        (io::ErrorKind::NotFound, ErrorKind::NotFound),
        (io::ErrorKind::StorageFull, ErrorKind::NoSpace),
        (io::ErrorKind::QuotaExceeded, ErrorKind::NoSpace),
        (io::ErrorKind::PermissionDenied, ErrorKind::Denied),
        (io::ErrorKind::UnexpectedEof, ErrorKind::Corrupt),
        (io::ErrorKind::TimedOut, ErrorKind::Unavailable),
    ] {
        assert_eq!(Error::io("x", from.into()).kind(), to);
    }
}

#[test]
fn an_error_tells_its_causes_once() {
    let inner = Error::corrupt("the cause");
    let outer = Error::new(ErrorKind::Unavailable, "what failed").caused_by(inner);
    assert_eq!(outer.to_string(), "what failed");
    assert_eq!(format!("{outer:?}"), "Unavailable: what failed: the cause");
    assert_eq!(format!("{:?}", outer.again()), "Unavailable: what failed: the cause");
    let wordy = Error::store("listing", generic("refused"));
    assert_eq!(format!("{wordy:?}"), "Unavailable: listing: Generic S3 error: refused");
}
