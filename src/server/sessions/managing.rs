//! Queries about the sessions of people who manage.

use super::{
    caller::{Carrier, Manager, Presence, Proved},
    own::{OwnSession, SOFTPHONE},
};
use crate::server::{
    clock,
    store::{Row, Store, Tx, query},
};

/// A managing session without a request for so long is over.
pub const IDLE_MS: i64 = 2 * 3600 * 1000;
/// A request within so long of the last one that was noted is not noted again.
const NOTED_MS: i64 = 60 * 1000;

/// The login of a managing session that is still good; notes that it was used, where somebody is there.
pub async fn manager(
    store: &Store,
    token_hash: &str,
    now: i64,
    presence: Presence,
) -> Result<Option<Manager>, sqlx::Error> {
    let row = query(
        "SELECT s.id, s.kind, s.used_at, l.id AS login, l.username, l.operator, l.password_given, l.second_factor_until,
                EXISTS (SELECT 1 FROM second_factor f WHERE f.login_id = l.id AND f.since IS NOT NULL) AS second_factor
         FROM manage_session s JOIN login l ON l.id = s.login_id
         WHERE s.token_hash = $1 AND s.expires_at > $2 AND s.used_at > $3 AND l.enabled",
    )
    .bind(token_hash)
    .bind(now)
    .bind(now - IDLE_MS)
    .fetch_optional(store)
    .await?;
    if let Some(row) = &row
        && presence == Presence::There
        && row.try_get::<i64>("used_at")? < now - NOTED_MS
    {
        let noted =
            query("UPDATE manage_session SET used_at = $1 WHERE id = $2").bind(now).bind(row.try_get::<i64>("id")?);
        noted.execute(store).await?;
    }
    let read = |row: Row| {
        Ok(Manager {
            session: row.try_get("id")?,
            token_hash: token_hash.to_owned(),
            login: row.try_get("login")?,
            username: row.try_get("username")?,
            operator: row.try_get("operator")?,
            second_factor: row.try_get("second_factor")?,
            second_factor_demanded: false,
            second_factor_until: row.try_get("second_factor_until")?,
            password_given: row.try_get("password_given")?,
            carrier: Carrier::read(&row.try_get::<String>("kind")?)?,
        })
    };
    row.map(read).transpose()
}

/// A managing session as it begins.
pub struct NewManaging<'a> {
    pub login: i64,
    pub token_hash: &'a str,
    pub carrier: Carrier,
    pub address: &'a str,
    pub device: &'a str,
    pub created_at: i64,
    pub expires_at: i64,
}

/// Stores a managing session; of this login's others the newest `others` stay. False: what was `proved` is not enough any more.
/// The password is no longer the one with this hash, two-step sign-in was turned on, or the login switched off.
pub async fn add(
    tx: &mut Tx,
    session: &NewManaging<'_>,
    (password_hash, proved): (&str, Proved),
    others: i64,
) -> Result<bool, sqlx::Error> {
    let surplus = "DELETE FROM manage_session WHERE login_id = $1 AND id NOT IN (
         SELECT id FROM manage_session WHERE login_id = $1 ORDER BY id DESC LIMIT $2)";
    query(surplus).bind(session.login).bind(others).execute(&mut *tx).await?;
    let added = query(
        "INSERT INTO manage_session (token_hash, login_id, kind, address, device, created_at, used_at, expires_at)
         SELECT $1, id, $3, $4, $5, $6, $6, $7 FROM login WHERE id = $2 AND enabled AND password_hash = $8
             AND ($9 OR NOT EXISTS (SELECT 1 FROM second_factor f WHERE f.login_id = $2 AND f.since IS NOT NULL))",
    )
    .bind(session.token_hash)
    .bind(session.login)
    .bind(session.carrier.written())
    .bind(session.address)
    .bind(session.device)
    .bind(session.created_at)
    .bind(session.expires_at)
    .bind(password_hash)
    .bind(proved == Proved::PasswordAndCode)
    .execute(tx)
    .await?;
    Ok(added == 1)
}

/// False: the login has no such session.
pub async fn end(store: &Store, login: i64, session: i64) -> Result<bool, sqlx::Error> {
    let ended = query("DELETE FROM manage_session WHERE id = $1 AND login_id = $2").bind(session).bind(login);
    Ok(ended.execute(store).await? == 1)
}

/// Ends a login's managing sessions but this one.
pub async fn end_others(tx: &mut Tx, login: i64, session: i64) -> Result<(), sqlx::Error> {
    let others = query("DELETE FROM manage_session WHERE login_id = $1 AND id <> $2").bind(login).bind(session);
    others.execute(tx).await.map(drop)
}

/// The sessions of a login, managing ones and softphones', newest first. `current` is the one that asks.
pub async fn of_login(store: &Store, login: i64, current: i64, now: i64) -> Result<Vec<OwnSession>, sqlx::Error> {
    let rows = query(
        "SELECT id, kind, address, device, created_at, expires_at FROM manage_session
         WHERE login_id = $1 AND expires_at > $2 AND used_at > $3
         UNION ALL
         SELECT s.id, 'softphone', s.address, '', s.created_at, s.expires_at
         FROM session s JOIN membership m ON m.id = s.membership_id
         WHERE m.login_id = $1 AND s.expires_at > $2
         ORDER BY created_at DESC",
    )
    .bind(login)
    .bind(now)
    .bind(now - IDLE_MS)
    .fetch_all(store)
    .await?;
    let read = |row: &Row| {
        let (id, kind): (i64, String) = (row.try_get("id")?, row.try_get("kind")?);
        Ok(OwnSession {
            current: kind != SOFTPHONE && id == current,
            id: format!("{kind}-{id}"),
            address: row.try_get("address")?,
            device: row.try_get("device")?,
            created_at: clock::from_ms(row.try_get("created_at")?),
            expires_at: clock::from_ms(row.try_get("expires_at")?),
        })
    };
    rows.iter().map(read).collect()
}
