//! What a calendar or an address book refuses, in the words of its standard: some refusals of core are called otherwise
//! in each kind of folder.

use allod_core::Want;
use allod_model::{Detail, Error, ErrorKind, Kind, NameRule, Path};

use crate::error::{Doing, Failure};
use crate::handle::Call;
use crate::mkcol::location_condition;
use crate::xml::{CALDAV, CARDDAV};

/// Translates what a write into `folder` failed with.
pub(crate) async fn of_write(call: &Call, folder: Option<Path>, error: Error, doing: Doing) -> Failure {
    let by_kind =
        matches!(error.kind, ErrorKind::UidConflict | ErrorKind::TooLarge | ErrorKind::InvalidContent);
    let Some(folder) = folder.filter(|_| by_kind) else { return call.failing(doing)(error) };
    let kind = match call.session.stat(&folder, Want::Folder, false).await {
        Ok(node) => node.folder.map_or(Kind::Plain, |facts| facts.kind),
        Err(_) => Kind::Plain,
    };
    let Some(namespace) = namespace_of(kind) else { return call.failing(doing)(error) };
    if doing == Doing::Transfer
        && matches!(error.detail, Detail::Demand(_, "valid-calendar-data" | "valid-address-data"))
    {
        // What says that it is something else is not looked at as if it were not.
        let given = call.stat(false).await.ok().and_then(|node| node.media_type);
        if let Err(failure) = judge_media_type(kind, given.as_deref()) {
            return failure;
        }
    }
    match (error.kind, &error.detail) {
        // RFC 4791 §5.3.2.1, RFC 6352 §6.3.2.1: it names who has that UID.
        (ErrorKind::UidConflict, Detail::Uid(_, holder)) => {
            let message = error.message.clone();
            let failure = Failure::condition(namespace, "no-uid-conflict", &message);
            match Path::parse(holder.as_bytes(), NameRule::Strict).ok().and_then(|name| name.last().cloned())
            {
                Some(name) => failure.at(call.url(&folder.join(name), false)),
                None => failure,
            }
        }
        (ErrorKind::UidConflict, _) => Failure::condition(namespace, "no-uid-conflict", &error.message),
        (ErrorKind::TooLarge, _) => Failure::condition(namespace, "max-resource-size", &error.message),
        // A folder in a calendar: where calendars and address books cannot be, nothing else can.
        (ErrorKind::InvalidContent, Detail::None) if doing == Doing::Transfer => {
            location_condition(&error, kind).unwrap_or_else(|| call.failing(doing)(error))
        }
        _ => call.failing(doing)(error),
    }
}

/// The namespace in which a kind of folder refuses.
pub(crate) fn namespace_of(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Calendar => Some(CALDAV),
        Kind::AddressBook => Some(CARDDAV),
        Kind::Plain | Kind::Mailbox | Kind::Inbox | Kind::Outbox => None,
    }
}

/// RFC 4791 §5.3.2.1, RFC 6352 §6.3.2.1: a media type that the folder does not keep. One that says nothing, or what a
/// program calls everything, is judged by the content.
pub(crate) async fn media_type(call: &Call, given: Option<&str>) -> Result<(), Failure> {
    let (Some(_), Some(parent)) = (given, call.path.parent()) else { return Ok(()) };
    let Ok(node) = call.session.stat(&parent, Want::Folder, false).await else { return Ok(()) };
    node.folder.map_or(Ok(()), |facts| judge_media_type(facts.kind, given))
}

fn judge_media_type(kind: Kind, given: Option<&str>) -> Result<(), Failure> {
    // What programs have called vCards.
    const CARDS: [&str; 4] = ["text/vcard", "text/x-vcard", "text/directory", "application/vcard"];
    const SAYS_NOTHING: [&str; 4] = [
        "text/plain",
        "application/octet-stream",
        "binary/octet-stream",
        "application/x-www-form-urlencoded",
    ];
    let essence = given.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let is = |known: &&str| known.eq_ignore_ascii_case(essence);
    if essence.is_empty() || SAYS_NOTHING.iter().any(is) {
        return Ok(());
    }
    let refused = |namespace, condition| {
        Err(Failure::condition(namespace, condition, "this media type is not kept here"))
    };
    match kind {
        Kind::Calendar if !is(&"text/calendar") => refused(CALDAV, "supported-calendar-data"),
        Kind::AddressBook if !CARDS.iter().any(is) => refused(CARDDAV, "supported-address-data"),
        _ => Ok(()),
    }
}
