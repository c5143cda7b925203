//! The filter of `addressbook-query` (RFC 6352 §10.5), from XML.

use allod_formats::card::{Filter, PropFilter};

use crate::error::Failure;
use crate::filter::{Dialect, Parser};
use crate::xml::{CARDDAV, Element};

/// The one `filter` of a query. Without one, all cards match: some clients leave it out.
///
/// # Errors
/// 400; 403 with `supported-filter` or `supported-collation`.
pub(crate) fn filter_of(root: Element<'_>) -> Result<Filter, Failure> {
    root.child(CARDDAV, "filter").map_or_else(|| Ok(Filter::default()), parse_filter)
}

fn parse_filter(element: Element<'_>) -> Result<Filter, Failure> {
    let mut parser = Parser::new(Dialect::CardDav);
    let mut filter = Filter { all_of: parse_test(element)?, properties: Vec::new() };
    for child in parser.children(element) {
        match child.name() {
            "prop-filter" => filter.properties.push(parse_property(&mut parser, child)?),
            _ => return Err(Failure::bad_request("a filter holds prop-filters")),
        }
    }
    Ok(filter)
}

/// Whether all tests must hold; otherwise one is enough.
fn parse_test(element: Element<'_>) -> Result<bool, Failure> {
    match element.attribute("test") {
        None | Some("anyof") => Ok(false),
        Some("allof") => Ok(true),
        Some(_) => Err(Failure::bad_request("test is anyof or allof")),
    }
}

fn parse_property(parser: &mut Parser, element: Element<'_>) -> Result<PropFilter, Failure> {
    parser.count()?;
    let mut filter = PropFilter {
        name: parser.name(element)?,
        is_not_defined: parser.is_not_defined(element)?,
        all_of: parse_test(element)?,
        ..PropFilter::default()
    };
    for child in parser.children(element) {
        match child.name() {
            "text-match" => filter.texts.push(parser.text_match(child)?),
            "param-filter" => filter.parameters.push(parser.param_filter(child)?),
            "is-not-defined" => {}
            _ => return Err(Failure::bad_request("a prop-filter holds text-matches and param-filters")),
        }
    }
    Ok(filter)
}

#[cfg(test)]
mod tests {
    use allod_formats::collation::{Collation, MatchType, TextMatch};

    use super::*;
    use crate::xml::Document;

    fn parse(xml: &str) -> Result<Filter, String> {
        let xml = format!("<q xmlns='urn:ietf:params:xml:ns:carddav'>{xml}</q>");
        let document = Document::parse(xml.as_bytes()).unwrap();
        filter_of(document.root()).map_err(|failure| failure.element_name().unwrap_or("400").to_owned())
    }

    /// RFC 6352 §8.6.3, §8.6.4.
    #[test]
    fn filters_of_the_standard() {
        let nick = parse(
            "<filter><prop-filter name='NICKNAME'><text-match collation='i;unicode-casemap' match-type='equals'>me</text-match>\
             </prop-filter></filter>",
        )
        .unwrap();
        assert!(!nick.all_of);
        let me = TextMatch::new("me", Collation::UnicodeCasemap, MatchType::Equals, false);
        assert_eq!(nick.properties[0].texts, [me]);
        let two = parse(
            "<filter test='allof'><prop-filter name='FN' test='allof'><text-match>daboo</text-match></prop-filter>\
             <prop-filter name='EMAIL'><param-filter name='TYPE'><is-not-defined/></param-filter></prop-filter></filter>",
        )
        .unwrap();
        assert!(two.all_of && two.properties[0].all_of && !two.properties[1].all_of);
        assert!(two.properties[1].parameters[0].is_not_defined);
        assert_eq!(parse("<filter/>"), Ok(Filter::default()));
        assert_eq!(parse(""), Ok(Filter::default()));
    }

    #[test]
    fn refusals() {
        for (xml, condition) in [
            ("<filter test='some'/>", "400"),
            ("<filter><prop-filter/></filter>", "400"),
            ("<filter><comp-filter name='X'/></filter>", "400"),
            (
                "<filter><prop-filter name='X'><is-not-defined/><text-match>x</text-match></prop-filter></filter>",
                "400",
            ),
            (
                "<filter><prop-filter name='X'><text-match match-type='like'>x</text-match></prop-filter></filter>",
                "400",
            ),
            (
                "<filter><prop-filter name='X'><text-match collation='i;x'>x</text-match></prop-filter></filter>",
                "supported-collation",
            ),
        ] {
            assert_eq!(parse(xml).unwrap_err(), condition, "{xml}");
        }
    }
}
