//! Kamailio's rows follow what they are derived of, and are written anew only where that has changed.

use sqlx::{AssertSqlSafe, PgPool};

use crate::server::http::testing::Harness;

/// Every row's name with the transaction that wrote it.
async fn rows(database: &PgPool) -> Vec<(String, String)> {
    sqlx::query_as("SELECT username, xmin::text FROM sip_user ORDER BY username")
        .fetch_all(database)
        .await
        .expect("reads")
}

/// Where the tests run on PostgreSQL.
#[tokio::test]
async fn rows_are_written_anew_where_something_has_changed_and_nowhere_else() {
    let h = Harness::new().await;
    let Some(database) = h.app.store.postgres() else { return };
    let alter = async |statement: &'static str| {
        sqlx::query(AssertSqlSafe(statement)).execute(database).await.expect(statement);
    };
    let before = rows(database).await;
    assert!(before.iter().any(|(name, _)| name == "100-acme"), "{before:?}");
    for nothing in [
        "UPDATE account SET name = 'Another', time_zone = 'Europe/Vienna'",
        "UPDATE account SET enabled = enabled",
        "UPDATE extension SET name = 'Another', enabled = enabled",
        "UPDATE registration SET label = 'Another', ring_inbound = ring_inbound, enabled = enabled, ha1_md5 = ha1_md5",
        "INSERT INTO registration (extension_id, account_id, edition, slot, name, label, ring_inbound, created_at)
         SELECT id, account_id, edition, 2, '101-acme-new', 'New', FALSE, 1 FROM extension WHERE number = '101'",
    ] {
        alter(nothing).await;
        assert_eq!(rows(database).await, before, "{nothing}");
    }
    let of = |rows: &[(String, String)], number: &str| {
        rows.iter().filter(|(name, _)| name.starts_with(number)).cloned().collect::<Vec<_>>()
    };
    for (change, others) in [
        ("UPDATE registration SET ha1_md5 = 'x' WHERE name = '100-acme'", true),
        ("UPDATE registration SET enabled = FALSE WHERE name = '100-acme'", true),
        ("UPDATE registration SET enabled = TRUE WHERE name = '100-acme'", true),
        ("UPDATE extension SET enabled = FALSE WHERE number = '100'", true),
        ("UPDATE extension SET enabled = TRUE WHERE number = '100'", true),
        ("UPDATE account SET enabled = FALSE", false),
        ("UPDATE account SET enabled = TRUE", false),
    ] {
        let before = rows(database).await;
        alter(change).await;
        let after = rows(database).await;
        assert_ne!(of(&before, "100-"), of(&after, "100-"), "{change}");
        assert_eq!(of(&before, "101-") == of(&after, "101-"), others, "{change}");
    }
}
