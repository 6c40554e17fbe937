//! A gap that was filled in one piece, from both its sides, and is handed out bit by bit.

/// What is left of it.
#[derive(Clone, Debug, Default)]
pub struct Bridge {
    /// The next sample last.
    rest: Vec<f32>,
}

impl Bridge {
    pub fn new(mut made: Vec<f32>) -> Self {
        made.reverse();
        Self { rest: made }
    }

    /// Whether it goes on for `count` samples.
    pub fn reaches(&self, count: usize) -> bool {
        count <= self.rest.len()
    }

    /// The next `count` samples, or what there is.
    pub fn take(&mut self, count: usize) -> impl Iterator<Item = f32> {
        self.rest.drain(self.rest.len().saturating_sub(count)..).rev()
    }

    /// What it leads to came sooner, or something else.
    pub fn leave(&mut self) {
        self.rest.clear();
    }

    /// Samples left.
    pub fn left(&self) -> usize {
        self.rest.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_handed_out_in_order_and_once() {
        let mut bridge = Bridge::new(vec![1.0, 2.0, 3.0]);
        assert!(bridge.reaches(3) && !bridge.reaches(4));
        assert_eq!(bridge.take(2).collect::<Vec<_>>(), [1.0, 2.0]);
        assert_eq!((bridge.left(), bridge.take(9).collect::<Vec<_>>()), (1, vec![3.0]));
        bridge = Bridge::new(vec![4.0]);
        bridge.leave();
        assert!(!bridge.reaches(1) && bridge.take(1).next().is_none());
    }
}
