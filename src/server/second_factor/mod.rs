//! The second factor at sign-in: time-based one-time passwords (RFC 6238) from an authenticator, and recovery codes for who
//! has lost it. It stands before managing sessions; Agent Manager's sign-in has the API key besides the password.

mod queries;
mod routes;
#[cfg(test)]
mod tests;

pub use self::routes::{PasswordGiven, routes};

use axum::http::StatusCode;
use serde::Serialize;
use totp_rs::{Builder, Secret, Totp};
use utoipa::ToSchema;

use super::{
    audit,
    change::Change,
    http::{
        App,
        input::Peer,
        percent::escape,
        problem::{Answer, ApiError, kind},
    },
    logins, secrets,
    sessions::{self, Concerns, Login, Manager, Proved, Right},
    store::Tx,
    vault,
};

/// Recovery codes of a login, each of 50 random bits and good once.
const RECOVERY_CODES: usize = 10;
const RECOVERY_CODE: usize = 10;
/// After its password was issued, or it was allowed again, a login may turn this on so long where it is demanded. Whoever steals
/// the password later turns nothing on.
pub const ALLOWED_MS: i64 = 7 * 24 * 3600 * 1000;
/// How long somebody may look for the authenticator, in milliseconds.
const STEP_LIFETIME_MS: i64 = 5 * 60 * 1000;
/// Wrong codes after which the password is asked again.
const TRIES: i64 = 5;

/// How a login's second factor stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    Off,
    On { recovery_codes_left: i64 },
}

/// What an authenticator is given.
#[derive(Clone, Serialize, ToSchema)]
pub struct Enrolment {
    /// Base 32, to type.
    #[schema(required = false)]
    pub secret: String,
    /// `otpauth://totp/…`, to scan.
    #[schema(required = false)]
    pub url: String,
}

/// How a login's stands.
pub async fn standing(app: &App, login: i64) -> Answer<Standing> {
    Ok(match queries::read(&app.store, login).await? {
        Some(factor) if factor.on => {
            Standing::On { recovery_codes_left: queries::recovery_codes(&app.store, login).await? }
        }
        _ => Standing::Off,
    })
}

/// Begins to turn it on: the secret counts once a code of it was seen. Asked again before that by the same session it is the
/// same; another one gets one of its own, so that nobody turns on what somebody else has seen.
pub async fn enrol(app: &App, manager: &Manager) -> Answer<Enrolment> {
    let factor = queries::read(&app.store, manager.login).await?;
    if factor.as_ref().is_some_and(|factor| factor.on) {
        return Err(already_on());
    }
    if !app.vault.has_key() {
        return Err(no_key());
    }
    if !is_allowed(app, manager) {
        return Err(ApiError::conflict(kind::CONFLICT, NOT_ALLOWED));
    }
    let offered = offered_to(manager);
    let secret = match factor.and_then(|factor| app.vault.unseal(&offered, &factor.secret)) {
        Some(secret) => secret,
        None => {
            let mut bytes = [0; 20];
            rand::Rng::fill_bytes(&mut rand::rng(), &mut bytes);
            let secret = Secret::from(bytes.to_vec()).to_base32();
            let sealed = app.vault.seal(&offered, &secret).ok_or_else(no_key)?;
            queries::offer(&app.store, manager.login, &sealed).await?;
            secret
        }
    };
    // https://github.com/google/google-authenticator/wiki/Key-Uri-Format
    let label = escape(&manager.username);
    let url = format!("otpauth://totp/TMS:{label}?secret={secret}&issuer=TMS");
    Ok(Enrolment { secret, url })
}

/// Whether it may be turned on: always by oneself, but where it is demanded, the password alone is not enough for ever.
pub fn is_allowed(app: &App, manager: &Manager) -> bool {
    !app.second_factor_demanded || manager.second_factor_until.is_some_and(|until| app.clock.now_ms() < until)
}

/// What a secret is sealed for until it is confirmed: this session of this login.
fn offered_to(manager: &Manager) -> String {
    format!("{} offered to session {}", vault::second_factor(manager.login), manager.token_hash)
}

