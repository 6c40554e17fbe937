//! Queries about sessions and about who signs in.

use serde::Serialize;
use utoipa::ToSchema;

use super::{access::Role, own::OwnMembership};
use crate::{
    server::{
        accounts::{self, AccountRow},
        store::{Executor, Row, Store, Tx, query},
    },
    tms::wire::{Extension, User},
};

/// Somebody who can sign in.
pub struct Login {
    pub id: i64,
    pub username: String,
    pub name: String,
    pub password_hash: String,
    pub operator: bool,
    /// False for an operator who was switched off.
    pub enabled: bool,
}

impl Login {
    /// Of a row with `id`, `username`, `name`, `password_hash`, `operator` and `enabled`.
    pub fn read(row: &Row) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            username: row.try_get("username")?,
            name: row.try_get("name")?,
            password_hash: row.try_get("password_hash")?,
            operator: row.try_get("operator")?,
            enabled: row.try_get("enabled")?,
        })
    }
}

/// User names are stored in lower case.
pub async fn login(store: &Store, username: &str) -> Result<Option<Login>, sqlx::Error> {
    let row = query("SELECT id, username, name, password_hash, operator, enabled FROM login WHERE username = $1")
        .bind(username.trim().to_lowercase())
        .fetch_optional(store)
        .await?;
    row.as_ref().map(Login::read).transpose()
}

/// The login that has this membership.
pub async fn login_of(tx: &mut Tx, membership: i64) -> Result<Login, sqlx::Error> {
    let row = query(
        "SELECT l.id, l.username, l.name, l.password_hash, l.operator, l.enabled
         FROM login l JOIN membership m ON m.login_id = l.id WHERE m.id = $1",
    );
    Login::read(&row.bind(membership).fetch_one(tx).await?)
}

/// How far a login is on an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Until its owner ticks *Account enabled*.
    Pending,
    Enabled,
    Disabled,
}

impl State {
    /// As the database writes it.
    pub fn written(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
        }
    }

    /// # Errors
    /// When the database wrote something else.
    pub fn read(stored: &str) -> Result<Self, sqlx::Error> {
        match stored {
            "pending" => Ok(Self::Pending),
            "enabled" => Ok(Self::Enabled),
            "disabled" => Ok(Self::Disabled),
            other => Err(sqlx::Error::Decode(format!("{other:?} is no state").into())),
        }
    }
}

/// An account, and what a login is on it.
pub struct Standing {
    pub account: AccountRow,
    pub membership: Option<(i64, Role, State)>,
}

/// The account of this name; `None` where there is none. An administrator of an account is one of every account below it too.
pub async fn standing(store: &Store, login: i64, tenant: &str) -> Result<Option<Standing>, sqlx::Error> {
    let row = query(
        "WITH RECURSIVE up (id, parent_id, enabled, steps) AS (
             SELECT id, parent_id, enabled, 0 FROM account WHERE tenant = $2
             UNION ALL
             SELECT a.id, a.parent_id, a.enabled, up.steps + 1 FROM account a JOIN up ON a.id = up.parent_id)
         SELECT a.id AS account_id, a.name AS account_name, a.tenant, a.realm, a.edition, a.emergency_numbers,
                a.enabled AS account_enabled, m.id AS membership, m.role, m.state
         FROM account a
         LEFT JOIN (membership m JOIN up ON m.account_id = up.id AND m.login_id = $1)
             ON up.steps = 0 OR (m.role = 'admin' AND m.state = 'enabled' AND up.enabled)
         WHERE a.tenant = $2
         ORDER BY CASE WHEN m.role = 'admin' AND m.state = 'enabled' THEN 0 ELSE 1 END, up.steps LIMIT 1",
    )
    .bind(login)
    .bind(tenant)
    .fetch_optional(store)
    .await?;
    let read = |row: &Row| {
        let membership = match row.try_get::<Option<i64>>("membership")? {
            Some(id) => {
                let (role, state): (String, String) = (row.try_get("role")?, row.try_get("state")?);
                Some((id, Role::read(&role)?, State::read(&state)?))
            }
            None => None,
        };
        Ok(Standing { account: accounts::read(row)?, membership })
    };
    row.as_ref().map(read).transpose()
}

