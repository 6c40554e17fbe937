//! Names and words, and real handshakes over loopback with certificates that openssl makes here.

use super::{super::*, *};
use std::{path::Path, process::Command};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener as Listener,
};
use tokio_rustls::TlsAcceptor;

#[test]
fn an_address_belongs_to_the_name_that_was_asked_for() {
    let (mut tls, now) = (Tls::new(None), Instant::now());
    let remote = SocketAddr::from(([10, 0, 0, 1], 5061));
    let host = |name: &str| name.parse::<Host>().expect(name);
    assert!(tls.way(remote).is_err_and(|why| why.contains("10.0.0.1:5061")), "unasked for, no way");
    tls.expect(now, remote, &host("pbx.example"), None).expect("the first");
    tls.expect(now, remote, &host("pbx.example"), None).expect("again");
    tls.expect(now, remote, &host("10.0.0.1"), None).expect("as Record-Route says it");
    let other = tls.expect(now, remote, &host("evil.example"), None).expect_err("another's");
    assert!(other.contains("evil.example") && other.contains("pbx.example"), "{other}");
    assert_eq!(tls.way(remote).expect("known").name, server_name(&host("pbx.example")).expect("a name"));
    // Nobody asked for it for long: it may have moved.
    tls.expect(now + KEPT, remote, &host("new.example"), None).expect("later");
    assert_eq!(tls.way(remote).expect("known").name, server_name(&host("new.example")).expect("a name"));
}

#[test]
fn names_are_bounded() {
    let (mut tls, now) = (Tls::new(None), Instant::now());
    for port in 1..=1000 {
        let remote = SocketAddr::from(([10, 0, 0, 1], port));
        let at = now + Duration::from_millis(port.into());
        tls.expect(at, remote, &"pbx.example".parse().expect("a host"), None).expect("room");
    }
    assert_eq!(tls.names.len(), MAX_NAMES);
    assert!(tls.way(SocketAddr::from(([10, 0, 0, 1], 1000))).is_ok());
}

#[test]
fn what_is_wrong_with_a_certificate_is_a_sentence_with_the_way_out() {
    let other = CertificateError::NotValidForNameContext {
        expected: ServerName::try_from("pbx.example").expect("a name"),
        presented: vec!["DnsName(\"sip.other.example\")".into()],
    };
    for (why, said) in [
        (CertificateError::Expired, "has expired; its administrator must renew it"),
        (CertificateError::NotValidYet, "date and time"),
        (other, "is for sip.other.example; use the name"),
        (CertificateError::UnknownIssuer, "--ca-file"),
        (CertificateError::Revoked, "revoked"),
    ] {
        let words = certificate("pbx.example", &why);
        assert!(words.contains(said) && words.contains("pbx.example"), "{words}");
    }
}

const OPTIONS: &str = "OPTIONS sip:a@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1:1;branch=z9hG4bK1\r\n\
    From: <sip:b@x>;tag=1\r\nTo: <sip:a@x>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";

const KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";

fn openssl(folder: &Path, line: &str) {
    let made = Command::new("openssl").args(line.split(' ')).current_dir(folder).output().expect("openssl");
    assert!(made.status.success(), "{line}: {}", String::from_utf8_lossy(&made.stderr));
}

/// `ca.pem` with its key, and what it signs: `NAME.pem` and `NAME.key` for that name, valid for `days` from now. Two for pbx.test
/// sign themselves: `own.pem`, and, as an authority does, `self.pem`.
fn certificates(folder: &Path, signed: &[(&str, &str, i32)]) {
    openssl(
        folder,
        &format!(
            "req -x509 {KEY} -days 2 -subj /CN=Authority -addext basicConstraints=critical,CA:TRUE -keyout ca.key -out ca.pem"
        ),
    );
    for (file, is_authority) in [("own", "FALSE"), ("self", "TRUE")] {
        openssl(
            folder,
            &format!(
                "req -x509 {KEY} -days 2 -subj /CN={file} -addext basicConstraints=critical,CA:{is_authority} \
                 -addext subjectAltName=DNS:pbx.test -keyout {file}.key -out {file}.pem"
            ),
        );
    }
    signed.iter().for_each(|server| sign(folder, "ca", server));
}

