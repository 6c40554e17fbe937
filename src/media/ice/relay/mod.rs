//! A relay's client (TURN, RFC 8656): an address of the relay's for one media port, the permissions for whom the peer may be, and
//! what goes through it. No sockets, no clock: messages for the relay in and out, whatever carries them.

mod challenge;
mod framing;
mod request;
#[cfg(test)]
pub(super) mod tests;

pub use framing::{NotFramed, frame};

use crate::{
    secret::Secret,
    stun::{Builder, Class, Message, attribute, method},
};
use challenge::Challenge;
use rand::{Rng, SeedableRng, rngs::StdRng};
use request::{Request, What};
use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

/// Whom permissions are asked for, at most; as many as candidates of a peer are looked at.
const MOST_PERMISSIONS: usize = 40;
/// Ways that get a channel; others go by indications, which are longer.
const MOST_CHANNELS: u16 = 8;
/// RFC 8656 §12.
const FIRST_CHANNEL: u16 = 0x4000;
/// Where the relay does not say how long it keeps the address (RFC 8656 §7.2).
const LIFETIME: Duration = Duration::from_secs(600);
/// Permissions last for five minutes (RFC 8656 §9), channels for ten.
const UPKEEP: Duration = Duration::from_secs(240);
const SHORTEST_UPKEEP: Duration = Duration::from_secs(5);
/// REQUESTED-TRANSPORT (RFC 8656 §18.7): UDP, however the relay itself is reached.
const UDP: [u8; 4] = [17, 0, 0, 0];
/// REQUESTED-ADDRESS-FAMILY (RFC 8656 §18.6); unasked for, addresses are IPv4.
const IPV6: [u8; 4] = [2, 0, 0, 0];

/// How one is let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayAccess {
    pub username: String,
    pub password: Secret,
}

/// What has become of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RelayEvent {
    /// The relay's address for us, and ours as it sees us.
    Allocated { relayed: SocketAddr, mapped: Option<SocketAddr> },
    /// There is none, or no longer: a clause that says why.
    Failed(String),
}

/// An address at a relay. The caller drops it after [`RelayEvent::Failed`].
pub struct Relay {
    access: RelayAccess,
    /// Over TCP or TLS nothing is sent twice, and channels' data is padded (RFC 8656 §12.5).
    is_reliable: bool,
    is_ipv6: bool,
    random: StdRng,
    challenge: Option<Challenge>,
    relayed: Option<SocketAddr>,
    is_leaving: bool,
    /// What it still kept for our port, from before, was given back: once.
    has_cleared: bool,
    requests: Vec<Request>,
    /// Whom we may send to and hear; `true` once granted.
    permissions: Vec<(IpAddr, bool)>,
    /// By their numbers from [`FIRST_CHANNEL`] on; `true` once bound.
    channels: Vec<(SocketAddr, bool)>,
    upkeep: Duration,
    upkeep_at: Option<Instant>,
    transmits: VecDeque<Vec<u8>>,
    events: VecDeque<RelayEvent>,
    wrapped: Vec<u8>,
}

impl Relay {
    /// Asks for an address: `is_ipv6`, or IPv4. `seed`: random.
    pub fn new(now: Instant, access: RelayAccess, is_reliable: bool, is_ipv6: bool, seed: [u8; 32]) -> Self {
        let mut relay = Self {
            access,
            is_reliable,
            is_ipv6,
            random: StdRng::from_seed(seed),
            challenge: None,
            relayed: None,
            is_leaving: false,
            has_cleared: false,
            requests: Vec::new(),
            permissions: Vec::new(),
            channels: Vec::new(),
            upkeep: UPKEEP,
            upkeep_at: None,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            wrapped: Vec::new(),
        };
        relay.ask(now, What::Allocate, 0);
        relay
    }

    /// Its address, once there is one.
    pub const fn relayed(&self) -> Option<SocketAddr> {
        self.relayed
    }

    /// Lets these send to us, and us to them. Those of another family than the relay's address are beyond it.
    pub fn permit(&mut self, now: Instant, peers: impl IntoIterator<Item = IpAddr>) {
        let Some(relayed) = self.relayed else { return };
        for ip in peers {
            let is_new = !self.permissions.iter().any(|(known, _)| *known == ip);
            if is_new && ip.is_ipv4() == relayed.is_ipv4() && self.permissions.len() < MOST_PERMISSIONS {
                self.permissions.push((ip, false));
                self.ask(now, What::Permit(ip), 0);
            }
        }
    }

    /// This is the way from now on: a channel makes its packets short.
    pub fn bind(&mut self, now: Instant, peer: SocketAddr) {
        let is_new = !self.channels.iter().any(|(known, _)| *known == peer);
        if is_new && self.relayed.is_some() && self.channels.len() < usize::from(MOST_CHANNELS) {
            self.channels.push((peer, false));
            self.ask(now, What::Bind(self.channels.len() - 1), 0);
        }
    }

