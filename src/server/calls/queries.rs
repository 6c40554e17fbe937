//! Queries about records of calls.

use super::{CallRecord, EndedBy, Party};
use crate::server::{
    clock,
    http::{page::Page, problem::Answer},
    store::{Row, Store, query},
};

/// Which calls of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To an extension.
    Inbound,
    /// By an extension.
    Outbound,
    Any,
}

/// Which records are wanted, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    pub direction: Direction,
    /// Begun at this time or later, and before that; milliseconds since 1970.
    pub from: i64,
    pub until: i64,
    /// Only this extension's, as the direction says.
    pub extension: Option<String>,
    pub only_answered: bool,
    /// Rows left out before the first, and rows at most.
    pub offset: i64,
    pub limit: i64,
}

/// Keeps these records.
pub async fn write(store: &Store, records: &[CallRecord]) -> Result<(), sqlx::Error> {
    if records.is_empty() {
        return Ok(());
    }
    let mut tx = store.begin().await?;
    for record in records {
        query(
            "INSERT INTO call_record (account_id, call_id, caller, caller_extension, caller_name, dialled, callee_extension,
                                      callee_name, started_at, answered_at, ended_at, code, ended_by)
             SELECT id, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13 FROM account WHERE realm = $1",
        )
        .bind(&record.realm)
        .bind(&record.call_id)
        .bind(&record.caller)
        .bind(&record.caller_extension.number)
        .bind(&record.caller_extension.name)
        .bind(&record.dialled)
        .bind(&record.callee_extension.number)
        .bind(&record.callee_extension.name)
        .bind(record.started_at.as_millisecond())
        .bind(record.answered_at.map(|at| at.as_millisecond()))
        .bind(record.ended_at.as_millisecond())
        .bind(i64::from(record.code))
        .bind(record.ended_by.map(EndedBy::written))
        .execute(&mut tx)
        .await?;
    }
    tx.commit().await
}

/// The account's records that are wanted, each with its number.
pub async fn history(store: &Store, account: i64, wanted: &History) -> Result<Vec<(i64, CallRecord)>, sqlx::Error> {
    let (inbound, outbound) = match wanted.direction {
        Direction::Inbound => (true, false),
        Direction::Outbound => (false, true),
        Direction::Any => (true, true),
    };
    let rows = query(
        "SELECT c.id, a.realm, c.call_id, c.caller, c.caller_extension, c.caller_name, c.dialled, c.callee_extension,
                c.callee_name, c.started_at, c.answered_at, c.ended_at, c.code, c.ended_by
         FROM call_record c JOIN account a ON a.id = c.account_id
         WHERE c.account_id = $1 AND c.started_at >= $2 AND c.started_at < $3
             AND (NOT $4 OR c.answered_at IS NOT NULL)
             AND ($5 = '' OR ($6 AND c.callee_extension = $5) OR ($7 AND c.caller_extension = $5))
         ORDER BY c.started_at DESC, c.id DESC LIMIT $8 OFFSET $9",
    )
    .bind(account)
    .bind(wanted.from)
    .bind(wanted.until)
    .bind(wanted.only_answered)
    .bind(wanted.extension.as_deref().unwrap_or_default())
    .bind(inbound)
    .bind(outbound)
    .bind(wanted.limit)
    .bind(wanted.offset)
    .fetch_all(store)
    .await?;
    rows.iter().map(|row| Ok((row.try_get("id")?, record(row)?))).collect()
}

/// The account's records with the searched words in a number or a name, newest first.
pub(super) async fn list(store: &Store, account: i64, page: &Page) -> Answer<Vec<CallRecord>> {
    let rows = query(
        "SELECT c.id, a.realm, c.call_id, c.caller, c.caller_extension, c.caller_name, c.dialled, c.callee_extension,
                c.callee_name, c.started_at, c.answered_at, c.ended_at, c.code, c.ended_by
         FROM call_record c JOIN account a ON a.id = c.account_id
         WHERE c.account_id = $1 AND (c.caller LIKE lower($2) ESCAPE '!' OR lower(c.caller_name) LIKE lower($2) ESCAPE '!'
             OR c.dialled LIKE lower($2) ESCAPE '!' OR lower(c.callee_name) LIKE lower($2) ESCAPE '!')
         ORDER BY c.started_at DESC, c.id DESC LIMIT $3 OFFSET $4",
    )
    .bind(account)
    .bind(page.pattern()?)
    .bind(page.rows())
    .bind(page.offset())
    .fetch_all(store)
    .await?;
    Ok(rows.iter().map(record).collect::<Result<_, _>>()?)
}

fn record(row: &Row) -> Result<CallRecord, sqlx::Error> {
    let code: i64 = row.try_get("code")?;
    Ok(CallRecord {
        realm: row.try_get("realm")?,
        call_id: row.try_get("call_id")?,
        caller: row.try_get("caller")?,
        caller_extension: Party { number: row.try_get("caller_extension")?, name: row.try_get("caller_name")? },
        dialled: row.try_get("dialled")?,
        callee_extension: Party { number: row.try_get("callee_extension")?, name: row.try_get("callee_name")? },
        started_at: clock::from_ms(row.try_get("started_at")?),
        answered_at: row.try_get::<Option<i64>>("answered_at")?.map(clock::from_ms),
        ended_at: clock::from_ms(row.try_get("ended_at")?),
        code: u16::try_from(code).unwrap_or(500),
        ended_by: row.try_get::<Option<String>>("ended_by")?.as_deref().and_then(EndedBy::read),
    })
}
