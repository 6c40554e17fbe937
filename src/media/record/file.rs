//! The two kinds of file a recording may be.

use super::ogg::Pages;
use crate::media::SAMPLE_RATE;
use hound::{SampleFormat, WavSpec, WavWriter};
use opusic_c::{Application, Bitrate, Channels, Encoder, ErrorCode, SampleRate};
use std::{
    fs::File,
    io::{self, BufWriter, Seek, SeekFrom, Write},
    path::Path,
};

/// Both directions.
const CHANNELS: u8 = 2;
/// Transparent for two voices.
const BITRATE: u32 = 64_000;
/// 20 ms of both channels.
const FRAME: usize = SAMPLE_RATE as usize / 50 * CHANNELS as usize;
/// Packets a page, and samples until a WAV's header is brought up to date: half a second is lost at most.
const PAGE: usize = 25;
const COMPLETE_EVERY: usize = SAMPLE_RATE as usize;
const MAX_PACKET: usize = 1_275;
/// Samples of both channels that a WAV's lengths of 32 bits can tell, with room for the header and the mark: six hours.
const MOST_SAMPLES: u32 = (u32::MAX - 4_096) / 2;

/// Takes 48 kHz samples of both channels in turn, left first.
pub enum Recording {
    Wav {
        writer: WavWriter<BufWriter<File>>,
        since_complete: usize,
        /// Samples that it takes in all.
        most: u32,
        /// What is said of the file at its end, and the file.
        mark: Option<(&'static str, File)>,
    },
    Opus(Box<OpusFile>),
}

/// What went wrong with a recording, and why.
#[derive(Debug)]
pub enum Fault {
    /// Sound is missing.
    Sound(String),
    /// All sound is there, but not what is said of it.
    Mark(String),
    /// The file is complete, and takes no more.
    Full,
    /// It is not where it was begun.
    Gone,
}

impl Recording {
    /// By the name's ending, with a `mark` for whoever asks what it is. Errors are sentences' ends.
    pub fn create(path: &Path, mark: &'static str) -> Result<Self, String> {
        let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
        if !matches!(ending.as_str(), "wav" | "opus") {
            return Err("choose a name that ends in .opus or .wav".into());
        }
        // What was recorded before stays.
        let mut options = File::options();
        options.write(true).create_new(true);
        // What people say to each other is nobody else's to read.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(|e| match e.kind() {
            io::ErrorKind::AlreadyExists => "it exists already; choose another name".to_owned(),
            _ => format!("{e}; choose a file that can be written"),
        })?;
        let words = |e: &dyn std::fmt::Display| format!("{e}; free some space and try again");
        let again = file.try_clone().map_err(|e| words(&e))?;
        let file = BufWriter::new(file);
        if ending == "opus" {
            let encoder = OpusFile::encoder().map_err(|e| words(&e.message()))?;
            return OpusFile::new(file, encoder, mark).map(|opus| Self::Opus(Box::new(opus))).map_err(|e| words(&e));
        }
        let spec = WavSpec {
            channels: u16::from(CHANNELS),
            sample_rate: SAMPLE_RATE,
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        let complete = |mut writer: WavWriter<_>| writer.flush().map(|()| writer);
        let writer = WavWriter::new(file, spec).and_then(complete).map_err(|e| words(&e))?;
        Ok(Self::Wav { writer, since_complete: 0, most: MOST_SAMPLES, mark: Some((mark, again)) })
    }

    /// Whether the file can hold so many samples more.
    pub fn takes(&self, samples: usize) -> bool {
        match self {
            Self::Wav { writer, most, .. } => u64::from(writer.len()) + samples as u64 <= u64::from(*most),
            Self::Opus(_) => true,
        }
    }

