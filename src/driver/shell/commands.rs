//! Each command goes to the core that it is for.

use super::Shell;
use crate::{
    driver::{
        account, answers,
        api::{Command, Dtmf, Event, Login, Proof, Tagged, TmsLogin},
        media::{
            Media,
            dtmf::{ViaInfo, in_media},
        },
    },
    ua::api::{self as agent, Account, CallId},
};
use std::time::Instant;

impl Shell {
    pub(super) fn handle_command(&mut self, now: Instant, command: Tagged<Command>) {
        let Tagged { id, what } = command;
        for voided in self.answers.expect(id, &what) {
            (self.events)(voided);
        }
        let name = answers::name(&what);
        if self.is_for_check(name, &what) {
            return;
        }
        if matches!(what, Command::Dial { .. } | Command::PickUp { .. } | Command::AnswerDial { .. }) {
            self.prepare_for_calls();
        }
        match what {
            Command::SignIn(login) => self.sign_in(now, login),
            Command::SignOut => {
                self.leave_account(now);
                self.session.sign_out();
            }
            Command::UseAccount(account) => {
                self.session.sign_out();
                // What a TMS has said is none of its.
                self.use_media(now, None);
                self.emergency_numbers = account::emergency_numbers(self.options.emergency_numbers.as_deref(), &[]);
                self.set_account(now, *account);
            }
            Command::Registrations => self.session.registrations(),
            Command::Select { registration, takeover } => self.session.select(&registration, takeover),
            Command::SipPassword { registration, password } => self.session.sip_password(&registration, password),
            Command::Offline => self.go_offline(now, name),
            Command::Dial { to, anonymous } => self.agent.handle_command(now, agent::Command::Dial { to, anonymous }),
            Command::Services(change) => self.agent.handle_command(now, agent::Command::Services(change)),
            Command::Message { to, text } => self.agent.handle_command(now, agent::Command::Message { to, text }),
            Command::Subscribe { package, to } => {
                self.agent.handle_command(now, agent::Command::Subscribe { package, to });
            }
            Command::Unsubscribe { package, to } => {
                self.agent.handle_command(now, agent::Command::Unsubscribe { package, to });
            }
            Command::PickUp { to } => self.agent.handle_command(now, agent::Command::PickUp { to }),
            Command::Answer { call } => self.agent.handle_command(now, agent::Command::Answer { call }),
            Command::Reject { call, code } => self.agent.handle_command(now, agent::Command::Reject { call, code }),
            Command::Hangup { call } => self.agent.handle_command(now, agent::Command::Hangup { call }),
            Command::Hold { call } => self.agent.handle_command(now, agent::Command::Hold { call }),
            Command::Resume { call } => self.agent.handle_command(now, agent::Command::Resume { call }),
            Command::Mute { call, on } => self.mute(name, call, on),
            Command::Conference { calls } => self.confer(now, name, &calls),
            Command::Record { call, file, tone } => self.record(name, call, file, tone),
            Command::Dtmf { call, digits, via } => self.send_digits(now, name, (call, digits, via)),
            Command::Transfer { call, to } => self.agent.handle_command(now, agent::Command::Transfer { call, to }),
            Command::AnswerDial { request, accept } => {
                self.agent.handle_command(now, agent::Command::AnswerDialAsked { request, accept });
            }
            Command::Stats { call } => match self.media.stats(call) {
                Ok(stats) => self.tell(Event::Stats { call, stats, asked: true, last: false }),
                Err(message) => self.fail(name, Some(call), message),
            },
            Command::Trace { call } => {
                self.trace.follow(call);
                self.tell_trace();
            }
            Command::Audio(audio) => self.order(name, None, |media| media.audio(audio)),
            Command::Voice(voice) => {
                self.media.process_voice(voice);
                self.settle(name, None, Ok(()));
            }
            Command::HoldMusic(file) => {
                self.media.play_on_hold(file);
                self.settle(name, None, Ok(()));
            }
            Command::SuppressSilence(on) => {
                self.agent.handle_command(now, agent::Command::SuppressSilence(on));
                self.settle(name, None, Ok(()));
            }
            Command::RecordingTone(on) => {
                self.options.recording_tone = on;
                self.settle(name, None, Ok(()));
            }
            Command::Check { echo } => self.check(now, name, echo),
            Command::Exposure => {
                let exposure = self.media.exposure();
                self.tell(Event::Exposure { exposure, asked: true });
            }
            Command::Meter { on } => self.order(name, None, |media| media.meter(on)),
            Command::TestTone { ringer } => self.order(name, None, |media| media.test_tone(ringer)),
            Command::Quit => self.quit(now),
        }
    }

    fn sign_in(&mut self, now: Instant, login: Login) {
        // A link whose code is not good costs nobody the session that runs.
        let is_link = matches!(&login, Login::Rest(TmsLogin { proof: Proof::Link { .. }, .. }));
        if !(is_link && self.session.is_signed_in()) {
            self.leave_account(now);
        }
        self.session.sign_in(login);
    }

    /// With all that a TMS has said.
    pub(super) fn leave_account(&mut self, now: Instant) {
        self.agent.handle_command(now, agent::Command::ClearAccount);
        self.use_media(now, None);
    }

    pub(super) fn set_account(&mut self, now: Instant, mut account: Account) {
        account.emergency_numbers.clone_from(&self.emergency_numbers);
        self.agent.handle_command(now, agent::Command::SetAccount(Box::new(account)));
    }

    fn go_offline(&mut self, now: Instant, name: &'static str) {
        self.session.deselect();
        let was_offline = !self.agent.has_account();
        self.agent.handle_command(now, agent::Command::ClearAccount);
        self.drain(now);
        // Nothing has changed, so nothing was told.
        if was_offline {
            self.tell(Event::Done { command: name, call: None });
        }
    }

    fn confer(&mut self, now: Instant, name: &'static str, calls: &[CallId]) {
        match self.media.confer(calls) {
            Err(message) => self.fail(name, None, message),
            Ok(held) => {
                for call in held {
                    self.agent.handle_command(now, agent::Command::Resume { call });
                }
                self.conference_may_stand();
            }
        }
    }

    /// Tells once that everybody who was wanted hears the others, or will not.
    pub(super) fn conference_may_stand(&mut self) {
        if let Some(result) = self.media.poll_conference() {
            self.settle("conference", None, result);
        }
    }

    fn send_digits(&mut self, now: Instant, name: &'static str, (call, digits, via): (CallId, String, Option<Dtmf>)) {
        match in_media(via) {
            Err(ViaInfo) => self.agent.handle_command(now, agent::Command::DtmfInfo { call, digits }),
            // Done once the engine has sent them all.
            Ok(via) => {
                if let Err(message) = self.media.dtmf(call, digits, via) {
                    self.fail(name, Some(call), message);
                }
            }
        }
    }

    fn mute(&mut self, name: &'static str, call: CallId, on: bool) {
        let result = self.media.mute(call, on);
        if result.is_ok() {
            self.tell(Event::Muted { call, on });
        }
        self.settle(name, Some(call), result);
    }

    fn order(&mut self, name: &'static str, call: Option<CallId>, act: impl FnOnce(&mut Media) -> Result<(), String>) {
        let result = act(&mut self.media);
        self.settle(name, call, result);
    }

    pub(super) fn settle(&mut self, command: &'static str, call: Option<CallId>, result: Result<(), String>) {
        match result {
            Ok(()) => self.tell(Event::Done { command, call }),
            Err(message) => self.fail(command, call, message),
        }
    }
}
