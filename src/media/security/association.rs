//! One handshake (RFC 6347, RFC 5764): datagrams and time in, datagrams and keys out.

use super::DtlsIdentity;
use crate::media::plan::{CryptoSuite, DtlsPlan, MasterKey, SrtpKeys};
use rtc_dtls::{
    config::{ClientAuthType, ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig, VerifyPeerCertificateFn},
    endpoint::{Endpoint, EndpointEvent},
    extension::extension_use_srtp::SrtpProtectionProfile,
    state::State,
};
use rtc_shared::{TransportProtocol, error::Error};
use std::{
    collections::VecDeque,
    net::{Ipv4Addr, SocketAddr},
    ops::RangeInclusive,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// A flight that is not answered goes out again after this, as RFC 9147 §5.8.2 recommends for DTLS-SRTP, and after twice as long
/// each time up to [`AT_MOST`]: until then nobody hears anything.
const AGAIN_AFTER: Duration = Duration::from_millis(400);
const AT_MOST: Duration = Duration::from_secs(1);
/// Times that a flight goes out again, for eleven seconds: a network that loses a fifth of all lets one of them through.
const MOST_REPEATS: u8 = 11;
/// Datagrams looked at before the handshake is done: it takes ten, and as many again for each that is lost.
const MOST_DATAGRAMS: u16 = 200;
/// The endpoint's own timer is not used.
const NEVER: Duration = Duration::from_secs(24 * 3600);
/// RFC 6347 §4.1: type, version, epoch, sequence number and length before each record; the types there are, and DTLS' major
/// version.
const RECORD_HEADER: usize = 13;
const CONTENT_TYPES: RangeInclusive<u8> = 20..=25;
const DTLS: u8 = 254;
/// Content type of a record of the handshake.
const HANDSHAKE: u8 = 22;
/// RFC 5764 §4.2.
const LABEL: &str = "EXTRACTOR-dtls_srtp";
/// Best first; what peers without AEAD know is last.
const PROFILES: [SrtpProtectionProfile; 3] = [
    SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm,
    SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
    SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
];

/// See the module of the same name.
pub struct Association {
    endpoint: Endpoint,
    plan: DtlsPlan,
    /// The peer has shown the certificate whose fingerprint was told, or another.
    shown: Arc<Shown>,
    progress: Progress,
    datagrams: u16,
    /// What we have sent last; the endpoint's own timer forgets it whenever it hears something, be it the same again.
    flight: Vec<Vec<u8>>,
    /// When it goes out again, unless something new comes of what is heard; and how often it has.
    again_at: Option<Instant>,
    repeats: u8,
    outbox: VecDeque<Vec<u8>>,
}

#[derive(Default)]
struct Shown {
    right: AtomicBool,
    wrong: AtomicBool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Running,
    Done,
    Failed(HandshakeError),
}

/// Why there are no keys; each reads as the end of a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    #[error("its certificate is another than the one that was announced, so somebody may be listening")]
    WrongCertificate,
    #[error("it knows no way of encrypting that we know")]
    NoCommonProfile,
    #[error("the two sides do not understand each other")]
    Failed,
}

impl Association {
    /// # Errors
    /// Our own side cannot begin.
    pub fn new(now: Instant, identity: &DtlsIdentity, plan: DtlsPlan) -> Result<Self, HandshakeError> {
        let shown = Arc::new(Shown::default());
        let config = Arc::new(config(identity, &plan, &shown).map_err(|_| HandshakeError::Failed)?);
        let server = (!plan.active).then(|| config.clone());
        let mut endpoint = Endpoint::new(somewhere(), TransportProtocol::UDP, server);
        if plan.active {
            endpoint.connect(now, somewhere(), config, None).map_err(|_| HandshakeError::Failed)?;
        }
        let mut association = Self {
            endpoint,
            plan,
            shown,
            progress: Progress::Running,
            datagrams: 0,
            flight: Vec::new(),
            again_at: None,
            repeats: 0,
            outbox: VecDeque::new(),
        };
        association.collect(now);
        Ok(association)
    }

    pub const fn plan(&self) -> &DtlsPlan {
        &self.plan
    }

    /// A datagram of the peer's. Returns the keys when it was the one that was missing.
    ///
    /// # Errors
    /// This handshake leads nowhere; another may.
    pub fn handle_datagram(&mut self, now: Instant, datagram: &[u8]) -> Result<Option<SrtpKeys>, HandshakeError> {
        if !is_whole(datagram) {
            return Ok(None);
        }
        match self.progress {
            Progress::Failed(error) => return Err(error),
            Progress::Running if self.datagrams == MOST_DATAGRAMS => return self.fail(HandshakeError::Failed),
            Progress::Running => self.datagrams += 1,
            Progress::Done => {}
        }
        let events = self.endpoint.read(now, somewhere(), None, datagram.into());
        let is_new = self.collect(now);
        if self.progress == Progress::Done {
            self.again_at = None;
            // RFC 6347 §4.2.4: it asks for our last flight by sending its own again. That it closes the association means nothing:
            // it hangs up, too.
            if !is_new && !self.plan.active && datagram.first() == Some(&HANDSHAKE) && self.repeats < MOST_REPEATS {
                self.repeat();
            }
            return Ok(None);
        }
        if self.shown.wrong.load(Ordering::Relaxed) {
            return self.fail(HandshakeError::WrongCertificate);
        }
        let is_complete =
            |events: &Vec<EndpointEvent>| events.iter().any(|e| matches!(e, EndpointEvent::HandshakeComplete));
        match events {
            Ok(events) if is_complete(&events) => match self.keys() {
                Ok(keys) => {
                    (self.progress, self.again_at) = (Progress::Done, None);
                    Ok(Some(keys))
                }
                Err(error) => self.fail(error),
            },
            Ok(_) => Ok(None),
            // An alert, or something that fits no handshake. Whoever sees the packets can send either, so what comes of it is
            // for who knows where it came from.
            Err(_) => self.fail(HandshakeError::Failed),
        }
    }

