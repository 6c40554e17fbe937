//! Real sockets: what arrives in pieces, what is no SIP, who connects and says nothing useful.

use crate::server::{
    clock::Clock,
    contacts::Contacts,
    notebook::Notebook,
    notices::Notices,
    sip::{SipServer, SipSettings},
    store::Store,
};
use crate::sip::digest::Algorithm;
use std::net::SocketAddr;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    task::JoinSet,
};

/// A server, ended with the test.
async fn serve() -> (SocketAddr, JoinSet<()>) {
    let store = Store::open(&crate::server::store::testing::database().await).await.expect("a database");
    let clock = Clock::system();
    let (_, orders) = Contacts::new();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let settings = SipSettings { address: any, known_as: None, algorithms: vec![Algorithm::MD5], flow_key: None };
    let (notebook, _) = Notebook::new(store.clone(), clock.clone());
    let server = SipServer::bind(settings, &store, &clock, (Notices::new(), notebook), orders).await.expect("sockets");
    let address = server.local_addr().expect("an address");
    let mut task = JoinSet::new();
    task.spawn(server.run());
    (address, task)
}

fn options(address: SocketAddr, transport: &str) -> String {
    format!(
        "OPTIONS sip:{address} SIP/2.0\r\nVia: SIP/2.0/{transport} 127.0.0.1:9;branch=z9hG4bK{transport};rport\r\nFrom: <sip:a@acme>;tag=1\r\n\
         To: <sip:{address}>\r\nCall-ID: o\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )
}

async fn read(stream: &mut TcpStream) -> String {
    let mut buffer = vec![0; 4096];
    let length = stream.read(&mut buffer).await.expect("reads");
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

#[tokio::test]
async fn a_stream_may_come_in_pieces_and_is_kept_alive() {
    let (address, _server) = serve().await;
    let mut stream = TcpStream::connect(address).await.expect("connects");
    for byte in options(address, "TCP").bytes() {
        stream.write_all(&[byte]).await.expect("writes");
    }
    assert!(read(&mut stream).await.starts_with("SIP/2.0 200 "));
    stream.write_all(b"\r\n\r\n").await.expect("writes");
    assert_eq!(read(&mut stream).await, "\r\n");
}

#[tokio::test]
async fn nonsense_is_answered_or_dropped_and_others_are_served() {
    let (address, _server) = serve().await;
    let udp = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    udp.connect(address).await.expect("connects");
    let mut streams = Vec::new();
    for junk in [
        "\0\0\0\0",
        "GET / HTTP/1.1\r\n\r\n",
        "INVITE sip:100@acme SIP/2.0\r\nContent-Length: 99999999\r\n\r\n",
        &"A".repeat(60_000),
    ] {
        udp.send(junk.as_bytes()).await.expect("sends");
        let mut stream = TcpStream::connect(address).await.expect("connects");
        // The server may have closed before all is written.
        let _ = stream.write_all(junk.as_bytes()).await;
        streams.push(stream);
    }
    udp.send(options(address, "UDP").as_bytes()).await.expect("sends");
    let mut buffer = vec![0; 4096];
    let length = udp.recv(&mut buffer).await.expect("an answer");
    assert!(buffer[..length].starts_with(b"SIP/2.0 200 "));
    let mut stream = TcpStream::connect(address).await.expect("connects");
    stream.write_all(options(address, "TCP").as_bytes()).await.expect("writes");
    assert!(read(&mut stream).await.starts_with("SIP/2.0 200 "));
}

#[tokio::test]
async fn an_answer_goes_back_on_its_own_connection() {
    let (address, _server) = serve().await;
    let mut streams = Vec::new();
    for _ in 0..20 {
        streams.push(TcpStream::connect(address).await.expect("connects"));
    }
    for (n, stream) in streams.iter_mut().enumerate() {
        let request = options(address, "TCP")
            .replace("Call-ID: o", &format!("Call-ID: o{n}"))
            .replace("bKTCP", &format!("bKTCP{n}"));
        stream.write_all(request.as_bytes()).await.expect("writes");
    }
    for (n, stream) in streams.iter_mut().enumerate() {
        assert!(read(stream).await.contains(&format!("Call-ID: o{n}\r\n")));
    }
}
