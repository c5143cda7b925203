//! Components within components: `BEGIN` … `END` (RFC 5545 §3.4, RFC 6350 §6.1.1), nothing lost between them.

use std::ops::Range;

use crate::limits::{Exceeded, Limits};
use crate::lines::{Line, Lines};
use crate::property::{NoProperty, Property};

/// A file of calendars or cards as it was given. What is not understood is kept as [`Item::Stray`], so the spans of all
/// items, put together, are the bytes.
#[derive(Clone, Debug)]
pub struct Document<'a> {
    bytes: &'a [u8],
    items: Vec<Item<'a>>,
    problems: Vec<Problem>,
}

/// What stands in a document or component.
#[derive(Clone, Debug)]
pub enum Item<'a> {
    /// A property.
    Property(Property<'a>),
    /// A component with all that it holds.
    Component(Component<'a>),
    /// A line that is neither: empty, or damaged.
    Stray(Range<usize>),
}

/// A component: its name, the lines that open and close it, and what stands between.
#[derive(Clone, Debug)]
pub struct Component<'a> {
    name: String,
    begin: Range<usize>,
    items: Vec<Item<'a>>,
    /// Empty where the line is missing.
    end: Range<usize>,
}

/// Something that a strict reader refuses and this one passes over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it stands, in bytes from the start.
    pub at: usize,
    /// What it is.
    pub kind: ProblemKind,
}

/// The kinds of [`Problem`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// A component has no `END` of its own.
    Unclosed,
    /// An `END` without its `BEGIN`.
    Unopened,
    /// A line that is no property and not empty.
    NoProperty,
    /// Bytes that are not UTF-8 (RFC 5545 §3.1.4 makes UTF-8 the default).
    NotUtf8,
    /// A control character other than a tab (RFC 5545 §3.1: `CONTROL`).
    Control,
}

impl<'a> Document<'a> {
    /// Reads bytes into components. Damage is noted in [`Document::problems`] and never an error.
    ///
    /// # Errors
    /// A limit was exceeded.
    pub fn parse(bytes: &'a [u8], limits: Limits) -> Result<Document<'a>, Exceeded> {
        if bytes.len() > limits.bytes {
            return Err(Exceeded::Bytes);
        }
        let mut builder = Builder { open: Vec::new(), items: Vec::new(), problems: Vec::new() };
        for (number, line) in Lines::new(bytes).enumerate() {
            if number == limits.lines {
                return Err(Exceeded::Lines);
            }
            builder.line(line, &limits)?;
        }
        builder.close_all(bytes.len());
        builder.problems.sort_by_key(|problem| problem.at);
        Ok(Document { bytes, items: builder.items, problems: builder.problems })
    }

    /// The bytes that were read.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Everything at the top, in order.
    pub fn items(&self) -> &[Item<'a>] {
        &self.items
    }

    /// The components at the top.
    pub fn components(&self) -> impl Iterator<Item = &Component<'a>> {
        components(&self.items)
    }

    /// What a strict reader would refuse, in the order of the bytes.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl<'a> Component<'a> {
    /// The name in upper case.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is of that name (given in upper case).
    pub fn is(&self, name: &str) -> bool {
        self.name == name
    }

    /// Everything between its first and last line, in order.
    pub fn items(&self) -> &[Item<'a>] {
        &self.items
    }

    /// The line that opens it.
    pub fn begin(&self) -> Range<usize> {
        self.begin.clone()
    }

    /// The line that closes it; empty where it is missing.
    pub fn end(&self) -> Range<usize> {
        self.end.clone()
    }

    /// All its bytes.
    pub fn span(&self) -> Range<usize> {
        self.begin.start..self.end.end
    }

    /// The components directly within.
    pub fn components(&self) -> impl Iterator<Item = &Component<'a>> {
        components(&self.items)
    }

    /// Its own properties in order.
    pub fn properties(&self) -> impl Iterator<Item = &Property<'a>> {
        self.items.iter().filter_map(|item| match item {
            Item::Property(property) => Some(property),
            _ => None,
        })
    }

    /// Its properties of that name, whatever their group.
    pub fn all<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s Property<'a>> {
        self.properties().filter(move |property| property.is(name))
    }

    /// Its first property of that name.
    pub fn first(&self, name: &str) -> Option<&Property<'a>> {
        self.properties().find(|property| property.is(name))
    }

    /// The value, as written, of its first property of that name.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.first(name).map(Property::value)
    }
}

impl<'a> Item<'a> {
    /// Its bytes in the original.
    pub fn span(&self) -> Range<usize> {
        match self {
            Item::Property(property) => property.span(),
            Item::Component(component) => component.span(),
            Item::Stray(span) => span.clone(),
        }
    }
}

fn components<'s, 'a>(items: &'s [Item<'a>]) -> impl Iterator<Item = &'s Component<'a>> {
    items.iter().filter_map(|item| match item {
        Item::Component(component) => Some(component),
        _ => None,
    })
}

struct Builder<'a> {
    /// Components that are not closed yet, the outermost first.
    open: Vec<Component<'a>>,
    items: Vec<Item<'a>>,
    problems: Vec<Problem>,
}

impl<'a> Builder<'a> {
    fn put(&mut self, item: Item<'a>) {
        match self.open.last_mut() {
            Some(component) => component.items.push(item),
            None => self.items.push(item),
        }
    }

    fn problem(&mut self, at: usize, kind: ProblemKind) {
        self.problems.push(Problem { at, kind });
    }

    fn line(&mut self, line: Line<'a>, limits: &Limits) -> Result<(), Exceeded> {
        let span = line.span.clone();
        if !line.utf8 {
            self.problem(span.start, ProblemKind::NotUtf8);
        }
        if line.text.bytes().any(|byte| (byte < b' ' && byte != b'\t') || byte == 0x7f) {
            self.problem(span.start, ProblemKind::Control);
        }
        let blank = line.text.trim().is_empty();
        let property = match Property::read(line, limits.parameters) {
            Ok(property) => property,
            Err(NoProperty::Limit(exceeded)) => return Err(exceeded),
            Err(NoProperty::Shape) => {
                if !blank {
                    self.problem(span.start, ProblemKind::NoProperty);
                }
                self.put(Item::Stray(span));
                return Ok(());
            }
        };
        if property.is("BEGIN") {
            if self.open.len() == limits.depth {
                return Err(Exceeded::Depth);
            }
            let name = property.value().trim().to_ascii_uppercase();
            self.open.push(Component {
                name,
                begin: span.clone(),
                items: Vec::new(),
                end: span.end..span.end,
            });
        } else if property.is("END") {
            self.close(property.value().trim(), span);
        } else {
            self.put(Item::Property(property));
        }
        Ok(())
    }

    fn close(&mut self, name: &str, span: Range<usize>) {
        let Some(index) = self.open.iter().rposition(|component| component.name.eq_ignore_ascii_case(name))
        else {
            self.problem(span.start, ProblemKind::Unopened);
            self.put(Item::Stray(span));
            return;
        };
        while self.open.len() > index + 1 {
            self.close_innermost(span.start..span.start, true);
        }
        self.close_innermost(span, false);
    }

    fn close_innermost(&mut self, end: Range<usize>, unclosed: bool) {
        let Some(mut component) = self.open.pop() else { return };
        if unclosed {
            self.problem(component.begin.start, ProblemKind::Unclosed);
        }
        component.end = end;
        self.put(Item::Component(component));
    }

    fn close_all(&mut self, end: usize) {
        while !self.open.is_empty() {
            self.close_innermost(end..end, true);
        }
    }
}
