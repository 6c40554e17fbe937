//! What stands between a session's sockets and its audio.

use super::{Association, DtlsIdentity, HandshakeError};
use crate::media::{
    plan::{DtlsPlan, KeyExchange},
    srtp::SrtpSession,
};
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

/// A handshake that is not done so long after the call was answered never will be.
pub const PATIENCE: Duration = Duration::from_secs(15);
/// Handshakes with the signalled address that may come to nothing.
const MOST_TRIES: u8 = 3;
/// A handshake with another address than the signalled one that is not done after this gives way to a third.
const TERM: Duration = Duration::from_secs(2);
/// Handshakes with such addresses: so many at once, and one more after each of these times.
const MOST_STRANGERS: u32 = 24;
const STRANGER_EVERY: Duration = Duration::from_millis(200);
/// A host whose handshake came to nothing may begin again after this.
const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Seals what is sent, opens what is received, and lets nothing pass before there are keys where there must be some.
#[derive(Default)]
pub struct Shield {
    identity: Option<DtlsIdentity>,
    keys: Keys,
    /// While a call is protected in another way, or not at all: its keys may come again.
    at_rest: Option<Box<SrtpSession>>,
    /// The call was answered: a handshake has to come to an end.
    answered: bool,
    outcome: Option<Outcome>,
}

/// What became of a handshake: the address it was with, or a sentence.
pub type Outcome = Result<SocketAddr, String>;

#[derive(Default)]
enum Keys {
    /// Nothing is encrypted.
    #[default]
    None,
    Sdes(Box<SrtpSession>),
    Dtls(Box<Handshake>),
}

struct Handshake {
    plan: DtlsPlan,
    /// `None` once it was given up.
    association: Option<Association>,
    srtp: Option<SrtpSession>,
    signalled: SocketAddr,
    /// Whom it is with, once somebody has begun, and since when.
    peer: Option<(SocketAddr, Instant)>,
    begun: Instant,
    /// With whom one came to nothing, and since when: beginning again gives nobody a new term.
    failed: Option<(SocketAddr, Instant)>,
    tries: u8,
    /// When all the strangers admitted so far would have come, one after each [`STRANGER_EVERY`].
    strangers_until: Instant,
    give_up_at: Option<Instant>,
}

impl Shield {
    /// `identity`: without it a plan that asks for a handshake fails.
    pub fn new(identity: Option<DtlsIdentity>) -> Self {
        Self { identity, ..Self::default() }
    }

    /// What was agreed on now; `signalled`: where the peer's audio is. A handshake that stays the same is not repeated.
    pub fn set_plan(&mut self, now: Instant, keys: Option<&KeyExchange>, signalled: SocketAddr) {
        if let (Keys::Dtls(handshake), Some(KeyExchange::Dtls(plan))) = (&mut self.keys, keys)
            && handshake.plan == *plan
        {
            handshake.signalled = signalled;
            return;
        }
        let known = match std::mem::take(&mut self.keys) {
            Keys::Sdes(srtp) => Some(srtp),
            Keys::Dtls(_) | Keys::None => self.at_rest.take(),
        };
        match keys {
            Some(KeyExchange::Sdes(keys)) => {
                self.keys = Keys::Sdes(match known {
                    Some(mut srtp) => {
                        srtp.set_keys(keys.clone());
                        srtp
                    }
                    None => Box::new(SrtpSession::new(keys.clone())),
                });
            }
            Some(KeyExchange::Dtls(plan)) => {
                (self.at_rest, self.outcome) = (known, None);
                let give_up_at = self.answered.then_some(now + PATIENCE);
                let mut handshake = Handshake::new(now, plan.clone(), signalled, give_up_at);
                handshake.begin(now, self.identity.as_ref());
                self.keys = Keys::Dtls(Box::new(handshake));
            }
            None => self.at_rest = known,
        }
    }

    /// The peer is reached at this address from now on.
    pub fn moved(&mut self, address: SocketAddr) {
        if let Keys::Dtls(handshake) = &mut self.keys {
            handshake.signalled = address;
            if handshake.plan.active && handshake.srtp.is_none() {
                handshake.peer = None;
            }
        }
    }

