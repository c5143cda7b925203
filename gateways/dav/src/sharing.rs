//! Sharing and publishing of calendars and address books (caldav-sharing): who has what, and POST to change it.
//!
//! Whoever is invited has accepted: the folder stands in his home at once, and he gives it back by DELETE. So there are
//! no invitations to answer and no notifications.

use allod_core::{Mount, Node, Session, Share};
use allod_kit::RequestBody;
use allod_model::{Error, ErrorKind, Kind, Path, Rights};
use http::StatusCode;
use http::header::{CACHE_CONTROL, HeaderValue};

use crate::body::read_xml;
use crate::error::{Answer, Doing, Failure};
use crate::escape::escape_into;
use crate::handle::{Call, empty};
use crate::plan::{Live, Plan};
use crate::props::write_href;
use crate::published::{PUBLISHED_PREFIX, PUBLISHED_SUFFIX};
use crate::url::{Target, parse_target, place_url, principal_url, tree_base};
use crate::xml::{CALENDARSERVER, Element};

/// The properties that [`Facts`] are for.
const NEEDY: [Live; 5] =
    [Live::ResourceType, Live::Invite, Live::AllowedSharingModes, Live::SharedUrl, Live::PublishUrl];

/// What is known of the sharing of one folder.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    /// Who lends it, and its URL there; `None` for one's own.
    lender: Option<(String, String)>,
    /// To whom it is lent.
    shares: Vec<Share>,
    /// The URL that it is published at.
    link: Option<String>,
    /// What else could be done with it.
    modes: &'static [u8],
}

impl Facts {
    /// Of a folder that was lent.
    pub(crate) fn of_mount(mount: &Mount) -> Facts {
        let url = place_url(&tree_base(&mount.owner), &mount.path, true);
        Facts { lender: Some((mount.owner.clone(), url)), ..Facts::default() }
    }

    /// Of one's own folder, as far as a plan asks for it.
    pub(crate) async fn of(
        session: &Session,
        origin: &str,
        path: &Path,
        node: &Node,
        plan: &Plan,
    ) -> Result<Facts, Error> {
        let kind = node.folder.map(|facts| facts.kind);
        if !matches!(kind, Some(Kind::Calendar | Kind::AddressBook))
            || node.rights != Some(Rights::Write)
            || !plan.asks_any(&NEEDY)
        {
            return Ok(Facts::default());
        }
        let mut facts = Facts { shares: session.shares(path).await?, ..Facts::default() };
        facts.modes = match kind {
            Some(Kind::Calendar) => b"<CS:can-be-shared/><CS:can-be-published/>",
            _ => b"<CS:can-be-shared/>",
        };
        if plan.asks(Live::PublishUrl) && kind == Some(Kind::Calendar) {
            let token = session.published(path).await?;
            facts.link =
                token.map(|token| format!("{origin}{PUBLISHED_PREFIX}{}{PUBLISHED_SUFFIX}", &*token));
        }
        Ok(facts)
    }

    /// Appends what stands in `resourcetype` (caldav-sharing §5.2.1).
    pub(crate) fn write_type(&self, out: &mut Vec<u8>) {
        if self.lender.is_some() {
            out.extend_from_slice(b"<CS:shared/>");
        } else if !self.shares.is_empty() {
            out.extend_from_slice(b"<CS:shared-owner/>");
        }
    }

    /// Appends the value of one of its properties; `false` when the folder has it not.
    pub(crate) fn write(&self, out: &mut Vec<u8>, live: Live) -> bool {
        match (live, &self.lender) {
            // §5.2.2.
            (Live::Invite, Some((owner, _))) => {
                out.extend_from_slice(b"<CS:organizer>");
                write_href(out, &principal_url(owner));
                write_name(out, owner);
                out.extend_from_slice(b"</CS:organizer>");
            }
            (Live::Invite, None) if !self.shares.is_empty() => {
                self.shares.iter().for_each(|share| write_user(out, share));
            }
            // §5.2.3.
            (Live::AllowedSharingModes, None) if !self.modes.is_empty() => out.extend_from_slice(self.modes),
            // §5.2.4.
            (Live::SharedUrl, Some((_, url))) => write_href(out, url),
            (Live::PublishUrl, None) => match &self.link {
                Some(link) => write_href(out, link),
                None => return false,
            },
            _ => return false,
        }
        true
    }
}

fn write_name(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(b"<CS:common-name>");
    escape_into(out, name);
    out.extend_from_slice(b"</CS:common-name>");
}

