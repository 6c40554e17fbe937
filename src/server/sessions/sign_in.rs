//! A softphone signs in, or is told which of the reasons keeps it out.

use axum::http::StatusCode;

use super::{
    access::{DISABLED, account_disabled},
    end::Ended,
    queries::{self, Login, NewSession, State},
};
use crate::{
    server::{
        api_keys::{self, KeyRow, Scope},
        audit, clock,
        http::{
            App,
            input::Peer,
            problem::{Answer, ApiError},
        },
        outbox, refusals, secrets,
        store::Tx,
    },
    tms::wire::{Extension, Me, Session, SignIn, User, problem},
};

/// A softphone signs in once and goes on by itself; its session ends by sign-out or by those who manage.
const LIFETIME_MS: i64 = 30 * 24 * 3600 * 1000;

/// Sessions of one installation at a time: one, and its successor while it renews; crashes leave some behind.
const PER_INSTALLATION: i64 = 5;
/// Sessions of one login at a time, on all its devices.
const PER_LOGIN: i64 = 50;

/// A softphone signs in with user name, password and API key.
pub async fn sign_in(app: &App, peer: Peer, api_key: &str, wanted: &SignIn) -> Answer<Session> {
    let instance_id = instance_id(&wanted.instance_id)?;
    let login = authenticate(app, peer, &wanted.username, &wanted.password).await;
    let key = api_keys::find(&app.store, api_key, app.clock.now_ms()).await?;
    let opened = match (login, &key) {
        (Ok(login), Some(key)) => {
            app.notebook.used(key.id, peer, "sign-in");
            open(app, app.store.begin().await?, peer, &login, key, instance_id).await
        }
        (Ok(_), None) => Err(unknown_key(api_key)),
        (Err(error), _) => Err(error),
    };
    if let (Err(ApiError::Refused(problem)), Some(key)) = (&opened, &key) {
        refusals::note_sign_in(app, peer.ip(), key.account.id, &wanted.username, &problem.kind);
    }
    opened
}

/// Checks user name and password; the two are never told apart, and unknown users take the same time.
pub async fn authenticate(app: &App, peer: Peer, username: &str, password: &str) -> Answer<Login> {
    let username = username.trim().to_lowercase();
    let attempt = app.throttle.attempt(peer.ip(), &username, app.clock.now()).map_err(too_many)?;
    let login = queries::login(&app.store, &username).await?;
    let right = app.passwords.verify(password, login.as_ref().map(|l| l.password_hash.as_str())).await?;
    let Some(login) = login.filter(|_| right) else {
        app.throttle.failed(&attempt);
        return Err(ApiError::refused(
            StatusCode::UNAUTHORIZED,
            problem::WRONG_CREDENTIALS,
            "Wrong user name or password",
            "The user name or password is wrong. Check both and try again; whoever manages your TMS can set a new password.",
        ));
    };
    app.throttle.forgive(&attempt);
    if !login.enabled {
        return Err(ApiError::refused(
            StatusCode::FORBIDDEN,
            problem::LOGIN_DISABLED,
            "Login disabled",
            "This login was switched off. Whoever runs the TMS can switch it on again.",
        ));
    }
    Ok(login)
}

/// Opens a session for a login that has proved itself, by an API key that has; keeps what else stands in the transaction. All
/// or nothing.
pub async fn open(
    app: &App,
    mut tx: Tx,
    peer: Peer,
    login: &Login,
    key: &KeyRow,
    instance_id: String,
) -> Answer<Session> {
    let (membership, extensions) = admit(app, &mut tx, login, key).await?;
    let token = secrets::session_token();
    let now = app.clock.now_ms();
    let session = NewSession {
        token_hash: secrets::hash(&token),
        membership,
        api_key: key.id,
        instance_id,
        address: peer.ip().to_string(),
        created_at: now,
        expires_at: now + LIFETIME_MS,
    };
    if !queries::add(&mut tx, &session, &login.password_hash).await? {
        return Err(overtaken());
    }
    let account = Some(key.account.id);
    audit::record_in(&mut tx, app, account, &login.username, peer, "sign in softphone", &login.username).await?;
    let mut ended = Ended::default();
    for surplus in queries::surplus(&mut tx, membership, PER_INSTALLATION, PER_LOGIN).await? {
        ended.session(&mut tx, surplus, "You have signed in many times since. Sign in again.").await?;
    }
    let letter = outbox::post(&mut tx, ended, now).await?;
    tx.commit().await?;
    app.outbox.send(letter).await;
    let user = User { name: login.name.clone() };
    let me = Me { user, account: key.account.account.clone(), extensions };
    Ok(Session { token, expires_at: clock::from_ms(now + LIFETIME_MS), me })
}

