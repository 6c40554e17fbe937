//! Operators, as whoever runs the TMS looks after them at the machine itself.

use super::queries::{self, ChosenBy};
use crate::server::{
    audit,
    http::problem::{Answer, ApiError},
    outbox, second_factor,
    sessions::Ended,
    store::{Row, Store, query},
};

/// Somebody who may manage every account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    pub username: String,
    pub enabled: bool,
    /// Two-step sign-in is on.
    pub second_factor: bool,
}

/// What is done to one.
#[derive(Clone, Copy, Debug)]
pub enum Deed<'a> {
    /// No sign-in any more; every session ends.
    Disable,
    Enable,
    /// A new password of his own, by its argon2id hash; every session ends.
    SetPassword(&'a str),
    RemoveSecondFactor,
    /// It may be turned on where it is demanded.
    AllowSecondFactor,
}

/// By user name.
pub async fn list(store: &Store) -> Result<Vec<Operator>, sqlx::Error> {
    let rows = query(
        "SELECT username, enabled,
             EXISTS (SELECT 1 FROM second_factor f WHERE f.login_id = l.id AND f.since IS NOT NULL) AS second_factor
         FROM login l WHERE operator ORDER BY username",
    );
    let read = |row: &Row| {
        Ok(Operator {
            username: row.try_get("username")?,
            enabled: row.try_get("enabled")?,
            second_factor: row.try_get("second_factor")?,
        })
    };
    rows.fetch_all(store).await?.iter().map(read).collect()
}

/// Does it, with its audit entry. A server that runs on the same database ends the sessions' devices within seconds.
pub async fn alter(store: &Store, username: &str, deed: Deed<'_>, now: i64) -> Answer<()> {
    let username = username.trim().to_lowercase();
    let mut tx = store.begin().await?;
    let found = query("SELECT id FROM login WHERE username = $1 AND operator").bind(&username);
    let found = found.fetch_optional(&mut tx).await?;
    let found = found.ok_or_else(|| ApiError::not_found(format_args!("The operator {username}")))?;
    let login: i64 = found.try_get("id")?;
    let mut ended = Ended::default();
    let action = match deed {
        Deed::Disable => {
            query("UPDATE login SET enabled = FALSE WHERE id = $1").bind(login).execute(&mut tx).await?;
            queries::end_managing(&mut tx, login).await?;
            ended
                .login(&mut tx, login, "This login was switched off. Whoever runs the TMS can switch it on again.")
                .await?;
            "disable operator"
        }
        Deed::Enable => {
            query("UPDATE login SET enabled = TRUE WHERE id = $1").bind(login).execute(&mut tx).await?;
            "enable operator"
        }
        Deed::SetPassword(hash) => {
            queries::set_password(&mut tx, login, (hash, ChosenBy::Owner), now).await?;
            ended.login(&mut tx, login, "Your password was changed. Sign in with the new one.").await?;
            "set operator's password"
        }
        Deed::RemoveSecondFactor => {
            second_factor::remove_in(&mut tx, login, now).await?;
            "remove second factor"
        }
        Deed::AllowSecondFactor => {
            second_factor::allow_in(&mut tx, login, now).await?;
            "allow second factor"
        }
    };
    audit::record(&mut tx, now, action, &username).await?;
    // Carried out by a server, if one runs.
    outbox::post(&mut tx, ended, now).await?;
    tx.commit().await?;
    Ok(())
}
