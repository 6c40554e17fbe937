use super::data::{Pressed, Ring};
use crate::ui::{
    icon,
    text::{fill, t},
    theme::{CONTROL, GRID, MARGIN, Tokens, semibold, small, title},
    widget::{Button, Live, Look, announce, avatar, line},
};
use egui::{Align, Layout, Stroke, StrokeKind, Ui, UiBuilder, vec2};

/// Size of the ringing window, in points.
pub const SIZE: [f32; 2] = [360.0, 172.0];

/// Paints the window; what was pressed, if anything.
pub fn show(ui: &mut Ui, shown: &Ring) -> Option<Pressed> {
    let tokens = Tokens::of(ui);
    let edge = ui.max_rect();
    ui.painter().rect_filled(edge, 0, tokens.surface);
    ui.painter().rect_stroke(edge, 0, Stroke::new(1.0, tokens.outline), StrokeKind::Inside);
    let mut ui = ui.new_child(UiBuilder::new().max_rect(edge.shrink(MARGIN)));
    ui.spacing_mut().item_spacing = vec2(3.0 * GRID, 0.0);
    announce(&mut ui, "ringing", &fill(t().say_ringing, &[&shown.name]), Live::Assertive);
    ui.horizontal(|ui| {
        avatar(ui, shown.initials.as_deref(), icon::CALL.filled(), tokens.accent, 56.0);
        ui.vertical(|ui| {
            line(ui, title(&shown.name));
            for text in [&shown.line, &shown.forwarded].into_iter().flatten() {
                line(ui, small(text).color(tokens.text_weak));
            }
            line(ui, small(&shown.waited).color(tokens.accent.text).family(semibold()));
        });
    });
    let mut pressed = None;
    let place = ui.max_rect().with_min_y(ui.max_rect().bottom() - CONTROL);
    let buttons = UiBuilder::new().max_rect(place).layout(Layout::left_to_right(Align::Center));
    ui.scope_builder(buttons, |ui| {
        ui.spacing_mut().item_spacing.x = 2.0 * GRID;
        let width = ui.available_width() - 2.0 * GRID;
        let answer = Button::new(shown.answer.1, Look::Filled(tokens.go)).icon(shown.answer.0);
        if ui.add(answer.width((width * 0.62).floor())).clicked() {
            pressed = Some(Pressed::Answer);
        }
        let reject = Button::new(t().reject, Look::Tinted(tokens.stop)).icon(icon::END);
        if ui.add(reject.width((width * 0.38).floor())).clicked() {
            pressed = Some(Pressed::Reject);
        }
    });
    pressed
}
