//! Ways through NATs (RFC 8445): which of the peer's addresses are reached is found out by checks over the media socket, and the
//! best is used as long as the peer agrees to be sent to (RFC 7675). The machine is the crate `is`; here is what it may be fed. No
//! sockets, no clock.

mod reflexive;
mod relay;
#[cfg(test)]
mod tests;

pub use reflexive::Reflexive;
#[cfg(test)]
pub use relay::tests::Server as RelayDouble;
pub use relay::{NotFramed, Relay, RelayAccess, RelayEvent, frame};

use super::plan::{IceCredentials, IcePlan};
use is::{
    Candidate, IceAgent, IceAgentEvent, IceCreds, Protocol,
    stun::{StunMessage, StunPacket},
};
use std::{
    net::{IpAddr, SocketAddr},
    time::Instant,
};

/// Pairs of addresses that are checked at once, and addresses of the peer that are known: so many that the checks of the way in use
/// get their turn.
const MOST_PAIRS: usize = 40;

/// The checks of one session.
pub struct Ice {
    agent: IceAgent,
    local: SocketAddr,
    /// A relay's, for us.
    relayed: Option<SocketAddr>,
    plan: IcePlan,
    /// A way is in use whose checks are answered.
    is_agreed: bool,
}

/// Where something goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    pub peer: SocketAddr,
    /// By way of our relay.
    pub relayed: bool,
}

/// What the checks have shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IceEvent {
    /// This is the way from now on.
    Way(Way),
    /// The peer is here, too: it knows the passwords.
    Peer(SocketAddr),
    /// The peer no longer agrees to be sent to (RFC 7675 §5.1), or is not reached; another way may be found.
    Lost,
}

impl Ice {
    /// `local`: the socket's address.
    pub fn new(now: Instant, local: SocketAddr, plan: IcePlan) -> Self {
        let mut agent = IceAgent::new(credentials(&plan.local));
        agent.set_max_candidate_pairs(MOST_PAIRS);
        agent.set_controlling(plan.controlling);
        agent.set_remote_credentials(credentials(&plan.remote));
        if let Ok(host) = Candidate::host(local, Protocol::Udp) {
            agent.add_local_candidate(host);
        }
        let mut ice = Self { agent, local, relayed: None, plan, is_agreed: false };
        ice.add(&ice.plan.candidates.clone());
        ice.agent.handle_timeout(now);
        ice
    }

    /// A new plan; `false`: it begins anew, with another machine.
    pub fn set_plan(&mut self, plan: &IcePlan) -> bool {
        let is_same = (&self.plan.local, &self.plan.remote) == (&plan.local, &plan.remote);
        if is_same && self.plan.candidates != plan.candidates {
            self.add(&plan.candidates);
            self.plan.candidates.clone_from(&plan.candidates);
        }
        is_same
    }

    /// A relay gives us this address, too.
    pub fn set_relayed(&mut self, relayed: SocketAddr) {
        if self.relayed.is_none()
            && let Ok(candidate) = Candidate::relayed(relayed, self.local, Protocol::Udp)
        {
            self.relayed = Some(relayed);
            self.agent.add_local_candidate(candidate);
        }
    }

    /// Where the peer says that it may be.
    pub fn peers(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.agent.remote_candidates().map(|candidate| candidate.addr().ip())
    }

    /// A STUN message, and whether it came by way of our relay; whoever does not know the passwords is not heard.
    pub fn handle_datagram(&mut self, now: Instant, source: Way, datagram: &[u8]) {
        let destination = if source.relayed { self.relayed } else { Some(self.local) };
        let (Some(destination), Ok(message)) = (destination, StunMessage::parse(datagram)) else { return };
        // What the machine takes for granted of checks and their answers (RFC 8445 §7.1, RFC 8489 §7.3.3).
        let is_whole = if message.is_binding_request() {
            message.prio().is_some() && message.split_username().is_some() && self.has_room_for(source.peer)
        } else if message.is_successful_binding_response() {
            message.mapped_address().is_some()
        } else {
            message.is_failed_binding_response()
        };
        if is_whole {
            let packet = StunPacket { proto: Protocol::Udp, source: source.peer, destination, message };
            self.agent.handle_packet(now, packet);
        }
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_some_and(|at| at <= now) {
            self.agent.handle_timeout(now);
        }
    }

    pub fn poll_timeout(&mut self) -> Option<Instant> {
        self.agent.poll_timeout()
    }

    /// The next check or answer, and where it goes.
    pub fn poll_transmit(&mut self) -> Option<(Vec<u8>, Way)> {
        let transmit = self.agent.poll_transmit()?;
        let way = self.way(transmit.source, transmit.destination);
        Some((transmit.contents.into(), way))
    }

    pub fn poll_event(&mut self) -> Option<IceEvent> {
        while let Some(event) = self.agent.poll_event() {
            match event {
                IceAgentEvent::NominatedSend { source, destination, .. } => {
                    return Some(IceEvent::Way(self.way(source, destination)));
                }
                IceAgentEvent::DiscoveredRecv { source, .. } => return Some(IceEvent::Peer(source)),
                IceAgentEvent::IceConnectionStateChange(state) => {
                    let was_agreed = std::mem::replace(&mut self.is_agreed, state.is_connected());
                    // That others might do is no leave to use the one that was lost.
                    if was_agreed && !self.is_agreed || state.is_disconnected() {
                        return Some(IceEvent::Lost);
                    }
                }
                _ => {}
            }
        }
        None
    }

    fn way(&self, source: SocketAddr, peer: SocketAddr) -> Way {
        Way { peer, relayed: self.relayed == Some(source) }
    }

    fn add(&mut self, candidates: &[String]) {
        for candidate in candidates.iter().filter_map(|text| Candidate::from_sdp_string(text).ok()) {
            if self.has_room_for(candidate.addr()) {
                self.agent.add_remote_candidate(candidate);
            }
        }
    }

    /// The machine learns every address that a check comes from.
    fn has_room_for(&self, peer: SocketAddr) -> bool {
        let mut known = self.agent.remote_candidates().map(|candidate| candidate.addr());
        known.clone().any(|address| address == peer) || known.nth(MOST_PAIRS - 1).is_none()
    }
}

fn credentials(side: &IceCredentials) -> IceCreds {
    IceCreds { ufrag: side.ufrag.clone(), pass: side.password.clone() }
}
