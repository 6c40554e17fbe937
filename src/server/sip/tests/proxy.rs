//! Calls through the forking proxy, message by message.

use super::{
    super::{forward::SERVERS_WORD, pbx::Output},
    bench::{At, Bench, read},
};
use crate::sip::{
    dialog::Dialog,
    endpoint::{ClientTransactionId, Event, ServerTransactionId},
    flow::{Flow, Transport},
    msg::{Message, Method, Request, Response},
};
use std::time::Duration;

/// 101 calls 100, whose desk phone and laptop ring.
pub(super) struct Ringing {
    pub bench: Bench,
    pub colleague: At,
    pub client: ClientTransactionId,
    pub invite: Request,
    pub desk: (At, ServerTransactionId, Request),
    pub laptop: (At, ServerTransactionId, Request),
}

pub(super) fn ringing() -> Ringing {
    let mut bench = Bench::new();
    let (desk, laptop, colleague) = (bench.desk(), bench.laptop(), bench.colleague());
    let (client, invite) = bench.call(colleague, "sip:100@acme");
    let mut ring = |at| {
        let (server, request) = bench.heard_request(at).expect("it rings");
        bench.answer(at, server, &request, 180);
        (at, server, request)
    };
    let (desk, laptop) = (ring(desk), ring(laptop));
    let codes: Vec<u16> = bench.responses(colleague, client).iter().map(Response::code).collect();
    assert_eq!(codes, [180, 180]);
    Ringing { bench, colleague, client, invite, desk, laptop }
}

/// Everything has come to rest: no transaction anywhere, no context, no timer but registrations'.
fn assert_at_rest(bench: &mut Bench) {
    bench.advance(Duration::from_secs(200));
    assert_eq!(bench.pbx.endpoint.transaction_count(), 0);
    assert!(bench.pbx.proxy.is_empty());
    assert!(bench.phones.iter().all(|phone| phone.transactions() == 0));
    assert_eq!(bench.pbx.calls("acme"), []);
}

#[test]
fn the_answer_wins_and_the_loser_hears_that_nobody_missed_a_call() {
    let Ringing { mut bench, colleague, client, invite, desk, laptop } = ringing();
    assert!(bench.pbx.calls("acme").iter().any(|call| call.from == "101-acme" && call.to == "100" && !call.answered));
    // The colleague, over UDP, sees what the laptop, over TCP, answers.
    bench.answer(laptop.0, laptop.1, &laptop.2, 200);
    let ok = bench.final_response(colleague, client);
    assert_eq!((ok.code(), ok.headers.vias().map(|vias| vias.len())), (200, Ok(1)));
    let cancel = bench.phones[desk.0].heard.iter().find_map(|event| match event {
        Event::Cancelled { cancel, .. } => Some(cancel.headers.get("Reason").unwrap_or_default().to_owned()),
        _ => None,
    });
    assert!(cancel.is_some_and(|reason| reason.starts_with("SIP;cause=200")));
    bench.answer(desk.0, desk.1, &desk.2, 487);
    assert!(bench.pbx.calls("acme")[0].answered);

    // ACK, then a re-INVITE from the laptop, then BYE from the colleague, all along the route set.
    let mut caller = Dialog::uac(&invite, &ok).expect("a dialog");
    let mut callee = Dialog::uas(&laptop.2, "tag-100-acme-laptop").expect("a dialog");
    bench.send_ack(colleague, caller.ack(&invite).expect("an ACK"));
    assert!(bench.phones[laptop.0].heard.iter().any(|event| matches!(event, Event::Ack { .. })));
    let renewed = bench.send(laptop.0, callee.request(Method::INVITE));
    let (server, request) = bench.heard_request(colleague).expect("the re-INVITE arrives");
    bench.answer(colleague, server, &request, 200);
    assert_eq!(bench.final_response(laptop.0, renewed).code(), 200);
    let bye = bench.send(colleague, caller.request(Method::BYE));
    let (server, request) = bench.heard_request(laptop.0).expect("the BYE arrives");
    bench.answer(laptop.0, server, &request, 200);
    assert_eq!(bench.final_response(colleague, bye).code(), 200);
    assert_at_rest(&mut bench);
}

