//! Sessions of people who manage, and what a login may do with its own memberships.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    access::{DISABLED, Role},
    caller::Manager,
    queries::{self, Login, State},
    sign_in::authenticate,
};
use crate::server::{
    audit,
    change::Change,
    clock,
    http::{
        App,
        input::Peer,
        problem::{Answer, ApiError},
    },
    secrets,
};

const LIFETIME_MS: i64 = 12 * 3600 * 1000;
/// Sessions of one login at a time; the oldest go.
const PER_LOGIN: i64 = 20;

#[derive(Deserialize, ToSchema)]
pub struct ManageSignIn {
    pub username: String,
    pub password: String,
}

#[derive(Serialize, ToSchema)]
pub struct ManageSession {
    pub token: String,
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// May create accounts and manage every one of them.
    pub operator: bool,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OwnMembership {
    pub tenant: String,
    pub account: String,
    pub role: Role,
    pub state: State,
}

/// For operators and members of accounts, and for a new login to enable its account.
pub async fn sign_in(app: &App, peer: Peer, wanted: &ManageSignIn) -> Answer<ManageSession> {
    let login = authenticate(app, peer, &wanted.username, &wanted.password).await?;
    open(app, peer, &login).await
}

/// Opens a managing session, always a new one, for a login that has proved itself.
pub async fn open(app: &App, peer: Peer, login: &Login) -> Answer<ManageSession> {
    let token = secrets::manage_token();
    let now = app.clock.now_ms();
    let expires_at = now + LIFETIME_MS;
    let mut tx = app.store.begin().await?;
    queries::add_managing(&mut tx, login.id, &secrets::hash(&token), now, expires_at, PER_LOGIN - 1).await?;
    audit::record_in(&mut tx, app, None, &login.username, peer, "sign in to manage", &login.username).await?;
    tx.commit().await?;
    Ok(ManageSession { token, expires_at: clock::from_ms(expires_at), operator: login.operator })
}

pub async fn sign_out(app: &App, manager: &Manager) -> Answer<()> {
    queries::end_managing(&app.store, manager.session).await?;
    Ok(())
}

/// The accounts of the login that is signed in.
pub async fn memberships(app: &App, manager: &Manager) -> Answer<Vec<OwnMembership>> {
    Ok(queries::memberships(&app.store, manager.login).await?)
}

/// Ticks "Account enabled": the activation, which a new login does once, for itself.
pub async fn enable(app: &App, manager: &Manager, peer: Peer, tenant: &str) -> Answer<()> {
    let standing = queries::standing(&app.store, manager.login, tenant).await?;
    let own = standing.and_then(|s| Some((s.account, s.membership?)));
    let (account, (membership, _, state)) =
        own.ok_or_else(|| ApiError::not_found(format_args!("The account {tenant}")))?;
    match state {
        State::Enabled => return Ok(()),
        State::Disabled => return Err(ApiError::forbidden(DISABLED)),
        State::Pending => {}
    }
    let mut change = Change::begin(app, manager, peer, &account).await?;
    if queries::activate(&mut change.tx, membership, app.clock.now_ms()).await? {
        change.commit("enable", &manager.username).await?;
    }
    Ok(())
}
