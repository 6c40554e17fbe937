//! What the SIP side (registrar and proxy) asks the store. Reads only; every question is one query.
//!
//! The realm is the account's SIP domain. A digest user is either a registration's own name with its lasting password
//! (a device set up by hand) or a session's credential, `100-acme-laptop~k3f9`, which is bound to that session and to the
//! installation's `+sip.instance`.

use crate::{
    server::{
        accounts::{self, emergency},
        clock::Clock,
        store::{Row, Store, StoreError, query},
    },
    sip::digest::HashFunction,
    tms::wire::{Edition, Kind},
};

/// Handle for the SIP side; cheap to clone.
#[derive(Clone, Debug)]
pub struct Registry {
    store: Store,
    clock: Clock,
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

/// The session that a credential dies with, and the installation that it is good on.
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
    /// Of its account.
    pub edition: Edition,
}

/// An extension as the SIP side shows it.
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
    /// Asks this store; `clock` says what has expired.
    pub fn new(store: Store, clock: Clock) -> Self {
        Self { store, clock }
    }

    /// Digest credentials of a user name as it stands in an Authorization header. `None`: no such user in this realm, or
    /// its session has ended.
    pub async fn credentials(&self, realm: &str, username: &str) -> Result<Option<Credentials>, StoreError> {
        // A registration's own name never has a "~" (a check in the database).
        let row = if username.contains('~') {
            query(
                "SELECT c.ha1_md5, c.ha1_sha256, c.ha1_sha512_256, r.name, s.id AS session, s.instance_id,
                        a.enabled AS account_on, e.enabled AS extension_on, r.enabled AS registration_on
                 FROM sip_credential c
                 JOIN session s ON s.id = c.session_id
                 JOIN registration r ON r.id = c.registration_id
                 JOIN extension e ON e.id = r.extension_id
                 JOIN account a ON a.id = r.account_id
                 WHERE c.username = $1 AND a.realm = $2 AND s.expires_at > $3",
            )
            .bind(username)
            .bind(realm)
            .bind(self.clock.now_ms())
        } else {
            query(
                "SELECT r.ha1_md5, r.ha1_sha256, r.ha1_sha512_256, r.name, NULL AS session, NULL AS instance_id,
                        a.enabled AS account_on, e.enabled AS extension_on, r.enabled AS registration_on
                 FROM registration r
                 JOIN extension e ON e.id = r.extension_id
                 JOIN account a ON a.id = r.account_id
                 WHERE r.name = $1 AND a.realm = $2 AND r.ha1_md5 IS NOT NULL",
            )
            .bind(username)
            .bind(realm)
        }
        .fetch_optional(&self.store)
        .await?;
        Ok(row.map(|row| credentials(realm, &row)).transpose()?)
    }

    /// The registration with this name (Request-URI or From user).
    pub async fn registration(&self, realm: &str, name: &str) -> Result<Option<Registration>, StoreError> {
        let row = query(
            "SELECT r.name, r.slot, r.edition, e.number, e.name AS extension_name
             FROM registration r
             JOIN extension e ON e.id = r.extension_id
             JOIN account a ON a.id = r.account_id
             WHERE r.name = $1 AND a.realm = $2",
        )
        .bind(name)
        .bind(realm)
        .fetch_optional(&self.store)
        .await?;
        Ok(row
            .map(|row| {
                Ok::<_, sqlx::Error>(Registration {
                    name: row.try_get("name")?,
                    realm: realm.to_owned(),
                    extension: Extension { number: row.try_get("number")?, name: row.try_get("extension_name")? },
                    kind: kind(row.try_get("slot")?),
                    edition: accounts::edition(&row.try_get::<String>("edition")?)?,
                })
            })
            .transpose()?)
    }

    /// What rings for an extension number. `None`: no such enabled extension in this realm.
    pub async fn ring_group(&self, realm: &str, number: &str) -> Result<Option<RingGroup>, StoreError> {
        let rows = query(
            "SELECT e.number, e.name AS extension_name, r.name, r.enabled AND r.ring_inbound AS rings
             FROM extension e
             JOIN account a ON a.id = e.account_id
             JOIN registration r ON r.extension_id = e.id
             WHERE a.realm = $1 AND e.number = $2 AND e.enabled AND a.enabled
             ORDER BY r.slot",
        )
        .bind(realm)
        .bind(number)
        .fetch_all(&self.store)
        .await?;
        let mut group = None;
        for row in rows {
            let group = match &mut group {
                Some(group) => group,
                none => {
                    let extension = Extension { number: row.try_get("number")?, name: row.try_get("extension_name")? };
                    none.insert(RingGroup { extension, registrations: Vec::new() })
                }
            };
            if row.try_get("rings")? {
                group.registrations.push(row.try_get("name")?);
            }
        }
        Ok(group)
    }

    /// Whether a call to this number is never refused in the account with this realm. An extension's number is that
    /// extension, or listing it would be a way past what bars a call to it; 112 and 911 are emergencies whoever has them.
    pub async fn is_emergency(&self, realm: &str, number: &str) -> Result<bool, StoreError> {
        let row = query(
            "SELECT a.emergency_numbers,
                    EXISTS (SELECT 1 FROM extension e WHERE e.account_id = a.id AND e.number = $2 AND e.enabled) AS taken
             FROM account a WHERE a.realm = $1",
        );
        let Some(row) = row.bind(realm).bind(number).fetch_optional(&self.store).await? else { return Ok(false) };
        let listed = emergency::read(&row.try_get::<String>("emergency_numbers")?);
        let is_free = emergency::EVERYWHERE.contains(&number) || !row.try_get::<bool>("taken")?;
        Ok(is_free && listed.iter().any(|listed| listed == number))
    }

    /// Whether an account has this realm; the SIP side answers 404 for other domains.
    pub async fn serves(&self, realm: &str) -> Result<bool, StoreError> {
        let row = query("SELECT 1 FROM account WHERE realm = $1").bind(realm);
        Ok(row.fetch_optional(&self.store).await?.is_some())
    }
}

