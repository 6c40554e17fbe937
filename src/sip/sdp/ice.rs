//! ICE in the session description (RFC 8839).

use super::format::attribute;
use crate::{
    media::plan::{IceCredentials, IcePlan},
    sip::entropy::Entropy,
};
use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use sdp_types::{Attribute, Media, Session};
use sha2::{Digest, Sha256};
use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

/// Candidates looked at; browsers on laptops have a dozen.
pub(super) const MOST_CANDIDATES: usize = 32;
pub(super) const MOST_OCTETS: usize = 256;
/// RFC 8445 §5.1.2.1, the recommended preferences, of component 1.
const HOST_PRIORITY: u32 = 126 << 24 | 0xffff << 8 | 255;
const REFLEXIVE_PRIORITY: u32 = 100 << 24 | 0xffff << 8 | 255;
const RELAYED_PRIORITY: u32 = 0xffff << 8 | 255;

/// What the peer's description says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RemoteIce {
    credentials: IceCredentials,
    candidates: Vec<String>,
    /// It only answers checks (RFC 8445 §2.5).
    lite: bool,
    /// More candidates may come later (RFC 8838).
    pub(super) trickles: bool,
}

/// `None` where it does no ICE with us; `default`: of its m= and c= lines. Where that is no candidate, somebody between us has put
/// an address of his own there, who knows nothing of the checks (RFC 8839 §4.2.5).
pub(super) fn read(session: &Session, media: &Media, default: SocketAddr) -> Option<RemoteIce> {
    let value = |name: &str, lengths: std::ops::RangeInclusive<usize>| {
        let attributes = media.attributes.iter().chain(&session.attributes);
        let mut named = attributes.filter(|a| a.attribute == name).filter_map(|a| a.value.as_deref());
        named.next().map(str::trim).filter(|value| lengths.contains(&value.len())).map(str::to_owned)
    };
    let credentials =
        IceCredentials { ufrag: value("ice-ufrag", 4..=MOST_OCTETS)?, password: value("ice-pwd", 22..=MOST_OCTETS)? };
    let lines = media.attributes.iter().filter(|a| a.attribute == "candidate").filter_map(|a| a.value.as_deref());
    let lines = lines.take(MOST_CANDIDATES).filter(|line| line.len() <= MOST_OCTETS);
    let candidates: Vec<(SocketAddr, &str)> = lines.filter_map(|line| Some((address(line)?, line))).collect();
    let attributes = media.attributes.iter().chain(&session.attributes).filter(|a| a.attribute == "ice-options");
    let mut options = attributes.filter_map(|a| a.value.as_deref()).flat_map(str::split_ascii_whitespace);
    let trickles = options.any(|option| option == "trickle");
    let is_known = candidates.iter().any(|(address, _)| *address == default);
    // RFC 8840 §4.1.3: who has none yet says so by an address that is none.
    let is_to_come = trickles && default.ip().is_unspecified();
    (is_known || is_to_come).then(|| RemoteIce {
        credentials,
        candidates: candidates.into_iter().map(|(_, line)| format!("candidate:{line}")).collect(),
        lite: session.attributes.iter().any(|a| a.attribute == "ice-lite"),
        trickles,
    })
}

/// Of a candidate by UDP of the first component: `foundation component transport priority address port typ …`.
pub(super) fn address(line: &str) -> Option<SocketAddr> {
    let parts: Vec<&str> = line.split_ascii_whitespace().collect();
    let &[_, "1", transport, _, ip, port, "typ", _, ..] = &parts[..] else { return None };
    let ip: IpAddr = ip.parse().ok()?;
    let port = port.parse().ok().filter(|port| *port != 0)?;
    transport.eq_ignore_ascii_case("udp").then(|| SocketAddr::new(ip, port))
}

/// Where else our RTP port is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outside {
    /// How a STUN server sees it.
    pub reflexive: Option<SocketAddr>,
    /// A relay's address for it.
    pub relayed: Option<SocketAddr>,
}

/// Our side, for one session.
#[derive(Clone)]
pub struct LocalIce {
    /// What our credentials are made of.
    secret: [u8; 32],
    /// Counts restarts (RFC 8445 §9), each of which asks for new credentials.
    generation: u32,
    /// Where our audio was when we offered last.
    local: Option<SocketAddr>,
    /// The next offer begins anew.
    restarts: bool,
    /// Offered too, not only answered.
    offered: bool,
    outside: Outside,
    /// The peer's, once known.
    remote: Option<IceCredentials>,
    /// Who chooses, once decided.
    controlling: Option<bool>,
}

