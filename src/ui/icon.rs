//! Icons: Phosphor's, as a font in `assets/fonts` (subset to what stands here).

use egui::{Align2, Color32, FontFamily, FontId, Painter, Pos2};

/// One icon, regular or filled weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Icon {
    glyph: char,
    filled: bool,
}

impl Icon {
    const fn new(glyph: char) -> Self {
        Self { glyph, filled: false }
    }

    /// The heavy form, for what is on and for what is pressed most.
    pub const fn filled(self) -> Self {
        Self { filled: true, ..self }
    }

    /// Paints the icon with its em square (`size` points) centred on `at`.
    pub fn paint(self, painter: &Painter, at: Pos2, size: f32, color: Color32) {
        let family = if self.filled { "icons-fill" } else { "icons" };
        let font = FontId::new(size, FontFamily::Name(family.into()));
        painter.text(at, Align2::CENTER_CENTER, self.glyph, font, color);
    }
}

pub const ANSWER: Icon = Icon::new('\u{e3b8}').filled();
pub const END: Icon = Icon::new('\u{e3bc}').filled();
pub const CALL: Icon = Icon::new('\u{e3b8}');
pub const INCOMING: Icon = Icon::new('\u{e040}');
pub const OUTGOING: Icon = Icon::new('\u{e092}');
pub const MISSED: Icon = Icon::new('\u{e3c4}');
pub const MICROPHONE: Icon = Icon::new('\u{e326}');
pub const MICROPHONE_OFF: Icon = Icon::new('\u{e328}').filled();
pub const HOLD: Icon = Icon::new('\u{e39e}').filled();
pub const RESUME: Icon = Icon::new('\u{e3d0}').filled();
pub const HOLD_AND_ANSWER: Icon = Icon::new('\u{e3ca}').filled();
pub const TRANSFER: Icon = Icon::new('\u{e3c6}');
pub const KEYPAD: Icon = Icon::new('\u{e3c8}');
pub const BACKSPACE: Icon = Icon::new('\u{e0ae}');
pub const SETTINGS: Icon = Icon::new('\u{e272}');
pub const BACK: Icon = Icon::new('\u{e058}');
pub const CLOSE: Icon = Icon::new('\u{e4f6}');
pub const OPEN: Icon = Icon::new('\u{e13a}');
pub const DOWN: Icon = Icon::new('\u{e136}');
pub const CHECK: Icon = Icon::new('\u{e182}');
pub const WARNING: Icon = Icon::new('\u{e4e0}').filled();
pub const ERROR: Icon = Icon::new('\u{e4e2}').filled();
pub const INFO: Icon = Icon::new('\u{e2ce}').filled();
pub const ABOUT: Icon = Icon::new('\u{e2ce}');
pub const BELL: Icon = Icon::new('\u{e5e8}');
pub const BELL_OFF: Icon = Icon::new('\u{e0d4}');
pub const ACCOUNT: Icon = Icon::new('\u{e2c8}');
pub const AUDIO: Icon = Icon::new('\u{e2a6}');
pub const KEYBOARD: Icon = Icon::new('\u{e2d8}');
pub const APPEARANCE: Icon = Icon::new('\u{e18c}');
pub const SIGN_OUT: Icon = Icon::new('\u{e42a}');
pub const OFFLINE: Icon = Icon::new('\u{e3da}');
pub const REFRESH: Icon = Icon::new('\u{e094}');
pub const TONE: Icon = Icon::new('\u{e33c}');
pub const TRASH: Icon = Icon::new('\u{e4a6}');
pub const HISTORY: Icon = Icon::new('\u{e1a0}');
pub const HEADSET: Icon = Icon::new('\u{e584}').filled();
pub const SHOW: Icon = Icon::new('\u{e220}');
pub const HIDE: Icon = Icon::new('\u{e224}');
pub const COPY: Icon = Icon::new('\u{e1ca}');
pub const VOICEMAIL: Icon = Icon::new('\u{e4de}');
pub const PEOPLE: Icon = Icon::new('\u{e4d6}');
pub const RECORD: Icon = Icon::new('\u{e3ee}');
pub const STOP: Icon = Icon::new('\u{e46e}').filled();
pub const SWAP: Icon = Icon::new('\u{e0a0}');
pub const JOIN: Icon = Icon::new('\u{ed3e}');
pub const ADD_PERSON: Icon = Icon::new('\u{e4d0}');
pub const EDIT: Icon = Icon::new('\u{e3ae}');
pub const PICK_UP: Icon = Icon::new('\u{e3be}').filled();
pub const NO_NETWORK: Icon = Icon::new('\u{e4f2}');
pub const UP: Icon = Icon::new('\u{e13c}');
// Lamps: each state has a shape of its own.
pub const FREE: Icon = Icon::new('\u{e184}').filled();
pub const RINGING: Icon = Icon::new('\u{e5e8}').filled();
pub const BUSY: Icon = Icon::new('\u{e32c}').filled();
pub const AWAY: Icon = Icon::new('\u{e19a}');
pub const NOT_REGISTERED: Icon = Icon::new('\u{e4f8}');
pub const UNKNOWN: Icon = Icon::new('\u{e3e8}');