    /// The call is answered.
    pub fn answered(&mut self, now: Instant) {
        self.answered = true;
        if let Keys::Dtls(handshake) = &mut self.keys
            && handshake.srtp.is_none()
        {
            // What came to nothing while the call rang ends no call.
            (handshake.tries, handshake.strangers_until) = (0, now);
            handshake.give_up_at = Some(now + PATIENCE);
            if handshake.association.is_none() {
                handshake.begin(now, self.identity.as_ref());
            }
        }
    }

    /// A datagram of the handshake. Whether it may be the peer's.
    pub fn handle_datagram(&mut self, now: Instant, source: SocketAddr, datagram: &[u8]) -> bool {
        let Keys::Dtls(handshake) = &mut self.keys else { return false };
        if !handshake.admits(now, source, datagram, self.identity.as_ref()) {
            return false;
        }
        let Some(association) = &mut handshake.association else { return true };
        match association.handle_datagram(now, datagram) {
            Ok(Some(keys)) => {
                handshake.srtp = Some(SrtpSession::new(keys));
                handshake.give_up_at = None;
                self.outcome = Some(Ok(source));
            }
            Ok(None) => {}
            Err(error) => {
                // Somebody else's handshake that comes to nothing is not the peer's.
                let is_final = source == handshake.signalled && handshake.has_failed(error, datagram);
                if is_final {
                    self.fail(&error.to_string());
                } else {
                    handshake.begin_again(now, self.identity.as_ref());
                }
            }
        }
        true
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        let Keys::Dtls(handshake) = &mut self.keys else { return };
        if handshake.give_up_at.is_some_and(|at| at <= now) {
            return self.fail("it does not take part in the handshake that was agreed on");
        }
        if let Some(association) = &mut handshake.association
            && association.handle_timeout(now).is_err()
        {
            handshake.begin_again(now, self.identity.as_ref());
        }
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.keys {
            Keys::Dtls(handshake) => {
                let again = handshake.association.as_ref().and_then(Association::poll_timeout);
                again.into_iter().chain(handshake.give_up_at).min()
            }
            Keys::Sdes(_) | Keys::None => None,
        }
    }

    /// The next datagram of the handshake, and where it goes.
    pub fn poll_transmit(&mut self) -> Option<(Vec<u8>, SocketAddr)> {
        let Keys::Dtls(handshake) = &mut self.keys else { return None };
        let target = handshake.peer.map_or(handshake.signalled, |(peer, _)| peer);
        handshake.association.as_mut()?.poll_transmit().map(|datagram| (datagram, target))
    }

    /// What became of the handshake, told once.
    pub const fn poll_outcome(&mut self) -> Option<Outcome> {
        self.outcome.take()
    }

    /// RTP to send, as it goes out; `None` where it must not.
    pub fn protect<'a>(&mut self, datagram: &'a [u8], room: &'a mut Vec<u8>) -> Option<&'a [u8]> {
        self.through(SrtpSession::protect, datagram, room)
    }

    /// RTCP to send.
    pub fn protect_control<'a>(&mut self, datagram: &'a [u8], room: &'a mut Vec<u8>) -> Option<&'a [u8]> {
        self.through(SrtpSession::protect_control, datagram, room)
    }

    /// RTP received; `None` where it is forged, damaged, repeated, or came before the keys.
    pub fn open<'a>(&mut self, datagram: &'a [u8], room: &'a mut Vec<u8>) -> Option<&'a [u8]> {
        self.through(SrtpSession::open, datagram, room)
    }

    /// Whether RTP that does not open is under other keys than ours, or none: it neither came before them nor comes again.
    pub fn is_foreign(&self, datagram: &[u8]) -> bool {
        let srtp = match &self.keys {
            Keys::None => None,
            Keys::Sdes(srtp) => Some(srtp.as_ref()),
            Keys::Dtls(handshake) => handshake.srtp.as_ref(),
        };
        srtp.is_some_and(|srtp| srtp.is_foreign(datagram))
    }

    /// RTCP received.
    pub fn open_control<'a>(&mut self, datagram: &'a [u8], room: &'a mut Vec<u8>) -> Option<&'a [u8]> {
        self.through(SrtpSession::open_control, datagram, room)
    }

