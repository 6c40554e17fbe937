//! Calls are recorded as their account at the TMS says: as the agent likes, never, or every one. Calls in hand follow when it changes
//! its mind, and are bound to its last word once the agent leaves it, so that nobody ends a recording by leaving.

use super::{Shell, wall_clock};
use crate::{
    driver::api::{Event, RecordingRule, RecordingState},
    media::{
        engine::{Notice, Severity},
        record::new_file,
    },
    tms::wire,
    ua::api::{CallId, CallInfo, CallState},
};
use jiff::tz::TimeZone;
use std::{
    collections::BTreeMap,
    path::PathBuf,
    time::{Duration, Instant},
};

/// How long after a failure a call that must be recorded is tried again; each time twice as long.
const RETRY: Duration = Duration::from_secs(5);
const LONGEST_RETRY: Duration = Duration::from_secs(300);

/// What holds for calls to come, and for each that was answered.
#[derive(Debug, Default)]
pub(super) struct Recordings {
    rule: RecordingRule,
    calls: BTreeMap<CallId, Bound>,
}

/// An answered call, bound to what was said of recording it.
#[derive(Debug)]
struct Bound {
    info: CallInfo,
    rule: RecordingRule,
    /// Its account was left.
    is_last_word: bool,
    failures: u32,
    retry_at: Option<Instant>,
}

impl Recordings {
    /// `None`: the account is left. Returns whether calls to come are bound otherwise than before.
    fn set(&mut self, rule: Option<RecordingRule>) -> bool {
        for bound in self.calls.values_mut() {
            match rule {
                Some(rule) if !bound.is_last_word => bound.rule = rule,
                Some(_) => {}
                None => bound.is_last_word = true,
            }
        }
        let rule = rule.unwrap_or_default();
        std::mem::replace(&mut self.rule, rule) != rule
    }

    fn forbidden(&self) -> Vec<CallId> {
        let forbidden = |bound: &&Bound| bound.rule.rule == wire::Recording::Forbidden;
        self.calls.values().filter(forbidden).map(|bound| bound.info.call).collect()
    }

    pub(super) fn follow(&mut self, info: &CallInfo) {
        if matches!(info.state, CallState::Ended { .. }) {
            self.calls.remove(&info.call);
        } else if info.state.is_answered() {
            let new =
                || Bound { info: info.clone(), rule: self.rule, is_last_word: false, failures: 0, retry_at: None };
            self.calls.entry(info.call).or_insert_with(new).info = info.clone();
        }
    }

    fn rule(&self, call: CallId) -> RecordingRule {
        self.calls.get(&call).map_or(self.rule, |bound| bound.rule)
    }

    /// The recording of this call has failed, or could not be begun.
    pub(super) fn failed(&mut self, now: Instant, call: CallId) {
        if let Some(bound) = self.calls.get_mut(&call) {
            let patience = (RETRY * 2_u32.saturating_pow(bound.failures.min(10))).min(LONGEST_RETRY);
            bound.failures += 1;
            bound.retry_at = Some(now + patience);
        }
    }

    /// A call that is to be recorded now and is not.
    fn take_due(&mut self, now: Instant, is_recorded: impl Fn(CallId) -> bool) -> Option<CallInfo> {
        self.calls.values_mut().find_map(|bound| {
            if bound.retry_at.is_some_and(|at| at > now) {
                return None;
            }
            bound.retry_at = None;
            let is_due = bound.rule.rule == wire::Recording::Required && !is_recorded(bound.info.call);
            is_due.then(|| bound.info.clone())
        })
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.calls.values().filter_map(|bound| bound.retry_at).min()
    }
}

impl Shell {
    /// Records a call into `file`, or stops, which is done once the file is complete.
    pub(super) fn record(&mut self, name: &'static str, call: CallId, file: Option<PathBuf>, tone: Option<bool>) {
        let RecordingRule { rule, tone: wanted } = self.recording.rule(call);
        let permitted = permit(rule, file.is_some(), self.media.is_recorded(call));
        let tone = wanted || tone.unwrap_or(self.options.recording_tone);
        let ordered = permitted.and_then(|()| match &file {
            Some(file) => self.media.record(call, file, tone),
            None => self.media.stop_recording(call, true),
        });
        match (ordered, file) {
            (Err(message), _) => self.fail(name, Some(call), message),
            (Ok(()), Some(file)) => {
                self.tell(Event::Recording { call, file, state: RecordingState::Begun });
                self.tell(Event::Done { command: name, call: Some(call) });
            }
            (Ok(()), None) => {}
        }
    }

    /// A recording is over, wanted or not.
    pub(super) fn recorded(&mut self, now: Instant, call: CallId, file: PathBuf, failed: bool) {
        let asked = self.media.recorded(call);
        let state = if failed { RecordingState::Failed } else { RecordingState::Over };
        self.tell(Event::Recording { call, file, state });
        if asked {
            self.tell(Event::Done { command: "record", call: Some(call) });
        } else if failed {
            self.recording.failed(now, call);
        }
        self.record_demanded(now);
    }

    /// Begins with calls that are answered and must be recorded, and anew with those whose recording has failed.
    pub(super) fn record_demanded(&mut self, now: Instant) {
        while let Some(info) = self.recording.take_due(now, |call| self.media.is_recorded(call)) {
            let call = info.call;
            match self.begin_recording(&info) {
                Ok(file) => self.tell(Event::Recording { call, file, state: RecordingState::Begun }),
                Err(why) => {
                    self.recording.failed(now, call);
                    let text = format!("Your account wants every call recorded, and this one is not. {why}");
                    self.tell(Event::Notice(Notice { severity: Severity::Warning, text }));
                }
            }
        }
    }

