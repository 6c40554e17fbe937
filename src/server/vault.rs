//! Secrets that must be read again, and so cannot be stored as a hash: encrypted with AES-256-GCM under a key that is no part of
//! the database. It is a file of its own, beside SQLite's or named by `--secrets-key`, so that a copy of the database alone tells
//! nobody how to make the codes of a second factor.
//!
//! The database knows its key's fingerprint: another key is refused at the start rather than found out at somebody's sign-in.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rand::Rng;
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hmac,
};

use super::{
    audit, second_factor,
    secrets::{hex, unhex},
    store::{Store, Tx, query},
};

/// What begins a sealed secret; base 32, in which they were stored readable before, has no colon.
const SEALED: &str = "v1:";
const KEY_BYTES: usize = 32;
/// After the fingerprint, until what the database's files still hold of the readable text has been removed.
const UNWIPED: &str = " unwiped";

/// The key, and what is derived from it.
#[derive(Default)]
pub struct Vault {
    /// `None`: nothing can be put in (PostgreSQL without `--secrets-key`).
    key: Option<[u8; KEY_BYTES]>,
}

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    #[error("the secrets key {path} cannot be read or made: {source}; check that its folder exists and can be written", path = path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("others on this machine can read the secrets key {path}: chmod 600 {path}", path = path.display())]
    Exposed { path: PathBuf },
    #[error("the secrets key {path} must hold 64 hexadecimal digits and nothing else: put its backup back", path = path.display())]
    Malformed { path: PathBuf },
    #[error(
        "{path} is not the key that this database's secrets are encrypted with, or it is missing: put its backup back. Where it is \
         lost, `tms admin lost-secrets-key` removes everybody's second factor, and a new key is made",
        path = path.display()
    )]
    Another { path: PathBuf },
    #[error(
        "this database's secrets are encrypted: give the key with --secrets-key FILE, the same for every process that serves it"
    )]
    NotGiven,
    #[error("the database does not answer: {0}")]
    Query(#[from] sqlx::Error),
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault(…)")
    }
}

impl Vault {
    /// One that nobody else can open, gone with the process: for a database in memory.
    pub fn for_now() -> Self {
        Self { key: Some(random()) }
    }

    /// The key in this file, which is made where the database has none yet; what was stored readable is encrypted then. Without
    /// a file nothing can be put in.
    ///
    /// # Errors
    /// Where the file is no key, or not this database's, or open to others.
    pub async fn open(store: &Store, file: Option<&Path>) -> Result<Self, VaultError> {
        let known = fingerprint(store).await?;
        let Some(path) = file else {
            return if known.is_some() { Err(VaultError::NotGiven) } else { Ok(Self::default()) };
        };
        let key = match read(path)? {
            Some(key) => key,
            None if known.is_some() => return Err(VaultError::Another { path: path.to_owned() }),
            None => make(path)?,
        };
        let vault = Self { key: Some(key) };
        match vault.claim(store).await? {
            true => Ok(vault),
            false => Err(VaultError::Another { path: path.to_owned() }),
        }
    }

    /// Whether anything can be put in.
    pub fn has_key(&self) -> bool {
        self.key.is_some()
    }

