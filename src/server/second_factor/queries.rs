//! Queries about second factors.

use crate::server::{
    sessions::Login,
    store::{Store, Tx, query},
};

/// A login's second factor, on or only offered.
pub struct Factor {
    /// As it is stored: sealed by the vault.
    pub secret: String,
    /// A code of it was seen.
    pub on: bool,
}

/// `None`: none was ever offered, or it was turned off.
pub async fn read(store: &Store, login: i64) -> Result<Option<Factor>, sqlx::Error> {
    let row = query("SELECT secret, since IS NOT NULL AS is_on FROM second_factor WHERE login_id = $1").bind(login);
    let row = row.fetch_optional(store).await?;
    row.map(|row| Ok(Factor { secret: row.try_get("secret")?, on: row.try_get("is_on")? })).transpose()
}

/// A secret to confirm, in place of one that was not; one that is on stays.
pub async fn offer(store: &Store, login: i64, secret: &str) -> Result<(), sqlx::Error> {
    let offer = query(
        "INSERT INTO second_factor (login_id, secret) VALUES ($1, $2)
         ON CONFLICT (login_id) DO UPDATE SET secret = excluded.secret WHERE second_factor.since IS NULL",
    );
    offer.bind(login).bind(secret).execute(store).await?;
    Ok(())
}

/// `secret` is stored in place of the one that was `offered`. False: it is on already, or another was offered since.
pub async fn turn_on(
    tx: &mut Tx,
    login: i64,
    (offered, secret): (&str, &str),
    step: i64,
    now: i64,
) -> Result<bool, sqlx::Error> {
    let on = query(
        "UPDATE second_factor SET secret = $1, since = $2, last_step = $3
         WHERE login_id = $4 AND secret = $5 AND since IS NULL",
    );
    Ok(on.bind(secret).bind(now).bind(step).bind(login).bind(offered).execute(tx).await? == 1)
}

/// It may be turned on where it is demanded, until then.
pub async fn allow(tx: &mut Tx, login: i64, until: i64) -> Result<(), sqlx::Error> {
    let allow = query("UPDATE login SET second_factor_until = $1 WHERE id = $2").bind(until).bind(login);
    allow.execute(tx).await.map(drop)
}

/// Forgets the secret and the recovery codes.
pub async fn turn_off(tx: &mut Tx, login: i64) -> Result<(), sqlx::Error> {
    query("DELETE FROM second_factor WHERE login_id = $1").bind(login).execute(&mut *tx).await?;
    remove_recovery_codes(tx, login).await
}

pub async fn remove_recovery_codes(tx: &mut Tx, login: i64) -> Result<(), sqlx::Error> {
    query("DELETE FROM recovery_code WHERE login_id = $1").bind(login).execute(tx).await?;
    Ok(())
}

pub async fn add_recovery_code(tx: &mut Tx, login: i64, hash: &str) -> Result<(), sqlx::Error> {
    let add = query("INSERT INTO recovery_code (login_id, code_hash) VALUES ($1, $2)");
    add.bind(login).bind(hash).execute(tx).await?;
    Ok(())
}

/// How many are left.
pub async fn recovery_codes(store: &Store, login: i64) -> Result<i64, sqlx::Error> {
    query("SELECT count(*) AS n FROM recovery_code WHERE login_id = $1").bind(login).scalar(store).await
}

/// Takes a step's code. False: it, or a later one, was taken already.
pub async fn take_step(store: &Store, login: i64, step: i64) -> Result<bool, sqlx::Error> {
    let take = query("UPDATE second_factor SET last_step = $1 WHERE login_id = $2 AND last_step < $1");
    Ok(take.bind(step).bind(login).execute(store).await? == 1)
}

/// False: there is no such code any more.
pub async fn take_recovery_code(store: &Store, login: i64, hash: &str) -> Result<bool, sqlx::Error> {
    let take = query("DELETE FROM recovery_code WHERE login_id = $1 AND code_hash = $2");
    Ok(take.bind(login).bind(hash).execute(store).await? == 1)
}

/// False: the password was changed since.
pub async fn await_code(tx: &mut Tx, token: &str, login: &Login, expires_at: i64) -> Result<bool, sqlx::Error> {
    let awaited = query(
        "INSERT INTO sign_in_step (token_hash, login_id, expires_at)
         SELECT $1, id, $3 FROM login WHERE id = $2 AND enabled AND password_hash = $4
         ON CONFLICT (token_hash) DO UPDATE SET login_id = excluded.login_id, tries = 0, expires_at = excluded.expires_at",
    )
    .bind(token)
    .bind(login.id)
    .bind(expires_at)
    .bind(&login.password_hash)
    .execute(tx)
    .await?;
    Ok(awaited == 1)
}

/// The login of which a code is awaited.
pub async fn awaited(store: &Store, token: &str, now: i64) -> Result<Option<i64>, sqlx::Error> {
    let row = query("SELECT login_id FROM sign_in_step WHERE token_hash = $1 AND expires_at > $2");
    let row = row.bind(token).bind(now).fetch_optional(store).await?;
    row.map(|row| row.try_get("login_id")).transpose()
}

/// Counts a try, before it is looked at; parallel ones count too. The login as it was when it was counted; `None`: no try is
/// left.
pub async fn try_once(tx: &mut Tx, token: &str, now: i64, tries: i64) -> Result<Option<Login>, sqlx::Error> {
    let counted = query(
        "UPDATE sign_in_step SET tries = tries + 1 WHERE token_hash = $1 AND expires_at > $2 AND tries < $3
         RETURNING login_id",
    );
    let row = counted.bind(token).bind(now).bind(tries).fetch_optional(&mut *tx).await?;
    let Some(row) = row else { return Ok(None) };
    let login = query("SELECT id, username, name, password_hash, operator, enabled FROM login WHERE id = $1");
    Login::read(&login.bind(row.try_get::<i64>("login_id")?).fetch_one(tx).await?).map(Some)
}

/// The code was good: it is awaited no more.
pub async fn answered(store: &Store, token: &str) -> Result<(), sqlx::Error> {
    query("DELETE FROM sign_in_step WHERE token_hash = $1").bind(token).execute(store).await?;
    Ok(())
}
