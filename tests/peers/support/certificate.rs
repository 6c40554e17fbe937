//! Certificates by openssl, from an authority of the test's own.

use std::{
    path::Path,
    process::{Command, Stdio},
};

/// `ca.pem`, and `NAME.pem` with `NAME.key`, signed by it and good for `names`.
pub fn certificate(dir: &Path, name: &str, names: &str) {
    std::fs::write(dir.join("ext"), format!("subjectAltName={names}\n")).expect("the test's folder can be written");
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    for line in [
        format!(
            "req -x509 {key} -days 2 -subj /CN=CA -addext basicConstraints=critical,CA:TRUE -keyout ca.key -out ca.pem"
        ),
        format!("req {key} -subj /CN={name} -keyout {name}.key -out {name}.csr"),
        format!(
            "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out {name}.pem"
        ),
    ] {
        let made = Command::new("openssl").args(line.split(' ')).current_dir(dir).stderr(Stdio::null()).status();
        assert!(made.expect("openssl is installed (make test installs it)").success(), "{line}");
    }
}
