//! Music for whoever is on hold.

use super::{SAMPLE_RATE, device::file::Input, dsp::resample::Resampler};
use std::{path::Path, sync::Arc};

/// Kept in memory at this rate, which is what the widest voice codec carries, so that a call never waits for a disk.
const RATE: u32 = 16_000;
/// Longer pieces are left off there: 10 MB.
const LONGEST_S: usize = 5 * 60;

/// A piece of music, for as many calls as there are.
#[derive(Clone, Debug)]
pub struct Music {
    samples: Arc<[i16]>,
}

/// Plays a piece to one call, over and over.
#[derive(Debug)]
pub struct Player {
    music: Music,
    at: usize,
    up: Resampler,
    ready: Vec<f32>,
}

impl Music {
    /// Reads the first channel of a WAV file.
    ///
    /// # Errors
    /// A sentence with what to do about it.
    pub fn load(path: &Path) -> Result<Self, String> {
        let said = |why: String| format!("The music on hold {} cannot be played ({why}).", path.display());
        let mut input = Input::open(path).map_err(said)?;
        let mut down = Resampler::new(SAMPLE_RATE, RATE);
        let (mut wide, mut narrow) = (Vec::new(), Vec::new());
        let mut more = true;
        while more && narrow.len() < LONGEST_S * RATE as usize {
            wide.clear();
            more = input.read_on(&mut wide);
            down.process(&wide, &mut narrow);
        }
        if narrow.is_empty() {
            return Err(said("it holds no sound; choose a WAV file that does".into()));
        }
        Ok(Self { samples: narrow.iter().map(|sample| (sample.clamp(-1.0, 1.0) * 32_767.0) as i16).collect() })
    }
}

impl Player {
    /// Whether it plays this piece.
    pub fn plays(&self, music: &Music) -> bool {
        Arc::ptr_eq(&self.music.samples, &music.samples)
    }

    pub fn new(music: Music) -> Self {
        Self { music, at: 0, up: Resampler::new(RATE, SAMPLE_RATE), ready: Vec::new() }
    }

    /// Replaces 48 kHz samples by the music's next ones.
    pub fn fill(&mut self, audio: &mut [f32]) {
        let mut chunk = [0.0; RATE as usize / 100];
        while self.ready.len() < audio.len() {
            for sample in &mut chunk {
                *sample = f32::from(self.music.samples[self.at]) / 32_768.0;
                self.at = (self.at + 1) % self.music.samples.len();
            }
            self.up.process(&chunk, &mut self.ready);
        }
        audio.copy_from_slice(&self.ready[..audio.len()]);
        self.ready.drain(..audio.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::dsp::{power, steady_tone_share};

    #[test]
    fn a_file_is_heard_over_and_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("music.wav");
        let spec = hound::WavSpec {
            channels: 2,
            sample_rate: 44_100,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::create(&path, spec).expect("a file");
        for n in 0..44_100 {
            let sample = (f64::from(n) * std::f64::consts::TAU * 600.0 / 44_100.0).sin() * 10_000.0;
            writer.write_sample(sample as i16).expect("the folder can be written");
            writer.write_sample(0i16).expect("the folder can be written");
        }
        writer.finalize().expect("the folder can be written");
        let mut player = Player::new(Music::load(&path).expect("music"));
        let mut heard = vec![0.0; 3 * 48_000];
        heard.chunks_mut(960).for_each(|packet| player.fill(packet));
        assert!(steady_tone_share(&heard, 600.0, SAMPLE_RATE) > 0.95);
        let loud = [power(&heard[4_800..43_200]), power(&heard[100_800..139_200])];
        assert!((loud[0] / loud[1] - 1.0).abs() < 0.05, "{loud:?}");
    }

    #[test]
    fn what_cannot_be_played_is_said() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("letter.txt");
        std::fs::write(&path, "no music").expect("the folder can be written");
        for path in [path, folder.path().join("nothing.wav")] {
            let said = Music::load(&path).expect_err("no music");
            assert!(said.starts_with("The music on hold ") && said.contains("choose"), "{said}");
        }
    }
}
