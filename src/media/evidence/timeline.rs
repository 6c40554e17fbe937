//! A call's figures over time, in a bounded room: when it is full, two neighbours become one.

use super::Evidence;
use crate::media::stats::CallStats;
use std::collections::VecDeque;

/// Pieces kept: ten minutes of seconds, or a day at two and a half minutes each.
const MOST: usize = 600;
/// What "now" means to a live verdict, in seconds.
const LATELY: usize = 20;
/// Delay of one way that no connection is to have (ITU-T G.114 §4).
const TOO_OLD_MS: f64 = 400.0;

/// One piece of a call. Counts are of the piece, the rest its worst second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Span {
    pub seconds: u32,
    pub packets: u64,
    pub lost: u64,
    pub late: u64,
    pub unreadable: u64,
    pub concealed_ms: u64,
    pub jitter_ms: f64,
    pub buffer_ms: f64,
    pub rtt_ms: Option<f64>,
    pub mos: Option<f64>,
    pub remote_loss: Option<f64>,
    /// How we sound at the other side, as far as it reports that.
    pub remote_mos: Option<f64>,
    /// Share of our packets that never came there and could not be made up for, and of those that came too late, since the beginning.
    pub remote_missing: Option<f64>,
    pub remote_late: Option<f64>,
    /// Milliseconds in which this computer was late, and without a device.
    pub stalled_ms: u64,
    pub absent_ms: u64,
    /// Milliseconds in which the other side answered no checks any more.
    pub unanswered_ms: u64,
    /// Milliseconds in which what was heard was too old for a conversation.
    pub delayed_ms: u64,
    /// Milliseconds in which something was to be heard, and said into the microphone.
    pub heard_ms: u64,
    pub said_ms: u64,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    before: CallStats,
    spans: Vec<Span>,
    /// Seconds of a full span.
    length: u32,
    lately: VecDeque<Span>,
}

impl Timeline {
    /// The figures of another second.
    pub fn push(&mut self, stats: &CallStats) {
        let second = Span::between(&self.before, stats);
        self.before = stats.clone();
        self.lately.push_back(second);
        if self.lately.len() > LATELY {
            self.lately.pop_front();
        }
        self.length = self.length.max(1);
        match self.spans.last_mut().filter(|last| last.seconds < self.length) {
            Some(last) => *last = last.and(&second),
            None => self.spans.push(second),
        }
        if self.spans.len() > MOST {
            self.spans = self.spans.chunks(2).map(|pair| pair.iter().fold(Span::default(), |a, b| a.and(b))).collect();
            self.length *= 2;
        }
    }

    /// The figures of a second that says nothing of the sound.
    pub fn skip(&mut self, stats: &CallStats) {
        self.before = stats.clone();
    }

    /// Pieces of equal length but for the last, oldest first.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// What there is to judge by: of the whole call, or of the last 20 seconds; silence is the whole call's in any case.
    pub fn evidence(&self, whole_call: bool) -> Evidence {
        let whole = Evidence::of(self.spans.iter());
        if whole_call {
            return whole;
        }
        // A share since the beginning says nothing of the last seconds.
        let (remote_missing, lately) = (None, Evidence::of(self.lately.iter()));
        Evidence { began: whole.began, unheard: whole.unheard, unsaid: whole.unsaid, remote_missing, ..lately }
    }
}

impl Span {
    fn between(before: &CallStats, now: &CallStats) -> Self {
        let (rx, old) = (&now.rx, &before.rx);
        let delay_ms = now.rtt_ms.unwrap_or_default() / 2.0 + rx.buffer_ms;
        Self {
            seconds: 1,
            packets: rx.packets.saturating_sub(old.packets),
            lost: rx.lost.saturating_sub(old.lost),
            late: rx.late.saturating_sub(old.late),
            unreadable: rx.unreadable.saturating_sub(old.unreadable),
            concealed_ms: rx.concealed_ms.saturating_sub(old.concealed_ms),
            jitter_ms: rx.jitter_ms,
            buffer_ms: rx.buffer_ms,
            rtt_ms: now.rtt_ms,
            mos: now.mos,
            remote_loss: now.remote_loss,
            remote_mos: now.remote.as_ref().and_then(|remote| remote.mos),
            remote_missing: now.remote.as_ref().map(|remote| remote.loss),
            remote_late: now.remote.as_ref().map(|remote| remote.discarded),
            stalled_ms: now.here.stalled_ms.saturating_sub(before.here.stalled_ms),
            absent_ms: now.here.absent_ms.saturating_sub(before.here.absent_ms),
            unanswered_ms: now.here.unanswered_ms.saturating_sub(before.here.unanswered_ms),
            delayed_ms: if now.mos.is_some() && delay_ms >= TOO_OLD_MS { 1_000 } else { 0 },
            heard_ms: now.here.heard_ms.saturating_sub(before.here.heard_ms),
            said_ms: now.here.said_ms.saturating_sub(before.here.said_ms),
        }
    }

