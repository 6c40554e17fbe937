//! Buttons: a wide one with icon and words, a bare icon, and a tile with the icon above its word.

use super::{focus_ring, text::paint_line};
use crate::ui::{
    icon::Icon,
    theme::{self, BODY, CONTROL, GRID, Hue, RADIUS, SMALL, TALL, Tokens, mix, semibold},
};
use egui::{
    Align2, Color32, FontFamily, FontId, Rect, Response, Sense, Ui, Vec2, Widget, WidgetInfo, accesskit::Role, pos2,
    vec2,
};

/// How much a button asks to be pressed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Look {
    /// The one thing to do here.
    Filled(Hue),
    /// A choice beside it.
    Tinted(Hue),
    /// There, but quiet.
    Plain(Hue),
}

impl Look {
    fn colors(self, ui: &Ui, response: &Response, enabled: bool) -> (Color32, Color32) {
        let t = Tokens::of(ui);
        if !enabled {
            let fill = if matches!(self, Self::Plain(_)) { Color32::TRANSPARENT } else { t.raised };
            return (fill, t.outline);
        }
        let (fill, ink) = match self {
            Self::Filled(hue) => (hue.fill, hue.on_fill),
            Self::Tinted(hue) => (hue.tint, hue.text),
            Self::Plain(hue) => (Color32::TRANSPARENT, hue.text),
        };
        let share = match () {
            () if response.is_pointer_button_down_on() => 0.16,
            () if response.hovered() => 0.08,
            () => return (fill, ink),
        };
        let base = if fill == Color32::TRANSPARENT { t.background } else { fill };
        // Away from the ink, so that the words only gain contrast.
        let shade = if theme::contrast(ink, Color32::WHITE) < theme::contrast(ink, Color32::BLACK) {
            Color32::BLACK
        } else {
            Color32::WHITE
        };
        let shade = if fill == Color32::TRANSPARENT { t.text_weak } else { shade };
        (mix(base, shade, share), ink)
    }
}

/// A button with words, and an icon before them where it has one.
pub struct Button<'a> {
    label: &'a str,
    icon: Option<Icon>,
    look: Look,
    enabled: bool,
    width: Option<f32>,
    height: f32,
    tip: Option<String>,
    name: Option<String>,
}

impl<'a> Button<'a> {
    pub fn new(label: &'a str, look: Look) -> Self {
        Self { label, icon: None, look, enabled: true, width: None, height: CONTROL, tip: None, name: None }
    }
    pub fn icon(self, icon: Icon) -> Self {
        Self { icon: Some(icon), ..self }
    }
    pub fn enabled(self, enabled: bool) -> Self {
        Self { enabled, ..self }
    }
    pub fn width(self, width: f32) -> Self {
        Self { width: Some(width), ..self }
    }
    pub fn height(self, height: f32) -> Self {
        Self { height, ..self }
    }
    /// Shown on hovering, read as the description: a shortcut, or why the button can't be pressed.
    pub fn tip(self, tip: impl Into<String>) -> Self {
        Self { tip: Some(tip.into()), ..self }
    }
    /// Accessible name, where the words alone do not say enough.
    pub fn name(self, name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..self }
    }
}

impl Widget for Button<'_> {
    fn ui(self, ui: &mut Ui) -> Response {
        let font = FontId::new(BODY, semibold());
        let text = ui.painter().layout_no_wrap(self.label.to_owned(), font, Color32::PLACEHOLDER);
        let icon_width = if self.icon.is_some() { 20.0 + 2.0 * GRID } else { 0.0 };
        let natural = text.size().x + icon_width + 8.0 * GRID;
        let size = vec2(self.width.unwrap_or(natural), self.height);
        let sense = if self.enabled { Sense::click() } else { Sense::hover() };
        let (rect, response) = ui.allocate_exact_size(size, sense);
        let name = self.name.as_deref().unwrap_or(self.label);
        response.widget_info(|| WidgetInfo::labeled(Role::Button, self.enabled, name));
        if ui.is_rect_visible(rect) {
            let (fill, ink) = self.look.colors(ui, &response, self.enabled);
            let painter = ui.painter();
            painter.rect_filled(rect, RADIUS, fill);
            let room = (rect.width() - icon_width - 2.0 * GRID).min(text.size().x + 0.5);
            let left = rect.center().x - (room + icon_width) / 2.0;
            if let Some(icon) = self.icon {
                icon.paint(painter, pos2(left + 10.0, rect.center().y), 20.0, ink);
            }
            let at = (pos2(left + icon_width, rect.center().y), Align2::LEFT_CENTER);
            paint_line(painter, at, room + 1.0, self.label, (BODY, semibold()), ink);
            focus_ring(ui, &response, RADIUS);
        }
        match self.tip {
            Some(tip) => response.on_hover_text(tip),
            None => response,
        }
    }
}

