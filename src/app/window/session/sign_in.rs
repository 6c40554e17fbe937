//! Signing in with what the form, the keyring or a link gives, and keeping what the TMS has accepted.

use super::{
    super::keeper::{Answer, Question},
    Running,
};
use crate::{
    app::plain::Way,
    config::{cli::WindowArgs, secrets::Secrets, settings::SignedInBy},
    driver::api::{Command, Event, Login, LoginState, Proof, SipPasswords, TmsLogin, XmlLogin},
    tms::link::Link,
    ua::api::{RegistrationState, Secret},
    ui::{
        snapshot::{Notice, NoticeKind, Status},
        text::t,
    },
};

impl Running {
    /// Signs in by itself: with a link, or where the last session left something to come back to and the secrets for it.
    pub(super) fn resume(&mut self, args: &WindowArgs) {
        let given = Secrets::from_environment();
        let settings = self.memory.settings();
        let by = settings.signed_in_by;
        let wanted =
            settings.window.remember_secrets && (settings.last_registration.is_some() || by == SignedInBy::Link);
        let typed_for_us = args.tms.is_some() || args.username.is_some() || !given.is_empty();
        let form = &mut self.fold.snapshot.sign_in;
        (form.password, form.api_key) = (given.password, given.api_key);
        let (server, username, tenant) = (form.server.clone(), form.username.clone(), form.tenant.clone());
        match (&args.link, by) {
            (Some(link), _) => self.open(&link.0),
            (None, _) if !wanted || typed_for_us => {}
            (None, SignedInBy::Password) => self.apply(&server, username, Secrets::default(), true),
            (None, SignedInBy::Link) => {
                self.complete(Login::Rest(TmsLogin { url: server, proof: Proof::Token(Secret::default()) }), true);
            }
            (None, SignedInBy::Sip) => {
                let account = self.memory.settings().sip_account.clone();
                self.apply_sip(account, Secret::default(), true);
            }
            (None, SignedInBy::Xml) => {
                let sip_server = self.memory.settings().sip_server.clone();
                let (key, passwords) = (Secret::default(), SipPasswords::default());
                self.apply_xml(XmlLogin { url: server, username: None, tenant, key, sip_server, passwords }, true);
            }
        }
        self.shared.publish(&self.fold.snapshot, false);
    }

    /// A second start handed over what it was to open.
    pub(super) fn handed_over(&mut self, link: &Secret) {
        self.shared.raise();
        if !link.0.is_empty() {
            self.open(&link.0);
        }
    }

    fn open(&mut self, link: &str) {
        let signed_in = self.fold.snapshot.identity.is_some();
        match Link::parse(link) {
            Ok(link) => {
                if !signed_in {
                    let form = &mut self.fold.snapshot.sign_in;
                    (form.server, form.xml) = (link.tms.as_str().to_owned(), false);
                }
                self.incomplete = None;
                if let Err(text) = self.go(&Way::default()) {
                    return self.shared.notice(Notice { kind: NoticeKind::Error, text });
                }
                self.leave_sip();
                self.command(Command::SignIn(Login::Rest(link.login())));
            }
            Err(text) if signed_in => self.shared.notice(Notice { kind: NoticeKind::Error, text }),
            Err(reason) => self.fold.snapshot.status = Status::Refused { reason },
        }
    }

    pub(super) fn apply(&mut self, server: &str, username: String, typed: Secrets, remember: bool) {
        let form = &mut self.fold.snapshot.sign_in;
        form.secrets_remembered &= form.server == server && form.username == username && !form.xml && !form.plain;
        (form.server, form.username, form.xml, form.plain) = (server.to_owned(), username.clone(), false, false);
        let proof = Proof::Password { username, password: typed.password, api_key: typed.api_key };
        self.complete(Login::Rest(TmsLogin { url: server.trim().to_owned(), proof }), remember);
    }

    pub(super) fn apply_xml(&mut self, login: XmlLogin, remember: bool) {
        let form = &mut self.fold.snapshot.sign_in;
        form.secrets_remembered &= form.server == login.url && form.tenant == login.tenant && form.xml && !form.plain;
        (form.server, form.tenant, form.xml, form.plain) = (login.url.clone(), login.tenant.clone(), true, false);
        form.sip_server = login.sip_server.clone().unwrap_or_default();
        self.complete(Login::Xml(login), remember);
    }

    /// Signs in, once the keyring has given what is missing.
    fn complete(&mut self, login: Login, remember: bool) {
        self.incomplete = None;
        if is_complete(&login) {
            return self.sign_in(login, remember);
        }
        self.serial = self.serial.wrapping_add(1);
        let question = Question::Load { serial: self.serial, login: login.clone() };
        match self.keyring.ask(self.memory.vault(), question) {
            Ok(()) => {
                self.incomplete = Some((login, remember));
                if self.fold.snapshot.identity.is_none() {
                    self.fold.snapshot.status = Status::SigningIn;
                }
            }
            Err(why) => self.tell::<()>(Err(why)),
        }
    }

