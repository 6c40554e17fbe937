//! Peers and shells that do what they should not: nothing panics, nothing grows, and other calls go on.

use super::bench::*;
use crate::{
    sip::{
        entropy::Entropy,
        msg::{Message, Method},
        wire,
    },
    ua::api::{CallState, Command, ResolveId},
};
use std::time::Duration;

/// What a peer may send at one time or another, before it is spoilt.
fn messages(bench: &mut Bench) -> Vec<Vec<u8>> {
    let ok = bench.connected_in();
    let mut all = vec![Message::Request(incoming(SDP))];
    for (n, method) in [Method::ACK, Method::INVITE, Method::INFO, Method::BYE, Method::OPTIONS, Method::CANCEL]
        .into_iter()
        .enumerate()
    {
        all.push(Message::Request(in_dialog(&ok, method.clone(), 10 + n as u32, SDP)));
        all.push(Message::Request(outside(method, "sip:100-acme@192.0.2.1:5062")));
    }
    bench.dial("101");
    let invite = bench.request(Method::INVITE);
    for code in [100, 180, 183, 200, 302, 401, 407, 423, 486, 491, 503] {
        let mut response = answer(&invite, code, "peer", SDP);
        response.headers.push("WWW-Authenticate", "Digest realm=\"acme\", nonce=\"n1\", qop=\"auth\"");
        response.headers.push("Reason", "SIP;cause=200;text=\"x\"");
        response.headers.push("Min-Expires", "60");
        all.push(Message::Response(response));
    }
    all.iter().map(wire::write).collect()
}

#[test]
fn spoilt_messages_do_no_harm() {
    let mut random = Entropy::from_seed(4475);
    for seed in 0..60 {
        let mut bench = Bench::ready(settings());
        let seeds = messages(&mut bench);
        for _ in 0..200 {
            let mut bytes = seeds[random.u32() as usize % seeds.len()].clone();
            for _ in 0..random.u32() % 6 {
                let at = random.u32() as usize % bytes.len();
                match random.u32() % 4 {
                    0 => bytes[at] = random.u32() as u8,
                    1 => drop(bytes.remove(at)),
                    2 => bytes.insert(at, b" \r\n:;=<>\"@,0"[random.u32() as usize % 12]),
                    // Another branch, tag or number: not a retransmission, nor one of ours.
                    _ => bytes[at] = bytes[at].wrapping_add(1),
                }
            }
            if let Ok(message) = wire::read(&bytes) {
                bench.agent.handle_message(bench.now, flow(), message);
                bench.drain();
            }
            if random.u32().is_multiple_of(20) {
                bench.advance(Duration::from_millis(u64::from(random.u32() % 40_000)));
            }
            bench.sent.clear();
            bench.events.clear();
        }
        for call in 0..100 {
            bench.command(Command::Hangup { call });
        }
        bench.advance(Duration::from_secs(400));
        assert_eq!(bench.agent.pending(), 0, "seed {seed}");
    }
}

#[test]
fn a_flood_of_calls_is_bounded_and_leaves_the_call_alone() {
    let mut bench = Bench::ready(settings());
    bench.connected_in();
    let mut busy = 0;
    for n in 0..1_000 {
        let mut invite = incoming(SDP);
        invite.headers.set("Call-ID", format!("flood-{n}"));
        invite.headers.set("Via", format!("SIP/2.0/UDP {PEER};branch=z9hG4bK-flood-{n}"));
        bench.deliver(Message::Request(invite));
        let (_, answer) = bench.sent.pop_front().unwrap();
        busy += usize::from(matches!(answer, Message::Response(r) if r.code() == 486));
    }
    assert_eq!(busy, 1_000 - 31);
    bench.events.clear();
    bench.command(Command::Hold { call: 1 });
    let hold = bench.request(Method::INVITE);
    bench.reply(answer(&hold, 200, "", &SDP.replace("sendrecv", "recvonly")));
    bench.state(&CallState::Held);
}

#[test]
fn a_shell_that_answers_what_was_not_asked_does_no_harm() {
    let mut bench = Bench::ready(settings());
    bench.agent.handle_resolved(bench.now, ResolveId(77), Ok(vec![flow()]));
    bench.agent.handle_resolved(bench.now, ResolveId(78), Err("no".into()));
    bench.agent.handle_transport_failed(bench.now, 99, "no");
    bench.agent.handle_flow_lost(bench.now, flow());
    bench.agent.handle_timeout(bench.now);
    bench.agent.handle_media_opened(bench.now, 5, Err("no".into()));
    bench.agent.handle_media_opened(bench.now, 6, Ok("192.0.2.1:4000".parse().unwrap()));
    bench.drain();
    assert_eq!(bench.closed, [6], "audio for a call that is gone is closed");
    bench.silent();
    assert_eq!(bench.agent.pending(), 0);
}
