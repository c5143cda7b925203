//! Questions to calendars and address books: which members match a filter.

use std::ops::ControlFlow;
use std::sync::Arc;

use allod_formats::calendar::{Busy, CompFilter, Object, TimeRange, busy_periods, merge_busy};
use allod_formats::card::{Card, Filter};
use allod_formats::value::Utc;
use allod_formats::zone::Zone;
use allod_formats::{Budget, Component, Document, Limits};
use allod_meta::{KeyRange, View};
use allod_model::{EntryKey, Error, ErrorKind, Kind, NodeId, Path, Result};
use bytes::Bytes;

use crate::access::Sight;
use crate::components::Components;
use crate::fault::Res;
use crate::fetch::{Content, Fetched};
use crate::node::Node;
use crate::reading::Records;
use crate::record::{Entry, decode};
use crate::resolve::find_folder;
use crate::session::Session;
use crate::times;

/// Members handed out at a time.
const PAGE_FOUND: usize = 200;
/// Rows looked at for one page.
const PAGE_ROWS: usize = 5_000;
/// Bytes of one page, about: a page ends when it holds more.
const PAGE_BYTES: u64 = 4 << 20;
/// Steps that all recurrences of one question may cost together.
const QUESTION_STEPS: u64 = 50_000_000;

/// A question to a calendar (RFC 4791 §7.8).
#[derive(Clone, Debug)]
pub struct EventQuery {
    /// What is looked for.
    pub filter: CompFilter,
    /// Where days and floating times are placed.
    pub zone: Zone,
    /// Whether dead properties are wanted too.
    pub with_properties: bool,
}

/// A question to an address book (RFC 6352 §8.6).
#[derive(Clone, Debug)]
pub struct CardQuery {
    /// What is looked for.
    pub filter: Filter,
    /// Whether dead properties are wanted too.
    pub with_properties: bool,
}

/// A file and its bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The file.
    pub node: Node,
    /// Its whole content.
    pub bytes: Bytes,
}

enum Question {
    Events(EventQuery),
    Cards(CardQuery),
}

/// The members that match a question, page by page. Members that change meanwhile are judged as they are when their
/// page comes.
pub struct Finding {
    session: Session,
    path: Path,
    folder: NodeId,
    question: Arc<Question>,
    /// Leave out what is marked as private or confidential.
    public_only: bool,
    steps: u64,
    rest: Rest,
}

/// What is still to be looked at.
#[derive(Clone)]
enum Rest {
    /// These members.
    Keys(Arc<Vec<EntryKey>>, usize),
    /// All members after this one.
    After(Option<EntryKey>),
    Nothing,
}

impl Session {
    /// Members of a calendar that match a filter. Where the filter asks for a time, an index answers which members to
    /// look at.
    ///
    /// # Errors
    /// `NotFound`; `WrongKind` when it is not a calendar.
    pub async fn find_events(&self, folder: &Path, query: EventQuery) -> Result<Finding> {
        let (me, at) = (self.clone(), folder.clone());
        crate::core::blocking(move || {
            let (view, id) = me.typed_folder(&at, Kind::Calendar)?;
            let rest = match query.filter.window() {
                Some(window) => {
                    let kind = query.filter.components.first().and_then(|only| Components::named(&only.name));
                    let window = (window.from().0, window.to().0);
                    Rest::Keys(Arc::new(times::within(&view, me.keys(), id, kind, window)?), 0)
                }
                None => Rest::After(None),
            };
            Ok(me.finding(at, id, Question::Events(query), rest))
        })
        .await
    }

    /// Members of an address book that match a filter.
    ///
    /// # Errors
    /// `NotFound`; `WrongKind` when it is not an address book.
    pub async fn find_cards(&self, folder: &Path, query: CardQuery) -> Result<Finding> {
        let look = || -> Res<Finding> {
            let (_, id) = self.typed_folder(folder, Kind::AddressBook)?;
            Ok(self.finding(folder.clone(), id, Question::Cards(query), Rest::After(None)))
        };
        Ok(look()?)
    }

