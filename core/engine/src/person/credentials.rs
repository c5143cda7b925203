//! App credentials as their owner sees them: the same operations as the operator's, on one's own account only.

use allod_model::{Error, Grant, Path, Result, Rights, Timestamp};

use crate::credential::NewCredential;
use crate::fault::Res;
use crate::operator::CredentialInfo;
use crate::session::Session;

/// An app as its owner sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct AppInfo {
    /// The credential.
    pub credential: CredentialInfo,
    /// Whether it opens the whole account for every protocol.
    pub whole: bool,
    /// The highest right that any of its grants gives.
    pub rights: Rights,
    /// The highest right that it ever made use of; `None` before its first use.
    pub used: Option<Rights>,
    /// Top folders in which it ever did anything.
    pub used_in: Vec<String>,
}

impl Session {
    /// The account's app credentials, the last used first.
    ///
    /// # Errors
    /// `Denied` for an app.
    pub async fn apps(&self) -> Result<Vec<AppInfo>> {
        self.person()?;
        let infos = self.core().operator().credentials(Some(&self.account())).await?;
        let mut apps =
            infos.into_iter().map(|credential| self.app_info(credential)).collect::<Res<Vec<_>>>()?;
        apps.sort_by_key(|app| {
            let last = app.credential.last_use.as_ref().map_or(app.credential.created, |last| last.time);
            std::cmp::Reverse(last)
        });
        Ok(apps)
    }

    fn app_info(&self, credential: CredentialInfo) -> Res<AppInfo> {
        let record = self.core().credential(&credential.id.0)?.ok_or_else(Error::not_found)?;
        let used = self.core().used_rights(&record)?;
        Ok(AppInfo {
            whole: credential.grants.iter().any(is_whole),
            rights: credential.grants.iter().map(|grant| grant.rights).max().unwrap_or(Rights::Read),
            used: used.highest(),
            used_in: used.tops().collect(),
            credential,
        })
    }

    /// Takes rights above `rights` away from an app credential; its secrets stay. Open connections end at once and
    /// come back with what is left.
    ///
    /// # Errors
    /// `Denied` for an app; `NotFound`, also for another account's.
    pub async fn narrow_app(&self, id: &str, rights: Rights) -> Result<()> {
        let app = self.app(id).await?;
        let narrowed = app.credential.grants.into_iter().map(|grant| narrowed(grant, rights)).collect();
        self.core().replace_grants(id, narrowed).await
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

/// The grant with no right above `rights`.
fn narrowed(mut grant: Grant, rights: Rights) -> Grant {
    if grant.rights <= rights {
        return grant;
    }
    grant.rights = rights;
    let protocols: Vec<_> = grant.protocols.iter().map(|protocol| protocol.0.as_str()).collect();
    let by = if protocols.is_empty() { String::new() } else { format!("@{}", protocols.join(",")) };
    grant.text = format!("{}:{}{by}", grant.path, rights.as_str());
    grant
}

/// Whether a grant opens everything, by every protocol.
pub fn is_whole(grant: &Grant) -> bool {
    grant.path == Path::root()
        && grant.rights == Rights::Write
        && grant.protocols.is_empty()
        && grant.except.is_empty()
}
