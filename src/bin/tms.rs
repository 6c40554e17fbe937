//! The TMS's program: serve, migrate, admin, audit verify, backup, restore, kamailio-config, and the demonstration.

#[path = "tms/admin.rs"]
mod admin;

use std::{
    io::{IsTerminal, Write},
    net::SocketAddr,
    path::PathBuf,
};

use agent_manager::{
    demo::{Cast, Login, Parties, Stage, StoryError, play},
    server::{
        audit, demo_data,
        http::tls::TlsFiles,
        kamailio,
        media::MediaOptions,
        serve::{KamailioSide, Server, Settings},
        store::{self, Store},
    },
    sip::digest::Algorithm,
    ua::api::Secret,
};
use anyhow::{Context, ensure};
use clap::{Args, Parser, Subcommand, ValueEnum};
use serde_json::json;

#[derive(Parser)]
#[command(name = "tms", version, about = "TMS, the telephone management system that Agent Manager signs in to")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve HTTP and SIP until SIGTERM; prints one line of JSON once ready
    Serve(Serve),
    /// Create the database or bring it up to date
    Migrate(Database),
    /// Operators: the people who may manage every account
    Admin {
        #[command(subcommand)]
        command: admin::Admin,
    },
    /// The record of who did what
    Audit {
        #[command(subcommand)]
        command: Audit,
    },
    /// Write a copy of the database to a new file, while it is in use
    Backup(Copy),
    /// Put a backup where no database is yet
    Restore(Copy),
    /// Show everything on this machine: a server with demonstration data, and the softphone's window beside it; without a
    /// display an agent's story in the terminal
    Demo,
    /// Write a configuration for Kamailio 5.6, the SIP side of a provider, to standard output
    KamailioConfig(KamailioConfig),
}

#[derive(Args)]
struct KamailioConfig {
    /// The address that phones reach, over UDP and TCP
    #[arg(long, env = "TMS_KAMAILIO_SIP", default_value = "127.0.0.1:5060")]
    sip: SocketAddr,
    /// The address that phones reach over TLS
    #[arg(long, env = "TMS_KAMAILIO_SIP_TLS", requires_all = ["tls_cert", "tls_key"])]
    sip_tls: Option<SocketAddr>,
    /// Certificate chain for --sip-tls, PEM
    #[arg(long, env = "TMS_KAMAILIO_TLS_CERT", requires = "sip_tls")]
    tls_cert: Option<PathBuf>,
    /// Its private key, PEM
    #[arg(long, env = "TMS_KAMAILIO_TLS_KEY", requires = "sip_tls")]
    tls_key: Option<PathBuf>,
    /// JSON-RPC for `tms serve --kamailio http://127.0.0.1:5066/rpc`; on loopback
    #[arg(long, env = "TMS_KAMAILIO_RPC", default_value = "127.0.0.1:5066")]
    rpc: SocketAddr,
    /// Kamailio's own role in the TMS's PostgreSQL; its password comes from the file that PGPASSFILE names
    #[arg(
        long,
        env = "TMS_KAMAILIO_DATABASE_URL",
        default_value = "postgres://kamailio@127.0.0.1/tms",
        hide_env_values = true
    )]
    database_url: String,
    /// Control port of an rtpengine that relays media
    #[arg(long, env = "TMS_KAMAILIO_RTPENGINE")]
    rtpengine: Option<SocketAddr>,
    /// Processes for each socket
    #[arg(long, env = "TMS_KAMAILIO_WORKERS", default_value_t = 4)]
    workers: u32,
    /// A number of its own for each of several Kamailios on one database
    #[arg(long, env = "TMS_KAMAILIO_SERVER_ID", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=9999))]
    server_id: u32,
    /// Requests a second from one address; beyond, it is not heard for five minutes. 0: no limit
    #[arg(long, env = "TMS_KAMAILIO_REQUESTS_PER_SECOND", default_value_t = 100)]
    requests_per_second: u32,
    /// Write the SQL instead that gives that role its rights
    #[arg(long)]
    grants: bool,
}

#[derive(Subcommand)]
enum Audit {
    /// Read all of it and compare every link: fails when an entry was altered, removed or slipped in
    Verify(Database),
}

#[derive(Args)]
struct Database {
    /// sqlite:///path/to/tms.db, created if missing, or postgres://user@host/database. A password in it is refused: it
    /// belongs into PGPASSWORD, or the file that PGPASSFILE names
    #[arg(long, env = "TMS_DATABASE_URL", default_value = "sqlite:///var/lib/tms/tms.db", hide_env_values = true)]
    database_url: String,
}

