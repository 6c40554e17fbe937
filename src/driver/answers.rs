//! Which event answers which command: a command's mark travels with the event that settles it.

use super::api::{Command, Event, LoginState, Tagged};
use crate::ua::api::{CallDirection, CallId, CallState, Package, RegistrationState, TransferState};
use serde_json::Value;
use std::collections::VecDeque;

/// More unanswered marks than that, and the oldest is forgotten.
const MOST: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Answers(VecDeque<Pending>);

#[derive(Debug)]
struct Pending {
    id: Value,
    command: &'static str,
    settles: Settles,
}

/// The event that settles a command.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Settles {
    Login,
    Registrations,
    /// This registration came online, or did not.
    Registration(String),
    Offline,
    /// The first event of a call that we make.
    NewCall,
    Call(CallId, Wanted),
    Done(Option<CallId>),
    /// The transfer of this call is done or has failed.
    Transfer(CallId),
    /// What became of this wish to be told.
    Subscription(Package, String),
    /// This question has been answered.
    DialAnswer(u32),
    Stats(CallId),
    Exposure,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Connected,
    Held,
    Ended,
}

impl Answers {
    /// Remembers a command. What it makes void of earlier ones is given back: nothing else will answer that.
    #[must_use]
    pub(super) fn expect(&mut self, id: Option<Value>, command: &Command) -> Vec<Tagged<Event>> {
        let settles = settles(command);
        let voided = match settles {
            Some(Settles::Login | Settles::Registration(_) | Settles::Offline) => self
                .void("Another choice was made before this one took effect.", |pending| {
                    matches!(pending.settles, Settles::Registration(_))
                }),
            _ => Vec::new(),
        };
        if let (Some(id), Some(settles)) = (id, settles) {
            if self.0.len() >= MOST {
                self.0.pop_front();
            }
            self.0.push_back(Pending { id, command: name(command), settles });
        }
        voided
    }

    /// The mark of the wish that this is about.
    pub(super) fn subscribed(&mut self, package: Package, to: &str) -> Option<Value> {
        let wish = Settles::Subscription(package, to.to_owned());
        let position = self.0.iter().position(|pending| pending.settles == wish)?;
        self.0.remove(position).map(|pending| pending.id)
    }

    /// What was wanted of a call that has ended, each as an error of its own.
    #[must_use]
    pub(super) fn ended(&mut self, call: CallId) -> Vec<Tagged<Event>> {
        self.void("The call has ended.", |pending| pending.settles.call() == Some(call))
    }

    fn void(&mut self, why: &str, is_void: impl Fn(&Pending) -> bool) -> Vec<Tagged<Event>> {
        let (voided, left) = std::mem::take(&mut self.0).into_iter().partition::<VecDeque<_>, _>(is_void);
        self.0 = left;
        let error = |Pending { id, command, settles }| {
            let what = Event::Error { command, call: settles.call(), message: why.to_owned() };
            Tagged { id: Some(id), what }
        };
        voided.into_iter().map(error).collect()
    }

    /// The mark of the command that this event settles, the oldest where several would do; the end of a call is first of all
    /// the answer to who wanted it.
    pub(super) fn claim(&mut self, event: &Event) -> Option<Value> {
        let settled = |pending: &Pending| pending.is_settled_by(event);
        let wanted_end = |pending: &Pending| settled(pending) && pending.settles.is_end();
        let position = self.0.iter().position(wanted_end).or_else(|| self.0.iter().position(settled))?;
        self.0.remove(position).map(|pending| pending.id)
    }
}

