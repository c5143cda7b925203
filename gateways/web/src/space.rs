//! Space: what takes how much, as a picture.

use allod_core::{Node, Want};
use allod_model::Path;
use askama::Template;

use crate::frame::Frame;
use crate::place::{crumbs, path_of, url};
use crate::respond::{self, Answer};
use crate::show;
use crate::visit::Visit;

/// Members looked at; core's roll-up makes each O(1).
const MEMBERS_MAX: usize = 1000;
/// Tiles drawn; the rest is one tile.
const TILES_MAX: usize = 40;
/// The picture's size, in its own units.
const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 420.0;
/// A tile smaller than this has no name in it.
const NAMED_MIN: (f64, f64) = (70.0, 30.0);

struct Tile {
    name: String,
    size: String,
    share: String,
    url: Option<String>,
    icon: &'static str,
    x: String,
    y: String,
    width: String,
    height: String,
    named: bool,
    colour: usize,
}

#[derive(Template)]
#[template(path = "space.html")]
struct SpacePage {
    f: Frame,
    crumbs: Vec<(String, String)>,
    total: String,
    limit: Option<String>,
    free: Option<String>,
    tiles: Vec<Tile>,
    width: f64,
    height: f64,
}

/// What takes how much in a folder.
pub(crate) async fn page(visit: &Visit) -> Answer {
    let (session, text) = (visit.session()?, visit.text);
    let path = path_of(visit, "space")?;
    let listing = session.list(&path, None, MEMBERS_MAX, false).await?;
    let node = session.stat(&path, Want::Folder, false).await?;
    let mut members: Vec<Node> = listing.nodes.into_iter().filter(|node| node.size > 0).collect();
    members.sort_by_key(|node| std::cmp::Reverse(node.size));
    let shown: u64 = members.iter().take(TILES_MAX).map(|node| node.size).sum();
    let mut weights: Vec<u64> = members.iter().take(TILES_MAX).map(|node| node.size).collect();
    let rest = node.size.saturating_sub(shown);
    if rest > 0 {
        weights.push(rest);
    }
    let mut places = Vec::new();
    lay_out(&weights, (0.0, 0.0, WIDTH, HEIGHT), &mut places);
    let tiles = places.iter().enumerate().map(|(at, place)| {
        let member = members.get(at).filter(|_| at < TILES_MAX);
        tile(text.s("space.rest"), &path, member, weights[at], node.size, *place, at)
    });
    let quota = session.quota().await?;
    let page = SpacePage {
        f: Frame::new(visit, "space", text.s("nav.space")),
        crumbs: crumbs(text.s("nav.space"), &path)
            .into_iter()
            .map(|(name, url)| (name, url.replacen("/ui/files", "/ui/space", 1)))
            .collect(),
        total: show::size(node.size),
        limit: quota.limit.map(show::size),
        free: quota.available.map(show::size),
        tiles: tiles.collect(),
        width: WIDTH,
        height: HEIGHT,
    };
    respond::page(&page)
}

fn tile(
    rest: &str,
    folder: &Path,
    member: Option<&Node>,
    size: u64,
    total: u64,
    (x, y, width, height): Place,
    at: usize,
) -> Tile {
    let number = |value: f64| format!("{value:.1}");
    let strict = member.filter(|node| node.name.is_strict());
    let place = |node: &Node| if node.is_folder() { "space" } else { "files" };
    Tile {
        name: member.map_or_else(|| rest.to_owned(), |node| node.name.to_string()),
        size: show::size(size),
        share: format!("{:.0} %", size as f64 * 100.0 / total.max(1) as f64),
        url: strict.map(|node| url(place(node), &folder.join(node.name.clone()))),
        icon: if member.is_some_and(Node::is_folder) { "folder" } else { "file" },
        x: number(x + 1.0),
        y: number(y + 1.0),
        width: number((width - 2.0).max(1.0)),
        height: number((height - 2.0).max(1.0)),
        named: width >= NAMED_MIN.0 && height >= NAMED_MIN.1,
        colour: at % 6,
    }
}

/// Left, top, width, height.
type Place = (f64, f64, f64, f64);

/// Cuts a field into parts in proportion to weights, which descend: two halves of about the same weight, side by side
/// along the longer side, and each half again.
fn lay_out(weights: &[u64], (x, y, width, height): Place, places: &mut Vec<Place>) {
    let [_, _, ..] = weights else {
        places.extend(weights.iter().map(|_| (x, y, width, height)));
        return;
    };
    let total: u64 = weights.iter().sum();
    let mut first = weights[0];
    let mut cut = 1;
    while cut < weights.len() - 1 && (first + weights[cut]) * 2 <= total {
        first += weights[cut];
        cut += 1;
    }
    let share = first as f64 / total.max(1) as f64;
    let (one, other) = if width >= height {
        ((x, y, width * share, height), (x + width * share, y, width * (1.0 - share), height))
    } else {
        ((x, y, width, height * share), (x, y + height * share, width, height * (1.0 - share)))
    };
    lay_out(&weights[..cut], one, places);
    lay_out(&weights[cut..], other, places);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_are_as_the_weights() {
        let weights = [50, 30, 10, 5, 5];
        let mut places = Vec::new();
        lay_out(&weights, (0.0, 0.0, 100.0, 50.0), &mut places);
        assert_eq!(places.len(), weights.len());
        for (weight, (_, _, width, height)) in weights.iter().zip(&places) {
            assert!((width * height - *weight as f64 * 50.0).abs() < 1e-6, "{weight}");
        }
    }
}
