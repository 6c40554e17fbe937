//! A call's quality as its collector reads it (RFC 6035 §4.6, `application/vq-rtcpxr`).

use crate::media::{
    plan::Codec,
    rtcp::GMIN,
    stats::{CallStats, StreamEnds, VoipMetrics},
};
use jiff::Timestamp;
use std::{fmt::Write, net::SocketAddr};

/// What the figures do not say of a call. Addresses are SIP URIs.
#[derive(Clone, Debug)]
pub struct CallNames {
    pub call_id: String,
    pub local: String,
    pub remote: String,
    pub local_tag: String,
    pub remote_tag: String,
    /// Whether we called.
    pub outgoing: bool,
    /// To whom each side belongs: the hosts of the addresses.
    pub local_group: String,
    pub remote_group: String,
}

/// The report at the end of a call that lasted from `start` to `stop`; `None` where it had no audio.
pub fn report(names: &CallNames, (start, stop): (Timestamp, Timestamp), stats: &CallStats) -> Option<String> {
    let ends = stats.ends.as_ref()?;
    let CallNames { call_id, local, remote, local_tag, remote_tag, .. } = names;
    let caller = if names.outgoing { local } else { remote };
    let mut out = format!(
        "VQSessionReport: CallTerm\r\nCallID: {call_id}\r\nLocalID: {local}\r\nRemoteID: {remote}\r\nOrigID: {caller}\r\n\
         LocalGroup: {}\r\nRemoteGroup: {}\r\nLocalAddr: {}\r\nRemoteAddr: {}\r\n",
        names.local_group,
        names.remote_group,
        address(ends.local, Some(ends.ssrc)),
        address(ends.remote, ends.remote_ssrc),
    );
    let instant = |at: Timestamp| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let times = format!("Timestamps: START={} STOP={}\r\n", instant(start), instant(stop));
    let description = description(ends);
    // Writing to a string cannot fail, here and below.
    let _ = write!(out, "LocalMetrics:\r\n{times}{description}");
    if let Some(metrics) = &stats.metrics {
        out += &figures(metrics, Some(stats.rx.jitter_ms));
    }
    if let Some(metrics) = &stats.remote {
        let _ = write!(out, "RemoteMetrics:\r\n{times}{}", figures(metrics, None));
    }
    let _ = write!(out, "DialogID: {call_id};to-tag={remote_tag};from-tag={local_tag}\r\n");
    Some(out)
}

fn address(address: SocketAddr, ssrc: Option<u32>) -> String {
    format!("IP={} PORT={} SSRC=0x{:08x}", address.ip(), address.port(), ssrc.unwrap_or_default())
}

fn description(ends: &StreamEnds) -> String {
    let rate = match ends.codec {
        Codec::Opus => 48_000,
        Codec::G722 => 16_000,
        Codec::Pcmu | Codec::Pcma => 8_000,
    };
    let (name, silence) = (ends.codec.name(), if ends.discontinuous { "on" } else { "off" });
    let (frame, per_second) = (ends.packet_ms, 1000 / ends.packet_ms.max(1));
    format!(
        "SessionDesc: PT={} PD={name} SR={rate} FD={frame} FPP=1 PPS={per_second} PLC=2 SSUP={silence}\r\n",
        ends.payload_type
    )
}

