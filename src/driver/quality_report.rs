//! The report of a call's quality at its end (RFC 6035): who talked with whom, kept until the audio's last figures are known.

use crate::{
    media::{
        evidence::{CallNames, report},
        stats::CallStats,
    },
    sip::{
        dialog::Dialog,
        uri::{NameAddr, Uri},
    },
    ua::api::{CallDirection, CallId, CallInfo, CallState, Command},
};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Calls kept; the oldest are forgotten first.
const MOST: usize = 64;

/// Answered calls whose report is still to be written.
#[derive(Debug)]
pub(super) struct QualityReports {
    collector: Option<Uri>,
    /// It is reached without the account's servers.
    direct: bool,
    calls: BTreeMap<CallId, (CallNames, Timestamp)>,
}

impl QualityReports {
    /// `collector`: who wants reports, if anybody does.
    pub(super) const fn new(collector: Option<Uri>) -> Self {
        Self { collector, direct: false, calls: BTreeMap::new() }
    }

    /// Whoever wants them from now on. `direct`: not by way of the account's servers.
    pub(super) fn send_to(&mut self, collector: Option<Uri>, direct: bool) {
        (self.collector, self.direct) = (collector, direct);
    }

    /// Notes a call as soon as it is answered.
    pub(super) fn follow(&mut self, now: Timestamp, info: &CallInfo, dialog: Option<&Dialog>) {
        let Some(dialog) = dialog.filter(|_| self.collector.is_some() && info.state == CallState::Connected) else {
            return;
        };
        self.calls.entry(info.call).or_insert_with(|| (names(dialog, info.direction), now));
        if self.calls.len() > MOST {
            self.calls.pop_first();
        }
    }

    /// A call's last figures. Returns the order to publish them.
    pub(super) fn ended(&mut self, now: Timestamp, call: CallId, stats: &CallStats) -> Option<Command> {
        let (names, start) = self.calls.remove(&call)?;
        let body = report(&names, (start, now), stats)?;
        Some(Command::ReportQuality { collector: self.collector.clone()?, body, direct: self.direct })
    }
}

fn names(dialog: &Dialog, direction: CallDirection) -> CallNames {
    let group = |address: &NameAddr| match &address.uri {
        Uri::Sip(sip) => sip.host.to_string(),
        Uri::Tel { .. } | Uri::Other { .. } => "-".to_owned(),
    };
    let (id, local, remote) = (dialog.id(), dialog.local(), dialog.remote());
    CallNames {
        call_id: id.call_id.clone(),
        local: local.uri.to_string(),
        remote: remote.uri.to_string(),
        local_tag: id.local_tag.clone(),
        remote_tag: id.remote_tag.clone(),
        outgoing: direction == CallDirection::Out,
        local_group: group(local),
        remote_group: group(remote),
    }
}
