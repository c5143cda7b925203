//! Calendar objects: what core's rules and CalDAV's reports ask of them (RFC 4791, RFC 5545).

mod check;
mod expand;
mod facts;
mod filter;
mod freebusy;
pub mod itip;
mod matching;
mod object;
mod overlap;
mod partial;

pub use check::{Invalid, Policy, Precondition};
pub use facts::{Attendee, Facts};
pub use filter::{CompFilter, ParamFilter, PropFilter, TimeRange};
pub use freebusy::{Busy, BusyKind, busy_periods, merge_busy, write_freebusy};
pub use itip::managed::{INSTANCES_MAX, Managed, ManagedError, Rids, attach, detach, managed_ids, reattach};
pub use object::{Object, ObjectError};
pub use partial::{CompSelection, PropSelection, Recurrences, Selection, partial};
