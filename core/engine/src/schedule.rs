//! Scheduling between people: RFC 6638 over RFC 5546.
//!
//! A write into a calendar is looked at before its commit ([`arrange`]): what of it others must hear, and what the
//! server writes into it. The commit stores the changed object and the messages together, so that nobody is invited to
//! what was not stored, and nothing is stored of which nobody hears. Right after it, and again at the next start where
//! a crash came between, the messages are delivered ([`deliver`]): to an account of this server into its inbox and its
//! calendar ([`arrive`]), to anybody else through the [`Outbox`].
//!
//! **Invariant:** each message changes a recipient's account once. A sender's messages are delivered one after the
//! other in the order of their numbers, and the recipient's account remembers, in the commit that a message makes, the
//! last number that came from that sender.
//!
//! **Invariant:** what a delivery writes is no write of a person and is never looked at again, so no message makes an
//! endless exchange: an answer makes at most one round of silent refreshes to the other attendees.
//!
//! | part of the table `S` | key | value |
//! |---|---|---|
//! | 0 | commit, message, recipient | [`job::Job`] to an account of this server |
//! | 1 | commit, message, piece | sealed piece of a message's bytes |
//! | 2 | sender | the last job that came from that account |
//! | 3 | commit, message, recipient | [`job::Job`] to anybody else |
//! | 4 | – | the folder in which new events are put |

mod arrange;
mod arrive;
mod busy;
mod calendars;
mod deliver;
mod job;
mod mail;
mod moving;
mod outbox;
mod route;

pub use arrange::{Arranged, OVERTAKEN_TRIES, is_overtaken};
pub use busy::BusyAnswer;
pub use calendars::is_scheduled;
pub use deliver::Deliveries;
pub use mail::Mailed;
pub use moving::Transfer;
pub use outbox::{Claimed, Outbox, Settled};

use allod_formats::calendar::itip::Making;
use allod_formats::value::Utc;
use allod_model::{Seq, Timestamp};

/// PRODID of what the server writes.
pub const PRODUCT: &str = "-//allod//scheduling//EN";

/// A schedule-tag as gateways show it (RFC 6638 §9.3), without quotes.
pub fn tag(seq: Seq) -> String {
    format!("{:x}", seq.0)
}

fn making(now: Timestamp) -> Making<'static> {
    Making { now: Utc(now.secs()), product: PRODUCT }
}
