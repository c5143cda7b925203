//! What was removed, earlier versions, and having them back.

use allod_kit::RequestBody;
use allod_model::Seq;
use askama::Template;

use crate::error::Refusal;
use crate::frame::Frame;
use crate::place::{crumbs, path_of, typed, url};
use crate::respond::{self, Answer, see};
use crate::show::{self, When};
use crate::visit::Visit;

/// Things on the page.
const PAGE: usize = 300;

struct Thing {
    path: String,
    seq: u64,
    size: String,
    when: When,
}

#[derive(Template)]
#[template(path = "trash.html")]
struct TrashPage {
    f: Frame,
    things: Vec<Thing>,
}

/// The trash.
pub(crate) async fn page(visit: &Visit) -> Answer {
    let (text, now) = (visit.text, visit.core().now());
    let things = visit.session()?.trash(PAGE).await?.into_iter().map(|thing| Thing {
        path: thing.path,
        seq: thing.seq.0,
        size: show::size(thing.size),
        when: When::of(text, thing.time, now),
    });
    let things = things.collect();
    respond::page(&TrashPage { f: Frame::new(visit, "files", text.s("trash.title")), things })
}

/// Puts something back that was removed.
pub(crate) async fn restore(visit: &Visit, body: RequestBody) -> Answer {
    let form = visit.form(body).await?;
    let path = typed(form.text("path").trim_end_matches('/'))?;
    let seq: u64 = form.text("seq").parse().map_err(|_| Refusal::Malformed)?;
    visit.session()?.restore_as_of(&path, Seq(seq.saturating_sub(1)), false).await?;
    Ok(see("/ui/trash?done=restored"))
}

struct Earlier {
    seq: u64,
    size: String,
    when: When,
}

#[derive(Template)]
#[template(path = "versions.html")]
struct VersionsPage {
    f: Frame,
    crumbs: Vec<(String, String)>,
    here: String,
    file: String,
    versions: Vec<Earlier>,
}

/// Earlier versions of a file.
pub(crate) async fn versions(visit: &Visit) -> Answer {
    let path = path_of(visit, "versions")?;
    let (text, now) = (visit.text, visit.core().now());
    let mut versions: Vec<_> = visit
        .session()?
        .versions(&path)
        .await?
        .into_iter()
        .map(|version| Earlier {
            seq: version.seq.0,
            size: show::size(version.size),
            when: When::of(text, version.modified, now),
        })
        .collect();
    versions.reverse();
    versions.truncate(PAGE);
    let page = VersionsPage {
        f: Frame::new(visit, "files", text.s("versions.title")),
        crumbs: crumbs(text.s("nav.files"), &path),
        here: url("versions", &path),
        file: url("files", &path),
        versions,
    };
    respond::page(&page)
}

/// Puts a file back as it was.
pub(crate) async fn bring_back(visit: &Visit, body: RequestBody) -> Answer {
    let form = visit.form(body).await?;
    let path = path_of(visit, "versions")?;
    let seq: u64 = form.text("seq").parse().map_err(|_| Refusal::Malformed)?;
    visit.session()?.restore_as_of(&path, Seq(seq), false).await?;
    Ok(see(&format!("{}?done=restored", url("files", &path))))
}
