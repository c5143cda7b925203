//! Files: folders, previews, and what can be done to entries.

use allod_core::{FolderOptions, Node, OpenFile, TransferOptions, Want};
use allod_kit::RequestBody;
use allod_model::{EntryKey, Kind, Name, NameRule, Path, Precondition};
use askama::Template;

use crate::error::Refusal;
use crate::frame::Frame;
use crate::place::{crumbs, path_of, typed, url};
use crate::raw::{self, Show};
use crate::respond::{self, Answer, see};
use crate::show::{self, When};
use crate::visit::{Form, Visit};

/// Entries on one page.
const PAGE: usize = 500;
/// Entries changed by one form at most.
const CHANGED_MAX: usize = 1000;
/// A text is shown up to so many bytes.
const TEXT_BYTES_MAX: u64 = 256 * 1024;

struct Row {
    name: String,
    url: String,
    icon: &'static str,
    thumb: Option<String>,
    size: String,
    when: When,
}

#[derive(Template)]
#[template(path = "files.html")]
struct FolderPage {
    f: Frame,
    crumbs: Vec<(String, String)>,
    here: String,
    upload: String,
    zip: String,
    rows: Vec<Row>,
    next: Option<String>,
    plain: bool,
    total: String,
    documents: u64,
}

#[derive(Template)]
#[template(path = "file.html")]
struct FilePage {
    f: Frame,
    crumbs: Vec<(String, String)>,
    name: String,
    above: String,
    raw: String,
    versions: String,
    size: String,
    when: When,
    media: String,
    shows: &'static str,
    text: Option<String>,
}

/// A folder's or a file's page.
pub(crate) async fn page(visit: &Visit) -> Answer {
    let path = path_of(visit, "files")?;
    let node = visit.session()?.stat(&path, Want::Any, false).await?;
    match node.folder {
        Some(_) => folder(visit, path, node).await,
        None => file(visit, path, node).await,
    }
}

async fn folder(visit: &Visit, path: Path, node: Node) -> Answer {
    let (session, text) = (visit.session()?, visit.text);
    let after = visit.param("after").map(|key| EntryKey::from_bytes(key.as_bytes()));
    let listing = session.list(&path, after.as_ref(), PAGE, false).await?;
    let mut nodes: Vec<Node> = listing.nodes.into_iter().filter(|node| node.name.is_strict()).collect();
    nodes.sort_by_cached_key(|node| (!node.is_folder(), node.name.as_str().to_lowercase()));
    let rows = nodes.iter().map(|node| row(visit, &path, node)).collect();
    let title = path.last().map_or_else(|| text.s("nav.files").to_owned(), ToString::to_string);
    let next = listing.next.map(|key| {
        let key = String::from_utf8_lossy(key.as_bytes()).into_owned();
        format!("{}?after={}", url("files", &path), respond::url_part(key.as_bytes()))
    });
    let facts = node.folder.ok_or(Refusal::NotFound)?;
    let page = FolderPage {
        f: Frame::new(visit, "files", title),
        crumbs: crumbs(text.s("nav.files"), &path),
        here: url("files", &path),
        upload: url("upload", &path),
        zip: url("zip", &path),
        rows,
        next,
        plain: facts.kind == Kind::Plain && !facts.derived,
        total: show::size(node.size),
        documents: facts.documents,
    };
    respond::page(&page)
}

fn row(visit: &Visit, folder: &Path, node: &Node) -> Row {
    let path = folder.join(node.name.clone());
    let media = raw::media_type(node);
    let icon = match &node.folder {
        Some(facts) => match facts.kind {
            Kind::Calendar | Kind::Inbox | Kind::Outbox => "calendar",
            Kind::AddressBook => "contacts",
            Kind::Mailbox => "mail",
            Kind::Plain => "folder",
        },
        None => raw::icon(&media),
    };
    Row {
        name: node.name.to_string(),
        url: url("files", &path),
        icon,
        thumb: None,
        size: show::size(node.size),
        when: When::of(visit.text, node.modified, visit.core().now()),
    }
}

