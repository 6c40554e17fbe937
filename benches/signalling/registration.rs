//! How long refreshing takes over bad links, and coming back after what an office day brings, in simulated time.

use crate::{
    Row,
    sim::{Faults, Packet},
    site::{Site, account, address},
    spread,
};
use agent_manager::{
    sip::{
        msg::{Message, Method, Response},
        wire,
    },
    ua::api::{Command, Event, NetworkChange, RegistrationState},
};
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

const SERVER: ([u8; 4], u16) = ([192, 0, 2, 200], 5060);
const DELAY: Duration = Duration::from_millis(20);

/// Asks for digest, grants ten minutes, answers questions.
fn registrar(_: Instant, packet: &Packet) -> Option<Vec<u8>> {
    let Ok(Message::Request(request)) = wire::read(&packet.payload) else { return None };
    let is_known = request.headers.contains("Authorization");
    let mut response =
        Response::to(&request, if is_known || request.method != Method::REGISTER { 200 } else { 401 }, Some("r"));
    match (response.code(), request.headers.get("Contact")) {
        (200, Some(contact)) => response.headers.push("Contact", contact),
        (401, _) => response.headers.push("WWW-Authenticate", "Digest realm=\"acme\", nonce=\"1\", qop=\"auth\""),
        _ => {}
    }
    Some(wire::write(&Message::Response(response)))
}

/// Online at the registrar over a link that loses that share of packets.
fn online(seed: u64, loss: f64) -> Site {
    let faults = Faults { loss, delay: DELAY, jitter: DELAY, ..Faults::default() };
    let mut site = Site::new(seed, faults, vec![account(0, Some(SocketAddr::from(SERVER)))]);
    while back(&mut site).is_none() {
        site.run(Duration::from_secs(1), registrar);
    }
    site
}

/// When it came online, since this was asked last.
fn back(site: &mut Site) -> Option<Instant> {
    let events = std::mem::take(&mut site.agents[0].events);
    let online = |event: &Event| matches!(event, Event::Registration { state: RegistrationState::Online { .. }, .. });
    events.into_iter().find(|(_, event)| online(event)).map(|(at, _)| at)
}

pub fn measure(seeds: u64) -> Vec<Row> {
    let losses = [(0.0, "no packet lost"), (0.05, "5 % lost"), (0.2, "20 % lost")];
    let refreshes = losses.map(|(loss, words)| {
        let times = (0..seeds).flat_map(|seed| refreshes(seed, loss)).collect();
        Row::new(format!("a refresh, {words}"), spread(times), "–")
    });
    let moved = (0..seeds).map(|seed| {
        recovery(seed, |site| {
            site.agents[0].agent.set_local(agent_manager::sip::flow::Transport::Udp, address(0));
            site.command(0, Command::Network(NetworkChange::Moved));
        })
    });
    let woken = (0..seeds).map(|seed| recovery(seed, |site| site.command(0, Command::Network(NetworkChange::Back))));
    let restarted = (0..seeds).map(restart);
    let rest = [
        Row::new("online again after a change of address, 5 % lost", spread(moved.collect()), "–"),
        Row::new("the same after sleep", spread(woken.collect()), "–"),
        Row::new("the same once a server is back that was gone for ten minutes", spread(restarted.collect()), "–"),
    ];
    refreshes.into_iter().chain(rest).collect()
}

/// From each refresh's first packet to the grant, over an hour.
fn refreshes(seed: u64, loss: f64) -> Vec<Duration> {
    let mut site = online(seed, loss);
    site.agents[0].asked = None;
    let mut times = Vec::new();
    for _ in 0..3600 {
        site.run(Duration::from_secs(1), registrar);
        if let Some(at) = back(&mut site) {
            times.extend(site.agents[0].asked.take().map(|began| at - began));
        }
    }
    times
}

/// From `what` has happened to the next grant.
fn recovery(seed: u64, what: impl Fn(&mut Site)) -> Duration {
    let mut site = online(seed, 0.05);
    site.run(Duration::from_secs(60 + seed), registrar);
    back(&mut site);
    let began = site.now;
    what(&mut site);
    until_back(&mut site, began)
}

/// From the moment the server listens again.
fn restart(seed: u64) -> Duration {
    let mut site = online(seed, 0.05);
    site.run(Duration::from_secs(60 + 7 * seed), registrar);
    site.run(Duration::from_secs(600), |_, _| None);
    back(&mut site);
    let began = site.now;
    until_back(&mut site, began)
}

fn until_back(site: &mut Site, began: Instant) -> Duration {
    for _ in 0..3600 {
        site.run(Duration::from_secs(1), registrar);
        if let Some(at) = back(site) {
            return at - began;
        }
    }
    panic!("an hour later it is not online yet")
}
