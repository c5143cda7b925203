//! Annotations of mailboxes and of the account (RFC 5464), kept as given.

use std::ops::ControlFlow;

use allod_meta::{KeyRange, Lookup};
use allod_model::{Error, NodeId, Path, Result, Rights};

use crate::fault::Res;
use crate::reading::Records;
use crate::resolve::find_folder;
use crate::session::Session;

/// Longest value of an annotation, in bytes.
pub const ANNOTATION_BYTES_MAX: usize = 16 << 10;
/// Annotations of one mailbox, or of the account.
pub const ANNOTATIONS_MAX: usize = 200;
/// Longest name of an annotation, in bytes.
const NAME_BYTES_MAX: usize = 250;

/// Where annotations of the account itself are.
const ACCOUNT: NodeId = NodeId(0);

impl Session {
    /// The annotations of a mailbox, of the account when `mailbox` is none: name (in lower case) and value.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn annotations(&self, mailbox: Option<&Path>) -> Result<Vec<(String, Vec<u8>)>> {
        Ok(self.annotations_now(mailbox)?)
    }

    fn annotations_now(&self, mailbox: Option<&Path>) -> Res<Vec<(String, Vec<u8>)>> {
        let view = self.view()?;
        let prefix = self.keys().annotations(self.annotated(&view, mailbox)?);
        let mut found = Vec::new();
        view.each(&KeyRange::prefix(&prefix), prefix.len(), |key, value| {
            let sealed = self.handle().key().open_inline(&prefix, value)?;
            found.push((String::from_utf8_lossy(key).into_owned(), sealed));
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    /// Sets annotations, all or none; a value of none takes one away. Names are compared without case.
    ///
    /// # Errors
    /// `NotFound`, `Denied`; `TooLarge` beyond the limits.
    pub async fn annotate(
        &self,
        mailbox: Option<&Path>,
        changes: Vec<(String, Option<Vec<u8>>)>,
    ) -> Result<()> {
        let about = mailbox.cloned().unwrap_or_else(super::folders::home);
        self.scope().check_write(&about, Rights::Write).map_err(|e| self.noted(&about, e))?;
        let at = mailbox.cloned();
        self.commit(&about, move |me, commit| {
            let folder = me.annotated(&*commit.txn, at.as_ref())?;
            let prefix = commit.keys.annotations(folder);
            for (name, value) in &changes {
                if name.len() > NAME_BYTES_MAX {
                    return Err(
                        Error::too_large("bytes of an annotation's name", NAME_BYTES_MAX as u64).into()
                    );
                }
                let row = commit.keys.annotation(folder, &name.to_ascii_lowercase());
                match value {
                    None => commit.txn.delete(&row)?,
                    Some(value) if value.len() > ANNOTATION_BYTES_MAX => {
                        let max = ANNOTATION_BYTES_MAX as u64;
                        return Err(Error::too_large("bytes of an annotation", max).into());
                    }
                    Some(value) => commit.txn.put(&row, &me.handle().key().seal_inline(&prefix, value))?,
                }
            }
            if commit.txn.scan_prefix(&prefix, None, ANNOTATIONS_MAX + 1)?.len() > ANNOTATIONS_MAX {
                return Err(Error::too_large("annotations", ANNOTATIONS_MAX as u64).into());
            }
            Ok(())
        })
        .await
    }

    fn annotated(&self, rows: &impl Lookup, mailbox: Option<&Path>) -> Res<NodeId> {
        let Some(path) = mailbox else { return Ok(ACCOUNT) };
        self.scope().check_read(path)?;
        Ok(find_folder(rows, self.keys(), path)?.0)
    }
}
