//! Mail: mailboxes, their newest messages by conversation, and a message safely shown.

use allod_core::mail::{Flags, Message, MessageParts, UidSet};
use allod_core::{ByteRange, model::NodeId};
use allod_formats::mail::{Facts, Inner, Part, decode_body, display_name, header, part_text, read};
use allod_kit::full_body;
use allod_model::{Name, NameRule, Path, Timestamp};
use askama::Template;
use http::Response;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName};

use crate::error::Refusal;
use crate::frame::Frame;
use crate::place::{path_of, url};
use crate::respond::{self, Answer, header as set, url_part};
use crate::show::{self, When};
use crate::visit::Visit;

/// Messages on one page.
const PAGE: usize = 50;
/// Largest message that is taken apart for the page, in bytes; a larger one can be saved.
const SHOWN_BYTES_MAX: u64 = 16 << 20;
/// Attachments that are listed.
const ATTACHMENTS_MAX: usize = 200;
/// Deepest part that is looked for.
const DEPTH_MAX: usize = 32;

/// Nothing in a mail runs, loads, or leads anywhere by itself: pictures from elsewhere would tell that it was read.
const POLICY: &str = "sandbox allow-popups; default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'none'; frame-ancestors 'self'";

struct Mailbox {
    name: String,
    url: String,
    unseen: u32,
    current: bool,
    depth: usize,
}

struct Line {
    url: String,
    from: String,
    subject: String,
    preview: String,
    when: When,
    unseen: bool,
    flagged: bool,
    attachment: bool,
    /// Messages of the same conversation on this page.
    more: usize,
}

#[derive(Template)]
#[template(path = "mail.html")]
struct MailboxPage {
    f: Frame,
    mailboxes: Vec<Mailbox>,
    lines: Vec<Line>,
    next: Option<String>,
    count: u64,
}

struct Attachment {
    name: String,
    size: String,
    url: String,
}

#[derive(Template)]
#[template(path = "message.html")]
struct MessagePage {
    f: Frame,
    back: String,
    from: String,
    to: String,
    cc: String,
    when: When,
    html: Option<String>,
    text: Option<String>,
    attachments: Vec<Attachment>,
    save: String,
}

/// A mailbox, a message, or a part of one.
pub(crate) async fn page(visit: &Visit) -> Answer {
    let inner = path_of(visit, "mail")?;
    let mut names = vec![name("Mail")?];
    names.extend(inner.names().iter().cloned());
    if inner.is_root() {
        names.push(name("INBOX")?);
    }
    let path = Path::from_names(names);
    match visit.param("uid").map(str::parse::<u32>) {
        Some(Ok(uid)) => message(visit, &path, uid).await,
        Some(Err(_)) => Err(Refusal::NotFound),
        None => mailbox(visit, &path).await,
    }
}

fn name(text: &str) -> Result<Name, Refusal> {
    Name::new(text.as_bytes(), NameRule::Strict).map_err(|_| Refusal::NotFound)
}

/// The address of a mailbox.
fn address(path: &Path) -> String {
    url("mail", &Path::from_names(path.names().iter().skip(1).cloned().collect()))
}

async fn mailbox(visit: &Visit, path: &Path) -> Answer {
    let (session, text, now) = (visit.session()?, visit.text, visit.core().now());
    let mut mailboxes = Vec::new();
    for known in session.mailboxes().await?.into_iter().filter(|known| known.selectable) {
        let unseen = session.mailbox_status(&known.path).await.map_or(0, |status| status.unseen);
        let depth = known.path.depth().saturating_sub(2).min(3);
        let name = known.path.last().map(ToString::to_string).unwrap_or_default();
        let name = if depth == 0 && name == "INBOX" { text.s("mail.inbox").to_owned() } else { name };
        let (url, current) = (address(&known.path), known.path == *path);
        mailboxes.push(Mailbox { name, url, unseen, current, depth });
    }
    mailboxes.sort_by_key(|mailbox| mailbox.url != "/ui/mail/INBOX");
    let selected = session.select_mailbox(path).await?;
    let exists = selected.status.exists;
    let skip: u32 = visit.param("skip").and_then(|skip| skip.parse().ok()).unwrap_or(0);
    let last = exists.saturating_sub(skip);
    let first = last.saturating_sub(PAGE as u32);
    let uids = match last {
        0 => UidSet::new(),
        _ => selected.uids.uids_of_seqs(first + 1, last),
    };
    let parts = MessageParts { facts: true, header: false, common: true, bytes: false };
    let mut messages = session.messages(selected.status.id, &uids, 0, PAGE, parts).await?;
    messages.reverse();
    let mut lines: Vec<(u64, Line)> = Vec::new();
    for message in &messages {
        // The newest of a conversation stands for it.
        if let Some((_, line)) = lines.iter_mut().find(|(thread, _)| *thread == message.thread) {
            line.more += 1;
            line.unseen |= !message.flags.has(Flags::SEEN);
            continue;
        }
        lines.push((message.thread, line(visit, path, message, now)));
    }
    let next = (first > 0).then(|| format!("{}?skip={}", address(path), skip + PAGE as u32));
    let title = mailboxes.iter().find(|mailbox| mailbox.current).map(|mailbox| mailbox.name.clone());
    let page = MailboxPage {
        f: Frame::new(visit, "mail", title.unwrap_or_default()),
        mailboxes,
        lines: lines.into_iter().map(|(_, line)| line).collect(),
        next,
        count: u64::from(exists),
    };
    respond::page(&page)
}

