//! Commands as a client writes them.

use jiff::civil::Date;

use super::super::mailbox::encode;
use super::*;

/// The line for a command, without its tag.
pub(super) fn print(command: &Command) -> String {
    match command {
        Command::Delete(mailbox) => format!("DELETE {}", name(mailbox)),
        Command::Rename { from, to } => format!("RENAME {} {}", name(from), name(to)),
        Command::Create { mailbox, special_use } if special_use.is_empty() => {
            format!("CREATE {}", name(mailbox))
        }
        Command::Create { mailbox, special_use } => {
            let uses: Vec<_> = special_use.iter().map(|one| format!("\\{one:?}")).collect();
            format!("CREATE {} (USE ({}))", name(mailbox), uses.join(" "))
        }
        Command::Select(found) => select(found),
        Command::List(found) => list(found),
        Command::Status { mailbox, items } => format!("STATUS {} ({})", name(mailbox), status(items)),
        Command::Search(found) => {
            format!("{}SEARCH {}{}", uid(found.uid), returns(&found.returns), key(&found.key, true))
        }
        Command::Sort(found) => {
            let criteria: Vec<_> = found.criteria.iter().map(sort_key).collect();
            let (returns, key) = (returns(&found.returns), key(&found.key, true));
            format!("{}SORT {returns}({}) UTF-8 {key}", uid(found.uid), criteria.join(" "))
        }
        Command::Fetch(found) => fetch(found),
        Command::Store(found) => store(found),
        Command::Copy { set, uid: by, mailbox } => {
            format!("{}COPY {} {}", uid(*by), self::set(set), name(mailbox))
        }
        Command::Move { set, uid: by, mailbox } => {
            format!("{}MOVE {} {}", uid(*by), self::set(set), name(mailbox))
        }
        Command::Login { username, password } => {
            format!("LOGIN {} {}", string(username), string(std::str::from_utf8(&password.0).unwrap()))
        }
        Command::SetMetadata { mailbox, entries } => {
            let value = |value: &Option<Vec<u8>>| match value {
                Some(bytes) => string(std::str::from_utf8(bytes).unwrap()),
                None => "NIL".to_owned(),
            };
            let entries: Vec<_> =
                entries.iter().map(|(entry, v)| format!("{} {}", string(entry), value(v))).collect();
            format!("SETMETADATA {} ({})", string(&encode(mailbox)), entries.join(" "))
        }
        other => panic!("{other:?} is not printed"),
    }
}

fn uid(uid: bool) -> &'static str {
    if uid { "UID " } else { "" }
}

fn name(mailbox: &Mailbox) -> String {
    string(&encode(&mailbox.0))
}

/// Quoted, or a literal.
fn string(text: &str) -> String {
    if text.bytes().all(|byte| matches!(byte, 0x20..=0x7e)) {
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        format!("{{{}+}}\r\n{text}", text.len())
    }
}

fn bound(bound: SetBound) -> String {
    match bound {
        SetBound::Number(n) => n.to_string(),
        SetBound::Last => "*".to_owned(),
    }
}

fn set(set: &Set) -> String {
    let Set::Ranges(ranges) = set else { return "$".to_owned() };
    let range = |(first, last): &(SetBound, SetBound)| format!("{}:{}", bound(*first), bound(*last));
    ranges.iter().map(range).collect::<Vec<_>>().join(",")
}

fn flag_text(flag: &Flag) -> String {
    match flag {
        Flag::Keyword(keyword) => keyword.clone(),
        other => format!("\\{other:?}"),
    }
}

fn select(found: &Select) -> String {
    let mut parameters = Vec::new();
    if found.condstore {
        parameters.push("CONDSTORE".to_owned());
    }
    if let Some(known) = &found.qresync {
        let uids = known.known_uids.as_ref().map(|uids| format!(" {}", set(uids))).unwrap_or_default();
        let pairs = known.sequence_match.as_ref();
        let pairs = pairs.map(|(a, b)| format!(" ({} {})", set(a), set(b))).unwrap_or_default();
        parameters.push(format!("QRESYNC ({} {}{uids}{pairs})", known.uid_validity, known.mod_seq));
    }
    let verb = if found.read_only { "EXAMINE" } else { "SELECT" };
    let parameters =
        if parameters.is_empty() { String::new() } else { format!(" ({})", parameters.join(" ")) };
    format!("{verb} {}{parameters}", name(&found.mailbox))
}

