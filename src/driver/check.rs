//! The network's part of the check before the shift: once the devices are done, a short call to an echo, of which nobody else hears.
//! Pure.

use crate::{
    media::{
        check::{
            Finding,
            network::{self, Unmeasured},
        },
        plan::Codec,
        stats::CallStats,
    },
    ua::api::{CallDirection, CallId, CallInfo, CallState},
};
use std::time::{Duration, Instant};

/// An echo answers by itself.
const ANSWER: Duration = Duration::from_secs(3);
/// Each side has told the other by then what it got, as a rule; a little is measured in any case.
const AT_LEAST: Duration = Duration::from_secs(6);
/// All of the check, the devices' nine seconds included, takes less than twenty.
const AT_MOST: Duration = Duration::from_secs(19);

/// What [`NetworkCheck::poll_output`] gives.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    Dial(String),
    Hangup(CallId),
    Found(Finding),
}

#[derive(Debug)]
enum State {
    /// The devices' part runs.
    Waiting,
    Dialing {
        /// Once the user agent has made it.
        call: Option<CallId>,
        until: Instant,
    },
    Measuring {
        call: CallId,
        codec: Codec,
        since: Instant,
        stats: CallStats,
    },
    /// What is still said of the call is of no interest.
    Leaving {
        call: CallId,
    },
    Done,
}

/// See the module.
#[derive(Debug)]
pub struct NetworkCheck {
    began: Instant,
    echo: String,
    state: State,
    outputs: Vec<Output>,
}

impl NetworkCheck {
    /// `echo`: whom to call; empty where nobody knows. The devices' part has begun.
    pub fn new(now: Instant, echo: Option<String>) -> Self {
        let echo = echo.unwrap_or_default().trim().to_owned();
        Self { began: now, echo, state: State::Waiting, outputs: Vec::new() }
    }

    /// The devices' part is over.
    pub fn handle_devices_done(&mut self, now: Instant, is_online: bool) {
        if !matches!(self.state, State::Waiting) {
            return;
        }
        let why = match (self.echo.is_empty(), is_online) {
            (true, _) => Unmeasured::NoEcho,
            (false, false) => Unmeasured::Offline,
            (false, true) => {
                self.state = State::Dialing { call: None, until: now + ANSWER };
                self.outputs.push(Output::Dial(self.echo.clone()));
                return;
            }
        };
        self.found(network::unmeasured(why), State::Done);
    }

    /// A call's state. Whether it is ours, and so for nobody else.
    pub fn handle_call(&mut self, now: Instant, info: &CallInfo) -> bool {
        if let State::Dialing { call: call @ None, .. } = &mut self.state
            && info.direction == CallDirection::Out
        {
            *call = Some(info.call);
        }
        if self.call() != Some(info.call) {
            self.interrupt();
            return false;
        }
        match (&info.state, &self.state) {
            (CallState::Ended { reason, .. }, State::Dialing { .. }) => {
                let why = Unmeasured::NotAnswered { echo: &self.echo, why: reason.trim_end_matches('.') };
                self.found(network::unmeasured(why), State::Done);
            }
            (CallState::Ended { .. }, State::Measuring { codec, stats, .. }) => {
                self.found(network::judge(&self.echo, *codec, stats), State::Done);
            }
            (CallState::Ended { .. }, _) => self.state = State::Done,
            (CallState::Connected | CallState::RemoteHeld, State::Dialing { .. }) => {
                let (codec, stats) = (info.codec.unwrap_or(Codec::Pcmu), CallStats::default());
                self.state = State::Measuring { call: info.call, codec, since: now, stats };
            }
            _ => {}
        }
        true
    }

    /// The call could not even be begun. Whether it was ours.
    pub fn handle_refused(&mut self, message: &str) -> bool {
        let is_ours = matches!(self.state, State::Dialing { call: None, .. });
        if is_ours {
            let why = Unmeasured::NotAnswered { echo: &self.echo, why: message.trim_end_matches('.') };
            self.found(network::unmeasured(why), State::Done);
        }
        is_ours
    }

