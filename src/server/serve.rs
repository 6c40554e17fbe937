//! `tms serve`: settings checked, database opened, both sides started, and all of it stopped again.

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

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
        self, App, Reach, SipReach, listener,
        problem::ApiError,
        tls::{Tls, TlsError, TlsFiles},
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
    vault::{Vault, VaultError},
};
use crate::sip::{
    digest::Algorithm,
    uri::{SipUri, Uri},
};

/// What `serve` is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// On loopback only where it is plain.
    pub http: SocketAddr,
    /// With these, HTTP is served over TLS.
    pub tls: Option<TlsFiles>,
    /// UDP and TCP; `None` without a SIP side of our own.
    pub sip: Option<SocketAddr>,
    /// TLS for the same, with the certificate of `tls`.
    pub sip_tls: Option<SocketAddr>,
    /// What digest offers on our own SIP side, the preferred first.
    pub sip_digest: Vec<Algorithm>,
    /// Kamailio as the SIP side in place of our own.
    pub kamailio: Option<KamailioSide>,
    pub database_url: String,
    /// How the outside reaches this server through whatever stands before it: `https://tms.example`.
    pub public_url: Option<String>,
    /// Whether a reverse proxy on this machine appends the client's address to `X-Forwarded-For`.
    pub behind_proxy: Option<bool>,
    /// Seed the demonstration tenant; loopback only.
    pub demo_data: bool,
    /// The key that secrets are encrypted with; beside SQLite's database where it is `None`.
    pub secrets_key: Option<PathBuf>,
    /// The folder of the programs that are offered for download; the one of this program where it is `None`.
    pub downloads: Option<PathBuf>,
}

/// Where Kamailio is.
#[derive(Clone, Debug)]
pub struct KamailioSide {
    /// JSON-RPC of each: `http://127.0.0.1:5066/rpc`.
    pub rpc: Vec<String>,
    /// How phones reach it: `sip.example:5060`.
    pub proxy: String,
}

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
    store: Store,
}

/// How often expired sessions and the like are cleared away.
const PURGE: Duration = Duration::from_secs(60);

impl Server {
    /// Starts everything; once this returns, requests are answered.
    pub async fn start(settings: &Settings) -> Result<Self, ServeError> {
        settings.check()?;
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
            contacts,
            notices,
            outbox,
            notebook: notebook.clone(),
            vault,
            reach: settings.reach(&http, sip, sip_tls),
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
        Ok(Self { http, sip, sip_tls, demo, stopping, http_side, others, notebook, store })
    }

