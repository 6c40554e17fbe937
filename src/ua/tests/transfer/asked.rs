//! REFER outside any call: the agent is asked before anybody is called.

use crate::{
    sip::msg::{Message, Method, Request},
    ua::{
        api::{CallState, Command, Event},
        tests::bench::*,
    },
};
use std::time::Duration;

fn refer(branch: &str, to: &str) -> Request {
    let mut refer = outside(Method::REFER, "sip:100-acme@192.0.2.1:5062");
    refer.headers.set("Via", format!("SIP/2.0/UDP {PEER};branch=z9hG4bK-{branch}"));
    refer.headers.set("Call-ID", branch);
    refer.headers.push("Contact", format!("<sip:crm@{PEER}>"));
    refer.headers.push("Refer-To", to);
    refer
}

/// Asked, with the NOTIFY that says so.
fn asked() -> (Bench, Request) {
    let mut bench = Bench::ready(settings());
    bench.deliver(Message::Request(refer("one", "<sip:102@192.0.2.9>")));
    bench.response(202);
    let pending = bench.request(Method::NOTIFY);
    assert_eq!(pending.headers.get("Subscription-State"), Some("pending;expires=600"));
    let (from, to) = ("sip:alice@acme".to_owned(), "sip:102@192.0.2.9".to_owned());
    assert_eq!(bench.events.pop_front(), Some(Event::DialAsked { request: 1, from, to }));
    bench.silent();
    (bench, pending)
}

#[test]
fn the_agent_agrees_and_the_sender_hears_how_it_goes() {
    let (mut bench, pending) = asked();
    bench.reply(answer(&pending, 200, "alice", ""));
    bench.command(Command::AnswerDialAsked { request: 1, accept: true });
    assert_eq!(bench.events.pop_front(), Some(Event::DialAskedOver { request: 1 }));
    bench.state(&CallState::Dialing);
    let invite = bench.request(Method::INVITE);
    bench.reply(answer(&invite, 180, "target", ""));
    let ringing = bench.request(Method::NOTIFY);
    assert_eq!(ringing.body, b"SIP/2.0 180 Ringing\r\n");
    assert_eq!(ringing.headers.get("Subscription-State"), Some("active;expires=600"));
    bench.reply(answer(&ringing, 200, "alice", ""));
    bench.reply(answer(&invite, 486, "target", ""));
    bench.request(Method::ACK);
    let busy = bench.request(Method::NOTIFY);
    assert_eq!(busy.body, b"SIP/2.0 486 Busy Here\r\n");
    bench.reply(answer(&busy, 200, "alice", ""));
    bench.settle();
}

#[test]
fn nobody_is_called_who_was_not_agreed_to() {
    for waits in [false, true] {
        let (mut bench, pending) = asked();
        bench.reply(answer(&pending, 200, "alice", ""));
        // One question at a time.
        bench.deliver(Message::Request(refer("two", "<sip:103@acme>")));
        bench.response(486);
        if waits {
            bench.advance(Duration::from_secs(60));
        } else {
            bench.command(Command::AnswerDialAsked { request: 1, accept: false });
        }
        assert_eq!(bench.events.pop_front(), Some(Event::DialAskedOver { request: 1 }));
        let declined = bench.request(Method::NOTIFY);
        assert_eq!(declined.body, b"SIP/2.0 603 Decline\r\n");
        assert!(declined.headers.get("Subscription-State").unwrap().starts_with("terminated"));
        bench.reply(answer(&declined, 200, "alice", ""));
        bench.silent();
        bench.command(Command::AnswerDialAsked { request: 1, accept: true });
        assert_eq!(bench.refused().0, "answer_dial");
        bench.settle();
    }
}

#[test]
fn strangers_may_not_even_ask() {
    let mut bench = Bench::offline(settings());
    bench.deliver(Message::Request(refer("offline", "<sip:102@acme>")));
    bench.response(480);
    let mut bench = Bench::ready(settings());
    for (n, to, code) in
        [("a", "nonsense", 400), ("b", "<http://example.com>", 416), ("c", "<sip:1@acme;method=BYE>", 603)]
    {
        bench.deliver(Message::Request(refer(n, to)));
        bench.response(code);
    }
    assert!(bench.events.is_empty());
    // Without a subscription nobody is told anything.
    let mut quiet = refer("quiet", "<sip:102@192.0.2.9>");
    quiet.headers.push("Refer-Sub", "false");
    bench.deliver(Message::Request(quiet));
    bench.response(202);
    bench.silent();
    bench.events.clear();
    bench.command(Command::AnswerDialAsked { request: 1, accept: false });
    bench.silent();
    bench.settle();
}