/// Turns it on, once the authenticator has shown a code, and ends the login's other managing sessions: they have proved a
/// password alone. The recovery codes are in this answer and never again.
pub async fn confirm(app: &App, manager: &Manager, peer: Peer, code: &str) -> Answer<Vec<String>> {
    let factor = queries::read(&app.store, manager.login).await?.ok_or_else(nothing_offered)?;
    if factor.on {
        return Err(already_on());
    }
    let secret = app.vault.unseal(&offered_to(manager), &factor.secret).ok_or_else(nothing_offered)?;
    let sealed = app.vault.seal(&vault::second_factor(manager.login), &secret).ok_or_else(no_key)?;
    let step = step_of(app, &secret, code)?.ok_or_else(wrong_code)?;
    let mut tx = app.store.begin().await?;
    let secrets = (&*factor.secret, &*sealed);
    if !queries::turn_on(&mut tx, manager.login, secrets, step, app.clock.now_ms()).await? {
        return Err(nothing_offered());
    }
    sessions::end_others(&mut tx, manager.login, manager.session).await?;
    let codes = new_codes(&mut tx, manager.login).await?;
    record(app, &mut tx, manager, peer, "turn second factor on").await?;
    tx.commit().await?;
    Ok(codes)
}

/// New recovery codes in place of those that are left, for who proves himself by the password once more. They are in this
/// answer and never again.
pub async fn renew_codes(app: &App, manager: &Manager, peer: Peer, password: &str) -> Answer<Vec<String>> {
    sessions::authenticate(app, peer, &manager.username, password).await?;
    if standing(app, manager.login).await? == Standing::Off {
        return Err(ApiError::conflict(kind::CONFLICT, "Two-step sign-in is off, so there is nothing to recover."));
    }
    let mut tx = app.store.begin().await?;
    let codes = new_codes(&mut tx, manager.login).await?;
    record(app, &mut tx, manager, peer, "renew recovery codes").await?;
    tx.commit().await?;
    Ok(codes)
}

async fn new_codes(tx: &mut Tx, login: i64) -> Result<Vec<String>, sqlx::Error> {
    queries::remove_recovery_codes(tx, login).await?;
    let codes: Vec<String> = (0..RECOVERY_CODES).map(|_| secrets::random(RECOVERY_CODE)).collect();
    for code in &codes {
        queries::add_recovery_code(tx, login, &secrets::hash(code)).await?;
    }
    Ok(codes)
}

/// Turns it off, for who proves himself by the password once more.
pub async fn turn_off(app: &App, manager: &Manager, peer: Peer, password: &str) -> Answer<()> {
    sessions::authenticate(app, peer, &manager.username, password).await?;
    let mut tx = app.store.begin().await?;
    remove_in(&mut tx, manager.login, app.clock.now_ms()).await?;
    record(app, &mut tx, manager, peer, "turn second factor off").await?;
    tx.commit().await?;
    Ok(())
}

/// Whoever removes somebody else's shows first that it is not a session left open.
async fn prove(app: &App, manager: &Manager, peer: Peer, password: &str) -> Answer<()> {
    let proved = sessions::authenticate(app, peer, &manager.username, password).await;
    proved.map(drop).map_err(|error| match error {
        // Not 401: the session goes on.
        ApiError::Refused(problem) if problem.status == StatusCode::UNAUTHORIZED.as_u16() => {
            ApiError::invalid("password: this is not your password.")
        }
        error => error,
    })
}

