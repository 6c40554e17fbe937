//! Queries about sessions and about who signs in.

use sqlx::{Row, sqlite::SqliteRow};

use crate::{
    server::store::Store,
    tms::wire::{Account, Edition, Extension, User},
};

pub struct Login {
    pub id: i64,
    pub username: String,
    pub name: String,
    pub password_hash: String,
    pub operator: bool,
}

/// User names are stored in lower case.
pub async fn login(store: &Store, username: &str) -> Result<Option<Login>, sqlx::Error> {
    let row = sqlx::query("SELECT id, username, name, password_hash, operator FROM login WHERE username = $1")
        .bind(username.trim().to_lowercase())
        .fetch_optional(store.pool())
        .await?;
    let read = |row: SqliteRow| {
        Ok(Login {
            id: row.try_get("id")?,
            username: row.try_get("username")?,
            name: row.try_get("name")?,
            password_hash: row.try_get("password_hash")?,
            operator: row.try_get("operator")?,
        })
    };
    row.map(read).transpose()
}

/// A login on an account.
pub struct Membership {
    pub id: i64,
    /// `pending`, `enabled` or `disabled`.
    pub state: String,
    pub account_name: String,
    pub account_enabled: bool,
}

pub async fn membership(store: &Store, login: i64, account: i64) -> Result<Option<Membership>, sqlx::Error> {
    let row = sqlx::query(
        "SELECT m.id, m.state, a.name, a.enabled
         FROM membership m JOIN account a ON a.id = m.account_id
         WHERE m.login_id = $1 AND m.account_id = $2",
    )
    .bind(login)
    .bind(account)
    .fetch_optional(store.pool())
    .await?;
    let read = |row: SqliteRow| {
        Ok(Membership {
            id: row.try_get("id")?,
            state: row.try_get("state")?,
            account_name: row.try_get("name")?,
            account_enabled: row.try_get("enabled")?,
        })
    };
    row.map(read).transpose()
}

/// The extensions of this membership on which the key is enabled.
pub async fn extensions(store: &Store, membership: i64, api_key: i64) -> Result<Vec<Extension>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT number, name FROM extension
         WHERE membership_id = $1 AND api_key_id = $2 AND enabled ORDER BY length(number), number",
    )
    .bind(membership)
    .bind(api_key)
    .fetch_all(store.pool())
    .await?;
    let read = |row: SqliteRow| Ok(Extension { number: row.try_get("number")?, name: row.try_get("name")? });
    rows.into_iter().map(read).collect()
}

/// The oldest sessions of a membership beyond so many of one installation, and so many altogether.
pub async fn surplus(
    store: &Store,
    membership: i64,
    per_installation: i64,
    per_login: i64,
) -> Result<Vec<i64>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT id FROM (
             SELECT id, row_number() OVER (PARTITION BY instance_id ORDER BY id DESC) AS of_installation,
                    row_number() OVER (ORDER BY id DESC) AS of_login
             FROM session WHERE membership_id = $1) AS counted
         WHERE of_installation > $2 OR of_login > $3",
    )
    .bind(membership)
    .bind(per_installation)
    .bind(per_login)
    .fetch_all(store.pool())
    .await?;
    rows.iter().map(|row| row.try_get("id")).collect()
}

/// A softphone's session with what every request needs of it.
#[derive(Clone, Debug)]
pub struct Session {
    pub id: i64,
    pub membership: i64,
    pub api_key: i64,
    pub instance_id: String,
    pub expires_at: i64,
    pub user: User,
    pub username: String,
    pub account_id: i64,
    pub account: Account,
    /// Login, account and key are all still good.
    pub enabled: bool,
}

pub async fn session(store: &Store, token_hash: &str) -> Result<Option<Session>, sqlx::Error> {
    let row = sqlx::query(
        "SELECT s.id, s.membership_id, s.api_key_id, s.instance_id, s.expires_at, l.name AS user_name, l.username,
                a.id AS account_id, a.name AS account_name, a.tenant, a.realm, a.edition,
                m.state = 'enabled' AND a.enabled AND k.revoked_at IS NULL AS enabled
         FROM session s
         JOIN membership m ON m.id = s.membership_id
         JOIN login l ON l.id = m.login_id
         JOIN account a ON a.id = m.account_id
         JOIN api_key k ON k.id = s.api_key_id
         WHERE s.token_hash = $1",
    )
    .bind(token_hash)
    .fetch_optional(store.pool())
    .await?;
    let read = |row: SqliteRow| {
        Ok(Session {
            id: row.try_get("id")?,
            membership: row.try_get("membership_id")?,
            api_key: row.try_get("api_key_id")?,
            instance_id: row.try_get("instance_id")?,
            expires_at: row.try_get("expires_at")?,
            user: User { name: row.try_get("user_name")? },
            username: row.try_get("username")?,
            account_id: row.try_get("account_id")?,
            account: Account {
                name: row.try_get("account_name")?,
                tenant: row.try_get("tenant")?,
                realm: row.try_get("realm")?,
                edition: edition(row.try_get("edition")?)?,
            },
            enabled: row.try_get("enabled")?,
        })
    };
    row.map(read).transpose()
}

/// The edition as the database writes it.
pub fn edition(stored: &str) -> Result<Edition, sqlx::Error> {
    match stored {
        "express" => Ok(Edition::Express),
        "enterprise" => Ok(Edition::Enterprise),
        "integrator" => Ok(Edition::Integrator),
        other => Err(sqlx::Error::Decode(format!("{other:?} is no edition").into())),
    }
}
