//! Users: who has a login on the account, as what, and whether it works.

mod existing;
mod leave;
mod one;
#[cfg(test)]
mod tests;

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
    logins::manage::{self, ManagedLogin, NewLoginBody},
    sessions::{Access, Right, Role},
};

pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/accounts/{tenant}/users", get(page))
        .route("/accounts/{tenant}/users/new", get(new).post(create))
        .route("/accounts/{tenant}/users/existing", get(existing::page).post(existing::add))
        .route("/accounts/{tenant}/users/{username}", get(one::page).post(one::update))
        .route("/accounts/{tenant}/users/{username}/state", post(one::switch))
        .route("/accounts/{tenant}/users/{username}/link", post(one::send_link))
        .route(
            "/accounts/{tenant}/users/{username}/second-factor",
            get(leave::ask_second_factor).post(leave::remove_second_factor),
        )
        .route("/accounts/{tenant}/users/{username}/second-factor/allow", post(one::allow_second_factor))
        .route("/accounts/{tenant}/users/{username}/remove", get(leave::ask_remove).post(leave::remove))
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
                div.empty {
                    @if parts::searched(asked) {
                        h2 { "Nobody found" }
                        p { "No user of this account has that in the name." }
                    } @else {
                        h2 { "Nobody yet" }
                        p { "Add the account's administrator first." }
                    }
                }
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

/// The page of one user.
pub fn address(tenant: &str, username: &str) -> String {
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
        p.small.weak {
            "Somebody who has a login on another account needs no second one: "
            a href={ (base) "/existing" } data-dialog { "add the existing login" } "."
        }
    };
    let page = parts::sheet(&parts::crumb(&base, Section::Users.title()), "Add user", &body);
    Ok(at(signed, &access, "Add user", refusal, &page))
}
