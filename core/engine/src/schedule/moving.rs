//! Objects that come into calendars and go out of them by moves and copies.

use allod_formats::limits::OBJECT_BYTES_MAX;
use allod_model::{Detail, Error, ErrorKind, Kind, Path, Precondition, Result};

use super::arrange::Arranged;
use super::arrive::Stored;
use super::calendars::is_scheduled;
use super::route::{Outgoing, write_all};
use crate::commit::Commit;
use crate::content::Reader;
use crate::fault::Res;
use crate::node::Want;
use crate::record::{Entry, File, What};
use crate::resolve::{find, folder_row, spot};
use crate::rules::Facts;
use crate::session::Session;

/// What is moved or copied: the kinds of the folders that it comes from and goes to, and what it replaces.
struct Way {
    entry: Entry,
    source: Kind,
    target: Kind,
    replaced: Option<Entry>,
}

impl Session {
    fn way(&self, from: &Path, to: &Path) -> Res<Option<Way>> {
        let view = self.view()?;
        let Ok((_, entry)) = find(&view, self.keys(), from, Want::Any) else { return Ok(None) };
        let (Ok(source), Ok(target)) = (spot(&view, self.keys(), from), spot(&view, self.keys(), to)) else {
            return Ok(None);
        };
        let kind = |id| folder_row(&view, self.keys(), id).map(|row| row.kind);
        let (source, replaced, target) =
            (kind(source.parent())?, target.file.clone(), kind(target.parent())?);
        Ok(Some(Way { entry, source, target, replaced }))
    }

    /// Arranges that a file comes into a calendar, or goes out of one, by a move or a copy (RFC 6638 §3.2.3.3 and
    /// §3.2.3.4). `copy`: what stands at `from` stays there.
    ///
    /// # Errors
    /// As [`Session::arrange`].
    pub(crate) async fn arrange_transfer(&self, from: &Path, to: &Path, copy: bool) -> Result<Transfer> {
        let Some(Way { entry, source, target, replaced }) = self.way(from, to)? else {
            return Ok(Transfer::default());
        };
        let pre = Precondition::default();
        let Some(file) = entry.file() else { return Ok(Transfer::default()) };
        let mut transfer = Transfer::default();
        match (source, target) {
            (Kind::Calendar, Kind::Calendar) => {
                if copy && is_scheduled(&entry) {
                    let why = "an event that people were invited to stands in one calendar";
                    let demand = Detail::Demand("CALDAV", "unique-scheduling-object-resource");
                    return Err(Error::new(ErrorKind::InvalidContent, why).with(demand));
                }
                transfer.keeps = is_scheduled(&entry);
                // What is replaced goes.
                transfer.target = self.arrange(replaced.as_ref(), None, &pre, true).await?;
            }
            (Kind::Calendar, _) if !copy => {
                transfer.source = self.arrange(Some(&entry), None, &pre, true).await?
            }
            (Kind::Calendar, _) => {}
            (_, Kind::Calendar) if file.size <= OBJECT_BYTES_MAX as u64 => {
                let reader = Reader::open(self.core(), self.handle(), &self.view()?, file.content)?;
                let bytes = reader.whole().await?;
                transfer.target = self.arrange(replaced.as_ref(), Some(&bytes), &pre, true).await?;
                if let Some(stored) = transfer.target.stored.take() {
                    transfer.stored = Some(self.keep(stored).await?);
                }
            }
            _ => {}
        }
        Ok(transfer)
    }
}

/// What scheduling does along with a move or a copy.
#[derive(Clone, Default)]
pub struct Transfer {
    source: Arranged,
    target: Arranged,
    /// What is stored instead of what came.
    stored: Option<Stored>,
    /// Moved between calendars: it is scheduled as it was.
    keeps: bool,
}

impl Transfer {
    pub fn sends(&self) -> bool {
        self.source.sends() || self.target.sends()
    }

    /// Whether what is stored is not what came.
    pub fn alters(&self) -> bool {
        self.stored.is_some()
    }

    /// Does its part in the commit, before the entry `moved` is put in place of `replaced`. Gives the content that the
    /// entry must not name any more, if it was changed.
    pub fn apply(
        &self,
        commit: &mut Commit,
        original: &Entry,
        replaced: Option<&Entry>,
        moved: &mut Entry,
    ) -> Res<()> {
        self.source.demand(Some(original))?;
        self.target.demand(replaced)?;
        if let What::File(file) = &mut moved.what {
            if let Some(stored) = &self.stored {
                let facts = Facts {
                    mail: None,
                    uid: file.uid.clone(),
                    media_type: file.media_type.clone(),
                    typed: file.typed.clone(),
                };
                let given = file.content;
                *file = File { object: file.object.clone(), ..stored.file(commit, &facts)? };
                commit.release(given)?;
            }
            let scheduled = self.target.scheduled || self.keeps;
            file.schedule_at(scheduled.then_some(commit.seq));
        }
        let all: Vec<&Outgoing> = self.source.outgoing.iter().chain(self.target.outgoing.iter()).collect();
        write_all(commit, &all)
    }
}
