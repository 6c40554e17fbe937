//! Server transactions: matching, CANCEL, merged requests, where answers go, the bound.

use super::*;

const VIA: &str = "UDP 192.0.2.1:5060;branch=z9hG4bK1";

/// RFC 3261 §17.2.3: a retransmission, and what only looks like one.
#[test]
fn retransmissions_match_their_transaction() {
    struct Case {
        first: String,
        second: String,
        is_same: bool,
    }
    let case = |first: String, second: String, is_same| Case { first, second, is_same };
    let options = |via: &str| incoming("OPTIONS", via, ";tag=t");
    let old = "UDP 192.0.2.1:5060;branch=1";
    for (number, Case { first, second, is_same }) in [
        case(options(VIA), options(VIA), true),
        case(options(VIA), options("UDP 192.0.2.1;branch=z9hG4bK1"), true),
        case(options(VIA), options("UDP 192.0.2.1:5060;branch=z9hG4bK2"), false),
        case(options(VIA), options("UDP 192.0.2.7:5060;branch=z9hG4bK1"), false),
        case(options(VIA), options("UDP 192.0.2.1:5061;branch=z9hG4bK1"), false),
        case(options(VIA), incoming("INFO", VIA, ";tag=t"), false),
        // RFC 2543: Request-URI, From tag, Call-ID, CSeq, top Via.
        case(options(old), options(old), true),
        case(options("UDP 192.0.2.1:5060"), options("UDP 192.0.2.1:5060"), true),
        case(options(old), options(old).replace("CSeq: 1", "CSeq: 2"), false),
        case(options(old), options(old).replace("tag=a", "tag=other"), false),
        case(options(old), options(old).replace("Call-ID: call", "Call-ID: other"), false),
        case(options(old), options(old).replace("OPTIONS sip:bob", "OPTIONS sip:carol"), false),
    ]
    .into_iter()
    .enumerate()
    {
        let mut bench = Bench::new();
        bench.receive(udp("192.0.2.1:5060"), &first);
        bench.receive(udp("192.0.2.1:5060"), &second);
        assert_eq!(bench.events.len(), if is_same { 1 } else { 2 }, "case {number}");
    }
}

/// Both kinds of branch: the final response is repeated, the ACK ends that.
#[test]
fn a_refused_invite_is_acknowledged() {
    for via in [VIA, "UDP 192.0.2.1:5060;branch=1"] {
        let mut bench = Bench::new();
        let flow = udp("192.0.2.1:5060");
        bench.receive(flow, &incoming("INVITE", via, ""));
        let (id, invite) = bench.requested();
        bench.respond(id, &invite, 486);
        bench.run_to(600);
        bench.receive(flow, &incoming("INVITE", via, ""));
        assert_eq!(bench.take_sent(), ["486 INVITE", "486 INVITE", "486 INVITE"], "{via}");
        bench.receive(flow, &incoming("ACK", via, ";tag=ours"));
        bench.run_to(40_000);
        assert!(bench.take_sent().is_empty());
        assert_eq!(bench.take_events(), ["Request INVITE"], "{via}");
        bench.assert_empty();
    }
}

/// RFC 3261 §13.3.1.4, RFC 6026 §7.1.
#[test]
fn a_2xx_is_repeated_until_acknowledged() {
    for flow in [udp("192.0.2.1:5060"), tcp("192.0.2.1:40000")] {
        let mut bench = Bench::new();
        bench.receive(flow, &incoming("INVITE", VIA, ""));
        let (id, invite) = bench.requested();
        bench.respond(id, &invite, 200);
        bench.run_to(1600);
        // The INVITE again is absorbed; the ACK has a branch of its own.
        bench.receive(flow, &incoming("INVITE", VIA, ""));
        assert_eq!(bench.take_sent(), ["200 INVITE"; 3], "{flow}");
        bench.receive(flow, &incoming("ACK", "UDP 192.0.2.1:5060;branch=z9hG4bKack", ";tag=ours"));
        bench.endpoint.acknowledged(bench.now, id);
        bench.run_to(40_000);
        assert!(bench.take_sent().is_empty());
        assert_eq!(bench.take_events(), ["Request INVITE", "Ack"]);
        bench.assert_empty();
    }
}