impl Pending {
    fn is_settled_by(&self, event: &Event) -> bool {
        match (event, &self.settles) {
            // Which of several it is about only its subscription says.
            (_, Settles::Subscription(..)) => false,
            (Event::Error { command, call, .. }, settles) => {
                *command == self.command && settles.call().is_none_or(|c| call.is_none_or(|e| c == e))
            }
            (Event::Login(state), Settles::Login) => *state != LoginState::SigningIn,
            (Event::Registrations(_), Settles::Registrations) => true,
            (Event::Registration { name, state }, Settles::Registration(wanted)) => {
                let settled = !matches!(state, RegistrationState::Registering | RegistrationState::Offline);
                name == wanted && settled
            }
            (Event::SipPasswordWanted { registration }, Settles::Registration(wanted)) => registration == wanted,
            (Event::Registration { state, .. }, Settles::Offline) => *state == RegistrationState::Offline,
            (Event::Call(info), Settles::NewCall) => {
                info.direction == CallDirection::Out && info.state == CallState::Dialing
            }
            (Event::Call(info), Settles::Call(call, wanted)) => info.call == *call && wanted.is(&info.state),
            (Event::Call(info), Settles::Done(call @ Some(_))) => *call == Some(info.call) && is_over(&info.state),
            (Event::Transfer { call, state }, Settles::Transfer(wanted)) => {
                call == wanted && !matches!(state, TransferState::Trying { .. })
            }
            (Event::DialAskedOver { request }, Settles::DialAnswer(wanted)) => request == wanted,
            (Event::Done { command, call }, settles) => *command == self.command && *call == settles.call(),
            (Event::Stats { call, asked: true, .. }, Settles::Stats(wanted)) => call == wanted,
            (Event::Exposure { asked: true, .. }, Settles::Exposure) => true,
            _ => false,
        }
    }
}

impl Settles {
    fn is_end(&self) -> bool {
        matches!(self, Self::Call(_, Wanted::Ended))
    }

    fn call(&self) -> Option<CallId> {
        match self {
            Self::Call(call, _) | Self::Stats(call) | Self::Transfer(call) => Some(*call),
            Self::Done(call) => *call,
            _ => None,
        }
    }
}

impl Wanted {
    /// The end of the call settles everything that was wanted of it.
    fn is(self, state: &CallState) -> bool {
        match state {
            CallState::Ended { .. } => true,
            CallState::Connected => self == Self::Connected,
            CallState::Held => self == Self::Held,
            CallState::RemoteHeld => self == Self::Connected,
            CallState::Dialing | CallState::Early { .. } | CallState::Ringing => false,
        }
    }
}

const fn is_over(state: &CallState) -> bool {
    matches!(state, CallState::Ended { .. })
}

fn settles(command: &Command) -> Option<Settles> {
    Some(match command {
        Command::SignIn(_) | Command::SignOut => Settles::Login,
        Command::UseAccount(account) => Settles::Registration(account.name.clone()),
        Command::Registrations => Settles::Registrations,
        Command::Select { registration, .. } | Command::SipPassword { registration, .. } => {
            Settles::Registration(registration.clone())
        }
        Command::Offline => Settles::Offline,
        Command::Dial { .. } | Command::PickUp { .. } => Settles::NewCall,
        Command::Answer { call } | Command::Resume { call } => Settles::Call(*call, Wanted::Connected),
        Command::Hold { call } => Settles::Call(*call, Wanted::Held),
        Command::Reject { call, .. } | Command::Hangup { call } => Settles::Call(*call, Wanted::Ended),
        Command::Mute { call, .. } | Command::Dtmf { call, .. } | Command::Record { call, .. } => {
            Settles::Done(Some(*call))
        }
        Command::Transfer { call, .. } => Settles::Transfer(*call),
        Command::AnswerDial { request, .. } => Settles::DialAnswer(*request),
        Command::Stats { call } => Settles::Stats(*call),
        Command::Exposure => Settles::Exposure,
        Command::Conference { .. }
        | Command::Audio(_)
        | Command::Voice(_)
        | Command::HoldMusic(_)
        | Command::SuppressSilence(_)
        | Command::RecordingTone(_)
        | Command::Check { .. }
        | Command::Meter { .. }
        | Command::TestTone { .. }
        | Command::Services(_)
        | Command::Message { .. }
        | Command::Unsubscribe { .. } => Settles::Done(None),
        Command::Subscribe { package, to } => Settles::Subscription(*package, to.clone()),
        Command::Trace { .. } | Command::Quit => return None,
    })
}

