//! `tms serve`: settings checked, database opened, both sides started, and all of it stopped again.

mod settings;

pub use settings::{KamailioSide, Settings};

use std::{collections::HashSet, io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::{mpsc, watch},
    task::JoinSet,
};

use super::{
    clock::Clock,
    contacts::{Contacts, Order},
    demo_data::{self, Demo},
    http::{
        self, App, listener,
        problem::ApiError,
        tls::{Tls, TlsError},
    },
    kamailio::{KamailioRegistrar, Rpc},
    notebook::Notebook,
    notices::{Bridge, Notices},
    outbox::Outbox,
    pace::Pace,
    passwords::Passwords,
    sessions,
    sip::{SipServer, SipSettings, TlsListener},
    store::{self, Store, StoreError},
    throttle::Throttle,
    vault::{self, Vault, VaultError},
};
/// Why it does not serve: a sentence with the way out.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("{0}")]
    Settings(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("SIGHUP, by which the certificate is read anew, cannot be listened to: {0}")]
    Signal(io::Error),
    #[error("--{side} {address} cannot be listened on: {source}; is another program using the port?")]
    Bind { side: &'static str, address: SocketAddr, source: io::Error },
    #[error("the demonstration tenant could not be made: {0}")]
    Demo(#[from] ApiError),
}

/// A running server.
pub struct Server {
    /// Where HTTP is served: `http://127.0.0.1:8080`, `https://…` with TLS.
    pub http: String,
    pub sip: Option<SocketAddr>,
    pub sip_tls: Option<SocketAddr>,
    pub demo: Option<Demo>,
    stopping: watch::Sender<bool>,
    http_side: JoinSet<()>,
    others: JoinSet<()>,
    notebook: Notebook,
    contacts: Contacts,
    store: Store,
}

/// How often expired sessions and the like are cleared away.
const PURGE: Duration = Duration::from_secs(60);
/// How long devices that ring for a call which ends with the server may take to hear of it.
const CLOSING: Duration = Duration::from_secs(2);

impl Server {
    /// Starts everything; once this returns, requests are answered.
    pub async fn start(settings: &Settings) -> Result<Self, ServeError> {
        settings.check()?;
        let media = settings.media.open().map_err(ServeError::Settings)?;
        let tls = settings.tls.clone().map(Tls::new).transpose()?;
        let store = Store::open(&settings.database_url).await?;
        let vault = settings.vault(&store).await?;
        let clock = Clock::system();
        let passwords = Passwords::new();
        let demo = match settings.demo_data {
            true => Some(demo_data::seed(&store, &clock, &passwords).await?),
            false => None,
        };
        let socket = TcpListener::bind(settings.http).await.map_err(bind("http", settings.http))?;
        let http = settings.own_url(socket.local_addr().map_err(bind("http", settings.http))?);

        let mut others = JoinSet::new();
        let notices = notices(&store, &mut others);
        let (notebook, writer) = Notebook::new(store.clone(), clock.clone());
        others.spawn(writer.run());
        let (contacts, orders) = Contacts::new();
        let common = (&store, &clock, notices.clone(), notebook.clone());
        let flow_key = vault.derive("flow tokens");
        let (sip, sip_tls) = settings.start_sip(common, flow_key, tls.as_ref(), orders, &mut others).await?;
        let (outbox, courier) = Outbox::new(store.clone(), clock.clone(), contacts.clone(), notices.clone());
        others.spawn(courier.run());
        let (stopping, stop) = watch::channel(false);
        let app = Arc::new(App {
            store: store.clone(),
            clock,
            passwords,
            throttle: Throttle::default(),
            pace: Pace::default(),
            contacts: contacts.clone(),
            notices,
            outbox,
            notebook: notebook.clone(),
            vault,
            reach: settings.reach(&http, sip, sip_tls),
            media,
            second_factor_demanded: settings.demand_second_factor,
            downloads: settings.downloads.clone().or_else(beside_this_program),
            stopping: stop.clone(),
        });
        others.spawn(purge(Arc::clone(&app)));
        let acceptors = tls.as_ref().map(Tls::acceptors);
        if let Some(tls) = tls {
            others.spawn(tls.follow(signal(SignalKind::hangup()).map_err(ServeError::Signal)?));
        }
        let mut http_side = JoinSet::new();
        http_side.spawn(listener::serve(socket, acceptors, http::router(app), stop, listener::Limits::default()));
        Ok(Self { http, sip, sip_tls, demo, stopping, http_side, others, notebook, contacts, store })
    }

    /// Stops accepting, lets what is under way end, ends the calls that are being begun, closes the database.
    pub async fn stop(mut self) {
        let _ = self.stopping.send(true);
        while self.http_side.join_next().await.is_some() {}
        if tokio::time::timeout(CLOSING, self.contacts.close()).await.is_err() {
            tracing::warn!("devices may go on ringing for calls that the server was beginning: they do not answer");
        }
        self.notebook.flush().await;
        self.others.shutdown().await;
        self.store.close().await;
    }
}

fn bind(side: &'static str, address: SocketAddr) -> impl Fn(io::Error) -> ServeError {
    move |source| ServeError::Bind { side, address, source }
}

/// With the other processes on the same PostgreSQL.
fn notices(store: &Store, others: &mut JoinSet<()>) -> Notices {
    let Some(database) = store.postgres() else { return Notices::new() };
    let (notices, bridge) = Bridge::new(database.clone());
    others.spawn(bridge.run());
    notices
}

impl KamailioSide {
    fn registrar(&self, store: &Store, clock: &Clock, notices: Notices) -> Result<KamailioRegistrar, ServeError> {
        let database = store.postgres().ok_or_else(|| {
            let sentence = "--kamailio needs PostgreSQL, which Kamailio reads too: give --database-url postgres://…";
            ServeError::Settings(sentence.to_owned())
        })?;
        Ok(KamailioRegistrar::new(database.clone(), clock.clone(), notices, self.nodes()?))
    }

    fn nodes(&self) -> Result<Vec<Rpc>, ServeError> {
        let nodes = self.rpc.iter().map(|url| Rpc::new(url)).collect::<Result<Vec<_>, _>>();
        let mut nodes = nodes.map_err(ServeError::Settings)?;
        // Named twice, it would list its calls twice.
        let mut named = HashSet::new();
        nodes.retain(|node| named.insert(node.address()));
        if nodes.iter().any(|node| node.address().ip() != nodes[0].address().ip()) {
            let sentence = "--kamailio must name every Kamailio by one address, such as 127.0.0.1, each with a port of its own: \
                            calls are begun from one socket there, and each Kamailio takes them from its own address alone";
            return Err(ServeError::Settings(sentence.to_owned()));
        }
        Ok(nodes)
    }
}

impl Settings {
    /// Our own SIP side, with its address and that for TLS, or Kamailio's, or none.
    async fn start_sip(
        &self,
        (store, clock, notices, notebook): (&Store, &Clock, Notices, Notebook),
        flow_key: Option<[u8; 32]>,
        tls: Option<&Tls>,
        orders: mpsc::Receiver<Order>,
        others: &mut JoinSet<()>,
    ) -> Result<(Option<SocketAddr>, Option<SocketAddr>), ServeError> {
        match (self.sip, &self.kamailio) {
            (None, None) => Ok((None, None)),
            (None, Some(side)) => {
                others.spawn(side.registrar(store, clock, notices)?.run(orders));
                Ok((None, None))
            }
            (Some(address), _) => {
                let known_as = self.public_host(address).and_then(|host| host.parse().ok());
                let settings = SipSettings { address, known_as, algorithms: self.sip_digest.clone(), flow_key };
                let server = SipServer::bind(settings, store, clock, (notices, notebook), orders).await;
                let mut server = server.map_err(bind("sip", address))?;
                let sip = server.local_addr().map_err(bind("sip", address))?;
                let sip_tls = match self.sip_tls.zip(tls) {
                    Some((address, tls)) => {
                        let listener = TlsListener::bind(address, tls.acceptors()).await;
                        let served = listener.and_then(|listener| {
                            let at = listener.local_addr()?;
                            server.serve_tls(listener).map(|()| at)
                        });
                        Some(served.map_err(bind("sip-tls", address))?)
                    }
                    None => None,
                };
                others.spawn(server.run());
                Ok((Some(sip), sip_tls))
            }
        }
    }

    /// The key is beside SQLite's database, unless another place is named.
    async fn vault(&self, store: &Store) -> Result<Vault, ServeError> {
        if self.secrets_key.is_none() && self.database_url == "sqlite::memory:" {
            return Ok(Vault::for_now());
        }
        let key = self.secrets_key.clone().or_else(|| store::key_beside(&self.database_url));
        if key.is_none() {
            tracing::warn!("two-step sign-in cannot be turned on: give --secrets-key FILE, the same on every machine");
        }
        if key.is_none() && self.demand_second_factor {
            let sentence =
                "--demand-second-factor needs a key for the secrets of two-step sign-in: give --secrets-key FILE";
            return Err(ServeError::Settings(sentence.to_owned()));
        }
        let vault = Vault::open(store, key.as_deref()).await?;
        if !vault.has_key() && vault::stands_readable(store).await.map_err(VaultError::from)? {
            tracing::warn!(
                "secrets of second factors stand readable in the database, as an earlier version stored them, and stay so until \
                 a key is given: --secrets-key FILE encrypts them at the next start"
            );
        }
        Ok(vault)
    }
}

/// Where nothing else was said, the programs beside this one are offered.
fn beside_this_program() -> Option<PathBuf> {
    Some(std::env::current_exe().ok()?.parent()?.to_owned())
}

async fn purge(app: Arc<App>) {
    let mut due = tokio::time::interval(PURGE);
    loop {
        due.tick().await;
        if let Err(error) = sessions::purge(&app).await {
            tracing::warn!(%error, "what has expired could not be cleared away");
        }
    }
}