/// A login on an account.
pub struct Membership {
    pub id: i64,
    pub state: State,
    pub account_name: String,
    pub account_enabled: bool,
}

/// What a login is on an account; `None` where it is nothing.
pub async fn membership(
    from: impl Into<Executor<'_>>,
    login: i64,
    account: i64,
) -> Result<Option<Membership>, sqlx::Error> {
    let row = query(
        "SELECT m.id, m.state, a.name, a.enabled
         FROM membership m JOIN account a ON a.id = m.account_id
         WHERE m.login_id = $1 AND m.account_id = $2",
    )
    .bind(login)
    .bind(account)
    .fetch_optional(from)
    .await?;
    let read = |row: Row| {
        Ok(Membership {
            id: row.try_get("id")?,
            state: State::read(&row.try_get::<String>("state")?)?,
            account_name: row.try_get("name")?,
            account_enabled: row.try_get("enabled")?,
        })
    };
    row.map(read).transpose()
}

/// The extensions of this membership on which the key is enabled.
pub async fn extensions(
    from: impl Into<Executor<'_>>,
    membership: i64,
    api_key: i64,
) -> Result<Vec<Extension>, sqlx::Error> {
    let rows = query(
        "SELECT number, name FROM extension
         WHERE membership_id = $1 AND api_key_id = $2 AND enabled ORDER BY length(number), number",
    )
    .bind(membership)
    .bind(api_key)
    .fetch_all(from)
    .await?;
    let read = |row: Row| Ok(Extension { number: row.try_get("number")?, name: row.try_get("name")? });
    rows.into_iter().map(read).collect()
}

/// The oldest sessions of a membership beyond so many of one installation, and so many altogether.
pub async fn surplus(
    tx: &mut Tx,
    membership: i64,
    per_installation: i64,
    per_login: i64,
) -> Result<Vec<i64>, sqlx::Error> {
    let rows = query(
        "SELECT id FROM (
             SELECT id, row_number() OVER (PARTITION BY instance_id ORDER BY id DESC) AS of_installation,
                    row_number() OVER (ORDER BY id DESC) AS of_login
             FROM session WHERE membership_id = $1) AS counted
         WHERE of_installation > $2 OR of_login > $3",
    )
    .bind(membership)
    .bind(per_installation)
    .bind(per_login)
    .fetch_all(tx)
    .await?;
    rows.iter().map(|row| row.try_get("id")).collect()
}

/// A softphone's session as it begins.
pub struct NewSession {
    pub token_hash: String,
    pub membership: i64,
    pub api_key: i64,
    pub instance_id: String,
    pub address: String,
    pub created_at: i64,
    pub expires_at: i64,
}

/// Stores a session. False: the password is no longer the one whose hash is `proved`, or login, account or key were switched off
/// since they were looked at.
pub async fn add(tx: &mut Tx, session: &NewSession, proved: &str) -> Result<bool, sqlx::Error> {
    let added = query(
        "INSERT INTO session (token_hash, membership_id, api_key_id, instance_id, address, created_at, expires_at)
         SELECT $1, m.id, k.id, $4, $5, $6, $7
         FROM membership m
         JOIN login l ON l.id = m.login_id
         JOIN account a ON a.id = m.account_id
         JOIN api_key k ON k.account_id = m.account_id
         WHERE m.id = $2 AND k.id = $3 AND m.state = 'enabled' AND l.enabled AND l.password_hash = $8 AND a.enabled
             AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > $6)",
    )
    .bind(&session.token_hash)
    .bind(session.membership)
    .bind(session.api_key)
    .bind(&session.instance_id)
    .bind(&session.address)
    .bind(session.created_at)
    .bind(session.expires_at)
    .bind(proved)
    .execute(tx)
    .await?;
    Ok(added == 1)
}

