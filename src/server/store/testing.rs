//! A database for one test: in memory, or a new one in the PostgreSQL that `.ci/with-postgres` started.

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::Store;

const TEMPLATE: &str = "tms_template";

/// The URL of an empty, migrated database that no other test uses.
pub async fn database() -> String {
    let Ok(server) = std::env::var("TMS_TEST_DATABASE_URL") else { return "sqlite::memory:".to_owned() };
    let at = |name: &str| format!("{}/{name}", server.rsplit_once('/').expect("a database in the URL").0);
    let mut connection = PgConnection::connect(&server).await.expect("the test's PostgreSQL answers");
    // Migrated once, copied for every test.
    sqlx::query("SELECT pg_advisory_lock(1)").execute(&mut connection).await.expect("locks");
    let there = sqlx::query("SELECT 1 FROM pg_database WHERE datname = $1").bind(TEMPLATE);
    if there.fetch_optional(&mut connection).await.expect("asks").is_none() {
        // Under another name until it is whole, for a test may be killed in the middle.
        for statement in ["DROP DATABASE IF EXISTS tms_new", "CREATE DATABASE tms_new"] {
            sqlx::query(statement).execute(&mut connection).await.expect(statement);
        }
        Store::open(&at("tms_new")).await.expect("migrates").close().await;
        let rename = AssertSqlSafe(format!("ALTER DATABASE tms_new RENAME TO {TEMPLATE}"));
        sqlx::query(rename).execute(&mut connection).await.expect("renames");
    }
    sqlx::query("SELECT pg_advisory_unlock(1)").execute(&mut connection).await.expect("unlocks");
    let name = format!("test_{}", uuid::Uuid::new_v4().simple());
    let create = AssertSqlSafe(format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE}"));
    sqlx::query(create).execute(&mut connection).await.expect("creates");
    at(&name)
}
