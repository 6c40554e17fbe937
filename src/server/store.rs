//! The database: SQLite through sqlx, with `$n` placeholders and portable types, so that a PostgreSQL pool can join.

use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

/// Handle to the pool; cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pool: SqlitePool,
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(
        "--database-url {0:?} is not understood; this version stores in SQLite: sqlite:///var/lib/tms/tms.db or sqlite::memory:"
    )]
    Url(String),
    #[error("the database cannot be opened: {0}")]
    Open(#[source] sqlx::Error),
    #[error("the database cannot be brought up to date: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    #[error("the database does not answer: {0}")]
    Query(#[from] sqlx::Error),
}
