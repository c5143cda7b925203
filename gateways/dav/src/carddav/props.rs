//! Properties of address books (RFC 6352 §6.2, §8.3.1).

use allod_formats::limits::OBJECT_BYTES_MAX;

use crate::plan::Live;
use crate::props::write_number;

/// Appends a property of an address book; `false` when there is no such one.
pub(crate) fn write_collection(out: &mut Vec<u8>, live: Live) -> bool {
    match live {
        // DAVx5 sends vCard 4 only where it is listed.
        Live::SupportedAddressData => out.extend_from_slice(
            b"<CR:address-data-type content-type=\"text/vcard\" version=\"3.0\"/>\
              <CR:address-data-type content-type=\"text/vcard\" version=\"4.0\"/>",
        ),
        Live::AddressMaxResourceSize => write_number(out, OBJECT_BYTES_MAX as u64),
        Live::AddressCollationSet => {
            for name in crate::filter::COLLATIONS {
                out.extend_from_slice(b"<CR:supported-collation>");
                out.extend_from_slice(name.as_bytes());
                out.extend_from_slice(b"</CR:supported-collation>");
            }
        }
        _ => return false,
    }
    true
}
