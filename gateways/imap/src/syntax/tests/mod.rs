//! Commands from the standards' examples and from clients, and everything the grammar can say.

mod examples;
mod pieces;
mod print;
mod refused;
mod roundtrip;
mod streamed;

use super::ast::*;
use super::{Reading, command};

/// The command that this line is; without its tag.
fn read(line: &str) -> Command {
    read_bytes(line.as_bytes())
}

fn read_bytes(line: &[u8]) -> Command {
    let input = [b"A1 ", line].concat();
    match command(&input, Reading::default()) {
        Ok(tagged) => {
            assert_eq!(tagged.tag, "A1");
            tagged.command
        }
        Err(bad) => panic!("{}: {bad:?}", String::from_utf8_lossy(line)),
    }
}

fn inbox() -> Mailbox {
    Mailbox("INBOX".to_owned())
}

fn mailbox(name: &str) -> Mailbox {
    Mailbox(name.to_owned())
}

fn number(n: u32) -> SetBound {
    SetBound::Number(n)
}

/// One range.
fn range(first: u32, last: SetBound) -> Set {
    Set::Ranges(vec![(number(first), last)])
}

/// One message.
fn one(n: u32) -> Set {
    range(n, number(n))
}

fn flag(flag: Flag) -> SearchKey {
    SearchKey::Flag(flag)
}

fn not(key: SearchKey) -> SearchKey {
    SearchKey::Not(Box::new(key))
}
