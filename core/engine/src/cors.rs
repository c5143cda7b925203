//! Cross-origin rules for those who have not logged in: browsers ask before they send a request, without a credential.

use std::sync::Arc;

use allod_model::{Detail, Error, ErrorKind, Name, Result};

use crate::access::Scope;
use crate::account::AccountHandle;
use crate::core::Core;
use crate::fault::Res;
use crate::object::CorsRule;
use crate::record::Actor;
use crate::session::Session;

/// Accounts searched for a bucket at most.
const ACCOUNTS_SEARCHED_MAX: usize = 64;

impl Core {
    /// The cross-origin rules of a bucket: of the account that has this access key, else of the account so called, else
    /// of the one account that has a bucket of this name. Nothing else of the bucket is told.
    ///
    /// # Errors
    /// `NotFound` when there is no such bucket, or when more than one account has it.
    pub async fn bucket_cors(
        &self,
        access_key: Option<&str>,
        account: Option<&str>,
        bucket: &Name,
    ) -> Result<Vec<CorsRule>> {
        let mut found = None;
        for account in self.accounts_meant(access_key, account)? {
            let actor = Actor { credential: None, protocol: String::new(), address: None };
            let scope = Arc::new(Scope::unlimited());
            let session = Session::new(self.clone(), account, scope, actor, None, None);
            let rules = match session.bucket(bucket).await {
                Ok(bucket) => bucket.settings.cors,
                Err(error) if error.kind == ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            if found.replace(rules).is_some() {
                return Err(Error::not_found().with(Detail::NoBucket));
            }
        }
        found.ok_or_else(|| Error::not_found().with(Detail::NoBucket))
    }

    fn accounts_meant(
        &self,
        access_key: Option<&str>,
        account: Option<&str>,
    ) -> Res<Vec<Arc<AccountHandle>>> {
        if let Some(key) = access_key {
            return Ok(self.account_of_key(key)?.into_iter().collect());
        }
        if let Some(name) = account {
            return Ok(self.account_named(name)?.into_iter().collect());
        }
        let records = self.account_records()?;
        if records.len() > ACCOUNTS_SEARCHED_MAX {
            return Ok(Vec::new());
        }
        records.iter().map(|record| self.account(record.id)).collect()
    }
}