    fn begin_recording(&mut self, info: &CallInfo) -> Result<PathBuf, String> {
        let peer = info.peer.split_once(':').map_or(info.peer.as_str(), |(_, peer)| peer);
        let who = info.peer_name.as_deref().unwrap_or(peer);
        let when = wall_clock().to_zoned(TimeZone::system());
        let file = new_file(&self.options.recordings, &when, who)
            .map_err(|why| format!("The folder for recordings cannot be made: {why}."))?;
        let tone = self.recording.rule(info.call).tone || self.options.recording_tone;
        self.media.record(info.call, &file, tone)?;
        Ok(file)
    }

    /// `None`: the account is left.
    pub(super) fn keep_recording_rule(&mut self, now: Instant, rule: Option<RecordingRule>) {
        if self.recording.set(rule) {
            self.tell(Event::RecordingRule(rule.unwrap_or_default()));
            self.stop_forbidden();
            self.record_demanded(now);
        }
    }

    fn stop_forbidden(&mut self) {
        for call in self.recording.forbidden() {
            if self.media.stop_recording(call, false).is_ok() {
                let text =
                    "Your account does not allow calls to be recorded any more, so this one's recording was stopped.";
                self.tell(Event::Notice(Notice { severity: Severity::Warning, text: text.to_owned() }));
            }
        }
    }
}

fn permit(rule: wire::Recording, begins: bool, is_recorded: bool) -> Result<(), String> {
    match (rule, begins) {
        (wire::Recording::Forbidden, true) => {
            Err("Your account does not allow calls to be recorded; its administrator can change that at the TMS."
                .into())
        }
        (wire::Recording::Required, false) => {
            Err("Your account wants every call recorded, to its end; its administrator can change that at the TMS."
                .into())
        }
        (wire::Recording::Required, true) if is_recorded => {
            Err("This call is recorded by itself, as your account wants it of each, and needs no other file.".into())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ua::api::CallDirection;
    use wire::Recording::{Allowed, Forbidden, Required};

    #[test]
    fn what_the_account_forbids_is_refused_in_words() {
        for (rule, begins, is_recorded, words) in [
            (Allowed, true, false, None),
            (Allowed, false, true, None),
            (Forbidden, true, false, Some("does not allow")),
            // It is stopped by itself, too.
            (Forbidden, false, true, None),
            // Where its own could not be begun.
            (Required, true, false, None),
            (Required, true, true, Some("recorded by itself")),
            (Required, false, true, Some("every call recorded")),
        ] {
            let said = permit(rule, begins, is_recorded).err();
            assert_eq!(said.is_some(), words.is_some(), "{rule:?} {begins}");
            assert!(said.unwrap_or_default().contains(words.unwrap_or_default()), "{rule:?} {begins}");
        }
    }

    fn rule(rule: wire::Recording) -> RecordingRule {
        RecordingRule { rule, tone: false }
    }

    fn answered(recordings: &mut Recordings, call: CallId) {
        recordings.follow(&CallInfo::bare(call, CallDirection::In, CallState::Connected));
    }

    #[test]
    fn calls_in_hand_follow_the_account_until_it_is_left() {
        let (mut recordings, now) = (Recordings::default(), Instant::now());
        recordings.follow(&CallInfo::bare(1, CallDirection::In, CallState::Ringing));
        answered(&mut recordings, 2);
        assert!(recordings.take_due(now, |_| false).is_none());
        assert!(recordings.set(Some(rule(Required))) && !recordings.set(Some(rule(Required))));
        assert_eq!(recordings.take_due(now, |_| false).map(|info| info.call), Some(2), "also one in hand");
        assert!(recordings.take_due(now, |_| true).is_none());
        recordings.set(Some(rule(Forbidden)));
        assert_eq!((recordings.rule(2).rule, recordings.forbidden()), (Forbidden, vec![2]));
        recordings.set(Some(rule(Allowed)));
        assert_eq!((recordings.rule(2).rule, recordings.forbidden()), (Allowed, vec![]));
        recordings.set(Some(rule(Required)));
        // Signing out lets go of calls to come only, and another account has no say in it.
        recordings.set(None);
        answered(&mut recordings, 3);
        assert_eq!([1, 2, 3].map(|call| recordings.rule(call).rule), [Allowed, Required, Allowed]);
        recordings.set(Some(rule(Forbidden)));
        assert_eq!([1, 2, 3].map(|call| recordings.rule(call).rule), [Forbidden, Required, Forbidden]);
    }

    #[test]
    fn what_must_be_recorded_is_tried_again_ever_later() {
        let (mut recordings, mut now) = (Recordings::default(), Instant::now());
        recordings.set(Some(rule(Required)));
        answered(&mut recordings, 1);
        for seconds in [5, 10, 20, 40, 80, 160, 300, 300] {
            recordings.failed(now, 1);
            answered(&mut recordings, 1);
            let at = recordings.poll_timeout().expect("another try");
            assert_eq!(at - now, Duration::from_secs(seconds));
            assert!(recordings.take_due(at - Duration::from_millis(1), |_| false).is_none(), "{seconds}");
            assert!(recordings.take_due(at, |_| false).is_some(), "{seconds}");
            now = at;
        }
        assert_eq!(recordings.poll_timeout(), None);
    }
}
