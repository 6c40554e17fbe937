//! Agent Manager's sign-in, refused to a login that has proved itself: for each extension that it owns in the key's account.

use std::net::IpAddr;

use super::{Note, Why, queries};
use crate::server::{http::App, store::query};

/// Notes a refusal of this kind, where it is one to be mended at the extension. What cannot be noted is no reason to refuse
/// anything else.
pub async fn note_sign_in(app: &App, address: IpAddr, account: i64, login: i64, kind: &str) {
    let Some(why) = Why::of_sign_in(kind) else { return };
    if let Err(error) = write(app, address, account, login, why).await {
        tracing::warn!(%error, "a refused sign-in could not be noted");
    }
}

async fn write(app: &App, address: IpAddr, account: i64, login: i64, why: Why) -> Result<(), sqlx::Error> {
    let primaries = query(
        "SELECT a.realm, r.name, l.username
         FROM registration r
         JOIN extension e ON e.id = r.extension_id
         JOIN membership m ON m.id = e.membership_id
         JOIN login l ON l.id = m.login_id
         JOIN account a ON a.id = e.account_id
         WHERE e.account_id = $1 AND m.login_id = $2 AND r.slot = 0",
    );
    let rows = primaries.bind(account).bind(login).fetch_all(&app.store.within(account)).await?;
    let mut notes = Vec::with_capacity(rows.len());
    for row in &rows {
        let username: String = row.try_get("username")?;
        let note = Note {
            realm: row.try_get("realm")?,
            registration: row.try_get("name")?,
            detail: username.clone(),
            username,
            why,
            address,
            device: "Agent Manager".to_owned(),
        };
        notes.push((note, 1));
    }
    queries::write(&app.store, notes, app.clock.now_ms()).await
}
