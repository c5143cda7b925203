//! What holds across pages.

use std::path::Path;

use crate::visit::own_path;

#[test]
fn people_are_led_to_pages_of_this_origin_only() {
    for path in ["/ui/", "/ui/apps?x=1", "/oauth/authorize?client_id=a&scope=b%3Ar"] {
        assert_eq!(own_path(path), Some(path));
    }
    for path in
        ["", "/", "//x", "/ui//x", "/ui/\\x", "https://x", "/ui/../x", "/ui/./x", "/ui/a b", "/ui/ä", "/dav/"]
    {
        assert_eq!(own_path(path), None, "{path}");
    }
    assert_eq!(own_path(&format!("/ui/{}", "a".repeat(5000))), None);
}

/// The policy forbids what is inline, so a page that has it would be broken; and only icons and QR codes, which are made
/// here, may be put in unescaped.
#[test]
fn templates_hold_nothing_inline_and_escape_everything() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        seen += 1;
        for never in [" style=", " onclick", " onload", "javascript:", "http://", "https://", "<style"] {
            assert!(!text.contains(never), "{} holds {never}", path.display());
        }
        for (at, _) in text.match_indices("|safe") {
            let shown = &text[text[..at].rfind("{{").unwrap()..at];
            assert!(shown.starts_with("{{ f.icon(") || shown == "{{ qr", "{}: {shown}", path.display());
        }
        for (at, _) in text.match_indices("method=\"post\"") {
            let begin = text[..at].rfind("<form").unwrap();
            let form = &text[begin..at + text[at..].find("</form>").unwrap()];
            let open =
                ["/ui/sign-in", "/ui/language", "{{ action }}"].iter().any(|target| form.contains(target));
            assert!(open || form.contains("name=\"token\""), "{}: {form}", path.display());
        }
    }
    assert!(seen > 20);
}
