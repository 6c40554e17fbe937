//! Reports to a collector.

use super::{
    bench::*,
    registration::{granted, registering},
};
use crate::{
    sip::msg::Method,
    ua::api::{Command, Event},
};
use std::time::Duration;

fn report(bench: &mut Bench) {
    report_by(bench, false);
}

fn report_by(bench: &mut Bench, direct: bool) {
    let collector = "sip:quality@192.0.2.7".parse().unwrap();
    bench.command(Command::ReportQuality { collector, body: "VQSessionReport: CallTerm\r\n".into(), direct });
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

/// The collector need not be within our reach: the proxies lead there, also the second time.
#[test]
fn a_report_goes_the_way_of_calls() {
    let mut bench = Bench::ready(settings());
    let goes_by = |bench: &mut Bench, routes: &[&str], hop: &str| {
        bench.pass_over_questions();
        assert_eq!(bench.sent.front().unwrap().0.remote.to_string(), hop);
        let publish = bench.request(Method::PUBLISH);
        assert_eq!(publish.uri.to_string(), "sip:quality@192.0.2.7");
        assert_eq!(publish.headers.get_all("Route").collect::<Vec<_>>(), routes);
        publish
    };
    report(&mut bench);
    let publish = goes_by(&mut bench, &["<sip:192.0.2.9:5060;lr>"], PEER);
    let mut challenge = answer(&publish, 407, "n", "");
    challenge.headers.push("Proxy-Authenticate", "Digest realm=\"acme\", nonce=\"n1\"");
    bench.reply(challenge);
    let again = goes_by(&mut bench, &["<sip:192.0.2.9:5060;lr>"], PEER);
    assert!(again.headers.contains("Proxy-Authorization"));
    bench.reply(answer(&again, 200, "n", ""));
    // The call ended with the account: its own way, still.
    bench.command(Command::ClearAccount);
    bench.registration();
    report(&mut bench);
    goes_by(&mut bench, &["<sip:192.0.2.9:5060;lr>"], PEER);

    let (mut bench, register) = registering();
    let mut granted = granted(&register, 600);
    granted.headers.push("Service-Route", "<sip:192.0.2.20;lr>, <sip:192.0.2.21;lr>");
    bench.reply(granted);
    report(&mut bench);
    goes_by(&mut bench, &["<sip:192.0.2.20;lr>", "<sip:192.0.2.21;lr>"], "192.0.2.20:5060");
    // One that the TMS has named is no concern of its proxy's.
    report_by(&mut bench, true);
    goes_by(&mut bench, &[], "192.0.2.7:5060");
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
