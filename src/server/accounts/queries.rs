//! Queries about accounts.

use crate::{
    server::{
        http::{page::Page, problem::Answer},
        store::{Row, Store, Tx, query},
    },
    tms::wire::{Account, Edition},
};

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

/// Accounts by tenant; `member` leaves only those on which this login is enabled.
pub async fn list(store: &Store, member: Option<i64>, page: &Page) -> Answer<Vec<AccountRow>> {
    let rows = query(
        "SELECT a.id AS account_id, a.name AS account_name, a.tenant, a.realm, a.edition, a.enabled AS account_enabled
         FROM account a
         WHERE ($1 IS NULL OR a.enabled AND EXISTS (
                 SELECT 1 FROM membership m WHERE m.account_id = a.id AND m.login_id = $1 AND m.state = 'enabled'))
             AND (lower(a.name) LIKE lower($2) ESCAPE '!' OR a.tenant LIKE lower($2) ESCAPE '!')
         ORDER BY a.tenant LIMIT $3 OFFSET $4",
    )
    .bind(member)
    .bind(page.pattern()?)
    .bind(page.rows())
    .bind(page.offset())
    .fetch_all(store)
    .await?;
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

pub async fn create(connection: &mut Tx, account: &Account, now: i64) -> Result<i64, sqlx::Error> {
    let row = query(
        "INSERT INTO account (name, tenant, realm, edition, created_at) VALUES ($1, $2, $3, $4, $5) RETURNING id",
    )
    .bind(&account.name)
    .bind(&account.tenant)
    .bind(&account.realm)
    .bind(written(account.edition))
    .bind(now)
    .fetch_one(connection)
    .await?;
    row.try_get("id")
}

pub async fn update(connection: &mut Tx, row: &AccountRow) -> Result<(), sqlx::Error> {
    query("UPDATE account SET name = $1, edition = $2, enabled = $3 WHERE id = $4")
        .bind(&row.account.name)
        .bind(written(row.account.edition))
        .bind(row.enabled)
        .bind(row.id)
        .execute(connection)
        .await?;
    Ok(())
}

fn written(edition: Edition) -> &'static str {
    match edition {
        Edition::Express => "express",
        Edition::Enterprise => "enterprise",
        Edition::Integrator => "integrator",
    }
}

/// An account of a row with `account_id`, `account_name`, `tenant`, `realm`, `edition` and `account_enabled`.
pub fn read(row: &Row) -> Result<AccountRow, sqlx::Error> {
    let edition: String = row.try_get("edition")?;
    Ok(AccountRow {
        id: row.try_get("account_id")?,
        account: Account {
            name: row.try_get("account_name")?,
            tenant: row.try_get("tenant")?,
            realm: row.try_get("realm")?,
            edition: match edition.as_str() {
                "express" => Edition::Express,
                "enterprise" => Edition::Enterprise,
                "integrator" => Edition::Integrator,
                other => return Err(sqlx::Error::Decode(format!("{other:?} is no edition").into())),
            },
        },
        enabled: row.try_get("account_enabled")?,
    })
}
