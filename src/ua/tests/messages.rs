//! Text messages, both ways.

use super::bench::*;
use crate::{
    sip::msg::{Message, Method},
    ua::api::{Command, Event},
};
use std::time::Duration;

fn send(bench: &mut Bench, text: &str) {
    bench.command(Command::Message { to: "101".into(), text: text.into() });
}

#[test]
fn a_message_is_sent_and_confirmed_also_after_a_challenge() {
    let mut bench = Bench::ready(settings());
    send(&mut bench, "Grüße");
    let message = bench.request(Method::MESSAGE);
    assert_eq!(message.uri.to_string(), "sip:101@acme");
    assert_eq!(message.headers.get("Content-Type"), Some("text/plain;charset=UTF-8"));
    assert_eq!(message.headers.get("Contact"), None, "RFC 3428 §4");
    assert_eq!(message.body, "Grüße".as_bytes());
    let mut challenge = answer(&message, 407, "n", "");
    challenge.headers.push("Proxy-Authenticate", "Digest realm=\"acme\", nonce=\"n1\"");
    bench.reply(challenge);
    let again = bench.request(Method::MESSAGE);
    assert!(again.headers.contains("Proxy-Authorization"));
    assert_eq!(again.headers.cseq().unwrap().number, 2);
    bench.reply(answer(&again, 202, "n", ""));
    assert_eq!(bench.events.pop_front(), Some(Event::Done { command: "message", call: None }));
    bench.settle();
}

#[test]
fn what_was_not_delivered_is_said() {
    for (code, words) in [
        (404, "The message was not delivered. This number or address does not exist."),
        (415, "The other side takes no text messages."),
        (480, "The other side cannot be reached at the moment; the message was not delivered."),
        (407, "The message was not delivered. The server does not accept"),
    ] {
        let mut bench = Bench::ready(settings());
        send(&mut bench, "Hi");
        let message = bench.request(Method::MESSAGE);
        bench.reply(answer(&message, code, "n", ""));
        let (command, said) = bench.refused();
        assert!(command == "message" && said.starts_with(words), "{code}: {said}");
    }
    let mut bench = Bench::ready(settings());
    send(&mut bench, "Hi");
    bench.advance(Duration::from_secs(33));
    assert!(bench.refused().1.contains("not confirmed by any server"));
    for text in ["", "  ", &"x".repeat(1_300)] {
        send(&mut bench, text);
        assert_eq!(bench.refused().0, "message");
    }
    let mut offline = Bench::offline(settings());
    send(&mut offline, "Hi");
    assert!(offline.refused().1.contains("offline"));
}

/// Content-Type, body, the answer's code.
#[test]
fn messages_for_us_are_plain_text_of_some_length() {
    let long = "x".repeat(1_301);
    for (kind, body, code) in [
        (Some("text/plain"), "Hello\n\u{7}there", 200),
        (Some("Text/Plain; charset=\"UTF-8\""), "Hello\nthere", 200),
        (None, "Hello\nthere", 200),
        (Some("multipart/mixed;boundary=b"), "--b\r\nContent-Type: text/plain\r\n\r\nHello\nthere\r\n--b--", 200),
        (Some("multipart/mixed;boundary=b"), "--b\r\nContent-Type: text/html\r\n\r\n<b>Hello</b>\r\n--b--", 415),
        (Some("text/html"), "<b>Hello</b>", 415),
        (Some("text/plain;charset=utf-16"), "x", 415),
        (Some("application/im-iscomposing+xml"), "<isComposing/>", 415),
        (Some("text/plain"), &long, 513),
    ] {
        let mut bench = Bench::ready(settings());
        let mut message = outside(Method::MESSAGE, "sip:100-acme@192.0.2.1:5062");
        if let Some(kind) = kind {
            message.headers.push("Content-Type", kind);
        }
        message.body = body.into();
        bench.deliver(Message::Request(message));
        let response = bench.response(code);
        let text = Event::Message {
            from: "sip:alice@acme".into(),
            from_name: Some("Alice A.".into()),
            text: "Hello\nthere".into(),
        };
        assert_eq!(bench.events.pop_front(), (code == 200).then_some(text), "{kind:?}");
        assert_eq!(response.headers.get("Accept"), (code == 415).then_some("text/plain"));
    }
    let mut bench = Bench::offline(settings());
    bench.deliver(Message::Request(outside(Method::MESSAGE, "sip:100-acme@192.0.2.1:5062")));
    bench.response(480);
}
