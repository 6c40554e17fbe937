//! What may be done with the logins of an account.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::queries::{self, ChosenBy, MemberRow, NewLogin};
use crate::server::{
    change::Change,
    http::{
        App,
        input::{self, Peer},
        page::{Listed, Page},
        problem::{Answer, ApiError, kind},
    },
    passwords,
    sessions::{Access, Concerns, Manager, Right, Role, State},
};

/// A login as an account sees it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ManagedLogin {
    pub username: String,
    pub name: String,
    pub email: Option<String>,
    pub role: Role,
    pub state: State,
    /// It is on other accounts too, or an operator's: only operators alter its name, e-mail address and password.
    pub elsewhere: bool,
    /// Two-step sign-in is on.
    pub second_factor: bool,
}

/// A login to add to an account.
#[derive(Deserialize, ToSchema)]
pub struct NewLoginBody {
    /// 3 to 100 characters without spaces, mostly an e-mail address; case does not matter.
    pub username: String,
    pub name: String,
    /// The user name where that is an e-mail address and this is left out.
    pub email: Option<String>,
    /// At least 10 characters, and none that is guessed first; `/v1/passwords/check` tells beforehand. The portal asks its owner
    /// for another one at the first sign-in.
    pub password: String,
    pub role: Role,
    /// Number of an extension without an owner; the login owns it then.
    pub extension: Option<String>,
}

/// A login of another account to add to this one, too.
#[derive(Deserialize, ToSchema)]
pub struct NewMember {
    /// User name of a login that exists on another account already.
    pub username: String,
    pub role: Role,
}

/// What is to change of a login; what is left out stays.
#[derive(Default, Deserialize, ToSchema)]
pub struct LoginChange {
    /// Switching it off ends its sessions. On again, a login that was never activated is pending.
    pub enabled: Option<bool>,
    pub role: Option<Role>,
    pub name: Option<String>,
    /// Null removes it.
    #[serde(default, deserialize_with = "input::nullable")]
    #[schema(value_type = Option<String>)]
    pub email: Option<Option<String>>,
    /// A new password; ends its sessions. The portal asks its owner for another one.
    pub password: Option<String>,
}

/// The logins of the account, by user name.
pub async fn list(app: &App, manager: &Manager, tenant: &str, page: &Page) -> Answer<Listed<ManagedLogin>> {
    let access = manager.account(app, tenant, Right::ManageLogins).await?;
    let found = queries::list(&app.store.within(access.account.id), access.account.id, page).await?;
    Ok(page.of(found, shown))
}

/// One login of the account; `None` where it has no such login.
pub async fn read(app: &App, manager: &Manager, tenant: &str, username: &str) -> Answer<Option<ManagedLogin>> {
    let access = manager.account(app, tenant, Right::ManageLogins).await?;
    Ok(queries::member(&app.store.within(access.account.id), access.account.id, username).await?.map(shown))
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
    let email = match &wanted.email {
        Some(email) => Some(check_email(email)?),
        None => check_email(&username).ok(),
    };
    passwords::check(&wanted.password, &username)?;
    let hash = app.passwords.hash(&wanted.password).await?;
    let mut change = Change::begin(app, manager, peer, account).await?;
    let login = NewLogin {
        username: &username,
        name: &name,
        email: email.as_deref(),
        password_hash: &hash,
        password_by: ChosenBy::Somebody,
        operator: false,
    };
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
    change.concerns = Concerns::Members(vec![membership]);
    change.commit("create login", &username).await?;
    Ok(ManagedLogin {
        username,
        name,
        email,
        role: wanted.role,
        state: State::Pending,
        elsewhere: false,
        second_factor: false,
    })
}

/// Adds a login of another account to this one, too; pending until its owner enables it here. Who is no operator finds those of
/// the accounts that he administers: other people's names are not to be guessed at.
pub async fn add_member(
    app: &App,
    manager: &Manager,
    peer: Peer,
    tenant: &str,
    wanted: NewMember,
) -> Answer<ManagedLogin> {
    let access = manager.account(app, tenant, Right::ManageLogins).await?;
    may_give(&access, wanted.role)?;
    let username = check_username(&wanted.username)?;
    let asker = (!manager.operator).then_some(manager.login);
    let mut change = Change::begin(app, manager, peer, &access.account).await?;
    let login = queries::elsewhere(&mut change.tx, &username, asker).await?.ok_or_else(|| {
        ApiError::invalid("username: no account that you administer has such a login. Add it as a new one instead.")
    })?;
    queries::add_membership(&mut change.tx, login, access.account.id, wanted.role)
        .await
        .map_err(|e| ApiError::from_rule(e, || format!("username: {username} is on this account already.")))?;
    let unknown = || ApiError::not_found(format_args!("The login {username}"));
    let member = queries::member(&mut change.tx, access.account.id, &username).await?.ok_or_else(unknown)?;
    change.commit("add login of another account", &username).await?;
    Ok(shown(member))
}

