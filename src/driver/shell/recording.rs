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
    /// The last time that it was.
    tried_at: Option<Instant>,
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
            let new = || Bound {
                info: info.clone(),
                rule: self.rule,
                is_last_word: false,
                failures: 0,
                retry_at: None,
                tried_at: None,
            };
            self.calls.entry(info.call).or_insert_with(new).info = info.clone();
        }
    }

    fn rule(&self, call: CallId) -> RecordingRule {
        self.calls.get(&call).map_or(self.rule, |bound| bound.rule)
    }

    /// The recording of this call has failed, or could not be begun. What is not demanded is not tried again. Returns what becomes of
    /// it, as a sentence to append.
    fn failed(&mut self, now: Instant, call: CallId) -> &'static str {
        let demanded = |bound: &&mut Bound| bound.rule.rule == wire::Recording::Required;
        let Some(bound) = self.calls.get_mut(&call).filter(demanded) else { return " Record again to go on." };
        // What ran for so long has worked, and what befell it now is another trouble.
        if bound.tried_at.is_some_and(|at| now.saturating_duration_since(at) >= LONGEST_RETRY) {
            bound.failures = 0;
        }
        let patience = (RETRY * 2_u32.saturating_pow(bound.failures.min(10))).min(LONGEST_RETRY);
        bound.failures += 1;
        bound.retry_at = Some(now + patience);
        " Recording is tried again by itself."
    }

    /// A call that is to be recorded now, or with a tone, and is not. `tone`: see [`crate::driver::media::Media::recording_tone`].
    fn take_due(&mut self, now: Instant, tone: impl Fn(CallId) -> Option<bool>) -> Option<CallInfo> {
        self.calls.values_mut().find_map(|bound| {
            if bound.retry_at.take_if(|at| *at <= now).is_some() {
                bound.tried_at = Some(now);
            }
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
    pub(super) fn recorded(&mut self, now: Instant, call: CallId, Ended { file, mut outcome }: Ended) {
        let awaited = self.recording.take_awaited(&file);
        // One of that name may run already.
        let ran = awaited.is_none() && self.media.recorded(call, &file);
        // One that was stopped is not missed.
        if ran && let Err(why) = &mut outcome {
            why.text += self.recording.failed(now, call);
        }
        let state = if outcome.is_ok() { RecordingState::Over } else { RecordingState::Failed };
        let (notice, answer) = said(call, outcome, awaited);
        notice.into_iter().for_each(|notice| self.tell(Event::Notice(notice)));
        self.tell(Event::Recording { call, file, state });
        answer.into_iter().for_each(|answer| (self.events)(answer));
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
                    let next = self.recording.failed(now, call);
                    let wish = if had_no_tone { "a tone in recordings now" } else { "every call recorded" };
                    let why = why.trim_end_matches('.');
                    (
                        Severity::Warning,
                        format!("Your account wants {wish}, and this call is not recorded: {why}.{next}"),
                    )
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
mod tests;
