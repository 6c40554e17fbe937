//! Recording calls: one at a time for each; the file of the one before may still be written.

use super::{Media, no_call};
use crate::{
    media::{engine::EngineCommand, record::Recorder},
    ua::api::CallId,
};
use std::path::{Path, PathBuf};

/// The recording of a call that runs.
pub(super) struct Recording {
    file: PathBuf,
    has_tone: bool,
}

impl Media {
    /// Records a call into `file`. `tone`: whether both sides hear one meanwhile.
    ///
    /// # Errors
    /// A sentence.
    pub(in crate::driver) fn record(&mut self, call: CallId, file: &Path, tone: bool) -> Result<(), String> {
        let live = self.calls.get_mut(&call).ok_or_else(|| no_call(call))?;
        if !live.connected {
            return Err(format!("Call {call} is not answered yet; record it once it is."));
        }
        if live.recording.is_some() {
            return Err(format!("Call {call} is being recorded already; stop that first."));
        }
        let recorder = Recorder::create(file, tone).map_err(|e| e.to_string())?;
        live.recording = Some(Recording { file: file.to_owned(), has_tone: tone });
        self.tell(EngineCommand::Record { session: call, recorder: Some(recorder) });
        Ok(())
    }

    /// Stops the recording of a call. Returns its file, complete once [`EngineEvent::Recorded`] says so.
    ///
    /// # Errors
    /// A sentence.
    pub(in crate::driver) fn stop_recording(&mut self, call: CallId) -> Result<PathBuf, String> {
        let live = self.calls.get_mut(&call).ok_or_else(|| no_call(call))?;
        let Recording { file, .. } =
            live.recording.take().ok_or_else(|| format!("Call {call} is not being recorded."))?;
        self.tell(EngineCommand::Record { session: call, recorder: None });
        Ok(file)
    }

    /// Whether the recording of this call has a tone; `None`: it is not recorded.
    pub(in crate::driver) fn recording_tone(&self, call: CallId) -> Option<bool> {
        self.calls.get(&call)?.recording.as_ref().map(|recording| recording.has_tone)
    }

    /// The recording into this file is over. Returns whether it was the one that was to go on.
    pub(in crate::driver) fn recorded(&mut self, call: CallId, file: &Path) -> bool {
        let running = self.calls.get_mut(&call).map(|live| &mut live.recording);
        running.and_then(|running| running.take_if(|recording| recording.file == file)).is_some()
    }
}
