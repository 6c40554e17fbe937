//! What a peer can send to wear the server out.

use super::{
    super::pbx::Output,
    bench::{Bench, read},
};
use crate::sip::{
    flow::{Flow, Transport},
    msg::{Message, Method},
    wire,
};
use std::{fmt::Write as _, time::Duration};

fn stranger(host: u8) -> Flow {
    Flow { transport: Transport::Udp, remote: ([10, 0, 6, host], 5060).into() }
}

#[test]
fn more_hops_than_a_request_can_have_are_refused() {
    for (name, values, refused) in [
        ("Route", 2_400, true),
        ("Route", 71, true),
        ("Route", 70, false),
        ("Record-Route", 71, true),
        ("Via", 71, true),
        ("Via", 69, false),
    ] {
        let one = if name == "Via" { "SIP/2.0/UDP 10.0.6.6" } else { "<sip:127.0.0.1:5060;lr>" };
        let list = vec![one; values].join(",");
        let own = "Via: SIP/2.0/UDP 10.0.6.6;branch=z9hG4bKa\n";
        let invite = format!(
            "INVITE sip:100@acme SIP/2.0\n{own}{name}: {list}\nFrom: <sip:101-acme@acme>;tag=1\nTo: <sip:100@acme>\n\
             Call-ID: hops\nCSeq: 1 INVITE\nMax-Forwards: 70\nContent-Length: 0\n\n"
        );
        let mut bench = Bench::new();
        bench.pbx.handle_message(bench.now, stranger(6), read(&invite));
        let Some(Output::Transmit { payload, .. }) = bench.pbx.poll_output() else { panic!("an answer is sent") };
        let code = if refused { 400 } else { 407 };
        let start = format!("SIP/2.0 {code} ");
        assert!(payload.starts_with(start.as_bytes()), "{values} of {name}: {}", String::from_utf8_lossy(&payload));
    }
}

#[test]
fn own_routes_come_off_at_once_and_the_last_ones_token_counts() {
    let bench = Bench::new();
    let flow = stranger(7);
    let token = bench.pbx.tokens.seal(flow, "routes");
    let ours = "<sip:127.0.0.1:5060;lr>";
    let mut request = String::new();
    write!(
        request,
        "BYE sip:x@10.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP 10.0.6.6;branch=z9hG4bKa\nRoute: {ours}, {ours}\n\
         Route: <sip:{token}@127.0.0.1:5060;lr>,<sip:other@10.9.9.9;lr>\nRoute: {ours}\nFrom: <sip:1@acme>;tag=1\n\
         To: <sip:2@acme>;tag=2\nCall-ID: routes\nCSeq: 1 BYE\nMax-Forwards: 70\nContent-Length: 0\n\n"
    )
    .expect("a string");
    let Message::Request(mut request) = read(&request) else { panic!("a request") };
    assert_eq!(bench.pbx.pop_own_routes(&mut request), Some(flow));
    let left: Vec<&str> = request.headers.get_all("Route").collect();
    assert_eq!(left, [format!("<sip:other@10.9.9.9;lr>, {ours}")]);
}

#[test]
fn a_flood_from_one_source_leaves_no_trace_and_others_register_and_call() {
    let mut bench = Bench::new();
    let desk = bench.desk();
    let template = bench.phone("101-acme", "101-acme", Transport::Udp, None);
    let mut challenged = 0;
    // Two seconds at 5,000 a second, every second one a REGISTER.
    for n in 0..10_000_u32 {
        let mut request = match n % 2 {
            0 => bench.invite(template, "sip:100@acme"),
            _ => bench.register_request(template, 600),
        };
        request.headers.push_front("Via", format!("SIP/2.0/UDP 10.0.6.6:5060;branch=z9hG4bKflood{n}"));
        request.headers.set("Call-ID", format!("flood-{n}"));
        let message = wire::read(&wire::write(&Message::Request(request))).expect("a message");
        bench.pbx.handle_message(bench.now, stranger(6), message);
        while let Some(output) = bench.pbx.poll_output() {
            match output {
                Output::Transmit { flow, .. } if flow == stranger(6) => challenged += 1,
                other => panic!("nothing else happens: {other:?}"),
            }
        }
        bench.advance(Duration::from_micros(200));
    }
    assert_eq!(challenged, 10_000);
    // What is left is the desk phone's own registration.
    assert!(bench.pbx.endpoint.transaction_count() <= 2, "{}", bench.pbx.endpoint.transaction_count());
    let colleague = bench.colleague();
    bench.call(colleague, "sip:100@acme");
    assert!(bench.heard_request(desk).is_some(), "it rings");
}

#[test]
fn one_source_takes_a_quarter_of_the_stores_turns() {
    let mut bench = Bench::new();
    let template = bench.phone("101-acme", "101-acme", Transport::Udp, None);
    // The store does not answer; every request carries credentials that it would have to look up.
    let ask = |bench: &mut Bench, host: u8, n: u32| {
        let mut request = bench.register_request(template, 600);
        request.method = Method::REGISTER;
        request.headers.push_front("Via", format!("SIP/2.0/UDP 10.0.6.{host}:5060;branch=z9hG4bKask{host}-{n}"));
        let digest = "Digest username=\"101-acme\", realm=\"acme\", nonce=\"n\", uri=\"sip:acme\", algorithm=MD5, \
                      response=\"00000000000000000000000000000000\", qop=auth, nc=00000001, cnonce=\"c\"";
        request.headers.push("Authorization", digest);
        let message = wire::read(&wire::write(&Message::Request(request))).expect("a message");
        bench.pbx.handle_message(bench.now, stranger(host), message);
        std::iter::from_fn(|| bench.pbx.poll_output()).filter(|output| matches!(output, Output::Ask { .. })).count()
    };
    let asked: usize = (0..2_000).map(|n| ask(&mut bench, 6, n)).sum();
    assert_eq!(asked, 500);
    assert_eq!(ask(&mut bench, 7, 0), 1, "another source is not starved");
}
