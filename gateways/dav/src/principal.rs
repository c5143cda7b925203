//! The account as a principal (RFC 3744 §4): where its calendars and address books are and by which addresses it is
//! known.

use allod_core::{FolderFacts, Session, Want};
use allod_model::{Error, ErrorKind, Kind, Name, NameRule, Path};

use crate::escape::escape_into;
use crate::plan::{Live, Plan};
use crate::props::{Writer, write_href};
use crate::url::{place_url, tree_base};

/// Where calendars are.
pub(crate) const CALENDAR_HOME: &str = "Calendars";
/// Where address books are.
pub(crate) const ADDRESSBOOK_HOME: &str = "Contacts";
const INBOX: &str = "Calendars/inbox";
const OUTBOX: &str = "Calendars/outbox";
/// Calendars looked at in the home.
const CALENDARS_MAX: usize = 2000;

/// Whether a folder at the top of the tree is a home.
pub(crate) fn is_home(name: &Name) -> bool {
    [CALENDAR_HOME, ADDRESSBOOK_HOME].contains(&name.as_str())
}

/// What must be known of the account to describe its principal.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    /// URL of the calendar home, if the session sees it.
    calendar_home: Option<String>,
    /// URL of the address book home, if the session sees it.
    addressbook_home: Option<String>,
    /// URLs of the scheduling inbox and outbox.
    inbox: Option<String>,
    outbox: Option<String>,
    /// Mail addresses.
    addresses: Vec<String>,
    /// URL of the calendar that invitations are put into.
    pub(crate) default_calendar: Option<String>,
    /// URLs of the calendars in the home that make busy.
    pub(crate) busy_calendars: Vec<String>,
}

/// The properties that need [`Facts`].
const NEEDY: [Live; 6] = [
    Live::CalendarHomeSet,
    Live::AddressbookHomeSet,
    Live::CalendarUserAddressSet,
    Live::EmailAddressSet,
    Live::ScheduleInboxUrl,
    Live::ScheduleOutboxUrl,
];
/// Those of the inbox.
const NEEDY_INBOX: [Live; 2] = [Live::ScheduleDefaultCalendarUrl, Live::CalendarFreeBusySet];

/// What a plan needs; nothing when it asks for nothing of the sort.
pub(crate) async fn facts(session: &Session, plan: &Plan) -> Result<Facts, Error> {
    let mut facts = Facts::default();
    if plan.asks_any(&NEEDY) {
        facts.calendar_home = visible(session, CALENDAR_HOME).await?;
        facts.addressbook_home = visible(session, ADDRESSBOOK_HOME).await?;
        facts.inbox = visible(session, INBOX).await?;
        facts.outbox = visible(session, OUTBOX).await?;
        facts.addresses = session.addresses();
    }
    if plan.asks_any(&NEEDY_INBOX) {
        let url = |path: Path| place_url(&tree_base(&session.account()), &path, true);
        facts.default_calendar = session.default_calendar().await?.map(url);
        facts.busy_calendars = busy_calendars(session).await?;
    }
    Ok(facts)
}

/// The URL of a folder; `None` when the session does not see it.
async fn visible(session: &Session, name: &str) -> Result<Option<String>, Error> {
    let path = Path::parse(name.as_bytes(), NameRule::Strict)?;
    match session.stat(&path, Want::Folder, false).await {
        Ok(_) => Ok(Some(place_url(&tree_base(&session.account()), &path, true))),
        Err(error) if is_hidden(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_hidden(error: &Error) -> bool {
    matches!(error.kind, ErrorKind::NotFound | ErrorKind::Denied | ErrorKind::WrongKind)
}

/// The calendars in the home, and whether they are transparent.
pub(crate) async fn calendars(session: &Session) -> Result<Vec<(Path, bool)>, Error> {
    let home = Path::parse(CALENDAR_HOME.as_bytes(), NameRule::Strict)?;
    let listing = match session.list(&home, None, CALENDARS_MAX, false).await {
        Err(error) if is_hidden(&error) => return Ok(Vec::new()),
        listing => listing?,
    };
    let calendar = |facts: &FolderFacts| facts.kind == Kind::Calendar;
    let known = listing.nodes.into_iter().filter_map(|node| Some((node.folder.filter(calendar)?, node.name)));
    Ok(known.map(|(facts, name)| (home.join(name), facts.transparent)).collect())
}

async fn busy_calendars(session: &Session) -> Result<Vec<String>, Error> {
    let base = tree_base(&session.account());
    let busy = calendars(session).await?.into_iter().filter(|(_, transparent)| !transparent);
    Ok(busy.map(|(path, _)| place_url(&base, &path, true)).collect())
}

/// Appends the value of a property that only principals have; `false` when this one has it not.
pub(crate) fn write(writer: &Writer, out: &mut Vec<u8>, live: Live) -> bool {
    let facts = &writer.facts;
    match live {
        Live::PrincipalUrl => write_href(out, &writer.principal),
        // RFC 3744 §4.3, §4.4: there are no groups, and both are required.
        Live::AlternateUriSet | Live::GroupMemberSet | Live::GroupMembership => {}
        Live::CalendarHomeSet => return write_some(out, facts.calendar_home.as_deref(), writer),
        Live::AddressbookHomeSet => return write_some(out, facts.addressbook_home.as_deref(), writer),
        Live::CalendarUserAddressSet => {
            for address in &facts.addresses {
                out.extend_from_slice(b"<D:href>mailto:");
                escape_into(out, address);
                out.extend_from_slice(b"</D:href>");
            }
            write_href(out, &writer.principal);
        }
        Live::EmailAddressSet => {
            for address in &facts.addresses {
                out.extend_from_slice(b"<CS:email-address>");
                escape_into(out, address);
                out.extend_from_slice(b"</CS:email-address>");
            }
        }
        Live::ScheduleInboxUrl => return write_some(out, facts.inbox.as_deref(), writer),
        Live::ScheduleOutboxUrl => return write_some(out, facts.outbox.as_deref(), writer),
        Live::CalendarUserType => out.extend_from_slice(b"INDIVIDUAL"),
        _ => return false,
    }
    true
}

fn write_some(out: &mut Vec<u8>, url: Option<&str>, writer: &Writer) -> bool {
    match url {
        Some(url) => write_href(out, url),
        None => return writer.plan.names_only,
    }
    true
}