#[derive(Args)]
struct Copy {
    file: PathBuf,
    #[command(flatten)]
    database: Database,
}

#[derive(Args)]
struct Serve {
    /// HTTPS with --tls-cert and --tls-key; plain without, on loopback only, for a reverse proxy with TLS before it
    #[arg(long, env = "TMS_HTTP", default_value = "127.0.0.1:8080")]
    http: SocketAddr,
    /// SIP over UDP and TCP
    #[arg(long, env = "TMS_SIP", default_value = "127.0.0.1:5060")]
    sip: SocketAddr,
    #[command(flatten)]
    database: Database,
    /// Seed the demonstration tenant and play its parties; quiet leaves out desk phone and colleague. Loopback only
    #[arg(long, env = "TMS_DEMO_DATA", num_args = 0..=1, require_equals = true, default_missing_value = "all")]
    demo_data: Option<DemoData>,
    /// Folder of the programs offered under Downloads and tools; the one of this program where it is left out
    #[arg(long, env = "TMS_DOWNLOADS")]
    downloads: Option<PathBuf>,
    /// The key that secrets are encrypted with, made if missing: FILE.key beside SQLite's FILE where it is left out. On PostgreSQL
    /// they stay readable without it; every process that shares the database needs the same
    #[arg(long, env = "TMS_SECRETS_KEY")]
    secrets_key: Option<PathBuf>,
    /// Whoever manages others must have two-step sign-in on; until then only the own profile opens
    #[arg(long, env = "TMS_DEMAND_SECOND_FACTOR")]
    demand_second_factor: bool,
    /// How this server is reached from outside: https://tms.example
    #[arg(long, env = "TMS_PUBLIC_URL")]
    public_url: Option<String>,
    /// Whether a reverse proxy on this machine appends the client's address to X-Forwarded-For; without that, failed attempts to
    /// sign in count together for everyone who comes through it. To be said where --public-url is https and --http is plain
    #[arg(long, env = "TMS_BEHIND_PROXY", num_args = 0..=1, require_equals = true, default_missing_value = "true",
        value_parser = clap::builder::BoolishValueParser::new())]
    behind_proxy: Option<bool>,
    /// The certificate of --http and --sip-tls with its chain, PEM; it and the key are read again at SIGHUP
    #[arg(long, env = "TMS_TLS_CERT", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key, PEM
    #[arg(long, env = "TMS_TLS_KEY", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// SIP over TLS besides, with the certificate of --tls-cert
    #[arg(long, env = "TMS_SIP_TLS", requires = "tls_cert")]
    sip_tls: Option<SocketAddr>,
    /// Digest algorithms that our own SIP side offers, the preferred first; old devices understand the first alone
    #[arg(long, env = "TMS_SIP_DIGEST", value_delimiter = ',', default_values = ["sha-256", "md5"])]
    sip_digest: Vec<SipDigest>,
    /// Leave the SIP side out
    #[arg(long, env = "TMS_NO_SIP")]
    no_sip: bool,
    /// Kamailio as the SIP side: its JSON-RPC, http://127.0.0.1:5066/rpc, once for each; needs PostgreSQL
    #[arg(long, env = "TMS_KAMAILIO", value_delimiter = ',', requires_all = ["no_sip", "sip_proxy"])]
    kamailio: Vec<String>,
    /// How phones reach Kamailio: sip.example:5060
    #[arg(long, env = "TMS_SIP_PROXY")]
    sip_proxy: Option<String>,
    /// STUN server that Agent Manager asks how its calls are seen from outside: stun.example:3478
    #[arg(long, env = "TMS_STUN", value_name = "HOST:PORT")]
    stun: Option<String>,
    /// TURN server for calls that find no other way: turn:HOST, turn:HOST?transport=tcp or turns:HOST. Agent Manager is given
    /// passwords for a day, as coturn takes them with use-auth-secret
    #[arg(long, env = "TMS_TURN", value_name = "URI", requires = "turn_secret_file")]
    turn: Option<String>,
    /// The secret that the TURN server shares with this one (coturn: static-auth-secret)
    #[arg(long, env = "TMS_TURN_SECRET_FILE", value_name = "FILE", requires = "turn")]
    turn_secret_file: Option<PathBuf>,
    /// Who is told how each of Agent Manager's calls sounded (RFC 6035): sip:quality@pbx.example
    #[arg(long, env = "TMS_QUALITY_COLLECTOR", value_name = "SIP-URI")]
    quality_collector: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SipDigest {
    #[value(name = "sha-256")]
    Sha256,
    Md5,
}

