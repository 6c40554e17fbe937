//! A dialog written down, so that it can be ended after its program has fallen.

use super::{Dialog, DialogId, State};
use crate::sip::uri::{NameAddr, Uri};
use serde::{Deserialize, Serialize};

/// Requests that may have gone out since it was written.
const LEAP: u32 = 1000;

/// What a request within the dialog needs, as header fields have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DialogRecord {
    call_id: String,
    local: String,
    remote: String,
    target: String,
    routes: Vec<String>,
    cseq: u32,
}

impl Dialog {
    pub fn record(&self) -> DialogRecord {
        DialogRecord {
            call_id: self.id.call_id.clone(),
            local: self.local.to_string(),
            remote: self.remote.to_string(),
            target: self.remote_target.to_string(),
            routes: self.route_set.iter().map(NameAddr::to_string).collect(),
            cseq: self.local_cseq.unwrap_or_default(),
        }
    }
}

impl DialogRecord {
    /// `None` where the record was damaged.
    pub fn restore(&self) -> Option<Dialog> {
        let address = |text: &String| text.parse::<NameAddr>().ok();
        let (local, remote) = (address(&self.local)?, address(&self.remote)?);
        let tag = |address: &NameAddr| address.tag().unwrap_or_default().to_owned();
        Some(Dialog {
            id: DialogId { call_id: self.call_id.clone(), local_tag: tag(&local), remote_tag: tag(&remote) },
            state: State::Confirmed,
            remote_target: self.target.parse::<Uri>().ok()?,
            route_set: self.routes.iter().map(address).collect::<Option<_>>()?,
            local_cseq: Some(self.cseq.saturating_add(LEAP)),
            remote_cseq: None,
            local,
            remote,
        })
    }
}
