//! Each refusal at sign-in, as the softphone shows it.

use crate::tms::Tms;
use serde_json::{Value, json};

/// What the operator does before the agent signs in.
type Before = fn(&Tms);

fn agent_login(tms: &Tms) -> String {
    format!("/v1/accounts/acme/logins/{}", tms.demo("username"))
}

#[test]
fn each_refusal_is_a_sentence_with_the_way_out() {
    let tms = Tms::start(true);
    let new_login = json!({"username": "new@acme.example", "name": "Nele New", "password": "quiet rivers run deep",
        "role": "extension"});
    tms.ask("POST", "/v1/accounts/acme/logins", &new_login);
    let (user, password, key) = (tms.demo("username"), tms.demo("password"), tms.demo("api_key"));
    let nothing: Before = |_| ();
    // The later ones take away what the earlier ones need.
    #[rustfmt::skip]
    let cases: [(&str, Before, [&str; 3], &str); 8] = [
        ("a wrong password", nothing, [user, "wrong", key], "password"),
        ("an unknown user", nothing, ["nobody@nowhere.example", password, key], "password"),
        ("an unknown key", nothing, [user, password, "tms_wrong"], "key"),
        ("a login that was never activated", nothing, ["new@acme.example", "quiet rivers run deep", key], "Account enabled"),
        ("a key that is not enabled on the extension", |tms| {
            tms.ask("PATCH", "/v1/accounts/acme/extensions/100", &json!({"api_key": null}));
        }, [user, password, key], "Extension Manager"),
        ("a disabled login", |tms| {
            tms.ask("PATCH", &agent_login(tms), &json!({"enabled": false}));
        }, [user, password, key], "disabled"),
        ("a disabled account", |tms| {
            tms.ask("PATCH", &agent_login(tms), &json!({"enabled": true}));
            tms.ask("PATCH", "/v1/accounts/acme", &json!({"enabled": false}));
        }, [user, password, key], "disabled"),
        ("a revoked key", |tms| {
            tms.ask("PATCH", "/v1/accounts/acme", &json!({"enabled": true}));
            let keys = tms.ask("GET", "/v1/accounts/acme/api-keys", &Value::Null);
            tms.ask("DELETE", &format!("/v1/accounts/acme/api-keys/{}", keys[0]["id"]), &Value::Null);
        }, [user, password, key], "key"),
    ];
    for (n, (what, before, [user, password, key], words)) in cases.into_iter().enumerate() {
        before(&tms);
        let mut phone = tms.phone_as(&format!("refused-{n}"), user, password, key);
        let refused = phone.wait(json!({"event": "login", "state": "refused"}));
        let reason = refused["reason"].as_str().expect("a reason");
        assert!(reason.len() >= 20 && reason.contains(words), "{what}: {reason}");
        assert_eq!(phone.exit_code(), Some(3), "{what}");
    }
}

#[test]
fn too_many_attempts_are_told_to_wait() {
    let tms = Tms::start(true);
    let mut reason = String::new();
    for n in 0..11 {
        let mut phone = tms.phone_as(&format!("guess-{n}"), tms.demo("username"), "a guess", tms.demo("api_key"));
        let refused = phone.wait(json!({"event": "login", "state": "refused"}));
        phone.exit_code();
        refused["reason"].as_str().expect("a reason").clone_into(&mut reason);
    }
    assert!(reason.contains("attempts"), "{reason}");
}
