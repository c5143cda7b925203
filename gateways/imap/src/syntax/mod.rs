//! The grammar of what clients send.
//!
//! A command comes here whole – literals in it, messages of APPEND and REPLACE excepted – and leaves as an
//! [`ast::Tagged`]. Most of it is read by hand, kindly ([`cursor`]); some small commands by `imap-codec` ([`codec`]).

pub(crate) mod acl;
pub(crate) mod append;
pub(crate) mod ast;
pub(crate) mod codec;
pub(crate) mod cursor;
pub(crate) mod date;
pub(crate) mod fetch;
pub(crate) mod flag;
pub(crate) mod list;
pub(crate) mod literal;
pub(crate) mod mailbox;
pub(crate) mod message;
pub(crate) mod notify;
pub(crate) mod search;
pub(crate) mod select;
pub(crate) mod set;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use crate::wire::{Code, Completion, Enabled};
use ast::{Command, Mailbox, Tagged};
use cursor::Cursor;

/// The answer to what is not understood: BAD, now and then NO with a code.
pub(crate) type Bad = Completion;

/// BAD, and why.
pub(crate) fn bad(text: impl Into<Cow<'static, str>>) -> Bad {
    Completion::bad(text)
}

/// RFC 9051 §6.4.4, BADCHARSET: and what would be understood.
fn bad_charset() -> Bad {
    Completion::no(Code::new("BADCHARSET (US-ASCII UTF-8)"), "This charset is not known")
}

/// RFC 6154 §3: the use is not supported.
fn refuse_use() -> Bad {
    Completion::no(Code::USE_ATTR, "There is no such use")
}

/// How this client writes names.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Reading {
    /// UTF-8, not modified UTF-7: it enabled UTF8=ACCEPT or IMAP4rev2.
    pub(crate) utf8: bool,
    /// RFC 6855 §3: no CHARSET in SEARCH any more: it enabled UTF8=ACCEPT.
    pub(crate) no_charset: bool,
}

impl Reading {
    /// Of a client that enabled so much.
    pub(crate) fn of(enabled: Enabled) -> Reading {
        Reading { utf8: enabled.utf8(), no_charset: enabled.utf8_accept }
    }

    /// `mailbox`.
    pub(crate) fn mailbox(self, cursor: &mut Cursor<'_>) -> Result<Mailbox, Bad> {
        let name = self.name(&cursor.astring()?)?;
        if name.is_empty() { Err(bad("a mailbox has a name")) } else { Ok(Mailbox::new(name)) }
    }

    /// A mailbox's name; may be empty.
    pub(crate) fn name(self, bytes: &[u8]) -> Result<String, Bad> {
        let as_utf8 = || std::str::from_utf8(bytes).ok().map(str::to_owned);
        let name = match self.utf8 {
            true => as_utf8(),
            // Clients that send UTF-8 without leave: nothing else can be meant by it.
            false => mailbox::decode(bytes).or_else(|| as_utf8().filter(|name| !name.is_ascii())),
        };
        // The command is well-formed; it is the name that cannot be.
        let form = if self.utf8 { "This name is not in UTF-8" } else { "This name is not in modified UTF-7" };
        name.ok_or_else(|| Completion::no(Code::CANNOT, form))
    }

    /// A reference or a pattern of LIST. What no name can be matches none, and is no error.
    pub(crate) fn pattern(self, bytes: &[u8]) -> String {
        self.name(bytes).unwrap_or_else(|_| String::from_utf8_lossy(bytes).into_owned())
    }
}

/// The tag of a command that is not understood otherwise.
pub(crate) fn tag(input: &[u8]) -> Option<String> {
    let mut cursor = Cursor::new(input);
    let tag = cursor.tag().ok()?.to_owned();
    matches!(cursor.peek(), None | Some(b' ')).then_some(tag)
}

