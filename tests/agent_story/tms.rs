//! `tms serve --demo-data`, its REST API, and softphones that sign in to it.

use crate::{
    phone::Phone,
    process::{Process, binary},
    provider::{Kamailio, Provider},
};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

const OPERATOR: &str = "operator@tms.example";
const OPERATOR_PASSWORD: &str = "a long walk along the shore";

/// A server in a folder of its own.
pub struct Tms {
    folder: tempfile::TempDir,
    process: Option<Process>,
    pub ready: Value,
    operator: String,
    /// Ended after the server.
    provider: Option<Provider>,
}

impl Tms {
    /// With all parties of the demonstration, or only echo and call-back.
    pub fn start(quiet: bool) -> Self {
        Self::start_with(quiet, &[])
    }

    /// With more of `serve`'s options.
    pub fn start_with(quiet: bool, options: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let database = format!("sqlite://{}/tms.db", folder.path().display());
        make_operator(&database);
        Self::serve(folder, &database, quiet, &[&["--sip", "127.0.0.1:0"], options].concat(), None)
    }

    /// On PostgreSQL, with Kamailio and rtpengine in place of the SIP side.
    pub fn start_provider(quiet: bool) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let provider = Provider::start(folder.path(), make_operator);
        let (rpc, proxy) = (provider.kamailio.rpc_url(), provider.kamailio.proxy());
        let options = ["--no-sip", "--kamailio", &rpc, "--sip-proxy", &proxy];
        let database = provider.postgres.url("tms");
        Self::serve(folder, &database, quiet, &options, Some(provider))
    }

    fn serve(
        folder: tempfile::TempDir,
        database: &str,
        quiet: bool,
        options: &[&str],
        provider: Option<Provider>,
    ) -> Self {
        let demo = if quiet { "--demo-data=quiet" } else { "--demo-data" };
        let arguments = [&["--http", "127.0.0.1:0", "--database-url", database, demo], options].concat();
        Self::begun(folder, run(&arguments), provider)
    }

    /// Another process on a provider's database, beside a Kamailio of its own.
    pub fn beside(&self, kamailio: &Kamailio) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (database, rpc, proxy) = (self.provider().postgres.url("tms"), kamailio.rpc_url(), kamailio.proxy());
        let arguments = ["--http", "127.0.0.1:0", "--database-url", &database, "--no-sip", "--kamailio", &rpc];
        Self::begun(folder, run(&[&arguments[..], &["--sip-proxy", &proxy]].concat()), None)
    }

    fn begun(folder: tempfile::TempDir, (process, ready): (Process, Value), provider: Option<Provider>) -> Self {
        let started = Self { folder, process: Some(process), ready, operator: String::new(), provider };
        started.signed_in(OPERATOR, OPERATOR_PASSWORD)
    }

    /// A server that somebody else started, asked by who may manage it.
    pub fn at(http: &str, (username, password): (&str, &str)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let ready = json!({"http": http});
        Self { folder, process: None, ready, operator: String::new(), provider: None }.signed_in(username, password)
    }

    fn signed_in(mut self, username: &str, password: &str) -> Self {
        let asked = json!({"username": username, "password": password});
        let session = self.ask("POST", "/v1/manage/session", &asked);
        self.operator = session["token"].as_str().expect("a token").to_owned();
        self
    }

    /// Ends the server; the database stays.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// After [`Self::stop`], of a server that [`Self::start`] started: again, at the same addresses, with what its database
    /// has and no new demonstration.
    pub fn start_again(&mut self) {
        let http = self.url().strip_prefix("http://").expect("plain HTTP");
        let database = format!("sqlite://{}/tms.db", self.folder.path().display());
        let sip = self.ready["sip"].as_str().expect("an address");
        self.process = Some(run(&["--http", http, "--sip", sip, "--database-url", &database]).0);
    }

    /// Of a server that [`Tms::start_provider`] started.
    pub fn provider(&self) -> &Provider {
        self.provider.as_ref().expect("started with a provider's side")
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn url(&self) -> &str {
        self.ready["http"].as_str().expect("the ready line has it")
    }

    /// What the ready line says of the demonstration: `username`, `password`, `api_key`.
    pub fn demo(&self, field: &str) -> &str {
        self.ready["demo"][field].as_str().expect("the ready line has it")
    }

    /// The demonstration's agent: where to sign in, user name, password and key.
    pub fn login(&self) -> [&str; 4] {
        [self.url(), self.demo("username"), self.demo("password"), self.demo("api_key")]
    }

    /// Asks as the operator; the answer's JSON. Anything but a 2xx fails the test.
    pub fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.post(path, "application/json", method, &body.to_string());
        serde_json::from_str(&answer).unwrap_or_default()
    }

    fn post(&self, path: &str, content_type: &str, method: &str, body: &str) -> String {
        let address = self.ready["http"].as_str().and_then(|u| u.strip_prefix("http://")).expect("an address");
        let mut stream = TcpStream::connect(address).expect("connects");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("sets");
        let token = &self.operator;
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: tms\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .expect("writes");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("reads");
        assert!(answer.starts_with("HTTP/1.1 2"), "{method} {path}: {answer}");
        answer.split_once("\r\n\r\n").expect("a body").1.to_owned()
    }

    /// An action of the XML API; its answer.
    pub fn xml(&self, action: &str, fields: &str) -> String {
        let key = self.demo("api_key");
        let request = format!(
            "<XML><Tenant><Name>acme</Name><Auth>{key}</Auth></Tenant><ActionName>{action}</ActionName>{fields}</XML>"
        );
        self.post("/Euphoria.Api.aspx", "text/xml", "POST", &request)
    }

    /// Whether HangUpChannel has ended this call.
    pub fn hang_up(&self, channel: &str) -> bool {
        self.xml("HangUpChannel", &format!("<Channel>{channel}</Channel>")).contains("<Status>Success")
    }

    /// A softphone that signs in with this user name, password and key.
    pub fn phone_as(&self, name: &str, username: &str, password: &str, key: &str) -> Phone {
        let url = self.ready["http"].as_str().expect("an address");
        let args = ["--tms", url, "--username", username, "--bind", "127.0.0.1:0", "--audio", "null"];
        Phone::start(self.folder(), name, &args, password, Some(key))
    }

    /// A link for extension 100, with what is to follow its code.
    pub fn link(&self, more: &str) -> String {
        let made = self.ask("POST", "/v1/accounts/acme/extensions/100/links", &Value::Null);
        format!("{}{more}", made["url"].as_str().expect("a link"))
    }

    /// A softphone that opens a link, or goes on with what an earlier one has opened.
    pub fn phone_by(&self, name: &str, link: Option<&str>) -> Phone {
        let args = match link {
            Some(link) => ["--link", link],
            None => ["--tms", self.ready["http"].as_str().expect("an address")],
        };
        let args = [&args[..], &["--bind", "127.0.0.1:0", "--audio", "null"]].concat();
        Phone::start(self.folder(), name, &args, "", None)
    }

    /// A softphone that knows this TMS by its XML API only.
    pub fn phone_by_xml(&self, name: &str, key: &str, sip_password: &str, more: &[&str]) -> Phone {
        let args = ["--tms", self.ready["http"].as_str().expect("an address"), "--tenant", "acme"];
        let args = [&args[..], &["--bind", "127.0.0.1:0", "--audio", "null"], more].concat();
        Phone::start(self.folder(), name, &args, sip_password, Some(key))
    }

    /// Who holds a registration of extension 100, if anybody.
    pub fn holder(&self, registration: &str) -> Value {
        let list = self.ask("GET", "/v1/accounts/acme/extensions/100/registrations", &Value::Null);
        let row = list.as_array().into_iter().flatten().find(|row| row["name"] == registration);
        row.expect("the registration is listed")["holder"].clone()
    }

    /// A new lasting password of a registration of extension 100.
    pub fn sip_password(&self, registration: &str) -> String {
        let path = format!("/v1/accounts/acme/extensions/100/registrations/{registration}/sip-password");
        self.ask("POST", &path, &Value::Null)["password"].as_str().expect("a password").to_owned()
    }

    /// The demonstration's agent, signed in. The same `name` is the same installation.
    pub fn agent(&self, name: &str) -> Phone {
        let phone = self.phone_as(name, self.demo("username"), self.demo("password"), self.demo("api_key"));
        phone.wait(json!({"event": "login", "state": "initialized"}));
        phone
    }

    /// A plain SIP phone on 101-acme, online over this transport; its server is a quiet one.
    pub fn colleague(&self, transport: &str) -> Phone {
        self.colleague_with(transport, &[])
    }

    /// With more options on its command line.
    pub fn colleague_with(&self, transport: &str, options: &[&str]) -> Phone {
        let phone = self.plain_phone_with(("colleague", "101-acme@acme"), transport, options);
        phone.wait(json!({"event": "registration", "state": "online"}));
        phone
    }

    /// A plain SIP phone that registers this address of record with the lasting password of 101-acme.
    pub fn plain_phone(&self, folder: &str, address: &str, transport: &str) -> Phone {
        self.plain_phone_with((folder, address), transport, &[])
    }

    fn plain_phone_with(&self, (folder, address): (&str, &str), transport: &str, options: &[&str]) -> Phone {
        let sip = &self.ready["demo"]["sip"];
        let (user, password) =
            (sip["username"].as_str().expect("a user"), sip["password"].as_str().expect("a password"));
        let account = format!("sip:{address}");
        let proxy = format!("sip:{};transport={transport};lr", self.ready["sip"].as_str().expect("an address"));
        let args = ["--sip-account", &account, "--outbound-proxy", &proxy, "--transport", transport];
        let args = [&args[..], &["--auth-user", user, "--bind", "127.0.0.1:0", "--audio", "null"], options].concat();
        Phone::start(self.folder(), folder, &args, password, None)
    }
}