#[test]
fn a_2xx_without_ack_is_reported() {
    let mut bench = Bench::new();
    bench.receive(udp("192.0.2.1:5060"), &incoming("INVITE", VIA, ""));
    let (id, invite) = bench.requested();
    bench.respond(id, &invite, 200);
    bench.run_to(40_000);
    assert_eq!(bench.take_sent().len(), 11, "at 0, .5, 1.5, 3.5, 7.5 and then every 4 s up to 31.5 s");
    assert_eq!(bench.take_events(), ["Request INVITE", "NoAck"]);
    bench.assert_empty();
}

#[test]
fn trying_goes_out_after_200_ms() {
    let mut bench = Bench::new();
    bench.receive(udp("192.0.2.1:5060"), &incoming("INVITE", VIA, ""));
    bench.run_to(199);
    assert!(bench.take_sent().is_empty());
    bench.run_to(200);
    bench.receive(udp("192.0.2.1:5060"), &incoming("INVITE", VIA, ""));
    assert_eq!(bench.take_sent(), ["100 INVITE", "100 INVITE"]);
}

/// RFC 4320.
#[test]
fn no_408_and_no_provisional_response_outside_invite() {
    let mut bench = Bench::new();
    bench.receive(udp("192.0.2.1:5060"), &incoming("OPTIONS", VIA, ""));
    let (id, options) = bench.requested();
    bench.respond(id, &options, 183);
    bench.respond(id, &options, 408);
    bench.run_to(3499);
    assert!(bench.take_sent().is_empty());
    bench.run_to(40_000);
    assert_eq!(bench.take_sent(), ["100 OPTIONS"]);
    bench.assert_empty();
}

/// RFC 3261 §9.2.
#[test]
fn cancel() {
    for via in [VIA, "UDP 192.0.2.1:5060;branch=1"] {
        let mut bench = Bench::new();
        let flow = udp("192.0.2.1:5060");
        bench.receive(flow, &incoming("CANCEL", via, ""));
        assert_eq!(bench.take_sent(), ["481 CANCEL"], "nothing matches");
        bench.receive(flow, &incoming("INVITE", via, ""));
        let (id, invite) = bench.requested();
        bench.respond(id, &invite, 180);
        bench.receive(flow, &incoming("CANCEL", via, ""));
        bench.receive(flow, &incoming("CANCEL", via, ""));
        for (_, _, response) in &bench.sent {
            assert_eq!(response.headers().to().expect("ours").tag(), Some("ours"), "the To tag of the 180");
        }
        assert_eq!(bench.take_sent(), ["180 INVITE", "200 CANCEL", "200 CANCEL"]);
        assert_eq!(bench.take_events(), ["Request INVITE", "Cancelled"]);
        bench.respond(id, &invite, 487);
        bench.receive(flow, &incoming("CANCEL", via, ""));
        assert_eq!(bench.take_sent(), ["487 INVITE", "200 CANCEL"], "too late, and still a 200");
        bench.receive(flow, &incoming("ACK", via, ";tag=ours"));
        assert!(bench.take_events().is_empty());
        bench.run_to(40_000);
        bench.assert_empty();
    }
}

