//! Reports to a collector.

use super::bench::*;
use crate::{
    sip::msg::Method,
    ua::api::{Command, Event},
};
use std::time::Duration;

fn report(bench: &mut Bench) {
    let collector = "sip:quality@192.0.2.7".parse().unwrap();
    bench.command(Command::ReportQuality { collector, body: "VQSessionReport: CallTerm\r\n".into() });
}

#[test]
fn a_report_is_published_also_after_a_challenge() {
    let mut bench = Bench::ready(settings());
    report(&mut bench);
    let publish = bench.request(Method::PUBLISH);
    assert_eq!(publish.uri.to_string(), "sip:quality@192.0.2.7");
    let headers = ["Event", "Content-Type", "Contact"].map(|name| publish.headers.get(name));
    assert_eq!(headers, [Some("vq-rtcpxr"), Some("application/vq-rtcpxr"), None]);
    assert_eq!(publish.headers.from().unwrap().uri.to_string(), "sip:100-acme@acme");
    assert_eq!(publish.body, b"VQSessionReport: CallTerm\r\n");
    let mut challenge = answer(&publish, 401, "n", "");
    challenge.headers.push("WWW-Authenticate", "Digest realm=\"acme\", nonce=\"n1\"");
    bench.reply(challenge);
    let again = bench.request(Method::PUBLISH);
    assert!(again.headers.contains("Authorization"));
    assert_eq!(again.headers.cseq().unwrap().number, 2);
    bench.reply(answer(&again, 200, "n", ""));
    assert_eq!(bench.events.pop_front(), None);
    bench.settle();
}

#[test]
fn a_collector_that_refuses_or_is_silent_is_told_of() {
    for code in [401, 403, 489, 500] {
        let mut bench = Bench::ready(settings());
        report(&mut bench);
        let publish = bench.request(Method::PUBLISH);
        bench.reply(answer(&publish, code, "n", ""));
        let said = bench.events.pop_front();
        assert!(
            matches!(&said, Some(Event::Notice(text)) if text.contains(&format!("it answers {code}."))),
            "{said:?}"
        );
        bench.settle();
    }
    let mut bench = Bench::ready(settings());
    for _ in 0..40 {
        report(&mut bench);
    }
    assert!(matches!(bench.events.pop_front(), Some(Event::Notice(text)) if text.contains("the ones before")));
    bench.advance(Duration::from_secs(33));
    assert!(matches!(bench.events.pop_back(), Some(Event::Notice(text)) if text.contains("it does not answer.")));
    bench.events.clear();
    bench.settle();
    let mut offline = Bench::offline(settings());
    report(&mut offline);
    assert_eq!(offline.events.pop_front(), None);
}
