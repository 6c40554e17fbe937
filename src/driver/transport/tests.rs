//! On real loopback sockets.

use super::*;
use crate::sip::msg::Method;
use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream as StdStream},
    time::Duration,
};

const LOOPBACK: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

fn open() -> (Transports, SocketAddr) {
    let sockets = Sockets::bind(LOOPBACK.into()).expect("a port");
    let address = sockets.address().expect("bound");
    (Transports::new(sockets, None).expect("within a runtime"), address)
}

fn options(number: u32) -> Vec<u8> {
    format!(
        "OPTIONS sip:a@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:1;branch=z9hG4bK{number}\r\nFrom: <sip:b@x>;tag=1\r\n\
         To: <sip:a@x>\r\nCall-ID: {number}\r\nCSeq: {number} OPTIONS\r\nContent-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

/// The next thing, within a time that only a failure takes.
async fn next(transports: &mut Transports) -> Received {
    tokio::time::timeout(Duration::from_secs(10), transports.next()).await.expect("something in time")
}

/// The next message, which is to be an OPTIONS, as (flow, CSeq number).
async fn message(transports: &mut Transports) -> (Flow, u32) {
    match next(transports).await {
        Received::Message { flow, message: Message::Request(request), .. } if request.method == Method::OPTIONS => {
            (flow, request.headers.cseq().expect("readable").number)
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn datagrams_go_both_ways() {
    let ((mut a, at_a), (mut b, at_b)) = (open(), open());
    let to = |remote| Flow { transport: Transport::Udp, remote };
    a.send(Instant::now(), to(at_b), options(1), None).expect("sent");
    assert_eq!(message(&mut b).await, (to(at_a), 1));
    b.send(Instant::now(), to(at_a), b"\r\n\r\n".to_vec(), None).expect("sent");
    b.send(Instant::now(), to(at_a), options(2), None).expect("sent");
    assert_eq!(message(&mut a).await, (to(at_b), 2), "keep-alives are passed over");
}

#[tokio::test]
async fn a_connection_serves_both_ways_and_again() {
    let ((mut a, _), (mut b, at_b)) = (open(), open());
    let out = Flow { transport: Transport::Tcp, remote: at_b };
    for number in 1..=2 {
        a.send(Instant::now(), out, options(number), None).expect("sent");
    }
    // Only `b` is polled, but `a`'s connection is a task of its own.
    let (back, first) = message(&mut b).await;
    assert_eq!((first, message(&mut b).await), (1, (back, 2)), "one connection for both");
    b.send(Instant::now(), back, options(3), None).expect("sent");
    assert_eq!(message(&mut a).await, (out, 3), "the answer comes back over it");
    a.send(Instant::now(), out, b"\r\n\r\n".to_vec(), None).expect("sent");
    tokio::select! {
        received = next(&mut a) => assert!(matches!(received, Received::Pong(flow) if flow == out), "{received:?}"),
        _ = async { loop { next(&mut b).await; } } => {}
    }
}

#[tokio::test]
async fn what_was_sent_on_a_lost_connection_is_reported() {
    let (mut a, _) = open();
    let listener = StdListener::bind(LOOPBACK).expect("a port");
    let flow = Flow { transport: Transport::Tcp, remote: listener.local_addr().expect("bound") };
    for token in [7, 8] {
        a.send(Instant::now(), flow, options(1), Some(token)).expect("queued");
    }
    let accepted = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("connected");
        stream.read_exact(&mut [0; 20]).expect("something came");
    });
    match next(&mut a).await {
        Received::Closed { flow: lost_flow, lost, .. } => assert_eq!((lost_flow, lost), (flow, vec![7, 8])),
        other => panic!("{other:?}"),
    }
    accepted.join().expect("accepted");
    // Now nobody listens there.
    a.send(Instant::now(), flow, options(1), Some(9)).expect("queued");
    match next(&mut a).await {
        Received::Closed { reason, lost, .. } => {
            assert!(lost == [9] && reason.contains("nothing listens"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn connections_are_bounded_and_the_silent_ones_go_first() {
    let (mut a, at_a) = open();
    let mut peers = Vec::new();
    for number in 1..=MAX_CONNECTIONS as u32 + 1 {
        let mut peer = StdStream::connect(at_a).expect("accepted by the system");
        peer.write_all(&options(number)).expect("sent");
        peers.push(peer);
        if number > MAX_CONNECTIONS as u32 {
            let first = peers[0].local_addr().expect("connected");
            let closed = next(&mut a).await;
            assert!(matches!(&closed, Received::Closed { flow, .. } if flow.remote == first), "{closed:?}");
        }
        assert_eq!(message(&mut a).await.1, number);
    }
    assert_eq!(a.connections.len(), MAX_CONNECTIONS);
    // The first was silent longest and is closed; the second still serves.
    peers[1].write_all(&options(200)).expect("sent");
    assert_eq!(message(&mut a).await.1, 200);
    peers[0].set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    assert_eq!(peers[0].read(&mut [0; 1]).expect("an orderly end"), 0);
}

#[tokio::test]
async fn a_peer_that_does_not_read_costs_a_bounded_queue() {
    let (mut a, _) = open();
    let listener = StdListener::bind(LOOPBACK).expect("a port");
    let flow = Flow { transport: Transport::Tcp, remote: listener.local_addr().expect("bound") };
    let mut refused = None;
    for _ in 0..2000 {
        if let Err(why) = a.send(Instant::now(), flow, vec![b'x'; 60_000], None) {
            refused = Some(why);
            break;
        }
        tokio::task::yield_now().await;
    }
    assert!(refused.is_some_and(|why| why.contains("does not read")));
}

#[tokio::test]
async fn nonsense_on_a_connection_ends_it() {
    let (mut a, at_a) = open();
    let mut peer = StdStream::connect(at_a).expect("accepted by the system");
    peer.write_all(b"OPTIONS sip:a SIP/2.0\r\nContent-Length: -1\r\n\r\n").expect("sent");
    assert!(matches!(next(&mut a).await, Received::Closed { .. }));
    assert!(a.connections.is_empty());
}

#[test]
fn signalling_asks_routers_for_its_class() {
    let sockets = Sockets::bind(LOOPBACK.into()).expect("a port");
    assert_eq!(socket2::SockRef::from(&sockets.bound.udp).tos_v4().expect("a socket has one"), 24 << 2);
}
