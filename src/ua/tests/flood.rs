//! Five thousand requests a second from one source: what they can fill is bounded, and the call that runs goes on.

use super::{bench::*, registration::registering};
use crate::{
    sip::msg::{Message, Method, Request, Response},
    ua::api::{CallState, Command, RegistrationState},
};
use std::time::Duration;

/// What a flood may leave in the tables, whatever it is made of.
const ROOM: usize = 4_096 + 200;
const A_SECOND: u32 = 5_000;

fn request(method: &Method, n: u32) -> Request {
    let mut request =
        if *method == Method::INVITE { incoming(SDP) } else { outside(method.clone(), "sip:100-acme@192.0.2.1:5062") };
    request.headers.set("Call-ID", format!("flood-{method}-{n}"));
    request.headers.set("Via", format!("SIP/2.0/UDP {PEER};branch=z9hG4bK-flood-{method}-{n}"));
    request
}

/// The call answers to its commands still.
#[track_caller]
fn stands(bench: &mut Bench, context: &str) {
    bench.sent.clear();
    bench.events.clear();
    bench.command(Command::Hold { call: 1 });
    let hold = bench.request(Method::INVITE);
    bench.reply(answer(&hold, 200, "", &SDP.replace("sendrecv", "recvonly")));
    bench.request(Method::ACK);
    let info = bench.call();
    assert_eq!((info.call, info.state), (1, CallState::Held), "{context}");
}

#[test]
fn five_thousand_requests_a_second_are_bounded_and_leave_the_call_alone() {
    use Method as M;
    let methods = [
        M::INVITE,
        M::REGISTER,
        M::OPTIONS,
        M::SUBSCRIBE,
        M::NOTIFY,
        M::MESSAGE,
        M::REFER,
        M::UPDATE,
        M::BYE,
        M::CANCEL,
        M::ACK,
    ];
    for method in methods.into_iter().chain([Method::Extension("NONSENSE".into())]) {
        let mut bench = Bench::ready(settings());
        bench.connected_in();
        bench.events.clear();
        let mut most = 0;
        for n in 0..A_SECOND {
            bench.agent.handle_message(bench.now, flow(), Message::Request(request(&method, n)));
            bench.drain();
            bench.advance(Duration::from_secs(1) / A_SECOND);
            most = most.max(bench.agent.pending());
            bench.sent.clear();
            bench.events.clear();
        }
        assert!(most <= ROOM, "{method}: {most} are kept");
        stands(&mut bench, method.as_str());
        // Who calls meanwhile is heard, not told that we are overloaded.
        let mut other = incoming(SDP);
        other.headers.set("Call-ID", "somebody-else");
        other.headers.set("Via", format!("SIP/2.0/UDP {PEER};branch=z9hG4bK-somebody"));
        bench.deliver(Message::Request(other));
        let full = method == Method::INVITE;
        bench.response(if full { 486 } else { 180 });
        for call in 1..=40 {
            bench.command(Command::Hangup { call });
        }
        bench.settle();
    }
}

/// Challenges without end, each with another nonce: asked for by our requests, and out of nothing.
#[test]
fn five_thousand_challenges_a_second_end_in_a_sentence() {
    let (mut bench, mut register) = registering();
    let mut asked = 1;
    for n in 0..A_SECOND {
        let mut challenge = Response::to(&register, 401, Some("registrar"));
        let digest = format!("Digest realm=\"acme\", nonce=\"n{n}\", stale=true, algorithm=SHA-256, qop=\"auth\"");
        challenge.headers.push("WWW-Authenticate", digest);
        bench.deliver(Message::Response(challenge));
        bench.advance(Duration::from_secs(1) / A_SECOND);
        for (_, message) in bench.sent.drain(..) {
            if let Message::Request(request) = message {
                asked += 1;
                register = request;
            }
        }
        assert!(bench.agent.pending() < 32, "{} are kept", bench.agent.pending());
    }
    assert!(asked < 10, "{asked} REGISTERs answer {} challenges", A_SECOND);
    let RegistrationState::Failed { reason, .. } = bench.registration() else { panic!("it ends") };
    assert!(reason.contains(' ') && reason.ends_with('.'), "{reason}");
}
