//! Users: who has a login on the account, as what, and whether it works.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    response::Response,
    routing::{get, post},
};
use maud::{Markup, Render, html};
use serde::Deserialize;

use super::{
    accounts,
    guard::Form,
    icon::Icon,
    parts::{self, Field, Refusal},
    set_up,
    shell::Section,
    visitor::{At, Signed, escape},
};
use crate::server::{
    http::{
        App,
        input::{Asked, Peer, Segments},
        page::{Listed, Page},
        problem::{Answer, ApiError},
    },
    logins::manage::{self, LoginChange, ManagedLogin, NewLoginBody},
    sessions::{Access, Right, Role, State as LoginState},
    setup,
};

pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/accounts/{tenant}/users", get(page))
        .route("/accounts/{tenant}/users/new", get(new).post(create))
        .route("/accounts/{tenant}/users/{username}", get(user).post(update))
        .route("/accounts/{tenant}/users/{username}/state", post(switch))
        .route("/accounts/{tenant}/users/{username}/link", post(send_link))
}

async fn page(
    State(app): State<Arc<App>>,
    signed: Signed,
    Segments(tenant): Segments<String>,
    Asked(asked): Asked<Page>,
) -> Answer<Response> {
    let access = signed.manager.account(&app, &tenant, Right::ManageLogins).await?;
    let asked = parts::short(asked);
    let listed = manage::list(&app, &signed.manager, &tenant, &asked).await?;
    Ok(at(&signed, &access, Section::Users.title(), None, &shown(&tenant, &listed, &asked)))
}

fn at(signed: &Signed, access: &Access, title: &str, refusal: Option<&Refusal>, body: &Markup) -> Response {
    signed.page_at(&At::of(access), Section::Users, parts::status(refusal), title, None, body)
}

fn shown(tenant: &str, listed: &Listed<ManagedLogin>, asked: &Page) -> Markup {
    let base = Section::Users.of(tenant);
    let add = html! { a.button.main href={ (base) "/new" } data-dialog { (Icon::Add.draw()) "Add user" } };
    html! {
        (parts::head(Section::Users.title(), None, &add))
        div.card {
            header { (parts::search(&base, "Search by name or user name", asked)) }
            @if listed.rows.is_empty() {
                div.empty { h2 { "Nobody found" } p { "No user of this account has that in the name." } }
            } @else {
                div.scroll {
                    table.folds {
                        thead { tr { th scope="col" { "User" } th scope="col" { "Role" } th scope="col" { "State" } } }
                        tbody {
                            @for login in &listed.rows {
                                tr.opens {
                                    td {
                                        a.opens.two-lines href=(address(tenant, &login.username)) {
                                            strong { (login.name) }
                                            span.weak { (login.username) }
                                        }
                                    }
                                    td data-label="Role" { (accounts::role(login.role)) }
                                    td data-label="State" { (accounts::state(login.state)) }
                                }
                            }
                        }
                    }
                }
                (parts::pages(&base, asked, listed.next))
            }
        }
    }
}

fn address(tenant: &str, username: &str) -> String {
    format!("{}/{}", Section::Users.of(tenant), escape(username))
}

#[derive(Default, Deserialize)]
pub struct Given {
    name: String,
    username: String,
    password: String,
    role: String,
}

async fn new(State(app): State<Arc<App>>, signed: Signed, Segments(tenant): Segments<String>) -> Answer<Response> {
    form(&app, &signed, &tenant, &Given::default(), None).await
}

async fn create(
    State(app): State<Arc<App>>,
    signed: Signed,
    peer: Peer,
    Segments(tenant): Segments<String>,
    Form(given): Form<Given>,
) -> Answer<Response> {
    let wanted = NewLoginBody {
        username: given.username.clone(),
        name: given.name.clone(),
        email: None,
        password: given.password.clone(),
        role: chosen(&given.role)?,
        extension: None,
    };
    match parts::refused(manage::create(&app, &signed.manager, peer, &tenant, wanted).await)? {
        Ok(made) => {
            let said = format!(
                "{} was added. At the first sign-in they select the account and tick Account enabled.",
                made.username
            );
            Ok(signed.to(&Section::Users.of(&tenant), &said))
        }
        Err(refusal) => form(&app, &signed, &tenant, &given, Some(&refusal)).await,
    }
}

fn chosen(role: &str) -> Answer<Role> {
    Role::read(role).map_err(|_| ApiError::invalid("role must be one of those that the form offers."))
}

/// The roles that somebody may give.
fn roles(access: &Access) -> Vec<(String, String)> {
    let given = if access.role >= Role::Admin {
        &[Role::Extension, Role::Manager, Role::Admin][..]
    } else {
        &[Role::Extension][..]
    };
    given.iter().map(|role| (role.written().to_owned(), accounts::role(*role).to_owned())).collect()
}

