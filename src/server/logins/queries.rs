//! Queries about logins and their memberships.

use crate::server::{
    http::{page::Page, problem::Answer},
    second_factor,
    sessions::{Role, State},
    store::{Executor, Row, Store, Tx, query},
};

/// Who has chosen a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChosenBy {
    Owner,
    /// The portal asks the owner for another one.
    Somebody,
}

/// A login as it begins.
pub struct NewLogin<'a> {
    pub username: &'a str,
    pub name: &'a str,
    pub email: Option<&'a str>,
    pub password_hash: &'a str,
    pub password_by: ChosenBy,
    pub operator: bool,
}

/// Its number. It is a member of no account yet.
pub async fn create(connection: &mut Tx, login: &NewLogin<'_>, now: i64) -> Result<i64, sqlx::Error> {
    let row = query(
        "INSERT INTO login
             (username, name, email, password_hash, operator, created_at, password_given, second_factor_until)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id",
    )
    .bind(login.username)
    .bind(login.name)
    .bind(login.email)
    .bind(login.password_hash)
    .bind(login.operator)
    .bind(now)
    .bind(login.password_by == ChosenBy::Somebody)
    .bind(now + second_factor::ALLOWED_MS)
    .fetch_one(connection)
    .await?;
    row.try_get("id")
}

/// A membership starts pending.
pub async fn add_membership(connection: &mut Tx, login: i64, account: i64, role: Role) -> Result<i64, sqlx::Error> {
    let row = query("INSERT INTO membership (login_id, account_id, role) VALUES ($1, $2, $3) RETURNING id")
        .bind(login)
        .bind(account)
        .bind(role.written())
        .fetch_one(connection)
        .await?;
    row.try_get("id")
}

/// The login of this name; where `asker` is given, only if it is on an account of which that login is an administrator, or on
/// one below such.
pub async fn elsewhere(tx: &mut Tx, username: &str, asker: Option<i64>) -> Result<Option<i64>, sqlx::Error> {
    let row = query(
        "WITH RECURSIVE below (id) AS (
             SELECT m.account_id FROM membership m JOIN account a ON a.id = m.account_id
             WHERE m.login_id = $2 AND m.state = 'enabled' AND m.role = 'admin' AND a.enabled
             UNION SELECT c.id FROM account c JOIN below ON c.parent_id = below.id)
         SELECT l.id FROM login l WHERE l.username = $1 AND NOT l.operator AND ($2 IS NULL OR EXISTS (
             SELECT 1 FROM membership m JOIN below ON below.id = m.account_id WHERE m.login_id = l.id))",
    );
    let row = row.bind(username).bind(asker).fetch_optional(tx).await?;
    row.map(|row| row.try_get("id")).transpose()
}

/// A login as an account sees it.
pub struct MemberRow {
    pub membership: i64,
    pub login: i64,
    pub username: String,
    pub name: String,
    pub email: Option<String>,
    pub role: Role,
    pub state: State,
    /// Its owner has ticked *Account enabled* once.
    pub activated: bool,
    /// Member of this account only and no operator: its administrator may set a new password.
    pub own: bool,
    pub second_factor: bool,
}

/// The members of the account `$1` that also fit the rest of the statement.
macro_rules! members {
    ($and:literal) => {
        concat!(
            "SELECT m.id, m.login_id, l.username, l.name, l.email, m.role, m.state, m.activated_at IS NOT NULL AS activated,
                NOT l.operator AND (SELECT count(*) FROM membership WHERE login_id = l.id) = 1 AS own,
                EXISTS (SELECT 1 FROM second_factor f WHERE f.login_id = l.id AND f.since IS NOT NULL) AS second_factor
             FROM membership m JOIN login l ON l.id = m.login_id
             WHERE m.account_id = $1 ",
            $and
        )
    };
}