    fn and(&self, other: &Self) -> Self {
        let most = |a: Option<f64>, b: Option<f64>| a.into_iter().chain(b).reduce(f64::max);
        let least = |a: Option<f64>, b: Option<f64>| a.into_iter().chain(b).reduce(f64::min);
        Self {
            seconds: self.seconds + other.seconds,
            packets: self.packets + other.packets,
            lost: self.lost + other.lost,
            late: self.late + other.late,
            unreadable: self.unreadable + other.unreadable,
            concealed_ms: self.concealed_ms + other.concealed_ms,
            jitter_ms: self.jitter_ms.max(other.jitter_ms),
            buffer_ms: self.buffer_ms.max(other.buffer_ms),
            rtt_ms: most(self.rtt_ms, other.rtt_ms),
            mos: least(self.mos, other.mos),
            remote_loss: most(self.remote_loss, other.remote_loss),
            remote_mos: least(self.remote_mos, other.remote_mos),
            remote_missing: most(self.remote_missing, other.remote_missing),
            remote_late: most(self.remote_late, other.remote_late),
            stalled_ms: self.stalled_ms + other.stalled_ms,
            absent_ms: self.absent_ms + other.absent_ms,
            unanswered_ms: self.unanswered_ms + other.unanswered_ms,
            delayed_ms: self.delayed_ms + other.delayed_ms,
            heard_ms: self.heard_ms + other.heard_ms,
            said_ms: self.said_ms + other.said_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{
        evidence::{Fault, verdict},
        stats::{HereStats, RxStats, VoipMetrics},
    };

    fn stats(second: u64) -> CallStats {
        CallStats {
            rx: RxStats { packets: 50 * second, lost: second, jitter_ms: 3.0, ..RxStats::default() },
            mos: Some(4.3),
            ..CallStats::default()
        }
    }

    /// After a long good call, what gets lost now is not made up for because little was missing before.
    #[test]
    fn what_the_other_side_misses_now_is_told_now() {
        let remote = Some(Box::new(VoipMetrics { loss: 0.002, ..VoipMetrics::default() }));
        let second = |n: u64, remote_loss| CallStats {
            remote_loss: Some(remote_loss),
            remote: remote.clone(),
            here: HereStats { heard_ms: 100, said_ms: 100, ..HereStats::default() },
            ..stats(n)
        };
        let mut timeline = Timeline::default();
        (1..=1_800).for_each(|n| timeline.push(&second(n, 0.0)));
        (1_801..=1_820).for_each(|n| timeline.push(&second(n, 0.2)));
        let (now, all) = (verdict(&timeline.evidence(false)), verdict(&timeline.evidence(true)));
        assert!(now.fault == Fault::LocalNetwork && now.words.contains("20.0 % of what you said"), "{}", now.words);
        assert_eq!(all.fault, Fault::Nobody, "{}", all.words);
    }

    /// Where the score says that a call was bad, words say why.
    #[test]
    fn a_score_that_delay_made_bad_is_explained() {
        let second = |n: u64, buffer_ms, rtt_ms, mos| CallStats {
            rx: RxStats { packets: 50 * n, buffer_ms, ..RxStats::default() },
            rtt_ms: Some(rtt_ms),
            mos: Some(mos),
            here: HereStats { heard_ms: 100, said_ms: 100, ..HereStats::default() },
            ..CallStats::default()
        };
        for (buffer_ms, rtt_ms, mos, fault, said) in [
            (60.0, 80.0, 4.3, Fault::Nobody, "Nothing was wrong"),
            (2_300.0, 80.0, 2.3, Fault::Network, "16.7 % of the time what you heard was up to 2.3 s old"),
            (230.0, 360.0, 3.5, Fault::Network, "up to 410 ms old"),
            (60.0, 700.0, 3.4, Fault::Provider, "takes 700 ms"),
        ] {
            let mut timeline = Timeline::default();
            (1..=50).for_each(|n| timeline.push(&second(n, 40.0, 80.0, 4.3)));
            (51..=60).for_each(|n| timeline.push(&second(n, buffer_ms, rtt_ms, mos)));
            for whole_call in [true, false] {
                let verdict = verdict(&timeline.evidence(whole_call));
                let said = if whole_call { said } else { said.trim_start_matches("16.7 % of the time ") };
                assert!(verdict.fault == fault && verdict.words.contains(said), "{}", verdict.words);
            }
        }
    }

    /// Listening to music or to a long story is nobody's fault.
    #[test]
    fn who_has_spoken_once_may_listen() {
        let second = |n: u64, spoken| CallStats {
            rx: RxStats { packets: 50 * n, ..RxStats::default() },
            remote_loss: Some(0.0),
            mos: Some(4.3),
            here: HereStats { heard_ms: spoken, said_ms: spoken, ..HereStats::default() },
            ..CallStats::default()
        };
        for (spoken, fault) in [(500, Fault::Nobody), (0, Fault::Device)] {
            let mut timeline = Timeline::default();
            (1..=120).for_each(|n| timeline.push(&second(n, spoken)));
            for whole_call in [false, true] {
                assert_eq!(verdict(&timeline.evidence(whole_call)).fault, fault, "spoken {spoken} ms, {whole_call}");
            }
        }
    }

    #[test]
    fn a_day_fits_and_nothing_is_counted_twice() {
        let mut timeline = Timeline::default();
        for second in 1..=86_400 {
            timeline.push(&stats(second));
            assert!(timeline.spans().len() <= MOST);
        }
        let spans = timeline.spans();
        assert!(spans.len() > MOST / 3, "{}", spans.len());
        assert_eq!(spans.iter().map(|span| u64::from(span.seconds)).sum::<u64>(), 86_400);
        assert_eq!(spans.iter().map(|span| span.packets).sum::<u64>(), 50 * 86_400);
        let (length, last) = (spans[0].seconds, spans.len() - 1);
        assert!(spans[..last].iter().all(|span| span.seconds == length) && spans[last].seconds <= length);
        let lately = timeline.evidence(false);
        assert_eq!(lately.seconds, 20);
        assert!(lately.mos.is_some_and(|mos| (mos - 4.3).abs() < 1e-9));
        assert!((lately.loss - 1.0 / 51.0).abs() < 1e-9);
    }
}
