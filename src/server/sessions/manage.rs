//! Signing in and out of managing.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    caller::{Carrier, Manager, Proved},
    managing::{self, NewManaging},
    queries::Login,
    sign_in::{authenticate, overtaken},
};
use crate::server::{
    audit, clock,
    http::{App, input::Peer, problem::Answer},
    second_factor, secrets,
};

const LIFETIME_MS: i64 = 12 * 3600 * 1000;
/// Sessions of one login at a time; the oldest go.
const PER_LOGIN: i64 = 20;
/// Characters of a device's name that are kept.
const DEVICE: usize = 200;

/// `POST /v1/manage/session`.
#[derive(Deserialize, ToSchema)]
pub struct ManageSignIn {
    pub username: String,
    pub password: String,
    /// Of the authenticator, or a recovery code, where two-step sign-in is on.
    pub code: Option<String>,
}

/// A managing session as it begins.
#[derive(Serialize, ToSchema)]
pub struct ManageSession {
    #[schema(required = false)]
    pub token: String,
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// May create accounts and manage every one of them.
    pub operator: bool,
}

/// For operators and members of accounts, and for a new login to enable its account. `device` is what the caller says it is.
pub async fn sign_in(app: &App, peer: Peer, device: &str, wanted: &ManageSignIn) -> Answer<ManageSession> {
    let login = authenticate(app, peer, &wanted.username, &wanted.password).await?;
    let proved = second_factor::require(app, peer, login.id, wanted.code.as_deref()).await?;
    open(app, peer, (&login, proved), Carrier::Token, device).await
}

/// Opens a managing session, always a new one, for a login that has proved itself so.
pub async fn open(
    app: &App,
    peer: Peer,
    (login, proved): (&Login, Proved),
    carrier: Carrier,
    device: &str,
) -> Answer<ManageSession> {
    let token = secrets::manage_token();
    let now = app.clock.now_ms();
    let session = NewManaging {
        login: login.id,
        token_hash: &secrets::hash(&token),
        carrier,
        address: &peer.ip().to_string(),
        device: &device.chars().filter(|c| !c.is_control()).take(DEVICE).collect::<String>(),
        created_at: now,
        expires_at: now + LIFETIME_MS,
    };
    let mut tx = app.store.begin().await?;
    if !managing::add(&mut tx, &session, (&login.password_hash, proved), PER_LOGIN - 1).await? {
        return Err(overtaken());
    }
    audit::record_own(&mut tx, app, (login.id, &login.username), peer, "sign in to manage").await?;
    tx.commit().await?;
    Ok(ManageSession { token, expires_at: clock::from_ms(session.expires_at), operator: login.operator })
}

/// Ends the session that asks.
pub async fn sign_out(app: &App, manager: &Manager) -> Answer<()> {
    managing::end(&app.store, manager.login, manager.session).await?;
    Ok(())
}
