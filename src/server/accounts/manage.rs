//! What may be done with accounts.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::queries::{self, AccountRow};
use crate::{
    server::{
        audit,
        change::Change,
        http::{
            App,
            input::{self, Peer},
            page::{Listed, Page},
            problem::{Answer, ApiError},
        },
        registrations,
        sessions::{Manager, Right},
    },
    tms::wire::{Account, Edition},
};

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ManagedAccount {
    #[serde(flatten)]
    pub account: Account,
    pub enabled: bool,
}

#[derive(Deserialize, ToSchema)]
pub struct NewAccount {
    pub name: String,
    /// One unique word of 2 to 30 lower-case letters and digits; the last part of every SIP user name.
    pub tenant: String,
    /// SIP domain and digest realm; the tenant where it is left out. Never changed later.
    pub realm: Option<String>,
    pub edition: Edition,
}

#[derive(Default, Deserialize, ToSchema)]
pub struct AccountChange {
    pub name: Option<String>,
    pub edition: Option<Edition>,
    /// Switching it off ends its sessions and removes its devices.
    pub enabled: Option<bool>,
}

/// The accounts that the caller may manage: an operator every one.
pub async fn list(app: &App, manager: &Manager, page: &Page) -> Answer<Listed<ManagedAccount>> {
    let found = queries::list(&app.store, (!manager.operator).then_some(manager.login), page).await?;
    Ok(page.of(found, shown))
}

pub async fn read(app: &App, manager: &Manager, tenant: &str) -> Answer<ManagedAccount> {
    Ok(shown(manager.account(app, tenant, Right::SeeAccount).await?.account))
}

pub async fn create(app: &App, manager: &Manager, peer: Peer, wanted: NewAccount) -> Answer<ManagedAccount> {
    manager.must_be_operator()?;
    let tenant = input::word("tenant", &wanted.tenant, 2, 30, "")?;
    let realm = match &wanted.realm {
        Some(realm) => input::word("realm", realm, 1, 100, ".-")?,
        None => tenant.clone(),
    };
    let account = Account { name: input::text("name", &wanted.name)?, tenant, realm, edition: wanted.edition };
    let mut tx = app.store.begin().await?;
    let id = queries::create(&mut tx, &account, app.clock.now_ms()).await.map_err(|e| {
        ApiError::from_rule(e, || {
            format!("The tenant {} or the realm {} exists already; choose another.", account.tenant, account.realm)
        })
    })?;
    audit::record_in(&mut tx, app, Some(id), &manager.username, peer, "create account", &account.tenant).await?;
    tx.commit().await?;
    Ok(ManagedAccount { account, enabled: true })
}

/// Lowering the edition to Express is refused while an extension has an additional registration. Only an operator may
/// change edition and state.
pub async fn update(
    app: &App,
    manager: &Manager,
    peer: Peer,
    tenant: &str,
    change: AccountChange,
) -> Answer<ManagedAccount> {
    let mut row = manager.account(app, tenant, Right::AlterAccount).await?.account;
    if change.edition.is_some() || change.enabled.is_some() {
        manager.must_be_operator()?;
    }
    if let Some(name) = &change.name {
        row.account.name = input::text("name", name)?;
    }
    row.account.edition = change.edition.unwrap_or(row.account.edition);
    row.enabled = change.enabled.unwrap_or(row.enabled);
    let switched_off = if row.enabled { Vec::new() } else { registrations::names_in(&app.store, row.id).await? };
    let mut kept = Change::begin(app, manager, peer, &row).await?;
    queries::update(&mut kept.tx, &row).await.map_err(|e| ApiError::from_rule(e, String::new))?;
    kept.ended.empty(switched_off);
    kept.commit("alter account", tenant).await?;
    Ok(shown(row))
}

fn shown(row: AccountRow) -> ManagedAccount {
    ManagedAccount { account: row.account, enabled: row.enabled }
}