#[test]
fn a_call_is_ended_for_both_sides_as_if_by_the_other() {
    let Ringing { mut bench, colleague, client, invite, desk, laptop } = ringing();
    bench.answer(laptop.0, laptop.1, &laptop.2, 200);
    let ok = bench.final_response(colleague, client);
    bench.answer(desk.0, desk.1, &desk.2, 487);
    let mut caller = Dialog::uac(&invite, &ok).expect("a dialog");
    let mut callee = Dialog::uas(&laptop.2, "tag-100-acme-laptop").expect("a dialog");
    bench.send_ack(colleague, caller.ack(&invite).expect("an ACK"));
    // Each has said something since, so that its numbers have gone on.
    for (from, to, request) in
        [(colleague, laptop.0, caller.request(Method::INFO)), (laptop.0, colleague, callee.request(Method::INFO))]
    {
        bench.send(from, request);
        let (server, request) = bench.heard_request(to).expect("it arrives");
        bench.answer(to, server, &request, 200);
    }
    let id = bench.pbx.calls("acme")[0].id.clone();
    assert!(!bench.pbx.hang_up(bench.now, "elsewhere", &id) && !bench.pbx.hang_up(bench.now, "acme", "no such call"));
    bench.advance(Duration::from_secs(60));
    assert!(bench.pbx.hang_up(bench.now, "acme", &id));
    bench.settle();
    for (at, dialog) in [(colleague, &mut caller), (laptop.0, &mut callee)] {
        let (server, bye) = bench.heard_request(at).expect("a BYE");
        assert_eq!(bye.method, Method::BYE);
        assert_eq!(bye.headers.call_id().ok(), Some(id.as_str()));
        let from = bye.headers.from().expect("From");
        assert_eq!(from.tag(), dialog.remote().tag(), "of the dialog that this side knows");
        dialog.handle_request(&bye).expect("in order");
        bench.answer(at, server, &bye, 200);
    }
    assert!(!bench.pbx.hang_up(bench.now, "acme", &id), "ended twice");
    assert_at_rest(&mut bench);
    let over: Vec<_> = bench.over.iter().map(|call| (call.code, call.duration(), call.caller.as_str())).collect();
    assert_eq!(over, [(200, 60, "101-acme")]);
}

#[test]
fn a_call_that_rings_is_ended_too() {
    let Ringing { mut bench, colleague, client, desk, laptop, .. } = ringing();
    let id = bench.pbx.calls("acme")[0].id.clone();
    assert!(bench.pbx.hang_up(bench.now, "acme", &id));
    bench.settle();
    for (at, server, request) in [desk, laptop] {
        assert!(bench.phones[at].heard.iter().any(|event| matches!(event, Event::Cancelled { .. })));
        bench.answer(at, server, &request, 487);
    }
    assert_eq!(bench.final_response(colleague, client).code(), 487);
    assert_at_rest(&mut bench);
    assert_eq!(bench.over.iter().map(|call| call.code).collect::<Vec<_>>(), [487]);
}

#[test]
fn what_reaches_a_device_is_vouched_for() {
    let Ringing { desk: (_, _, invite), laptop: (_, _, over_tcp), .. } = ringing();
    let header = |name: &str| invite.headers.get(name).unwrap_or_default().to_owned();
    assert_eq!(header("P-Asserted-Identity"), "\"Chris Colleague\" <sip:101@acme>");
    assert!(header("From").contains("sip:101-acme@acme"));
    assert_eq!(header("Proxy-Authorization"), "");
    assert_eq!(header("Max-Forwards"), "69");
    let routes = over_tcp.headers.name_addrs("Record-Route").expect("routes");
    let transports: Vec<_> = routes.iter().map(|r| r.uri.as_sip().and_then(|u| u.param("transport"))).collect();
    assert_eq!(transports, [Some("tcp"), Some("udp")], "each side's own on its side");
}