    /// When the events of a calendar make busy, merged, within a bounded range (RFC 4791 §7.10). Days and floating
    /// times are placed in `zone`.
    ///
    /// # Errors
    /// As [`Session::find_events`].
    pub async fn busy(&self, folder: &Path, range: (Utc, Utc), zone: &Zone) -> Result<Vec<Busy>> {
        let mut busy = Vec::new();
        for kind in ["VEVENT", "VFREEBUSY", "VAVAILABILITY"] {
            let window = TimeRange { start: Some(range.0), end: Some(range.1) };
            let inner = CompFilter { name: kind.into(), time_range: Some(window), ..CompFilter::default() };
            let filter =
                CompFilter { name: "VCALENDAR".into(), components: vec![inner], ..CompFilter::default() };
            let query = EventQuery { filter, zone: zone.clone(), with_properties: false };
            let mut finding = self.find_events(folder, query).await?;
            while let Some(page) = finding.next().await? {
                let zone = zone.clone();
                let periods = crate::core::blocking(move || {
                    Ok(page.iter().flat_map(|found| busy_of(&found.bytes, range, &zone)).collect::<Vec<_>>())
                });
                busy.extend(periods.await?);
            }
        }
        Ok(merge_busy(busy))
    }

    /// A folder that must be of a kind.
    fn typed_folder(&self, path: &Path, kind: Kind) -> Res<(View, NodeId)> {
        let view = self.view()?;
        if self.scope().sight(path) == Sight::Hidden {
            return Err(Error::not_found().into());
        }
        let (id, row) = find_folder(&view, self.keys(), path)?;
        if row.kind != kind {
            let message = format!("{path} is not a {} folder", kind.as_str());
            return Err(Error::new(ErrorKind::WrongKind, message).into());
        }
        Ok((view, id))
    }

    fn finding(&self, path: Path, folder: NodeId, question: Question, rest: Rest) -> Finding {
        let question = Arc::new(question);
        Finding {
            session: self.clone(),
            path,
            folder,
            question,
            public_only: false,
            steps: QUESTION_STEPS,
            rest,
        }
    }
}

fn busy_of(bytes: &[u8], range: (Utc, Utc), zone: &Zone) -> Vec<Busy> {
    let Ok(document) = Document::parse(bytes, Limits::default()) else { return Vec::new() };
    let Ok(object) = Object::of(&document) else { return Vec::new() };
    busy_periods(&object, range, zone, Budget::default()).0
}

impl Finding {
    /// Only what is for everybody (RFC 5545 §3.8.1.3).
    pub(crate) fn public_only(self) -> Finding {
        Finding { public_only: true, ..self }
    }

    /// The next members that match, in byte order of their names; `None` at the end. A page may be short.
    ///
    /// # Errors
    /// `Unauthenticated` when the credential is over; `TooLarge` when recurrences ask for more work than a question may
    /// cost; `Corrupt`, `Unavailable`.
    pub async fn next(&mut self) -> Result<Option<Vec<Found>>> {
        loop {
            if matches!(self.rest, Rest::Nothing) {
                return Ok(None);
            }
            let (session, path, folder) = (self.session.clone(), self.path.clone(), self.folder);
            let (question, rest, steps) = (self.question.clone(), self.rest.clone(), self.steps);
            let page = crate::core::blocking(move || {
                let view = session.view()?;
                let mut page = Page {
                    session: &session,
                    path: &path,
                    folder,
                    question,
                    steps,
                    bytes: 0,
                    found: Vec::new(),
                };
                let rest = page.fill(&view, rest)?;
                Ok((page.found, rest, page.steps))
            });
            let (fetched, rest, steps) = page.await?;
            (self.rest, self.steps) = (rest, steps);
            let mut found = Vec::with_capacity(fetched.len());
            for one in fetched {
                found.extend(self.settle(one).await?);
            }
            if self.public_only {
                found.retain(|one| is_public(&one.bytes));
            }
            if !found.is_empty() {
                return Ok(Some(found));
            }
        }
    }

    /// Reads and judges what did not lie in its row.
    async fn settle(&mut self, fetched: Fetched) -> Result<Option<Found>> {
        let at_hand = matches!(fetched.bytes, Content::Here(_));
        let found = fetched.whole().await?;
        if at_hand {
            return Ok(Some(found));
        }
        let (question, mut steps) = (self.question.clone(), self.steps);
        let judged = crate::core::blocking(move || {
            let matches = question.matches(&found.bytes, &mut steps)?;
            Ok((matches.then_some(found), steps))
        });
        let (found, steps) = judged.await?;
        self.steps = steps;
        Ok(found)
    }
}

/// Whether no component of an object is private or confidential.
fn is_public(bytes: &[u8]) -> bool {
    let Ok(document) = Document::parse(bytes, Limits::default()) else { return false };
    let Ok(object) = Object::of(&document) else { return false };
    let class =
        |component: &&Component<'_>| component.value("CLASS").map(|class| class.trim().to_ascii_uppercase());
    object.components().iter().all(|one| class(one).is_none_or(|class| class.is_empty() || class == "PUBLIC"))
}

