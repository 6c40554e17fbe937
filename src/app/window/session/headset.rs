//! A headset's buttons and lamps, for the window.

use super::{Input, Running};
use crate::{
    headset::{Bus, Told, Watcher},
    ui::text::{fill, t},
};
use std::sync::mpsc::SyncSender;

/// Looks for headsets from now on, where there is a bus; without one, or without a thread, calls go on without buttons.
pub(super) fn watch(bus: Option<Box<dyn Bus>>, input: SyncSender<Input>) -> Option<Watcher> {
    // A session that is gone needs no buttons any more.
    let started = Watcher::start(bus?, move |told| drop(input.send(Input::Headset(told))));
    started.inspect_err(|why| tracing::warn!("there is no thread for a headset's buttons: {why}")).ok()
}

impl Running {
    pub(super) fn headset_says(&mut self, told: Told) {
        let shown = &mut self.fold.snapshot.audio.headset;
        match told {
            Told::Plugged { name } => *shown = Some(fill(t().headset_buttons, &[&name])),
            Told::Refused { name } => {
                let sentence = fill(t().headset_refused, &[&name]);
                tracing::warn!("{sentence}");
                *shown = Some(sentence);
            }
            Told::Unplugged => *shown = None,
            Told::Pressed(press) => {
                for command in self.handset.commands(press) {
                    self.command(command);
                }
            }
        }
    }

    /// Its lamps say what is so.
    pub(super) fn light_headset(&mut self) {
        if let Some(headset) = &mut self.headset {
            headset.show(self.handset.calls());
        }
    }
}