async fn form(app: &App, signed: &Signed, tenant: &str, given: &Given, refusal: Option<&Refusal>) -> Answer<Response> {
    let access = signed.manager.account(app, tenant, Right::ManageLogins).await?;
    let base = Section::Users.of(tenant);
    let body = html! {
        (parts::trouble(refusal, &["name", "username", "password"]))
        form.stack method="post" action={ (base) "/new" } {
            (parts::hidden_once(&signed.form_token()))
            (Field::text("name", "Full name").value(&given.name).focused().refusal(refusal).render())
            (Field::text("username", "User name").value(&given.username).hint("Mostly an e-mail address.").refusal(refusal).render())
            (parts::select("role", "Role", &roles(&access), &given.role))
            (Field::new_password("password", "Password").refusal(refusal).render())
            (parts::send("Add user", &base))
        }
    };
    let page = parts::sheet(&parts::crumb(&base, Section::Users.title()), "Add user", &body);
    Ok(at(signed, &access, "Add user", refusal, &page))
}

/// One user.
async fn user(
    State(app): State<Arc<App>>,
    signed: Signed,
    Segments((tenant, username)): Segments<(String, String)>,
) -> Answer<Response> {
    user_page(&app, &signed, &tenant, &username, None).await
}

async fn user_page(
    app: &App,
    signed: &Signed,
    tenant: &str,
    username: &str,
    refusal: Option<&Refusal>,
) -> Answer<Response> {
    let access = signed.manager.account(app, tenant, Right::ManageLogins).await?;
    let login = manage::read(app, &signed.manager, tenant, username).await?;
    let login = login.ok_or_else(|| ApiError::not_found(format_args!("The user {username}")))?;
    let body = user_body(&access, tenant, &login, &signed.form_token(), refusal);
    Ok(at(signed, &access, &login.name, refusal, &body))
}

fn user_body(
    access: &Access,
    tenant: &str,
    login: &ManagedLogin,
    form_token: &str,
    refusal: Option<&Refusal>,
) -> Markup {
    let path = address(tenant, &login.username);
    let (off, words) = match login.state {
        LoginState::Disabled => (false, "Enable"),
        LoginState::Enabled | LoginState::Pending => (true, "Disable"),
    };
    html! {
        div.head {
            div {
                div.crumb { a href=(Section::Users.of(tenant)) { (Section::Users.title()) } }
                h1 { (login.name) }
                p.weak { (login.username) }
            }
            (accounts::state(login.state))
        }
        (parts::trouble(refusal, &[]))
        div.card.pad {
            h2 { "On this account" }
            @if access.role >= Role::Admin {
                form.stack method="post" action=(path) {
                    (parts::hidden(form_token))
                    (parts::select("role", "Role", &roles(access), login.role.written()))
                    div.row { button.main type="submit" { "Update" } }
                }
            } @else {
                dl.facts { dt { "Role" } dd { (accounts::role(login.role)) } }
            }
            form method="post" action={ (path) "/link" } {
                (parts::hidden_once(form_token))
                div.row {
                    button type="submit" { "Make a link to set a new password" }
                    span.small.weak { "Good once and for 30 minutes. The present password works until the link is used." }
                }
            }
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
        }
    }
}

async fn send_link(
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
        Err(refusal) => user_page(&app, &signed, &tenant, &username, Some(&refusal)).await,
    }
}

#[derive(Deserialize)]
pub struct RoleGiven {
    role: String,
}

async fn update(
    State(app): State<Arc<App>>,
    signed: Signed,
    peer: Peer,
    Segments((tenant, username)): Segments<(String, String)>,
    Form(given): Form<RoleGiven>,
) -> Answer<Response> {
    let change = LoginChange { role: Some(chosen(&given.role)?), ..LoginChange::default() };
    let changed = manage::update(&app, &signed.manager, peer, &tenant, &username, change).await;
    answered(&app, &signed, &tenant, &username, changed, "The role was changed.").await
}

#[derive(Deserialize)]
pub struct StateGiven {
    enabled: String,
}

async fn switch(
    State(app): State<Arc<App>>,
    signed: Signed,
    peer: Peer,
    Segments((tenant, username)): Segments<(String, String)>,
    Form(given): Form<StateGiven>,
) -> Answer<Response> {
    let on = given.enabled == "yes";
    let change = LoginChange { enabled: Some(on), ..LoginChange::default() };
    let changed = manage::update(&app, &signed.manager, peer, &tenant, &username, change).await;
    let said = if on { "The user was enabled." } else { "The user was disabled; its sessions have ended." };
    answered(&app, &signed, &tenant, &username, changed, said).await
}

async fn answered(
    app: &App,
    signed: &Signed,
    tenant: &str,
    username: &str,
    changed: Answer<ManagedLogin>,
    said: &str,
) -> Answer<Response> {
    match parts::refused(changed)? {
        Ok(_) => Ok(signed.to(&address(tenant, username), said)),
        Err(refusal) => user_page(app, signed, tenant, username, Some(&refusal)).await,
    }
}
