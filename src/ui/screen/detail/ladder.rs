//! What this phone and the server said to each other, as a ladder: time goes down, arrows go from who says it to who hears it.

use super::{
    data::{Rung, as_text, rungs, server},
    ui::Local,
};
use crate::ui::{
    icon,
    screen::Cx,
    text::t,
    theme::{GRID, MARGIN, RADIUS, RADIUS_MARK, SMALL, Tokens, body, semibold, small},
    widget::{Button, Look, card, focus_ring, paint_line, spacer},
};
use egui::{Align2, FontFamily, Frame, Label, Sense, Shape, Stroke, Ui, WidgetInfo, accesskit::Role, pos2, vec2};

/// Room for the time, left of the ladder.
const TIME: f32 = 92.0;
const RUNG: f32 = 40.0;

/// A heading that opens it; closed at first beside the main column.
pub fn messages(ui: &mut Ui, cx: &mut Cx<'_>, call: u32, local: &mut Local) {
    heading(ui, local);
    if !local.open {
        return;
    }
    local.traced = Some(call);
    let trace = cx.snapshot.trace.as_ref().filter(|trace| trace.call == call);
    let list = rungs(trace, call);
    let weak = Tokens::of(ui).text_weak;
    card(ui, |ui| {
        if list.is_empty() {
            ui.add(Label::new(small(t().messages_none).color(weak)).wrap());
            return;
        }
        ui.spacing_mut().item_spacing.y = 0.0;
        ends(ui, server(trace).unwrap_or(t().server));
        for (number, rung) in list.iter().enumerate() {
            ui.push_id(number, |ui| one(ui, rung, number, local));
        }
        spacer(ui, 2.0);
        let is_copied = local.copied == Some((call, list.len()));
        let label = if is_copied { t().copied } else { t().copy_messages };
        let sign = if is_copied { icon::CHECK } else { icon::COPY };
        let copy = Button::new(label, Look::Tinted(Tokens::of(ui).neutral)).icon(sign).name(t().copy_messages);
        if ui.add(copy.width(ui.available_width())).clicked() {
            ui.ctx().copy_text(trace.map(as_text).unwrap_or_default());
            local.copied = Some((call, list.len()));
        }
    });
}

fn heading(ui: &mut Ui, local: &mut Local) {
    let tokens = Tokens::of(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 32.0), Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, local.open, t().messages));
    if response.hovered() {
        ui.painter().rect_filled(rect, RADIUS, tokens.raised);
    }
    let sign = if local.open { icon::DOWN } else { icon::OPEN };
    sign.paint(ui.painter(), pos2(rect.left() + 10.0, rect.center().y), 14.0, tokens.text_weak);
    let at = (pos2(rect.left() + 6.0 * GRID, rect.center().y), Align2::LEFT_CENTER);
    paint_line(ui.painter(), at, rect.width(), t().messages, (SMALL, semibold()), tokens.text_weak);
    focus_ring(ui, &response, RADIUS);
    if response.on_hover_text(t().messages_hint).clicked() {
        local.open = !local.open;
    }
}

/// Where the two lines stand.
fn lanes(rect: egui::Rect) -> (f32, f32) {
    (rect.left() + TIME, rect.right() - 2.0 * GRID)
}

/// Who stands at the top of each line.
fn ends(ui: &mut Ui, server: &str) {
    let tokens = Tokens::of(ui);
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 28.0), Sense::hover());
    let (left, right) = lanes(rect);
    let font = || (SMALL, semibold());
    let at = (pos2(left - 2.0 * GRID, rect.top() + 10.0), Align2::LEFT_CENTER);
    let phone = paint_line(ui.painter(), at, 120.0, t().this_phone, font(), tokens.text_weak);
    let at = (pos2(rect.right(), rect.top() + 10.0), Align2::RIGHT_CENTER);
    paint_line(ui.painter(), at, right - phone.right() - 2.0 * GRID, server, font(), tokens.text_weak);
}

/// A message; a press shows all of it, another hides it.
fn one(ui: &mut Ui, rung: &Rung, number: usize, local: &mut Local) {
    let tokens = Tokens::of(ui);
    let is_open = local.expanded.contains(&number);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), RUNG), Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, is_open, &rung.said));
    if response.hovered() || is_open {
        ui.painter().rect_filled(rect, RADIUS_MARK, tokens.raised);
    }
    let painter = ui.painter();
    let (left, right) = lanes(rect);
    let line = Stroke::new(2.0, tokens.outline);
    painter.vline(left, rect.y_range(), line);
    painter.vline(right, rect.y_range(), line);
    let y = rect.bottom() - 9.0;
    let at = (pos2(rect.left() + GRID, y - 5.0), Align2::LEFT_CENTER);
    paint_line(painter, at, TIME, &rung.time, (SMALL, FontFamily::Proportional), tokens.text_weak);
    let ink = if rung.sent { tokens.accent.text } else { tokens.go.text };
    let (from, to) = if rung.sent { (left, right) } else { (right, left) };
    let towards = if rung.sent { 1.0 } else { -1.0 };
    let tip = to - towards;
    painter.line_segment([pos2(from, y), pos2(tip - towards * 8.0, y)], Stroke::new(2.0, ink));
    let back = tip - towards * 9.0;
    let head = vec![pos2(tip, y), pos2(back, y - 4.5), pos2(back, y + 4.5)];
    painter.add(Shape::convex_polygon(head, ink, Stroke::NONE));
    let middle = (pos2((left + right) / 2.0, y - 13.0), Align2::CENTER_CENTER);
    paint_line(painter, middle, right - left - MARGIN, &rung.label, (SMALL, semibold()), tokens.text);
    focus_ring(ui, &response, RADIUS_MARK);
    if response.clicked() && !local.expanded.remove(&number) {
        local.expanded.insert(number);
    }
    if is_open {
        Frame::new().fill(tokens.raised).corner_radius(RADIUS_MARK).inner_margin(8).show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.add(Label::new(body(&rung.text).size(SMALL)).wrap().selectable(true));
        });
    }
}