/// A softphone's session with what every request needs of it.
#[derive(Clone, Debug)]
pub struct Session {
    pub id: i64,
    pub membership: i64,
    pub api_key: i64,
    pub instance_id: String,
    pub expires_at: i64,
    pub user: User,
    pub username: String,
    pub account: AccountRow,
    /// Login, account and key are all still good.
    pub enabled: bool,
}

/// The softphone's session with this token, whether it is still good or not.
pub async fn session(store: &Store, token_hash: &str, now: i64) -> Result<Option<Session>, sqlx::Error> {
    let row = query(
        "SELECT s.id, s.membership_id, s.api_key_id, s.instance_id, s.expires_at, l.name AS user_name, l.username,
                a.id AS account_id, a.name AS account_name, a.tenant, a.realm, a.edition, a.emergency_numbers,
                a.enabled AS account_enabled, m.state = 'enabled' AND l.enabled AND a.enabled AND k.revoked_at IS NULL
                    AND (k.expires_at IS NULL OR k.expires_at > $2) AS enabled
         FROM session s
         JOIN membership m ON m.id = s.membership_id
         JOIN login l ON l.id = m.login_id
         JOIN account a ON a.id = m.account_id
         JOIN api_key k ON k.id = s.api_key_id
         WHERE s.token_hash = $1",
    )
    .bind(token_hash)
    .bind(now)
    .fetch_optional(store)
    .await?;
    let read = |row: Row| {
        Ok(Session {
            id: row.try_get("id")?,
            membership: row.try_get("membership_id")?,
            api_key: row.try_get("api_key_id")?,
            instance_id: row.try_get("instance_id")?,
            expires_at: row.try_get("expires_at")?,
            user: User { name: row.try_get("user_name")? },
            username: row.try_get("username")?,
            account: accounts::read(&row)?,
            enabled: row.try_get("enabled")?,
        })
    };
    row.map(read).transpose()
}

/// Who has the token: the login that manages, or the membership of the softphone.
pub async fn bearer_of(store: &Store, token_hash: &str, now: i64) -> Result<Option<String>, sqlx::Error> {
    let row = query(
        "SELECT 'login ' || login_id AS caller FROM manage_session WHERE token_hash = $1 AND expires_at > $2
         UNION ALL
         SELECT 'member ' || membership_id FROM session WHERE token_hash = $1 AND expires_at > $2",
    );
    row.bind(token_hash).bind(now).fetch_optional(store).await?.map(|row| row.try_get("caller")).transpose()
}

/// Whether this softphone's session is one of the login's.
pub async fn owns(store: &Store, login: i64, session: i64) -> Result<bool, sqlx::Error> {
    let row = query(
        "SELECT 1 FROM session s JOIN membership m ON m.id = s.membership_id WHERE s.id = $1 AND m.login_id = $2",
    );
    Ok(row.bind(session).bind(login).fetch_optional(store).await?.is_some())
}

/// The accounts of a login, by tenant.
pub async fn memberships(store: &Store, login: i64) -> Result<Vec<OwnMembership>, sqlx::Error> {
    let rows = query(
        "SELECT a.tenant, a.name, m.role, m.state FROM membership m JOIN account a ON a.id = m.account_id
         WHERE m.login_id = $1 ORDER BY a.tenant",
    )
    .bind(login)
    .fetch_all(store)
    .await?;
    let read = |row: &Row| {
        Ok(OwnMembership {
            tenant: row.try_get("tenant")?,
            account: row.try_get("name")?,
            role: Role::read(&row.try_get::<String>("role")?)?,
            state: State::read(&row.try_get::<String>("state")?)?,
        })
    };
    rows.iter().map(read).collect()
}

/// Enables a membership that is pending. False: it no longer is.
pub async fn activate(tx: &mut Tx, membership: i64, now: i64) -> Result<bool, sqlx::Error> {
    let done = query(
        "UPDATE membership SET state = 'enabled', activated_at = coalesce(activated_at, $2)
         WHERE id = $1 AND state = 'pending'",
    )
    .bind(membership)
    .bind(now)
    .execute(tx)
    .await?;
    Ok(done == 1)
}
