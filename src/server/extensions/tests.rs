//! Extensions: what is accepted, and what untying owner or key ends.

use serde_json::json;

use crate::{
    server::http::testing::{Harness, INSTANCE},
    tms::wire::problem,
};

const EXTENSIONS: &str = "/v1/accounts/acme/extensions";

#[tokio::test]
async fn an_extension_comes_with_its_primary() {
    let h = Harness::new().await;
    let token = h.operator().await;
    let add = |number: &str| h.post(EXTENSIONS, json!({"number": number, "name": "N"})).token(&token).send();
    for (number, status) in [("200", 201), ("200", 409), ("", 422), ("12a", 422), ("1234567890123", 422), ("７", 422)]
    {
        assert_eq!(add(number).await.status.as_u16(), status, "{number}");
    }
    let list = h.get(&format!("{EXTENSIONS}/200/registrations")).token(&token).send().await;
    assert_eq!((&list.json[0]["name"], &list.json[0]["kind"]), (&json!("200-acme"), &json!("P")));
    assert_eq!(list.json.as_array().map(Vec::len), Some(1));
    let numbers = h.get(EXTENSIONS).token(&token).send().await;
    let numbers: Vec<_> = numbers.json.as_array().expect("a list").iter().map(|e| e["number"].clone()).collect();
    assert_eq!(numbers, ["100", "101", "200", "600", "601"]);
    assert_eq!(h.get(&format!("{EXTENSIONS}/999")).token(&token).send().await.status.as_u16(), 404);
}

/// Each of these takes the extension from the agent; what he had by it ends.
#[tokio::test]
async fn taking_an_extension_away_ends_what_hung_on_it() {
    for change in [json!({"api_key": null}), json!({"login": null}), json!({"enabled": false})] {
        let h = Harness::new().await;
        let (operator, agent) = (h.operator().await, h.agent().await);
        let body = json!({"instance_id": INSTANCE});
        let made = h.post("/v1/me/registrations/100-acme/sip-credential", body).token(&agent).send().await;
        h.sip.hold("100-acme", Some(INSTANCE), Some(1));
        let path = format!("{EXTENSIONS}/100");
        assert_eq!(h.patch(&path, change.clone()).token(&operator).send().await.status.as_u16(), 200);
        assert_eq!(h.get("/v1/me").token(&agent).send().await.status.as_u16(), 401, "{change}");
        let credential = h.registry().credentials("acme", &made.string("username")).await.expect("asks");
        assert!(credential.is_none(), "{change}");
        assert!(h.sip.contacts.lock().expect("unpoisoned").is_empty(), "{change}");
        let again = h.try_sign_in(&h.demo.username, &h.demo.password, &h.demo.api_key).await;
        assert_eq!(again.kind(), problem::API_KEY_NOT_ENABLED, "{change}");
    }
}

#[tokio::test]
async fn one_of_several_extensions_goes_without_the_session() {
    let h = Harness::new().await;
    let (operator, agent) = (h.operator().await, h.agent().await);
    let key = h.get(&format!("{EXTENSIONS}/100")).token(&operator).send().await.json["api_key"].clone();
    let tie = json!({"login": h.demo.username, "api_key": key});
    h.patch(&format!("{EXTENSIONS}/101"), tie).token(&operator).send().await;
    let me = h.get("/v1/me").token(&agent).send().await;
    assert_eq!(me.json["extensions"].as_array().map(Vec::len), Some(2), "{}", me.text);
    let credential = |name: &str| {
        let path = format!("/v1/me/registrations/{name}/sip-credential");
        h.post(&path, json!({"instance_id": INSTANCE})).token(&agent).send()
    };
    let (first, second) = (credential("100-acme").await, credential("101-acme").await);
    h.sip.hold("100-acme", Some(INSTANCE), Some(1));
    h.sip.hold("101-acme", Some(INSTANCE), Some(1));

    h.patch(&format!("{EXTENSIONS}/101"), json!({"api_key": null})).token(&operator).send().await;
    assert_eq!(h.get("/v1/me").token(&agent).send().await.status.as_u16(), 200, "the whole session ended");
    let works = async |reply: &crate::server::http::testing::Reply| {
        h.registry().credentials("acme", &reply.string("username")).await.expect("asks").is_some()
    };
    assert_eq!((works(&first).await, works(&second).await), (true, false));
    let held = h.sip.contacts.lock().expect("unpoisoned").iter().map(|c| c.registration.clone()).collect::<Vec<_>>();
    assert_eq!(held, ["100-acme"]);
}

#[tokio::test]
async fn an_extension_goes_with_all_that_hung_on_it_and_its_number_is_free() {
    let h = Harness::new().await;
    let (operator, agent) = (h.operator().await, h.agent().await);
    let body = json!({"instance_id": INSTANCE});
    let made = h.post("/v1/me/registrations/100-acme-laptop/sip-credential", body).token(&agent).send().await;
    h.post(&format!("{EXTENSIONS}/100/links"), json!({})).token(&operator).send().await;
    h.sip.hold("100-acme", None, None);
    h.sip.hold("100-acme-laptop", Some(INSTANCE), Some(1));
    h.sip.hold("101-acme", None, None);
    let path = format!("{EXTENSIONS}/100");
    assert_eq!(h.delete(&path).token(&agent).send().await.status.as_u16(), 401, "a softphone removed it");
    assert_eq!(h.delete(&path).token(&operator).send().await.status.as_u16(), 204);
    assert_eq!(h.get("/v1/me").token(&agent).send().await.status.as_u16(), 401);
    assert!(h.registry().credentials("acme", &made.string("username")).await.expect("asks").is_none());
    assert!(h.registry().credentials("acme", "100-acme").await.expect("asks").is_none());
    let held = h.sip.contacts.lock().expect("unpoisoned").iter().map(|c| c.registration.clone()).collect::<Vec<_>>();
    assert_eq!(held, ["101-acme"]);
    assert_eq!(h.delete(&path).token(&operator).send().await.status.as_u16(), 404, "removed twice");
    let logins = h.get("/v1/accounts/acme/logins").token(&operator).send().await;
    assert!(logins.text.contains(&h.demo.username), "the person went too");
    let audit = h.get("/v1/accounts/acme/audit").token(&operator).send().await;
    assert!(audit.text.contains("remove extension"), "{}", audit.text);
    let anew = h.post(EXTENSIONS, json!({"number": "100", "name": "Anew"})).token(&operator).send().await;
    assert_eq!((anew.status.as_u16(), &anew.json["login"]), (201, &json!(null)), "{}", anew.text);
}
