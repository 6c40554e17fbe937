//! Calls are recorded as their account at the TMS says: as the agent likes, never, or every one. Calls in hand follow when it changes
//! its mind, and are bound to its last word once the agent leaves it, so that nobody ends a recording by leaving.

use super::{Phase, Shell, wall_clock};
use crate::{
    driver::api::{Event, RecordingRule, RecordingState, Tagged},
    media::{
        engine::{Notice, Severity},
        record::{Ended, new_file},
    },
    tms::wire,
    ua::api::{CallId, CallInfo, CallState},
};
use jiff::tz::TimeZone;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// How long after a failure a call that must be recorded is tried again; each time twice as long.
const RETRY: Duration = Duration::from_secs(5);
const LONGEST_RETRY: Duration = Duration::from_secs(300);

/// What holds for calls to come, and for each in hand.
#[derive(Debug, Default)]
pub(super) struct Recordings {
    rule: RecordingRule,
    calls: BTreeMap<CallId, Bound>,
    /// Files still being written that a command to stop waits for, with its mark.
    awaited: Vec<(PathBuf, Option<Value>)>,
}

/// A call, bound to what was said of recording it.
#[derive(Debug)]
struct Bound {
    info: CallInfo,
    rule: RecordingRule,
    /// Its account was left.
    is_last_word: bool,
    /// Of what it demands now, and when that is tried again.
    failures: u32,
    retry_at: Option<Instant>,
}

impl Recordings {
    /// `None`: the account is left. Returns whether calls to come are bound otherwise than before.
    fn set(&mut self, rule: Option<RecordingRule>) -> bool {
        for bound in self.calls.values_mut() {
            match rule {
                // What is demanded anew is begun at once, whatever has failed before.
                Some(rule) if !bound.is_last_word && bound.rule != rule => {
                    (bound.rule, bound.failures, bound.retry_at) = (rule, 0, None);
                }
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
        } else {
            let new =
                || Bound { info: info.clone(), rule: self.rule, is_last_word: false, failures: 0, retry_at: None };
            self.calls.entry(info.call).or_insert_with(new).info = info.clone();
        }
    }

    fn rule(&self, call: CallId) -> RecordingRule {
        self.calls.get(&call).map_or(self.rule, |bound| bound.rule)
    }

    /// The recording of this call has failed, or could not be begun. What is not demanded is not tried again.
    fn failed(&mut self, now: Instant, call: CallId) {
        let demanded = |bound: &&mut Bound| bound.rule.rule == wire::Recording::Required;
        if let Some(bound) = self.calls.get_mut(&call).filter(demanded) {
            let patience = (RETRY * 2_u32.saturating_pow(bound.failures.min(10))).min(LONGEST_RETRY);
            bound.failures += 1;
            bound.retry_at = Some(now + patience);
        }
    }

    /// A call that is to be recorded now, or with a tone, and is not. `tone`: see [`crate::driver::media::Media::recording_tone`].
    fn take_due(&mut self, now: Instant, tone: impl Fn(CallId) -> Option<bool>) -> Option<CallInfo> {
        self.calls.values_mut().find_map(|bound| {
            bound.retry_at.take_if(|at| *at <= now);
            let is_due = match tone(bound.info.call) {
                None => bound.rule.rule == wire::Recording::Required && bound.retry_at.is_none(),
                Some(has_tone) => bound.rule.tone && !has_tone,
            };
            (is_due && bound.info.state.is_answered()).then(|| bound.info.clone())
        })
    }

    /// The mark of the command that waits for this file, if one does.
    fn take_awaited(&mut self, file: &Path) -> Option<Option<Value>> {
        let position = self.awaited.iter().position(|(awaited, _)| awaited == file)?;
        Some(self.awaited.remove(position).1)
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.calls.values().filter_map(|bound| bound.retry_at).min()
    }
}

impl Shell {
    /// Records a call into `file`, or stops, which is done once the file is complete.
    pub(super) fn record(&mut self, name: &'static str, call: CallId, file: Option<PathBuf>, tone: Option<bool>) {
        let RecordingRule { rule, tone: wanted } = self.recording.rule(call);
        let permitted = permit(rule, file.is_some(), self.media.recording_tone(call).is_some());
        let tone = wanted || tone.unwrap_or(self.options.recording_tone);
        match (permitted, file) {
            (Err(message), _) => self.fail(name, Some(call), message),
            (Ok(()), Some(file)) => {
                let begun = self.media.record(call, &file, tone);
                if begun.is_ok() {
                    self.tell(Event::Recording { call, file, state: RecordingState::Begun { tone } });
                }
                self.settle(name, Some(call), begun);
            }
            (Ok(()), None) => match self.media.stop_recording(call) {
                Ok(file) => {
                    // Answered later than it is obeyed, it keeps its mark: whatever comes next is not its answer.
                    let id = self.answers.claim(&Event::Done { command: name, call: Some(call) });
                    self.recording.awaited.push((file, id));
                }
                Err(message) => self.fail(name, Some(call), message),
            },
        }
    }

