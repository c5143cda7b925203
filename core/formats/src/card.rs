//! Cards: what core's rules and CardDAV's reports ask of them (RFC 6352, RFC 6350, RFC 2426, vCard 2.1).

mod birthdays;
mod check;
mod convert;
mod facts;
mod filter;
mod object;
mod partial;

pub use birthdays::{Occasion, OccasionKind, occasions, write_occasion};
pub use check::{Invalid, Policy, Precondition};
pub use convert::convert;
pub use facts::{Facts, PartialDate};
pub use filter::{Filter, INDEXED, PropFilter, indexed_texts};
pub use object::{Card, Version, value_text};
pub use partial::{Selection, partial};
