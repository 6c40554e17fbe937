//! What the softphone remembers of a session for the next start: where the user signed in, and the registration that then
//! comes online by itself.

use super::vault::{Vault, address};
use crate::{
    config::{
        ConfigError,
        folder::ConfigFolder,
        settings::{Settings, SignedInBy},
    },
    driver::api::{Command, Event, Login, LoginState, Proof, TmsLogin},
    ua::api::{RegistrationState, Secret},
};
use std::sync::Arc;

/// Settings and secrets on disk, kept up with what happens.
#[derive(Debug)]
pub struct Memory {
    folder: Arc<ConfigFolder>,
    settings: Settings,
    /// The last writing failed, so the next one is due whatever changes.
    unsaved: bool,
    session: Session,
    /// A link's TMS and registration: it may yet prove used up, and then nothing has changed.
    link: Option<(String, Option<String>)>,
}

/// Which registrations are a TMS's, and so worth remembering.
#[derive(Debug, PartialEq, Eq)]
enum Session {
    /// Nobody is signed in, or a plain account is used.
    None,
    /// Signing in; `resume` is to come online then.
    Starting {
        resume: Option<String>,
    },
    Running,
}

impl Memory {
    pub fn new(folder: ConfigFolder, settings: Settings) -> Self {
        Self { folder: Arc::new(folder), settings, unsaved: false, session: Session::None, link: None }
    }

    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    pub const fn folder(&self) -> &Arc<ConfigFolder> {
        &self.folder
    }

    /// Changes the settings and writes them where that changed anything, or where they could not be written before.
    ///
    /// # Errors
    /// A sentence, once for each change; it holds until the end of the process, and the next call tries to write it again.
    pub fn change(&mut self, change: impl FnOnce(&mut Settings)) -> Result<(), ConfigError> {
        let before = self.settings.clone();
        change(&mut self.settings);
        let changed = self.settings != before;
        if !changed && !self.unsaved {
            return Ok(());
        }
        let saved = self.settings.save(&self.folder);
        self.unsaved = saved.is_err();
        if changed { saved } else { Ok(()) }
    }

    /// To be told of every command that a person gives.
    ///
    /// # Errors
    /// A sentence; the command is to be carried out all the same.
    pub fn note_command(&mut self, command: &Command) -> Result<(), ConfigError> {
        match command {
            Command::SignIn(Login::Rest(TmsLogin { url, proof })) => match proof {
                Proof::Link { registration, .. } => {
                    self.link = Some((address(url), registration.clone()));
                    Ok(())
                }
                Proof::Password { username, .. } => {
                    self.signs_in(address(url), Some(username.clone()), SignedInBy::Password, None)
                }
                Proof::Token(_) => self.signs_in(address(url), None, SignedInBy::Link, None),
            },
            Command::SignIn(Login::Xml(login)) => {
                let sip_server = self.change(|s| s.sip_server.clone_from(&login.sip_server));
                sip_server.and(self.signs_in(address(&login.url), Some(login.tenant.clone()), SignedInBy::Xml, None))
            }
            Command::UseAccount(_) => {
                self.session = Session::None;
                Ok(())
            }
            Command::SignOut => {
                self.session = Session::None;
                self.change(|s| {
                    s.last_registration = None;
                    forget_link(s);
                })
            }
            // Whoever goes offline by hand stays so at the next start.
            Command::Offline if self.session != Session::None => self.change(|s| s.last_registration = None),
            _ => Ok(()),
        }
    }

