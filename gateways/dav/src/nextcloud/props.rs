//! Properties of the namespace `http://owncloud.org/ns`.

use allod_core::Node;
use allod_model::Rights;

use crate::props::{Subject, write_number};

/// The namespace.
pub(crate) const NAMESPACE: &str = "http://owncloud.org/ns";

/// What their programs know a file or folder by, for as long as it lives: `oc:id`, `OC-FileId`.
pub(crate) fn file_id(node: &Node) -> String {
    format!("{:08}allod", node.id.0)
}

/// Appends one of these properties; `false`, and nothing appended, when there is no such one.
pub(crate) fn write_property(out: &mut Vec<u8>, name: &str, subject: Subject<'_>) -> bool {
    let Subject::Node(node, _) = subject else { return false };
    let mut value = Vec::new();
    match name {
        "id" => value.extend_from_slice(file_id(node).as_bytes()),
        "fileid" => write_number(&mut value, node.id.0),
        "permissions" => value.extend_from_slice(permissions(node).as_bytes()),
        "size" => write_number(&mut value, node.size),
        _ => return false,
    }
    out.extend_from_slice(format!("<{name} xmlns=\"{NAMESPACE}\">").as_bytes());
    out.extend_from_slice(&value);
    out.extend_from_slice(format!("</{name}>").as_bytes());
    true
}

/// Their letters: G read, D delete, N rename, V move, W write, C create files in it, K create folders in it.
fn permissions(node: &Node) -> &'static str {
    match (node.rights, node.is_folder()) {
        (Some(Rights::Write), false) => "GDNVW",
        (Some(Rights::Write), true) => "GDNVCK",
        (Some(Rights::Append), true) => "GCK",
        (Some(Rights::Append | Rights::Read), _) => "G",
        // A folder that only leads to something.
        (None, _) => "G",
    }
}
