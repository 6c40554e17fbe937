//! What the store must tell before a request can be answered, asked in one go.

use crate::{
    server::{
        registry::{Credentials, Registration, Registry, RingGroup},
        store::StoreError,
    },
    tms::wire::Kind,
};

/// A question to the store. The shell asks it with [`Query::ask`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    pub realm: String,
    /// Digest user.
    pub username: String,
    /// What was dialled, where somebody was.
    pub dialled: Option<String>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Whether an account has this realm.
    pub serves: bool,
    /// `None`: no such digest user.
    pub credentials: Option<Credentials>,
    /// The registration that the digest user is of, where somebody was dialled.
    pub caller: Option<Registration>,
    pub target: Target,
    /// What was dialled is an emergency number.
    pub emergency: bool,
}

/// What a dialled number is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Unknown,
    /// An extension, by its number or by its primary registration's name.
    Extension(RingGroup),
    /// An additional registration, which cannot be dialled; with the number to dial instead.
    Additional(Registration),
}

impl Query {
    /// # Errors
    /// Where the database does not answer.
    pub async fn ask(&self, registry: &Registry) -> Result<Facts, StoreError> {
        let credentials = registry.credentials(&self.realm, &self.username).await?;
        let serves = credentials.is_some() || registry.serves(&self.realm).await?;
        let (mut caller, mut target, mut emergency) = (None, Target::Unknown, false);
        if let (Some(credentials), Some(dialled)) = (&credentials, &self.dialled) {
            caller = registry.registration(&self.realm, &credentials.registration).await?;
            target = self.target(registry, dialled).await?;
            emergency = registry.is_emergency(&self.realm, dialled).await?;
        }
        Ok(Facts { serves, credentials, caller, target, emergency })
    }

    async fn target(&self, registry: &Registry, dialled: &str) -> Result<Target, StoreError> {
        if let Some(group) = registry.ring_group(&self.realm, dialled).await? {
            return Ok(Target::Extension(group));
        }
        let Some(registration) = registry.registration(&self.realm, dialled).await? else {
            return Ok(Target::Unknown);
        };
        match registration.kind {
            Kind::S => Ok(Target::Additional(registration)),
            Kind::P => {
                let group = registry.ring_group(&self.realm, &registration.extension.number).await?;
                Ok(group.map_or(Target::Unknown, Target::Extension))
            }
        }
    }
}
