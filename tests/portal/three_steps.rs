//! *Set up an agent*: pick the extension, send the one-time link; the agent opens it, sets a password, and the real window opens
//! signed in and online on a registration of its own.

use crate::{
    browser::Browser,
    desk::Desk,
    person::Hands,
    process::Process,
    pulse::Pulse,
    server::{OPERATOR, OPERATOR_PASSWORD, Server},
};

const AGENT: &str = "sipho@example.com";
const AGENT_PASSWORD: &str = "nine yellow kites";

/// What IT staff do; the link that they send.
async fn send(server: &Server, edition: &str, tenant: &str) -> String {
    let it = Browser::start(&server.http).await;
    it.open("/").await;
    it.sign_in(OPERATOR, OPERATOR_PASSWORD).await;
    it.add_account("Gamma Garage", tenant, edition).await;
    it.add_extension(tenant, "300", "Front desk").await;

    it.press("Extension Manager").await;
    it.press("Set up an agent").await;
    it.sees("Pick the extension").await;
    it.looked(&format!("{tenant}-1-pick")).await;
    it.follow("300 Front desk").await;
    it.fill("name", "Sipho Ndlovu").await;
    it.fill("username", AGENT).await;
    it.looked(&format!("{tenant}-2-send")).await;
    it.document(tenant, "set-up").await;
    it.press("Make the link").await;
    let link = it.value("link").await;
    it.looked(&format!("{tenant}-3-done")).await;
    // No secret goes into a picture, although this one is used up.
    it.script("document.querySelector('#link').value = 'https://tms.example/setup/…'").await;
    it.document(tenant, "set-up-link").await;
    it.end().await;
    link
}

/// What the agent does; the link that opens Agent Manager.
async fn open(server: &Server, tenant: &str, link: &str) -> String {
    let agent = Browser::start(&server.http).await;
    agent.open(link.strip_prefix(&server.http).expect("a page of this server")).await;
    agent.sees("Welcome, Sipho Ndlovu").await;
    agent.looked(&format!("{tenant}-4-welcome")).await;
    agent.fill("password", AGENT_PASSWORD).await;
    agent.sees("Secure enough").await;
    agent.document(tenant, "invitation").await;
    agent.press("Set password").await;
    agent.sees("Your password is set").await;
    agent.looked(&format!("{tenant}-5-ready")).await;
    let opens = agent.attribute("a[href^='agent-manager:']", "href").await;
    agent.end().await;
    opens
}

fn walk(edition: &str, tenant: &str, registration: &str) {
    let server = Server::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let opens = runtime.block_on(async {
        let link = send(&server, edition, tenant).await;
        open(&server, tenant, &link).await
    });
    let (desk, sound) = (Desk::start(), Pulse::start());
    let mut command = desk.agent_manager();
    // What the desktop starts when the button is pressed.
    command.envs(sound.environment()).args(["--light", &opens]);
    let _window = Process(command.spawn().expect("the window starts"));
    Hands(&desk).does(&[&["wait", &format!("Online, {registration}")]]);
    desk.picture("root", &format!("{tenant}-three-steps.png"));
}

#[test]
fn an_enterprise_agent_is_online_in_three_steps() {
    walk("Enterprise", "delta", "300-delta-agent, secondary");
}

#[test]
fn an_express_agent_is_online_in_three_steps() {
    walk("Express", "epsilon", "300-epsilon, primary");
}