    pub fn write(&mut self, samples: &[f32]) -> Result<(), String> {
        match self {
            Self::Wav { writer, since_complete, .. } => {
                for sample in samples {
                    writer.write_sample((sample.clamp(-1.0, 1.0) * 32_767.0) as i16).map_err(|e| e.to_string())?;
                }
                *since_complete += samples.len();
                if *since_complete < COMPLETE_EVERY {
                    return Ok(());
                }
                *since_complete = 0;
                writer.flush().map_err(|e| e.to_string())
            }
            Self::Opus(file) => file.write(samples).map_err(|e| e.to_string()),
        }
    }

    pub fn finish(self) -> Result<(), Fault> {
        match self {
            Self::Wav { writer, mark, .. } => {
                writer.finalize().map_err(|e| Fault::Sound(e.to_string()))?;
                mark.map_or(Ok(()), |(words, file)| set_mark(file, words)).map_err(|e| Fault::Mark(e.to_string()))
            }
            Self::Opus(file) => file.finish().map_err(|e| Fault::Sound(e.to_string())),
        }
    }
}

/// Behind a WAV's samples, as a comment (RIFF's `LIST INFO ICMT`).
fn set_mark(mut file: File, words: &str) -> io::Result<()> {
    let padded = [words.as_bytes(), if words.len().is_multiple_of(2) { &[0, 0] } else { &[0] }].concat();
    let sized = |name: &[u8; 4], content: &[u8]| [name, &(content.len() as u32).to_le_bytes()[..], content].concat();
    let end = file.seek(SeekFrom::End(0))?;
    let list = sized(b"LIST", &[b"INFO", &sized(b"ICMT", &padded)[..]].concat());
    file.write_all(&list)?;
    // The whole is so much longer.
    let length = (end + list.len() as u64 - 8) as u32;
    file.seek(SeekFrom::Start(4))?;
    file.write_all(&length.to_le_bytes())
}

/// Opus in Ogg.
pub struct OpusFile {
    file: BufWriter<File>,
    encoder: Encoder,
    pages: Pages,
    /// Samples that fill no frame yet, packets that fill no page.
    samples: Vec<f32>,
    packets: Vec<Vec<u8>>,
    position: u64,
}

impl OpusFile {
    fn encoder() -> Result<Encoder, ErrorCode> {
        let mut encoder = Encoder::new(Channels::Stereo, SampleRate::Hz48000, Application::Audio)?;
        encoder.set_bitrate(Bitrate::Value(BITRATE))?;
        Ok(encoder)
    }

    fn new(mut file: BufWriter<File>, mut encoder: Encoder, mark: &str) -> io::Result<Self> {
        let pre_skip = encoder.get_look_ahead().unwrap_or(0) as u16;
        let mut pages = Pages::new(1);
        let vendor = concat!("Agent Manager ", env!("CARGO_PKG_VERSION"));
        file.write_all(&pages.header(CHANNELS, pre_skip, vendor, mark))?;
        file.flush()?;
        Ok(Self { file, encoder, pages, samples: Vec::new(), packets: Vec::new(), position: 0 })
    }

    fn write(&mut self, samples: &[f32]) -> io::Result<()> {
        self.samples.extend_from_slice(samples);
        while self.samples.len() >= FRAME {
            self.frame();
            if self.packets.len() == PAGE {
                self.page(false)?;
            }
        }
        Ok(())
    }

    fn frame(&mut self) {
        let mut packet = vec![0; MAX_PACKET];
        let length = self.encoder.encode_float_to_slice(&self.samples[..FRAME], &mut packet).unwrap_or(0);
        packet.truncate(length);
        self.samples.drain(..FRAME);
        self.packets.push(packet);
        self.position += (FRAME / usize::from(CHANNELS)) as u64;
    }

    fn page(&mut self, is_last: bool) -> io::Result<()> {
        self.file.write_all(&self.pages.packets(&self.packets, self.position, is_last))?;
        self.packets.clear();
        self.file.flush()
    }

    fn finish(mut self) -> io::Result<()> {
        self.samples.resize(self.samples.len().next_multiple_of(FRAME).max(FRAME), 0.0);
        while !self.samples.is_empty() {
            self.frame();
        }
        self.page(true)
    }
}
