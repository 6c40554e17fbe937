//! Signing in: what is typed, kept and sent.

use crate::{
    desk::{Setup, asked},
    fake::*,
};
use agent_manager::{
    secret::Secret,
    ui::{
        screen::Page,
        snapshot::{AudioEncryption, Intent, SignInForm, SipAccount, Snapshot, Status},
    },
};
use egui::Key;
use egui_kittest::kittest::{NodeT, Queryable};

fn secret(text: &str) -> Secret {
    Secret(text.to_owned())
}

#[test]
fn apply_sends_what_was_typed() {
    let mut harness = Setup::new(signed_out()).light();
    for (field, text) in
        [("Server", "tms.example"), ("User name", "maria"), ("Password", "correct-horse"), ("API key", "tms_4f0c9a")]
    {
        harness.get_by_label(field).focus();
        harness.run();
        harness.get_by_label(field).type_text(text);
        harness.run();
    }
    harness.get_by_label("Apply").click();
    harness.run();
    let wanted = Intent::Apply {
        server: "tms.example".into(),
        username: "maria".into(),
        password: secret("correct-horse"),
        api_key: secret("tms_4f0c9a"),
        remember: true,
    };
    assert_eq!(asked(&mut harness), [wanted]);
}

/// *Apply* makes the program remember server and user name, and it says so in its next snapshot.
#[test]
fn what_is_typed_stays_when_apply_is_refused() {
    let mut harness = Setup::new(signed_out()).light();
    for (field, text) in
        [("Server", "tms.example"), ("User name", "maria"), ("Password", "correct-horse"), ("API key", "tms_4f0c9a")]
    {
        harness.get_by_label(field).focus();
        harness.run();
        harness.get_by_label(field).type_text(text);
        harness.run();
    }
    for _ in 0..2 {
        harness.get_by_label("Apply").click();
        harness.run();
        let applied = asked(&mut harness);
        let all = |intent: &Intent| {
            matches!(intent, Intent::Apply { password, api_key, remember: true, .. }
                if password.0 == "correct-horse" && api_key.0 == "tms_4f0c9a")
        };
        assert!(applied.len() == 1 && all(&applied[0]), "{applied:?}");
        let snapshot = &mut harness.state_mut().snapshot;
        (snapshot.sign_in.server, snapshot.sign_in.username) = ("tms.example".into(), "maria".into());
        snapshot.status = refused().status;
        harness.run();
    }
    harness.state_mut().snapshot = online();
    harness.run();
    let typed = &demo_form().sign_in;
    harness.state_mut().snapshot = Snapshot {
        sign_in: SignInForm { password: Secret::default(), api_key: Secret::default(), ..typed.clone() },
        ..signed_out()
    };
    harness.run();
    assert_eq!(
        harness.get_by_label("Password").value().unwrap_or_default(),
        "",
        "nothing secret waits for whoever is next"
    );
}

#[test]
fn an_empty_field_is_named_and_nothing_is_sent() {
    let mut harness = Setup::new(signed_out()).light();
    harness.get_by_label("Apply").click();
    harness.run();
    assert!(harness.query_all_by_label_contains("Enter the server's address").next().is_some());
    assert_eq!(asked(&mut harness), []);
}

#[test]
fn remembered_secrets_may_stay_empty() {
    let mut snapshot = demo_form();
    snapshot.sign_in.password.0.clear();
    snapshot.sign_in.api_key.0.clear();
    snapshot.sign_in.secrets_remembered = true;
    let mut harness = Setup::new(snapshot).light();
    harness.get_by_label("Apply").click();
    harness.run();
    assert!(matches!(&asked(&mut harness)[..], [Intent::Apply { password, .. }] if password.0.is_empty()));
}

#[test]
fn what_is_remembered_is_one_login_s() {
    let mut snapshot = demo_form();
    snapshot.sign_in = SignInForm {
        password: Secret::default(),
        api_key: Secret::default(),
        secrets_remembered: true,
        ..snapshot.sign_in
    };
    let mut harness = Setup::new(snapshot).light();
    harness.get_by_label("User name").focus();
    harness.run();
    harness.get_by_label("User name").type_text("-s");
    harness.run();
    harness.get_by_label("Apply").click();
    harness.run();
    assert_eq!(asked(&mut harness), []);
    assert!(harness.query_all_by_label_contains("Enter your password").next().is_some());
}

