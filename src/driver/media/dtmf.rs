//! Digits sent in a call: by its media, or by SIP.

use super::Media;
use crate::{
    driver::api::Dtmf,
    media::engine::{DtmfVia, EngineCommand},
    ua::api::CallId,
};

/// How digits are sent by the engine, where they are.
pub(in crate::driver) const fn in_media(via: Option<Dtmf>) -> Result<Option<DtmfVia>, ViaInfo> {
    match via {
        None => Ok(None),
        Some(Dtmf::Media(via)) => Ok(Some(via)),
        Some(Dtmf::Info) => Err(ViaInfo),
    }
}

/// The digits go by SIP INFO.
#[derive(Debug)]
pub(in crate::driver) struct ViaInfo;

impl Media {
    /// Sends digits in the call's media.
    ///
    /// # Errors
    /// A sentence.
    pub(in crate::driver) fn dtmf(&mut self, call: CallId, digits: String, via: Option<DtmfVia>) -> Result<(), String> {
        let live = self.live(call)?;
        let Some(plan) = self.plans.get(&call).filter(|_| live.connected) else {
            return Err(format!("Call {call} is not connected yet; send digits once it is."));
        };
        if !plan.direction.sends() {
            return Err(format!("The other side has put call {call} on hold; send digits once it is back."));
        }
        let via = match (via, plan.telephone_event) {
            (Some(DtmfVia::Rfc4733), None) => {
                return Err(format!(
                    "The other side of call {call} takes no RFC 4733 digits; send them via info or inband."
                ));
            }
            (Some(via), _) => via,
            (None, Some(_)) => DtmfVia::Rfc4733,
            (None, None) => DtmfVia::Inband,
        };
        self.tell(EngineCommand::Dtmf { session: call, digits, via });
        Ok(())
    }
}
