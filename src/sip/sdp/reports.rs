//! Extended RTCP reports in the session description (RFC 3611 §5).

use super::format::attribute;
use crate::media::plan::ExtendedReports;
use sdp_types::{Attribute, Media, Session};

/// What the peer wants to be sent; `None` where it says nothing of them. The line may stand above the media, too.
pub(super) fn read(session: &Session, media: &Media) -> Option<ExtendedReports> {
    let mut lines = media.attributes.iter().chain(&session.attributes);
    let line = lines.find(|a| a.attribute.eq_ignore_ascii_case("rtcp-xr"))?;
    let wants = |name: &str| {
        let mut formats = line.value.iter().flat_map(|value| value.split_ascii_whitespace());
        formats.any(|format| format.split('=').next().is_some_and(|known| known.eq_ignore_ascii_case(name)))
    };
    Some(ExtendedReports { voip_metrics: wants("voip-metrics"), receiver_rtt: wants("rcvr-rtt") })
}

/// The line of an offer. It is short, for many an INVITE just fits a datagram (RFC 3261 §18.1.1): the round trip is known from
/// sender reports but on hold.
pub(super) fn offer() -> Attribute {
    attribute("rtcp-xr", "voip-metrics")
}

/// §5.2: who answers may ask for metrics; the round trip is measured together, if the offer says so.
pub(super) fn answer(offered: ExtendedReports) -> Attribute {
    attribute("rtcp-xr", if offered.receiver_rtt { "rcvr-rtt=all voip-metrics" } else { "voip-metrics" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_peers_write_them() {
        for (line, expected) in [
            ("", None),
            ("a=rtcp-xr\r\n", Some((false, false))),
            ("a=rtcp-xr:voip-metrics\r\n", Some((true, false))),
            (
                "a=RTCP-XR:pkt-loss-rle=50 rcvr-rtt=all:10000 stat-summary=loss,dup,jitt,TTL VOIP-METRICS\r\n",
                Some((true, true)),
            ),
            ("a=rtcp-xr:rcvr-rtt=sender voip-metricsandmore\r\n", Some((false, true))),
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
