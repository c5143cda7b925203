//! Commands whose grammar `imap-codec` carries: LOGIN, AUTHENTICATE, ID, ENABLE, COMPRESS, quota and metadata.
//!
//! It takes what the standards' grammar gives and nothing else, so a small layer before it puts in order what clients
//! write all the same: spaces too many, quoted strings in 8 bits.

use std::borrow::Cow;

use imap_codec::CommandCodec;
use imap_codec::decode::Decoder;
use imap_types::command::CommandBody;
use imap_types::core::{AString, IString, NString8};
use imap_types::extensions::metadata::{Depth as CodecDepth, Entry, GetMetadataOption};
use imap_types::mailbox::Mailbox as CodecMailbox;
use zeroize::Zeroizing;

use super::ast::{Command, Depth, GetMetadata, Secret};
use super::cursor::Cursor;
use super::{Bad, Reading, bad};

/// Fields of one ID at most (RFC 2971 §3.3).
const ID_FIELDS_MAX: usize = 30;
/// Entries of one command on metadata at most.
const ENTRIES_MAX: usize = 1000;

/// Understands a whole command, its tag included.
///
/// # Errors
/// It does not.
pub(crate) fn command(input: &[u8], reading: Reading) -> Result<Command, Bad> {
    let tidy = tidy(input)?;
    let wrong = || bad("this command's arguments are not understood");
    let (rest, command) = CommandCodec::default().decode(&tidy).map_err(|_| wrong())?;
    if !rest.is_empty() {
        return Err(wrong());
    }
    Ok(match command.body {
        CommandBody::Login { username, password } => Command::Login {
            username: utf8(&username)?,
            password: Secret(Zeroizing::new(password.declassify().as_ref().to_vec())),
        },
        CommandBody::Authenticate { mechanism, initial_response } => Command::Authenticate {
            mechanism: mechanism.to_string().to_ascii_uppercase(),
            initial: initial_response.map(|secret| Secret(Zeroizing::new(secret.declassify().to_vec()))),
        },
        CommandBody::Id { parameters } => {
            let fields = parameters.unwrap_or_default();
            if fields.len() > ID_FIELDS_MAX {
                return Err(bad("at most 30 fields"));
            }
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let field = |(name, value): &(IString<'_>, imap_types::core::NString<'_>)| {
                (text(name.as_ref()), value.0.as_ref().map(|value| text(value.as_ref())))
            };
            Command::Id(fields.iter().map(field).collect())
        }
        CommandBody::Enable { capabilities } => Command::Enable(
            capabilities.as_ref().iter().map(|c| c.to_string().to_ascii_uppercase()).collect(),
        ),
        CommandBody::Compress { algorithm } => Command::Compress(algorithm.to_string().to_ascii_uppercase()),
        CommandBody::GetQuota { root } => Command::GetQuota(utf8(&root)?),
        CommandBody::GetQuotaRoot { mailbox } => {
            Command::GetQuotaRoot(super::ast::Mailbox::new(name(&mailbox, reading)?))
        }
        CommandBody::SetQuota { root, quotas } => Command::SetQuota {
            root: utf8(&root)?,
            limits: quotas.iter().map(|q| (q.resource.to_string().to_ascii_uppercase(), q.limit)).collect(),
        },
        CommandBody::GetMetadata { options, mailbox, entries } => {
            get_metadata(&options, name(&mailbox, reading)?, entries.as_ref())?
        }
        CommandBody::SetMetadata { mailbox, entry_values } => {
            if entry_values.as_ref().len() > ENTRIES_MAX {
                return Err(bad("at most 1000 entries"));
            }
            let entry = |one: &imap_types::extensions::metadata::EntryValue<'_>| {
                Ok((utf8(one.entry.inner())?, value(&one.value)))
            };
            let entries = entry_values.as_ref().iter().map(entry).collect::<Result<_, Bad>>()?;
            Command::SetMetadata { mailbox: name(&mailbox, reading)?, entries }
        }
        _ => return Err(wrong()),
    })
}

fn get_metadata(
    options: &[GetMetadataOption],
    mailbox: String,
    entries: &[Entry<'_>],
) -> Result<Command, Bad> {
    if entries.len() > ENTRIES_MAX {
        return Err(bad("at most 1000 entries"));
    }
    let entries = entries.iter().map(|entry| utf8(entry.inner())).collect::<Result<_, Bad>>()?;
    let mut found = GetMetadata { mailbox, entries, max_size: None, depth: Depth::Zero };
    for option in options {
        match option {
            GetMetadataOption::MaxSize(bytes) => found.max_size = Some(*bytes),
            GetMetadataOption::Depth(CodecDepth::Null) => found.depth = Depth::Zero,
            GetMetadataOption::Depth(CodecDepth::One) => found.depth = Depth::One,
            GetMetadataOption::Depth(CodecDepth::Infinity) => found.depth = Depth::Infinity,
        }
    }
    Ok(Command::GetMetadata(found))
}

fn utf8(text: &AString<'_>) -> Result<String, Bad> {
    String::from_utf8(text.as_ref().to_vec()).map_err(|_| bad("this is not UTF-8"))
}

fn name(mailbox: &CodecMailbox<'_>, reading: Reading) -> Result<String, Bad> {
    match mailbox {
        CodecMailbox::Inbox => Ok("INBOX".to_owned()),
        CodecMailbox::Other(other) => reading.name(other.as_ref()),
    }
}

fn value(value: &NString8<'_>) -> Option<Vec<u8>> {
    match value {
        NString8::NString(text) => text.0.as_ref().map(|text| text.as_ref().to_vec()),
        NString8::Literal8(literal) => Some(literal.data.as_ref().to_vec()),
    }
}

/// The same command with one space where there are several, none at the end, and strings in 8 bits as literals.
fn tidy(input: &[u8]) -> Result<Zeroizing<Vec<u8>>, Bad> {
    let mut cursor = Cursor::new(input);
    // Room for everything at once: growing would leave copies of a password behind.
    let mut out = Zeroizing::new(Vec::with_capacity(input.len() + 512));
    let mut opens = false;
    while let Some(byte) = cursor.peek() {
        let opened = std::mem::replace(&mut opens, byte == b'(');
        match byte {
            b' ' => {
                cursor.spaces();
                let closes = matches!(cursor.peek(), None | Some(b')'));
                if !closes && !opened {
                    out.push(b' ');
                }
            }
            b'"' | b'{' => string(cursor.string()?, b"", &mut out),
            b'~' if cursor.rest().get(1) == Some(&b'{') => string(cursor.string()?, b"~", &mut out),
            byte => {
                cursor.eat(byte);
                out.push(byte);
            }
        }
    }
    out.extend_from_slice(b"\r\n");
    Ok(out)
}

fn string(text: Cow<'_, [u8]>, before: &[u8], out: &mut Vec<u8>) {
    let quotable = before.is_empty() && text.iter().all(|byte| matches!(byte, 0x20..=0x7e));
    if quotable {
        out.push(b'"');
        for byte in text.iter() {
            if matches!(byte, b'"' | b'\\') {
                out.push(b'\\');
            }
            out.push(*byte);
        }
        out.push(b'"');
    } else {
        out.extend_from_slice(before);
        out.extend_from_slice(format!("{{{}}}\r\n", text.len()).as_bytes());
        out.extend_from_slice(&text);
    }
}
