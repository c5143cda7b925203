//! Connect: exact steps for each program and device, with the person's own values.

use allod_core::NewCredential;
use allod_kit::RequestBody;
use allod_model::parse_grant;
use askama::Template;

use crate::apps::s3_endpoint;
use crate::error::Refusal;
use crate::frame::Frame;
use crate::respond::{self, Answer};
use crate::visit::Visit;

/// A program or device.
struct Client {
    id: &'static str,
    /// Its own name; not translated.
    name: &'static str,
    icon: &'static str,
    /// What it is for: the key of a text behind `for.`.
    group: &'static str,
    grants: &'static [&'static str],
    values: &'static [Value],
    /// A link that sets it up by itself when scanned or followed.
    link: Option<Link>,
}

/// What somebody has to type in.
#[derive(Clone, Copy)]
enum Value {
    Server,
    Drive,
    DavHost,
    User,
    Password,
    Address,
    Imap,
    Smtp,
    Endpoint,
    Region,
    AccessKey,
    SecretKey,
    Rclone,
    Restic,
}

#[derive(Clone, Copy)]
enum Link {
    /// DAVx⁵ takes `davx5://user@host/path`.
    Davx5,
    /// GNOME and KDE take `davs://user@host/path`.
    Davs,
}

use Value::{
    AccessKey, Address, DavHost, Drive, Endpoint, Imap, Password, Rclone, Region, Restic, SecretKey, Server,
    Smtp, User,
};

const CLIENTS: [Client; 16] = [
    client(
        "davx5",
        "DAVx⁵ (Android)",
        "phone",
        "sync",
        &["calendar", "contacts"],
        &[Server, User, Password],
        Some(Link::Davx5),
    ),
    client(
        "iphone",
        "iPhone, iPad",
        "phone",
        "sync",
        &["calendar", "contacts"],
        &[Server, User, Password],
        None,
    ),
    client(
        "iphone-mail",
        "iPhone, iPad: Mail",
        "mail",
        "mail",
        &["mail"],
        &[Address, User, Password, Imap, Smtp],
        None,
    ),
    client(
        "android-mail",
        "Android: K-9, FairEmail",
        "mail",
        "mail",
        &["mail"],
        &[Address, User, Password, Imap, Smtp],
        None,
    ),
    client(
        "thunderbird",
        "Thunderbird",
        "mail",
        "mail",
        &["mail", "calendar", "contacts"],
        &[Address, User, Password, Imap, Smtp, Server],
        None,
    ),
    client(
        "mac",
        "Mac: Calendar, Contacts",
        "calendar",
        "sync",
        &["calendar", "contacts"],
        &[Server, User, Password],
        None,
    ),
    client(
        "evolution",
        "GNOME, Evolution",
        "calendar",
        "sync",
        &["calendar", "contacts"],
        &[Server, User, Password],
        None,
    ),
    client("windows", "Windows Explorer", "computer", "drive", &["files"], &[Drive, User, Password], None),
    client("finder", "Mac Finder", "computer", "drive", &["files"], &[Drive, User, Password], None),
    client(
        "linux",
        "GNOME Files, KDE Dolphin",
        "computer",
        "drive",
        &["files"],
        &[DavHost, User, Password],
        Some(Link::Davs),
    ),
    client("nextcloud", "Nextcloud apps", "files", "drive", &["files"], &[Server, User, Password], None),
    client("rclone", "rclone", "files", "drive", &["files"], &[Drive, User, Password, Rclone], None),
    client(
        "restic",
        "restic",
        "backup",
        "backup",
        &["backup=/backups"],
        &[Endpoint, Region, AccessKey, SecretKey, Restic],
        None,
    ),
    client(
        "s3",
        "S3 (aws, Cyberduck, Kopia …)",
        "backup",
        "backup",
        &["/backups:rw@s3"],
        &[Endpoint, Region, AccessKey, SecretKey],
        None,
    ),
    client(
        "keepass",
        "KeePass, KeePassXC",
        "key",
        "apps",
        &["/keepass:rw@webdav"],
        &[Drive, User, Password],
        None,
    ),
    client("joplin", "Joplin", "file", "apps", &["/joplin:rw@webdav"], &[Drive, User, Password], None),
];