#[test]
fn what_phones_believe_of_their_server_is_not_taken_from_a_colleague() {
    let mut bench = Bench::new();
    let (desk, colleague) = (bench.desk(), bench.colleague());
    bench.call(colleague, "sip:100@acme");
    bench.heard_request(desk).expect("it rings");
    let mut invite = bench.invite(colleague, "sip:100@acme");
    for name in SERVERS_WORD {
        invite.headers.push(name, "<sip:112@acme>;answer-after=0");
        invite.headers.push(name, "emergency");
    }
    bench.send_authorized(colleague, invite);
    let (_, heard) = bench.heard_request(desk).expect("it rings");
    for name in SERVERS_WORD {
        let own = (name == "P-Asserted-Identity").then_some("\"Chris Colleague\" <sip:101@acme>");
        assert_eq!(heard.headers.get_all(name).collect::<Vec<_>>(), own.into_iter().collect::<Vec<_>>(), "{name}");
    }
}

#[test]
fn who_can_call_whom() {
    // Caller, number, what about the INVITE, answer, words. Registered: desk phone, laptop (which rings), tablet (which does
    // not), colleague.
    type Edit = fn(&mut Request);
    #[rustfmt::skip]
    let cases: &[(&str, &str, Edit, u16, &str)] = &[
        ("an additional registration", "sip:100-acme-laptop@acme", |_| (), 403, "cannot be dialled: dial 100"),
        ("an unknown number", "sip:199@acme", |_| (), 404, "no such extension"),
        ("another domain", "sip:100@elsewhere.example", |_| (), 404, "elsewhere.example"),
        ("oneself, with nobody else there", "sip:101@acme", |_| (), 480, "no device of extension 101"),
        ("as somebody else", "sip:100@acme", |r| r.headers.set("From", "<sip:100-acme@acme>;tag=1"), 403, "cannot call as 100-acme"),
        ("with no hops left", "sip:100@acme", |r| r.headers.set("Max-Forwards", "0"), 483, ""),
        ("asking for an unknown extension", "sip:100@acme", |r| r.headers.push("Proxy-Require", "magic"), 420, ""),
        ("a web page", "http://acme", |_| (), 416, ""),
        ("an emergency, where no line leads out", "sip:112@acme", |_| (), 404, "from another phone"),
        ("an emergency as somebody else", "sip:112@acme", |r| r.headers.set("From", "<sip:x@acme>;tag=1"), 404, "from another phone"),
        ("an emergency by its name", "urn:service:sos.fire", |_| (), 404, "from another phone"),
    ];
    for (what, to, edit, code, words) in cases {
        let mut bench = Bench::new();
        let (_, _, colleague) = (bench.desk(), bench.laptop(), bench.colleague());
        let mut invite = bench.invite(colleague, to);
        edit(&mut invite);
        let response = bench.ask(colleague, invite);
        assert_eq!(response.code(), *code, "{what}: {}", response.reason);
        assert!(response.reason.contains(words), "{what}: {} lacks {words:?}", response.reason);
        assert_eq!(bench.pbx.calls("acme"), [], "{what}");
    }
}

