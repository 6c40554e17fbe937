//! How a session is reached from outside: what a STUN server and a relay say of its port before that is told to anybody, and
//! the relay itself as long as there is use for it. A relay that breaks off is asked anew where the call depends on it.

mod renewal;

use super::Report;
use crate::media::{
    engine::relay::{RelayLink, RelayServer, trouble},
    ice::{Ice, Reflexive, RelayAccess, RelayEvent, Way},
};
use mio::{Registry, Token, net::UdpSocket};
use rand::Rng;
use renewal::Renewal;
use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

/// A call waits so long for a relay's address.
const PATIENCE: Duration = Duration::from_secs(1);
/// A relay's address is given back so long at most.
const PARTING: Duration = Duration::from_secs(2);

/// Where the call depends on the relay: after so long without a word of the peer's, whether that still knows of us is asked, and
/// again after so long.
const QUIET: Duration = Duration::from_secs(3);
const ASK_AGAIN: Duration = Duration::from_secs(15);

/// See the module.
#[derive(Default)]
pub struct Reach {
    question: Option<Reflexive>,
    relay: Option<RelayLink>,
    renewal: Option<Renewal>,
    /// Since when the relay has lent an address.
    lent_at: Option<Instant>,
    /// When to ask whether the relay still knows of us, unless a peer is heard before.
    quiet_at: Option<Instant>,
    /// An address lent anew that is still to be told.
    is_renewed: bool,
    /// How the port is seen, as it was told.
    reflexive: Option<SocketAddr>,
    /// One whose address is given back, and until when.
    parting: Option<(RelayLink, Instant)>,
    /// Why the relay is lost, as a sentence, until that is told.
    lost: Option<String>,
    asked: Option<Asked>,
}

/// What is still to be told.
struct Asked {
    /// How the STUN server sees the port, once that is known, or that it says nothing.
    reflexive: Option<Option<SocketAddr>>,
    until: Instant,
}

/// What a datagram at the RTP port is.
pub enum Heard<'a> {
    /// From whom, and by which way.
    Media(Way, &'a [u8]),
    /// An answer to a question of ours.
    Ours,
}

impl Reach {
    /// Asks these about the port, which is `local`: [`Report::Seen`] comes in any case.
    pub fn ask(
        &mut self,
        now: Instant,
        local: SocketAddr,
        (stun, relay): (Option<SocketAddr>, Option<RelayServer>),
        way: (Arc<Registry>, Token),
    ) {
        let mut transaction = [0; 12];
        rand::rng().fill_bytes(&mut transaction);
        self.question = stun.map(|server| Reflexive::new(now, server, transaction));
        self.renewal = relay.map(|server| Renewal::new(server, local.is_ipv6(), way));
        (self.lent_at, self.quiet_at, self.is_renewed) = (None, None, false);
        self.open_relay(now);
        let reflexive = self.question.is_none().then_some(None);
        self.asked = Some(Asked { reflexive, until: now + PATIENCE });
    }

    /// For the next address of the relay of this name.
    pub fn exchange_access(&mut self, name: &str, access: &RelayAccess) {
        if let Some(renewal) = self.renewal.as_mut().filter(|renewal| renewal.name() == name) {
            renewal.exchange_access(access.clone());
        }
    }

    fn open_relay(&mut self, now: Instant) {
        // Before the new one takes its token.
        self.relay = None;
        let Some(renewal) = &mut self.renewal else { return };
        match renewal.open(now) {
            Ok(relay) => self.relay = Some(relay),
            Err(why) => {
                tracing::warn!("{}", trouble(renewal.name(), &why));
                renewal.fails(now, None);
            }
        }
    }

