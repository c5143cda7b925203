//! What a credential opens: the one place where grants are judged.

use std::sync::Arc;

use allod_model::{Error, Grant, Path, Protocol, Result, Rights};

use crate::used::UsedRights;

/// The grants of a session that hold for its protocol.
#[derive(Clone, Debug)]
pub struct Scope(Vec<Grant>, Option<Arc<UsedRights>>);

/// How a path looks to a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sight {
    /// Granted, with these rights.
    Granted(Rights),
    /// Not granted, but the way to something that is.
    Passage,
    /// Not to be known of.
    Hidden,
}

impl Scope {
    pub fn new(grants: &[Grant], protocols: &[Protocol]) -> Self {
        let holds = |grant: &&Grant| protocols.iter().any(|protocol| grant.covers(protocol));
        Scope(grants.iter().filter(holds).cloned().collect(), None)
    }

    /// The same, noting what is made use of.
    pub fn noting(mut self, used: Arc<UsedRights>) -> Self {
        self.1 = Some(used);
        self
    }

    /// Notes that a listing was read, where that is granted.
    pub fn looked(&self, path: &Path) {
        if self.1.is_some() && matches!(self.sight(path), Sight::Granted(_)) {
            self.used(path, Rights::Read);
        }
    }

    fn used(&self, path: &Path, rights: Rights) {
        if let Some(used) = &self.1 {
            used.note(path, rights);
        }
    }

    /// These grants, by whatever protocol.
    pub fn of(grants: Vec<Grant>) -> Self {
        Scope(grants, None)
    }

    /// Everything: the operator and the server's own workers.
    pub fn unlimited() -> Self {
        Scope(
            vec![Grant {
                path: Path::root(),
                rights: Rights::Write,
                protocols: Vec::new(),
                except: Vec::new(),
                send: true,
                text: "all".into(),
            }],
            None,
        )
    }

    /// What delivers arriving mail: it adds to mailboxes.
    pub fn delivery() -> Self {
        Scope(
            vec![Grant {
                path: crate::mail::folders::home(),
                rights: Rights::Append,
                protocols: Vec::new(),
                except: Vec::new(),
                send: true,
                text: "delivery".into(),
            }],
            None,
        )
    }

    /// What anybody may read: names below `public` that are known.
    pub fn public() -> Self {
        let public = Path::parse(b"public", allod_model::NameRule::Strict).unwrap_or_default();
        Scope(
            vec![Grant {
                path: public,
                rights: Rights::Read,
                protocols: Vec::new(),
                except: Vec::new(),
                send: false,
                text: "public".into(),
            }],
            None,
        )
    }

    /// Whether mail may be sent.
    pub fn may_send(&self) -> bool {
        self.0.iter().any(|grant| grant.send)
    }

    /// Whether no grant holds: the credential is not for this protocol.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn sight(&self, path: &Path) -> Sight {
        if let Some(rights) = self.0.iter().filter_map(|grant| grant.rights_on(path)).max() {
            return Sight::Granted(rights);
        }
        let leads_on = self.0.iter().any(|grant| grant.path.starts_with(path));
        if leads_on { Sight::Passage } else { Sight::Hidden }
    }

    /// The rights that hold on everything below `path` alike, so that members need no check of their own.
    pub fn uniform_below(&self, path: &Path) -> Option<Rights> {
        let below = |corner: &Path| corner.starts_with(path) && corner != path;
        let varies = self.0.iter().any(|grant| below(&grant.path) || grant.except.iter().any(below));
        match self.sight(path) {
            Sight::Granted(rights) if !varies => Some(rights),
            _ => None,
        }
    }

    /// Whether the rights on `path` hold on everything below it too.
    fn is_uniform(&self, path: &Path) -> bool {
        let covering = self.0.iter().filter_map(|grant| grant.rights_on(path).map(|r| (r, grant)));
        let Some(best) = covering.clone().map(|(rights, _)| rights).max() else { return false };
        covering
            .filter(|(rights, _)| *rights == best)
            .any(|(_, grant)| !grant.except.iter().any(|closed| closed.starts_with(path)))
    }

    /// Demands `rights` on `path` for a read.
    ///
    /// # Errors
    /// `NotFound`, so that not even the name is told.
    pub fn check_read(&self, path: &Path) -> Result<Rights> {
        match self.sight(path) {
            Sight::Granted(rights) => {
                self.used(path, Rights::Read);
                Ok(rights)
            }
            Sight::Passage | Sight::Hidden => Err(Error::not_found()),
        }
    }

    /// Whether everything at and below `path` may be read.
    pub fn reads_all_below(&self, path: &Path) -> bool {
        self.sight(path) != Sight::Hidden && self.is_uniform(path)
    }

    /// Demands `rights` on `path` for a write.
    ///
    /// # Errors
    /// `Denied`, the same whether or not something is there.
    pub fn check_write(&self, path: &Path, rights: Rights) -> Result<()> {
        match self.sight(path) {
            Sight::Granted(granted) if granted >= rights => {
                self.used(path, rights);
                Ok(())
            }
            _ => Err(Error::denied()),
        }
    }

    /// Demands `rights` on `path` and on everything below it.
    ///
    /// # Errors
    /// As [`Scope::check_write`].
    pub fn check_write_below(&self, path: &Path, rights: Rights) -> Result<()> {
        self.check_write(path, rights)?;
        if self.is_uniform(path) { Ok(()) } else { Err(Error::denied()) }
    }
}

#[cfg(test)]
mod tests;
