//! Client transactions: what is filled in, what matches, CANCEL, ACK, the choice of transport.

use super::*;

#[test]
fn via_branch_and_max_forwards_are_filled_in() {
    let mut bench = Bench::new();
    bench.send(udp("192.0.2.9:5060"), outgoing("OPTIONS"));
    let (_, first) = bench.last_request("OPTIONS");
    let via = first.headers.top_via().expect("ours");
    assert_eq!((via.transport.as_str(), via.host.as_str(), via.port), ("UDP", "192.0.2.2", Some(5060)));
    assert!(via.has_param("rport") && via.branch().is_some_and(|branch| branch.starts_with("z9hG4bK")));
    assert_eq!(first.headers.number("Max-Forwards"), Some(70));

    bench.send(tcp("192.0.2.9:5060"), outgoing("OPTIONS"));
    let (_, second) = bench.last_request("OPTIONS");
    let other = second.headers.top_via().expect("ours");
    assert_eq!((other.transport.as_str(), other.port), ("TCP", Some(5070)));
    assert_ne!(via.branch(), other.branch());
}

/// RFC 3261 §17.1.3, §8.1.3.3, RFC 6026 §8.9: what does not match vanishes.
#[test]
fn only_matching_responses_come_through() {
    let flow = udp("192.0.2.9:5060");
    for (change, expected) in [
        ("nothing", vec!["Response 200"]),
        ("branch", vec![]),
        ("method", vec![]),
        ("two Vias", vec![]),
        ("no CSeq", vec![]),
        ("no Via", vec![]),
    ] {
        let mut bench = Bench::new();
        bench.send(flow, outgoing("OPTIONS"));
        let mut response = Response::to(&bench.last_request("OPTIONS").1, 200, Some("x"));
        match change {
            "branch" => {
                let mut via = response.headers.top_via().expect("ours");
                via.set_param("branch", Some("z9hG4bKforged"));
                response.headers.set_top_via(&via);
            }
            "method" => response.headers.set("CSeq", "7 INVITE"),
            "two Vias" => response.headers.push("Via", "SIP/2.0/UDP 192.0.2.77;branch=z9hG4bKx"),
            "no CSeq" => response.headers.remove("CSeq"),
            "no Via" => response.headers.remove("Via"),
            _ => {}
        }
        bench.endpoint.handle_message(bench.now, flow, Message::Response(response));
        bench.drain();
        assert_eq!(bench.take_events(), expected, "{change}");
    }
}

/// RFC 3261 §16.7: a proxy's responses carry the Vias of those before it.
#[test]
fn a_proxy_takes_responses_with_several_vias() {
    let mut bench = Bench::with(Endpoint::for_proxy(Timers::default(), Entropy::from_seed(1)));
    let mut request = outgoing("OPTIONS");
    request.headers.push_front("Via", "SIP/2.0/UDP 192.0.2.50;branch=z9hG4bKabove");
    bench.send(udp("192.0.2.9:5060"), request);
    bench.answer("OPTIONS", 200);
    assert_eq!(bench.take_events(), ["Response 200"]);
}

/// RFC 3261 §17.1.1.3.
#[test]
fn ack_for_a_refusal() {
    let mut bench = Bench::new();
    bench.send(udp("192.0.2.9:5060"), outgoing("INVITE"));
    let (_, invite) = bench.last_request("INVITE");
    bench.answer("INVITE", 486);
    let (flow, ack) = bench.last_request("ACK");
    assert_eq!(flow, udp("192.0.2.9:5060"));
    assert_eq!(ack.uri, invite.uri);
    for name in ["Via", "Route", "From", "Call-ID"] {
        assert_eq!(ack.headers.get(name), invite.headers.get(name), "{name}");
    }
    assert_eq!(ack.headers.get("CSeq"), Some("7 ACK"));
    assert_eq!(ack.headers.to().expect("copied").tag(), Some("peer"));

    bench.answer("INVITE", 486);
    assert_eq!(bench.take_sent(), ["INVITE", "ACK", "ACK"]);
    assert_eq!(bench.take_events(), ["Response 486"]);
    bench.run_to(40_000);
    bench.assert_empty();
}

/// RFC 3261 §9.1, RFC 3326.
#[test]
fn cancel_waits_for_a_provisional_response() {
    let mut bench = Bench::new();
    let id = bench.send(udp("192.0.2.9:5060"), outgoing("INVITE"));
    let (_, invite) = bench.last_request("INVITE");
    bench.endpoint.cancel(bench.now, id, Some("SIP;cause=200;text=\"Call completed elsewhere\""));
    bench.drain();
    assert_eq!(bench.take_sent(), ["INVITE"]);

    bench.sent.push((udp("192.0.2.9:5060"), None, Message::Request(invite.clone())));
    bench.answer("INVITE", 100);
    let (_, cancel) = bench.last_request("CANCEL");
    for name in ["Via", "Route", "From", "To", "Call-ID"] {
        assert_eq!(cancel.headers.get(name), invite.headers.get(name), "{name}");
    }
    assert_eq!(cancel.headers.get("CSeq"), Some("7 CANCEL"));
    assert_eq!(cancel.headers.get("Reason"), Some("SIP;cause=200;text=\"Call completed elsewhere\""));

    bench.answer("CANCEL", 200);
    bench.answer("INVITE", 487);
    assert_eq!(bench.take_events(), ["Response 100", "Response 487"]);
    bench.run_to(40_000);
    bench.assert_empty();
}

