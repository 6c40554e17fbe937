//! One change by someone who manages: it and its audit entry are kept or neither is; what it no longer allows ends with it.

use super::{
    accounts::AccountRow,
    audit,
    http::{App, input::Peer, problem::Answer},
    outbox,
    sessions::{Concerns, Ended, Manager},
    store::Tx,
};

/// A change under way on one account.
pub struct Change<'a> {
    pub tx: Tx,
    /// What else ends by it than what the account's rules forbid.
    pub ended: Ended,
    /// Everybody on the account, unless it is said more exactly.
    pub concerns: Concerns,
    app: &'a App,
    manager: &'a Manager,
    peer: Peer,
    account: &'a AccountRow,
}

impl<'a> Change<'a> {
    /// Nothing is kept before [`Self::commit`].
    pub async fn begin(app: &'a App, manager: &'a Manager, peer: Peer, account: &'a AccountRow) -> Answer<Self> {
        let tx = app.store.within(account.id).begin().await?;
        Ok(Self { tx, ended: Ended::default(), concerns: Concerns::Account, app, manager, peer, account })
    }

    /// Keeps the change; the audit says who did `action` to `object`. Sessions, SIP credentials and contacts that the
    /// account's rules no longer allow to whom it concerns end in the same transaction, and it is told once it is kept.
    pub async fn commit(self, action: &str, object: &str) -> Answer<()> {
        let Self { mut tx, mut ended, concerns, app, manager, peer, account } = self;
        let now = app.clock.now_ms();
        audit::record_in(&mut tx, app, Some(account.id), &manager.username, peer, action, object).await?;
        ended.enforce(&mut tx, (account.id, account.realm()), concerns, now).await?;
        let letter = outbox::post(&mut tx, ended, now).await?;
        tx.commit().await?;
        app.outbox.send(letter).await;
        Ok(())
    }
}
