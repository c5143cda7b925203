//! EHLO, HELO and STARTTLS.

use std::fmt::Write;

use super::{End, Hello, Peer};
use crate::limits::MESSAGE_BYTES_MAX;
use crate::reply::Reply;
use crate::sasl::MECHANISMS;
use crate::shared::Role;
use crate::syntax::HOLD_SECS_MAX;

impl Peer {
    /// RFC 5321 §4.1.1.1.
    pub(super) async fn hello(&mut self, name: String, extended: bool) -> Result<(), End> {
        self.synchronized()?;
        // RFC 5321 §4.1.4: as RSET.
        self.transaction = None;
        self.hello = Some(Hello { name, extended });
        self.idle += 1;
        let host = self.shared.options.hostname.clone();
        if !extended {
            return self.answer(Reply::new(250, "", host)).await;
        }
        let mut lines = vec![host, "PIPELINING".to_owned(), format!("SIZE {MESSAGE_BYTES_MAX}")];
        lines.extend(["8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "CHUNKING"].map(str::to_owned));
        if self.start_tls.is_some() {
            lines.push("STARTTLS".to_owned());
        }
        if self.role == Role::Submission {
            // RFC 4954 §4: not where the password would be seen.
            if self.may_log_in() && self.session.is_none() {
                lines.push(format!("AUTH {MECHANISMS}"));
            }
            lines.push("DSN".to_owned());
            let until = self.shared.now_secs() + HOLD_SECS_MAX as i64;
            if let Ok(until) = jiff::Timestamp::from_second(until) {
                lines.push(format!("FUTURERELEASE {HOLD_SECS_MAX} {until}"));
            }
        }
        let mut text = String::new();
        for (number, line) in lines.iter().enumerate() {
            let mark = if number + 1 == lines.len() { ' ' } else { '-' };
            // Invariant: writing into a string does not fail.
            let _ = write!(text, "250{mark}{line}\r\n");
        }
        self.wire.raw(text.as_bytes());
        Ok(())
    }

    /// RFC 3207 §4.
    pub(super) async fn start_tls(&mut self) -> Result<(), End> {
        let Some(start_tls) = self.start_tls.clone() else {
            return self.answer(Reply::new(502, "5.5.1", "STARTTLS is not offered here")).await;
        };
        self.wire.say(&Reply::new(220, "2.0.0", "Begin TLS"));
        self.wire.encrypt(&start_tls).await?;
        // RFC 3207 §4.2: what was said before is forgotten, the transaction first of all.
        self.start_tls = None;
        self.hello = None;
        self.transaction = None;
        Ok(())
    }

    /// Whether a password may be sent as things are.
    pub(super) fn may_log_in(&self) -> bool {
        self.wire.is_tls() || self.address.is_loopback() || self.shared.options.insecure
    }
}
