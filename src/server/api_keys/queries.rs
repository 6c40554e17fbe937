//! Queries about API keys.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::manage::{KeyUse, ManagedKey, Scope};
use crate::server::{
    accounts::{self, AccountRow},
    clock,
    http::{
        page::Page,
        problem::{Answer, ApiError},
    },
    secrets,
    store::{Executor, Row, Store, Tx, query},
};

/// A key that was not revoked, and the account it stands for.
#[derive(Clone, Debug)]
pub struct KeyRow {
    pub id: i64,
    pub account: AccountRow,
    scope: Scope,
    expires_at: Option<i64>,
}

impl KeyRow {
    /// Why the key does not open this; `None` when it does.
    pub fn refused(&self, wanted: Scope, now: i64) -> Option<&'static str> {
        if self.expires_at.is_some_and(|end| end <= now) {
            return Some(
                "This API key has expired. Ask whoever manages your TMS for a new one, made in TMS, API Manager.",
            );
        }
        match (self.scope, wanted) {
            (Scope::All, _) | (Scope::Agent, Scope::Agent) | (Scope::Xml, Scope::Xml) => None,
            (Scope::Xml, _) => Some(
                "This API key is for the XML API only. Ask whoever manages your TMS for one that is for Agent Manager.",
            ),
            (Scope::Agent, _) => {
                Some("This API key is for Agent Manager only. Make one for the XML API in TMS, API Manager.")
            }
        }
    }
}

/// The keys that were not revoked and fit the rest of the statement.
macro_rules! select {
    ($from:literal, $and:literal) => {
        concat!(
            "SELECT k.id, k.scope, k.expires_at, a.id AS account_id, a.name AS account_name, a.tenant, a.realm, a.edition,
                 a.emergency_numbers, a.enabled AS account_enabled
             FROM ",
            $from,
            " JOIN account a ON a.id = k.account_id WHERE k.revoked_at IS NULL AND ",
            $and
        )
    };
}

/// The keys that fit the rest of the statement, as they are shown.
macro_rules! managed {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, prefix, scope, created_at, last_used_at, expires_at, former_until, revoked_at FROM api_key ",
            $rest
        )
    };
}

/// The key with this secret, or with the one before it while that still works. `None`: unknown or revoked.
pub async fn find(store: &Store, key: &str, now: i64) -> Result<Option<KeyRow>, sqlx::Error> {
    if !secrets::ApiKey::is_whole(key) {
        return Ok(None);
    }
    let row = query(select!("api_key k", "(k.hash = $1 OR (k.former_hash = $1 AND k.former_until > $2))"))
        .bind(secrets::hash(key))
        .bind(now)
        .fetch_optional(store)
        .await?;
    row.as_ref().map(read).transpose()
}

/// The key that is enabled on an extension.
pub async fn of_extension(tx: &mut Tx, extension: i64) -> Result<Option<KeyRow>, sqlx::Error> {
    let row = query(select!("extension e JOIN api_key k ON k.id = e.api_key_id", "e.id = $1"))
        .bind(extension)
        .fetch_optional(tx)
        .await?;
    row.as_ref().map(read).transpose()
}

/// Whether the key may be enabled on an extension of this account.
pub async fn usable(tx: &mut Tx, account: i64, key: i64, now: i64) -> Result<bool, sqlx::Error> {
    let key = by_id(tx, account, key).await?;
    Ok(key.is_some_and(|key| key.usable_for(Scope::Agent, clock::from_ms(now))))
}

/// As [`usable`], in words.
pub async fn must_be_usable(tx: &mut Tx, account: i64, key: i64, now: i64) -> Answer<()> {
    if usable(tx, account, key, now).await? {
        return Ok(());
    }
    Err(ApiError::invalid(format!(
        "api_key: {key} is no key of this account that Agent Manager may use; make one under api-keys."
    )))
}

/// A new key, without its secret.
pub struct NewKeyRow<'a> {
    pub account: i64,
    pub name: &'a str,
    pub scope: Scope,
    pub expires_at: Option<i64>,
}

