//! What keeps the agent reachable and its calls alive beside the calls themselves: keep-alives, changes of the network, and what a
//! program before this one left behind.

use super::UserAgent;
use crate::{
    sip::{
        dialog::{Dialog, DialogRecord},
        flow::Flow,
        uri::Uri,
    },
    ua::{
        api::{CallId, NetworkChange},
        farewell::Parting,
        registration::{Registration, outbound_route},
        session::Session,
    },
};
use std::time::{Duration, Instant};

impl UserAgent {
    /// A keep-alive over this flow was answered.
    pub fn handle_pong(&mut self, now: Instant, flow: Flow) {
        if let Some(registration) = &mut self.registration {
            registration.handle_pong(&mut self.stack, flow);
        }
        self.run(now);
    }

    /// Whether the registrar keeps the flow of [`UserAgent::registered_over`] (RFC 5626), and the sign of life it wants
    /// (Flow-Timer).
    pub fn keeps_flow(&self) -> Option<Option<Duration>> {
        self.registration.as_ref().and_then(Registration::keeps_flow)
    }

    pub fn account_name(&self) -> Option<String> {
        self.registration.as_ref().map(|registration| registration.account().name.clone())
    }

    /// Answered calls, for ending them should this program fall.
    pub fn dialogs(&self) -> Vec<DialogRecord> {
        self.sessions.values().filter_map(Session::record).collect()
    }

    /// The dialog of an answered call.
    pub fn dialog(&self, call: CallId) -> Option<&Dialog> {
        self.sessions.get(&call).and_then(Session::dialog)
    }

    pub(super) fn report_quality(&mut self, collector: Uri, body: String, direct: bool) {
        let online = self.registration.as_ref().map(|online| (online.account(), online.route_set()));
        if let Some((account, routes)) = online.or_else(|| self.left.as_ref().map(|left| (left, outbound_route(left))))
        {
            let routes = if direct { Vec::new() } else { routes };
            self.publications.report_quality(&mut self.stack, (account, &routes), collector, body);
        }
    }

    pub(super) fn end_orphans(&mut self, dialogs: &[DialogRecord]) {
        let Some(account) = self.registration.as_ref().map(|registration| registration.account().clone()) else {
            return;
        };
        for dialog in dialogs.iter().filter_map(DialogRecord::restore) {
            let reason = Some("SIP;cause=500;text=\"Agent Manager was started anew\"".to_owned());
            let parting = Parting::Bye { dialog: Box::new(dialog), account: account.clone(), reason };
            self.farewells.say(&mut self.stack, parting);
        }
    }

    /// The registrar no longer leads to us: calls go on with our own address.
    pub(super) fn readdress(&mut self) {
        for session in self.sessions.values_mut() {
            session.readdressed(&mut self.stack);
        }
    }

    pub(super) fn network_changed(&mut self, now: Instant, change: NetworkChange) {
        if let Some(registration) = &mut self.registration {
            registration.handle_network(now, &mut self.stack, change);
        }
        if change == NetworkChange::Moved {
            for session in self.sessions.values_mut() {
                session.moved(&mut self.stack);
            }
        }
    }
}