/// Alters a login; what ends with that ends in the same transaction.
pub async fn update(
    app: &App,
    manager: &Manager,
    peer: Peer,
    tenant: &str,
    username: &str,
    change: LoginChange,
) -> Answer<ManagedLogin> {
    let access = manager.account(app, tenant, Right::ManageLogins).await?;
    let hash = match &change.password {
        Some(password) => {
            passwords::check(password, username)?;
            Some(app.passwords.hash(password).await?)
        }
        None => None,
    };
    let mut kept = Change::begin(app, manager, peer, &access.account).await?;
    let unknown = || ApiError::not_found(format_args!("The login {username}"));
    let mut member = queries::member(&mut kept.tx, access.account.id, username).await?.ok_or_else(unknown)?;
    may_change(manager, &access, &member, &change)?;
    let before = member.state;
    if let Some(name) = &change.name {
        member.name = input::text("name", name)?;
    }
    if let Some(email) = &change.email {
        member.email = email.as_deref().map(check_email).transpose()?;
    }
    if let Some(enabled) = change.enabled {
        member.state = switched(&member, enabled)?;
    }
    if let Some(role) = change.role {
        may_give(&access, role)?;
        member.role = role;
    }
    queries::update(&mut kept.tx, &member).await?;
    // Who is on other accounts too goes on there; each request asks what he is on its account.
    if member.state == State::Disabled && member.own {
        queries::end_managing(&mut kept.tx, member.login).await?;
    }
    if let Some(hash) = &hash {
        let (given, now) = ((hash.as_str(), ChosenBy::Somebody), app.clock.now_ms());
        queries::set_password(&mut kept.tx, member.login, given, now).await?;
        let reason = "Your password was changed. Sign in with the new one.";
        kept.ended.login(&mut kept.tx, member.login, reason).await?;
    }
    kept.concerns = match member.state == before {
        true => Concerns::Nobody,
        false => Concerns::Members(vec![member.membership]),
    };
    kept.commit("alter login", &member.username).await?;
    Ok(shown(member))
}

fn may_change(manager: &Manager, access: &Access, member: &MemberRow, change: &LoginChange) -> Answer<()> {
    may_give(access, member.role)?;
    if member.login == manager.login && (change.enabled == Some(false) || change.role.is_some()) {
        return Err(ApiError::conflict(
            kind::CONFLICT,
            "You cannot switch off your own login or change its role, for nobody could be left to undo it; ask another \
             administrator.",
        ));
    }
    if change.password.is_some() {
        not_own(manager, member)?;
    }
    if change.password.is_some() || change.name.is_some() || change.email.is_some() {
        may_set_password(manager, access, member)?;
    }
    Ok(())
}

/// Takes a login off the account: its sessions there end, and its extensions have no owner. One that is on no other account is
/// removed altogether.
pub async fn remove(app: &App, manager: &Manager, peer: Peer, tenant: &str, username: &str) -> Answer<()> {
    let access = manager.account(app, tenant, Right::ManageLogins).await?;
    let mut change = Change::begin(app, manager, peer, &access.account).await?;
    let unknown = || ApiError::not_found(format_args!("The login {username}"));
    let member = queries::member(&mut change.tx, access.account.id, username).await?.ok_or_else(unknown)?;
    may_give(&access, member.role)?;
    if member.login == manager.login {
        return Err(ApiError::conflict(
            kind::CONFLICT,
            "You cannot remove your own login, for nobody could be left to undo it; ask another administrator.",
        ));
    }
    let reason = "This login was removed from the account. Whoever manages your TMS can add it again.";
    change.ended.member(&mut change.tx, member.membership, reason).await?;
    queries::remove(&mut change.tx, &member).await?;
    change.concerns = Concerns::Members(Vec::new());
    change.commit("remove login", &member.username).await
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

/// Whether the caller may set this login's password, or send a link that lets somebody do so: who can, can sign in as it.
///
/// # Errors
/// Forbidden for whoever ranks above the caller, and, unless an operator asks, for a login of other accounts too: each account
/// would own the others' sign-in.
pub fn may_set_password(manager: &Manager, access: &Access, member: &MemberRow) -> Answer<()> {
    may_give(access, member.role)?;
    if member.own || manager.operator {
        return Ok(());
    }
    Err(ApiError::forbidden(
        "This login belongs to other accounts too, so only an operator may alter its name, e-mail address or password, or send \
         it a link for a new one.",
    ))
}

/// A session that somebody left open must not be enough for a new password.
///
/// # Errors
/// In conflict where it is the caller's own login.
pub fn not_own(manager: &Manager, member: &MemberRow) -> Answer<()> {
    if member.login != manager.login {
        return Ok(());
    }
    Err(ApiError::conflict(
        kind::CONFLICT,
        "Your own password is changed with the present one: in your profile, or with POST /v1/manage/password.",
    ))
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

/// An e-mail address as it is stored: lower case. What stands before and after the "@" is for the mail server to judge.
pub fn check_email(given: &str) -> Answer<String> {
    let email = given.trim().to_lowercase();
    let parts = email.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty());
    if !parts || email.len() > 254 || email.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(ApiError::invalid("email must read name@domain, with at most 254 characters and no spaces."));
    }
    Ok(email)
}

fn shown(row: MemberRow) -> ManagedLogin {
    let MemberRow { username, name, email, role, state, own, second_factor, .. } = row;
    ManagedLogin { username, name, email, role, state, elsewhere: !own, second_factor }
}
