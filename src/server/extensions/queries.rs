//! Queries about extensions.

use crate::server::{
    accounts::AccountRow,
    http::{page::Page, problem::Answer},
    store::{Executor, Row, Store, Tx, query},
};

/// An extension as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// Those of an account, by number.
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

/// One of them.
pub async fn by_number(
    from: impl Into<Executor<'_>>,
    account: i64,
    number: &str,
) -> Result<Option<ExtensionRow>, sqlx::Error> {
    let row = query(select!("AND e.number = $2")).bind(account).bind(number);
    row.fetch_optional(from).await?.as_ref().map(read).transpose()
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

/// Name, state, owner and key, as they stand in the row; it was read in this transaction.
pub async fn update(tx: &mut Tx, row: &ExtensionRow) -> Result<(), sqlx::Error> {
    query("UPDATE extension SET name = $1, enabled = $2, api_key_id = $3, membership_id = $4 WHERE id = $5")
        .bind(&row.name)
        .bind(row.enabled)
        .bind(row.api_key)
        .bind(row.membership)
        .bind(row.id)
        .execute(tx)
        .await?;
    Ok(())
}

/// Enables a key of the same account on the extension.
pub async fn enable_key(tx: &mut Tx, extension: i64, key: i64) -> Result<(), sqlx::Error> {
    query("UPDATE extension SET api_key_id = $1 WHERE id = $2").bind(key).bind(extension).execute(tx).await?;
    Ok(())
}

/// Whatever belongs to it goes with it (the schema's cascades).
pub async fn remove(tx: &mut Tx, id: i64) -> Result<(), sqlx::Error> {
    query("DELETE FROM extension WHERE id = $1").bind(id).execute(tx).await?;
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
