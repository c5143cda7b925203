//! What can be asked.

use std::fmt;

use allod_core::post::Rule;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// A secret on its way; never shown by `Debug`.
#[derive(Clone, Serialize, Deserialize)]
pub struct Password(pub Zeroizing<String>);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// A command of the operator. Times are text as people write it: see [`crate::parse_moment`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// Makes an account.
    AccountAdd {
        /// Its name.
        name: String,
        /// Mail addresses.
        emails: Vec<String>,
        /// Bytes.
        quota: Option<u64>,
        /// For the web page.
        password: Option<Password>,
    },
    /// All accounts.
    AccountList,
    /// One account.
    AccountShow {
        /// Its name.
        name: String,
    },
    /// Changes an account.
    AccountSet {
        /// Its name.
        name: String,
        /// A new list of mail addresses.
        emails: Option<Vec<String>>,
        /// A new quota in bytes; 0 for none.
        quota: Option<u64>,
        /// A new password for the web page.
        password: Option<Password>,
    },
    /// Makes a link by which an account's person chooses a password.
    AccountInvite {
        /// Its name.
        name: String,
    },
    /// Removes an account for good.
    AccountRemove {
        /// Its name.
        name: String,
    },
    /// Makes an app credential.
    AppAdd {
        /// Whose.
        account: String,
        /// Its label.
        label: String,
        /// Grants as text.
        grants: Vec<String>,
        /// Seconds until it ends.
        expires_secs: Option<u64>,
    },
    /// App credentials.
    AppList {
        /// Only of this account.
        account: Option<String>,
    },
    /// One app credential.
    AppShow {
        /// Its id.
        id: String,
    },
    /// Revokes an app credential at once.
    AppRevoke {
        /// Its id.
        id: String,
    },
    /// What is served, and how the store is.
    Status,
    /// Verifies everything stored.
    Check {
        /// Rewrite derived rows that are wrong.
        rebuild: bool,
    },
    /// What happened in an account, newest first.
    History {
        /// Whose.
        account: String,
        /// Below this path.
        path: String,
        /// Only by this app credential.
        app: Option<String>,
        /// At most so many commits.
        limit: usize,
    },
    /// Earlier versions of a file.
    Versions {
        /// Whose.
        account: String,
        /// The file.
        path: String,
    },
    /// What was removed and can be had back.
    Trash {
        /// Whose.
        account: String,
        /// At most so many.
        limit: usize,
    },
    /// Puts a path back as it was.
    Restore {
        /// Whose.
        account: String,
        /// What.
        path: String,
        /// As of this moment.
        at: Option<String>,
        /// As of the state after this commit.
        seq: Option<u64>,
        /// Only say what would change.
        dry_run: bool,
    },
    /// Undoes what one app did.
    Undo {
        /// Whose.
        account: String,
        /// The app credential's id.
        app: String,
        /// From this moment on.
        since: String,
        /// Only say what would change.
        dry_run: bool,
    },
    /// The audit log, newest first.
    Audit {
        /// Whose.
        account: String,
        /// At most so many events.
        limit: usize,
    },
    /// Gives back space now instead of in the background.
    Collect,
    /// Wants the calendar of birthdays again after it was removed.
    Birthdays {
        /// Whose.
        account: String,
    },
    /// Shares a calendar or an address book with another account of the server.
    ShareAdd {
        /// Whose.
        account: String,
        /// The folder.
        path: String,
        /// The other account, by name or mail address.
        with: String,
        /// Whether that one may change it.
        write: bool,
    },
    /// With whom a folder is shared.
    ShareList {
        /// Whose.
        account: String,
        /// The folder.
        path: String,
    },
    /// Ends a share.
    ShareRemove {
        /// Whose.
        account: String,
        /// The folder.
        path: String,
        /// The other account.
        with: String,
    },
    /// Mail that waits to be sent.
    QueueList {
        /// Only of this account.
        account: Option<String>,
    },
    /// Tries a mail now.
    QueueRetry {
        /// Its id.
        id: String,
    },
    /// Takes a mail out of the queue.
    QueueDrop {
        /// Its id.
        id: String,
    },
    /// The rules by which an account's mail is filed.
    FilingList {
        /// Whose.
        account: String,
    },
    /// Adds a rule.
    FilingAdd {
        /// Whose.
        account: String,
        /// The rule.
        rule: Rule,
        /// Before which other, counted from 1; at the end where it is not said.
        position: Option<usize>,
    },
    /// Removes a rule.
    FilingRemove {
        /// Whose.
        account: String,
        /// The rule's name.
        name: String,
    },
    /// The answer while an account's owner is away.
    VacationShow {
        /// Whose.
        account: String,
    },
    /// Sets that answer.
    VacationSet {
        /// Whose.
        account: String,
        /// What it says.
        text: String,
        /// Its subject; made from the mail's where it is not said.
        subject: Option<String>,
        /// Not before.
        from: Option<String>,
        /// Not after.
        until: Option<String>,
        /// Nobody is answered twice within so many days.
        days: u32,
    },
    /// Sends no such answer any more.
    VacationOff {
        /// Whose.
        account: String,
    },
    /// What the DNS must hold for a domain.
    Dns {
        /// The domain.
        domain: String,
        /// Whether to look it up.
        check: bool,
    },
    /// Publishes a calendar by a link, or shows the link it has.
    LinkAdd {
        /// Whose.
        account: String,
        /// The calendar.
        path: String,
    },
    /// Ends a calendar's link.
    LinkRemove {
        /// Whose.
        account: String,
        /// The calendar.
        path: String,
    },
}
