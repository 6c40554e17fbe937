//! How a call sounds, in bars, words and figures.

use crate::ui::{
    format::figure,
    screen::Tone,
    snapshot::{Finding, Locale, Quality},
    text::{fill, t},
};

/// How a call sounds.
#[derive(Debug, PartialEq)]
pub struct Sound {
    /// Lit bars of four.
    pub bars: usize,
    pub word: &'static str,
    pub tone: Tone,
    /// Label and value of each figure.
    pub figures: Vec<(&'static str, String)>,
    /// What is wrong and what helps.
    pub verdict: Option<Finding>,
}

impl Sound {
    /// What is wrong, if anything is.
    pub fn trouble(&self) -> Option<&Finding> {
        self.verdict.as_ref().filter(|verdict| !verdict.good)
    }

    /// What is wrong never looks all right, however well the rest sounds.
    pub const fn verdict_tone(&self) -> Tone {
        match (&self.verdict, self.tone) {
            (Some(Finding { good: false, .. }), Tone::Go) => Tone::Hold,
            (_, tone) => tone,
        }
    }
}

/// MOS in words. The limits are ITU-T G.107 annex B's user satisfaction bands.
pub fn band(mos: f64) -> (usize, &'static str, Tone) {
    match mos {
        mos if mos >= 4.03 => (4, t().quality_excellent, Tone::Go),
        mos if mos >= 3.6 => (3, t().quality_good, Tone::Go),
        mos if mos >= 3.1 => (2, t().quality_fair, Tone::Hold),
        _ => (1, t().quality_poor, Tone::Stop),
    }
}

/// What is known of a call's sound: figures, codec and verdict. Without figures, nothing has come.
pub fn sound(
    (quality, codec, verdict): (Option<&Quality>, Option<&str>, Option<&Finding>),
    locale: Locale,
) -> Option<Sound> {
    let (bars, word, tone) = match quality {
        Some(quality) => band(quality.mos),
        None if verdict.is_some() => (0, t().no_sound, Tone::Stop),
        None => return None,
    };
    let mut figures = quality.map(|quality| figures(quality, locale)).unwrap_or_default();
    figures.extend(codec.map(|codec| (t().codec, codec.to_owned())));
    Some(Sound { bars, word, tone, figures, verdict: verdict.cloned() })
}

fn figures(quality: &Quality, locale: Locale) -> Vec<(&'static str, String)> {
    let ms = |value: f64| fill(t().milliseconds, &[&figure(value, 0, locale)]);
    let mut figures = vec![(t().mos, figure(quality.mos, 1, locale))];
    figures.extend(quality.remote_mos.map(|remote| (t().remote_mos, figure(remote, 1, locale))));
    figures.extend([
        (t().loss, fill(t().percent, &[&figure(quality.loss_percent, 1, locale)])),
        (t().concealed, fill(t().percent, &[&figure(quality.concealed_percent, 1, locale)])),
        (t().jitter, ms(quality.jitter_ms)),
    ]);
    figures.extend(quality.delay_ms.map(|delay| match quality.delay_out_ms {
        Some(out) => (t().delay, fill(t().delays, &[&ms(delay), &ms(out)])),
        None => (t().delay, ms(delay)),
    }));
    figures
}
