//! Password, API key, the token of a link's session, SIP passwords: from the environment or standard input for headless, else
//! remembered in the system's keyring or, where there is none, in a file that only the user can read.

use super::{
    ConfigError,
    folder::{ConfigFolder, Durable},
    media::TurnAccess,
};
use crate::ua::api::Secret;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, io::BufRead};

/// What a login needs besides the user name. An absent one is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Secrets {
    pub password: Secret,
    pub api_key: Secret,
    /// Of the session that a link has opened.
    pub token: Secret,
    /// By registration, for a TMS that has only the XML API.
    pub sip_passwords: BTreeMap<String, Secret>,
    /// For a TURN server, and no part of a login.
    pub turn: TurnAccess,
}

/// As stored and as read from standard input.
#[derive(Serialize, Deserialize)]
struct Plain {
    #[serde(default)]
    password: String,
    #[serde(default)]
    api_key: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    token: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    sip_passwords: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    turn_username: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    turn_password: String,
}

impl From<Plain> for Secrets {
    fn from(plain: Plain) -> Self {
        Self {
            password: Secret(plain.password),
            api_key: Secret(plain.api_key),
            token: Secret(plain.token),
            sip_passwords: plain.sip_passwords.into_iter().map(|(name, text)| (name, Secret(text))).collect(),
            turn: TurnAccess { username: plain.turn_username, password: Secret(plain.turn_password) },
        }
    }
}

impl From<&Secrets> for Plain {
    fn from(secrets: &Secrets) -> Self {
        Self {
            password: secrets.password.0.clone(),
            api_key: secrets.api_key.0.clone(),
            token: secrets.token.0.clone(),
            sip_passwords: secrets.sip_passwords.iter().map(|(name, text)| (name.clone(), text.0.clone())).collect(),
            turn_username: secrets.turn.username.clone(),
            turn_password: secrets.turn.password.0.clone(),
        }
    }
}

impl Secrets {
    /// From `AGENT_MANAGER_PASSWORD`, `AGENT_MANAGER_API_KEY`, `AGENT_MANAGER_TURN_USERNAME` and `AGENT_MANAGER_TURN_PASSWORD`;
    /// absent ones are empty.
    pub fn from_environment() -> Self {
        let read = |name| std::env::var(name).unwrap_or_default();
        let secret = |name| Secret(read(name));
        let (password, api_key) = (secret("AGENT_MANAGER_PASSWORD"), secret("AGENT_MANAGER_API_KEY"));
        let (username, turn) = (read("AGENT_MANAGER_TURN_USERNAME"), secret("AGENT_MANAGER_TURN_PASSWORD"));
        Self { password, api_key, turn: TurnAccess { username, password: turn }, ..Self::default() }
    }

    /// From one line of JSON, which is left unread by others.
    ///
    /// # Errors
    /// [`ConfigError::SecretsLine`], without saying what stood there.
    pub fn from_line(input: &mut impl BufRead) -> Result<Self, ConfigError> {
        let mut line = String::new();
        let mut limited = std::io::Read::take(input, 64 * 1024);
        limited.read_line(&mut line).map_err(|_| ConfigError::SecretsLine)?;
        Self::from_json(line.as_bytes()).ok_or(ConfigError::SecretsLine)
    }

    /// Nothing for a login is given.
    pub fn is_empty(&self) -> bool {
        Self { turn: TurnAccess::default(), ..self.clone() } == Self::default()
    }

    fn from_json(json: &[u8]) -> Option<Self> {
        serde_json::from_slice::<Plain>(json).ok().map(Self::from)
    }

    fn to_json(&self) -> String {
        serde_json::to_string(&Plain::from(self)).expect("strings always serialise")
    }
}

/// A place that remembers secrets between starts. `login` is `USERNAME at URL`, `link at URL`.
pub trait SecretStore {
    /// # Errors
    /// A sentence; the person then types the secrets.
    fn load(&self, login: &str) -> Result<Option<Secrets>, ConfigError>;
    /// # Errors
    /// A sentence; nothing is remembered.
    fn save(&self, login: &str, secrets: &Secrets) -> Result<(), ConfigError>;
    /// # Errors
    /// A sentence; they may still be remembered.
    fn forget(&self, login: &str) -> Result<(), ConfigError>;
}

/// The keyring where the system has one that works, else the 0600 file. Talks to the session bus: not at start.
pub fn open_store(folder: &ConfigFolder) -> Box<dyn SecretStore + '_> {
    match keyring::Entry::store_status() {
        Ok(()) => Box::new(KeyringStore),
        Err(why) => {
            tracing::info!("no keyring ({why}); secrets are kept in a file that only this user can read");
            Box::new(FileStore { folder })
        }
    }
}

struct KeyringStore;

impl KeyringStore {
    fn entry(login: &str) -> Result<keyring::Entry, ConfigError> {
        keyring::Entry::new("agent-manager", login).map_err(|e| ConfigError::Keyring(e.to_string()))
    }
}

