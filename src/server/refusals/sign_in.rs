//! Agent Manager's sign-in, refused: for each extension that the login owns in the key's account.

use std::net::IpAddr;

use super::{Note, Why};
use crate::server::{
    http::App,
    store::{Row, Store, query},
};

/// A sign-in with a good API key that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RefusedSignIn {
    pub address: IpAddr,
    /// The key's.
    pub account: i64,
    /// As it was typed; it need not exist.
    pub username: String,
    pub why: Why,
}

/// Notes a refusal of this kind, where it is one to be mended at the extension.
pub fn note_sign_in(app: &App, address: IpAddr, account: i64, username: &str, kind: &str) {
    if let Some(why) = Why::of_sign_in(kind) {
        let username = username.trim().to_lowercase().chars().take(100).collect();
        app.notebook.refused_sign_in(RefusedSignIn { address, account, username, why });
    }
}

/// As one of each primary registration that the login owns.
pub(super) async fn notes(store: &Store, refused: &RefusedSignIn) -> Result<Vec<Note>, sqlx::Error> {
    let RefusedSignIn { address, account, username, why } = refused;
    let primaries = query(
        "SELECT a.realm, r.name
         FROM registration r
         JOIN extension e ON e.id = r.extension_id
         JOIN membership m ON m.id = e.membership_id
         JOIN login l ON l.id = m.login_id
         JOIN account a ON a.id = e.account_id
         WHERE e.account_id = $1 AND l.username = $2 AND r.slot = 0",
    );
    let rows = primaries.bind(*account).bind(username).fetch_all(&store.within(*account)).await?;
    let note = |row: &Row| {
        Ok(Note {
            realm: row.try_get("realm")?,
            registration: row.try_get("name")?,
            detail: username.clone(),
            username: username.clone(),
            why: *why,
            address: *address,
            device: "Agent Manager".to_owned(),
        })
    };
    rows.iter().map(note).collect()
}
