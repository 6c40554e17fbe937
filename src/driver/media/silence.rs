//! What is said of a call in which somebody is not heard any more; on hold there is nothing to hear.

use super::Media;
use crate::{
    media::{
        engine::{Notice, SILENCE},
        evidence::undecrypted,
    },
    ua::api::{CallId, CallState},
};

impl Media {
    /// The other side; `unreadable`: although audio comes.
    pub(in crate::driver) fn silence(&self, call: CallId, unreadable: bool) -> Option<Notice> {
        let peer = self.talks_to(call)?;
        let text = match unreadable {
            true => undecrypted(peer),
            false => format!(
                "Nothing has come from {peer} for {} seconds. If they do not hear you either, hang up and call again.",
                SILENCE.as_secs()
            ),
        };
        Some(Notice::warning(text))
    }

    /// We, because the other side does not answer any more where we are to send to.
    pub(in crate::driver) fn no_consent(&self, call: CallId) -> Option<Notice> {
        let peer = self.talks_to(call)?;
        Some(Notice::warning(format!(
            "The way to {peer} no longer answers, so what you say is not sent there any more. Another way is being looked for; if you do \
             not hear each other for long, hang up and call again."
        )))
    }

    fn talks_to(&self, call: CallId) -> Option<&str> {
        let info = &self.calls.get(&call).filter(|live| live.info.state == CallState::Connected)?.info;
        Some(info.peer_name.as_ref().unwrap_or(&info.peer))
    }
}
