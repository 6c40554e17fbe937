//! Who calls: extractors that authenticate by the bearer token and say what the caller may do.

use std::sync::Arc;

use axum::{
    extract::FromRequestParts,
    http::{StatusCode, header, request::Parts},
};
use sqlx::Row;

use super::queries::{self, Session};
use crate::{
    server::{
        accounts::{self, AccountRow},
        http::{
            App,
            problem::{Answer, ApiError, kind},
        },
        secrets,
    },
    tms::wire::{Me, problem},
};

/// A softphone with a session.
pub struct Agent(pub Session);

impl FromRequestParts<Arc<App>> for Agent {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Answer<Self> {
        let session = queries::session(&app.store, &secrets::hash(bearer(parts)?)).await?;
        let good = session.filter(|s| s.enabled && s.expires_at > app.clock.now_ms());
        good.map(Self).ok_or_else(|| {
            ApiError::refused(
                StatusCode::UNAUTHORIZED,
                problem::SESSION_ENDED,
                "Session ended",
                "This session has ended: it expired, was signed out, or the login, account or API key was disabled. Sign in \
                 again.",
            )
        })
    }
}

impl Agent {
    pub async fn me(&self, app: &App) -> Answer<Me> {
        let session = &self.0;
        let extensions = queries::extensions(&app.store, session.membership, session.api_key).await?;
        Ok(Me { user: session.user.clone(), account: session.account.clone(), extensions })
    }
}

/// Someone who manages: an operator, an account's administrator, or a login that wants to enable its own account.
pub struct Manager {
    pub session: i64,
    pub login: i64,
    pub username: String,
    pub operator: bool,
}

impl FromRequestParts<Arc<App>> for Manager {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Answer<Self> {
        Self::of_token(app, bearer(parts)?).await
    }
}

impl Manager {
    /// Whoever this token was given to.
    pub async fn of_token(app: &App, token: &str) -> Answer<Self> {
        let row = sqlx::query(
            "SELECT s.id, l.id AS login, l.username, l.operator
             FROM manage_session s JOIN login l ON l.id = s.login_id
             WHERE s.token_hash = $1 AND s.expires_at > $2",
        )
        .bind(secrets::hash(token))
        .bind(app.clock.now_ms())
        .fetch_optional(app.store.pool())
        .await?;
        let row =
            row.ok_or_else(|| signed_out("This session has ended. Sign in again with POST /v1/manage/session."))?;
        Ok(Self {
            session: row.try_get("id")?,
            login: row.try_get("login")?,
            username: row.try_get("username")?,
            operator: row.try_get("operator")?,
        })
    }

    /// The account, if the caller may manage it: an operator any, an administrator his own. One that he may not is not
    /// told from one that does not exist.
    pub async fn account(&self, app: &App, tenant: &str) -> Answer<AccountRow> {
        let account = accounts::by_tenant(&app.store, tenant).await?;
        let account = account.ok_or_else(|| ApiError::not_found(format_args!("The account {tenant}")))?;
        if self.operator {
            return Ok(account);
        }
        let admin = sqlx::query(
            "SELECT 1 FROM membership m JOIN account a ON a.id = m.account_id
             WHERE m.login_id = $1 AND m.account_id = $2 AND m.role = 'admin' AND m.state = 'enabled' AND a.enabled",
        )
        .bind(self.login)
        .bind(account.id)
        .fetch_optional(app.store.pool())
        .await?;
        admin.map(|_| account).ok_or_else(|| ApiError::not_found(format_args!("The account {tenant}")))
    }

    pub fn must_be_operator(&self) -> Answer<()> {
        if self.operator { Ok(()) } else { Err(ApiError::forbidden("Only an operator may do this.")) }
    }
}

fn bearer(parts: &Parts) -> Answer<&str> {
    let value = parts.headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
    let token = value.and_then(|v| v.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    token
        .map(|(_, token)| token.trim())
        .ok_or_else(|| signed_out("You are not signed in. Send the session's token as Authorization: Bearer TOKEN."))
}

fn signed_out(detail: &str) -> ApiError {
    ApiError::refused(StatusCode::UNAUTHORIZED, kind::SIGNED_OUT, "Not signed in", detail)
}
