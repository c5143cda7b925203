//! What is printed is read as the same, and no bytes do harm.

use jiff::civil::Date;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use zeroize::Zeroizing;

use super::print::print;
use super::*;
use crate::syntax::append;

fn text() -> impl Strategy<Value = String> {
    "[ -~]{0,12}|[a-zäöß\r\n☃📬]{0,8}"
}

fn any_mailbox() -> impl Strategy<Value = Mailbox> {
    "[a-zA-Z &\"/äß☃📬~%*(){}\\]\\[-]{1,16}".prop_map(Mailbox::new)
}

fn keyword() -> impl Strategy<Value = String> {
    "[a-z$][a-zA-Z0-9_+.-]{0,8}"
}

fn any_flag() -> impl Strategy<Value = Flag> {
    let system = select(vec![Flag::Seen, Flag::Answered, Flag::Flagged, Flag::Deleted, Flag::Draft]);
    prop_oneof![system, keyword().prop_map(Flag::Keyword)]
}

fn bound() -> impl Strategy<Value = SetBound> {
    prop_oneof![4 => (1_u32..).prop_map(SetBound::Number), 1 => Just(SetBound::Last)]
}

fn set() -> impl Strategy<Value = Set> {
    let ranges = vec((bound(), bound()), 1..6).prop_map(Set::Ranges);
    prop_oneof![8 => ranges, 1 => Just(Set::Saved)]
}

fn date() -> impl Strategy<Value = Date> {
    (1_i16..9999, 1_i8..=12, 1_i8..=28).prop_map(|(year, month, day)| Date::new(year, month, day).unwrap())
}

fn partial() -> impl Strategy<Value = PartialRange> {
    (1_u32.., 1_u32.., any::<bool>()).prop_map(|(a, b, from_end)| PartialRange {
        first: a.min(b),
        last: a.max(b),
        from_end,
    })
}

fn plain_key() -> impl Strategy<Value = SearchKey> {
    prop_oneof![
        Just(SearchKey::All),
        Just(SearchKey::SaveDateSupported),
        set().prop_map(SearchKey::Sequence),
        set().prop_map(SearchKey::Uid),
        any_flag().prop_map(SearchKey::Flag),
        text().prop_map(SearchKey::Body),
        text().prop_map(SearchKey::From),
        text().prop_map(SearchKey::Subject),
        text().prop_map(SearchKey::Text),
        text().prop_map(SearchKey::EmailId),
        (text(), text()).prop_map(|(name, value)| SearchKey::Header(name, value)),
        date().prop_map(SearchKey::Before),
        date().prop_map(SearchKey::SentOn),
        date().prop_map(SearchKey::SavedSince),
        any::<u64>().prop_map(SearchKey::Larger),
        (1_u32..).prop_map(|secs| SearchKey::Older(secs.into())),
        any::<u64>().prop_map(SearchKey::ModSeq),
    ]
}

fn search_key() -> impl Strategy<Value = SearchKey> {
    plain_key().prop_recursive(5, 32, 4, |key| {
        prop_oneof![
            key.clone().prop_map(not),
            (key.clone(), key.clone()).prop_map(|(a, b)| SearchKey::Or(Box::new(a), Box::new(b))),
            vec(key, 2..4).prop_map(SearchKey::And),
        ]
    })
}

fn search_return() -> impl Strategy<Value = SearchReturn> {
    (any::<[bool; 5]>(), option::of(partial())).prop_map(|([min, max, all, count, save], partial)| {
        let all = all && partial.is_none();
        let none = !(min || max || count || save) && partial.is_none();
        SearchReturn { min, max, all: all || none, count, save, partial }
    })
}

fn section() -> impl Strategy<Value = Section> {
    let fields = || vec("[A-Za-z][A-Za-z-]{0,8}", 1..4);
    let text = prop_oneof![
        Just(SectionText::Header),
        Just(SectionText::Text),
        Just(SectionText::Mime),
        fields().prop_map(SectionText::HeaderFields),
        fields().prop_map(SectionText::HeaderFieldsNot),
    ];
    (vec(1_u32.., 0..4), option::of(text)).prop_map(|(part, text)| {
        let text = text.filter(|text| *text != SectionText::Mime || !part.is_empty());
        Section { part, text }
    })
}

