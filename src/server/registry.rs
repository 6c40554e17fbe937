//! What the SIP side (registrar and proxy) asks the store. Reads only; every question is one query.
//!
//! The realm is the account's SIP domain. A digest user is either a registration's own name with its lasting password
//! (a device set up by hand) or a session's credential, `100-acme-laptop~k3f9`, which is bound to that session and to the
//! installation's `+sip.instance`.

use crate::{
    server::store::{Store, StoreError},
    tms::wire::Kind,
};

/// Handle for the SIP side; cheap to clone.
#[derive(Clone, Debug)]
pub struct Registry {
    store: Store,
}

/// H(username ":" realm ":" password) in lower-case hexadecimal, per algorithm (RFC 7616 §3.4.2, 8760).
#[derive(Clone, PartialEq, Eq)]
pub struct Ha1 {
    pub md5: String,
    pub sha256: String,
    pub sha512_256: String,
}

/// What a digest user may do. Found even where it may do nothing, so that the refusal can say why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    pub realm: String,
    pub ha1: Ha1,
    /// The only address of record this user may register, call from and answer for: `100-acme`.
    pub registration: String,
    /// Present with a session's credential: REGISTER must come from this instance.
    pub session: Option<SessionBinding>,
    /// Why it may do nothing at present, as a sentence for the 403; `None` when all is well.
    pub refused: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionBinding {
    pub session: i64,
    /// `+sip.instance` without angle brackets.
    pub instance_id: String,
}

/// A registration as routing sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// `100-acme`, `100-acme-laptop`.
    pub name: String,
    pub realm: String,
    pub extension: Extension,
    /// An additional registration ([`Kind::S`]) cannot be dialled.
    pub kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    pub number: String,
    pub name: String,
}

/// What rings when an extension is dialled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RingGroup {
    pub extension: Extension,
    /// Names of registrations: the enabled primary first, then the enabled additional ones with *ring inbound*.
    pub registrations: Vec<String>,
}

impl Registry {
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Digest credentials of a user name as it stands in an Authorization header. `None`: no such user in this realm, or
    /// its session has ended.
    pub async fn credentials(&self, _realm: &str, _username: &str) -> Result<Option<Credentials>, StoreError> {
        todo!()
    }

    /// The registration with this name (Request-URI or From user).
    pub async fn registration(&self, _realm: &str, _name: &str) -> Result<Option<Registration>, StoreError> {
        todo!()
    }

    /// What rings for an extension number. `None`: no such enabled extension in this realm.
    pub async fn ring_group(&self, _realm: &str, _number: &str) -> Result<Option<RingGroup>, StoreError> {
        todo!()
    }

    /// Whether an account has this realm; the SIP side answers 404 for other domains.
    pub async fn serves(&self, _realm: &str) -> Result<bool, StoreError> {
        todo!()
    }
}

impl std::fmt::Debug for Ha1 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ha1(…)")
    }
}
