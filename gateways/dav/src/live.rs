//! The values of the properties of files and folders; what belongs to one standard stands with it.

use allod_core::{FolderFacts, Node};
use allod_model::{Kind, NodeId};

use crate::date::{write_http_date, write_iso_date};
use crate::escape::escape_into;
use crate::plan::Live;
use crate::props::{
    Held, Subject, Writer, media_type, write_active_lock, write_href, write_number, write_sync_token,
};
use crate::url::PRINCIPALS_PREFIX;
use crate::{acl, caldav, carddav, principal, report, sharing};

impl Writer {
    /// Appends the value of a live property; `false` when the resource does not have it.
    pub(crate) fn value(&self, out: &mut Vec<u8>, live: Live, subject: Subject<'_>) -> bool {
        match live {
            Live::ResourceType => write_resource_type(out, subject, &self.sharing),
            Live::DisplayName => self.display_name(out, subject),
            Live::CurrentUserPrincipal => write_href(out, &self.principal),
            Live::PrincipalCollectionSet => write_href(out, PRINCIPALS_PREFIX),
            Live::SupportedMethodSet => write_methods(out),
            Live::SupportedReportSet => report::write_supported(out, subject),
            Live::Owner if !matches!(subject, Subject::Place(_)) => write_href(out, &self.owner),
            Live::Owner | Live::Group => return false,
            Live::SupportedPrivilegeSet
            | Live::CurrentUserPrivilegeSet
            | Live::Acl
            | Live::AclRestrictions
            | Live::InheritedAclSet => acl::write(out, live, subject, &self.principal),
            Live::AlternateUriSet
            | Live::PrincipalUrl
            | Live::GroupMemberSet
            | Live::GroupMembership
            | Live::CalendarHomeSet
            | Live::CalendarUserAddressSet
            | Live::CalendarUserType
            | Live::ScheduleInboxUrl
            | Live::ScheduleOutboxUrl
            | Live::AddressbookHomeSet
            | Live::EmailAddressSet => {
                return matches!(subject, Subject::Principal) && principal::write(self, out, live);
            }
            live => match subject {
                Subject::Node(node, locks) => return self.node_value(out, live, node, locks),
                Subject::Place(_) | Subject::Principal => return false,
            },
        }
        true
    }

    fn display_name(&self, out: &mut Vec<u8>, subject: Subject<'_>) {
        match subject {
            Subject::Node(node, _) if node.id == NodeId::ROOT => escape_into(out, self.places.account()),
            Subject::Node(node, _) => escape_into(out, node.name.as_str()),
            Subject::Place(name) => escape_into(out, name),
            Subject::Principal => escape_into(out, self.places.account()),
        }
    }

    fn node_value(&self, out: &mut Vec<u8>, live: Live, node: &Node, locks: &[Held]) -> bool {
        match &node.folder {
            None => self.file_value(out, live, node),
            Some(facts) => self.folder_value(out, live, node, facts),
        }
        .unwrap_or_else(|| {
            match live {
                Live::CreationDate => write_iso_date(out, node.created),
                Live::LastModified => write_http_date(out, node.modified),
                Live::ResourceId => self.resource_id(out, node),
                Live::LockDiscovery => {
                    for held in locks {
                        write_active_lock(out, held, &self.places, self.now);
                    }
                }
                Live::SupportedLock => out.extend_from_slice(
                    b"<D:lockentry><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockentry>\
                      <D:lockentry><D:lockscope><D:shared/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockentry>",
                ),
                _ => return false,
            }
            true
        })
    }

    /// What only files have; `None`: no such property.
    fn file_value(&self, out: &mut Vec<u8>, live: Live, node: &Node) -> Option<bool> {
        match live {
            Live::ContentLength => write_number(out, node.size),
            Live::ContentType => escape_into(out, &media_type(node)),
            Live::Etag => {
                out.push(b'"');
                escape_into(out, &node.etag.0);
                out.push(b'"');
            }
            Live::ScheduleTag => return Some(caldav::props::write_schedule_tag(out, node)),
            _ => return None,
        }
        Some(true)
    }

