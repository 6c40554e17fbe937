//! A database that is locked, or gone and back, and a clock that jumps: said in words, nothing half done, and over when it is over.

use serde_json::json;

use crate::server::{audit, http::testing::Harness, store::query};

async fn add(h: &Harness, token: &str, number: &str) -> u16 {
    let body = json!({"number": number, "name": "N"});
    let reply = h.post("/v1/accounts/acme/extensions", body).token(token).send().await;
    assert!(reply.status == 201 || reply.string("detail").contains("Nothing was changed"), "{}", reply.text);
    reply.status.as_u16()
}

async fn there(h: &Harness, token: &str, number: &str) -> u16 {
    h.get(&format!("/v1/accounts/acme/extensions/{number}")).token(token).send().await.status.as_u16()
}

#[tokio::test]
async fn while_the_database_is_locked_reading_goes_on() {
    let (h, _folder) = Harness::for_many().await;
    let token = h.operator().await;
    let locked = h.app.store.begin().await.expect("the only right to write");
    assert_eq!(add(&h, &token, "700").await, 503);
    assert_eq!((there(&h, &token, "700").await, there(&h, &token, "100").await), (404, 200));
    drop(locked);
    assert_eq!((add(&h, &token, "700").await, there(&h, &token, "700").await), (201, 200));
}

/// Where the tests run on PostgreSQL, which can restart while the TMS runs.
#[tokio::test]
async fn a_database_that_was_gone_is_found_again() {
    let h = Harness::new().await;
    if h.app.store.postgres().is_none() {
        return;
    }
    let token = h.operator().await;
    let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE pid <> pg_backend_pid() AND datname = current_database()";
    query(others).fetch_all(&h.app.store).await.expect("their connections are cut");
    let mut added = 503;
    for _ in 0..20 {
        added = add(&h, &token, "700").await;
        if added == 201 {
            break;
        }
    }
    assert_eq!((added, there(&h, &token, "700").await), (201, 200));
}

#[tokio::test]
async fn a_clock_that_jumps_ends_sessions_and_nothing_else() {
    const YEAR: i64 = 365 * 24 * 3600;
    let h = Harness::new().await;
    let mut former = h.operator().await;
    for (number, jump, ended) in [("700", 10 * YEAR, true), ("701", -20 * YEAR, false), ("702", 10 * YEAR, true)] {
        h.pass(jump);
        assert_eq!(there(&h, &former, "100").await == 401, ended, "{jump}");
        let token = h.operator().await;
        assert_eq!((add(&h, &token, number).await, there(&h, &token, number).await), (201, 200), "{jump}");
        let agent = h.agent().await;
        assert_eq!(h.get("/v1/me/registrations").token(&agent).send().await.status.as_u16(), 200, "{jump}");
        former = token;
    }
    audit::verify(&h.app.store).await.expect("whole");
}
