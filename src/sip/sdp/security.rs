//! What is offered and taken of encryption: keys in the description (RFC 4568), or a handshake (RFC 5763).

use super::{
    SdpError,
    crypto::{self, Crypto},
    fingerprint::{self, RemoteDtls},
};
use crate::{
    media::plan::{CryptoSuite, DtlsPlan, Fingerprint, KeyExchange, MasterKey, SrtpKeys, SrtpPolicy},
    sip::entropy::Entropy,
};
use sdp_types::{Attribute, Media, Session};
use std::fmt;

/// What we offer: the best, and what everybody has. Each line makes the request longer; all suites are answered.
const OFFERED: [CryptoSuite; 2] = [CryptoSuite::AeadAes256Gcm, CryptoSuite::AesCm128HmacSha1_80];
/// Where a request is to fit into a datagram (RFC 3261 §18.1.1), and the keys go in the open anyway.
const OFFERED_BRIEFLY: [CryptoSuite; 1] = [CryptoSuite::AesCm128HmacSha1_80];

/// What an m= line demands (RFC 3551, RFC 3711, RFC 5764 §8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Profile {
    /// RTP/AVP: encrypted as far as both want it (RFC 8643).
    Plain,
    /// RTP/SAVP.
    Secure,
    /// UDP/TLS/RTP/SAVP.
    Handshake,
}

impl Profile {
    /// `None`: no audio that we know. The feedback profile (RFC 4585) asks nothing of a peer that uses none of its messages.
    pub(super) fn read(proto: &str) -> Option<Self> {
        Some(match proto.to_ascii_uppercase().as_str() {
            "RTP/AVP" | "RTP/AVPF" => Self::Plain,
            "RTP/SAVP" | "RTP/SAVPF" => Self::Secure,
            "UDP/TLS/RTP/SAVP" | "UDP/TLS/RTP/SAVPF" => Self::Handshake,
            _ => return None,
        })
    }
}

/// What the peer's description says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RemoteSecurity {
    profile: Profile,
    /// Keys that we can use; `None` where none is given.
    crypto: Option<Vec<Crypto>>,
    dtls: Option<RemoteDtls>,
}

impl RemoteSecurity {
    pub(super) fn read(profile: Profile, session: &Session, media: &Media) -> Self {
        // With a handshake, keys in the description mean nothing (RFC 5764 §8).
        let crypto = if profile == Profile::Handshake { None } else { crypto::read(media) };
        Self { profile, crypto, dtls: fingerprint::read(session, media) }
    }
}

/// Our side: what is allowed, a key of our own for each suite, and our certificate. They last for the session, so that an
/// exchange that changes something else does not disturb the stream.
#[derive(Clone)]
pub struct LocalCrypto {
    policy: SrtpPolicy,
    keys: Vec<MasterKey>,
    offered: &'static [CryptoSuite],
    fingerprint: Option<Fingerprint>,
    in_use: Option<InUse>,
}

/// What was agreed on last.
#[derive(Clone, PartialEq)]
enum InUse {
    Sdes(CryptoSuite),
    Dtls(DtlsPlan),
}

impl LocalCrypto {
    /// `fingerprint`: of the certificate that the media engine has; without it no handshake is offered or taken.
    pub fn new(policy: SrtpPolicy, fingerprint: Option<Fingerprint>, entropy: &mut Entropy) -> Self {
        let random = |suite: CryptoSuite| {
            let length = suite.key_length() + suite.salt_length();
            let material: Vec<u8> = std::iter::repeat_with(|| entropy.u64().to_be_bytes()).take(8).flatten().collect();
            MasterKey::new(suite, material[..length].to_vec()).expect("the length is the suite's")
        };
        let keys = if policy == SrtpPolicy::Off { Vec::new() } else { CryptoSuite::ALL.map(random).to_vec() };
        let fingerprint = fingerprint.filter(|_| policy != SrtpPolicy::Off);
        Self { policy, keys, offered: &OFFERED, fingerprint, in_use: None }
    }

    /// Its offers are short.
    pub fn brief(self) -> Self {
        Self { offered: &OFFERED_BRIEFLY, ..self }
    }

