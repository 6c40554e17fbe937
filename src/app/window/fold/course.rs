//! How each call sounds over time, in the few pieces that there is room to show.

use super::Fold;
use crate::{
    media::stats::CallStats,
    ui::snapshot::{CallState, MOST_STRETCHES, Stretch},
};
use std::time::{Duration, Instant};

impl Fold {
    /// Takes in figures of a connected call. On hold, and while nothing comes, there is a gap.
    pub(super) fn goes_on(&mut self, now: Instant, call: u32, stats: &CallStats) {
        let Some((_, since)) = self.connected.iter().find(|(id, _)| *id == call) else { return };
        let elapsed = now.saturating_duration_since(*since) + Duration::from_millis(500);
        self.with_call(call, |shown| {
            let mos = stats.mos.filter(|_| shown.state == CallState::Connected);
            let second = Stretch { seconds: 1, mos: mos.map(|mos| (mos * 10.0).round() / 10.0) };
            // Figures may come late or be left out: the clock says how many seconds there were.
            let told: u64 = shown.course.iter().map(|piece| u64::from(piece.seconds)).sum();
            (told..elapsed.as_secs()).for_each(|_| append(&mut shown.course, second));
        });
    }
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
}
