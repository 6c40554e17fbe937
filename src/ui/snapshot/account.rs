//! A plain SIP account on any phone system, as typed.

use crate::secret::Secret;
use serde::{Deserialize, Serialize};

/// What is typed; what is secret is never written down with it. Empty fields mean "as usual".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SipAccount {
    /// `101@pbx.example`, with or without `sip:`.
    pub address: String,
    /// For signing in, where it differs from the address's.
    pub username: String,
    pub outbound_proxy: String,
    pub transport: SipTransport,
    /// Certificate authority (PEM) to trust besides the system's.
    pub ca_file: String,
    /// `192.0.2.53` or `192.0.2.53:53`.
    pub dns_server: String,
    /// `stun.example` or `stun.example:3478`; says how calls' audio is seen from outside.
    pub stun_server: String,
    /// `turn:relay.example`, a relay for calls that find no other way; and how one is let in.
    pub turn_server: String,
    pub turn_username: String,
    /// Empty: the remembered one.
    #[serde(skip)]
    pub turn_password: Secret,
    /// `quality@pbx.example`; learns how each call sounded.
    pub quality_collector: String,
    pub encryption: AudioEncryption,
    /// Else calls are made and taken without a registrar.
    pub register: bool,
}

impl Default for SipAccount {
    fn default() -> Self {
        Self {
            address: String::new(),
            username: String::new(),
            outbound_proxy: String::new(),
            transport: SipTransport::default(),
            ca_file: String::new(),
            dns_server: String::new(),
            stun_server: String::new(),
            turn_server: String::new(),
            turn_username: String::new(),
            turn_password: Secret::default(),
            quality_collector: String::new(),
            encryption: AudioEncryption::default(),
            register: true,
        }
    }
}

/// How SIP is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SipTransport {
    /// What address or proxy say, else UDP or what the server's DNS says is best.
    #[default]
    Automatic,
    Udp,
    Tcp,
    Tls,
}

impl SipTransport {
    pub const ALL: [Self; 4] = [Self::Automatic, Self::Udp, Self::Tcp, Self::Tls];
}

/// Whether calls are encrypted (SRTP).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AudioEncryption {
    /// Wherever the other side takes it.
    #[default]
    Optional,
    /// Calls without it do not come about; its keys are told in the signalling (SDES).
    Required,
    /// The same, with keys that the two sides agree on between them (DTLS).
    Handshake,
    Off,
}

impl AudioEncryption {
    pub const ALL: [Self; 4] = [Self::Optional, Self::Required, Self::Handshake, Self::Off];
}
