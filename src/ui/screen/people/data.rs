use crate::{
    number::bare,
    ui::{
        format::clock,
        icon::{self, Icon},
        screen::{
            Tone,
            calls::data::{InHand, in_hand, way},
        },
        snapshot::{CallState, Colleague, HistoryEntry, HistoryKind, Presence, Snapshot},
        text::{fill, t},
    },
};
use std::time::Duration;

/// One recent call.
#[derive(Debug, PartialEq)]
pub struct Recent {
    pub id: u64,
    pub title: String,
    pub detail: String,
    pub when: String,
    pub kind: HistoryKind,
    pub peer: String,
    /// For screen readers: all of it in one sentence.
    pub name: String,
}

/// A colleague as shown.
#[derive(Debug, PartialEq)]
pub struct Person {
    pub name: String,
    pub number: String,
    /// Number and state in words.
    pub detail: String,
    /// The lamp: a shape of its own for each state.
    pub lamp: (Icon, Tone),
    /// What one press does, the usual one last, where the hand is.
    pub actions: Vec<Action>,
    /// For screen readers: all of it in one sentence.
    pub said: String,
    /// Why nothing is known: the row is too short for it.
    pub hint: Option<String>,
}

/// What one press does with a colleague.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Call,
    PickUp,
    /// Sends the party of this call there.
    Transfer {
        call: u32,
    },
}

/// Recent calls that fit what is typed.
pub fn recents(snapshot: &Snapshot, typed: &str) -> Vec<Recent> {
    let fits = |entry: &&HistoryEntry| fits(typed, entry.peer_name.as_deref(), &entry.peer);
    snapshot.history.iter().filter(fits).map(recent).collect()
}

/// Colleagues that fit what is typed.
pub fn people(snapshot: &Snapshot, typed: &str) -> Vec<Person> {
    let fits = |one: &&Colleague| fits(typed, Some(&one.name), &one.number);
    let talking = in_hand(&snapshot.calls, InHand::Talking).filter(|call| call.transfer.is_none());
    let live = |number: &str| {
        let over = |state: &CallState| matches!(state, CallState::Ended { .. });
        snapshot.calls.iter().any(|call| call.peer == number && !over(&call.state))
    };
    snapshot
        .colleagues
        .iter()
        .filter(fits)
        .map(|one| {
            let mut actions = vec![];
            if !live(&one.number) {
                actions.extend(talking.map(|call| Action::Transfer { call: call.id }));
                actions.push(if one.presence == Presence::Ringing { Action::PickUp } else { Action::Call });
            }
            person(one, actions)
        })
        .collect()
}

/// Whom Enter calls where a name is typed: the first that it fits. A number is dialled as it is.
pub fn meant(snapshot: &Snapshot, typed: &str) -> Option<String> {
    let typed = typed.trim();
    let is_name = typed.chars().any(char::is_alphabetic) && !typed.contains(['@', ':']);
    let named = |name: &Option<String>| name.is_some();
    let colleague = snapshot.colleagues.iter().find(|one| fits(typed, Some(&one.name), &one.number));
    let recent =
        || snapshot.history.iter().find(|e| named(&e.peer_name) && fits(typed, e.peer_name.as_deref(), &e.peer));
    let to = colleague.map(|one| &one.number).or_else(|| recent().map(|entry| &entry.peer));
    to.filter(|to| is_name && !to.is_empty()).cloned()
}

/// Whether every word that is typed begins a word of the name, or all of it is in the number.
fn fits(typed: &str, name: Option<&str>, number: &str) -> bool {
    let typed = typed.trim().to_lowercase();
    let name = name.unwrap_or_default().to_lowercase();
    let begins = |word: &str| name.split(|c: char| !c.is_alphanumeric()).any(|part| part.starts_with(word));
    typed.split_whitespace().all(begins) || bare(&number.to_lowercase()).contains(&bare(&typed))
}

