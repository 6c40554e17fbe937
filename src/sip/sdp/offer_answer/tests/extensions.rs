//! What may be agreed on besides codecs: extended reports, comfort noise.

use super::*;
use crate::media::plan::{ExtendedReports, ReceiverRtt};

#[test]
fn extended_reports_are_sent_to_who_asks_for_them() {
    for (line, answered, voip_metrics, receiver_rtt) in [
        (None, None, false, None),
        (Some("a=rtcp-xr:voip-metrics"), Some("a=rtcp-xr:voip-metrics\r\n"), true, None),
        (Some("a=rtcp-xr:pkt-loss-rle"), Some("a=rtcp-xr:voip-metrics\r\n"), false, None),
        (
            Some("a=rtcp-xr:rcvr-rtt=all voip-metrics"),
            Some("a=rtcp-xr:rcvr-rtt=all voip-metrics\r\n"),
            true,
            Some(ReceiverRtt::All),
        ),
        (
            Some("a=rtcp-xr:rcvr-rtt=sender:100"),
            Some("a=rtcp-xr:rcvr-rtt=sender voip-metrics\r\n"),
            false,
            Some(ReceiverRtt::Senders),
        ),
    ] {
        let (answer, plan) =
            ours(&ALL).answer(&sdp("0", line.as_slice()), local(), Direction::SendRecv).expect("an answer");
        let answer = text(answer);
        assert_eq!(answer.find("a=rtcp-xr").map(|at| &answer[at..]), answered, "{line:?}");
        assert_eq!(plan.extended_reports, ExtendedReports { voip_metrics, receiver_rtt }, "{line:?}");
        let mut offering = ours(&ALL);
        offering.offer(local(), Direction::SendRecv);
        let plan = offering.accept_answer(&sdp("0", line.as_slice())).expect("a plan");
        assert_eq!(plan.extended_reports, ExtendedReports { voip_metrics, receiver_rtt }, "{line:?}");
    }
}

/// `usedtx` says what its sender prefers to receive (RFC 7587 §6.1): each side pauses where it wants to and the other likes it.
#[test]
fn opus_pauses_where_both_want_it() {
    for (caller, callee) in [(false, false), (false, true), (true, false), (true, true)] {
        let [mut a, mut b] = [caller, callee].map(|wanted| ours(&ALL).with_silence_suppression(wanted));
        let offer = a.offer(local(), Direction::SendRecv);
        let (answer, theirs) = b.answer(&offer, local(), Direction::SendRecv).unwrap();
        let plan = a.accept_answer(&answer).unwrap();
        let says = |body: Vec<u8>| text(body).contains("a=fmtp:96 useinbandfec=1;usedtx=1\r\n");
        assert_eq!((says(offer), says(answer)), (caller, callee));
        assert_eq!((plan.opus.dtx, theirs.opus.dtx), (caller && callee, caller && callee));
    }
}

#[test]
fn comfort_noise_is_taken_where_it_is_offered_and_sent_where_it_is_wanted() {
    for (formats, lines, noise) in [
        ("0 13", &[][..], Some(13)),
        ("0 118", &["a=rtpmap:118 CN/8000"], Some(118)),
        ("0", &[], None),
        ("111 13", &[OPUS], None),
    ] {
        for wanted in [false, true] {
            let mut ours = ours(&ALL).with_silence_suppression(wanted);
            let (answer, plan) = ours.answer(&sdp(formats, lines), local(), Direction::SendRecv).unwrap();
            let agreed = noise.map(|number| ComfortNoise {
                send_payload_type: number,
                receive_payload_type: number,
                sends: wanted,
            });
            assert_eq!(plan.comfort_noise, agreed, "{formats}");
            assert_eq!(text(answer).contains(" CN/8000"), noise.is_some(), "{formats}");
        }
    }
    let offered = |wanted: bool| text(ours(&ALL).with_silence_suppression(wanted).offer(local(), Direction::SendRecv));
    assert!(!offered(false).contains("CN/8000") && offered(true).contains("a=rtpmap:13 CN/8000\r\n"));
    let mut offering = ours(&ALL).with_silence_suppression(true);
    offering.offer(local(), Direction::SendRecv);
    let plan = offering.accept_answer(&sdp("0 13", &[])).unwrap();
    assert!(plan.comfort_noise.is_some_and(|noise| noise.sends));
}
