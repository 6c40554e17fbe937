//! Connections over loopback sockets.

use super::*;
use crate::sip::flow::Transport;
use tokio::net::TcpListener;

const LIMITS: Limits = Limits { all: 40, from_one: 10 };

fn on_runtime<F: Future>(test: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(test)
}

async fn connect(listener: &TcpListener) -> (TcpStream, TcpStream) {
    let address = listener.local_addr().expect("bound");
    let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
    (near.expect("connected"), far.expect("accepted").0)
}

fn flow(host: u8, port: usize) -> Flow {
    Flow { transport: Transport::Tcp, remote: ([10, 0, 0, host], port as u16).into() }
}

#[test]
fn a_full_table_closes_the_longest_silent_and_one_address_gets_a_part_of_it() {
    on_runtime(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let (sender, _incoming) = mpsc::channel(1);
        let mut connections = Connections::new(LIMITS, sender);
        let mut kept = Vec::new();
        for port in 1..=LIMITS.from_one + 1 {
            let (near, far) = connect(&listener).await;
            kept.push(near);
            let ended = connections.add(far, flow(9, port), None);
            // The first one has said something, so the second is the most silent.
            let expected = if port > LIMITS.from_one { vec![flow(9, 2)] } else { vec![] };
            assert_eq!(ended, expected, "{port}");
            if port == 1 {
                assert!(connections.heard(Peer { flow: flow(9, 1), serial: connections.ticks }));
            }
        }
        let (near, far) = connect(&listener).await;
        kept.push(near);
        assert_eq!(connections.add(far, flow(8, 1), None), [], "another address has its own part");
        assert_eq!(connections.open.len(), LIMITS.from_one + 1);
        assert_eq!((connections.silent.len(), connections.from.len()), (LIMITS.from_one + 1, 2));
        for connection in connections.open.keys().copied().collect::<Vec<_>>() {
            connections.drop_connection(connection);
        }
        assert!(connections.silent.is_empty() && connections.from.is_empty(), "something of them is left");
    });
}

#[test]
fn a_full_table_closes_the_most_silent_of_all() {
    on_runtime(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let (sender, _incoming) = mpsc::channel(1);
        let mut connections = Connections::new(LIMITS, sender);
        let mut kept = Vec::new();
        for host in 1..=LIMITS.all + 2 {
            let (near, far) = connect(&listener).await;
            kept.push(near);
            let ended = connections.add(far, flow(host as u8, 1), None);
            if host < LIMITS.all {
                assert!(connections.heard(Peer { flow: flow(host as u8, 1), serial: connections.ticks }));
            }
            let expected = match host {
                // The last one has said nothing yet, though others have been silent for longer.
                h if h == LIMITS.all + 1 => vec![flow(LIMITS.all as u8, 1)],
                h if h == LIMITS.all + 2 => vec![flow(LIMITS.all as u8 + 1, 1)],
                _ => vec![],
            };
            assert_eq!(ended, expected, "{host}");
        }
        assert_eq!(connections.open.len(), LIMITS.all);
    });
}

#[test]
fn a_late_word_of_an_older_connection_is_not_the_newer_ones() {
    on_runtime(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let (sender, _incoming) = mpsc::channel(1);
        let mut connections = Connections::new(LIMITS, sender);
        let (_near, far) = connect(&listener).await;
        assert_eq!(connections.add(far, flow(9, 1), None), []);
        let older = Peer { flow: flow(9, 1), serial: connections.ticks };
        let (_near, far) = connect(&listener).await;
        assert_eq!(connections.add(far, flow(9, 1), None), [flow(9, 1)]);
        let newer = Peer { flow: flow(9, 1), serial: connections.ticks };
        assert!(!connections.heard(older) && !connections.closed(older));
        assert!(connections.send(newer.flow, b"still open".to_vec()));
        assert!(connections.heard(newer) && connections.closed(newer) && !connections.closed(newer));
    });
}

#[test]
fn the_limits_follow_what_the_process_may_open() {
    for (open_files, all, from_one) in
        [(0, 64, 16), (1024, 768, 192), (65_536, 49_152, 12_288), (usize::MAX, 100_000, 25_000)]
    {
        assert_eq!(Limits::of(open_files), Limits { all, from_one });
    }
}
