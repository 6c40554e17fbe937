//! The database: SQLite through sqlx, with `$n` placeholders and portable types, so that a PostgreSQL pool can join.

use std::{io, path::Path, str::FromStr, time::Duration};

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
    #[error("{0}")]
    Copy(String),
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

    /// Writes a whole and consistent copy to a new file while the server goes on.
    ///
    /// # Errors
    /// When there is no database at `url`, or `copy` exists or cannot be written.
    pub async fn backup(url: &str, copy: &Path) -> Result<(), StoreError> {
        if copy.exists() {
            return Err(StoreError::Copy(format!("{} exists already; choose another name", copy.display())));
        }
        let store = Self::connect(url, false).await?;
        let failed = |e: io::Error| StoreError::Copy(format!("{} cannot be written: {e}", copy.display()));
        keep_private(copy).map_err(failed)?;
        sqlx::query("VACUUM INTO $1").bind(copy.to_string_lossy().into_owned()).execute(store.pool()).await?;
        store.close().await;
        Ok(())
    }

    /// Puts a backup where no database is yet, once it has proved whole, and brings it up to date.
    ///
    /// # Errors
    /// When `copy` is no whole TMS database, or there is a database at `url` already.
    pub async fn restore(url: &str, copy: &Path) -> Result<(), StoreError> {
        let target = file(url).ok_or(StoreError::Url("--database-url must name a file to restore to"))?;
        if target.exists() {
            let sentence = "exists already; stop the TMS and move it (and its -wal file) away first";
            return Err(StoreError::Copy(format!("{} {sentence}", target.display())));
        }
        let shown = copy.display();
        let source = Self::connect(&format!("sqlite://{shown}"), false).await?;
        let sound: String = sqlx::query_scalar("PRAGMA integrity_check").fetch_one(source.pool()).await?;
        let ours = sqlx::query("SELECT 1 FROM _sqlx_migrations, account").fetch_optional(source.pool()).await;
        source.close().await;
        if sound != "ok" || ours.is_err() {
            return Err(StoreError::Copy(format!("{shown} is no whole backup of a TMS; choose another")));
        }
        let failed = |e: io::Error| StoreError::Copy(format!("{} cannot be written: {e}", target.display()));
        keep_private(target).map_err(failed)?;
        std::fs::copy(copy, target).map_err(failed)?;
        Self::open(url).await?.close().await;
        Ok(())
    }

    /// Waits for the connections to close, which writes the journal back.
    pub async fn close(&self) {
        self.pool.close().await;
    }
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
            ("postgres://tms@localhost/tms", "SQLite only"),
            ("mysql://x", "must read sqlite:///"),
            ("sqlite:///no/such/folder/tms.db", "cannot be opened"),
        ] {
            let error = Store::open(url).await.expect_err(url).to_string();
            assert!(error.contains(word), "{url}: {error}");
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

    #[tokio::test]
    async fn a_backup_is_restored_and_nothing_is_overwritten() {
        let folder = tempfile::tempdir().expect("a folder");
        let url = |name: &str| format!("sqlite://{}", folder.path().join(name).display());
        let copy = folder.path().join("copy.db");
        let store = Store::open(&url("a.db")).await.expect("opens");
        let insert =
            "INSERT INTO account (name, tenant, realm, edition, created_at) VALUES ('A', 'acme', 'acme', 'express', 0)";
        sqlx::query(insert).execute(store.pool()).await.expect("inserts");
        Store::backup(&url("a.db"), &copy).await.expect("backs up while it is open");
        assert!(Store::backup(&url("a.db"), &copy).await.is_err(), "overwrote a backup");
        Store::restore(&url("b.db"), &copy).await.expect("restores");
        assert!(Store::restore(&url("b.db"), &copy).await.is_err(), "overwrote a database");
        let restored = Store::open(&url("b.db")).await.expect("opens");
        let tenant: String =
            sqlx::query_scalar("SELECT tenant FROM account").fetch_one(restored.pool()).await.expect("reads");
        assert_eq!(tenant, "acme");
        #[cfg(unix)]
        for name in ["a.db", "b.db", "copy.db"] {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(folder.path().join(name)).expect("exists").permissions().mode();
            assert_eq!(mode & 0o077, 0, "{name} can be read by others");
        }
        std::fs::write(folder.path().join("junk"), "not a database").expect("writes");
        let junk = Store::restore(&url("c.db"), &folder.path().join("junk")).await;
        assert!(junk.is_err() && !folder.path().join("c.db").exists());
    }
}
