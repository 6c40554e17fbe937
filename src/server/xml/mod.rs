//! The XML API at `/Euphoria.Api.aspx`: one endpoint, a request and an answer in XML, for integrations that use it today.
//! docs/tms-xml.md describes it. An error is an answer too, with status 200, for clients read the document only.

mod actions;
mod history;
mod request;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::{
    body::{Bytes, to_bytes},
    extract::{Request, State},
    http::{Method, header},
    response::{IntoResponse, Response},
};
use maud::{Markup, PreEscaped, html};

#[cfg(test)]
pub use self::request::ACTIONS;
use self::request::{Action, XmlRequest};
use super::{
    api_keys::{self, KeyRow, Scope},
    http::{
        App,
        input::{LARGEST_BODY, Peer},
        problem::ApiError,
    },
    pace::Caller,
};

/// Why a request is refused, as a sentence.
#[derive(Debug, thiserror::Error)]
pub enum XmlError {
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Api(#[from] ApiError),
}

impl From<sqlx::Error> for XmlError {
    fn from(error: sqlx::Error) -> Self {
        Self::Api(error.into())
    }
}

impl XmlError {
    fn refused(sentence: impl Into<String>) -> Self {
        Self::Refused(sentence.into())
    }
}

/// Answers one request, whatever its content type; GET with a body is accepted like POST.
pub async fn answer(State(app): State<Arc<App>>, peer: Peer, request: Request) -> Response {
    let method = request.method().clone();
    let answer = if !matches!(method, Method::GET | Method::POST) {
        Err(XmlError::refused("Send the request with POST."))
    } else {
        match to_bytes(request.into_body(), LARGEST_BODY).await {
            Ok(body) => carry_out(&app, peer, &body).await,
            Err(_) => {
                Err(XmlError::refused(format!("The request is too large; at most {LARGEST_BODY} bytes are taken.")))
            }
        }
    };
    let document = answer.unwrap_or_else(|error| {
        if let XmlError::Api(error) = &error {
            tracing::error!(%error, "xml");
        }
        let sentence = match &error {
            XmlError::Refused(sentence) => sentence,
            XmlError::Api(_) => "The TMS failed; try again, and tell whoever runs it if it lasts.",
        };
        html! { XML { Status { "Error" } Error { (sentence) } } }
    });
    let xml = html! { (PreEscaped(r#"<?xml version="1.0" encoding="UTF-8"?>"#)) (document) };
    ([(header::CONTENT_TYPE, "text/xml; charset=utf-8")], xml.into_string()).into_response()
}

async fn carry_out(app: &App, peer: Peer, body: &Bytes) -> Result<Markup, XmlError> {
    let request = XmlRequest::read(body)?;
    let key = authenticate(app, peer, &request).await?;
    let action = Action::read(&request)?;
    app.notebook.used(key.id, peer, format!("xml {}", request.action));
    actions::carry_out(app, &key, action).await
}

/// Tenant and key fit together; which of them does not is not told.
async fn authenticate(app: &App, peer: Peer, request: &XmlRequest) -> Result<KeyRow, XmlError> {
    let key = api_keys::find(&app.store, &request.key, app.clock.now_ms()).await?;
    let key = key.filter(|k| k.account.account.tenant == request.tenant);
    let Some(key) = key else {
        let who = format!("xml {}", request.tenant);
        return Err(XmlError::refused(match app.throttle.failure(peer.ip(), &who, app.clock.now()) {
            Ok(()) => {
                "The tenant name or the key is wrong, or the key was revoked. Keys are made in TMS, API Manager.".into()
            }
            Err(seconds) => format!("Too many requests had a wrong key. Try again in {seconds} seconds."),
        }));
    };
    if let Some(reason) = key.refused(Scope::Xml, app.clock.now_ms()) {
        return Err(XmlError::refused(reason));
    }
    if !key.account.enabled {
        return Err(XmlError::refused("This account is disabled. Your provider can enable it again."));
    }
    if app.pace.take(Caller::Key(key.id), app.clock.now_ms()).is_err() {
        return Err(XmlError::refused(
            "These are more requests than one key may send. Slow down, and go on in a second.",
        ));
    }
    Ok(key)
}
