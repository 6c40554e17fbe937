//! Secrets that are remembered from one start to the next.

use crate::{
    config::{
        ConfigError,
        folder::ConfigFolder,
        secrets::{SecretStore, Secrets, open_store},
    },
    driver::api::{Login, Proof, TmsLogin},
    tms::url::TmsUrl,
};
use std::sync::Arc;

/// Remembered secrets. A keyring may ask its user to unlock it, for as long as that takes.
#[derive(Debug)]
pub struct Vault {
    folder: Arc<ConfigFolder>,
}

impl Vault {
    pub const fn new(folder: Arc<ConfigFolder>) -> Self {
        Self { folder }
    }

    /// Secrets remembered for this login.
    ///
    /// # Errors
    /// A sentence; the person then types them.
    pub fn load(&self, login: &Login) -> Result<Option<Secrets>, ConfigError> {
        self.load_as(&key(login))
    }

    /// Secrets remembered under this name.
    ///
    /// # Errors
    /// A sentence; the person then types them.
    pub fn load_as(&self, name: &str) -> Result<Option<Secrets>, ConfigError> {
        open_store(&self.folder).load(name)
    }

    /// Keeps these secrets under this name, or with `None` none.
    ///
    /// # Errors
    /// A sentence; nothing is kept.
    pub fn keep_as(&self, name: &str, secrets: Option<&Secrets>) -> Result<(), ConfigError> {
        let store = open_store(&self.folder);
        secrets.map_or_else(|| store.forget(name), |secrets| store.save(name, secrets))
    }

    /// Keeps, or no longer keeps, the secrets of this login.
    ///
    /// # Errors
    /// A sentence; nothing is kept.
    pub fn keep(&self, login: &Login, remember: bool) -> Result<(), ConfigError> {
        keep(&*open_store(&self.folder), login, remember)
    }
}

/// Also what an earlier time has left is forgotten, whatever the settings say of it.
fn keep(store: &dyn SecretStore, login: &Login, remember: bool) -> Result<(), ConfigError> {
    if remember { store.save(&key(login), &secrets(login)) } else { store.forget(&key(login)) }
}

fn secrets(login: &Login) -> Secrets {
    match login.clone() {
        Login::Rest(TmsLogin { proof: Proof::Password { password, api_key, .. }, .. }) => {
            Secrets { password, api_key, ..Secrets::default() }
        }
        Login::Rest(TmsLogin { proof: Proof::Token(token), .. }) => Secrets { token, ..Secrets::default() },
        // Good once.
        Login::Rest(TmsLogin { proof: Proof::Link { .. }, .. }) => Secrets::default(),
        Login::Xml(login) => {
            let (password, sip_passwords) = (login.passwords.any, login.passwords.of);
            Secrets { password, sip_passwords, api_key: login.key, ..Secrets::default() }
        }
    }
}

/// The login's name among the secrets.
pub(super) fn key(login: &Login) -> String {
    match login {
        Login::Rest(TmsLogin { url, proof: Proof::Password { username, .. } }) => {
            format!("{username} at {}", address(url))
        }
        Login::Rest(TmsLogin { url, proof: Proof::Link { .. } | Proof::Token(_) }) => {
            format!("link at {}", address(url))
        }
        Login::Xml(login) => format!("tenant {} at {}", login.tenant, address(&login.url)),
    }
}

/// One spelling for an address however it was typed; what is none is refused where it is used.
pub(super) fn address(typed: &str) -> String {
    TmsUrl::parse(typed).map_or_else(|_| typed.trim().to_owned(), |url| url.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::secrets::FileStore, ua::api::Secret};

    fn login(url: &str, username: &str) -> Login {
        let (password, api_key) = (Secret("p".into()), Secret("k".into()));
        let proof = Proof::Password { username: username.into(), password, api_key };
        Login::Rest(TmsLogin { url: url.into(), proof })
    }

    #[test]
    fn what_is_not_to_be_remembered_is_forgotten_whoever_has_kept_it() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let folder = ConfigFolder::open(Some(dir.path())).expect("free");
        let (store, login) = (FileStore::new(&folder), login("localhost:1", "a@b"));
        keep(&store, &login, true).expect("written");
        assert!(store.load(&key(&login)).expect("readable").is_some());
        keep(&store, &login, false).expect("removed");
        assert_eq!(store.load(&key(&login)).expect("readable"), None);
    }

    #[test]
    fn one_address_however_it_is_typed() {
        for typed in ["localhost:1", " http://localhost:1/ ", "http://localhost:1"] {
            assert_eq!(key(&login(typed, "a@b")), "a@b at http://localhost:1");
        }
        assert_eq!(key(&login("tms.example", "a@b")), "a@b at https://tms.example");
    }
}
