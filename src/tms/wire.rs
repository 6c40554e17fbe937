//! JSON of the TMS's REST API (contract/tms-rest), shared by client and server. Unknown fields are ignored.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use utoipa::ToSchema;

/// `POST /v1/sessions`, with the header `X-API-Key`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct SignIn {
    pub username: String,
    pub password: String,
    /// `+sip.instance` of the installation: `urn:uuid:…`.
    pub instance_id: String,
}

/// `POST /v1/link`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct LinkExchange {
    /// Of the `agent-manager://` link.
    pub code: String,
    pub instance_id: String,
}

#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// Left out in the answer to a repeat.
    #[schema(required = false)]
    pub token: String,
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    #[serde(flatten)]
    pub me: Me,
}

/// `GET /v1/me`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Me {
    pub user: User,
    pub account: Account,
    pub extensions: Vec<Extension>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct User {
    pub name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Account {
    pub name: String,
    pub tenant: String,
    pub realm: String,
    pub edition: Edition,
    /// Can always be dialled. Empty where the server names none.
    #[serde(default)]
    #[schema(required = false)]
    pub emergency_numbers: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Edition {
    Express,
    Enterprise,
    Integrator,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Extension {
    pub number: String,
    pub name: String,
}

/// One row of `GET /v1/me/registrations`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Registration {
    /// SIP user name: `100-acme`, `100-acme-laptop`.
    pub name: String,
    pub extension: String,
    pub kind: Kind,
    pub label: String,
    pub ring_inbound: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_use: Option<InUse>,
}

/// Primary or secondary (additional) registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub enum Kind {
    P,
    S,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InUse {
    /// User-Agent of the holder.
    pub device: String,
    /// `ip:port` it registered from.
    pub address: String,
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// Held by the instance that asks.
    pub this_device: bool,
}

/// `POST /v1/me/registrations/{name}/sip-credential`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CredentialRequest {
    pub instance_id: String,
    #[serde(default)]
    pub takeover: bool,
}

#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct SipCredential {
    /// SIP user to register.
    pub aor: String,
    /// Digest user of this session only: `100-acme-laptop~k3f9`.
    pub username: String,
    /// Left out in the answer to a repeat.
    #[schema(required = false)]
    pub password: String,
    /// The only one that its password is good for; empty where it is not known.
    pub realm: String,
    /// SIP URI of the registrar and outbound proxy.
    pub outbound_proxy: String,
    /// The same over TLS, under the name that its certificate is for; where TLS is served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outbound_proxy_tls: Option<String>,
    /// What the server serves, best first: `tls`, `tcp`, `udp`.
    pub transports: Vec<String>,
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// For the audio of its calls, where the softphone's user says nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "if_known")]
    pub media: Option<Box<MediaSettings>>,
}

/// Whatever is left out is the softphone's to decide; so is what it does not know, but for encryption.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct MediaSettings {
    #[serde(flatten)]
    pub policy: MediaPolicy,
    /// `HOST:PORT` of a STUN server.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "if_known")]
    pub stun: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "if_known")]
    pub turn: Option<TurnServer>,
    /// SIP URI of the collector that each call's quality is reported to (RFC 6035).
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "if_known")]
    pub quality_report: Option<String>,
}

/// What an account says of its agents' calls; told with each SIP credential, and by the event `media` when it changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MediaPolicy {
    #[serde(default, deserialize_with = "at_least_encrypted")]
    #[schema(required = true)]
    pub srtp: Srtp,
    #[serde(default, deserialize_with = "or_default")]
    #[schema(required = true)]
    pub recording: Recording,
    /// Both sides hear a tone while a call is recorded, whatever the softphone is set to.
    #[serde(default, deserialize_with = "or_default")]
    #[schema(required = true)]
    pub recording_tone: bool,
}

/// Encryption of audio: none; where the other side takes it; always, with keys from the session description (RFC 4568) or by a
/// handshake (RFC 5763).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Srtp {
    Off,
    #[default]
    Optional,
    Sdes,
    Dtls,
}

/// Whether calls are recorded: as the agent likes, never, or every one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Recording {
    #[default]
    Allowed,
    Forbidden,
    Required,
}

/// The word of the API.
impl fmt::Display for Srtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// The word of the API.
impl fmt::Display for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// A relay, with a password for a while; the credential is asked for again before that ends.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct TurnServer {
    /// `turn:relay.example`, `turns:relay.example:443` (RFC 7065).
    pub uri: String,
    /// `1800000000:100-acme-laptop`: when it ends, and for whom it is.
    pub username: String,
    /// Left out in the answer to a repeat.
    #[schema(required = false)]
    pub password: String,
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

