//! What a headset's buttons mean at the moment, and what its lamps are to show. Pure.

use super::descriptor::{Button, Kind, Lamp, Layout};
use std::{
    collections::{BTreeSet, VecDeque},
    time::{Duration, Instant},
};

/// What a headset can know of calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// One waits to be answered.
    pub ringing: bool,
    /// One is talked to, or being dialled.
    pub in_hand: bool,
    /// One is on hold.
    pub held: bool,
    /// Whoever is in hand does not hear us.
    pub muted: bool,
}

impl Calls {
    /// Whether the receiver would be off the hook.
    const fn off_hook(self) -> bool {
        self.in_hand || self.held
    }

    /// Whether the hook switch takes a call that rings: whoever is on hold meanwhile is not the one that is meant.
    const fn to_answer(self) -> bool {
        self.ringing && !self.in_hand
    }
}

/// What somebody asks for by a button.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Press {
    Answer,
    /// The call in hand is over.
    HangUp,
    Reject,
    /// Takes the ringing call, or else the held one, and puts the one in hand on hold.
    Swap,
    /// Puts the call in hand on hold, or takes the held one back.
    Hold,
    Mute {
        on: bool,
    },
    Redial,
}

/// What [`Headset::poll_output`] gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    Press(Press),
    /// A report for the device, its id in front.
    Write(Vec<u8>),
}

/// A hook switch follows the off-hook lamp within this time, which is nobody's press.
const FOLLOWS: Duration = Duration::from_secs(1);
/// Of these, a device has one or two to come.
const FOLLOWING: usize = 8;

/// One headset.
#[derive(Debug)]
pub struct Headset {
    layout: Layout,
    calls: Calls,
    /// What was on in the last report that told of it.
    on: BTreeSet<Button>,
    /// What the hook switch is about to tell because we said so, and until when.
    following: VecDeque<(bool, Instant)>,
    /// As it was written last; nothing yet.
    lit: Option<Vec<Lamp>>,
    outputs: VecDeque<Output>,
}

impl Headset {
    /// `None`: the device has no button for calls.
    pub fn new(descriptor: &[u8]) -> Option<Self> {
        let layout = Layout::parse(descriptor);
        let is_headset = layout.has(Button::HookSwitch) || layout.has(Button::PhoneMute);
        is_headset.then(|| Self {
            layout,
            calls: Calls::default(),
            on: BTreeSet::new(),
            following: VecDeque::new(),
            lit: None,
            outputs: VecDeque::new(),
        })
    }

    /// A report from the device.
    pub fn handle_report(&mut self, now: Instant, report: &[u8]) {
        let told: Vec<_> = self.layout.read(report).collect();
        for (button, kind, on) in told {
            let changed = if on { self.on.insert(button) } else { self.on.remove(&button) };
            if changed && (on || kind == Kind::Switch) {
                self.pressed(now, button, kind, on);
            }
        }
    }

    /// How it stands with calls from now on.
    pub fn handle_calls(&mut self, now: Instant, calls: Calls) {
        let begins = calls.in_hand && !self.calls.in_hand;
        self.calls = calls;
        // A switch that is on keeps the microphone shut, whatever anybody believes.
        if begins && !calls.muted && self.mute_switch_is_on() {
            self.press(Press::Mute { on: true });
        }
        let lit = self.wanted();
        if self.lit.as_ref() != Some(&lit) {
            self.light(now, lit);
        }
    }

    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn pressed(&mut self, now: Instant, button: Button, kind: Kind, on: bool) {
        let Calls { ringing, in_hand, muted, .. } = self.calls;
        let off_hook = self.calls.off_hook();
        match button {
            Button::HookSwitch if kind == Kind::Switch => self.hook(now, on),
            Button::HookSwitch if self.calls.to_answer() => self.press(Press::Answer),
            Button::HookSwitch if off_hook => self.press(Press::HangUp),
            Button::Flash if off_hook => self.press(Press::Swap),
            Button::Flash if ringing => self.press(Press::Answer),
            Button::Hold if off_hook => self.press(Press::Hold),
            Button::Drop if in_hand => self.press(Press::HangUp),
            Button::Drop if ringing => self.press(Press::Reject),
            Button::Redial if !ringing && !off_hook => self.press(Press::Redial),
            Button::PhoneMute if in_hand => {
                let on = if kind == Kind::Switch { on } else { !muted };
                if on != muted {
                    self.press(Press::Mute { on });
                }
            }
            // What means nothing now may yet have switched a lamp: the truth is shown again.
            _ => self.light(now, self.wanted()),
        }
    }

    /// The hook switch went off the hook, or back.
    fn hook(&mut self, now: Instant, off: bool) {
        self.following.retain(|(_, until)| now <= *until);
        if let Some(at) = self.following.iter().position(|(told, _)| *told == off) {
            self.following.drain(..=at);
            return;
        }
        match (off, self.calls.off_hook()) {
            (true, _) if self.calls.to_answer() => self.press(Press::Answer),
            (false, true) if self.calls.to_answer() => {
                self.press(Press::Answer);
                // It is on the hook now, with a call on hold and one to talk to: it goes off again.
                self.light(now, self.wanted());
            }
            // For a dial tone; there is none.
            (true, false) => self.light(now, self.wanted()),
            (false, true) => self.press(Press::HangUp),
            (true, true) | (false, false) => {}
        }
    }

    fn press(&mut self, press: Press) {
        self.outputs.push_back(Output::Press(press));
    }

    fn mute_switch_is_on(&self) -> bool {
        // A momentary button that is held down is none.
        self.on.contains(&Button::PhoneMute) && self.layout.is_switch(Button::PhoneMute)
    }

    fn wanted(&self) -> Vec<Lamp> {
        let Calls { ringing, in_hand, held, muted } = self.calls;
        let lamps = [
            (Lamp::OffHook, self.calls.off_hook()),
            (Lamp::Mute, in_hand && muted),
            (Lamp::Ring, ringing),
            (Lamp::Ringer, ringing),
            (Lamp::Hold, held && !in_hand),
        ];
        lamps.into_iter().filter(|(lamp, lit)| *lit && self.layout.shows(*lamp)).map(|(lamp, _)| lamp).collect()
    }

    fn light(&mut self, now: Instant, lit: Vec<Lamp>) {
        let off_hook = lit.contains(&Lamp::OffHook);
        let will_be = self.following.back().map_or(self.on.contains(&Button::HookSwitch), |(told, _)| *told);
        if self.hook_switch_follows() && off_hook != will_be {
            self.following.push_back((off_hook, now + FOLLOWS));
            self.following.drain(..self.following.len().saturating_sub(FOLLOWING));
        }
        self.outputs.extend(self.layout.write(&lit).into_iter().map(Output::Write));
        self.lit = Some(lit);
    }

    fn hook_switch_follows(&self) -> bool {
        self.layout.shows(Lamp::OffHook) && self.layout.is_switch(Button::HookSwitch)
    }
}

#[cfg(test)]
mod tests;
