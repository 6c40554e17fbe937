//! The messages of RFC 5118 §4, with lengths that fit their bodies: what reading them leads to, what they say, and what the
//! softphone answers.

use super::user_agent;
use agent_manager::sip::{
    msg::{Message, Request},
    uri::Host,
    wire::{ReadError, read, write},
};
use std::{collections::BTreeSet, fs, net::Ipv6Addr, path::PathBuf};

/// Message, section, and the softphone's answer; `None`: it cannot be read and is answered 400.
const MESSAGES: [(&str, &str, Option<u16>); 12] = [
    ("ipv6-good", "4.1", Some(405)),
    ("ipv6-bad", "4.2", None),
    ("port-ambiguous", "4.3", Some(405)),
    ("port-unambiguous", "4.4", Some(405)),
    ("via-received-param-with-delim", "4.5", Some(481)),
    ("via-received-param-no-delim", "4.5", Some(200)),
    // G.726 is none of our codecs.
    ("ipv6-in-sdp", "4.6", Some(488)),
    ("mult-ip-in-header", "4.7", Some(481)),
    ("mult-ip-in-sdp", "4.8", Some(180)),
    ("ipv4-mapped-ipv6", "4.9", Some(488)),
    ("ipv6-bug-abnf-3-colons", "4.10", Some(200)),
    ("ipv6-correct-abnf-2-colons", "4.10", Some(200)),
];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/rfc5118")
}

fn bytes(name: &str) -> Vec<u8> {
    fs::read(folder().join(format!("{name}.dat"))).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn request(name: &str) -> Request {
    match read(&bytes(name)) {
        Ok(Message::Request(request)) => request,
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn each_message_is_answered_as_it_should_be() {
    for (name, section, code) in MESSAGES {
        match (read(&bytes(name)), code) {
            (Ok(Message::Request(request)), Some(code)) => {
                let again = read(&write(&Message::Request(request.clone())));
                assert_eq!(again, Ok(Message::Request(request.clone())), "{section} {name}: written as it was read");
                let response = user_agent::answer(name, request);
                assert_eq!(response.code(), code, "{section} {name}: {response:?}");
            }
            (Err(ReadError::Answer(answer)), None) => {
                assert_eq!(answer.code(), 400, "{section} {name}");
                assert!(answer.reason.contains("Request-URI"), "{section} {name}: {}", answer.reason);
            }
            (other, _) => panic!("{section} {name}: {other:?}"),
        }
    }
}

#[test]
fn the_table_and_the_folder_hold_the_same_messages() {
    let listed: BTreeSet<String> = MESSAGES.iter().map(|(name, ..)| format!("{name}.dat")).collect();
    let files: BTreeSet<String> =
        fs::read_dir(folder()).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(listed, files);
}

#[test]
fn a_port_stands_behind_the_brackets_and_nowhere_else() {
    for (name, address, port) in [
        ("ipv6-good", "2001:db8::10", None),
        ("port-ambiguous", "2001:db8::10:5070", None),
        ("port-unambiguous", "2001:db8::10", Some(5070)),
        ("ipv6-bug-abnf-3-colons", "2001:db8::192.0.2.1", None),
        ("ipv6-correct-abnf-2-colons", "2001:db8::192.0.2.1", None),
    ] {
        let request = request(name);
        let uri = request.uri.as_sip().unwrap();
        let address: Ipv6Addr = address.parse().unwrap();
        assert_eq!((&uri.host, uri.port), (&Host::Ip(address.into()), port), "{name}");
    }
}

#[test]
fn addresses_of_both_kinds_stand_side_by_side() {
    let vias = request("mult-ip-in-header").headers.vias().unwrap();
    let seen: Vec<_> = vias.iter().map(|v| (v.host.as_str(), v.port, v.param("received"))).collect();
    assert_eq!(
        seen,
        [
            ("[2001:db8::9:1]", Some(6050), None),
            ("192.0.2.1", None, None),
            ("[2001:db8::9:255]", None, Some("192.0.2.200"))
        ]
    );
    for (name, received) in
        [("via-received-param-with-delim", "[2001:db8::9:255]"), ("via-received-param-no-delim", "2001:db8::9:255")]
    {
        assert_eq!(request(name).headers.top_via().unwrap().param("received"), Some(received));
    }
    assert_eq!(request("ipv4-mapped-ipv6").headers.vias().unwrap()[0].host, "[::ffff:192.0.2.10]");
}

/// §4.10 goes no further than the grammar's mistake does.
#[test]
fn three_colons_are_borne_before_an_ipv4_address_only() {
    for bad in ["[2001:db8:::10]", "[2001:db8::::192.0.2.1]", "[:::]", "[1:::2:::192.0.2.1]"] {
        assert!(bad.parse::<Host>().is_err(), "{bad}");
    }
    assert_eq!("[:::192.0.2.1]".parse::<Host>(), "[::192.0.2.1]".parse());
}