    fn through<'a>(
        &mut self,
        act: impl Fn(&mut SrtpSession, &[u8], &mut Vec<u8>) -> Option<()>,
        datagram: &'a [u8],
        room: &'a mut Vec<u8>,
    ) -> Option<&'a [u8]> {
        let srtp = match &mut self.keys {
            Keys::None => return Some(datagram),
            Keys::Sdes(srtp) => srtp.as_mut(),
            Keys::Dtls(handshake) => handshake.srtp.as_mut()?,
        };
        act(srtp, datagram, room).map(|()| room.as_slice())
    }

    /// Before the call is answered nothing is said: there is another try then.
    fn fail(&mut self, why: &str) {
        if let Keys::Dtls(handshake) = &mut self.keys {
            (handshake.association, handshake.give_up_at) = (None, None);
        }
        if self.answered {
            self.outcome = Some(Err(format!(
                "The other side could not be heard or spoken to in secret: {why}. Call again; if it happens again, tell your IT staff."
            )));
        }
    }
}

impl Handshake {
    const fn new(now: Instant, plan: DtlsPlan, signalled: SocketAddr, give_up_at: Option<Instant>) -> Self {
        Self {
            plan,
            association: None,
            srtp: None,
            signalled,
            peer: None,
            begun: now,
            failed: None,
            tries: 0,
            strangers_until: now,
            give_up_at,
        }
    }

    /// From the beginning.
    fn begin(&mut self, now: Instant, identity: Option<&DtlsIdentity>) {
        self.peer = None;
        // Without one, patience ends in a sentence.
        self.association = identity.and_then(|identity| Association::new(now, identity, self.plan.clone()).ok());
    }

    /// The one that was came to nothing.
    fn begin_again(&mut self, now: Instant, identity: Option<&DtlsIdentity>) {
        self.failed = self.peer.or(self.failed);
        self.begin(now, identity);
    }

    /// Whether the datagram may be the peer's. The signalled address is believed before all others; behind a NAT it comes from
    /// elsewhere, which shows by its beginning a handshake.
    fn admits(&mut self, now: Instant, source: SocketAddr, datagram: &[u8], identity: Option<&DtlsIdentity>) -> bool {
        let is_signalled = source == self.signalled;
        let failed = self.failed.filter(|(host, _)| host.ip() == source.ip() && !is_signalled);
        let is_due = match failed {
            Some(_) => now.saturating_duration_since(self.begun) >= AGAIN_AFTER,
            None => is_signalled || self.strangers_until <= now + STRANGER_EVERY * MOST_STRANGERS,
        };
        let begins = !self.plan.active && is_client_hello(datagram) && is_due;
        let admitted = match self.peer {
            Some((peer, _)) if peer == source => return true,
            None => begins || self.plan.active && is_signalled,
            Some((peer, since)) => {
                let is_over = now.saturating_duration_since(since) >= TERM;
                begins && self.srtp.is_none() && (is_signalled || peer != self.signalled && is_over)
            }
        };
        if admitted {
            if self.peer.is_some() {
                self.begin(now, identity);
            }
            if !is_signalled && failed.is_none() {
                self.strangers_until = self.strangers_until.max(now) + STRANGER_EVERY;
            }
            self.begun = now;
            self.peer = Some((source, failed.map_or(now, |(_, since)| since)));
        }
        admitted
    }

    /// Notes a failure at the signalled address by this datagram; `true`: no other try. What fits no handshake does not count:
    /// anybody can send it under that address, and patience ends all the same.
    fn has_failed(&mut self, error: HandshakeError, datagram: &[u8]) -> bool {
        self.tries += u8::from(error != HandshakeError::Failed || is_alert(datagram));
        error == HandshakeError::WrongCertificate || self.tries >= MOST_TRIES
    }
}

/// RFC 6347 §4.3.1, §4.2.2: a record of the handshake that begins with a ClientHello.
fn is_client_hello(datagram: &[u8]) -> bool {
    datagram.first() == Some(&22) && datagram.get(13) == Some(&1)
}

/// RFC 6347 §4.3.1: a record of an alert.
fn is_alert(datagram: &[u8]) -> bool {
    datagram.first() == Some(&21)
}

#[cfg(test)]
mod tests;
