//! Recording calls: one file at a time for each, until it is complete.

use super::{Media, no_call};
use crate::{
    media::{engine::EngineCommand, record::Recorder},
    ua::api::CallId,
};
use std::path::Path;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Recording {
    Off,
    On,
    /// It was to stop, and its file is not complete yet. `asked`: by a command.
    Stopping {
        asked: bool,
    },
}

impl Media {
    /// Records a call into `file`. `tone`: whether both sides hear one meanwhile.
    ///
    /// # Errors
    /// A sentence.
    pub(in crate::driver) fn record(&mut self, call: CallId, file: &Path, tone: bool) -> Result<(), String> {
        let live = self.calls.get_mut(&call).ok_or_else(|| no_call(call))?;
        match live.recording {
            _ if !live.connected => return Err(format!("Call {call} is not answered yet; record it once it is.")),
            Recording::On => return Err(format!("Call {call} is being recorded already; stop that first.")),
            Recording::Stopping { .. } => return Err(still_written(call)),
            Recording::Off => {}
        }
        let recorder = Recorder::create(file, tone).map_err(|e| e.to_string())?;
        live.recording = Recording::On;
        self.tell(EngineCommand::Record { session: call, recorder: Some(recorder) });
        Ok(())
    }

    /// Stops the recording of a call; [`EngineEvent::Recorded`] comes once its file is complete. `asked`: by a command.
    ///
    /// # Errors
    /// A sentence.
    pub(in crate::driver) fn stop_recording(&mut self, call: CallId, asked: bool) -> Result<(), String> {
        let live = self.calls.get_mut(&call).ok_or_else(|| no_call(call))?;
        match live.recording {
            Recording::Off => return Err(format!("Call {call} is not being recorded.")),
            Recording::Stopping { .. } => return Err(still_written(call)),
            Recording::On => {}
        }
        live.recording = Recording::Stopping { asked };
        self.tell(EngineCommand::Record { session: call, recorder: None });
        Ok(())
    }

    pub(in crate::driver) fn is_recorded(&self, call: CallId) -> bool {
        self.calls.get(&call).is_some_and(|live| live.recording != Recording::Off)
    }

    /// The recording of this call is over. Returns whether a command waits for that while the call goes on.
    pub(in crate::driver) fn recorded(&mut self, call: CallId) -> bool {
        let Some(live) = self.calls.get_mut(&call) else { return false };
        std::mem::replace(&mut live.recording, Recording::Off) == Recording::Stopping { asked: true }
    }
}

fn still_written(call: CallId) -> String {
    format!("The recording of call {call} is still being written; try again once it is over.")
}
