//! The HTTP side's orders, carried out by Kamailio. What is held is read from the table that Kamailio writes through: one
//! question for any number of registrations and of Kamailios. What changes is ordered by JSON-RPC, for memory decides there.

#[cfg(test)]
mod tests;

use std::{
    collections::HashSet,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use sqlx::{PgPool, Row, postgres::PgRow};
use tokio::{
    sync::{Semaphore, broadcast::error::RecvError, mpsc},
    task::JoinSet,
};

use super::{
    caller::{Begin, Caller},
    rpc::{Dialog, Rpc, RpcError},
};
use crate::{
    server::{
        clock::{self, Clock},
        contacts::{Call, Contact, Order, TAKEOVER_HOLD},
        notices::{Notice, Notices},
    },
    sip::uri::{Host, SipUri, Uri},
};

const LOCATION: &str = "kamailio_location";
/// Orders under way at a time.
const AT_ONCE: usize = 32;
/// How long a Kamailio on another machine may take to let a contact go, and how often it is looked whether it has.
const ELSEWHERE: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(20);

/// Kamailio as the SIP side; cheap to clone.
#[derive(Clone, Debug)]
pub struct KamailioRegistrar {
    database: PgPool,
    clock: Clock,
    notices: Notices,
    /// On this machine. Each of them is told; only one, here or elsewhere, has the contact in question.
    nodes: Arc<[Rpc]>,
}

#[derive(Debug, thiserror::Error)]
enum OrderError {
    #[error("the database does not answer: {0}")]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Rpc(#[from] RpcError),
}

impl KamailioRegistrar {
    pub fn new(database: PgPool, clock: Clock, notices: Notices, nodes: Vec<Rpc>) -> Self {
        Self { database, clock, notices, nodes: nodes.into() }
    }

    /// Carries orders out until nobody can give any more. Whoever waits for one has given no other about the same meanwhile,
    /// so they run side by side.
    pub async fn run(self, mut orders: mpsc::Receiver<Order>) {
        let places = Arc::new(Semaphore::new(AT_ONCE));
        let mut under_way = JoinSet::new();
        under_way.spawn(self.clone().follow_others());
        let (caller, machine) = Caller::new(self.nodes.iter().map(Rpc::address).collect());
        under_way.spawn(machine.run());
        while let Some(order) = orders.recv().await {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            while under_way.try_join_next().is_some() {}
            let (registrar, caller) = (self.clone(), caller.clone());
            under_way.spawn(async move {
                // A reply that is dropped says "not known now".
                if let Err(error) = registrar.carry_out(order, &caller).await {
                    tracing::error!(%error, "an order to Kamailio was not carried out");
                }
                drop(place);
            });
        }
    }

    /// Removes what other processes ask to have removed. One that is missed stays until its device comes again and is refused.
    async fn follow_others(self) {
        let mut notices = self.notices.subscribe();
        loop {
            match notices.recv().await {
                Ok(Notice::Evict { realm, registration }) => {
                    if let Err(error) = self.remove_here(&realm, &registration).await {
                        tracing::error!(%error, "a contact was not removed for another process");
                    }
                }
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    }

    async fn carry_out(&self, order: Order, caller: &Caller) -> Result<(), OrderError> {
        // Whoever asked may have gone.
        match order {
            Order::Held { realm, registrations, reply } => {
                let _ = reply.send(self.held(&realm, registrations).await?);
            }
            Order::TakeOver { realm, registration, session, instance_id, reply } => {
                self.take_over(&realm, &registration, session, &instance_id).await?;
                let _ = reply.send(());
            }
            Order::EndSession { session, reply } => {
                self.end_session(session).await?;
                let _ = reply.send(());
            }
            Order::Remove { realm, registration, reply } => {
                self.release(&registration).await?;
                self.remove(&realm, &registration).await?;
                let _ = reply.send(());
            }
            Order::Calls { realm, reply } => {
                let _ = reply.send(caller.list(&realm, self.calls(&realm).await?).await);
            }
            Order::HangUp { realm, call, reply } => {
                let begun = caller.hang_up(&realm, &call).await;
                let _ = reply.send(begun || self.hang_up(&realm, &call).await?);
            }
            Order::Originate { realm, mut extension, destination, reply } => {
                let held = self.held(&realm, extension.registrations.clone()).await?;
                extension.registrations.retain(|name| held.iter().any(|contact| contact.registration == *name));
                let devices = self.devices(&realm, &extension.registrations).await?;
                if devices.is_empty() && !held.is_empty() {
                    let _ = reply.send(Err(elsewhere(&extension.extension.number)));
                    return Ok(());
                }
                let begin = Begin { realm, extension, devices, destination, since: self.clock.now() };
                if let Some(begun) = caller.begin(begin).await {
                    let _ = reply.send(begun);
                }
            }
            Order::Close { reply } => {
                caller.close().await;
                let _ = reply.send(());
            }
        }
        Ok(())
    }

    async fn held(&self, realm: &str, registrations: Vec<String>) -> Result<Vec<Contact>, OrderError> {
        let rows = sqlx::query(
            "SELECT username, user_agent, received, contact, instance, since, expires, session_id FROM kamailio_location
             WHERE domain = $1 AND username = ANY ($2) AND expires > $3",
        )
        .bind(realm)
        .bind(registrations)
        .bind(self.clock.now_ms() / 1000)
        .fetch_all(&self.database)
        .await?;
        Ok(rows.iter().map(|row| contact(realm, row)).collect::<Result<_, _>>()?)
    }

    /// Those of the registrations that this machine's Kamailios have, each with the one that has it.
    async fn devices(&self, realm: &str, registrations: &[String]) -> Result<Vec<(SocketAddr, String)>, OrderError> {
        let (mut devices, mut done) = (Vec::new(), Ok(()));
        for node in self.nodes.iter() {
            for name in registrations {
                match node.has(LOCATION, &format!("{name}@{realm}")).await {
                    Ok(true) => devices.push((node.address(), name.clone())),
                    Ok(false) => {}
                    // The others' can ring.
                    Err(error) => done = Err(error),
                }
            }
        }
        if devices.is_empty() {
            done?;
        }
        Ok(devices)
    }

    /// First the hold, so that the device that is pushed off finds the door closed; then off with it.
    async fn take_over(&self, realm: &str, registration: &str, session: i64, instance: &str) -> Result<(), OrderError> {
        let until = self.clock.now_ms() + TAKEOVER_HOLD.as_millis() as i64;
        sqlx::query(
            "INSERT INTO sip_takeover (registration_id, session_id, instance_id, until)
             SELECT r.id, $2, $3, $4 FROM registration r WHERE r.name = $1
             ON CONFLICT (registration_id) DO UPDATE
             SET session_id = excluded.session_id, instance_id = excluded.instance_id, until = excluded.until",
        )
        .bind(registration)
        .bind(session)
        .bind(instance)
        .bind(until)
        .execute(&self.database)
        .await?;
        let held = self.held(realm, vec![registration.to_owned()]).await?;
        let own = |contact: &Contact| contact.instance_id.as_ref().is_some_and(|id| id.eq_ignore_ascii_case(instance));
        if held.is_empty() || !held.iter().all(own) {
            // The hold stands: whom a node that is down did not remove is refused at the next refresh.
            if let Err(error) = self.remove(realm, registration).await {
                tracing::warn!(%error, "taken over, but not everywhere");
            }
        }
        Ok(())
    }

    async fn end_session(&self, session: i64) -> Result<(), OrderError> {
        sqlx::query("DELETE FROM sip_takeover WHERE session_id = $1").bind(session).execute(&self.database).await?;
        let rows = sqlx::query("SELECT username, domain FROM kamailio_location WHERE session_id = $1")
            .bind(session)
            .fetch_all(&self.database)
            .await?;
        let mut done = Ok(());
        for row in rows {
            let (name, realm): (String, String) = (row.try_get("username")?, row.try_get("domain")?);
            done = done.and(self.remove(&realm, &name).await);
        }
        done
    }

    /// Ends a takeover.
    async fn release(&self, registration: &str) -> Result<(), OrderError> {
        sqlx::query("DELETE FROM sip_takeover WHERE registration_id = (SELECT id FROM registration WHERE name = $1)")
            .bind(registration)
            .execute(&self.database)
            .await?;
        Ok(())
    }

    /// Returns once no Kamailio has the contact any more: each process commands those on its own machine.
    async fn remove(&self, realm: &str, registration: &str) -> Result<(), OrderError> {
        let held = || self.held(realm, vec![registration.to_owned()]);
        let before = held().await?;
        self.remove_here(realm, registration).await?;
        if before.is_empty() {
            return Ok(());
        }
        self.notices.tell_others(Notice::Evict { realm: realm.to_owned(), registration: registration.to_owned() });
        let gone = async {
            // Who has come since is another holder.
            while held().await?.iter().any(|now| before.iter().any(|then| then.since == now.since)) {
                tokio::time::sleep(LOOK).await;
            }
            Ok(())
        };
        tokio::time::timeout(ELSEWHERE, gone).await.unwrap_or_else(|_| {
            tracing::error!(registration, "no process has removed the contact: does tms run beside every Kamailio?");
            Ok(())
        })
    }

    async fn remove_here(&self, realm: &str, registration: &str) -> Result<(), OrderError> {
        let aor = format!("{registration}@{realm}");
        let mut done = Ok(());
        // One that does not answer keeps none of the others from it.
        for node in self.nodes.iter() {
            done = done.and(node.remove(LOCATION, &aor).await);
        }
        Ok(done?)
    }

    /// Each once, also one that came by a second time and so has two dialogs.
    async fn calls(&self, realm: &str) -> Result<Vec<Call>, OrderError> {
        let (mut calls, mut listed, mut silent) = (Vec::new(), HashSet::new(), None);
        for node in self.nodes.iter() {
            match node.dialogs().await {
                Ok(dialogs) => calls.extend(dialogs.iter().filter_map(|dialog| call(realm, dialog))),
                // The others' are shown.
                Err(error) => silent = Some(error),
            }
        }
        calls.retain(|call: &Call| listed.insert(call.id.clone()));
        match silent {
            Some(error) if calls.is_empty() => Err(error.into()),
            Some(error) => {
                tracing::warn!(%error, "calls are missing in the list");
                Ok(calls)
            }
            None => Ok(calls),
        }
    }

    /// Of the Kamailios on this machine: each process ends those that it lists.
    async fn hang_up(&self, realm: &str, id: &str) -> Result<bool, OrderError> {
        let mut done = Ok(false);
        for node in self.nodes.iter() {
            match node.dialogs().await {
                Ok(dialogs) => {
                    let wanted = |dialog: &&Dialog| call(realm, dialog).is_some_and(|call| call.id == id);
                    if let Some(dialog) = dialogs.iter().find(wanted) {
                        return Ok(node.hang_up(dialog).await?);
                    }
                }
                // It may be another's.
                Err(error) => done = Err(error.into()),
            }
        }
        done
    }
}

/// Why none can ring although some are online.
fn elsewhere(number: &str) -> String {
    format!(
        "The devices of extension {number} are registered at a Kamailio on another machine, so this TMS cannot ring them. Ask the \
         TMS on that machine."
    )
}

fn contact(realm: &str, row: &PgRow) -> Result<Contact, sqlx::Error> {
    let received: Option<String> = row.try_get("received")?;
    let uri: String = row.try_get("contact")?;
    let instance: Option<String> = row.try_get("instance")?;
    let expires: i64 = row.try_get("expires")?;
    let at: Option<Uri> = received.as_deref().unwrap_or(&uri).parse().ok();
    let at = at.as_ref().and_then(Uri::as_sip);
    Ok(Contact {
        realm: realm.to_owned(),
        registration: row.try_get("username")?,
        device: row.try_get("user_agent")?,
        address: at.map_or(NOWHERE, address),
        since: clock::from_ms(row.try_get("since")?),
        expires_at: clock::from_ms(expires.saturating_mul(1000)),
        instance_id: instance.map(|id| id.trim_start_matches('<').trim_end_matches('>').to_owned()),
        session: row.try_get("session_id")?,
        // As `route[ANSWERED_IN]` has measured it; what a device writes into its own address is not taken for that.
        latency: at.filter(|_| received.is_some()).and_then(took),
    })
}

/// An address that names none, as a device on the internet may write.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

fn address(uri: &SipUri) -> SocketAddr {
    match uri.host {
        Host::Ip(ip) => SocketAddr::new(ip, uri.port.unwrap_or(5060)),
        Host::Name(_) => NOWHERE,
    }
}

fn took(received: &SipUri) -> Option<Duration> {
    received.param("took")?.parse().ok().map(Duration::from_millis)
}

/// The call that it is, where it is one of the realm's and not over.
fn call(realm: &str, dialog: &Dialog) -> Option<Call> {
    let party = |uri: &str| uri.parse::<Uri>().ok().and_then(|uri| uri.as_sip().cloned());
    let from = party(&dialog.from_uri).filter(|from| from.host.to_string() == realm && dialog.state < 5)?;
    Some(Call {
        id: dialog.call_id.clone(),
        from: from.user.unwrap_or_default(),
        to: party(&dialog.to_uri).and_then(|to| to.user).unwrap_or_else(|| dialog.to_uri.clone()),
        since: clock::from_ms(dialog.init_ts.saturating_mul(1000)),
        answered: dialog.is_answered(),
    })
}
