//! What may be done with API keys.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::queries::{self, NewKeyRow};
use crate::server::{
    change::Change,
    http::{
        App,
        input::{self, Peer},
        page::{Listed, Page},
        problem::{Answer, ApiError, kind},
    },
    secrets,
    sessions::{Concerns, Manager, Right},
};

/// What a key opens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    #[default]
    All,
    /// Agent Manager's sign-in.
    Agent,
    /// The XML API.
    Xml,
}

impl Scope {
    /// As the database writes it.
    pub fn written(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Agent => "agent",
            Self::Xml => "xml",
        }
    }

    /// # Errors
    /// When the database wrote something else.
    pub fn read(stored: &str) -> Result<Self, sqlx::Error> {
        match stored {
            "all" => Ok(Self::All),
            "agent" => Ok(Self::Agent),
            "xml" => Ok(Self::Xml),
            other => Err(sqlx::Error::Decode(format!("{other:?} is no scope").into())),
        }
    }
}

/// A key as it is shown: never its secret.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ManagedKey {
    pub id: i64,
    pub name: String,
    /// The readable beginning of the key.
    pub prefix: String,
    pub scope: Scope,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// The secret before the last rotation works until then.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub old_until: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub revoked_at: Option<Timestamp>,
}

impl ManagedKey {
    /// Whether it opens this now.
    pub fn usable_for(&self, wanted: Scope, now: Timestamp) -> bool {
        let fits = self.scope == Scope::All || self.scope == wanted;
        fits && self.revoked_at.is_none() && self.expires_at.is_none_or(|end| end > now)
    }
}

/// A key to add.
#[derive(Deserialize, ToSchema)]
pub struct NewKey {
    pub name: String,
    #[serde(default)]
    pub scope: Scope,
    /// It works no more from then on, and sessions that were opened with it end.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
}

/// A new secret for a key.
#[derive(Deserialize, ToSchema)]
pub struct Rotation {
    /// The prefix of the secret that is replaced: of two who rotate at the same time, one is told that it was done.
    pub prefix: String,
    /// The old secret works until then, at most 90 days; it stops at once where this is left out.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub old_until: Option<Timestamp>,
}

/// A key with its secret, which is shown this once.
#[derive(Serialize, ToSchema)]
pub struct MadeKey {
    pub id: i64,
    pub name: String,
    /// Together with the key, what the XML API asks for.
    pub tenant: String,
    pub prefix: String,
    /// Shown this once.
    #[schema(required = false)]
    pub key: String,
}

/// A request that the key opened.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct KeyUse {
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    pub address: String,
    /// `sign-in`, `link`, `xml GetExtensions`, …
    pub request: String,
}

/// The keys of the account, in the order they were made.
pub async fn list(app: &App, manager: &Manager, tenant: &str, page: &Page) -> Answer<Listed<ManagedKey>> {
    let access = manager.account(app, tenant, Right::SeeKeys).await?;
    app.notebook.flush().await;
    let found = queries::list(&app.store.within(access.account.id), access.account.id, page).await?;
    Ok(page.of(found, |row| row))
}

/// One of them.
pub async fn read(app: &App, manager: &Manager, tenant: &str, id: i64) -> Answer<ManagedKey> {
    let account = manager.account(app, tenant, Right::SeeKeys).await?.account;
    app.notebook.flush().await;
    queries::by_id(&app.store.within(account.id), account.id, id).await?.ok_or_else(|| unknown(id))
}

/// The key is in this answer and never again.
pub async fn create(app: &App, manager: &Manager, peer: Peer, tenant: &str, wanted: NewKey) -> Answer<MadeKey> {
    let account = manager.account(app, tenant, Right::ManageKeys).await?.account;
    let name = input::text("name", &wanted.name)?;
    let now = app.clock.now_ms();
    let expires_at = wanted.expires_at.map(Timestamp::as_millisecond);
    if expires_at.is_some_and(|end| end <= now) {
        return Err(ApiError::invalid("expires_at must lie in the future."));
    }
    let key = secrets::ApiKey::generate();
    let mut change = Change::begin(app, manager, peer, &account).await?;
    let row = NewKeyRow { account: account.id, name: &name, scope: wanted.scope, expires_at };
    let id = queries::create(&mut change.tx, &row, &key, now).await?;
    change.concerns = Concerns::Nobody;
    change.commit("create api key", &key.prefix).await?;
    Ok(MadeKey { id, name, tenant: account.account.tenant, prefix: key.prefix, key: key.key })
}