const fn client(
    id: &'static str,
    name: &'static str,
    icon: &'static str,
    group: &'static str,
    grants: &'static [&'static str],
    values: &'static [Value],
    link: Option<Link>,
) -> Client {
    Client { id, name, icon, group, grants, values, link }
}

/// The groups in the order in which they are shown.
const GROUPS: [&str; 5] = ["sync", "mail", "drive", "backup", "apps"];

struct Group {
    title: String,
    tiles: Vec<(&'static str, &'static str, &'static str)>,
}

#[derive(Template)]
#[template(path = "connect.html")]
struct ConnectPage {
    f: Frame,
    groups: Vec<Group>,
}

/// All programs and devices.
pub(crate) fn page(visit: &Visit) -> Answer {
    let group = |group: &&'static str| Group {
        title: visit.text.s(&format!("for.{group}")).to_owned(),
        tiles: CLIENTS
            .iter()
            .filter(|client| client.group == *group && is_offered(visit, client))
            .map(|client| (client.id, client.name, client.icon))
            .collect(),
    };
    let groups = GROUPS.iter().map(group).filter(|group| !group.tiles.is_empty()).collect();
    respond::page(&ConnectPage { f: Frame::new(visit, "connect", visit.text.s("nav.connect")), groups })
}

/// Whether the server serves what the program needs.
fn is_offered(visit: &Visit, client: &Client) -> bool {
    client.values.iter().all(|value| match value {
        Value::Imap => imap(visit).is_some(),
        Value::Endpoint => visit.web.site.s3_endpoint.is_some(),
        _ => true,
    })
}

struct Row {
    label: String,
    value: String,
    secret: bool,
}

#[derive(Template)]
#[template(path = "connect_client.html")]
struct ClientPage {
    f: Frame,
    id: &'static str,
    name: &'static str,
    icon: &'static str,
    steps: Vec<&'static str>,
    rows: Vec<Row>,
    /// The credential that was made on the spot.
    made: Option<String>,
    link: Option<String>,
    qr: String,
    opens: Vec<String>,
}

fn find(visit: &Visit, id: &str) -> Result<&'static Client, Refusal> {
    CLIENTS.iter().find(|client| client.id == id && is_offered(visit, client)).ok_or(Refusal::NotFound)
}

/// One of them, before a password for it was made.
pub(crate) fn client_page(visit: &Visit, id: &str) -> Answer {
    show(visit, find(visit, id)?, None)
}

/// Makes a password for it and shows everything to type in.
pub(crate) async fn make(visit: &Visit, id: &str, body: RequestBody) -> Answer {
    let form = visit.form(body).await?;
    let client = find(visit, id)?;
    let grants = client.grants.iter().map(|grant| parse_grant(grant)).collect::<Result<_, _>>();
    let grants = grants.map_err(|_| Refusal::Malformed)?;
    let label = form.text("label").trim();
    let label = if label.is_empty() { client.name } else { label };
    let new = visit.session()?.add_app(label, grants, None).await?;
    show(visit, client, Some(&new))
}

fn show(visit: &Visit, client: &'static Client, new: Option<&NewCredential>) -> Answer {
    let text = visit.text;
    let rows = client.values.iter().filter_map(|value| row(visit, *value, new)).collect();
    let link = match client.link {
        Some(link) if new.is_some() => Some(link_of(visit, link)?),
        _ => None,
    };
    let qr = link.as_deref().map(|link| crate::qr::svg(link, text.s("connect.scan"))).unwrap_or_default();
    let opens = client.grants.iter().map(|grant| text.s(opens(grant)).to_owned()).collect();
    let page = ClientPage {
        f: Frame::new(visit, "connect", client.name),
        id: client.id,
        name: client.name,
        icon: client.icon,
        steps: text.s(&format!("how.{}", client.id)).split(" # ").collect(),
        rows,
        made: new.map(|new| new.id.0.clone()),
        link,
        qr,
        opens,
    };
    respond::page(&page)
}

/// What a grant opens, as the key of a text.
fn opens(grant: &str) -> &'static str {
    match grant {
        "calendar" => "opens.calendar",
        "contacts" => "opens.contacts",
        "mail" => "opens.mail",
        "files" => "opens.files",
        "backup=/backups" => "opens.backup",
        "/backups:rw@s3" => "opens.backups",
        "/keepass:rw@webdav" => "opens.keepass",
        _ => "opens.joplin",
    }
}