/// Slot 0 is the primary.
pub(super) fn kind(slot: i64) -> Kind {
    if slot == 0 { Kind::P } else { Kind::S }
}

fn credentials(realm: &str, row: &Row) -> Result<Credentials, sqlx::Error> {
    let registration: String = row.try_get("name")?;
    let session: Option<i64> = row.try_get("session")?;
    let instance_id: Option<String> = row.try_get("instance_id")?;
    let refused = if !row.try_get("account_on")? {
        Some("This account is disabled; your provider can enable it".to_owned())
    } else if !row.try_get("extension_on")? {
        Some("This extension is disabled in TMS, Extension Manager".to_owned())
    } else if !row.try_get("registration_on")? {
        Some(format!("{registration} is disabled in TMS, Extension Manager, Registrations"))
    } else {
        None
    };
    Ok(Credentials {
        realm: realm.to_owned(),
        ha1: Ha1 {
            md5: row.try_get("ha1_md5")?,
            sha256: row.try_get("ha1_sha256")?,
            sha512_256: row.try_get("ha1_sha512_256")?,
        },
        registration,
        session: session.zip(instance_id).map(|(session, instance_id)| SessionBinding { session, instance_id }),
        refused,
    })
}

impl Ha1 {
    /// Of a digest user with this password.
    pub fn of(username: &str, realm: &str, password: &str) -> Self {
        let hash = |function: HashFunction| function.hex(&[username.as_bytes(), realm.as_bytes(), password.as_bytes()]);
        Self {
            md5: hash(HashFunction::Md5),
            sha256: hash(HashFunction::Sha256),
            sha512_256: hash(HashFunction::Sha512_256),
        }
    }
}

impl std::fmt::Debug for Ha1 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ha1(…)")
    }
}
