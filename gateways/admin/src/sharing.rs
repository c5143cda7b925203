//! Commands about what others see: shares and links.

use allod_core::Operator;
use allod_model::Rights;
use serde_json::{Value, json};

use crate::answer::Failure;
use crate::execute::{Context, read_path};
use crate::moment::show_moment;
use crate::request::Request;

/// Shares between accounts.
pub async fn share(operator: &Operator, request: Request) -> Result<Value, Failure> {
    match request {
        Request::ShareAdd { account, path, with, write } => {
            let rights = if write { Rights::Write } else { Rights::Read };
            operator.session(&account)?.share(&read_path(&path)?, &with, rights).await?;
            Ok(json!({"account": account, "path": path, "with": with, "rights": rights.as_str()}))
        }
        Request::ShareList { account, path } => {
            let shares = operator.session(&account)?.shares(&read_path(&path)?).await?;
            let row = |share: &allod_core::Share| {
                json!({
                    "account": share.account,
                    "address": share.address,
                    "rights": share.rights.as_str(),
                    "since": show_moment(share.since),
                })
            };
            Ok(shares.iter().map(row).collect())
        }
        Request::ShareRemove { account, path, with } => {
            operator.session(&account)?.unshare(&read_path(&path)?, &with).await?;
            Ok(json!({"removed": with, "path": path}))
        }
        _ => Err(Failure::invalid("this server does not know that command")),
    }
}

/// Links of published calendars.
pub async fn link(context: &Context, request: Request) -> Result<Value, Failure> {
    match request {
        Request::LinkAdd { account, path } => {
            let token = context.operator.session(&account)?.publish(&read_path(&path)?).await?;
            let (before, behind) = &context.calendar_link;
            Ok(json!({"path": path, "url": format!("{before}{}{behind}", *token)}))
        }
        Request::LinkRemove { account, path } => {
            context.operator.session(&account)?.unpublish(&read_path(&path)?).await?;
            Ok(json!({"removed": path}))
        }
        _ => Err(Failure::invalid("this server does not know that command")),
    }
}
