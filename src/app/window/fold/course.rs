//! How each call sounds over time, in the few pieces that there is room to show.

use super::Fold;
use crate::{
    media::stats::CallStats,
    ui::snapshot::{CallState, MOST_STRETCHES, Stretch},
};
use std::time::{Duration, Instant};

/// A figure may come so long before its second is over,
const EARLY: Duration = Duration::from_millis(750);
/// and so much less than a second after it.
const LATE: Duration = Duration::from_millis(500);

impl Fold {
    /// Takes in figures of a connected call. On hold, and while nothing comes, there is a gap.
    pub(super) fn goes_on(&mut self, now: Instant, call: u32, stats: &CallStats) {
        let Some((_, since)) = self.connected.iter().find(|(id, _)| *id == call) else { return };
        let elapsed = now.saturating_duration_since(*since);
        self.with_call(call, |shown| {
            let mos = stats.mos.filter(|_| shown.state == CallState::Connected);
            take(&mut shown.course, elapsed, mos.map(|mos| (mos * 10.0).round() / 10.0));
        });
    }
}

/// Takes in the figure that came so long after the call's begin. Seconds before it of which nothing was told are a gap: the clock says how
/// many there were. A figure that is a little early or late is no more than that.
fn take(course: &mut Vec<Stretch>, elapsed: Duration, mos: Option<f64>) {
    let told: u64 = course.iter().map(|piece| u64::from(piece.seconds)).sum();
    if (elapsed + EARLY).as_secs() <= told {
        return;
    }
    (told + 1..(elapsed + LATE).as_secs()).for_each(|_| append(course, Stretch { seconds: 1, mos: None }));
    append(course, Stretch { seconds: 1, mos });
}

/// Pieces are equally long but for the last; where there is no room for another, two neighbours become one.
fn append(course: &mut Vec<Stretch>, second: Stretch) {
    let length = course.first().map_or(1, |first| first.seconds);
    match course.last_mut().filter(|last| last.seconds < length) {
        Some(last) => *last = worse(*last, second),
        None => {
            if course.len() >= MOST_STRETCHES {
                *course = course.chunks(2).filter_map(|pair| pair.iter().copied().reduce(worse)).collect();
            }
            course.push(second);
        }
    }
}

/// Both together, as bad as the worse of them.
fn worse(a: Stretch, b: Stretch) -> Stretch {
    let mos = a.mos.into_iter().chain(b.mos).reduce(f64::min);
    Stretch { seconds: a.seconds + b.seconds, mos }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_call_fits_and_its_worst_second_is_seen() {
        let mut course = vec![];
        for n in 0..36_000 {
            append(&mut course, Stretch { seconds: 1, mos: Some(if n == 431 { 1.8 } else { 4.3 }) });
            assert!(course.len() <= MOST_STRETCHES);
        }
        let length = course[0].seconds;
        assert_eq!(course.iter().map(|piece| piece.seconds).sum::<u32>(), 36_000);
        assert!(course.len() > MOST_STRETCHES / 2 && course[1..course.len() - 1].iter().all(|p| p.seconds == length));
        let bad: Vec<_> = (0..).zip(&course).filter(|(_, piece)| piece.mos == Some(1.8)).map(|(n, _)| n).collect();
        assert_eq!(bad, [431 / length]);
    }

    #[test]
    fn a_stall_is_a_gap_and_a_tick_that_wavers_is_none() {
        for phase in [0, 240, 260, 490, 510, 740, 760, 990] {
            let mut course = vec![];
            let mut tick = |ms: u64| take(&mut course, Duration::from_millis(ms), Some(4.3));
            (0..20).for_each(|n| tick(1_000 * n + phase + [0, 20][n as usize % 2]));
            tick(25_000 + phase);
            let gaps: Vec<_> = (0..).zip(&course).filter(|(_, piece)| piece.mos.is_none()).map(|(n, _)| n).collect();
            assert!(matches!(gaps.len(), 4..=5) && gaps[0] >= 19, "{phase} ms: {gaps:?}");
            assert_eq!(gaps.last().map(|last| last + 2), Some(course.len()), "{phase} ms: then there is a figure");
            assert!(course.len().abs_diff(25) <= 1, "{phase} ms: {}", course.len());
        }
    }
}
