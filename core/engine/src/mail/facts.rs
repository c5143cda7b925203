//! What is known of a message from its bytes, stored beside its content and shared by all copies.
//!
//! Sealed under the account's key, as the content is: an envelope and the text of a mail tell as much as the mail. The
//! parts lie apart, so that each question reads only what it needs.

use allod_formats::mail::{Address, Facts, SearchText, fold, header};
use allod_meta::{Lookup, Pair};
use allod_model::{ContentId, Result};

use crate::account::AccountHandle;
use crate::commit::{Commit, missing};
use crate::fault::Res;
use crate::keys::number_at;
use crate::mail::signature::Signature;
use crate::record::{decode, encode};

/// Thread and [`Facts`].
pub const STRUCTURE: u8 = 0;
/// The header as it is.
pub const HEADER: u8 = 1;
/// [`SearchText`].
pub const TEXT: u8 = 2;
/// [`Signature`].
pub const SIGNATURE: u8 = 3;
/// The [`COMMON_FIELDS`] of the header. Where it is not, the header has them.
pub const COMMON: u8 = 4;
const PARTS: [u8; 5] = [STRUCTURE, HEADER, TEXT, SIGNATURE, COMMON];

/// The header fields that mail clients ask of whole mailboxes, in small letters; they are stored apart from the rest,
/// which is most of a header: the traces of its way, signatures, the doings of filters.
pub const COMMON_FIELDS: [&str; 38] = [
    "autocrypt-draft-state",
    "bcc",
    "cc",
    "chat-version",
    "content-class",
    "content-description",
    "content-type",
    "date",
    "disposition-notification-to",
    "from",
    "importance",
    "in-reply-to",
    "lines",
    "list-id",
    "list-post",
    "list-subscribe",
    "list-unsubscribe",
    "mail-followup-to",
    "mail-reply-to",
    "mailing-list",
    "message-id",
    "newsgroups",
    "priority",
    "references",
    "reply-to",
    "resent-message-id",
    "return-receipt-to",
    "sender",
    "status",
    "subject",
    "to",
    "x-label",
    "x-mailer",
    "x-priority",
    "x-spam-flag",
    "x-status",
    "x-tuid",
    "x-uniform-type-identifier",
];
/// Longest such part, in bytes.
const COMMON_BYTES_MAX: usize = 16 << 10;

/// Longest header that is stored apart, in bytes; a longer one is read from the message.
pub const HEADER_BYTES_MAX: usize = 64 << 10;
/// Longest text that is stored apart, in bytes; a longer one is made again from the message when a search comes to it.
const TEXT_BYTES_MAX: usize = 1 << 20;
/// Bytes of one row, well below the longest value.
const ROW_BYTES: usize = 60_000;
/// Messages of a thread that are looked at to find the thread of a new one.
const REFERENCES_MAX: usize = 20;

/// What the rules of a mailbox found in a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailFacts {
    pub(crate) facts: Facts,
    pub(crate) header: Option<Vec<u8>>,
    pub(crate) text: Option<SearchText>,
    pub(crate) signature: Signature,
}

impl MailFacts {
    /// Takes a message apart.
    pub(crate) fn read(bytes: &[u8]) -> MailFacts {
        let facts = allod_formats::mail::read(bytes);
        let text = allod_formats::mail::search_text(bytes, &facts);
        let signature = Signature::of(&[&text.header, &text.body, &addresses(&facts)]);
        let header = bytes.get(facts.root.header.start as usize..facts.root.header.end as usize);
        let header = header.filter(|header| header.len() <= HEADER_BYTES_MAX).map(<[u8]>::to_vec);
        let text = Some(text).filter(|text| text.header.len() + text.body.len() <= TEXT_BYTES_MAX);
        MailFacts { facts, header, text, signature }
    }
}

/// The addresses of an envelope as `mailbox@host`, whatever comments and folds they were written with.
fn addresses(facts: &Facts) -> String {
    let envelope = &facts.envelope;
    let lists =
        [&envelope.from, &envelope.sender, &envelope.reply_to, &envelope.to, &envelope.cc, &envelope.bcc];
    lists.into_iter().flatten().map(plain_address).collect::<Vec<_>>().join("\n")
}

/// An address as `mailbox@host`, folded.
pub fn plain_address(address: &Address) -> String {
    let part =
        |part: &Option<Vec<u8>>| String::from_utf8_lossy(part.as_deref().unwrap_or_default()).into_owned();
    fold(&format!("{}@{}", part(&address.mailbox), part(&address.host)))
}

impl Commit<'_, '_> {
    /// Stores what is known of a content, unless it is there already; returns the thread that it belongs to.
    pub(crate) fn learn_mail(&mut self, content: ContentId, mail: &MailFacts) -> Res<u64> {
        if let Some((thread, _)) = structure(&*self.txn, self.account, content)? {
            return Ok(thread);
        }
        let thread = self.thread_of(content, &mail.facts)?;
        for (row, sealed) in sealed_pages(self.account, content, thread, mail) {
            self.txn.put(&row, &sealed)?;
        }
        Ok(thread)
    }

    /// The thread of the nearest message that is known, else a new one (RFC 8474 §5.2).
    fn thread_of(&mut self, content: ContentId, facts: &Facts) -> Res<u64> {
        let nearest = facts.references.iter().rev().take(REFERENCES_MAX);
        let ids: Vec<&String> = facts.message_id.iter().chain(nearest).collect();
        let (mut thread, mut unknown) = (None, Vec::new());
        for id in ids {
            let digest = self.account.key().digest(id.as_bytes()).0;
            let mut hash = [0; 16];
            hash.copy_from_slice(&digest[..16]);
            let row = self.keys.thread(&hash);
            match self.txn.get(&row)?.and_then(|number| number_at(&number)) {
                Some(known) => thread = thread.or(Some(known)),
                None => unknown.push(row),
            }
        }
        let thread = thread.unwrap_or(content.0);
        for row in unknown {
            self.txn.put(&row, &thread.to_be_bytes())?;
        }
        Ok(thread)
    }