/// Removes somebody else's, who has lost the authenticator and the recovery codes; `password` is the caller's own.
///
/// # Errors
/// As [`logins::may_set_password`]; one's own is turned off in the profile; with what is wrong about the password.
pub async fn remove(
    app: &App,
    manager: &Manager,
    peer: Peer,
    (tenant, username): (&str, &str),
    password: &str,
) -> Answer<()> {
    let access = manager.account(app, tenant, Right::ManageLogins).await?;
    let account = access.account.id;
    let may = |member: Option<logins::MemberRow>| {
        let member = member.ok_or_else(|| ApiError::not_found(format_args!("The login {username}")))?;
        logins::may_set_password(manager, &access, &member)?;
        if member.login == manager.login {
            return Err(ApiError::conflict(
                kind::CONFLICT,
                "Your own second factor is turned off in your profile, with your password.",
            ));
        }
        Ok(member)
    };
    // Who may not anyway is not asked for a password; whether he still may is seen where it is written.
    may(logins::member(&app.store.within(account), account, username).await?)?;
    prove(app, manager, peer, password).await?;
    let mut change = Change::begin(app, manager, peer, &access.account).await?;
    let member = may(logins::member(&mut change.tx, account, username).await?)?;
    remove_in(&mut change.tx, member.login, app.clock.now_ms()).await?;
    change.concerns = Concerns::Nobody;
    change.commit("remove second factor", &member.username).await
}

/// Removes a login's; it may be turned on anew.
pub async fn remove_in(tx: &mut Tx, login: i64, now: i64) -> Result<(), sqlx::Error> {
    queries::turn_off(tx, login).await?;
    allow_in(tx, login, now).await
}

/// Lets somebody turn it on where it is demanded, from now on for [`ALLOWED_MS`].
///
/// # Errors
/// As [`logins::may_set_password`]; in conflict where it is one's own, for a session that was stolen must not be enough.
pub async fn allow(app: &App, manager: &Manager, peer: Peer, tenant: &str, username: &str) -> Answer<()> {
    let access = manager.account(app, tenant, Right::ManageLogins).await?;
    let mut change = Change::begin(app, manager, peer, &access.account).await?;
    let member = logins::member(&mut change.tx, access.account.id, username).await?;
    let member = member.ok_or_else(|| ApiError::not_found(format_args!("The login {username}")))?;
    logins::may_set_password(manager, &access, &member)?;
    if member.login == manager.login {
        return Err(ApiError::conflict(kind::CONFLICT, "Your own is allowed by another administrator; ask one."));
    }
    allow_in(&mut change.tx, member.login, app.clock.now_ms()).await?;
    change.concerns = Concerns::Nobody;
    change.commit("allow second factor", &member.username).await
}

/// As [`allow`], with the password that is issued or by whoever runs the TMS.
pub async fn allow_in(tx: &mut Tx, login: i64, now: i64) -> Result<(), sqlx::Error> {
    queries::allow(tx, login, now + ALLOWED_MS).await
}

/// After the password: `true` when a code is awaited now of who has this cookie.
pub async fn ask(app: &App, login: &Login, cookie: &str) -> Answer<bool> {
    if standing(app, login.id).await? == Standing::Off {
        return Ok(false);
    }
    let expires_at = app.clock.now_ms() + STEP_LIFETIME_MS;
    let mut tx = app.store.begin().await?;
    if !queries::await_code(&mut tx, &secrets::hash(cookie), login, expires_at).await? {
        return Err(sessions::overtaken());
    }
    tx.commit().await?;
    Ok(true)
}

/// Whether a code is awaited of who has this cookie.
pub async fn is_asked(app: &App, cookie: &str) -> Answer<bool> {
    Ok(queries::awaited(&app.store, &secrets::hash(cookie), app.clock.now_ms()).await?.is_some())
}

/// The code: from the authenticator or a recovery code. Gives the login that has proved itself.
pub async fn answer(app: &App, peer: Peer, cookie: &str, code: &str) -> Answer<(Login, Proved)> {
    let step = secrets::hash(cookie);
    let again =
        || unauthorized("The time for the code is over, or too many were wrong. Sign in with your password again.");
    let mut tx = app.store.begin().await?;
    let tried = queries::try_once(&mut tx, &step, app.clock.now_ms(), TRIES).await?;
    tx.commit().await?;
    let login = tried.ok_or_else(again)?;
    let proved = guess(app, peer, login.id, code).await?;
    queries::answered(&app.store, &step).await?;
    Ok((login, proved))
}

