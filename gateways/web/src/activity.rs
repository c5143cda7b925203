//! Activity: who wrote what, newest first, and what happened at the doors.

use std::collections::HashMap;

use allod_core::AuditEvent;
use allod_model::{CredentialId, Seq, Timestamp};
use askama::Template;

use crate::frame::Frame;
use crate::respond::{self, Answer, url_part};
use crate::show::{self, When};
use crate::visit::Visit;

/// Commits on one page.
const PAGE: usize = 50;
/// Events of the doors on one page.
const EVENTS: usize = 100;

struct Line {
    when: When,
    who: String,
    by: Option<String>,
    whence: String,
    changes: Vec<(&'static str, String, String)>,
    more: usize,
}

struct Event {
    when: When,
    what: String,
    who: String,
    whence: String,
    text: String,
    bad: bool,
}

#[derive(Template)]
#[template(path = "activity.html")]
struct ActivityPage {
    f: Frame,
    apps: Vec<(String, String)>,
    app: String,
    doors: bool,
    lines: Vec<Line>,
    events: Vec<Event>,
    next: Option<String>,
}

/// A page of it.
pub(crate) async fn page(visit: &Visit) -> Answer {
    let (session, text, now) = (visit.session()?, visit.text, visit.core().now());
    let apps: Vec<(String, String)> =
        session.apps().await?.into_iter().map(|app| (app.credential.id.0, app.credential.label)).collect();
    let labels: HashMap<_, _> = apps.iter().cloned().collect();
    let app = visit.param("app").unwrap_or_default().to_owned();
    let doors = visit.param("view") == Some("doors");
    let mut page = ActivityPage {
        f: Frame::new(visit, "activity", text.s("nav.activity")),
        apps,
        app: app.clone(),
        doors,
        lines: Vec::new(),
        events: Vec::new(),
        next: None,
    };
    if doors {
        let events = session.events(EVENTS).await?;
        page.events = events.iter().map(|event| door(visit, event, &labels, now)).collect();
        return respond::page(&page);
    }
    let before = visit.param("before").and_then(|seq| seq.parse().ok()).map(Seq);
    let by = Some(CredentialId(app.clone())).filter(|id| !id.0.is_empty());
    let activity = session.activity(before, by.as_ref(), PAGE).await?;
    page.next = activity.next.map(|seq| format!("?app={}&before={seq}", url_part(app.as_bytes())));
    for told in activity.lines {
        let line = told.line;
        let id = line.credential.map(|id| id.0);
        let mut whence = vec![show::protocol(text, &line.protocol)];
        whence.extend(line.address);
        let change =
            |(path, what): (String, &'static str)| (what, text.s(&format!("change.{what}")).to_owned(), path);
        let shown = line.changes.len();
        page.lines.push(Line {
            when: When::of(text, line.time, now),
            who: who(visit, id.as_deref(), &labels),
            by: id.filter(|id| !id.starts_with("web-")),
            whence: whence.join(" · "),
            changes: line.changes.into_iter().map(change).collect(),
            more: told.changes.saturating_sub(shown),
        });
    }
    respond::page(&page)
}

fn who(visit: &Visit, id: Option<&str>, labels: &HashMap<String, String>) -> String {
    match id {
        None => visit.text.s("who.server").to_owned(),
        Some(id) if id.starts_with("web-") => visit.text.s("who.you").to_owned(),
        Some(id) => labels.get(id).cloned().unwrap_or_else(|| visit.text.fill("who.gone", id)),
    }
}

fn door(visit: &Visit, event: &AuditEvent, labels: &HashMap<String, String>, now: Timestamp) -> Event {
    let text = visit.text;
    let key = format!("event.{}", event.event);
    let mut whence: Vec<String> = event.protocol.iter().map(|p| show::protocol(text, p)).collect();
    whence.extend(event.address.clone());
    Event {
        when: When::of(text, event.time, now),
        what: if text.has(&key) { text.s(&key).to_owned() } else { event.event.clone() },
        who: event.credential.as_deref().map(|id| who(visit, Some(id), labels)).unwrap_or_default(),
        whence: whence.join(" · "),
        text: event.text.clone(),
        bad: matches!(event.event.as_str(), "refused" | "login-failed"),
    }
}
