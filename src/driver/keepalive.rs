//! Keeping the way to the registrar open: CRLF over UDP to hold NAT bindings, STUN in its place where the registrar keeps the
//! flow, ping and pong over streams (RFC 5626 §4.4).

use crate::{
    sip::{
        entropy::Entropy,
        flow::{Flow, Transport},
    },
    stun::{Binding, TransactionId},
};
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

/// RFC 5626 §4.4.1: the flow has failed when no pong comes within ten seconds.
const PONG_WAIT: Duration = Duration::from_secs(10);
/// STUN over UDP is asked again within that time (RFC 8489 §6.2.1 begins at half a second).
const STUN_WAIT: Duration = Duration::from_millis(2500);
const STUN_TRIES: u8 = 4;
/// RFC 5626 §4.4.2 asks for 24 to 29 s towards NATs over UDP, §4.4.1 for 95 to 120 s over streams.
const UDP: (f64, f64) = (24.0, 29.0);
const STREAM: (f64, f64) = (95.0, 120.0);
/// Of the registrar's Flow-Timer, so that it never runs out (§4.4).
const OF_FLOW_TIMER: (f64, f64) = (0.75, 0.9);

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    Ping(Flow),
    Stun(Flow, TransactionId),
    /// No pong came from a peer that used to send them.
    Dead(Flow),
}

/// The one flow that the registrar reaches us over.
#[derive(Debug, Default)]
pub(super) struct KeepAlive(Option<Kept>);

#[derive(Debug)]
struct Kept {
    flow: Flow,
    /// The registrar keeps the flow: its Flow-Timer, if it names one.
    outbound: Option<Option<Duration>>,
    /// Peers that do not know RFC 5626 never pong; only one that did can be missed.
    pongs: bool,
    /// How STUN saw us.
    mapped: Option<SocketAddr>,
    state: State,
}

#[derive(Debug)]
enum State {
    Quiet { until: Instant },
    AwaitingPong { until: Instant, next: Instant },
    AwaitingBinding { until: Instant, next: Instant, transaction: TransactionId, tries: u8 },
}

