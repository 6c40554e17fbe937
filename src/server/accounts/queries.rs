//! Queries about accounts.

use super::{emergency, manage::ManagedAccount, media};
use crate::{
    server::{
        http::{page::Page, problem::Answer},
        store::{Row, Store, Tx, query},
    },
    tms::wire::{Account, Edition},
};

/// An account as it is stored.
#[derive(Clone, Debug)]
pub struct AccountRow {
    pub id: i64,
    pub account: Account,
    pub enabled: bool,
}

impl AccountRow {
    /// SIP domain and digest realm.
    pub fn realm(&self) -> &str {
        &self.account.realm
    }
}

/// The accounts that fit the rest of the statement, as they are shown.
macro_rules! managed {
    ($rest:literal) => {
        concat!(
            "SELECT a.id AS account_id, a.name AS account_name, a.tenant, a.realm, a.edition, a.enabled AS account_enabled,
                 a.emergency_numbers, a.time_zone, a.srtp, a.recording, a.recording_tone, p.tenant AS parent
             FROM account a LEFT JOIN account p ON p.id = a.parent_id ",
            $rest
        )
    };
}

/// Accounts by tenant. `member` leaves only those that this login may manage: on which it is enabled, and those below the ones
/// of which it is an administrator.
pub async fn list(store: &Store, member: Option<i64>, page: &Page) -> Answer<Vec<ManagedAccount>> {
    let rows = query(managed!(
        "WHERE ($1 IS NULL OR a.enabled AND a.id IN (
             WITH RECURSIVE below (id) AS (
                 SELECT m.account_id FROM membership m JOIN account o ON o.id = m.account_id
                 WHERE m.login_id = $1 AND m.state = 'enabled' AND m.role = 'admin' AND o.enabled
                 UNION SELECT c.id FROM account c JOIN below ON c.parent_id = below.id)
             SELECT id FROM below
             UNION SELECT account_id FROM membership WHERE login_id = $1 AND state = 'enabled'))
         AND (lower(a.name) LIKE lower($2) ESCAPE '!' OR a.tenant LIKE lower($2) ESCAPE '!')
         ORDER BY a.tenant LIMIT $3 OFFSET $4"
    ))
    .bind(member)
    .bind(page.pattern()?)
    .bind(page.rows())
    .bind(page.offset())
    .fetch_all(store)
    .await?;
    Ok(rows.iter().map(shown).collect::<Result<_, _>>()?)
}

/// One account as it is shown.
pub async fn managed(store: &Store, account: i64) -> Result<ManagedAccount, sqlx::Error> {
    shown(&query(managed!("WHERE a.id = $1")).bind(account).fetch_one(store).await?)
}

/// Where an account stands, on the clock and in the tree.
pub struct Place<'a> {
    pub time_zone: &'a str,
    pub parent: Option<i64>,
}

/// Its number.
pub async fn create(tx: &mut Tx, account: &Account, place: &Place<'_>, now: i64) -> Result<i64, sqlx::Error> {
    let row = query(
        "INSERT INTO account (name, tenant, realm, edition, time_zone, parent_id, created_at, emergency_numbers)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id",
    )
    .bind(&account.name)
    .bind(&account.tenant)
    .bind(&account.realm)
    .bind(written(account.edition))
    .bind(place.time_zone)
    .bind(place.parent)
    .bind(now)
    .bind(emergency::written(&account.emergency_numbers))
    .fetch_one(tx)
    .await?;
    row.try_get("id")
}

/// The account as it is within this transaction.
pub async fn by_id(tx: &mut Tx, account: i64) -> Result<AccountRow, sqlx::Error> {
    read(&query(managed!("WHERE a.id = $1")).bind(account).fetch_one(tx).await?)
}

/// The time zone stays where none is given; all else becomes what stands in the row, which was read in this transaction.
pub async fn update(tx: &mut Tx, row: &AccountRow, time_zone: Option<&str>) -> Result<(), sqlx::Error> {
    query(
        "UPDATE account SET name = $1, edition = $2, enabled = $3, realm = $4, time_zone = coalesce($5, time_zone),
             emergency_numbers = $7
         WHERE id = $6",
    )
    .bind(&row.account.name)
    .bind(written(row.account.edition))
    .bind(row.enabled)
    .bind(&row.account.realm)
    .bind(time_zone)
    .bind(row.id)
    .bind(emergency::written(&row.account.emergency_numbers))
    .execute(tx)
    .await?;
    Ok(())
}

/// As it is stored.
pub fn edition(stored: &str) -> Result<Edition, sqlx::Error> {
    match stored {
        "express" => Ok(Edition::Express),
        "enterprise" => Ok(Edition::Enterprise),
        "integrator" => Ok(Edition::Integrator),
        other => Err(sqlx::Error::Decode(format!("{other:?} is no edition").into())),
    }
}

fn written(edition: Edition) -> &'static str {
    match edition {
        Edition::Express => "express",
        Edition::Enterprise => "enterprise",
        Edition::Integrator => "integrator",
    }
}

/// An account of a row with `account_id`, `account_name`, `tenant`, `realm`, `edition`, `emergency_numbers` and
/// `account_enabled`.
pub fn read(row: &Row) -> Result<AccountRow, sqlx::Error> {
    Ok(AccountRow {
        id: row.try_get("account_id")?,
        account: Account {
            name: row.try_get("account_name")?,
            tenant: row.try_get("tenant")?,
            realm: row.try_get("realm")?,
            edition: edition(&row.try_get::<String>("edition")?)?,
            emergency_numbers: emergency::read(&row.try_get::<String>("emergency_numbers")?),
        },
        enabled: row.try_get("account_enabled")?,
    })
}

fn shown(row: &Row) -> Result<ManagedAccount, sqlx::Error> {
    let AccountRow { account, enabled, .. } = read(row)?;
    let (time_zone, parent, media) = (row.try_get("time_zone")?, row.try_get("parent")?, media::read(row)?);
    Ok(ManagedAccount { account, time_zone, parent, enabled, media })
}
