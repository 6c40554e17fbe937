//! The twelve keys.

use super::{focus_ring, text::paint_line};
use crate::ui::theme::{GRID, RADIUS, SMALL, TITLE, Tokens, mix, semibold};
use egui::{Align2, FontFamily, Sense, Ui, WidgetInfo, accesskit::Role, pos2, vec2};

const KEYS: [(char, &str); 12] = [
    ('1', ""),
    ('2', "ABC"),
    ('3', "DEF"),
    ('4', "GHI"),
    ('5', "JKL"),
    ('6', "MNO"),
    ('7', "PQRS"),
    ('8', "TUV"),
    ('9', "WXYZ"),
    ('*', ""),
    ('0', "+"),
    ('#', ""),
];

/// Shows the keys across the available width; returns the one pressed.
pub fn keypad(ui: &mut Ui) -> Option<char> {
    let gap = 2.0 * GRID;
    let width = ((ui.available_width() - 2.0 * gap) / 3.0).floor();
    let mut pressed = None;
    ui.vertical(|ui| {
        ui.spacing_mut().item_spacing = vec2(gap, gap);
        for row in KEYS.chunks(3) {
            ui.horizontal(|ui| {
                for (digit, letters) in row {
                    if key(ui, *digit, letters, width) {
                        pressed = Some(*digit);
                    }
                }
            });
        }
    });
    pressed
}

fn key(ui: &mut Ui, digit: char, letters: &str, width: f32) -> bool {
    let t = Tokens::of(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(width, 12.0 * GRID), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, digit));
    let fill = match () {
        () if response.is_pointer_button_down_on() => mix(t.raised, t.text_weak, 0.3),
        () if response.hovered() => mix(t.raised, t.text_weak, 0.12),
        () => t.raised,
    };
    ui.painter().rect_filled(rect, RADIUS, fill);
    let lift = if letters.is_empty() { 0.0 } else { 8.0 };
    let at = (pos2(rect.center().x, rect.center().y - lift), Align2::CENTER_CENTER);
    paint_line(ui.painter(), at, width, &digit.to_string(), (TITLE, semibold()), t.text);
    if !letters.is_empty() {
        let at = (pos2(rect.center().x, rect.center().y + 13.0), Align2::CENTER_CENTER);
        paint_line(ui.painter(), at, width, letters, (SMALL, FontFamily::Proportional), t.text_weak);
    }
    focus_ring(ui, &response, RADIUS);
    response.clicked()
}
