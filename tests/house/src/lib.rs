//! What must never break in the way this repository is built: which crate may use which, where outside crates live,
//! and what must not be left behind. Size and style stay a matter of judgement.

#[cfg(test)]
mod tests;
