//! Tab *TMS Admin*: the TMS account that uses this extension. *Create TMS account for this extension*, or *Assign this
//! extension to an existing TMS account*.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use maud::{Markup, Render, html};
use serde::Deserialize;

use super::{Open, Tab};
use crate::server::{
    extensions::manage::{self, ExtensionChange},
    http::{
        App,
        input::{Peer, Segments},
        page::Page,
        problem::Answer,
    },
    logins::manage::{self as logins, ManagedLogin, NewLoginBody},
    sessions::{Right, Role},
    web::{
        accounts,
        guard::Form,
        icon::Icon,
        parts::{self, Field, Refusal},
        visitor::Signed,
    },
};

pub async fn page(
    State(app): State<Arc<App>>,
    signed: Signed,
    Segments((tenant, number)): Segments<(String, String)>,
) -> Answer<Response> {
    let open = managed(&app, &signed, &tenant, &number).await?;
    let owner = match &open.extension.login {
        Some(username) => logins::read(&app, &signed.manager, &tenant, username).await?,
        None => None,
    };
    Ok(open.page(&signed, Tab::TmsAdmin, None, &body(&open, owner.as_ref())))
}

async fn managed(app: &App, signed: &Signed, tenant: &str, number: &str) -> Answer<Open> {
    signed.manager.account(app, tenant, Right::ManageLogins).await?;
    Open::read(app, signed, tenant, number).await
}

fn body(open: &Open, owner: Option<&ManagedLogin>) -> Markup {
    let path = open.path(Tab::TmsAdmin);
    html! {
        div.card.pad {
            div {
                h2 { "TMS account" }
                p.weak { "Whoever uses this extension signs in to Agent Manager and to this TMS with it." }
            }
            @match owner {
                Some(owner) => {
                    dl.facts {
                        dt { "Name" } dd { (owner.name) }
                        dt { "User name" } dd { (owner.username) }
                        dt { "State" } dd { (accounts::state(owner.state)) }
                    }
                    @if owner.state == crate::server::sessions::State::Pending {
                        p.small.weak { "Its owner signs in to this TMS for the first time, selects the account and ticks Account \
                            enabled. Until then Agent Manager refuses it." }
                    }
                    div.row {
                        a.button href={ (path) "/assign" } data-dialog { "Assign this extension to an existing TMS account" }
                        a.button.quiet href={ (path) "/take" } data-dialog { "Take it from this account" }
                    }
                }
                None => {
                    p { "No TMS account uses this extension yet." }
                    div.row {
                        a.button.main href={ (path) "/create" } data-dialog { (Icon::Add.draw()) "Create TMS account for this extension" }
                        a.button href={ (path) "/assign" } data-dialog { "Assign this extension to an existing TMS account" }
                    }
                }
            }
        }
    }
}

#[derive(Default, Deserialize)]
pub struct Given {
    name: String,
    username: String,
    password: String,
}

pub async fn new(
    State(app): State<Arc<App>>,
    signed: Signed,
    Segments((tenant, number)): Segments<(String, String)>,
) -> Answer<Response> {
    let open = managed(&app, &signed, &tenant, &number).await?;
    let given = Given { name: open.extension.name.clone(), ..Given::default() };
    Ok(form(&open, &signed, &given, None))
}

pub async fn create(
    State(app): State<Arc<App>>,
    signed: Signed,
    peer: Peer,
    Segments((tenant, number)): Segments<(String, String)>,
    Form(given): Form<Given>,
) -> Answer<Response> {
    let wanted = NewLoginBody {
        username: given.username.clone(),
        name: given.name.clone(),
        email: None,
        password: given.password.clone(),
        role: Role::Extension,
        extension: Some(number.clone()),
    };
    match parts::refused(logins::create(&app, &signed.manager, peer, &tenant, wanted).await)? {
        Ok(made) => {
            let said = format!(
                "The TMS account {} was created. Its owner signs in here, selects the account and ticks Account enabled.",
                made.username
            );
            Ok(signed.to(&Tab::TmsAdmin.of(&tenant, &number), &said))
        }
        Err(refusal) => {
            let open = managed(&app, &signed, &tenant, &number).await?;
            Ok(form(&open, &signed, &given, Some(&refusal)))
        }
    }
}

