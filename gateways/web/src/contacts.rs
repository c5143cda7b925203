//! Contacts of all address books, by name.

use allod_core::CardQuery;
use allod_formats::card::{Card, Facts, Filter};
use allod_formats::{Document, Limits};
use allod_model::{Kind, NameRule, Path};
use askama::Template;

use crate::error::Refusal;
use crate::frame::Frame;
use crate::respond::{self, Answer};
use crate::visit::Visit;

/// Address books looked at.
const BOOKS_MAX: usize = 100;
/// Contacts on the page; a search finds the others.
const SHOWN_MAX: usize = 1000;

struct Contact {
    sort: String,
    name: String,
    initials: String,
    organization: String,
    emails: Vec<String>,
    phones: Vec<String>,
    book: String,
}

#[derive(Template)]
#[template(path = "contacts.html")]
struct ContactsPage {
    f: Frame,
    query: String,
    contacts: Vec<Contact>,
    cut: bool,
}

/// All contacts, or those that match.
pub(crate) async fn page(visit: &Visit) -> Answer {
    let session = visit.session()?;
    let query = visit.param("q").unwrap_or_default().trim().to_owned();
    let wanted = query.to_lowercase();
    let home = Path::parse(b"Contacts", NameRule::Strict)?;
    let listing = session.list(&home, None, BOOKS_MAX, false).await?;
    let (mut contacts, mut cut) = (Vec::new(), false);
    for node in listing.nodes.into_iter().filter(|n| n.folder.is_some_and(|f| f.kind == Kind::AddressBook)) {
        let book = node.name.to_string();
        let ask = CardQuery { filter: Filter::default(), with_properties: false };
        let mut finding = session.find_cards(&home.join(node.name), ask).await?;
        while let Some(found) = finding.next().await? {
            let (book, wanted) = (book.clone(), wanted.clone());
            let read = tokio::task::spawn_blocking(move || {
                found.iter().filter_map(|one| contact(&one.bytes, &book, &wanted)).collect::<Vec<_>>()
            });
            contacts.extend(read.await.map_err(|_| Refusal::NotFound)?);
            cut |= contacts.len() > SHOWN_MAX;
            if cut {
                break;
            }
        }
    }
    contacts.sort_by(|a, b| a.sort.cmp(&b.sort));
    contacts.truncate(SHOWN_MAX);
    respond::page(&ContactsPage {
        f: Frame::new(visit, "contacts", visit.text.s("nav.contacts")),
        query,
        contacts,
        cut,
    })
}

fn contact(bytes: &[u8], book: &str, wanted: &str) -> Option<Contact> {
    let document = Document::parse(bytes, Limits::default()).ok()?;
    let facts = Facts::of(&Card::of(&document)?);
    let holds = |text: &String| text.to_lowercase().contains(wanted);
    let found = holds(&facts.name)
        || facts.emails.iter().any(holds)
        || facts.phones.iter().any(holds)
        || facts.organization.iter().any(holds);
    if !found {
        return None;
    }
    let initials = facts.name.split_whitespace().filter_map(|word| word.chars().next()).take(2);
    Some(Contact {
        sort: facts.sort_key.to_lowercase(),
        initials: initials.collect::<String>().to_uppercase(),
        name: facts.name.clone(),
        organization: facts.organization.unwrap_or_default(),
        emails: facts.emails,
        phones: facts.phones,
        book: book.to_owned(),
    })
}