impl LocalIce {
    pub fn new(offered: bool, entropy: &mut Entropy) -> Self {
        let mut secret = [0; 32];
        secret.chunks_mut(8).for_each(|chunk| chunk.copy_from_slice(&entropy.u64().to_be_bytes()));
        Self {
            secret,
            generation: 0,
            local: None,
            restarts: false,
            offered,
            outside: Outside::default(),
            remote: None,
            controlling: None,
        }
    }

    pub const fn set_outside(&mut self, outside: Outside) {
        self.outside = outside;
    }

    /// The next offer begins anew, since another address has come in the place of one that is lost (RFC 8445 §9).
    pub const fn restart(&mut self) {
        self.restarts = true;
    }

    /// What stands in the m= and c= lines: where we are heard from most places. Not the relay, which lets nobody in who was not
    /// checked.
    pub(super) fn default(&self, local: SocketAddr) -> SocketAddr {
        self.outside.reflexive.unwrap_or(local)
    }

    /// The lines of an offer. One from another address than before begins anew (RFC 8839 §4.4.1.1.1).
    pub(super) fn offer(&mut self, local: SocketAddr) -> Vec<Attribute> {
        let has_moved = self.local.replace(local).is_some_and(|before| before != local);
        if std::mem::take(&mut self.restarts) || has_moved {
            self.generation += 1;
        }
        if self.offered || self.remote.is_some() { self.lines(local, true) } else { Vec::new() }
    }

    /// The lines that answer theirs.
    pub(super) fn answer(&mut self, local: SocketAddr, theirs: Option<&RemoteIce>) -> Vec<Attribute> {
        self.local.get_or_insert(local);
        theirs.map(|theirs| self.lines(local, theirs.trickles)).unwrap_or_default()
    }

    /// Notes what an offer of theirs says, before it is answered.
    pub(super) fn offered_by(&mut self, theirs: Option<&RemoteIce>) {
        let Some(theirs) = theirs else { return };
        if self.remote.as_ref().is_some_and(|known| *known != theirs.credentials) {
            self.generation += 1;
        }
        self.remote = Some(theirs.credentials.clone());
        // RFC 8445 §6.1.1: whoever offered first, but never who only answers checks.
        self.controlling.get_or_insert(theirs.lite);
    }

    /// Notes what an answer of theirs says.
    pub(super) fn answered_by(&mut self, theirs: Option<&RemoteIce>) {
        if let Some(theirs) = theirs {
            self.remote = Some(theirs.credentials.clone());
            self.controlling.get_or_insert(true);
        }
    }

    /// What is checked. `we_offer`: in this exchange.
    pub(super) fn plan(&self, theirs: Option<&RemoteIce>, we_offer: bool) -> Option<Box<IcePlan>> {
        let theirs = theirs.filter(|_| !we_offer || self.offered || self.remote.is_some())?;
        Some(Box::new(IcePlan {
            local: self.credentials(),
            remote: theirs.credentials.clone(),
            candidates: theirs.candidates.clone(),
            controlling: theirs.lite || self.controlling.unwrap_or(we_offer),
        }))
    }

    fn credentials(&self) -> IceCredentials {
        let hash = Sha256::new().chain_update(self.secret).chain_update(self.generation.to_be_bytes()).finalize();
        let text = BASE64_STANDARD_NO_PAD.encode(hash);
        IceCredentials { ufrag: text[..8].to_owned(), password: text[8..40].to_owned() }
    }

    /// `trickle`: it is said that we take candidates later, and have none to come ourselves (half trickle, RFC 8838 §16).
    fn lines(&self, local: SocketAddr, trickle: bool) -> Vec<Attribute> {
        let IceCredentials { ufrag, password } = self.credentials();
        let (ip, port) = (local.ip(), local.port());
        let mut lines = vec![attribute("ice-ufrag", ufrag), attribute("ice-pwd", password)];
        lines.push(attribute("candidate", format!("1 1 UDP {HOST_PRIORITY} {ip} {port} typ host")));
        let base = self.default(local);
        if let Some(seen) = self.outside.reflexive.filter(|seen| *seen != local) {
            let (seen_ip, seen_port) = (seen.ip(), seen.port());
            lines.push(attribute(
                "candidate",
                format!("2 1 UDP {REFLEXIVE_PRIORITY} {seen_ip} {seen_port} typ srflx raddr {ip} rport {port}"),
            ));
        }
        if let Some(relayed) = self.outside.relayed {
            let (relay_ip, relay_port, ip, port) = (relayed.ip(), relayed.port(), base.ip(), base.port());
            lines.push(attribute(
                "candidate",
                format!("3 1 UDP {RELAYED_PRIORITY} {relay_ip} {relay_port} typ relay raddr {ip} rport {port}"),
            ));
        }
        if trickle {
            lines.push(attribute("ice-options", "trickle"));
            lines.push(Attribute { attribute: "end-of-candidates".to_owned(), value: None });
        }
        lines
    }
}

