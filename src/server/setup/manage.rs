//! What those who manage do: everything an agent needs, at once, and the one-time link to send.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{LIFETIME_MS, queries};
use crate::{
    server::{
        accounts::AccountRow,
        api_keys::{self, NewKeyRow, Scope},
        change::Change,
        clock, extensions,
        extensions::ExtensionRow,
        http::{
            App,
            input::{self, Peer},
            problem::{Answer, ApiError, kind},
        },
        logins::{self, ChosenBy, NewLogin, check_email, check_username, may_set_password, not_own},
        registrations, secrets,
        sessions::{Access, Concerns, Manager, Right, Role},
    },
    tms::wire::Edition,
};

/// The last part of the name of the registration that Agent Manager gets for itself.
const REGISTRATION: &str = "agent";
/// The API key that is made where the account has none; nobody needs to know it, for the link takes its place.
const KEY_NAME: &str = "Agent Manager";

/// An agent to set up on an extension without an owner; for one with an owner only the link is made.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
pub struct NewAgent {
    /// Of a new login, as is the user name; both are left out where the extension has an owner.
    pub name: Option<String>,
    pub username: Option<String>,
    /// The key to enable on the extension; `None` keeps the one it has, or takes the account's first.
    pub api_key: Option<i64>,
}

/// What was made, and the link, which is shown this once.
#[derive(Clone, Serialize, ToSchema)]
pub struct Invitation {
    pub username: String,
    pub name: String,
    /// Where the link can be sent to.
    pub email: Option<String>,
    /// The registration that Agent Manager takes.
    pub registration: Option<String>,
    /// The one-time link to send. Shown this once.
    #[schema(required = false)]
    pub url: String,
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

/// Makes everything that Agent Manager needs on this extension, or nothing: login, owner, API key, a registration of its own
/// (the primary on Express), and the link.
pub async fn begin(
    app: &App,
    manager: &Manager,
    peer: Peer,
    (tenant, number): (&str, &str),
    wanted: NewAgent,
) -> Answer<Invitation> {
    let (access, seen) = manager.extension(app, tenant, number, Right::ManageExtensions).await?;
    manager.account(app, tenant, Right::ManageLogins).await?;
    let account = &access.account;
    let new = match &seen.login {
        Some(_) if wanted.name.is_none() && wanted.username.is_none() => None,
        Some(username) => {
            let sentence = "already: leave name and username out, or take it from its owner first.";
            return Err(ApiError::conflict(kind::CONFLICT, format!("The extension belongs to {username} {sentence}")));
        }
        None => Some(Newcomer {
            username: check_username(wanted.username.as_deref().unwrap_or_default())?,
            name: input::text("name", wanted.name.as_deref().unwrap_or_default())?,
            // Nobody knows this one; the agent sets another.
            password_hash: app.passwords.hash(&secrets::password()).await?,
        }),
    };
    let mut change = Change::begin(app, manager, peer, account).await?;
    let extension = extensions::by_number(&mut change.tx, account.id, number).await?;
    // Somebody else was quicker: two links would open one telephone.
    let extension = extension.filter(|extension| extension.membership == seen.membership).ok_or_else(|| {
        ApiError::conflict(
            kind::CONFLICT,
            "The extension was given to somebody, or taken from its owner, at this moment. Look at it again; nothing was made.",
        )
    })?;
    let (membership, person) = match new {
        Some(new) => new.keep(app, account, number, &mut change).await?,
        None => owner(manager, &access, &extension, &mut change).await?,
    };
    let key = key(app, &access, &extension, wanted.api_key, &mut change).await?;
    extensions::enable_key(&mut change.tx, extension.id, key).await?;
    let registration = registration(app, account, &extension, &mut change).await?;
    let code = secrets::password();
    let now = app.clock.now_ms();
    let new = queries::NewInvitation {
        code_hash: &secrets::hash(&code),
        membership,
        extension: Some(extension.id),
        registration: Some(&registration),
        created_at: now,
        expires_at: now + LIFETIME_MS,
    };
    queries::add(&mut change.tx, &new).await?;
    change.concerns = Concerns::Members(vec![membership]);
    change.commit("set up agent", &format!("{number} {}", person.username)).await?;
    Ok(invitation(app, person, Some(registration), &code, now))
}

/// A link with which somebody sets a new password.
///
/// # Errors
/// As [`may_set_password`] says.
pub async fn invite(app: &App, manager: &Manager, peer: Peer, tenant: &str, username: &str) -> Answer<Invitation> {
    let access = manager.account(app, tenant, Right::ManageLogins).await?;
    let mut change = Change::begin(app, manager, peer, &access.account).await?;
    let unknown = || ApiError::not_found(format_args!("The login {username}"));
    let member = logins::member(&mut change.tx, access.account.id, username).await?.ok_or_else(unknown)?;
    may_set_password(manager, &access, &member)?;
    not_own(manager, &member)?;
    let code = secrets::password();
    let now = app.clock.now_ms();
    let new = queries::NewInvitation {
        code_hash: &secrets::hash(&code),
        membership: member.membership,
        extension: None,
        registration: None,
        created_at: now,
        expires_at: now + LIFETIME_MS,
    };
    queries::add(&mut change.tx, &new).await?;
    change.concerns = Concerns::Nobody;
    change.commit("send password link", &member.username).await?;
    let person = Person { username: member.username, name: member.name, email: member.email };
    Ok(invitation(app, person, None, &code, now))
}

fn invitation(app: &App, person: Person, registration: Option<String>, code: &str, now: i64) -> Invitation {
    let url = format!("{}/setup/{code}", app.reach.url);
    let Person { username, name, email } = person;
    Invitation { username, name, email, registration, url, expires_at: clock::from_ms(now + LIFETIME_MS) }
}

/// Who gets a link.
struct Person {
    username: String,
    name: String,
    email: Option<String>,
}

/// Somebody who gets a login.
struct Newcomer {
    username: String,
    name: String,
    password_hash: String,
}

impl Newcomer {
    /// Makes the login, the owner of the extension.
    async fn keep(
        self,
        app: &App,
        account: &AccountRow,
        number: &str,
        change: &mut Change<'_>,
    ) -> Answer<(i64, Person)> {
        let Self { username, name, password_hash } = self;
        let email = check_email(&username).ok();
        let login = NewLogin {
            username: &username,
            name: &name,
            email: email.as_deref(),
            password_hash: &password_hash,
            // Nobody knows it, and the link sets another.
            password_by: ChosenBy::Somebody,
            operator: false,
        };
        let taken = || format!("username: {username} exists already; choose another.");
        let login = logins::create(&mut change.tx, &login, app.clock.now_ms())
            .await
            .map_err(|e| ApiError::from_rule(e, taken))?;
        let membership = logins::add_membership(&mut change.tx, login, account.id, Role::Extension).await?;
        logins::own(&mut change.tx, account.id, number, membership).await?;
        Ok((membership, Person { username, name, email }))
    }
}

/// Whoever has the extension already. With the link comes the right to set the password.
async fn owner(
    manager: &Manager,
    access: &Access,
    extension: &ExtensionRow,
    change: &mut Change<'_>,
) -> Answer<(i64, Person)> {
    let username = extension.login.as_deref().unwrap_or_default();
    let member = logins::member(&mut change.tx, access.account.id, username).await?;
    let member = member.ok_or_else(|| ApiError::not_found(format_args!("The login {username}")))?;
    may_set_password(manager, access, &member)?;
    not_own(manager, &member)?;
    Ok((member.membership, Person { username: member.username, name: member.name, email: member.email }))
}

/// The key that is wanted; otherwise the one that the extension has, the account's first, or a new one.
async fn key(
    app: &App,
    access: &Access,
    extension: &ExtensionRow,
    wanted: Option<i64>,
    change: &mut Change<'_>,
) -> Answer<i64> {
    let (account, now) = (access.account.id, app.clock.now_ms());
    if let Some(key) = wanted {
        api_keys::must_be_usable(&mut change.tx, account, key, now).await?;
        return Ok(key);
    }
    if let Some(key) = extension.api_key
        && api_keys::usable(&mut change.tx, account, key, now).await?
    {
        return Ok(key);
    }
    match api_keys::first(&mut change.tx, account, now).await? {
        Some(key) => Ok(key),
        None => new_key(app, access, change).await,
    }
}

async fn new_key(app: &App, access: &Access, change: &mut Change<'_>) -> Answer<i64> {
    if access.role < Role::Admin {
        return Err(ApiError::conflict(
            kind::CONFLICT,
            "The account has no API key yet, and only its administrator may add one, in the API Manager; ask for it.",
        ));
    }
    let key = secrets::ApiKey::generate();
    let row = NewKeyRow { account: access.account.id, name: KEY_NAME, scope: Scope::Agent, expires_at: None };
    Ok(api_keys::create(&mut change.tx, &row, &key, app.clock.now_ms()).await?)
}

/// The registration that Agent Manager is to hold: the primary on Express, otherwise one of its own.
async fn registration(
    app: &App,
    account: &AccountRow,
    extension: &ExtensionRow,
    change: &mut Change<'_>,
) -> Answer<String> {
    let primary = format!("{}-{}", extension.number, account.account.tenant);
    if account.account.edition == Edition::Express {
        return Ok(primary);
    }
    let name = format!("{primary}-{REGISTRATION}");
    if !queries::has_registration(&mut change.tx, extension.id, &name).await? {
        let added =
            registrations::add(&mut change.tx, extension.id, &name, "Agent Manager", true, app.clock.now_ms()).await?;
        added.ok_or_else(|| {
            ApiError::conflict(
                kind::EDITION,
                "Both additional registrations of this extension are taken. Remove one of them first: Extension Manager, \
                 the extension, Registrations.",
            )
        })?;
    }
    Ok(name)
}
