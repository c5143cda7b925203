//! App credentials as their owner sees them: the same operations as the operator's, on one's own account only.

use allod_model::{Error, Grant, Path, Result, Rights, Timestamp};

use crate::credential::NewCredential;
use crate::operator::CredentialInfo;
use crate::session::Session;

/// An app as its owner sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct AppInfo {
    /// The credential.
    pub credential: CredentialInfo,
    /// Whether it opens the whole account for every protocol.
    pub whole: bool,
}

impl Session {
    /// The account's app credentials, the last used first.
    ///
    /// # Errors
    /// `Denied` for an app.
    pub async fn apps(&self) -> Result<Vec<AppInfo>> {
        self.person()?;
        let infos = self.core().operator().credentials(Some(&self.account())).await?;
        let mut apps: Vec<_> = infos
            .into_iter()
            .map(|credential| AppInfo { whole: credential.grants.iter().any(is_whole), credential })
            .collect();
        apps.sort_by_key(|app| {
            let last = app.credential.last_use.as_ref().map_or(app.credential.created, |last| last.time);
            std::cmp::Reverse(last)
        });
        Ok(apps)
    }

    /// One of them.
    ///
    /// # Errors
    /// `Denied` for an app; `NotFound`, also for another account's.
    pub async fn app(&self, id: &str) -> Result<AppInfo> {
        self.apps().await?.into_iter().find(|app| app.credential.id.0 == id).ok_or_else(Error::not_found)
    }

    /// Makes an app credential.
    ///
    /// # Errors
    /// `Denied` for an app, and for a credential that opens everything unless the password was shown lately
    /// ([`Session::confirm`]); `InvalidContent` for a label, a grant or an expiry that can't be.
    pub async fn add_app(
        &self,
        label: &str,
        grants: Vec<Grant>,
        expires: Option<Timestamp>,
    ) -> Result<NewCredential> {
        self.person()?;
        if grants.iter().any(is_whole) {
            self.check_confirmed()?;
        }
        self.core().operator().add_credential(&self.account(), label, grants, expires).await
    }

    /// Revokes an app credential at once, on open connections too.
    ///
    /// # Errors
    /// `Denied` for an app; `NotFound`, also for another account's.
    pub async fn revoke_app(&self, id: &str) -> Result<()> {
        self.app(id).await?;
        self.core().operator().revoke_credential(id).await
    }
}

/// Whether a grant opens everything, by every protocol.
pub fn is_whole(grant: &Grant) -> bool {
    grant.path == Path::root()
        && grant.rights == Rights::Write
        && grant.protocols.is_empty()
        && grant.except.is_empty()
}
