//! Whose fault it is, in words. A judgement of likelihood: one end sees its own machine, what comes in, and what the other end
//! reports of what goes out.

use super::Span;

/// Calls shorter than this say nothing.
const SHORTEST: u32 = 3;
/// Shares and times from which something is heard to be wrong.
const LOSS: f64 = 0.01;
const STALLED: f64 = 0.01;
const ABSENT: f64 = 0.05;
const JITTER_MS: f64 = 40.0;
const RTT_MS: f64 = 400.0;
/// A microphone or a peer that is silent for so long, in seconds, is not just listening.
const SILENT: u32 = 15;

/// Where the trouble is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Nobody,
    Device,
    Computer,
    LocalNetwork,
    Provider,
    OtherSide,
}

impl Fault {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nobody => "none",
            Self::Device => "device",
            Self::Computer => "computer",
            Self::LocalNetwork => "local_network",
            Self::Provider => "provider",
            Self::OtherSide => "other_side",
        }
    }
}

/// What is to be judged by. Shares are 0.0–1.0.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Evidence {
    pub seconds: u32,
    pub packets: u64,
    /// Of what was sent to us, on average.
    pub loss: f64,
    /// Of what we sent, on average, where the other side reports it.
    pub remote_loss: Option<f64>,
    pub concealed: f64,
    /// On average.
    pub jitter_ms: f64,
    /// The longest.
    pub rtt_ms: Option<f64>,
    /// On average.
    pub mos: Option<f64>,
    /// Of the time.
    pub stalled: f64,
    pub absent: f64,
    pub heard: f64,
    pub said: f64,
}

/// The judgement.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    pub fault: Fault,
    /// A sentence with what helps.
    pub words: String,
}

impl Evidence {
    pub fn of<'a>(spans: impl Iterator<Item = &'a Span> + Clone) -> Self {
        let seconds: u32 = spans.clone().map(|span| span.seconds).sum();
        let count = |of: fn(&Span) -> u64| spans.clone().map(of).sum::<u64>();
        let share = |of: fn(&Span) -> u64| count(of) as f64 / (f64::from(seconds.max(1)) * 1000.0);
        let mean = |of: fn(&Span) -> Option<f64>| {
            let known = || spans.clone().filter_map(|span| Some((of(span)?, f64::from(span.seconds))));
            let time: f64 = known().map(|(_, seconds)| seconds).sum();
            (time > 0.0).then(|| known().map(|(value, seconds)| value * seconds).sum::<f64>() / time)
        };
        let (packets, lost) = (count(|span| span.packets), count(|span| span.lost));
        Self {
            seconds,
            packets,
            loss: lost as f64 / (packets + lost).max(1) as f64,
            remote_loss: mean(|span| span.remote_loss),
            concealed: share(|span| span.concealed_ms),
            jitter_ms: mean(|span| Some(span.jitter_ms)).unwrap_or_default(),
            rtt_ms: spans.clone().filter_map(|span| span.rtt_ms).reduce(f64::max),
            mos: mean(|span| span.mos),
            stalled: share(|span| span.stalled_ms),
            absent: share(|span| span.absent_ms),
            heard: share(|span| span.heard_ms),
            said: share(|span| span.said_ms),
        }
    }
}

/// The nearest cause that explains what was heard: what is wrong here makes the figures of the network look bad too.
pub fn verdict(evidence: &Evidence) -> Verdict {
    let (fault, words) = judge(evidence);
    Verdict { fault, words }
}

