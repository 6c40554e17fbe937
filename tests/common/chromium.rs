//! Debian's chromium without a screen, driven by the W3C WebDriver protocol.

use crate::process::Process;
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Read},
    process::{Command, Stdio},
};
use thirtyfour::prelude::*;

pub struct Chromium {
    pub driver: WebDriver,
    _chromedriver: Process,
    _profile: tempfile::TempDir,
}

impl Chromium {
    /// With more arguments of its.
    pub async fn start(more: &[&str]) -> Self {
        // The session with the driver is plain HTTP on loopback, but the client wants a TLS library chosen.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let profile = tempfile::tempdir().expect("a folder");
        let (chromedriver, port) = chromedriver();
        let mut wanted = DesiredCapabilities::chrome();
        wanted.set_binary("/usr/bin/chromium").expect("a path");
        let of_profile = format!("--user-data-dir={}", profile.path().display());
        let common = [
            "--headless=new",
            // It refuses to start as root with one.
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-proxy-server",
            &of_profile,
        ];
        for argument in common.iter().chain(more) {
            wanted.add_arg(argument).expect("an argument");
        }
        let driver = WebDriver::new(format!("http://127.0.0.1:{port}"), wanted).await.expect("chromium starts");
        Self { driver, _chromedriver: chromedriver, _profile: profile }
    }

    /// What a script returns.
    pub async fn script(&self, script: &str, arguments: Vec<Value>) -> Value {
        self.driver.execute(script, arguments).await.expect("the script runs").json().clone()
    }

    pub async fn end(self) {
        self.driver.quit().await.expect("chromium ends");
    }
}

fn chromedriver() -> (Process, u16) {
    let mut command = Command::new("chromedriver");
    let child = command.arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut process = Process(child.expect("chromedriver is installed (package chromium-driver)"));
    let mut said = BufReader::new(process.0.stdout.take().expect("stdout was piped"));
    let mut line = String::new();
    let port = loop {
        line.clear();
        assert!(said.read_line(&mut line).is_ok_and(|read| read > 0), "chromedriver ended before it was ready");
        if let Some((_, port)) = line.split_once("started successfully on port ") {
            break port.trim().trim_end_matches('.').parse().expect("a port");
        }
    };
    // Kept open and read, so that it never meets a closed pipe.
    std::thread::spawn(move || said.read_to_end(&mut Vec::new()));
    (process, port)
}
