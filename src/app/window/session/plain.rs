//! Coming online with a plain SIP account, and remembering it.

use super::{super::keeper::Question, Running, moment};
use crate::{
    app::plain,
    config::{media::TurnAccess, secrets::Secrets, settings::SignedInBy},
    driver::api::{Command, Event},
    sip::uri::Uri,
    ua::api::{RegistrationState, Secret},
    ui::snapshot::{SipAccount, Status},
};

/// An account that waits: for its password from the keyring, or for the registrar to take it.
pub struct Waiting {
    account: SipAccount,
    password: Secret,
    remember: bool,
}

impl Running {
    /// *Apply*, and the start where the last account comes online by itself.
    pub(super) fn apply_sip(&mut self, account: SipAccount, password: Secret, remember: bool) {
        self.incomplete = None;
        let form = &mut self.fold.snapshot.sign_in;
        let is_remembered = form.secrets_remembered && form.plain && form.sip_account.address == account.address;
        form.secrets_remembered = is_remembered;
        (form.plain, form.xml, form.sip_account) = (true, false, without_secrets(&account));
        if let Err(why) = plain::check(&account, Secret::default()) {
            self.fold.snapshot.status = Status::Refused { reason: why.to_string() };
            return;
        }
        let waiting = Waiting { account, password, remember };
        let needs_turn = !waiting.account.turn_username.is_empty() && waiting.account.turn_password.0.is_empty();
        if !(is_remembered && (waiting.password.0.is_empty() || needs_turn)) {
            return self.use_sip(waiting);
        }
        self.serial = self.serial.wrapping_add(1);
        let question = Question::LoadSip { serial: self.serial, name: name(&waiting.account) };
        match self.keyring.ask(self.memory.vault(), question) {
            Ok(()) => {
                self.fold.snapshot.status = Status::SigningIn;
                self.incomplete_sip = Some(waiting);
            }
            Err(why) => self.tell::<()>(Err(why)),
        }
    }

    /// The keyring's answer, where an account waits for it.
    pub(super) fn complete_sip(&mut self, kept: Option<Secrets>) {
        let Some(mut waiting) = self.incomplete_sip.take() else { return };
        let kept = kept.unwrap_or_default();
        let fill = |typed: &mut Secret, kept: Secret| {
            if typed.0.is_empty() {
                *typed = kept;
            }
        };
        fill(&mut waiting.password, kept.password);
        fill(&mut waiting.account.turn_password, kept.turn.password);
        self.use_sip(waiting);
    }

    fn use_sip(&mut self, waiting: Waiting) {
        let went = plain::check(&waiting.account, waiting.password.clone())
            .map_err(|why| why.to_string())
            .and_then(|(account, way)| self.go(&way).map(|()| account));
        let account = match went {
            Ok(account) => account,
            Err(reason) => {
                self.fold.snapshot.status = Status::Refused { reason };
                return;
            }
        };
        let typed = without_secrets(&waiting.account);
        let written = self.memory.change(|all| {
            (all.sip_account, all.signed_in_by) = (typed.clone(), SignedInBy::Sip);
        });
        self.tell(written);
        let domain = match &account.aor {
            Uri::Sip(aor) => Some(aor.host.to_string()),
            _ => None,
        };
        self.fold.use_plain(&moment(), typed, account.name.clone(), domain);
        self.unproved_sip = Some(waiting);
        self.command(Command::UseAccount(Box::new(account)));
    }

    /// What the registrar has accepted is kept, and comes online by itself at the next start.
    pub(super) fn keep_sip(&mut self, event: &Event) {
        let Event::Registration { name: registration, state: RegistrationState::Online { .. } } = event else { return };
        let Some(Waiting { account, password, remember }) = self.unproved_sip.take() else { return };
        let written = self.memory.change(|all| all.last_registration = Some(registration.clone()));
        self.tell(written);
        let turn = TurnAccess { password: account.turn_password.clone(), ..TurnAccess::default() };
        let secrets = Secrets { password, turn, ..Secrets::default() };
        let question = Question::KeepSip { name: name(&account), secrets, remember };
        let asked = self.keyring.ask(self.memory.vault(), question);
        self.tell(asked);
    }

    /// Signing out, and giving up a try.
    pub(super) fn leave_sip(&mut self) {
        (self.incomplete_sip, self.unproved_sip) = (None, None);
        self.fold.snapshot.sip_account = None;
    }
}

/// As it is shown and written down.
fn without_secrets(account: &SipAccount) -> SipAccount {
    SipAccount { turn_password: Secret::default(), ..account.clone() }
}

/// The account's name among the secrets.
fn name(account: &SipAccount) -> String {
    format!("SIP account {}", account.address.trim())
}