fn list(found: &List) -> String {
    let words = |words: &[(&'static str, bool)]| {
        words.iter().filter(|(_, set)| *set).map(|(word, _)| (*word).to_owned()).collect::<Vec<_>>()
    };
    let selected = &found.select;
    let selection = words(&[
        ("SUBSCRIBED", selected.subscribed),
        ("REMOTE", selected.remote),
        ("RECURSIVEMATCH", selected.recursive_match),
        ("SPECIAL-USE", selected.special_use),
    ]);
    let mut returned = words(&[
        ("SUBSCRIBED", found.returns.subscribed),
        ("CHILDREN", found.returns.children),
        ("SPECIAL-USE", found.returns.special_use),
        ("MYRIGHTS", found.returns.my_rights),
    ]);
    returned.extend(found.returns.status.as_ref().map(|items| format!("STATUS ({})", status(items))));
    let patterns: Vec<_> = found.patterns.iter().map(|pattern| string(&encode(pattern))).collect();
    format!(
        "LIST ({}) {} ({}) RETURN ({})",
        selection.join(" "),
        string(&encode(&found.reference)),
        patterns.join(" "),
        returned.join(" ")
    )
}

fn status(items: &[StatusItem]) -> String {
    let word = |item: &StatusItem| match item {
        StatusItem::DeletedStorage => "DELETED-STORAGE".to_owned(),
        other => format!("{other:?}"),
    };
    items.iter().map(word).collect::<Vec<_>>().join(" ")
}

fn returns(returns: &Option<SearchReturn>) -> String {
    let Some(found) = returns else { return String::new() };
    let words = [
        ("MIN", found.min),
        ("MAX", found.max),
        ("ALL", found.all),
        ("COUNT", found.count),
        ("SAVE", found.save),
    ];
    let mut words: Vec<_> =
        words.iter().filter(|(_, set)| *set).map(|(word, _)| (*word).to_owned()).collect();
    words.extend(found.partial.map(|range| format!("PARTIAL {}", partial(range))));
    format!("RETURN ({}) ", words.join(" "))
}

fn partial(range: PartialRange) -> String {
    let sign = if range.from_end { "-" } else { "" };
    format!("{sign}{}:{sign}{}", range.first, range.last)
}

fn sort_key(key: &SortKey) -> String {
    let reverse = if key.reverse { "REVERSE " } else { "" };
    format!("{reverse}{:?}", key.by)
}

fn day(date: &Date) -> String {
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    format!("{}-{}-{}", date.day(), months[date.month() as usize - 1], date.year())
}

fn key(key: &SearchKey, outermost: bool) -> String {
    let with = |word: &str, text: &str| format!("{word} {}", string(text));
    let inner = |key: &SearchKey| self::key(key, false);
    match key {
        SearchKey::All => "ALL".to_owned(),
        SearchKey::And(keys) => {
            let keys = keys.iter().map(inner).collect::<Vec<_>>().join(" ");
            if outermost { keys } else { format!("({keys})") }
        }
        SearchKey::Or(a, b) => format!("OR {} {}", inner(a), inner(b)),
        SearchKey::Not(key) => format!("NOT {}", inner(key)),
        SearchKey::Sequence(found) => set(found),
        SearchKey::Uid(found) => format!("UID {}", set(found)),
        SearchKey::Flag(Flag::Keyword(keyword)) => format!("KEYWORD {keyword}"),
        SearchKey::Flag(flag) => format!("{flag:?}"),
        SearchKey::Bcc(text) => with("BCC", text),
        SearchKey::Body(text) => with("BODY", text),
        SearchKey::Cc(text) => with("CC", text),
        SearchKey::From(text) => with("FROM", text),
        SearchKey::Subject(text) => with("SUBJECT", text),
        SearchKey::Text(text) => with("TEXT", text),
        SearchKey::To(text) => with("TO", text),
        SearchKey::EmailId(text) => with("EMAILID", text),
        SearchKey::ThreadId(text) => with("THREADID", text),
        SearchKey::Header(name, value) => format!("HEADER {} {}", string(name), string(value)),
        SearchKey::Before(date) => format!("BEFORE {}", day(date)),
        SearchKey::On(date) => format!("ON {}", day(date)),
        SearchKey::Since(date) => format!("SINCE {}", day(date)),
        SearchKey::SentBefore(date) => format!("SENTBEFORE {}", day(date)),
        SearchKey::SentOn(date) => format!("SENTON {}", day(date)),
        SearchKey::SentSince(date) => format!("SENTSINCE {}", day(date)),
        SearchKey::SavedBefore(date) => format!("SAVEDBEFORE {}", day(date)),
        SearchKey::SavedOn(date) => format!("SAVEDON {}", day(date)),
        SearchKey::SavedSince(date) => format!("SAVEDSINCE {}", day(date)),
        SearchKey::SaveDateSupported => "SAVEDATESUPPORTED".to_owned(),
        SearchKey::Larger(bytes) => format!("LARGER {bytes}"),
        SearchKey::Smaller(bytes) => format!("SMALLER {bytes}"),
        SearchKey::Older(secs) => format!("OLDER {secs}"),
        SearchKey::Younger(secs) => format!("YOUNGER {secs}"),
        SearchKey::ModSeq(seq) => format!("MODSEQ {seq}"),
    }
}

fn fetch(found: &Fetch) -> String {
    let items: Vec<_> = found.items.iter().map(fetch_item).collect();
    let mut modifiers = Vec::new();
    modifiers.extend(found.changed_since.map(|seq| format!("CHANGEDSINCE {seq}")));
    modifiers.extend(found.vanished.then(|| "VANISHED".to_owned()));
    modifiers.extend(found.partial.map(|range| format!("PARTIAL {}", partial(range))));
    let modifiers = if modifiers.is_empty() { String::new() } else { format!(" ({})", modifiers.join(" ")) };
    format!("{}FETCH {} ({}){modifiers}", uid(found.uid), set(&found.set), items.join(" "))
}

fn bytes(range: &Option<ByteRange>) -> String {
    range.map(|range| format!("<{}.{}>", range.offset, range.length)).unwrap_or_default()
}

fn part(part: &[u32]) -> String {
    part.iter().map(u32::to_string).collect::<Vec<_>>().join(".")
}

fn fetch_item(item: &FetchItem) -> String {
    let peeked = |peek: &bool| if *peek { ".PEEK" } else { "" };
    match item {
        FetchItem::Size => "RFC822.SIZE".to_owned(),
        FetchItem::Rfc822Header => "RFC822.HEADER".to_owned(),
        FetchItem::Rfc822Text => "RFC822.TEXT".to_owned(),
        FetchItem::Preview { lazy: true } => "PREVIEW (LAZY)".to_owned(),
        FetchItem::Preview { lazy: false } => "PREVIEW".to_owned(),
        FetchItem::Section(found) => {
            format!("BODY{}[{}]{}", peeked(&found.peek), section(&found.section), bytes(&found.partial))
        }
        FetchItem::Binary { part: of, peek, partial } => {
            format!("BINARY{}[{}]{}", peeked(peek), part(of), bytes(partial))
        }
        FetchItem::BinarySize { part: of } => format!("BINARY.SIZE[{}]", part(of)),
        other => format!("{other:?}"),
    }
}

fn section(section: &Section) -> String {
    let fields = |fields: &[String]| fields.iter().map(|field| string(field)).collect::<Vec<_>>().join(" ");
    let text = match &section.text {
        None => None,
        Some(SectionText::Header) => Some("HEADER".to_owned()),
        Some(SectionText::HeaderFields(names)) => Some(format!("HEADER.FIELDS ({})", fields(names))),
        Some(SectionText::HeaderFieldsNot(names)) => Some(format!("HEADER.FIELDS.NOT ({})", fields(names))),
        Some(SectionText::Text) => Some("TEXT".to_owned()),
        Some(SectionText::Mime) => Some("MIME".to_owned()),
    };
    let part = Some(part(&section.part)).filter(|part| !part.is_empty());
    part.into_iter().chain(text).collect::<Vec<_>>().join(".")
}

fn store(found: &Store) -> String {
    let modifier = found.unchanged_since.map(|seq| format!("(UNCHANGEDSINCE {seq}) ")).unwrap_or_default();
    let sign = match found.change {
        FlagsChange::Replace => "",
        FlagsChange::Add => "+",
        FlagsChange::Remove => "-",
    };
    let silent = if found.silent { ".SILENT" } else { "" };
    let flags: Vec<_> = found.flags.iter().map(flag_text).collect();
    format!("{}STORE {} {modifier}{sign}FLAGS{silent} ({})", uid(found.uid), set(&found.set), flags.join(" "))
}