fn fetch_item() -> impl Strategy<Value = FetchItem> {
    use FetchItem::*;
    let bytes =
        || option::of((any::<u32>(), 1_u32..).prop_map(|(offset, length)| ByteRange { offset, length }));
    let part = || vec(1_u32.., 0..4);
    prop_oneof![
        select(vec![
            Envelope,
            Flags,
            InternalDate,
            Size,
            Uid,
            Body,
            BodyStructure,
            ModSeq,
            EmailId,
            ThreadId,
            SaveDate,
            Rfc822,
            Rfc822Header,
            Rfc822Text,
        ]),
        any::<bool>().prop_map(|lazy| Preview { lazy }),
        (section(), any::<bool>(), bytes()).prop_map(|(section, peek, partial)| Section(SectionFetch {
            section,
            peek,
            partial
        })),
        (part(), any::<bool>(), bytes()).prop_map(|(part, peek, partial)| Binary { part, peek, partial }),
        part().prop_map(|part| BinarySize { part }),
    ]
}

fn any_fetch() -> impl Strategy<Value = Command> {
    let fields = (set(), vec(fetch_item(), 1..6), any::<bool>(), option::of(any::<u64>()), any::<bool>());
    (fields, option::of(partial())).prop_map(|((set, items, uid, changed_since, vanished), partial)| {
        let vanished = vanished && uid && changed_since.is_some();
        Command::Fetch(Fetch { set, uid, items, changed_since, vanished, partial })
    })
}

fn any_store() -> impl Strategy<Value = Command> {
    let change = select(vec![FlagsChange::Replace, FlagsChange::Add, FlagsChange::Remove]);
    let fields =
        (set(), any::<bool>(), change, any::<bool>(), vec(any_flag(), 0..5), option::of(any::<u64>()));
    fields.prop_map(|(set, uid, change, silent, flags, unchanged_since)| {
        Command::Store(Store { set, uid, change, silent, flags, unchanged_since })
    })
}

fn status_items() -> impl Strategy<Value = Vec<StatusItem>> {
    use StatusItem::*;
    let all = vec![
        Messages,
        Recent,
        UidNext,
        UidValidity,
        Unseen,
        Deleted,
        Size,
        HighestModSeq,
        MailboxId,
        DeletedStorage,
        AppendLimit,
    ];
    vec(select(all), 1..5)
}

fn any_list() -> impl Strategy<Value = Command> {
    let returns = (any::<[bool; 4]>(), option::of(status_items()));
    let fields = (text_line(), vec(text_line(), 1..4), any::<[bool; 4]>(), returns);
    fields.prop_map(
        |(reference, patterns, selects, ([subscribed, children, special_use, my_rights], status))| {
            let [select_subscribed, remote, recursive, select_special] = selects;
            let recursive_match = recursive && (select_subscribed || select_special);
            let select = ListSelect {
                subscribed: select_subscribed,
                remote,
                recursive_match,
                special_use: select_special,
            };
            let returns = ListReturn { subscribed, children, special_use, my_rights, status };
            Command::List(List { reference, patterns, select, returns, extended: true, xlist: false })
        },
    )
}

fn text_line() -> impl Strategy<Value = String> {
    "[ -~äß☃]{0,10}"
}

fn any_select() -> impl Strategy<Value = Command> {
    let numbers = || vec((bound(), bound()), 1..4).prop_map(Set::Ranges);
    let qresync = (1_u32.., any::<u64>(), option::of(numbers()), option::of((numbers(), numbers())))
        .prop_map(|(uid_validity, mod_seq, known_uids, sequence_match)| Qresync {
            uid_validity,
            mod_seq,
            known_uids,
            sequence_match,
        });
    let fields = (any_mailbox(), any::<bool>(), any::<bool>(), option::of(qresync));
    fields.prop_map(|(mailbox, read_only, condstore, qresync)| {
        Command::Select(Select { mailbox, read_only, condstore, qresync })
    })
}

fn any_sort() -> impl Strategy<Value = Command> {
    use SortBy::*;
    let by = select(vec![Arrival, Cc, Date, DisplayFrom, DisplayTo, From, Size, Subject, To]);
    let criteria = vec((any::<bool>(), by).prop_map(|(reverse, by)| SortKey { reverse, by }), 1..4);
    (any::<bool>(), option::of(search_return()), criteria, search_key())
        .prop_map(|(uid, returns, criteria, key)| Command::Sort(Sort { uid, returns, criteria, key }))
}

