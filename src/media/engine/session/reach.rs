//! How a session is reached from outside: what a STUN server and a relay say of its port before that is told to anybody, and
//! the relay itself as long as there is use for it.

use super::Report;
use crate::media::{
    engine::relay::{RelayLink, RelayServer, trouble},
    ice::{Ice, Reflexive, RelayEvent, Way},
};
use mio::{Registry, Token, net::UdpSocket};
use rand::Rng;
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

/// A call waits so long for a relay's address.
const PATIENCE: Duration = Duration::from_secs(1);
/// A relay's address is given back so long at most.
const PARTING: Duration = Duration::from_secs(2);

/// See the module.
#[derive(Default)]
pub struct Reach {
    question: Option<Reflexive>,
    relay: Option<RelayLink>,
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
    /// Asks these about the port: [`Report::Seen`] comes in any case.
    pub fn ask(&mut self, now: Instant, stun: Option<SocketAddr>, relay: Option<RelayServer>, way: (&Registry, Token)) {
        let mut transaction = [0; 12];
        rand::rng().fill_bytes(&mut transaction);
        self.question = stun.map(|server| Reflexive::new(now, server, transaction));
        // Before the new one takes its token.
        self.relay = None;
        self.relay = relay.and_then(|server| {
            let name = server.name.clone();
            let opened = RelayLink::open(now, server, way.0, way.1);
            opened.inspect_err(|why| tracing::warn!("{}", trouble(&name, why))).ok()
        });
        let reflexive = self.question.is_none().then_some(None);
        self.asked = Some(Asked { reflexive, until: now + PATIENCE });
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
                Some((peer, data)) => Heard::Media(Way { peer, relayed: true }, data),
                None => Heard::Ours,
            },
        }
    }

    /// Reads what the relay's stream holds. Returns `true` when more may be left.
    pub fn read(&mut self, now: Instant, mut heard: impl FnMut(Way, &[u8])) -> bool {
        self.parting.take_if(|(parting, _)| parting.read(now, |_, _| {}).is_err());
        let Some(relay) = &mut self.relay else { return false };
        match relay.read(now, |peer, data| heard(Way { peer, relayed: true }, data)) {
            Ok(more) => more,
            Err(why) => {
                self.relay_fails(&why);
                false
            }
        }
    }

    /// Goes on asking, and tells what came of it. Returns `true` when there is news of the relay.
    pub fn go_on(&mut self, now: Instant, rtp: &UdpSocket, report: &mut impl FnMut(Report)) -> bool {
        let mut is_news = false;
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
        while let Some(event) = self.relay.as_mut().and_then(|relay| relay.go_on(now, rtp)) {
            self.relay_says(event);
            is_news = true;
        }
        let relayed = self.relay.as_ref().map(RelayLink::relayed);
        let is_known = |asked: &mut Asked| asked.reflexive.is_some() && relayed != Some(None) || asked.until <= now;
        if let Some(asked) = self.asked.take_if(is_known) {
            if let (Some(None), Some(relay)) = (relayed, &self.relay) {
                tracing::warn!("{}", relay.trouble("it does not answer in time"));
            }
            report(Report::Seen { reflexive: asked.reflexive.flatten(), relayed: relayed.flatten() });
        }
        is_news
    }

    fn relay_says(&mut self, event: RelayEvent) {
        match event {
            RelayEvent::Allocated { mapped, .. } => {
                // It tells what a STUN server would.
                let sees_port = self.relay.as_ref().is_some_and(RelayLink::sees_port);
                if let (Some(asked), true) = (&mut self.asked, sees_port && self.question.is_none()) {
                    asked.reflexive = Some(mapped);
                }
            }
            RelayEvent::Failed(why) => self.relay_fails(&why),
        }
    }

    fn relay_fails(&mut self, why: &str) {
        if let Some(relay) = self.relay.take() {
            tracing::warn!("{}", relay.trouble(why));
            let name = relay.name();
            self.lost = Some(format!(
                "The TURN server {name} no longer carries this call's audio: {why}. If you do not hear each other any more, \
                 hang up and call again."
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

    pub fn poll_timeout(&self) -> Option<Instant> {
        let question = self.question.as_ref().and_then(Reflexive::poll_timeout);
        let relay = self.relay.as_ref().and_then(RelayLink::poll_timeout);
        let parting =
            self.parting.as_ref().map(|(relay, until)| relay.poll_timeout().map_or(*until, |at| at.min(*until)));
        question.into_iter().chain(relay).chain(parting).chain(self.asked.as_ref().map(|asked| asked.until)).min()
    }

    /// Has checks try the relay, and the relay let the peer in.
    pub fn join(&mut self, now: Instant, ice: &mut Ice, way: Option<Way>) {
        let Some((relay, relayed)) = self.relay.as_mut().and_then(|relay| relay.relayed().map(|at| (relay, at))) else {
            return;
        };
        ice.set_relayed(relayed);
        relay.admit(now, ice.peers(), way);
    }

    /// Sends by this way.
    pub fn send(&mut self, rtp: &UdpSocket, datagram: &[u8], way: Way) {
        match (&mut self.relay, way.relayed) {
            // Its candidates are to come (RFC 8840 §4.1.3).
            (_, false) if way.peer.ip().is_unspecified() => {}
            // Audio that cannot be sent now is not worth keeping.
            (_, false) => drop(rtp.send_to(datagram, way.peer)),
            (Some(relay), true) => relay.send(rtp, way.peer, datagram),
            (None, true) => {}
        }
    }

    /// There is no use for the relay any more.
    pub fn release(&mut self, now: Instant, rtp: &UdpSocket) {
        if let Some(mut relay) = self.relay.take() {
            relay.close(now, rtp);
            self.parting = Some((relay, now + PARTING));
        }
    }
}