/// A bare icon that is a button; `name` is its accessible name and its tooltip.
pub struct IconButton<'a> {
    icon: Icon,
    name: &'a str,
    look: Look,
    size: f32,
    shortcut: Option<&'a str>,
    enabled: bool,
}

impl<'a> IconButton<'a> {
    pub fn new(icon: Icon, name: &'a str, look: Look) -> Self {
        Self { icon, name, look, size: CONTROL, shortcut: None, enabled: true }
    }
    pub fn size(self, size: f32) -> Self {
        Self { size, ..self }
    }
    pub fn shortcut(self, shortcut: &'a str) -> Self {
        Self { shortcut: Some(shortcut), ..self }
    }
    pub fn enabled(self, enabled: bool) -> Self {
        Self { enabled, ..self }
    }
}

impl Widget for IconButton<'_> {
    fn ui(self, ui: &mut Ui) -> Response {
        let sense = if self.enabled { Sense::click() } else { Sense::hover() };
        let (rect, response) = ui.allocate_exact_size(Vec2::splat(self.size), sense);
        response.widget_info(|| WidgetInfo::labeled(Role::Button, self.enabled, self.name));
        if ui.is_rect_visible(rect) {
            let (fill, ink) = self.look.colors(ui, &response, self.enabled);
            ui.painter().rect_filled(rect, RADIUS, fill);
            self.icon.paint(ui.painter(), rect.center(), (self.size * 0.55).round(), ink);
            focus_ring(ui, &response, RADIUS);
        }
        response.on_hover_text(with_shortcut(self.name, self.shortcut))
    }
}

/// A tall button with its icon above its word, for the controls of a call. A tile that is `on` is filled.
pub struct Tile<'a> {
    icon: Icon,
    label: &'a str,
    /// What the tile is about when it is switched on.
    on: Option<Hue>,
    width: f32,
    shortcut: Option<&'a str>,
    enabled: bool,
}

impl<'a> Tile<'a> {
    pub fn new(icon: Icon, label: &'a str, width: f32) -> Self {
        Self { icon, label, on: None, width, shortcut: None, enabled: true }
    }
    pub fn on(self, hue: Option<Hue>) -> Self {
        Self { on: hue, ..self }
    }
    pub fn shortcut(self, shortcut: &'a str) -> Self {
        Self { shortcut: Some(shortcut), ..self }
    }
    pub fn enabled(self, enabled: bool) -> Self {
        Self { enabled, ..self }
    }
}

impl Widget for Tile<'_> {
    fn ui(self, ui: &mut Ui) -> Response {
        let t = Tokens::of(ui);
        let sense = if self.enabled { Sense::click() } else { Sense::hover() };
        let (rect, response) = ui.allocate_exact_size(vec2(self.width, TALL), sense);
        response.widget_info(|| WidgetInfo::selected(Role::Button, self.enabled, self.on.is_some(), self.label));
        if ui.is_rect_visible(rect) {
            let look = self.on.map_or(Look::Tinted(Hue { text: t.text, ..t.neutral }), Look::Filled);
            let (fill, ink) = look.colors(ui, &response, self.enabled);
            let painter = ui.painter();
            painter.rect_filled(rect, RADIUS, fill);
            self.icon.paint(painter, pos2(rect.center().x, rect.top() + 22.0), 22.0, ink);
            let at = (pos2(rect.center().x, rect.bottom() - 15.0), Align2::CENTER_CENTER);
            paint_line(painter, at, inner(rect), self.label, (SMALL, FontFamily::Proportional), ink);
            focus_ring(ui, &response, RADIUS);
        }
        response.on_hover_text(with_shortcut(self.label, self.shortcut))
    }
}

fn inner(rect: Rect) -> f32 {
    rect.width() - 2.0 * GRID
}

/// A tooltip: what it is, and how the keyboard reaches it.
pub fn with_shortcut(name: &str, shortcut: Option<&str>) -> String {
    shortcut.map_or_else(|| name.to_owned(), |shortcut| format!("{name}  ({shortcut})"))
}
