//! Who calls: extractors that authenticate by the bearer token and say what the caller may do.

use std::sync::Arc;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, StatusCode, header, request::Parts},
};

use serde::Serialize;
use utoipa::ToSchema;

use super::{
    managing,
    queries::{self, Session},
};
use crate::{
    server::{
        http::{
            App,
            problem::{Answer, ApiError, kind},
        },
        pace::Caller,
        secrets,
        store::Store,
    },
    tms::wire::{Me, problem},
};

/// A softphone with a session.
pub struct Agent(pub Session);

impl FromRequestParts<Arc<App>> for Agent {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Answer<Self> {
        let now = app.clock.now_ms();
        let session = queries::session(&app.store, &secrets::hash(must_have_token(parts)?), now).await?;
        let good = session.filter(|s| s.enabled && s.expires_at > now).ok_or_else(|| {
            ApiError::refused(
                StatusCode::UNAUTHORIZED,
                problem::SESSION_ENDED,
                "Session ended",
                "This session has ended: it expired, was signed out, or the login, account or API key was disabled. Sign in \
                 again.",
            )
        })?;
        app.pace.take(Caller::Agent(good.id), now).map_err(ApiError::too_fast)?;
        Ok(Self(good))
    }
}

impl Agent {
    /// `GET /v1/me`.
    pub async fn me(&self, app: &App) -> Answer<Me> {
        let session = &self.0;
        let extensions = queries::extensions(&app.store, session.membership, session.api_key).await?;
        Ok(Me { user: session.user.clone(), account: session.account.account.clone(), extensions })
    }
}

/// Someone who manages: an operator, a member of an account, or a login that wants to enable its own account.
#[derive(Clone, Debug)]
pub struct Manager {
    pub session: i64,
    /// Of the session; no later one has it, as may be with its number.
    pub token_hash: String,
    pub login: i64,
    pub username: String,
    pub operator: bool,
    /// Whether two-step sign-in is on for the login, which this session has proved then (turning it on ends the others), and
    /// whether nobody may manage without it.
    pub second_factor: bool,
    pub second_factor_demanded: bool,
    /// Until when it may be turned on where it is demanded, in milliseconds since 1970.
    pub second_factor_until: Option<i64>,
    /// Somebody else has chosen the password.
    pub password_given: bool,
    pub carrier: Carrier,
}

/// Whether a request shows that its session's person is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Somebody has asked, so the session goes on.
    There,
    /// A page that was left open asks by itself, which lets an idle session end.
    Unknown,
}

/// What somebody has proved to sign in to manage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proved {
    /// All that is asked while two-step sign-in is off.
    Password,
    PasswordAndCode,
}

/// What carries the token of a managing session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Carrier {
    /// The `Authorization` header of a program.
    Token,
    /// A browser's cookie.
    Browser,
}

impl Carrier {
    /// As the database writes it.
    pub fn written(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Browser => "browser",
        }
    }

    /// # Errors
    /// When the database wrote something else.
    pub fn read(stored: &str) -> Result<Self, sqlx::Error> {
        match stored {
            "token" => Ok(Self::Token),
            "browser" => Ok(Self::Browser),
            other => Err(sqlx::Error::Decode(format!("{other:?} carries no session").into())),
        }
    }
}

impl FromRequestParts<Arc<App>> for Manager {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Answer<Self> {
        Self::of_token(app, must_have_token(parts)?, Carrier::Token, Presence::There).await
    }
}

impl Manager {
    /// Whoever this token was given to; one that was made for a browser's cookie is not taken as a bearer token, nor the other
    /// way round.
    pub async fn of_token(app: &App, token: &str, carrier: Carrier, presence: Presence) -> Answer<Self> {
        let now = app.clock.now_ms();
        let manager = managing::manager(&app.store, &secrets::hash(token), now, presence).await?;
        let manager = manager
            .filter(|m| m.carrier == carrier)
            .ok_or_else(|| signed_out("This session has ended. Sign in again with POST /v1/manage/session."))?;
        app.pace.take(Caller::Manager(manager.session), now).map_err(ApiError::too_fast)?;
        Ok(Self { second_factor_demanded: app.second_factor_demanded, ..manager })
    }
}

/// The token of an `Authorization` header (RFC 6750 §2.1).
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
    let token = value.and_then(|v| v.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    token.map(|(_, token)| token.trim())
}

/// Who has this token, in a word that is nobody else's; `None`: no session has it.
pub async fn bearer_of(store: &Store, token: &str, now: i64) -> Result<Option<String>, sqlx::Error> {
    queries::bearer_of(store, &secrets::hash(token), now).await
}

fn must_have_token(parts: &Parts) -> Answer<&str> {
    bearer(&parts.headers)
        .ok_or_else(|| signed_out("You are not signed in. Send the session's token as Authorization: Bearer TOKEN."))
}

fn signed_out(detail: &str) -> ApiError {
    ApiError::refused(StatusCode::UNAUTHORIZED, kind::SIGNED_OUT, "Not signed in", detail)
}
