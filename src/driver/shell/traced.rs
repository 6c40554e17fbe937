//! What is sent and received, noted for whoever looks at a call's messages.

use super::{Shell, wall_clock};
use crate::{
    driver::api::Event,
    sip::{flow::Flow, msg::Message},
};

impl Shell {
    pub(super) fn sent(&mut self, flow: Flow, bytes: &[u8]) {
        if self.trace.sent(wall_clock(), flow, bytes) {
            self.tell_trace();
        }
    }

    pub(super) fn received(&mut self, flow: Flow, message: &Message, bytes: Vec<u8>) {
        if self.trace.received(wall_clock(), flow, message, bytes) {
            self.tell_trace();
        }
    }

    pub(super) fn tell_trace(&mut self) {
        if let Some((call, messages)) = self.trace.followed() {
            self.tell(Event::Trace { call, messages });
        }
    }
}
