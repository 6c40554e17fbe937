//! One statement for both databases: `$n` placeholders, portable types, columns read by name.

use sqlx::{
    Arguments, ColumnIndex, Decode, Postgres, Row as _, Sqlite, Type,
    postgres::{PgArguments, PgRow},
    sqlite::{SqliteArguments, SqliteRow},
};

use super::{Pool, Store, Tx, Writer, fence};

/// A statement with what stands in its placeholders, in their order. The text is the programme's own: what people type comes
/// in by [`Query::bind`] alone.
pub struct Query {
    sql: sqlx::SqlStr,
    values: Vec<Value>,
}

/// A statement with `$1`, `$2` … for what is bound, in that order.
pub fn query(sql: impl sqlx::SqlSafeStr) -> Query {
    Query { sql: sql.into_sql_str(), values: Vec::new() }
}

/// What a placeholder can hold; `None` is NULL.
pub enum Value {
    Bool(Option<bool>),
    Int(Option<i64>),
    Text(Option<String>),
}

/// Where a statement runs: any connection of the pool, or within a transaction.
pub enum Executor<'a> {
    Store(&'a Store),
    Tx(&'a mut Tx),
}

/// One row of an answer.
pub enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// What both databases can read from a column: `bool`, `i64`, `String` and their `Option`s.
pub trait Column: Sized {
    fn read<I: ColumnIndex<SqliteRow> + ColumnIndex<PgRow>>(row: &Row, index: I) -> Result<Self, sqlx::Error>;
}

impl<T> Column for T
where
    T: Type<Sqlite> + Type<Postgres> + for<'r> Decode<'r, Sqlite> + for<'r> Decode<'r, Postgres>,
{
    fn read<I: ColumnIndex<SqliteRow> + ColumnIndex<PgRow>>(row: &Row, index: I) -> Result<Self, sqlx::Error> {
        match row {
            Row::Sqlite(row) => row.try_get(index),
            Row::Postgres(row) => row.try_get(index),
        }
    }
}

impl Row {
    /// # Errors
    /// There is no such column, or it holds something else.
    pub fn try_get<T: Column>(
        &self,
        index: impl ColumnIndex<SqliteRow> + ColumnIndex<PgRow>,
    ) -> Result<T, sqlx::Error> {
        T::read(self, index)
    }
}

/// Runs `$method` of sqlx's query on whichever connection the executor stands for, and wraps what comes.
macro_rules! run {
    ($query:expr, $executor:expr, $method:ident, $wrap_sqlite:expr, $wrap_postgres:expr) => {{
        let Query { sql, values } = $query;
        match $executor.into() {
            Executor::Store(store) => match (&store.pool, store.account) {
                (Pool::Sqlite(pool), _) => $wrap_sqlite(sqlite(sql, values)?.$method(pool).await?),
                (Pool::Postgres(pool), None) => $wrap_postgres(postgres(sql, values)?.$method(pool).await?),
                (Pool::Postgres(pool), Some(account)) => {
                    let mut tx = pool.begin().await?;
                    fence(&mut tx, account).await?;
                    let answer = postgres(sql, values)?.$method(&mut *tx).await?;
                    tx.commit().await?;
                    $wrap_postgres(answer)
                }
            },
            Executor::Tx(Tx(Writer::Sqlite(tx))) => $wrap_sqlite(sqlite(sql, values)?.$method(&mut **tx).await?),
            Executor::Tx(Tx(Writer::Postgres(tx))) => $wrap_postgres(postgres(sql, values)?.$method(&mut **tx).await?),
        }
    }};
}

impl Query {
    /// PostgreSQL's text knows no NUL, which devices can send; one must not cost what is written along with it.
    #[must_use]
    pub fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(match value.into() {
            Value::Text(Some(text)) if text.contains('\0') => Value::Text(Some(text.replace('\0', "\u{fffd}"))),
            value => value,
        });
        self
    }

    /// The only row; [`sqlx::Error::RowNotFound`] where there is none.
    pub async fn fetch_one(self, executor: impl Into<Executor<'_>>) -> Result<Row, sqlx::Error> {
        Ok(run!(self, executor, fetch_one, Row::Sqlite, Row::Postgres))
    }

    pub async fn fetch_optional(self, executor: impl Into<Executor<'_>>) -> Result<Option<Row>, sqlx::Error> {
        let (sqlite_row, postgres_row) =
            (|row: Option<_>| row.map(Row::Sqlite), |row: Option<_>| row.map(Row::Postgres));
        Ok(run!(self, executor, fetch_optional, sqlite_row, postgres_row))
    }

    pub async fn fetch_all(self, executor: impl Into<Executor<'_>>) -> Result<Vec<Row>, sqlx::Error> {
        let sqlite_rows = |rows: Vec<_>| rows.into_iter().map(Row::Sqlite).collect();
        let postgres_rows = |rows: Vec<_>| rows.into_iter().map(Row::Postgres).collect();
        Ok(run!(self, executor, fetch_all, sqlite_rows, postgres_rows))
    }

    /// The first column of the only row.
    pub async fn scalar<T: Column>(self, executor: impl Into<Executor<'_>>) -> Result<T, sqlx::Error> {
        T::read(&self.fetch_one(executor).await?, 0)
    }

    /// How many rows it changed.
    pub async fn execute(self, executor: impl Into<Executor<'_>>) -> Result<u64, sqlx::Error> {
        let changed = |done: sqlx::sqlite::SqliteQueryResult| done.rows_affected();
        let changed_there = |done: sqlx::postgres::PgQueryResult| done.rows_affected();
        Ok(run!(self, executor, execute, changed, changed_there))
    }
}

fn sqlite(
    sql: sqlx::SqlStr,
    values: Vec<Value>,
) -> Result<sqlx::query::Query<'static, Sqlite, SqliteArguments>, sqlx::Error> {
    let mut arguments = SqliteArguments::default();
    for value in values {
        match value {
            Value::Bool(value) => arguments.add(value),
            Value::Int(value) => arguments.add(value),
            Value::Text(value) => arguments.add(value),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(sqlx::query_with(sql, arguments))
}

fn postgres(
    sql: sqlx::SqlStr,
    values: Vec<Value>,
) -> Result<sqlx::query::Query<'static, Postgres, PgArguments>, sqlx::Error> {
    let mut arguments = PgArguments::default();
    for value in values {
        match value {
            Value::Bool(value) => arguments.add(value),
            Value::Int(value) => arguments.add(value),
            // A text with NUL is none to PostgreSQL, and nothing stored here has one.
            Value::Text(value) => arguments.add(value.map(|text| text.replace('\0', "\u{fffd}"))),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(sqlx::query_with(sql, arguments))
}

impl<'a> From<&'a Store> for Executor<'a> {
    fn from(store: &'a Store) -> Self {
        Self::Store(store)
    }
}

impl<'a> From<&'a mut Tx> for Executor<'a> {
    fn from(tx: &'a mut Tx) -> Self {
        Self::Tx(tx)
    }
}

/// The conversions from `$from` and from an `Option` of it.
macro_rules! value_from {
    ($($from:ty => $variant:ident),* $(,)?) => {$(
        impl From<$from> for Value {
            fn from(value: $from) -> Self {
                Self::$variant(Some(value.into()))
            }
        }
        impl From<Option<$from>> for Value {
            fn from(value: Option<$from>) -> Self {
                Self::$variant(value.map(Into::into))
            }
        }
    )*};
}

value_from!(bool => Bool, i64 => Int, String => Text, &str => Text, &String => Text);

impl From<&i64> for Value {
    fn from(value: &i64) -> Self {
        Self::Int(Some(*value))
    }
}
