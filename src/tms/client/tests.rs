//! Against a scripted server on a real loopback socket.

use super::*;
use crate::tms::session::Content;
use crate::{secret::Secret, tms::sse::ServerEvent};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    sync::Arc,
    thread::JoinHandle,
};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tls");

/// Accepts one connection, reads the head of a request, answers with `parts` and closes; gives back what it read.
fn serve(parts: &'static [&'static str]) -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let asked = read_head(&mut stream);
        for part in parts {
            stream.write_all(part.as_bytes()).expect("the client reads");
        }
        asked
    });
    (address, thread)
}

/// The same over TLS with one of the fixtures' certificates.
fn serve_tls(certificate: &str) -> SocketAddr {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let chain = CertificateDer::from_pem_file(format!("{FIXTURES}/{certificate}.pem")).expect("a fixture");
    let key = PrivateKeyDer::from_pem_file(format!("{FIXTURES}/server.key")).expect("a fixture");
    let config =
        rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(vec![chain], key).expect("a pair");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a connection");
        let tls = rustls::ServerConnection::new(Arc::new(config)).expect("a configuration");
        let mut stream = rustls::StreamOwned::new(tls, stream);
        // A client that does not trust us hangs up here.
        let mut first = [0; 512];
        if stream.read(&mut first).is_ok() {
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").expect("the client reads");
        }
    });
    address
}

fn read_head(stream: &mut impl Read) -> String {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).expect("the client writes") > 0 {
        head.push(byte[0]);
    }
    String::from_utf8(head).expect("text")
}

fn get(url: String) -> ApiRequest {
    let (token, content) = (Some(Secret("t1".into())), Content::Json);
    ApiRequest { method: Method::Get, url, token, api_key: None, body: None, content }
}

async fn ask(url: String, ca_file: Option<PathBuf>) -> Result<Answer, Failure> {
    exchange(Client::new(ca_file).ready(&url)?, get(url), REQUEST_TIMEOUT).await
}

#[tokio::test]
async fn an_answer_comes_whole() {
    let (address, server) = serve(&[
        "HTTP/1.1 409 Conflict\r\nContent-Type: Application/Problem+JSON; charset=utf-8\r\nContent-Length: 2\r\n\r\n",
        "{}",
    ]);
    let url = format!("http://{address}/v1/me");
    let request = ApiRequest {
        method: Method::Post,
        api_key: Some(Secret("ak_1".into())),
        body: Some(Secret("{\"a\":1}".into())),
        ..get(url.clone())
    };
    let answer =
        exchange(Client::default().ready(&url).expect("a client"), request, REQUEST_TIMEOUT).await.expect("an answer");
    assert_eq!(answer, Answer { status: 409, content_type: "application/problem+json".into(), body: b"{}".to_vec() });
    let asked = server.join().expect("served").to_ascii_lowercase();
    for part in
        ["post /v1/me ", "authorization: bearer t1\r\n", "x-api-key: ak_1\r\n", "content-type: application/json\r\n"]
    {
        assert!(asked.contains(part), "{part:?} in {asked}");
    }
}

#[tokio::test]
async fn what_stands_in_the_way_is_told_apart() {
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    assert_eq!(ask(format!("http://{closed}/"), None).await, Err(Failure::Refused));
    assert_eq!(ask("http://nowhere.invalid/".into(), None).await, Err(Failure::NoAddress));
    let (address, _server) = serve(&["HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ncut"]);
    assert!(matches!(ask(format!("http://{address}/"), None).await, Err(Failure::Other(_))));
    let (address, _server) = serve(&["SSH-2.0-OpenSSH_9.2\r\n"]);
    assert!(matches!(ask(format!("http://{address}/"), None).await, Err(Failure::Other(_))));
    // A redirect could carry the token elsewhere: it is an answer, not followed.
    let (address, _server) =
        serve(&["HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"]);
    assert_eq!(ask(format!("http://{address}/"), None).await.expect("an answer").status, 302);
}

#[tokio::test]
async fn certificates_must_prove_something() {
    let ca = Some(PathBuf::from(format!("{FIXTURES}/ca.pem")));
    for (certificate, ca, expected) in [
        ("valid", ca.clone(), None),
        ("valid", None, Some("its certificate comes from an authority that this computer does not trust")),
        ("expired", ca.clone(), Some("its certificate has expired")),
        ("other-name", ca, Some("its certificate is for another name")),
    ] {
        let result = ask(format!("https://{}/", serve_tls(certificate)), ca).await;
        match expected {
            None => assert_eq!(result.expect("trusted").status, 204),
            Some(why) => assert_eq!(result, Err(Failure::Certificate(why.into())), "{certificate}"),
        }
    }
    let absent = Client::new(Some("/nowhere/ca.pem".into())).ready("https://tms.example").expect_err("no such file");
    assert!(matches!(absent, Failure::Other(why) if why.contains("/nowhere/ca.pem")));
}

#[tokio::test]
async fn a_stream_of_events() {
    let (address, server) = serve(&[
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
        "8\r\n: hello\n\r\n",
        "1e\r\n\nevent: registrations\ndata: {}\r\n",
        "2\r\n\n\n\r\n",
        "0\r\n\r\n",
    ]);
    let url = format!("http://{address}/v1/me/events");
    let http = Client::default().ready(&url).expect("a client");
    let mut stream = EventStream::open(http, get(url)).await.expect("a stream");
    let events = stream.next().await.expect("an event");
    assert_eq!(events, [ServerEvent { name: "registrations".into(), data: "{}".into() }]);
    assert!(matches!(stream.next().await, Err(Failure::Other(_))), "the end is an end");
    assert!(server.join().expect("served").to_ascii_lowercase().contains("accept: text/event-stream\r\n"));
}

#[tokio::test]
async fn what_is_no_stream_is_an_answer() {
    let (address, _server) = serve(&["HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"]);
    let url = format!("http://{address}/v1/me/events");
    let http = Client::default().ready(&url).expect("a client");
    let closed = EventStream::open(http, get(url)).await.expect_err("no stream");
    assert_eq!(closed.expect("an answer").status, 401);
}

#[tokio::test]
async fn a_tms_that_says_nothing_is_given_up() {
    // Accepted by the system's backlog, never answered.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let http = Client::default().ready(&url).expect("a client");
    assert_eq!(exchange(http, get(url), Duration::from_millis(30)).await, Err(Failure::TimedOut));
}

#[tokio::test]
async fn an_endless_answer_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        read_head(&mut stream);
        let mut sent = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n");
        while sent.is_ok() {
            sent = stream.write_all(&[b' '; 64 * 1024]);
        }
    });
    assert_eq!(ask(format!("http://{address}/"), None).await, Err(Failure::TooLarge));
}
