//! Configuration profiles for iPhone, iPad and Mac (Apple, "Configuration Profile Reference"; keys of the device management
//! schema): mail, calendars and contacts in one file that the person opens.
//!
//! The file holds the password of an app credential made for it, so it is made for a signed-in person only, by POST, and
//! kept by no cache.

use std::fmt::Write;

use allod_core::NewCredential;
use allod_kit::{RequestBody, full_body};
use allod_model::parse_grant;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{Method, Response};

use super::xml::escaped;
use super::{Door, Encryption, imap, submission};
use crate::error::Refusal;
use crate::respond::{Answer, header};
use crate::visit::Visit;

/// What a profile can set up: the preset of its grant.
const PARTS: [&str; 3] = ["mail", "calendar", "contacts"];

/// A value in a property list.
enum Value {
    Text(String),
    Number(u16),
    Bool(bool),
}

type Keys = Vec<(&'static str, Value)>;

/// What a profile says.
pub(crate) struct Profile<'a> {
    /// Host name and port of the web, and whether it is encrypted.
    pub host: &'a str,
    pub port: u16,
    pub tls: bool,
    pub account: &'a str,
    /// The account's own address; without one there is no mail.
    pub address: Option<&'a str>,
    pub password: &'a str,
    /// The credential's id, by which the profile replaces itself.
    pub id: &'a str,
    incoming: Option<Door>,
    outgoing: Option<Door>,
    pub calendar: bool,
    pub contacts: bool,
}

/// Makes a credential and a profile with it.
pub(crate) async fn download(visit: &Visit, body: RequestBody) -> Answer {
    if visit.method != Method::POST {
        return Err(Refusal::Method);
    }
    let form = visit.form(body).await?;
    let session = visit.session()?;
    let (addresses, account) = (session.addresses(), session.account());
    let (incoming, outgoing) = (imap(visit).into_iter().next(), submission(visit).into_iter().next());
    let mail =
        form.get("mail").is_some() && !addresses.is_empty() && incoming.is_some() && outgoing.is_some();
    let wanted: Vec<&str> =
        PARTS.into_iter().filter(|part| form.get(part).is_some() && (*part != "mail" || mail)).collect();
    let grants = wanted.iter().map(|part| parse_grant(part)).collect::<Result<Vec<_>, _>>();
    let grants = grants.map_err(|_| Refusal::Malformed)?;
    if grants.is_empty() {
        return Err(Refusal::form("oauth.nothing"));
    }
    let label = form.get("label").filter(|label| !label.trim().is_empty()).unwrap_or("Apple");
    let made: NewCredential = session.add_app(label.trim(), grants, None).await?;
    let host = visit.host_name().to_owned();
    let own = if visit.peer.tls { 443 } else { 80 };
    let port = visit.host().and_then(|all| all.strip_prefix(&host)?.strip_prefix(':')?.parse().ok());
    let profile = Profile {
        host: &host,
        port: port.unwrap_or(own),
        tls: visit.peer.tls,
        account: &account,
        address: addresses.first().map(String::as_str).filter(|_| mail),
        password: &made.password,
        id: &made.id.0,
        incoming,
        outgoing,
        calendar: wanted.contains(&"calendar"),
        contacts: wanted.contains(&"contacts"),
    };
    let mut response = Response::new(full_body(profile.render()));
    header(&mut response, CONTENT_TYPE, "application/x-apple-aspen-config");
    header(&mut response, CONTENT_DISPOSITION, "attachment; filename=\"allod.mobileconfig\"");
    header(&mut response, CACHE_CONTROL, "no-store");
    Ok(response)
}

