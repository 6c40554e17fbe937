//! Echo cancelling, noise suppression and gain control by sonora (WebRTC's audio processing).

use super::VoiceProcessing;
use crate::media::{BLOCK, SAMPLE_RATE};
use sonora::{
    AudioProcessing, Config, StreamConfig,
    config::{
        AdaptiveDigital, EchoCanceller, GainController2, MaxProcessingRate, NoiseSuppression, NoiseSuppressionLevel,
        Pipeline,
    },
};
use std::fmt;

/// The most that a quiet voice is raised, in dB, and what a call begins with: above it noise comes up too.
const MOST_GAIN_DB: f32 = 30.0;
const FIRST_GAIN_DB: f32 = 6.0;

/// See the module. Adds no delay to whole blocks; what fills none waits for the next.
pub struct Processor {
    processing: AudioProcessing,
    switches: VoiceProcessing,
    /// What was heard and fills no block yet.
    pending: Vec<f32>,
    block: [f32; BLOCK],
}

impl Processor {
    pub fn new(switches: VoiceProcessing) -> Self {
        let mono = StreamConfig::new(SAMPLE_RATE, 1);
        let processing =
            AudioProcessing::builder().config(config(switches)).capture_config(mono).render_config(mono).build();
        Self { processing, switches, pending: Vec::with_capacity(2 * BLOCK), block: [0.0; BLOCK] }
    }

    /// Changes what is done; what stays on goes on undisturbed.
    pub fn set(&mut self, switches: VoiceProcessing) {
        if switches != self.switches {
            self.switches = switches;
            self.processing.apply_config(config(switches));
        }
    }

    /// A block that the speaker is about to play: the echo to be looked for.
    pub fn played(&mut self, block: &[f32]) {
        if self.switches.echo {
            // It fails for another length than a block's, and then this one is not known of.
            let _ = self.processing.process_render_f32(&[block], &mut [&mut self.block]);
        }
    }

    /// Processes what the microphone heard; `samples` then holds the whole blocks that there were.
    pub fn heard(&mut self, samples: &mut Vec<f32>) {
        self.pending.extend_from_slice(samples);
        samples.clear();
        let whole = self.pending.len() / BLOCK * BLOCK;
        for block in self.pending[..whole].chunks_exact(BLOCK) {
            let processed = self.processing.process_capture_f32(&[block], &mut [&mut self.block]);
            samples.extend_from_slice(if processed.is_ok() { &self.block } else { block });
        }
        self.pending.drain(..whole);
    }
}

fn config(switches: VoiceProcessing) -> Config {
    let level =
        AdaptiveDigital { max_gain_db: MOST_GAIN_DB, initial_gain_db: FIRST_GAIN_DB, ..AdaptiveDigital::default() };
    Config {
        // Telephony ends at 8 kHz; this rate keeps what lies above it for recordings and costs a third less than the full one.
        pipeline: Pipeline { maximum_internal_processing_rate: MaxProcessingRate::Rate32kHz, ..Pipeline::default() },
        echo_canceller: switches.echo.then(EchoCanceller::default),
        noise_suppression: switches
            .noise
            .then(|| NoiseSuppression { level: NoiseSuppressionLevel::High, ..NoiseSuppression::default() }),
        gain_controller2: switches
            .gain
            .then(|| GainController2 { adaptive_digital: Some(level), ..GainController2::default() }),
        ..Config::default()
    }
}

