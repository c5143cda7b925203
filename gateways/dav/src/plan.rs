//! Which properties there are, and which of them a request wants.

use crate::escape::escaped;
use crate::xml::{DAV, Element};

/// Most properties that one request may name.
pub const PROPERTIES_MAX: usize = 1000;

/// The properties that the server computes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Live {
    /// RFC 4918 §15.1.
    CreationDate,
    /// RFC 4918 §15.2; a dead one, once set, takes its place.
    DisplayName,
    /// RFC 4918 §15.4.
    ContentLength,
    /// RFC 4918 §15.5.
    ContentType,
    /// RFC 4918 §15.6; files only.
    Etag,
    /// RFC 4918 §15.7.
    LastModified,
    /// RFC 4918 §15.8.
    LockDiscovery,
    /// RFC 4918 §15.9.
    ResourceType,
    /// RFC 4918 §15.10.
    SupportedLock,
    /// RFC 4331 §3.
    QuotaAvailable,
    /// RFC 4331 §4.
    QuotaUsed,
    /// RFC 6578 §4.
    SyncToken,
    /// RFC 3253 §3.1.5.
    SupportedReportSet,
    /// RFC 5397 §3.
    CurrentUserPrincipal,
    /// RFC 3744 §5.5.
    CurrentUserPrivilegeSet,
    /// RFC 3744 §5.1.
    Owner,
    /// RFC 3744 §4.2; principals only.
    PrincipalUrl,
    /// RFC 3744 §5.8.
    PrincipalCollectionSet,
}

/// All of them with their names in `DAV:`. The first nine are what RFC 4918 §9.1 has `allprop` return.
pub(crate) const LIVE: [(Live, &str); 18] = [
    (Live::CreationDate, "creationdate"),
    (Live::DisplayName, "displayname"),
    (Live::ContentLength, "getcontentlength"),
    (Live::ContentType, "getcontenttype"),
    (Live::Etag, "getetag"),
    (Live::LastModified, "getlastmodified"),
    (Live::LockDiscovery, "lockdiscovery"),
    (Live::ResourceType, "resourcetype"),
    (Live::SupportedLock, "supportedlock"),
    (Live::QuotaAvailable, "quota-available-bytes"),
    (Live::QuotaUsed, "quota-used-bytes"),
    (Live::SyncToken, "sync-token"),
    (Live::SupportedReportSet, "supported-report-set"),
    (Live::CurrentUserPrincipal, "current-user-principal"),
    (Live::CurrentUserPrivilegeSet, "current-user-privilege-set"),
    (Live::Owner, "owner"),
    (Live::PrincipalUrl, "principal-URL"),
    (Live::PrincipalCollectionSet, "principal-collection-set"),
];
/// RFC 4331 §2 and RFC 6578 §4 want their properties left out of `allprop`.
const ALLPROP: usize = 9;

impl Live {
    /// The property of that name.
    pub(crate) fn named(namespace: &str, name: &str) -> Option<Live> {
        if namespace != DAV {
            return None;
        }
        LIVE.iter().find(|(_, n)| *n == name).map(|(live, _)| *live)
    }

    pub(crate) fn tag(self) -> &'static str {
        // **Invariant:** LIVE lists every variant, in the order of their declaration.
        LIVE[self as usize].1
    }
}

/// One property that a request names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Ask {
    Live(Live),
    /// Namespace, name, and the empty element that says "not here".
    Dead(String, String, String),
}

/// What a request wants to know of each resource.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Plan {
    pub(crate) asked: Vec<Ask>,
    /// How many of them, from the first, nobody asked for by name: they are not missed.
    pub(crate) unnamed: usize,
    /// All dead properties too.
    pub(crate) all_dead: bool,
    /// Names only.
    pub(crate) names_only: bool,
    /// RFC 8144 §2.1: leave out what is not there.
    pub(crate) minimal: bool,
}

impl Plan {
    /// `allprop`.
    pub(crate) fn all() -> Plan {
        let asked = LIVE[..ALLPROP].iter().map(|(live, _)| Ask::Live(*live)).collect();
        Plan { asked, unnamed: ALLPROP, all_dead: true, names_only: false, minimal: false }
    }

    /// `propname`.
    pub(crate) fn names() -> Plan {
        let asked = LIVE.iter().map(|(live, _)| Ask::Live(*live)).collect();
        Plan { asked, unnamed: LIVE.len(), all_dead: true, names_only: true, minimal: false }
    }

    /// Exactly what a `prop` element names; `None` when it names too many.
    pub(crate) fn only(prop: Element<'_>) -> Option<Plan> {
        Plan { asked: Vec::new(), unnamed: 0, all_dead: false, names_only: false, minimal: false }.with(prop)
    }

    /// What an element's children name, beside what is asked already.
    pub(crate) fn with(mut self, prop: Element<'_>) -> Option<Plan> {
        for property in prop.children() {
            let (namespace, name) = (property.namespace(), property.name());
            let ask = match Live::named(namespace, name) {
                Some(live) => Ask::Live(live),
                None => Ask::Dead(namespace.to_owned(), name.to_owned(), empty_element(namespace, name)),
            };
            if self.asked.contains(&ask) {
                continue;
            }
            if self.asked.len() == PROPERTIES_MAX {
                return None;
            }
            self.asked.push(ask);
        }
        Some(self)
    }

    /// Without a live property that nobody asked for by name.
    pub(crate) fn without(mut self, live: Live) -> Plan {
        if let Some(index) = self.asked[..self.unnamed].iter().position(|ask| *ask == Ask::Live(live)) {
            self.asked.remove(index);
            self.unnamed -= 1;
        }
        self
    }

    /// Whether dead properties must be fetched.
    pub(crate) fn needs_dead(&self) -> bool {
        let dead = |ask: &Ask| matches!(ask, Ask::Dead(..) | Ask::Live(Live::DisplayName));
        self.all_dead || self.asked.iter().any(dead)
    }

    /// Whether a live property is asked for.
    pub(crate) fn asks(&self, live: Live) -> bool {
        !self.names_only && self.asked.contains(&Ask::Live(live))
    }
}

/// A property's empty element: what stands for it where its value does not matter.
pub(crate) fn empty_element(namespace: &str, name: &str) -> String {
    match namespace {
        DAV => format!("<D:{name}/>"),
        // RFC 4918 §9.2 with Namespaces in XML §6.2: no namespace is no prefix.
        "" => format!("<{name} xmlns=\"\"/>"),
        other => format!("<x:{name} xmlns:x=\"{}\"/>", escaped(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_live_property_is_in_the_table_at_its_place() {
        for (index, (live, name)) in LIVE.iter().enumerate() {
            assert_eq!((*live as usize, live.tag()), (index, *name));
            assert_eq!(Live::named(DAV, name), Some(*live));
            assert_eq!(Live::named("urn:x", name), None);
        }
    }

    #[test]
    fn empty_elements() {
        assert_eq!(empty_element(DAV, "getetag"), "<D:getetag/>");
        assert_eq!(empty_element("", "p"), "<p xmlns=\"\"/>");
        assert_eq!(empty_element("urn:a&b", "p"), "<x:p xmlns:x=\"urn:a&amp;b\"/>");
    }
}
