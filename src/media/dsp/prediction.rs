//! Linear prediction: a sample as a sum of those before it, each times a factor that the sound's spectrum gives (autocorrelation;
//! Levinson and Durbin).

/// White noise added to the spectrum (-40 dB), so that a pure tone does not ring on for ever.
const WHITE: f64 = 1.0001;
/// Each factor is so much of the one before weaker than exact, so that what is made up dies away.
const DYING: f64 = 0.995;

/// The window of that name.
pub fn hann(length: usize) -> Vec<f64> {
    let step = std::f64::consts::TAU / (length as f64 + 1.0);
    (1..=length).map(|n| 0.5 - 0.5 * (step * n as f64).cos()).collect()
}

/// What a sound has in common with itself so many samples earlier.
pub fn correlation(sound: &[f64], lag: usize) -> f64 {
    sound.iter().skip(lag).zip(sound).map(|(a, b)| a * b).sum()
}

/// Fills in the factors of the samples before, the newest first, that leave least of the next one when they are added to it.
/// `correlation` holds lags from 0 on, one more than there are factors; the first is above zero.
pub fn levinson(correlation: &[f64], factors: &mut [f64]) {
    let mut left = correlation[0];
    for order in 0..factors.len() {
        let known = (0..order).map(|n| factors[n] * correlation[order - n]).sum::<f64>();
        let reflection = -(correlation[order + 1] + known) / left;
        for n in 0..order.div_ceil(2) {
            let (early, late) = (factors[n], factors[order - 1 - n]);
            factors[order - 1 - n] = late + reflection * early;
            factors[n] = early + reflection * late;
        }
        factors[order] = reflection;
        left *= 1.0 - reflection * reflection;
    }
}

/// `count` samples that `sound` goes on with, each predicted from `order` before it.
pub fn go_on(sound: &[f32], order: usize, count: usize) -> Vec<f32> {
    let tapered: Vec<f64> =
        sound.iter().zip(hann(sound.len())).map(|(&sample, taper)| f64::from(sample) * taper).collect();
    let mut spectrum: Vec<f64> = (0..=order).map(|lag| correlation(&tapered, lag)).collect();
    spectrum[0] = spectrum[0] * WHITE + 1e-9;
    let mut factors = vec![0.0; order];
    levinson(&spectrum, &mut factors);
    let mut dying = 1.0;
    factors.iter_mut().for_each(|factor| {
        dying *= DYING;
        *factor *= dying;
    });
    let mut made: Vec<f64> =
        sound[sound.len().saturating_sub(order)..].iter().map(|&sample| f64::from(sample)).collect();
    for _ in 0..count {
        let next = -made.iter().rev().zip(&factors).map(|(sample, factor)| sample * factor).sum::<f64>();
        made.push(next.clamp(-1.0, 1.0));
    }
    made[made.len() - count..].iter().map(|&sample| sample as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::dsp::power;

    #[test]
    fn a_chord_goes_on_and_dies_away() {
        let chord = |n: usize| 0.3 * (n as f32 * 0.2).sin() + 0.2 * (n as f32 * 0.71 + 1.0).sin();
        let sound: Vec<f32> = (0..320).map(chord).collect();
        let made = go_on(&sound, 32, 8_000);
        let error: Vec<f32> = made[..40].iter().zip(320..).map(|(made, n)| made - chord(n)).collect();
        assert!(power(&error) < 0.1 * power(&sound), "{} of {}", power(&error), power(&sound));
        assert!(power(&made[7_000..]) < 0.01 * power(&sound), "{}", power(&made[7_000..]));
    }

    mod properties {
        use super::*;
        use crate::properties::config;
        use proptest::prelude::*;

        proptest! {
            #![proptest_config(config(64, 7112))]
            #[test]
            fn whatever_was_heard_grows_to_nothing_worse(sound in prop::collection::vec(-1.0f32..1.0, 4..400), order in 1usize..64) {
                let made = go_on(&sound, order.min(sound.len() / 4), 640);
                prop_assert_eq!(made.len(), 640);
                prop_assert!(made.iter().all(|sample| sample.is_finite() && sample.abs() <= 1.0));
            }
        }
    }
}