    /// For the database; `None` without a key, for nothing is stored readable. `context` says whose secret it is and must be the
    /// same when it is read: nobody can put one in another's place.
    pub fn seal(&self, context: &str, secret: &str) -> Option<String> {
        let key = self.cipher()?;
        let mut nonce = [0; NONCE_LEN];
        rand::rng().fill_bytes(&mut nonce);
        let mut bytes = secret.as_bytes().to_vec();
        let sealed = key.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(context.as_bytes()),
            &mut bytes,
        );
        sealed.expect("a secret is shorter than 64 GiB");
        Some(format!("{SEALED}{}{}", hex(&nonce), hex(&bytes)))
    }

    /// As it was sealed; `None` where it was damaged, moved, sealed with another key, or put there readable.
    pub fn unseal(&self, context: &str, stored: &str) -> Option<String> {
        let Some(sealed) = stored.strip_prefix(SEALED) else {
            return self.key.is_none().then(|| stored.to_owned());
        };
        let mut bytes = unhex(sealed)?;
        let (nonce, sealed) = bytes.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let secret = self.cipher()?.open_in_place(nonce, Aad::from(context.as_bytes()), sealed).ok()?;
        String::from_utf8(secret.to_vec()).ok()
    }

    /// Bytes for another purpose, the same after a restart; `None` without a key.
    pub fn derive(&self, purpose: &str) -> Option<[u8; 32]> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.key?);
        hmac::sign(&key, purpose.as_bytes()).as_ref().try_into().ok()
    }

    fn cipher(&self) -> Option<LessSafeKey> {
        let key = UnboundKey::new(&AES_256_GCM, &self.key?).expect("32 bytes are a key of AES-256");
        Some(LessSafeKey::new(key))
    }

    /// Whether the key is the database's. Where that has none it becomes so, and what stands readable is sealed in the same
    /// transaction: what does later was not put there by us.
    async fn claim(&self, store: &Store) -> Result<bool, sqlx::Error> {
        let own = hex(&self.derive("fingerprint").unwrap_or_default()[..16]);
        let mut tx = store.begin().await?;
        let claim = query("INSERT INTO secrets_key (id, fingerprint) VALUES (1, $1) ON CONFLICT DO NOTHING");
        let is_new = claim.bind(&own).execute(&mut tx).await? == 1;
        if is_new && self.seal_readable(&mut tx).await? > 0 {
            query("UPDATE secrets_key SET fingerprint = $1").bind(format!("{own}{UNWIPED}")).execute(&mut tx).await?;
        }
        tx.commit().await?;
        let known = fingerprint(store).await?;
        if known.as_deref().and_then(|known| known.strip_suffix(UNWIPED)) == Some(own.as_str()) {
            return wipe(store, &own).await.map(|()| true);
        }
        Ok(known == Some(own))
    }

    /// How many there were.
    async fn seal_readable(&self, tx: &mut Tx) -> Result<usize, sqlx::Error> {
        let rows = query("SELECT login_id, secret FROM second_factor").fetch_all(&mut *tx).await?;
        for row in &rows {
            let (login, secret): (i64, String) = (row.try_get("login_id")?, row.try_get("secret")?);
            let put = query("UPDATE second_factor SET secret = $1 WHERE login_id = $2");
            put.bind(self.seal(&second_factor(login), &secret)).bind(login).execute(&mut *tx).await?;
        }
        Ok(rows.len())
    }
}

/// The context of a login's second factor.
pub fn second_factor(login: i64) -> String {
    format!("second factor of login {login}")
}

/// Where the key is lost: what it alone could open goes, and the next one is taken.
pub async fn forget(store: &Store, now: i64) -> Result<(), sqlx::Error> {
    let mut tx = store.begin().await?;
    let allow = "UPDATE login SET second_factor_until = $1 WHERE id IN (SELECT login_id FROM second_factor)";
    query(allow).bind(now + second_factor::ALLOWED_MS).execute(&mut tx).await?;
    for statement in ["DELETE FROM second_factor", "DELETE FROM recovery_code", "DELETE FROM secrets_key"] {
        query(statement).execute(&mut tx).await?;
    }
    audit::record(&mut tx, now, "remove second factors", "everybody's: the secrets key was lost").await?;
    tx.commit().await
}

async fn fingerprint(store: &Store) -> Result<Option<String>, sqlx::Error> {
    let row = query("SELECT fingerprint FROM secrets_key WHERE id = 1").fetch_optional(store).await?;
    row.map(|row| row.try_get("fingerprint")).transpose()
}

/// Removes the readable text that was; where that fails, the next start tries again.
async fn wipe(store: &Store, fingerprint: &str) -> Result<(), sqlx::Error> {
    if let Err(error) = store.wipe("second_factor").await {
        tracing::warn!(%error, "secrets that were readable before are encrypted, but the database's files may still hold the old text: it is removed at the next start");
        return Ok(());
    }
    query("UPDATE secrets_key SET fingerprint = $1").bind(fingerprint).execute(store).await.map(drop)
}

/// Whether secrets stand readable, as the first versions stored them.
pub async fn stands_readable(store: &Store) -> Result<bool, sqlx::Error> {
    let like = format!("{SEALED}%");
    let row = query("SELECT 1 FROM second_factor WHERE secret NOT LIKE $1 LIMIT 1").bind(like);
    Ok(row.fetch_optional(store).await?.is_some())
}

