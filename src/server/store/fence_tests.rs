//! What a statement shows and alters that forgot to say whose rows it wants.

use crate::server::{
    http::testing::Harness,
    store::{Store, Tx, query},
};

const TABLES: [(&str, &str, &str); 3] = [
    ("SELECT count(*) FROM extension", "UPDATE extension SET name = 'x'", "DELETE FROM extension"),
    (
        "SELECT count(*) FROM registration",
        "UPDATE registration SET label = 'x'",
        "DELETE FROM registration WHERE slot > 0",
    ),
    ("SELECT count(*) FROM api_key", "UPDATE api_key SET name = 'x'", "DELETE FROM api_key"),
];

/// A second account with an extension, an additional registration and a key; the demonstration has some of its own.
async fn second_account(tx: &mut Tx) -> Result<i64, sqlx::Error> {
    let account = "INSERT INTO account (name, tenant, realm, edition, created_at)
         VALUES ('Other', 'other', 'other', 'enterprise', 0) RETURNING id";
    let account: i64 = query(account).scalar(&mut *tx).await?;
    for statement in [
        "INSERT INTO extension (account_id, tenant, edition, number, name, created_at)
         VALUES ($1, 'other', 'enterprise', '900', 'Theirs', 0)",
        "INSERT INTO registration (extension_id, account_id, edition, slot, name, label, ring_inbound, created_at)
         SELECT id, account_id, edition, 1, '900-other-x', 'x', TRUE, 0 FROM extension WHERE account_id = $1",
        "INSERT INTO api_key (account_id, name, prefix, hash, created_at) VALUES ($1, 'Theirs', 'p', 'h', 0)",
    ] {
        query(statement).bind(account).execute(&mut *tx).await?;
    }
    Ok(account)
}

async fn acme(store: &Store) -> i64 {
    query("SELECT id FROM account WHERE tenant = 'acme'").scalar(store).await.expect("the demonstration's account")
}

#[tokio::test]
async fn a_forgotten_where_shows_and_alters_nothing_of_another_account() {
    let h = Harness::new().await;
    let store = &h.app.store;
    let mut tx = store.begin().await.expect("begins");
    let other = second_account(&mut tx).await.expect("is made");
    tx.commit().await.expect("commits");
    // SQLite, which serves one office, has no such fence: the one layer above stands alone there.
    let fenced = store.postgres().is_some();
    let own = store.within(acme(store).await);
    for (count, alter, remove) in TABLES {
        let all: i64 = query(count).scalar(store).await.expect("counts");
        let theirs: i64 = query(count).scalar(&store.within(other)).await.expect("counts");
        let seen: i64 = query(count).scalar(&own).await.expect("counts");
        let mut tx = own.begin().await.expect("begins");
        let seen_in_tx: i64 = query(count).scalar(&mut tx).await.expect("counts");
        let altered = query(alter).execute(&mut tx).await.expect("alters") as i64;
        drop(tx);
        let ours = if fenced { all - theirs } else { all };
        assert!(all > ours || !fenced, "{count}: nobody else has any");
        assert_eq!([seen, seen_in_tx, altered], [ours; 3], "{count}");
        if fenced {
            // Through the pool, one statement by itself.
            query(remove).execute(&store.within(i64::MAX)).await.expect("removes nothing");
        }
        let left: i64 = query(count).scalar(store).await.expect("counts");
        assert_eq!(left, all, "{remove}");
    }
}

#[tokio::test]
async fn nothing_is_put_into_another_account() {
    let h = Harness::new().await;
    let mut tx = h.app.store.begin().await.expect("begins");
    let other = second_account(&mut tx).await.expect("is made");
    tx.commit().await.expect("commits");
    let own = h.app.store.within(acme(&h.app.store).await);
    let key = "INSERT INTO api_key (account_id, name, prefix, hash, created_at) VALUES ($1, 'Slipped in', 'q', 'i', 0)";
    let slipped_in = query(key).bind(other).execute(&own).await;
    assert_eq!(slipped_in.is_err(), h.app.store.postgres().is_some());
}

/// A login may belong to two accounts: what is changed in one of them may write the other's devices anew.
#[tokio::test]
async fn a_device_of_another_account_is_written_from_the_whole() {
    let h = Harness::new().await;
    let store = &h.app.store;
    let fenced = store.postgres().is_some();
    let (devices, write) = match fenced {
        true => ("SELECT count(*) FROM sip_user", "SELECT sip_user_write(ARRAY(SELECT registration_id FROM sip_user))"),
        false => ("SELECT count(*) FROM registration", "SELECT 1"),
    };
    let before: i64 = query(devices).scalar(store).await.expect("counts");
    let mut tx = store.within(i64::MAX).begin().await.expect("begins");
    query(write).fetch_one(&mut tx).await.expect("writes");
    let seen: i64 = query("SELECT count(*) FROM registration").scalar(&mut tx).await.expect("counts");
    tx.commit().await.expect("commits");
    let after: i64 = query(devices).scalar(store).await.expect("counts");
    assert!(before > 0 && after == before, "{before} devices, then {after}");
    assert_eq!(seen == 0, fenced, "the fence stands again");
}
