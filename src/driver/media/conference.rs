//! Calls that are to be joined.

use super::Media;
use crate::{
    media::engine::EngineCommand,
    ua::api::{CallId, CallState},
};
use std::collections::BTreeSet;

impl Media {
    /// Wants these calls joined. Returns those that are to be taken off hold for it.
    ///
    /// # Errors
    /// A sentence.
    pub(in crate::driver) fn confer(&mut self, calls: &[CallId]) -> Result<Vec<CallId>, String> {
        let members: BTreeSet<_> = calls.iter().copied().collect();
        if members.len() < 2 {
            return Err("A conference needs two different calls or more.".into());
        }
        let mut held = Vec::new();
        for &call in &members {
            let live = self.live(call)?;
            if !live.connected {
                return Err(format!("Call {call} is not answered yet; join it once it is."));
            }
            if live.info.state == CallState::Held {
                held.push(call);
            }
        }
        self.joining = Some(members.into_iter().collect());
        Ok(held)
    }

    /// The call could not be taken off hold; whether calls are not joined because of it.
    pub(in crate::driver) fn stays_held(&mut self, call: CallId) -> bool {
        self.joining.take_if(|joining| joining.contains(&call)).is_some()
    }

    /// Joins the calls that were wanted, once all of them talk; told once.
    pub(in crate::driver) fn poll_conference(&mut self) -> Option<Result<(), String>> {
        let joining = self.joining.as_ref()?;
        let state = |call: &CallId| self.calls.get(call).map(|live| &live.info.state);
        if let Some(gone) = joining.iter().find(|call| state(call).is_none()) {
            let why = format!("Call {gone} ended before the calls could be joined.");
            self.joining = None;
            return Some(Err(why));
        }
        if joining.iter().any(|call| state(call) == Some(&CallState::Held)) {
            return None;
        }
        let sessions = self.joining.take()?;
        self.tell(EngineCommand::Conference { sessions });
        Some(Ok(()))
    }
}
