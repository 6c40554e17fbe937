//! Which indices were seen (RFC 3711 §3.3.2).

/// Indices kept below the highest; the RFC asks for at least 64.
const WINDOW: u64 = 128;

/// Of one source and direction.
#[derive(Clone, Debug, Default)]
pub struct Window {
    /// `None` before the first.
    highest: Option<u64>,
    /// Bit n: `highest - n` was seen.
    seen: u128,
}

impl Window {
    pub const fn highest(&self) -> Option<u64> {
        self.highest
    }

    /// Whether the index is new enough to be looked at.
    pub fn accepts(&self, index: u64) -> bool {
        match self.highest {
            Some(highest) if index <= highest => highest - index < WINDOW && self.seen >> (highest - index) & 1 == 0,
            _ => true,
        }
    }

    /// An authenticated packet had this index.
    pub fn saw(&mut self, index: u64) {
        match self.highest {
            Some(highest) if index <= highest => self.seen |= 1u128.checked_shl((highest - index) as u32).unwrap_or(0),
            before => {
                let ahead = before.map_or(WINDOW, |highest| index - highest);
                self.seen = if ahead < WINDOW { self.seen << ahead | 1 } else { 1 };
                self.highest = Some(index);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    mod properties {
        use super::*;
        use crate::properties::config;

        proptest! {
            #![proptest_config(config(256, 3711))]

            /// Against a set that forgets nothing.
            #[test]
            fn each_index_is_accepted_once(jumps in prop::collection::vec(-200i64..200, 1..300)) {
                let (mut window, mut seen, mut at) = (Window::default(), HashSet::new(), 1_000i64);
                for jump in jumps {
                    at = (at + jump).max(0);
                    let index = at as u64;
                    let is_recent = window.highest().is_none_or(|highest| index + WINDOW > highest);
                    prop_assert_eq!(window.accepts(index), is_recent && !seen.contains(&index));
                    if window.accepts(index) {
                        window.saw(index);
                        seen.insert(index);
                    }
                }
            }
        }
    }
}
