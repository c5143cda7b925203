//! Which properties there are, and which of them a request wants.

use allod_formats::{calendar, card};

use crate::error::Failure;
use crate::escape::escaped;
use crate::xml::{CALDAV, CALENDARSERVER, CARDDAV, DAV, Element};

/// Most properties that one request may name.
pub const PROPERTIES_MAX: usize = 1000;

/// The namespaces of the properties that the server computes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Space {
    /// RFC 4918.
    Dav,
    /// RFC 4791.
    CalDav,
    /// RFC 6352.
    CardDav,
    /// Apple's published notes.
    CalendarServer,
}

impl Space {
    /// The namespace's name.
    pub(crate) const fn uri(self) -> &'static str {
        match self {
            Space::Dav => DAV,
            Space::CalDav => CALDAV,
            Space::CardDav => CARDDAV,
            Space::CalendarServer => CALENDARSERVER,
        }
    }
}

/// Declares the properties that the server computes: variant, namespace, name with the prefix that every multistatus
/// binds to that namespace.
macro_rules! live {
    ($($(#[$doc:meta])* $variant:ident $space:ident $name:literal;)*) => {
        /// The properties that the server computes.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(crate) enum Live {
            $($(#[$doc])* $variant,)*
        }

        /// All of them, in the order of their declaration. The first nine are what RFC 4918 §9.1 has `allprop` return.
        pub(crate) const LIVE: &[(Live, Space, &str)] = &[$((Live::$variant, Space::$space, $name),)*];
    };
}

live! {
    /// RFC 4918 §15.1.
    CreationDate Dav "D:creationdate";
    /// RFC 4918 §15.2; a dead one, once set, takes its place.
    DisplayName Dav "D:displayname";
    /// RFC 4918 §15.4.
    ContentLength Dav "D:getcontentlength";
    /// RFC 4918 §15.5.
    ContentType Dav "D:getcontenttype";
    /// RFC 4918 §15.6; files only.
    Etag Dav "D:getetag";
    /// RFC 4918 §15.7.
    LastModified Dav "D:getlastmodified";
    /// RFC 4918 §15.8.
    LockDiscovery Dav "D:lockdiscovery";
    /// RFC 4918 §15.9.
    ResourceType Dav "D:resourcetype";
    /// RFC 4918 §15.10.
    SupportedLock Dav "D:supportedlock";
    /// RFC 4331 §3.
    QuotaAvailable Dav "D:quota-available-bytes";
    /// RFC 4331 §4.
    QuotaUsed Dav "D:quota-used-bytes";
    /// RFC 6578 §4.
    SyncToken Dav "D:sync-token";
    /// RFC 3253 §3.1.3.
    SupportedMethodSet Dav "D:supported-method-set";
    /// RFC 3253 §3.1.5.
    SupportedReportSet Dav "D:supported-report-set";
    /// RFC 5842 §3.1.
    ResourceId Dav "D:resource-id";
    /// RFC 5397 §3.
    CurrentUserPrincipal Dav "D:current-user-principal";
    /// RFC 3744 §5.1.
    Owner Dav "D:owner";
    /// RFC 3744 §5.2.
    Group Dav "D:group";
    /// RFC 3744 §5.3.
    SupportedPrivilegeSet Dav "D:supported-privilege-set";
    /// RFC 3744 §5.4.
    CurrentUserPrivilegeSet Dav "D:current-user-privilege-set";
    /// RFC 3744 §5.5.
    Acl Dav "D:acl";
    /// RFC 3744 §5.6.
    AclRestrictions Dav "D:acl-restrictions";
    /// RFC 3744 §5.7.
    InheritedAclSet Dav "D:inherited-acl-set";
    /// RFC 3744 §5.8.
    PrincipalCollectionSet Dav "D:principal-collection-set";
    /// RFC 3744 §4.1; principals only, as are the next three.
    AlternateUriSet Dav "D:alternate-URI-set";
    /// RFC 3744 §4.2.
    PrincipalUrl Dav "D:principal-URL";
    /// RFC 3744 §4.3.
    GroupMemberSet Dav "D:group-member-set";
    /// RFC 3744 §4.4.
    GroupMembership Dav "D:group-membership";
    /// RFC 4791 §6.2.1; principals only, as are the next five.
    CalendarHomeSet CalDav "C:calendar-home-set";
    /// RFC 6638 §2.4.1.
    CalendarUserAddressSet CalDav "C:calendar-user-address-set";
    /// RFC 6638 §2.4.2.
    CalendarUserType CalDav "C:calendar-user-type";
    /// RFC 6638 §2.2.1.
    ScheduleInboxUrl CalDav "C:schedule-inbox-URL";
    /// RFC 6638 §2.1.1.
    ScheduleOutboxUrl CalDav "C:schedule-outbox-URL";
    /// RFC 6352 §7.1.1.
    AddressbookHomeSet CardDav "CR:addressbook-home-set";
    /// What Apple's programs show of a principal.
    EmailAddressSet CalendarServer "CS:email-address-set";
    /// RFC 6638 §9.2; on the inbox.
    ScheduleDefaultCalendarUrl CalDav "C:schedule-default-calendar-URL";
    /// Which calendars make busy, for clients from before RFC 6638; on the inbox.
    CalendarFreeBusySet CalDav "C:calendar-free-busy-set";
    /// RFC 4791 §5.2.3.
    SupportedCalendarComponentSet CalDav "C:supported-calendar-component-set";
    /// Which sets a new calendar may have; on the calendar home.
    SupportedCalendarComponentSets CalDav "C:supported-calendar-component-sets";
    /// RFC 4791 §5.2.4.
    SupportedCalendarData CalDav "C:supported-calendar-data";
    /// RFC 4791 §5.2.5.
    CalendarMaxResourceSize CalDav "C:max-resource-size";
    /// RFC 4791 §5.2.6.
    MinDateTime CalDav "C:min-date-time";
    /// RFC 4791 §5.2.7.
    MaxDateTime CalDav "C:max-date-time";
    /// RFC 4791 §5.2.9.
    MaxAttendeesPerInstance CalDav "C:max-attendees-per-instance";
    /// RFC 8607 §6.2.
    MaxAttachmentSize CalDav "C:max-attachment-size";
    /// RFC 8607 §6.3.
    MaxAttachmentsPerResource CalDav "C:max-attachments-per-resource";
    /// RFC 4791 §7.5.1.
    CalendarCollationSet CalDav "C:supported-collation-set";
    /// RFC 6638 §9.1.
    ScheduleCalendarTransp CalDav "C:schedule-calendar-transp";
    /// RFC 6638 §3.2.10; on objects that are scheduled.
    ScheduleTag CalDav "C:schedule-tag";
    /// RFC 6352 §6.2.2.
    SupportedAddressData CardDav "CR:supported-address-data";
    /// RFC 6352 §6.2.3.
    AddressMaxResourceSize CardDav "CR:max-resource-size";
    /// RFC 6352 §8.3.1.
    AddressCollationSet CardDav "CR:supported-collation-set";
    /// caldav-ctag: changes with any member.
    CTag CalendarServer "CS:getctag";
    /// caldav-sharing §5.2.2; on folders that are shared.
    Invite CalendarServer "CS:invite";
    /// caldav-sharing §5.2.3; on one's own calendars and address books.
    AllowedSharingModes CalendarServer "CS:allowed-sharing-modes";
    /// caldav-sharing §5.2.4; on what was lent.
    SharedUrl CalendarServer "CS:shared-url";
    /// Where a calendar is published.
    PublishUrl CalendarServer "CS:publish-url";
}

/// RFC 4331 §2, RFC 6578 §4, RFC 4791 §5.2 and others want their properties left out of `allprop`.
const ALLPROP: usize = 9;

impl Live {
    /// The property of that name.
    pub(crate) fn named(namespace: &str, name: &str) -> Option<Live> {
        let same = |live: &&(Live, Space, &str)| live.0.name() == name && live.1.uri() == namespace;
        LIVE.iter().find(same).map(|(live, ..)| *live)
    }

    /// Its name with the prefix that a multistatus declares.
    pub(crate) fn tag(self) -> &'static str {
        // **Invariant:** LIVE lists every variant, in the order of their declaration.
        LIVE[self as usize].2
    }

    fn name(self) -> &'static str {
        self.tag().split_once(':').map_or("", |(_, name)| name)
    }
}

/// One property that a request names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Ask {
    Live(Live),
    /// Namespace, name, and the empty element that says "not here".
    Dead(String, String, String),
    /// What a report wants of each calendar object (RFC 4791 §9.6).
    CalendarData(Box<calendar::Selection>),
    /// What a report wants of each card (RFC 6352 §10.4).
    AddressData(Box<card::Selection>),
}

