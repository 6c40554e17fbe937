//! `application/dialog-info+xml` (RFC 4235 §4): the calls of a colleague's phone.

use super::xml;
use crate::sip::msg::Replaces;
use roxmltree::Node;

/// Calls of one phone; more are not looked at.
const MOST: usize = 32;

/// What a colleague's line does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    Idle,
    Ringing,
    Busy,
}

/// The calls as told so far.
#[derive(Debug, Default)]
pub(super) struct Dialogs {
    version: Option<u32>,
    known: Vec<Known>,
}

#[derive(Clone, Debug)]
struct Known {
    id: String,
    state: State,
    /// The colleague is the one called.
    incoming: bool,
    call_id: Option<String>,
    local_tag: Option<String>,
    remote_tag: Option<String>,
    /// Where the other party's phone is, else who that is.
    remote: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Early,
    Confirmed,
    Terminated,
}

/// What became of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Applied {
    Yes,
    /// Older than what is known, or not to be understood.
    No,
    /// Something between was missed: the whole state is to be asked for (RFC 4235 §3.11).
    Gap,
}

/// A call that rings at a colleague, for taking it over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::ua) struct Pickup {
    /// Whom to call: the caller's own phone.
    pub target: String,
    pub replaces: Replaces,
}

impl Dialogs {
    /// `over_gaps`: the whole state has been asked for in vain; half of it is better than none.
    pub fn apply(&mut self, body: &[u8], over_gaps: bool) -> Applied {
        let Some(document) = xml::text(body) else { return Applied::No };
        let Some(document) = xml::parse(document) else { return Applied::No };
        let root = document.root_element();
        if root.tag_name().name() != "dialog-info" {
            return Applied::No;
        }
        let version = root.attribute("version").and_then(|v| v.parse::<u32>().ok()).unwrap_or_default();
        let full = root.attribute("state").is_none_or(|s| s != "partial");
        match self.version {
            // A document that was overtaken. Some servers count from 0 again, or not at all.
            Some(last) if !full && version <= last => return Applied::No,
            Some(last) if !full && !over_gaps && last.checked_add(1) != Some(version) => return Applied::Gap,
            None if !full && !over_gaps && version > 0 => return Applied::Gap,
            _ => {}
        }
        self.version = Some(version);
        if full {
            self.known.clear();
        }
        for dialog in root.children().filter(|n| n.tag_name().name() == "dialog").filter_map(read) {
            self.known.retain(|known| known.id != dialog.id);
            if dialog.state != State::Terminated && self.known.len() < MOST {
                self.known.push(dialog);
            }
        }
        Applied::Yes
    }

    /// Whether anything has been told.
    pub const fn is_known(&self) -> bool {
        self.version.is_some()
    }

    pub fn line(&self) -> Line {
        let is_ringing = |d: &Known| d.incoming && d.state == State::Early;
        match self.known.iter().find(|d| !is_ringing(d)) {
            Some(_) => Line::Busy,
            None if self.known.is_empty() => Line::Idle,
            None => Line::Ringing,
        }
    }

    /// RFC 3891 §3: an early dialog is replaced at the phone that began it, the caller's.
    pub fn pickup(&self) -> Option<Pickup> {
        let ringing = self.known.iter().find(|d| d.incoming && d.state == State::Early)?.clone();
        let (call_id, to_tag, from_tag) = (ringing.call_id?, ringing.remote_tag?, ringing.local_tag?);
        let replaces = Replaces { call_id, to_tag, from_tag, early_only: true };
        Some(Pickup { target: ringing.remote?, replaces })
    }
}