impl Profile<'_> {
    /// The property list.
    pub(crate) fn render(&self) -> String {
        let mut payloads = Vec::new();
        payloads.extend(self.mail());
        if self.calendar {
            payloads.push(self.synced("com.apple.caldav.account", &CALDAV));
        }
        if self.contacts {
            payloads.push(self.synced("com.apple.carddav.account", &CARDDAV));
        }
        let mut content = String::new();
        for (at, payload) in payloads.iter().enumerate() {
            content += &dict(payload, &self.identity(at + 1));
        }
        let name = format!("{} ({})", self.host, self.account);
        let outer: Keys = vec![
            ("PayloadType", Value::Text("Configuration".into())),
            ("PayloadDisplayName", Value::Text(name)),
            ("PayloadOrganization", Value::Text(self.host.into())),
            ("PayloadRemovalDisallowed", Value::Bool(false)),
        ];
        let head = dict(&outer, &self.identity(0));
        // The list of payloads goes before the end of the outer dictionary.
        let head = head.strip_suffix("</dict>\n").unwrap_or(&head);
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \
             \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n<plist version=\"1.0\">\n{head}\
             <key>PayloadContent</key>\n<array>\n{content}</array>\n</dict>\n</plist>\n"
        )
    }

    /// What every payload has; `at` tells those of one profile apart.
    fn identity(&self, at: usize) -> Keys {
        // The id's 16 characters are 80 random bits: as UUIDs go, different for each credential.
        let mut hex: String = self.id.bytes().take(15).map(|byte| format!("{byte:02X}")).collect();
        let _ = write!(hex, "{:0>1$X}", at, 32 - hex.len());
        let uuid =
            format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..32]);
        vec![
            ("PayloadVersion", Value::Number(1)),
            ("PayloadIdentifier", Value::Text(format!("allod.{}.{}.{at}", self.host, self.id))),
            ("PayloadUUID", Value::Text(uuid)),
        ]
    }

    fn mail(&self) -> Option<Keys> {
        let (address, incoming, outgoing) = (self.address?, self.incoming.as_ref()?, self.outgoing.as_ref()?);
        let text = |text: &str| Value::Text(text.to_owned());
        let ssl = |door: &Door| Value::Bool(door.encryption != Encryption::None);
        Some(vec![
            ("PayloadType", text("com.apple.mail.managed")),
            ("PayloadDisplayName", text(address)),
            ("EmailAccountType", text("EmailTypeIMAP")),
            ("EmailAccountDescription", text(address)),
            ("EmailAccountName", text(self.account)),
            ("EmailAddress", text(address)),
            ("IncomingMailServerAuthentication", text("EmailAuthPassword")),
            ("IncomingMailServerHostName", text(self.host)),
            ("IncomingMailServerPortNumber", Value::Number(incoming.port)),
            ("IncomingMailServerUseSSL", ssl(incoming)),
            ("IncomingMailServerUsername", text(self.account)),
            ("IncomingPassword", text(self.password)),
            ("OutgoingMailServerAuthentication", text("EmailAuthPassword")),
            ("OutgoingMailServerHostName", text(self.host)),
            ("OutgoingMailServerPortNumber", Value::Number(outgoing.port)),
            ("OutgoingMailServerUseSSL", ssl(outgoing)),
            ("OutgoingMailServerUsername", text(self.account)),
            ("OutgoingPasswordSameAsIncomingPassword", Value::Bool(true)),
        ])
    }

    fn synced(&self, kind: &str, keys: &[&'static str; 7]) -> Keys {
        let text = |text: &str| Value::Text(text.to_owned());
        let [description, host, port, principal, ssl, user, password] = *keys;
        vec![
            ("PayloadType", text(kind)),
            ("PayloadDisplayName", text(self.host)),
            (description, text(self.host)),
            (host, text(self.host)),
            (port, Value::Number(self.port)),
            (principal, Value::Text(format!("/principals/{}/", self.account))),
            (ssl, Value::Bool(self.tls)),
            (user, text(self.account)),
            (password, text(self.password)),
        ]
    }
}

const CALDAV: [&str; 7] = [
    "CalDAVAccountDescription",
    "CalDAVHostName",
    "CalDAVPort",
    "CalDAVPrincipalURL",
    "CalDAVUseSSL",
    "CalDAVUsername",
    "CalDAVPassword",
];
const CARDDAV: [&str; 7] = [
    "CardDAVAccountDescription",
    "CardDAVHostName",
    "CardDAVPort",
    "CardDAVPrincipalURL",
    "CardDAVUseSSL",
    "CardDAVUsername",
    "CardDAVPassword",
];

