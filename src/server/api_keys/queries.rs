//! Queries about API keys.

use super::manage::{KeyUse, ManagedKey};
use crate::server::{
    accounts::{self, AccountRow},
    clock,
    http::{
        App,
        input::Peer,
        page::Page,
        problem::{Answer, ApiError},
    },
    secrets,
    store::{Row, Store, Tx, query},
};

/// A key that works, and the account it stands for.
#[derive(Clone, Debug)]
pub struct KeyRow {
    pub id: i64,
    pub account: AccountRow,
}

/// The key, unless it is unknown or revoked.
pub async fn find(store: &Store, key: &str) -> Result<Option<KeyRow>, sqlx::Error> {
    if !secrets::ApiKey::is_whole(key) {
        return Ok(None);
    }
    let row = query(
        "SELECT k.id, a.id AS account_id, a.name AS account_name, a.tenant, a.realm, a.edition,
             a.enabled AS account_enabled
         FROM api_key k JOIN account a ON a.id = k.account_id
         WHERE k.hash = $1 AND k.revoked_at IS NULL",
    )
    .bind(secrets::hash(key))
    .fetch_optional(store)
    .await?;
    row.as_ref().map(read).transpose()
}

/// The key that is enabled on an extension, unless it is revoked.
pub async fn of_extension(store: &Store, extension: i64) -> Result<Option<KeyRow>, sqlx::Error> {
    let row = query(
        "SELECT k.id, a.id AS account_id, a.name AS account_name, a.tenant, a.realm, a.edition,
             a.enabled AS account_enabled
         FROM extension e JOIN api_key k ON k.id = e.api_key_id JOIN account a ON a.id = k.account_id
         WHERE e.id = $1 AND k.revoked_at IS NULL",
    )
    .bind(extension)
    .fetch_optional(store)
    .await?;
    row.as_ref().map(read).transpose()
}

/// Whether the key may be enabled on an extension of this account.
pub async fn usable(store: &Store, account: i64, key: i64) -> Answer<()> {
    let row = query("SELECT 1 FROM api_key WHERE id = $1 AND account_id = $2 AND revoked_at IS NULL")
        .bind(key)
        .bind(account)
        .fetch_optional(store)
        .await?;
    row.map(|_| ()).ok_or_else(|| {
        ApiError::invalid(format!("api_key: {key} is no usable key of this account; make one under api-keys."))
    })
}

/// Stores a new key's prefix and hash.
pub async fn create(
    connection: &mut Tx,
    account: i64,
    name: &str,
    key: &secrets::ApiKey,
    now: i64,
) -> Result<i64, sqlx::Error> {
    let row = query(
        "INSERT INTO api_key (account_id, name, prefix, hash, created_at) VALUES ($1, $2, $3, $4, $5) RETURNING id",
    )
    .bind(account)
    .bind(name)
    .bind(&key.prefix)
    .bind(secrets::hash(&key.key))
    .bind(now)
    .fetch_one(connection)
    .await?;
    row.try_get("id")
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

/// Logs what a key was used for.
pub async fn log_use(app: &App, key: i64, peer: Peer, request: &str) -> Result<(), sqlx::Error> {
    let now = app.clock.now_ms();
    let mut tx = app.store.begin().await?;
    query("INSERT INTO api_key_use (api_key_id, at, address, request) VALUES ($1, $2, $3, $4)")
        .bind(key)
        .bind(now)
        .bind(peer.ip().to_string())
        .bind(request)
        .execute(&mut tx)
        .await?;
    query("UPDATE api_key SET last_used_at = $1 WHERE id = $2").bind(now).bind(key).execute(&mut tx).await?;
    tx.commit().await
}

/// Whether the account has this key, revoked or not.
pub async fn exists(store: &Store, account: i64, key: i64) -> Result<bool, sqlx::Error> {
    let row = query("SELECT 1 FROM api_key WHERE id = $1 AND account_id = $2").bind(key).bind(account);
    Ok(row.fetch_optional(store).await?.is_some())
}

pub async fn list(store: &Store, account: i64, page: &Page) -> Answer<Vec<ManagedKey>> {
    let rows = query(
        "SELECT id, name, prefix, created_at, last_used_at, revoked_at FROM api_key
         WHERE account_id = $1 AND (lower(name) LIKE lower($2) ESCAPE '!' OR prefix LIKE $2 ESCAPE '!')
         ORDER BY id LIMIT $3 OFFSET $4",
    )
    .bind(account)
    .bind(page.pattern()?)
    .bind(page.rows())
    .bind(page.offset())
    .fetch_all(store)
    .await?;
    let read = |row: &Row| {
        Ok::<_, sqlx::Error>(ManagedKey {
            id: row.try_get("id")?,
            name: row.try_get("name")?,
            prefix: row.try_get("prefix")?,
            created_at: clock::from_ms(row.try_get("created_at")?),
            last_used_at: row.try_get::<Option<i64>>("last_used_at")?.map(clock::from_ms),
            revoked_at: row.try_get::<Option<i64>>("revoked_at")?.map(clock::from_ms),
        })
    };
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
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

fn read(row: &Row) -> Result<KeyRow, sqlx::Error> {
    Ok(KeyRow { id: row.try_get("id")?, account: accounts::read(row)? })
}
