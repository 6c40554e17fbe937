//! Servers that lately did not answer, or said that they cannot (RFC 3263 §4.3, RFC 3261 §21.5.4): tried last for a while, then
//! first again, so that a server that has recovered gets its clients back.

use crate::sip::flow::Flow;
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// How long a server that did not answer is passed over; each time that it still does not, twice as long.
const AVOIDED: Duration = Duration::from_secs(60);
/// However long a server asks to be left alone.
const LONGEST: Duration = Duration::from_secs(1800);
const MAX_DEAD: usize = 64;

#[derive(Debug, Default)]
pub(super) struct DeadServers(VecDeque<Dead>);

#[derive(Debug)]
struct Dead {
    flow: Flow,
    until: Instant,
    /// How long it was passed over for its silence.
    silent: Duration,
}

impl DeadServers {
    /// `retry_after`: as it asked.
    pub fn mark(&mut self, now: Instant, flow: Flow, retry_after: Option<Duration>) {
        let before = self.0.iter().position(|dead| dead.flow == flow).and_then(|at| self.0.remove(at));
        if self.0.len() >= MAX_DEAD {
            self.0.pop_front();
        }
        let silent =
            before.map_or(AVOIDED, |dead| if dead.until > now { dead.silent } else { dead.silent * 2 }.min(LONGEST));
        let until = now + retry_after.unwrap_or(silent).min(LONGEST);
        self.0.push_back(Dead { flow, until, silent });
    }

    /// It has answered.
    pub fn is_alive(&mut self, flow: Flow) {
        self.0.retain(|dead| dead.flow != flow);
    }

    /// `first` comes first. The order stays otherwise; where all are dead, all are tried.
    pub fn put_last(&self, now: Instant, first: Option<Flow>, flows: &mut [Flow]) {
        let is_dead = |flow: &Flow| self.0.iter().any(|dead| dead.flow == *flow && dead.until > now);
        flows.sort_by_key(|flow| (is_dead(flow), first != Some(*flow)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::flow::Transport;

    fn flow(host: u8) -> Flow {
        Flow { transport: Transport::Udp, remote: ([10, 0, 0, host], 5060).into() }
    }

    #[test]
    fn the_dead_are_last_for_a_while_and_first_again() {
        let (mut dead, now) = (DeadServers::default(), Instant::now());
        let order = |dead: &DeadServers, at| {
            let mut flows = [flow(1), flow(2), flow(3)];
            dead.put_last(at, None, &mut flows);
            flows.map(|flow| flow.remote.ip().to_string().as_bytes()[7] - b'0')
        };
        dead.mark(now, flow(1), None);
        dead.mark(now, flow(2), Some(Duration::from_secs(86_400)));
        assert_eq!(order(&dead, now), [3, 1, 2]);
        assert_eq!(order(&dead, now + AVOIDED), [1, 3, 2], "recovered, or worth a try");
        assert_eq!(order(&dead, now + LONGEST), [1, 2, 3]);
        dead.is_alive(flow(2));
        assert_eq!(order(&dead, now), [2, 3, 1]);
        let mut flows = [flow(1), flow(2), flow(3)];
        dead.put_last(now, Some(flow(3)), &mut flows);
        assert_eq!(flows, [flow(3), flow(2), flow(1)], "where we are registered comes before the others");
        dead.put_last(now, Some(flow(1)), &mut flows);
        assert_eq!(flows, [flow(3), flow(2), flow(1)], "unless it is dead");
        // Silent again: passed over for longer.
        dead.mark(now + AVOIDED, flow(1), None);
        assert_eq!(order(&dead, now + AVOIDED * 3 - Duration::from_secs(1)), [2, 3, 1]);
        assert_eq!(order(&dead, now + AVOIDED * 3), [1, 2, 3]);
        for host in 0..=255 {
            dead.mark(now, flow(host), None);
        }
        assert_eq!(dead.0.len(), MAX_DEAD);
    }
}
