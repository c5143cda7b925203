//! The one door to data: an account seen through one credential.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use allod_meta::{Txn, View};
use allod_model::{CredentialId, Error, ErrorKind, Path, Result, Rights};

use crate::access::{Scope, Sight};
use crate::account::AccountHandle;
use crate::audit;
use crate::commit::Commit;
use crate::core::Core;
use crate::credential::CredentialHandle;
use crate::fault::{Res, fail};
use crate::keys::Keys;
use crate::person::WebHandle;
use crate::record::Actor;
use crate::watch::Watch;

/// An account seen through one credential: every operation on data starts here. Cheap to clone.
///
/// Made only by [`Core::authenticate`], or handed by [`crate::Operator`] to the server's own workers.
#[derive(Clone)]
pub struct Session(Arc<Inner>);

struct Inner {
    core: Core,
    account: Arc<AccountHandle>,
    scope: Arc<Scope>,
    actor: Actor,
    credential: Option<Arc<CredentialHandle>>,
    address: Option<IpAddr>,
    /// Whether the account is the one that logged in, not one that lends it something.
    own: bool,
    /// The person's sign-in, where this is the person and no app.
    person: Option<Arc<WebHandle>>,
}

impl Session {
    pub(crate) fn new(
        core: Core,
        account: Arc<AccountHandle>,
        scope: Arc<Scope>,
        actor: Actor,
        credential: Option<Arc<CredentialHandle>>,
        address: Option<IpAddr>,
    ) -> Self {
        Session(Arc::new(Inner { core, account, scope, actor, credential, address, own: true, person: None }))
    }

    /// The person itself, signed in at the web page.
    pub(crate) fn of_person(
        core: Core,
        account: Arc<AccountHandle>,
        person: Arc<WebHandle>,
        address: Option<IpAddr>,
    ) -> Self {
        let credential = person.credential.clone();
        let actor = Actor {
            credential: Some(credential.record.id.clone()),
            protocol: crate::person::PROTOCOL.into(),
            address: address.map(|a| a.to_string()),
        };
        Session(Arc::new(Inner {
            core,
            account,
            scope: Arc::new(Scope::unlimited()),
            actor,
            credential: Some(credential),
            address,
            own: true,
            person: Some(person),
        }))
    }

    /// The person's sign-in.
    ///
    /// # Errors
    /// `Denied` when this is an app, however wide its grants.
    pub(crate) fn person(&self) -> Res<&Arc<WebHandle>> {
        self.check_alive()?;
        match &self.0.person {
            Some(person) => Ok(person),
            None => fail(ErrorKind::Denied, "only the person itself may do that, signed in at the web page"),
        }
    }

    /// The same credential on another account, within a scope of that account's making.
    pub(crate) fn on_behalf(&self, account: Arc<AccountHandle>, scope: Arc<Scope>, actor: Actor) -> Session {
        let (core, credential) = (self.0.core.clone(), self.0.credential.clone());
        Session(Arc::new(Inner {
            core,
            account,
            scope,
            actor,
            credential,
            address: self.0.address,
            own: false,
            person: None,
        }))
    }

    /// Whether the account is the one that logged in.
    pub(crate) fn is_own(&self) -> bool {
        self.0.own
    }