    /// Stops accepting, lets what is under way end, closes the database.
    pub async fn stop(mut self) {
        let _ = self.stopping.send(true);
        while self.http_side.join_next().await.is_some() {}
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
        let nodes = self.rpc.iter().map(|url| Rpc::new(url)).collect::<Result<_, _>>().map_err(ServeError::Settings)?;
        Ok(KamailioRegistrar::new(database.clone(), clock.clone(), notices, nodes))
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
            tracing::warn!(
                "the secrets of second factors are stored readable: give --secrets-key FILE, the same on every machine"
            );
        }
        Ok(Vault::open(store, key.as_deref()).await?)
    }

    fn check(&self) -> Result<(), ServeError> {
        let refuse = |sentence: String| Err(ServeError::Settings(sentence));
        if !self.http.ip().is_loopback() && self.tls.is_none() {
            return refuse(format!(
                "--http {} is not on loopback and would be plain: give --tls-cert and --tls-key, or listen on 127.0.0.1, put a \
                 reverse proxy with TLS before it and give its address with --public-url",
                self.http
            ));
        }
        let sip_beyond = self.sip.into_iter().chain(self.sip_tls).find(|sip| !sip.ip().is_loopback());
        let http_beyond = Some(self.http).filter(|http| !http.ip().is_loopback());
        if let (true, Some(beyond)) = (self.demo_data, sip_beyond.or(http_beyond)) {
            return refuse(format!("--demo-data is refused on {beyond}: the demonstration stays on loopback"));
        }
        if self.sip_tls.is_some() && self.sip.is_none() {
            return refuse("--sip-tls is of this program's own SIP side, which --no-sip leaves out".to_owned());
        }
        if self.sip_tls.is_some() && self.tls.is_none() {
            return refuse("--sip-tls needs a certificate: give it with --tls-cert and --tls-key".to_owned());
        }
        if let Some(KamailioSide { proxy, .. }) = &self.kamailio
            && !format!("sip:{proxy}").parse::<Uri>().is_ok_and(|uri| uri.as_sip().is_some_and(is_place))
        {
            return refuse(format!("--sip-proxy {proxy} must read sip.example:5060, as phones reach Kamailio"));
        }
        match &self.public_url {
            Some(url) if host(url).is_none() => refuse(format!(
                "--public-url {url} must read https://tms.example, or http://127.0.0.1:8080 on loopback"
            )),
            Some(url) if url.starts_with("https://") && self.tls.is_none() && self.behind_proxy.is_none() => {
                refuse(format!(
                    "--public-url {url} needs something with TLS before --http, which is plain: say --behind-proxy=true if that \
                     appends the client's address to X-Forwarded-For, or =false if not; then all who come through it count as \
                     one where attempts to sign in are limited"
                ))
            }
            Some(url) if self.tls.is_some() && !url.starts_with("https://") => {
                refuse(format!("--public-url {url} must begin with https://, since --tls-cert makes it so"))
            }
            None if sip_beyond.is_some_and(|sip| sip.ip().is_unspecified()) => refuse(
                "--sip listens on every address, so --public-url must tell the name by which phones reach this server"
                    .to_owned(),
            ),
            None if self.http.ip().is_unspecified() => refuse(
                "--http listens on every address, so --public-url must tell the name that the certificate is for"
                    .to_owned(),
            ),
            _ => Ok(()),
        }
    }

    fn own_url(&self, http: SocketAddr) -> String {
        format!("{}://{http}", if self.tls.is_some() { "https" } else { "http" })
    }

    /// How devices know a SIP side that listens on every address.
    fn public_host(&self, sip: SocketAddr) -> Option<&str> {
        self.public_url.as_deref().and_then(host).filter(|_| sip.ip().is_unspecified())
    }

    fn reach(&self, http: &str, sip: Option<SocketAddr>, sip_tls: Option<SocketAddr>) -> Reach {
        let url = self.public_url.clone().unwrap_or_else(|| http.to_owned());
        let built_in = sip
            .map(|sip| self.public_host(sip).map_or_else(|| sip.to_string(), |host| format!("{host}:{}", sip.port())));
        // The name that the certificate is for, wherever it listens.
        let over_tls = sip_tls.map(|sip| match self.public_url.as_deref().and_then(host) {
            Some(host) => format!("sip:{host}:{};transport=tls;lr", sip.port()),
            None => format!("sip:{sip};transport=tls;lr"),
        });
        let place = built_in.or_else(|| self.kamailio.as_ref().map(|side| side.proxy.clone()));
        let sip = place.map(|place| SipReach {
            outbound_proxy: format!("sip:{place};lr"),
            transports: over_tls.iter().map(|_| "tls").chain(["udp", "tcp"]).map(str::to_owned).collect(),
            outbound_proxy_tls: over_tls,
        });
        Reach { url: url.trim_end_matches('/').to_owned(), sip, behind_proxy: self.behind_proxy == Some(true) }
    }
}

/// Host and port, and nothing besides.
fn is_place(uri: &SipUri) -> bool {
    *uri == SipUri::new(None, uri.host.clone(), uri.port)
}

