//! Quality as people would rate it, by the E-model: ITU-T G.107 for the telephone band, G.107.1 for wideband codecs.
//! Each scale has its own best (MOS 4.4 and 4.5): a wideband call is better than the two figures say side by side.

use super::plan::Codec;

/// What the network and the buffer did to a call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conditions {
    pub codec: Codec,
    /// Mouth to ear, one way, in milliseconds.
    pub delay_ms: f64,
    /// Share of sound lost after concealment and recovery, 0.0–1.0.
    pub loss: f64,
}

/// How a codec fares.
struct Impairment {
    /// Rating without any impairment by delay or codec: 93.2 (G.107, default values), 129 (G.107.1).
    best: f64,
    /// Equipment impairment factor.
    ie: f64,
    /// Robustness against packet loss.
    bpl: f64,
    /// Factor from this scale to the 0–100 one that the opinion score is computed from (G.107.1 §7.8).
    scale: f64,
}

fn impairment(codec: Codec) -> Impairment {
    match codec {
        // G.113 Appendix I: G.711 has Ie 0, and Bpl 25.1 with the concealment of its Appendix I, which ours resembles.
        Codec::Pcmu | Codec::Pcma => Impairment { best: 93.2, ie: 0.0, bpl: 25.1, scale: 1.0 },
        // G.113 Appendix IV: G.722 at 64 kb/s has Ie,wb 13. Its robustness is assumed to be that of AMR-WB at 23.85 kb/s (Bpl,wb
        // 4.9): the figure for G.722 itself belongs to its own concealment.
        Codec::G722 => Impairment { best: 129.0, ie: 13.0, bpl: 4.9, scale: 1.29 },
        // Assumed; G.113 has no figures for Opus. AMR-WB at 23.85 kb/s has Ie,wb 8 and Bpl,wb 4.9 (G.113 Appendix IV); Opus
        // at 64 kb/s wideband is rated clearly better and conceals a little better.
        Codec::Opus => Impairment { best: 129.0, ie: 3.0, bpl: 6.0, scale: 1.29 },
    }
}

/// Conversational mean opinion score, 1.0–4.5, without echo.
pub fn mos(conditions: &Conditions) -> f64 {
    score(rating(conditions))
}

/// Rating (R factor) on the scale from 0 to 100 that the opinion score is computed from.
pub fn rating(conditions: &Conditions) -> f64 {
    let codec = impairment(conditions.codec);
    let loss_percent = conditions.loss.clamp(0.0, 1.0) * 100.0;
    // G.107 §7.5 (random loss, BurstR 1); 95 is where the narrowband scale ends, the wideband one likewise (G.107.1 §7.5).
    let effective = codec.ie + (95.0 - codec.ie).max(0.0) * loss_percent / (loss_percent + codec.bpl);
    (codec.best - delay_impairment(conditions.delay_ms) - effective) / codec.scale
}

/// Idd of G.107 §7.4: nothing up to 100 ms, then steeper.
fn delay_impairment(delay_ms: f64) -> f64 {
    if delay_ms <= 100.0 {
        return 0.0;
    }
    let x = (delay_ms / 100.0).log2();
    25.0 * ((1.0 + x.powi(6)).powf(1.0 / 6.0) - 3.0 * (1.0 + (x / 3.0).powi(6)).powf(1.0 / 6.0) + 2.0)
}

/// From rating to opinion score (G.107 Annex B).
fn score(rating: f64) -> f64 {
    match rating {
        r if r <= 6.5 => 1.0,
        r if r >= 100.0 => 4.5,
        r => (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6).max(1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(codec: Codec, delay_ms: f64, loss: f64) -> f64 {
        mos(&Conditions { codec, delay_ms, loss })
    }

    #[test]
    fn agrees_with_the_recommendation() {
        // G.107 Annex B: the default rating 93.2 is an opinion score of 4.41.
        assert!((of(Codec::Pcmu, 50.0, 0.0) - 4.41).abs() < 0.01);
        // G.107 §7.4: 25 × (2^(1/6) − 3 × (1 + 3⁻⁶)^(1/6) + 2) at 200 ms.
        assert!((delay_impairment(200.0) - 3.04).abs() < 0.02, "{}", delay_impairment(200.0));
    }

    #[test]
    fn falls_with_loss_and_delay_and_stays_in_range() {
        for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus] {
            let by_loss: Vec<f64> = (0..=100).map(|n| of(codec, 50.0, f64::from(n) / 100.0)).collect();
            let by_delay: Vec<f64> = (0..=100).map(|n| of(codec, f64::from(n) * 20.0, 0.0)).collect();
            for figures in [by_loss, by_delay] {
                assert!(figures.windows(2).all(|w| w[1] <= w[0] + 1e-9), "{codec:?}: {figures:?}");
                assert!(figures.iter().all(|mos| (1.0..=4.5).contains(mos)));
            }
        }
        assert!(of(Codec::Opus, 50.0, 0.0) > of(Codec::G722, 50.0, 0.0));
        assert!(of(Codec::Opus, 50.0, 0.0) > 4.3);
        assert!(of(Codec::Pcmu, 50.0, 0.05) < 4.0);
    }
}
