//! The way to the engine's thread.

use super::{EngineCommand, PortPair, SessionId};
use crate::media::{
    device::{Change, Devices},
    music::Music,
    stats::CallStats,
    voice::Exposure,
};
use mio::Waker;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
    mpsc,
};

/// Orders that may wait; the engine never lets so many gather.
const QUEUE: usize = 1_024;

/// What the handle sends.
pub enum Order {
    Open(SessionId, PortPair),
    Command(EngineCommand),
    Stats(SessionId, mpsc::SyncSender<Option<CallStats>>),
    AskExposure(mpsc::SyncSender<Exposure>),
    /// Devices have come or gone.
    DevicesChanged(Change),
    /// Microphones and speakers that existed when this list was asked for.
    Devices(u64, Devices, Devices),
    /// What became of the file of music that was asked for by this command.
    Music(u64, Result<Music, String>),
    Stop,
}

/// The way to the engine's thread, also for the helpers it starts.
#[derive(Clone)]
pub struct Orders {
    queue: mpsc::SyncSender<Order>,
    waker: Arc<Waker>,
    /// The thread was woken and has not looked yet: waking it again would tell it nothing.
    woken: Arc<AtomicBool>,
}

impl Orders {
    /// Wakes the engine by `waker`; the other end is the engine's.
    pub fn new(waker: Waker) -> (Self, mpsc::Receiver<Order>) {
        let (queue, inbox) = mpsc::sync_channel(QUEUE);
        (Self { queue, waker: Arc::new(waker), woken: Arc::default() }, inbox)
    }

    /// The engine is about to look: what comes from now on wakes it again.
    pub fn seen(&self) {
        self.woken.swap(false, Ordering::AcqRel);
    }

    /// `false` once the engine has stopped.
    pub fn send(&self, order: Order) -> bool {
        self.queue(order) && self.wake()
    }

    /// The same, to be seen once the thread is woken.
    pub fn queue(&self, order: Order) -> bool {
        self.queue.send(order).is_ok()
    }

    pub fn wake(&self) -> bool {
        self.woken.swap(true, Ordering::AcqRel) || self.waker.wake().is_ok()
    }
}