fn make_operator(database: &str) {
    let made = Command::new(binary("tms"))
        .args(["admin", "create", "--username", OPERATOR, "--database-url", database])
        .env("TMS_ADMIN_PASSWORD", OPERATOR_PASSWORD)
        .stdout(Stdio::null())
        .status()
        .expect("tms runs");
    assert!(made.success());
}

/// `tms serve`, and what it says once it is ready.
fn run(arguments: &[&str]) -> (Process, Value) {
    let mut command = Command::new(binary("tms"));
    let mut child = command.arg("serve").args(arguments).stdout(Stdio::piped()).spawn().expect("tms starts");
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().expect("piped")).read_line(&mut line).expect("a line");
    (Process(child), serde_json::from_str(&line).expect("the ready line is JSON"))
}

/// Chooses a registration and waits for what becomes of it.
pub fn select(phone: &mut Phone, name: &str, takeover: bool, state: &str) -> Value {
    // With an id, the answer is told even where it is what was so before.
    phone.send(json!({"cmd": "select", "registration": name, "takeover": takeover, "id": "select"}));
    phone.wait(json!({"event": "registration", "name": name, "state": state}))
}

/// Waits until nobody holds the registration; the list is told anew when that changes.
pub fn until_free(phone: &mut Phone, name: &str) {
    while !row(phone, name)["in_use"].is_null() {
        phone.wait(json!({"event": "registrations"}));
    }
}

/// The row of a registration in the list.
pub fn row(phone: &mut Phone, name: &str) -> Value {
    phone.send(json!({"cmd": "registrations", "id": "row"}));
    let list = phone.wait(json!({"event": "registrations", "id": "row"}));
    let rows = list["list"].as_array().expect("a list");
    rows.iter().find(|row| row["name"] == name).expect("the registration is listed").clone()
}
