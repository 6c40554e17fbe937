//! Queries about registrations.

use std::collections::HashSet;

use crate::{
    server::{
        registry::{Ha1, kind},
        sessions::Session,
        store::{Executor, Row, Store, Tx, query},
    },
    tms::wire::Kind,
};

/// A registration as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrationRow {
    pub id: i64,
    pub name: String,
    /// Number of its extension.
    pub extension: String,
    pub kind: Kind,
    pub label: String,
    pub ring_inbound: bool,
    pub enabled: bool,
    /// Has a lasting password, for a device set up by hand.
    pub has_password: bool,
}

/// The registrations `r` of extensions `e` that fit the rest of the statement, in the order of a list.
macro_rules! select {
    ($where:literal) => {
        concat!(
            "SELECT r.id, r.name, e.number, r.slot, r.label, r.ring_inbound, r.enabled,
                 r.ha1_md5 IS NOT NULL AS has_password
             FROM registration r JOIN extension e ON e.id = r.extension_id
             WHERE ",
            $where,
            " ORDER BY length(e.number), e.number, r.slot"
        )
    };
}

/// The registrations that a softphone's session may choose from: those of its extensions that are enabled.
pub async fn of_session(store: &Store, session: &Session) -> Result<Vec<RegistrationRow>, sqlx::Error> {
    let rows = query(select!("e.membership_id = $1 AND e.api_key_id = $2 AND e.enabled AND r.enabled"));
    let rows = rows.bind(session.membership).bind(session.api_key).fetch_all(store).await?;
    rows.iter().map(read).collect()
}

/// Their names.
pub async fn names(store: &Store, session: &Session) -> Result<HashSet<String>, sqlx::Error> {
    Ok(of_session(store, session).await?.into_iter().map(|r| r.name).collect())
}

/// Those of an extension, the primary first.
pub async fn of_extension(from: impl Into<Executor<'_>>, extension: i64) -> Result<Vec<RegistrationRow>, sqlx::Error> {
    let rows = query(select!("e.id = $1")).bind(extension).fetch_all(from).await?;
    rows.iter().map(read).collect()
}

/// Those of an account, by extension.
pub async fn of_account(store: &Store, account: i64) -> Result<Vec<RegistrationRow>, sqlx::Error> {
    let rows = query(select!("e.account_id = $1")).bind(account).fetch_all(store).await?;
    rows.iter().map(read).collect()
}

/// One of an account's.
pub async fn by_name(store: &Store, account: i64, name: &str) -> Result<Option<RegistrationRow>, sqlx::Error> {
    let row = query(select!("r.name = $1 AND e.account_id = $2")).bind(name).bind(account);
    row.fetch_optional(store).await?.as_ref().map(read).transpose()
}

/// Extensions that [`of_numbers`] takes at once.
pub const NUMBERS: usize = 50;

/// The registrations of the extensions with these numbers, of which the first [`NUMBERS`] count.
pub async fn of_numbers(store: &Store, account: i64, numbers: &[&str]) -> Result<Vec<RegistrationRow>, sqlx::Error> {
    let mut rows = query(select!(
        "e.account_id = $1 AND e.number IN ($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
             $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40,
             $41, $42, $43, $44, $45, $46, $47, $48, $49, $50, $51)"
    ))
    .bind(account);
    for at in 0..NUMBERS {
        rows = rows.bind(numbers.get(at).map(|number| (*number).to_owned()));
    }
    rows.fetch_all(store).await?.iter().map(read).collect()
}

/// The names of all registrations of an account.
pub async fn names_in(tx: &mut Tx, account: i64) -> Result<Vec<String>, sqlx::Error> {
    let rows = query("SELECT name FROM registration WHERE account_id = $1").bind(account);
    rows.fetch_all(tx).await?.iter().map(|row| row.try_get("name")).collect()
}