    /// What has come to the RTP port.
    pub fn handle_datagram<'a>(&mut self, now: Instant, source: SocketAddr, datagram: &'a [u8]) -> Heard<'a> {
        if self.question.as_mut().is_some_and(|question| question.handle_datagram(source, datagram)) {
            return Heard::Ours;
        }
        if let Some((parting, _)) = self.parting.as_mut().filter(|(parting, _)| parting.is_at(source)) {
            parting.handle_datagram(now, datagram);
            if self.relay.is_none() {
                return Heard::Ours;
            }
        }
        match self.relay.as_mut().filter(|relay| relay.is_at(source)) {
            None => Heard::Media(Way { peer: source, relayed: false }, datagram),
            Some(relay) => match relay.handle_datagram(now, datagram) {
                Some((peer, data)) => {
                    self.quiet_at = Some(now + QUIET);
                    Heard::Media(Way { peer, relayed: true }, data)
                }
                None => Heard::Ours,
            },
        }
    }

    /// Reads what the relay's stream holds. Returns `true` when more may be left.
    pub fn read(&mut self, now: Instant, mut heard: impl FnMut(Way, &[u8])) -> bool {
        self.parting.take_if(|(parting, _)| parting.read(now, |_, _| {}).is_err());
        let Some(relay) = &mut self.relay else { return false };
        let quiet_at = &mut self.quiet_at;
        let read = relay.read(now, |peer, data| {
            *quiet_at = Some(now + QUIET);
            heard(Way { peer, relayed: true }, data);
        });
        match read {
            Ok(more) => more,
            Err(why) => {
                self.relay_fails(now, &why);
                false
            }
        }
    }

    /// Goes on asking, and tells what came of it. `depends`: the call is heard by way of a relay or not at all. Returns `true`
    /// when there is news of the relay.
    pub fn go_on(&mut self, now: Instant, depends: bool, rtp: &UdpSocket, report: &mut impl FnMut(Report)) -> bool {
        if depends {
            self.see_to_relay(now);
        }
        let is_news = self.relay_goes_on(now, rtp);
        self.parting.take_if(|(parting, until)| {
            parting.go_on(now, rtp);
            *until <= now || parting.poll_timeout().is_none()
        });
        if let Some(question) = &mut self.question {
            question.handle_timeout(now);
            while let Some((datagram, server)) = question.poll_transmit() {
                let _ = rtp.send_to(&datagram, server);
            }
            if let (Some(answer), Some(asked)) = (question.poll_answer(), &mut self.asked) {
                asked.reflexive = Some(answer);
            }
        }
        let relayed = self.relay.as_ref().map(RelayLink::relayed);
        let is_known = |asked: &mut Asked| asked.reflexive.is_some() && relayed != Some(None) || asked.until <= now;
        if let Some(asked) = self.asked.take_if(is_known) {
            if let (Some(None), Some(relay)) = (relayed, &self.relay) {
                tracing::warn!("{}", relay.trouble("it does not answer in time"));
            }
            self.reflexive = asked.reflexive.flatten();
            report(Report::Seen { reflexive: self.reflexive, relayed: relayed.flatten() });
        } else if depends && let Some(relayed) = relayed.flatten().filter(|_| std::mem::take(&mut self.is_renewed)) {
            let name = self.relay.as_ref().map_or("", RelayLink::name);
            tracing::info!("the TURN server {name} lends this call another address");
            report(Report::SeenAnew { reflexive: self.reflexive, relayed: Some(relayed) });
        }
        is_news
    }

    /// Asks a relay that keeps silent whether it still knows of us, and one that has broken off for another address.
    fn see_to_relay(&mut self, now: Instant) {
        if let Some(relay) = &mut self.relay {
            if self.quiet_at.is_some_and(|at| at <= now) {
                relay.confirm(now);
                self.quiet_at = Some(now + ASK_AGAIN);
            }
        } else if self.renewal.as_mut().is_some_and(|renewal| renewal.is_due(now)) {
            self.open_relay(now);
        }
    }

    fn relay_goes_on(&mut self, now: Instant, rtp: &UdpSocket) -> bool {
        let mut is_news = false;
        while let Some(event) = self.relay.as_mut().and_then(|relay| relay.go_on(now, rtp)) {
            self.relay_says(now, event);
            is_news = true;
        }
        is_news
    }

    fn relay_says(&mut self, now: Instant, event: RelayEvent) {
        match event {
            RelayEvent::Allocated { mapped, .. } => {
                (self.lent_at, self.quiet_at) = (Some(now), Some(now + QUIET));
                // It tells what a STUN server would.
                let sees_port = self.relay.as_ref().is_some_and(RelayLink::sees_port) && self.question.is_none();
                self.is_renewed = self.renewal.as_ref().is_some_and(Renewal::has_begun);
                match &mut self.asked {
                    Some(asked) if sees_port => asked.reflexive = Some(mapped),
                    None if sees_port && self.is_renewed => self.reflexive = mapped,
                    _ => {}
                }
            }
            RelayEvent::Failed(why) => self.relay_fails(now, &why),
        }
    }

    fn relay_fails(&mut self, now: Instant, why: &str) {
        let Some(relay) = self.relay.take() else { return };
        tracing::warn!("{}", relay.trouble(why));
        let lent_at = self.lent_at.take();
        if let Some(renewal) = &mut self.renewal {
            renewal.fails(now, lent_at);
        }
        if lent_at.is_some() {
            let name = relay.name();
            self.lost = Some(format!(
                "The TURN server {name} no longer carries this call's audio: {why}. It is asked again and again; if you do not \
                 hear each other for long, hang up and call again."
            ));
        }
    }

    /// What to say, once, where the call went by way of the relay and that is lost.
    pub fn poll_lost(&mut self) -> Option<String> {
        self.lost.take()
    }

    /// Whether an address is still being given back.
    pub const fn is_parting(&self) -> bool {
        self.parting.is_some()
    }

    /// `depends`: as in [`Self::go_on`].
    pub fn poll_timeout(&self, depends: bool) -> Option<Instant> {
        let quiet_at = self.quiet_at.filter(|_| self.relay.is_some());
        let renewed_at = self.renewal.as_ref().and_then(Renewal::poll_timeout).filter(|_| self.relay.is_none());
        let care = quiet_at.or(renewed_at).filter(|_| depends);
        let question = self.question.as_ref().and_then(Reflexive::poll_timeout);
        let relay = self.relay.as_ref().and_then(RelayLink::poll_timeout);
        let parting =
            self.parting.as_ref().map(|(relay, until)| relay.poll_timeout().map_or(*until, |at| at.min(*until)));
        let asked = self.asked.as_ref().map(|asked| asked.until);
        [question, relay, parting, asked, care].into_iter().flatten().min()
    }

    /// Has checks try the relay, and the relay let the peer in.
    pub fn join(&mut self, now: Instant, ice: &mut Ice, way: Option<Way>) {
        let Some((relay, relayed)) = self.relay.as_mut().and_then(|relay| relay.relayed().map(|at| (relay, at))) else {
            return;
        };
        ice.set_relayed(relayed);
        relay.admit(now, ice.peers(), way);
    }

    /// Sends by this way; `false` where that is not possible now.
    pub fn send(&mut self, rtp: &UdpSocket, datagram: &[u8], way: Way) -> bool {
        match (&mut self.relay, way.relayed) {
            // Its candidates are to come (RFC 8840 §4.1.3).
            (_, false) if way.peer.ip().is_unspecified() => false,
            // Audio that cannot be sent now is not worth keeping.
            (_, false) => rtp.send_to(datagram, way.peer).is_ok(),
            (Some(relay), true) => relay.send(rtp, way.peer, datagram),
            (None, true) => false,
        }
    }

    /// There is no use for the relay any more.
    pub fn release(&mut self, now: Instant, rtp: &UdpSocket) {
        self.renewal = None;
        if let Some(mut relay) = self.relay.take() {
            relay.close(now, rtp);
            self.parting = Some((relay, now + PARTING));
        }
    }
}