impl From<SipDigest> for Algorithm {
    fn from(digest: SipDigest) -> Self {
        match digest {
            SipDigest::Sha256 => Self::SHA_256,
            SipDigest::Md5 => Self::MD5,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum DemoData {
    All,
    Quiet,
}

fn main() -> anyhow::Result<()> {
    one_arena();
    let cli = Cli::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_env("TMS_LOG").unwrap_or_else(|_| "warn".into());
    let terminal = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(terminal).init();
    // One thread suffices: handlers take microseconds, and passwords are hashed on threads of their own.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(run(cli.command));
    runtime.shutdown_background();
    done
}

/// One arena for all threads, glibc's `mallopt(3)`: each connection of the database has a thread, which by default keeps what it
/// freed in an arena of its own. `cargo bench --bench portal` ended with 70 MiB of them, and with 49 of one.
fn one_arena() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it takes two numbers, and the program has one thread yet.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Serve(serve) => serve.run().await,
        Command::Migrate(database) => {
            Store::open(database.url()?).await?.close().await;
            println!("the database is up to date");
            Ok(())
        }
        Command::Admin { command } => command.run().await,
        Command::Audit { command: Audit::Verify(database) } => {
            let store = Store::open(database.url()?).await?;
            println!("{} entries, each follows from the one before", audit::verify(&store).await?);
            store.close().await;
            Ok(())
        }
        Command::Backup(copy) => {
            Store::backup(copy.database.url()?, &copy.file).await?;
            println!("{} written", copy.file.display());
            println!("{}", key_apart(copy.database.url()?));
            Ok(())
        }
        Command::Restore(copy) => {
            Store::restore(copy.database.url()?, &copy.file).await?;
            println!("{} restored", copy.file.display());
            println!("{}", key_apart(copy.database.url()?));
            Ok(())
        }
        Command::Demo => demonstrate().await,
        Command::KamailioConfig(config) => config.write(),
    }
}

/// What whoever copies a database must know.
fn key_apart(url: &str) -> String {
    let key = store::key_beside(url).map_or_else(|| "of --secrets-key".to_owned(), |key| key.display().to_string());
    format!(
        "the secrets key {key} is no part of it: keep a copy of that apart, and put it in its place before the TMS starts"
    )
}

impl KamailioConfig {
    fn write(self) -> anyhow::Result<()> {
        let tls = self.sip_tls.zip(self.tls_cert).zip(self.tls_key);
        let configuration = kamailio::Configuration {
            sip: self.sip,
            tls: tls.map(|((address, certificate), private_key)| kamailio::Tls { address, certificate, private_key }),
            rpc: self.rpc,
            database_url: self.database_url,
            rtpengine: self.rtpengine,
            workers: self.workers,
            server_id: self.server_id,
            requests_per_second: self.requests_per_second,
        };
        print!("{}", if self.grants { configuration.grants()? } else { configuration.text()? });
        Ok(())
    }
}

impl Database {
    fn url(&self) -> anyhow::Result<&str> {
        ensure!(
            !store::tells_password(&self.database_url),
            "--database-url must not contain a password: others on this machine can read command lines. Give it in PGPASSWORD, or \
             in a file that PGPASSFILE names"
        );
        Ok(&self.database_url)
    }
}

impl Serve {
    async fn run(self) -> anyhow::Result<()> {
        let proxy = self.sip_proxy.filter(|_| !self.kamailio.is_empty());
        let server = Server::start(&Settings {
            http: self.http,
            tls: self.tls_cert.zip(self.tls_key).map(|(certificate, key)| TlsFiles { certificate, key }),
            sip: (!self.no_sip).then_some(self.sip),
            sip_tls: self.sip_tls,
            sip_digest: self.sip_digest.into_iter().map(Algorithm::from).collect(),
            kamailio: proxy.clone().map(|proxy| KamailioSide { rpc: self.kamailio, proxy }),
            database_url: self.database.url()?.to_owned(),
            public_url: self.public_url.clone(),
            behind_proxy: self.behind_proxy,
            demo_data: self.demo_data.is_some(),
            secrets_key: self.secrets_key.clone(),
            demand_second_factor: self.demand_second_factor,
            media: MediaOptions {
                stun: self.stun,
                turn: self.turn.zip(self.turn_secret_file),
                quality_collector: self.quality_collector,
            },
            downloads: self.downloads.clone(),
        })
        .await?;
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        let mut ready = json!({ "ready": true, "http": server.http });
        let sip = server.sip.map(|sip| sip.to_string()).or(proxy);
        if let Some(sip) = &sip {
            ready["sip"] = json!(sip);
        }
        if let Some(sip) = server.sip_tls {
            ready["sip_tls"] = json!(sip.to_string());
        }
        let parties = start_parties(&server, sip.as_deref(), self.demo_data == Some(DemoData::All)).await?;
        if let Some(demo) = &server.demo {
            ready["demo"] = json!({ "username": demo.username, "password": demo.password, "api_key": demo.api_key });
            ready["demo"]["admin"] = json!({ "username": demo.admin.username, "password": demo.admin.password });
            ready["demo"]["sip"] = json!(demo.sip("101"));
        }
        println!("{ready}");
        std::io::stdout().flush()?;
        tokio::select! {
            _ = terminate.recv() => {}
            interrupted = tokio::signal::ctrl_c() => interrupted?,
        }
        if let Some(parties) = parties {
            parties.stop().await;
        }
        server.stop().await;
        Ok(())
    }
}

/// The demonstration's parties; desk phone and colleague only when `people` are wanted.
async fn start_parties(server: &Server, sip: Option<&str>, people: bool) -> anyhow::Result<Option<Parties>> {
    let (Some(demo), Some(sip)) = (&server.demo, sip) else { return Ok(None) };
    let sip = sip.parse().with_context(|| format!("--demo-data needs --sip-proxy by its address; {sip} is a name"))?;
    let login = |extension| {
        let login = demo.sip(extension).context("the demonstration tenant lacks an extension")?;
        let password = Secret(login.password.clone());
        anyhow::Ok(Login { username: login.username.clone(), password, realm: demo_data::TENANT.to_owned() })
    };
    let people = if people { Some([login("100")?, login("101")?]) } else { None };
    let cast = Cast { people, services: [login("600")?, login("601")?] };
    Ok(Some(Parties::start(sip, cast).await?))
}

/// `tms demo`: a server in a folder of its own on free ports, its parties, and the softphone.
async fn demonstrate() -> anyhow::Result<()> {
    let folder = Folder::new()?;
    let server = Server::start(&Settings {
        http: SocketAddr::from(([127, 0, 0, 1], 0)),
        tls: None,
        sip: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
        sip_tls: None,
        sip_digest: vec![Algorithm::SHA_256, Algorithm::MD5],
        kamailio: None,
        database_url: format!("sqlite://{}", folder.0.join("tms.db").display()),
        public_url: None,
        demo_data: true,
        behind_proxy: None,
        secrets_key: None,
        demand_second_factor: false,
        media: MediaOptions::default(),
        downloads: None,
    })
    .await?;
    let sip = server.sip.map(|sip| sip.to_string());
    let parties = start_parties(&server, sip.as_deref(), true).await?;
    let demo = server.demo.as_ref().context("the demonstration tenant is missing")?;
    let stage = Stage {
        softphone: std::env::current_exe()?.with_file_name("agent-manager"),
        folder: folder.0.clone(),
        tms: server.http.clone(),
        username: demo.username.clone(),
        password: Secret(demo.password.clone()),
        api_key: Secret(demo.api_key.clone()),
    };
    let display =
        ["WAYLAND_DISPLAY", "DISPLAY"].iter().any(|name| std::env::var_os(name).is_some_and(|v| !v.is_empty()));
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    println!("The portal: {}", stage.tms);
    println!("  sign in as {}, password {}", demo.admin.username, demo.admin.password);
    println!("  open as long as this runs; `tms serve --demo-data` serves it for as long as you like");
    let show = async {
        match if display { stage.show().await } else { play(&stage).await } {
            Err(StoryError::NoWindow(status)) => {
                println!("The window could not be opened ({status}), so here is the story in the terminal.");
                play(&stage).await
            }
            shown => shown,
        }
    };
    let shown = tokio::select! {
        shown = show => shown.map_err(anyhow::Error::from),
        _ = terminate.recv() => Err(anyhow::anyhow!("the demonstration was terminated")),
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("the demonstration was interrupted")),
    };
    if let Some(parties) = parties {
        parties.stop().await;
    }
    server.stop().await;
    shown
}

/// A new folder that only this user can read, gone with everything in it when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> std::io::Result<Self> {
        let path = std::env::temp_dir().join(format!("tms-demo-{}", uuid::Uuid::new_v4()));
        std::os::unix::fs::DirBuilderExt::mode(&mut std::fs::DirBuilder::new(), 0o700).create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