/// The command's name in the headless contract, which errors and `ok` carry.
pub(super) const fn name(command: &Command) -> &'static str {
    match command {
        Command::SignIn(_) => "sign_in",
        Command::SignOut => "sign_out",
        Command::UseAccount(_) => "use_account",
        Command::Registrations => "registrations",
        Command::Select { .. } => "select",
        Command::SipPassword { .. } => "sip_password",
        Command::Offline => "offline",
        Command::Dial { .. } => "dial",
        Command::Answer { .. } => "answer",
        Command::Reject { .. } => "reject",
        Command::Hangup { .. } => "hangup",
        Command::Hold { .. } => "hold",
        Command::Resume { .. } => "resume",
        Command::Mute { on: true, .. } => "mute",
        Command::Mute { on: false, .. } => "unmute",
        Command::Conference { .. } => "conference",
        Command::Record { .. } => "record",
        Command::Dtmf { .. } => "dtmf",
        Command::Transfer { .. } => "transfer",
        Command::AnswerDial { .. } => "answer_dial",
        Command::Stats { .. } => "stats",
        Command::Trace { .. } => "trace",
        Command::Audio(_) => "audio",
        Command::Voice(_) => "voice_processing",
        Command::HoldMusic(_) => "hold_music",
        Command::SuppressSilence(_) => "silence_suppression",
        Command::RecordingTone(_) => "recording_tone",
        Command::Exposure => "exposure",
        Command::Check { .. } => "check",
        Command::Meter { .. } => "meter",
        Command::TestTone { .. } => "test_tone",
        Command::Services(change) => change.name(),
        Command::Message { .. } => "message",
        Command::Subscribe { .. } => "subscribe",
        Command::Unsubscribe { .. } => "unsubscribe",
        Command::PickUp { .. } => "pick_up",
        Command::Quit => "quit",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ua::api::{CallInfo, EndedBy};
    use std::time::Duration;

    fn call(call: CallId, state: CallState) -> Event {
        Event::Call(CallInfo::bare(call, CallDirection::Out, state))
    }

    fn registration(name: &str, state: RegistrationState) -> Event {
        Event::Registration { name: name.into(), state }
    }

    fn ended() -> CallState {
        CallState::Ended { ended_by: EndedBy::Remote, code: None, reason: String::new() }
    }

    fn error(command: &'static str, call: Option<CallId>) -> Event {
        Event::Error { command, call, message: String::new() }
    }

    #[test]
    fn each_command_is_answered_by_its_own_event() {
        use RegistrationState as R;
        let online = R::Online { expires: Duration::from_secs(60) };
        let select = Command::Select { registration: "s".into(), takeover: false };
        for (command, passes_by, settles) in [
            (Command::Registrations, vec![call(1, ended())], Event::Registrations(vec![])),
            (
                select,
                vec![registration("p", R::Offline), registration("s", R::Registering)],
                registration("s", online.clone()),
            ),
            (Command::Offline, vec![registration("s", online)], registration("s", R::Offline)),
            (Command::Dial { to: "1".into(), anonymous: false }, vec![call(3, ended())], call(4, CallState::Dialing)),
            (Command::Dial { to: "1".into(), anonymous: false }, vec![error("hold", Some(1))], error("dial", None)),
            (
                Command::Hold { call: 2 },
                vec![call(1, CallState::Held), call(2, CallState::Connected)],
                call(2, CallState::Held),
            ),
            (Command::Hold { call: 2 }, vec![error("hold", Some(1))], error("hold", Some(2))),
            (Command::Resume { call: 2 }, vec![call(2, CallState::Held)], call(2, ended())),
            (Command::Hangup { call: 2 }, vec![call(2, CallState::Connected)], call(2, ended())),
            (
                Command::Mute { call: 2, on: true },
                vec![Event::Done { command: "unmute", call: Some(2) }],
                Event::Done { command: "mute", call: Some(2) },
            ),
        ] {
            let mut answers = Answers::default();
            assert!(answers.expect(Some("x".into()), &command).is_empty());
            for event in passes_by {
                assert_eq!(answers.claim(&event), None, "{command:?} {event:?}");
            }
            assert_eq!(answers.claim(&settles), Some("x".into()), "{command:?}");
            assert_eq!(answers.claim(&settles), None, "once");
        }
    }

    #[test]
    fn of_several_wishes_each_has_its_own_answer() {
        let mut answers = Answers::default();
        for to in ["101", "102"] {
            let wish = Command::Subscribe { package: Package::Dialog, to: to.into() };
            assert!(answers.expect(Some(to.into()), &wish).is_empty());
        }
        assert_eq!(answers.claim(&error("subscribe", None)), None);
        assert_eq!(answers.subscribed(Package::Presence, "102"), None);
        assert_eq!(answers.subscribed(Package::Dialog, "102"), Some("102".into()));
        assert_eq!(answers.subscribed(Package::Dialog, "102"), None, "once");
        assert_eq!(answers.subscribed(Package::Dialog, "101"), Some("101".into()));
    }

    #[test]
    fn a_mark_that_is_kept_elsewhere_takes_no_other_s_answer() {
        let mut answers = Answers::default();
        let record = |file: Option<&str>| Command::Record { call: 2, file: file.map(Into::into), tone: None };
        assert!(answers.expect(Some("stop".into()), &record(None)).is_empty());
        assert_eq!(answers.claim(&Event::Done { command: "record", call: Some(2) }), Some("stop".into()));
        for (id, file) in [("begin", Some("b.opus")), ("stop again", None)] {
            assert!(answers.expect(Some(id.into()), &record(file)).is_empty());
            assert_eq!(answers.claim(&error("record", Some(2))), Some(id.into()));
        }
        assert_eq!(marks(answers.ended(2)), []);
    }

    fn marks(voided: Vec<Tagged<Event>>) -> Vec<(Option<Value>, &'static str)> {
        let command = |what| match what {
            Event::Error { command, .. } => command,
            other => panic!("an error answers what is void, not {other:?}"),
        };
        voided.into_iter().map(|tagged| (tagged.id, command(tagged.what))).collect()
    }

    #[test]
    fn the_end_of_a_call_answers_each_command_for_it() {
        let mut answers = Answers::default();
        let digits = || Command::Dtmf { call: 2, digits: "1".into(), via: None };
        for (id, command) in
            [(1, digits()), (2, digits()), (3, Command::Hangup { call: 2 }), (4, Command::Hold { call: 3 })]
        {
            assert!(answers.expect(Some(id.into()), &command).is_empty());
        }
        assert_eq!(answers.claim(&call(2, ended())), Some(3.into()));
        assert_eq!(marks(answers.ended(2)), [(Some(1.into()), "dtmf"), (Some(2.into()), "dtmf")]);
        assert_eq!(answers.claim(&call(3, CallState::Held)), Some(4.into()));
        assert!(answers.0.is_empty());
    }

    #[test]
    fn a_choice_that_another_replaces_is_answered() {
        let select = |name: &str| Command::Select { registration: name.into(), takeover: false };
        let mut answers = Answers::default();
        assert!(answers.expect(Some(1.into()), &select("p")).is_empty());
        assert_eq!(marks(answers.expect(Some(2.into()), &select("s"))), [(Some(1.into()), "select")]);
        assert_eq!(marks(answers.expect(Some(3.into()), &Command::Offline)), [(Some(2.into()), "select")]);
        assert_eq!(answers.claim(&Event::Done { command: "offline", call: None }), Some(3.into()));
    }

    #[test]
    fn unanswered_marks_are_bounded() {
        let mut answers = Answers::default();
        for n in 0..1000 {
            assert!(answers.expect(Some(n.into()), &Command::Registrations).is_empty());
        }
        assert_eq!(answers.0.len(), MOST);
        assert!(answers.expect(None, &Command::Registrations).is_empty());
        assert_eq!(answers.0.len(), MOST, "no mark, nothing to remember");
    }
}
