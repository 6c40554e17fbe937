//! What an account says of its agents' calls: how their audio is encrypted, whether they are recorded, and with a tone.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    server::store::{Executor, Row, Tx, query},
    tms::wire::{Recording, Srtp},
};

/// Softphones are told it with each SIP credential: at sign-in, when a registration is chosen, and when the credential is renewed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct MediaPolicy {
    pub srtp: Srtp,
    pub recording: Recording,
    /// Both sides hear a tone while a call is recorded, whatever the softphone is set to.
    pub recording_tone: bool,
}

/// As they are written in the database and in forms.
pub const SRTP: [(&str, Srtp); 4] =
    [("optional", Srtp::Optional), ("sdes", Srtp::Sdes), ("dtls", Srtp::Dtls), ("off", Srtp::Off)];
pub const RECORDING: [(&str, Recording); 3] =
    [("allowed", Recording::Allowed), ("required", Recording::Required), ("forbidden", Recording::Forbidden)];

/// The word for `value`.
pub fn word<T: PartialEq>(words: &[(&'static str, T)], value: &T) -> &'static str {
    words.iter().find(|(_, named)| named == value).map_or("", |(word, _)| word)
}

fn named<T: Copy>(words: &[(&str, T)], row: &Row, column: &str) -> Result<T, sqlx::Error> {
    let stored: String = row.try_get(column)?;
    let found = words.iter().find(|(word, _)| *word == stored);
    found.map(|(_, value)| *value).ok_or_else(|| sqlx::Error::Decode(format!("{stored:?} in {column}").into()))
}

/// Of a row with `srtp`, `recording` and `recording_tone`.
pub fn read(row: &Row) -> Result<MediaPolicy, sqlx::Error> {
    Ok(MediaPolicy {
        srtp: named(&SRTP, row, "srtp")?,
        recording: named(&RECORDING, row, "recording")?,
        recording_tone: row.try_get("recording_tone")?,
    })
}

pub async fn of_account(from: impl Into<Executor<'_>>, account: i64) -> Result<MediaPolicy, sqlx::Error> {
    let row = query("SELECT srtp, recording, recording_tone FROM account WHERE id = $1").bind(account);
    read(&row.fetch_one(from).await?)
}

pub async fn write(tx: &mut Tx, account: i64, policy: MediaPolicy) -> Result<(), sqlx::Error> {
    query("UPDATE account SET srtp = $1, recording = $2, recording_tone = $3 WHERE id = $4")
        .bind(word(&SRTP, &policy.srtp))
        .bind(word(&RECORDING, &policy.recording))
        .bind(policy.recording_tone)
        .bind(account)
        .execute(tx)
        .await?;
    Ok(())
}