fn read(dialog: Node<'_, '_>) -> Option<Known> {
    let attribute = |name: &str| dialog.attribute(name).filter(|v| !v.is_empty()).map(str::to_owned);
    let state = match xml::child(dialog, "state")?.text().unwrap_or_default().trim() {
        "trying" | "proceeding" | "early" => State::Early,
        "confirmed" => State::Confirmed,
        _ => State::Terminated,
    };
    let remote = xml::child(dialog, "remote").and_then(|remote| {
        let target = xml::child(remote, "target").and_then(|t| t.attribute("uri").map(str::to_owned));
        target.or_else(|| xml::child(remote, "identity")?.text().map(|t| t.trim().to_owned()))
    });
    Some(Known {
        id: attribute("id")?,
        state,
        incoming: dialog.attribute("direction").is_none_or(|d| d == "recipient"),
        call_id: attribute("call-id"),
        local_tag: attribute("local-tag"),
        remote_tag: attribute("remote-tag"),
        remote,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(version: u32, state: &str, dialogs: &str) -> String {
        format!(
            r#"<?xml version="1.0"?><dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="{version}"
               state="{state}" entity="sip:101@acme">{dialogs}</dialog-info>"#
        )
    }

    fn dialog(id: &str, direction: &str, state: &str) -> String {
        format!(
            r#"<dialog id="{id}" call-id="c-{id}" local-tag="callee" remote-tag="caller" direction="{direction}">
               <state>{state}</state><remote><identity>sip:alice@acme</identity><target uri="sip:alice@192.0.2.7"/></remote>
               </dialog>"#
        )
    }

    #[test]
    fn lines_by_their_calls() {
        let ringing = dialog("1", "recipient", "early");
        for (dialogs, line) in [
            (String::new(), Line::Idle),
            (ringing.clone(), Line::Ringing),
            (dialog("1", "recipient", "trying"), Line::Ringing),
            (dialog("1", "initiator", "trying"), Line::Busy),
            (dialog("1", "recipient", "confirmed"), Line::Busy),
            (ringing.clone() + &dialog("2", "initiator", "confirmed"), Line::Busy),
            (dialog("1", "recipient", "terminated"), Line::Idle),
        ] {
            let mut known = Dialogs::default();
            assert_eq!(known.apply(document(0, "full", &dialogs).as_bytes(), false), Applied::Yes);
            assert_eq!(known.line(), line, "{dialogs}");
        }
    }

    #[test]
    fn changes_follow_one_another_and_a_gap_is_noticed() {
        let mut known = Dialogs::default();
        let early = dialog("1", "recipient", "early");
        assert_eq!(known.apply(document(3, "full", &early).as_bytes(), false), Applied::Yes);
        let expected = Pickup {
            target: "sip:alice@192.0.2.7".into(),
            replaces: Replaces {
                call_id: "c-1".into(),
                to_tag: "caller".into(),
                from_tag: "callee".into(),
                early_only: true,
            },
        };
        assert_eq!(known.pickup(), Some(expected));
        let confirmed = dialog("1", "recipient", "confirmed");
        assert_eq!(known.apply(document(4, "partial", &confirmed).as_bytes(), false), Applied::Yes);
        assert_eq!((known.line(), known.pickup()), (Line::Busy, None));
        assert_eq!(known.apply(document(4, "partial", &early).as_bytes(), false), Applied::No, "again");
        assert_eq!(known.apply(document(6, "partial", "").as_bytes(), false), Applied::Gap);
        let mut patient = Dialogs::default();
        assert_eq!(patient.apply(document(6, "partial", &early).as_bytes(), true), Applied::Yes, "asked for in vain");
        assert_eq!(patient.line(), Line::Ringing);
        assert_eq!(known.apply(document(6, "full", "").as_bytes(), false), Applied::Yes);
        assert_eq!(known.line(), Line::Idle);
        let over = dialog("9", "recipient", "terminated");
        assert_eq!(known.apply(document(7, "partial", &over).as_bytes(), false), Applied::Yes);
        assert_eq!(known.line(), Line::Idle);
    }

    #[test]
    fn hostile_documents_change_nothing_and_fill_nothing() {
        let mut known = Dialogs::default();
        let many: String = (0..500).map(|n| dialog(&n.to_string(), "recipient", "early")).collect();
        let entity = format!("<!DOCTYPE x [<!ENTITY a \"b\">]>{}", document(1, "full", ""));
        let deep = format!("{}{}", "<a>".repeat(20_000), "</a>".repeat(20_000));
        let wide = document(1, "full", &"<a/>".repeat(20_000));
        for body in ["", "rubbish", "<presence/>", &entity, &deep, &wide, &document(1, "full", &many)] {
            known.apply(body.as_bytes(), false);
            assert!(known.known.len() <= MOST);
        }
        assert_eq!(known.apply(&[0xff, 0xfe], false), Applied::No);
    }
}
