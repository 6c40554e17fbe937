//! Asks the DNS what [`locate`](crate::sip::locate) wants to know: NAPTR and SRV by hickory; addresses by the system, which knows
//! the hosts file and multicast names too, unless a DNS server was named.

use crate::sip::{
    entropy::Entropy,
    flow::{Flow, Transport},
    locate::{Answer, Locate, Naptr, Question, Srv, Step},
    target::Target,
    uri::Host,
};
use futures_util::future::join_all;
use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts},
    net::{NetError, runtime::TokioRuntimeProvider},
    proto::rr::{RData, Record, RecordType},
};
use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

/// One query, which is tried twice; a resolver that does not know NAPTR must not hold up a call for long.
const QUERY: Duration = Duration::from_millis(1500);
/// All of a look-up.
const TIMEOUT: Duration = Duration::from_secs(8);

/// What a look-up gave.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// What was asked for; a certificate must be for this (RFC 5922 §7.1).
    pub host: Host,
    /// In their order.
    pub flows: Vec<Flow>,
}

/// Whom to ask.
#[derive(Clone)]
pub(super) struct Dns {
    /// In place of the system's.
    server: Option<SocketAddr>,
    /// Made at the first question.
    resolver: Option<TokioResolver>,
    /// Draws among servers of equal standing, the same ones all the time.
    seed: u64,
}

impl Dns {
    pub(super) fn new(server: Option<SocketAddr>, entropy: &mut Entropy) -> Self {
        Self { server, resolver: None, seed: entropy.u64() }
    }

    /// The network has changed, and with it perhaps the system's servers and what they say.
    pub(super) fn forget(&mut self) {
        self.resolver = None;
    }

    /// A copy for one look-up; copies share what they learn.
    pub(super) fn ready(&mut self) -> Self {
        if self.resolver.is_none() {
            self.resolver =
                resolver(self.server).inspect_err(|e| tracing::info!("no SRV records are looked up: {e}")).ok();
        }
        self.clone()
    }

    /// `only`: the transport to be used where the URI leaves it open.
    ///
    /// # Errors
    /// A clause with the way out.
    pub(super) async fn look_up(self, target: Target, only: Option<Transport>) -> Result<Found, String> {
        let Some(mut locate) = Locate::new(&target, only) else {
            return Ok(Found { flows: target.numeric().into_iter().collect(), host: target.host });
        };
        let asking = async {
            let (mut answers, mut entropy) = (Vec::new(), Entropy::from_seed(self.seed));
            loop {
                match locate.next(std::mem::take(&mut answers), &mut entropy) {
                    Step::Ask(questions) => answers = join_all(questions.iter().map(|q| self.ask(q))).await,
                    Step::Found(flows) => return Ok(flows),
                    Step::Failed(why) => return Err(why),
                }
            }
        };
        let slow = || format!("looking up {} takes too long; check your network", target.host);
        let flows = tokio::time::timeout(TIMEOUT, asking).await.map_err(|_| slow())??;
        Ok(Found { host: target.host, flows })
    }

    async fn ask(&self, question: &Question) -> Answer {
        match question {
            Question::Naptr(name) => {
                self.records(name, RecordType::NAPTR, naptr).await.map_or(Answer::Failed, Answer::Naptr)
            }
            Question::Srv(name) => self.records(name, RecordType::SRV, srv).await.map_or(Answer::Failed, Answer::Srv),
            Question::Addresses(name) if self.server.is_none() => {
                match tokio::net::lookup_host((name.as_str(), 0)).await {
                    Ok(found) => Answer::Addresses(found.map(|address| address.ip()).collect()),
                    // The system does not say whether there is none, or nobody to ask.
                    Err(_) => Answer::Addresses(Vec::new()),
                }
            }
            Question::Addresses(name) => {
                let (six, four) = tokio::join!(
                    self.records(name, RecordType::AAAA, address),
                    self.records(name, RecordType::A, address)
                );
                match (six, four) {
                    (None, None) => Answer::Failed,
                    (six, four) => Answer::Addresses(six.into_iter().chain(four).flatten().collect()),
                }
            }
        }
    }

    /// `None`: the DNS does not tell.
    async fn records<T>(&self, name: &str, kind: RecordType, read: impl Fn(&RData) -> Option<T>) -> Option<Vec<T>> {
        // Search domains are for people at a prompt.
        let name = format!("{}.", name.trim_end_matches('.'));
        match self.resolver.as_ref()?.lookup(name, kind).await {
            Ok(found) => Some(found.answers().iter().filter_map(|record: &Record| read(&record.data)).collect()),
            Err(NetError::Dns(error)) if NetError::Dns(error.clone()).is_no_records_found() => Some(Vec::new()),
            Err(error) => {
                tracing::debug!("looking up {kind} fails: {error}");
                None
            }
        }
    }
}

fn resolver(server: Option<SocketAddr>) -> Result<TokioResolver, NetError> {
    let mut builder = match server {
        None => TokioResolver::builder_tokio()?,
        Some(server) => {
            let at = |mut connection: ConnectionConfig| {
                connection.port = server.port();
                connection
            };
            let mut named = NameServerConfig::udp_and_tcp(server.ip());
            named.connections = vec![at(ConnectionConfig::udp()), at(ConnectionConfig::tcp())];
            let config = ResolverConfig::from_parts(None, Vec::new(), vec![named]);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        }
    };
    let options: &mut ResolverOpts = builder.options_mut();
    (options.timeout, options.attempts, options.cache_size) = (QUERY, 1, 64);
    // What was not there may be there a minute later, and calls wait for it.
    options.negative_max_ttl = Some(Duration::from_secs(30));
    builder.build()
}

fn naptr(data: &RData) -> Option<Naptr> {
    let RData::NAPTR(naptr) = data else { return None };
    Some(Naptr {
        order: naptr.order,
        preference: naptr.preference,
        flags: String::from_utf8_lossy(&naptr.flags).into_owned(),
        services: String::from_utf8_lossy(&naptr.services).into_owned(),
        replacement: host(&naptr.replacement.to_utf8()),
    })
}

fn srv(data: &RData) -> Option<Srv> {
    let RData::SRV(srv) = data else { return None };
    let target = host(&srv.target.to_utf8());
    Some(Srv { priority: srv.priority, weight: srv.weight, port: srv.port, target })
}

fn address(data: &RData) -> Option<IpAddr> {
    match data {
        RData::A(address) => Some(address.0.into()),
        RData::AAAA(address) => Some(address.0.into()),
        _ => None,
    }
}

fn host(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(uri: &str) -> Target {
        Target::of(&uri.parse().expect(uri), Transport::Udp).expect(uri)
    }

    #[tokio::test]
    async fn the_system_s_names() {
        let mut dns = Dns::new(None, &mut Entropy::from_seed(1));
        let found = dns.ready().look_up(target("sip:localhost:5062"), None).await.expect("localhost");
        assert!(found.flows.iter().any(|flow| flow.to_string() == "udp:127.0.0.1:5062"), "{found:?}");
        let nowhere = dns.ready().look_up(target("sip:nowhere.invalid:5060"), None).await;
        assert!(nowhere.expect_err("RFC 6761").contains("nowhere.invalid"));
    }

    #[tokio::test]
    async fn a_server_that_is_named_is_the_one_that_is_asked() {
        // Nobody listens there.
        let mut dns = Dns::new(Some(([127, 0, 0, 1], 9).into()), &mut Entropy::from_seed(1));
        let why = dns.ready().look_up(target("sip:pbx.test"), None).await.expect_err("no answer");
        assert!(why.contains("pbx.test cannot be looked up now; check your network"), "{why}");
    }
}