    pub(super) fn keyring_says(&mut self, answer: Answer) {
        match answer {
            Answer::Loaded { serial, kept } if serial == self.serial => {
                let kept = kept.unwrap_or_else(|why| {
                    self.tell::<()>(Err(why));
                    None
                });
                let Some((mut login, remember)) = self.incomplete.take() else {
                    return self.complete_sip(kept);
                };
                fill_in(&mut login, kept.unwrap_or_default());
                match &login {
                    // A link's session that was not kept; there is nothing to show but the form.
                    Login::Rest(TmsLogin { proof: Proof::Token(token), .. }) if token.0.is_empty() => {
                        self.fold.snapshot.status = Status::SignedOut;
                    }
                    _ if lacks_secrets(&login) => {
                        self.fold.snapshot.sign_in.secrets_remembered = false;
                        self.fold.snapshot.status = Status::Refused { reason: t().secrets_gone.to_owned() };
                    }
                    _ => self.sign_in(login, remember),
                }
            }
            Answer::Loaded { .. } => {}
            Answer::Kept { remember, done } => {
                let is_link = self.memory.settings().signed_in_by == SignedInBy::Link;
                self.fold.snapshot.sign_in.secrets_remembered = remember && done.is_ok() && !is_link;
                let noted = done.and_then(|()| self.memory.note_kept(remember));
                self.tell(noted);
            }
        }
    }

    fn sign_in(&mut self, login: Login, remember: bool) {
        // The TMS says what the way is.
        if let Err(reason) = self.go(&Way::default()) {
            self.fold.snapshot.status = Status::Refused { reason };
            return;
        }
        self.leave_sip();
        self.xml = None;
        self.signing_in = Some((login.clone(), remember));
        self.command(Command::SignIn(login));
    }

    /// No sign-out: what is remembered stays for the next try.
    pub(super) fn cancel_sign_in(&mut self) {
        (self.incomplete, self.signing_in) = (None, None);
        self.leave_sip();
        self.fold.snapshot.status = Status::SignedOut;
        self.send(Command::SignOut);
    }

    pub(super) fn keep_what_was_accepted(&mut self, event: &Event) {
        match event {
            Event::Token(token) => match self.memory.note_token(token.clone()) {
                // Whoever came by a link has typed nothing and could not sign in again.
                Ok(login) => self.signing_in = Some((login, true)),
                Err(why) => self.tell::<()>(Err(why)),
            },
            Event::Login(LoginState::Initialized(_)) => {
                if let Some((login, remember)) = self.signing_in.take() {
                    if let Login::Xml(login) = &login {
                        self.xml = Some((login.clone(), remember));
                    }
                    self.keep(login, remember);
                }
            }
            Event::Registration { name, state: RegistrationState::Online { .. } } => {
                if let Some((registration, password)) = self.sip_password.take_if(|(typed, _)| typed == name)
                    && let Some((login, remember)) = &mut self.xml
                {
                    login.passwords.of.insert(registration, password);
                    let (login, remember) = (Login::Xml(login.clone()), *remember);
                    self.keep(login, remember);
                }
            }
            _ => {}
        }
    }

    /// Signing out is for whoever is signed in, or about to be.
    pub(super) fn leave(&mut self) {
        let was_waiting = self.incomplete.take().is_some() | self.incomplete_sip.is_some();
        self.leave_sip();
        if was_waiting {
            self.fold.snapshot.status = Status::SignedOut;
        }
    }

    fn keep(&self, login: Login, remember: bool) {
        let asked = self.keyring.ask(self.memory.vault(), Question::Keep { login, remember });
        self.tell(asked);
    }

    /// A link's session that is over leaves no token behind. `by`: before what may have ended it.
    pub(super) fn forget_token(&mut self, by: SignedInBy) {
        let settings = self.memory.settings();
        if by == SignedInBy::Link && settings.signed_in_by != SignedInBy::Link {
            let url = settings.server.clone().unwrap_or_default();
            self.keep(Login::Rest(TmsLogin { url, proof: Proof::Token(Secret::default()) }), false);
        }
    }
}

/// Nothing is to be looked up.
fn is_complete(login: &Login) -> bool {
    // SIP passwords typed before are kept, whatever key is typed now.
    !matches!(login, Login::Xml(_)) && !lacks_secrets(login)
}

fn lacks_secrets(login: &Login) -> bool {
    match login {
        Login::Rest(TmsLogin { proof: Proof::Password { password, api_key, .. }, .. }) => {
            password.0.is_empty() || api_key.0.is_empty()
        }
        Login::Rest(TmsLogin { proof: Proof::Token(token), .. }) => token.0.is_empty(),
        Login::Rest(TmsLogin { proof: Proof::Link { .. }, .. }) => false,
        Login::Xml(login) => login.key.0.is_empty(),
    }
}

/// What was left empty, from what is kept.
fn fill_in(login: &mut Login, kept: Secrets) {
    let or = |typed: &mut Secret, kept| {
        if typed.0.is_empty() {
            *typed = kept;
        }
    };
    match login {
        Login::Rest(TmsLogin { proof: Proof::Password { password, api_key, .. }, .. }) => {
            or(password, kept.password);
            or(api_key, kept.api_key);
        }
        Login::Rest(TmsLogin { proof: Proof::Token(token), .. }) => or(token, kept.token),
        Login::Rest(TmsLogin { proof: Proof::Link { .. }, .. }) => {}
        Login::Xml(login) => {
            or(&mut login.key, kept.api_key);
            login.passwords = SipPasswords { any: kept.password, of: kept.sip_passwords };
        }
    }
}