impl Ask {
    fn of(property: Element<'_>) -> Ask {
        Ask::property(property.namespace(), property.name())
    }

    fn property(namespace: &str, name: &str) -> Ask {
        match Live::named(namespace, name) {
            Some(live) => Ask::Live(live),
            None => Ask::Dead(namespace.to_owned(), name.to_owned(), empty_element(namespace, name)),
        }
    }

    /// The property that a report names in attributes; `None` when it can be nobody's name.
    pub(crate) fn named(namespace: &str, name: &str) -> Option<Ask> {
        let fine = crate::xml::is_local_name(name);
        fine.then(|| Ask::property(namespace, name))
    }

    /// Appends its empty element.
    pub(crate) fn write_empty(&self, out: &mut Vec<u8>) {
        let tag = match self {
            Ask::Live(live) => live.tag(),
            Ask::Dead(.., element) => return out.extend_from_slice(element.as_bytes()),
            Ask::CalendarData(_) => "C:calendar-data",
            Ask::AddressData(_) => "CR:address-data",
        };
        out.push(b'<');
        out.extend_from_slice(tag.as_bytes());
        out.extend_from_slice(b"/>");
    }
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
        let asked = LIVE[..ALLPROP].iter().map(|(live, ..)| Ask::Live(*live)).collect();
        Plan { asked, unnamed: ALLPROP, all_dead: true, names_only: false, minimal: false }
    }

    /// `propname`.
    pub(crate) fn names() -> Plan {
        let asked = LIVE.iter().map(|(live, ..)| Ask::Live(*live)).collect();
        Plan { asked, unnamed: LIVE.len(), all_dead: true, names_only: true, minimal: false }
    }

    /// Nothing yet.
    pub(crate) fn none() -> Plan {
        Plan { asked: Vec::new(), unnamed: 0, all_dead: false, names_only: false, minimal: false }
    }

    /// Exactly what a `prop` element names; `None` when it names too many.
    pub(crate) fn only(prop: Element<'_>) -> Option<Plan> {
        Plan::none().with(prop)
    }

    /// What an element's children name, beside what is asked already.
    pub(crate) fn with(mut self, prop: Element<'_>) -> Option<Plan> {
        prop.children().all(|property| self.ask(Ask::of(property))).then_some(self)
    }

    /// Asks for one more; `false` when there are too many.
    pub(crate) fn ask(&mut self, ask: Ask) -> bool {
        if self.asked.contains(&ask) {
            return true;
        }
        if self.asked.len() == PROPERTIES_MAX {
            return false;
        }
        self.asked.push(ask);
        true
    }

    /// What the `prop`, `allprop` or `propname` of a report asks for; `None` when it holds none of them. The contents of
    /// objects may be among it.
    ///
    /// # Errors
    /// 400 when there are too many; what is wrong with a wish for content.
    pub(crate) fn of_report(root: Element<'_>) -> Result<Option<Plan>, Failure> {
        let too_many = || Failure::bad_request("too many properties are asked for");
        let Some(prop) = root.dav_child("prop") else {
            return Ok(if root.dav_child("allprop").is_some() {
                Some(Plan::all())
            } else {
                root.dav_child("propname").map(|_| Plan::names())
            });
        };
        let mut plan = Plan::none();
        for property in prop.children() {
            let ask = if property.is(CALDAV, "calendar-data") {
                Ask::CalendarData(Box::new(crate::caldav::data::parse_selection(property)?))
            } else if property.is(CARDDAV, "address-data") {
                Ask::AddressData(Box::new(crate::carddav::data::parse_selection(property)?))
            } else {
                Ask::of(property)
            };
            if !plan.ask(ask) {
                return Err(too_many());
            }
        }
        Ok(Some(plan))
    }

    /// Whether the contents of objects are asked for.
    pub(crate) fn needs_content(&self) -> bool {
        self.asked.iter().any(|ask| matches!(ask, Ask::CalendarData(_) | Ask::AddressData(_)))
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

    /// Whether one of these live properties is asked for.
    pub(crate) fn asks_any(&self, lives: &[Live]) -> bool {
        lives.iter().any(|live| self.asks(*live))
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
        for (index, (live, space, tag)) in LIVE.iter().enumerate() {
            assert_eq!((*live as usize, live.tag()), (index, *tag));
            assert_eq!(Live::named(space.uri(), live.name()), Some(*live));
            assert_eq!(Live::named("urn:x", live.name()), None);
        }
    }

    #[test]
    fn empty_elements() {
        assert_eq!(empty_element(DAV, "getetag"), "<D:getetag/>");
        assert_eq!(empty_element("", "p"), "<p xmlns=\"\"/>");
        assert_eq!(empty_element("urn:a&b", "p"), "<x:p xmlns:x=\"urn:a&amp;b\"/>");
    }
}
