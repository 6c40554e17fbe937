//! What somebody sees who opens a one-time link: a password to set, then a button that opens Agent Manager signed in.

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
    downloads::{self, Offer},
    guard::Form,
    icon::{self, Icon},
    parts::{self, Field, Refusal},
    visitor::Visitor,
};
use crate::server::{
    http::{
        App,
        input::{Peer, Segments},
        problem::Answer,
    },
    setup::{self, Finished, Invited},
};

pub fn routes() -> Router<Arc<App>> {
    Router::new().route("/setup/{code}", get(open)).route("/setup", post(finish))
}

/// Looking uses nothing up: programs look at links that are sent by mail.
async fn open(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    peer: Peer,
    Segments(code): Segments<String>,
) -> Answer<Response> {
    let invited = setup::look(&app, peer, &code).await?;
    Ok(visitor.page("Welcome", &form(&visitor.form_token(), &code, &invited, None)))
}

#[derive(Deserialize)]
struct Given {
    code: String,
    password: String,
}

async fn finish(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    peer: Peer,
    Form(given): Form<Given>,
) -> Answer<Response> {
    let invited = setup::look(&app, peer, &given.code).await?;
    match parts::refused(setup::finish(&app, peer, &given.code, &given.password).await)? {
        Ok(finished) => {
            let offers = downloads::offers(app.downloads.as_deref());
            Ok(visitor.page("Ready", &done(&finished, &offers)))
        }
        Err(refusal) => {
            let form = form(&visitor.form_token(), &given.code, &invited, Some(&refusal));
            Ok(visitor.page_with(refusal.status, "Welcome", &form))
        }
    }
}

fn form(form_token: &str, code: &str, invited: &Invited, refusal: Option<&Refusal>) -> Markup {
    html! {
        div.brand { (icon::brand()) "TMS" }
        div.card.pad {
            div {
                h1 { "Welcome, " (invited.name) }
                p.weak {
                    @if invited.agent { "Set a password, and Agent Manager is ready for you at " (invited.account) "." }
                    @else { "Set a new password for " (invited.account) "." }
                }
            }
            (parts::trouble(refusal, &["password"]))
            form.stack method="post" action="/setup" {
                (parts::hidden(form_token))
                input type="hidden" name="code" value=(code);
                (Field::text("username", "User name").value(&invited.username).fixed().autocomplete("username").render())
                (Field::new_password("password", "Password").focused().refusal(refusal).render())
                button.main type="submit" { "Set password" }
            }
        }
    }
}

fn done(finished: &Finished, offers: &[Offer]) -> Markup {
    html! {
        div.brand { (icon::brand()) "TMS" }
        div.card.pad {
            h1 { "Your password is set" }
            @match &finished.opens {
                Some(link) => {
                    p { "Agent Manager opens signed in, once, within 30 minutes. Later you sign in as " strong { (finished.username) } "." }
                    a.button.main href=(link) { "Open Agent Manager" }
                    @if !offers.is_empty() {
                        p.weak { "It is not on this computer yet? Install it first:" }
                        @for offer in offers {
                            a.button href={ "/downloads/" (offer.name) } download { (Icon::Download.draw()) (offer.name) }
                        }
                    }
                }
                None => p { "Sign in as " strong { (finished.username) } " with it." }
            }
        }
        p.small { a href="/sign-in" { "Sign in to the TMS" } }
    }
}
