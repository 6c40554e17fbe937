//! From nothing to a call, as the document for IT staff has it: extension, login, additional registration, activation, API key,
//! *Update*, and Agent Manager with what came of it.

use crate::{
    browser::Browser,
    desk::Desk,
    person::Hands,
    phone::Phone,
    process::Process,
    pulse::Pulse,
    server::{OPERATOR, OPERATOR_PASSWORD, Server},
};
use serde_json::json;
use std::time::Duration;

const AGENT: &str = "thandi@example.com";
/// Typed by whoever makes the login; its owner chooses another at the first sign-in.
const GIVEN_PASSWORD: &str = "seven green umbrellas";
const AGENT_PASSWORD: &str = "eight rather blue raincoats";

struct Made {
    api_key: String,
    /// SIP password of the colleague's primary registration, for a device set up by hand.
    colleague: String,
}

/// Everything that is done in the browser. `edition` as the form offers it.
async fn set_up(server: &Server, edition: &str, tenant: &str) -> Made {
    let it = Browser::start(&server.http).await;
    it.open("/").await;
    it.accessible().await;
    it.sign_in(OPERATOR, OPERATOR_PASSWORD).await;
    it.add_account("Beta Books", tenant, edition).await;

    // Step 1: Extension Manager, choose the extension.
    it.press("Extension Manager").await;
    it.accessible().await;
    for (number, name) in [("201", "Colleague"), ("200", "Thandi")] {
        it.add_extension(tenant, number, name).await;
    }
    it.picture(&format!("{tenant}-extension")).await;
    it.document(tenant, "extension").await;
    it.accessible().await;

    // Step 2: TMS Admin, Create TMS account for this extension.
    it.press("TMS Admin").await;
    it.press("Create TMS account for this extension").await;
    it.fill("name", "Thandi Agent").await;
    it.fill("username", AGENT).await;
    it.fill("password", "password1").await;
    it.press("Create").await;
    it.sees("password").await;
    it.fill("password", GIVEN_PASSWORD).await;
    it.sees("Secure enough").await;
    it.picture(&format!("{tenant}-create-login")).await;
    it.document(tenant, "create-login").await;
    it.press("Create").await;
    it.sees(AGENT).await;
    it.accessible().await;

    // Additional registrations: two at most, and none on Express, which says so.
    it.press("Registrations").await;
    if edition == "Express" {
        it.sees("An Express account has one registration per extension").await;
    } else {
        it.press("Add Registration").await;
        it.fill("username", "laptop").await;
        it.press("Add Registration").await;
        it.sees(&format!("200-{tenant}-laptop")).await;
    }
    it.picture(&format!("{tenant}-registrations")).await;
    it.document(tenant, "registrations").await;
    it.accessible().await;

    // API Manager, Add API login; the key is shown once.
    it.press("API Manager").await;
    it.press("Add API login").await;
    it.fill("name", "Agent Manager").await;
    it.press("Add API login").await;
    let api_key = it.value("secret").await;
    it.press("Done").await;
    it.accessible().await;

    // On the extension: choose the key, press Update.
    it.open(&format!("/accounts/{tenant}/extensions/200/api-key")).await;
    it.choose("api_key", "Agent Manager").await;
    it.press("Update").await;
    it.sees("The API key was enabled on this extension.").await;
    it.picture(&format!("{tenant}-api-key")).await;
    it.document(tenant, "api-key").await;
    it.accessible().await;

    // A colleague's desk phone is set up by hand.
    it.open(&format!("/accounts/{tenant}/extensions/201")).await;
    it.press("Make a new SIP password").await;
    let colleague = it.value("secret").await;

    for page in ["users", "audit", "downloads"] {
        it.open(&format!("/accounts/{tenant}/{page}")).await;
        it.accessible().await;
        it.picture(&format!("{tenant}-{page}")).await;
    }
    it.sees("Agent Manager").await;
    it.end().await;

    // Activating the login: its owner signs in, chooses a password, selects the account, ticks Account enabled.
    let agent = Browser::start(&server.http).await;
    agent.open("/").await;
    agent.sign_in(AGENT, GIVEN_PASSWORD).await;
    agent.sees("Whoever gave you this password knows it").await;
    agent.looked(&format!("{tenant}-first-password")).await;
    agent.fill("current", GIVEN_PASSWORD).await;
    agent.fill("password", AGENT_PASSWORD).await;
    agent.press("Change password").await;
    agent.sees("Not enabled yet").await;
    agent.accessible().await;
    agent.follow("Beta Books").await;
    agent.sees("Account enabled").await;
    agent.accessible().await;
    agent.tick("enabled").await;
    agent.sees("Agent Manager can use this login").await;
    agent.picture(&format!("{tenant}-enabled")).await;
    agent.document(tenant, "account-enabled").await;
    agent.end().await;
    Made { api_key, colleague }
}

/// The real window signs in with what the browser made, comes online and calls the colleague.
fn talks(server: &Server, tenant: &str, registration: &str, made: &Made) {
    let (desk, sound) = (Desk::start(), Pulse::start());
    let account = format!("sip:201-{tenant}@{tenant}");
    let proxy = format!("sip:{};lr", server.sip);
    let args = ["--sip-account", &account, "--outbound-proxy", &proxy, "--bind", "127.0.0.1:0", "--audio", "null"];
    let colleague = Phone::start(server.folder.path(), "colleague", &args, &made.colleague, None);
    colleague.wait(json!({"event": "registration", "state": "online"}));
    let mut command = desk.agent_manager();
    command.envs(sound.environment()).args(["--tms", &server.http, "--username", AGENT, "--light"]);
    command.env("AGENT_MANAGER_PASSWORD", AGENT_PASSWORD).env("AGENT_MANAGER_API_KEY", &made.api_key);
    let _window = Process(command.spawn().expect("the window starts"));
    let hands = Hands(&desk);
    hands.does(&[
        &["click", "Apply"],
        &["wait", "Initialized"],
        &["click", "Settings"],
        &["click", "Select account*"],
        &["click", &format!("{registration}*")],
        &["wait", &format!("Online, {registration}")],
        &["set", "Number or SIP address", "201"],
        &["click", "Call"],
    ]);
    let mut colleague = colleague;
    let ringing = colleague.wait_for(Duration::from_secs(20), json!({"event": "call", "state": "ringing"}));
    colleague.send(json!({"cmd": "answer", "call": ringing["call"]}));
    hands.does(&[&["wait", "Connected to*"], &["wait", "Sound quality: *"]]);
    desk.picture("root", &format!("{tenant}-online.png"));
    hands.does(&[&["click", "End"]]);
    colleague.wait(json!({"event": "call", "state": "ended"}));
    colleague.quit();
}

fn walk(edition: &str, tenant: &str, registration: &str) {
    let server = Server::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let made = runtime.block_on(set_up(&server, edition, tenant));
    talks(&server, tenant, registration, &made);
}

#[test]
fn an_enterprise_account_from_nothing_to_a_call() {
    walk("Enterprise", "beta", "200-beta-laptop, secondary");
}

#[test]
fn an_express_account_from_nothing_to_a_call() {
    walk("Express", "gamma", "200-gamma, primary");
}
