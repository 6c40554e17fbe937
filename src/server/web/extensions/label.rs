//! Another label for a registration.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use maud::{Render, html};
use serde::Deserialize;

use super::{Open, Tab};
use crate::server::{
    http::{
        App,
        input::{Peer, Segments},
        problem::{Answer, ApiError},
    },
    registrations::manage::{self, RegistrationChange},
    web::{
        guard::Form,
        parts::{self, Field, Refusal},
        visitor::Signed,
    },
};

type At = Segments<(String, String, String)>;

pub async fn page(
    State(app): State<Arc<App>>,
    signed: Signed,
    Segments((tenant, number, name)): At,
) -> Answer<Response> {
    let open = Open::read(&app, &signed, &tenant, &number).await?;
    let registration = open.registrations.iter().find(|r| r.name == name);
    let registration = registration.ok_or_else(|| ApiError::not_found(format_args!("The registration {name}")))?;
    Ok(shown(&open, &signed, &name, &registration.label, None))
}

#[derive(Deserialize)]
pub struct Given {
    label: String,
}

pub async fn update(
    State(app): State<Arc<App>>,
    signed: Signed,
    peer: Peer,
    Segments((tenant, number, name)): At,
    Form(given): Form<Given>,
) -> Answer<Response> {
    let change = RegistrationChange { label: Some(given.label.clone()), ..RegistrationChange::default() };
    match parts::refused(manage::update(&app, &signed.manager, peer, (&tenant, &number, &name), change).await)? {
        Ok(made) => {
            let said = format!("{name} is called {} now.", made.label);
            Ok(signed.to(&Tab::Registrations.of(&tenant, &number), &said))
        }
        Err(refusal) => {
            let open = Open::read(&app, &signed, &tenant, &number).await?;
            Ok(shown(&open, &signed, &name, &given.label, Some(&refusal)))
        }
    }
}

fn shown(open: &Open, signed: &Signed, name: &str, label: &str, refusal: Option<&Refusal>) -> Response {
    let path = open.path(Tab::Registrations);
    let body = html! {
        (parts::trouble(refusal, &["label"]))
        form.stack method="post" action={ (path) "/" (name) "/label" } {
            (parts::hidden(&signed.form_token()))
            (Field::text("label", "Label").value(label).focused().hint("How it is called in Agent Manager.").refusal(refusal).render())
            (parts::send("Update", &path))
        }
    };
    open.sheet(signed, &format!("Label of {name}"), refusal, &body)
}
