//! Queries about the audit.

use super::{
    chain::{Event, START},
    manage::Entry,
};
use crate::server::{
    clock,
    http::{App, input::Peer, page::Page, problem::Answer},
    store::{Row, Store, Tx, query},
};

/// Why the audit is not whole.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    #[error(
        "entry {entry} does not follow from the one before it: it or an earlier one was altered, removed or slipped in. Compare \
         with a backup from before {at}"
    )]
    Broken { entry: i64, at: jiff::Timestamp },
    #[error("the last entries are missing: the audit was cut off after entry {entry}. Compare with a backup")]
    CutOff { entry: i64 },
    #[error("the database does not answer: {0}")]
    Query(#[from] sqlx::Error),
}

/// An entry in the change's own transaction: both are kept or neither.
pub async fn record_in(
    connection: &mut Tx,
    app: &App,
    account: Option<i64>,
    actor: &str,
    peer: Peer,
    action: &str,
    object: &str,
) -> Result<(), sqlx::Error> {
    let event = Event {
        at: app.clock.now_ms(),
        account,
        actor: actor.to_owned(),
        address: peer.ip().to_string(),
        action: action.to_owned(),
        object: object.to_owned(),
    };
    append(connection, &event).await
}

/// As [`record_in`], of what a login does about itself: on its account where it has one alone; otherwise operators see it.
pub async fn record_own(
    tx: &mut Tx,
    app: &App,
    (login, username): (i64, &str),
    peer: Peer,
    action: &str,
) -> Result<(), sqlx::Error> {
    let only =
        query("SELECT CASE WHEN count(*) = 1 THEN min(account_id) END AS account FROM membership WHERE login_id = $1");
    let account = only.bind(login).scalar(&mut *tx).await?;
    record_in(tx, app, account, username, peer, action, username).await
}

/// An entry of somebody at the machine itself.
pub async fn record(connection: &mut Tx, now: i64, action: &str, object: &str) -> Result<(), sqlx::Error> {
    let (actor, address) = ("tms".to_owned(), "this machine".to_owned());
    let event = Event { at: now, account: None, actor, address, action: action.into(), object: object.into() };
    append(connection, &event).await
}

async fn append(connection: &mut Tx, event: &Event) -> Result<(), sqlx::Error> {
    let previous = head(connection).await?;
    let row = query(
        "INSERT INTO audit (at, account_id, actor, address, action, object, previous)
         VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id",
    )
    .bind(event.at)
    .bind(event.account)
    .bind(&event.actor)
    .bind(&event.address)
    .bind(&event.action)
    .bind(&event.object)
    .bind(&previous)
    .fetch_one(&mut *connection)
    .await?;
    advance(connection, row.try_get("id")?, &event.hash(&previous)).await
}

/// The hash that the next entry carries. It is locked until this transaction ends, so that two entries never follow the same.
async fn head(connection: &mut Tx) -> Result<String, sqlx::Error> {
    let row = query("UPDATE audit_head SET hash = hash WHERE id = 1 RETURNING entry, hash")
        .fetch_one(&mut *connection)
        .await?;
    match row.try_get::<Option<i64>>("entry")? {
        Some(_) => row.try_get("hash"),
        None => link_first_version(connection, row.try_get("hash")?).await,
    }
}

async fn advance(connection: &mut Tx, entry: i64, hash: &str) -> Result<(), sqlx::Error> {
    let head = query("UPDATE audit_head SET entry = $1, hash = $2 WHERE id = 1").bind(entry).bind(hash);
    head.execute(connection).await.map(|_| ())
}

/// Entries read at a time.
const AT_A_TIME: i64 = 1000;

