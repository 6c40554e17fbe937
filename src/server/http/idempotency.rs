//! `Idempotency-Key` on POST: a repeat is answered with what the first one made, never with a secret again.
//!
//! It is kept for callers who have proved who they are, so many for each: others could fill the database. Kept are the hash
//! of the key with its caller's token, a fingerprint of the request, and the answer without its secrets. The fingerprint is
//! hashed together with the key, which is not kept, so nobody can guess a password from it.

use std::{net::IpAddr, sync::Arc};

use axum::{
    Json,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{
    App,
    input::{LARGEST_BODY, Peer, too_large},
    problem::{Answer, ApiError, kind},
};
use crate::server::{secrets, sessions, store::query, throttle::network};

/// How long an answer is kept.
pub const KEPT_MS: i64 = 24 * 3600 * 1000;
/// Answers kept for one caller; the oldest go.
const PER_CALLER: i64 = 1000;
/// Whoever gets an answer here that is kept has proved who he is by it; until then he is known by his network.
const SIGN_INS: [&str; 3] = ["/v1/sessions", "/v1/manage/session", "/v1/link"];
/// A first request still under way after this was cut off by a crash.
const ABANDONED_MS: i64 = 60 * 1000;

static KEY: HeaderName = HeaderName::from_static("idempotency-key");
static API_KEY: HeaderName = HeaderName::from_static("x-api-key");
static REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// An answer that made something with a secret, which is shown this once.
pub struct Once<T> {
    pub body: T,
    /// Fields of the body that a repeat leaves out, each with a dot after those that it is in.
    pub secrets: &'static [&'static str],
}

/// The body as a repeat sees it.
#[derive(Clone)]
struct Keep(Bytes);

impl<T: Serialize> IntoResponse for Once<T> {
    fn into_response(self) -> Response {
        let mut kept = serde_json::to_value(&self.body).unwrap_or_default();
        self.secrets.iter().for_each(|path| leave_out(&mut kept, path));
        let mut response = (StatusCode::CREATED, Json(self.body)).into_response();
        response.extensions_mut().insert(Keep(Bytes::from(kept.to_string())));
        response
    }
}

fn leave_out(from: &mut Value, path: &str) {
    match path.split_once('.') {
        Some((outer, inner)) => {
            if let Some(found) = from.get_mut(outer) {
                leave_out(found, inner);
            }
        }
        None => {
            if let Some(fields) = from.as_object_mut() {
                fields.remove(path);
            }
        }
    }
}

/// The middleware.
pub async fn idempotent(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let Some(key) = request.headers().get(&KEY).filter(|_| request.method() == Method::POST).cloned() else {
        return next.run(request).await;
    };
    let signs_in = SIGN_INS.contains(&request.uri().path());
    let network = request.extensions().get::<Peer>().filter(|_| signs_in).map(|peer| network(peer.ip()));
    let token = sessions::bearer(request.headers()).map(str::to_owned);
    let caller = match caller(&app, network, token).await {
        Ok(Some(caller)) => caller,
        Ok(None) => return next.run(request).await,
        Err(error) => return error.into_response(),
    };
    // A task of its own: a caller who hangs up must not leave the first request half recorded.
    #[expect(clippy::disallowed_methods, reason = "it outlives its request, on purpose, by one database transaction")]
    let carried_out = tokio::spawn(answer(app, caller, key, request, next));
    match carried_out.await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => error.into_response(),
        Err(_) => ApiError::malformed("The request was cut off as the TMS stopped; send it again.").into_response(),
    }
}

/// For whom the answer is to be kept; `None`: for nobody.
async fn caller(app: &App, network: Option<IpAddr>, token: Option<String>) -> Answer<Option<String>> {
    match (network, token) {
        (Some(network), _) => Ok(Some(format!("network {network}"))),
        (None, Some(token)) => Ok(sessions::bearer_of(&app.store, &token, app.clock.now_ms()).await?),
        (None, None) => Ok(None),
    }
}

