//! RTCP beside a stream's audio: what the peer tells of its side, and what it is told of ours.

use super::{Reach, stream::Stream, unit};
use crate::media::{
    engine::PortPair,
    plan::KeyExchange,
    rtcp::{Received, Sent},
    stats::TxStats,
};
use std::{
    net::SocketAddr,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Seconds between 1900, where NTP counts from, and 1970.
const NTP_EPOCH: u64 = 2_208_988_800;

/// As NTP counts it.
#[expect(clippy::disallowed_methods, reason = "RTCP's sender reports carry the time of day")]
pub(super) fn time_of_day() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + Duration::from_secs(NTP_EPOCH)
}

impl Stream {
    /// In the clear only what comes from the peer's host is believed.
    pub(super) fn control(&mut self, now: Instant, source: SocketAddr, datagram: &[u8]) {
        let host = source.ip();
        let is_peer = self.plan.srtp.is_some() || self.plan.remote_rtcp.ip() == host || self.latch.knows(host);
        let ntp = self.ntp(now);
        let Some(datagram) = self.shield.open_control(datagram, &mut self.crypt).filter(|_| is_peer) else { return };
        let Some(heard) = self.rtcp.handle(now, ntp, datagram, self.receiver.source()) else { return };
        if let Some(loss) = heard.loss {
            self.sender.peer_loses(loss);
        }
        self.latch.alive(now, source);
        self.heard(now);
    }

    /// RTCP goes to the signalled address, or beside RTP's when that turned out to come from elsewhere (a NAT).
    pub(super) fn send_control(&mut self, (ports, reach): (&PortPair, &mut Reach), datagram: &[u8]) {
        // A port of its own would have a handshake of its own (RFC 5764 §4.1), which nobody we know needs: without RTCP there is
        // sound all the same.
        if !self.plan.rtcp_mux && matches!(self.plan.srtp, Some(KeyExchange::Dtls(_))) {
            return;
        }
        let Some(target) = self.target() else { return };
        let Some(datagram) = self.shield.protect_control(datagram, &mut self.crypt) else { return };
        let peer = target.peer;
        let control = match (self.plan.rtcp_mux, peer == self.plan.remote_rtp) {
            (true, _) => {
                reach.send(&ports.rtp, datagram, target);
                return;
            }
            // A relay gives one address, which is RTP's.
            (false, _) if target.relayed => return,
            (false, true) => self.plan.remote_rtcp,
            (false, false) => SocketAddr::new(peer.ip(), peer.port().saturating_add(1)),
        };
        let _ = ports.rtcp.send_to(datagram, control);
    }

    fn sent(&self, now: Instant) -> Sent {
        let TxStats { packets, bytes } = self.tx;
        Sent { ntp: self.ntp(now), timestamp: self.sender.timestamp(), packets, bytes }
    }

    pub(super) fn ntp(&self, now: Instant) -> u64 {
        let time = self.ntp_origin + now.saturating_duration_since(self.started);
        (time.as_secs() << 32) | ((u64::from(time.subsec_nanos()) << 32) / 1_000_000_000)
    }

    /// The report to the peer, if it is due, or the last one.
    pub(super) fn report(&mut self, now: Instant, last: bool) -> Option<Vec<u8>> {
        if !last && now < self.rtcp.poll_timeout() {
            return None;
        }
        let (sent, metrics) = (self.sent(now), self.metrics());
        let received: Received<'_> = self.receiver.reception().map(|reception| (reception, metrics));
        if last { Some(self.rtcp.bye(now, sent, received)) } else { self.rtcp.poll(now, sent, received, unit()) }
    }
}
