//! The thread that asks the keyring: it may wait for its user to unlock it while calls come and go.

use super::session::Input;
use crate::{
    app::vault::Vault,
    config::{ConfigError, secrets::Secrets},
    driver::api::Login,
};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

/// Questions waiting behind one that the keyring has not answered; a person asks no more.
const WAITING: usize = 16;

/// A question, answered in the order of asking.
#[derive(Debug)]
pub enum Question {
    /// Fills in what was left empty.
    Load {
        serial: u32,
        login: Login,
    },
    /// What the TMS has accepted.
    Keep {
        login: Login,
        remember: bool,
    },
    /// The same for a plain account.
    LoadSip {
        serial: u32,
        name: String,
    },
    KeepSip {
        name: String,
        secrets: Secrets,
        remember: bool,
    },
}

#[derive(Debug)]
pub enum Answer {
    /// `serial` as in the question.
    Loaded {
        serial: u32,
        kept: Result<Option<Secrets>, ConfigError>,
    },
    Kept {
        remember: bool,
        done: Result<(), ConfigError>,
    },
}

/// The running thread; it ends with this.
#[derive(Debug)]
pub struct Keyring {
    questions: SyncSender<(Vault, Question)>,
}

impl Keyring {
    /// # Errors
    /// The system gives no thread.
    pub fn start(input: SyncSender<Input>) -> std::io::Result<Self> {
        let (questions, asked) = sync_channel(WAITING);
        std::thread::Builder::new().name("keyring".into()).spawn(move || answer(&asked, &input))?;
        Ok(Self { questions })
    }

    /// # Errors
    /// A sentence; there will be no answer.
    pub fn ask(&self, vault: Vault, question: Question) -> Result<(), &'static str> {
        self.questions.try_send((vault, question)).map_err(|why| match why {
            TrySendError::Full(_) => "The keyring waits to be unlocked; look for its window, then try again.",
            TrySendError::Disconnected(_) => "The keyring cannot be asked any more; type the secrets, or start again.",
        })
    }
}

fn answer(asked: &Receiver<(Vault, Question)>, input: &SyncSender<Input>) {
    for (vault, question) in asked {
        let answer = match question {
            Question::Load { serial, login } => Answer::Loaded { serial, kept: vault.load(&login) },
            Question::Keep { login, remember } => Answer::Kept { remember, done: vault.keep(&login, remember) },
            Question::LoadSip { serial, name } => Answer::Loaded { serial, kept: vault.load_as(&name) },
            Question::KeepSip { name, secrets, remember } => {
                Answer::Kept { remember, done: vault.keep_as(&name, remember.then_some(&secrets)) }
            }
        };
        if input.send(Input::Keyring(answer)).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        driver::api::{Proof, TmsLogin},
        ua::api::Secret,
    };

    #[test]
    fn a_keyring_that_waits_holds_up_nobody() {
        let dir = tempfile::tempdir().expect("a folder");
        let folder = crate::config::folder::ConfigFolder::open(Some(dir.path())).expect("free");
        let memory = crate::app::memory::Memory::new(folder, crate::config::settings::Settings::default());
        // Nobody takes questions, as while the keyring shows its prompt.
        let (questions, _asked) = sync_channel(WAITING);
        let keyring = Keyring { questions };
        let login = Login::Rest(TmsLogin { url: "localhost".into(), proof: Proof::Token(Secret::default()) });
        let ask = |serial| keyring.ask(memory.vault(), Question::Load { serial, login: login.clone() });
        assert!((0..WAITING as u32).all(|serial| ask(serial).is_ok()));
        assert!(ask(99).is_err_and(|said| said.contains("unlocked")));
    }
}
