//! Queries about the outbox.

use super::Letter;
use crate::server::{
    sessions::Ended,
    store::{Row, Store, Tx, query},
};

/// The letter's number; until `claimed_until` nobody else takes it.
pub async fn add(tx: &mut Tx, effects: &Ended, now: i64, claimed_until: i64) -> Result<i64, sqlx::Error> {
    let row = query("INSERT INTO outbox (effects, claimed_until, created_at) VALUES ($1, $2, $3) RETURNING id")
        .bind(written(effects)?)
        .bind(claimed_until)
        .bind(now)
        .fetch_one(tx)
        .await?;
    row.try_get("id")
}

/// Takes letters that nobody carries out now, the oldest first; they are this process's until then.
pub async fn claim(store: &Store, most: usize, now: i64, until: i64) -> Result<Vec<Letter>, sqlx::Error> {
    // Of two processes that ask at once, the second waits for the first's rows and finds by the last condition that they are taken.
    let rows = query(
        "UPDATE outbox SET claimed_until = $1
         WHERE id IN (SELECT id FROM outbox WHERE claimed_until <= $2 ORDER BY id LIMIT $3) AND claimed_until <= $2
         RETURNING id, effects, tries",
    )
    .bind(until)
    .bind(now)
    .bind(i64::try_from(most).unwrap_or(i64::MAX))
    .fetch_all(store)
    .await?;
    let read = |row: &Row| {
        let effects: String = row.try_get("effects")?;
        let effects = serde_json::from_str(&effects).map_err(|e| sqlx::Error::Decode(e.into()))?;
        Ok(Letter { id: row.try_get("id")?, effects, tries: row.try_get("tries")? })
    };
    rows.iter().map(read).collect()
}

/// It is carried out.
pub async fn done(store: &Store, letter: i64) -> Result<(), sqlx::Error> {
    query("DELETE FROM outbox WHERE id = $1").bind(letter).execute(store).await?;
    Ok(())
}

/// Keeps what is left for another try.
pub async fn later(store: &Store, letter: i64, left: &Ended, at: i64) -> Result<(), sqlx::Error> {
    query("UPDATE outbox SET effects = $1, tries = tries + 1, claimed_until = $2 WHERE id = $3")
        .bind(written(left)?)
        .bind(at)
        .bind(letter)
        .execute(store)
        .await?;
    Ok(())
}

fn written(effects: &Ended) -> Result<String, sqlx::Error> {
    serde_json::to_string(effects).map_err(|e| sqlx::Error::Encode(e.into()))
}
