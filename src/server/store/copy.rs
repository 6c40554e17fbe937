//! Backup and restore: a whole and consistent copy in one file. SQLite writes it itself; for PostgreSQL its own tools
//! `pg_dump` and `pg_restore` do, which must be installed.

use std::{path::Path, process::Stdio};

use sqlx::Row as _;
use tokio::process::Command;

use super::{Pool, Store, StoreError, connect_sqlite, file, is_postgres, keep_private, query};

impl Store {
    /// Writes the copy to a new file that only this user can read, while the server goes on.
    ///
    /// # Errors
    /// When there is no database at `url`, or `copy` exists or cannot be written.
    pub async fn backup(url: &str, copy: &Path) -> Result<(), StoreError> {
        let shown = copy.display();
        if copy.exists() {
            return Err(StoreError::Copy(format!("{shown} exists already; choose another name")));
        }
        let store = Self::connect(url, false).await?;
        keep_private(copy).map_err(|e| StoreError::Copy(format!("{shown} cannot be written: {e}")))?;
        let written = match &store.pool {
            Pool::Sqlite(_) => query("VACUUM INTO $1")
                .bind(copy.to_string_lossy().into_owned())
                .execute(&store)
                .await
                .map(drop)
                .map_err(Into::into),
            Pool::Postgres(_) => {
                // Its own reading would not pass the fence of migrations/postgres/0005; without an account it is the whole.
                let options = ["--format=custom", "--no-owner", "--enable-row-security", "--dbname", url, "--file"];
                run("pg_dump", &options, copy).await
            }
        };
        if written.is_err() {
            // Nobody should take half of one for a backup.
            let _ = std::fs::remove_file(copy);
        }
        store.close().await;
        written
    }

    /// Puts a backup where no TMS is yet, once it has proved whole, and brings it up to date.
    ///
    /// # Errors
    /// When `copy` is no whole backup of a TMS on this kind of database, or there is one at `url` already.
    pub async fn restore(url: &str, copy: &Path) -> Result<(), StoreError> {
        if is_postgres(url) { restore_postgres(url, copy).await } else { restore_sqlite(url, copy).await }?;
        Self::open(url).await?.close().await;
        Ok(())
    }
}

async fn restore_sqlite(url: &str, copy: &Path) -> Result<(), StoreError> {
    let target = file(url).ok_or(StoreError::Url("--database-url must name a file to restore to"))?;
    if target.exists() {
        let sentence = "exists already; stop the TMS and move it (and its -wal file) away first";
        return Err(StoreError::Copy(format!("{} {sentence}", target.display())));
    }
    let shown = copy.display();
    let source = connect_sqlite(&format!("sqlite://{shown}"), false).await?;
    let sound: Result<String, _> =
        async { sqlx::query("PRAGMA integrity_check").fetch_one(&source).await?.try_get(0) }.await;
    let ours = sqlx::query("SELECT 1 FROM _sqlx_migrations, account").fetch_optional(&source).await;
    source.close().await;
    if sound? != "ok" || ours.is_err() {
        return Err(StoreError::Copy(format!("{shown} is no whole backup of a TMS; choose another")));
    }
    let failed = |e: std::io::Error| StoreError::Copy(format!("{} cannot be written: {e}", target.display()));
    keep_private(target).map_err(failed)?;
    std::fs::copy(copy, target).map_err(failed)?;
    Ok(())
}

async fn restore_postgres(url: &str, copy: &Path) -> Result<(), StoreError> {
    let store = Store::connect(url, false).await?;
    let there: Result<Option<String>, _> = query("SELECT to_regclass('account')::text").scalar(&store).await;
    store.close().await;
    if there?.is_some() {
        return Err(StoreError::Copy(
            "this database has a TMS already; stop the TMS and give an empty database (createdb)".to_owned(),
        ));
    }
    run("pg_restore", &["--single-transaction", "--exit-on-error", "--no-owner", "--dbname", url], copy).await
}

/// One of PostgreSQL's tools; they read the password where this programme does (`PGPASSWORD`, `PGPASSFILE`).
async fn run(tool: &str, options: &[&str], copy: &Path) -> Result<(), StoreError> {
    let output = Command::new(tool).args(options).arg(copy).stdin(Stdio::null()).output().await;
    let output = output.map_err(|e| {
        StoreError::Copy(format!("{tool} cannot be started: {e}; install PostgreSQL's client (postgresql-client)"))
    })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(StoreError::Copy(format!("{tool} failed: {}", said.lines().next().unwrap_or("it gave no reason"))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::store::testing;

    #[tokio::test]
    async fn a_backup_is_restored_and_nothing_is_overwritten() {
        let folder = tempfile::tempdir().expect("a folder");
        let url = |name: &str| format!("sqlite://{}", folder.path().join(name).display());
        let copy = folder.path().join("copy.db");
        let store = Store::open(&url("a.db")).await.expect("opens");
        let insert =
            "INSERT INTO account (name, tenant, realm, edition, created_at) VALUES ('A', 'acme', 'acme', 'express', 0)";
        query(insert).execute(&store).await.expect("inserts");
        Store::backup(&url("a.db"), &copy).await.expect("backs up while it is open");
        assert!(Store::backup(&url("a.db"), &copy).await.is_err(), "overwrote a backup");
        Store::restore(&url("b.db"), &copy).await.expect("restores");
        assert!(Store::restore(&url("b.db"), &copy).await.is_err(), "overwrote a database");
        let restored = Store::open(&url("b.db")).await.expect("opens");
        let tenant: String = query("SELECT tenant FROM account").scalar(&restored).await.expect("reads");
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
    #[tokio::test]
    async fn postgresql_too_where_the_tests_have_one() {
        let url = testing::database().await;
        let folder = tempfile::tempdir().expect("a folder");
        let copy = folder.path().join("copy");
        let store = Store::open(&url).await.expect("opens");
        if store.postgres().is_none() {
            // In memory there is nothing to copy, and it is said so.
            assert!(Store::restore(&url, &copy).await.is_err());
            return;
        }
        let insert = "INSERT INTO login (username, name, password_hash, created_at) VALUES ('ann', 'Ann', 'x', 0)";
        query(insert).execute(&store).await.expect("inserts");
        Store::backup(&url, &copy).await.expect("backs up while it is open");
        assert!(Store::restore(&url, &copy).await.is_err(), "overwrote a database");
        let empty = format!("{url}_copy");
        let create = format!("CREATE DATABASE {}", empty.rsplit('/').next().expect("a name"));
        query(sqlx::AssertSqlSafe(create)).execute(&store).await.expect("creates");
        Store::restore(&empty, &copy).await.expect("restores");
        let restored = Store::open(&empty).await.expect("opens");
        let name: String = query("SELECT name FROM login").scalar(&restored).await.expect("reads");
        assert_eq!(name, "Ann");
    }
}
