//! Rights (RFC 4314).

use allod_model::Rights;

/// What a session may do, in the standard's letters.
pub(super) fn rights_letters(rights: Rights) -> &'static str {
    match rights {
        Rights::Read => "lr",
        // What comes can be filed, and mailboxes can be made; nothing that is there changes.
        Rights::Append => "lrik",
        Rights::Write => "lrswipkxtea",
    }
}
