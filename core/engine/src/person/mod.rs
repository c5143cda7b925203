//! The person behind an account: signing in at the web page, and what only the person may do.
//!
//! Apps hold credentials; a person signs in with the account's password and gets a *sign-in*: a random token that the
//! browser keeps, stored here by its keyed hash, with an end, an idle end, and a place in the list of sign-ins from
//! where it can be ended at once. The [`Session`] that it opens is the account's whole, under the protocol
//! [`PROTOCOL`], and its id stands in history like a credential's.
//!
//! | file | what |
//! |---|---|
//! | `sign_in` | password, second factor, tickets in between |
//! | `web_session` | tokens of those who are signed in |
//! | `invite` | the first account, and accounts without a password yet |
//! | `factors` | authenticator apps and recovery codes |
//! | `credentials` | app credentials as their owner sees them |
//! | `activity` | who did what |
//!
//! [`Session`]: crate::Session

mod activity;
mod credentials;
mod factors;
mod invite;
mod password;
mod sign_in;
mod web_session;

pub use activity::{ACTIVITY_PAGE_MAX, Activity, ActivityLine};
pub use credentials::AppInfo;
pub use factors::{FactorInfo, NewAuthenticator, RECOVERY_CODES};
pub use invite::{INVITATION_SECS, Invited};
pub use sign_in::{SIGN_IN_PASSWORD_BYTES_MAX, SignIn, Ticket};
pub use web_session::{
    NewWebSession, WEB_SESSION_IDLE_SECS, WEB_SESSION_SECS, WEB_SESSIONS_MAX, WebSessionInfo,
};

pub(crate) use web_session::{WebHandle, is_signed_in};

use parking_lot::Mutex;
use tokio::sync::Semaphore;

/// The protocol under which the person's own doings stand in history.
pub const PROTOCOL: &str = "web";

/// Passwords hashed at one time; each takes some 20 MiB.
const HASHINGS_MAX: usize = 2;

/// What is known in memory of people: who is signed in, who is half way.
pub struct People {
    pub sessions: web_session::WebSessions,
    pub tickets: sign_in::Tickets,
    /// The hash of the secret by which the first account can be made.
    pub set_up: Mutex<Option<[u8; 32]>>,
    pub hashing: Semaphore,
}

impl Default for People {
    fn default() -> Self {
        People {
            sessions: Default::default(),
            tickets: Default::default(),
            set_up: Mutex::default(),
            hashing: Semaphore::new(HASHINGS_MAX),
        }
    }
}
