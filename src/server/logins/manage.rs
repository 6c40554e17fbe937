//! What may be done with the logins of an account.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::queries::{self, MemberRow, NewLogin};
use crate::server::{
    change::Change,
    http::{
        App,
        input::{self, Peer},
        page::{Listed, Page},
        problem::{Answer, ApiError, kind},
    },
    passwords,
    sessions::{Access, Manager, Right, Role, State},
};

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ManagedLogin {
    pub username: String,
    pub name: String,
    pub role: Role,
    pub state: State,
}

#[derive(Deserialize, ToSchema)]
pub struct NewLoginBody {
    /// 3 to 100 characters without spaces, mostly an e-mail address; case does not matter.
    pub username: String,
    pub name: String,
    /// At least 10 characters.
    pub password: String,
    pub role: Role,
    /// Number of an extension without an owner; the login owns it then.
    pub extension: Option<String>,
}

#[derive(Default, Deserialize, ToSchema)]
pub struct LoginChange {
    /// Switching it off ends its sessions. On again, a login that was never activated is pending.
    pub enabled: Option<bool>,
    pub role: Option<Role>,
    /// A new password; ends its sessions.
    pub password: Option<String>,
}

pub async fn list(app: &App, manager: &Manager, tenant: &str, page: &Page) -> Answer<Listed<ManagedLogin>> {
    let access = manager.account(app, tenant, Right::ManageLogins).await?;
    let found = queries::list(&app.store, access.account.id, page).await?;
    Ok(page.of(found, shown))
}

/// It is pending until its owner enables the account at the first sign-in.
pub async fn create(
    app: &App,
    manager: &Manager,
    peer: Peer,
    tenant: &str,
    wanted: NewLoginBody,
) -> Answer<ManagedLogin> {
    let access = manager.account(app, tenant, Right::ManageLogins).await?;
    may_give(&access, wanted.role)?;
    let account = &access.account;
    let username = check_username(&wanted.username)?;
    let name = input::text("name", &wanted.name)?;
    check_password(&wanted.password, &username)?;
    let hash = app.passwords.hash(&wanted.password).await?;
    let mut change = Change::begin(app, manager, peer, account).await?;
    let login = NewLogin { username: &username, name: &name, password_hash: &hash, operator: false };
    let login = queries::create(&mut change.tx, &login, app.clock.now_ms())
        .await
        .map_err(|e| ApiError::from_rule(e, || format!("The user name {username} exists already; choose another.")))?;
    let membership = queries::add_membership(&mut change.tx, login, account.id, wanted.role).await?;
    if let Some(number) = &wanted.extension
        && !queries::own(&mut change.tx, account.id, number, membership).await?
    {
        return Err(ApiError::conflict(
            kind::CONFLICT,
            "extension: it does not exist here or has an owner already, so nothing was made. Choose another, or leave it out.",
        ));
    }
    change.commit("create login", &username).await?;
    Ok(ManagedLogin { username, name, role: wanted.role, state: State::Pending })
}

pub async fn update(
    app: &App,
    manager: &Manager,
    peer: Peer,
    tenant: &str,
    username: &str,
    change: LoginChange,
) -> Answer<ManagedLogin> {
    let access = manager.account(app, tenant, Right::ManageLogins).await?;
    let unknown = || ApiError::not_found(format_args!("The login {username}"));
    let mut member = queries::member(&app.store, access.account.id, username).await?.ok_or_else(unknown)?;
    may_give(&access, member.role)?;
    if member.login == manager.login && (change.enabled == Some(false) || change.role.is_some()) {
        return Err(ApiError::conflict(
            kind::CONFLICT,
            "You cannot switch off your own login or change its role, for nobody could be left to undo it; ask another \
             administrator.",
        ));
    }
    let hash = match &change.password {
        Some(password) => Some(new_password(app, manager, &member, password).await?),
        None => None,
    };
    if let Some(enabled) = change.enabled {
        member.state = switched(&member, enabled)?;
    }
    if let Some(role) = change.role {
        may_give(&access, role)?;
        member.role = role;
    }
    let mut kept = Change::begin(app, manager, peer, &access.account).await?;
    queries::set_membership(&mut kept.tx, member.membership, member.role, member.state).await?;
    if let Some(hash) = &hash {
        queries::set_password(&mut kept.tx, member.login, hash).await?;
        let reason = "Your password was changed. Sign in with the new one.";
        kept.ended.login(&mut kept.tx, member.login, reason).await?;
    }
    kept.commit("alter login", &member.username).await?;
    Ok(shown(member))
}

async fn new_password(app: &App, manager: &Manager, member: &MemberRow, password: &str) -> Answer<String> {
    if !member.own && !manager.operator {
        return Err(ApiError::forbidden(
            "This login belongs to other accounts too, so only an operator may set its password.",
        ));
    }
    check_password(password, &member.username)?;
    Ok(app.passwords.hash(password).await?)
}

fn switched(member: &MemberRow, on: bool) -> Answer<State> {
    match (on, member.state) {
        (false, _) => Ok(State::Disabled),
        (true, State::Disabled) if !member.activated => Ok(State::Pending),
        (true, State::Pending) => Err(ApiError::conflict(
            kind::CONFLICT,
            "A new login is enabled by its owner, who signs in to the TMS, selects the account and ticks Account enabled.",
        )),
        (true, _) => Ok(State::Enabled),
    }
}

/// A manager makes and alters agents' logins only.
fn may_give(access: &Access, role: Role) -> Answer<()> {
    if access.role == Role::Admin || role == Role::Extension {
        return Ok(());
    }
    Err(ApiError::forbidden("Only an administrator may add or alter logins of administrators and managers; ask one."))
}

/// A user name as it is stored: lower case, without spaces.
pub fn check_username(given: &str) -> Answer<String> {
    let username = input::text("username", given)?.to_lowercase();
    if username.chars().count() < 3 || username.contains(char::is_whitespace) {
        return Err(ApiError::invalid("username must have 3 to 100 characters and no spaces."));
    }
    Ok(username)
}

/// Length and no user name in it; there are no rules of composition.
pub fn check_password(password: &str, username: &str) -> Answer<()> {
    let length = password.chars().count();
    if length < passwords::SHORTEST {
        return Err(ApiError::invalid(format!(
            "The password is too short: {length} characters, at least {} are needed. A few words make a good one.",
            passwords::SHORTEST
        )));
    }
    if password.len() > passwords::LONGEST {
        return Err(ApiError::invalid(format!("The password is too long; at most {} bytes.", passwords::LONGEST)));
    }
    let lower = password.to_lowercase();
    if lower.contains(username) || username.contains(&lower) {
        return Err(ApiError::invalid("The password must not contain the user name; that is guessed first."));
    }
    Ok(())
}

fn shown(row: MemberRow) -> ManagedLogin {
    ManagedLogin { username: row.username, name: row.name, role: row.role, state: row.state }
}
