use crate::{
    number::bare,
    ui::{
        icon::Icon,
        screen::{Tone, calls::data::who, people::data::people},
        snapshot::{CallState, Snapshot, Transfer},
        text::{fill, t},
    },
};

/// Where a call can be transferred to.
#[derive(Debug, PartialEq)]
pub struct Panel {
    /// What fits what has been typed: colleagues with their lamps, people called lately, extensions.
    pub suggestions: Vec<Suggestion>,
    /// Other calls, whose parties can be joined with this one's.
    pub others: Vec<Other>,
}

#[derive(Debug, PartialEq)]
pub struct Suggestion {
    pub title: String,
    pub detail: Option<String>,
    pub to: String,
    pub lamp: Option<(Icon, Tone)>,
}

#[derive(Debug, PartialEq)]
pub struct Other {
    /// Whose party is sent, and to which call: the one that waits is sent to the one in hand.
    pub call: u32,
    pub with: u32,
    pub label: String,
}

/// Rows under the field.
const MOST: usize = 12;

pub fn panel(snapshot: &Snapshot, call: u32, typed: &str) -> Panel {
    let typed = typed.trim().to_lowercase();
    let mut suggestions: Vec<Suggestion> = Vec::new();
    let talked_to = |to: &str| snapshot.calls.iter().any(|one| one.peer == to);
    let mut suggest = |title: &str, detail: Option<&str>, to: &str, lamp: Option<(Icon, Tone)>| {
        let fits =
            typed.is_empty() || title.to_lowercase().contains(&typed) || bare(&to.to_lowercase()).contains(&typed);
        // What stands in the field already needs no row, and who is in a call has a button or is sent himself.
        let is_new = to.to_lowercase() != typed && !talked_to(to) && !suggestions.iter().any(|s| s.to == to);
        if fits && is_new && !to.is_empty() && suggestions.len() < MOST {
            let (title, detail) = (title.to_owned(), detail.map(str::to_owned));
            suggestions.push(Suggestion { title, detail, to: to.into(), lamp });
        }
    };
    for person in people(snapshot, "") {
        suggest(&person.name, Some(&person.detail), &person.number, Some(person.lamp));
    }
    for entry in &snapshot.history {
        let detail = entry.peer_name.is_some().then_some(entry.peer.as_str());
        suggest(entry.peer_name.as_deref().unwrap_or(&entry.peer), detail, &entry.peer, None);
    }
    let own = snapshot.registrations.iter().find(|row| row.selected).map(|row| row.extension.as_str());
    for row in snapshot.registrations.iter().filter(|row| Some(row.extension.as_str()) != own) {
        suggest(&fill(t().extension, &[&row.extension]), None, &row.extension, None);
    }
    Panel { suggestions, others: others(snapshot, call) }
}

fn others(snapshot: &Snapshot, call: u32) -> Vec<Other> {
    let held = |state: &CallState| *state == CallState::Held;
    let answered = |state: &CallState| held(state) || matches!(state, CallState::Connected | CallState::RemoteHeld);
    let Some(this) = snapshot.calls.iter().find(|one| one.id == call && answered(&one.state)) else { return vec![] };
    let others = snapshot.calls.iter().filter(|one| one.id != call && answered(&one.state));
    others
        .map(|other| {
            let (sent, to) = if held(&other.state) { (other, this) } else { (this, other) };
            let label = fill(t().transfer_to_call, &[&who(other).0]);
            Other { call: sent.id, with: to.id, label }
        })
        .collect()
}

/// A transfer under way, in words.
pub fn progress(transfer: Option<&Transfer>) -> Option<&'static str> {
    match transfer {
        Some(Transfer::Trying { ringing: false }) => Some(t().transferring),
        Some(Transfer::Trying { ringing: true }) => Some(t().transfer_ringing),
        Some(Transfer::Failed { .. }) | None => None,
    }
}

/// The question to the person, in words.
pub fn question(snapshot: &Snapshot) -> Option<String> {
    let asked = snapshot.dial_asked.as_ref()?;
    Some(fill(t().dial_asked, &[&asked.from, &asked.to]))
}
