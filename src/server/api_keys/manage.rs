//! What may be done with API keys.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::queries;
use crate::server::{
    change::Change,
    http::{
        App,
        input::{self, Peer},
        page::{Listed, Page},
        problem::{Answer, ApiError},
    },
    secrets,
    sessions::{Manager, Right},
};

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ManagedKey {
    pub id: i64,
    pub name: String,
    /// The readable beginning of the key.
    pub prefix: String,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub revoked_at: Option<Timestamp>,
}

#[derive(Deserialize, ToSchema)]
pub struct NewKey {
    pub name: String,
}

#[derive(Serialize, ToSchema)]
pub struct MadeKey {
    pub id: i64,
    pub name: String,
    /// Together with the key, what the XML API asks for.
    pub tenant: String,
    pub prefix: String,
    /// Shown this once.
    pub key: String,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct KeyUse {
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    pub address: String,
    /// `sign-in`, `link`, `xml GetExtensions`, …
    pub request: String,
}

pub async fn list(app: &App, manager: &Manager, tenant: &str, page: &Page) -> Answer<Listed<ManagedKey>> {
    let access = manager.account(app, tenant, Right::SeeKeys).await?;
    let found = queries::list(&app.store, access.account.id, page).await?;
    Ok(page.of(found, |row| row))
}

/// The key is in this answer and never again.
pub async fn create(app: &App, manager: &Manager, peer: Peer, tenant: &str, wanted: NewKey) -> Answer<MadeKey> {
    let account = manager.account(app, tenant, Right::ManageKeys).await?.account;
    let name = input::text("name", &wanted.name)?;
    let key = secrets::ApiKey::generate();
    let mut change = Change::begin(app, manager, peer, &account).await?;
    let id = queries::create(&mut change.tx, account.id, &name, &key, app.clock.now_ms()).await?;
    change.commit("create api key", &key.prefix).await?;
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
    let account = manager.account(app, tenant, Right::SeeKeys).await?.account;
    if !queries::exists(&app.store, account.id, id).await? {
        return Err(unknown(id));
    }
    let found = queries::uses(&app.store, id, page).await?;
    Ok(page.of(found, |row| row))
}

fn unknown(id: i64) -> ApiError {
    ApiError::not_found(format_args!("The API key {id}"))
}