    /// A recording is over, wanted or not.
    pub(super) fn recorded(&mut self, now: Instant, call: CallId, Ended { file, outcome }: Ended) {
        let awaited = self.recording.take_awaited(&file);
        // One of that name may run already.
        let ran = awaited.is_none() && self.media.recorded(call, &file);
        let state = if outcome.is_ok() { RecordingState::Over } else { RecordingState::Failed };
        let (notice, answer) = said(call, outcome, awaited);
        notice.into_iter().for_each(|notice| self.tell(Event::Notice(notice)));
        self.tell(Event::Recording { call, file, state });
        answer.into_iter().for_each(|answer| (self.events)(answer));
        // One that was stopped is not missed.
        if ran && state == RecordingState::Failed {
            self.recording.failed(now, call);
        }
        self.record_demanded(now);
    }

    /// Begins with calls that are answered and must be recorded, and anew with those whose recording has failed, or lacks the tone
    /// that it must have now: what was recorded until then stays a file of its own.
    pub(super) fn record_demanded(&mut self, now: Instant) {
        // Whoever leaves begins nothing.
        if self.phase != Phase::Running {
            return;
        }
        while let Some(info) = self.recording.take_due(now, |call| self.media.recording_tone(call)) {
            let call = info.call;
            let had_no_tone = self.media.stop_recording(call).is_ok();
            let (severity, text) = match self.begin_recording(&info) {
                Ok(()) if !had_no_tone => continue,
                Ok(()) => (
                    Severity::Info,
                    "Your account wants a tone in recordings now, so this call's goes on with one, in a second file."
                        .to_owned(),
                ),
                Err(why) => {
                    self.recording.failed(now, call);
                    let wish = if had_no_tone { "a tone in recordings now" } else { "every call recorded" };
                    let why = why.trim_end_matches('.');
                    (Severity::Warning, format!("Your account wants {wish}, and this call is not recorded: {why}."))
                }
            };
            self.tell(Event::Notice(Notice { severity, text }));
        }
    }

    fn begin_recording(&mut self, info: &CallInfo) -> Result<(), String> {
        let peer = info.peer.split_once(':').map_or(info.peer.as_str(), |(_, peer)| peer);
        let who = info.peer_name.as_deref().unwrap_or(peer);
        let when = wall_clock().to_zoned(TimeZone::system());
        let file = new_file(&self.options.recordings, &when, who).map_err(|e| e.to_string())?;
        let tone = self.recording.rule(info.call).tone || self.options.recording_tone;
        self.media.record(info.call, &file, tone)?;
        self.tell(Event::Recording { call: info.call, file, state: RecordingState::Begun { tone } });
        Ok(())
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
            if self.media.stop_recording(call).is_ok() {
                let text =
                    "Your account does not allow calls to be recorded any more, so this one's recording was stopped.";
                self.tell(Event::Notice(Notice { severity: Severity::Warning, text: text.to_owned() }));
            }
        }
    }
}