impl fmt::Debug for Processor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Processor").field("switches", &self.switches).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::dsp::{power, tone_share};
    use rand::{RngExt, SeedableRng, rngs::StdRng};

    const ECHO: VoiceProcessing = VoiceProcessing { echo: true, ..VoiceProcessing::OFF };
    const NOISE: VoiceProcessing = VoiceProcessing { noise: true, ..VoiceProcessing::OFF };
    const GAIN: VoiceProcessing = VoiceProcessing { gain: true, ..VoiceProcessing::OFF };

    /// Like a voice: harmonics of a gliding pitch in syllables of a fifth of a second, between them a little pause.
    fn voice(seconds: usize, seed: u64) -> Vec<f32> {
        let mut random = StdRng::seed_from_u64(seed);
        let (mut out, mut phase) = (Vec::new(), 0.0f32);
        for _ in 0..seconds * 5 {
            let (from, to) = (random.random_range(90.0..220.0f32), random.random_range(90.0..220.0f32));
            let tilt = random.random_range(0.55..0.85f32);
            let length = SAMPLE_RATE as usize / 5;
            for n in 0..length {
                let at = n as f32 / length as f32;
                phase += (from + (to - from) * at) / SAMPLE_RATE as f32;
                let harmonics = (1..30).map(|h| tilt.powi(h) * (phase * h as f32 * std::f32::consts::TAU).sin());
                let breath = random.random_range(-0.05..0.05f32);
                let loud = (at * std::f32::consts::PI).sin().powi(2) * f32::from(at < 0.85);
                out.push(0.25 * loud * (harmonics.sum::<f32>() * (1.0 - tilt) + breath));
            }
        }
        out
    }

    /// From speaker to microphone: 40 ms of way and buffers, then a room's reverberation, 12 dB below in all.
    fn echo(played: &[f32], seed: u64) -> Vec<f32> {
        let mut random = StdRng::seed_from_u64(seed);
        let taps: Vec<(usize, f32)> = (0..60)
            .map(|n| (1_920 + n * 31, random.random_range(-1.0..1.0f32) * 0.12 * 0.94f32.powi(n as i32)))
            .collect();
        (0..played.len())
            .map(|n| taps.iter().filter_map(|&(by, gain)| Some(gain * played[n.checked_sub(by)?])).sum())
            .collect()
    }

    fn run(processor: &mut Processor, played: &[f32], heard: &[f32]) -> Vec<f32> {
        let mut out = Vec::new();
        for (played, heard) in played.chunks_exact(BLOCK).zip(heard.chunks_exact(BLOCK)) {
            processor.played(played);
            let mut samples = heard.to_vec();
            processor.heard(&mut samples);
            out.extend(samples);
        }
        out
    }

    fn db(ratio: f32) -> f32 {
        10.0 * ratio.log10()
    }

    #[test]
    fn echo_is_taken_out_and_the_near_voice_stays() {
        let far = voice(14, 1);
        let echo = echo(&far, 2);
        let alone = run(&mut Processor::new(ECHO), &far, &echo);
        // ITU-T G.168's measure, once it has converged.
        let settled = 6 * SAMPLE_RATE as usize;
        let erle = db(power(&echo[settled..]) / power(&alone[settled..]).max(1e-12));
        println!("echo return loss enhancement: {erle:.1} dB");
        assert!(erle > 25.0, "{erle}");

        let near = voice(14, 3);
        let both: Vec<f32> = near.iter().zip(&echo).map(|(near, echo)| near + echo).collect();
        let kept = run(&mut Processor::new(ECHO), &far, &both);
        let kept = db(power(&kept[settled..]) / power(&near[settled..]));
        println!("the near voice in double talk: {kept:.1} dB");
        assert!((-10.0..3.0).contains(&kept), "{kept}");
    }

    #[test]
    fn noise_goes_and_the_voice_stays() {
        let mut random = StdRng::seed_from_u64(4);
        let said = voice(8, 5);
        let noise: Vec<f32> = said.iter().map(|_| random.random_range(-0.02..0.02f32)).collect();
        let silence = vec![0.0; said.len()];
        let quiet = run(&mut Processor::new(NOISE), &silence, &noise);
        let half = said.len() / 2;
        let reduction = db(power(&noise[half..]) / power(&quiet[half..]).max(1e-12));
        println!("noise reduced by {reduction:.1} dB");
        assert!(reduction > 12.0, "{reduction}");
        let noisy: Vec<f32> = said.iter().zip(&noise).map(|(voice, noise)| voice + noise).collect();
        let kept = run(&mut Processor::new(NOISE), &silence, &noisy);
        let kept = db(power(&kept[half..]) / power(&said[half..]));
        println!("the voice: {kept:.1} dB");
        assert!((-4.0..1.0).contains(&kept), "{kept}");
    }

    #[test]
    fn a_quiet_voice_is_raised_and_switches_take_effect_live() {
        let quiet: Vec<f32> = voice(12, 6).iter().map(|sample| sample * 0.05).collect();
        let silence = vec![0.0; quiet.len()];
        let mut processor = Processor::new(GAIN);
        let raised = run(&mut processor, &silence, &quiet);
        let half = quiet.len() / 2;
        let gain = db(power(&raised[half..]) / power(&quiet[half..]));
        println!("raised by {gain:.1} dB");
        assert!(gain > 10.0, "{gain}");
        processor.set(VoiceProcessing::OFF);
        let same = run(&mut processor, &silence, &quiet);
        let gain = db(power(&same[half..]) / power(&quiet[half..]));
        assert!(gain.abs() < 0.5, "switched off it leaves the voice alone: {gain}");
    }

    #[test]
    fn any_amount_comes_out_in_whole_blocks_and_nothing_is_lost() {
        let tone: Vec<f32> = (0..48_000).map(|n| 0.2 * (n as f32 * 0.0576).sin()).collect();
        let mut processor = Processor::new(VoiceProcessing::OFF);
        let (mut out, mut rest) = (Vec::new(), &tone[..]);
        for length in [100, 480, 481, 959, 1, 0, 240].iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (now, later) = rest.split_at(rest.len().min(*length));
            let mut samples = now.to_vec();
            processor.heard(&mut samples);
            assert!(samples.len().is_multiple_of(BLOCK));
            out.extend(samples);
            rest = later;
        }
        assert!(out.len() > tone.len() - BLOCK);
        assert!(tone_share(&out[4_800..], 440.0, SAMPLE_RATE) > 0.98);
    }
}
