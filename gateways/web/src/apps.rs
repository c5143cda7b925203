//! Apps: who has what, when it was last used, and making, narrowing and revoking.

use allod_core::{AppInfo, NewCredential};
use allod_kit::RequestBody;
use allod_model::{ErrorKind, Grant, Path, Rights, Timestamp, parse_duration_secs, parse_grant};
use askama::Template;
use http::StatusCode;
use serde_json::json;
use zeroize::Zeroizing;

use crate::corner::{self, Corner};
use crate::error::{Refusal, message};
use crate::frame::Frame;
use crate::respond::{self, Answer, page_with, see};
use crate::show::{self, When};
use crate::visit::{Form, Visit};

/// Names of folders offered to choose from.
const OFFERED_MAX: usize = 200;
/// A lifetime that is over soon is marked, in seconds.
const SOON_SECS: i64 = 7 * 86_400;

/// An app on its card.
pub(crate) struct Card {
    pub id: String,
    pub label: String,
    pub corner: Corner,
    pub whole: bool,
    pub last: Option<(When, String)>,
    pub created: When,
    pub expires: Option<When>,
    pub over: bool,
    pub soon: bool,
    /// What could be narrowed: the text, and the rights to narrow to.
    pub hint: Option<(String, &'static str)>,
    /// Where it ever did anything, when that is less than it may.
    pub used_in: Vec<String>,
}

impl Card {
    pub fn of(visit: &Visit, app: AppInfo) -> Card {
        let (text, now) = (visit.text, visit.core().now());
        let hint = hint(visit, &app);
        let credential = app.credential;
        let expires = credential.expires;
        let wide = credential.grants.iter().any(|grant| grant.path.is_root());
        Card {
            id: credential.id.0,
            label: credential.label,
            corner: corner::draw(text, &credential.grants),
            whole: app.whole,
            last: credential.last_use.map(|last| (When::of(text, last.time, now), show::whence(text, &last))),
            created: When::of(text, credential.created, now),
            expires: expires.map(|at| When::of(text, at, now)),
            over: expires.is_some_and(|at| at <= now),
            soon: expires.is_some_and(|at| at > now && at.secs() - now.secs() < SOON_SECS),
            hint,
            used_in: if wide { app.used_in } else { Vec::new() },
        }
    }
}

fn hint(visit: &Visit, app: &AppInfo) -> Option<(String, &'static str)> {
    let used = app.used?;
    if app.credential.grants.iter().any(|grant| grant.send) || used >= app.rights {
        return None;
    }
    Some(match used {
        Rights::Read => (visit.text.s("apps.hint-read").to_owned(), "r"),
        _ => (visit.text.s("apps.hint-append").to_owned(), "a"),
    })
}

#[derive(Template)]
#[template(path = "apps.html")]
struct AppsPage {
    f: Frame,
    cards: Vec<Card>,
}

/// The list of apps.
pub(crate) async fn page(visit: &Visit) -> Answer {
    let apps = visit.session()?.apps().await?;
    let cards = apps.into_iter().map(|app| Card::of(visit, app)).collect();
    respond::page(&AppsPage { f: Frame::new(visit, "apps", visit.text.s("nav.apps")), cards })
}

#[derive(Template)]
#[template(path = "app.html")]
struct AppPage {
    f: Frame,
    card: Card,
}

/// One app.
pub(crate) async fn one(visit: &Visit, id: &str) -> Answer {
    let card = Card::of(visit, visit.session()?.app(id).await?);
    respond::page(&AppPage { f: Frame::new(visit, "apps", card.label.clone()), card })
}

/// Whether an app came, for a page that waits for it.
pub(crate) async fn state(visit: &Visit, id: &str) -> Answer {
    let app = visit.session()?.app(id).await?;
    let now = visit.core().now();
    let last = app.credential.last_use.map(|last| {
        json!({
            "ago": show::ago(visit.text, last.time, now),
            "whence": show::whence(visit.text, &last),
            "told": visit.text.fill2(
                "connect.came",
                &show::ago(visit.text, last.time, now),
                &show::whence(visit.text, &last),
            ),
        })
    });
    Ok(respond::json(&json!({"last": last})))
}

#[derive(Template)]
#[template(path = "app_new.html")]
struct NewPage {
    f: Frame,
    folders: Vec<String>,
    label: String,
    which: String,
    folder: String,
    confirmed: bool,
}

/// The form for a new app.
pub(crate) async fn new(visit: &Visit) -> Answer {
    show_new(visit, StatusCode::OK, "", visit.param("which").unwrap_or("files"), "", None).await
}

async fn show_new(
    visit: &Visit,
    status: StatusCode,
    label: &str,
    which: &str,
    folder: &str,
    alarm: Option<&'static str>,
) -> Answer {
    let session = visit.session()?;
    let listing = session.list(&Path::root(), None, OFFERED_MAX, false).await?;
    let folders = listing.nodes.into_iter().filter(allod_core::Node::is_folder);
    let folders = folders.map(|node| format!("/{}", node.name)).collect();
    let mut f = Frame::new(visit, "apps", visit.text.s("new.title"));
    if let Some(key) = alarm {
        f = f.alarmed(key);
    }
    let (label, which, folder) = (label.to_owned(), which.to_owned(), folder.to_owned());
    let confirmed = session.is_confirmed();
    page_with(status, &NewPage { f, folders, label, which, folder, confirmed })
}

/// The grants that a form asks for.
fn grants(form: &Form) -> Result<Vec<Grant>, Refusal> {
    let wrong = |_| Refusal::form("error.invalid");
    let mut grants = Vec::new();
    for which in form.all("which") {
        grants.push(match which {
            preset @ ("all" | "files" | "mail" | "calendar" | "contacts") => {
                parse_grant(preset).map_err(wrong)?
            }
            "folder" => {
                let path = crate::place::typed(form.text("folder"))?;
                if path.is_root() {
                    return Err(Refusal::form("new.no-folder"));
                }
                let rights = match form.text("rights") {
                    rights @ ("r" | "a" | "rw") => rights,
                    _ => "r",
                };
                parse_grant(&format!("{path}:{rights}")).map_err(wrong)?
            }
            _ => return Err(Refusal::Malformed),
        });
    }
    if grants.is_empty() { Err(Refusal::form("new.nothing")) } else { Ok(grants) }
}

/// The end of a new app's life.
fn expiry(form: &Form, now: Timestamp) -> Option<Timestamp> {
    let secs = parse_duration_secs(form.text("expires"))?;
    i64::try_from(secs).ok().filter(|secs| *secs > 0).map(|secs| now.plus_secs(secs))
}

/// Makes an app and shows its secrets.
pub(crate) async fn make(visit: &Visit, body: RequestBody) -> Answer {
    let form = visit.form(body).await?;
    let session = visit.session()?;
    let label = form.text("label").trim();
    let (which, folder) = (form.all("which").next().unwrap_or_default(), form.text("folder"));
    let again = |status, key| show_new(visit, status, label, which, folder, Some(key));
    let grants = match grants(&form) {
        Ok(grants) => grants,
        Err(Refusal::Form(key)) => return again(StatusCode::UNPROCESSABLE_ENTITY, key).await,
        Err(refusal) => return Err(refusal),
    };
    if label.is_empty() {
        return again(StatusCode::UNPROCESSABLE_ENTITY, "new.no-label").await;
    }
    if !form.text("password").is_empty()
        && let Err(error) = session.confirm(Zeroizing::new(form.text("password").to_owned())).await
    {
        let key =
            if error.kind == ErrorKind::Unauthenticated { "confirm.wrong" } else { message(error.kind) };
        return again(StatusCode::FORBIDDEN, key).await;
    }
    match session.add_app(label, grants, expiry(&form, visit.core().now())).await {
        Ok(new) => secrets(visit, label, &new),
        Err(error) if error.kind == ErrorKind::Denied => again(StatusCode::FORBIDDEN, "confirm.needed").await,
        Err(error) => again(StatusCode::UNPROCESSABLE_ENTITY, message(error.kind)).await,
    }
}

#[derive(Template)]
#[template(path = "app_secrets.html")]
struct SecretsPage {
    f: Frame,
    id: String,
    values: Vec<(&'static str, String)>,
    s3: Vec<(&'static str, String)>,
    qr: String,
}

fn secrets(visit: &Visit, label: &str, new: &NewCredential) -> Answer {
    let (text, account) = (visit.text, visit.session()?.account());
    let origin = visit.origin();
    let values = vec![
        (text.s("value.server"), origin.clone()),
        (text.s("value.drive"), format!("{origin}/dav/{account}/")),
        (text.s("value.user"), account.clone()),
        (text.s("value.password"), new.password.to_string()),
        (text.s("value.bearer"), new.bearer.to_string()),
    ];
    let s3 = match s3_endpoint(visit) {
        Some(endpoint) => vec![
            (text.s("value.endpoint"), endpoint),
            (text.s("value.region"), visit.web.site.s3_region.clone()),
            (text.s("value.access-key"), new.access_key.clone()),
            (text.s("value.secret-key"), new.secret_key.to_string()),
        ],
        None => Vec::new(),
    };
    let qr = crate::qr::svg(&new.password, text.s("value.password"));
    let f = Frame::new(visit, "apps", label);
    respond::page(&SecretsPage { f, id: new.id.0.clone(), values, s3, qr })
}

/// Where S3 clients of this visitor connect: on the name by which the page was reached, unless a name is set.
pub(crate) fn s3_endpoint(visit: &Visit) -> Option<String> {
    let endpoint = visit.web.site.s3_endpoint.as_ref()?;
    let host = endpoint.split_once("://").map(|(_, host)| host);
    match host.and_then(|host| host.parse::<std::net::SocketAddr>().ok()) {
        Some(address) if address.ip().is_unspecified() => {
            let scheme = if endpoint.starts_with("https") { "https" } else { "http" };
            Some(format!("{scheme}://{}:{}", visit.host_name(), address.port()))
        }
        _ => Some(endpoint.clone()),
    }
}

/// Revokes an app.
pub(crate) async fn revoke(visit: &Visit, id: &str, body: RequestBody) -> Answer {
    visit.form(body).await?;
    visit.session()?.revoke_app(id).await?;
    Ok(see("/ui/apps?done=revoked"))
}

/// Takes rights away that an app does not use.
pub(crate) async fn narrow(visit: &Visit, id: &str, body: RequestBody) -> Answer {
    let form = visit.form(body).await?;
    let rights = match form.text("rights") {
        "r" => Rights::Read,
        "a" => Rights::Append,
        _ => return Err(Refusal::Malformed),
    };
    visit.session()?.narrow_app(id, rights).await?;
    Ok(see("/ui/apps?done=narrowed"))
}