    /// The transport of a line that we begin.
    pub(super) const fn protocol(&self) -> &'static str {
        match self.policy {
            SrtpPolicy::Off | SrtpPolicy::Optional => "RTP/AVP",
            SrtpPolicy::Sdes => "RTP/SAVP",
            SrtpPolicy::Dtls => "UDP/TLS/RTP/SAVP",
        }
    }

    /// The lines of an offer with this transport.
    pub(super) fn offer(&self, protocol: &str) -> Vec<Attribute> {
        let profile = Profile::read(protocol).unwrap_or(Profile::Plain);
        let mut lines: Vec<_> = self.offered_keys(profile).iter().map(Crypto::write).collect();
        if let Some(ours) = self.offered_certificate(profile) {
            lines.extend(fingerprint::offer(ours));
        }
        lines
    }

    /// What an answer to our offer agrees to.
    pub(super) fn settle(&self, theirs: &RemoteSecurity) -> Result<Option<KeyExchange>, SdpError> {
        if self.policy == SrtpPolicy::Off {
            return self.without(theirs).map(|()| None);
        }
        // RFC 4568 §5.1.2: one line, with the tag and suite of one of ours.
        let offered = self.offered_keys(theirs.profile);
        let ours = |line: &Crypto| {
            let same = |o: &&Crypto| (o.tag, o.key.suite()) == (line.tag, line.key.suite());
            offered.iter().find(same).map(|ours| SrtpKeys { send: ours.key.clone(), receive: line.key.clone() })
        };
        let sdes = || theirs.crypto.iter().flatten().find_map(ours).map(KeyExchange::Sdes);
        let dtls = || {
            let offered = self.offered_certificate(theirs.profile);
            offered.and(theirs.dtls.as_ref()).map(|dtls| KeyExchange::Dtls(dtls.agreed()))
        };
        let settled = if self.prefers_handshake() { dtls().or_else(sdes) } else { sdes().or_else(dtls) };
        match settled {
            Some(keys) => Ok(Some(keys)),
            None if theirs.crypto.is_some() => Err(SdpError::NoCommonCrypto),
            None => self.without(theirs).map(|()| None),
        }
    }

    /// The lines that answer an offer, and what they agree to. Of keys it is the offer's first line that we know (RFC 4568
    /// §5.1.2). Where the offer has both, keys are taken, since with them the first word is heard, unless a handshake is wanted
    /// here or has taken place. `hidden`: whoever offers is not reached where it says to be.
    pub(super) fn choose(
        &self,
        theirs: &RemoteSecurity,
        hidden: bool,
    ) -> Result<Option<(Vec<Attribute>, KeyExchange)>, SdpError> {
        if self.policy == SrtpPolicy::Off {
            return self.without(theirs).map(|()| None);
        }
        let sdes = || {
            theirs.crypto.iter().flatten().find_map(|line| {
                let send = self.key(line.key.suite())?.clone();
                let ours = Crypto { tag: line.tag, key: send.clone() };
                Some((vec![ours.write()], KeyExchange::Sdes(SrtpKeys { send, receive: line.key.clone() })))
            })
        };
        let dtls = || {
            let (ours, theirs) = (self.fingerprint.as_ref()?, theirs.dtls.as_ref()?);
            let plan = theirs.answered(self.handshake(), hidden);
            Some((fingerprint::answer(ours, &plan).to_vec(), KeyExchange::Dtls(plan)))
        };
        match if self.prefers_handshake() { dtls().or_else(sdes) } else { sdes().or_else(dtls) } {
            Some(chosen) => Ok(Some(chosen)),
            None if theirs.profile != Profile::Plain => Err(SdpError::NoCommonCrypto),
            None => self.without(theirs).map(|()| None),
        }
    }

    /// What holds from now on.
    pub(super) fn agreed(&mut self, keys: Option<&KeyExchange>) {
        self.in_use = keys.map(|keys| match keys {
            KeyExchange::Sdes(keys) => InUse::Sdes(keys.send.suite()),
            KeyExchange::Dtls(plan) => InUse::Dtls(plan.clone()),
        });
    }

    /// The suite in use comes first, so that a peer that takes the first changes no key.
    fn offered_keys(&self, profile: Profile) -> Vec<Crypto> {
        let used = match self.in_use {
            Some(InUse::Sdes(suite)) => Some(suite),
            Some(InUse::Dtls(_)) | None => None,
        };
        let wanted = match profile {
            Profile::Plain => used.is_some() || matches!(self.policy, SrtpPolicy::Optional | SrtpPolicy::Sdes),
            Profile::Secure => self.handshake().is_none(),
            Profile::Handshake => false,
        };
        let suites = used.into_iter().chain(self.offered.iter().copied().filter(|suite| Some(*suite) != used));
        let keys = suites.filter(|_| wanted).filter_map(|suite| self.key(suite));
        keys.zip(1..).map(|(key, tag)| Crypto { tag, key: key.clone() }).collect()
    }

    fn offered_certificate(&self, profile: Profile) -> Option<&Fingerprint> {
        let used = self.handshake().is_some();
        let wanted = match profile {
            Profile::Plain => used || matches!(self.policy, SrtpPolicy::Optional | SrtpPolicy::Dtls),
            Profile::Secure => used,
            Profile::Handshake => true,
        };
        self.fingerprint.as_ref().filter(|_| wanted)
    }

    fn prefers_handshake(&self) -> bool {
        match self.in_use {
            Some(InUse::Dtls(_)) => true,
            Some(InUse::Sdes(_)) => false,
            None => self.policy == SrtpPolicy::Dtls,
        }
    }

    const fn handshake(&self) -> Option<&DtlsPlan> {
        match &self.in_use {
            Some(InUse::Dtls(plan)) => Some(plan),
            Some(InUse::Sdes(_)) | None => None,
        }
    }

    /// Whether audio may go unencrypted.
    fn without(&self, theirs: &RemoteSecurity) -> Result<(), SdpError> {
        match (self.policy, theirs.profile) {
            (SrtpPolicy::Off, Profile::Plain) | (SrtpPolicy::Optional, Profile::Plain) => Ok(()),
            (SrtpPolicy::Off, _) => Err(SdpError::EncryptedOnly),
            (SrtpPolicy::Optional, _) => Err(SdpError::NoCommonCrypto),
            (SrtpPolicy::Sdes | SrtpPolicy::Dtls, _) => Err(SdpError::PlainOnly),
        }
    }

    fn key(&self, suite: CryptoSuite) -> Option<&MasterKey> {
        self.keys.iter().find(|key| key.suite() == suite)
    }
}

impl fmt::Debug for LocalCrypto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalCrypto").field("policy", &self.policy).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_suite_has_a_key_of_its_own_and_none_is_shown() {
        let local = LocalCrypto::new(SrtpPolicy::Optional, None, &mut Entropy::from_seed(4568));
        assert_ne!(local.keys[0].material()[..16], local.keys[1].material()[..16]);
        assert_eq!(format!("{local:?}"), "LocalCrypto { policy: Optional, .. }");
    }
}