fn line(visit: &Visit, path: &Path, message: &Message, now: Timestamp) -> Line {
    let facts = message.facts.as_deref();
    let sent =
        facts.and_then(|facts| facts.sent).map_or(message.internal, |sent| Timestamp::from_secs(sent.secs));
    let from = facts.map(|facts| people(&facts.envelope.from)).unwrap_or_default();
    let subject = message.header.as_deref().map(subject).unwrap_or_default();
    Line {
        url: format!("{}?uid={}", address(path), message.uid),
        from: if from.is_empty() { visit.text.s("mail.nobody").to_owned() } else { from },
        subject: if subject.is_empty() { visit.text.s("mail.no-subject").to_owned() } else { subject },
        preview: facts.map(|facts| facts.preview.clone()).unwrap_or_default(),
        when: When::of(visit.text, sent, now),
        unseen: !message.flags.has(Flags::SEEN),
        flagged: message.flags.has(Flags::FLAGGED),
        attachment: facts.is_some_and(|facts| facts.has_attachment),
        more: 0,
    }
}

fn subject(bytes: &[u8]) -> String {
    header::values(bytes, "Subject").into_iter().next().unwrap_or_default()
}

fn people(addresses: &[allod_formats::mail::Address]) -> String {
    let names: Vec<_> = addresses.iter().take(20).map(display_name).filter(|name| !name.is_empty()).collect();
    names.join(", ")
}

async fn message(visit: &Visit, path: &Path, uid: u32) -> Answer {
    let session = visit.session()?;
    let mailbox = session.mailbox_status(path).await?.id;
    let file = session.open_message(mailbox, uid).await?;
    let here = format!("{}?uid={uid}", address(path));
    if visit.param("save").is_some() {
        return crate::raw::send(visit, &Path::from_names(vec![name(&format!("{uid}.eml"))?]), &file, true)
            .await;
    }
    if file.node.size > SHOWN_BYTES_MAX {
        return Err(Refusal::form("mail.too-large"));
    }
    let bytes = file.gather(ByteRange { start: 0, end: file.node.size }).await?;
    let (bytes, facts) = tokio::task::spawn_blocking(move || (bytes.clone(), read(&bytes)))
        .await
        .map_err(|_| Refusal::form("mail.unreadable"))?;
    let mut leaves = Vec::new();
    gather(&facts.root, 0, &mut leaves);
    if visit.param("body").is_some() {
        let html = leaves.iter().find(|part| is_text(part, b"html")).and_then(|part| part_text(&bytes, part));
        return Ok(html_body(&html.ok_or(Refusal::NotFound)?).await);
    }
    if let Some(part) = visit.param("part") {
        let part = part.parse::<usize>().ok().and_then(|at| leaves.get(at)).ok_or(Refusal::NotFound)?;
        return attachment(&bytes, part);
    }
    mark_seen(visit, mailbox, uid).await;
    show_message(visit, path, &here, &bytes, &facts, &leaves)
}

/// A message that was looked at is read; where it cannot be marked it is shown all the same.
async fn mark_seen(visit: &Visit, mailbox: NodeId, uid: u32) {
    use allod_core::mail::{MarkChange, Operation};
    let Ok(session) = visit.session() else { return };
    let change = MarkChange {
        operation: Operation::Add,
        flags: Flags::SEEN,
        keywords: Vec::new(),
        unchanged_since: None,
    };
    let uids = UidSet::from_ranges([(uid, uid)]);
    if let Err(error) = session.mark_messages(mailbox, &uids, change).await {
        tracing::debug!(%error, "a message could not be marked as read");
    }
}

fn show_message(
    visit: &Visit,
    path: &Path,
    here: &str,
    bytes: &[u8],
    facts: &Facts,
    leaves: &[&Part],
) -> Answer {
    let (text, now) = (visit.text, visit.core().now());
    let subject = subject(bytes);
    let html = leaves.iter().any(|part| is_text(part, b"html"));
    let plain = leaves.iter().find(|part| is_text(part, b"plain")).and_then(|part| part_text(bytes, part));
    let attachments = leaves.iter().enumerate().filter(|(_, part)| is_attached(part)).take(ATTACHMENTS_MAX);
    let attachments = attachments.map(|(at, part)| Attachment {
        name: part.file_name().unwrap_or_else(|| text.fill("mail.part", &at.to_string())),
        size: show::size(part.body.of(bytes).len() as u64),
        url: format!("{here}&part={at}"),
    });
    let sent = facts.sent.map_or(now, |sent| Timestamp::from_secs(sent.secs));
    let title = if subject.is_empty() { text.s("mail.no-subject").to_owned() } else { subject };
    let page = MessagePage {
        f: Frame::new(visit, "mail", title),
        back: address(path),
        from: people(&facts.envelope.from),
        to: people(&facts.envelope.to),
        cc: people(&facts.envelope.cc),
        when: When::of(text, sent, now),
        html: html.then(|| format!("{here}&body")),
        text: plain.filter(|_| !html),
        attachments: attachments.collect(),
        save: format!("{here}&save"),
    };
    respond::page(&page)
}

