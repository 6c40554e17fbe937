//! The headless softphone, driven by lines.

use super::process::{Process, binary, poll_until};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{ChildStdin, Command, Stdio},
    sync::{Arc, Condvar, Mutex},
    time::{Duration, Instant},
};

/// Events that came, in order; the reader thread adds, the test waits.
#[derive(Default)]
struct Log {
    events: Mutex<Vec<Value>>,
    more: Condvar,
}

pub struct Phone {
    name: String,
    process: Process,
    stderr: PathBuf,
    input: Option<ChildStdin>,
    log: Arc<Log>,
    /// Events before this one belong to earlier commands.
    mark: usize,
}

impl Phone {
    /// Starts `agent-manager headless` with its configuration in `dir/name`.
    pub fn start(dir: &Path, name: &str, args: &[&str], password: &str, api_key: Option<&str>) -> Self {
        Self::start_in(&[], dir, name, args, password, api_key)
    }

    /// The same with more variables in its environment.
    pub fn start_in(
        environment: &[(&str, String)],
        dir: &Path,
        name: &str,
        args: &[&str],
        password: &str,
        api_key: Option<&str>,
    ) -> Self {
        let mut command = Command::new(binary("agent-manager"));
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        Self::launch(command, dir, name, args, password, api_key)
    }

    /// The same in a network namespace.
    pub fn start_within(namespace: &str, dir: &Path, name: &str, args: &[&str], password: &str) -> Self {
        Self::start_within_in(namespace, &[], dir, name, args, password)
    }

    /// The same with more variables in its environment.
    pub fn start_within_in(
        namespace: &str,
        environment: &[(&str, &str)],
        dir: &Path,
        name: &str,
        args: &[&str],
        password: &str,
    ) -> Self {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", namespace]).arg(binary("agent-manager")).envs(environment.iter().copied());
        Self::launch(command, dir, name, args, password, None)
    }

    fn launch(
        mut command: Command,
        dir: &Path,
        name: &str,
        args: &[&str],
        password: &str,
        api_key: Option<&str>,
    ) -> Self {
        let config: PathBuf = dir.join(name);
        std::fs::create_dir_all(&config).expect("the test's folder can be written");
        let file = config.join("stderr");
        let stderr = std::fs::File::create(&file).expect("the test's folder can be written");
        command.arg("headless").arg("--config-dir").arg(&config).args(args);
        command.env("AGENT_MANAGER_PASSWORD", password);
        if let Some(key) = api_key {
            command.env("AGENT_MANAGER_API_KEY", key);
        }
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(stderr).spawn().expect("agent-manager starts");
        let (input, output) = (child.stdin.take(), child.stdout.take().expect("standard output is piped"));
        let log = Arc::new(Log::default());
        let to = log.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let event = serde_json::from_str(&line).unwrap_or_else(|_| json!({"event": "not-json", "line": line}));
                to.events.lock().expect("no holder panics").push(event);
                to.more.notify_all();
            }
        });
        Self { name: name.to_owned(), process: Process(child), stderr: file, input, log, mark: 0 }
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// What it has written to standard error.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.stderr).unwrap_or_default()
    }

    /// Sends a command; [`Phone::wait`] then looks at what comes from here on.
    pub fn send(&mut self, command: Value) {
        self.send_line(&command.to_string());
    }

    /// Sends a line as it is.
    pub fn send_line(&mut self, line: &str) {
        self.forget();
        let input = self.input.as_mut().expect("the phone still listens");
        writeln!(input, "{line}").expect("the phone still listens");
    }

    /// First event since the last command that has all fields of `pattern` (an array matches any of its values).
    pub fn find(&self, pattern: &Value) -> Option<Value> {
        let events = self.log.events.lock().expect("no holder panics");
        events[self.mark..].iter().find(|e| matches(e, pattern)).cloned()
    }

    /// [`Phone::wait`] looks at what comes from here on.
    pub fn forget(&mut self) {
        self.mark = self.log.events.lock().expect("no holder panics").len();
    }

    pub fn wait(&self, pattern: Value) -> Value {
        self.wait_for(Duration::from_secs(10), pattern)
    }

    pub fn wait_for(&self, limit: Duration, pattern: Value) -> Value {
        let end = Instant::now() + limit;
        let mut events = self.log.events.lock().expect("no holder panics");
        loop {
            if let Some(event) = events[self.mark..].iter().find(|e| matches(e, &pattern)) {
                return event.clone();
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let last: Vec<_> = events.iter().rev().take(6).map(Value::to_string).collect();
                panic!("{}: no {pattern} within {limit:?}; the last events, newest first: {last:#?}", self.name);
            }
            events = self.log.more.wait_timeout(events, left).expect("no holder panics").0;
        }
    }

    /// All events so far.
    pub fn events(&self) -> Vec<Value> {
        self.log.events.lock().expect("no holder panics").clone()
    }

    /// Those after the first `seen`.
    pub fn events_after(&self, seen: usize) -> Vec<Value> {
        self.log.events.lock().expect("no holder panics").get(seen..).unwrap_or_default().to_vec()
    }

    /// Ends its standard input.
    pub fn close_input(&mut self) {
        self.input = None;
    }

    /// SIGTERM.
    pub fn terminate(&mut self) {
        self.process.terminate();
    }

    /// Exit code once the process ends by itself.
    pub fn exit_code(&mut self) -> Option<i32> {
        self.process.wait(Duration::from_secs(10)).code()
    }

    /// Ends it as a user does; it must be gone within 5 s with code 0.
    pub fn quit(mut self) {
        self.send(json!({"cmd": "quit"}));
        let code = self.process.wait(Duration::from_secs(5)).code();
        assert_eq!(code, Some(0), "{}: quit gives exit code 0", self.name);
    }

    /// Resident memory in MiB.
    pub fn resident_mib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("the phone runs");
        let line = status.lines().find(|l| l.starts_with("VmRSS")).expect("a running process has VmRSS");
        let kib: f64 = line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("VmRSS is in kB");
        kib / 1024.0
    }

    /// Polls `stats` of a call until `good` holds; statistics take an RTCP round to come.
    pub fn stats_until(&mut self, call: &Value, good: impl Fn(&Value) -> bool) -> Value {
        let found = poll_until(Duration::from_secs(20), || {
            self.send(json!({"cmd": "stats", "call": call}));
            let stats = self.wait(json!({"event": "stats", "call": call}));
            good(&stats).then_some(stats)
        });
        found.unwrap_or_else(|| panic!("{}: the figures never became good", self.name))
    }
}

fn matches(event: &Value, pattern: &Value) -> bool {
    pattern.as_object().is_some_and(|fields| {
        fields.iter().all(|(name, wanted)| match wanted {
            Value::Array(any) => any.iter().any(|w| event.get(name) == Some(w)),
            one => event.get(name) == Some(one),
        })
    })
}
