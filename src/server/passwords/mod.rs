//! People's passwords: argon2id on blocking threads, a bounded number at a time, and the same work for unknown users.

mod routes;
mod rules;

use std::sync::Arc;

use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::phc::{Output, ParamsString, PasswordHash, Salt},
};
use tokio::sync::Semaphore;

pub use self::{
    routes::routes,
    rules::{check, weakness},
};

/// Verified in place of a user who does not exist, so that the answer takes as long. Its parameters are argon2's defaults,
/// which a test compares; no password fits it.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5bm9ibw$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Fewest characters of a password.
pub const SHORTEST: usize = 10;
/// Most bytes: argon2 would take more, but nobody types it.
pub const LONGEST: usize = 256;

/// Each computation takes 19 MiB and a core for some 20 ms.
const AT_A_TIME: usize = 2;
/// Waiting longer than this many others take is no use to anyone.
const WAITING: usize = 100;

/// Hashes and verifies passwords, two at a time.
#[derive(Clone, Debug)]
pub struct Passwords {
    working: Arc<Semaphore>,
    admitted: Arc<Semaphore>,
}

/// Why a password could not be judged.
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
            let (salt, params) = (Salt::generate(), Params::default());
            let hash = PasswordHash {
                algorithm: Algorithm::Argon2id.ident(),
                version: Some(Version::default().into()),
                params: ParamsString::try_from(&params).map_err(failed)?,
                hash: Some(compute(&password, &salt, &params)?),
                salt: Some(salt),
            };
            Ok(hash.to_string())
        })
        .await?
    }

    /// Whether the password fits the stored PHC string; `None` is an unknown user.
    pub async fn verify(&self, password: &str, stored: Option<&str>) -> Result<bool, PasswordError> {
        let (password, stored) = (password.to_owned(), stored.unwrap_or(NOBODY).to_owned());
        self.work(move || {
            let stored = PasswordHash::new(&stored).map_err(failed)?;
            let params = Params::try_from(&stored).map_err(failed)?;
            match (stored.algorithm == Algorithm::Argon2id.ident(), &stored.salt, &stored.hash) {
                // Outputs compare in constant time.
                (true, Some(salt), Some(hash)) => Ok(compute(&password, salt, &params)? == *hash),
                _ => Err(failed("what is stored is no argon2id hash")),
            }
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

/// The system's allocator keeps what it has handed out once, unless it is larger than this many KiB (glibc: 32 MiB): then
/// it is mapped for the purpose, and goes back. Only what is used is ever resident.
const MAPPED: usize = 40 * 1024;

/// argon2id, whose memory is gone afterwards: freed in the ordinary way, each sign-in left 19 MiB behind, up to 250.
fn compute(password: &str, salt: &Salt, params: &Params) -> Result<Output, PasswordError> {
    let mut memory = Vec::with_capacity(params.block_count().max(MAPPED));
    memory.resize(params.block_count(), Block::default());
    let mut hash = [0; Params::DEFAULT_OUTPUT_LEN];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::default(), params.clone());
    argon2.hash_password_into_with_memory(password.as_bytes(), salt, &mut hash, &mut memory).map_err(failed)?;
    Output::new(&hash).map_err(failed)
}

fn failed(error: impl std::fmt::Display) -> PasswordError {
    PasswordError::Failed(error.to_string())
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
        let ours = ParamsString::try_from(&Params::default()).expect("parameters");
        assert_eq!((nobody.algorithm, &nobody.params), (Algorithm::Argon2id.ident(), &ours));
        assert_eq!(nobody.version, Some(Version::default().into()));
        assert_eq!(nobody.hash.map(|h| h.len()), Some(Params::DEFAULT_OUTPUT_LEN));
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
    async fn hashes_are_those_of_argon2id() {
        let theirs = Argon2::default();
        let stored = argon2::PasswordHasher::hash_password_with_salt(&theirs, b"password", b"somesalt12345678");
        let stored: PasswordHash = stored.expect("hashes");
        assert!(Passwords::new().verify("password", Some(&stored.to_string())).await.expect("verifies"));
        for broken in ["", "plain", "$argon2i$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$AAAA", "$argon2id$v=19$m=19456,t=2,p=1"]
        {
            assert!(Passwords::new().verify("password", Some(broken)).await.is_err(), "{broken}");
        }
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_sign_in_leaves_no_memory_behind() {
        let resident = || {
            let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
            let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).expect("a line");
            line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number")
        };
        let passwords = Passwords::new();
        let before = resident();
        for _ in 0..8 {
            passwords.verify("x", None).await.expect("verifies");
        }
        let grown = resident().saturating_sub(before);
        assert!(grown < 30_000, "{grown} KiB");
    }

    #[tokio::test]
    async fn a_flood_is_turned_away_rather_than_queued() {
        let passwords = Passwords::new();
        let _held = passwords.admitted.acquire_many(102).await.expect("open");
        assert!(matches!(passwords.verify("x", None).await, Err(PasswordError::Busy)));
    }
}
