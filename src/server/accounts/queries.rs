//! Queries about accounts.

use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};

use crate::{
    server::{sessions, store::Store},
    tms::wire::{Account, Edition},
};

#[derive(Clone, Debug)]
pub struct AccountRow {
    pub id: i64,
    pub account: Account,
    pub enabled: bool,
}

pub async fn by_tenant(store: &Store, tenant: &str) -> Result<Option<AccountRow>, sqlx::Error> {
    let row = sqlx::query("SELECT id, name, tenant, realm, edition, enabled FROM account WHERE tenant = $1")
        .bind(tenant)
        .fetch_optional(store.pool())
        .await?;
    row.as_ref().map(read).transpose()
}

pub async fn all(store: &Store) -> Result<Vec<AccountRow>, sqlx::Error> {
    let rows = sqlx::query("SELECT id, name, tenant, realm, edition, enabled FROM account ORDER BY tenant")
        .fetch_all(store.pool())
        .await?;
    rows.iter().map(read).collect()
}

pub async fn create(connection: &mut SqliteConnection, account: &Account, now: i64) -> Result<i64, sqlx::Error> {
    let row = sqlx::query(
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

pub async fn update(connection: &mut SqliteConnection, row: &AccountRow) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE account SET name = $1, edition = $2, enabled = $3 WHERE id = $4")
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

fn read(row: &SqliteRow) -> Result<AccountRow, sqlx::Error> {
    Ok(AccountRow {
        id: row.try_get("id")?,
        account: Account {
            name: row.try_get("name")?,
            tenant: row.try_get("tenant")?,
            realm: row.try_get("realm")?,
            edition: sessions::edition(row.try_get("edition")?)?,
        },
        enabled: row.try_get("enabled")?,
    })
}