/// The membership that signs in, and its extensions on which the key is enabled.
///
/// # Errors
/// Which of the reasons keeps it out.
async fn admit(app: &App, tx: &mut Tx, login: &Login, key: &KeyRow) -> Answer<(i64, Vec<Extension>)> {
    let forbidden = |kind, title, detail: String| ApiError::refused(StatusCode::FORBIDDEN, kind, title, detail);
    let not_enabled = || {
        forbidden(
            problem::API_KEY_NOT_ENABLED,
            "API key not enabled",
            "This API key is not enabled on any extension of yours. In the TMS, open Extension Manager, choose the extension, \
             choose the API key and press Update."
                .into(),
        )
    };
    if let Some(reason) = key.refused(Scope::Agent, app.clock.now_ms()) {
        return Err(forbidden(problem::API_KEY_UNKNOWN, "API key not accepted", reason.into()));
    }
    let membership = queries::membership(&mut *tx, login.id, key.account.id).await?.ok_or_else(not_enabled)?;
    if !membership.account_enabled {
        let detail = account_disabled(&membership.account_name);
        return Err(forbidden(problem::ACCOUNT_DISABLED, "Account disabled", detail));
    }
    match membership.state {
        State::Enabled => {}
        State::Pending => {
            return Err(forbidden(
                problem::LOGIN_NOT_ACTIVATED,
                "Login not activated",
                "This login is not activated yet. Sign in to the TMS in a browser, select the account and tick Account enabled."
                    .into(),
            ));
        }
        State::Disabled => return Err(forbidden(problem::LOGIN_DISABLED, "Login disabled", DISABLED.into())),
    }
    let extensions = queries::extensions(&mut *tx, membership.id, key.id).await?;
    if extensions.is_empty() {
        return Err(not_enabled());
    }
    Ok((membership.id, extensions))
}

/// `+sip.instance` of an installation: a URN (RFC 5626 §4.1).
pub fn instance_id(given: &str) -> Answer<String> {
    let good = given.len() <= 100
        && given.get(..4).is_some_and(|s| s.eq_ignore_ascii_case("urn:"))
        && given.chars().all(|c| c.is_ascii_graphic() && !"<>\"\\|".contains(c));
    if good {
        Ok(given.to_owned())
    } else {
        Err(ApiError::invalid("instance_id must be the installation's URN, such as urn:uuid:00000000-0000-4000-8000-…"))
    }
}

fn unknown_key(given: &str) -> ApiError {
    let detail = if given.is_empty() {
        "No API key was given. Copy it from whoever manages your TMS; it is made in TMS, API Manager."
    } else if secrets::ApiKey::is_whole(given) {
        "This API key is unknown or was revoked. Ask whoever manages your TMS for a new one, made in TMS, API Manager."
    } else {
        "This API key is incomplete or mistyped. Copy the whole key, from tms_ to its last letter."
    };
    ApiError::refused(StatusCode::FORBIDDEN, problem::API_KEY_UNKNOWN, "API key unknown", detail)
}

/// The password was right, and was changed, or the login switched off, before the session was stored.
pub fn overtaken() -> ApiError {
    ApiError::refused(
        StatusCode::UNAUTHORIZED,
        problem::WRONG_CREDENTIALS,
        "Sign in again",
        "Your login was changed at this very moment. Sign in again.",
    )
}

/// 429 with the time to wait.
pub fn too_many(seconds: u64) -> ApiError {
    let wait = match seconds {
        0..=90 => format!("{seconds} seconds"),
        _ => format!("{} minutes", seconds.div_ceil(60)),
    };
    ApiError::refused(
        StatusCode::TOO_MANY_REQUESTS,
        problem::TOO_MANY_ATTEMPTS,
        "Too many attempts",
        format!("Too many attempts to sign in failed. Try again in {wait}."),
    )
    .retry_after(seconds)
}