    /// Forgets what is known of a content that goes.
    pub(crate) fn forget_mail(&mut self, content: ContentId) -> Res<()> {
        let places = PARTS.iter().map(|part| self.keys.mail_part_of(*part, content));
        for place in places.chain([self.keys.mail_facts_of(content)]) {
            let rows = self.txn.scan_prefix(&place, None, usize::MAX)?;
            rows.iter().try_for_each(|(key, _)| self.txn.delete(key))?;
        }
        Ok(())
    }
}

/// The rows that hold what is known of a message. Sealing is deterministic, so they can be compared.
pub fn sealed_pages(account: &AccountHandle, content: ContentId, thread: u64, mail: &MailFacts) -> Vec<Pair> {
    let text = mail.text.as_ref().map(|text| encode(&(&text.header, &text.body)));
    let common = mail.header.as_ref().map(|header| header::select(header, &COMMON_FIELDS, false));
    let common = common.filter(|common| common.len() <= COMMON_BYTES_MAX);
    // What is read of every message at once is not compressed: that would cost more than all else.
    let parts = [
        (STRUCTURE, Some(encode(&(thread, &mail.facts))), false),
        (HEADER, mail.header.clone(), true),
        (TEXT, text, true),
        (SIGNATURE, Some(mail.signature.to_bytes()), false),
        (COMMON, common, false),
    ];
    let mut rows = Vec::with_capacity(parts.len());
    for (part, plain, compressed) in parts {
        let Some(plain) = plain else { continue };
        let context = context(content, part);
        let sealed = match compressed {
            true => account.key().seal_inline(&context, &plain),
            false => account.key().seal_plain(&context, &plain),
        };
        for (page, bytes) in (0..=u8::MAX).zip(sealed.chunks(ROW_BYTES)) {
            rows.push((account.keys().mail_part(part, content, page), bytes.to_vec()));
        }
    }
    rows
}

/// The rows of a message from before its parts lay apart.
pub fn former_pages(rows: &impl Lookup, account: &AccountHandle, content: ContentId) -> Res<Vec<Pair>> {
    Ok(rows.scan_prefix(&account.keys().mail_facts_of(content), None, usize::MAX)?)
}

/// A part as it was stored; `None` when it was too long to be.
pub fn part(
    rows: &impl Lookup,
    account: &AccountHandle,
    content: ContentId,
    part: u8,
) -> Res<Option<Vec<u8>>> {
    let keys = account.keys();
    let sealed = match pages(rows, |page| keys.mail_part(part, content, page))? {
        None if part != COMMON => pages(rows, |page| keys.mail_facts(content, part, page))?,
        sealed => sealed,
    };
    let Some(sealed) = sealed else { return Ok(None) };
    Ok(Some(account.key().open_inline(&context(content, part), &sealed)?))
}

fn pages(rows: &impl Lookup, key: impl Fn(u8) -> Vec<u8>) -> Res<Option<Vec<u8>>> {
    let Some(mut sealed) = rows.get(&key(0))? else { return Ok(None) };
    let mut page = 1;
    while sealed.len() == usize::from(page) * ROW_BYTES {
        let Some(more) = rows.get(&key(page))? else { break };
        sealed.extend_from_slice(&more);
        page += 1;
    }
    Ok(Some(sealed))
}

/// The common fields of a header, or the header itself; `None` when it was too long to be stored.
pub fn common(rows: &impl Lookup, account: &AccountHandle, content: ContentId) -> Res<Option<Vec<u8>>> {
    match part(rows, account, content, COMMON)? {
        Some(common) => Ok(Some(common)),
        None => part(rows, account, content, HEADER),
    }
}

/// The thread and the structure of a message.
pub fn structure(
    rows: &impl Lookup,
    account: &AccountHandle,
    content: ContentId,
) -> Res<Option<(u64, Facts)>> {
    let Some(plain) = part(rows, account, content, STRUCTURE)? else { return Ok(None) };
    Ok(Some(decode(&plain)?))
}

/// The structure of a message that must be there.
///
/// # Errors
/// `Corrupt`.
pub fn structure_of(rows: &impl Lookup, account: &AccountHandle, content: ContentId) -> Res<Facts> {
    let known = structure(rows, account, content)?;
    known.map(|(_, facts)| facts).ok_or_else(|| missing("what is known of a message"))
}

/// What a search looks through, when it was stored.
pub fn text(rows: &impl Lookup, account: &AccountHandle, content: ContentId) -> Res<Option<SearchText>> {
    let Some(plain) = part(rows, account, content, TEXT)? else { return Ok(None) };
    let (header, body) = decode(&plain)?;
    Ok(Some(SearchText { header, body }))
}

/// Binds a sealed part to its row.
fn context(content: ContentId, part: u8) -> [u8; 10] {
    let mut context = [b'm'; 10];
    context[1..9].copy_from_slice(&content.0.to_be_bytes());
    context[9] = part;
    context
}

/// Takes a message apart off the async threads when it is long.
pub async fn read_aside(bytes: bytes::Bytes) -> Result<MailFacts> {
    const BRIEF_BYTES: usize = 64 << 10;
    if bytes.len() <= BRIEF_BYTES {
        return Ok(MailFacts::read(&bytes));
    }
    crate::core::blocking(move || Ok(MailFacts::read(&bytes))).await
}
