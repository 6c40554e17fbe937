//! The twelve keys.

use super::{columns, focus_ring, text::paint_line};
use crate::ui::theme::{GRID, RADIUS, SMALL, TITLE, Tokens, mix, semibold};
use egui::{Align2, FontFamily, Response, Sense, Ui, WidgetInfo, accesskit::Role, pos2, vec2};
use std::time::Duration;

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
    ('0', ""),
    ('#', ""),
];

/// How long 0 is held for what stands under it, in seconds.
const LONG: f64 = 0.5;

/// Shows the keys across the available width; returns the one pressed. `long`: what 0 gives when it is held.
pub fn keypad(ui: &mut Ui, long: Option<char>) -> Option<char> {
    let gap = 2.0 * GRID;
    let available = ui.available_width();
    let mut pressed = None;
    ui.vertical(|ui| {
        ui.spacing_mut().item_spacing = vec2(gap, gap);
        for row in KEYS.chunks(3) {
            ui.horizontal(|ui| {
                for ((digit, letters), width) in row.iter().zip(columns(available, row.len(), gap)) {
                    let long = long.filter(|_| *digit == '0');
                    let response = key(ui, *digit, long.map_or((*letters).to_owned(), String::from).as_str(), width);
                    pressed = pressed.or(match long {
                        Some(other) => held_or_clicked(ui, &response, *digit, other),
                        None => response.clicked().then_some(*digit),
                    });
                }
            });
        }
    });
    pressed
}

/// `other` as soon as the key has been held for long, `digit` when it is let go before that.
fn held_or_clicked(ui: &Ui, response: &Response, digit: char, other: char) -> Option<char> {
    let id = response.id.with("held");
    let was_held = ui.data(|data| data.get_temp::<bool>(id)).unwrap_or_default();
    if response.is_pointer_button_down_on() {
        let left = ui.input(|i| i.pointer.press_start_time().map_or(LONG, |since| since + LONG - i.time));
        let is_held = left <= 0.0;
        if !is_held {
            ui.ctx().request_repaint_after(Duration::from_secs_f64(left));
        }
        ui.data_mut(|data| data.insert_temp(id, is_held));
        return (is_held && !was_held).then_some(other);
    }
    ui.data_mut(|data| data.remove::<bool>(id));
    (response.clicked() && !was_held).then_some(digit)
}

fn key(ui: &mut Ui, digit: char, letters: &str, width: f32) -> Response {
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
    response
}