/// Where the password was right and everything comes at once: it is enough where this is off, otherwise the code must be good.
pub async fn require(app: &App, peer: Peer, login: i64, code: Option<&str>) -> Answer<Proved> {
    if standing(app, login).await? == Standing::Off {
        return Ok(Proved::Password);
    }
    let code = code.ok_or_else(|| {
        unauthorized("Two-step sign-in is on for this login. Send the code that the authenticator shows as code, too.")
    })?;
    guess(app, peer, login, code).await
}

/// Whether the code is good; wrong ones are counted.
async fn guess(app: &App, peer: Peer, login: i64, code: &str) -> Answer<Proved> {
    let attempt =
        app.throttle.attempt(peer.ip(), &format!("code {login}"), app.clock.now()).map_err(sessions::too_many)?;
    let Some(proved) = check(app, login, code).await? else {
        app.throttle.failed(&attempt);
        return Err(unauthorized(WRONG_CODE));
    };
    app.throttle.forgive(&attempt);
    Ok(proved)
}

fn unauthorized(detail: &str) -> ApiError {
    ApiError::refused(StatusCode::UNAUTHORIZED, kind::SECOND_FACTOR, "Code needed", detail)
}

/// What this code proves besides the password, if it is good now; it is not good again. Any is while it is off, and proves nothing.
async fn check(app: &App, login: i64, code: &str) -> Answer<Option<Proved>> {
    let Some(factor) = queries::read(&app.store, login).await?.filter(|f| f.on) else {
        return Ok(Some(Proved::Password));
    };
    let good = match step_of(app, &secret_of(app, login, &factor)?, code)? {
        Some(step) => queries::take_step(&app.store, login, step).await?,
        None => {
            let code = code.trim().to_lowercase().replace([' ', '-'], "");
            queries::take_recovery_code(&app.store, login, &secrets::hash(&code)).await?
        }
    };
    Ok(good.then_some(Proved::PasswordAndCode))
}

/// In base 32.
fn secret_of(app: &App, login: i64, factor: &queries::Factor) -> Answer<String> {
    app.vault.unseal(&vault::second_factor(login), &factor.secret).ok_or_else(broken)
}

/// The step whose code this is, of the present one and its neighbours.
fn step_of(app: &App, secret: &str, code: &str) -> Answer<Option<i64>> {
    let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let now = u64::try_from(app.clock.now().as_second()).unwrap_or(0);
    let step = totp(secret)?.check(&code, now);
    Ok(step.and_then(|step| i64::try_from(step).ok()))
}

fn totp(secret: &str) -> Answer<Totp> {
    let secret = Secret::try_from_base32(secret).map_err(|_| broken())?;
    Builder::new().with_secret(secret).build().map_err(|_| broken())
}

async fn record(app: &App, tx: &mut Tx, manager: &Manager, peer: Peer, action: &str) -> Answer<()> {
    audit::record_own(tx, app, (manager.login, &manager.username), peer, action).await?;
    Ok(())
}

fn broken() -> ApiError {
    ApiError::conflict(
        kind::CONFLICT,
        "The stored secret of the second factor is damaged. An administrator of your account can remove it; an operator's, \
         whoever runs the TMS: tms admin remove-second-factor.",
    )
}

fn no_key() -> ApiError {
    ApiError::conflict(
        kind::CONFLICT,
        "Two-step sign-in cannot be turned on yet: this TMS has no key to keep its secrets with. Whoever runs it starts it with \
         --secrets-key.",
    )
}

/// For who may not turn it on any more.
pub const NOT_ALLOWED: &str = "Two-step sign-in is turned on within a week after you got your password, so that nobody does it who \
     comes by the password later. Ask an administrator to allow it, under Users; an operator asks whoever runs the TMS: \
     tms admin allow-second-factor.";

fn nothing_offered() -> ApiError {
    ApiError::conflict(
        kind::CONFLICT,
        "Begin anew and scan the secret that is shown then: there is none to confirm in this session, or another session of yours \
         has begun since.",
    )
}

fn already_on() -> ApiError {
    ApiError::conflict(kind::CONFLICT, "The second factor is on already.")
}

const WRONG_CODE: &str = "The code is wrong or was used already. Type the one that your authenticator shows now.";

fn wrong_code() -> ApiError {
    ApiError::invalid(WRONG_CODE)
}
