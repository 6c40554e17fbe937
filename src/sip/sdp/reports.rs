//! Extended RTCP reports in the session description (RFC 3611 §5).

use super::format::attribute;
use crate::media::plan::{ExtendedReports, ReceiverRtt};
use sdp_types::{Attribute, Media, Session};

/// What the peer wants to be sent; `None` where it says nothing of them. The line may stand above the media, too.
pub(super) fn read(session: &Session, media: &Media) -> Option<ExtendedReports> {
    let mut lines = media.attributes.iter().chain(&session.attributes);
    let line = lines.find(|a| a.attribute.eq_ignore_ascii_case("rtcp-xr"))?;
    let formats = || line.value.iter().flat_map(|value| value.split_ascii_whitespace());
    let modes = || formats().map(|format| format.split_once('=').unwrap_or((format, "")));
    let is = |known: &str, name: &str| known.eq_ignore_ascii_case(name);
    let receiver_rtt = modes().find(|(name, _)| is(name, "rcvr-rtt")).map(|(_, mode)| {
        // The size after it bounds other blocks.
        let mode = mode.split(':').next().unwrap_or_default();
        if is(mode, "sender") { ReceiverRtt::Senders } else { ReceiverRtt::All }
    });
    Some(ExtendedReports { voip_metrics: modes().any(|(name, _)| is(name, "voip-metrics")), receiver_rtt })
}

/// The line of an offer. It is short, for many an INVITE just fits a datagram (RFC 3261 §18.1.1): the round trip is known from
/// sender reports but on hold.
pub(super) fn offer() -> Attribute {
    attribute("rtcp-xr", "voip-metrics")
}

/// §5.2: who answers may ask for metrics; the round trip is measured together, if the offer says so and as it says (§5.1).
pub(super) fn answer(offered: ExtendedReports) -> Attribute {
    let formats = match offered.receiver_rtt {
        None => "voip-metrics",
        Some(ReceiverRtt::All) => "rcvr-rtt=all voip-metrics",
        Some(ReceiverRtt::Senders) => "rcvr-rtt=sender voip-metrics",
    };
    attribute("rtcp-xr", formats)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_peers_write_them() {
        for (line, expected) in [
            ("", None),
            ("a=rtcp-xr\r\n", Some((false, None))),
            ("a=rtcp-xr:voip-metrics\r\n", Some((true, None))),
            (
                "a=RTCP-XR:pkt-loss-rle=50 rcvr-rtt=all:10000 stat-summary=loss,dup,jitt,TTL VOIP-METRICS\r\n",
                Some((true, Some(ReceiverRtt::All))),
            ),
            ("a=rtcp-xr:rcvr-rtt=sender voip-metricsandmore\r\n", Some((false, Some(ReceiverRtt::Senders)))),
            ("a=rtcp-xr:RCVR-RTT=Sender:40\r\n", Some((false, Some(ReceiverRtt::Senders)))),
        ] {
            for (above, within) in [(line, ""), ("", line)] {
                let text = format!(
                    "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n{above}m=audio 5000 RTP/AVP 0\r\n{within}"
                );
                let session = Session::parse(text.as_bytes()).unwrap();
                let read = read(&session, &session.medias[0]);
                assert_eq!(read.map(|wanted| (wanted.voip_metrics, wanted.receiver_rtt)), expected, "{text}");
            }
        }
    }
}