/// What is to change of a key; what is left out stays.
#[derive(Deserialize, ToSchema)]
pub struct KeyChange {
    /// It works no more from then on, and sessions that were opened with it end; null: it never expires.
    #[serde(default, deserialize_with = "input::nullable")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Option<Timestamp>>,
}

/// Gives a key that works another end, or none.
pub async fn alter(
    app: &App,
    manager: &Manager,
    peer: Peer,
    (tenant, id): (&str, i64),
    wanted: KeyChange,
) -> Answer<ManagedKey> {
    let account = manager.account(app, tenant, Right::ManageKeys).await?.account;
    let now = app.clock.now_ms();
    let Some(end) = wanted.expires_at.map(|end| end.map(Timestamp::as_millisecond)) else {
        return read(app, manager, tenant, id).await;
    };
    if end.is_some_and(|end| end <= now) {
        return Err(ApiError::invalid("expires_at must lie in the future; to end a key now, revoke it."));
    }
    let mut change = Change::begin(app, manager, peer, &account).await?;
    if !queries::set_expiry(&mut change.tx, account.id, id, end).await? {
        return Err(ApiError::not_found(format_args!("The API key {id}, or it was revoked: it")));
    }
    change.concerns = Concerns::Nobody;
    change.commit("alter api key", &id.to_string()).await?;
    queries::by_id(&app.store.within(account.id), account.id, id).await?.ok_or_else(|| unknown(id))
}

const LONGEST_OVERLAP_MS: i64 = 90 * 24 * 3600 * 1000;

/// A new secret for a key; the extensions it is enabled on and the sessions it opened stay. The key is in this answer and
/// never again.
pub async fn rotate(
    app: &App,
    manager: &Manager,
    peer: Peer,
    (tenant, id): (&str, i64),
    wanted: Rotation,
) -> Answer<MadeKey> {
    let account = manager.account(app, tenant, Right::ManageKeys).await?.account;
    let name = queries::name(&app.store.within(account.id), account.id, id).await?.ok_or_else(|| unknown(id))?;
    let now = app.clock.now_ms();
    let old_until = wanted.old_until.map(Timestamp::as_millisecond);
    if old_until.is_some_and(|end| end <= now || end > now + LONGEST_OVERLAP_MS) {
        return Err(ApiError::invalid("old_until must lie in the future, at most 90 days from now."));
    }
    let key = secrets::ApiKey::generate();
    let mut change = Change::begin(app, manager, peer, &account).await?;
    if !queries::rotate(&mut change.tx, (account.id, id), &wanted.prefix, &key, old_until).await? {
        return Err(ApiError::conflict(
            kind::CONFLICT,
            "The key was rotated or revoked since you looked. Look at the list again; nothing was changed.",
        ));
    }
    change.concerns = Concerns::Nobody;
    change.commit("rotate api key", &key.prefix).await?;
    Ok(MadeKey { id, name, tenant: account.account.tenant, prefix: key.prefix, key: key.key })
}

/// It works no more at once; sessions that were opened with it end.
pub async fn revoke(app: &App, manager: &Manager, peer: Peer, tenant: &str, id: i64) -> Answer<()> {
    let account = manager.account(app, tenant, Right::ManageKeys).await?.account;
    let mut change = Change::begin(app, manager, peer, &account).await?;
    if !queries::revoke(&mut change.tx, account.id, id, app.clock.now_ms()).await? {
        return Err(unknown(id));
    }
    change.commit("revoke api key", &id.to_string()).await
}

/// What a key was used for, newest first.
pub async fn uses(app: &App, manager: &Manager, tenant: &str, id: i64, page: &Page) -> Answer<Listed<KeyUse>> {
    read(app, manager, tenant, id).await?;
    let found = queries::uses(&app.store, id, page).await?;
    Ok(page.of(found, |row| row))
}

fn unknown(id: i64) -> ApiError {
    ApiError::not_found(format_args!("The API key {id}"))
}
