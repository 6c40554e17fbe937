//! The database: SQLite for an office, PostgreSQL for a provider, behind one way to ask ([`query`]).
//!
//! What must hold is declared in the schema, alike in both (`migrations/`). A [`Tx`] has the only right to write from its
//! beginning (SQLite's own lock, an advisory lock in PostgreSQL), so what it read still holds when it writes, whichever
//! process of several began it. Requests that act for one account ask [`Store::within`] it.

mod copy;
#[cfg(test)]
mod fence_tests;
mod query;
#[cfg(test)]
pub mod testing;

use std::{
    io,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use sqlx::{
    AssertSqlSafe, PgPool, Postgres, Sqlite, SqlitePool,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

pub use query::{Column, Executor, Query, Row, Value, query};

static SQLITE_MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES_MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// Handle to the pool; cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pool: Pool,
    /// The account that it is fenced to.
    account: Option<i64>,
}

#[derive(Clone, Debug)]
enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// A transaction, rolled back when it is dropped.
pub struct Tx(Writer);

enum Writer {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

/// Why the database does not serve: a sentence with the way out.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{0}")]
    Url(&'static str),
    #[error("the database {url:?} cannot be opened: {source}; {hint}")]
    Open { url: String, source: sqlx::Error, hint: &'static str },
    #[error("the database cannot be brought up to date: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    #[error("{0}")]
    Copy(String),
    #[error("the database does not answer: {0}")]
    Query(#[from] sqlx::Error),
}

/// More than a few readers bring nothing: SQLite has one writer, and reads take microseconds.
const SQLITE_CONNECTIONS: u32 = 4;
/// For one `tms` process; PostgreSQL allows a hundred in all unless it is told otherwise.
const POSTGRES_CONNECTIONS: u32 = 16;
/// Name of the lock under which all processes write; any number that nothing else in this database uses.
const WRITER_LOCK: i64 = 0x0074_6d73;
/// How long a connection, and the right to write, are waited for.
const PATIENCE: Duration = Duration::from_secs(10);

impl Store {
    /// Opens the database, creates it if it is missing (SQLite) and brings it up to date.
    ///
    /// `url`: `sqlite:///path/to/tms.db`, `sqlite::memory:`, or `postgres://user@host:port/database`, whose password comes
    /// from `PGPASSWORD` or the file that `PGPASSFILE` names.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let store = Self::connect(url, true).await?;
        match &store.pool {
            Pool::Sqlite(pool) => SQLITE_MIGRATIONS.run(pool).await?,
            Pool::Postgres(pool) => POSTGRES_MIGRATIONS.run(pool).await?,
        }
        Ok(store)
    }

    async fn connect(url: &str, create: bool) -> Result<Self, StoreError> {
        let pool = if is_postgres(url) {
            Pool::Postgres(connect_postgres(url).await?)
        } else {
            Pool::Sqlite(connect_sqlite(url, create).await?)
        };
        Ok(Self { pool, account: None })
    }

    /// The same database for what is done on behalf of one account: PostgreSQL neither shows nor lets through what another
    /// account owns, even where a statement forgets to say whose rows it wants (migrations/postgres/0005).
    #[must_use]
    pub fn within(&self, account: i64) -> Self {
        Self { account: Some(account), ..self.clone() }
    }

    /// Waits for the only right to write, and for a few seconds at most.
    pub async fn begin(&self) -> Result<Tx, sqlx::Error> {
        Ok(Tx(match &self.pool {
            Pool::Sqlite(pool) => Writer::Sqlite(pool.begin_with("BEGIN IMMEDIATE").await?),
            Pool::Postgres(pool) => {
                let mut tx = pool.begin().await?;
                sqlx::query("SELECT set_config('lock_timeout', $1, TRUE), pg_advisory_xact_lock($2)")
                    .bind(PATIENCE.as_millis().to_string())
                    .bind(WRITER_LOCK)
                    .execute(&mut *tx)
                    .await?;
                if let Some(account) = self.account {
                    fence(&mut tx, account).await?;
                }
                Writer::Postgres(tx)
            }
        }))
    }

    /// Leaves nothing of what this table's rows held before in the database's own files: neither clears what is overwritten by
    /// itself. What PostgreSQL has unlinked is the file system's; its WAL, replicas and backups keep theirs.
    pub async fn wipe(&self, table: &'static str) -> Result<(), sqlx::Error> {
        match &self.pool {
            Pool::Sqlite(pool) => {
                sqlx::query("VACUUM").execute(pool).await?;
                let busy: i64 = sqlx::query_scalar("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(pool).await?;
                if busy != 0 {
                    return Err(sqlx::Error::Protocol("the journal is being read".to_owned()));
                }
            }
            Pool::Postgres(pool) => {
                sqlx::query(AssertSqlSafe(format!("VACUUM FULL {table}"))).execute(pool).await?;
            }
        }
        Ok(())
    }

    /// The PostgreSQL pool, for what only it can do (notifications between processes).
    pub fn postgres(&self) -> Option<&PgPool> {
        match &self.pool {
            Pool::Sqlite(_) => None,
            Pool::Postgres(pool) => Some(pool),
        }
    }

    /// Waits for the connections to close, which writes SQLite's journal back.
    pub async fn close(&self) {
        match &self.pool {
            Pool::Sqlite(pool) => pool.close().await,
            Pool::Postgres(pool) => pool.close().await,
        }
    }
}

impl Tx {
    /// Keeps everything; without it nothing is.
    pub async fn commit(self) -> Result<(), sqlx::Error> {
        match self.0 {
            Writer::Sqlite(tx) => tx.commit().await,
            Writer::Postgres(tx) => tx.commit().await,
        }
    }
}

/// Until the transaction ends.
async fn fence(tx: &mut sqlx::Transaction<'static, Postgres>, account: i64) -> Result<(), sqlx::Error> {
    let set = sqlx::query("SELECT set_config('tms.account', $1, TRUE)").bind(account.to_string());
    set.execute(&mut **tx).await.map(drop)
}

/// Where the secrets key of a database in a file is: `tms.db.key` beside `tms.db`.
pub fn key_beside(url: &str) -> Option<PathBuf> {
    let mut key = file(url)?.as_os_str().to_owned();
    key.push(".key");
    Some(key.into())
}

fn is_postgres(url: &str) -> bool {
    url.starts_with("postgres:") || url.starts_with("postgresql:")
}

async fn connect_postgres(url: &str) -> Result<PgPool, StoreError> {
    let open = |source| StoreError::Open {
        url: without_password(url),
        source,
        hint: "check that PostgreSQL runs there, and that PGPASSWORD or PGPASSFILE gives this user's password",
    };
    let options = PgConnectOptions::from_str(url).map_err(open)?.application_name("tms");
    let pool = PgPoolOptions::new()
        .max_connections(POSTGRES_CONNECTIONS)
        .acquire_timeout(PATIENCE)
        .connect_with(options)
        .await
        .map_err(open)?;
    Ok(pool)
}

async fn connect_sqlite(url: &str, create: bool) -> Result<SqlitePool, StoreError> {
    let memory = url == "sqlite::memory:";
    if !memory && !url.starts_with("sqlite://") {
        return Err(StoreError::Url(
            "--database-url must read sqlite:///path/to/tms.db or postgres://user@host/database",
        ));
    }
    let open = |source| StoreError::Open {
        url: url.to_owned(),
        source,
        hint: "check that its folder exists and can be written",
    };
    if create && let Some(path) = file(url) {
        keep_private(path).map_err(|e| open(e.into()))?;
    }
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
        .max_connections(if memory { 1 } else { SQLITE_CONNECTIONS })
        .idle_timeout(None)
        .max_lifetime(None)
        .acquire_timeout(PATIENCE)
        .connect_with(options)
        .await
        .map_err(open)?;
    Ok(pool)
}

/// Whether a password stands in the URL, in either of the places where it would be taken from.
pub fn tells_password(url: &str) -> bool {
    let url = url.parse::<reqwest::Url>();
    url.is_ok_and(|url| url.password().is_some() || url.query_pairs().any(|(name, _)| name == "password"))
}

/// The URL as it may be shown.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return "postgres:…".to_owned() };
    let rest = match rest.split_once('@') {
        Some((userinfo, place)) => format!("{}@{place}", userinfo.split(':').next().unwrap_or_default()),
        None => rest.to_owned(),
    };
    format!("{scheme}://{}", rest.split('?').next().unwrap_or_default())
}

fn file(url: &str) -> Option<&Path> {
    let path = url.strip_prefix("sqlite://")?;
    Some(Path::new(path.split_once('?').map_or(path, |(path, _)| path)))
}

/// Makes the file, if it is missing, so that nobody else on the machine can read it.
fn keep_private(path: &Path) -> io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.create_new(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_url_that_cannot_be_used_is_refused_in_words() {
        for (url, word) in [
            ("postgres://tms:secret@127.0.0.1:1/tms", "check that PostgreSQL runs there"),
            ("mysql://x", "must read sqlite:///"),
            ("sqlite:///no/such/folder/tms.db", "cannot be opened"),
        ] {
            let error = Store::open(url).await.expect_err(url).to_string();
            assert!(error.contains(word), "{url}: {error}");
        }
    }

    #[test]
    fn a_password_is_found_wherever_it_stands() {
        for (url, tells) in [
            ("postgres://tms:secret@db/tms", true),
            ("postgres://db/tms?password=secret", true),
            ("postgres://tms@db/tms?sslmode=require&p%61ssword=secret", true),
            ("postgres://tms@db:5432/tms?application_name=password", false),
            ("sqlite:///var/lib/tms/a:b@c.db", false),
            ("sqlite::memory:", false),
        ] {
            assert_eq!(tells_password(url), tells, "{url}");
        }
    }

    #[tokio::test]
    async fn a_file_that_is_no_database_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("tms.db");
        std::fs::write(&path, "my letters, not a database ".repeat(100)).expect("writes");
        let error = Store::open(&format!("sqlite://{}", path.display())).await.expect_err("junk").to_string();
        assert!(error.contains("not a database"), "{error}");
        assert!(std::fs::read_to_string(&path).expect("reads").starts_with("my letters"));
    }
}