impl SecretStore for KeyringStore {
    fn load(&self, login: &str) -> Result<Option<Secrets>, ConfigError> {
        match Self::entry(login)?.get_password() {
            Ok(json) => Ok(Secrets::from_json(json.as_bytes())),
            Err(keyring::Error::NoEntry) => Ok(None),
            Err(e) => Err(ConfigError::Keyring(e.to_string())),
        }
    }

    fn save(&self, login: &str, secrets: &Secrets) -> Result<(), ConfigError> {
        Self::entry(login)?.set_password(&secrets.to_json()).map_err(|e| ConfigError::Keyring(e.to_string()))
    }

    fn forget(&self, login: &str) -> Result<(), ConfigError> {
        match Self::entry(login)?.delete_credential() {
            Ok(()) | Err(keyring::Error::NoEntry) => Ok(()),
            Err(e) => Err(ConfigError::Keyring(e.to_string())),
        }
    }
}

/// One login's secrets in `secrets.json`, readable by this user only; there is one form to sign in, hence one entry.
pub struct FileStore<'a> {
    folder: &'a ConfigFolder,
}

const FILE: &str = "secrets.json";

#[derive(Serialize, Deserialize)]
struct Remembered {
    login: String,
    secrets: Plain,
}

impl<'a> FileStore<'a> {
    pub fn new(folder: &'a ConfigFolder) -> Self {
        Self { folder }
    }
}

impl SecretStore for FileStore<'_> {
    fn load(&self, login: &str) -> Result<Option<Secrets>, ConfigError> {
        let content = self
            .folder
            .read(FILE, 64 * 1024)
            .map_err(|e| ConfigError::file("read", self.folder.path().join(FILE), e))?;
        // A damaged file remembers nothing; the person types the secrets and it is written anew.
        let found = content.and_then(|bytes| serde_json::from_slice::<Remembered>(&bytes).ok());
        Ok(found.filter(|r| r.login == login).map(|r| r.secrets.into()))
    }

    fn save(&self, login: &str, secrets: &Secrets) -> Result<(), ConfigError> {
        let file = Remembered { login: login.to_owned(), secrets: secrets.into() };
        let text = serde_json::to_vec(&file).expect("strings always serialise");
        self.folder.write(FILE, &text, Durable::Yes)
    }

    fn forget(&self, _login: &str) -> Result<(), ConfigError> {
        self.folder.remove(FILE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> Secrets {
        Secrets { password: Secret("correct horse".into()), api_key: Secret("ak_1".into()), ..Secrets::default() }
    }

    #[test]
    fn the_file_remembers_one_login_for_this_user_only() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let folder = ConfigFolder::open(Some(dir.path())).expect("free");
        let store = FileStore::new(&folder);
        assert_eq!(store.load("a at b").expect("readable"), None);
        let link = Secrets { token: Secret("t0ken".into()), ..Secrets::default() };
        store.save("link at b", &link).expect("written");
        assert_eq!(store.load("link at b").expect("readable"), Some(link));
        store.save("a at b", &secrets()).expect("written");
        assert_eq!(store.load("a at b").expect("readable"), Some(secrets()));
        assert_eq!(store.load("c at b").expect("readable"), None);
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(dir.path().join(FILE)).expect("there"));
            assert_eq!(mode & 0o777, 0o600);
        }
        std::fs::write(dir.path().join(FILE), "{\"login\":").expect("damage");
        assert_eq!(store.load("a at b").expect("damage remembers nothing"), None);
        store.forget("a at b").expect("removed");
        store.forget("a at b").expect("gone already");
    }

    #[test]
    fn a_line_of_secrets() {
        let mut input =
            std::io::Cursor::new("{\"password\":\"correct horse\",\"api_key\":\"ak_1\"}\n{\"cmd\":\"quit\"}\n");
        assert_eq!(Secrets::from_line(&mut input).expect("valid"), secrets());
        let mut rest = String::new();
        input.read_line(&mut rest).expect("the next line is left");
        assert_eq!(rest, "{\"cmd\":\"quit\"}\n");
        let mut input = "{\"turn_username\":\"alice\",\"turn_password\":\"s3cret\"}\n".as_bytes();
        let turn = Secrets::from_line(&mut input).expect("valid");
        assert!(turn.is_empty() && turn.turn.username == "alice" && turn.turn.password.0 == "s3cret");
        assert!(!format!("{turn:?}").contains("s3cret"));
        assert_eq!(Secrets::from_json(turn.to_json().as_bytes()), Some(turn));
        for wrong in ["", "hunter2\n", "{\"password\":7}\n"] {
            let said = Secrets::from_line(&mut wrong.as_bytes()).expect_err(wrong).to_string();
            assert!(!said.contains("hunter2"), "{said}");
        }
        assert!(!format!("{:?}", secrets()).contains("horse"));
    }
}
