//! What an account says of its agents' calls: how their audio is encrypted, whether they are recorded, and with a tone.

use serde::{
    Deserialize,
    de::{IntoDeserializer, value},
};

use super::manage::AccountChange;
use crate::{
    server::store::{Executor, Row, Tx, query},
    tms::wire::MediaPolicy,
};

/// As the API writes it.
fn word<T: for<'de> Deserialize<'de>>(row: &Row, column: &str) -> Result<T, sqlx::Error> {
    let stored: String = row.try_get(column)?;
    let known = T::deserialize(IntoDeserializer::<value::Error>::into_deserializer(stored.as_str()));
    known.map_err(|why| sqlx::Error::Decode(format!("{column}: {why}").into()))
}

/// Of a row with `srtp`, `recording` and `recording_tone`.
pub fn read(row: &Row) -> Result<MediaPolicy, sqlx::Error> {
    Ok(MediaPolicy {
        srtp: word(row, "srtp")?,
        recording: word(row, "recording")?,
        recording_tone: row.try_get("recording_tone")?,
    })
}

pub async fn of_account(from: impl Into<Executor<'_>>, account: i64) -> Result<MediaPolicy, sqlx::Error> {
    let row = query("SELECT srtp, recording, recording_tone FROM account WHERE id = $1").bind(account);
    read(&row.fetch_one(from).await?)
}

/// What is left out stays. Returns whether anything is other than before.
pub async fn change(tx: &mut Tx, account: i64, change: &AccountChange) -> Result<bool, sqlx::Error> {
    let changed = query(
        "UPDATE account SET srtp = coalesce($1, srtp), recording = coalesce($2, recording),
             recording_tone = coalesce($3, recording_tone)
         WHERE id = $4 AND (srtp <> coalesce($1, srtp) OR recording <> coalesce($2, recording)
             OR recording_tone <> coalesce($3, recording_tone))",
    )
    .bind(change.srtp.map(|srtp| srtp.to_string()))
    .bind(change.recording.map(|recording| recording.to_string()))
    .bind(change.recording_tone)
    .bind(account)
    .execute(tx)
    .await?;
    Ok(changed > 0)
}