fn figures(metrics: &VoipMetrics, jitter_ms: Option<f64>) -> String {
    let percent = |share: f64| share * 100.0;
    let (bursts, mut out) = (&metrics.bursts, String::new());
    let _ = write!(
        out,
        "JitterBuffer: JBA={} JBR={} JBN={} JBM={} JBX={}\r\n",
        metrics.configuration >> 4 & 0b11,
        metrics.configuration & 0b1111,
        metrics.buffer_ms,
        metrics.buffer_most_ms,
        metrics.buffer_limit_ms
    );
    let _ = write!(out, "PacketLoss: NLR={:.1} JDR={:.1}\r\n", percent(metrics.loss), percent(metrics.discarded));
    let _ = write!(
        out,
        "BurstGapLoss: BLD={:.1} BD={} GLD={:.1} GD={} GMIN={GMIN}\r\n",
        percent(bursts.burst_density),
        bursts.burst_ms,
        percent(bursts.gap_density),
        bursts.gap_ms
    );
    let _ = write!(out, "Delay: RTD={} ESD={}", metrics.rtt_ms, metrics.end_system_ms);
    let _ = jitter_ms.map(|ms| write!(out, " IAJ={ms:.0}"));
    out += "\r\n";
    let mut line = |name: &str, values: [Option<(&str, String)>; 3]| {
        let values: Vec<_> = values.into_iter().flatten().map(|(name, value)| format!("{name}={value}")).collect();
        if !values.is_empty() {
            let _ = write!(out, "{name}: {}\r\n", values.join(" "));
        }
    };
    let level = |name, level: Option<i8>| level.map(|level| (name, level.to_string()));
    line("Signal", [level("SL", metrics.signal_dbm0), level("NL", metrics.noise_dbm0), None]);
    let score = |name, mos: Option<f64>| mos.map(|mos| (name, format!("{mos:.1}")));
    let rating = metrics.rating.map(|rating| ("RCQ", rating.to_string()));
    line("QualityEst", [rating, score("MOSLQ", metrics.mos_listening), score("MOSCQ", metrics.mos)]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::stats::{BurstStats, RxStats};

    fn names() -> CallNames {
        CallNames {
            call_id: "6dg37f@192.0.2.1".into(),
            local: "sip:101@acme.example".into(),
            remote: "sip:202@other.example".into(),
            local_tag: "a1".into(),
            remote_tag: "b2".into(),
            outgoing: false,
            local_group: "acme.example".into(),
            remote_group: "other.example".into(),
        }
    }

    fn stats() -> CallStats {
        let metrics = VoipMetrics {
            loss: 0.0512,
            discarded: 0.002,
            bursts: BurstStats { burst_density: 0.5, gap_density: 0.01, burst_ms: 120, gap_ms: 4_000 },
            rtt_ms: 81,
            end_system_ms: 92,
            signal_dbm0: Some(-21),
            noise_dbm0: None,
            rating: Some(84),
            mos_listening: Some(4.25),
            mos: Some(4.12),
            configuration: 0xb0,
            buffer_ms: 41,
            buffer_most_ms: 341,
            buffer_limit_ms: 840,
        };
        let ends = StreamEnds {
            local: "192.0.2.1:20000".parse().unwrap(),
            remote: "[2001:db8::9]:5004".parse().unwrap(),
            ssrc: 0x1a3b_5c7d,
            remote_ssrc: Some(0x2468),
            payload_type: 0,
            codec: Codec::Pcmu,
            packet_ms: 20,
            discontinuous: false,
        };
        let rx = RxStats { jitter_ms: 3.4, ..RxStats::default() };
        CallStats { rx, metrics: Some(Box::new(metrics)), ends: Some(Box::new(ends)), ..CallStats::default() }
    }

    fn written(stats: &CallStats) -> String {
        let at = |text: &str| text.parse().unwrap();
        let times = (at("2026-01-05T08:00:00.5Z"), at("2026-01-05T08:03:20Z"));
        report(&names(), times, stats).unwrap()
    }

    #[test]
    fn it_has_the_sections_of_the_rfc_in_their_order() {
        let expected = "VQSessionReport: CallTerm\r\n\
            CallID: 6dg37f@192.0.2.1\r\n\
            LocalID: sip:101@acme.example\r\n\
            RemoteID: sip:202@other.example\r\n\
            OrigID: sip:202@other.example\r\n\
            LocalGroup: acme.example\r\n\
            RemoteGroup: other.example\r\n\
            LocalAddr: IP=192.0.2.1 PORT=20000 SSRC=0x1a3b5c7d\r\n\
            RemoteAddr: IP=2001:db8::9 PORT=5004 SSRC=0x00002468\r\n\
            LocalMetrics:\r\n\
            Timestamps: START=2026-01-05T08:00:00Z STOP=2026-01-05T08:03:20Z\r\n\
            SessionDesc: PT=0 PD=PCMU SR=8000 FD=20 FPP=1 PPS=50 PLC=2 SSUP=off\r\n\
            JitterBuffer: JBA=3 JBR=0 JBN=41 JBM=341 JBX=840\r\n\
            PacketLoss: NLR=5.1 JDR=0.2\r\n\
            BurstGapLoss: BLD=50.0 BD=120 GLD=1.0 GD=4000 GMIN=16\r\n\
            Delay: RTD=81 ESD=92 IAJ=3\r\n\
            Signal: SL=-21\r\n\
            QualityEst: RCQ=84 MOSLQ=4.2 MOSCQ=4.1\r\n\
            DialogID: 6dg37f@192.0.2.1;to-tag=b2;from-tag=a1\r\n";
        assert_eq!(written(&stats()), expected);
    }

    #[test]
    fn the_other_sides_figures_follow_where_it_reports_and_none_are_made_up() {
        let both = CallStats { remote: stats().metrics, ..stats() };
        let body = written(&both);
        let (ours, theirs) = body.split_once("RemoteMetrics:\r\n").expect("both");
        assert!(ours.contains("LocalMetrics:\r\n") && theirs.starts_with("Timestamps: "), "{body}");
        assert!(theirs.contains("Delay: RTD=81 ESD=92\r\n"), "their jitter is not known: {body}");
        let silent = written(&CallStats { metrics: None, ..stats() });
        assert!(!silent.contains("QualityEst") && silent.contains("SessionDesc"), "{silent}");
        assert!(report(&names(), Default::default(), &CallStats::default()).is_none());
    }
}
