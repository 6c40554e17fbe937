//! Reading XML that a peer has sent: bounded, and without entities that could expand.

use roxmltree::{Document, Node, ParsingOptions};

/// Longest document looked at, in bytes.
const LONGEST: usize = 32 * 1024;
/// Elements and texts of a document, and so also how deep they can go.
const NODES: u32 = 2_048;

/// The body as text, if it can be looked at.
pub(super) fn text(body: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(body).ok().filter(|text| text.len() <= LONGEST)?;
    Some(text.trim_start_matches('\u{feff}').trim())
}

pub(super) fn parse(text: &str) -> Option<Document<'_>> {
    let options = ParsingOptions { allow_dtd: false, nodes_limit: NODES, ..ParsingOptions::default() };
    Document::parse_with_options(text, options).ok()
}

/// The first child of that name, in whatever namespace: servers differ in them.
pub(super) fn child<'a, 'input>(node: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    node.children().find(|child| child.tag_name().name() == name)
}
