//! Both roles, both kinds of router, forks, and the order of CSeq.

use super::*;
use crate::sip::{msg::Message, wire};

fn message(lines: &str) -> Message {
    let text = lines.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\r\n");
    wire::read(format!("{text}\r\n\r\n").as_bytes()).expect("a literal message")
}

fn request(method: &str, cseq: u32, more: &str) -> Request {
    let text = format!(
        "{method} sip:bob@bob.example SIP/2.0
         Via: SIP/2.0/UDP alice.example;branch=z9hG4bK1
         From: \"Alice\" <sip:alice@alice.example>;tag=a
         To: <sip:bob@bob.example>
         Call-ID: call
         CSeq: {cseq} {method}
         {more}"
    );
    match message(&text) {
        Message::Request(request) => request,
        Message::Response(_) => panic!("a request was meant"),
    }
}

fn invite() -> Request {
    request("INVITE", 5, "Contact: <sip:alice@192.0.2.1:5062>\nAuthorization: Digest username=\"alice\"")
}

fn response(request: &Request, code: u16, tag: &str, more: &[(&str, &str)]) -> Response {
    let mut response = Response::to(request, code, Some(tag));
    for (name, value) in more {
        response.headers.push(name, *value);
    }
    response
}

fn routes(request: &Request) -> Vec<String> {
    let routes = request.headers.name_addrs("Route").expect("ours");
    routes.iter().map(|route| route.uri.to_string()).collect()
}

