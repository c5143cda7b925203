//! Typed values of properties (RFC 5545 §3.3, RFC 6350 §4).

mod date;
mod duration;
mod text;
mod when;

pub use date::{DAY_S, Date, Utc, Wall, Weekday};
pub use duration::{Duration, parse_utc_offset};
pub use text::{escape_text, split_unescaped, unescape_text};
pub use when::{Period, PeriodEnd, When};
