//! What surrounds every request: security headers on the answer, and a limit to how long it may take.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{
    extract::{Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{
    App,
    input::Peer,
    problem::{ApiError, kind},
};

/// Reading the body and making the answer take no longer; a stream's later events are not counted.
const LONGEST: Duration = Duration::from_secs(30);

const HEADERS: [(HeaderName, &str); 7] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'; connect-src 'self'; \
         base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    // Not "no-referrer": with it, browsers would hide the origin of our own forms too.
    (header::REFERRER_POLICY, "same-origin"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
];

/// For a public address with HTTPS: browsers come by nothing else for two years.
const HTTPS_ONLY: HeaderValue = HeaderValue::from_static("max-age=63072000; includeSubDomains");

pub async fn headers(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    if app.reach.url.starts_with("https://") {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HTTPS_ONLY);
    }
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // Answers hold live state and, once, secrets.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Behind a reverse proxy the client is the last address of `X-Forwarded-For`, the one that the proxy itself appended.
pub async fn client(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let trusted = app.reach.behind_proxy && request.extensions().get::<Peer>().is_some_and(|p| p.ip().is_loopback());
    let last = request.headers().get_all("x-forwarded-for").iter().next_back().and_then(|v| v.to_str().ok());
    let address = last.and_then(|list| list.rsplit(',').next()?.trim().parse::<IpAddr>().ok());
    if let (true, Some(address)) = (trusted, address) {
        request.extensions_mut().insert(Peer(SocketAddr::new(address, 0)));
    }
    let from = request.extensions().get::<Peer>().map(|p| p.ip());
    let (method, path) = (request.method().clone(), without_code(request.uri().path()).to_owned());
    let response = next.run(request).await;
    // Who is refused is logged here, whatever refused him.
    let refused = matches!(response.status(), StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS)
        || (response.status() == StatusCode::UNAUTHORIZED && method == Method::POST);
    if refused {
        tracing::warn!(status = response.status().as_u16(), %method, path, ?from, "refused");
    }
    response
}

/// A path as it may be logged: a one-time link's code stands in its path.
fn without_code(path: &str) -> &str {
    if path.starts_with("/setup/") { "/setup/{code}" } else { path }
}

pub async fn in_time(request: Request, next: Next) -> Response {
    within(LONGEST, request, next).await
}

async fn within(longest: Duration, request: Request, next: Next) -> Response {
    tokio::time::timeout(longest, next.run(request)).await.unwrap_or_else(|_| {
        ApiError::refused(
            StatusCode::REQUEST_TIMEOUT,
            kind::SLOW,
            "Too slow",
            "The request took longer than 30 seconds and was given up; try again.",
        )
        .into_response()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{
        Router,
        body::{Body, Bytes, to_bytes},
        middleware,
        routing::post,
    };
    use std::convert::Infallible;
    use tower::ServiceExt;

    #[tokio::test]
    async fn a_body_that_never_ends_is_given_up_in_words() {
        let routes = Router::new()
            .route("/", post(|body: Bytes| async move { body }))
            .layer(middleware::from_fn(|request, next| within(Duration::from_millis(50), request, next)));
        let endless = Body::from_stream(futures_util::stream::pending::<Result<Bytes, Infallible>>());
        for (body, status, said) in [
            (Body::from("whole"), StatusCode::OK, "whole"),
            (endless, StatusCode::REQUEST_TIMEOUT, "longer than 30 seconds and was given up; try again."),
        ] {
            let request = Request::post("/").body(body).expect("a request");
            let response = routes.clone().oneshot(request).await.expect("infallible");
            assert_eq!(response.status(), status);
            let text = to_bytes(response.into_body(), 10_000).await.expect("readable");
            assert!(String::from_utf8_lossy(&text).contains(said), "{text:?}");
        }
    }
}
