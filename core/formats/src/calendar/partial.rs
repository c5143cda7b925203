//! Parts of an object for a report: the `calendar-data` element of RFC 4791 §9.6. Lines are copied as they came.

use std::borrow::Cow;

use super::check::Precondition;
use super::expand::{expand, keep_overrides};
use super::object::Object;
use super::overlap::period_times;
use crate::component::{Component, Item};
use crate::limits::Budget;
use crate::output::Output;
use crate::property::Property;
use crate::value::{Period, Utc};
use crate::zone::Zone;

/// What a report wants of each object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// `comp`: which parts; none: all.
    pub component: Option<CompSelection>,
    /// `expand` or `limit-recurrence-set`.
    pub recurrences: Recurrences,
    /// `limit-freebusy-set`.
    pub freebusy: Option<(Utc, Utc)>,
}

/// What becomes of recurrences. Both windows take their start in and leave their end out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Recurrences {
    /// They stay as they are.
    #[default]
    Keep,
    /// `expand`: one component for each instance.
    Expand(Utc, Utc),
    /// `limit-recurrence-set`: only the overrides that matter.
    Limit(Utc, Utc),
}

/// A `comp` element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompSelection {
    /// Name of the component, in any case.
    pub name: String,
    /// Its properties; none: all.
    pub properties: Option<Vec<PropSelection>>,
    /// Its components; none: all, whole.
    pub components: Option<Vec<CompSelection>>,
}

/// A `prop` element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PropSelection {
    /// Name of the property, in any case.
    pub name: String,
    /// `novalue`: name and parameters only.
    pub no_value: bool,
}

impl CompSelection {
    /// Reads the children of a `comp`. An empty one means everything, as the standard's own example has it (RFC 4791
    /// §7.8.1, VTIMEZONE); otherwise what is not asked for is left out.
    pub fn new(
        name: &str,
        (all_properties, properties): (bool, Vec<PropSelection>),
        (all_components, components): (bool, Vec<CompSelection>),
    ) -> CompSelection {
        let empty = !all_properties && properties.is_empty() && !all_components && components.is_empty();
        CompSelection {
            name: name.to_owned(),
            properties: (!all_properties && !empty).then_some(properties),
            components: (!all_components && !empty).then_some(components),
        }
    }

    fn component(&self, name: &str) -> Option<Option<&CompSelection>> {
        match &self.components {
            None => Some(None),
            Some(wanted) => wanted.iter().find(|one| one.name.eq_ignore_ascii_case(name)).map(Some),
        }
    }

    fn property(&self, property: &Property<'_>) -> Option<bool> {
        match &self.properties {
            None => Some(false),
            Some(wanted) => wanted.iter().find(|one| property.is(&one.name)).map(|one| one.no_value),
        }
    }
}

/// The selected parts. Where everything is wanted it is the original to the byte.
///
/// # Errors
/// `max-instances`: to expand would take more than the budget.
pub fn partial<'a>(
    object: &Object<'_, 'a>,
    selection: &Selection,
    default: &Zone,
    budget: Budget,
) -> Result<Cow<'a, [u8]>, Precondition> {
    if *selection == Selection::default() {
        return Ok(Cow::Borrowed(object.bytes()));
    }
    if let Recurrences::Expand(start, end) = selection.recurrences {
        let picker = Picker { selection, object, default };
        return expand(object, (start, end), default, budget, &picker).map(Cow::Owned);
    }
    let kept = match selection.recurrences {
        Recurrences::Limit(start, end) => Some(keep_overrides(object, (start, end), default)),
        _ => None,
    };
    let picker = Picker { selection, object, default };
    let mut out = Output::new(object.bytes());
    let calendar = object.calendar();
    out.copy(calendar.begin());
    let mut index = 0;
    for item in calendar.items() {
        if let Item::Component(component) = item
            && !component.is("VTIMEZONE")
        {
            index += 1;
            if kept.as_ref().is_some_and(|kept| !kept[index - 1]) {
                continue;
            }
        }
        picker.item(&mut out, item, picker.top());
    }
    out.close(calendar);
    Ok(Cow::Owned(out.finish()))
}

/// Decides what goes out, and copies it.
pub(super) struct Picker<'p, 'd, 'a> {
    selection: &'p Selection,
    object: &'p Object<'d, 'a>,
    default: &'p Zone,
}

impl Picker<'_, '_, '_> {
    /// What is wanted of the calendar itself.
    pub(super) fn top(&self) -> Option<&CompSelection> {
        self.selection.component.as_ref()
    }

    /// Whether such a component within `of` goes out, and what is wanted of it.
    pub(super) fn wants<'s>(of: Option<&'s CompSelection>, name: &str) -> Option<Option<&'s CompSelection>> {
        of.map_or(Some(None), |of| of.component(name))
    }

    /// Copies an item as far as it is wanted.
    pub(super) fn item(&self, out: &mut Output<'_>, item: &Item<'_>, of: Option<&CompSelection>) {
        match item {
            Item::Component(component) => {
                if let Some(inner) = Self::wants(of, component.name()) {
                    self.component(out, component, inner);
                }
            }
            Item::Property(property) => {
                if self.property(out, property, of) {
                    out.copy(property.span());
                }
            }
            Item::Stray(span) if of.is_none() => out.copy(span.clone()),
            Item::Stray(_) => {}
        }
    }

    fn component(&self, out: &mut Output<'_>, component: &Component<'_>, of: Option<&CompSelection>) {
        out.copy(component.begin());
        for item in component.items() {
            match (item, self.selection.freebusy) {
                (Item::Property(property), Some(window)) if property.is("FREEBUSY") => {
                    if of.is_none_or(|of| of.property(property) == Some(false)) {
                        self.busy(out, property, window);
                    }
                }
                _ => self.item(out, item, of),
            }
        }
        out.close(component);
    }

    /// Whether the property is to be copied or rewritten by the caller; one without its value is written here.
    pub(super) fn property(
        &self,
        out: &mut Output<'_>,
        property: &Property<'_>,
        of: Option<&CompSelection>,
    ) -> bool {
        match of.map_or(Some(false), |of| of.property(property)) {
            None => false,
            Some(false) => true,
            Some(true) => {
                out.line(&format!("{}:", property.head()));
                false
            }
        }
    }

    /// RFC 4791 §9.6.7.
    fn busy(&self, out: &mut Output<'_>, property: &Property<'_>, (start, end): (Utc, Utc)) {
        let within = |value: &&str| {
            let times = Period::parse(value, None)
                .and_then(|period| period_times(&period, self.object.zones(), self.default));
            times.is_some_and(|times| start < times.1 && end > times.0)
        };
        let all = property.value().split(',').count();
        let kept: Vec<&str> = property.value().split(',').filter(within).collect();
        match kept.len() {
            0 => {}
            kept if kept == all => out.copy(property.span()),
            _ => out.line(&format!("{}:{}", property.head(), kept.join(","))),
        }
    }
}
