//! The virtual sound card of the headless contract: the microphone plays a WAV file in a loop, the speaker is recorded into
//! another; both from the first call's connection.

use super::{Card, STEP_BLOCKS, STEP_SAMPLES, StepClock};
use crate::media::{
    SAMPLE_RATE,
    dsp::resample::Resampler,
    engine::{MediaError, Notice},
};
use hound::{SampleFormat, WavReader, WavSpec, WavWriter};
use std::{
    fs::File,
    io::{BufReader, BufWriter},
    path::{Path, PathBuf},
    time::Instant,
};

/// The recording's header is brought up to date after this many samples: half a second.
const COMPLETE_EVERY: usize = SAMPLE_RATE as usize / 2;

/// The two files, opened and checked.
pub struct Tape {
    input: Input,
    output: WavWriter<BufWriter<File>>,
    output_path: PathBuf,
}

impl Tape {
    /// Opens both files; the recording is an empty one until a call connects.
    pub fn open(input: &Path, output: &Path) -> Result<Self, MediaError> {
        let unusable = |path: &Path, why: String| MediaError::File { path: path.to_owned(), why };
        let spec =
            WavSpec { channels: 1, sample_rate: SAMPLE_RATE, bits_per_sample: 16, sample_format: SampleFormat::Int };
        let input = Input::open(input).map_err(|why| unusable(input, why))?;
        let writable = WavWriter::create(output, spec).and_then(|mut writer| writer.flush().map(|()| writer));
        let writer = writable.map_err(|e| unusable(output, format!("{e}; choose a file that can be written")))?;
        Ok(Self { input, output: writer, output_path: output.to_owned() })
    }
}

/// A card over a [`Tape`].
pub struct FileCard {
    tape: Tape,
    clock: StepClock,
    running: bool,
    /// Samples recorded since the header was brought up to date.
    since_complete: usize,
    notice: Option<Notice>,
    failed: bool,
}

impl FileCard {
    pub fn new(now: Instant, tape: Tape) -> Self {
        Self { tape, clock: StepClock::new(now), running: false, since_complete: 0, notice: None, failed: false }
    }

    fn record(&mut self, block: &[f32]) -> hound::Result<()> {
        let mut writer = self.tape.output.get_i16_writer(block.len() as u32);
        for &sample in block {
            writer.write_sample((sample * 32_767.0) as i16);
        }
        writer.flush()?;
        self.since_complete += block.len();
        if self.since_complete >= COMPLETE_EVERY {
            self.since_complete = 0;
            self.tape.output.flush()?;
        }
        Ok(())
    }
}

impl Card for FileCard {
    fn poll(&mut self, now: Instant, microphone: &mut Vec<f32>) -> usize {
        let steps = self.clock.take_all(now);
        let wanted = microphone.len() + steps * STEP_SAMPLES;
        if self.running {
            self.tape.input.read(wanted, microphone);
        }
        microphone.resize(wanted, 0.0);
        steps * STEP_BLOCKS
    }

    fn play(&mut self, block: &[f32]) {
        if !self.running || self.failed {
            return;
        }
        if let Err(error) = self.record(block) {
            self.failed = true;
            let path = self.tape.output_path.display();
            let text = format!("The recording {path} stopped ({error}); free some space and start again.");
            self.notice = Some(Notice::warning(text));
        }
    }

    fn poll_timeout(&self) -> Instant {
        self.clock.next()
    }

    fn connected(&mut self, now: Instant) {
        if !self.running {
            self.running = true;
            self.clock = StepClock::new(now);
        }
    }

    fn runs_on(&self) -> bool {
        self.running
    }

    fn poll_notice(&mut self) -> Option<Notice> {
        self.notice.take()
    }
}

/// A WAV file of any rate, read in a loop: its first channel at 48 kHz.
pub struct Input {
    reader: WavReader<BufReader<File>>,
    spec: WavSpec,
    resampler: Resampler,
    chunk: Vec<f32>,
    /// Converted samples not yet asked for.
    ready: Vec<f32>,
    /// Nothing was read since the last return to the start.
    at_start: bool,
    /// It was read to its end, or cannot be read.
    ended: bool,
}

impl Input {
    /// Errors are the reason, in words.
    pub fn open(path: &Path) -> Result<Self, String> {
        let mut reader = WavReader::open(path).map_err(|e| format!("{e}; choose a WAV file"))?;
        let spec = reader.spec();
        if spec.channels == 0 || !(1_000..=384_000).contains(&spec.sample_rate) || reader.duration() == 0 {
            return Err("it holds no sound; choose a WAV file of 1 to 384 kHz".into());
        }
        reader.seek(0).map_err(|e| e.to_string())?;
        let resampler = Resampler::new(spec.sample_rate, SAMPLE_RATE);
        Ok(Self { reader, spec, resampler, chunk: Vec::new(), ready: Vec::new(), at_start: true, ended: false })
    }

    /// Appends to `out` until it holds `wanted` samples; less only when the file cannot be read any more.
    pub fn read(&mut self, wanted: usize, out: &mut Vec<f32>) {
        while out.len() + self.ready.len() < wanted {
            if !self.refill() {
                break;
            }
        }
        let count = wanted.saturating_sub(out.len()).min(self.ready.len());
        out.extend(self.ready.drain(..count));
    }

    /// Appends the next piece of a file that is read once; `false` when that was the last.
    pub fn read_on(&mut self, out: &mut Vec<f32>) -> bool {
        let more = self.refill() && !self.ended;
        out.append(&mut self.ready);
        more
    }

