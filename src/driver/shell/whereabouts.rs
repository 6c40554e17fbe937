//! How we are seen, and what follows when the network changes.

use super::{Shell, wall_clock};
use crate::{
    driver::{
        api::Event,
        local,
        network::{self, Change},
    },
    sip::flow::Transport,
    ua::api as agent,
};
use std::{net::SocketAddr, time::Instant};

impl Shell {
    pub(super) fn look_at_network(&mut self, now: Instant) {
        let registered = self.agent.registered_over().map(|flow| flow.remote);
        let Some(server) = registered.or(self.towards).filter(|_| self.agent.has_account()) else { return };
        let local = local::ip_towards(self.bound.ip(), server).ok();
        let Some(change) = self.watch.observe(now, wall_clock(), server, local) else { return };
        tracing::info!("the network has changed: {change:?}");
        let (address, change) = match change {
            Change::Lost => (None, agent::NetworkChange::Lost { patience: network::PATIENCE }),
            Change::Moved(ip) => (Some(ip), agent::NetworkChange::Moved),
            Change::Back(ip) => (Some(ip), agent::NetworkChange::Back),
        };
        if let Some(ip) = address {
            self.dns.forget();
            self.reach.look_up();
            self.set_local((ip, self.bound.port()).into());
            // They began at an address that is gone, or at one whose peers have long forgotten them.
            for (flow, lost) in self.transports.close_all() {
                self.flow_lost(now, flow, "the network has changed", lost);
            }
        }
        self.tell(Event::Network { address, patience: network::PATIENCE });
        self.agent.handle_command(now, agent::Command::Network(change));
    }

    /// How `remote` sees us, where we are bound to every address.
    pub(super) fn set_local_towards(&mut self, remote: SocketAddr) -> Result<(), String> {
        if !self.transports.reaches(remote) {
            let family = if remote.is_ipv6() { "IPv6" } else { "IPv4" };
            return Err(format!(
                "{} cannot be reached from {}; use an {family} address with --bind",
                remote.ip(),
                self.bound.ip()
            ));
        }
        if self.bound.ip().is_unspecified() {
            let ip = local::ip_towards(self.bound.ip(), remote)
                .map_err(|e| format!("there is no way to {} ({e}); check your network", remote.ip()))?;
            self.set_local((ip, self.bound.port()).into());
        }
        Ok(())
    }

    pub(super) fn set_local(&mut self, address: SocketAddr) {
        for transport in Transport::ALL {
            self.agent.set_local(transport, address);
        }
    }
}