#[test]
fn only_ticked_registrations_ring_and_never_the_one_that_calls() {
    let rings = |bench: &mut Bench, at| bench.heard_request(at).is_some();
    let mut bench = Bench::new();
    let (desk, laptop, colleague) = (bench.desk(), bench.laptop(), bench.colleague());
    let tablet = bench.phone("100-acme-tablet", "100-acme-tablet", Transport::Udp, None);
    assert_eq!(bench.register(tablet, 600).code(), 200);
    bench.call(colleague, "sip:100@acme");
    assert_eq!([desk, laptop, tablet].map(|at| rings(&mut bench, at)), [true, true, false]);
    bench.ring_inbound.clear();
    bench.call(colleague, "sip:100-acme@acme");
    assert_eq!([desk, laptop, tablet].map(|at| rings(&mut bench, at)), [true, false, false]);
    bench.ring_inbound.push("100-acme-laptop");
    bench.call(laptop, "sip:100@acme");
    assert_eq!([desk, laptop, tablet].map(|at| rings(&mut bench, at)), [true, false, false]);
}

#[test]
fn without_credentials_nobody_calls() {
    let mut bench = Bench::new();
    bench.desk();
    let stranger = bench.phone("101-acme", "nobody", Transport::Udp, None);
    let invite = bench.invite(stranger, "sip:100@acme");
    let response = bench.ask(stranger, invite);
    assert_eq!(response.code(), 407);
    assert!(response.headers.contains("Proxy-Authenticate"));
    assert!(bench.heard_request(0).is_none());
}

#[test]
fn the_best_response_goes_back() {
    // What desk phone and laptop answer, and what the caller hears.
    for (desk_says, laptop_says, caller_hears) in [
        (486, 480, 486),
        (408, 486, 486),
        (404, 484, 484),
        (500, 404, 404),
        (503, 500, 500),
        (503, 503, 500),
        (302, 404, 302),
        (404, 603, 603),
    ] {
        let Ringing { mut bench, colleague, client, desk, laptop, .. } = ringing();
        bench.answer(desk.0, desk.1, &desk.2, desk_says);
        assert!(bench.responses(colleague, client).is_empty(), "one still rings");
        bench.answer(laptop.0, laptop.1, &laptop.2, laptop_says);
        let response = bench.final_response(colleague, client);
        assert_eq!(response.code(), caller_hears, "{desk_says} and {laptop_says}");
        assert_at_rest(&mut bench);
    }
}

#[test]
fn a_decline_everywhere_ends_the_other_branch() {
    let Ringing { mut bench, colleague, client, desk, laptop, .. } = ringing();
    bench.answer(desk.0, desk.1, &desk.2, 603);
    assert!(bench.phones[laptop.0].heard.iter().any(|event| matches!(event, Event::Cancelled { .. })));
    bench.answer(laptop.0, laptop.1, &laptop.2, 487);
    assert_eq!(bench.final_response(colleague, client).code(), 603);
    assert_at_rest(&mut bench);
}

#[test]
fn the_caller_gives_up() {
    let Ringing { mut bench, colleague, client, desk, laptop, .. } = ringing();
    bench.cancel(colleague, client);
    for (at, server, request) in [desk, laptop] {
        assert!(bench.phones[at].heard.iter().any(|event| matches!(event, Event::Cancelled { .. })));
        bench.answer(at, server, &request, 487);
    }
    assert_eq!(bench.final_response(colleague, client).code(), 487);
    assert_at_rest(&mut bench);
}

#[test]
fn an_answer_that_crosses_the_cancel_still_reaches_the_caller() {
    let Ringing { mut bench, colleague, client, desk, laptop, .. } = ringing();
    bench.cancel(colleague, client);
    bench.answer(laptop.0, laptop.1, &laptop.2, 200);
    bench.answer(desk.0, desk.1, &desk.2, 487);
    assert_eq!(bench.final_response(colleague, client).code(), 200);
}

