//! Queries about invitations.

use crate::server::store::{Store, Tx, query};

/// Whom an invitation is for.
pub struct Guest {
    pub membership: i64,
    pub login: i64,
    pub username: String,
    pub name: String,
    pub account_id: i64,
    pub account: String,
    pub disabled: bool,
    pub extension: Option<i64>,
    pub registration: Option<String>,
}

/// A one-time link as it begins.
pub struct NewInvitation<'a> {
    pub code_hash: &'a str,
    pub membership: i64,
    pub extension: Option<i64>,
    pub registration: Option<&'a str>,
    pub created_at: i64,
    pub expires_at: i64,
}

/// The invitations that this membership had before are good no more.
pub async fn add(tx: &mut Tx, new: &NewInvitation<'_>) -> Result<(), sqlx::Error> {
    query("DELETE FROM invitation WHERE membership_id = $1").bind(new.membership).execute(&mut *tx).await?;
    query(
        "INSERT INTO invitation (code_hash, membership_id, extension_id, registration, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(new.code_hash)
    .bind(new.membership)
    .bind(new.extension)
    .bind(new.registration)
    .bind(new.created_at)
    .bind(new.expires_at)
    .execute(tx)
    .await?;
    Ok(())
}

/// Whom a code that is still good is for.
pub async fn guest(store: &Store, code_hash: &str, now: i64) -> Result<Option<Guest>, sqlx::Error> {
    let row = query(
        "SELECT i.membership_id, i.extension_id, i.registration, l.id AS login, l.username, l.name,
                a.id AS account_id, a.name AS account, m.state = 'disabled' OR NOT a.enabled AS disabled
         FROM invitation i
         JOIN membership m ON m.id = i.membership_id
         JOIN login l ON l.id = m.login_id
         JOIN account a ON a.id = m.account_id
         WHERE i.code_hash = $1 AND i.used_at IS NULL AND i.expires_at > $2",
    )
    .bind(code_hash)
    .bind(now)
    .fetch_optional(store)
    .await?;
    row.map(|row| {
        Ok(Guest {
            membership: row.try_get("membership_id")?,
            login: row.try_get("login")?,
            username: row.try_get("username")?,
            name: row.try_get("name")?,
            account: row.try_get("account")?,
            account_id: row.try_get("account_id")?,
            disabled: row.try_get("disabled")?,
            extension: row.try_get("extension_id")?,
            registration: row.try_get("registration")?,
        })
    })
    .transpose()
}

/// Uses the code up. False: somebody did so meanwhile.
pub async fn use_up(tx: &mut Tx, code_hash: &str, now: i64) -> Result<bool, sqlx::Error> {
    let used = query("UPDATE invitation SET used_at = $1 WHERE code_hash = $2 AND used_at IS NULL AND expires_at > $1");
    Ok(used.bind(now).bind(code_hash).execute(tx).await? == 1)
}

/// An additional registration of this name, if the extension has one.
pub async fn has_registration(tx: &mut Tx, extension: i64, name: &str) -> Result<bool, sqlx::Error> {
    let row = query("SELECT 1 AS found FROM registration WHERE extension_id = $1 AND name = $2");
    Ok(row.bind(extension).bind(name).fetch_optional(tx).await?.is_some())
}
