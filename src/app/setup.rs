//! What both front ends need before they start the driver.

use super::memory::Memory;
use crate::{
    config::{ConfigError, cli::CommonArgs, folder::ConfigFolder, media::MediaSettings, settings::Settings},
    driver,
    media::{
        engine::{AudioChoice, Impairment},
        plan::Codec,
        voice::VoiceProcessing,
    },
    sip::flow::Transport,
    ua,
};
use std::{net::SocketAddr, path::PathBuf, time::Duration};

/// The folder is held, the settings are read.
#[derive(Debug)]
pub struct Setup {
    pub memory: Memory,
    /// `+sip.instance`, the same for the installation.
    pub instance_id: String,
    /// Sentences that the user should see: what could not be read or written.
    pub notices: Vec<String>,
}

impl Setup {
    /// # Errors
    /// The folder cannot be used, or belongs to another process.
    pub fn open(args: &CommonArgs) -> Result<Self, ConfigError> {
        let folder = ConfigFolder::open(args.config_dir.as_deref())?;
        let (settings, damage) = Settings::load(&folder);
        let mut notices: Vec<String> = damage.into_iter().collect();
        let instance_id = folder.instance_id().unwrap_or_else(|e| {
            // Good for this run; a registrar sees another installation next time.
            notices.push(e.to_string());
            format!("urn:uuid:{}", uuid::Uuid::new_v4())
        });
        for notice in &notices {
            tracing::warn!("{notice}");
        }
        Ok(Self { memory: Memory::new(folder, settings), instance_id, notices })
    }
}

/// The calls under way, in the configuration folder.
pub const CALLS_FILE: &str = "calls.json";
/// What the ear got, beside it.
const EXPOSURE_FILE: &str = "exposure.json";
/// A folder beside them.
pub const RECORDINGS: &str = "recordings";

/// The driver's options as a front end knows them.
#[derive(Clone, Debug)]
pub struct Softphone {
    pub bind: SocketAddr,
    pub transport: Option<Transport>,
    pub audio: AudioChoice,
    pub voice: VoiceProcessing,
    pub hold_music: Option<PathBuf>,
    pub codecs: Vec<Codec>,
    pub silence_suppression: bool,
    pub recording_tone: bool,
    pub auto_answer: Option<Duration>,
    pub max_calls: Option<usize>,
    pub services: ua::api::Services,
    pub impairment: Option<Impairment>,
    pub ca_file: Option<PathBuf>,
    pub dns_server: Option<SocketAddr>,
    pub media: MediaSettings,
    pub emergency_numbers: Option<Vec<String>>,
}

impl Softphone {
    /// `calls_file`: in the configuration folder, which is this process' alone.
    pub fn options(self, instance_id: String, calls_file: PathBuf) -> driver::Options {
        driver::Options {
            bind: self.bind,
            transport: self.transport,
            audio: self.audio,
            voice: self.voice,
            hold_music: self.hold_music,
            impairment: self.impairment,
            ca_file: self.ca_file,
            dns_server: self.dns_server,
            emergency_numbers: self.emergency_numbers,
            recording_tone: self.recording_tone,
            recordings: calls_file.with_file_name(RECORDINGS),
            exposure_file: Some(calls_file.with_file_name(EXPOSURE_FILE)),
            calls_file: Some(calls_file),
            agent: ua::api::Settings {
                codecs: self.codecs,
                srtp: self.media.srtp.unwrap_or_default(),
                silence_suppression: self.silence_suppression,
                instance_id,
                user_agent: concat!("AgentManager/", env!("CARGO_PKG_VERSION")).to_owned(),
                auto_answer: self.auto_answer,
                max_calls: self.max_calls,
                services: self.services,
            },
            media: self.media,
        }
    }
}