    /// A call's figures.
    pub fn handle_stats(&mut self, now: Instant, call: CallId, figures: &CallStats) {
        if let State::Measuring { call: ours, stats, since, .. } = &mut self.state
            && *ours == call
        {
            *stats = figures.clone();
            if network::is_complete(stats) && now >= *since + AT_LEAST {
                self.measured();
            }
        }
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Dialing { until, .. } => Some(until),
            State::Measuring { .. } => Some(self.began + AT_MOST),
            State::Waiting | State::Leaving { .. } | State::Done => None,
        }
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_none_or(|due| due > now) {
            return;
        }
        match self.state {
            State::Dialing { call, .. } => {
                let why = Unmeasured::NotAnswered { echo: &self.echo, why: "within three seconds" };
                self.leave(network::unmeasured(why), call);
            }
            _ => self.measured(),
        }
    }

    pub fn poll_output(&mut self) -> Option<Output> {
        (!self.outputs.is_empty()).then(|| self.outputs.remove(0))
    }

    /// Nothing is to come any more.
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done) && self.outputs.is_empty()
    }

    const fn call(&self) -> Option<CallId> {
        match self.state {
            State::Dialing { call, .. } => call,
            State::Measuring { call, .. } | State::Leaving { call } => Some(call),
            State::Waiting | State::Done => None,
        }
    }

    /// A call of a person is more important.
    fn interrupt(&mut self) {
        if matches!(self.state, State::Dialing { .. } | State::Measuring { .. }) {
            self.leave(network::unmeasured(Unmeasured::Interrupted), self.call());
        }
    }

    fn measured(&mut self) {
        if let State::Measuring { call, codec, stats, .. } = &self.state {
            self.leave(network::judge(&self.echo, *codec, stats), Some(*call));
        }
    }

    fn leave(&mut self, finding: Finding, call: Option<CallId>) {
        self.outputs.extend(call.map(Output::Hangup));
        self.found(finding, call.map_or(State::Done, |call| State::Leaving { call }));
    }

    fn found(&mut self, finding: Finding, state: State) {
        self.outputs.push(Output::Found(finding));
        self.state = state;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{media::stats::RxStats, ua::api::EndedBy};

    fn info(call: CallId, direction: CallDirection, state: CallState) -> CallInfo {
        CallInfo { codec: Some(Codec::Pcmu), ..CallInfo::bare(call, direction, state) }
    }

    fn out(state: CallState) -> CallInfo {
        info(7, CallDirection::Out, state)
    }

    fn ended() -> CallState {
        CallState::Ended { ended_by: EndedBy::Remote, code: Some(404), reason: "There is no such number.".into() }
    }

    fn stats(packets: u64, complete: bool) -> CallStats {
        let told = complete.then_some(0.0);
        let rx = RxStats { packets, ..RxStats::default() };
        CallStats { rx, rtt_ms: told, remote_loss: told, ..CallStats::default() }
    }

    /// A check whose devices took nine seconds, and what it asks for.
    fn after_devices(echo: Option<&str>, is_online: bool) -> (NetworkCheck, Instant, Vec<Output>) {
        let began = Instant::now();
        let mut check = NetworkCheck::new(began, echo.map(str::to_owned));
        let now = began + Duration::from_secs(9);
        check.handle_devices_done(now, is_online);
        let asked = outputs(&mut check);
        (check, now, asked)
    }

    fn outputs(check: &mut NetworkCheck) -> Vec<Output> {
        std::iter::from_fn(|| check.poll_output()).collect()
    }

    fn found(outputs: &[Output]) -> &Finding {
        let found =
            outputs.iter().find_map(|output| if let Output::Found(found) = output { Some(found) } else { None });
        found.unwrap_or_else(|| panic!("{outputs:?}"))
    }

    #[test]
    fn an_echo_is_called_measured_and_left_within_twenty_seconds() {
        for complete_after in [2, 8, 99] {
            let (mut check, devices_done, asked) = after_devices(Some(" 600 "), true);
            assert_eq!(asked, [Output::Dial("600".into())]);
            let mut now = devices_done;
            assert!(check.handle_call(now, &out(CallState::Dialing)));
            assert!(check.handle_call(now, &out(CallState::Connected)));
            for second in 1.. {
                now += Duration::from_secs(1);
                check.handle_stats(now, 7, &stats(50 * second, second >= complete_after));
                // Somebody else's.
                check.handle_stats(now, 8, &stats(0, true));
                check.handle_timeout(now);
                if check.poll_timeout().is_none() {
                    break;
                }
            }
            let said = outputs(&mut check);
            assert!(said.contains(&Output::Hangup(7)) && found(&said).good, "{said:?}");
            assert!(now - check.began < Duration::from_secs(20), "{:?}", now - check.began);
            assert!(!check.is_done(), "its end is still to come");
            assert!(check.handle_call(now, &out(ended())) && check.is_done());
        }
    }

    #[test]
    fn without_figures_there_is_a_sentence() {
        let (check, _, asked) = after_devices(None, true);
        assert!(found(&asked).words.contains("no echo number") && check.is_done());
        let (_, _, asked) = after_devices(Some("600"), false);
        assert!(found(&asked).words.contains("not online"));

        let (mut check, now, _) = after_devices(Some("600"), true);
        assert!(check.handle_refused("600 cannot be called.") && !check.handle_refused("again"));
        assert!(found(&outputs(&mut check)).words.contains("(600 cannot be called)"));

        let (mut check, _, _) = after_devices(Some("600"), true);
        check.handle_call(now, &out(CallState::Dialing));
        assert!(check.handle_call(now, &out(ended())));
        assert!(found(&outputs(&mut check)).words.contains("There is no such number)") && check.is_done());

        let (mut check, now, _) = after_devices(Some("600"), true);
        check.handle_call(now, &out(CallState::Dialing));
        check.handle_timeout(now + ANSWER);
        let said = outputs(&mut check);
        assert!(said.contains(&Output::Hangup(7)) && found(&said).words.contains("three seconds"), "{said:?}");
    }

    #[test]
    fn a_call_of_a_person_goes_first() {
        let (mut check, now, _) = after_devices(Some("600"), true);
        check.handle_call(now, &out(CallState::Dialing));
        assert!(!check.handle_call(now, &info(9, CallDirection::In, CallState::Ringing)));
        let said = outputs(&mut check);
        assert!(said.contains(&Output::Hangup(7)) && found(&said).words.contains("A call came"), "{said:?}");
    }
}