/// Links the entries of the first version, which carry no hash; done once, before the first entry that does.
async fn link_first_version(connection: &mut Tx, start: String) -> Result<String, sqlx::Error> {
    let mut previous = start;
    loop {
        let rows = query(
            "SELECT id, at, account_id, actor, address, action, object, previous FROM audit
             WHERE previous IS NULL ORDER BY id LIMIT $1",
        )
        .bind(AT_A_TIME)
        .fetch_all(&mut *connection)
        .await?;
        if rows.is_empty() {
            return Ok(previous);
        }
        for row in &rows {
            let id: i64 = row.try_get("id")?;
            let link = query("UPDATE audit SET previous = $1 WHERE id = $2").bind(&previous).bind(id);
            link.execute(&mut *connection).await?;
            previous = event(row)?.hash(&previous);
            advance(connection, id, &previous).await?;
        }
    }
}

/// Reads the whole audit and compares every link; the number of entries that are linked.
///
/// # Errors
/// With the first entry that does not fit. Entries that no later change has linked yet do not count.
pub async fn verify(store: &Store) -> Result<u64, AuditError> {
    let (mut expected, mut last, mut count) = (START.to_owned(), 0, 0);
    loop {
        let rows = query(
            "SELECT id, at, account_id, actor, address, action, object, previous FROM audit
             WHERE id > $1 AND previous IS NOT NULL ORDER BY id LIMIT $2",
        )
        .bind(last)
        .bind(AT_A_TIME)
        .fetch_all(store)
        .await?;
        if rows.is_empty() {
            break;
        }
        for row in &rows {
            let event = event(row)?;
            last = row.try_get("id")?;
            if row.try_get::<String>("previous")? != expected {
                return Err(AuditError::Broken { entry: last, at: clock::from_ms(event.at) });
            }
            expected = event.hash(&expected);
            count += 1;
        }
    }
    // What was added meanwhile is no damage: the head is then that of a later entry, and following it is left to the next look.
    let head = query("SELECT hash, coalesce(entry, 0) AS entry FROM audit_head").fetch_one(store).await?;
    let (hash, entry): (String, i64) = (head.try_get("hash")?, head.try_get("entry")?);
    if entry == last && hash != expected {
        let row = query("SELECT at FROM audit WHERE id = $1").bind(last).fetch_one(store).await?;
        return Err(AuditError::Broken { entry: last, at: clock::from_ms(row.try_get("at")?) });
    }
    let there = query("SELECT 1 FROM audit WHERE id = $1").bind(entry).fetch_optional(store).await?;
    if entry < last || (entry > last && there.is_none()) {
        return Err(AuditError::CutOff { entry: last });
    }
    Ok(count)
}

/// The entries that fit the condition, the newest first, `$1` to `$3` being search, rows and offset.
macro_rules! entries {
    ($where:literal) => {
        concat!(
            "SELECT t.at, t.actor, t.address, t.action, t.object, a.tenant
             FROM audit t LEFT JOIN account a ON a.id = t.account_id
             WHERE ",
            $where,
            " (t.actor LIKE lower($1) ESCAPE '!' OR t.action LIKE lower($1) ESCAPE '!'
                 OR lower(t.object) LIKE lower($1) ESCAPE '!')
             ORDER BY t.id DESC LIMIT $2 OFFSET $3"
        )
    };
}

/// Of one account, or all there are.
pub async fn list(store: &Store, account: Option<i64>, page: &Page) -> Answer<Vec<Entry>> {
    let entries = query(if account.is_some() { entries!("t.account_id = $4 AND") } else { entries!("") });
    let mut entries = entries.bind(page.pattern()?).bind(page.rows()).bind(page.offset());
    if let Some(account) = account {
        entries = entries.bind(account);
    }
    let rows = entries.fetch_all(store).await?;
    let read = |row: &Row| {
        Ok::<_, sqlx::Error>(Entry {
            tenant: row.try_get("tenant")?,
            at: clock::from_ms(row.try_get("at")?),
            actor: row.try_get("actor")?,
            address: row.try_get("address")?,
            action: row.try_get("action")?,
            object: row.try_get("object")?,
        })
    };
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

fn event(row: &Row) -> Result<Event, sqlx::Error> {
    Ok(Event {
        at: row.try_get("at")?,
        account: row.try_get("account_id")?,
        actor: row.try_get("actor")?,
        address: row.try_get("address")?,
        action: row.try_get("action")?,
        object: row.try_get("object")?,
    })
}
