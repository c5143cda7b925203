//! `config-v1.1.xml` (draft-ietf-mailmaint-autoconfig): what Thunderbird and many others read.

use super::xml::escaped;
use super::{Door, Encryption, document, domain_of, imap, submission};
use crate::error::Refusal;
use crate::respond::Answer;
use crate::visit::Visit;

/// Where it is looked for: at the domain itself, and at `autoconfig.DOMAIN`.
pub(super) const PLACES: [&str; 2] =
    ["/.well-known/autoconfig/mail/config-v1.1.xml", "/mail/config-v1.1.xml"];

/// The document. What programs fill in (`%EMAILADDRESS%`) stays to be filled in.
pub(super) fn describe(visit: &Visit) -> Answer {
    let domain = domain_of(visit, visit.param("emailaddress")).ok_or(Refusal::Malformed)?;
    let (domain, host) = (escaped(&domain), escaped(visit.host_name()));
    let mut servers = String::new();
    for door in imap(visit) {
        servers += &server("incomingServer", "imap", &host, &door);
    }
    for door in submission(visit) {
        servers += &server("outgoingServer", "smtp", &host, &door);
    }
    let origin = escaped(&visit.origin());
    // Version 1.1 knew `addressBook` and `serverURL`, the draft says `addressbook` and `url`. Programs pass over what
    // they do not know.
    let sync = |element: &str, kind: &str, path: &str| {
        format!(
            "  <{element} type=\"{kind}\">\n    <username>%EMAILADDRESS%</username>\n    \
             <authentication system=\"http\">Basic</authentication>\n    \
             <serverURL>{origin}{path}</serverURL>\n    <url>{origin}{path}</url>\n  </{element}>\n"
        )
    };
    let synced = sync("addressBook", "carddav", "/.well-known/carddav")
        + &sync("addressbook", "carddav", "/.well-known/carddav")
        + &sync("calendar", "caldav", "/.well-known/caldav");
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<clientConfig version=\"1.1\">\n  \
         <emailProvider id=\"{domain}\">\n    <domain>{domain}</domain>\n    \
         <displayName>{domain}</displayName>\n    <displayShortName>{domain}</displayShortName>\n{servers}  \
         </emailProvider>\n{synced}</clientConfig>\n"
    );
    Ok(document("application/xml; charset=utf-8", text))
}

fn server(element: &str, kind: &str, host: &str, door: &Door) -> String {
    let socket = match door.encryption {
        Encryption::FromStart => "SSL",
        Encryption::StartTls => "STARTTLS",
        Encryption::None => "plain",
    };
    let port = door.port;
    format!(
        "    <{element} type=\"{kind}\">\n      <hostname>{host}</hostname>\n      <port>{port}</port>\n      \
         <socketType>{socket}</socketType>\n      <authentication>password-cleartext</authentication>\n      \
         <username>%EMAILADDRESS%</username>\n    </{element}>\n"
    )
}
