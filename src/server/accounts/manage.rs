//! What may be done with accounts.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    emergency, media,
    queries::{self, Place},
};
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
        sessions::{Concerns, Manager, Right},
    },
    tms::wire::{Account, Edition, MediaPolicy, Recording, Srtp},
};

/// An account as it is shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ManagedAccount {
    #[serde(flatten)]
    pub account: Account,
    /// IANA name of its time zone.
    pub time_zone: String,
    /// Tenant of the account that it was made under.
    pub parent: Option<String>,
    pub enabled: bool,
    #[serde(flatten)]
    pub media: MediaPolicy,
}

/// An account to add.
#[derive(Deserialize, ToSchema)]
pub struct NewAccount {
    pub name: String,
    /// One unique word of 2 to 30 lower-case letters and digits; the last part of every SIP user name.
    pub tenant: String,
    /// SIP domain and digest realm; the tenant where it is left out.
    pub realm: Option<String>,
    pub edition: Edition,
    /// IANA name, such as `Europe/Berlin`; UTC where it is left out.
    pub time_zone: Option<String>,
    /// Tenant of the account that it is made under: its administrators manage this one too. Never changed later.
    pub parent: Option<String>,
    /// 1 to 20 numbers of 2 to 6 digits that are never refused; the installation's where they are left out.
    pub emergency_numbers: Option<Vec<String>>,
}

/// What is to change of an account; what is left out stays.
#[derive(Default, Deserialize, ToSchema)]
pub struct AccountChange {
    pub name: Option<String>,
    /// IANA name, such as `Europe/Berlin`.
    pub time_zone: Option<String>,
    /// Changes until the first SIP password or softphone depends on it.
    pub realm: Option<String>,
    pub edition: Option<Edition>,
    /// Switching it off ends its sessions and removes its devices.
    pub enabled: Option<bool>,
    /// All of them: 1 to 20 numbers of 2 to 6 digits. Agent Manager takes them over at its next sign-in.
    pub emergency_numbers: Option<Vec<String>>,
    /// Encryption of the audio of its agents' calls. Whoever is signed in is told at once of this, and of what is said of
    /// recording.
    pub srtp: Option<Srtp>,
    pub recording: Option<Recording>,
    /// Both sides hear a tone while a call is recorded, whatever the softphone is set to.
    pub recording_tone: Option<bool>,
}

/// The accounts that the caller may manage: an operator every one.
pub async fn list(app: &App, manager: &Manager, page: &Page) -> Answer<Listed<ManagedAccount>> {
    if manager.operator {
        manager.must_be_operator()?;
    }
    let found = queries::list(&app.store, (!manager.operator).then_some(manager.login), page).await?;
    Ok(page.of(found, |account| account))
}

/// One of those that the caller may see.
pub async fn read(app: &App, manager: &Manager, tenant: &str) -> Answer<ManagedAccount> {
    let access = manager.account(app, tenant, Right::SeeAccount).await?;
    Ok(queries::managed(&app.store, access.account.id).await?)
}

/// For operators: everything or nothing.
pub async fn create(app: &App, manager: &Manager, peer: Peer, wanted: NewAccount) -> Answer<ManagedAccount> {
    manager.must_be_operator()?;
    let tenant = input::word("tenant", &wanted.tenant, 2, 30, "")?;
    let realm = match &wanted.realm {
        Some(realm) => input::word("realm", realm, 1, 100, ".-")?,
        None => tenant.clone(),
    };
    let name = input::text("name", &wanted.name)?;
    let emergency_numbers = wanted.emergency_numbers.as_deref().map(emergency::check).transpose()?;
    let time_zone = time_zone(wanted.time_zone.as_deref().unwrap_or("UTC"))?;
    let parent = match &wanted.parent {
        Some(parent) => Some(manager.account(app, parent, Right::AlterAccount).await.map_err(unknown_parent)?.account),
        None => None,
    };
    let place = Place { time_zone: &time_zone, parent: parent.as_ref().map(|p| p.id) };
    let mut tx = app.store.begin().await?;
    let emergency_numbers = match emergency_numbers {
        Some(named) => named,
        None => emergency::of_installation(&mut tx).await?,
    };
    let account = Account { name, tenant, realm, edition: wanted.edition, emergency_numbers };
    let id = queries::create(&mut tx, &account, &place, app.clock.now_ms()).await.map_err(|e| {
        ApiError::from_rule(e, || {
            format!("The tenant {} or the realm {} exists already; choose another.", account.tenant, account.realm)
        })
    })?;
    audit::record_in(&mut tx, app, Some(id), &manager.username, peer, "create account", &account.tenant).await?;
    tx.commit().await?;
    let (parent, media) = (parent.map(|p| p.account.tenant), MediaPolicy::default());
    Ok(ManagedAccount { account, time_zone, parent, enabled: true, media })
}

fn unknown_parent(error: ApiError) -> ApiError {
    match error {
        ApiError::Refused(problem) if problem.status == 404 => {
            ApiError::invalid("parent: there is no account with this tenant.")
        }
        other => other,
    }
}

/// Lowering the edition to Express is refused while an extension has an additional registration. Only an operator may
/// change edition, realm and state.
pub async fn update(
    app: &App,
    manager: &Manager,
    peer: Peer,
    tenant: &str,
    change: AccountChange,
) -> Answer<ManagedAccount> {
    let account = manager.account(app, tenant, Right::AlterAccount).await?.account;
    if change.edition.is_some() || change.enabled.is_some() || change.realm.is_some() {
        manager.must_be_operator()?;
    }
    let time_zone = change.time_zone.as_deref().map(time_zone).transpose()?;
    let emergency_numbers = change.emergency_numbers.as_deref().map(emergency::check).transpose()?;
    let mut kept = Change::begin(app, manager, peer, &account).await?;
    let mut row = queries::by_id(&mut kept.tx, account.id).await?;
    if let Some(name) = &change.name {
        row.account.name = input::text("name", name)?;
    }
    if let Some(realm) = &change.realm {
        row.account.realm = input::word("realm", realm, 1, 100, ".-")?;
    }
    row.account.edition = change.edition.unwrap_or(row.account.edition);
    row.enabled = change.enabled.unwrap_or(row.enabled);
    row.account.emergency_numbers = emergency_numbers.unwrap_or(row.account.emergency_numbers);
    queries::update(&mut kept.tx, &row, time_zone.as_deref())
        .await
        .map_err(|e| ApiError::from_rule(e, || "This realm exists already; choose another.".to_owned()))?;
    if media::change(&mut kept.tx, account.id, &change).await? {
        kept.ended.tell_media();
    }
    if !row.enabled {
        kept.ended.empty(registrations::names_in(&mut kept.tx, row.id).await?);
    }
    let as_before = (row.enabled, &row.account.realm, row.account.edition)
        == (account.enabled, &account.account.realm, account.account.edition);
    if as_before {
        kept.concerns = Concerns::Nobody;
    }
    kept.commit("alter account", tenant).await?;
    Ok(queries::managed(&app.store, account.id).await?)
}

fn time_zone(given: &str) -> Answer<String> {
    let known = jiff::tz::TimeZone::get(given).ok().and_then(|zone| zone.iana_name().map(str::to_owned));
    known.ok_or_else(|| ApiError::invalid("time_zone must be a name of the IANA's, such as Europe/Berlin or UTC."))
}