    /// What only folders have; `None`: no such property.
    fn folder_value(&self, out: &mut Vec<u8>, live: Live, node: &Node, facts: &FolderFacts) -> Option<bool> {
        match live {
            Live::QuotaAvailable => match self.quota {
                Some((_, Some(available))) => write_number(out, available),
                Some((_, None)) => return Some(false),
                None => return Some(self.plan.names_only),
            },
            // RFC 4331 §4: what counts against the quota; for a folder, what lies below it.
            Live::QuotaUsed if node.id == NodeId::ROOT => match self.quota {
                Some((used, _)) => write_number(out, used),
                None => return Some(self.plan.names_only),
            },
            Live::QuotaUsed => write_number(out, node.size),
            // Nextcloud's programs look into a folder only when its tag has changed: the roll-up's.
            Live::Etag if self.places.window().shows_files() => {
                out.push(b'"');
                escape_into(out, &node.etag.0);
                out.push(b'"');
            }
            // Both name a state of the same members, so they are the same. That of a home tells of changes inside its
            // calendars too, as its synchronization does; of a folder elsewhere with such a name it says more than it must.
            Live::SyncToken | Live::CTag => {
                let home = facts.kind == Kind::Plain && principal::is_home_name(&node.name);
                let seq = if home { facts.token.max(facts.below) } else { facts.token };
                write_sync_token(out, node.id, seq);
            }
            Live::Invite | Live::AllowedSharingModes | Live::SharedUrl | Live::PublishUrl => {
                return Some(self.sharing.write(out, live));
            }
            live => {
                let of_kind = match facts.kind {
                    Kind::Calendar => caldav::props::write_collection(out, live, facts),
                    Kind::AddressBook => carddav::props::write_collection(out, live),
                    Kind::Plain => caldav::props::write_home(out, live),
                    Kind::Inbox => return Some(self.inbox_value(out, live)),
                    Kind::Mailbox | Kind::Outbox => false,
                };
                return of_kind.then_some(true);
            }
        }
        Some(true)
    }

    /// RFC 6638 §9.2 and, for old clients, what it has in the place of RFC 4791's predecessor.
    fn inbox_value(&self, out: &mut Vec<u8>, live: Live) -> bool {
        match live {
            Live::ScheduleDefaultCalendarUrl => match &self.facts.default_calendar {
                Some(url) => write_href(out, url),
                None => return self.plan.names_only,
            },
            Live::CalendarFreeBusySet => {
                self.facts.busy_calendars.iter().for_each(|url| write_href(out, url));
            }
            Live::SupportedCalendarData => {
                out.extend_from_slice(b"<C:calendar-data content-type=\"text/calendar\" version=\"2.0\"/>");
            }
            _ => return false,
        }
        true
    }

    /// RFC 5842 §3.1: a URI that stays with the resource wherever it goes.
    fn resource_id(&self, out: &mut Vec<u8>, node: &Node) {
        out.extend_from_slice(b"<D:href>urn:allod:node:");
        crate::url::encode_segment(out, self.places.account().as_bytes());
        out.push(b':');
        write_number(out, node.id.0);
        out.extend_from_slice(b"</D:href>");
    }
}

fn write_resource_type(out: &mut Vec<u8>, subject: Subject<'_>, sharing: &sharing::Facts) {
    if subject.is_folder() {
        out.extend_from_slice(b"<D:collection/>");
    }
    match subject {
        // RFC 3744 §4.
        Subject::Principal => out.extend_from_slice(b"<D:principal/>"),
        Subject::Node(node, _) => {
            if let Some(facts) = &node.folder {
                out.extend_from_slice(type_element(facts.kind));
                sharing.write_type(out);
            }
        }
        Subject::Place(_) => {}
    }
}

/// What a folder is beside a collection.
fn type_element(kind: Kind) -> &'static [u8] {
    match kind {
        // RFC 4791 §4.2.
        Kind::Calendar => b"<C:calendar/>",
        // RFC 6352 §5.2.
        Kind::AddressBook => b"<CR:addressbook/>",
        // RFC 6638 §2.1, §2.2.
        Kind::Inbox => b"<C:schedule-inbox/>",
        Kind::Outbox => b"<C:schedule-outbox/>",
        Kind::Plain | Kind::Mailbox => b"",
    }
}

/// RFC 3253 §3.1.3.
fn write_methods(out: &mut Vec<u8>) {
    for method in crate::handle::ALLOWED.split(", ") {
        out.extend_from_slice(b"<D:supported-method name=\"");
        out.extend_from_slice(method.as_bytes());
        out.extend_from_slice(b"\"/>");
    }
}
