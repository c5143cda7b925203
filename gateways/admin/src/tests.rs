use allod_model::Timestamp;

use crate::{Request, parse_moment, show_moment};

#[test]
fn moments_are_read_as_people_write_them() {
    let now = Timestamp::from_secs(1_700_000_000);
    assert_eq!(parse_moment("2h", now), Some(now.plus_secs(-7200)));
    let exact = parse_moment("2023-11-14T22:13:20Z", now);
    assert_eq!(exact, Some(now));
    assert_eq!(parse_moment(&show_moment(now), now), Some(now));
    assert!(parse_moment("2023-11-14", now).is_some() && parse_moment("2023-11-14 10:00", now).is_some());
    assert_eq!(parse_moment("yesterday", now), None);
}

#[test]
fn a_password_is_never_shown() {
    let json = r#"{"command":"account-add","name":"a","emails":[],"quota":null,"password":"secret words"}"#;
    let request: Request = serde_json::from_str(json).unwrap();
    assert!(!format!("{request:?}").contains("secret"));
    assert!(serde_json::to_string(&request).unwrap().contains("secret"), "but it is sent");
}
