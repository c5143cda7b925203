//! The reports of RFC 3744 §9. Each session sees one principal: its own.

use allod_formats::collation::{Collation, MatchType, TextMatch};
use allod_kit::{ResponseBody, full_body};
use http::{Response, StatusCode};

use crate::error::{Answer, Failure};
use crate::handle::{Call, xml};
use crate::plan::{Ask, Live, Plan};
use crate::propfind::{self, Depth, MULTISTATUS_HEAD, MULTISTATUS_TAIL, parse_depth};
use crate::props::Subject;
use crate::url::Target;
use crate::visit::{Seen, Visit, failing};
use crate::xml::{Document, Element};

/// What can be searched for (RFC 3744 §9.5), and how it is called.
const SEARCHABLE: [(Live, &str); 3] = [
    (Live::DisplayName, "Name"),
    (Live::CalendarUserAddressSet, "Calendar address"),
    (Live::EmailAddressSet, "Mail address"),
];

/// Answers one of the reports.
///
/// # Errors
/// 403 with `supported-report` for any other.
pub(crate) async fn handle(visit: &Visit<'_>, root: Element<'_>) -> Answer {
    if !root.is_dav(root.name()) {
        return Err(Failure::forbidden("supported-report"));
    }
    let report = root.name();
    if !report.starts_with("principal-") && report != "acl-principal-prop-set" {
        return Err(Failure::forbidden("supported-report"));
    }
    if parse_depth(visit.headers, Depth::Zero)? != Depth::Zero {
        // RFC 3744 §9.2 to §9.5.
        return Err(Failure::bad_request("this report works with Depth: 0"));
    }
    // RFC 3744 §9.2, §9.3: at most one.
    if root.children().filter(|child| child.is_dav("prop")).count() > 1 {
        return Err(Failure::bad_request("a report holds one prop"));
    }
    let (_, here) = visit.here(false).await?;
    match report {
        "principal-search-property-set" => Ok(search_property_set()),
        "principal-property-search" => {
            let everywhere = root.dav_child("apply-to-principal-collection-set").is_some();
            // Python's caldav searches where it was pointed to, which is mostly `/dav/`.
            let among = everywhere || !matches!(visit.target, Target::Tree { .. });
            let found = among && matches_search(visit, root).await?;
            principals(visit, root, found).await
        }
        "principal-match" => {
            let found = root.dav_child("self").is_some() && matches!(here, Seen::Place(_) | Seen::Principal);
            principals(visit, root, found && visit.target != Target::Trees).await
        }
        // The one principal of every access control list.
        "acl-principal-prop-set" => principals(visit, root, true).await,
        _ => Err(Failure::forbidden("supported-report")),
    }
}

/// `principal-match` with a property that names a principal (RFC 3744 §9.3): everything in a tree belongs to its account,
/// so it is all members, or none.
pub(crate) async fn owned(call: &Call, root: Element<'_>) -> Answer {
    if parse_depth(&call.headers, Depth::Zero)? != Depth::Zero {
        return Err(Failure::bad_request("this report works with Depth: 0"));
    }
    let mut props = root.children().filter(|child| child.is_dav("prop"));
    let (prop, None) = (props.next(), props.next()) else {
        return Err(Failure::bad_request("a report holds one prop"));
    };
    let plan = prop.map_or_else(|| Some(Plan::none()), Plan::only);
    let plan = plan.ok_or_else(|| Failure::bad_request("too many properties are asked for"))?;
    let named = root.dav_child("principal-property").into_iter().flat_map(Element::children).next();
    let live = named.and_then(|property| Live::named(property.namespace(), property.name()));
    let all = matches!(live, Some(Live::Owner | Live::CurrentUserPrincipal));
    propfind::members(call, plan, all && call.mount.is_none()).await
}

/// A multistatus with the principal, if it was found.
async fn principals(visit: &Visit<'_>, root: Element<'_>, found: bool) -> Answer {
    let plan = match root.dav_child("prop") {
        Some(prop) => {
            Plan::only(prop).ok_or_else(|| Failure::bad_request("too many properties are asked for"))?
        }
        None => Plan::none(),
    };
    let mut out = MULTISTATUS_HEAD.to_vec();
    if found {
        let mut writer = visit.writer(plan).await.map_err(failing)?;
        let url = writer.principal.clone();
        writer.response(&mut out, url.as_bytes(), Subject::Principal);
    }
    out.extend_from_slice(MULTISTATUS_TAIL);
    Ok(xml(StatusCode::MULTI_STATUS, full_body(out)))
}

/// RFC 3744 §9.4: all that is searched for must be found; with Apple's `test="anyof"`, one of it.
async fn matches_search(visit: &Visit<'_>, root: Element<'_>) -> Result<bool, Failure> {
    let mut plan = Plan::none();
    SEARCHABLE.iter().for_each(|(live, _)| {
        plan.ask(Ask::Live(*live));
    });
    let writer = visit.writer(plan).await.map_err(failing)?;
    let texts = |live: Live| {
        let mut value = MULTISTATUS_HEAD.to_vec();
        writer.one(&mut value, &Ask::Live(live), Subject::Principal);
        value.extend_from_slice(MULTISTATUS_TAIL);
        Document::parse(&value).map(|document| document.root().texts()).unwrap_or_default()
    };
    // Python's caldav asks for all by searching for nothing.
    let any = root.attribute("test") == Some("anyof") && root.dav_child("property-search").is_some();
    for search in root.children().filter(|child| child.is_dav("property-search")) {
        let text = search.dav_child("match").map(Element::text).unwrap_or_default();
        let match_type = match search.dav_child("match").and_then(|wanted| wanted.attribute("match-type")) {
            Some("equals") => MatchType::Equals,
            Some("starts-with") => MatchType::StartsWith,
            Some("ends-with") => MatchType::EndsWith,
            _ => MatchType::Contains,
        };
        let wanted = TextMatch::new(&text, Collation::UnicodeCasemap, match_type, false);
        let mut properties = search.dav_child("prop").into_iter().flat_map(Element::children);
        let found = properties.all(|property| {
            // RFC 3744 §9.4: what cannot be searched matches nothing.
            SEARCHABLE
                .iter()
                .find(|(live, _)| Live::named(property.namespace(), property.name()) == Some(*live))
                .is_some_and(|(live, _)| texts(*live).iter().any(|text| wanted.matches(text)))
        });
        if found == any {
            return Ok(found);
        }
    }
    Ok(!any)
}

fn search_property_set() -> Response<ResponseBody> {
    let mut out = String::from(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:principal-search-property-set xmlns:D=\"DAV:\" \
         xmlns:C=\"urn:ietf:params:xml:ns:caldav\" xmlns:CS=\"http://calendarserver.org/ns/\">",
    );
    for (live, name) in SEARCHABLE {
        out.push_str(&format!(
            "<D:principal-search-property><D:prop><{}/></D:prop><D:description xml:lang=\"en\">{name}</D:description>\
             </D:principal-search-property>",
            live.tag()
        ));
    }
    out.push_str("</D:principal-search-property-set>\n");
    xml(StatusCode::OK, full_body(out))
}