    /// Reads and converts 20 ms, from the start again at the end.
    fn refill(&mut self) -> bool {
        let channels = usize::from(self.spec.channels);
        let count = (self.spec.sample_rate as usize).div_ceil(50) * channels;
        self.chunk.clear();
        match self.spec.sample_format {
            SampleFormat::Float => {
                let samples = self.reader.samples::<f32>().take(count).map_while(Result::ok);
                let sound = |sample: f32| if sample.is_finite() { sample.clamp(-1.0, 1.0) } else { 0.0 };
                self.chunk.extend(samples.step_by(channels).map(sound));
            }
            SampleFormat::Int => {
                let scale = 1.0 / (1u32 << (self.spec.bits_per_sample.clamp(1, 32) - 1)) as f32;
                let samples = self.reader.samples::<i32>().take(count).map_while(Result::ok);
                self.chunk.extend(samples.step_by(channels).map(|sample| sample as f32 * scale));
            }
        }
        // A file that ends right after its header, whatever that claims, must not be read for ever.
        let fruitless = self.chunk.is_empty() && self.at_start;
        self.at_start = self.chunk.len() * channels < count;
        self.ended |= self.at_start;
        if fruitless || self.at_start && self.reader.seek(0).is_err() {
            return false;
        }
        self.resampler.process(&self.chunk, &mut self.ready);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{BLOCK, dsp::tone_share};
    use std::time::Duration;

    fn tone_file(path: &Path, rate: u32, channels: u16, format: SampleFormat, bits: u16) {
        let spec = WavSpec { channels, sample_rate: rate, bits_per_sample: bits, sample_format: format };
        let mut writer = WavWriter::create(path, spec).unwrap();
        for n in 0..rate {
            let sample = (f64::from(n) * 2.0 * std::f64::consts::PI * 440.0 / f64::from(rate)).sin() * 0.5;
            for channel in 0..channels {
                let sample = if channel == 0 { sample } else { 0.0 };
                match format {
                    SampleFormat::Float => writer.write_sample(sample as f32).unwrap(),
                    SampleFormat::Int => {
                        writer.write_sample((sample * f64::from((1i64 << (bits - 1)) as f32)) as i32).unwrap()
                    }
                }
            }
        }
        writer.finalize().unwrap();
    }

    #[test]
    fn plays_any_wav_in_a_loop_and_records_all_the_time() {
        let dir = tempfile::tempdir().unwrap();
        let (input, output) = (dir.path().join("in.wav"), dir.path().join("out.wav"));
        for (rate, channels, format, bits) in [
            (8_000, 1, SampleFormat::Int, 16),
            (44_100, 2, SampleFormat::Int, 24),
            (48_000, 1, SampleFormat::Float, 32),
            (11_025, 1, SampleFormat::Int, 8),
        ] {
            tone_file(&input, rate, channels, format, bits);
            let start = Instant::now();
            let mut card = FileCard::new(start, Tape::open(&input, &output).unwrap());
            assert!(!card.runs_on());
            let mut heard = Vec::new();
            for _ in 0..card.poll(start + Duration::from_millis(100), &mut heard) {
                card.play(&[0.5; BLOCK]);
            }
            assert!(heard.iter().all(|&sample| sample == 0.0));
            heard.clear();
            let connected = start + Duration::from_millis(200);
            card.connected(connected);
            let mut now = connected;
            for _ in 0..125 {
                now = card.poll_timeout();
                for _ in 0..card.poll(now, &mut heard) {
                    card.play(&[0.25; BLOCK]);
                }
            }
            assert_eq!((heard.len(), now - connected), (120_000, Duration::from_millis(2_500)));
            assert!(tone_share(&heard, 440.0, 48_000) > 0.99, "{rate}");
            // Complete up to the last half second, without the card being closed.
            let recording = WavReader::open(&output).unwrap();
            assert_eq!((recording.spec().sample_rate, recording.duration()), (48_000, 120_000));
        }
    }

    #[test]
    fn unusable_files_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let (input, output) = (dir.path().join("in.wav"), dir.path().join("out.wav"));
        assert!(matches!(Tape::open(&input, &output), Err(MediaError::File { path, .. }) if path == input));
        std::fs::write(&input, b"RIFF").unwrap();
        assert!(Tape::open(&input, &output).is_err());
        tone_file(&input, 8_000, 1, SampleFormat::Int, 16);
        let nowhere = dir.path().join("missing/out.wav");
        assert!(matches!(Tape::open(&input, &nowhere), Err(MediaError::File { path, .. }) if path == nowhere));
    }
    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_told_once_and_the_microphone_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let (input, output) = (dir.path().join("in.wav"), dir.path().join("out.wav"));
        tone_file(&input, 48_000, 1, SampleFormat::Int, 16);
        let mut tape = Tape::open(&input, &output).unwrap();
        let full = File::options().write(true).open("/dev/full").unwrap();
        // The header stays in the buffer, as it does while a disk fills up.
        let spec = tape.output.spec();
        tape.output = WavWriter::new(BufWriter::with_capacity(1 << 16, full), spec).unwrap();
        let start = Instant::now();
        let mut card = FileCard::new(start, tape);
        card.connected(start);
        let mut heard = Vec::new();
        for n in 1..=200 {
            let blocks = card.poll(start + Duration::from_millis(10 * n), &mut heard);
            (0..blocks).for_each(|_| card.play(&[0.25; BLOCK]));
        }
        let told = card.poll_notice().expect("a sentence").text;
        assert!(told.contains("out.wav") && told.contains("No space left"), "{told}");
        assert!(told.ends_with("free some space and start again."), "{told}");
        assert!(card.poll_notice().is_none(), "once");
        assert!(heard.len() >= 95_000 && tone_share(&heard, 440.0, 48_000) > 0.99, "{}", heard.len());
    }
}