/// A page being put together.
struct Page<'a> {
    session: &'a Session,
    path: &'a Path,
    folder: NodeId,
    question: Arc<Question>,
    steps: u64,
    bytes: u64,
    found: Vec<Fetched>,
}

impl Page<'_> {
    /// Looks on; returns what is left.
    fn fill(&mut self, view: &View, rest: Rest) -> Res<Rest> {
        match rest {
            Rest::Nothing => Ok(Rest::Nothing),
            Rest::Keys(keys, mut at) => {
                while let Some(key) = keys.get(at) {
                    at += 1;
                    let row = self.session.keys().entry(self.folder, key);
                    if let Some(entry) = view.record::<Entry>(&row)? {
                        self.look(view, key, &entry)?;
                    }
                    if self.is_full() {
                        return Ok(Rest::Keys(keys, at));
                    }
                }
                Ok(Rest::Nothing)
            }
            Rest::After(after) => self.fill_in_order(view, after.as_ref()),
        }
    }

    fn fill_in_order(&mut self, view: &View, after: Option<&EntryKey>) -> Res<Rest> {
        let keys = self.session.keys();
        let prefix = keys.entries(self.folder);
        let mut range = KeyRange::prefix(&prefix);
        if let Some(after) = after {
            range = range.after(&keys.entry(self.folder, after));
        }
        let (mut rows, mut rest) = (0, Rest::Nothing);
        view.each(&range, prefix.len(), |key, value| {
            let key = EntryKey::from_bytes(key);
            rows += 1;
            if !key.is_folder() && key.name().is_strict() {
                self.look(view, &key, &decode(value)?)?;
            }
            if rows == PAGE_ROWS || self.is_full() {
                rest = Rest::After(Some(key));
                return Ok(ControlFlow::Break(()));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(rest)
    }

    fn is_full(&self) -> bool {
        self.found.len() >= PAGE_FOUND || self.bytes >= PAGE_BYTES
    }

    /// Takes a member if it matches, or if that is not known before it is read.
    fn look(&mut self, view: &View, key: &EntryKey, entry: &Entry) -> Res<()> {
        if !self.question.may_match(entry) {
            return Ok(());
        }
        let path = self.path.join(key.name());
        if !matches!(self.session.scope().sight(&path), Sight::Granted(_)) {
            return Ok(());
        }
        let wanted = self.question.wants_properties();
        let fetched = self.session.fetch_entry(view, &path, key, entry, wanted)?;
        if let Content::Here(bytes) = &fetched.bytes
            && !self.question.matches(bytes, &mut self.steps)?
        {
            return Ok(());
        }
        self.bytes += fetched.node.size;
        self.found.push(fetched);
        Ok(())
    }
}

impl Question {
    fn wants_properties(&self) -> bool {
        match self {
            Question::Events(query) => query.with_properties,
            Question::Cards(query) => query.with_properties,
        }
    }

    /// Whether a member can match by what its entry knows of it.
    fn may_match(&self, entry: &Entry) -> bool {
        let Some(file) = entry.file() else { return false };
        match self {
            Question::Events(query) => file.event().is_none_or(|event| {
                let name = event.component.names().next().unwrap_or_default();
                let extent = event.span.map(|span| span.extent());
                query.filter.may_match(name, extent.as_ref())
            }),
            Question::Cards(query) => match file.card().and_then(|card| card.texts.as_ref()) {
                Some(texts) => query.filter.may_match(texts),
                None => true,
            },
        }
    }

    /// Whether the bytes match; takes what it costs off `steps`. Bytes that cannot be read match nothing.
    fn matches(&self, bytes: &[u8], steps: &mut u64) -> Res<bool> {
        let Ok(document) = Document::parse(bytes, Limits::default()) else { return Ok(false) };
        match self {
            Question::Cards(query) => Ok(Card::of(&document).is_some_and(|card| query.filter.matches(&card))),
            Question::Events(query) => {
                let Ok(object) = Object::of(&document) else { return Ok(false) };
                let budget = Budget::default();
                match query.filter.matches(&object, &query.zone, budget) {
                    Some(matches) => Ok(matches),
                    None => {
                        // A rule that takes this long to say nothing: it is shown rather than lost, but not too often.
                        *steps = steps.saturating_sub(budget.steps);
                        if *steps == 0 {
                            let limit = Error::too_large("steps through recurrences", QUESTION_STEPS);
                            return Err(limit.into());
                        }
                        Ok(true)
                    }
                }
            }
        }
    }
}
