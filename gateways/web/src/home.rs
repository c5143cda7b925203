//! What stands at the top.

use crate::respond::{Answer, see};
use crate::visit::Visit;

/// Leads on to where a person wants to be first.
pub(crate) fn page(visit: &Visit) -> Answer {
    Ok(see(match visit.person {
        Some(_) => "/ui/files",
        None => "/ui/sign-in",
    }))
}
