//! Queries about refusals.

use std::collections::HashMap;

use super::{
    Note, Why,
    sign_in::{self, RefusedSignIn},
};
use crate::server::store::{Row, Store, Tx, query};

/// Kept for each registration.
const KEPT: i64 = 20;

/// Writes these down, each with how often it came.
pub async fn write(
    store: &Store,
    mut notes: HashMap<Note, i64>,
    sign_ins: HashMap<RefusedSignIn, i64>,
    now: i64,
) -> Result<(), sqlx::Error> {
    for (refused, times) in sign_ins {
        notes.extend(sign_in::notes(store, &refused).await?.into_iter().map(|note| (note, times)));
    }
    if notes.is_empty() {
        return Ok(());
    }
    let mut tx = store.begin().await?;
    for (note, times) in notes {
        if let Some((registration, note)) = place(&mut tx, note).await? {
            put(&mut tx, registration, &note, times, now).await?;
        }
    }
    tx.commit().await
}

/// The registration that the refusal is of, and the reason made more exact; `None`: of nobody's here.
async fn place(tx: &mut Tx, mut note: Note) -> Result<Option<(i64, Note)>, sqlx::Error> {
    // The one that was wanted; failing that, the one that the digest user is of. Who is nobody's in this realm may be somebody
    // in another, for names are unique.
    let of_user = note.username.split('~').next().unwrap_or_default();
    let row = query(
        "SELECT r.id, r.name, a.realm, r.enabled AND e.enabled AND a.enabled AS enabled, r.ha1_md5 IS NOT NULL AS has_password
         FROM registration r JOIN extension e ON e.id = r.extension_id JOIN account a ON a.id = r.account_id
         WHERE (a.realm = $1 OR $4) AND r.name IN ($2, $3)
         ORDER BY CASE a.realm WHEN $1 THEN 0 ELSE 1 END, CASE r.name WHEN $2 THEN 0 ELSE 1 END LIMIT 1",
    )
    .bind(&note.realm)
    .bind(&note.registration)
    .bind(of_user)
    .bind(note.why == Why::UnknownUser)
    .fetch_optional(&mut *tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let (name, realm, enabled, has_password): (String, String, bool, bool) =
        (row.try_get("name")?, row.try_get("realm")?, row.try_get("enabled")?, row.try_get("has_password")?);
    if realm != note.realm {
        note.detail.clone_from(&note.realm);
    }
    note.why = match note.why {
        Why::UnknownUser if realm != note.realm => Why::WrongRealm,
        Why::UnknownUser if !enabled => Why::Disabled,
        Why::UnknownUser if note.username.contains('~') => Why::SessionEnded,
        Why::UnknownUser if note.username == name && !has_password => Why::NotActivated,
        why => why,
    };
    Ok(Some((row.try_get("id")?, note)))
}

async fn put(tx: &mut Tx, registration: i64, note: &Note, times: i64, now: i64) -> Result<(), sqlx::Error> {
    let detail = if note.detail.is_empty() { &note.username } else { &note.detail };
    query(
        "INSERT INTO sip_refusal (registration_id, why, detail, address, device, times, first_at, last_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
         ON CONFLICT (registration_id, why, detail, address) DO UPDATE
         SET times = sip_refusal.times + excluded.times, last_at = excluded.last_at, device = excluded.device",
    )
    .bind(registration)
    .bind(note.why.stored())
    .bind(detail)
    .bind(note.address.to_string())
    .bind(&note.device)
    .bind(times)
    .bind(now)
    .execute(&mut *tx)
    .await?;
    query(
        "DELETE FROM sip_refusal WHERE registration_id = $1 AND id NOT IN (
             SELECT id FROM sip_refusal WHERE registration_id = $1 ORDER BY last_at DESC, id DESC LIMIT $2)",
    )
    .bind(registration)
    .bind(KEPT)
    .execute(tx)
    .await?;
    Ok(())
}

/// A row as it is stored.
pub struct RefusalRow {
    pub registration: String,
    pub why: String,
    pub detail: String,
    pub address: String,
    pub device: String,
    pub times: i64,
    pub first_at: i64,
    pub last_at: i64,
}

/// The newest first.
pub async fn of_extension(store: &Store, extension: i64) -> Result<Vec<RefusalRow>, sqlx::Error> {
    let rows = query(
        "SELECT r.name, f.why, f.detail, f.address, f.device, f.times, f.first_at, f.last_at
         FROM sip_refusal f JOIN registration r ON r.id = f.registration_id
         WHERE r.extension_id = $1 ORDER BY f.last_at DESC, f.id DESC",
    )
    .bind(extension)
    .fetch_all(store)
    .await?;
    let read = |row: &Row| {
        Ok(RefusalRow {
            registration: row.try_get("name")?,
            why: row.try_get("why")?,
            detail: row.try_get("detail")?,
            address: row.try_get("address")?,
            device: row.try_get("device")?,
            times: row.try_get("times")?,
            first_at: row.try_get("first_at")?,
            last_at: row.try_get("last_at")?,
        })
    };
    rows.iter().map(read).collect()
}
