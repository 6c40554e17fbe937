//! What follows from a change happens, whoever hangs up and whatever is down.

use std::{pin::pin, sync::atomic::Ordering};

use axum::http::Method;
use futures_util::poll;
use serde_json::json;

use super::{Courier, Outbox};
use crate::server::{
    http::testing::{Harness, INSTANCE},
    store::query,
};

/// Another process on the same database.
fn courier(h: &Harness) -> Courier {
    let app = &h.app;
    Outbox::new(app.store.clone(), app.clock.clone(), app.contacts.clone(), app.notices.clone()).1
}

async fn waiting(h: &Harness) -> i64 {
    query("SELECT count(*) FROM outbox").scalar(&h.app.store).await.expect("counts")
}

/// Until nothing waits any more; the server's own courier looks too.
async fn settle(h: &Harness) {
    while waiting(h).await > 0 {
        courier(h).look().await;
    }
}

fn held(h: &Harness) -> usize {
    h.sip.contacts.lock().expect("unpoisoned").len()
}

#[tokio::test]
async fn what_the_sip_side_could_not_do_is_done_once_it_is_back() {
    let h = Harness::new().await;
    let operator = h.operator().await;
    h.agent().await;
    h.sip.hold("100-acme-laptop", Some(INSTANCE), Some(1));
    h.sip.hold("100-acme", None, None);
    h.sip.down.store(true, Ordering::Relaxed);
    let off = h.patch("/v1/accounts/acme/extensions/100", json!({"enabled": false})).token(&operator).send().await;
    assert_eq!((off.status.as_u16(), held(&h), waiting(&h).await), (200, 2, 1), "{}", off.text);
    h.sip.down.store(false, Ordering::Relaxed);
    courier(&h).look().await;
    assert_eq!(held(&h), 2, "there is a pause between two tries");
    h.pass(2);
    settle(&h).await;
    assert_eq!(held(&h), 0);
}

#[tokio::test]
async fn what_a_client_did_not_wait_for_is_done_all_the_same() {
    let h = Harness::new().await;
    let operator = h.operator().await;
    h.sip.hold("100-acme", None, None);
    *h.sip.parked.lock().expect("unpoisoned") = Some(Vec::new());
    {
        let path = "/v1/accounts/acme/extensions/100/registrations/100-acme/sip-password";
        let mut request = pin!(h.call(Method::POST, path).token(&operator).send());
        while h.sip.parked.lock().expect("unpoisoned").as_ref().is_some_and(Vec::is_empty) {
            assert!(poll!(request.as_mut()).is_pending(), "it was answered first");
            tokio::task::yield_now().await;
        }
    }
    assert_eq!((held(&h), waiting(&h).await), (1, 1));
    h.sip.release();
    assert_eq!(held(&h), 0);
    while waiting(&h).await > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn of_two_processes_one_carries_it_out() {
    let (h, _folder) = Harness::for_many().await;
    h.agent().await;
    let mut tx = h.app.store.begin().await.expect("begins");
    let mut ended = crate::server::sessions::Ended::default();
    ended.session(&mut tx, 1, "You signed out.").await.expect("ends");
    super::post(&mut tx, ended, h.app.clock.now_ms()).await.expect("posts");
    tx.commit().await.expect("commits");
    h.pass(4);
    let couriers: Vec<_> = (0..8).map(|_| courier(&h)).collect();
    futures_util::future::join_all(couriers.iter().map(Courier::look)).await;
    settle(&h).await;
    assert_eq!(h.sip.ordered(), ["end session 1"]);
}