#[test]
fn a_refusal_is_read_whole_also_above_a_call() {
    for snapshot in [refused(), Snapshot { calls: vec![talking()], ..refused() }] {
        let harness = Setup::new(snapshot).light();
        let mut said = harness.query_all_by_label_contains("This login has not been activated");
        let sentence =
            said.find(|node| node.accesskit_node().role() == egui::accesskit::Role::Label).expect("it is said");
        let (sentence, first) = (sentence.rect(), harness.get_by_label("Server").rect());
        assert!(sentence.height() > 60.0 && sentence.top() > 0.0 && sentence.bottom() < first.top(), "{sentence}");
    }
}

#[test]
fn tenant_and_key_are_a_form_of_their_own() {
    let mut harness = Setup::new(signed_out()).light();
    harness.get_by_label("Sign in with tenant and key").click();
    harness.run();
    assert!(harness.query_by_label("User name").is_none());
    harness.get_by_label("Apply").click();
    harness.run();
    for (field, text) in [("Server", "tms.example"), ("Tenant", "acme"), ("API key", "tms_4f0c9a")] {
        harness.get_by_label(field).focus();
        harness.run();
        harness.get_by_label(field).type_text(text);
        harness.run();
        assert_eq!(asked(&mut harness), []);
    }
    harness.get_by_label("Apply").click();
    harness.run();
    let wanted = Intent::ApplyXml {
        server: "tms.example".into(),
        tenant: "acme".into(),
        key: secret("tms_4f0c9a"),
        sip_server: String::new(),
        remember: true,
    };
    assert_eq!(asked(&mut harness), [wanted]);
    harness.get_by_label("Sign in with user name and password").click();
    harness.run();
    assert!(harness.query_by_label("User name").is_some(), "what is typed stays, and the way back is there");
}

#[test]
fn a_remembered_key_is_the_tenant_s_only() {
    let mut harness = Setup::new(tenant_form()).light();
    harness.get_by_label("Apply").click();
    harness.run();
    assert!(matches!(&asked(&mut harness)[..], [Intent::ApplyXml { key, .. }] if key.0.is_empty()));
    harness.get_by_label("Sign in with user name and password").click();
    harness.run();
    harness.get_by_label("User name").type_text("maria");
    harness.run();
    harness.get_by_label("Apply").click();
    harness.run();
    assert_eq!(asked(&mut harness), []);
    assert!(harness.query_all_by_label_contains("Enter your").next().is_some());
}

#[test]
fn a_sip_password_is_typed_where_it_is_asked_for() {
    let mut harness = Setup::new(sip_password(None)).light();
    harness.get_by_label("Go online").click();
    harness.run();
    assert_eq!(asked(&mut harness), [], "nothing is typed yet");
    harness.get_by_label("SIP password").focus();
    harness.run();
    harness.get_by_label("SIP password").type_text("s3cret");
    harness.run();
    harness.key_press(Key::Enter);
    harness.run();
    let wanted = Intent::SipPassword { registration: "100-acme-laptop".into(), password: secret("s3cret") };
    assert_eq!(asked(&mut harness), [wanted]);
}

#[test]
fn a_sign_in_can_be_given_up() {
    let mut harness = Setup::new(Snapshot { status: Status::SigningIn, ..demo_form() }).light();
    harness.get_by_label("Cancel").click();
    harness.run();
    let cancelled = asked(&mut harness);
    assert_eq!(cancelled, [Intent::CancelSignIn]);
}

#[test]
fn what_is_secret_shows_in_no_debug_output() {
    let mut harness = Setup::new(demo_form()).light();
    harness.get_by_label("Apply").click();
    harness.run();
    let said = format!("{:?} {:?}", asked(&mut harness), demo_form());
    assert!(said.contains("maria") && !said.contains("correct-horse") && !said.contains("tms_4f0c9a"), "{said}");
}

