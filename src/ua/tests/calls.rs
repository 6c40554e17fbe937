use super::{bench::*, ended};
use crate::{
    media::plan::Codec,
    sip::msg::{Message, Method},
    ua::api::{CallState, Command, EndedBy},
};

#[test]
fn a_call_out_rings_connects_and_ends() {
    let mut bench = Bench::ready(settings());
    bench.dial("101");
    let invite = bench.request(Method::INVITE);
    assert_eq!(invite.uri.to_string(), "sip:101@acme");
    assert_eq!(invite.headers.get("Contact"), Some("<sip:100-acme@192.0.2.1:5062>"));
    bench.state(&CallState::Dialing);
    bench.reply(answer(&invite, 100, "", ""));
    assert!(bench.events.is_empty());
    bench.reply(answer(&invite, 180, "peer", ""));
    bench.state(&CallState::Early { media: false });
    bench.reply(answer(&invite, 200, "peer", SDP));
    let ack = bench.request(Method::ACK);
    assert_eq!(ack.uri.to_string(), "sip:peer@192.0.2.9:5060");
    let info = bench.call();
    assert_eq!((info.state, info.codec, info.peer.as_str()), (CallState::Connected, Some(Codec::Pcmu), "sip:101@acme"));
    assert_eq!(bench.plans.pop_front().unwrap().remote_rtp.to_string(), "192.0.2.9:5000");
    // The 200 again gets the ACK again.
    bench.reply(answer(&invite, 200, "peer", SDP));
    bench.request(Method::ACK);
    bench.command(Command::Hangup { call: 1 });
    let bye = bench.request(Method::BYE);
    bench.state(&ended(EndedBy::Local, None, "You ended the call."));
    assert_eq!(bench.closed, [1]);
    bench.reply(answer(&bye, 200, "peer", ""));
    bench.silent();
    bench.settle();
}

#[test]
fn a_call_in_rings_connects_and_ends() {
    let mut bench = Bench::ready(settings());
    bench.deliver(Message::Request(incoming(SDP)));
    bench.response(180);
    let info = bench.call();
    assert_eq!((info.state, info.peer.as_str()), (CallState::Ringing, "sip:alice@acme"));
    assert_eq!(info.peer_name.as_deref(), Some("Alice A."));
    assert_eq!(info.called, None);
    bench.command(Command::Answer { call: 1 });
    let ok = bench.response(200);
    assert!(String::from_utf8_lossy(&ok.body).contains("m=audio 4000 RTP/AVP 0\r\n"));
    assert_eq!(ok.headers.get("Contact"), Some("<sip:100-acme@192.0.2.1:5062>"));
    bench.state(&CallState::Connected);
    bench.deliver(Message::Request(in_dialog(&ok, Method::ACK, 1, "")));
    bench.deliver(Message::Request(in_dialog(&ok, Method::BYE, 2, "")));
    bench.response(200);
    bench.state(&ended(EndedBy::Remote, None, "The other side ended the call."));
    assert_eq!(bench.closed, [1]);
    bench.settle();
}