    /// # Errors
    /// Nothing was heard for too long; another try may help.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), HandshakeError> {
        if self.again_at.is_none_or(|at| at > now) {
            return Ok(());
        }
        if self.repeats == MOST_REPEATS {
            return self.fail(HandshakeError::Failed);
        }
        self.repeat();
        self.again_at = Some(now + AGAIN_AFTER.saturating_mul(1 << self.repeats).min(AT_MOST));
        Ok(())
    }

    pub const fn poll_timeout(&self) -> Option<Instant> {
        self.again_at
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.outbox.pop_front()
    }

    /// Takes over what the endpoint sends; whether that was anything.
    fn collect(&mut self, now: Instant) -> bool {
        let new: Vec<Vec<u8>> =
            std::iter::from_fn(|| self.endpoint.poll_transmit()).map(|transmit| transmit.message.to_vec()).collect();
        let is_new = !new.is_empty();
        if is_new {
            self.outbox.extend(new.iter().cloned());
            (self.flight, self.repeats, self.again_at) = (new, 0, Some(now + AGAIN_AFTER));
        }
        is_new
    }

    /// The same datagrams: who has them takes them for doubled, who has not takes them for late.
    fn repeat(&mut self) {
        self.repeats += 1;
        self.outbox.clear();
        self.outbox.extend(self.flight.iter().cloned());
    }

    pub fn is_done(&self) -> bool {
        self.progress == Progress::Done
    }

    fn fail<T>(&mut self, error: HandshakeError) -> Result<T, HandshakeError> {
        (self.progress, self.again_at) = (Progress::Failed(error), None);
        Err(error)
    }

    fn keys(&self) -> Result<SrtpKeys, HandshakeError> {
        if !self.shown.right.load(Ordering::Relaxed) {
            return Err(HandshakeError::WrongCertificate);
        }
        let state = self.endpoint.get_connection_state(somewhere()).ok_or(HandshakeError::Failed)?;
        let suite = suite(state.srtp_protection_profile()).ok_or(HandshakeError::NoCommonProfile)?;
        export(state, suite, self.plan.active).ok_or(HandshakeError::Failed)
    }
}

/// Whether it is made of records; anything else is passed over (RFC 6347 §4.1.2.7), since anybody can send it.
fn is_whole(mut datagram: &[u8]) -> bool {
    while let Some((&[kind, major, .., high, low], rest)) = datagram.split_first_chunk::<RECORD_HEADER>() {
        let length = usize::from(u16::from_be_bytes([high, low]));
        if !CONTENT_TYPES.contains(&kind) || major != DTLS || length == 0 || length > rest.len() {
            return false;
        }
        datagram = &rest[length..];
        if datagram.is_empty() {
            return true;
        }
    }
    false
}

/// The endpoint tells its peers apart by their addresses; ours has one, wherever it is.
fn somewhere() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 1))
}

fn config(identity: &DtlsIdentity, plan: &DtlsPlan, shown: &Arc<Shown>) -> Result<HandshakeConfig, Error> {
    let (expected, shown) = (plan.fingerprint.clone(), shown.clone());
    let verify: VerifyPeerCertificateFn = Arc::new(move |certificates, _| {
        let is_right = certificates.first().is_some_and(|der| expected.is_of(der));
        let flag = if is_right { &shown.right } else { &shown.wrong };
        flag.store(true, Ordering::Relaxed);
        is_right.then_some(()).ok_or(Error::ErrInvalidCertificate)
    });
    ConfigBuilder::default()
        .with_crypto_provider(identity.provider.clone())
        .with_certificates(vec![identity.certificate.clone()])
        .with_srtp_protection_profiles(PROFILES.to_vec())
        .with_extended_master_secret(ExtendedMasterSecretType::Request)
        .with_client_auth(ClientAuthType::RequireAnyClientCert)
        // Nobody signs these certificates: the fingerprint says whose it is.
        .with_insecure_skip_verify(true)
        .with_verify_peer_certificate(Some(verify))
        .with_flight_interval(NEVER)
        .build(plan.active, Some(somewhere()))
}

const fn suite(profile: SrtpProtectionProfile) -> Option<CryptoSuite> {
    match profile {
        SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm => Some(CryptoSuite::AeadAes256Gcm),
        SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm => Some(CryptoSuite::AeadAes128Gcm),
        SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80 => Some(CryptoSuite::AesCm128HmacSha1_80),
        _ => None,
    }
}

/// RFC 5764 §4.2: the client's key, the server's, the client's salt, the server's.
fn export(state: &State, suite: CryptoSuite, we_are_client: bool) -> Option<SrtpKeys> {
    let (key, salt) = (suite.key_length(), suite.salt_length());
    let material = state.export_keying_material(LABEL, &[], 2 * (key + salt)).ok()?;
    let (keys, salts) = material.as_ref().split_at(2 * key);
    let half = |n: usize| MasterKey::new(suite, [&keys[n * key..][..key], &salts[n * salt..][..salt]].concat());
    let (client, server) = (half(0)?, half(1)?);
    let (send, receive) = if we_are_client { (client, server) } else { (server, client) };
    Some(SrtpKeys { send, receive })
}

#[cfg(test)]
mod tests;
