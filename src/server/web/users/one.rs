//! One user: name, e-mail address, role, a link for a new password, enabled or not.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use maud::{Markup, Render, html};
use serde::Deserialize;

use super::{address, at, chosen, roles};
use crate::server::{
    http::{
        App,
        input::{Peer, Segments},
        problem::{Answer, ApiError},
    },
    logins::manage::{self, LoginChange, ManagedLogin},
    second_factor,
    sessions::{Access, Right, Role, State as LoginState},
    setup,
    web::{
        accounts,
        guard::Form,
        parts::{self, Field, Refusal},
        set_up,
        shell::Section,
        visitor::Signed,
    },
};

pub async fn page(
    State(app): State<Arc<App>>,
    signed: Signed,
    Segments((tenant, username)): Segments<(String, String)>,
) -> Answer<Response> {
    let login = read(&app, &signed, &tenant, &username).await?;
    shown(&app, &signed, &tenant, &login, None).await
}

pub(super) async fn read(app: &App, signed: &Signed, tenant: &str, username: &str) -> Answer<ManagedLogin> {
    let login = manage::read(app, &signed.manager, tenant, username).await?;
    login.ok_or_else(|| ApiError::not_found(format_args!("The user {username}")))
}

async fn shown(
    app: &App,
    signed: &Signed,
    tenant: &str,
    login: &ManagedLogin,
    refusal: Option<&Refusal>,
) -> Answer<Response> {
    let access = signed.manager.account(app, tenant, Right::ManageLogins).await?;
    // What the rules would refuse is not offered.
    let person = !login.elsewhere || signed.manager.operator;
    let own = login.username == signed.manager.username;
    let offers = Offers { person, own, second_factor: app.second_factor_demanded };
    let path = address(tenant, &login.username);
    let form_token = signed.form_token();
    let body = html! {
        div.head {
            div {
                div.crumb { a href=(Section::Users.of(tenant)) { (Section::Users.title()) } }
                h1 { (login.name) }
                p.weak { (login.username) }
            }
            (accounts::state(login.state))
        }
        (parts::trouble(refusal, &["name", "email"]))
        (details(&access, &path, login, person, &form_token, refusal))
        (way_in(&path, login, &offers, &form_token))
    };
    Ok(at(signed, &access, &login.name, refusal, &body))
}

/// Who it is, and as what.
fn details(
    access: &Access,
    path: &str,
    login: &ManagedLogin,
    person: bool,
    form_token: &str,
    refusal: Option<&Refusal>,
) -> Markup {
    let ranked = access.role >= Role::Admin;
    html! {
        div.card.pad {
            h2 { "User" }
            @if !person {
                dl.facts {
                    dt { "E-mail" } dd { (login.email.as_deref().unwrap_or("None")) }
                    @if !ranked { dt { "Role" } dd { (accounts::role(login.role)) } }
                }
                p.small.weak { "This login is on other accounts too; only an operator alters its name and e-mail address." }
            }
            @if person || ranked {
                form.stack method="post" action=(path) {
                    (parts::hidden(form_token))
                    @if person {
                        (Field::text("name", "Full name").value(&login.name).refusal(refusal).render())
                        (Field::text("email", "E-mail").value(login.email.as_deref().unwrap_or_default()).longest(254).optional()
                            .hint("Links for a new password are sent to it.").refusal(refusal).render())
                    }
                    @if ranked { (parts::select("role", "Role", &roles(access), login.role.written())) }
                    div.row { button.main type="submit" { "Update" } }
                }
            }
        }
    }
}

/// What is offered of a login.
struct Offers {
    /// A way back in: it is nobody else's to look after.
    person: bool,
    /// It is one's own, which is looked after in the profile.
    own: bool,
    /// To let two-step sign-in be turned on, which is demanded.
    second_factor: bool,
}

/// Password, second factor and state.
fn way_in(path: &str, login: &ManagedLogin, offers: &Offers, form_token: &str) -> Markup {
    html! {
        div.card.pad {
            h2 { "Sign-in" }
            @if offers.own {
                p.small.weak { "This is your own login: " a href="/profile" { "your profile" } " has its password and second factor." }
            } @else {
                @if offers.person { (way_back_in(path, login, offers.second_factor, form_token)) }
                (way_out(path, login, form_token))
            }
        }
    }
}

/// For who has lost the password, or what shows the codes.
fn way_back_in(path: &str, login: &ManagedLogin, demanded: bool, form_token: &str) -> Markup {
    html! {
        form method="post" action={ (path) "/link" } {
            (parts::hidden_once(form_token))
            div.row {
                button type="submit" { "Make a link to set a new password" }
                span.small.weak { "Good once and for 30 minutes. The present password works until the link is used." }
            }
        }
        @if login.second_factor {
            div.row {
                a.button href={ (path) "/second-factor" } data-dialog { "Remove second factor" }
                span.small.weak { "Two-step sign-in is on. For who has lost the authenticator and the recovery codes." }
            }
        } @else if demanded {
            form method="post" action={ (path) "/second-factor/allow" } {
                (parts::hidden(form_token))
                div.row {
                    button type="submit" { "Allow two-step sign-in" }
                    span.small.weak { "It is off, and demanded of whoever manages others. Be sure that its owner asks you for it: within a week, \
                        whoever knows the password may turn it on." }
                }
            }
        }
    }
}