#[test]
fn timer_c_ends_what_rings_without_news() {
    let Ringing { mut bench, colleague, client, desk, laptop, .. } = ringing();
    // The laptop repeats its 180 every minute (RFC 3261 §13.3.1.1); the desk phone has crashed.
    bench.phones[desk.0].silent = true;
    bench.advance(Duration::from_secs(184));
    let cancelled = |bench: &Bench, at: At| bench.phones[at].heard.iter().any(|e| matches!(e, Event::Cancelled { .. }));
    assert_eq!((cancelled(&bench, desk.0), cancelled(&bench, laptop.0)), (false, false));
    bench.advance(Duration::from_secs(2));
    assert_eq!((cancelled(&bench, desk.0), cancelled(&bench, laptop.0)), (true, false));
    bench.advance(Duration::from_secs(33));
    assert!(bench.responses(colleague, client).iter().all(Response::is_provisional));
    bench.answer(laptop.0, laptop.1, &laptop.2, 486);
    assert_eq!(bench.final_response(colleague, client).code(), 486);
}

#[test]
fn what_comes_back_to_us_is_a_loop() {
    let mut bench = Bench::new();
    let invite = "INVITE sip:100@acme SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.12:5070;branch=z9hG4bKa\n\
                  Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKb\nFrom: <sip:101-acme@acme>;tag=1\nTo: <sip:100@acme>\n\
                  Call-ID: loop\nCSeq: 1 INVITE\nMax-Forwards: 70\nContent-Length: 0\n\n";
    let remote = "10.0.0.12:5070".parse().expect("an address");
    bench.pbx.handle_message(bench.now, Flow { transport: Transport::Udp, remote }, read(invite));
    let Some(Output::Transmit { payload, .. }) = bench.pbx.poll_output() else { panic!("an answer is sent") };
    assert!(payload.starts_with(b"SIP/2.0 482 "));
}

#[test]
fn a_device_that_vanished_does_not_hold_the_call_up() {
    let mut bench = Bench::new();
    let (desk, laptop, colleague) = (bench.desk(), bench.laptop(), bench.colleague());
    bench.phones[desk].address = "10.0.0.99:1".parse().expect("an address");
    let (client, _) = bench.call(colleague, "sip:100@acme");
    let (server, request) = bench.heard_request(laptop).expect("it rings");
    bench.answer(laptop, server, &request, 486);
    assert_eq!(bench.final_response(colleague, client).code(), 486);
    assert_at_rest(&mut bench);
}

#[test]
fn a_connection_that_closes_ends_what_rings_on_it() {
    let Ringing { mut bench, colleague, client, desk, laptop, .. } = ringing();
    let flow = Flow { transport: Transport::Tcp, remote: bench.phones[laptop.0].address };
    bench.pbx.handle_flow_lost(bench.now, flow);
    bench.settle();
    assert!(bench.responses(colleague, client).is_empty(), "the desk phone still rings");
    bench.answer(desk.0, desk.1, &desk.2, 486);
    assert_eq!(bench.final_response(colleague, client).code(), 486, "and nobody waits for the laptop");
}

#[test]
fn a_reinvite_refused_keeps_the_call_listed() {
    let Ringing { mut bench, colleague, client, invite, desk, .. } = ringing();
    bench.answer(desk.0, desk.1, &desk.2, 200);
    let ok = bench.final_response(colleague, client);
    let mut again = invite;
    again.headers.set("To", ok.headers.get("To").unwrap_or_default());
    let mut routes: Vec<&str> = ok.headers.get_all("Record-Route").collect();
    routes.reverse();
    again.headers.push("Route", routes.join(", "));
    let client = bench.send_authorized(colleague, again);
    let (server, request) = bench.heard_request(desk.0).expect("the re-INVITE arrives");
    bench.answer(desk.0, server, &request, 488);
    assert_eq!(bench.final_response(colleague, client).code(), 488);
    assert!(bench.pbx.calls("acme").iter().any(|call| call.answered), "the call goes on");
}

