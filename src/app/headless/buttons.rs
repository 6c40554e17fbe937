//! A headset's buttons and lamps, for the headless front end.

use super::{Said, Waiting, Writer};
use crate::{
    driver::api::{Event, Tagged},
    headset::{Bus, Told, Watcher},
    media::engine::{Notice, Severity},
    ui::text::{fill, t},
};
use std::sync::Arc;

/// Looks for headsets from now on, where there is a bus.
pub(super) fn watch(bus: Option<Box<dyn Bus>>, lines: &Arc<Waiting>) -> Option<Watcher> {
    let lines = Arc::clone(lines);
    let started = Watcher::start(bus?, move |told| lines.say(Said::Headset(told)));
    started.inspect_err(|why| tracing::warn!("there is no thread for a headset's buttons: {why}")).ok()
}

impl Writer<'_> {
    pub(super) fn headset_says(&mut self, told: Told) {
        match told {
            Told::Plugged { name } => {
                self.notice(Notice { severity: Severity::Info, text: fill(t().headset_buttons, &[&name]) });
            }
            Told::Refused { name } => self.warn(fill(t().headset_refused, &[&name])),
            Told::Unplugged => {}
            Told::Pressed(press) => {
                for what in self.handset.commands(press) {
                    self.handset.handle_command(&what);
                    if let Err(why) = self.commands.send(Tagged { id: None, what }) {
                        self.warn(why.to_string());
                    }
                }
            }
        }
    }

    /// Its lamps say what is so.
    pub(super) fn light_headset(&mut self, event: &Event) {
        self.handset.handle_event(event);
        if let Some(headset) = &mut self.headset {
            headset.show(self.handset.calls());
        }
    }
}