/// Adds an additional registration in the first free place. `None`: both places are taken.
pub async fn add(
    connection: &mut Tx,
    extension: i64,
    name: &str,
    label: &str,
    ring_inbound: bool,
    now: i64,
) -> Result<Option<i64>, sqlx::Error> {
    let row = query(
        "INSERT INTO registration (extension_id, account_id, edition, slot, name, label, ring_inbound, created_at)
         SELECT e.id, e.account_id, e.edition, free.slot, $2, $3, $4, $5
         FROM extension e, (SELECT 1 AS slot UNION SELECT 2) AS free
         WHERE e.id = $1 AND NOT EXISTS (SELECT 1 FROM registration r WHERE r.extension_id = e.id AND r.slot = free.slot)
         ORDER BY free.slot LIMIT 1
         RETURNING id",
    )
    .bind(extension)
    .bind(name)
    .bind(label)
    .bind(ring_inbound)
    .bind(now)
    .fetch_optional(connection)
    .await?;
    row.map(|row| row.try_get("id")).transpose()
}

/// Label, ring inbound and state, as they stand in the row; it was read in this transaction.
pub async fn update(connection: &mut Tx, row: &RegistrationRow) -> Result<(), sqlx::Error> {
    query("UPDATE registration SET label = $1, ring_inbound = $2, enabled = $3 WHERE id = $4")
        .bind(&row.label)
        .bind(row.ring_inbound)
        .bind(row.enabled)
        .bind(row.id)
        .execute(connection)
        .await?;
    Ok(())
}

/// The primary stays: a trigger sees to it.
pub async fn remove(connection: &mut Tx, id: i64) -> Result<(), sqlx::Error> {
    query("DELETE FROM registration WHERE id = $1").bind(id).execute(connection).await?;
    Ok(())
}

/// The lasting password, as HA1 per algorithm.
pub async fn set_password(connection: &mut Tx, name: &str, ha1: &Ha1) -> Result<(), sqlx::Error> {
    query("UPDATE registration SET ha1_md5 = $1, ha1_sha256 = $2, ha1_sha512_256 = $3 WHERE name = $4")
        .bind(&ha1.md5)
        .bind(&ha1.sha256)
        .bind(&ha1.sha512_256)
        .bind(name)
        .execute(connection)
        .await?;
    Ok(())
}

/// A session's credential for a registration; replaces the one it had. False: the session is over, or the registration is not
/// its own any more.
pub async fn set_credential(
    connection: &mut Tx,
    session: i64,
    registration: i64,
    username: &str,
    ha1: &Ha1,
    now: i64,
) -> Result<bool, sqlx::Error> {
    let stored = query(
        "INSERT INTO sip_credential
             (session_id, registration_id, username, ha1_md5, ha1_sha256, ha1_sha512_256, created_at)
         SELECT s.id, r.id, $3, $4, $5, $6, $7
         FROM session s
         JOIN extension e ON e.membership_id = s.membership_id AND e.api_key_id = s.api_key_id
         JOIN registration r ON r.extension_id = e.id
         WHERE s.id = $1 AND r.id = $2 AND e.enabled AND r.enabled
         ON CONFLICT (session_id, registration_id) DO UPDATE SET username = excluded.username,
             ha1_md5 = excluded.ha1_md5, ha1_sha256 = excluded.ha1_sha256,
             ha1_sha512_256 = excluded.ha1_sha512_256, created_at = excluded.created_at",
    )
    .bind(session)
    .bind(registration)
    .bind(username)
    .bind(&ha1.md5)
    .bind(&ha1.sha256)
    .bind(&ha1.sha512_256)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(stored == 1)
}

/// After a takeover no other session's credential for the registration is left, so that nothing comes back by itself.
pub async fn withdraw_others(connection: &mut Tx, registration: i64, session: i64) -> Result<(), sqlx::Error> {
    query("DELETE FROM sip_credential WHERE registration_id = $1 AND session_id <> $2")
        .bind(registration)
        .bind(session)
        .execute(connection)
        .await?;
    Ok(())
}

fn read(row: &Row) -> Result<RegistrationRow, sqlx::Error> {
    Ok(RegistrationRow {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        extension: row.try_get("number")?,
        kind: kind(row.try_get("slot")?),
        label: row.try_get("label")?,
        ring_inbound: row.try_get("ring_inbound")?,
        enabled: row.try_get("enabled")?,
        has_password: row.try_get("has_password")?,
    })
}