fn link_of(visit: &Visit, link: Link) -> Result<String, Refusal> {
    let account = visit.session()?.account();
    let host = visit.host().unwrap_or("localhost");
    Ok(match link {
        Link::Davx5 => format!("davx5://{account}@{host}/"),
        Link::Davs => format!("{}://{account}@{host}/dav/{account}/", dav_scheme(visit)),
    })
}

fn dav_scheme(visit: &Visit) -> &'static str {
    if visit.peer.tls { "davs" } else { "dav" }
}

fn imap(visit: &Visit) -> Option<String> {
    mail_server(visit, "imaps", "imap")
}

fn mail_server(visit: &Visit, with_tls: &str, plain: &str) -> Option<String> {
    let site = &visit.web.site;
    let listener = site.listener(with_tls).or_else(|| site.listener(plain))?;
    let security = match (listener.tls, visit.peer.tls) {
        (true, _) => "TLS",
        (false, true) => "STARTTLS",
        (false, false) => visit.text.s("value.no-tls"),
    };
    Some(format!("{} · {} · {security}", visit.host_name(), listener.port))
}

fn row(visit: &Visit, value: Value, new: Option<&NewCredential>) -> Option<Row> {
    let (text, account) = (visit.text, visit.session().ok()?.account());
    let host = visit.host().unwrap_or("localhost");
    let origin = visit.origin();
    let dav = format!("{origin}/dav/{account}/");
    let shown = |value: Option<String>| value.unwrap_or_else(|| "••••••".to_owned());
    let address = || visit.session().ok()?.addresses().first().cloned();
    let name = visit.host_name();
    let (label, value, secret) = match value {
        Value::Server => (text.s("value.server"), origin, false),
        Value::Drive => (text.s("value.drive"), dav, false),
        Value::DavHost => {
            (text.s("value.drive"), format!("{}://{host}/dav/{account}/", dav_scheme(visit)), false)
        }
        Value::User => (text.s("value.user"), account, false),
        Value::Password => (text.s("value.password"), shown(new.map(|new| new.password.to_string())), true),
        Value::Address => {
            (text.s("value.address"), address().unwrap_or_else(|| format!("{account}@{name}")), false)
        }
        Value::Imap => (text.s("value.imap"), imap(visit)?, false),
        Value::Smtp => (text.s("value.smtp"), mail_server(visit, "submissions", "submission")?, false),
        Value::Endpoint => (text.s("value.endpoint"), s3_endpoint(visit)?, false),
        Value::Region => (text.s("value.region"), visit.web.site.s3_region.clone(), false),
        Value::AccessKey => (text.s("value.access-key"), shown(new.map(|new| new.access_key.clone())), true),
        Value::SecretKey => {
            (text.s("value.secret-key"), shown(new.map(|new| new.secret_key.to_string())), true)
        }
        Value::Rclone => {
            let password = shown(new.map(|new| new.password.to_string()));
            let command = format!(
                "rclone config create allod webdav url={dav} vendor=other user={account} pass={password}"
            );
            (text.s("value.command"), command, new.is_some())
        }
        Value::Restic => {
            let (key, secret) = match new {
                Some(new) => (new.access_key.clone(), new.secret_key.to_string()),
                None => (shown(None), shown(None)),
            };
            let command = format!(
                "AWS_ACCESS_KEY_ID={key} AWS_SECRET_ACCESS_KEY={secret} restic -r s3:{}/backups/laptop init",
                s3_endpoint(visit)?
            );
            (text.s("value.command"), command, new.is_some())
        }
    };
    Some(Row { label: label.to_owned(), value, secret })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Text;

    #[test]
    fn every_client_has_steps_and_a_group() {
        for client in &CLIENTS {
            for text in Text::all() {
                assert!(text.has(&format!("how.{}", client.id)), "{}", client.id);
                assert!(text.has(&format!("for.{}", client.group)), "{}", client.group);
            }
            assert!(GROUPS.contains(&client.group));
            for grant in client.grants {
                parse_grant(grant).unwrap();
                assert!(Text::all()[0].has(opens(grant)));
            }
        }
    }
}
