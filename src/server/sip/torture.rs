//! The torture messages of RFC 4475 at the registrar and the proxy: the first answer to each, nobody being signed in.

use super::pbx::{Output, Pbx};
use crate::sip::{
    digest::Algorithm,
    entropy::Entropy,
    flow::{Flow, Transport},
    msg::{Message, Response},
    wire::read,
};
use jiff::Timestamp;
use std::{fs, path::Path, time::Instant};

/// `None` where nothing is sent.
fn answer(name: &str) -> Option<Response> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/rfc4475/{name}.dat"));
    let message = read(&fs::read(path).unwrap()).unwrap();
    let now = Instant::now();
    let (address, entropy) = ("192.0.2.100:5060".parse().unwrap(), Entropy::from_seed(4475));
    let mut pbx = Pbx::new(now, Timestamp::UNIX_EPOCH, address, vec![Algorithm::SHA_256, Algorithm::MD5], entropy);
    pbx.handle_message(now, Flow { transport: Transport::Udp, remote: "192.0.2.9:5060".parse().unwrap() }, message);
    std::iter::from_fn(|| pbx.poll_output()).find_map(|output| match output {
        Output::Transmit { payload, .. } => match read(&payload) {
            Ok(Message::Response(response)) => Some(response),
            other => panic!("{name}: {other:?}"),
        },
        Output::Ask { .. } | Output::Changed(_) | Output::Save { .. } | Output::Refused(_) | Output::Over(_) => None,
    })
}

#[test]
fn each_message_has_its_answer() {
    for (name, code, header) in [
        // RFC 4475 §3.3.2 to §3.3.5: schemes and extensions.
        ("unkscm", 416, None),
        ("novelsc", 416, None),
        ("unksm2", 400, None),
        ("bext01", 420, Some(("Unsupported", "noProxiesSupportThis, norDoAnyProxiesSupportThis"))),
        // §3.3.11.
        ("zeromf", 483, None),
        // §3.3.7: an unknown scheme counts as none; the rest are registrations by nobody.
        ("regaut01", 401, None),
        ("cparam01", 401, None),
        ("cparam02", 401, None),
        ("regescrt", 401, None),
        ("escnull", 401, None),
        ("dblreq", 401, None),
        // Calls from one domain to another: this proxy serves the calls within one.
        ("inv2543", 404, None),
        ("baddate", 404, None),
    ] {
        let response = answer(name).unwrap_or_else(|| panic!("{name}: no answer"));
        assert_eq!(response.code(), code, "{name}: {response:?}");
        if let Some((name, value)) = header {
            assert_eq!(response.headers.get(name), Some(value));
        }
    }
    // §3.3.10: it answers nothing that was asked here.
    assert_eq!(answer("bcast"), None);
}
