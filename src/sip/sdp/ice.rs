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
const MOST_CANDIDATES: usize = 32;
const MOST_OCTETS: usize = 256;
/// RFC 8445 §5.1.2.1, the recommended preferences, of component 1.
const HOST_PRIORITY: u32 = 126 << 24 | 0xffff << 8 | 255;
const REFLEXIVE_PRIORITY: u32 = 100 << 24 | 0xffff << 8 | 255;

/// What the peer's description says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RemoteIce {
    credentials: IceCredentials,
    candidates: Vec<String>,
    /// It only answers checks (RFC 8445 §2.5).
    lite: bool,
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
    let is_known = candidates.iter().any(|(address, _)| *address == default);
    is_known.then(|| RemoteIce {
        credentials,
        candidates: candidates.into_iter().map(|(_, line)| format!("candidate:{line}")).collect(),
        lite: session.attributes.iter().any(|a| a.attribute == "ice-lite"),
    })
}

/// Of a candidate by UDP of the first component: `foundation component transport priority address port typ …`.
fn address(line: &str) -> Option<SocketAddr> {
    let parts: Vec<&str> = line.split_ascii_whitespace().collect();
    let &[_, "1", transport, _, ip, port, "typ", _, ..] = &parts[..] else { return None };
    let ip: IpAddr = ip.parse().ok()?;
    let port = port.parse().ok().filter(|port| *port != 0)?;
    transport.eq_ignore_ascii_case("udp").then(|| SocketAddr::new(ip, port))
}

/// Our side, for one session.
#[derive(Clone)]
pub struct LocalIce {
    /// What our credentials are made of.
    secret: [u8; 32],
    /// Counts restarts by the peer (RFC 8445 §9), each of which asks for new credentials.
    generation: u32,
    /// Offered too, not only answered.
    offered: bool,
    /// How a STUN server sees our RTP port, where that is another address.
    reflexive: Option<SocketAddr>,
    /// The peer's, once known.
    remote: Option<IceCredentials>,
    /// Who chooses, once decided.
    controlling: Option<bool>,
}

impl LocalIce {
    pub fn new(offered: bool, entropy: &mut Entropy) -> Self {
        let mut secret = [0; 32];
        secret.chunks_mut(8).for_each(|chunk| chunk.copy_from_slice(&entropy.u64().to_be_bytes()));
        Self { secret, generation: 0, offered, reflexive: None, remote: None, controlling: None }
    }

    /// How a STUN server sees our RTP port.
    pub const fn set_reflexive(&mut self, address: SocketAddr) {
        self.reflexive = Some(address);
    }

    /// What stands in the m= and c= lines: where we are heard from most places.
    pub(super) fn default(&self, local: SocketAddr) -> SocketAddr {
        self.reflexive.unwrap_or(local)
    }

    pub(super) fn offer(&self, local: SocketAddr) -> Vec<Attribute> {
        if self.offered || self.remote.is_some() { self.lines(local) } else { Vec::new() }
    }

    /// The lines that answer theirs.
    pub(super) fn answer(&self, local: SocketAddr, theirs: Option<&RemoteIce>) -> Vec<Attribute> {
        theirs.map(|_| self.lines(local)).unwrap_or_default()
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

    fn lines(&self, local: SocketAddr) -> Vec<Attribute> {
        let IceCredentials { ufrag, password } = self.credentials();
        let (ip, port) = (local.ip(), local.port());
        let mut lines = vec![attribute("ice-ufrag", ufrag), attribute("ice-pwd", password)];
        lines.push(attribute("candidate", format!("1 1 UDP {HOST_PRIORITY} {ip} {port} typ host")));
        if let Some(seen) = self.reflexive.filter(|seen| *seen != local) {
            let (seen_ip, seen_port) = (seen.ip(), seen.port());
            lines.push(attribute(
                "candidate",
                format!("2 1 UDP {REFLEXIVE_PRIORITY} {seen_ip} {seen_port} typ srflx raddr {ip} rport {port}"),
            ));
        }
        lines
    }
}

impl fmt::Debug for LocalIce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalIce").field("reflexive", &self.reflexive).finish_non_exhaustive()
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
        a.set_reflexive("203.0.113.7:31000".parse().unwrap());
        let (ours, theirs) = exchange(&mut a, &mut b);
        let (ours, theirs) = (ours.ice.unwrap(), theirs.ice.unwrap());
        assert_eq!((&ours.local, &ours.remote), (&theirs.remote, &theirs.local));
        assert!(ours.controlling && !theirs.controlling && ours.local != ours.remote);
        assert_eq!(
            theirs.candidates,
            [
                "candidate:1 1 UDP 2130706431 192.0.2.1 4000 typ host",
                "candidate:2 1 UDP 1694498815 203.0.113.7 31000 typ srflx raddr 192.0.2.1 rport 4000"
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
