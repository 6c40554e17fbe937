//! Keeping the way to the registrar open: CRLF over UDP to hold NAT bindings, ping and pong over streams (RFC 5626 §4.4.1).

use crate::sip::{
    entropy::Entropy,
    flow::{Flow, Transport},
};
use std::time::{Duration, Instant};

/// RFC 5626 §4.4.1: the flow has failed when no pong comes within ten seconds.
const PONG_WAIT: Duration = Duration::from_secs(10);
/// RFC 5626 §4.4.2 asks for 24 to 29 s towards NATs over UDP, §4.4.1 for 95 to 120 s over streams.
const UDP: (f64, f64) = (24.0, 29.0);
const STREAM: (f64, f64) = (95.0, 120.0);

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    Ping(Flow),
    /// No pong came from a peer that used to send them.
    Dead(Flow),
}

/// The one flow that the registrar reaches us over.
#[derive(Debug, Default)]
pub(super) struct KeepAlive(Option<Kept>);

#[derive(Debug)]
struct Kept {
    flow: Flow,
    /// Peers that do not know RFC 5626 never pong; only one that did can be missed.
    pongs: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    Quiet { until: Instant },
    AwaitingPong { until: Instant, next: Instant },
}

impl KeepAlive {
    /// From now on this flow; the same again changes nothing.
    pub(super) fn keep(&mut self, now: Instant, flow: Flow, entropy: &mut Entropy) {
        if self.0.as_ref().is_none_or(|kept| kept.flow != flow) {
            self.0 = Some(Kept { flow, pongs: false, state: State::Quiet { until: now + interval(flow, entropy) } });
        }
    }

    pub(super) fn stop(&mut self) {
        self.0 = None;
    }

    pub(super) fn flow_lost(&mut self, flow: Flow) {
        if self.0.as_ref().is_some_and(|kept| kept.flow == flow) {
            self.stop();
        }
    }

    pub(super) fn handle_pong(&mut self, flow: Flow) {
        // Half of a ping of the peer's own is no pong: it counts only where one is expected.
        if let Some(kept) = self.0.as_mut().filter(|kept| kept.flow == flow)
            && let State::AwaitingPong { next, .. } = kept.state
        {
            kept.pongs = true;
            kept.state = State::Quiet { until: next };
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant, entropy: &mut Entropy) -> Option<Due> {
        let kept = self.0.as_mut().filter(|kept| kept.timeout() <= now)?;
        let flow = kept.flow;
        match kept.state {
            State::AwaitingPong { .. } if kept.pongs => {
                self.0 = None;
                Some(Due::Dead(flow))
            }
            State::AwaitingPong { next, .. } => {
                kept.state = State::Quiet { until: next };
                None
            }
            State::Quiet { .. } => {
                let next = now + interval(flow, entropy);
                kept.state = match flow.transport {
                    Transport::Udp => State::Quiet { until: next },
                    Transport::Tcp | Transport::Tls => State::AwaitingPong { until: now + PONG_WAIT, next },
                };
                Some(Due::Ping(flow))
            }
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.0.as_ref().map(Kept::timeout)
    }
}

impl Kept {
    const fn timeout(&self) -> Instant {
        match self.state {
            State::Quiet { until } | State::AwaitingPong { until, .. } => until,
        }
    }
}

fn interval(flow: Flow, entropy: &mut Entropy) -> Duration {
    let (from, to) = if flow.transport == Transport::Udp { UDP } else { STREAM };
    Duration::from_secs_f64(from + (to - from) * entropy.unit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(transport: Transport) -> Flow {
        Flow { transport, remote: ([127, 0, 0, 1], 5060).into() }
    }

    /// Lets time pass to the next timer.
    fn next(keep: &mut KeepAlive, now: &mut Instant, entropy: &mut Entropy) -> (Option<Due>, f64) {
        let at = keep.poll_timeout().expect("a timer");
        let passed = (at - *now).as_secs_f64();
        *now = at;
        (keep.handle_timeout(at, entropy), passed)
    }

    #[test]
    fn udp_is_pinged_and_expects_nothing() {
        let (mut keep, mut now, mut entropy) = (KeepAlive::default(), Instant::now(), Entropy::from_seed(1));
        keep.keep(now, flow(Transport::Udp), &mut entropy);
        for _ in 0..5 {
            let (due, passed) = next(&mut keep, &mut now, &mut entropy);
            assert_eq!(due, Some(Due::Ping(flow(Transport::Udp))));
            assert!((24.0..=29.0).contains(&passed));
            keep.keep(now, flow(Transport::Udp), &mut entropy);
        }
        keep.stop();
        assert_eq!(keep.poll_timeout(), None);
        keep.keep(now, flow(Transport::Udp), &mut entropy);
        assert_eq!(next(&mut keep, &mut now, &mut entropy).0, Some(Due::Ping(flow(Transport::Udp))), "once more");
    }

    #[test]
    fn a_stream_is_dead_when_pongs_stop() {
        let tcp = flow(Transport::Tcp);
        let (mut keep, mut now, mut entropy) = (KeepAlive::default(), Instant::now(), Entropy::from_seed(2));
        keep.keep(now, tcp, &mut entropy);
        // A peer that never pongs is left alone, also where it pings.
        keep.handle_pong(tcp);
        for _ in 0..3 {
            assert_eq!(next(&mut keep, &mut now, &mut entropy).0, Some(Due::Ping(tcp)));
            assert_eq!(next(&mut keep, &mut now, &mut entropy), (None, 10.0));
        }
        assert_eq!(next(&mut keep, &mut now, &mut entropy).0, Some(Due::Ping(tcp)));
        keep.handle_pong(tcp);
        let (due, passed) = next(&mut keep, &mut now, &mut entropy);
        assert_eq!(due, Some(Due::Ping(tcp)));
        assert!((95.0..=120.0).contains(&passed));
        assert_eq!(next(&mut keep, &mut now, &mut entropy), (Some(Due::Dead(tcp)), 10.0));
        assert_eq!(keep.poll_timeout(), None);
    }
}
