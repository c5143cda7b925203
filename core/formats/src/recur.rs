//! Recurrence: rules (RFC 5545 §3.3.10), the sets that components make of them (§3.8.5) and overrides (§3.8.4.4).

mod expansion;
mod mask;
mod plan;
mod rule;
mod series;
mod times;
mod walk;

use crate::value::Wall;

pub(crate) use expansion::identity;
pub use expansion::{Expansion, Extent, Instance, Instances};
pub use rule::{Frequency, Rule, RuleError, Until};
pub use times::{End, Times};

impl Rule {
    /// Gives each time on the clock at which a rule that begins at `start` occurs, from `from` to `until` inclusive,
    /// ascending; `start` itself is the first. `steps` is what it may cost and afterwards what is left; false when that
    /// was not enough.
    pub fn each(
        &self,
        start: Wall,
        from: Wall,
        until: Wall,
        steps: &mut u64,
        mut found: impl FnMut(Wall),
    ) -> bool {
        let plan = plan::Plan::new(self, start);
        let mut walk = walk::Walk::new(&plan, until, *steps);
        walk.seek(from);
        walk.by_ref().filter(|wall| *wall >= from).for_each(&mut found);
        *steps = walk.steps();
        !walk.is_cut_off()
    }
}

/// The first occurrences at or after `from`, as many as `most`.
#[cfg(test)]
pub(crate) fn first_from(rule: &Rule, start: Wall, from: Wall, until: Wall, most: usize) -> Vec<Wall> {
    let plan = plan::Plan::new(rule, start);
    let mut walk = walk::Walk::new(&plan, until, 3_000_000);
    walk.seek(from);
    walk.filter(|wall| *wall >= from).take(most).collect()
}