fn person(one: &Colleague, actions: Vec<Action>) -> Person {
    let (word, lamp) = lamp(one.presence);
    let hint = one.unknown_because.clone().filter(|_| one.presence == Presence::Unknown);
    let whole = hint.as_ref().map_or_else(|| word.to_owned(), |why| format!("{word}: {why}"));
    Person {
        name: one.name.clone(),
        number: one.number.clone(),
        detail: if one.name == one.number { word.to_owned() } else { format!("{} · {word}", one.number) },
        lamp,
        actions,
        said: format!("{}, {}, {whole}", one.name, one.number),
        hint,
    }
}

/// Word and lamp of a state.
fn lamp(presence: Presence) -> (&'static str, (Icon, Tone)) {
    match presence {
        Presence::Free => (t().presence_free, (icon::FREE, Tone::Go)),
        Presence::Ringing => (t().presence_ringing, (icon::RINGING, Tone::Accent)),
        Presence::Busy => (t().presence_busy, (icon::BUSY, Tone::Stop)),
        Presence::Away => (t().presence_away, (icon::AWAY, Tone::Hold)),
        Presence::NotRegistered => (t().presence_not_registered, (icon::NOT_REGISTERED, Tone::Neutral)),
        Presence::Unknown => (t().presence_unknown, (icon::UNKNOWN, Tone::Neutral)),
    }
}

/// The name of the button.
pub fn action_name(action: Action, person: &Person) -> String {
    let template = match action {
        Action::Call => t().call_somebody,
        Action::PickUp => t().pick_up,
        Action::Transfer { .. } => t().transfer_to_call,
    };
    fill(template, &[&person.name])
}

pub fn recent(entry: &HistoryEntry) -> Recent {
    let title = entry.peer_name.clone().unwrap_or_else(|| entry.peer.clone());
    let outcome = match (entry.kind, entry.duration_s) {
        (HistoryKind::Missed, _) => t().missed.to_owned(),
        (HistoryKind::AnsweredElsewhere, _) => t().answered_elsewhere.to_owned(),
        (HistoryKind::Failed, _) | (HistoryKind::Outgoing, None) => t().not_connected.to_owned(),
        (HistoryKind::Incoming, None) => t().rejected.to_owned(),
        (_, Some(seconds)) => clock(Duration::from_secs(seconds)),
    };
    let number = entry.peer_name.is_some().then(|| entry.peer.clone()).filter(|peer| !peer.is_empty());
    let way = way(entry.called.as_deref(), entry.forwarded_by.as_deref());
    let detail = [number, way, Some(outcome)].into_iter().flatten().collect::<Vec<_>>().join(" · ");
    let name = format!("{}, {}, {}, {}", direction(entry.kind), title, detail, entry.when);
    Recent { id: entry.id, title, detail, when: entry.when.clone(), kind: entry.kind, peer: entry.peer.clone(), name }
}

pub fn direction(kind: HistoryKind) -> &'static str {
    match kind {
        HistoryKind::Incoming => t().incoming,
        HistoryKind::Outgoing | HistoryKind::Failed => t().outgoing,
        HistoryKind::Missed => t().missed,
        HistoryKind::AnsweredElsewhere => t().answered_elsewhere,
    }
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn words_and_digits_find_people() {
        for (typed, name, number, wanted) in [
            ("", Some("Maria Dlamini"), "101", true),
            ("dla", Some("Maria Dlamini"), "101", true),
            ("mar dl", Some("Maria Dlamini"), "101", true),
            ("lamini", Some("Maria Dlamini"), "101", false),
            ("555 01", None, "+27 21 555-0142", true),
            ("142", None, "+27 21 555-0142", true),
            ("143", None, "+27 21 555-0142", false),
            ("ÞÓR", Some("Chloë Þórsdóttir"), "7", true),
        ] {
            assert_eq!(fits(typed, name, number), wanted, "{typed:?} in {name:?} {number:?}");
        }
    }
}
