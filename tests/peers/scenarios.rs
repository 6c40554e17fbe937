//! Every scenario of tests/peers/sipp in one run: sipp plays one side and checks what it gets, the headless softphone is the
//! other. The head of each file says what it proves and what the softphone does meanwhile:
//!
//! ```text
//! proves: The callee hangs up
//! rfc: RFC 3261 §15.1
//! role: callee                  the softphone's
//! phone: ringing answer; connected hangup; ended local 200
//! ```
//!
//! `phone` is what is seen of the call, in this order, and what is done then (`-`: nothing); `refused` is the answer to the
//! last command, `none` says that no call is to be seen at all. docs/scenarios.md lists them all;
//! `AM_WRITE_SCENARIOS=1 cargo nextest run --test peers scenarios::` writes it anew.

use crate::support::{
    phone::Phone,
    process::{free_port, poll_until},
    sipp::Sipp,
};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Mutex,
    time::Duration,
};

/// Softphones, and scenarios under way at once.
const PHONES: usize = 3;
const AT_ONCE: usize = 16;
/// For one step; sipp gives up a little later.
const PATIENCE: Duration = Duration::from_secs(15);

struct Scenario {
    name: String,
    proves: String,
    rfc: String,
    /// The softphone's.
    role: String,
    phone: String,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/peers/sipp")
}

impl Scenario {
    /// By name.
    fn all() -> Vec<Self> {
        let files = fs::read_dir(folder()).expect("the scenarios are there");
        let mut all: Vec<_> = files.map(|file| Self::read(&file.expect("a folder can be read").path())).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    fn read(path: &Path) -> Self {
        let name = path.file_stem().expect("a file has a name").to_string_lossy().into_owned();
        let text = fs::read_to_string(path).expect("a scenario can be read");
        let head = text.split("<!--").nth(1).and_then(|rest| rest.split("-->").next()).unwrap_or_default();
        let field = |field: &str| {
            let line = head.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(": "));
            line.unwrap_or_else(|| panic!("{name}: its head has no “{field}”")).to_owned()
        };
        Self { proves: field("proves"), rfc: field("rfc"), role: field("role"), phone: field("phone"), name }
    }

    /// `Err` says what went otherwise.
    fn run(&self, dir: &Path, (phone, port): &(Mutex<Phone>, u16), target: u16) -> Result<(), String> {
        let (target, patience) = (target.to_string(), (PATIENCE.as_secs() + 5).to_string());
        let more = ["-key", "target", &target, "-timeout", &patience];
        let sipp = match self.role.as_str() {
            "callee" => Sipp::calls(dir, &self.name, *port, 1, 1, &more),
            "caller" => {
                let sipp = Sipp::called(dir, &self.name, 1, &more);
                let to = format!("sip:{}@127.0.0.1:{}", self.name, sipp.port);
                lock(phone).send(json!({"cmd": "dial", "to": to, "id": self.name}));
                sipp
            }
            other => return Err(format!("{}: the role {other} is not known", self.name)),
        };
        let seen = self.follow(phone);
        let outcome = sipp.outcome();
        match (seen, outcome) {
            (Ok(()), Ok(_)) => Ok(()),
            (Err(why), Ok(_)) => Err(format!("{}: {why}", self.name)),
            (Ok(()), Err(why)) => Err(why),
            (Err(phone), Err(sipp)) => Err(format!("{}: {phone}; {sipp}", self.name)),
        }
    }

    /// Sees the call through as `phone` says.
    fn follow(&self, phone: &Mutex<Phone>) -> Result<(), String> {
        if self.phone == "none" {
            return Ok(());
        }
        let mut seen = 0;
        let mut call = None;
        let mut states = Vec::new();
        for step in self.phone.split(';') {
            let (state, act) = step.trim().split_once(' ').ok_or("a step is a state and what is done then")?;
            let event = poll_until(PATIENCE, || {
                let events = lock(phone).events_after(seen);
                for event in events {
                    seen += 1;
                    if call.is_none() && self.is_about(&event) {
                        call = Some(event["call"].clone());
                    }
                    let refused = event["event"] == "error" && event["id"] == self.name.as_str();
                    let ours = event["event"] == "call" && Some(&event["call"]) == call.as_ref();
                    let this = if refused { "refused" } else { event["state"].as_str().unwrap_or_default() };
                    if ours || refused {
                        states.push(this.to_owned());
                    }
                    if (ours || refused) && this == state {
                        return Some(event);
                    }
                }
                None
            });
            let event = event.ok_or_else(|| format!("“{state}” never came, only {states:?}"))?;
            self.act(phone, &event, act, call.as_ref())?;
        }
        Ok(())
    }

    fn is_about(&self, event: &Value) -> bool {
        let user = |peer: &str| peer.strip_prefix("sip:").and_then(|p| p.split('@').next()) == Some(&self.name);
        event["event"] == "call" && event["peer"].as_str().is_some_and(user)
    }

