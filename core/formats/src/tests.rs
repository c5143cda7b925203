//! Known answers from the standards' own examples, oddities in the manner of real programs, and properties.

mod lines;
mod recur;
