//! The account's own page: one's login on it, with *Account enabled* to tick; its settings for those who may alter them.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::{operator, role, state};
use crate::server::{
    accounts::manage as accounts,
    http::{
        App,
        input::{Peer, Segments},
        problem::Answer,
    },
    sessions::{
        Access, Right, Role, State as LoginState,
        own::{self as sessions, OwnMembership},
    },
    web::{
        guard::{Form, ticked},
        parts::{self, Refusal},
        shell::Section,
        visitor::{At, Signed},
    },
};

pub async fn page(State(app): State<Arc<App>>, signed: Signed, Segments(tenant): Segments<String>) -> Answer<Response> {
    shown(&app, &signed, &tenant, None, None).await
}

#[derive(Deserialize)]
pub struct Given {
    enabled: Option<String>,
}

/// *Account enabled* was ticked.
pub async fn enable(
    State(app): State<Arc<App>>,
    signed: Signed,
    peer: Peer,
    Segments(tenant): Segments<String>,
    Form(given): Form<Given>,
) -> Answer<Response> {
    if !ticked(given.enabled.as_ref()) {
        let refusal = Refusal::new("Tick Account enabled to use this account.");
        return shown(&app, &signed, &tenant, Some(&refusal), None).await;
    }
    match parts::refused(sessions::enable(&app, &signed.manager, peer, &tenant).await)? {
        Ok(()) => {
            let said = "The account is enabled; Agent Manager can use your login now.";
            Ok(signed.to(&Section::Account.of(&tenant), said))
        }
        Err(refusal) => shown(&app, &signed, &tenant, Some(&refusal), None).await,
    }
}

/// The page. What a form on it was refused for stands above, and what was typed for the settings stays.
pub(super) async fn shown(
    app: &App,
    signed: &Signed,
    tenant: &str,
    refusal: Option<&Refusal>,
    typed: Option<&operator::Changed>,
) -> Answer<Response> {
    let memberships = sessions::memberships(app, &signed.manager).await?;
    let own = memberships.iter().find(|m| m.tenant == tenant);
    let form_token = signed.form_token();
    let answer = |at: &At, body: &Markup| {
        signed.page_at(at, Section::Account, parts::status(refusal), Section::Account.title(), None, body)
    };
    if let Some(own) = own.filter(|own| own.state != LoginState::Enabled) {
        let body = html! {
            (parts::head(&own.account, None, &html! {}))
            (parts::trouble(refusal, &[]))
            (login(own, &form_token))
        };
        return Ok(answer(&At::of_membership(own), &body));
    }
    let access = signed.manager.account(app, tenant, Right::SeeAccount).await?;
    let mut managed = accounts::read(app, &signed.manager, tenant).await?;
    if let Some(typed) = typed {
        typed.show_in(&mut managed);
    }
    let body = html! {
        (parts::head(&access.account.account.name, None, &html! {}))
        (parts::trouble(refusal, &["name", "time_zone", "emergency_numbers"]))
        @if let Some(own) = own { (login(own, &form_token)) }
        @if access.role >= Role::Admin { (operator::settings(&managed, signed.manager.operator, &form_token, refusal)) }
        @else { (facts(&access)) }
    };
    Ok(answer(&At::of(&access), &body))
}

fn login(membership: &OwnMembership, form_token: &str) -> Markup {
    let pending = membership.state == LoginState::Pending;
    html! {
        div.card.pad {
            div.row { h2 { "Your login on this account" } (state(membership.state)) }
            @if membership.state == LoginState::Disabled {
                p { "Whoever manages your TMS has disabled your login on this account, and can enable it again." }
            } @else {
                form.stack method="post" action=(Section::Account.of(&membership.tenant)) {
                    (parts::hidden(form_token))
                    label.tick {
                        input type="checkbox" name="enabled" value="yes" checked[!pending] disabled[!pending] data-sends;
                        span {
                            strong { "Account enabled" } br;
                            span.weak { @if pending {
                                "Tick this once to confirm that the login is yours. Until then Agent Manager cannot use it."
                            } @else {
                                (role(membership.role)) ". Agent Manager can use this login."
                            } }
                        }
                    }
                    @if pending { div.row { button.main type="submit" { "Save" } } }
                }
            }
        }
    }
}

fn facts(access: &Access) -> Markup {
    html! {
        div.card.pad {
            h2 { "Account" }
            dl.facts {
                dt { "Tenant" } dd.code { (access.account.account.tenant) }
                dt { "SIP domain and realm" } dd.code { (access.account.realm()) }
                dt { "Edition" } dd { (super::edition(access.account.account.edition)) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_pending_login_has_something_to_tick() {
        for (state, ticks, word) in [
            (LoginState::Pending, true, "Until then Agent Manager cannot use it"),
            (LoginState::Enabled, false, "Agent Manager can use this login"),
            (LoginState::Disabled, false, "has disabled your login"),
        ] {
            let membership =
                OwnMembership { tenant: "acme".into(), account: "A & B".into(), role: Role::Extension, state };
            let page = login(&membership, "token").into_string();
            assert_eq!(page.contains("<button"), ticks, "{state:?}");
            assert!(page.contains(word), "{page}");
        }
    }
}
