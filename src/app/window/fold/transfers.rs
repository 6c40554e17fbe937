//! Transfers, and calls that others ask for, in the snapshot.

use super::{Fold, short_address};
use crate::{
    driver::api::Event,
    ua::api::TransferState,
    ui::snapshot::{DialAsked, Transfer},
};

impl Fold {
    pub(super) fn transfers(&mut self, event: Event) {
        match event {
            Event::Transfer { call, state } => self.with_call(call, |shown| shown.transfer = transfer(state)),
            Event::DialAsked { request, from, to } => {
                let short = |address: &str| short_address(address, self.domain.as_deref());
                self.snapshot.dial_asked = Some(DialAsked { request, from: short(&from), to: short(&to) });
            }
            Event::DialAskedOver { request } => {
                self.snapshot.dial_asked.take_if(|asked| asked.request == request);
            }
            _ => {}
        }
    }
}

fn transfer(state: TransferState) -> Option<Transfer> {
    match state {
        TransferState::Trying { code } => Some(Transfer::Trying { ringing: code.is_some_and(|code| code >= 180) }),
        TransferState::Failed { reason, .. } => Some(Transfer::Failed { reason }),
        TransferState::Done { .. } => None,
    }
}
