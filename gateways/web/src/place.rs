//! Paths of the drive in addresses of the page.

use allod_core::model::Name;
use allod_model::{NameRule, Path};
use percent_encoding::percent_decode_str;

use crate::error::Refusal;
use crate::respond::url_part;
use crate::visit::Visit;

/// The path of the drive behind `/ui/PLACE/`.
///
/// # Errors
/// `NotFound` when it can be no path: names are taken by the strict rule, so `..` is none.
pub(crate) fn path_of(visit: &Visit, place: &str) -> Result<Path, Refusal> {
    let rest = visit.path.strip_prefix("/ui/").and_then(|rest| rest.strip_prefix(place));
    parse(rest.unwrap_or_default())
}

fn parse(rest: &str) -> Result<Path, Refusal> {
    let mut names = Vec::new();
    for part in rest.split('/').filter(|part| !part.is_empty()) {
        let bytes: Vec<u8> = percent_decode_str(part).collect();
        names.push(Name::new(&bytes, NameRule::Strict).map_err(|_| Refusal::NotFound)?);
    }
    Ok(Path::from_names(names))
}

/// A path as it stands in a form: `/a/b`, not encoded.
///
/// # Errors
/// A text for people when it can be no path.
pub(crate) fn typed(text: &str) -> Result<Path, Refusal> {
    Path::parse(text.trim().as_bytes(), NameRule::Strict).map_err(|_| Refusal::form("error.invalid"))
}

/// The address of a path behind `/ui/PLACE/`.
pub(crate) fn url(place: &str, path: &Path) -> String {
    let parts: Vec<_> = path.names().iter().map(|name| url_part(name.as_bytes())).collect();
    match parts.is_empty() {
        true => format!("/ui/{place}"),
        false => format!("/ui/{place}/{}", parts.join("/")),
    }
}

/// The way to a path: name and address of each folder above it and of itself.
pub(crate) fn crumbs(root: &str, path: &Path) -> Vec<(String, String)> {
    let mut crumbs = vec![(root.to_owned(), url("files", &Path::root()))];
    for depth in 1..=path.depth() {
        let above = Path::from_names(path.names()[..depth].to_vec());
        let name = above.last().map(ToString::to_string).unwrap_or_default();
        crumbs.push((name, url("files", &above)));
    }
    crumbs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_name_paths_and_nothing_above() {
        for bad in ["/..", "/a/../b", "/%2e%2e", "/a%2fb", "/%00", "/a%ffb", "/."] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        let path = parse("/a%20b/%C3%A4.txt").ok().unwrap();
        assert_eq!(path.to_string(), "/a b/ä.txt");
        assert_eq!(url("files", &path), "/ui/files/a%20b/%C3%A4.txt");
        assert_eq!(url("raw", &Path::root()), "/ui/raw");
    }
}
