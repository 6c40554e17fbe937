//! HTTPS of its own: asked by curl, with certificates that openssl makes here.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use crate::{Server, run, url};

/// Makes `NAME.pem` and `NAME.key` for 127.0.0.1, signed by itself.
fn certificate(folder: &Path, name: &str) {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-keyout", &format!("{name}.key"), "-out", &format!("{name}.pem")])
        .current_dir(folder)
        .stderr(Stdio::null())
        .status();
    assert!(made.expect("openssl is installed (make test installs it)").success());
}

/// Head and body of the answer to a GET by somebody who trusts this certificate; `None` where he does not trust the server's.
fn get(folder: &Path, trusted: &str, url: &str) -> Option<String> {
    let mut curl = Command::new("curl");
    curl.args(["-s", "-i", "-m", "20", "--noproxy", "*", "--cacert", trusted, url]).current_dir(folder);
    let output = curl.output().expect("curl is installed (make test installs it)");
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn https_is_served_with_a_certificate_that_can_be_renewed() {
    let home = tempfile::tempdir().expect("a folder");
    let folder = home.path();
    let path = |name: &str| folder.join(name).to_str().expect("UTF-8").to_owned();
    certificate(folder, "first");
    certificate(folder, "second");
    fs::copy(folder.join("first.pem"), folder.join("now.pem")).expect("copies");
    fs::copy(folder.join("first.key"), folder.join("now.key")).expect("copies");
    let server = Server::start(folder, &["--no-sip", "--tls-cert", &path("now.pem"), "--tls-key", &path("now.key")]);
    let https = server.ready["http"].as_str().expect("an address");
    assert!(https.starts_with("https://127.0.0.1:"), "{https}");

    // As with a public address that is HTTPS: browsers come by nothing else, and the cookie stays with this host.
    let page = get(folder, "first.pem", &format!("{https}/sign-in")).expect("an answer").to_lowercase();
    for part in ["http/1.1 200", "strict-transport-security: max-age=", "set-cookie: __host-tms=", "; secure"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(get(folder, "second.pem", https).is_none(), "a stranger's certificate was trusted");
    let plain = get(folder, "first.pem", &https.replacen("https", "http", 1)).expect("an answer");
    assert!(plain.starts_with("HTTP/1.1 400") && plain.contains("speaks HTTPS"), "{plain}");

    // A key that is not this certificate's is told and changes nothing; with its own the new one serves.
    let hang_up = || {
        let status = Command::new("kill").args(["-HUP", &server.child.id().to_string()]).status();
        assert!(status.expect("kill runs").success());
    };
    fs::copy(folder.join("second.pem"), folder.join("now.pem")).expect("copies");
    hang_up();
    assert!(get(folder, "first.pem", https).is_some(), "the certificate was lost");
    fs::copy(folder.join("second.key"), folder.join("now.key")).expect("copies");
    hang_up();
    let renewed = (0..400).any(|_| {
        std::thread::park_timeout(Duration::from_millis(25));
        get(folder, "second.pem", https).is_some()
    });
    assert!(renewed, "the new certificate is not served");
    server.stop();
}

#[test]
fn files_that_cannot_serve_are_refused_in_a_sentence() {
    let home = tempfile::tempdir().expect("a folder");
    let folder = home.path();
    certificate(folder, "one");
    certificate(folder, "other");
    fs::write(folder.join("junk"), "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n").expect("writes");
    let cases = [
        ("absent.pem", "one.key", "cannot be read"),
        ("one.pem", "absent.key", "--tls-key"),
        ("one.key", "one.key", "has no certificate"),
        ("junk", "one.key", "has no certificate"),
        ("one.pem", "one.pem", "has no private key"),
        ("one.pem", "junk", "has no private key"),
        ("one.pem", "other.key", "is the key this certificate's?"),
    ];
    let database = url(folder);
    for (certificate, key, word) in cases {
        let [certificate, key] = [certificate, key].map(|name| folder.join(name).display().to_string());
        let arguments = [
            "serve",
            "--http",
            "127.0.0.1:0",
            "--no-sip",
            "--database-url",
            &database,
            "--tls-cert",
            &certificate,
            "--tls-key",
        ];
        let output = run(&[&arguments[..], &[&key]].concat(), &[]);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && told.contains(word) && !told.contains("c2VjcmV0"), "{word}: {told}");
    }
}
