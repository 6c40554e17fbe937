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

#[tokio::test]
async fn a_refresh_is_no_news_and_another_address_is() {
    let h = Harness::new().await;
    let Some(database) = h.app.store.postgres() else { return };
    let mut listener = sqlx::postgres::PgListener::connect_with(database).await.expect("connects");
    listener.listen("tms").await.expect("listens");
    let came = "INSERT INTO kamailio_location (ruid, username, domain, contact, received, expires)
                VALUES ('r', '100-acme', 'acme', 'sip:a@192.0.2.1', 'sip:192.0.2.1:5060;took=12', 4000000000)";
    for (change, told) in [
        (came, 1),
        ("UPDATE kamailio_location SET received = 'sip:192.0.2.1:5060;took=34', expires = 4000000001", 0),
        ("UPDATE kamailio_location SET received = 'sip:192.0.2.1:5062;took=34'", 1),
    ] {
        sqlx::query(AssertSqlSafe(change)).execute(database).await.expect(change);
        sqlx::query("SELECT pg_notify('tms', 'end')").execute(database).await.expect("notifies");
        let mut holders = 0;
        loop {
            let notice = listener.recv().await.expect("connected");
            match notice.payload() {
                "end" => break,
                payload => holders += usize::from(payload.contains("Holder")),
            }
        }
        assert_eq!(holders, told, "{change}");
    }
}
