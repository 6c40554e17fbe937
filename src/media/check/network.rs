//! What a short call to an echo says of the network, both ways. Pure.

use super::Finding;
use crate::media::{
    emodel::{Conditions, mos},
    plan::Codec,
    stats::CallStats,
};

/// From here on nobody complains (ITU-T G.107 Annex B: more than 80 % say good or better).
const GOOD: f64 = 4.0;
/// What a jitter buffer at the other end is taken to hold, in milliseconds.
const THEIR_BUFFER_MS: f64 = 40.0;

/// Why the network was not measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmeasured<'a> {
    NoEcho,
    Offline,
    /// In words, without a stop.
    NotAnswered {
        echo: &'a str,
        why: &'a str,
    },
    Interrupted,
    NothingHeard {
        echo: &'a str,
    },
}

/// Whether both directions are known.
pub fn is_complete(stats: &CallStats) -> bool {
    stats.rtt_ms.is_some() && stats.remote_loss.is_some()
}

/// What the figures of a call to `echo` mean.
pub fn judge(echo: &str, codec: Codec, stats: &CallStats) -> Finding {
    let expected = stats.rx.packets + stats.rx.lost;
    if stats.rx.packets == 0 {
        return unmeasured(Unmeasured::NothingHeard { echo });
    }
    let (back, one_way) = (stats.rx.lost as f64 / expected as f64, stats.rtt_ms.unwrap_or_default() / 2.0);
    let predicted = |loss, buffer_ms| mos(&Conditions { codec, delay_ms: one_way + buffer_ms, loss });
    let mos_back = predicted(back, stats.rx.buffer_ms);
    let there = stats.remote_loss.map(|loss| (loss, predicted(loss, THEIR_BUFFER_MS)));
    let good = mos_back >= GOOD && there.is_none_or(|(_, mos)| mos >= GOOD);
    let begins = if good { "The network carries calls well" } else { "Calls will not sound well" };
    let lost_there = match there {
        Some((loss, mos)) => format!("predicted MOS {mos:.1} there, with {:.1} % lost", 100.0 * loss),
        None => "the other end does not say what gets there".to_owned(),
    };
    let round_trip = stats.rtt_ms.map(|ms| format!(", {ms:.0} ms there and back")).unwrap_or_default();
    let jitter = stats.rx.jitter_ms;
    let helps = match good {
        true => "",
        false => {
            " Use a cable in place of Wi-Fi, stop large transfers, or show this to whoever looks after the network."
        }
    };
    let lost_back = 100.0 * back;
    let words = format!(
        "{begins}: {lost_there}; predicted MOS {mos_back:.1} back, with {lost_back:.1} % lost; {jitter:.0} ms jitter{round_trip}.{helps}"
    );
    Finding { what: "network", good, words }
}

/// There are no figures, and what helps.
pub fn unmeasured(why: Unmeasured<'_>) -> Finding {
    let words = match why {
        Unmeasured::NoEcho => {
            "The network was not measured, because no echo number is set: ask for the number of your phone system that plays back what it hears, and enter it."
                .to_owned()
        }
        Unmeasured::Offline => "The network was not measured, because you are not online: come online and check again.".to_owned(),
        Unmeasured::NotAnswered { echo, why } => {
            format!("The network was not measured, because {echo} did not answer ({why}): see whether it is the echo number.")
        }
        Unmeasured::Interrupted => "A call came before the network was measured; check again after the call.".to_owned(),
        Unmeasured::NothingHeard { echo } => format!(
            "No sound comes back from {echo}: see whether it is an echo number; if so, audio (UDP) is blocked on the way, which whoever looks after the network can change."
        ),
    };
    Finding { what: "network", good: false, words }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::stats::RxStats;

    #[test]
    fn figures_become_a_sentence_with_what_helps() {
        let stats = |packets, lost, jitter_ms, rtt_ms, remote_loss| CallStats {
            rx: RxStats { packets, lost, jitter_ms, buffer_ms: 40.0, ..RxStats::default() },
            rtt_ms,
            remote_loss,
            ..CallStats::default()
        };
        for (figures, good, said) in [
            (stats(300, 0, 1.0, Some(12.0), Some(0.0)), true, "predicted MOS 4.4 there, with 0.0 % lost"),
            (stats(300, 0, 1.0, Some(12.0), Some(0.0)), true, "1 ms jitter, 12 ms there and back."),
            (stats(300, 0, 1.0, Some(12.0), None), true, "does not say"),
            (stats(300, 0, 1.0, Some(12.0), Some(0.2)), false, "with 20.0 % lost; predicted MOS 4.4 back"),
            (stats(240, 60, 1.0, Some(12.0), Some(0.0)), false, "back, with 20.0 % lost"),
            (stats(300, 0, 1.0, Some(900.0), Some(0.0)), false, "cable"),
            (stats(0, 0, 0.0, None, None), false, "UDP"),
        ] {
            let finding = judge("600", Codec::Pcmu, &figures);
            assert_eq!((finding.what, finding.good), ("network", good), "{}", finding.words);
            assert!(finding.words.contains(said) && finding.words.ends_with('.'), "{}", finding.words);
        }
        assert!(
            is_complete(&stats(1, 0, 0.0, Some(1.0), Some(0.0))) && !is_complete(&stats(1, 0, 0.0, Some(1.0), None))
        );
    }
}