/// What a later version of the other side says in other words counts as left out.
fn if_known<'de, T: serde::de::DeserializeOwned, D: serde::Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    let said = serde_json::Value::deserialize(from)?;
    let known = T::deserialize(&said).ok();
    if known.is_none() && !said.is_null() {
        // Its value may be a secret.
        tracing::warn!("the TMS says something of calls in words of a later version; update Agent Manager");
    }
    Ok(known)
}

/// A word for encryption that is not known yet was chosen over those that are: such calls are encrypted, or not made.
fn at_least_encrypted<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Srtp, D::Error> {
    let Some(said) = Option::<serde_json::Value>::deserialize(from)? else { return Ok(Srtp::default()) };
    Ok(Srtp::deserialize(&said).unwrap_or_else(|_| {
        tracing::warn!("the TMS wants calls encrypted by {said}, which is not known here: sdes is used");
        Srtp::Sdes
    }))
}

fn or_default<'de, T, D>(from: D) -> Result<T, D::Error>
where
    T: serde::de::DeserializeOwned + Default,
    D: serde::Deserializer<'de>,
{
    Ok(if_known(from)?.unwrap_or_default())
}

/// RFC 9457 problem details; `detail` is shown to people as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    pub status: u16,
    pub detail: String,
    /// Seconds until another try makes sense, with "too many attempts".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

/// `type` of each refusal at sign-in and of the conflict.
pub mod problem {
    pub const WRONG_CREDENTIALS: &str = "urn:tms:problem:wrong-credentials";
    pub const LOGIN_NOT_ACTIVATED: &str = "urn:tms:problem:login-not-activated";
    pub const LOGIN_DISABLED: &str = "urn:tms:problem:login-disabled";
    pub const API_KEY_UNKNOWN: &str = "urn:tms:problem:api-key-unknown";
    pub const API_KEY_NOT_ENABLED: &str = "urn:tms:problem:api-key-not-enabled";
    pub const TOO_MANY_ATTEMPTS: &str = "urn:tms:problem:too-many-attempts";
    pub const ACCOUNT_DISABLED: &str = "urn:tms:problem:account-disabled";
    pub const REGISTRATION_IN_USE: &str = "urn:tms:problem:registration-in-use";
    pub const SESSION_ENDED: &str = "urn:tms:problem:session-ended";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_later_tms_says_of_media_harms_no_sign_in() {
        let credential = |media: &str| {
            let text = format!(
                r#"{{"aor":"a","username":"u","password":"p","realm":"acme","outbound_proxy":"sip:x","transports":["udp"],
                    "expires_at":"2027-01-01T00:00:00Z"{media}}}"#
            );
            serde_json::from_str::<SipCredential>(&text).expect(media).media
        };
        assert!(credential("").is_none());
        let turn = r#"{"uri":"turn:r","username":"1:a","password":"s","expires_at":"2027-01-01T00:00:00Z","more":1}"#;
        let whole = credential(&format!(r#","media":{{"srtp":"dtls","stun":"s:1","turn":{turn},"more":{{}}}}"#));
        let whole = whole.expect("media");
        assert_eq!((whole.policy.srtp, whole.stun.as_deref()), (Srtp::Dtls, Some("s:1")));
        assert_eq!(whole.turn.map(|turn| turn.username).as_deref(), Some("1:a"));
        let later = credential(
            r#","media":{"srtp":"quantum","recording":"transcribed","turn":{"uri":"turn:r","token":"t"},"stun":"s:1"}"#,
        );
        let later = later.expect("media");
        assert!(later.turn.is_none() && later.stun.is_some());
        let policy = MediaPolicy { srtp: Srtp::Sdes, ..MediaPolicy::default() };
        assert_eq!(later.policy, policy, "encrypted, or not made");
        for garbled in ["[]", "\"x\"", "5", "null"] {
            let media = credential(&format!(r#","media":{garbled}"#));
            assert!(media.is_none_or(|media| media.policy == MediaPolicy::default()), "{garbled}");
        }
        for field in ["srtp", "stun", "turn", "quality_report", "recording", "recording_tone"] {
            for garbled in ["null", "5", "{}", "[]", "\"yes\""] {
                let other = if field == "stun" { r#""quality_report":"sip:q""# } else { r#""stun":"s:1""# };
                let media = credential(&format!(r#","media":{{"{field}":{garbled},{other}}}"#)).expect("the rest");
                assert!(media.stun.is_some() || media.quality_report.is_some(), "{field} {garbled}");
                let srtp = if field == "srtp" && garbled != "null" { Srtp::Sdes } else { Srtp::Optional };
                let policy = MediaPolicy { srtp, ..MediaPolicy::default() };
                assert!(media.turn.is_none() && media.policy == policy, "{field} {garbled}");
            }
        }
    }
}