    /// Asks whether it still knows of us; where it does not, or says nothing, it has failed.
    pub fn confirm(&mut self, now: Instant) {
        if self.relayed.is_some() {
            self.ask(now, What::Refresh, 0);
        }
    }

    /// `data` as it goes to the relay for `peer`; `None`: that would not let it through.
    pub fn wrap(&mut self, peer: SocketAddr, data: &[u8]) -> Option<&[u8]> {
        let length = u16::try_from(data.len()).ok()?;
        if let Some(n) = self.channels.iter().position(|(known, bound)| *bound && *known == peer) {
            self.wrapped.clear();
            self.wrapped.extend_from_slice(&(FIRST_CHANNEL + n as u16).to_be_bytes());
            self.wrapped.extend_from_slice(&length.to_be_bytes());
            self.wrapped.extend_from_slice(data);
            if self.is_reliable {
                self.wrapped.resize(self.wrapped.len().next_multiple_of(4), 0);
            }
        } else {
            self.permissions.iter().find(|(ip, granted)| *granted && *ip == peer.ip())?;
            let indication = Builder::new(Class::Indication, method::SEND, self.transaction());
            let indication = indication.put_address(attribute::XOR_PEER_ADDRESS, peer);
            self.wrapped = indication.put(attribute::DATA, data).finish();
        }
        Some(&self.wrapped)
    }

