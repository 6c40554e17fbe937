//! What may be done with extensions.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::queries::{self, ExtensionRow};
use crate::server::{
    api_keys,
    change::Change,
    http::{
        App,
        input::{self, Peer},
        page::{Listed, Page},
        problem::{Answer, ApiError},
    },
    logins::{self, MemberRow},
    registrations,
    sessions::{Concerns, Manager, Right},
    store::Tx,
};

/// An extension as it is shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ManagedExtension {
    pub number: String,
    pub name: String,
    pub enabled: bool,
    /// User name of the login that owns it.
    pub login: Option<String>,
    /// The API key that is enabled on it.
    pub api_key: Option<i64>,
}

/// An extension to add; its primary registration comes with it.
#[derive(Deserialize, ToSchema)]
pub struct NewExtension {
    /// 1 to 12 digits.
    pub number: String,
    pub name: String,
}

/// What is to change of an extension; what is left out stays.
#[derive(Default, Deserialize, ToSchema)]
pub struct ExtensionChange {
    pub name: Option<String>,
    pub enabled: Option<bool>,
    /// User name of a login of the account; null takes the extension from its owner.
    #[serde(default, deserialize_with = "input::nullable")]
    #[schema(value_type = Option<String>)]
    pub login: Option<Option<String>>,
    /// An API key of the account; null disables the key on this extension.
    #[serde(default, deserialize_with = "input::nullable")]
    #[schema(value_type = Option<i64>)]
    pub api_key: Option<Option<i64>>,
}

/// An agent's list has its own extensions only.
pub async fn list(app: &App, manager: &Manager, tenant: &str, page: &Page) -> Answer<Listed<ManagedExtension>> {
    let access = manager.account(app, tenant, Right::SeeExtensions).await?;
    let found = queries::list(&app.store.within(access.account.id), access.account.id, access.only_own(), page).await?;
    Ok(page.of(found, shown))
}

/// An extension that the caller may see.
pub async fn read(app: &App, manager: &Manager, tenant: &str, number: &str) -> Answer<ManagedExtension> {
    Ok(shown(manager.extension(app, tenant, number, Right::SeeExtensions).await?.1))
}

/// Its primary registration, `<number>-<tenant>`, comes with it.
pub async fn create(
    app: &App,
    manager: &Manager,
    peer: Peer,
    tenant: &str,
    wanted: NewExtension,
) -> Answer<ManagedExtension> {
    let account = manager.account(app, tenant, Right::ManageExtensions).await?.account;
    let number = number(&wanted.number)?;
    let name = input::text("name", &wanted.name)?;
    let taken = || format!("The extension {number} exists already; choose another number.");
    let mut change = Change::begin(app, manager, peer, &account).await?;
    queries::create(&mut change.tx, &account, &number, &name, app.clock.now_ms())
        .await
        .map_err(|e| ApiError::from_rule(e, taken))?;
    change.concerns = Concerns::Members(Vec::new());
    change.commit("create extension", &number).await?;
    Ok(ManagedExtension { number, name, enabled: true, login: None, api_key: None })
}

/// Its name, its owner, the API key enabled on it; switching it off removes its devices.
pub async fn update(
    app: &App,
    manager: &Manager,
    peer: Peer,
    tenant: &str,
    number: &str,
    change: ExtensionChange,
) -> Answer<ManagedExtension> {
    let account = manager.extension(app, tenant, number, Right::ManageExtensions).await?.0.account;
    let mut kept = Change::begin(app, manager, peer, &account).await?;
    let unknown = || ApiError::not_found(format_args!("The extension {number}"));
    let mut row = queries::by_number(&mut kept.tx, account.id, number).await?.ok_or_else(unknown)?;
    let before = row.clone();
    if let Some(name) = &change.name {
        row.name = input::text("name", name)?;
    }
    row.enabled = change.enabled.unwrap_or(row.enabled);
    if let Some(login) = change.login {
        let owner = match login {
            None => None,
            Some(login) => Some(member(&mut kept.tx, account.id, &login).await?),
        };
        (row.membership, row.login) = owner.map(|owner| (owner.membership, owner.username)).unzip();
    }
    if let Some(api_key) = change.api_key {
        if let Some(key) = api_key {
            api_keys::must_be_usable(&mut kept.tx, account.id, key, app.clock.now_ms()).await?;
        }
        row.api_key = api_key;
    }
    queries::update(&mut kept.tx, &row).await.map_err(|e| ApiError::from_rule(e, String::new))?;
    if !row.enabled {
        let registrations = registrations::of_extension(&mut kept.tx, row.id).await?;
        kept.ended.empty(registrations.into_iter().map(|r| r.name));
    }
    let mut owners: Vec<i64> = before.membership.into_iter().chain(row.membership).collect();
    owners.dedup();
    kept.concerns = if row == before { Concerns::Nobody } else { Concerns::Members(owners) };
    kept.commit("alter extension", number).await?;
    Ok(shown(row))
}

/// Its registrations, their SIP passwords and links go with it, and whoever holds them is signed out. Its owner stays, and so
/// does what the audit says of it.
pub async fn remove(app: &App, manager: &Manager, peer: Peer, tenant: &str, number: &str) -> Answer<()> {
    let account = manager.extension(app, tenant, number, Right::ManageExtensions).await?.0.account;
    let mut change = Change::begin(app, manager, peer, &account).await?;
    let unknown = || ApiError::not_found(format_args!("The extension {number}"));
    let row = queries::by_number(&mut change.tx, account.id, number).await?.ok_or_else(unknown)?;
    let registrations = registrations::of_extension(&mut change.tx, row.id).await?;
    queries::remove(&mut change.tx, row.id).await?;
    change.ended.empty(registrations.into_iter().map(|r| r.name));
    change.commit("remove extension", number).await
}

async fn member(tx: &mut Tx, account: i64, username: &str) -> Answer<MemberRow> {
    logins::member(tx, account, username)
        .await?
        .ok_or_else(|| ApiError::invalid("login: there is no such login on this account; add it first, under logins."))
}

fn number(given: &str) -> Answer<String> {
    if !(1..=12).contains(&given.len()) || !given.bytes().all(|b| b.is_ascii_digit()) {
        return Err(ApiError::invalid("number must have 1 to 12 digits."));
    }
    Ok(given.to_owned())
}

fn shown(row: ExtensionRow) -> ManagedExtension {
    let ExtensionRow { number, name, enabled, login, api_key, .. } = row;
    ManagedExtension { number, name, enabled, login, api_key }
}