impl fmt::Debug for LocalIce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalIce").field("outside", &self.outside).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        media::plan::{Codec, Direction, MediaPlan, SrtpPolicy},
        sip::sdp::{LocalCrypto, OfferAnswer},
    };

    const OURS: &str = "192.0.2.1:4000";
    const THEIRS: &str = "192.0.2.9:5000";

    fn side(seed: u64, offers: bool) -> OfferAnswer {
        let mut entropy = Entropy::from_seed(seed);
        let crypto = LocalCrypto::new(SrtpPolicy::Off, None, &mut entropy);
        OfferAnswer::new(&[Codec::Pcmu], 1, crypto).with_ice(LocalIce::new(offers, &mut entropy))
    }

    fn text(body: &[u8]) -> String {
        String::from_utf8(body.to_vec()).unwrap()
    }

    /// An offer from `a` at [`OURS`], answered by `b` at [`THEIRS`].
    fn exchange(a: &mut OfferAnswer, b: &mut OfferAnswer) -> (MediaPlan, MediaPlan) {
        let offer = a.offer(OURS.parse().unwrap(), Direction::SendRecv);
        let (answer, theirs) = b.answer(&offer, THEIRS.parse().unwrap(), Direction::SendRecv).unwrap();
        (a.accept_answer(&answer).unwrap(), theirs)
    }

    #[test]
    fn both_sides_check_the_same_and_the_first_to_offer_chooses() {
        let (mut a, mut b) = (side(1, true), side(2, false));
        let (reflexive, relayed) = ("203.0.113.7:31000".parse().ok(), "198.51.100.2:49160".parse().ok());
        a.set_outside(Outside { reflexive, relayed });
        let (ours, theirs) = exchange(&mut a, &mut b);
        let (ours, theirs) = (ours.ice.unwrap(), theirs.ice.unwrap());
        assert_eq!((&ours.local, &ours.remote), (&theirs.remote, &theirs.local));
        assert!(ours.controlling && !theirs.controlling && ours.local != ours.remote);
        assert_eq!(
            theirs.candidates,
            [
                "candidate:1 1 UDP 2130706431 192.0.2.1 4000 typ host",
                "candidate:2 1 UDP 1694498815 203.0.113.7 31000 typ srflx raddr 192.0.2.1 rport 4000",
                "candidate:3 1 UDP 16777215 198.51.100.2 49160 typ relay raddr 203.0.113.7 rport 31000"
            ]
        );
        // Who does no ICE sends to where we are heard from outside.
        let offer = text(&a.offer(OURS.parse().unwrap(), Direction::SendRecv));
        assert!(offer.contains("c=IN IP4 203.0.113.7\r\n") && offer.contains("m=audio 31000 "), "{offer}");
        // A hold by the other side changes nothing of it, and not who chooses.
        let hold = b.offer(THEIRS.parse().unwrap(), Direction::SendOnly);
        let (answer, held) = a.answer(&hold, OURS.parse().unwrap(), Direction::SendRecv).unwrap();
        assert_eq!((held.ice.unwrap(), b.accept_answer(&answer).unwrap().ice.unwrap()), (ours, theirs));
    }

    #[test]
    fn it_is_done_only_where_both_want_it_and_nobody_stands_between() {
        let lines = |more: &str| {
            format!(
                "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 5000 RTP/AVP 0\r\n{more}"
            )
        };
        let credentials = "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n";
        let host = "a=candidate:1 1 udp 2130706431 192.0.2.9 5000 typ host\r\n";
        for (name, more, expected) in [
            ("all of it", format!("a=rtcp-mux\r\n{credentials}{host}"), true),
            ("RTCP apart", format!("{credentials}{host}"), false),
            (
                "an address put there by another",
                format!("a=rtcp-mux\r\n{credentials}{}", host.replace("5000", "6000")),
                false,
            ),
            ("another transport", format!("a=rtcp-mux\r\n{credentials}{}", host.replace("udp", "tcp")), false),
            ("a short password", format!("a=rtcp-mux\r\n{}{host}", credentials.replace("01234567890", "")), false),
            ("no password", format!("a=rtcp-mux\r\na=ice-ufrag:abcd\r\n{host}"), false),
            (
                "a name for an address",
                format!("a=rtcp-mux\r\n{credentials}{}", host.replace("192.0.2.9", "x.local")),
                false,
            ),
        ] {
            let offer = lines(&more);
            let (answer, plan) =
                side(1, false).answer(offer.as_bytes(), OURS.parse().unwrap(), Direction::SendRecv).unwrap();
            assert_eq!((plan.ice.is_some(), text(&answer).contains("a=ice-pwd:")), (expected, expected), "{name}");
            let mut offering = side(1, true);
            offering.offer(OURS.parse().unwrap(), Direction::SendRecv);
            assert_eq!(offering.accept_answer(offer.as_bytes()).unwrap().ice.is_some(), expected, "{name}");
        }
        let offer = text(&side(1, false).offer(OURS.parse().unwrap(), Direction::SendRecv));
        assert!(!offer.contains("a=ice-") && !offer.contains("a=candidate"), "not asked for: {offer}");
    }

    #[test]
    fn who_trickles_need_not_have_an_address_yet() {
        let offer = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n\
            a=rtcp-mux\r\na=ice-options:ice2 trickle\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n";
        for (offer, checks, direction) in
            [(offer.to_owned(), true, Direction::SendRecv), (offer.replace(" trickle", ""), false, Direction::RecvOnly)]
        {
            let answered = side(1, false).answer(offer.as_bytes(), OURS.parse().unwrap(), Direction::SendRecv);
            let (answer, plan) = answered.unwrap();
            assert_eq!((plan.ice.is_some(), plan.direction), (checks, direction));
            assert_eq!(text(&answer).contains("a=ice-options:trickle\r\na=end-of-candidates\r\n"), checks);
        }
    }

    #[test]
    fn another_address_of_ours_is_a_restart() {
        let (mut a, mut b) = (side(1, true), side(2, false));
        let (ours, theirs) = exchange(&mut a, &mut b);
        let (ours, theirs) = (ours.ice.unwrap(), theirs.ice.unwrap());
        // Whoever has moved, and whoever offered first.
        let mut move_to = |local: &str| {
            let offer = b.offer(local.parse().unwrap(), Direction::SendRecv);
            let (answer, ours) = a.answer(&offer, OURS.parse().unwrap(), Direction::SendRecv).unwrap();
            (ours.ice.unwrap(), b.accept_answer(&answer).unwrap().ice.unwrap())
        };
        assert_eq!(move_to(THEIRS), (ours.clone(), theirs.clone()), "it has not moved");
        let (ours_then, theirs_then) = move_to("198.51.100.9:5002");
        assert!(theirs_then.local != theirs.local && theirs_then.remote != theirs.remote);
        assert_eq!((&ours_then.local, &ours_then.remote), (&theirs_then.remote, &theirs_then.local));
        assert_eq!(ours_then.controlling, ours.controlling);
        assert!(ours_then.candidates.iter().all(|candidate| candidate.contains("198.51.100.9 5002")));
        assert_eq!(move_to("198.51.100.9:5002"), (ours_then.clone(), theirs_then.clone()), "once");
        // So is another relay's address at the same port.
        let relayed = "198.51.100.2:49161".parse().ok();
        b.set_outside(Outside { reflexive: None, relayed });
        b.restart_ice();
        let offer = b.offer("198.51.100.9:5002".parse().unwrap(), Direction::SendRecv);
        let (answer, ours) = a.answer(&offer, OURS.parse().unwrap(), Direction::SendRecv).unwrap();
        let (ours, theirs) = (ours.ice.unwrap(), b.accept_answer(&answer).unwrap().ice.unwrap());
        assert!(theirs.local != theirs_then.local && theirs.remote != theirs_then.remote);
        assert!(ours.candidates.iter().any(|candidate| candidate.contains("198.51.100.2 49161 typ relay")));
        assert_eq!(ours.controlling, ours_then.controlling);
    }

    #[test]
    fn a_restart_gets_new_credentials_and_one_that_only_answers_is_chosen_for() {
        let (mut a, mut b) = (side(1, true), side(2, false));
        let (_, before) = exchange(&mut a, &mut b);
        let (_, after) = exchange(&mut side(3, true), &mut b);
        let (before, after) = (before.ice.unwrap(), after.ice.unwrap());
        assert!(before.local != after.local && before.remote != after.remote);
        let mut offer = text(&side(4, true).offer(OURS.parse().unwrap(), Direction::SendRecv));
        offer = offer.replace("t=0 0\r\n", "t=0 0\r\na=ice-lite\r\n");
        let (_, plan) = side(5, false).answer(offer.as_bytes(), THEIRS.parse().unwrap(), Direction::SendRecv).unwrap();
        assert!(plan.ice.unwrap().controlling);
    }
}