fn sign(folder: &Path, issuer: &str, (file, name, days): &(&str, &str, i32)) {
    std::fs::write(folder.join("ext"), format!("subjectAltName={name}\n")).expect("written");
    openssl(folder, &format!("req {KEY} -subj /CN=server -keyout {file}.key -out {file}.csr"));
    openssl(
        folder,
        &format!(
            "x509 -req -in {file}.csr -CA {issuer}.pem -CAkey {issuer}.key -CAcreateserial -days {days} -extfile ext \
             -out {file}.pem"
        ),
    );
}

/// A server with that certificate: says what it heard first, and says it back.
async fn server(folder: &Path, file: &str) -> (Flow, tokio::task::JoinHandle<io::Result<Vec<u8>>>) {
    let chain = CertificateDer::pem_file_iter(folder.join(format!("{file}.pem"))).expect("a file");
    let key = rustls::pki_types::PrivateKeyDer::from_pem_file(folder.join(format!("{file}.key"))).expect("a key");
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(chain.collect::<Result<_, _>>().expect("PEM"), key)
        .expect("a pair");
    let listener = Listener::bind("127.0.0.1:0").await.expect("a port");
    let flow = Flow { transport: Transport::Tls, remote: listener.local_addr().expect("bound") };
    let heard = tokio::spawn(async move {
        let (stream, _) = listener.accept().await?;
        let mut stream = TlsAcceptor::from(Arc::new(config)).accept(stream).await?;
        let mut heard = vec![0; OPTIONS.len()];
        stream.read_exact(&mut heard).await?;
        stream.write_all(&heard).await?;
        stream.read_to_end(&mut Vec::new()).await?;
        Ok(heard)
    });
    (flow, heard)
}

/// What becomes of a message to `flow` as `host`, when `ca` is trusted besides the system's.
async fn send(flow: Flow, host: &str, ca: Option<PathBuf>) -> (Transports, Received) {
    let sockets = Sockets::bind(([127, 0, 0, 1], 0).into()).expect("a port");
    let mut transports = Transports::new(sockets, ca).expect("within a runtime");
    transports.expect(Instant::now(), flow, &host.parse().expect(host)).expect("the first name");
    transports.send(Instant::now(), flow, OPTIONS.into(), Some(1)).expect("queued");
    let received = tokio::time::timeout(Duration::from_secs(10), transports.next()).await.expect("in time");
    (transports, received)
}

#[tokio::test]
async fn a_server_that_proves_its_name_is_spoken_to_over_one_connection() {
    let folder = tempfile::tempdir().expect("a folder");
    let both = "DNS:pbx.test,DNS:sip.pbx.test,IP:127.0.0.1";
    certificates(folder.path(), &[("both", both, 2), ("star", "DNS:*.pbx.test", 2)]);
    let read = |file: &str| std::fs::read_to_string(folder.path().join(file)).expect(file);
    // An authority of X.509 version 1, as older commands made them and newer ones no more.
    for (file, text) in [
        ("old.pem", include_str!("../../../../tests/fixtures/tls/version-1.pem")),
        ("old.key", include_str!("../../../../tests/fixtures/tls/version-1.key")),
    ] {
        std::fs::write(folder.path().join(file), text).expect("written");
    }
    sign(folder.path(), "old", &("by-old", "DNS:pbx.test", 2));
    std::fs::write(folder.path().join("ca-and-star.pem"), read("ca.pem") + &read("star.pem")).expect("written");
    for (file, host, ca) in [
        ("both", "pbx.test", "ca.pem"),
        ("both", "127.0.0.1", "ca.pem"),
        // The very certificate was given, whoever signed it.
        ("own", "pbx.test", "own.pem"),
        ("self", "pbx.test", "self.pem"),
        ("both", "sip.pbx.test", "both.pem"),
        ("by-old", "pbx.test", "old.pem"),
        ("star", "www.pbx.test", "ca-and-star.pem"),
    ] {
        let (flow, _heard) = server(folder.path(), file).await;
        let (mut transports, received) = send(flow, host, Some(folder.path().join(ca))).await;
        assert!(
            matches!(received, Received::Message { flow: from, .. } if from == flow),
            "{file} {host}: {received:?}"
        );
        let again = transports.expect(Instant::now(), flow, &"sip.pbx.test".parse().expect("a host"));
        assert_eq!(again.is_ok(), file == "both", "another name shares it where the certificate has that too");
        assert_eq!(transports.connections.len(), 1);
    }
}