/// RFC 3261 §12.1, §12.2.1.1: both roles, with loose and strict routers.
#[test]
fn requests_take_the_route() {
    struct Case {
        record_route: &'static str,
        /// Of the caller's requests, and of the called's.
        uri: [&'static str; 2],
        route: [&'static [&'static str]; 2],
        next_hop: [&'static str; 2],
    }
    const ALICE: &str = "sip:alice@192.0.2.1:5062";
    const BOB: &str = "sip:bob@192.0.2.2";
    for case in [
        Case { record_route: "", uri: [BOB, ALICE], route: [&[], &[]], next_hop: [BOB, ALICE] },
        Case {
            record_route: "<sip:p2.example;lr>, <sip:p1.example;lr>",
            uri: [BOB, ALICE],
            route: [&["sip:p1.example;lr", "sip:p2.example;lr"], &["sip:p2.example;lr", "sip:p1.example;lr"]],
            next_hop: ["sip:p1.example;lr", "sip:p2.example;lr"],
        },
        Case {
            record_route: "<sip:p2.example>, <sip:p1.example;lr>",
            uri: [BOB, "sip:p2.example"],
            route: [&["sip:p1.example;lr", "sip:p2.example"], &["sip:p1.example;lr", ALICE]],
            next_hop: ["sip:p1.example;lr", "sip:p2.example"],
        },
        Case {
            record_route: "<sip:p1.example;method=INVITE?Subject=x>",
            uri: ["sip:p1.example", "sip:p1.example"],
            route: [&[BOB], &[ALICE]],
            next_hop: ["sip:p1.example;method=INVITE?Subject=x"; 2],
        },
    ] {
        let mut invite = invite();
        let mut ok = response(&invite, 200, "b", &[("Contact", "<sip:bob@192.0.2.2>")]);
        if !case.record_route.is_empty() {
            ok.headers.push("Record-Route", case.record_route);
            invite.headers.push("Record-Route", case.record_route);
        }
        let sides = [Dialog::uac(&invite, &ok), Dialog::uas(&invite, "b")];
        for (index, dialog) in sides.into_iter().enumerate() {
            let mut dialog = dialog.expect("complete");
            let bye = dialog.request(Method::BYE);
            let place = format!("{}, side {index}", case.record_route);
            assert_eq!(bye.uri.to_string(), case.uri[index], "{place}");
            assert_eq!(routes(&bye), case.route[index], "{place}");
            assert_eq!(dialog.next_hop().to_string(), case.next_hop[index], "{place}");
        }
    }
}

#[test]
fn identity_and_cseq() {
    let invite = invite();
    let ok = response(&invite, 200, "b", &[("Contact", "<sip:bob@192.0.2.2>")]);
    let mut alice = Dialog::uac(&invite, &ok).expect("complete");
    let mut bob = Dialog::uas(&invite, "b").expect("complete");
    assert_eq!((alice.state, bob.state), (State::Confirmed, State::Early));
    bob.confirm();
    assert_eq!(bob.state, State::Confirmed);

    let mut bye = alice.request(Method::BYE);
    assert_eq!(bye.headers.get("From"), invite.headers.get("From"));
    assert_eq!(bye.headers.get("CSeq"), Some("6 BYE"));
    alice.renew(&mut bye);
    assert_eq!(bye.headers.get("CSeq"), Some("7 BYE"));
    assert_eq!(DialogId::of_request(&bye).as_ref(), Some(bob.id()));
    assert_eq!(DialogId::of_response(&Response::to(&bye, 200, None)).as_ref(), Some(alice.id()));
    assert_eq!(bob.handle_request(&bye), Ok(()));

    let info = bob.request(Method::INFO);
    assert_eq!(DialogId::of_request(&info).as_ref(), Some(alice.id()));
    assert_eq!(info.headers.get("CSeq"), Some("1 INFO"));
    assert_eq!(alice.handle_request(&info), Ok(()));
    assert_eq!(DialogId::of_request(&invite), None, "outside a dialog");

    let ack = alice.ack(&invite).expect("it has a CSeq");
    assert_eq!((ack.headers.get("CSeq"), ack.uri.to_string().as_str()), (Some("5 ACK"), "sip:bob@192.0.2.2"));
    assert_eq!(ack.headers.get("Authorization"), invite.headers.get("Authorization"));
}

/// RFC 3261 §12.2.2.
#[test]
fn cseq_order() {
    let mut bob = Dialog::uas(&invite(), "b").expect("complete");
    for (method, cseq, expected) in [
        ("INFO", 4, Err(DialogError::OutOfOrder { last: 5, got: 4 })),
        ("ACK", 4, Ok(())),
        ("INFO", 6, Ok(())),
        ("INFO", 60, Ok(())),
        ("BYE", 59, Err(DialogError::OutOfOrder { last: 60, got: 59 })),
        ("BYE", 61, Ok(())),
    ] {
        assert_eq!(bob.handle_request(&request(method, cseq, "")), expected, "{cseq} {method}");
    }
}

/// RFC 3261 §12.2.1.2, §12.2.2.
#[test]
fn the_remote_target_is_refreshed() {
    let moved = [("Contact", "<sip:bob@192.0.2.99>")];
    let invite = invite();
    for (method, code, expected) in [
        (Method::INVITE, 200, "sip:bob@192.0.2.99"),
        (Method::UPDATE, 200, "sip:bob@192.0.2.99"),
        (Method::INFO, 200, "sip:bob@192.0.2.2"),
        (Method::INVITE, 488, "sip:bob@192.0.2.2"),
    ] {
        let ok = response(&invite, 200, "b", &[("Contact", "<sip:bob@192.0.2.2>")]);
        let mut alice = Dialog::uac(&invite, &ok).expect("complete");
        alice.handle_response(&method, &response(&invite, code, "b", &moved)).expect("readable");
        assert_eq!(alice.remote_target.to_string(), expected, "{code} {method}");
    }
    let mut bob = Dialog::uas(&invite, "b").expect("complete");
    for (method, cseq, expected) in [
        ("INFO", 6, "sip:alice@192.0.2.1:5062"),
        ("INVITE", 7, "sip:alice@192.0.2.9"),
        ("BYE", 8, "sip:alice@192.0.2.9"),
    ] {
        let request = request(method, cseq, "Contact: <sip:alice@192.0.2.9>");
        bob.handle_request(&request).expect("in order");
        assert_eq!(bob.remote_target.to_string(), expected, "{method}");
    }
}

/// Several early dialogs, one of which is confirmed with another route (RFC 3261 §13.2.2.4).
#[test]
fn forks_make_dialogs_of_their_own() {
    let invite = invite();
    let contact = ("Contact", "<sip:bob@192.0.2.2>");
    let mut forks = Forks::default();
    for (code, tag, is_dialog) in [(100, "x", false), (180, "one", true), (183, "two", true), (486, "three", false)] {
        let made = forks.handle_response(&invite, &response(&invite, code, tag, &[contact])).expect("readable");
        assert_eq!(made.map(|dialog| dialog.state), is_dialog.then_some(State::Early), "{code}");
    }
    let route = ("Record-Route", "<sip:p1.example;lr>");
    let ok = response(&invite, 200, "two", &[("Contact", "<sip:bob@192.0.2.3>"), route]);
    let dialog = forks.handle_response(&invite, &ok).expect("readable").expect("a dialog");
    assert_eq!(dialog.state, State::Confirmed);
    assert_eq!(dialog.remote_target.to_string(), "sip:bob@192.0.2.3");
    assert_eq!(dialog.next_hop().to_string(), "sip:p1.example;lr");
    let states: Vec<_> = forks.iter().map(|dialog| dialog.state).collect();
    assert_eq!(states, [State::Early, State::Confirmed]);
}

#[test]
fn forks_are_bounded() {
    let invite = invite();
    let mut forks = Forks::default();
    for n in 0..1000 {
        forks.handle_response(&invite, &response(&invite, 180, &format!("t{n}"), &[])).expect("readable");
    }
    assert_eq!(forks.iter().count(), 32);
}

/// What a peer left out: a Contact in a response, tags, a Contact in a request.
#[test]
fn peers_that_leave_things_out() {
    let invite = invite();
    let ringing = response(&invite, 180, "b", &[]);
    let dialog = Dialog::uac(&invite, &ringing).expect("lenient");
    assert_eq!(dialog.remote_target, invite.uri);

    let mut untagged = Response::to(&invite, 200, None);
    untagged.headers.push("Contact", "<sip:bob@192.0.2.2>");
    let mut forks = Forks::default();
    let dialog = forks.handle_response(&invite, &untagged).expect("readable").expect("a dialog");
    assert_eq!(dialog.id().remote_tag, "");
    let mut provisional = Response::to(&invite, 183, None);
    provisional.headers.push("Contact", "<sip:bob@192.0.2.2>");
    assert!(forks.handle_response(&invite, &provisional).expect("readable").is_none());

    let bare = request("INVITE", 1, "");
    assert_eq!(Dialog::uas(&bare, "b").err(), Some(DialogError::Header(HeaderError::Missing("Contact"))));
}
