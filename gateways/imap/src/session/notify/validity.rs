//! What can be asked for (RFC 5465 §5, §6).

use crate::syntax::ast::{EventGroup, MailboxFilter, NotifyEvent};
use crate::wire::{Code, Completion};

/// RFC 5465 §3.1: all that there are.
const EVENTS: &str = "BADEVENT (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange \
                      MailboxMetadataChange ServerMetadataChange)";

/// Refuses what cannot be.
pub(super) fn check(groups: &[EventGroup]) -> Result<(), Completion> {
    let of_selected = |group: &&EventGroup| {
        matches!(group.filter, MailboxFilter::Selected | MailboxFilter::SelectedDelayed)
    };
    if groups.iter().filter(of_selected).count() > 1 {
        return Err(Completion::bad("SELECTED can be named once"));
    }
    for group in groups {
        check_group(group, of_selected(&group))?;
    }
    Ok(())
}

fn check_group(group: &EventGroup, selected: bool) -> Result<(), Completion> {
    let has = |wanted: fn(&NotifyEvent) -> bool| group.events.iter().any(wanted);
    if has(|event| matches!(event, NotifyEvent::Unknown(_) | NotifyEvent::AnnotationChange)) {
        return Err(Completion::no(Code::new(EVENTS), "There is no such event here"));
    }
    let new = has(|event| matches!(event, NotifyEvent::MessageNew(_)));
    let expunge = has(|event| *event == NotifyEvent::MessageExpunge);
    let flags = has(|event| *event == NotifyEvent::FlagChange);
    if new != expunge || flags && !new {
        // RFC 5465 §5
        return Err(Completion::bad("MessageNew and MessageExpunge come together, and FlagChange with them"));
    }
    let of_messages = |event: &NotifyEvent| {
        matches!(event, NotifyEvent::MessageNew(_) | NotifyEvent::MessageExpunge | NotifyEvent::FlagChange)
    };
    if selected && !group.events.iter().all(of_messages) {
        // RFC 5465 §6.1
        return Err(Completion::bad("SELECTED is for events of messages"));
    }
    let items = group.events.iter().any(|event| match event {
        NotifyEvent::MessageNew(items) => !items.is_empty(),
        _ => false,
    });
    if items && !selected {
        return Err(Completion::bad("What is told of new messages is for SELECTED"));
    }
    Ok(())
}