fn write_user(out: &mut Vec<u8>, share: &Share) {
    out.extend_from_slice(b"<CS:user><D:href>");
    match &share.address {
        Some(address) => escape_into(out, &format!("mailto:{address}")),
        None => out.extend_from_slice(principal_url(&share.account).as_bytes()),
    }
    out.extend_from_slice(b"</D:href>");
    write_name(out, &share.account);
    let access: &[u8] = match share.rights {
        Rights::Read | Rights::Append => b"<CS:read/>",
        Rights::Write => b"<CS:read-write/>",
    };
    out.extend_from_slice(b"<CS:invite-accepted/><CS:access>");
    out.extend_from_slice(access);
    out.extend_from_slice(b"</CS:access></CS:user>");
}

/// Answers POST of XML on a calendar or an address book.
pub(crate) async fn handle(call: &Call, body: RequestBody) -> Answer {
    let document = read_xml(body).await?.ok_or_else(|| Failure::bad_request("POST needs a body"))?;
    let root = document.root();
    let failing = call.failing(Doing::Properties);
    match (root.namespace(), root.name()) {
        (CALENDARSERVER, "share") => share(call, root).await?,
        (CALENDARSERVER, "publish-calendar") => {
            call.session.publish(&call.path).await.map_err(failing)?;
        }
        (CALENDARSERVER, "unpublish-calendar") => {
            match call.session.unpublish(&call.path).await {
                // It is as it should be.
                Err(error) if error.kind == ErrorKind::NotFound => {}
                outcome => outcome.map_err(failing)?,
            }
        }
        _ => return Err(Failure::bad_request("this POST is not known")),
    }
    let mut response = empty(StatusCode::OK);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

/// One line of a `share`.
enum Wish {
    Set(String, Rights),
    Remove(String),
}

/// caldav-sharing §5.3.2.
async fn share(call: &Call, root: Element<'_>) -> Result<(), Failure> {
    let failing = call.failing(Doing::Properties);
    for wish in parse_share(root)? {
        match wish {
            Wish::Set(with, rights) => {
                call.session.share(&call.path, &with, rights).await.map_err(|error| match error.kind {
                    ErrorKind::NotFound => Failure::new(StatusCode::FORBIDDEN, error.message),
                    _ => failing(error),
                })?;
            }
            Wish::Remove(with) => match call.session.unshare(&call.path, &with).await {
                Err(error) if error.kind == ErrorKind::NotFound => {}
                outcome => outcome.map_err(&failing)?,
            },
        }
    }
    Ok(())
}

fn parse_share(root: Element<'_>) -> Result<Vec<Wish>, Failure> {
    let mut wishes = Vec::new();
    for element in root.children().filter(|child| child.namespace() == CALENDARSERVER) {
        let href = element.dav_child("href").map(Element::text).unwrap_or_default();
        let with = account_of(&href).ok_or_else(|| Failure::bad_request("set and remove name somebody"))?;
        match element.name() {
            "set" => {
                let write = element.child(CALENDARSERVER, "read-write").is_some();
                wishes.push(Wish::Set(with, if write { Rights::Write } else { Rights::Read }));
            }
            "remove" => wishes.push(Wish::Remove(with)),
            _ => {}
        }
    }
    match wishes.is_empty() {
        true => Err(Failure::bad_request("share holds set or remove")),
        false => Ok(wishes),
    }
}

/// The account or mail address that an `href` means: a calendar user address, a principal's URL, or just a name.
fn account_of(href: &str) -> Option<String> {
    const MAILTO: &str = "mailto:";
    let named = match href.get(..MAILTO.len()) {
        Some(scheme) if scheme.eq_ignore_ascii_case(MAILTO) => href[MAILTO.len()..].to_owned(),
        _ => match parse_target(href.as_bytes()) {
            Ok(Target::Principal { account }) => account,
            _ => href.to_owned(),
        },
    };
    Some(named).filter(|named| !named.is_empty() && !named.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people() {
        for (href, account) in [
            ("mailto:eric@example.com", Some("eric@example.com")),
            ("MAILTO:eric@example.com", Some("eric@example.com")),
            ("/principals/eric/", Some("eric")),
            ("eric", Some("eric")),
            ("", None),
            ("mailto:", None),
            ("/dav/eric/", None),
        ] {
            assert_eq!(account_of(href).as_deref(), account, "{href}");
        }
    }
}
