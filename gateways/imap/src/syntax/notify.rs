//! RFC 5465: NOTIFY.

use super::ast::{Command, EventGroup, MailboxFilter, Notify, NotifyEvent};
use super::cursor::Cursor;
use super::{Bad, Reading, bad};

/// Groups of one command at most.
const GROUPS_MAX: usize = 100;
/// Mailboxes of one group at most.
const MAILBOXES_MAX: usize = 1000;

/// What follows NOTIFY.
pub(crate) fn notify(cursor: &mut Cursor<'_>, reading: Reading) -> Result<Command, Bad> {
    match cursor.word()?.as_str() {
        "NONE" => return Ok(Command::Notify(Notify::None)),
        "SET" => cursor.space()?,
        _ => return Err(bad("expected NONE or SET")),
    }
    let status = cursor.eat_word("STATUS");
    if status {
        cursor.space()?;
    }
    let mut groups = vec![group(cursor, reading)?];
    while cursor.more() {
        if groups.len() == GROUPS_MAX {
            return Err(bad("too many event groups"));
        }
        groups.push(group(cursor, reading)?);
    }
    Ok(Command::Notify(Notify::Set { status, groups }))
}

fn group(cursor: &mut Cursor<'_>, reading: Reading) -> Result<EventGroup, Bad> {
    cursor.expect(b'(')?;
    cursor.spaces();
    let filter = filter(cursor, reading)?;
    cursor.space()?;
    let events = events(cursor)?;
    cursor.spaces();
    cursor.expect(b')')?;
    Ok(EventGroup { filter, events })
}

fn filter(cursor: &mut Cursor<'_>, reading: Reading) -> Result<MailboxFilter, Bad> {
    Ok(match cursor.word()?.as_str() {
        "SELECTED" => MailboxFilter::Selected,
        "SELECTED-DELAYED" => MailboxFilter::SelectedDelayed,
        "INBOXES" => MailboxFilter::Inboxes,
        "PERSONAL" => MailboxFilter::Personal,
        "SUBSCRIBED" => MailboxFilter::Subscribed,
        "SUBTREE" => MailboxFilter::Subtree(mailboxes(cursor, reading)?),
        "MAILBOXES" => MailboxFilter::Mailboxes(mailboxes(cursor, reading)?),
        _ => return Err(bad("there is no such set of mailboxes")),
    })
}

fn mailboxes(cursor: &mut Cursor<'_>, reading: Reading) -> Result<Vec<super::ast::Mailbox>, Bad> {
    cursor.space()?;
    if cursor.peek() != Some(b'(') {
        return reading.mailbox(cursor).map(|one| vec![one]);
    }
    let several = cursor.list(|cursor| reading.mailbox(cursor))?;
    if several.is_empty() || several.len() > MAILBOXES_MAX {
        return Err(bad("expected mailboxes, at most 1000"));
    }
    Ok(several)
}

/// `(MessageNew (UID FLAGS) MessageExpunge)` or `NONE`.
fn events(cursor: &mut Cursor<'_>) -> Result<Vec<NotifyEvent>, Bad> {
    if cursor.eat_word("NONE") {
        return Ok(Vec::new());
    }
    let events = cursor.list(event)?;
    if events.is_empty() { Err(bad("expected events")) } else { Ok(events) }
}

fn event(cursor: &mut Cursor<'_>) -> Result<NotifyEvent, Bad> {
    let word = cursor.word()?;
    Ok(match word.as_str() {
        "MESSAGENEW" => {
            let mut ahead = cursor.clone();
            if !ahead.spaces() || ahead.peek() != Some(b'(') {
                return Ok(NotifyEvent::MessageNew(Vec::new()));
            }
            *cursor = ahead;
            NotifyEvent::MessageNew(super::fetch::items(cursor)?)
        }
        "MESSAGEEXPUNGE" => NotifyEvent::MessageExpunge,
        "FLAGCHANGE" => NotifyEvent::FlagChange,
        "ANNOTATIONCHANGE" => NotifyEvent::AnnotationChange,
        "MAILBOXNAME" => NotifyEvent::MailboxName,
        "SUBSCRIPTIONCHANGE" => NotifyEvent::SubscriptionChange,
        "MAILBOXMETADATACHANGE" => NotifyEvent::MailboxMetadataChange,
        "SERVERMETADATACHANGE" => NotifyEvent::ServerMetadataChange,
        _ => NotifyEvent::Unknown(word),
    })
}