fn read(path: &Path) -> Result<Option<[u8; KEY_BYTES]>, VaultError> {
    let open = || {
        let is_private = fs::metadata(path)?.permissions().mode() & 0o077 == 0;
        Ok::<_, io::Error>((is_private, fs::read_to_string(path)?))
    };
    match open() {
        Ok((false, _)) => Err(VaultError::Exposed { path: path.to_owned() }),
        Ok((true, text)) => {
            let key = unhex(text.trim()).and_then(|bytes| bytes.try_into().ok());
            key.map(Some).ok_or_else(|| VaultError::Malformed { path: path.to_owned() })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(VaultError::File { path: path.to_owned(), source }),
    }
}

/// A new key on disk, for this user alone; whole or not there, whenever the power fails.
fn make(path: &Path) -> Result<[u8; KEY_BYTES], VaultError> {
    let key = random();
    let mut draft = path.as_os_str().to_owned();
    // Nobody else's: processes on two machines may have one number.
    draft.push(format!(".{}", hex(&random()[..8])));
    let draft = PathBuf::from(draft);
    let write = || {
        let mut file: File = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        writeln!(file, "{}", hex(&key))?;
        file.sync_all()?;
        fs::hard_link(&draft, path)?;
        // The database must not know a key whose name the folder may forget.
        File::open(path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")))?.sync_all()
    };
    let written = write();
    let _ = fs::remove_file(&draft);
    match written {
        Ok(()) => Ok(key),
        // Another process has just made one.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            read(path)?.ok_or_else(|| VaultError::File { path: path.to_owned(), source: error })
        }
        Err(source) => Err(VaultError::File { path: path.to_owned(), source }),
    }
}

fn random() -> [u8; KEY_BYTES] {
    let mut key = [0; KEY_BYTES];
    rand::rng().fill_bytes(&mut key);
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::{http::testing::Harness, store};
    use std::fs::Permissions;

    #[test]
    fn what_is_sealed_opens_for_its_owner_and_with_its_key_only() {
        let (vault, other) = (Vault::for_now(), Vault::for_now());
        let seal = || vault.seal(&second_factor(1), "JBSWY3DPEHPK3PXP").expect("there is a key");
        let sealed = seal();
        assert!(sealed.starts_with(SEALED) && !sealed.contains("JBSWY3DP"));
        assert_ne!(sealed, seal(), "the same nonce twice");
        assert_eq!(vault.unseal(&second_factor(1), &sealed).as_deref(), Some("JBSWY3DPEHPK3PXP"));
        assert_eq!(vault.unseal(&second_factor(2), &sealed), None);
        assert_eq!(other.unseal(&second_factor(1), &sealed), None);
        for at in SEALED.len()..sealed.len() {
            let mut damaged = sealed.clone();
            let digit = if &sealed[at..=at] == "0" { "1" } else { "0" };
            damaged.replace_range(at..=at, digit);
            assert_eq!(vault.unseal(&second_factor(1), &damaged), None, "digit {at}");
        }
        for nonsense in ["v1:", "v1:00", "v1:zz", "v1:é"] {
            assert_eq!(vault.unseal(&second_factor(1), nonsense), None, "{nonsense}");
        }
        let none = Vault::default();
        assert!(none.seal("x", "plain").is_none(), "stored readable");
        assert_eq!((none.unseal("x", "plain").as_deref(), none.unseal("x", &sealed)), (Some("plain"), None));
        assert_eq!(format!("{vault:?}"), "Vault(…)");
    }

    #[test]
    fn what_is_derived_is_the_same_for_one_key_and_purpose() {
        let (vault, other) = (Vault::for_now(), Vault::for_now());
        assert_eq!(vault.derive("a"), vault.derive("a"));
        assert_ne!(vault.derive("a"), vault.derive("b"));
        assert_ne!(vault.derive("a"), other.derive("a"));
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("there").permissions().mode() & 0o777
    }

    /// As somebody puts a backup back.
    fn put(path: &Path, text: &str) {
        let _ = fs::remove_file(path);
        fs::write(path, text).expect("writes");
        fs::set_permissions(path, Permissions::from_mode(0o600)).expect("it is ours");
    }

    #[tokio::test]
    async fn a_key_is_made_once_and_another_is_refused() {
        let (h, folder) = Harness::for_many().await;
        let path = folder.path().join("tms.db.key");
        let store = &h.app.store;
        query("INSERT INTO second_factor (login_id, secret) SELECT id, 'JBSWY3DPEHPK3PXP' FROM login WHERE operator")
            .execute(store)
            .await
            .expect("as the first versions stored it");
        assert!(stands_readable(store).await.expect("reads"));
        let first = Vault::open(store, Some(&path)).await.expect("makes a key");
        assert!(!stands_readable(store).await.expect("reads"));
        assert_eq!(mode(&path), 0o600);
        assert_eq!(left(folder.path()), Vec::<PathBuf>::new());
        let row = query("SELECT login_id, secret FROM second_factor").fetch_one(store).await.expect("there");
        let (login, stored): (i64, String) =
            (row.try_get("login_id").expect("a number"), row.try_get("secret").expect("a text"));
        assert!(stored.starts_with(SEALED), "{stored}");
        let again = Vault::open(store, Some(&path)).await.expect("the same");
        assert_eq!(again.unseal(&second_factor(login), &stored).as_deref(), Some("JBSWY3DPEHPK3PXP"));
        assert_eq!(first.derive("x"), again.derive("x"));

        let said = |opened: Result<Vault, VaultError>| opened.expect_err("refused").to_string();
        assert!(said(Vault::open(store, None).await).contains("--secrets-key"));
        let key = fs::read_to_string(&path).expect("there");
        for (text, words) in
            [(Some("nonsense"), "64 hexadecimal"), (Some(&*"ab".repeat(32)), "not the key"), (None, "missing")]
        {
            match text {
                Some(text) => put(&path, text),
                None => fs::remove_file(&path).expect("removes"),
            }
            let refused = said(Vault::open(store, Some(&path)).await);
            assert!(refused.contains(words), "{refused}");
        }
        assert!(!path.exists(), "no new key in place of a lost one");
        put(&path, &key);
        Vault::open(store, Some(&path)).await.expect("its backup");
        for open in [0o640, 0o604, 0o660] {
            fs::set_permissions(&path, Permissions::from_mode(open)).expect("it is ours");
            let refused = said(Vault::open(store, Some(&path)).await);
            assert!(refused.contains("chmod 600"), "{open:o}: {refused}");
        }

        fs::remove_file(&path).expect("removes");
        forget(store, 1).await.expect("forgets");
        Vault::open(store, Some(&path)).await.expect("a new key");
        assert_eq!(
            fs::read_dir(folder.path())
                .expect("reads")
                .flatten()
                .filter(|f| f.file_name().to_string_lossy().contains("key"))
                .count(),
            1
        );
        assert!(query("SELECT 1 FROM second_factor").fetch_optional(store).await.expect("reads").is_none());
    }

    /// The files in which the readable secret can be found.
    fn left(folder: &Path) -> Vec<PathBuf> {
        let files = fs::read_dir(folder).expect("reads").flatten().map(|file| file.path());
        let holds =
            |path: &PathBuf| fs::read(path).expect("reads").windows(16).any(|window| window == b"JBSWY3DPEHPK3PXP");
        files.filter(holds).collect()
    }

    #[tokio::test]
    async fn what_could_not_be_wiped_is_at_the_next_start() {
        let (h, folder) = Harness::for_many().await;
        let (path, store) = (folder.path().join("tms.db.key"), &h.app.store);
        Vault::open(store, Some(&path)).await.expect("makes a key");
        let known = fingerprint(store).await.expect("reads").expect("it is known");
        for statement in [
            "INSERT INTO second_factor (login_id, secret) SELECT id, 'JBSWY3DPEHPK3PXP' FROM login WHERE operator",
            "DELETE FROM second_factor",
            "UPDATE secrets_key SET fingerprint = fingerprint || ' unwiped'",
        ] {
            query(statement).execute(store).await.expect(statement);
        }
        assert!(store.postgres().is_some() || !left(folder.path()).is_empty(), "nothing to be wiped");
        Vault::open(store, Some(&path)).await.expect("the same key");
        assert_eq!(left(folder.path()), Vec::<PathBuf>::new());
        assert_eq!(fingerprint(store).await.expect("reads"), Some(known), "still to be wiped");
    }

    #[tokio::test]
    async fn a_folder_that_is_not_there_is_said() {
        let store = Store::open(&store::testing::database().await).await.expect("opens");
        let refused = Vault::open(&store, Some(Path::new("/nonexistent/key"))).await.expect_err("refused").to_string();
        assert!(refused.contains("its folder exists"), "{refused}");
    }
}
