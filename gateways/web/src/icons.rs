//! Icons, drawn as lines on a grid of 24.

/// An icon as an SVG element that screen readers pass over.
pub(crate) fn icon(name: &str) -> String {
    format!(
        "<svg class=\"icon\" viewBox=\"0 0 24 24\" width=\"20\" height=\"20\" fill=\"none\" stroke=\"currentColor\" \
         stroke-width=\"1.75\" stroke-linecap=\"round\" stroke-linejoin=\"round\" aria-hidden=\"true\" \
         focusable=\"false\">{}</svg>",
        lines(name)
    )
}

fn lines(name: &str) -> &'static str {
    match name {
        "files" | "folder" => {
            "<path d=\"M3 7a2 2 0 0 1 2-2h4l2 2h8a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2z\"/>"
        }
        "file" => {
            "<path d=\"M14 3H7a2 2 0 0 0-2 2v14a2 2 0 0 0 2 2h10a2 2 0 0 0 2-2V8z\"/><path d=\"M14 3v5h5\"/>"
        }
        "photos" | "image" => {
            "<rect x=\"3\" y=\"4\" width=\"18\" height=\"16\" rx=\"2\"/><circle cx=\"9\" cy=\"10\" r=\"1.75\"/><path d=\"m4 18 5-4 3 2 4-5 4 5\"/>"
        }
        "mail" => "<rect x=\"3\" y=\"5\" width=\"18\" height=\"14\" rx=\"2\"/><path d=\"m4 7 8 6 8-6\"/>",
        "calendar" => {
            "<rect x=\"3\" y=\"5\" width=\"18\" height=\"16\" rx=\"2\"/><path d=\"M3 10h18M8 3v4M16 3v4\"/>"
        }
        "contacts" => "<circle cx=\"12\" cy=\"8\" r=\"4\"/><path d=\"M4 21c1-4 4.5-6 8-6s7 2 8 6\"/>",
        "apps" => {
            "<rect x=\"3\" y=\"3\" width=\"7\" height=\"7\" rx=\"1.5\"/><rect x=\"14\" y=\"3\" width=\"7\" height=\"7\" rx=\"1.5\"/><rect x=\"3\" y=\"14\" width=\"7\" height=\"7\" rx=\"1.5\"/><path d=\"M17.5 14v7M14 17.5h7\"/>"
        }
        "connect" => {
            "<path d=\"M9 15 15 9\"/><path d=\"m11 6 1.5-1.5a4.2 4.2 0 0 1 6 6L17 12M13 18l-1.5 1.5a4.2 4.2 0 0 1-6-6L7 12\"/>"
        }
        "activity" => "<path d=\"M3 12h4l3-8 4 16 3-8h4\"/>",
        "space" => "<path d=\"M12 3v9h9\"/><circle cx=\"12\" cy=\"12\" r=\"9\"/>",
        "settings" => {
            "<path d=\"M4 7h9M17 7h3M4 17h3M11 17h9\"/><circle cx=\"15\" cy=\"7\" r=\"2\"/><circle cx=\"9\" cy=\"17\" r=\"2\"/>"
        }
        "trash" => "<path d=\"M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v6M14 11v6\"/>",
        "download" => "<path d=\"M12 4v11M7 11l5 5 5-5M5 20h14\"/>",
        "upload" => "<path d=\"M12 16V5M7 9l5-5 5 5M5 20h14\"/>",
        "plus" => "<path d=\"M12 5v14M5 12h14\"/>",
        "share" => {
            "<circle cx=\"6\" cy=\"12\" r=\"2.5\"/><circle cx=\"17\" cy=\"6\" r=\"2.5\"/><circle cx=\"17\" cy=\"18\" r=\"2.5\"/><path d=\"m8.2 10.8 6.6-3.6M8.2 13.2l6.6 3.6\"/>"
        }
        "back" => "<path d=\"M15 5 8 12l7 7\"/>",
        "next" => "<path d=\"m9 5 7 7-7 7\"/>",
        "lock" => {
            "<rect x=\"5\" y=\"11\" width=\"14\" height=\"10\" rx=\"2\"/><path d=\"M8 11V8a4 4 0 0 1 8 0v3\"/>"
        }
        "phone" => "<rect x=\"7\" y=\"2.5\" width=\"10\" height=\"19\" rx=\"2\"/><path d=\"M11 18.5h2\"/>",
        "computer" => {
            "<rect x=\"3\" y=\"4\" width=\"18\" height=\"12\" rx=\"2\"/><path d=\"M9 20h6M12 16v4\"/>"
        }
        "music" => {
            "<circle cx=\"7\" cy=\"18\" r=\"3\"/><circle cx=\"18\" cy=\"16\" r=\"3\"/><path d=\"M10 18V6l11-2v12\"/>"
        }
        "video" => "<rect x=\"3\" y=\"5\" width=\"18\" height=\"14\" rx=\"2\"/><path d=\"m10 9 5 3-5 3z\"/>",
        "undo" => "<path d=\"M9 14 4 9l5-5\"/><path d=\"M4 9h10a6 6 0 0 1 0 12h-3\"/>",
        "clock" => "<circle cx=\"12\" cy=\"12\" r=\"9\"/><path d=\"M12 7v5l3 2\"/>",
        "menu" => "<path d=\"M4 7h16M4 12h16M4 17h16\"/>",
        "check" => "<path d=\"m5 13 4 4L19 7\"/>",
        "warning" => "<path d=\"M12 4 2.5 20h19z\"/><path d=\"M12 10v4M12 17v.01\"/>",
        "search" => "<circle cx=\"11\" cy=\"11\" r=\"6\"/><path d=\"m20 20-4.5-4.5\"/>",
        "leave" => "<path d=\"M14 4h4a2 2 0 0 1 2 2v12a2 2 0 0 1-2 2h-4M10 16l-4-4 4-4M6 12h10\"/>",
        "key" => "<circle cx=\"8\" cy=\"15\" r=\"4\"/><path d=\"m11 12 9-9M16 7l3 3\"/>",
        "backup" => "<path d=\"M12 3 4 6v6c0 5 3.5 8 8 9 4.500-1 8-4 8-9V6z\"/><path d=\"m9 12 2 2 4-4\"/>",
        _ => "<circle cx=\"12\" cy=\"12\" r=\"9\"/>",
    }
}