fn way_out(path: &str, login: &ManagedLogin, form_token: &str) -> Markup {
    let (off, words) = match login.state {
        LoginState::Disabled => (false, "Enable"),
        LoginState::Enabled | LoginState::Pending => (true, "Disable"),
    };
    html! {
        form method="post" action={ (path) "/state" } {
            (parts::hidden(form_token))
            input type="hidden" name="enabled" value=(if off { "no" } else { "yes" });
            div.row {
                button.stop[off] type="submit" { (words) }
                span.small.weak { @if off {
                    "Disabling ends its sessions at once, here and in Agent Manager."
                } @else {
                    "Enabling lets it sign in again."
                } }
            }
        }
        div.row {
            a.button href={ (path) "/remove" } data-dialog { "Remove from this account" }
            span.small.weak { "Signs it out and takes its extensions from it." }
        }
    }
}

pub async fn send_link(
    State(app): State<Arc<App>>,
    signed: Signed,
    peer: Peer,
    Segments((tenant, username)): Segments<(String, String)>,
) -> Answer<Response> {
    match parts::refused(setup::invite(&app, &signed.manager, peer, &tenant, &username).await)? {
        Ok(invitation) => {
            let access = signed.manager.account(&app, &tenant, Right::ManageLogins).await?;
            let body = html! {
                (parts::crumb(&address(&tenant, &username), &invitation.name))
                (parts::head("Link to set a new password", None, &html! {}))
                (set_up::link(&invitation, "set a new password"))
                div.row { a.button.main href=(address(&tenant, &username)) { "Done" } }
            };
            Ok(at(&signed, &access, "Link to set a new password", None, &body))
        }
        Err(refusal) => {
            let login = read(&app, &signed, &tenant, &username).await?;
            shown(&app, &signed, &tenant, &login, Some(&refusal)).await
        }
    }
}

pub async fn allow_second_factor(
    State(app): State<Arc<App>>,
    signed: Signed,
    peer: Peer,
    Segments((tenant, username)): Segments<(String, String)>,
) -> Answer<Response> {
    match parts::refused(second_factor::allow(&app, &signed.manager, peer, &tenant, &username).await)? {
        Ok(()) => Ok(signed.to(&address(&tenant, &username), "Two-step sign-in may be turned on within a week.")),
        Err(refusal) => {
            let login = read(&app, &signed, &tenant, &username).await?;
            shown(&app, &signed, &tenant, &login, Some(&refusal)).await
        }
    }
}

#[derive(Deserialize)]
pub struct Given {
    name: Option<String>,
    email: Option<String>,
    role: Option<String>,
}

pub async fn update(
    State(app): State<Arc<App>>,
    signed: Signed,
    peer: Peer,
    Segments((tenant, username)): Segments<(String, String)>,
    Form(given): Form<Given>,
) -> Answer<Response> {
    let mut login = read(&app, &signed, &tenant, &username).await?;
    let role = given.role.as_deref().map(chosen).transpose()?;
    let email = given.email.map(|email| Some(email.trim().to_owned()).filter(|email| !email.is_empty()));
    // Only what is new: nobody alters his own role, but may send the form.
    let change = LoginChange {
        name: given.name.clone().filter(|name| *name != login.name),
        email: email.clone().filter(|email| *email != login.email),
        role: role.filter(|role| *role != login.role),
        ..LoginChange::default()
    };
    match parts::refused(manage::update(&app, &signed.manager, peer, &tenant, &username, change).await)? {
        Ok(_) => Ok(signed.to(&address(&tenant, &username), "The user was updated.")),
        Err(refusal) => {
            login.name = given.name.unwrap_or(login.name);
            login.email = email.unwrap_or(login.email);
            login.role = role.unwrap_or(login.role);
            shown(&app, &signed, &tenant, &login, Some(&refusal)).await
        }
    }
}

#[derive(Deserialize)]
pub struct StateGiven {
    enabled: String,
}

pub async fn switch(
    State(app): State<Arc<App>>,
    signed: Signed,
    peer: Peer,
    Segments((tenant, username)): Segments<(String, String)>,
    Form(given): Form<StateGiven>,
) -> Answer<Response> {
    let on = given.enabled == "yes";
    let change = LoginChange { enabled: Some(on), ..LoginChange::default() };
    match parts::refused(manage::update(&app, &signed.manager, peer, &tenant, &username, change).await)? {
        Ok(_) => {
            let said = if on { "The user was enabled." } else { "The user was disabled; its sessions have ended." };
            Ok(signed.to(&address(&tenant, &username), said))
        }
        Err(refusal) => {
            let login = read(&app, &signed, &tenant, &username).await?;
            shown(&app, &signed, &tenant, &login, Some(&refusal)).await
        }
    }
}
