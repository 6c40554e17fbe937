//! What may be done with the registrations of an extension.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::queries::{self, RegistrationRow};
use crate::{
    server::{
        accounts::AccountRow,
        change::Change,
        contacts::Contact,
        extensions::ExtensionRow,
        http::{
            App,
            input::{self, Peer},
            problem::{Answer, ApiError, kind},
        },
        registry::Ha1,
        secrets,
        sessions::{Concerns, Manager, Right},
        store::Tx,
    },
    tms::wire::{Edition, Kind},
};

/// A registration as it is shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ManagedRegistration {
    /// SIP user name.
    pub name: String,
    pub kind: Kind,
    pub label: String,
    pub ring_inbound: bool,
    pub enabled: bool,
    /// A lasting password was made, for a device set up by hand.
    pub has_sip_password: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holder: Option<Holder>,
}

/// Who holds it now.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Holder {
    pub device: String,
    pub address: String,
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// Milliseconds that it last took to answer the registrar: there and back, and the device's own time. Left out where it was
    /// not measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<u64>,
}

/// An additional registration to add.
#[derive(Deserialize, ToSchema)]
pub struct NewRegistration {
    /// The last part of the SIP user name, `<number>-<tenant>-<username>`: 1 to 20 lower-case letters and digits.
    pub username: String,
    /// The username where it is left out.
    pub label: Option<String>,
    #[serde(default)]
    pub ring_inbound: bool,
}

/// What is to change of a registration; what is left out stays.
#[derive(Default, Deserialize, ToSchema)]
pub struct RegistrationChange {
    pub label: Option<String>,
    /// Rings with the primary; a primary always rings. An agent may alter this of its own, and nothing else.
    pub ring_inbound: Option<bool>,
    /// Switching it off removes its device.
    pub enabled: Option<bool>,
}

/// A lasting SIP password, shown once.
#[derive(Serialize, ToSchema)]
pub struct SipPassword {
    pub username: String,
    pub realm: String,
    /// Shown this once.
    #[schema(required = false)]
    pub password: String,
}

/// The registrations of an extension, and who holds each now.
pub async fn list(app: &App, manager: &Manager, tenant: &str, number: &str) -> Answer<Vec<ManagedRegistration>> {
    let (access, extension) = manager.extension(app, tenant, number, Right::SeeExtensions).await?;
    let rows = queries::of_extension(&app.store.within(access.account.id), extension.id).await?;
    let held = app.contacts.held(access.account.realm(), rows.iter().map(|r| r.name.clone()).collect()).await;
    let show = |row: RegistrationRow| {
        let holder = held.iter().find(|c| c.registration == row.name).map(holder);
        shown(row, holder)
    };
    Ok(rows.into_iter().map(show).collect())
}

/// The registrations of several extensions of an account that the caller may see, by extension; the first
/// [`queries::NUMBERS`] of them.
pub async fn of_extensions(
    app: &App,
    account: &AccountRow,
    numbers: &[&str],
) -> Answer<HashMap<String, Vec<ManagedRegistration>>> {
    let rows = queries::of_numbers(&app.store.within(account.id), account.id, numbers).await?;
    let held = app.contacts.held(account.realm(), rows.iter().map(|r| r.name.clone()).collect()).await;
    let mut found: HashMap<String, Vec<ManagedRegistration>> = HashMap::new();
    for row in rows {
        let holder = held.iter().find(|c| c.registration == row.name).map(holder);
        found.entry(row.extension.clone()).or_default().push(shown(row, holder));
    }
    Ok(found)
}

/// An additional one (S): none on Express, at most two elsewhere.
pub async fn create(
    app: &App,
    manager: &Manager,
    peer: Peer,
    tenant: &str,
    number: &str,
    wanted: NewRegistration,
) -> Answer<ManagedRegistration> {
    let (access, extension) = manager.extension(app, tenant, number, Right::ManageExtensions).await?;
    let account = access.account;
    let username = input::word("username", &wanted.username, 1, 20, "")?;
    let label = input::text("label", wanted.label.as_deref().unwrap_or(&username))?;
    let name = format!("{number}-{tenant}-{username}");
    let mut change = Change::begin(app, manager, peer, &account).await?;
    let id = queries::add(&mut change.tx, extension.id, &name, &label, wanted.ring_inbound, app.clock.now_ms())
        .await
        .map_err(|e| ApiError::from_rule(e, || format!("{name} exists already; choose another username.")))?;
    let id = id.ok_or_else(|| {
        let detail = match account.account.edition {
            Edition::Express => "An Express account has one registration per extension.",
            Edition::Enterprise | Edition::Integrator => {
                "An extension has at most two additional registrations; remove one first."
            }
        };
        ApiError::conflict(kind::EDITION, detail)
    })?;
    change.concerns = Concerns::Members(extension.membership.into_iter().collect());
    change.commit("add registration", &name).await?;
    let row = RegistrationRow {
        id,
        name,
        extension: number.to_owned(),
        kind: Kind::S,
        label,
        ring_inbound: wanted.ring_inbound,
        enabled: true,
        has_password: false,
    };
    Ok(shown(row, None))
}

