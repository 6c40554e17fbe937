//! What those who manage do: everything an agent needs, at once, and the one-time link to send.

use jiff::Timestamp;

use super::{LIFETIME_MS, queries};
use crate::{
    server::{
        accounts::AccountRow,
        api_keys::{self, NewKeyRow, Scope},
        change::Change,
        clock, extensions,
        extensions::{Changes, ExtensionRow},
        http::{
            App,
            input::{self, Peer},
            problem::{Answer, ApiError, kind},
        },
        logins::{self, NewLogin, check_email, check_username},
        registrations, secrets,
        sessions::{Access, Manager, Right, Role},
    },
    tms::wire::Edition,
};

/// The last part of the name of the registration that Agent Manager gets for itself.
const REGISTRATION: &str = "agent";
/// The API key that is made where the account has none; nobody needs to know it, for the link takes its place.
const KEY_NAME: &str = "Agent Manager";

/// An agent to set up on an extension without an owner; for one with an owner only the link is made.
#[derive(Clone, Debug, Default)]
pub struct NewAgent {
    pub name: String,
    pub username: String,
    /// The key to enable on the extension; `None` keeps the one it has, or takes the account's first.
    pub api_key: Option<i64>,
}

/// What was made, and the link, which is shown this once.
#[derive(Clone)]
pub struct Invitation {
    pub username: String,
    pub name: String,
    /// Where the link can be sent to.
    pub email: Option<String>,
    pub registration: Option<String>,
    pub url: String,
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
    let (access, extension) = manager.extension(app, tenant, number, Right::ManageExtensions).await?;
    manager.account(app, tenant, Right::ManageLogins).await?;
    let account = &access.account;
    let agent = match &extension.login {
        Some(username) => known(app, account, username).await?,
        None => Agent::New {
            username: check_username(&wanted.username)?,
            name: input::text("name", &wanted.name)?,
            // Nobody knows this one; the agent sets another.
            password_hash: app.passwords.hash(&secrets::password()).await?,
        },
    };
    let key = match (wanted.api_key, extension.api_key) {
        (Some(key), _) => {
            api_keys::usable(&app.store, account.id, key, app.clock.now_ms()).await?;
            Some(key)
        }
        (None, Some(key)) => Some(key),
        (None, None) => api_keys::first(&app.store, account.id, app.clock.now_ms()).await?,
    };
    let mut change = Change::begin(app, manager, peer, account).await?;
    let key = match key {
        Some(key) => key,
        None => new_key(app, &access, &mut change).await?,
    };
    let (membership, person) = agent.keep(app, account, &mut change).await?;
    let changes = Changes {
        name: &extension.name,
        enabled: extension.enabled,
        login: Some(&person.username),
        api_key: Some(key),
    };
    extensions::update(&mut change.tx, extension.id, &changes).await?;
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
    change.commit("set up agent", &format!("{number} {}", person.username)).await?;
    Ok(invitation(app, person, Some(registration), &code, now))
}

/// A link with which somebody sets a new password.
///
/// # Errors
/// Forbidden for a login of other accounts too, unless an operator asks: each account would own the others' sign-in.
pub async fn invite(app: &App, manager: &Manager, peer: Peer, tenant: &str, username: &str) -> Answer<Invitation> {
    let access = manager.account(app, tenant, Right::ManageLogins).await?;
    let unknown = || ApiError::not_found(format_args!("The login {username}"));
    let member = logins::member(&app.store, access.account.id, username).await?.ok_or_else(unknown)?;
    if !member.own && !manager.operator {
        return Err(ApiError::forbidden(
            "This login belongs to other accounts too, so only an operator may send it a link for a new password.",
        ));
    }
    if member.role > Role::Extension && access.role < Role::Admin {
        return Err(ApiError::forbidden(
            "Only an administrator may send links to administrators and managers; ask one.",
        ));
    }
    let code = secrets::password();
    let now = app.clock.now_ms();
    let mut change = Change::begin(app, manager, peer, &access.account).await?;
    let new = queries::NewInvitation {
        code_hash: &secrets::hash(&code),
        membership: member.membership,
        extension: None,
        registration: None,
        created_at: now,
        expires_at: now + LIFETIME_MS,
    };
    queries::add(&mut change.tx, &new).await?;
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

/// Whoever is to use the extension.
enum Agent {
    Known { membership: i64, person: Person },
    New { username: String, name: String, password_hash: String },
}

async fn known(app: &App, account: &AccountRow, username: &str) -> Answer<Agent> {
    let member = logins::member(&app.store, account.id, username).await?;
    let member = member.ok_or_else(|| ApiError::not_found(format_args!("The login {username}")))?;
    // With the link comes the right to set the password.
    if !member.own {
        return Err(ApiError::forbidden(
            "The owner of this extension belongs to other accounts too and has a password; no link is needed.",
        ));
    }
    let person = Person { username: member.username, name: member.name, email: member.email };
    Ok(Agent::Known { membership: member.membership, person })
}

impl Agent {
    async fn keep(self, app: &App, account: &AccountRow, change: &mut Change<'_>) -> Answer<(i64, Person)> {
        match self {
            Self::Known { membership, person } => Ok((membership, person)),
            Self::New { username, name, password_hash } => {
                let email = check_email(&username).ok();
                let login = NewLogin {
                    username: &username,
                    name: &name,
                    email: email.as_deref(),
                    password_hash: &password_hash,
                    operator: false,
                };
                let taken = || format!("username: {username} exists already; choose another.");
                let login = logins::create(&mut change.tx, &login, app.clock.now_ms())
                    .await
                    .map_err(|e| ApiError::from_rule(e, taken))?;
                let membership = logins::add_membership(&mut change.tx, login, account.id, Role::Extension).await?;
                Ok((membership, Person { username, name, email }))
            }
        }
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