/// The host of a URL that may be public: HTTPS, or HTTP on loopback.
fn host(url: &str) -> Option<&str> {
    let (secure, rest) = match url.strip_prefix("https://") {
        Some(rest) => (true, rest),
        None => (false, url.strip_prefix("http://")?),
    };
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => port.parse::<u16>().ok().map(|_| host)?,
        _ => authority,
    };
    let named = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || ".-[]:".contains(c));
    let loopback = matches!(host, "127.0.0.1" | "[::1]" | "localhost");
    (named && (secure || loopback)).then_some(host)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings {
            http: ([127, 0, 0, 1], 0).into(),
            tls: None,
            sip: None,
            sip_tls: None,
            sip_digest: vec![Algorithm::MD5],
            kamailio: None,
            database_url: "sqlite::memory:".into(),
            public_url: None,
            behind_proxy: None,
            demo_data: false,
            secrets_key: None,
            downloads: None,
        }
    }

    #[test]
    fn what_would_not_be_safe_is_refused_in_a_sentence() {
        let any: SocketAddr = ([0, 0, 0, 0], 5060).into();
        let lan: SocketAddr = ([10, 0, 0, 1], 5060).into();
        let behind = |behind_proxy, sip| {
            let public_url = Some("https://tms.example:8443/".into());
            Settings { public_url, behind_proxy, sip: Some(sip), ..settings() }
        };
        let kamailio = |proxy: &str| Some(KamailioSide { rpc: Vec::new(), proxy: proxy.to_owned() });
        let tls = Some(TlsFiles { certificate: "a.pem".into(), key: "a.key".into() });
        let https = |http, public_url: Option<&str>| {
            let public_url = public_url.map(str::to_owned);
            Settings { http, tls: tls.clone(), public_url, ..settings() }
        };
        let cases = [
            (Settings { http: any, ..settings() }, Some("reverse proxy")),
            (https(any, None), Some("--public-url")),
            (https(lan, Some("http://127.0.0.1:8080")), Some("https://")),
            (Settings { demo_data: true, ..https(lan, None) }, Some("loopback")),
            (https(any, Some("https://tms.example")), None),
            (https(lan, None), None),
            (Settings { sip: Some(any), ..settings() }, Some("--public-url")),
            (Settings { sip: Some(lan), demo_data: true, ..settings() }, Some("loopback")),
            (Settings { public_url: Some("http://tms.example".into()), ..settings() }, Some("https://")),
            (Settings { public_url: Some("https://user:pw@tms.example".into()), ..settings() }, Some("https://")),
            (Settings { public_url: Some("https://".into()), ..settings() }, Some("https://")),
            (
                Settings { public_url: Some("https://tms.example:8443/".into()), ..settings() },
                Some("--behind-proxy=true"),
            ),
            (behind(Some(true), any), None),
            (behind(Some(false), any), None),
            (Settings { sip: Some(lan), ..settings() }, None),
            (Settings { sip: Some(lan), sip_tls: Some(lan), ..settings() }, Some("--tls-cert")),
            (Settings { sip_tls: Some(lan), tls: tls.clone(), ..settings() }, Some("--no-sip")),
            (Settings { kamailio: kamailio("me@sip.example"), ..settings() }, Some("--sip-proxy")),
            (Settings { kamailio: kamailio("sip.example;lr"), ..settings() }, Some("--sip-proxy")),
            (Settings { kamailio: kamailio("sip.example:5060"), ..settings() }, None),
            (settings(), None),
        ];
        for (settings, refused) in cases {
            let told = settings.check().err().map(|e| e.to_string());
            assert_eq!(told.is_some(), refused.is_some(), "{settings:?}: {told:?}");
            assert!(told.unwrap_or_default().contains(refused.unwrap_or_default()), "{settings:?}");
        }
    }

    #[test]
    fn phones_are_told_a_name_where_the_address_says_nothing() {
        let any: SocketAddr = ([0, 0, 0, 0], 5060).into();
        let named = Settings { public_url: Some("https://tms.example:8443".into()), ..settings() };
        let proxy =
            |settings: &Settings, sip| settings.reach("http://x", Some(sip), None).sip.map(|s| s.outbound_proxy);
        assert_eq!(proxy(&named, any).as_deref(), Some("sip:tms.example:5060;lr"));
        let lan: SocketAddr = ([10, 0, 0, 1], 5060).into();
        assert_eq!(proxy(&settings(), lan).as_deref(), Some("sip:10.0.0.1:5060;lr"));
        let tls: SocketAddr = ([10, 0, 0, 1], 5061).into();
        let sip = named.reach("http://x", Some(lan), Some(tls)).sip.expect("a SIP side");
        assert_eq!(sip.transports, ["tls", "udp", "tcp"], "the best first");
        assert_eq!(sip.outbound_proxy_tls.as_deref(), Some("sip:tms.example:5061;transport=tls;lr"));
    }
}
