//! When to look which devices there are.

use crate::media::{
    device::{Change, NoWatch, Watch, has_sound_server},
    engine::Notice,
};
use std::time::{Duration, Instant};

/// Where nothing tells that devices come and go, they are looked for so often while one is missed; and a sound server that is gone,
/// so often while a card is open.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Devices come and go with many words.
const SETTLED: Duration = Duration::from_millis(100);

/// Its devices are not to be had one by one then, nor is it seen that they come and go.
const NO_TOOL: &str = "The sound server's tool pactl is missing, so that devices other than the default one are used past the server, \
    by one program at a time. Install the package pulseaudio-utils, and start Agent Manager again.";

/// See the module.
pub struct Lookout {
    /// While a card is open.
    watch: Option<Watch>,
    /// There is nothing to watch devices with.
    unwatched: bool,
    /// That the sound server's tool is missing, until it is told.
    untold: Option<Notice>,
    /// When to look at the devices, and for the server.
    look: Option<Instant>,
    watch_again: Instant,
}

impl Lookout {
    pub const fn new(now: Instant) -> Self {
        Self { watch: None, unwatched: false, untold: None, look: None, watch_again: now }
    }

    pub const fn poll_timeout(&self) -> Option<Instant> {
        self.look
    }

    pub const fn poll_notice(&mut self) -> Option<Notice> {
        self.untold.take()
    }

    /// Devices have come or gone.
    pub fn changed(&mut self, now: Instant) {
        self.look.get_or_insert(now + SETTLED);
    }

    /// Whether the devices are to be looked at now, one of which `is_open`, or `misses` the one that was chosen; `tell` is called
    /// from another thread when some have come or gone.
    pub fn watch(
        &mut self,
        now: Instant,
        (is_open, misses): (bool, bool),
        tell: impl FnOnce() -> Box<dyn Fn(Change) + Send>,
    ) -> bool {
        if !is_open {
            (self.watch, self.look) = (None, None);
            return false;
        }
        if self.watch.as_ref().is_some_and(Watch::has_ended) {
            (self.watch, self.watch_again) = (None, now + LOOK_AGAIN);
        }
        if self.watch.is_none() && !self.unwatched && now >= self.watch_again {
            self.watch_again = now + LOOK_AGAIN;
            let started = Watch::start(tell());
            self.unwatched = matches!(started, Err(NoWatch::Never));
            self.untold = (self.unwatched && has_sound_server()).then(|| Notice::warning(NO_TOOL.to_owned()));
            self.watch = started.ok();
            // What happened unwatched.
            self.changed(now);
        }
        if self.watch.is_none() && misses {
            self.look.get_or_insert(now + LOOK_AGAIN);
        }
        self.look.take_if(|look| *look <= now).is_some()
    }
}
