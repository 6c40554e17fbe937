//! Candidates by INFO (RFC 8840).

use super::bench::*;
use crate::{
    media::plan::Direction,
    sip::msg::{Message, Method, Request, Response},
    ua::api::Command,
};

fn taken(bench: &mut Bench, info: Request) {
    bench.deliver(Message::Request(info));
    bench.response(200);
}

/// An INFO that names all candidates so far.
fn info(response: &Response, cseq: u32, ports: &[u16]) -> Request {
    let mut info = in_dialog(response, Method::INFO, cseq, "");
    info.headers.push("Info-Package", "trickle-ice");
    info.headers.push("Content-Type", "application/trickle-ice-sdpfrag");
    let mut body = "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\nm=audio 9 RTP/AVP 0\r\n".to_owned();
    for port in ports {
        body += &format!("a=candidate:{port} 1 UDP 2130706431 192.0.2.9 {port} typ host\r\n");
    }
    info.body = body.into_bytes();
    info
}

/// RFC 8840 §4.3: an offer without an address, and candidates that come before our answer and after it.
#[test]
fn candidates_that_come_later_are_checked_too() {
    let mut bench = Bench::ready(settings());
    let ice = "a=rtcp-mux\r\na=ice-options:trickle\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n";
    let offer = SDP.replace("c=IN IP4 192.0.2.9", "c=IN IP4 0.0.0.0").replace("5000", "9") + ice;
    bench.deliver(Message::Request(incoming(&offer)));
    let ringing = bench.response(180);
    assert_eq!(ringing.headers.get("Recv-Info"), Some("trickle-ice"));
    taken(&mut bench, info(&ringing, 2, &[5000]));
    assert!(bench.plans.is_empty());
    bench.command(Command::Answer { call: 1 });
    let ok = bench.response(200);
    let answer = String::from_utf8(ok.body.clone()).expect("text");
    assert!(answer.contains("a=ice-options:trickle\r\na=end-of-candidates\r\n"), "{answer}");
    let checked = |bench: &mut Bench| {
        let plan = bench.plans.pop_front()?;
        assert_eq!(plan.direction, Direction::SendRecv, "an address to come is no hold");
        Some(plan.ice.expect("ICE").candidates.len())
    };
    assert_eq!(checked(&mut bench), Some(1));
    taken(&mut bench, info(&ok, 3, &[5000, 5002]));
    assert_eq!(checked(&mut bench), Some(2));
    taken(&mut bench, info(&ok, 4, &[5000, 5002]));
    assert_eq!(checked(&mut bench), None, "nothing new");
    // One that is late, or of somebody else's checks, takes nothing away from the next plan.
    let mut late = info(&ok, 5, &[7000]);
    late.body = String::from_utf8(late.body).expect("text").replace("ufrag:abcd", "ufrag:past").into_bytes();
    taken(&mut bench, late);
    assert_eq!(checked(&mut bench), None, "of other checks");
    bench.deliver(Message::Request(in_dialog(&ok, Method::INVITE, 6, &offer.replace("sendrecv", "recvonly"))));
    bench.response(200);
    let plan = bench.plans.pop_front().expect("a hold");
    assert_eq!((plan.direction, plan.ice.expect("ICE").candidates.len()), (Direction::SendOnly, 2));
}
