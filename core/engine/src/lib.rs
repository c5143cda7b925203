//! The store of allod: everything that decides.
//!
//! One durable tree per account, and one door to it. A gateway presents a [`Proof`] to [`Core::authenticate`] and gets
//! a [`Session`]: an account seen through one credential. Every operation on data is a method of the session, and
//! there grants, locks, preconditions, quota and the rules of a folder's kind are judged, inside the commit that
//! applies the change. The operator's door is [`Core::operator`].
//!
//! How a change travels: content is durable first (`content`), then one commit changes entries, roll-ups, change
//! index, history and log together (`commit`), then watchers hear of it (`watch`), and what is no longer needed goes
//! last (`collector`). The rows are described in `keys`, their contents in `record`.
//!
//! The crate refuses to know: wires. No header, status or response code; gateways translate. It knows storage only
//! through the traits of `allod-meta` and `allod-blobs`.
//!
//! ```no_run
//! # async fn example(core: allod_core::Core, door: allod_core::Door) -> allod_model::Result<()> {
//! use allod_core::{Proof, PutOptions};
//! use allod_model::{NameRule, Path, Precondition};
//!
//! let session = core.authenticate(Proof::Bearer("…".to_owned().into()), door).await?;
//! let path = Path::parse(b"notes/today.md", NameRule::Strict)?;
//! let body = futures_util::stream::iter([Ok(bytes::Bytes::from_static(b"hello"))]);
//! let written = session.put(&path, PutOptions::default(), Precondition::default(), body).await?;
//! assert_eq!(written.node.size, 5);
//! # Ok(()) }
//! ```

#![allow(missing_docs, reason = "modules are private; what is exported is documented")]

mod abandoned;
mod access;
mod account;
mod as_of;
mod attach;
mod audit;
mod birthdays;
mod bucket;
mod check;
mod checksum;
mod collector;
mod commit;
mod complete;
mod components;
mod content;
mod core;
mod cors;
mod credential;
mod env;
mod expiry;
mod fault;
mod fetch;
mod find;
mod history;
mod import;
mod joined;
mod judge;
mod keys;
mod lifecycle;
mod lock;
mod log;
pub mod mail;
mod node;
pub mod oauth;
mod object;
mod objects;
mod operator;
mod part;
mod person;
mod pins;
mod plan;
pub mod post;
mod publish;
mod put;
mod read;
mod reading;
mod record;
mod resolve;
mod roll;
mod rules;
mod scan;
mod schedule;
mod secret;
mod session;
mod sharing;
mod subtree;
mod throttle;
mod times;
mod transfer;
mod typed;
mod upload;
mod used;
mod versions;
mod walk;
mod watch;
mod write;

pub use crate::core::{Core, Options, Sizes};
pub use account::ACCOUNT_NAME_BYTES_MAX;
pub use allod_model as model;
pub use attach::{ATTACHMENT_BYTES_MAX, ATTACHMENTS_MAX, Attached, AttachmentUrl, NewAttachment};
pub use bucket::{BUCKET_SETTINGS_BYTES_MAX, BUCKETS_MAX, is_bucket_name};
pub use check::{CheckReport, Progress};
pub use checksum::Hasher as ChecksumHasher;
pub use collector::Collected;
pub use components::Components;
pub use credential::{GRANTS_MAX, LABEL_BYTES_MAX, NewCredential, Proof, SigningKey};
pub use env::{Env, SimulatedClock};
pub use fetch::FETCH_PATHS_MAX;
pub use find::{CardQuery, EventQuery, Finding, Found};
pub use history::{LogLine, Trashed, Version};
pub use import::IMPORT_BYTES_MAX;
pub use lock::{LOCK_OWNER_BYTES_MAX, LOCK_SECS_DEFAULT, LOCK_SECS_MAX, LOCKS_MAX};
pub use node::*;
pub use object::*;
pub use operator::{AccountChange, AccountInfo, CredentialInfo, EMAILS_MAX, Operator, PASSWORD_CHARS_MIN};
pub use person::*;
pub use plan::{Action, COMMIT_STEPS_MAX, Outcome, PLAN_STEPS_MAX};
pub use publish::Published;
pub use put::FILE_BYTES_MAX;
pub use read::{OpenFile, PAGE_NODES_MAX};
pub use record::{AuditEvent, LastUse};
pub use schedule::{BusyAnswer, Claimed, Mailed, Outbox, Settled};
pub use session::Session;
pub use sharing::{MOUNTS_MAX, Mount, SHARES_MAX, Share};
pub use watch::{Event, Watch};
pub use write::PROPERTIES_BYTES_MAX;

#[cfg(test)]
pub(crate) mod tests;