#[test]
fn signing_out_leads_back_to_the_form() {
    let mut harness = Setup::new(online()).page(Page::Settings).light();
    harness.get_by_label("Sign out").click();
    harness.run();
    assert_eq!(asked(&mut harness), [Intent::SignOut]);
    harness.state_mut().snapshot = Snapshot { status: Status::SignedOut, ..demo_form() };
    harness.run();
    assert!(harness.query_by_label("Apply").is_some());
}

#[test]
fn a_plain_account_needs_its_address_and_little_else() {
    let mut harness = Setup::new(signed_out()).light();
    harness.get_by_label("Use a SIP account").click();
    harness.run();
    harness.get_by_label("Apply").click();
    harness.run();
    assert_eq!(asked(&mut harness), []);
    assert!(harness.query_all_by_label_contains("Enter the SIP address of your account").next().is_some());
    for (field, text) in [("SIP address", "101@pbx.example"), ("Password", "s3cret")] {
        harness.get_by_label(field).focus();
        harness.run();
        harness.get_by_label(field).type_text(text);
        harness.run();
    }
    harness.key_press(Key::Enter);
    harness.run();
    let account = SipAccount { address: "101@pbx.example".into(), ..SipAccount::default() };
    let wanted = Intent::ApplySip { account: Box::new(account), password: secret("s3cret"), remember: true };
    assert_eq!(asked(&mut harness), [wanted]);
}

#[test]
fn what_was_typed_of_a_plain_account_is_there_again() {
    let mut harness = Setup::new(sip_form()).size([380.0, 1600.0]).light();
    assert_eq!(harness.get_by_label("Outbound proxy").value().as_deref(), Some("edge.example:5061"));
    harness.get_by_label("Apply").click();
    harness.run();
    let apply =
        |account| [Intent::ApplySip { account: Box::new(account), password: Secret::default(), remember: true }];
    assert_eq!(asked(&mut harness), apply(sip_account()));
    // Changed, each by itself.
    harness.get_by_label("STUN server").focus();
    harness.run();
    harness.get_by_label("STUN server").type_text(":3479");
    harness.run();
    harness.get_by_label("Encryption of calls").click();
    harness.run();
    harness.get_by_label("Always, or no call (DTLS)").click_accesskit();
    harness.run();
    harness.get_by_label("Apply").click();
    harness.run();
    let (stun_server, encryption) = ("stun.example:3479".to_owned(), AudioEncryption::Handshake);
    let changed = SipAccount { stun_server, encryption, ..sip_account() };
    assert_eq!(asked(&mut harness), apply(changed.clone()));
    // A relay wants to know who asks.
    assert!(harness.query_by_label("TURN password").is_none());
    for (field, text) in
        [("TURN server", "turn:relay.example"), ("TURN user name", "alice"), ("TURN password", "s3cret")]
    {
        harness.get_by_label(field).focus();
        harness.run();
        harness.get_by_label(field).type_text(text);
        harness.run();
    }
    harness.get_by_label("Apply").click();
    harness.run();
    let (turn_server, turn_username) = ("turn:relay.example".to_owned(), "alice".to_owned());
    let relayed = SipAccount { turn_server, turn_username, turn_password: secret("s3cret"), ..changed };
    assert_eq!(asked(&mut harness), apply(relayed.clone()));
    // And a collector wants to know how calls sound.
    harness.get_by_label("Quality reports to").focus();
    harness.run();
    harness.get_by_label("Quality reports to").type_text("quality@pbx.example");
    harness.run();
    harness.get_by_label("Apply").click();
    harness.run();
    assert_eq!(asked(&mut harness), apply(SipAccount { quality_collector: "quality@pbx.example".into(), ..relayed }));
}

#[test]
fn a_plain_account_is_changed_from_select_account() {
    let mut harness = Setup::new(plain()).page(Page::Account).light();
    for said in
        ["101@pbx.example", "The server lists this computer", "The way calls come was tried 42 s ago, and works"]
    {
        assert!(harness.query_by_label(said).is_some(), "{said}");
    }
    harness.get_by_label("Change the account").click();
    harness.run();
    assert_eq!(asked(&mut harness), [Intent::SignOut]);
}
