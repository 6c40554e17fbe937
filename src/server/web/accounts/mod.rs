//! Selecting the account, and the account's own page, where a new user ticks *Account enabled*. Operators find every account,
//! add one and alter it.

mod home;
mod operator;

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    response::Response,
    routing::{get, post},
};
use maud::{Markup, html};

use super::{
    icon::Icon,
    parts::{self, Refusal},
    shell::Section,
    visitor::Signed,
};
use crate::{
    server::{
        accounts::manage::{self, ManagedAccount},
        http::{
            App,
            input::Asked,
            page::{Listed, Page},
            problem::Answer,
        },
        sessions::{
            Role, State as LoginState,
            own::{self, OwnMembership},
        },
    },
    tms::wire::Edition,
};

pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/accounts", get(select))
        .route("/accounts/new", get(operator::new).post(operator::create))
        .route("/accounts/{tenant}", get(home::page).post(home::enable))
        .route("/accounts/{tenant}/settings", post(operator::update))
}

/// Every account that somebody may select.
async fn select(State(app): State<Arc<App>>, signed: Signed, Asked(asked): Asked<Page>) -> Answer<Response> {
    let memberships = own::memberships(&app, &signed.manager).await?;
    let body = if signed.manager.operator {
        if let Err(refusal) = parts::refused(signed.manager.must_be_operator())? {
            return Ok(signed.page_with(refusal.status, Section::Accounts, "Accounts", &barred(&refusal)));
        }
        let asked = parts::short(asked);
        let listed = manage::list(&app, &signed.manager, &asked).await?;
        every(&listed, &asked)
    } else {
        choices(&memberships)
    };
    Ok(signed.page(Section::Accounts, if signed.manager.operator { "Accounts" } else { "Select account" }, &body))
}

/// Why an operator sees none, with the way out.
fn barred(refusal: &Refusal) -> Markup {
    html! {
        (parts::head("Accounts", None, &html! {}))
        (parts::trouble(Some(refusal), &[]))
        div.row { a.button.main href="/profile" { (Section::Profile.title()) } }
    }
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
    let section = match membership.state {
        LoginState::Enabled => Section::Extensions,
        LoginState::Pending | LoginState::Disabled => Section::Account,
    };
    section.of(&membership.tenant)
}

fn every(listed: &Listed<ManagedAccount>, asked: &Page) -> Markup {
    let add = html! { a.button.main href="/accounts/new" data-dialog { (Icon::Add.draw()) "Add New Account" } };
    html! {
        (parts::head("Accounts", None, &add))
        div.card {
            header { (parts::search("/accounts", "Search by name or tenant", asked)) }
            @if listed.rows.is_empty() {
                div.empty {
                    @if parts::searched(asked) {
                        h2 { "Nothing found" }
                        p { "No account has that in its name or tenant." }
                    } @else {
                        h2 { "No account yet" }
                        p { "Add the first one; its administrator comes next." }
                    }
                }
            } @else {
                div.scroll {
                    table.folds {
                        thead { tr { th scope="col" { "Account" } th scope="col" { "Edition" } th scope="col" { "State" } } }
                        tbody {
                            @for row in &listed.rows {
                                tr.opens {
                                    td {
                                        a.opens.two-lines href=(Section::Extensions.of(&row.account.tenant)) {
                                            strong { (row.account.name) }
                                            span.weak {
                                                (row.account.tenant)
                                                @if let Some(parent) = &row.parent { ", under " (parent) }
                                            }
                                        }
                                    }
                                    td data-label="Edition" { (edition(row.account.edition)) }
                                    td data-label="State" {
                                        @if row.enabled { span.mark.go { "Enabled" } } @else { span.mark.stop { "Disabled" } }
                                    }
                                }
                            }
                        }
                    }
                }
                (parts::pages("/accounts", asked, listed.next))
            }
        }
    }
}

pub fn role(role: Role) -> &'static str {
    match role {
        Role::Admin => "Administrator",
        Role::Manager => "Manager",
        Role::Extension => "Extension user",
    }
}

pub fn state(state: LoginState) -> Markup {
    match state {
        LoginState::Enabled => html! { span.mark.go { "Enabled" } },
        LoginState::Pending => html! { span.mark.hold { "Not enabled yet" } },
        LoginState::Disabled => html! { span.mark.stop { "Disabled" } },
    }
}

fn edition(edition: Edition) -> &'static str {
    match edition {
        Edition::Express => "Express",
        Edition::Enterprise => "Enterprise",
        Edition::Integrator => "Integrator",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selecting_an_account_leads_to_what_is_next_there() {
        for (state, leads) in [
            (LoginState::Pending, "/accounts/acme"),
            (LoginState::Disabled, "/accounts/acme"),
            (LoginState::Enabled, "/accounts/acme/extensions"),
        ] {
            let membership =
                OwnMembership { tenant: "acme".into(), account: "A & B".into(), role: Role::Extension, state };
            assert_eq!(chosen(&membership), leads);
            assert!(choices(&[membership]).into_string().contains("A &amp; B"));
        }
        assert!(choices(&[]).into_string().contains("belongs to no account"));
    }
}