fn judge(evidence: &Evidence) -> (Fault, String) {
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let sent = evidence.remote_loss.unwrap_or_default();
    let silent_for_long = |share: f64| share == 0.0 && evidence.seconds >= SILENT;
    match evidence {
        Evidence { seconds, .. } if *seconds < SHORTEST => (Fault::Nobody, "The call was too short to tell.".into()),
        e if e.absent > ABSENT => (
            Fault::Device,
            format!("Microphone or speaker were missing for {} of the time: check the headset's plug.", percent(e.absent)),
        ),
        e if e.stalled > STALLED => (
            Fault::Computer,
            format!(
                "This computer was too busy for sound for {} of the time: close programs that you don't need.",
                percent(e.stalled)
            ),
        ),
        e if e.packets == 0 => (
            Fault::Provider,
            "Nothing came from the other side, not even silence: something on the way, like a firewall, keeps it out. \
             Tell your phone system's administrator."
                .into(),
        ),
        e if e.loss >= LOSS && sent >= LOSS => (
            Fault::LocalNetwork,
            format!(
                "Sound got lost both ways ({} to you, {} from you), most likely on your own network: use a cable, move closer \
                 to the Wi-Fi, stop large downloads.",
                percent(e.loss),
                percent(sent)
            ),
        ),
        _ if sent >= LOSS => (
            Fault::LocalNetwork,
            format!(
                "{} of what you said got lost and what you heard did not, as when the way out of your network is full: stop \
                 uploads, use a cable.",
                percent(sent)
            ),
        ),
        e if e.loss >= LOSS => (
            Fault::Provider,
            format!(
                "{} of the sound to you got lost and none from you: the trouble lies beyond your network, at the provider or \
                 with the other side.",
                percent(e.loss)
            ),
        ),
        e if e.jitter_ms >= JITTER_MS => (
            Fault::LocalNetwork,
            format!(
                "Sound arrived unevenly (by {:.0} ms) and none was lost, as on a shared Wi-Fi: use a cable or move closer.",
                e.jitter_ms
            ),
        ),
        e if e.rtt_ms.is_some_and(|rtt| rtt >= RTT_MS) => (
            Fault::Provider,
            format!(
                "The way to the other side and back takes {:.0} ms, which makes people talk at the same time: ask the provider \
                 for a shorter one.",
                e.rtt_ms.unwrap_or_default()
            ),
        ),
        e if silent_for_long(e.said) => (
            Fault::Device,
            "Your microphone gave no sound at all: check the headset's own mute switch, and which microphone is chosen.".into(),
        ),
        e if silent_for_long(e.heard) => (
            Fault::OtherSide,
            "What came from the other side was silence: their microphone is muted or does not work.".into(),
        ),
        _ => (Fault::Nobody, "Nothing was wrong with the sound.".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Evidence = Evidence {
        seconds: 60,
        packets: 3_000,
        loss: 0.001,
        remote_loss: Some(0.0),
        concealed: 0.0,
        jitter_ms: 4.0,
        rtt_ms: Some(40.0),
        mos: Some(4.3),
        stalled: 0.0,
        absent: 0.0,
        heard: 0.4,
        said: 0.4,
    };

    #[test]
    fn the_nearest_cause_that_explains_it() {
        for (evidence, fault, said) in [
            (GOOD, Fault::Nobody, "Nothing was wrong"),
            (Evidence { remote_loss: None, rtt_ms: None, ..GOOD }, Fault::Nobody, "Nothing was wrong"),
            (Evidence { seconds: 2, loss: 0.5, ..GOOD }, Fault::Nobody, "too short"),
            (Evidence { loss: 0.05, ..GOOD }, Fault::Provider, "5.0 % of the sound to you"),
            (Evidence { loss: 0.05, remote_loss: None, ..GOOD }, Fault::Provider, "beyond your network"),
            (
                Evidence { loss: 0.05, remote_loss: Some(0.03), ..GOOD },
                Fault::LocalNetwork,
                "5.0 % to you, 3.0 % from you",
            ),
            (Evidence { remote_loss: Some(0.2), ..GOOD }, Fault::LocalNetwork, "20.0 % of what you said"),
            (Evidence { jitter_ms: 55.0, ..GOOD }, Fault::LocalNetwork, "unevenly (by 55 ms)"),
            (Evidence { rtt_ms: Some(620.0), ..GOOD }, Fault::Provider, "620 ms"),
            (Evidence { packets: 0, heard: 0.0, ..GOOD }, Fault::Provider, "Nothing came"),
            // What is wrong here explains the rest.
            (Evidence { stalled: 0.08, loss: 0.05, jitter_ms: 80.0, ..GOOD }, Fault::Computer, "8.0 % of the time"),
            (Evidence { absent: 0.5, stalled: 0.08, ..GOOD }, Fault::Device, "missing for 50.0 %"),
            (Evidence { said: 0.0, ..GOOD }, Fault::Device, "no sound at all"),
            (Evidence { said: 0.0, seconds: 10, ..GOOD }, Fault::Nobody, "Nothing was wrong"),
            (Evidence { heard: 0.0, ..GOOD }, Fault::OtherSide, "silence"),
        ] {
            let Verdict { fault: found, words } = verdict(&evidence);
            assert!(found == fault && words.contains(said), "{evidence:?}: {found:?}, {words}");
            assert!(words.ends_with('.'), "{words}");
        }
    }
}