fn any_command() -> impl Strategy<Value = Command> {
    let login = (text_line(), text_line()).prop_map(|(username, password)| Command::Login {
        username,
        password: Secret(Zeroizing::new(password.into_bytes())),
    });
    let value = option::of(text().prop_map(String::into_bytes));
    let entries = vec(("/(private|shared)/[a-z]{1,8}", value), 1..4);
    prop_oneof![
        any_mailbox().prop_map(Command::Delete),
        (any_mailbox(), any_mailbox()).prop_map(|(from, to)| Command::Rename { from, to }),
        (any_mailbox(), vec(select(vec![SpecialUse::All, SpecialUse::Junk, SpecialUse::Trash]), 0..3))
            .prop_map(|(mailbox, special_use)| Command::Create { mailbox, special_use }),
        any_select(),
        any_list(),
        (any_mailbox(), status_items()).prop_map(|(mailbox, items)| Command::Status { mailbox, items }),
        (any::<bool>(), option::of(search_return()), search_key())
            .prop_map(|(uid, returns, key)| Command::Search(Search { uid, returns, key })),
        any_sort(),
        any_fetch(),
        any_store(),
        (set(), any::<bool>(), any_mailbox()).prop_map(|(set, uid, mailbox)| Command::Copy {
            set,
            uid,
            mailbox
        }),
        (set(), any::<bool>(), any_mailbox()).prop_map(|(set, uid, mailbox)| Command::Move {
            set,
            uid,
            mailbox
        }),
        login,
        (text_line(), entries).prop_map(|(mailbox, entries)| Command::SetMetadata { mailbox, entries }),
    ]
}

/// Some shapes are read as another that means the same.
fn canonical(command: Command) -> Command {
    let inbox = |name: String| if name.eq_ignore_ascii_case("INBOX") { "INBOX".to_owned() } else { name };
    match command {
        Command::SetMetadata { mailbox, entries } => {
            Command::SetMetadata { mailbox: inbox(mailbox), entries }
        }
        other => other,
    }
}

proptest! {
    #[test]
    fn printed_commands_are_read_as_they_were(command in any_command()) {
        prop_assert_eq!(canonical(read(&print(&command))), canonical(command));
    }

    #[test]
    fn spaces_more_or_less_change_nothing(command in any_command(), at in any::<prop::sample::Index>()) {
        let line = print(&command);
        // Not within strings: there they count.
        let spaces: Vec<_> = line.match_indices(' ').map(|(at, _)| at).collect();
        let outside = |at: &usize| !line.contains('{') && line[..*at].matches('"').count().is_multiple_of(2) && !line.contains('\\');
        let spaces: Vec<_> = spaces.into_iter().filter(outside).collect();
        let mut wide = line.clone();
        if !spaces.is_empty() {
            wide.insert_str(spaces[at.index(spaces.len())], "  ");
        }
        prop_assert_eq!(canonical(read(&format!("{wide} "))), canonical(command));
    }

    #[test]
    fn names_survive(name in "\\PC{0,20}|[ -~\u{0}-\u{1f}]{0,20}") {
        use super::super::mailbox::{decode, encode};
        let encoded = encode(&name);
        prop_assert!(encoded.bytes().all(|byte| matches!(byte, 0x20..=0x7e)));
        prop_assert_eq!(decode(encoded.as_bytes()), Some(name));
    }

    #[test]
    fn garbage_does_no_harm(bytes in vec(any::<u8>(), 0..200), utf8 in any::<bool>()) {
        let reading = Reading { utf8, no_charset: utf8 };
        let _ = super::super::command(&bytes, reading);
        let _ = append::head(&bytes, reading);
        let _ = append::tail(&bytes, utf8);
        let _ = super::super::mailbox::decode(&bytes);
    }

    #[test]
    fn damaged_commands_do_no_harm(command in any_command(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut line = format!("A1 {}", print(&command)).into_bytes();
        let at = at.index(line.len());
        line[at] = byte;
        let _ = super::super::command(&line, Reading::default());
        line.truncate(at);
        let _ = super::super::command(&line, Reading::default());
    }
}