    pub(crate) fn actor(&self) -> &Actor {
        &self.0.actor
    }

    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.0.address
    }

    /// The account's name.
    pub fn account(&self) -> String {
        self.0.account.record().name.clone()
    }

    /// The credential's id; `None` for the operator.
    pub fn credential(&self) -> Option<CredentialId> {
        self.0.actor.credential.clone()
    }

    /// The client says what it is, as some do only after they were let in: it is shown with the credential's last use.
    pub fn note_client(&self, client: &str) {
        self.core().named(self.actor(), client);
    }

    /// The account's mail addresses.
    pub fn addresses(&self) -> Vec<String> {
        self.0.account.record().emails.clone()
    }

    /// What the session's grants give at `path`, whether or not anything is there; `None`: nothing.
    pub fn rights(&self, path: &Path) -> Option<Rights> {
        match self.0.scope.sight(path) {
            Sight::Granted(rights) => Some(rights),
            Sight::Passage | Sight::Hidden => None,
        }
    }

    /// Resolves when the credential is revoked or expires, or the account is removed. Streams of
    /// [`crate::OpenFile`] and [`Session::put`] end by themselves then; a gateway closes idle connections on it.
    pub async fn revoked(&self) {
        let closed = self.0.account.closed().cancelled();
        let Some(credential) = &self.0.credential else { return closed.await };
        let expiry = async {
            match credential.record.expires {
                Some(at) => {
                    let left = at.0.saturating_sub(self.0.core.0.env.now().0).max(0);
                    tokio::time::sleep(Duration::from_millis(left as u64)).await;
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = closed => {}
            () = credential.revoked.cancelled() => {}
            () = expiry => {}
        }
    }

    /// Hears of every later commit in the account.
    pub fn watch(&self) -> Watch {
        self.0.account.watch_sender().watch()
    }

    /// Refuses once the credential is over.
    pub(crate) fn check_alive(&self) -> Res<()> {
        let over = self.0.credential.as_ref().is_some_and(|credential| {
            credential.revoked.is_cancelled()
                || credential.record.expires.is_some_and(|at| at <= self.0.core.0.env.now())
        });
        if over || self.0.account.closed().is_cancelled() {
            return fail(ErrorKind::Unauthenticated, "the credential was revoked or has expired");
        }
        Ok(())
    }

    pub(crate) fn core(&self) -> &Core {
        &self.0.core
    }

    pub(crate) fn handle(&self) -> &Arc<AccountHandle> {
        &self.0.account
    }

    pub(crate) fn keys(&self) -> Keys {
        self.0.account.keys()
    }

    pub(crate) fn scope(&self) -> &Scope {
        &self.0.scope
    }

    /// The durable state now, for reading.
    pub(crate) fn view(&self) -> Res<View> {
        self.check_alive()?;
        self.0.core.view()
    }

    /// Runs `body` as one commit in the account's history; returns once it is durable. `about` is named in the
    /// audit log when it is refused. For changes of a few entries; see [`Session::commit_many`].
    pub(crate) async fn commit<T: Send + 'static>(
        &self,
        about: &Path,
        body: impl FnMut(&Session, &mut Commit) -> Res<T> + Send + 'static,
    ) -> Result<T> {
        let outcome = self.0.core.transact_briefly(self.0.account.shard(), self.as_commit(body)).await;
        outcome.map_err(|error| self.noted(about, error))
    }

    /// As [`Session::commit`], for changes of many entries, which keep a thread for milliseconds.
    pub(crate) async fn commit_many<T: Send + 'static>(
        &self,
        about: &Path,
        body: impl FnMut(&Session, &mut Commit) -> Res<T> + Send + 'static,
    ) -> Result<T> {
        let outcome = self.0.core.transact(self.0.account.shard(), self.as_commit(body)).await;
        outcome.map_err(|error| self.noted(about, error))
    }

    fn as_commit<T>(
        &self,
        mut body: impl FnMut(&Session, &mut Commit) -> Res<T> + Send + 'static,
    ) -> impl FnMut(&mut Txn<'_>) -> Res<T> + Send + 'static {
        let me = self.clone();
        move |txn| {
            me.check_alive()?;
            let mut commit = Commit::begin(txn, &me.0.account, me.0.core.0.env.now())?;
            let value = body(&me, &mut commit)?;
            commit.finish(&me.0.actor)?;
            Ok(value)
        }
    }

    /// Writes a refusal into the audit log and passes the error on.
    pub(crate) fn noted(&self, about: &Path, error: Error) -> Error {
        if error.kind == ErrorKind::Denied {
            let now = self.0.core.0.env.now();
            let id = self.0.actor.credential.as_ref();
            let protocol = Some(self.0.actor.protocol.as_str());
            let event = audit::event(now, "refused", id, protocol, self.0.address, about.to_string());
            self.0.core.0.audit.push(self.0.account.id(), event);
        }
        error
    }
}
