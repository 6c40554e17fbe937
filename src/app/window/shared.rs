//! What the session thread shows the window thread.

use crate::ui::snapshot::{Notice, Snapshot};
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// Notices waiting to be shown; the oldest gives way.
const NOTICES: usize = 32;

/// The latest snapshot and the notices not yet shown. The locks are held to swap a pointer, never while painting: a channel
/// would keep old snapshots alive that nobody will look at.
#[derive(Debug, Default)]
pub struct Shared {
    latest: Mutex<Arc<Snapshot>>,
    notices: Mutex<VecDeque<Notice>>,
    closing: AtomicBool,
    raised: AtomicBool,
    /// Set by the window thread as soon as it has one.
    pub window: OnceLock<egui::Context>,
}

impl Shared {
    /// The window paints this from now on, at once unless it `can_wait` until it paints anyway. Nothing happens when it shows
    /// that already.
    pub fn publish(&self, snapshot: &Snapshot, can_wait: bool) {
        let mut latest = lock(&self.latest);
        if **latest != *snapshot {
            *latest = Arc::new(snapshot.clone());
            drop(latest);
            if !can_wait {
                self.repaint();
            }
        }
    }

    pub fn notice(&self, notice: Notice) {
        let mut notices = lock(&self.notices);
        if notices.len() == NOTICES {
            notices.pop_front();
        }
        notices.push_back(notice);
        drop(notices);
        self.repaint();
    }

    /// The session is over: the window has nothing left to show.
    pub fn close(&self) {
        self.closing.store(true, Ordering::Release);
        self.repaint();
    }

    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// The person asked for the window: it comes to the front.
    pub fn raise(&self) {
        self.raised.store(true, Ordering::Release);
        self.repaint();
    }

    /// Whether the window is to come to the front, told once.
    pub fn take_raised(&self) -> bool {
        self.raised.swap(false, Ordering::AcqRel)
    }

    /// Nothing works any more: the window says so instead of what it showed last.
    pub fn fail(&self, sentence: String) {
        let last = self.latest();
        self.publish(&Snapshot { fatal: Some(sentence), ..(*last).clone() }, false);
    }

    pub fn latest(&self) -> Arc<Snapshot> {
        lock(&self.latest).clone()
    }

    pub fn take_notices(&self) -> VecDeque<Notice> {
        std::mem::take(&mut lock(&self.notices))
    }

    fn repaint(&self) {
        if let Some(window) = self.window.get() {
            window.request_repaint();
        }
    }
}

/// What these locks guard is whole after a panic elsewhere.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::snapshot::{NoticeKind, Status};

    #[test]
    fn of_many_notices_the_latest_wait_and_each_is_taken_once() {
        let shared = Shared::default();
        for n in 0..NOTICES + 2 {
            shared.notice(Notice { kind: NoticeKind::Info, text: n.to_string() });
        }
        let taken = shared.take_notices();
        assert_eq!((taken.len(), taken[0].text.as_str()), (NOTICES, "2"));
        assert!(shared.take_notices().is_empty());
    }

    #[test]
    fn the_same_again_is_no_news_and_a_failure_keeps_what_was_shown() {
        let shared = Shared::default();
        let shown = Snapshot { status: Status::SigningIn, ..Snapshot::default() };
        shared.publish(&shown, false);
        let first = shared.latest();
        shared.publish(&shown, false);
        assert!(Arc::ptr_eq(&first, &shared.latest()));
        shared.fail("Nothing works.".into());
        assert_eq!(*shared.latest(), Snapshot { fatal: Some("Nothing works.".into()), ..shown });
    }
}