    fn act(&self, phone: &Mutex<Phone>, event: &Value, act: &str, call: Option<&Value>) -> Result<(), String> {
        let mut words = act.split(' ');
        let (verb, number) = (words.next().unwrap_or_default(), words.next().map(str::parse::<u16>));
        let number = number.transpose().map_err(|_| format!("“{act}” has no number"))?;
        if event["state"] == "ended" {
            let code = event["code"].as_u64().map(|code| code as u16);
            let words = event["reason"].as_str().unwrap_or_default();
            let as_said = event["ended_by"] == verb && (number.is_none() || number == code);
            let in_words = words.contains(' ') && words.ends_with(['.', ')']);
            return (as_said && in_words).then_some(()).ok_or_else(|| format!("it ended otherwise: {event}"));
        }
        let command = match verb {
            "-" => return Ok(()),
            "reject" => json!({"cmd": verb, "call": call, "code": number, "id": self.name}),
            "transfer" => json!({"cmd": verb, "call": call, "to": "sip:elsewhere@127.0.0.1", "id": self.name}),
            _ => json!({"cmd": verb, "call": call, "id": self.name}),
        };
        lock(phone).send(command);
        Ok(())
    }
}

fn lock(phone: &Mutex<Phone>) -> std::sync::MutexGuard<'_, Phone> {
    phone.lock().expect("no scenario panics with the phone in its hand")
}

/// A softphone without a registrar, for challenges in the realm am.test; and its port.
fn phone(dir: &Path, n: usize) -> (Mutex<Phone>, u16) {
    let port = free_port();
    let bind = format!("127.0.0.1:{port}");
    let args = ["--sip-account", "sip:agent@am.test", "--no-register", "--bind", &bind, "--audio", "null"];
    let phone = Phone::start(dir, &format!("phone-{n}"), &args, "secret", None);
    phone.wait(json!({"event": "ready"}));
    (Mutex::new(phone), port)
}

#[test]
fn every_scenario_goes_as_it_says() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let only = std::env::var("AM_SCENARIO").ok();
    let scenarios: Vec<_> =
        Scenario::all().into_iter().filter(|s| only.as_ref().is_none_or(|o| s.name == *o)).collect();
    let phones: Vec<_> = (0..PHONES).map(|n| phone(dir.path(), n)).collect();
    let target = Sipp::called(dir.path(), "uas", 100, &[]);
    let waiting = Mutex::new(scenarios.iter().enumerate());
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some((n, scenario)) = waiting.lock().expect("no holder panics").next() else { return };
                    if let Err(why) = scenario.run(dir.path(), &phones[n % PHONES], target.port) {
                        failures.lock().expect("no holder panics").push(why);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().expect("no holder panics");
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), scenarios.len(), failures.join("\n\n"));
    for (phone, _) in phones {
        let phone = phone.into_inner().expect("no holder panics");
        let unseen = scenarios.iter().filter(|s| s.phone == "none");
        let events = phone.events();
        for scenario in unseen {
            assert!(!events.iter().any(|event| scenario.is_about(event)), "{}: a call was seen", scenario.name);
        }
        phone.quit();
    }
}

/// What has no scenario, and why.
const ELSEWHERE: &str = "\
What takes a registrar or a third party is proved with them: transfers of every kind between phones of ours, and with baresip\n\
(tests/peers/transfer.rs, src/ua/tests/transfer), presence, colleagues' calls and voicemail with Kamailio\n\
(tests/peers/presence.rs), servers that fail (tests/peers/dns.rs), addresses that change (tests/peers/network.rs). What only our\n\
own servers are believed (identities, forwarding, orders to answer), services and click to dial are in src/ua/tests, in simulated\n\
time, and so are races, session timers that run for hours, and floods.";

fn table(scenarios: &[Scenario]) -> String {
    let mut text = format!(
        "# Scenarios\n\nWhat the softphone does when sipp plays the other side, as `make test` proves it: {} scenarios, one file each \
         in\ntests/peers/sipp, all in one run. This table is made from their heads (tests/peers/scenarios.rs says how).\n\n{ELSEWHERE}\n\n\
         | scenario | what it proves | source | the softphone is |\n|---|---|---|---|\n",
        scenarios.len()
    );
    for Scenario { name, proves, rfc, role, .. } in scenarios {
        text.push_str(&format!("| {name} | {proves} | {rfc} | {role} |\n"));
    }
    text
}

#[test]
fn the_table_in_the_documentation_is_current() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/scenarios.md");
    let table = table(&Scenario::all());
    if std::env::var_os("AM_WRITE_SCENARIOS").is_some() {
        fs::write(&path, &table).expect("docs can be written");
    }
    assert!(fs::read_to_string(&path).is_ok_and(|text| text == table), "docs/scenarios.md is stale: write it anew");
}