/// RFC 3261 §8.2.2.2: by two ways to a user agent; a proxy takes them for two requests.
#[test]
fn merged_requests() {
    let flow = udp("192.0.2.1:5060");
    let other = "UDP 192.0.2.1:5060;branch=z9hG4bKother";
    let mut bench = Bench::new();
    bench.receive(flow, &incoming("INVITE", VIA, ""));
    bench.receive(flow, &incoming("INVITE", other, ""));
    assert_eq!(bench.take_sent(), ["482 INVITE"]);
    bench.receive(flow, &incoming("INVITE", other, ""));
    let tag = bench.sent[0].2.headers().to().expect("ours").tag().map(str::to_owned).expect("a tag");
    bench.receive(flow, &incoming("ACK", other, &format!(";tag={tag}")));
    assert_eq!(bench.take_events(), ["Request INVITE"], "the 482's ACK is nobody's business");
    // Inside a dialog there is no merging.
    bench.receive(flow, &incoming("OPTIONS", VIA, ";tag=t"));
    bench.receive(flow, &incoming("OPTIONS", other, ";tag=t"));
    assert_eq!(bench.take_events(), ["Request OPTIONS", "Request OPTIONS"]);

    let mut proxy = Bench::with(Endpoint::for_proxy(Timers::default(), Entropy::from_seed(1)));
    proxy.receive(flow, &incoming("INVITE", VIA, ""));
    proxy.receive(flow, &incoming("INVITE", other, ""));
    assert_eq!(proxy.take_events(), ["Request INVITE", "Request INVITE"]);
}

/// RFC 3261 §18.2.1, §18.2.2, RFC 3581.
#[test]
fn received_rport_and_where_answers_go() {
    let (behind_nat, direct) = (udp("203.0.113.5:40000"), udp("192.0.2.1:5060"));
    let connection = tcp("203.0.113.5:40000");
    let v6 = udp("[2001:db8::1]:40000");
    for (via, flow, stamp, answer) in [
        ("UDP 192.0.2.1:5060;rport;branch=z9hG4bK1", behind_nat, (Some("203.0.113.5"), Some("40000")), behind_nat),
        ("UDP 192.0.2.1:5061;branch=z9hG4bK1", behind_nat, (Some("203.0.113.5"), None), udp("203.0.113.5:5061")),
        ("UDP host.example;branch=z9hG4bK1", behind_nat, (Some("203.0.113.5"), None), udp("203.0.113.5:5060")),
        ("UDP 192.0.2.1;branch=z9hG4bK1", direct, (None, None), direct),
        ("UDP 192.0.2.1;rport;branch=z9hG4bK1", direct, (Some("192.0.2.1"), Some("5060")), direct),
        ("UDP 192.0.2.1;received=1.2.3.4;branch=z9hG4bK1", direct, (Some("192.0.2.1"), None), direct),
        ("UDP 192.0.2.1;rport=9;branch=z9hG4bK1", direct, (Some("192.0.2.1"), Some("5060")), direct),
        ("UDP 192.0.2.1;maddr=1.2.3.4;branch=z9hG4bK1", direct, (None, None), direct),
        ("TCP 192.0.2.1:5060;branch=z9hG4bK1", connection, (Some("203.0.113.5"), None), connection),
        ("UDP [2001:db8::1]:5062;branch=z9hG4bK1", v6, (None, None), udp("[2001:db8::1]:5062")),
    ] {
        let mut bench = Bench::new();
        bench.receive(flow, &incoming("OPTIONS", via, ""));
        let (id, options) = bench.requested();
        let stamped = options.headers.top_via().expect("there");
        assert_eq!((stamped.param("received"), stamped.param("rport")), stamp, "{via}");
        bench.respond(id, &options, 200);
        assert_eq!(bench.sent[0].0, answer, "{via}");
    }
}

#[test]
fn what_cannot_be_a_transaction() {
    let flow = udp("192.0.2.1:5060");
    for (from, to, sent) in
        [("CSeq: 1 INVITE", "CSeq: 1 OPTIONS", vec!["400 OPTIONS"]), ("CSeq: 1 ACK", "CSeq: 1 OPTIONS", vec![])]
    {
        let method = from.rsplit(' ').next().unwrap_or_default();
        let mut bench = Bench::new();
        let mut request = request(&incoming(method, VIA, ""));
        request.headers.set("CSeq", to.trim_start_matches("CSeq: "));
        bench.endpoint.handle_message(bench.now, flow, Message::Request(request));
        bench.drain();
        assert_eq!(bench.take_sent(), sent);
        assert!(bench.take_events().is_empty());
        bench.assert_empty();
    }
    let mut bench = Bench::new();
    let mut bare = request(&incoming("OPTIONS", VIA, ""));
    bare.headers.remove("Via");
    bench.endpoint.handle_message(bench.now, flow, Message::Request(bare));
    bench.drain();
    assert!(bench.sent.is_empty() && bench.events.is_empty());
}

