//! Whether Agent Manager can sign in for this extension: each thing that it needs, and the way to what is missing.

use maud::{Markup, html};

use super::{Open, Tab};
use crate::{
    server::{
        logins::manage::ManagedLogin,
        sessions::State,
        web::{icon::Icon, shell::Section, users},
    },
    tms::wire::{Edition, Kind},
};

/// One thing that Agent Manager needs.
struct Need {
    met: bool,
    words: String,
    /// Where it is mended.
    way: String,
}

/// What is there and what is missing, in the order in which it is set up.
pub fn card(open: &Open, owner: Option<&ManagedLogin>) -> Markup {
    let needs = [account(open, owner), activated(open, owner), key(open), registration(open)];
    let ready = needs.iter().all(|need| need.met);
    html! {
        div.card.pad {
            div.row {
                h2 { "Agent Manager" }
                @if ready { span.mark.go { "Ready" } } @else { span.mark.hold { "Not ready" } }
            }
            ul.needs {
                @for need in &needs {
                    li.met[need.met] {
                        (if need.met { Icon::Done.draw() } else { Icon::Todo.draw() })
                        @if need.met { span { (need.words) } } @else { a href=(need.way) { (need.words) } }
                    }
                }
            }
            @if owner.is_none() {
                div.row {
                    a.button.main href={ (Section::Account.of(open.tenant())) "/set-up/" (open.extension.number) } {
                        (Icon::Wand.draw()) "Set up an agent"
                    }
                    span.small.weak { "All of it at once, with one link to send." }
                }
            }
        }
    }
}

fn account(open: &Open, owner: Option<&ManagedLogin>) -> Need {
    let words = match owner {
        Some(owner) => format!("{} uses it, as {}", owner.name, owner.username),
        None => "No TMS account uses it".to_owned(),
    };
    Need { met: owner.is_some(), words, way: open.path(Tab::TmsAdmin) }
}

fn activated(open: &Open, owner: Option<&ManagedLogin>) -> Need {
    let words = match owner.map(|owner| owner.state) {
        Some(State::Enabled) => "The login is enabled",
        Some(State::Pending) => "Its owner has still to sign in here once and tick Account enabled",
        Some(State::Disabled) => "The login is disabled",
        None => "The login has to be enabled by its owner",
    };
    let met = owner.is_some_and(|owner| owner.state == State::Enabled);
    let way = match owner {
        Some(owner) if owner.state == State::Disabled => users::address(open.tenant(), &owner.username),
        _ => open.path(Tab::TmsAdmin),
    };
    Need { met, words: words.to_owned(), way }
}

fn key(open: &Open) -> Need {
    let met = open.extension.api_key.is_some();
    let words = if met { "An API key is enabled on it" } else { "No API key is enabled on it" };
    Need { met, words: words.to_owned(), way: open.path(Tab::ApiKey) }
}

fn registration(open: &Open) -> Need {
    let mut usable = open.registrations.iter().filter(|r| r.enabled);
    let secondary = usable.clone().find(|r| r.kind == Kind::S);
    let (met, words) = match (secondary, usable.any(|r| r.kind == Kind::P), open.access.account.account.edition) {
        (Some(secondary), _, _) => (true, format!("{} is a registration of its own for it", secondary.name)),
        (None, true, Edition::Express) => (true, "It uses the primary registration".to_owned()),
        (None, true, _) => (true, "It uses the primary; add a registration to keep a desk phone beside it".to_owned()),
        (None, false, _) => (false, "Every registration is disabled".to_owned()),
    };
    Need { met, words, way: open.path(Tab::Registrations) }
}
