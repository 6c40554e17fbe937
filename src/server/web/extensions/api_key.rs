//! Tab *API key*: the key with which Agent Manager may sign in for this extension. Choose it and press *Update*.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use jiff::Timestamp;
use maud::{Markup, html};
use serde::Deserialize;

use super::{Open, Tab, manage};
use crate::server::{
    api_keys::manage::{self as api_keys, ManagedKey, Scope},
    extensions::manage::ExtensionChange,
    http::{
        App,
        input::{Peer, Segments},
        page::Page,
        problem::Answer,
    },
    web::{
        guard::{Form, chosen},
        parts::{self, Refusal},
        shell::Section,
        visitor::Signed,
    },
};

pub async fn page(
    State(app): State<Arc<App>>,
    signed: Signed,
    Segments((tenant, number)): Segments<(String, String)>,
) -> Answer<Response> {
    shown(&app, &signed, &tenant, &number, None).await
}

#[derive(Deserialize)]
pub struct Given {
    api_key: String,
}

pub async fn update(
    State(app): State<Arc<App>>,
    signed: Signed,
    peer: Peer,
    Segments((tenant, number)): Segments<(String, String)>,
    Form(given): Form<Given>,
) -> Answer<Response> {
    let key = chosen(&given.api_key)?;
    let change = ExtensionChange { api_key: Some(key), ..ExtensionChange::default() };
    match parts::refused(manage::update(&app, &signed.manager, peer, &tenant, &number, change).await)? {
        Ok(_) => {
            let said = match key {
                Some(_) => "The API key was enabled on this extension.",
                None => "No API key is enabled on this extension any more; Agent Manager was signed out of it.",
            };
            Ok(signed.to(&Tab::ApiKey.of(&tenant, &number), said))
        }
        Err(refusal) => shown(&app, &signed, &tenant, &number, Some(&refusal)).await,
    }
}

async fn shown(app: &App, signed: &Signed, tenant: &str, number: &str, refusal: Option<&Refusal>) -> Answer<Response> {
    let open = Open::read(app, signed, tenant, number).await?;
    let keys = api_keys::list(app, &signed.manager, tenant, &Page::default()).await?.rows;
    let body = body(&open, (&keys, app.clock.now()), &signed.form_token(), refusal);
    Ok(open.page(signed, Tab::ApiKey, refusal, &body))
}

fn body(open: &Open, (keys, now): (&[ManagedKey], Timestamp), form_token: &str, refusal: Option<&Refusal>) -> Markup {
    let usable: Vec<_> = keys.iter().filter(|key| key.usable_for(Scope::Agent, now)).collect();
    let mut options = vec![(String::new(), "None: Agent Manager cannot sign in".to_owned())];
    options.extend(usable.iter().map(|key| (key.id.to_string(), format!("{} ({}…)", key.name, key.prefix))));
    let chosen = open.extension.api_key.map(|key| key.to_string()).unwrap_or_default();
    html! {
        (parts::trouble(refusal, &[]))
        div.card.pad {
            div {
                h2 { "API key" }
                p.weak { "Agent Manager signs in for this extension only with the API key that is enabled here." }
            }
            @if usable.is_empty() {
                p { "The account has no API key yet." }
                div.row { a.button.main href=(Section::ApiKeys.of(open.tenant())) { "To the API Manager" } }
            } @else {
                form.stack method="post" action=(open.path(Tab::ApiKey)) {
                    (parts::hidden(form_token))
                    (parts::select("api_key", "Enabled API key", &options, &chosen))
                    div.row { button.main type="submit" { "Update" } }
                }
            }
        }
    }
}