/// The members of an account, by user name.
pub async fn list(store: &Store, account: i64, page: &Page) -> Answer<Vec<MemberRow>> {
    let rows = query(members!(
        "AND (l.username LIKE lower($2) ESCAPE '!' OR lower(l.name) LIKE lower($2) ESCAPE '!')
         ORDER BY l.username LIMIT $3 OFFSET $4"
    ))
    .bind(account)
    .bind(page.pattern()?)
    .bind(page.rows())
    .bind(page.offset())
    .fetch_all(store)
    .await?;
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

/// One of them; `None` where the account has no such member.
pub async fn member(
    from: impl Into<Executor<'_>>,
    account: i64,
    username: &str,
) -> Result<Option<MemberRow>, sqlx::Error> {
    let row = query(members!("AND l.username = $2")).bind(account).bind(username.to_lowercase());
    row.fetch_optional(from).await?.as_ref().map(read).transpose()
}

/// Makes the membership the owner of an extension that has none. False: there is no such extension.
pub async fn own(connection: &mut Tx, account: i64, number: &str, membership: i64) -> Result<bool, sqlx::Error> {
    let owned = query(
        "UPDATE extension SET membership_id = $1 WHERE account_id = $2 AND number = $3 AND membership_id IS NULL",
    )
    .bind(membership)
    .bind(account)
    .bind(number)
    .execute(connection)
    .await?;
    Ok(owned == 1)
}

/// Name, e-mail address, role and state, as they stand in the row; it was read in this transaction.
pub async fn update(tx: &mut Tx, member: &MemberRow) -> Result<(), sqlx::Error> {
    query("UPDATE login SET name = $1, email = $2 WHERE id = $3")
        .bind(&member.name)
        .bind(member.email.as_deref())
        .bind(member.login)
        .execute(&mut *tx)
        .await?;
    query("UPDATE membership SET role = $1, state = $2 WHERE id = $3")
        .bind(member.role.written())
        .bind(member.state.written())
        .bind(member.membership)
        .execute(tx)
        .await?;
    Ok(())
}

/// The membership, and the login with it where it has no other; its softphones' sessions have ended.
pub async fn remove(tx: &mut Tx, member: &MemberRow) -> Result<(), sqlx::Error> {
    let disown = query("UPDATE extension SET membership_id = NULL WHERE membership_id = $1").bind(member.membership);
    disown.execute(&mut *tx).await?;
    query("DELETE FROM membership WHERE id = $1").bind(member.membership).execute(&mut *tx).await?;
    if member.own {
        query("DELETE FROM login WHERE id = $1").bind(member.login).execute(tx).await?;
    }
    Ok(())
}

/// A new password ends the sessions of those who knew the old one. Whoever is given it, or a link to set it, is the owner, and
/// may turn two-step sign-in on.
pub async fn set_password(tx: &mut Tx, login: i64, (hash, by): (&str, ChosenBy), now: i64) -> Result<(), sqlx::Error> {
    query("UPDATE login SET password_hash = $1, password_given = $2 WHERE id = $3")
        .bind(hash)
        .bind(by == ChosenBy::Somebody)
        .bind(login)
        .execute(&mut *tx)
        .await?;
    second_factor::allow_in(tx, login, now).await?;
    end_managing(tx, login).await
}

/// The owner's own, in place of the one whose hash is `former`. False: it is no longer the password.
pub async fn replace_password(tx: &mut Tx, login: i64, former: &str, hash: &str) -> Result<bool, sqlx::Error> {
    let replaced =
        query("UPDATE login SET password_hash = $1, password_given = FALSE WHERE id = $2 AND password_hash = $3")
            .bind(hash)
            .bind(login)
            .bind(former)
            .execute(&mut *tx)
            .await?;
    end_managing(tx, login).await?;
    Ok(replaced == 1)
}

/// Ends every managing session of a login, and its sign-ins that are half done.
pub async fn end_managing(tx: &mut Tx, login: i64) -> Result<(), sqlx::Error> {
    for statement in ["DELETE FROM manage_session WHERE login_id = $1", "DELETE FROM sign_in_step WHERE login_id = $1"]
    {
        query(statement).bind(login).execute(&mut *tx).await?;
    }
    Ok(())
}

fn read(row: &Row) -> Result<MemberRow, sqlx::Error> {
    Ok(MemberRow {
        membership: row.try_get("id")?,
        login: row.try_get("login_id")?,
        username: row.try_get("username")?,
        name: row.try_get("name")?,
        email: row.try_get("email")?,
        role: Role::read(&row.try_get::<String>("role")?)?,
        state: State::read(&row.try_get::<String>("state")?)?,
        activated: row.try_get("activated")?,
        own: row.try_get("own")?,
        second_factor: row.try_get("second_factor")?,
    })
}
