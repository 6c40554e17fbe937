//! Problem details become pages: whoever asks with a browser reads the sentence on a page, not in JSON.

use std::sync::Arc;

use axum::{
    body::to_bytes,
    extract::{FromRequestParts, Request, State},
    http::{Method, StatusCode, header},
    middleware::Next,
    response::Response,
};
use maud::{Markup, html};

use super::{
    icon::{self, Icon},
    visitor::{Visitor, escape},
};
use crate::{
    server::http::{App, input::LARGEST_BODY, problem::kind},
    tms::wire::Problem,
};

/// The middleware around everything: where a browser asks for a page and a problem comes, the problem becomes a page; who is
/// not signed in is sent to do so.
pub async fn in_words(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let accept = parts.headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if !accept.contains("text/html") || parts.uri.path().starts_with("/v1/") {
        return next.run(Request::from_parts(parts, body)).await;
    }
    let Ok(visitor) = Visitor::from_request_parts(&mut parts, &app).await;
    let (reads, wanted) = (parts.method == Method::GET, parts.uri.to_string());
    let response = next.run(Request::from_parts(parts, body)).await;
    let kind = response.headers().get(header::CONTENT_TYPE);
    if kind.is_none_or(|kind| kind != "application/problem+json") {
        return response;
    }
    let status = response.status();
    let bytes = to_bytes(response.into_body(), LARGEST_BODY).await.unwrap_or_default();
    let sentence = match serde_json::from_slice::<Problem>(&bytes) {
        Ok(problem) if problem.kind == kind::PASSWORD_GIVEN => return visitor.to("/profile", ""),
        Ok(problem) => problem.detail,
        Err(_) => "Something went wrong, and even the reason got lost. Go back and try again.".to_owned(),
    };
    if status == StatusCode::UNAUTHORIZED {
        // What was being sent is not repeated after the sign-in; the page it was on is opened again.
        let said = if reads { "" } else { "Your session had ended, so nothing was changed. Sign in and repeat it." };
        return visitor.to(&sign_in_for(if reads { &wanted } else { "/" }), said);
    }
    visitor.page_with(status, title(status), &page(status, &sentence))
}

/// The sign-in that leads on to this page.
fn sign_in_for(wanted: &str) -> String {
    if wanted == "/" { "/sign-in".to_owned() } else { format!("/sign-in?next={}", escape(wanted)) }
}

fn title(status: StatusCode) -> &'static str {
    match status.as_u16() {
        404 => "Not found",
        403 => "Not allowed",
        409 => "In conflict",
        413 => "Too large",
        429 => "Too many attempts",
        400..=499 => "Not accepted",
        503 => "Busy",
        _ => "Failed",
    }
}

fn page(status: StatusCode, sentence: &str) -> Markup {
    html! {
        a.brand href="/" { (icon::brand()) "TMS" }
        div.card.pad.sheet {
            h1 { (title(status)) }
            div.said.stop role="alert" { (Icon::Warning.draw()) p { (sentence) } }
            div.row { a.button.main href="/" { "To the start" } }
        }
    }
}