/// The parts that have none of their own, in order.
fn gather<'p>(part: &'p Part, depth: usize, leaves: &mut Vec<&'p Part>) {
    match &part.inner {
        Inner::Multipart(parts) if depth < DEPTH_MAX => {
            parts.iter().for_each(|part| gather(part, depth + 1, leaves));
        }
        Inner::Multipart(_) => {}
        Inner::Leaf | Inner::Message(..) => leaves.push(part),
    }
}

fn is_text(part: &Part, subtype: &[u8]) -> bool {
    part.media_type.eq_ignore_ascii_case(b"text")
        && part.subtype.eq_ignore_ascii_case(subtype)
        && !is_named(part)
}

fn is_named(part: &Part) -> bool {
    let attached = |kind: &[u8]| kind.eq_ignore_ascii_case(b"attachment");
    part.disposition.as_ref().is_some_and(|disposition| attached(&disposition.kind))
}

fn is_attached(part: &Part) -> bool {
    is_named(part) || !part.media_type.eq_ignore_ascii_case(b"text")
}

/// The HTML of a mail, cleaned, as a document of its own for a frame that can do nothing.
async fn html_body(html: &str) -> Response<allod_kit::ResponseBody> {
    let html = html.to_owned();
    // Parsing takes a while for a long mail.
    let clean = tokio::task::spawn_blocking(move || clean(&html)).await.unwrap_or_default();
    let page = format!(
        "<!DOCTYPE html><html><head><meta charset=\"utf-8\"><base target=\"_blank\"><style>body{{font:16px/1.5 system-ui,\
         sans-serif;margin:1rem;overflow-wrap:anywhere;background:#fff;color:#111}}img{{max-width:100%}}</style></head>\
         <body>{clean}</body></html>"
    );
    let mut response = Response::new(full_body(page));
    set(&mut response, CONTENT_TYPE, "text/html; charset=utf-8");
    set(&mut response, CONTENT_SECURITY_POLICY, POLICY);
    set(&mut response, HeaderName::from_static("x-frame-options"), "SAMEORIGIN");
    set(&mut response, CACHE_CONTROL, "no-store");
    response
}

/// Leaves no script, no form, no frame, and no picture that is not in the mail itself.
fn clean(html: &str) -> String {
    let mut cleaner = ammonia::Builder::default();
    cleaner.link_rel(Some("noopener noreferrer nofollow")).add_url_schemes(["data"]).attribute_filter(
        |element, attribute, value| match (element, attribute) {
            ("img", "src") => value.starts_with("data:image/").then_some(value.into()),
            (_, "href" | "cite") if value.trim_start().to_ascii_lowercase().starts_with("data:") => None,
            _ => Some(value.into()),
        },
    );
    cleaner.clean(html).to_string()
}

fn attachment(bytes: &[u8], part: &Part) -> Answer {
    let body = decode_body(part.body.of(bytes), part.encoding.as_deref());
    let body = body.unwrap_or_else(|_| part.body.of(bytes).to_vec());
    let name = part.file_name().unwrap_or_else(|| "attachment".to_owned());
    let mut response = Response::new(full_body(body));
    set(&mut response, CONTENT_TYPE, "application/octet-stream");
    let name = url_part(name.as_bytes());
    set(&mut response, CONTENT_DISPOSITION, &format!("attachment; filename*=UTF-8''{name}"));
    set(&mut response, CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'");
    set(&mut response, CACHE_CONTROL, "no-store");
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_runs_and_loads_nothing() {
        let table = [
            ("<script>alert(1)</script>hello", "script"),
            ("<img src=x onerror=alert(1)>", "onerror"),
            ("<img src=\"https://tracker.example/p.gif\">", "tracker"),
            ("<a href=\"javascript:alert(1)\">x</a>", "javascript:"),
            ("<a href=\"data:text/html,<script>1</script>\">x</a>", "data:text"),
            ("<form action=\"https://evil.example\"><input name=p></form>", "form"),
            ("<iframe src=\"https://evil.example\"></iframe>", "iframe"),
            ("<style>body{background:url(https://evil.example)}</style>", "evil"),
            ("<p style=\"background:url(https://evil.example)\">x</p>", "evil"),
            ("<svg onload=alert(1)>", "svg"),
            ("<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>", "onerror"),
            ("<base href=\"https://evil.example\">", "base"),
            ("<meta http-equiv=refresh content=\"0;url=https://evil.example\">", "meta"),
        ];
        for (html, never) in table {
            assert!(!clean(html).contains(never), "{html} became {}", clean(html));
        }
        assert!(clean("<img src=\"data:image/png;base64,AAAA\">").contains("data:image/png"));
        assert!(clean("<b>hello</b>").contains("<b>hello</b>"));
    }
}
