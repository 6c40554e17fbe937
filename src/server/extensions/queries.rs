//! Queries about extensions.

use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};

use crate::server::{accounts::AccountRow, store::Store};

#[derive(Clone, Debug)]
pub struct ExtensionRow {
    pub id: i64,
    pub number: String,
    pub name: String,
    pub enabled: bool,
    /// User name of the login that owns it.
    pub login: Option<String>,
    pub api_key: Option<i64>,
}

const SELECT: &str = "SELECT e.id, e.number, e.name, e.enabled, e.api_key_id, l.username
     FROM extension e
     LEFT JOIN membership m ON m.id = e.membership_id
     LEFT JOIN login l ON l.id = m.login_id
     WHERE e.account_id = $1 AND ($2 IS NULL OR e.number = $2) ORDER BY length(e.number), e.number";

pub async fn all(store: &Store, account: i64) -> Result<Vec<ExtensionRow>, sqlx::Error> {
    let rows = sqlx::query(SELECT).bind(account).bind(None::<String>).fetch_all(store.pool()).await?;
    rows.iter().map(read).collect()
}

pub async fn by_number(store: &Store, account: i64, number: &str) -> Result<Option<ExtensionRow>, sqlx::Error> {
    let row = sqlx::query(SELECT).bind(account).bind(number).fetch_optional(store.pool()).await?;
    row.as_ref().map(read).transpose()
}

/// Makes the extension; its primary registration comes with it (a trigger).
pub async fn create(
    connection: &mut SqliteConnection,
    account: &AccountRow,
    number: &str,
    name: &str,
    now: i64,
) -> Result<i64, sqlx::Error> {
    let row = sqlx::query(
        "INSERT INTO extension (account_id, tenant, edition, number, name, created_at)
         SELECT id, tenant, edition, $2, $3, $4 FROM account WHERE id = $1 RETURNING id",
    )
    .bind(account.id)
    .bind(number)
    .bind(name)
    .bind(now)
    .fetch_one(connection)
    .await?;
    row.try_get("id")
}

/// What an extension becomes.
pub struct Changes<'a> {
    pub name: &'a str,
    pub enabled: bool,
    /// User name of a login of the same account.
    pub login: Option<&'a str>,
    /// A key of the same account.
    pub api_key: Option<i64>,
}

pub async fn update(connection: &mut SqliteConnection, id: i64, changes: &Changes<'_>) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE extension SET name = $1, enabled = $2, api_key_id = $3, membership_id = (
             SELECT m.id FROM membership m JOIN login l ON l.id = m.login_id
             WHERE l.username = $4 AND m.account_id = extension.account_id)
         WHERE id = $5",
    )
    .bind(changes.name)
    .bind(changes.enabled)
    .bind(changes.api_key)
    .bind(changes.login)
    .bind(id)
    .execute(connection)
    .await?;
    Ok(())
}

fn read(row: &SqliteRow) -> Result<ExtensionRow, sqlx::Error> {
    Ok(ExtensionRow {
        id: row.try_get("id")?,
        number: row.try_get("number")?,
        name: row.try_get("name")?,
        enabled: row.try_get("enabled")?,
        login: row.try_get("username")?,
        api_key: row.try_get("api_key_id")?,
    })
}
