//! Properties of calendars and of what is in them (RFC 4791 §5.2, RFC 6638 §9).

use allod_core::{ATTACHMENT_BYTES_MAX, ATTACHMENTS_MAX, FolderFacts, Node};
use allod_formats::calendar::Policy;
use allod_formats::limits::OBJECT_BYTES_MAX;

use crate::plan::Live;
use crate::props::write_number;

/// Appends a property of a calendar; `false` when there is no such one.
pub(crate) fn write_collection(out: &mut Vec<u8>, live: Live, facts: &FolderFacts) -> bool {
    match live {
        Live::SupportedCalendarComponentSet => write_components(out, facts),
        Live::SupportedCalendarData => {
            out.extend_from_slice(b"<C:calendar-data content-type=\"text/calendar\" version=\"2.0\"/>")
        }
        Live::CalendarMaxResourceSize => write_number(out, OBJECT_BYTES_MAX as u64),
        // All that iCalendar can write (RFC 5545 §3.3.4).
        Live::MinDateTime => out.extend_from_slice(b"00000101T000000Z"),
        Live::MaxDateTime => out.extend_from_slice(b"99991231T235959Z"),
        Live::MaxAttendeesPerInstance => write_number(out, Policy::default().attendees_max as u64),
        Live::MaxAttachmentSize => write_number(out, ATTACHMENT_BYTES_MAX),
        Live::MaxAttachmentsPerResource => write_number(out, ATTACHMENTS_MAX as u64),
        Live::CalendarCollationSet => {
            for name in crate::filter::COLLATIONS {
                out.extend_from_slice(b"<C:supported-collation>");
                out.extend_from_slice(name.as_bytes());
                out.extend_from_slice(b"</C:supported-collation>");
            }
        }
        Live::ScheduleCalendarTransp => {
            let transparent: &[u8] = if facts.transparent { b"<C:transparent/>" } else { b"<C:opaque/>" };
            out.extend_from_slice(transparent);
        }
        _ => return false,
    }
    true
}

/// Appends a property of a folder in which calendars can be made; `false` when there is no such one.
pub(crate) fn write_home(_: &mut Vec<u8>, live: Live) -> bool {
    // Empty: a new calendar may have any set of components.
    live == Live::SupportedCalendarComponentSets
}

fn write_components(out: &mut Vec<u8>, facts: &FolderFacts) {
    for name in facts.components.names() {
        out.extend_from_slice(b"<C:comp name=\"");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\"/>");
    }
}

/// RFC 6638 §3.2.10; `false` when the object has none.
pub(crate) fn write_schedule_tag(out: &mut Vec<u8>, node: &Node) -> bool {
    let Some(tag) = node.calendar.as_ref().and_then(|facts| facts.schedule_tag.as_ref()) else {
        return false;
    };
    out.push(b'"');
    crate::escape::escape_into(out, tag);
    out.push(b'"');
    true
}
