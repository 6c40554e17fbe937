//! Queries about logins and their memberships.

use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};

use crate::server::store::Store;

pub struct NewLogin<'a> {
    pub username: &'a str,
    pub name: &'a str,
    pub password_hash: &'a str,
    pub operator: bool,
}

pub async fn create(connection: &mut SqliteConnection, login: &NewLogin<'_>, now: i64) -> Result<i64, sqlx::Error> {
    let row = sqlx::query(
        "INSERT INTO login (username, name, password_hash, operator, created_at) VALUES ($1, $2, $3, $4, $5)
         RETURNING id",
    )
    .bind(login.username)
    .bind(login.name)
    .bind(login.password_hash)
    .bind(login.operator)
    .bind(now)
    .fetch_one(connection)
    .await?;
    row.try_get("id")
}

/// A membership starts pending.
pub async fn add_membership(
    connection: &mut SqliteConnection,
    login: i64,
    account: i64,
    role: &str,
) -> Result<i64, sqlx::Error> {
    let row = sqlx::query("INSERT INTO membership (login_id, account_id, role) VALUES ($1, $2, $3) RETURNING id")
        .bind(login)
        .bind(account)
        .bind(role)
        .fetch_one(connection)
        .await?;
    row.try_get("id")
}

/// A login as an account sees it.
pub struct MemberRow {
    pub membership: i64,
    pub login: i64,
    pub username: String,
    pub name: String,
    pub role: String,
    pub state: String,
    /// Its owner has ticked *Account enabled* once.
    pub activated: bool,
    /// Member of this account only and no operator: its administrator may set a new password.
    pub own: bool,
}

const MEMBERS: &str =
    "SELECT m.id, m.login_id, l.username, l.name, m.role, m.state, m.activated_at IS NOT NULL AS activated,
        NOT l.operator AND (SELECT count(*) FROM membership WHERE login_id = l.id) = 1 AS own
     FROM membership m JOIN login l ON l.id = m.login_id
     WHERE m.account_id = $1 AND ($2 IS NULL OR l.username = $2) ORDER BY l.username";

pub async fn members(store: &Store, account: i64) -> Result<Vec<MemberRow>, sqlx::Error> {
    let rows = sqlx::query(MEMBERS).bind(account).bind(None::<String>).fetch_all(store.pool()).await?;
    rows.iter().map(read).collect()
}

pub async fn member(store: &Store, account: i64, username: &str) -> Result<Option<MemberRow>, sqlx::Error> {
    let row = sqlx::query(MEMBERS).bind(account).bind(username.to_lowercase()).fetch_optional(store.pool()).await?;
    row.as_ref().map(read).transpose()
}

pub async fn set_membership(
    connection: &mut SqliteConnection,
    membership: i64,
    role: &str,
    state: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE membership SET role = $1, state = $2 WHERE id = $3")
        .bind(role)
        .bind(state)
        .bind(membership)
        .execute(connection)
        .await?;
    Ok(())
}

/// A new password ends the sessions of those who knew the old one.
pub async fn set_password(connection: &mut SqliteConnection, login: i64, hash: &str) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE login SET password_hash = $1 WHERE id = $2")
        .bind(hash)
        .bind(login)
        .execute(&mut *connection)
        .await?;
    sqlx::query("DELETE FROM manage_session WHERE login_id = $1").bind(login).execute(connection).await?;
    Ok(())
}

/// The softphones' sessions of a login.
pub async fn sessions(store: &Store, login: i64) -> Result<Vec<i64>, sqlx::Error> {
    let rows =
        sqlx::query("SELECT s.id FROM session s JOIN membership m ON m.id = s.membership_id WHERE m.login_id = $1")
            .bind(login)
            .fetch_all(store.pool())
            .await?;
    rows.iter().map(|row| row.try_get("id")).collect()
}

fn read(row: &SqliteRow) -> Result<MemberRow, sqlx::Error> {
    Ok(MemberRow {
        membership: row.try_get("id")?,
        login: row.try_get("login_id")?,
        username: row.try_get("username")?,
        name: row.try_get("name")?,
        role: row.try_get("role")?,
        state: row.try_get("state")?,
        activated: row.try_get("activated")?,
        own: row.try_get("own")?,
    })
}