/// Label, ring inbound, enabled.
pub async fn update(
    app: &App,
    manager: &Manager,
    peer: Peer,
    (tenant, number, name): (&str, &str, &str),
    change: RegistrationChange,
) -> Answer<ManagedRegistration> {
    let ring_only = change.label.is_none() && change.enabled.is_none();
    let right = if ring_only { Right::UseExtensions } else { Right::ManageExtensions };
    let (access, extension) = manager.extension(app, tenant, number, right).await?;
    let account = access.account;
    let mut kept = Change::begin(app, manager, peer, &account).await?;
    let mut row = named(&mut kept.tx, &extension, name).await?;
    let before = row.clone();
    if row.kind == Kind::P && change.ring_inbound == Some(false) {
        return Err(ApiError::invalid("ring_inbound: the primary registration always rings."));
    }
    if let Some(label) = &change.label {
        row.label = input::text("label", label)?;
    }
    row.ring_inbound = change.ring_inbound.unwrap_or(row.ring_inbound);
    row.enabled = change.enabled.unwrap_or(row.enabled);
    queries::update(&mut kept.tx, &row).await.map_err(|e| ApiError::from_rule(e, String::new))?;
    if !row.enabled {
        kept.ended.empty([row.name.clone()]);
    }
    kept.concerns = match row == before {
        true => Concerns::Nobody,
        false => Concerns::Members(extension.membership.into_iter().collect()),
    };
    kept.commit("alter registration", name).await?;
    let held = app.contacts.held(account.realm(), vec![row.name.clone()]).await;
    Ok(shown(row, held.first().map(holder)))
}

/// Removes an additional registration.
pub async fn remove(
    app: &App,
    manager: &Manager,
    peer: Peer,
    (tenant, number, name): (&str, &str, &str),
) -> Answer<()> {
    let (access, extension) = manager.extension(app, tenant, number, Right::ManageExtensions).await?;
    let mut change = Change::begin(app, manager, peer, &access.account).await?;
    let row = named(&mut change.tx, &extension, name).await?;
    if row.kind == Kind::P {
        return Err(ApiError::conflict(kind::CONFLICT, "The primary registration goes only with its extension."));
    }
    queries::remove(&mut change.tx, row.id).await?;
    change.ended.empty([row.name]);
    change.concerns = Concerns::Members(extension.membership.into_iter().collect());
    change.commit("remove registration", name).await
}

/// A new lasting SIP password, for a device set up by hand: in this answer and never again. The former one stops working and
/// its device is removed.
pub async fn sip_password(
    app: &App,
    manager: &Manager,
    peer: Peer,
    (tenant, number, name): (&str, &str, &str),
) -> Answer<SipPassword> {
    let (access, extension) = manager.extension(app, tenant, number, Right::UseExtensions).await?;
    let realm = access.account.realm();
    let password = secrets::password();
    let mut change = Change::begin(app, manager, peer, &access.account).await?;
    let row = named(&mut change.tx, &extension, name).await?;
    queries::set_password(&mut change.tx, &row.name, &Ha1::of(&row.name, realm, &password)).await?;
    change.ended.withdraw_lasting(&row.name);
    change.concerns = Concerns::Members(Vec::new());
    change.commit("new sip password", name).await?;
    Ok(SipPassword { username: row.name, realm: realm.to_owned(), password })
}

async fn named(tx: &mut Tx, extension: &ExtensionRow, name: &str) -> Answer<RegistrationRow> {
    let rows = queries::of_extension(tx, extension.id).await?;
    let row = rows.into_iter().find(|r| r.name == name);
    row.ok_or_else(|| ApiError::not_found(format_args!("The registration {name}")))
}

fn holder(contact: &Contact) -> Holder {
    Holder {
        device: contact.device.clone(),
        address: contact.address.to_string(),
        since: contact.since,
        expires_at: contact.expires_at,
        latency_ms: contact.latency.map(|took| took.as_millis() as u64),
    }
}

fn shown(row: RegistrationRow, holder: Option<Holder>) -> ManagedRegistration {
    ManagedRegistration {
        name: row.name,
        kind: row.kind,
        label: row.label,
        ring_inbound: row.ring_inbound,
        enabled: row.enabled,
        has_sip_password: row.has_password,
        holder,
    }
}