fn form(open: &Open, signed: &Signed, given: &Given, refusal: Option<&Refusal>) -> Response {
    let path = open.path(Tab::TmsAdmin);
    let body = html! {
        p.weak { "All fields have to be filled in." }
        (parts::trouble(refusal, &["name", "username", "password"]))
        form.stack method="post" action={ (path) "/create" } {
            (parts::hidden_once(&signed.form_token()))
            (Field::text("name", "Full name").value(&given.name).autocomplete("off").refusal(refusal).render())
            (Field::text("username", "User name").value(&given.username).focused()
                .hint("Mostly an e-mail address. It is what the agent signs in with.").refusal(refusal).render())
            (Field::new_password("password", "Password").refusal(refusal).render())
            (parts::send("Create", &path))
        }
    };
    open.sheet(signed, "Create TMS account for this extension", refusal, &body)
}

/// Logins offered while somebody types; others are found by typing the whole name.
const OFFERED: u32 = 500;

pub async fn choose(
    State(app): State<Arc<App>>,
    signed: Signed,
    Segments((tenant, number)): Segments<(String, String)>,
) -> Answer<Response> {
    assignment(&app, &signed, &tenant, &number, "", None).await
}

#[derive(Deserialize)]
pub struct Assignment {
    login: String,
}

pub async fn assign(
    State(app): State<Arc<App>>,
    signed: Signed,
    peer: Peer,
    Segments((tenant, number)): Segments<(String, String)>,
    Form(given): Form<Assignment>,
) -> Answer<Response> {
    let login = given.login.trim().to_lowercase();
    let change = ExtensionChange { login: Some(Some(login.clone())), ..ExtensionChange::default() };
    match parts::refused(manage::update(&app, &signed.manager, peer, &tenant, &number, change).await)? {
        Ok(_) => {
            let said = format!("Extension {number} belongs to {login} now.");
            Ok(signed.to(&Tab::TmsAdmin.of(&tenant, &number), &said))
        }
        Err(refusal) => assignment(&app, &signed, &tenant, &number, &given.login, Some(&refusal)).await,
    }
}

async fn assignment(
    app: &App,
    signed: &Signed,
    tenant: &str,
    number: &str,
    typed: &str,
    refusal: Option<&Refusal>,
) -> Answer<Response> {
    let open = managed(app, signed, tenant, number).await?;
    let first = Page { limit: Some(OFFERED), ..Page::default() };
    let offered = logins::list(app, &signed.manager, tenant, &first).await?.rows;
    let path = open.path(Tab::TmsAdmin);
    let body = html! {
        (parts::trouble(refusal, &["login"]))
        form.stack method="post" action={ (path) "/assign" } {
            (parts::hidden(&signed.form_token()))
            (Field::text("login", "User name").value(typed).list("logins").focused()
                .hint("Start typing; the account's users are offered.").refusal(refusal).render())
            datalist id="logins" { @for login in &offered { option value=(login.username) { (login.name) } } }
            (parts::send("Assign", &path))
        }
    };
    Ok(open.sheet(signed, "Assign this extension to an existing TMS account", refusal, &body))
}

pub async fn ask_take(
    State(app): State<Arc<App>>,
    signed: Signed,
    Segments((tenant, number)): Segments<(String, String)>,
) -> Answer<Response> {
    let open = managed(&app, &signed, &tenant, &number).await?;
    let path = open.path(Tab::TmsAdmin);
    let body = html! {
        p { "Agent Manager is signed out of this extension. The TMS account itself stays, and the extension can be assigned again." }
        (parts::confirm(&format!("{path}/take"), &signed.form_token(), "Take it away", &path))
    };
    Ok(open.sheet(&signed, &format!("Take extension {number} from its TMS account?"), None, &body))
}

pub async fn take(
    State(app): State<Arc<App>>,
    signed: Signed,
    peer: Peer,
    Segments((tenant, number)): Segments<(String, String)>,
) -> Answer<Response> {
    let change = ExtensionChange { login: Some(None), ..ExtensionChange::default() };
    manage::update(&app, &signed.manager, peer, &tenant, &number, change).await?;
    Ok(signed.to(&Tab::TmsAdmin.of(&tenant, &number), "No TMS account uses this extension any more."))
}