#[tokio::test]
async fn a_server_that_cannot_prove_its_name_hears_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    certificates(
        folder.path(),
        &[
            ("good", "DNS:pbx.test", 2),
            ("old", "DNS:pbx.test", -1),
            ("other", "DNS:sip.other.test", 2),
            ("star", "DNS:*.pbx.test,DNS:pbx.test", 2),
        ],
    );
    sign(folder.path(), "own", &("forged", "DNS:pbx.test", 2));
    let read = |file: &str| std::fs::read_to_string(folder.path().join(file)).expect(file);
    std::fs::write(folder.path().join("ca-and-star.pem"), read("ca.pem") + &read("star.pem")).expect("written");
    for (file, host, ca, said) in [
        ("old", "pbx.test", Some("ca.pem"), "has expired; its administrator must renew it"),
        ("other", "pbx.test", Some("ca.pem"), "not pbx.test: its certificate is for sip.other.test"),
        ("good", "127.0.0.1", Some("ca.pem"), "not 127.0.0.1: its certificate is for pbx.test"),
        ("own", "pbx.test", Some("ca.pem"), "self-signed"),
        ("self", "pbx.test", Some("ca.pem"), "give that very certificate with --ca-file"),
        (
            "star",
            "sip.pbx.test",
            Some("ca.pem"),
            "its certificate is for *.pbx.test, pbx.test; in SIP a star stands for no name",
        ),
        ("star", "a.sip.pbx.test", Some("ca-and-star.pem"), "not a.sip.pbx.test"),
        ("good", "pbx.test", None, "--ca-file"),
        // A server's own certificate that was given is good for as long and for whom it says, and vouches for nobody else.
        ("old", "pbx.test", Some("old.pem"), "has expired; its administrator must renew it"),
        ("other", "pbx.test", Some("other.pem"), "not pbx.test: its certificate is for sip.other.test"),
        ("forged", "pbx.test", Some("own.pem"), "nobody whom this computer trusts has signed"),
    ] {
        let ca = ca.map(|file| folder.path().join(file));
        let (flow, heard) = server(folder.path(), file).await;
        let (_transports, received) = send(flow, host, ca).await;
        let Received::Closed { reason, lost, .. } = received else { panic!("{file}: {received:?}") };
        assert!(reason.contains(said) && lost == [1], "{file}: {reason}");
        assert!(heard.await.expect("it ran").is_err(), "{file}: not a byte of SIP");
    }
}

#[tokio::test]
async fn what_is_no_tls_or_no_authority_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let plain = Listener::bind("127.0.0.1:0").await.expect("a port");
    let flow = Flow { transport: Transport::Tls, remote: plain.local_addr().expect("bound") };
    let answering = tokio::spawn(async move {
        let (mut stream, _) = plain.accept().await.expect("connected");
        stream.read_exact(&mut [0; 100]).await?;
        stream.write_all(b"SIP/2.0 400 Bad Request\r\n\r\n").await?;
        stream.read_to_end(&mut Vec::new()).await
    });
    certificates(folder.path(), &[]);
    let (_transports, received) = send(flow, "pbx.test", Some(folder.path().join("ca.pem"))).await;
    assert!(
        matches!(&received, Received::Closed { reason, .. } if reason.contains("does not speak TLS")),
        "{received:?}"
    );
    drop(answering);
    let other = Listener::bind("127.0.0.1:0").await.expect("a port");
    let flow = Flow { transport: Transport::Tls, remote: other.local_addr().expect("bound") };
    let (_transports, received) = send(flow, "pbx.test", Some(folder.path().join("ca.key"))).await;
    let Received::Closed { reason, .. } = received else { panic!("{received:?}") };
    assert!(reason.contains("ca.key cannot be used: it holds no certificate"), "{reason}");
}
