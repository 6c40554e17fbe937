//! What waits to be written to standard output. Calls must not wait for a reader that stalls: beyond a few hundred lines events
//! are lost, and how many is said in their place; what settles a command, ends a call or has to be remembered is not.

use super::Said;
use crate::{
    driver::api::{Event, Tagged},
    ua::api::CallState,
};
use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Lines that wait for a reader.
const LINES: usize = 256;
/// The same with those that must not be lost; a process whose reader never comes must not grow.
const MOST: usize = 4_096;
/// How long an answer to a command waits for room before it takes that of what must not be lost.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Default)]
pub(super) struct Waiting {
    queue: Mutex<VecDeque<Said>>,
    more: Condvar,
    room: Condvar,
}

impl Waiting {
    /// Returns at once.
    pub fn tell(&self, event: Tagged<Event>) {
        let mut queue = self.lock();
        // Who has something to write looks again before it waits: waking it for each line would cost more than the line.
        let is_awaited = queue.is_empty();
        let limit = if must_arrive(&event) { MOST } else { LINES };
        if queue.len() < limit {
            queue.push_back(Said::Event(event));
        } else if let Some(Said::Lost(count)) = queue.back_mut() {
            *count += 1;
        } else {
            tracing::warn!("events are lost: nobody reads standard output");
            queue.push_back(Said::Lost(1));
        }
        drop(queue);
        if is_awaited {
            self.more.notify_one();
        }
    }

    /// Waits for a reader that is slow, but not for one that does not read at all: the end of input is to be heard all the same.
    pub fn say(&self, said: Said) {
        let full = |queue: &mut VecDeque<Said>| queue.len() >= LINES;
        let waited = self.room.wait_timeout_while(self.lock(), PATIENCE, full);
        let (mut queue, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() && queue.len() >= MOST {
            tracing::warn!("an answer is lost: nobody reads standard output");
        } else {
            queue.push_back(said);
            self.more.notify_one();
        }
    }

    /// Waits for something to write; all there is, in its order.
    pub fn next(&self) -> VecDeque<Said> {
        let empty = |queue: &mut VecDeque<Said>| queue.is_empty();
        let mut queue = self.more.wait_while(self.lock(), empty).unwrap_or_else(PoisonError::into_inner);
        let said = std::mem::take(&mut *queue);
        drop(queue);
        self.room.notify_one();
        said
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Said>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn must_arrive(event: &Tagged<Event>) -> bool {
    event.id.is_some()
        || match &event.what {
            Event::Call(info) => matches!(info.state, CallState::Ended { .. }),
            // Commands without an id are settled, too.
            Event::Done { .. } | Event::Error { .. } | Event::Subscription { .. } => true,
            Event::Stopped { .. } | Event::Login(_) | Event::Token(_) | Event::Services(_) => true,
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ua::api::{CallDirection, CallInfo, EndedBy};

    fn digit() -> Tagged<Event> {
        Tagged { id: None, what: Event::Dtmf { call: 1, digit: '1' } }
    }

    fn ended(call: u32) -> Tagged<Event> {
        let state = CallState::Ended { code: None, reason: "Over.".into(), ended_by: EndedBy::Remote };
        let info = CallInfo::bare(call, CallDirection::Out, state);
        Tagged { id: None, what: Event::Call(info) }
    }

    #[test]
    fn a_reader_that_stalls_learns_how_much_it_missed_and_of_every_call_s_end() {
        let waiting = Waiting::default();
        for _ in 0..LINES + 7 {
            waiting.tell(digit());
        }
        (0..50).for_each(|call| waiting.tell(ended(call)));
        waiting.tell(digit());
        waiting.tell(Tagged { id: Some("x".into()), ..digit() });
        let mut said = waiting.next().into_iter();
        for _ in 0..LINES {
            assert!(matches!(said.next(), Some(Said::Event(Tagged { what: Event::Dtmf { .. }, .. }))));
        }
        assert!(matches!(said.next(), Some(Said::Lost(7))));
        for call in 0..50 {
            let Some(Said::Event(Tagged { what: Event::Call(info), .. })) = said.next() else { panic!("call {call}") };
            assert_eq!(info.call, call);
        }
        assert!(matches!(said.next(), Some(Said::Lost(1))));
        assert!(matches!(said.next(), Some(Said::Event(Tagged { id: Some(_), .. }))));
        assert!(said.next().is_none());
        assert!(waiting.lock().is_empty());
    }

    #[test]
    fn what_settles_a_command_without_an_id_is_not_lost() {
        let waiting = Waiting::default();
        (0..LINES).for_each(|_| waiting.tell(digit()));
        let error = Event::Error { command: "dial", call: None, message: "No.".into() };
        for what in [Event::Done { command: "mute", call: Some(1) }, error] {
            waiting.tell(Tagged { id: None, what });
        }
        let settled = waiting
            .next()
            .into_iter()
            .filter(|said| matches!(said, Said::Event(Tagged { what: Event::Done { .. } | Event::Error { .. }, .. })));
        assert_eq!(settled.count(), 2);
    }

    #[test]
    fn without_a_reader_it_does_not_grow_for_ever() {
        let waiting = Waiting::default();
        (0..3 * MOST as u32).for_each(|call| waiting.tell(ended(call)));
        assert_eq!(waiting.lock().len(), MOST + 1);
    }
}