    /// To be told of every event; a command to give because of it.
    ///
    /// # Errors
    /// A sentence; the next start will not know.
    pub fn note_event(&mut self, event: &Event) -> Result<Option<Command>, ConfigError> {
        match event {
            Event::Login(LoginState::Refused { .. })
                if self.session != Session::None && self.settings.signed_in_by == SignedInBy::Link =>
            {
                self.session = Session::None;
                self.change(forget_link)?;
                Ok(None)
            }
            Event::Login(LoginState::Initialized(_)) => match std::mem::replace(&mut self.session, Session::Running) {
                Session::Starting { resume: Some(registration) } => {
                    Ok(Some(Command::Select { registration, takeover: false }))
                }
                _ => Ok(None),
            },
            Event::Services(services) => {
                self.change(|s| s.services = services.clone())?;
                Ok(None)
            }
            Event::Registration { name, state: RegistrationState::Online { .. } }
                if self.session == Session::Running =>
            {
                self.change(|s| s.last_registration = Some(name.clone()))?;
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    /// A link's code was good: what finds its session again, for [`Vault::keep`].
    ///
    /// # Errors
    /// A sentence; the next start will not know.
    pub fn note_token(&mut self, token: Secret) -> Result<Login, ConfigError> {
        let (url, registration) = self.link.take().unwrap_or_default();
        self.signs_in(url.clone(), None, SignedInBy::Link, Some(registration))?;
        Ok(Login::Rest(TmsLogin { url, proof: Proof::Token(token) }))
    }

    /// `registration`: what a link names, if it names one, instead of the last.
    fn signs_in(
        &mut self,
        server: String,
        username: Option<String>,
        by: SignedInBy,
        registration: Option<Option<String>>,
    ) -> Result<(), ConfigError> {
        let (server, s) = (Some(server), &self.settings);
        // Another login's registrations are not this one's.
        let same = s.server == server && s.username == username && s.signed_in_by == by;
        let resume = registration.unwrap_or_else(|| s.last_registration.clone().filter(|_| same));
        self.session = Session::Starting { resume: resume.clone() };
        self.change(|s| {
            (s.server, s.username, s.signed_in_by, s.last_registration) = (server, username, by, resume);
        })
    }

    /// Comes online after signing in, in place of the last registration or the link's.
    pub fn resume_with(&mut self, registration: String) {
        match (&mut self.link, &mut self.session) {
            (Some((_, resume)), _) | (None, Session::Starting { resume }) => *resume = Some(registration),
            (None, Session::None | Session::Running) => {}
        }
    }

    /// Where secrets are kept, also for a thread that may wait.
    pub fn vault(&self) -> Vault {
        Vault::new(Arc::clone(&self.folder))
    }

    /// To be told what [`Vault::keep`] has done.
    ///
    /// # Errors
    /// A sentence; the next start will not know.
    pub fn note_kept(&mut self, remember: bool) -> Result<(), ConfigError> {
        self.change(|s| s.window.remember_secrets = remember)
    }
}

/// A link's session is over for good.
fn forget_link(settings: &mut Settings) {
    if settings.signed_in_by == SignedInBy::Link {
        settings.signed_in_by = SignedInBy::Password;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        app::vault::key,
        driver::api::{SipPasswords, XmlLogin},
        tms::wire,
    };
    use std::time::Duration;

    fn memory(dir: &tempfile::TempDir) -> Memory {
        let folder = ConfigFolder::open(Some(dir.path())).expect("free");
        let (settings, _) = Settings::load(&folder);
        Memory::new(folder, settings)
    }

    fn login(url: &str, username: &str) -> Login {
        let (password, api_key) = (Secret("p".into()), Secret("k".into()));
        let proof = Proof::Password { username: username.into(), password, api_key };
        Login::Rest(TmsLogin { url: url.into(), proof })
    }

    fn sign_in(username: &str) -> Command {
        Command::SignIn(login("http://127.0.0.1:1", username))
    }

    fn initialized() -> Event {
        let account = wire::Account {
            name: "Acme".into(),
            tenant: "acme".into(),
            realm: "acme".into(),
            edition: wire::Edition::Express,
            emergency_numbers: vec![],
        };
        let me = wire::Me { user: wire::User { name: "Ann".into() }, account, extensions: vec![] };
        Event::Login(LoginState::Initialized(me))
    }

    fn online(name: &str) -> Event {
        Event::Registration { name: name.into(), state: RegistrationState::Online { expires: Duration::from_secs(60) } }
    }

    fn resumed(memory: &mut Memory) -> Option<String> {
        match memory.note_event(&initialized()).expect("written") {
            Some(Command::Select { registration, takeover: false }) => Some(registration),
            None => None,
            Some(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_last_registration_comes_online_at_the_next_start() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let mut first = memory(&dir);
        first.note_command(&sign_in("a@b")).expect("written");
        assert_eq!(resumed(&mut first), None);
        assert_eq!(resumed(&mut first), None, "a renewed session selects nothing");
        first.note_event(&online("100-acme-laptop")).expect("written");
        drop(first);

        let mut second = memory(&dir);
        second.note_command(&sign_in("a@b")).expect("written");
        assert_eq!(resumed(&mut second).as_deref(), Some("100-acme-laptop"));
        second.note_command(&Command::Offline).expect("written");
        drop(second);

        let mut third = memory(&dir);
        third.note_command(&sign_in("a@b")).expect("written");
        assert_eq!(resumed(&mut third), None, "went offline by hand");
        third.note_event(&online("100-acme")).expect("written");
        third.note_command(&sign_in("c@d")).expect("written");
        assert_eq!(resumed(&mut third), None, "somebody else");
    }

    #[test]
    fn a_link_is_remembered_once_its_code_has_proved_good() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let url = "http://127.0.0.1:1".to_owned();
        let link = |registration: Option<&str>| {
            let proof = Proof::Link { code: Secret("c".into()), registration: registration.map(Into::into) };
            Command::SignIn(Login::Rest(TmsLogin { url: url.clone(), proof }))
        };
        let token = || Secret("t".into());
        let mut first = memory(&dir);
        first.note_command(&sign_in("a@b")).expect("written");
        assert_eq!(resumed(&mut first), None);
        first.note_command(&link(Some("100-acme-x"))).expect("nothing to write");
        assert_eq!(first.settings().signed_in_by, SignedInBy::Password, "it may be used up");
        let again = first.note_token(token()).expect("written");
        assert_eq!(again, Login::Rest(TmsLogin { url: url.clone(), proof: Proof::Token(token()) }));
        assert_eq!(resumed(&mut first).as_deref(), Some("100-acme-x"));
        drop(first);

        let mut second = memory(&dir);
        assert_eq!((second.settings().signed_in_by, &second.settings().username), (SignedInBy::Link, &None));
        second.note_command(&Command::SignIn(again)).expect("written");
        assert_eq!(resumed(&mut second).as_deref(), Some("100-acme-x"));
        second.note_command(&link(None)).expect("nothing to write");
        second.note_token(token()).expect("written");
        assert_eq!(resumed(&mut second), None, "it names none, and may be somebody else's");
        let over = LoginState::Refused { kind: "x".into(), reason: "Over.".into() };
        second.note_event(&Event::Login(over)).expect("written");
        assert_eq!(second.settings().signed_in_by, SignedInBy::Password);

        second.note_command(&link(None)).expect("nothing to write");
        second.note_token(token()).expect("written");
        assert_eq!(resumed(&mut second), None);
        second.note_command(&Command::SignOut).expect("written");
        assert_eq!(second.settings().signed_in_by, SignedInBy::Password, "signed out is over too");
    }

    #[test]
    fn a_tenant_is_another_login_than_a_user_of_that_name() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let xml = || {
            Login::Xml(XmlLogin {
                url: "http://127.0.0.1:1".into(),
                username: None,
                tenant: "a@b".into(),
                key: Secret("k".into()),
                sip_server: Some("sip.example".into()),
                passwords: SipPasswords::default(),
            })
        };
        let mut memory = memory(&dir);
        memory.note_command(&Command::SignIn(xml())).expect("written");
        assert_eq!(resumed(&mut memory), None);
        memory.note_event(&online("7-acme")).expect("written");
        let over = LoginState::Refused { kind: "x".into(), reason: "Over.".into() };
        memory.note_event(&Event::Login(over)).expect("written");
        assert_eq!(memory.settings().signed_in_by, SignedInBy::Xml, "it may be typed anew");
        memory.note_command(&Command::SignIn(xml())).expect("written");
        assert_eq!(resumed(&mut memory).as_deref(), Some("7-acme"));
        assert_ne!(key(&xml()), key(&login("http://127.0.0.1:1", "a@b")));
        memory.note_command(&sign_in("a@b")).expect("written");
        assert_eq!(resumed(&mut memory), None);
    }

    #[test]
    fn a_plain_account_is_not_remembered() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let mut memory = memory(&dir);
        memory.note_event(&online("101")).expect("nothing to write");
        memory.note_command(&Command::Offline).expect("nothing to write");
        assert!(!dir.path().join("settings.json").exists());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_a_full_disk_has_not_taken_is_told_once_and_written_when_there_is_space() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let mut memory = memory(&dir);
        let new = dir.path().join("settings.json.new");
        std::os::unix::fs::symlink("/dev/full", &new).expect("a full disk");
        let said = memory.note_command(&sign_in("a@b")).expect_err("full").to_string();
        assert!(said.contains("settings.json") && said.ends_with("free some space and try again"), "{said}");
        std::os::unix::fs::symlink("/dev/full", &new).expect("still full");
        memory.note_command(&sign_in("a@b")).expect("told already");
        assert!(!dir.path().join("settings.json").exists());
        assert_eq!(memory.settings().username.as_deref(), Some("a@b"));
        let _ = std::fs::remove_file(&new);
        memory.note_command(&sign_in("a@b")).expect("there is space");
        drop(memory);
        let folder = ConfigFolder::open(Some(dir.path())).expect("free");
        assert_eq!(Settings::load(&folder).0.username.as_deref(), Some("a@b"));
    }
}
