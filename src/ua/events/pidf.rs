//! `application/pidf+xml` (RFC 3863) with the activities of RFC 4480: whether a colleague is there.

use super::xml;
use roxmltree::Node;

/// What a colleague's presence says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// No device is registered, or none takes calls.
    Closed,
    Open,
    Busy,
    Away,
}

/// `None`: the document says nothing, or cannot be understood.
pub(super) fn read(body: &[u8]) -> Option<Presence> {
    let document = xml::parse(xml::text(body)?)?;
    let root = document.root_element();
    if root.tag_name().name() != "presence" {
        return None;
    }
    let named = |name: &'static str| root.descendants().filter(move |n| n.tag_name().name() == name);
    let says = |word: &str| named("basic").any(|n| text(n).eq_ignore_ascii_case(word));
    let doing = named("activities").flat_map(|n| n.children()).find_map(|n| activity(n.tag_name().name()));
    // Some PBXs say it in words only.
    let noted = || named("note").find_map(|n| activity(&text(n).to_ascii_lowercase().replace(' ', "-")));
    match (says("open"), says("closed")) {
        (true, _) => Some(doing.or_else(noted).unwrap_or(Presence::Open)),
        (false, true) => Some(Presence::Closed),
        // RFC 3863 §4.1.2: without tuples nothing is reachable; without a basic status nothing is known.
        (false, false) => doing.or_else(|| named("tuple").next().is_none().then_some(Presence::Closed)),
    }
}

/// RFC 4480 §3.2: those that keep somebody from the phone.
fn activity(name: &str) -> Option<Presence> {
    match name {
        "on-the-phone" | "busy" | "meeting" | "presentation" | "appointment" => Some(Presence::Busy),
        "away" | "meal" | "vacation" | "holiday" | "sleeping" | "travel" | "in-transit" | "permanent-absence"
        | "breakfast" | "dinner" | "steering" => Some(Presence::Away),
        _ => None,
    }
}

fn text<'a>(node: Node<'a, '_>) -> &'a str {
    node.text().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presence_documents() {
        let tuple = |basic: &str| format!("<tuple id=\"a\"><status><basic>{basic}</basic></status></tuple>");
        let person = |activity: &str| format!("<dm:person><rpid:activities>{activity}</rpid:activities></dm:person>");
        for (inner, expected) in [
            (tuple("open"), Some(Presence::Open)),
            (tuple("closed"), Some(Presence::Closed)),
            (tuple("closed") + &tuple("open"), Some(Presence::Open)),
            (tuple("open") + &person("<rpid:on-the-phone/>"), Some(Presence::Busy)),
            (tuple("open") + &person("<rpid:away/>"), Some(Presence::Away)),
            (tuple("open") + &person("<rpid:looking-around/>"), Some(Presence::Open)),
            (tuple("closed") + &person("<rpid:away/>"), Some(Presence::Closed)),
            (tuple("open") + "<note>On the phone</note>", Some(Presence::Busy)),
            (String::new(), Some(Presence::Closed)),
            ("<tuple id=\"a\"/>".into(), None),
        ] {
            let body = format!(
                "<?xml version=\"1.0\"?><presence xmlns=\"urn:ietf:params:xml:ns:pidf\" \
                 xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\" xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\" \
                 entity=\"sip:101@acme\">{inner}</presence>"
            );
            assert_eq!(read(body.as_bytes()), expected, "{inner}");
        }
        for rubbish in ["", "<dialog-info/>", "<presence>", "<!DOCTYPE presence><presence/>"] {
            assert_eq!(read(rubbish.as_bytes()), None, "{rubbish}");
        }
    }
}
