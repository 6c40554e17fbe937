//! Selecting the account, and the account's own page, where a new user ticks *Account enabled*.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::{
    guard::{Form, ticked},
    icon::Icon,
    parts::{self, Refusal},
    shell::Section,
    visitor::{At, Signed},
};
use crate::server::{
    http::{
        App,
        input::{Peer, Segments},
        problem::{Answer, ApiError},
    },
    sessions::{
        Role, State as Standing,
        own::{self, OwnMembership},
    },
};

/// Every account that somebody may select.
pub async fn select(State(app): State<Arc<App>>, signed: Signed) -> Answer<Response> {
    let memberships = own::memberships(&app, &signed.manager).await?;
    Ok(signed.page(Section::Accounts, "Select account", &choices(&memberships)))
}

fn choices(memberships: &[OwnMembership]) -> Markup {
    html! {
        (parts::head("Select account", None, &html! {}))
        div.card {
            @if memberships.is_empty() {
                div.empty {
                    h2 { "No account yet" }
                    p { "Your login belongs to no account. Whoever manages your TMS can add it to one." }
                }
            } @else {
                div.choices {
                    @for membership in memberships {
                        a href=(chosen(membership)) {
                            div.two-lines {
                                strong { (membership.account) }
                                span.weak { (membership.tenant) " · " (role(membership.role)) }
                            }
                            (state(membership.state))
                            (Icon::Right.draw())
                        }
                    }
                }
            }
        }
    }
}

/// Where selecting an account leads.
fn chosen(membership: &OwnMembership) -> String {
    let section = if membership.state == Standing::Enabled { Section::Extensions } else { Section::Account };
    section.of(&membership.tenant)
}

pub fn role(role: Role) -> &'static str {
    match role {
        Role::Admin => "Administrator",
        Role::Manager => "Manager",
        Role::Extension => "Extension user",
    }
}

pub fn state(state: Standing) -> Markup {
    match state {
        Standing::Enabled => html! { span.mark.go { "Enabled" } },
        Standing::Pending => html! { span.mark.hold { "Not enabled yet" } },
        Standing::Disabled => html! { span.mark.stop { "Disabled" } },
    }
}

/// The account's own page.
pub async fn page(State(app): State<Arc<App>>, signed: Signed, Segments(tenant): Segments<String>) -> Answer<Response> {
    let membership = own_membership(&app, &signed, &tenant).await?;
    Ok(shown(&signed, &membership, None))
}

#[derive(Deserialize)]
pub struct Enable {
    enabled: Option<String>,
}

/// *Account enabled* was ticked.
pub async fn enable(
    State(app): State<Arc<App>>,
    signed: Signed,
    peer: Peer,
    Segments(tenant): Segments<String>,
    Form(form): Form<Enable>,
) -> Answer<Response> {
    let membership = own_membership(&app, &signed, &tenant).await?;
    if !ticked(form.enabled.as_ref()) {
        return Ok(shown(&signed, &membership, Some(Refusal::new("Tick Account enabled to use this account."))));
    }
    match parts::refused(own::enable(&app, &signed.manager, peer, &tenant).await)? {
        Ok(()) => {
            Ok(signed
                .to(&Section::Account.of(&tenant), "The account is enabled; Agent Manager can use your login now."))
        }
        Err(refusal) => Ok(shown(&signed, &membership, Some(refusal))),
    }
}

async fn own_membership(app: &App, signed: &Signed, tenant: &str) -> Answer<OwnMembership> {
    let memberships = own::memberships(app, &signed.manager).await?;
    let membership = memberships.into_iter().find(|m| m.tenant == tenant);
    membership.ok_or_else(|| ApiError::not_found(format_args!("The account {tenant}")))
}

fn shown(signed: &Signed, membership: &OwnMembership, refusal: Option<Refusal>) -> Response {
    let at = At::of_membership(membership);
    let body = overview(membership, &signed.form_token(), refusal.as_ref());
    signed.page_at(&at, Section::Account, parts::status(refusal.as_ref()), "Account", None, &body)
}

fn overview(membership: &OwnMembership, form_token: &str, refusal: Option<&Refusal>) -> Markup {
    let pending = membership.state == Standing::Pending;
    html! {
        (parts::head(&membership.account, Some(&html! { (role(membership.role)) " on " span.code { (membership.tenant) } }), &html! {}))
        (parts::trouble(refusal, &[]))
        div.card.pad {
            div.row { h2 { "Your login on this account" } (state(membership.state)) }
            @if membership.state == Standing::Disabled {
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
                                "Agent Manager can use this login: its user name, its password, and the API key you were given."
                            } }
                        }
                    }
                    @if pending { div.row { button.main type="submit" { "Save" } } }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn membership(state: Standing) -> OwnMembership {
        OwnMembership { tenant: "acme".into(), account: "A & B".into(), role: Role::Extension, state }
    }

    #[test]
    fn only_a_pending_login_has_something_to_tick() {
        for (state, ticks, word) in [
            (Standing::Pending, true, "Until then Agent Manager cannot use it"),
            (Standing::Enabled, false, "Agent Manager can use this login"),
            (Standing::Disabled, false, "has disabled your login"),
        ] {
            let page = overview(&membership(state), "token", None).into_string();
            assert_eq!(page.contains("<button"), ticks, "{state:?}");
            assert!(page.contains(word) && page.contains("A &amp; B"), "{page}");
        }
    }

    #[test]
    fn selecting_an_account_leads_to_what_is_next_there() {
        assert_eq!(chosen(&membership(Standing::Pending)), "/accounts/acme");
        assert_eq!(chosen(&membership(Standing::Enabled)), "/accounts/acme/extensions");
        assert!(choices(&[]).into_string().contains("belongs to no account"));
    }
}
