//! Queries about extensions.

use crate::server::{
    accounts::AccountRow,
    http::{page::Page, problem::Answer},
    store::{Row, Store, Tx, query},
};

#[derive(Clone, Debug)]
pub struct ExtensionRow {
    pub id: i64,
    pub number: String,
    pub name: String,
    pub enabled: bool,
    /// The membership and the user name of the login that owns it.
    pub membership: Option<i64>,
    pub login: Option<String>,
    pub api_key: Option<i64>,
}

/// The extensions of the account `$1` that also fit the rest of the statement.
macro_rules! select {
    ($and:literal) => {
        concat!(
            "SELECT e.id, e.number, e.name, e.enabled, e.api_key_id, e.membership_id, l.username
             FROM extension e
             LEFT JOIN membership m ON m.id = e.membership_id
             LEFT JOIN login l ON l.id = m.login_id
             WHERE e.account_id = $1 ",
            $and
        )
    };
}

pub async fn all(store: &Store, account: i64) -> Result<Vec<ExtensionRow>, sqlx::Error> {
    let rows = query(select!("ORDER BY length(e.number), e.number")).bind(account);
    rows.fetch_all(store).await?.iter().map(read).collect()
}

/// Found by number, name or owner; `only_own` leaves those of one membership.
pub async fn list(store: &Store, account: i64, only_own: Option<i64>, page: &Page) -> Answer<Vec<ExtensionRow>> {
    let rows = query(select!(
        "AND ($2 IS NULL OR e.membership_id = $2)
         AND (e.number LIKE $3 ESCAPE '!' OR lower(e.name) LIKE lower($3) ESCAPE '!'
             OR l.username LIKE lower($3) ESCAPE '!')
         ORDER BY length(e.number), e.number LIMIT $4 OFFSET $5"
    ))
    .bind(account)
    .bind(only_own)
    .bind(page.pattern()?)
    .bind(page.rows())
    .bind(page.offset())
    .fetch_all(store)
    .await?;
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

pub async fn by_number(store: &Store, account: i64, number: &str) -> Result<Option<ExtensionRow>, sqlx::Error> {
    let row = query(select!("AND e.number = $2")).bind(account).bind(number);
    row.fetch_optional(store).await?.as_ref().map(read).transpose()
}

/// Makes the extension; its primary registration comes with it (a trigger).
pub async fn create(
    connection: &mut Tx,
    account: &AccountRow,
    number: &str,
    name: &str,
    now: i64,
) -> Result<i64, sqlx::Error> {
    let row = query(
        "INSERT INTO extension (account_id, tenant, edition, number, name, created_at)
         SELECT id, tenant, edition, $2, $3, $4 FROM account WHERE id = $1 RETURNING id",
    )
    .bind(account.id)
    .bind(number)
    .bind(name)
    .bind(now)
    .fetch_one(connection)
    .await?;
    row.try_get("id")
}

/// What an extension becomes.
pub struct Changes<'a> {
    pub name: &'a str,
    pub enabled: bool,
    /// User name of a login of the same account.
    pub login: Option<&'a str>,
    /// A key of the same account.
    pub api_key: Option<i64>,
}

pub async fn update(connection: &mut Tx, id: i64, changes: &Changes<'_>) -> Result<(), sqlx::Error> {
    query(
        "UPDATE extension SET name = $1, enabled = $2, api_key_id = $3, membership_id = (
             SELECT m.id FROM membership m JOIN login l ON l.id = m.login_id
             WHERE l.username = $4 AND m.account_id = extension.account_id)
         WHERE id = $5",
    )
    .bind(changes.name)
    .bind(changes.enabled)
    .bind(changes.api_key)
    .bind(changes.login)
    .bind(id)
    .execute(connection)
    .await?;
    Ok(())
}

fn read(row: &Row) -> Result<ExtensionRow, sqlx::Error> {
    Ok(ExtensionRow {
        id: row.try_get("id")?,
        number: row.try_get("number")?,
        name: row.try_get("name")?,
        enabled: row.try_get("enabled")?,
        membership: row.try_get("membership_id")?,
        login: row.try_get("username")?,
        api_key: row.try_get("api_key_id")?,
    })
}
