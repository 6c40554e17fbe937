//! The audit tells when somebody has been at it.

use serde_json::json;

use super::{AuditError, verify};
use crate::server::{
    http::testing::{Harness, INSTANCE},
    store::query,
};

/// Does what only somebody with the whole database in his hands can do.
async fn meddle(h: &Harness, statement: &'static str) {
    let first: &[&'static str] = match h.app.store.postgres() {
        Some(_) => &[
            "ALTER TABLE audit DISABLE TRIGGER USER",
            "ALTER TABLE audit_head DROP CONSTRAINT IF EXISTS audit_head_entry_fkey",
        ],
        None => &[
            "PRAGMA foreign_keys = OFF",
            "DROP TRIGGER IF EXISTS audit_is_linked",
            "DROP TRIGGER IF EXISTS audit_is_not_altered",
            "DROP TRIGGER IF EXISTS audit_is_not_deleted",
        ],
    };
    for statement in first.iter().copied().chain([statement]) {
        query(statement).execute(&h.app.store).await.expect(statement);
    }
}

#[tokio::test]
async fn whatever_is_done_to_the_audit_tells() {
    for (statements, what) in [
        (vec![], ""),
        (vec!["UPDATE audit SET actor = 'nobody' WHERE id = 2"], "altered"),
        (vec!["UPDATE audit SET at = at - 1 WHERE id = (SELECT max(id) FROM audit)"], "altered"),
        (vec!["DELETE FROM audit WHERE id = 2"], "removed"),
        (vec!["DELETE FROM audit WHERE id = (SELECT max(id) FROM audit)"], "cut off"),
        (
            vec![
                "INSERT INTO audit (id, at, actor, address, action, object, previous)
                 SELECT 1000, at, actor, address, action, 'slipped in', previous FROM audit WHERE id = 2",
            ],
            "slipped in",
        ),
    ] {
        let h = Harness::new().await;
        let token = h.operator().await;
        for name in ["A", "B", "C"] {
            h.patch("/v1/accounts/acme", json!({"name": name})).token(&token).send().await;
        }
        assert_eq!(verify(&h.app.store).await.expect("whole"), 4);
        for statement in &statements {
            meddle(&h, statement).await;
        }
        let told = verify(&h.app.store).await.err().map(|e| e.to_string()).unwrap_or_default();
        assert!(told.contains(what), "{statements:?}: {told}");
        assert_eq!(told.is_empty(), what.is_empty(), "{statements:?}: {told}");
    }
}

#[tokio::test]
async fn the_database_refuses_to_alter_the_audit() {
    let h = Harness::new().await;
    h.operator().await;
    for statement in [
        "UPDATE audit SET actor = 'x'",
        "DELETE FROM audit",
        "INSERT INTO audit (at, actor, address, action, object) VALUES (1, 'a', 'b', 'c', 'd')",
        "UPDATE audit SET previous = (SELECT hash FROM audit_head)",
        "DELETE FROM audit_head",
    ] {
        assert!(query(statement).execute(&h.app.store).await.is_err(), "{statement}");
    }
    assert!(!matches!(verify(&h.app.store).await, Err(AuditError::Broken { .. } | AuditError::CutOff { .. })));
}

#[tokio::test]
async fn what_people_do_about_themselves_is_seen_by_their_account_and_by_operators() {
    let h = Harness::new().await;
    let (admin, operator) = (h.manager(&h.demo.admin.username, &h.demo.admin.password).await, h.operator().await);
    let agent = h.agent().await;
    let body = json!({"instance_id": INSTANCE, "takeover": true});
    h.post("/v1/me/registrations/100-acme/sip-credential", body).token(&agent).send().await;
    let actions = async |path: &str, token: &str| {
        let listed = h.get(path).token(token).send().await;
        let of = |entry: &serde_json::Value| format!("{} {}", entry["tenant"], entry["action"]).replace('"', "");
        listed.json.as_array().expect("a list").iter().map(of).collect::<Vec<_>>()
    };
    let own = ["acme take over registration", "acme sign in softphone", "acme sign in to manage"];
    assert_eq!(actions("/v1/accounts/acme/audit", &admin).await, own);
    let all = [own[0], own[1], "null sign in to manage", own[2]];
    assert_eq!(actions("/v1/audit", &operator).await, all);
    assert_eq!(verify(&h.app.store).await.expect("whole"), 4);
}
