//! The command line as typed; [`super::options`] validates it.

use crate::ua::api::Secret;
use clap::{Args, Parser, Subcommand};
use std::{net::SocketAddr, path::PathBuf};

/// Agent Manager: a softphone for call-centre agents.
#[derive(Debug, Parser)]
#[command(name = "agent-manager", version, about, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    pub mode: Option<Mode>,
    #[command(flatten)]
    pub window: WindowArgs,
}

#[derive(Debug, Subcommand)]
pub enum Mode {
    /// The softphone without its window: JSON commands in, JSON events out.
    Headless(Box<HeadlessArgs>),
    /// The ringing window; Agent Manager starts it by itself.
    #[command(hide = true)]
    Ring,
}

/// Options that both front ends know.
#[derive(Clone, Debug, Default, Args)]
pub struct CommonArgs {
    /// Folder of settings and secrets; it belongs to one running process.
    #[arg(long, value_name = "DIR")]
    pub config_dir: Option<PathBuf>,
    /// Write the log there rather than to the settings folder (the window) or to standard error (headless).
    #[arg(long, value_name = "FILE")]
    pub log_file: Option<PathBuf>,
    /// error, warn, info, debug or trace (trace shows every SIP message, without its secrets).
    #[arg(long, value_name = "LEVEL", default_value = "warn")]
    pub log_level: String,
}

#[derive(Clone, Debug, Default, Args)]
pub struct WindowArgs {
    /// Signs in with the one-time code of such a link; a running window does so itself.
    #[arg(value_name = "agent-manager://LINK", value_parser = link)]
    pub link: Option<Secret>,
    /// Let this user's desktop open agent-manager:// links with this program, and end.
    #[arg(long, exclusive = true)]
    pub register_links: bool,
    /// The TMS's address, ready in the sign-in form.
    #[arg(long, value_name = "URL")]
    pub tms: Option<String>,
    /// The user name, ready in the sign-in form.
    #[arg(long, value_name = "NAME")]
    pub username: Option<String>,
    /// Light colours, whatever the settings say.
    #[arg(long, conflicts_with = "dark")]
    pub light: bool,
    /// Dark colours, whatever the settings say.
    #[arg(long)]
    pub dark: bool,
    #[command(flatten)]
    pub common: CommonArgs,
}

#[derive(Clone, Debug, Args)]
#[command(group(clap::ArgGroup::new("who").required(true).args(["tms", "link", "sip_account"])))]
pub struct HeadlessArgs {
    /// Log in to this TMS (password and API key from the environment or --secrets-stdin).
    #[arg(long, value_name = "URL")]
    pub tms: Option<String>,
    /// Without it, the session that a link has opened goes on.
    #[arg(long, value_name = "NAME", requires = "tms")]
    pub username: Option<String>,
    /// Log in with the one-time code of an agent-manager:// link.
    #[arg(long, value_name = "LINK", value_parser = link)]
    pub link: Option<Secret>,
    /// Bring this registration online after the login.
    #[arg(long, value_name = "NAME", conflicts_with = "sip_account")]
    pub registration: Option<String>,
    /// A plain SIP account on any PBX: sip:101@pbx.example.
    #[arg(long, value_name = "URI")]
    pub sip_account: Option<String>,
    /// For a plain account, or with --tenant where the TMS does not say it.
    #[arg(long, value_name = "URI", conflicts_with = "link")]
    pub outbound_proxy: Option<String>,
    /// Digest user name where it differs from the account's.
    #[arg(long, value_name = "NAME", requires = "sip_account")]
    pub auth_user: Option<String>,
    /// Call and be called without a registrar.
    #[arg(long, requires = "sip_account")]
    pub no_register: bool,
    /// SIP listening address.
    #[arg(long, value_name = "ADDR:PORT", default_value = "0.0.0.0:0")]
    pub bind: SocketAddr,
    /// udp, tcp or tls; default udp, or what the TMS says is best.
    #[arg(long, value_name = "TRANSPORT")]
    pub transport: Option<String>,
    /// device, null or file:IN.wav,OUT.wav.
    #[arg(long, value_name = "CARD", default_value = "device")]
    pub audio: String,
    /// Order of preference.
    #[arg(long, value_name = "LIST")]
    pub codecs: Option<String>,
    /// Encryption of audio: off, optional (default), sdes or dtls (required).
    #[arg(long, value_name = "MODE")]
    pub srtp: Option<String>,
    /// Certificate authority (PEM) to trust besides the system's.
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Ask this DNS server rather than the system's.
    #[arg(long, value_name = "ADDR:PORT")]
    pub dns_server: Option<SocketAddr>,
    /// STUN server for calls through a NAT; ICE is offered, too.
    #[arg(long, value_name = "HOST:PORT")]
    pub stun: Option<String>,
    /// Send no silence where the other side agrees (RFC 3389, RFC 7587); default off, since soft first syllables may suffer.
    #[arg(long, value_name = "on|off")]
    pub silence_suppression: Option<String>,
    /// While a call is recorded, both sides hear a short tone every 15 seconds; default off.
    #[arg(long, value_name = "on|off")]
    pub recording_tone: Option<String>,
    /// Publish how each call sounded to this collector (RFC 6035).
    #[arg(long, value_name = "SIP-URI")]
    pub quality_report: Option<String>,
    /// TURN server for calls that find no other way: turn:HOST, turn:HOST?transport=tcp or turns:HOST; ICE is offered, too.
    #[arg(long, value_name = "URI")]
    pub turn: Option<String>,
    /// Numbers that can always be dialled, in place of 112, 911, 999, 10111 and 10177.
    #[arg(long, value_name = "LIST")]
    pub emergency_numbers: Option<String>,
    /// Whoever is on hold hears this WAV file rather than nothing.
    #[arg(long, value_name = "FILE")]
    pub hold_music: Option<PathBuf>,
    /// The echo of the headset, noise and uneven levels are taken from what the microphone hears; on unless told otherwise.
    #[arg(long, value_name = "on|off")]
    pub voice_processing: Option<String>,
    /// The TMS has only the XML API: this is the tenant; the API key is its key, the password the registration's SIP password.
    #[arg(long, value_name = "NAME", requires = "tms", conflicts_with_all = ["sip_account", "link"])]
    pub tenant: Option<String>,
    /// Answer incoming calls after that many milliseconds.
    #[arg(long, value_name = "MS")]
    pub auto_answer: Option<u64>,
    #[arg(long, value_name = "N")]
    pub max_calls: Option<usize>,
    /// Damage incoming RTP, repeatably, and delay RTCP: loss=5,burst=2.5,delay_ms=30,jitter_ms=20,seed=7.
    #[arg(long, value_name = "LIST")]
    pub impair: Option<String>,
    /// Read the secrets from the first line of standard input: {"password":"…","api_key":"…"}.
    #[arg(long)]
    pub secrets_stdin: bool,
    #[command(flatten)]
    pub common: CommonArgs,
}

/// A link is told from a mistyped subcommand; what it says is read later, where its error can be shown.
fn link(text: &str) -> Result<Secret, String> {
    let is_link = text.get(..14).is_some_and(|start| start.eq_ignore_ascii_case("agent-manager:"));
    if is_link {
        Ok(Secret(text.to_owned()))
    } else {
        Err("an agent-manager:// link or a subcommand is expected".into())
    }
}