    /// What came from the relay, one message; gives what a peer has sent through it, and who.
    pub fn handle_datagram<'a>(&mut self, now: Instant, datagram: &'a [u8]) -> Option<(SocketAddr, &'a [u8])> {
        if let Some((channel, data)) = framing::channel_data(datagram) {
            let n = usize::from(channel.checked_sub(FIRST_CHANNEL)?);
            return self.channels.get(n).map(|(peer, _)| (*peer, data));
        }
        let message = Message::parse(datagram)?;
        if (message.class, message.method) == (Class::Indication, method::DATA) {
            let peer = message.address(attribute::XOR_PEER_ADDRESS)?;
            self.permissions.iter().find(|(ip, _)| *ip == peer.ip())?;
            return message.attribute(attribute::DATA).map(|data| (peer, data));
        }
        self.answered(now, &message);
        None
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(n) = self.requests.iter().position(|request| request.at <= now) {
            let (request, transmits) = (&mut self.requests[n], &mut self.transmits);
            if request.is_over() {
                let request = self.requests.swap_remove(n);
                self.failed(now, &request, "it does not answer".to_owned());
            } else {
                transmits.extend(request.again(now, self.is_reliable));
            }
        }
        if self.upkeep_at.is_some_and(|at| at <= now) {
            self.upkeep_at = Some(now + self.upkeep);
            self.ask(now, What::Refresh, 0);
            for ip in self.permissions.iter().map(|(ip, _)| *ip).collect::<Vec<_>>() {
                self.ask(now, What::Permit(ip), 0);
            }
            (0..self.channels.len()).for_each(|n| self.ask(now, What::Bind(n), 0));
        }
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        self.requests.iter().map(|request| request.at).chain(self.upkeep_at).min()
    }

    /// The next message for the relay.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.transmits.pop_front()
    }

    pub fn poll_event(&mut self) -> Option<RelayEvent> {
        self.events.pop_front()
    }

    /// Gives the address back. It is done once there is no timeout any more, within a second and a half where there was an address; should all of it be lost,
    /// the relay forgets by itself.
    pub fn release(&mut self, now: Instant) {
        self.is_leaving = true;
        // One that is granted yet is given back then.
        self.requests.retain(|request| request.what == What::Allocate);
        self.transmits.clear();
        self.permissions.clear();
        self.channels.clear();
        self.upkeep_at = None;
        if self.relayed.take().is_some() {
            self.ask(now, What::Release, 0);
        }
    }

    fn ask(&mut self, now: Instant, what: What, stale: u8) {
        // One still unanswered is enough.
        if self.requests.iter().any(|request| request.what == what) {
            return;
        }
        let transaction = self.transaction();
        let begun = |method| Builder::new(Class::Request, method, transaction);
        let message = match &what {
            What::Allocate if self.is_ipv6 => begun(method::ALLOCATE)
                .put(attribute::REQUESTED_TRANSPORT, &UDP)
                .put(attribute::REQUESTED_ADDRESS_FAMILY, &IPV6),
            What::Allocate => begun(method::ALLOCATE).put(attribute::REQUESTED_TRANSPORT, &UDP),
            What::Refresh => begun(method::REFRESH),
            What::Release => begun(method::REFRESH).put(attribute::LIFETIME, &[0; 4]),
            // A permission is for an IP address; its port says nothing (RFC 8656 §9).
            What::Permit(ip) => {
                begun(method::CREATE_PERMISSION).put_address(attribute::XOR_PEER_ADDRESS, SocketAddr::new(*ip, 9))
            }
            What::Bind(n) => {
                let number = (FIRST_CHANNEL + *n as u16).to_be_bytes();
                let numbered =
                    begun(method::CHANNEL_BIND).put(attribute::CHANNEL_NUMBER, &[number[0], number[1], 0, 0]);
                numbered.put_address(attribute::XOR_PEER_ADDRESS, self.channels[*n].0)
            }
        };
        let octets = self.sign(message);
        self.transmits.push_back(octets.clone());
        let is_signed = self.challenge.is_some();
        self.requests.push(Request::new(now, what, transaction, octets, (is_signed, stale)));
    }

    fn answered(&mut self, now: Instant, message: &Message<'_>) {
        let is_it = |request: &Request| request.is_answered_by(message);
        let Some(n) = self.requests.iter().position(is_it) else { return };
        // RFC 8489 §9.2.5: a forged answer is none; refusals for want of a signature have none themselves.
        let signed = self.challenge.as_ref().and_then(|challenge| message.is_signed_with(&challenge.key));
        let is_proved = signed == Some(true) || self.challenge.is_none();
        if signed == Some(false) || message.class == Class::Success && !is_proved {
            return;
        }
        let request = self.requests.swap_remove(n);
        match message.error() {
            None if message.class == Class::Success => self.granted(now, &request, message),
            Some((401, _)) if request.is_signed => self.failed(
                now,
                &request,
                "it refuses the user name or the password (401); check both, or ask whoever runs it".to_owned(),
            ),
            Some((401, _)) if self.access.username.is_empty() => {
                self.failed(now, &request, "it wants a user name and a password; give both".to_owned());
            }
            Some((401 | 438, _)) if request.stale < request::MOST_STALE => match Challenge::of(message, &self.access) {
                Some(challenge) => {
                    self.challenge = Some(challenge);
                    self.ask(now, request.what, request.stale + 1);
                }
                None => self.failed(now, &request, "it asks for a password without saying for what".to_owned()),
            },
            // RFC 8656 §7.2: it has an address for this port already, which we know nothing of any more.
            Some((437, _)) if request.what == What::Allocate && !self.has_cleared => {
                self.has_cleared = true;
                self.ask(now, What::Release, 0);
            }
            error => self.failed(now, &request, request::why(error.map(|(code, _)| code))),
        }
    }

    fn granted(&mut self, now: Instant, request: &Request, message: &Message<'_>) {
        match &request.what {
            What::Allocate => {
                let Some(relayed) = message.address(attribute::XOR_RELAYED_ADDRESS) else {
                    return self.failed(now, request, "its answer names no address".to_owned());
                };
                if self.is_leaving {
                    return self.ask(now, What::Release, 0);
                }
                let mapped = message.address(attribute::XOR_MAPPED_ADDRESS);
                self.relayed = Some(relayed);
                self.keep_up(now, message);
                self.events.push_back(RelayEvent::Allocated { relayed, mapped });
            }
            What::Refresh => self.keep_up(now, message),
            What::Release => self.released(now),
            What::Permit(ip) => {
                self.permissions.iter_mut().filter(|(known, _)| known == ip).for_each(|(_, granted)| *granted = true);
            }
            What::Bind(n) => self.channels[*n].1 = true,
        }
    }

    /// Well before the relay forgets.
    fn keep_up(&mut self, now: Instant, message: &Message<'_>) {
        let seconds = message.attribute(attribute::LIFETIME).and_then(|value| <[u8; 4]>::try_from(value).ok());
        let lifetime = seconds.map_or(LIFETIME, |octets| Duration::from_secs(u32::from_be_bytes(octets).into()));
        self.upkeep = (lifetime / 2).clamp(SHORTEST_UPKEEP, UPKEEP);
        self.upkeep_at = Some(self.upkeep_at.unwrap_or(now + self.upkeep).min(now + self.upkeep));
    }

    /// Whoever does not leave has only made room.
    fn released(&mut self, now: Instant) {
        if !self.is_leaving {
            self.ask(now, What::Allocate, 0);
        }
    }

    fn failed(&mut self, now: Instant, request: &Request, why: String) {
        match &request.what {
            What::Allocate | What::Refresh => {
                (self.relayed, self.upkeep_at) = (None, None);
                self.requests.clear();
                self.events.push_back(RelayEvent::Failed(why));
            }
            What::Release => self.released(now),
            // The relay does not serve that network, such as the peer's own: another way goes.
            What::Permit(ip) => self.permissions.retain(|(known, _)| known != ip),
            // Its number stays taken; indications go on.
            What::Bind(n) => self.channels[*n].1 = false,
        }
    }

    fn sign(&self, message: Builder) -> Vec<u8> {
        match &self.challenge {
            Some(challenge) => challenge.sign(&self.access, message),
            None => message.finish(),
        }
    }

    fn transaction(&mut self) -> [u8; 12] {
        let mut transaction = [0; 12];
        self.random.fill_bytes(&mut transaction);
        transaction
    }
}
