//! Requests that belong to no call.

use super::bench::*;
use crate::sip::msg::{Message, Method};

/// Method, answer, and a header of the answer.
#[test]
fn requests_outside_calls_get_their_answers() {
    const ALLOW: (&str, &str) = ("Allow", crate::ua::ALLOW);
    for (method, code, header) in [
        (Method::OPTIONS, 200, Some(("Accept", "application/sdp"))),
        (Method::OPTIONS, 200, Some(("Supported", crate::ua::SUPPORTED))),
        (Method::OPTIONS, 200, Some(ALLOW)),
        (Method::MESSAGE, 200, None),
        (Method::NOTIFY, 489, Some(("Allow-Events", "dialog, message-summary, presence, refer, check-sync"))),
        (Method::SUBSCRIBE, 405, Some(ALLOW)),
        (Method::REGISTER, 405, Some(ALLOW)),
        (Method::Extension("DANCE".into()), 501, Some(ALLOW)),
        (Method::BYE, 481, None),
        (Method::INFO, 481, None),
    ] {
        let mut bench = Bench::ready(settings());
        bench.deliver(Message::Request(outside(method.clone(), "sip:100-acme@192.0.2.1:5062")));
        let response = bench.response(code);
        if let Some((name, value)) = header {
            assert_eq!(response.headers.get(name), Some(value), "{method}");
        }
        bench.settle();
    }
}

#[test]
fn an_options_with_unknown_needs_is_refused() {
    let mut bench = Bench::ready(settings());
    let mut request = outside(Method::OPTIONS, "sip:100-acme@192.0.2.1:5062");
    request.headers.push("Require", "path, magic");
    bench.deliver(Message::Request(request));
    assert_eq!(bench.response(420).headers.get("Unsupported"), Some("magic"));
}