async fn file(visit: &Visit, path: Path, node: Node) -> Answer {
    let session = visit.session()?;
    let media = raw::media_type(&node);
    let shows = raw::shows(&media);
    let text = match shows {
        Show::Text => Some(read_text(&session.open(&path, &Precondition::default()).await?).await?),
        _ => None,
    };
    let name = node.name.to_string();
    let above = path.parent().unwrap_or_default();
    let page = FilePage {
        f: Frame::new(visit, "files", name.clone()),
        crumbs: crumbs(visit.text.s("nav.files"), &path),
        name,
        above: url("files", &above),
        raw: url("raw", &path),
        versions: url("versions", &path),
        size: show::size(node.size),
        when: When::of(visit.text, node.modified, visit.core().now()),
        media,
        shows: shows.word(),
        text,
    };
    respond::page(&page)
}

async fn read_text(file: &OpenFile) -> Result<String, Refusal> {
    let end = file.node.size.min(TEXT_BYTES_MAX);
    let bytes = file.gather(allod_core::ByteRange { start: 0, end }).await?;
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    if file.node.size > TEXT_BYTES_MAX {
        text.push_str("\n…");
    }
    Ok(text)
}

/// Makes a folder; renames, moves, copies or removes entries.
pub(crate) async fn change(visit: &Visit, body: RequestBody) -> Answer {
    let form = visit.form(body).await?;
    let folder = path_of(visit, "files")?;
    let names: Vec<Name> = form.all("name").take(CHANGED_MAX + 1).map(strict).collect::<Result<_, _>>()?;
    if names.len() > CHANGED_MAX {
        return Err(Refusal::Malformed);
    }
    let done = match form.text("do") {
        "folder" => make_folder(visit, &folder, &form).await?,
        "rename" => rename(visit, &folder, &names, &form).await?,
        "move" => transfer(visit, &folder, &names, &form, false).await?,
        "copy" => transfer(visit, &folder, &names, &form, true).await?,
        "remove" => remove(visit, &folder, &names).await?,
        _ => return Err(Refusal::Malformed),
    };
    Ok(see(&format!("{}?done={done}", url("files", &folder))))
}

fn strict(name: &str) -> Result<Name, Refusal> {
    Name::new(name.as_bytes(), NameRule::Strict).map_err(|_| Refusal::form("error.invalid"))
}

async fn make_folder(visit: &Visit, folder: &Path, form: &Form) -> Result<&'static str, Refusal> {
    let path = folder.join(strict(form.text("to").trim())?);
    visit.session()?.make_folder(&path, FolderOptions::default(), Precondition::default()).await?;
    Ok("made")
}

async fn rename(visit: &Visit, folder: &Path, names: &[Name], form: &Form) -> Result<&'static str, Refusal> {
    let [name] = names else { return Err(Refusal::form("files.choose-one")) };
    let to = folder.join(strict(form.text("to").trim())?);
    let options = TransferOptions { overwrite: false, shallow: false };
    visit.session()?.rename(&folder.join(name.clone()), &to, options, Precondition::default()).await?;
    Ok("renamed")
}

async fn transfer(
    visit: &Visit,
    folder: &Path,
    names: &[Name],
    form: &Form,
    copy: bool,
) -> Result<&'static str, Refusal> {
    let target = typed(form.text("to"))?;
    let session = visit.session()?;
    let options = TransferOptions { overwrite: false, shallow: false };
    if names.is_empty() {
        return Err(Refusal::form("files.choose"));
    }
    for name in names {
        let (from, to) = (folder.join(name.clone()), target.join(name.clone()));
        match copy {
            true => session.copy(&from, &to, options, Precondition::default()).await?,
            false => session.rename(&from, &to, options, Precondition::default()).await?,
        };
    }
    Ok(if copy { "copied" } else { "moved" })
}

async fn remove(visit: &Visit, folder: &Path, names: &[Name]) -> Result<&'static str, Refusal> {
    if names.is_empty() {
        return Err(Refusal::form("files.choose"));
    }
    for name in names {
        visit.session()?.remove(&folder.join(name.clone()), Want::Any, Precondition::default()).await?;
    }
    Ok("removed")
}
