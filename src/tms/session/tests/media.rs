//! What the account says of calls, while the session runs.

use super::*;
use wire::{MediaPolicy, Srtp};

fn told(bench: &mut Bench, data: &str) -> Seen {
    let event = ServerEvent { name: "media".into(), data: data.into() };
    bench.session.handle_stream(bench.now, Stream::Event(event));
    bench.seen()
}

/// A credential of a TMS whose account said this then; what it is told to be used with.
fn renewed(bench: &mut Bench, media: serde_json::Value) -> Srtp {
    let due = bench.session.poll_timeout().expect("a renewal") - bench.now;
    bench.pass(due);
    let body = json!({
        "aor": "100-acme", "username": "u", "password": "p", "realm": "acme", "outbound_proxy": "sip:127.0.0.1",
        "transports": ["udp"], "expires_at": bench.wall + jiff::SignedDuration::from_mins(10), "media": media
    });
    let seen = bench.answer("/sip-credential", ok(&body));
    let [Event::Credential { credential, .. }] = &seen.events[..] else { panic!("{seen:?}") };
    credential.0.media.as_ref().expect("media").policy.srtp
}

#[test]
fn another_policy_is_told_at_once_and_costs_neither_credential_nor_session() {
    let mut bench = Bench::selected();
    let policy = |srtp| Event::Policy(MediaPolicy { srtp, ..MediaPolicy::default() });
    for (data, expected) in [
        (r#"{"srtp":"dtls","recording":"allowed","recording_tone":false}"#, policy(Srtp::Dtls)),
        (r#"{"srtp":"quantum","more":1}"#, policy(Srtp::Sdes)),
    ] {
        let seen = told(&mut bench, data);
        assert_eq!((seen.events, seen.requests.len()), (vec![expected], 0), "{data}");
    }
    for garbled in ["", "{", "5", "null"] {
        let seen = told(&mut bench, garbled);
        assert!(seen.events.is_empty() && seen.requests.is_empty(), "{garbled}");
    }
}

#[test]
fn what_the_stream_has_told_holds_until_it_breaks() {
    let mut bench = Bench::selected();
    let says = |srtp| json!({"srtp": srtp});
    assert_eq!(renewed(&mut bench, says("off")), Srtp::Off, "a TMS that tells nothing by its stream");
    assert_eq!(renewed(&mut bench, json!(null)), Srtp::Optional, "nor by this, but it is the account still");
    told(&mut bench, r#"{"srtp":"dtls"}"#);
    assert_eq!(renewed(&mut bench, says("off")), Srtp::Dtls, "this answer was on its way");
    assert_eq!(renewed(&mut bench, json!(null)), Srtp::Dtls, "all of it may be left out");
    bench.session.handle_stream(bench.now, Stream::Closed(UNREACHABLE));
    let due = bench.session.poll_timeout().expect("tried again") - bench.now;
    bench.pass(due);
    bench.seen();
    assert_eq!(renewed(&mut bench, says("sdes")), Srtp::Sdes, "what changed meanwhile");
}
