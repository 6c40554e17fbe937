//! What the softphone answers to those messages whose outcome the user agent decides (RFC 4475 §3.3, §3.4).

use super::request;
use agent_manager::{
    media::plan::{Codec, SrtpPolicy},
    sip::{
        entropy::Entropy,
        flow::{Flow, Transport},
        msg::{Message, Request, Response},
        wire::read,
    },
    ua::{
        UserAgent,
        api::{Account, Command, Output, Secret, Services, Settings},
    },
};
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

const LOCAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)), 5060);

fn agent(now: Instant) -> UserAgent {
    let settings = Settings {
        codecs: vec![Codec::Pcmu],
        srtp: SrtpPolicy::Off,
        instance_id: "urn:uuid:00000000-0000-4000-8000-000000000001".into(),
        user_agent: "Agent Manager".into(),
        auto_answer: None,
        max_calls: None,
        silence_suppression: false,
        services: Services::default(),
    };
    let mut agent = UserAgent::new(settings, Entropy::from_seed(4475));
    agent.set_local(Transport::Udp, LOCAL);
    let account = Account {
        name: "user".into(),
        aor: "sip:user@example.com".parse().unwrap(),
        auth_username: "user".into(),
        password: Secret::default(),
        realm: None,
        outbound_proxy: None,
        transport: Transport::Udp,
        register: false,
        expires: Duration::from_secs(600),
        emergency_numbers: Vec::new(),
    };
    agent.handle_command(now, Command::SetAccount(Box::new(account)));
    agent
}

/// The first response that is more than 100, media ports being open at once.
pub fn answer(name: &str, request: Request) -> Response {
    let now = Instant::now();
    let mut agent = agent(now);
    let flow = Flow { transport: Transport::Udp, remote: "192.0.2.9:5060".parse().unwrap() };
    agent.handle_message(now, flow, Message::Request(request));
    while let Some(output) = agent.poll_output() {
        match output {
            Output::Transmit { payload, .. } => match read(&payload) {
                Ok(Message::Response(response)) if response.code() > 100 => return response,
                _ => {}
            },
            Output::OpenMedia { call, .. } => {
                agent.handle_media_opened(now, call, Ok("192.0.2.1:40000".parse().unwrap()))
            }
            _ => {}
        }
    }
    panic!("{name}: no answer");
}

/// Message, answer, and a header of the answer.
#[test]
fn each_request_has_its_answer() {
    const UNSUPPORTED: (&str, &str) = ("Unsupported", "nothingSupportsThis, nothingSupportsThisEither");
    for (name, code, header) in [
        // Valid: INVITEs ring, OPTIONS are answered.
        // Its To has a tag, and there is no such dialog.
        ("wsinv", 481, None),
        ("esc01", 180, None),
        ("longreq", 180, None),
        ("lwsdisp", 200, None),
        ("semiuri", 200, None),
        ("transports", 200, None),
        ("intmeth", 501, Some("Allow")),
        ("esc02", 501, Some("Allow")),
        ("mpart01", 200, None),
        ("dblreq", 405, Some("Allow")),
        ("escnull", 405, Some("Allow")),
        // Faults that do not concern a user agent.
        ("baddate", 180, None),
        ("badbranch", 200, None),
        ("zeromf", 200, None),
        ("regaut01", 405, Some("Allow")),
        ("unksm2", 405, Some("Allow")),
        ("cparam01", 405, Some("Allow")),
        ("cparam02", 405, Some("Allow")),
        ("regescrt", 405, Some("Allow")),
        // Faults that do.
        ("unkscm", 416, None),
        ("novelsc", 416, None),
        ("bext01", 420, Some("Unsupported")),
        ("invut", 415, Some("Accept")),
        ("sdp01", 406, None),
        // RFC 2543 asked for no Contact: what belongs to the call goes to From, and so it can be taken (§3.4.1).
        ("inv2543", 180, None),
    ] {
        let response = answer(name, request(name));
        assert_eq!(response.code(), code, "{name}: {response:?}");
        assert!(header.is_none_or(|header| response.headers.contains(header)), "{name}: {response:?}");
        if name == "bext01" {
            assert_eq!(response.headers.get(UNSUPPORTED.0), Some(UNSUPPORTED.1));
        }
    }
}
