//! Calls are recorded as their account at the TMS says: as the agent likes, never, or every one.

use super::{Shell, wall_clock};
use crate::{
    driver::api::{Event, RecordingRule},
    media::{
        engine::{Notice, Severity},
        record::new_file,
    },
    tms::wire,
    ua::api::{CallId, CallInfo},
};
use jiff::tz::TimeZone;
use std::path::PathBuf;

impl Shell {
    /// Records a call into `file`, or stops.
    ///
    /// # Errors
    /// A sentence.
    pub(super) fn record(&mut self, call: CallId, file: Option<PathBuf>, tone: Option<bool>) -> Result<(), String> {
        permit(self.recording.rule, file.is_some())?;
        let tone = self.recording.tone || tone.unwrap_or(self.options.recording_tone);
        let (file, state) = self.media.record(call, file, tone)?;
        self.tell(Event::Recording { call, file, state });
        Ok(())
    }

    /// A call that has just been answered, where every one is to be recorded; and one whose recording has failed, at its next turn.
    pub(super) fn record_if_demanded(&mut self, info: &CallInfo) {
        let is_demanded = self.recording.rule == wire::Recording::Required;
        if !is_demanded || !info.state.is_answered() || self.media.is_recorded(info.call) {
            return;
        }
        let peer = info.peer.split_once(':').map_or(info.peer.as_str(), |(_, peer)| peer);
        let who = info.peer_name.as_deref().unwrap_or(peer);
        let when = wall_clock().to_zoned(TimeZone::system());
        let begun = new_file(&self.options.recordings, &when, who)
            .map_err(|why| format!("The folder for recordings cannot be made: {why}."))
            .and_then(|file| {
                let tone = self.recording.tone || self.options.recording_tone;
                self.media.record(info.call, Some(file), tone)
            });
        match begun {
            Ok((file, state)) => self.tell(Event::Recording { call: info.call, file, state }),
            Err(why) => {
                let text = format!("Your account wants every call recorded, and this one is not. {why}");
                self.tell(Event::Notice(Notice { severity: Severity::Warning, text }));
            }
        }
    }

    pub(super) fn keep_recording_rule(&mut self, rule: RecordingRule) {
        if std::mem::replace(&mut self.recording, rule) != rule {
            self.tell(Event::RecordingRule(rule));
        }
    }
}

fn permit(rule: wire::Recording, begins: bool) -> Result<(), String> {
    match (rule, begins) {
        (wire::Recording::Forbidden, true) => {
            Err("Your account does not allow calls to be recorded; its administrator can change that at the TMS."
                .into())
        }
        (wire::Recording::Required, false) => {
            Err("Your account wants every call recorded, to its end; its administrator can change that at the TMS."
                .into())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_account_forbids_is_refused_in_words() {
        use wire::Recording::{Allowed, Forbidden, Required};
        for (rule, begins, words) in [
            (Allowed, true, None),
            (Allowed, false, None),
            (Forbidden, true, Some("does not allow")),
            // It was begun before that was forbidden.
            (Forbidden, false, None),
            (Required, true, None),
            (Required, false, Some("every call recorded")),
        ] {
            let said = permit(rule, begins).err();
            assert_eq!(said.is_some(), words.is_some(), "{rule:?} {begins}");
            assert!(said.unwrap_or_default().contains(words.unwrap_or_default()), "{rule:?} {begins}");
        }
    }
}
