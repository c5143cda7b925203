//! How much of a format is read before it is refused. Each limit is a constant with its unit.

/// Largest object, in bytes, when the caller names no limit of its own.
pub const OBJECT_BYTES_MAX: usize = 10 * 1024 * 1024;
/// Logical lines of an object.
pub const LINES_MAX: usize = 1_000_000;
/// Components within components.
pub const DEPTH_MAX: usize = 16;
/// Parameters of one property.
pub const PARAMETERS_MAX: usize = 256;
/// Values in one list (BYxxx of a rule, dates of an EXDATE).
pub const LIST_VALUES_MAX: usize = 16_384;
/// Bytes of an object with its recurrences expanded: each instance repeats what the component says once.
pub const EXPANDED_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Last year that is computed with, inclusive: four digits are all that iCalendar can write (RFC 5545 §3.3.4).
pub const YEAR_MAX: i32 = 9999;
/// Year up to which the rules of a VTIMEZONE are followed; its last offset holds from then on.
pub const ZONE_YEAR_MAX: i32 = 2150;

/// What [`Document::parse`](crate::Document::parse) admits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the whole.
    pub bytes: usize,
    /// Logical lines.
    pub lines: usize,
    /// Components within components.
    pub depth: usize,
    /// Parameters of one property.
    pub parameters: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { bytes: OBJECT_BYTES_MAX, lines: LINES_MAX, depth: DEPTH_MAX, parameters: PARAMETERS_MAX }
    }
}

/// Which limit an object went beyond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exceeded {
    /// [`Limits::bytes`].
    Bytes,
    /// [`Limits::lines`].
    Lines,
    /// [`Limits::depth`].
    Depth,
    /// [`Limits::parameters`].
    Parameters,
}

impl std::fmt::Display for Exceeded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Exceeded::Bytes => "too many bytes",
            Exceeded::Lines => "too many lines",
            Exceeded::Depth => "components nested too deeply",
            Exceeded::Parameters => "too many parameters on a property",
        })
    }
}

impl std::error::Error for Exceeded {}

/// How much work a question may cost. Every walk over recurrences takes one and says when it was not enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Periods and instances looked at; one costs some tens of nanoseconds.
    pub steps: u64,
    /// Instances handed out.
    pub instances: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Budget { steps: 200_000, instances: 20_000 }
    }
}
