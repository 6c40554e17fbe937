//! Signal processing without input, output or clock: rate conversion, concealment, time-stretching, tones, levels.

pub mod bridge;
pub mod comfort;
pub mod conceal;
pub mod fade;
pub mod noise;
pub mod prediction;
pub mod resample;
pub mod stretch;
pub mod tone;

/// Sum of products, in eight lanes so that the compiler can use vector instructions (it may not reorder a plain sum).
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; 8];
    let (a_chunks, b_chunks) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = a_chunks.remainder().iter().zip(b_chunks.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a_chunks.zip(b_chunks) {
        for lane in 0..8 {
            lanes[lane] += x[lane] * y[lane];
        }
    }
    lanes.iter().sum::<f32>() + rest
}

/// Largest magnitude, 0.0 for no samples.
pub fn peak(samples: &[f32]) -> f32 {
    samples.iter().fold(0.0, |most, sample| most.max(sample.abs()))
}

/// Mean square of the samples, 0.0 for none.
pub fn power(samples: &[f32]) -> f32 {
    if samples.is_empty() { 0.0 } else { dot(samples, samples) / samples.len() as f32 }
}

/// [`tone_share`] of each tenth of a second, on average: a change of phase in between does no harm.
pub fn steady_tone_share(samples: &[f32], frequency: f64, rate: u32) -> f64 {
    let parts = samples.chunks_exact(rate as usize / 10);
    let count = parts.len().max(1) as f64;
    parts.map(|part| tone_share(part, frequency, rate)).sum::<f64>() / count
}

/// Share of the signal's power that lies at `frequency` (Goertzel), 0.0–1.0; how tests recognise a tone.
pub fn tone_share(samples: &[f32], frequency: f64, rate: u32) -> f64 {
    let omega = 2.0 * std::f64::consts::PI * frequency / f64::from(rate);
    let (mut re, mut im, mut energy) = (0.0, 0.0, 0.0);
    for (n, &sample) in samples.iter().enumerate() {
        let x = f64::from(sample);
        re += x * (omega * n as f64).cos();
        im -= x * (omega * n as f64).sin();
        energy += x * x;
    }
    if energy < 1e-9 { 0.0 } else { (re * re + im * im) * 2.0 / (samples.len() as f64 * energy) }
}