impl KeepAlive {
    /// From now on this flow; the same again changes nothing. `outbound`: the registrar keeps the flow (RFC 5626), with its
    /// Flow-Timer.
    pub(super) fn keep(&mut self, now: Instant, flow: Flow, outbound: Option<Option<Duration>>, entropy: &mut Entropy) {
        if self.0.as_ref().is_none_or(|kept| (kept.flow, kept.outbound) != (flow, outbound)) {
            let state = State::Quiet { until: now };
            let mut kept = Kept { flow, outbound, pongs: false, mapped: None, state };
            kept.state = State::Quiet { until: now + kept.interval(entropy) };
            self.0 = Some(kept);
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

    /// Whether it was waited for, so that it proves the flow.
    pub(super) fn handle_pong(&mut self, flow: Flow) -> bool {
        // Half of a ping of the peer's own is no pong: it counts only where one is expected.
        if let Some(kept) = self.0.as_mut().filter(|kept| kept.flow == flow)
            && let State::AwaitingPong { next, .. } = kept.state
        {
            kept.pongs = true;
            kept.state = State::Quiet { until: next };
            return true;
        }
        false
    }

    /// `None`: not waited for. `Err`: we are seen from elsewhere than before, so the flow is not the one that was registered
    /// (RFC 5626 §4.4.2).
    pub(super) fn handle_binding(&mut self, flow: Flow, binding: Binding) -> Option<Result<(), Flow>> {
        let kept = self.0.as_mut().filter(|kept| kept.flow == flow)?;
        let State::AwaitingBinding { next, transaction, .. } = kept.state else { return None };
        if transaction != binding.transaction {
            return None;
        }
        if kept.mapped.is_some_and(|mapped| mapped != binding.mapped) {
            self.stop();
            return Some(Err(flow));
        }
        (kept.pongs, kept.mapped) = (true, Some(binding.mapped));
        kept.state = State::Quiet { until: next };
        Some(Ok(()))
    }

    pub(super) fn handle_timeout(&mut self, now: Instant, entropy: &mut Entropy) -> Option<Due> {
        let kept = self.0.as_mut().filter(|kept| kept.timeout() <= now)?;
        let flow = kept.flow;
        match kept.state {
            State::AwaitingBinding { next, transaction, tries, .. } if tries > 0 => {
                let until = now + STUN_WAIT;
                kept.state = State::AwaitingBinding { until, next, transaction, tries: tries - 1 };
                Some(Due::Stun(flow, transaction))
            }
            State::AwaitingPong { .. } | State::AwaitingBinding { .. } if kept.pongs => {
                self.0 = None;
                Some(Due::Dead(flow))
            }
            State::AwaitingPong { next, .. } | State::AwaitingBinding { next, .. } => {
                kept.state = State::Quiet { until: next };
                None
            }
            State::Quiet { .. } => {
                let next = now + kept.interval(entropy);
                match (flow.transport, kept.outbound) {
                    (Transport::Udp, None) => kept.state = State::Quiet { until: next },
                    (Transport::Udp, Some(_)) => {
                        let mut transaction = TransactionId::default();
                        transaction[..8].copy_from_slice(&entropy.u64().to_be_bytes());
                        transaction[8..].copy_from_slice(&entropy.u32().to_be_bytes());
                        let until = now + STUN_WAIT;
                        kept.state = State::AwaitingBinding { until, next, transaction, tries: STUN_TRIES - 1 };
                        return Some(Due::Stun(flow, transaction));
                    }
                    (Transport::Tcp | Transport::Tls, _) => {
                        kept.state = State::AwaitingPong { until: now + PONG_WAIT, next };
                    }
                }
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
            State::Quiet { until } | State::AwaitingPong { until, .. } | State::AwaitingBinding { until, .. } => until,
        }
    }

    fn interval(&self, entropy: &mut Entropy) -> Duration {
        let between = |(from, to): (f64, f64), entropy: &mut Entropy| from + (to - from) * entropy.unit();
        match self.outbound {
            Some(Some(timer)) => timer.mul_f64(between(OF_FLOW_TIMER, entropy)),
            _ if self.flow.transport == Transport::Udp => Duration::from_secs_f64(between(UDP, entropy)),
            _ => Duration::from_secs_f64(between(STREAM, entropy)),
        }
    }
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
        keep.keep(now, flow(Transport::Udp), None, &mut entropy);
        for _ in 0..5 {
            let (due, passed) = next(&mut keep, &mut now, &mut entropy);
            assert_eq!(due, Some(Due::Ping(flow(Transport::Udp))));
            assert!((24.0..=29.0).contains(&passed));
            keep.keep(now, flow(Transport::Udp), None, &mut entropy);
        }
        keep.stop();
        assert_eq!(keep.poll_timeout(), None);
        keep.keep(now, flow(Transport::Udp), None, &mut entropy);
        assert_eq!(next(&mut keep, &mut now, &mut entropy).0, Some(Due::Ping(flow(Transport::Udp))), "once more");
    }

    #[test]
    fn a_stream_is_dead_when_pongs_stop() {
        let tcp = flow(Transport::Tcp);
        let (mut keep, mut now, mut entropy) = (KeepAlive::default(), Instant::now(), Entropy::from_seed(2));
        keep.keep(now, tcp, None, &mut entropy);
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

    #[test]
    fn a_registrar_that_keeps_the_flow_is_asked_by_stun() {
        let udp = flow(Transport::Udp);
        let (mut keep, mut now, mut entropy) = (KeepAlive::default(), Instant::now(), Entropy::from_seed(3));
        keep.keep(now, udp, Some(Some(Duration::from_secs(20))), &mut entropy);
        let seen = |port| ([192, 0, 2, 1], port).into();
        for _ in 0..3 {
            let (Some(Due::Stun(to, transaction)), passed) = next(&mut keep, &mut now, &mut entropy) else {
                panic!("STUN")
            };
            assert!(to == udp && (12.0..=18.0).contains(&passed), "{passed}");
            let other = Binding { transaction: [9; 12], mapped: seen(1) };
            assert_eq!(keep.handle_binding(udp, other), None, "nobody asked that");
            assert_eq!(keep.handle_binding(udp, Binding { transaction, mapped: seen(1) }), Some(Ok(())));
        }
        // It falls silent: asked again, and then it is dead.
        for tries in 0..STUN_TRIES {
            let due = next(&mut keep, &mut now, &mut entropy).0;
            assert!(matches!(due, Some(Due::Stun(..))), "{tries}: {due:?}");
        }
        assert_eq!(next(&mut keep, &mut now, &mut entropy).0, Some(Due::Dead(udp)));
        // A translator that gives us another port has forgotten the flow.
        keep.keep(now, udp, Some(None), &mut entropy);
        for (port, expected) in [(1, Some(Ok(()))), (2, Some(Err(udp)))] {
            let (Some(Due::Stun(_, transaction)), _) = next(&mut keep, &mut now, &mut entropy) else { panic!("STUN") };
            assert_eq!(keep.handle_binding(udp, Binding { transaction, mapped: seen(port) }), expected);
        }
        assert_eq!(keep.poll_timeout(), None);
    }
}
