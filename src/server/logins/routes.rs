//! Routes to create, list and alter the logins of an account.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::queries::{self, MemberRow, NewLogin};
use crate::{
    server::{
        audit,
        http::{
            App,
            input::{self, Input, Peer, Segments},
            problem::{Answer, ApiError, kind},
        },
        passwords,
        sessions::{self, Manager},
    },
    tms::wire::Problem,
};

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(update))
}

#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Role {
    Admin,
    Manager,
    Extension,
}

impl Role {
    fn written(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Manager => "manager",
            Self::Extension => "extension",
        }
    }
}

#[derive(Serialize, ToSchema)]
struct ManagedLogin {
    username: String,
    name: String,
    /// `admin`, `manager` or `extension`.
    role: String,
    /// `pending` until its owner ticks *Account enabled*, `enabled`, `disabled`.
    state: String,
}

#[derive(Deserialize, ToSchema)]
struct NewLoginBody {
    /// 3 to 100 characters without spaces, mostly an e-mail address; case does not matter.
    username: String,
    name: String,
    /// At least 10 characters.
    password: String,
    role: Role,
}

#[derive(Deserialize, ToSchema)]
struct LoginChange {
    /// Switching it off ends its sessions. On again, a login that was never activated is pending.
    enabled: Option<bool>,
    role: Option<Role>,
    /// A new password; ends its sessions.
    password: Option<String>,
}

/// The logins of an account
#[utoipa::path(get, path = "/v1/accounts/{tenant}/logins", tag = "manage", security(("bearer" = [])),
    params(("tenant" = String, Path)),
    responses((status = 200, body = [ManagedLogin]), (status = 401, body = Problem), (status = 404, body = Problem)))]
async fn list(
    State(app): State<Arc<App>>,
    manager: Manager,
    Segments(tenant): Segments<String>,
) -> Answer<Json<Vec<ManagedLogin>>> {
    let account = manager.account(&app, &tenant).await?;
    Ok(Json(queries::members(&app.store, account.id).await?.into_iter().map(shown).collect()))
}

/// Add a login to an account
///
/// It is pending until its owner enables the account at the first sign-in.
#[utoipa::path(post, path = "/v1/accounts/{tenant}/logins", tag = "manage", security(("bearer" = [])),
    params(("tenant" = String, Path), ("Idempotency-Key" = Option<String>, Header)), request_body = NewLoginBody,
    responses((status = 201, body = ManagedLogin), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
async fn create(
    State(app): State<Arc<App>>,
    manager: Manager,
    peer: Peer,
    Segments(tenant): Segments<String>,
    Input(wanted): Input<NewLoginBody>,
) -> Answer<(StatusCode, Json<ManagedLogin>)> {
    let account = manager.account(&app, &tenant).await?;
    let username = check_username(&wanted.username)?;
    let name = input::text("name", &wanted.name)?;
    check_password(&wanted.password, &username)?;
    let hash = app.passwords.hash(&wanted.password).await?;
    let mut tx = app.store.begin().await?;
    let login = NewLogin { username: &username, name: &name, password_hash: &hash, operator: false };
    let login = queries::create(&mut tx, &login, app.clock.now_ms())
        .await
        .map_err(|e| ApiError::from_rule(e, || format!("The user name {username} exists already; choose another.")))?;
    let role = wanted.role.written();
    queries::add_membership(&mut tx, login, account.id, role).await?;
    audit::record_in(&mut tx, &app, Some(account.id), &manager.username, peer, "create login", &username).await?;
    tx.commit().await?;
    let body = ManagedLogin { username, name, role: role.into(), state: "pending".into() };
    Ok((StatusCode::CREATED, Json(body)))
}

/// Alter a login
#[utoipa::path(patch, path = "/v1/accounts/{tenant}/logins/{username}", tag = "manage", security(("bearer" = [])),
    params(("tenant" = String, Path), ("username" = String, Path)), request_body = LoginChange,
    responses((status = 200, body = ManagedLogin), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 422, body = Problem)))]
async fn update(
    State(app): State<Arc<App>>,
    manager: Manager,
    peer: Peer,
    Segments((tenant, username)): Segments<(String, String)>,
    Input(change): Input<LoginChange>,
) -> Answer<Json<ManagedLogin>> {
    let account = manager.account(&app, &tenant).await?;
    let unknown = || ApiError::not_found(format_args!("The login {username}"));
    let mut member = queries::member(&app.store, account.id, &username).await?.ok_or_else(unknown)?;
    if let Some(password) = &change.password {
        if !member.own && !manager.operator {
            return Err(ApiError::forbidden(
                "This login belongs to other accounts too, so only an operator may set its password.",
            ));
        }
        check_password(password, &member.username)?;
    }
    let hash = match &change.password {
        Some(password) => Some(app.passwords.hash(password).await?),
        None => None,
    };
    match (change.enabled, member.state.as_str()) {
        (Some(false), _) => member.state = "disabled".into(),
        (Some(true), "disabled") if !member.activated => member.state = "pending".into(),
        (Some(true), "pending") => {
            return Err(ApiError::conflict(
                kind::CONFLICT,
                "A new login is enabled by its owner, who signs in to the TMS, selects the account and ticks Account enabled.",
            ));
        }
        (Some(true), _) => member.state = "enabled".into(),
        (None, _) => {}
    }
    if let Some(role) = change.role {
        member.role = role.written().into();
    }
    let mut tx = app.store.begin().await?;
    queries::set_membership(&mut tx, member.membership, &member.role, &member.state).await?;
    if let Some(hash) = &hash {
        queries::set_password(&mut tx, member.login, hash).await?;
    }
    audit::record_in(&mut tx, &app, Some(account.id), &manager.username, peer, "alter login", &member.username).await?;
    tx.commit().await?;
    if hash.is_some() {
        let ended = queries::sessions(&app.store, member.login).await?;
        sessions::end(&app, &ended, "Your password was changed. Sign in with the new one.").await?;
    }
    sessions::enforce(&app, account.id, &account.account.realm).await?;
    Ok(Json(shown(member)))
}

/// A user name as it is stored: lower case, without spaces.
pub fn check_username(given: &str) -> Answer<String> {
    let username = input::text("username", given)?.to_lowercase();
    if username.chars().count() < 3 || username.contains(char::is_whitespace) {
        return Err(ApiError::invalid("username must have 3 to 100 characters and no spaces."));
    }
    Ok(username)
}

/// Length and no user name in it; there are no rules of composition.
pub fn check_password(password: &str, username: &str) -> Answer<()> {
    let length = password.chars().count();
    if length < passwords::SHORTEST {
        return Err(ApiError::invalid(format!(
            "The password is too short: {length} characters, at least {} are needed. A few words make a good one.",
            passwords::SHORTEST
        )));
    }
    if password.len() > passwords::LONGEST {
        return Err(ApiError::invalid(format!("The password is too long; at most {} bytes.", passwords::LONGEST)));
    }
    let lower = password.to_lowercase();
    if lower.contains(username) || username.contains(&lower) {
        return Err(ApiError::invalid("The password must not contain the user name; that is guessed first."));
    }
    Ok(())
}

fn shown(row: MemberRow) -> ManagedLogin {
    ManagedLogin { username: row.username, name: row.name, role: row.role, state: row.state }
}
