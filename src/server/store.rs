//! The database: SQLite through sqlx, with `$n` placeholders and portable types, so that a PostgreSQL pool can join.

use std::{str::FromStr, time::Duration};

use sqlx::{
    SqlitePool,
    migrate::Migrator,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// A transaction that has the write lock from its beginning, so that what it read still holds when it writes.
pub type Tx = sqlx::Transaction<'static, sqlx::Sqlite>;

/// Handle to the pool; cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pool: SqlitePool,
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{0}")]
    Url(&'static str),
    #[error("the database {url:?} cannot be opened: {source}; check that its folder exists and can be written")]
    Open { url: String, source: sqlx::Error },
    #[error("the database cannot be brought up to date: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    #[error("the database does not answer: {0}")]
    Query(#[from] sqlx::Error),
}

/// More than a few readers bring nothing: SQLite has one writer, and reads take microseconds.
const CONNECTIONS: u32 = 4;

impl Store {
    /// Opens the database, creates it if it is missing and brings it up to date.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let store = Self::connect(url, true).await?;
        MIGRATIONS.run(&store.pool).await?;
        Ok(store)
    }

    async fn connect(url: &str, create: bool) -> Result<Self, StoreError> {
        if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            return Err(StoreError::Url(
                "this version stores in SQLite only: give --database-url sqlite:///var/lib/tms/tms.db",
            ));
        }
        let memory = url == "sqlite::memory:";
        if !memory && !url.starts_with("sqlite://") {
            return Err(StoreError::Url("--database-url must read sqlite:///path/to/tms.db or sqlite::memory:"));
        }
        let open = |source| StoreError::Open { url: url.to_owned(), source };
        let options = SqliteConnectOptions::from_str(url)
            .map_err(open)?
            .create_if_missing(create)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(Duration::from_secs(5));
        // A database in memory belongs to its one connection, which must stay.
        let pool = SqlitePoolOptions::new()
            .min_connections(1)
            .max_connections(if memory { 1 } else { CONNECTIONS })
            .idle_timeout(None)
            .max_lifetime(None)
            .acquire_timeout(Duration::from_secs(10))
            .connect_with(options)
            .await
            .map_err(open)?;
        Ok(Self { pool })
    }

    pub fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    pub async fn begin(&self) -> Result<Tx, sqlx::Error> {
        self.pool.begin_with("BEGIN IMMEDIATE").await
    }

    /// Waits for the connections to close, which writes the journal back.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}