/// The account's first key with which Agent Manager can sign in.
pub async fn first(tx: &mut Tx, account: i64, now: i64) -> Result<Option<i64>, sqlx::Error> {
    let rows = query(managed!("WHERE account_id = $1 AND revoked_at IS NULL ORDER BY id")).bind(account);
    let keys = rows.fetch_all(tx).await?.iter().map(managed).collect::<Result<Vec<_>, _>>()?;
    Ok(keys.iter().find(|key| key.usable_for(Scope::Agent, clock::from_ms(now))).map(|key| key.id))
}

/// Stores a new key's prefix and hash.
pub async fn create(
    connection: &mut Tx,
    row: &NewKeyRow<'_>,
    key: &secrets::ApiKey,
    now: i64,
) -> Result<i64, sqlx::Error> {
    let row = query(
        "INSERT INTO api_key (account_id, name, prefix, hash, scope, expires_at, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id",
    )
    .bind(row.account)
    .bind(row.name)
    .bind(&key.prefix)
    .bind(secrets::hash(&key.key))
    .bind(row.scope.written())
    .bind(row.expires_at)
    .bind(now)
    .fetch_one(connection)
    .await?;
    row.try_get("id")
}

/// Gives a key another secret. False: its secret is no longer the one that `prefix` begins, or it was revoked.
pub async fn rotate(
    connection: &mut Tx,
    (account, key): (i64, i64),
    prefix: &str,
    new: &secrets::ApiKey,
    old_until: Option<i64>,
) -> Result<bool, sqlx::Error> {
    let rotated = query(
        "UPDATE api_key SET hash = $1, prefix = $2, former_until = $3,
             former_hash = CASE WHEN $3 IS NULL THEN NULL ELSE hash END
         WHERE id = $4 AND account_id = $5 AND prefix = $6 AND revoked_at IS NULL",
    )
    .bind(secrets::hash(&new.key))
    .bind(&new.prefix)
    .bind(old_until)
    .bind(key)
    .bind(account)
    .bind(prefix)
    .execute(connection)
    .await?;
    Ok(rotated == 1)
}

/// Revokes a key and takes it off its extensions. False: the account has no such key.
pub async fn revoke(connection: &mut Tx, account: i64, key: i64, now: i64) -> Result<bool, sqlx::Error> {
    let revoked = query("UPDATE api_key SET revoked_at = coalesce(revoked_at, $1) WHERE id = $2 AND account_id = $3")
        .bind(now)
        .bind(key)
        .bind(account)
        .execute(&mut *connection)
        .await?;
    query("UPDATE extension SET api_key_id = NULL WHERE api_key_id = $1 AND account_id = $2")
        .bind(key)
        .bind(account)
        .execute(connection)
        .await?;
    Ok(revoked == 1)
}

/// False: the account has no such key, or it was revoked.
pub async fn set_expiry(tx: &mut Tx, account: i64, key: i64, end: Option<i64>) -> Result<bool, sqlx::Error> {
    let set = query("UPDATE api_key SET expires_at = $1 WHERE id = $2 AND account_id = $3 AND revoked_at IS NULL");
    Ok(set.bind(end).bind(key).bind(account).execute(tx).await? == 1)
}

/// One use of a key.
pub struct Use {
    pub key: i64,
    /// Milliseconds since 1970.
    pub at: i64,
    pub address: String,
    /// `sign-in`, `link`, `xml GetExtensions`, …
    pub request: String,
}

/// Logs what keys were used for.
pub async fn log(store: &Store, uses: &[Use]) -> Result<(), sqlx::Error> {
    if uses.is_empty() {
        return Ok(());
    }
    let mut tx = store.begin().await?;
    let mut last = BTreeMap::new();
    for one in uses {
        query(
            "INSERT INTO api_key_use (api_key_id, at, address, request)
             SELECT id, $2, $3, $4 FROM api_key WHERE id = $1",
        )
        .bind(one.key)
        .bind(one.at)
        .bind(&one.address)
        .bind(&one.request)
        .execute(&mut tx)
        .await?;
        last.insert(one.key, one.at);
    }
    for (key, at) in last {
        query("UPDATE api_key SET last_used_at = $1 WHERE id = $2").bind(at).bind(key).execute(&mut tx).await?;
    }
    tx.commit().await
}