#[test]
fn beyond_a_router_a_call_goes_on_by_the_public_name() {
    let mut bench = Bench::new();
    bench.pbx.set_known_as("tms.example".parse().expect("a host"));
    let (desk, colleague) = (bench.desk(), bench.colleague());
    let (client, invite) = bench.call(colleague, "sip:100@acme");
    let (server, request) = bench.heard_request(desk).expect("it rings");
    bench.answer(desk, server, &request, 200);
    let ok = bench.final_response(colleague, client);
    let routes: Vec<&str> = ok.headers.get_all("Record-Route").collect();
    assert!(routes.len() == 2 && routes.iter().all(|route| route.contains("@tms.example:5060;")), "{routes:?}");
    let mut caller = Dialog::uac(&invite, &ok).expect("a dialog");
    let bye = bench.send(colleague, caller.request(Method::BYE));
    let (server, request) = bench.heard_request(desk).expect("the BYE arrives");
    assert_eq!(request.headers.get("Route"), None, "both routes were ours");
    bench.answer(desk, server, &request, 200);
    assert_eq!(bench.final_response(colleague, bye).code(), 200);
}

#[test]
fn inside_a_dialog_only_a_flow_token_opens_the_way() {
    let mut bench = Bench::new();
    let (desk, colleague) = (bench.desk(), bench.colleague());
    let remote = bench.phones[colleague].address;
    for route in [
        "",
        "Route: <sip:127.0.0.1:5060;lr>\n",
        "Route: <sip:00112233445566778899001388000a00000c@127.0.0.1:5060;lr>\n",
    ] {
        let bye = format!(
            "BYE sip:100-acme@10.0.0.12:5070 SIP/2.0\nVia: SIP/2.0/UDP {remote};branch=z9hG4bK{}\n{route}From: <sip:101@acme>;tag=1\n\
             To: <sip:100@acme>;tag=2\nCall-ID: forged\nCSeq: 1 BYE\nMax-Forwards: 70\nContent-Length: 0\n\n",
            route.len()
        );
        bench.pbx.handle_message(bench.now, Flow { transport: Transport::Udp, remote }, read(&bye));
        bench.settle();
        assert!(bench.heard_request(desk).is_none());
    }
}

#[test]
fn the_server_answers_for_itself() {
    let mut bench = Bench::new();
    let colleague = bench.colleague();
    for (method, uri, code) in [
        (Method::OPTIONS, "sip:127.0.0.1:5060", 200),
        (Method::SUBSCRIBE, "sip:100@acme", 489),
        (Method::PUBLISH, "sip:101@acme", 489),
        (Method::INFO, "sip:100@acme", 405),
        (Method::INVITE, "sip:acme", 404),
    ] {
        let mut request = bench.invite(colleague, uri);
        request.method = method.clone();
        request.headers.set("CSeq", format!("7 {}", method.as_str()));
        assert_eq!(bench.ask(colleague, request).code(), code, "{} {uri}", method.as_str());
    }
}

#[test]
fn mutated_messages_never_harm() {
    let mut bench = Bench::new();
    let colleague = bench.colleague();
    let remote = bench.phones[colleague].address;
    let invite = bench.invite(colleague, "sip:100@acme");
    let bytes = crate::sip::wire::write(&Message::Request(invite));
    let text = String::from_utf8(bytes).expect("ASCII").replacen(
        "From:",
        "Via: SIP/2.0/UDP 10.0.0.12:5072;branch=z9hG4bKm\r\nFrom:",
        1,
    );
    let mut entropy = crate::sip::entropy::Entropy::from_seed(4);
    for _ in 0..20_000 {
        let mut mutated = text.clone().into_bytes();
        for _ in 0..1 + entropy.u32() % 4 {
            let at = entropy.u32() as usize % mutated.len();
            mutated[at] = entropy.u32() as u8;
        }
        if let Ok(message) = crate::sip::wire::read(&mutated) {
            bench.pbx.handle_message(bench.now, Flow { transport: Transport::Udp, remote }, message);
        }
        while bench.pbx.poll_output().is_some() {}
    }
    bench.phones[colleague].heard.clear();
    bench.advance(Duration::from_secs(200));
    assert!(bench.pbx.proxy.is_empty());
}
