//! A TMS with nothing in it but its operator, or with the demonstration besides.

use crate::process::{Process, binary};
use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

pub const OPERATOR: &str = "operator";
pub const OPERATOR_PASSWORD: &str = "a long walk along the shore";

pub struct Server {
    pub folder: tempfile::TempDir,
    /// Where the portal and the API are: `http://127.0.0.1:PORT`.
    pub http: String,
    /// Where SIP is: `127.0.0.1:PORT`.
    pub sip: String,
    ready: serde_json::Value,
    _process: Process,
}

impl Server {
    pub fn start() -> Self {
        Self::serving(&[])
    }

    pub fn with_demonstration() -> Self {
        Self::serving(&["--demo-data"])
    }

    /// User name and password of the demonstration's agent.
    pub fn demo(&self) -> (&str, &str) {
        (self.said("username"), self.said("password"))
    }

    /// Those of its administrator.
    pub fn admin(&self) -> (&str, &str) {
        (self.said("admin/username"), self.said("admin/password"))
    }

    /// What the ready line says of the demonstration.
    pub fn said(&self, field: &str) -> &str {
        let field = self.ready.pointer(&format!("/demo/{field}"));
        field.and_then(serde_json::Value::as_str).expect("the ready line has it")
    }

    fn serving(more: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let database = format!("sqlite://{}/tms.db", folder.path().display());
        let mut create = Command::new(binary("tms"));
        create.args(["admin", "create", "--username", OPERATOR, "--database-url", &database]);
        create.env("TMS_ADMIN_PASSWORD", OPERATOR_PASSWORD).stdout(Stdio::null());
        assert!(create.status().expect("tms runs").success());
        let mut serve = Command::new(binary("tms"));
        serve.args(["serve", "--http", "127.0.0.1:0", "--sip", "127.0.0.1:0", "--database-url", &database]);
        serve.args(more);
        let mut process = Process(serve.stdout(Stdio::piped()).spawn().expect("tms starts"));
        let mut line = String::new();
        let stdout = process.0.stdout.take().expect("stdout was piped");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let ready: serde_json::Value = serde_json::from_str(&line).expect("the ready line is JSON");
        let said = |field: &str| ready[field].as_str().expect("an address").to_owned();
        Self { http: said("http"), sip: said("sip"), folder, ready, _process: process }
    }
}
