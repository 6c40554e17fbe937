//! People's passwords: argon2id on blocking threads, a bounded number at a time, and the same work for unknown users.

use std::sync::Arc;

use argon2::{Argon2, PasswordHasher, PasswordVerifier, password_hash::phc::PasswordHash};
use tokio::sync::Semaphore;

/// Verified in place of a user who does not exist, so that the answer takes as long. Its parameters are argon2's defaults,
/// which a test compares; no password fits it.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5bm9ibw$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Fewest characters of a password; there are no rules of composition (NIST SP 800-63B §3.1.1.2).
pub const SHORTEST: usize = 10;
/// Most bytes: argon2 would take more, but nobody types it.
pub const LONGEST: usize = 256;

/// Each computation takes 19 MiB and a core for some 20 ms.
const AT_A_TIME: usize = 2;
/// Waiting longer than this many others take is no use to anyone.
const WAITING: usize = 100;

#[derive(Clone, Debug)]
pub struct Passwords {
    working: Arc<Semaphore>,
    admitted: Arc<Semaphore>,
}

#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    #[error("too many people are signing in at this moment")]
    Busy,
    #[error("the password could not be hashed: {0}")]
    Failed(String),
}

impl Passwords {
    pub fn new() -> Self {
        Self { working: Arc::new(Semaphore::new(AT_A_TIME)), admitted: Arc::new(Semaphore::new(AT_A_TIME + WAITING)) }
    }

    /// The PHC string to store.
    pub async fn hash(&self, password: &str) -> Result<String, PasswordError> {
        let password = password.to_owned();
        self.work(move || {
            let hash = Argon2::default().hash_password(password.as_bytes());
            hash.map(|h| h.to_string()).map_err(|e| PasswordError::Failed(e.to_string()))
        })
        .await?
    }

    /// Whether the password fits the stored PHC string; `None` is an unknown user.
    pub async fn verify(&self, password: &str, stored: Option<&str>) -> Result<bool, PasswordError> {
        let (password, stored) = (password.to_owned(), stored.unwrap_or(NOBODY).to_owned());
        self.work(move || {
            let hash = PasswordHash::new(&stored).map_err(|e| PasswordError::Failed(e.to_string()))?;
            Ok(Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
        })
        .await?
    }

    async fn work<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Result<T, PasswordError> {
        let _admitted = self.admitted.try_acquire().map_err(|_| PasswordError::Busy)?;
        let permit = Arc::clone(&self.working).acquire_owned().await.map_err(|_| PasswordError::Busy)?;
        // The permit goes along: a caller who hangs up does not set free a core that is still at work.
        tokio::task::spawn_blocking(move || (job(), permit))
            .await
            .map(|(done, _)| done)
            .map_err(|e| PasswordError::Failed(e.to_string()))
    }
}

impl Default for Passwords {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_costs_as_much_as_anybody() {
        let nobody = PasswordHash::new(NOBODY).expect("the constant is a PHC string");
        let ours = Argon2::default().hash_password(b"x").expect("hashes");
        assert_eq!((nobody.algorithm, nobody.version, &nobody.params), (ours.algorithm, ours.version, &ours.params));
        assert_eq!(nobody.hash.map(|h| h.len()), ours.hash.map(|h| h.len()));
    }

    #[tokio::test]
    async fn only_the_right_password_fits() {
        let passwords = Passwords::new();
        let stored = passwords.hash("correct horse battery").await.expect("hashes");
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert!(passwords.verify("correct horse battery", Some(&stored)).await.expect("verifies"));
        assert!(!passwords.verify("wrong", Some(&stored)).await.expect("verifies"));
        assert!(!passwords.verify("", None).await.expect("verifies"));
    }

    #[tokio::test]
    async fn a_flood_is_turned_away_rather_than_queued() {
        let passwords = Passwords::new();
        let _held = passwords.admitted.acquire_many(102).await.expect("open");
        assert!(matches!(passwords.verify("x", None).await, Err(PasswordError::Busy)));
    }
}