/// How long uses are kept, and how many of each key: an integration that asks every second writes millions.
const USES_KEPT_MS: i64 = 90 * 24 * 3600 * 1000;
const USES_OF_A_KEY: i64 = 10_000;
/// Keys without a use within so long have lost what is beyond that already.
const LATELY_MS: i64 = 10 * 60 * 1000;

/// Removes what is logged beyond that.
pub async fn forget_uses(store: &Store, now: i64) -> Result<(), sqlx::Error> {
    query("DELETE FROM api_key_use WHERE at <= $1").bind(now - USES_KEPT_MS).execute(store).await?;
    let keys = query("SELECT id FROM api_key WHERE last_used_at > $1").bind(now - LATELY_MS).fetch_all(store).await?;
    for key in &keys {
        query(
            "DELETE FROM api_key_use WHERE api_key_id = $1 AND at <= (
                 SELECT at FROM api_key_use WHERE api_key_id = $1 ORDER BY at DESC LIMIT 1 OFFSET $2)",
        )
        .bind(key.try_get::<i64>("id")?)
        .bind(USES_OF_A_KEY)
        .execute(store)
        .await?;
    }
    Ok(())
}

/// The name of a key of the account, revoked or not.
pub async fn name(store: &Store, account: i64, key: i64) -> Result<Option<String>, sqlx::Error> {
    let row = query("SELECT name FROM api_key WHERE id = $1 AND account_id = $2").bind(key).bind(account);
    row.fetch_optional(store).await?.map(|row| row.try_get("name")).transpose()
}

/// The key, revoked or not.
pub async fn by_id(from: impl Into<Executor<'_>>, account: i64, key: i64) -> Result<Option<ManagedKey>, sqlx::Error> {
    let row = query(managed!("WHERE account_id = $1 AND id = $2")).bind(account).bind(key).fetch_optional(from).await?;
    row.as_ref().map(managed).transpose()
}

pub async fn list(store: &Store, account: i64, page: &Page) -> Answer<Vec<ManagedKey>> {
    let rows = query(managed!(
        "WHERE account_id = $1 AND (lower(name) LIKE lower($2) ESCAPE '!' OR prefix LIKE $2 ESCAPE '!')
         ORDER BY id LIMIT $3 OFFSET $4"
    ))
    .bind(account)
    .bind(page.pattern()?)
    .bind(page.rows())
    .bind(page.offset())
    .fetch_all(store)
    .await?;
    Ok(rows.iter().map(managed).collect::<Result<_, _>>()?)
}

pub async fn uses(store: &Store, key: i64, page: &Page) -> Answer<Vec<KeyUse>> {
    let rows = query(
        "SELECT at, address, request FROM api_key_use
         WHERE api_key_id = $1 AND (lower(request) LIKE lower($2) ESCAPE '!' OR address LIKE $2 ESCAPE '!')
         ORDER BY at DESC, id DESC LIMIT $3 OFFSET $4",
    )
    .bind(key)
    .bind(page.pattern()?)
    .bind(page.rows())
    .bind(page.offset())
    .fetch_all(store)
    .await?;
    let read = |row: &Row| {
        Ok::<_, sqlx::Error>(KeyUse {
            at: clock::from_ms(row.try_get("at")?),
            address: row.try_get("address")?,
            request: row.try_get("request")?,
        })
    };
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

fn time(row: &Row, column: &str) -> Result<Option<Timestamp>, sqlx::Error> {
    Ok(row.try_get::<Option<i64>>(column)?.map(clock::from_ms))
}

fn managed(row: &Row) -> Result<ManagedKey, sqlx::Error> {
    Ok(ManagedKey {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        prefix: row.try_get("prefix")?,
        scope: Scope::read(&row.try_get::<String>("scope")?)?,
        created_at: clock::from_ms(row.try_get("created_at")?),
        last_used_at: time(row, "last_used_at")?,
        expires_at: time(row, "expires_at")?,
        old_until: time(row, "former_until")?,
        revoked_at: time(row, "revoked_at")?,
    })
}

fn read(row: &Row) -> Result<KeyRow, sqlx::Error> {
    Ok(KeyRow {
        id: row.try_get("id")?,
        account: accounts::read(row)?,
        scope: Scope::read(&row.try_get::<String>("scope")?)?,
        expires_at: row.try_get("expires_at")?,
    })
}
