//! What a login may do with what is its own: its memberships, its sessions, its password.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    access::{DISABLED, Role},
    caller::{Manager, Proved},
    end::{self, Concerns, Ended},
    manage::{self, ManageSession},
    managing,
    queries::{self, State},
    sign_in::{authenticate, overtaken},
};
use crate::server::{
    audit,
    change::Change,
    http::{
        App,
        input::Peer,
        problem::{Answer, ApiError},
    },
    logins, outbox, passwords,
};

/// Begins the id of a softphone's session; a managing one's begins with what carries it.
pub const SOFTPHONE: &str = "softphone";

/// An account of the login that is signed in.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OwnMembership {
    pub tenant: String,
    pub account: String,
    pub role: Role,
    pub state: State,
}

/// A session of the login that is signed in.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OwnSession {
    /// `browser-…`, `token-…` or `softphone-…`.
    pub id: String,
    pub address: String,
    /// What the browser or program says it is.
    pub device: String,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// The one that asks.
    pub current: bool,
}

/// One's own new password.
#[derive(Deserialize, ToSchema)]
pub struct NewPassword {
    /// The password so far.
    pub current: String,
    pub password: String,
}

/// The accounts of the login that is signed in.
pub async fn memberships(app: &App, manager: &Manager) -> Answer<Vec<OwnMembership>> {
    Ok(queries::memberships(&app.store, manager.login).await?)
}

/// Ticks "Account enabled": the activation, which a new login does once, for itself.
pub async fn enable(app: &App, manager: &Manager, peer: Peer, tenant: &str) -> Answer<()> {
    let unknown = || ApiError::not_found(format_args!("The account {tenant}"));
    let account = queries::standing(&app.store, manager.login, tenant).await?.ok_or_else(unknown)?.account;
    let own = queries::membership(&app.store, manager.login, account.id).await?.ok_or_else(unknown)?;
    match own.state {
        State::Enabled => return Ok(()),
        State::Disabled => return Err(ApiError::forbidden(DISABLED)),
        State::Pending => {}
    }
    let mut change = Change::begin(app, manager, peer, &account).await?;
    change.concerns = Concerns::Members(Vec::new());
    if queries::activate(&mut change.tx, own.id, app.clock.now_ms()).await? {
        change.commit("enable", &manager.username).await?;
    }
    Ok(())
}

/// The sessions of the login that is signed in, newest first.
pub async fn sessions(app: &App, manager: &Manager) -> Answer<Vec<OwnSession>> {
    Ok(managing::of_login(&app.store, manager.login, manager.session, app.clock.now_ms()).await?)
}

/// Ends one of them.
pub async fn end_session(app: &App, manager: &Manager, id: &str) -> Answer<()> {
    let unknown = || ApiError::not_found("The session");
    let (kind, number) = id.split_once('-').ok_or_else(unknown)?;
    let number: i64 = number.parse().map_err(|_| unknown())?;
    if kind != SOFTPHONE {
        let ended = managing::end(&app.store, manager.login, number).await?;
        return if ended { Ok(()) } else { Err(unknown()) };
    }
    if !queries::owns(&app.store, manager.login, number).await? {
        return Err(unknown());
    }
    end::end(app, &[number], "You ended this session from another place. Sign in again.").await?;
    Ok(())
}

/// A new password in place of the current one. Every session ends, this one too; the answer is a new one.
pub async fn change_password(app: &App, manager: &Manager, peer: Peer, wanted: &NewPassword) -> Answer<ManageSession> {
    let mut login = authenticate(app, peer, &manager.username, &wanted.current).await?;
    if manager.password_given && wanted.password == wanted.current {
        return Err(ApiError::invalid("password must be another than the one that you were given."));
    }
    passwords::check(&wanted.password, &login.username)?;
    let hash = app.passwords.hash(&wanted.password).await?;
    let mut ended = Ended::default();
    let mut tx = app.store.begin().await?;
    if !logins::replace_password(&mut tx, login.id, &login.password_hash, &hash).await? {
        return Err(overtaken());
    }
    ended.login(&mut tx, login.id, "Your password was changed. Sign in with the new one.").await?;
    audit::record_own(&mut tx, app, (login.id, &login.username), peer, "change password").await?;
    let letter = outbox::post(&mut tx, ended, app.clock.now_ms()).await?;
    tx.commit().await?;
    app.outbox.send(letter).await;
    login.password_hash = hash;
    let proved = if manager.second_factor { Proved::PasswordAndCode } else { Proved::Password };
    manage::open(app, peer, (&login, proved), manager.carrier, "").await
}