/// Understands a whole command, without the CRLF that ends it.
///
/// # Errors
/// What to answer instead; under the tag if [`tag`] finds one, else untagged.
pub(crate) fn command(input: &[u8], reading: Reading) -> Result<Tagged, Bad> {
    let mut cursor = Cursor::new(input);
    let tag = cursor.tag()?.to_owned();
    cursor.space()?;
    let name = cursor.word()?;
    let command = match bare(&name) {
        Some(command) => command,
        None if is_of_codec(&name) => return Ok(Tagged { tag, command: codec::command(input, reading)? }),
        None => {
            cursor.space().map_err(|_| unknown_or_bare(&name))?;
            with_arguments(&name, &mut cursor, reading)?
        }
    };
    cursor.end()?;
    Ok(Tagged { tag, command })
}

fn unknown_or_bare(name: &str) -> Bad {
    let known = [
        "SELECT",
        "EXAMINE",
        "CREATE",
        "DELETE",
        "RENAME",
        "SUBSCRIBE",
        "UNSUBSCRIBE",
        "LIST",
        "XLIST",
        "LSUB",
        "STATUS",
        "SETACL",
        "GETACL",
        "DELETEACL",
        "LISTRIGHTS",
        "MYRIGHTS",
        "NOTIFY",
        "SEARCH",
        "SORT",
        "THREAD",
        "FETCH",
        "STORE",
        "COPY",
        "MOVE",
        "UID",
        "APPEND",
        "REPLACE",
    ];
    bad(if known.contains(&name) { "this command has arguments" } else { "there is no such command" })
}

/// Commands without arguments.
fn bare(name: &str) -> Option<Command> {
    Some(match name {
        "CAPABILITY" => Command::Capability,
        "NOOP" => Command::Noop,
        "LOGOUT" => Command::Logout,
        "STARTTLS" => Command::StartTls,
        "NAMESPACE" => Command::Namespace,
        "IDLE" => Command::Idle,
        "CHECK" => Command::Check,
        "CLOSE" => Command::Close,
        "UNSELECT" => Command::Unselect,
        "EXPUNGE" => Command::Expunge { uids: None },
        _ => return None,
    })
}

fn is_of_codec(name: &str) -> bool {
    let names = [
        "LOGIN",
        "AUTHENTICATE",
        "ID",
        "ENABLE",
        "COMPRESS",
        "GETQUOTA",
        "GETQUOTAROOT",
        "SETQUOTA",
        "GETMETADATA",
        "SETMETADATA",
    ];
    names.contains(&name)
}

fn with_arguments(name: &str, cursor: &mut Cursor<'_>, reading: Reading) -> Result<Command, Bad> {
    match name {
        "SELECT" => select::select(cursor, reading, false),
        "EXAMINE" => select::select(cursor, reading, true),
        "CREATE" => list::create(cursor, reading),
        "DELETE" => reading.mailbox(cursor).map(Command::Delete),
        "RENAME" => {
            let from = reading.mailbox(cursor)?;
            cursor.space()?;
            Ok(Command::Rename { from, to: reading.mailbox(cursor)? })
        }
        "SUBSCRIBE" => reading.mailbox(cursor).map(Command::Subscribe),
        "UNSUBSCRIBE" => reading.mailbox(cursor).map(Command::Unsubscribe),
        "LIST" => list::list(cursor, reading, false),
        "XLIST" => list::list(cursor, reading, true),
        "LSUB" => list::lsub(cursor, reading),
        "STATUS" => list::status(cursor, reading),
        "SETACL" => acl::set_acl(cursor, reading),
        "GETACL" => reading.mailbox(cursor).map(Command::GetAcl),
        "DELETEACL" => acl::delete_acl(cursor, reading),
        "LISTRIGHTS" => acl::list_rights(cursor, reading),
        "MYRIGHTS" => reading.mailbox(cursor).map(Command::MyRights),
        "NOTIFY" => notify::notify(cursor, reading),
        "SEARCH" => search::search(cursor, reading, false),
        "SORT" => search::sort(cursor, false),
        "THREAD" => search::thread(cursor, false),
        "FETCH" => fetch::fetch(cursor, false),
        "STORE" => message::store(cursor, false),
        "COPY" => message::copy(cursor, reading, false),
        "MOVE" => message::r#move(cursor, reading, false),
        "UID" => message::uid(cursor, reading),
        "APPEND" | "REPLACE" => Err(bad("expected a message as a literal")),
        _ => Err(bad("there is no such command")),
    }
}
