//! The window's own controls. Each paints itself from the theme's tokens, has an accessible name and shows keyboard focus.

mod badge;
mod button;
mod field;
mod keypad;
mod list;
mod notice;
mod text;

pub use badge::{avatar, badge, chart, chip, dot, meter, padlock, quality_bars};
pub use button::{Button, IconButton, Look, Tile, with_shortcut};
pub use field::{Field, choose, combo, explained, field_name, switch};
pub use keypad::keypad;
pub use list::{Row, card, columns, empty_state, section, spacer};
pub use notice::{Live, announce, banner, dismissible, remark};
pub use text::{line, paint_line, words};

use super::theme::Tokens;
use egui::{Response, Stroke, StrokeKind, Ui};

/// The ring around what has the keyboard.
pub fn focus_ring(ui: &Ui, response: &Response, radius: u8) {
    if response.has_focus() {
        let stroke = Stroke::new(2.0, Tokens::of(ui).accent.text);
        ui.painter().rect_stroke(response.rect.expand(2.0), radius + 2, stroke, StrokeKind::Middle);
    }
}