fn dict(keys: &Keys, more: &Keys) -> String {
    let mut text = String::from("<dict>\n");
    for (key, value) in keys.iter().chain(more) {
        let value = match value {
            Value::Text(text) => format!("<string>{}</string>", escaped(text)),
            Value::Number(number) => format!("<integer>{number}</integer>"),
            Value::Bool(true) => "<true/>".to_owned(),
            Value::Bool(false) => "<false/>".to_owned(),
        };
        // Writing into a string does not fail.
        let _ = writeln!(text, "<key>{key}</key>\n{value}");
    }
    text + "</dict>\n"
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Keys that Apple documents for each payload, with the kind of their value.
    fn documented() -> BTreeMap<&'static str, Vec<(&'static str, &'static str)>> {
        let common = [
            ("PayloadType", "string"),
            ("PayloadVersion", "integer"),
            ("PayloadIdentifier", "string"),
            ("PayloadUUID", "string"),
            ("PayloadDisplayName", "string"),
            ("PayloadOrganization", "string"),
            ("PayloadDescription", "string"),
        ];
        let with = |own: &[(&'static str, &'static str)]| [&common[..], own].concat();
        let mail = [
            ("EmailAccountDescription", "string"),
            ("EmailAccountName", "string"),
            ("EmailAccountType", "string"),
            ("EmailAddress", "string"),
            ("IncomingMailServerAuthentication", "string"),
            ("IncomingMailServerHostName", "string"),
            ("IncomingMailServerPortNumber", "integer"),
            ("IncomingMailServerUseSSL", "bool"),
            ("IncomingMailServerUsername", "string"),
            ("IncomingPassword", "string"),
            ("OutgoingPassword", "string"),
            ("OutgoingPasswordSameAsIncomingPassword", "bool"),
            ("OutgoingMailServerAuthentication", "string"),
            ("OutgoingMailServerHostName", "string"),
            ("OutgoingMailServerPortNumber", "integer"),
            ("OutgoingMailServerUseSSL", "bool"),
            ("OutgoingMailServerUsername", "string"),
        ];
        let kinds = ["string", "string", "integer", "string", "bool", "string", "string"];
        let sync = |keys: [&'static str; 7]| keys.into_iter().zip(kinds).collect::<Vec<_>>();
        BTreeMap::from([
            ("Configuration", with(&[("PayloadContent", "array"), ("PayloadRemovalDisallowed", "bool")])),
            ("com.apple.mail.managed", with(&mail)),
            ("com.apple.caldav.account", with(&sync(CALDAV))),
            ("com.apple.carddav.account", with(&sync(CARDDAV))),
        ])
    }

    fn door(port: u16) -> Option<Door> {
        Some(Door { port, encryption: Encryption::FromStart })
    }

    fn profile() -> Profile<'static> {
        Profile {
            host: "cloud.example",
            port: 443,
            tls: true,
            account: "alice",
            address: Some("alice@cloud.example"),
            password: "a&b<c>\"",
            id: "abcdefghijklmnop",
            incoming: door(993),
            outgoing: door(465),
            calendar: true,
            contacts: true,
        }
    }

    /// Each dictionary of the list: its keys, and the element of each value.
    fn dictionaries(text: &str) -> Vec<Vec<(String, String)>> {
        let (mut open, mut found): (Vec<Vec<(String, String)>>, _) = (Vec::new(), Vec::new());
        let mut key = None;
        for line in text.lines() {
            if line == "<dict>" {
                open.push(Vec::new());
            } else if line == "</dict>" {
                found.push(open.pop().unwrap());
            } else if let Some(name) = line.strip_prefix("<key>") {
                key = Some(name.strip_suffix("</key>").unwrap().to_owned());
            } else if let Some(key) = key.take() {
                let element = line.trim_start_matches('<').split(['>', '/']).next().unwrap();
                let element = if matches!(element, "true" | "false") { "bool" } else { element };
                open.last_mut().unwrap().push((key, element.to_owned()));
            }
        }
        found
    }

    #[test]
    fn payloads_have_documented_keys_of_the_documented_kinds() {
        let (text, documented) = (profile().render(), documented());
        let found = dictionaries(&text);
        assert_eq!(found.len(), 4);
        let types: Vec<_> =
            documented.keys().filter(|kind| text.contains(&format!("<string>{kind}</string>"))).collect();
        assert_eq!(types.len(), 4);
        for keys in &found {
            let fits = |known: &Vec<(&str, &str)>| {
                keys.iter().all(|(key, kind)| known.contains(&(key.as_str(), kind.as_str())))
            };
            assert!(documented.values().any(fits), "{keys:?}");
            for needed in ["PayloadType", "PayloadVersion", "PayloadIdentifier", "PayloadUUID"] {
                assert_eq!(keys.iter().filter(|(key, _)| key == needed).count(), 1, "{needed}");
            }
        }
        assert!(text.contains("<string>a&amp;b&lt;c&gt;&quot;</string>"));
        let uuids: std::collections::BTreeSet<_> = text
            .match_indices("<key>PayloadUUID</key>\n<string>")
            .map(|(at, head)| &text[at + head.len()..at + head.len() + 36])
            .collect();
        assert_eq!(uuids.len(), 4, "each payload has its own: {uuids:?}");
        assert!(uuids.iter().all(|uuid| uuid.split('-').map(str::len).eq([8, 4, 4, 4, 12])));
    }

    #[test]
    fn what_is_not_wanted_is_not_in_it() {
        let text = Profile { address: None, contacts: false, ..profile() }.render();
        assert!(text.contains("caldav") && !text.contains("carddav") && !text.contains("mail.managed"));
    }
}
