//! What stands before every form: it must come from a page of ours, in the browser that the page was made for, and one that
//! makes something makes it once.
//!
//! Three fences, each enough by itself: `Sec-Fetch-Site` or `Origin` tell where the request was made; the form carries a
//! token that only who knows the cookie can make; the cookie does not come along from other sites (`SameSite`).

use std::sync::Arc;

use axum::{
    body::{Body, to_bytes},
    extract::{FromRequest, Request, State},
    http::{HeaderMap, Method, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, de::DeserializeOwned};

use super::{cookie, visitor::form_token};
use crate::server::{
    http::{
        App,
        input::{LARGEST_BODY, too_large},
        problem::{Answer, ApiError, kind},
    },
    secrets,
    store::query,
};

/// A form's fields; a wrong one is answered in words.
pub struct Form<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Form<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Answer<Self> {
        let form = axum::Form::<T>::from_request(request, state).await;
        form.map(|axum::Form(form)| Self(form)).map_err(|_| not_offered())
    }
}

fn not_offered() -> ApiError {
    ApiError::malformed(
        "The form came incomplete or with values that its fields do not offer. Go back and send it again.",
    )
}

/// What was chosen from a list whose entries are numbers; `None`: the empty entry.
pub fn chosen(value: &str) -> Answer<Option<i64>> {
    if value.is_empty() { Ok(None) } else { value.parse().map(Some).map_err(|_| not_offered()) }
}

/// A box that is ticked; one that is not is not sent.
pub fn ticked(field: Option<&String>) -> bool {
    field.is_some()
}

/// Hidden fields of our forms.
#[derive(Deserialize)]
struct Hidden {
    form: Option<String>,
    /// In forms that make something: a random value, new on every page.
    once: Option<String>,
}

/// The middleware before every page.
pub async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if request.method() != Method::POST {
        return next.run(request).await;
    }
    match admit(&app, request).await {
        Ok((request, once)) => {
            let response = next.run(request).await;
            // What was refused may be sent again.
            if let (Some(once), true) =
                (once, response.status().is_client_error() || response.status().is_server_error())
            {
                let forgotten = forget(&app, &once).await;
                forgotten.unwrap_or_else(|error| tracing::warn!(%error, "a refused form could not be forgotten"));
            }
            response
        }
        Err(error) => error.into_response(),
    }
}

/// The request again, and the mark of a form that makes something.
async fn admit(app: &App, request: Request) -> Answer<(Request, Option<String>)> {
    let (parts, body) = request.into_parts();
    if !made_here(app, &parts.headers) {
        return Err(ApiError::forbidden(
            "This form was sent by another site, so nothing was done. Open the TMS itself and do it there.",
        ));
    }
    let bytes = to_bytes(body, LARGEST_BODY).await.map_err(|_| too_large())?;
    let mut copy = Request::new(Body::from(bytes.clone()));
    copy.headers_mut().extend(parts.headers.get(header::CONTENT_TYPE).map(|v| (header::CONTENT_TYPE, v.clone())));
    *copy.method_mut() = Method::POST;
    let Form(hidden) = Form::<Hidden>::from_request(copy, &()).await?;
    let cookie = cookie::read(app, &parts.headers, cookie::SESSION);
    let expected = cookie.as_deref().map(form_token);
    if expected.is_none() || hidden.form != expected {
        return Err(ApiError::forbidden(
            "This page was out of date: you have signed in or out since, or your browser keeps no cookies. Nothing was done; \
             open the page again and repeat it.",
        ));
    }
    let once = match hidden.once {
        Some(once) => Some(first_time(app, &once, &bytes).await?),
        None => None,
    };
    Ok((Request::from_parts(parts, Body::from(bytes)), once))
}

/// Whether the browser says that a page of ours made this request. One that says nothing is no browser of this decade.
fn made_here(app: &App, headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(|v| v.to_str().unwrap_or("?"));
    let by_site = text("sec-fetch-site").is_none_or(|site| matches!(site, "same-origin" | "none"));
    let by_origin = text("origin").is_none_or(|origin| {
        let host = origin.split_once("://").map(|(_, host)| host);
        origin == app.reach.url || host.is_some() && host == text("host")
    });
    by_site && by_origin
}

/// Takes the form's mark together with its contents: the same sent again is refused, another is not.
async fn first_time(app: &App, once: &str, body: &[u8]) -> Answer<String> {
    let mark = secrets::hash(&format!("once {once} {}", String::from_utf8_lossy(body)));
    let taken = query(
        "INSERT INTO idempotency (key_hash, fingerprint, status, answer, created_at) VALUES ($1, '', 303, '', $2)
         ON CONFLICT DO NOTHING",
    )
    .bind(&mark)
    .bind(app.clock.now_ms())
    .execute(&app.store)
    .await?;
    if taken == 0 {
        return Err(ApiError::conflict(
            kind::REPEATED,
            "This form was sent already. What it asked for is done once; a password or key that it made is not shown again.",
        ));
    }
    Ok(mark)
}

async fn forget(app: &App, mark: &str) -> Result<(), sqlx::Error> {
    query("DELETE FROM idempotency WHERE key_hash = $1").bind(mark).execute(&app.store).await?;
    Ok(())
}
