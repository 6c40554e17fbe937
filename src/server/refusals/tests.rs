//! What is noted, how it is shown, and that it stays bounded.

use std::net::IpAddr;

use super::{Note, Why};
use crate::server::{http::testing::Harness, notebook::Notebook};

const PATH: &str = "/v1/accounts/acme/extensions/100/refusals";

fn note(registration: &str, username: &str, why: Why, detail: &str) -> Note {
    Note {
        realm: "acme".into(),
        registration: registration.into(),
        username: username.into(),
        why,
        detail: detail.into(),
        address: IpAddr::from([10, 0, 0, 9]),
        device: "Yealink T46S".into(),
    }
}

async fn record(h: &Harness, notes: impl IntoIterator<Item = Note>) {
    let (notebook, writer) = Notebook::new(h.app.store.clone(), h.app.clock.clone());
    notes.into_iter().for_each(|note| notebook.refused(note));
    drop(notebook);
    writer.run().await;
}

#[tokio::test]
async fn each_refusal_is_a_sentence_with_the_way_out() {
    let h = Harness::new().await;
    let token = h.operator().await;
    let cases = [
        (note("100-acme", "100-acme", Why::WrongSecret, ""), "100-acme's. Make a new SIP password"),
        (note("100-acme", "100", Why::UnknownUser, ""), "no SIP user 100. "),
        (note("", "100-acme-laptop~k3f9", Why::UnknownUser, ""), "Sign in again in Agent Manager"),
        (note("100-acme-laptop", "100-acme-laptop", Why::UnknownUser, ""), "has no SIP password yet"),
        (note("100-acme", "101-acme", Why::WrongName, "101-acme"), "101-acme's, and the device wants to be 100-acme"),
        (note("100-acme", "100-acme", Why::InUse, "Snom at 10.0.0.1"), "in use by Snom at 10.0.0.1"),
        (note("100-acme", "100-acme", Why::TakenOver, ""), "signs out"),
        (note("100-acme", "100-acme", Why::OtherInstallation, ""), "Sign in on this one"),
        (note("100-acme", "100-acme", Why::Banned, ""), "Correct the password"),
        (note("100-acme", "100-acme", Why::Disabled, ""), "Enable it in Extension Manager"),
        (note("100-acme", "100-acme", Why::Limit, ""), "tries again by itself"),
    ];
    for (note, words) in cases {
        h.pass(1);
        let why = note.why;
        record(&h, [note]).await;
        let shown = h.get(PATH).token(&token).send().await;
        let sentence = shown.json[0]["sentence"].as_str().unwrap_or_default();
        assert!(sentence.contains(words), "{why:?}: {sentence}");
        assert_eq!(shown.json[0]["address"], "10.0.0.9");
    }
    for realm in ["elsewhere", "tms.example"] {
        h.pass(1);
        record(&h, [Note { realm: realm.into(), ..note("100-acme", "100-acme", Why::UnknownUser, "") }]).await;
        let shown = h.get(PATH).token(&token).send().await;
        let words = format!("in the SIP domain {realm}, which is not this account's");
        assert!(shown.json[0]["sentence"].as_str().is_some_and(|s| s.contains(&words)), "{}", shown.text);
    }
    h.patch("/v1/accounts/acme/extensions/100", serde_json::json!({"enabled": false})).token(&token).send().await;
    h.pass(1);
    record(&h, [note("100-acme", "100-acme-laptop~k3f9", Why::UnknownUser, "")]).await;
    let shown = h.get(PATH).token(&token).send().await;
    assert!(shown.json[0]["sentence"].as_str().is_some_and(|s| s.contains("disabled")), "{}", shown.text);
}

#[tokio::test]
async fn a_flood_is_counted_and_the_list_stays_short() {
    let h = Harness::new().await;
    let token = h.operator().await;
    record(&h, (0..50).map(|_| note("100-acme", "100-acme", Why::WrongSecret, ""))).await;
    let shown = h.get(PATH).token(&token).send().await;
    assert_eq!((shown.json.as_array().map(Vec::len), &shown.json[0]["times"]), (Some(1), &50.into()));
    h.pass(1);
    record(&h, (0..100).map(|n| note("100-acme", &format!("guess{n}"), Why::UnknownUser, ""))).await;
    record(&h, [note("999-acme", "nobody", Why::UnknownUser, "")]).await;
    let shown = h.get(PATH).token(&token).send().await;
    assert_eq!(shown.json.as_array().map(Vec::len), Some(20));
    let other = h.get("/v1/accounts/acme/extensions/101/refusals").token(&token).send().await;
    assert_eq!(other.json.as_array().map(Vec::len), Some(0));
}
