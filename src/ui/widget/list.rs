//! Cards, section titles, list rows and what stands where a list is empty.

use super::{focus_ring, text::paint_line};
use crate::ui::{
    icon::Icon,
    theme::{BODY, GRID, MARGIN, RADIUS, RADIUS_CARD, SMALL, Tokens, mix, semibold, small, strong},
};
use egui::{
    Align2, Color32, FontFamily, Frame, InnerResponse, Label, Response, Sense, Stroke, Ui, Widget, WidgetInfo,
    accesskit::Role, pos2, vec2,
};

/// A raised sheet for things that belong together.
pub fn card<R>(ui: &mut Ui, contents: impl FnOnce(&mut Ui) -> R) -> InnerResponse<R> {
    let t = Tokens::of(ui);
    Frame::new()
        .fill(t.surface)
        .stroke(Stroke::new(1.0, t.hairline))
        .corner_radius(RADIUS_CARD)
        .inner_margin(MARGIN)
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            contents(ui)
        })
}

/// Widths of `count` controls side by side, `gap` apart, that fill `width`: whole points, as equal as they can be.
pub fn columns(width: f32, count: usize, gap: f32) -> impl Iterator<Item = f32> {
    let edge = move |n: usize| ((width + gap) * n as f32 / count as f32).floor();
    (0..count).map(move |n| edge(n + 1) - edge(n) - gap)
}

/// Empty space on the grid.
pub fn spacer(ui: &mut Ui, steps: f32) {
    ui.add_space(steps * GRID);
}

/// A section's title.
pub fn section(ui: &mut Ui, text: &str) -> Response {
    let weak = Tokens::of(ui).text_weak;
    let response = ui.add(Label::new(small(text).family(semibold()).color(weak)));
    ui.ctx().accesskit_node_builder(response.id, |node| {
        node.set_role(Role::Heading);
        node.set_label(text.to_owned());
    });
    response
}

/// What a list says while it has no rows.
pub fn empty_state(ui: &mut Ui, icon: Icon, title: &str, hint: &str) {
    let t = Tokens::of(ui);
    ui.vertical_centered(|ui| {
        spacer(ui, 6.0);
        let (rect, _) = ui.allocate_exact_size(vec2(64.0, 64.0), Sense::hover());
        ui.painter().circle_filled(rect.center(), 32.0, t.raised);
        icon.paint(ui.painter(), rect.center(), 28.0, t.text_weak);
        spacer(ui, 1.0);
        ui.label(strong(title));
        let width = ui.available_width().min(280.0);
        ui.allocate_ui(vec2(width, 0.0), |ui| ui.add(Label::new(small(hint).color(t.text_weak)).wrap()));
    });
}

/// A row that can be pressed: icon, one or two lines, something at the right.
pub struct Row<'a> {
    icon: Icon,
    icon_color: Option<Color32>,
    title: &'a str,
    detail: Option<&'a str>,
    right: Option<&'a str>,
    right_icon: Option<Icon>,
    /// Room kept free at the right for another control.
    keep: f32,
    selected: bool,
    name: Option<String>,
}

impl<'a> Row<'a> {
    pub fn new(icon: Icon, title: &'a str) -> Self {
        Self {
            icon,
            icon_color: None,
            title,
            detail: None,
            right: None,
            right_icon: None,
            keep: 0.0,
            selected: false,
            name: None,
        }
    }
    pub fn icon_color(self, color: Color32) -> Self {
        Self { icon_color: Some(color), ..self }
    }
    pub fn detail(self, detail: Option<&'a str>) -> Self {
        Self { detail, ..self }
    }
    pub fn right(self, right: &'a str) -> Self {
        Self { right: Some(right), ..self }
    }
    pub fn right_icon(self, icon: Icon) -> Self {
        Self { right_icon: Some(icon), ..self }
    }
    pub fn keep(self, keep: f32) -> Self {
        Self { keep, ..self }
    }
    pub fn selected(self, selected: bool) -> Self {
        Self { selected, ..self }
    }
    pub fn name(self, name: String) -> Self {
        Self { name: Some(name), ..self }
    }
}

impl Widget for Row<'_> {
    fn ui(self, ui: &mut Ui) -> Response {
        let t = Tokens::of(ui);
        let height = if self.detail.is_some() { 14.0 } else { 12.0 } * GRID;
        let size = vec2(ui.available_width() - self.keep, height);
        let (rect, response) = ui.allocate_exact_size(size, Sense::click());
        let name = self.name.as_deref().unwrap_or(self.title);
        response.widget_info(|| WidgetInfo::selected(Role::Button, true, self.selected, name));
        if !ui.is_rect_visible(rect) {
            return response;
        }
        let painter = ui.painter();
        let back = match (self.selected, response.is_pointer_button_down_on(), response.hovered()) {
            (true, ..) => Some(t.accent.tint),
            (_, true, _) => Some(mix(t.raised, t.text_weak, 0.12)),
            (_, _, true) => Some(t.raised),
            _ => None,
        };
        if let Some(back) = back {
            painter.rect_filled(rect, RADIUS, back);
        }
        let middle = rect.center().y;
        self.icon.paint(painter, pos2(rect.left() + 20.0, middle), 20.0, self.icon_color.unwrap_or(t.text_weak));
        let mut right = rect.right() - 3.0 * GRID;
        if let Some(icon) = self.right_icon {
            icon.paint(painter, pos2(right - 8.0, middle), 16.0, t.text_weak);
            right -= 24.0;
        }
        let left = rect.left() + 44.0;
        let title_y = if self.detail.is_some() { middle - 11.0 } else { middle };
        if let Some(text) = self.right {
            let at = (pos2(right, title_y), Align2::RIGHT_CENTER);
            let used = paint_line(painter, at, 120.0, text, (SMALL, FontFamily::Proportional), t.text_weak);
            right = used.left() - 2.0 * GRID;
        }
        let at = (pos2(left, title_y), Align2::LEFT_CENTER);
        paint_line(painter, at, right - left, self.title, (BODY, FontFamily::Proportional), t.text);
        if let Some(detail) = self.detail {
            let at = (pos2(left, middle + 11.0), Align2::LEFT_CENTER);
            let width = rect.right() - 2.0 * GRID - left;
            paint_line(painter, at, width, detail, (SMALL, FontFamily::Proportional), t.text_weak);
        }
        focus_ring(ui, &response, RADIUS);
        response
    }
}