/// What there is to say of a recording that is over, and the answer to the command that has waited for it, if one has (its mark).
/// Why it failed is said once: the answer says it.
fn said(
    call: CallId,
    outcome: Result<Option<Notice>, Notice>,
    awaited: Option<Option<Value>>,
) -> (Option<Notice>, Option<Tagged<Event>>) {
    let Some(id) = awaited else { return (outcome.unwrap_or_else(Some), None) };
    let (command, call) = ("record", Some(call));
    let (notice, what) = match outcome {
        Ok(notice) => (notice, Event::Done { command, call }),
        Err(why) => (None, Event::Error { command, call, message: why.text }),
    };
    (notice, Some(Tagged { id, what }))
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
    use crate::ua::api::{CallDirection, EndedBy};
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

    fn ended() -> CallState {
        CallState::Ended { ended_by: EndedBy::Local, code: None, reason: String::new() }
    }

    fn answered(recordings: &mut Recordings, call: CallId) {
        recordings.follow(&CallInfo::bare(call, CallDirection::In, CallState::Connected));
    }

    #[test]
    fn calls_in_hand_follow_the_account_until_it_is_left() {
        let (mut recordings, now) = (Recordings::default(), Instant::now());
        recordings.follow(&CallInfo::bare(1, CallDirection::In, CallState::Ringing));
        answered(&mut recordings, 2);
        assert!(recordings.take_due(now, |_| None).is_none());
        assert!(recordings.set(Some(rule(Required))) && !recordings.set(Some(rule(Required))));
        assert_eq!(recordings.take_due(now, |_| None).map(|info| info.call), Some(2), "also one in hand");
        assert!(recordings.take_due(now, |_| Some(false)).is_none());
        recordings.set(Some(rule(Forbidden)));
        assert_eq!((recordings.rule(2).rule, recordings.forbidden()), (Forbidden, vec![1, 2]));
        recordings.set(Some(rule(Allowed)));
        assert_eq!((recordings.rule(2).rule, recordings.forbidden()), (Allowed, vec![]));
        recordings.set(Some(rule(Required)));
        // Signing out lets go of calls to come only, and another account has no say in it.
        recordings.set(None);
        answered(&mut recordings, 3);
        assert_eq!([1, 2, 3].map(|call| recordings.rule(call).rule), [Required, Required, Allowed]);
        recordings.set(Some(rule(Forbidden)));
        assert_eq!([1, 2, 3].map(|call| recordings.rule(call).rule), [Required, Required, Forbidden]);
        // It rang when the account was left.
        answered(&mut recordings, 1);
        let recorded = |call| (call == 2).then_some(false);
        assert_eq!(recordings.take_due(now, recorded).map(|info| info.call), Some(1));
        recordings.follow(&CallInfo::bare(1, CallDirection::In, ended()));
        assert!(recordings.take_due(now, recorded).is_none());
    }

    #[test]
    fn where_a_tone_is_wanted_a_recording_without_one_is_begun_anew() {
        let (mut recordings, now) = (Recordings::default(), Instant::now());
        answered(&mut recordings, 1);
        recordings.follow(&CallInfo::bare(2, CallDirection::In, CallState::Ringing));
        for (rule, without, unrecorded) in [(Allowed, true, false), (Required, true, true)] {
            for (tone, wanted) in [(None, unrecorded), (Some(false), without), (Some(true), false)] {
                recordings.set(Some(RecordingRule { rule, tone: true }));
                assert_eq!(recordings.take_due(now, |_| tone).is_some(), wanted, "{rule:?} {tone:?}");
            }
        }
        recordings.set(Some(rule(Required)));
        assert!(recordings.take_due(now, |_| Some(false)).is_none());
    }

    #[test]
    fn a_recording_that_failed_is_no_success_of_who_stopped_it() {
        let why = || Notice::warning("The disk is full.".to_owned());
        let of = |outcome| said(7, outcome, Some(None));
        let (notice, Some(Tagged { what: Event::Done { command: "record", call: Some(7) }, .. })) = of(Ok(Some(why())))
        else {
            panic!("it is done")
        };
        assert_eq!(notice, Some(why()), "there is something to say all the same");
        let (None, Some(Tagged { what: Event::Error { command: "record", call: Some(7), message }, .. })) =
            of(Err(why()))
        else {
            panic!("an error, and no notice besides")
        };
        assert_eq!(message, why().text);
        for outcome in [Ok(Some(why())), Err(why())] {
            assert!(matches!(said(7, outcome, None), (Some(notice), None) if notice == why()), "nobody asked");
        }
    }

    #[test]
    fn who_stops_a_recording_waits_for_its_file_alone() {
        let mut recordings = Recordings::default();
        let waits = |file: &str, id: Option<u32>| (PathBuf::from(file), id.map(Value::from));
        recordings.awaited = vec![waits("a", Some(1)), waits("b", None), waits("a", Some(2))];
        for (file, mark) in
            [("b", Some(None)), ("b", None), ("a", Some(Some(1.into()))), ("a", Some(Some(2.into()))), ("a", None)]
        {
            assert_eq!(recordings.take_awaited(Path::new(file)), mark, "{file}");
        }
    }

    #[test]
    fn a_new_demand_waits_for_no_other_s_next_try() {
        let (mut recordings, now) = (Recordings::default(), Instant::now());
        answered(&mut recordings, 1);
        recordings.failed(now, 1);
        assert_eq!(recordings.poll_timeout(), None, "it was the agent's own");
        recordings.set(Some(rule(Required)));
        assert!(recordings.take_due(now, |_| None).is_some(), "every call, from now on");
        recordings.failed(now, 1);
        assert!(recordings.take_due(now, |_| None).is_none(), "this one waits");
        recordings.set(Some(RecordingRule { rule: Required, tone: true }));
        assert!(recordings.take_due(now, |_| None).is_some(), "with a tone, from now on");
        recordings.failed(now, 1);
        assert_eq!(recordings.poll_timeout(), Some(now + RETRY), "the first of its own");
        assert!(recordings.take_due(now, |_| Some(false)).is_some(), "one runs that lacks the tone");
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
            assert!(recordings.take_due(at - Duration::from_millis(1), |_| None).is_none(), "{seconds}");
            assert!(recordings.take_due(at, |_| None).is_some(), "{seconds}");
            now = at;
        }
        assert_eq!(recordings.poll_timeout(), None);
    }
}
