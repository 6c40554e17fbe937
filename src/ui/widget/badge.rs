//! Small marks: the status dot, (P)/(S) chips, initials, quality bars, the padlock and level meters.

use super::text::paint_line;
use crate::ui::theme::{GRID, Hue, RADIUS_MARK, SMALL, Tokens, semibold};
use egui::{
    Align2, Color32, FontFamily, FontId, Response, Sense, StrokeKind, Ui, Vec2, WidgetInfo, accesskit::Role, pos2, vec2,
};

/// A filled circle; colour only repeats what words beside it say, so it has no name.
pub fn dot(ui: &mut Ui, color: Color32, diameter: f32) {
    let (rect, _) = ui.allocate_exact_size(Vec2::splat(diameter), Sense::hover());
    ui.painter().circle_filled(rect.center(), diameter / 2.0, color);
}

/// A short word on a tint, painted only: part of a control that says it in full.
pub fn chip(ui: &mut Ui, text: &str, hue: Hue) {
    let galley = ui.painter().layout_no_wrap(text.to_owned(), FontId::new(SMALL, semibold()), hue.text);
    let size = vec2(galley.size().x + 3.0 * GRID, 6.0 * GRID);
    let (rect, _) = ui.allocate_exact_size(size, Sense::hover());
    ui.painter().rect_filled(rect, RADIUS_MARK, hue.tint);
    ui.painter().galley(rect.center() - galley.size() / 2.0, galley, hue.text);
}

/// A number on the upper right corner of `of`, painted only: `of` says it in words.
pub fn badge(ui: &Ui, of: egui::Rect, text: &str, hue: Hue) {
    let galley = ui.painter().layout_no_wrap(text.to_owned(), FontId::new(SMALL - 2.0, semibold()), hue.on_fill);
    let size = vec2((galley.size().x + 2.0 * GRID).max(18.0), 18.0);
    let rect = egui::Rect::from_center_size(pos2(of.right() - 10.0, of.top() + 9.0), size);
    ui.painter().rect_filled(rect, 9, hue.fill);
    ui.painter().galley(rect.center() - galley.size() / 2.0, galley, hue.on_fill);
}

/// A round mark with a caller's initials, or `fallback` when there is no name.
pub fn avatar(ui: &mut Ui, initials: Option<&str>, fallback: crate::ui::icon::Icon, hue: Hue, diameter: f32) {
    let (rect, _) = ui.allocate_exact_size(Vec2::splat(diameter), Sense::hover());
    ui.painter().circle_filled(rect.center(), diameter / 2.0, hue.tint);
    match initials {
        Some(text) => {
            let at = (rect.center(), Align2::CENTER_CENTER);
            paint_line(ui.painter(), at, diameter, text, (diameter * 0.4, semibold()), hue.text);
        }
        None => fallback.paint(ui.painter(), rect.center(), diameter * 0.5, hue.text),
    }
}

/// Four rising bars, `lit` of them in colour; named by `name`.
pub fn quality_bars(ui: &mut Ui, lit: usize, color: Color32, name: &str) -> Response {
    let (rect, response) = ui.allocate_exact_size(vec2(20.0, 16.0), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, name));
    let unlit = Tokens::of(ui).hairline;
    for bar in 0..4 {
        let height = 4.0 * (bar + 1) as f32;
        let left = rect.left() + 5.0 * bar as f32 + 1.0;
        let bar_rect = egui::Rect::from_min_max(pos2(left, rect.bottom() - height), pos2(left + 3.0, rect.bottom()));
        ui.painter().rect_filled(bar_rect, 1, if bar < lit { color } else { unlit });
    }
    response
}

/// Pieces side by side along a line from `start` to `end`: each one's share of its width, its height and colour. Named by `name`.
pub fn chart(
    ui: &mut Ui,
    pieces: impl Iterator<Item = (f32, f32, Color32)>,
    (start, end): (&str, &str),
    name: &str,
) -> Response {
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 16.0 * GRID), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, format!("{name}, {start} – {end}")));
    let (t, painter) = (Tokens::of(ui), ui.painter());
    let foot = rect.bottom() - 6.0 * GRID;
    painter.hline(rect.x_range(), foot + 0.5, (1.0, t.outline));
    for (side, align, clock) in [(rect.left(), Align2::LEFT_CENTER, start), (rect.right(), Align2::RIGHT_CENTER, end)] {
        let at = (pos2(side, foot + 3.0 * GRID), align);
        paint_line(painter, at, rect.width() / 2.0, clock, (SMALL, FontFamily::Proportional), t.text_weak);
    }
    let mut left = rect.left();
    for (width, height, color) in pieces {
        let right = left + width * rect.width();
        // What is narrow has no gaps.
        let gap = if right - left > 4.0 { 1.0 } else { 0.0 };
        let top = foot - height * (foot - rect.top());
        let piece = egui::Rect::from_min_max(pos2(left, top), pos2(right - gap, foot));
        painter.rect_filled(piece, 0, color);
        left = right;
    }
    response
}

/// A closed padlock, for what is encrypted.
pub fn padlock(ui: &mut Ui, color: Color32, name: &str) -> Response {
    let (rect, response) = ui.allocate_exact_size(vec2(12.0, 16.0), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, name));
    let body = egui::Rect::from_min_max(rect.left_top() + vec2(0.0, 7.0), rect.right_bottom());
    let shackle = egui::Rect::from_min_max(rect.left_top() + vec2(2.5, 1.0), rect.right_top() + vec2(-2.5, 10.0));
    ui.painter().rect_stroke(shackle, 3.5, (1.5, color), StrokeKind::Inside);
    ui.painter().rect_filled(body, 2, color);
    response
}

/// A level 0.0–1.0 as a bar on a scale of 48 dB, the top 6 dB in amber.
pub fn meter(ui: &mut Ui, level: f32, name: &str) -> Response {
    let t = Tokens::of(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 2.0 * GRID), Sense::hover());
    let shown = meter_share(level);
    response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::Meter, true, name);
        info.value = Some(f64::from((shown * 100.0).round()));
        info
    });
    ui.painter().rect_filled(rect, 4, t.raised);
    let mut lit = rect;
    lit.set_width(rect.width() * shown);
    if shown > 0.0 {
        let loud = shown > 1.0 - 6.0 / 48.0;
        ui.painter().rect_filled(lit, 4, if loud { t.hold.fill } else { t.go.fill });
    }
    response
}

/// Where a peak of `level` stands on the meter: −48 dB at the left, 0 dB at the right.
fn meter_share(level: f32) -> f32 {
    if level <= 0.0 { 0.0 } else { (1.0 + 20.0 * level.log10() / 48.0).clamp(0.0, 1.0) }
}

#[cfg(test)]
mod tests {
    use super::meter_share;

    #[test]
    fn the_meter_is_logarithmic() {
        for (level, wanted) in [(0.0, 0.0), (1.0, 1.0), (2.0, 1.0), (0.001, 0.0), (0.0631, 0.5)] {
            assert!((meter_share(level) - wanted).abs() < 0.01, "{level} → {}", meter_share(level));
        }
    }
}