/// RFC 3261 §18.1.1.
#[test]
fn large_requests_go_by_tcp_and_fall_back() {
    struct Case {
        body: usize,
        tcp_known: bool,
        tcp_works: bool,
        sent_by: &'static [Transport],
    }
    use Transport::{Tcp, Udp};
    for Case { body, tcp_known, tcp_works, sent_by } in [
        Case { body: 200, tcp_known: true, tcp_works: true, sent_by: &[Udp] },
        Case { body: 1300, tcp_known: true, tcp_works: true, sent_by: &[Tcp] },
        Case { body: 1300, tcp_known: true, tcp_works: false, sent_by: &[Tcp, Udp] },
        Case { body: 1300, tcp_known: false, tcp_works: true, sent_by: &[Udp] },
    ] {
        let mut bench = Bench::new();
        if !tcp_known {
            bench.endpoint.local.remove(&(Tcp, false));
        }
        let mut request = outgoing("INVITE");
        request.body = vec![b'x'; body];
        let id = bench.send(udp("192.0.2.9:5060"), request);
        bench.endpoint.cancel(bench.now, id, None);
        if !tcp_works {
            bench.endpoint.transport_failed(bench.now, id, "connection refused");
            bench.drain();
        }
        let flows: Vec<_> = bench.sent.iter().map(|(flow, _, _)| flow.transport).collect();
        assert_eq!(flows, sent_by);
        for (flow, client, message) in &bench.sent {
            let via = message.headers().top_via().expect("ours");
            assert_eq!((via.transport.as_str(), *client), (flow.transport.via_name(), Some(id)));
        }
        assert!(bench.events.is_empty(), "the transaction user hears nothing of it");
        // Answered on the way it went, and the CANCEL that waited goes the same way.
        bench.answer("INVITE", 180);
        assert_eq!(Some(bench.last_request("CANCEL").0.transport), sent_by.last().copied());
        // A peer without TCP is remembered for ten minutes.
        if !tcp_works {
            for (ms, transport) in [(599_999, Udp), (600_000, Tcp)] {
                let mut request = outgoing("MESSAGE");
                request.body = vec![b'x'; body];
                bench.now = bench.start + Duration::from_millis(ms);
                bench.send(udp("192.0.2.9:5060"), request);
                assert_eq!(bench.last_request("MESSAGE").0.transport, transport, "after {ms} ms");
            }
            bench.now = bench.start;
        }
        // Once an answer has come there is no way back.
        bench.endpoint.transport_failed(bench.now, id, "connection reset");
        bench.drain();
        assert_eq!(bench.take_events(), ["Response 180", "TransportFailed"]);
    }
}

/// Where a firewall swallows TCP, the connection's failure comes late and is nobody's business.
#[test]
fn a_connection_that_takes_long_is_not_waited_for() {
    for late_failure in [false, true] {
        let mut bench = Bench::new();
        let mut request = outgoing("INVITE");
        request.body = vec![b'x'; 1300];
        let id = bench.send(udp("192.0.2.9:5060"), request);
        bench.run_to(1999);
        assert_eq!(bench.take_sent(), ["INVITE"]);
        bench.run_to(2000);
        let (flow, invite) = bench.last_request("INVITE");
        assert_eq!(flow, udp("192.0.2.9:5060"));
        assert_eq!(invite.headers.top_via().expect("ours").transport, "UDP");
        bench.run_to(3000);
        assert_eq!(bench.sent.len(), 2, "Timer A runs as over UDP");
        if late_failure {
            bench.endpoint.transport_failed(bench.now, id, "nothing answers");
            bench.drain();
        }
        bench.answer("INVITE", 486);
        assert_eq!(bench.take_events(), ["Response 486"]);
        bench.run_to(60_000);
        bench.assert_empty();
    }
}

/// An answer by TCP ends the waiting.
#[test]
fn an_answered_connection_is_kept() {
    let mut bench = Bench::new();
    let mut request = outgoing("INVITE");
    request.body = vec![b'x'; 1300];
    bench.send(udp("192.0.2.9:5060"), request);
    bench.answer("INVITE", 100);
    bench.run_to(60_000);
    assert_eq!(bench.take_sent(), ["INVITE"]);
}

#[test]
fn a_proxy_stays_with_datagrams() {
    let mut bench = Bench::with(Endpoint::for_proxy(Timers::default(), Entropy::from_seed(1)));
    let mut request = outgoing("INVITE");
    request.body = vec![b'x'; 5000];
    bench.send(udp("192.0.2.9:5060"), request);
    assert_eq!(bench.last_request("INVITE").0, udp("192.0.2.9:5060"));
}

#[test]
fn a_second_failure_is_reported() {
    let mut bench = Bench::new();
    let mut request = outgoing("MESSAGE");
    request.body = vec![b'x'; 1400];
    let id = bench.send(udp("192.0.2.9:5060"), request);
    bench.endpoint.transport_failed(bench.now, id, "connection refused");
    bench.endpoint.transport_failed(bench.now, id, "port unreachable");
    bench.drain();
    assert!(
        matches!(&bench.events[..], [Event::TransportFailed { reason, .. }] if reason == "port unreachable"),
        "{:?}",
        bench.events
    );
    bench.assert_empty();
}
