//! The REST API under schemathesis, which makes requests from the OpenAPI document: right ones and wrong ones of every kind.
//! No answer may be a server error, of another status or form than documented, or accept what the document forbids.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::json;

use super::Server;

/// The version that is known to run here; `make test` installs it into a folder beside the build.
const VERSION: &str = include_str!("schemathesis.version").trim_ascii();

/// What the paths are about, so that requests get past "does not exist".
const PLACES: &str = r#"
[parameters]
"path.tenant" = "acme"
"path.number" = "100"
"path.name" = "100-acme-laptop"
"path.username" = "agent@acme.example"
"#;

/// Examples of each operation; more find little more and take long.
const EXAMPLES: &str = "30";

fn program() -> PathBuf {
    let target = Path::new(super::TMS).parent().and_then(Path::parent).expect("the build's folder");
    let folder = target.join(format!("schemathesis-{VERSION}"));
    let program = folder.join("bin/schemathesis");
    if !program.exists() {
        eprintln!("Installing schemathesis {VERSION} from PyPI into {}", folder.display());
        let made = Command::new("python3").args(["-m", "venv"]).arg(&folder).status().expect("python3 runs");
        assert!(made.success(), "no virtual environment could be made: Debian's python3-venv is needed");
        let pip = folder.join("bin/pip");
        let wanted = format!("schemathesis=={VERSION}");
        let installed = Command::new(pip).args(["install", "--quiet", "--disable-pip-version-check", &wanted]).status();
        assert!(installed.expect("pip runs").success(), "schemathesis could not be installed");
    }
    program
}

#[test]
fn no_request_that_the_document_allows_or_forbids_breaks_the_api() {
    let folder = tempfile::tempdir().expect("a folder");
    let created = super::run(
        &["admin", "create"],
        &[("TMS_DATABASE_URL", &super::url(folder.path())), ("TMS_ADMIN_PASSWORD", "an operator's long password")],
    );
    assert!(created.status.success());
    let server = Server::start(folder.path(), &["--demo-data=quiet"]);
    let body = json!({"username": "admin", "password": "an operator's long password"}).to_string();
    let (status, session) = server.ask("POST", "/v1/manage/session", "", &body);
    assert_eq!(status, 201, "{session}");
    let session: serde_json::Value = serde_json::from_str(&session).expect("JSON");
    let http = server.ready["http"].as_str().expect("an address");
    // The softphone's first: the other may well disable its account.
    let tokens = [("softphone", server.sign_in()), ("manage", session["token"].as_str().expect("a token").to_owned())];
    std::fs::write(folder.path().join("schemathesis.toml"), PLACES).expect("writes");
    for (tag, token) in tokens {
        let output = Command::new(program())
            .arg("run")
            .arg(format!("{http}/v1/openapi.json"))
            .args(["--header", &format!("Authorization: Bearer {token}")])
            .args(["--include-tag", tag])
            // What would end the session that goes with every request, and the stream that never ends.
            .args(["--exclude-path-regex", "^/v1/(manage/(session|password)|sessions/current|me/events)$"])
            .args(["--phases", "examples,coverage,fuzzing", "--max-examples", EXAMPLES, "--seed", "1"])
            .args(["--request-timeout", "20", "--workers", "1", "--no-color", "--output-truncate", "false"])
            .args(["--exclude-checks", "unsupported_method,positive_data_acceptance,missing_required_header"])
            .current_dir(folder.path())
            .output()
            .expect("schemathesis runs");
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{tag}: {told}\n{}", String::from_utf8_lossy(&output.stderr));
    }
    server.stop();
}
