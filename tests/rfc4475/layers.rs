//! Messages that can be read and whose outcome the authentication or the transaction layer decides.

use super::{request, response};
use agent_manager::sip::{
    auth::{Asker, ServerAuth},
    digest::Algorithm,
    endpoint::{Endpoint, Event, Output, Timers},
    entropy::Entropy,
    flow::{Flow, Transport},
    msg::Message,
};
use std::time::{Duration, Instant};

const FLOW: Flow = Flow {
    transport: Transport::Udp,
    remote: std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7)), 5060),
};

fn events(endpoint: &mut Endpoint) -> Vec<Event> {
    std::iter::from_fn(|| endpoint.poll_output())
        .filter_map(|output| match output {
            Output::Event(event) => Some(event),
            Output::Transmit { .. } => None,
        })
        .collect()
}

fn endpoint() -> Endpoint {
    Endpoint::new(Timers::default(), Entropy::from_seed(1))
}

/// §3.3.7: an unknown scheme is as good as no credentials: the registrar asks.
#[test]
fn regaut01_is_asked_for_credentials() {
    let (now, request) = (Instant::now(), request("regaut01"));
    let mut auth = ServerAuth::new(now, vec![Algorithm::MD5], Duration::from_secs(300), &mut Entropy::from_seed(1));
    assert!(auth.credentials(&request, Asker::Server, "example.com").is_none());
    assert_eq!(auth.challenge(now, &request, Asker::Server, "example.com", false, None).code(), 401);
}

/// §3.2.1: a branch with nothing behind the cookie; here it is matched as before RFC 3261, so that each request counts.
#[test]
fn badbranch_is_matched_by_the_rules_of_rfc_2543() {
    let mut endpoint = endpoint();
    let now = Instant::now();
    let first = request("badbranch");
    let mut second = first.clone();
    second.headers.set("Call-ID", "another");
    for (request, new) in [(&first, 1), (&first, 0), (&second, 1)] {
        endpoint.handle_message(now, FLOW, Message::Request(request.clone()));
        assert_eq!(events(&mut endpoint).len(), new);
    }
}

/// §3.3.10: a response with someone else's Via below is not ours to act upon, let alone to pass on to a broadcast address.
#[test]
fn bcast_goes_nowhere() {
    let mut endpoint = endpoint();
    endpoint.handle_message(Instant::now(), FLOW, Message::Response(response("bcast")));
    assert!(endpoint.poll_output().is_none());
}

/// §3.4.1: without branch and tags it still is a transaction, and a retransmission is known as one.
#[test]
fn inv2543_is_one_transaction() {
    let mut endpoint = endpoint();
    let now = Instant::now();
    for new in [1, 0] {
        endpoint.handle_message(now, FLOW, Message::Request(request("inv2543")));
        assert_eq!(events(&mut endpoint).len(), new);
    }
}
