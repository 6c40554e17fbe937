//! What the agent does: opens the link, sets a password, and gets what opens Agent Manager.

use super::queries::{self, Guest};
use crate::server::{
    audit,
    http::{
        App,
        input::Peer,
        problem::{Answer, ApiError},
    },
    links,
    logins::{self, ChosenBy},
    outbox, passwords, secrets,
    sessions::{self, Ended},
};

/// Whom a link is for.
#[derive(Clone, Debug)]
pub struct Invited {
    pub username: String,
    pub name: String,
    pub account: String,
    /// Agent Manager is set up with it.
    pub agent: bool,
}

/// The password is set.
#[derive(Clone)]
pub struct Finished {
    pub username: String,
    pub account: String,
    /// Opens Agent Manager signed in: a link of its own with a one-time code.
    pub opens: Option<String>,
}

/// Whom the code is for; looking does not use it up, for mail programs look at links too.
pub async fn look(app: &App, peer: Peer, code: &str) -> Answer<Invited> {
    let Guest { username, name, account, extension, .. } = guest(app, peer, code).await?;
    Ok(Invited { username, name, account, agent: extension.is_some() })
}

/// Sets the password, which activates the login, and uses the code up. All or nothing: a refused password leaves it good.
pub async fn finish(app: &App, peer: Peer, code: &str, password: &str) -> Answer<Finished> {
    let guest = guest(app, peer, code).await?;
    passwords::check(password, &guest.username)?;
    let hash = app.passwords.hash(password).await?;
    let now = app.clock.now_ms();
    let mut tx = app.store.begin().await?;
    if !queries::use_up(&mut tx, &secrets::hash(code.trim()), now).await? {
        return Err(unusable());
    }
    logins::set_password(&mut tx, guest.login, (&hash, ChosenBy::Owner), now).await?;
    sessions::activate(&mut tx, guest.membership, now).await?;
    let mut ended = Ended::default();
    ended.login(&mut tx, guest.login, "Your password was changed. Sign in with the new one.").await?;
    // Nothing opens where the extension was given to somebody else meanwhile.
    let opens = match guest.extension {
        Some(extension) => {
            links::issue(&mut tx, app, (extension, guest.membership), guest.registration.as_deref()).await?
        }
        None => None,
    };
    let (account, actor) = (Some(guest.account_id), &guest.username);
    audit::record_in(&mut tx, app, account, actor, peer, "set own password", actor).await?;
    let letter = outbox::post(&mut tx, ended, now).await?;
    tx.commit().await?;
    app.outbox.send(letter).await;
    Ok(Finished { username: guest.username, account: guest.account, opens })
}

async fn guest(app: &App, peer: Peer, code: &str) -> Answer<Guest> {
    let guest = queries::guest(&app.store, &secrets::hash(code.trim()), app.clock.now_ms()).await?;
    let Some(guest) = guest else {
        app.throttle.failure(peer.ip(), "invitation", app.clock.now()).map_err(sessions::too_many)?;
        return Err(unusable());
    };
    if guest.disabled {
        return Err(ApiError::forbidden("This login is disabled. Whoever manages your TMS can enable it again."));
    }
    Ok(guest)
}

fn unusable() -> ApiError {
    ApiError::forbidden(
        "This link was used already or is older than 30 minutes. If the password is not set yet, ask whoever sent it for \
         a new link.",
    )
}