#[test]
fn a_flood_gets_503() {
    let mut bench = Bench::new();
    bench.endpoint.max_transactions = 10;
    let flow = udp("192.0.2.1:5060");
    for n in 0..1000 {
        let via = format!("UDP 192.0.2.1:5060;branch=z9hG4bK{n}");
        bench.receive(flow, &incoming("INVITE", &via, ";tag=t"));
    }
    assert_eq!((bench.endpoint.transaction_count(), bench.events.len(), bench.sent.len()), (10, 10, 990));
    let Message::Response(last) = &bench.sent[989].2 else { panic!("only responses were sent") };
    assert_eq!((last.code(), last.headers.number("Retry-After")), (503, Some(32)));
    // Retransmissions of those inside still match.
    bench.receive(flow, &incoming("INVITE", "UDP 192.0.2.1:5060;branch=z9hG4bK3", ";tag=t"));
    assert_eq!(bench.sent.len(), 990);
}

/// What has been answered makes room; what still rings, or waits for its ACK to a 2xx, does not.
#[test]
fn a_flood_keeps_nobody_else_from_being_heard() {
    let mut bench = Bench::new();
    bench.endpoint.max_transactions = 10;
    let flow = udp("192.0.2.1:5060");
    let receive = |bench: &mut Bench, method: &str, n: u32, code: Option<u16>| {
        let via = format!("UDP 192.0.2.1:5060;branch=z9hG4bK{method}{n}");
        bench.receive(flow, &incoming(method, &via, ";tag=t"));
        let (id, request) = bench.requested();
        code.into_iter().for_each(|code| bench.respond(id, &request, code));
    };
    receive(&mut bench, "INVITE", 0, None);
    receive(&mut bench, "INVITE", 1, Some(200));
    for n in 2..1000 {
        receive(&mut bench, if n % 2 == 0 { "INVITE" } else { "OPTIONS" }, n, Some(486));
    }
    assert_eq!((bench.endpoint.transaction_count(), bench.events.len()), (10, 1000), "each was heard");
    bench.sent.clear();
    for n in [0, 1] {
        receive(&mut bench, "INVITE", n, None);
    }
    assert_eq!((bench.events.len(), bench.take_sent()), (1000, vec![]), "these two are known still");
    bench.run_to(100_000);
    assert_eq!(bench.endpoint.transaction_count(), 1, "but for the one that rings, nothing stays");
}

/// More requests than the bound within Timer J's 32 s: none is refused, and the last ones are still repeated.
#[test]
fn answered_requests_make_room_for_new_ones() {
    let mut bench = Bench::new();
    bench.endpoint.max_transactions = 10;
    let flow = udp("192.0.2.1:5060");
    let numbered = |n: usize| format!("UDP 192.0.2.1:5060;branch=z9hG4bK{n}");
    for n in 0..1000 {
        bench.receive(flow, &incoming("OPTIONS", &numbered(n), ";tag=t"));
        let (id, options) = bench.requested();
        bench.respond(id, &options, 200);
    }
    assert_eq!((bench.take_sent(), bench.endpoint.transaction_count()), (vec!["200 OPTIONS".to_owned(); 1000], 10));
    bench.receive(flow, &incoming("OPTIONS", &numbered(999), ";tag=t"));
    assert_eq!(bench.take_sent(), ["200 OPTIONS"]);
    bench.take_events();
    bench.run_to(40_000);
    bench.assert_empty();
}