async fn answer(app: Arc<App>, caller: String, key: HeaderValue, request: Request, next: Next) -> Answer<Response> {
    let key = key.to_str().ok().filter(|k| (1..=255).contains(&k.len()));
    let key = key.ok_or_else(|| ApiError::malformed("Idempotency-Key must have 1 to 255 printable characters."))?;
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, LARGEST_BODY).await.map_err(|_| too_large())?;
    let header = |name| parts.headers.get(name).map(HeaderValue::as_bytes).unwrap_or_default();
    let path = parts.uri.path().as_bytes();
    let request_hash = fingerprint(&[key.as_bytes(), header(&header::AUTHORIZATION), header(&API_KEY), path, &body]);
    // Each caller's keys are its own.
    let key_hash = fingerprint(&[key.as_bytes(), header(&header::AUTHORIZATION)]);

    if let Some(earlier) = reserve(&app, &caller, &key_hash, &request_hash).await? {
        return Ok(earlier);
    }
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    if !response.status().is_success() {
        forget(&app, &key_hash).await?;
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let kept = parts.extensions.get::<Keep>().map_or_else(|| body.clone(), |k| k.0.clone());
    query("UPDATE idempotency SET status = $1, answer = $2 WHERE key_hash = $3")
        .bind(i64::from(parts.status.as_u16()))
        .bind(String::from_utf8_lossy(&kept).into_owned())
        .bind(&key_hash)
        .execute(&app.store)
        .await?;
    Ok(Response::from_parts(parts, Body::from(body)))
}

/// Takes the key for this request. `Some`: the answer to the first request that had it.
async fn reserve(app: &App, caller: &str, key_hash: &str, fingerprint: &str) -> Answer<Option<Response>> {
    let now = app.clock.now_ms();
    query("DELETE FROM idempotency WHERE key_hash = $1 AND answer IS NULL AND created_at < $2")
        .bind(key_hash)
        .bind(now - ABANDONED_MS)
        .execute(&app.store)
        .await?;
    let taken = query(
        "INSERT INTO idempotency (key_hash, fingerprint, created_at, caller) VALUES ($1, $2, $3, $4)
         ON CONFLICT DO NOTHING",
    )
    .bind(key_hash)
    .bind(fingerprint)
    .bind(now)
    .bind(caller)
    .execute(&app.store)
    .await?;
    if taken == 1 {
        query(
            "DELETE FROM idempotency WHERE caller = $1 AND answer IS NOT NULL AND created_at <= (
                 SELECT created_at FROM idempotency WHERE caller = $1 ORDER BY created_at DESC LIMIT 1 OFFSET $2)",
        )
        .bind(caller)
        .bind(PER_CALLER)
        .execute(&app.store)
        .await?;
        return Ok(None);
    }
    let row = query("SELECT fingerprint, status, answer FROM idempotency WHERE key_hash = $1")
        .bind(key_hash)
        .fetch_optional(&app.store)
        .await?;
    let under_way = || ApiError::conflict(kind::REPEATED, "The first request with this Idempotency-Key is under way.");
    let row = row.ok_or_else(under_way)?;
    if row.try_get::<String>("fingerprint")? != fingerprint {
        return Err(ApiError::refused(
            StatusCode::UNPROCESSABLE_ENTITY,
            kind::REPEATED,
            "Idempotency-Key used before",
            "This Idempotency-Key belongs to another request. Use a new one for each request.",
        ));
    }
    let answer: String = row.try_get::<Option<String>>("answer")?.ok_or_else(under_way)?;
    let status = u16::try_from(row.try_get::<i64>("status")?).unwrap_or(200);
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (REPLAYED.clone(), HeaderValue::from_static("true")),
    ];
    Ok(Some((StatusCode::from_u16(status).unwrap_or(StatusCode::OK), headers, answer).into_response()))
}

async fn forget(app: &App, key_hash: &str) -> Answer<()> {
    query("DELETE FROM idempotency WHERE key_hash = $1 AND answer IS NULL").bind(key_hash).execute(&app.store).await?;
    Ok(())
}

fn fingerprint(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    secrets::hex(&hash.finalize())
}
