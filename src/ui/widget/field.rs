//! Things to fill in: text fields with their label above, combo boxes, switches.

use super::focus_ring;
use crate::ui::{
    icon::{self, Icon},
    theme::{BODY, GRID, RADIUS, Tokens, body, mix, small},
};
use egui::{
    ComboBox, Id, Label, Margin, Response, Sense, TextEdit, Ui, UiBuilder, Vec2, Widget, WidgetInfo, accesskit::Role,
    pos2, vec2,
};

/// A labelled text field as wide as its column.
pub struct Field<'a> {
    label: &'a str,
    value: &'a mut String,
    hint: &'a str,
    /// Names of the two states of the eye at the right; `Some` hides the text until it is pressed.
    secret: Option<(&'a str, &'a str)>,
    enabled: bool,
}

impl<'a> Field<'a> {
    pub fn new(label: &'a str, value: &'a mut String) -> Self {
        Self { label, value, hint: "", secret: None, enabled: true }
    }
    pub fn hint(self, hint: &'a str) -> Self {
        Self { hint, ..self }
    }
    pub fn secret(self, show: &'a str, hide: &'a str) -> Self {
        Self { secret: Some((show, hide)), ..self }
    }
    pub fn enabled(self, enabled: bool) -> Self {
        Self { enabled, ..self }
    }
}

impl Widget for Field<'_> {
    fn ui(self, ui: &mut Ui) -> Response {
        ui.vertical(|ui| {
            ui.spacing_mut().item_spacing.y = GRID;
            let label = field_name(ui, self.label);
            let id = ui.make_persistent_id(self.label);
            let shown_id = id.with("shown");
            let shown = ui.data(|data| data.get_temp::<bool>(shown_id)).unwrap_or_default();
            let right = if self.secret.is_some() { 40 } else { 12 };
            let edit = TextEdit::singleline(self.value)
                .id(id)
                .password(self.secret.is_some() && !shown)
                .hint_text(small(self.hint).size(BODY))
                .margin(Margin { left: 12, right, top: 9, bottom: 9 })
                .desired_width(f32::INFINITY);
            let response = ui.add_enabled(self.enabled, edit).labelled_by(label.id);
            if let Some((show, hide)) = self.secret {
                let name = if shown { hide } else { show };
                if eye(ui, &response, id.with("eye"), name, shown) {
                    ui.data_mut(|data| data.insert_temp(shown_id, !shown));
                }
            }
            response
        })
        .inner
    }
}

/// The label above a control; give its id to the control's `labelled_by`.
pub fn field_name(ui: &mut Ui, text: &str) -> Response {
    let weak = Tokens::of(ui).text_weak;
    ui.add(Label::new(small(text).color(weak)))
}

fn eye(ui: &mut Ui, field: &Response, id: Id, name: &str, shown: bool) -> bool {
    let center = pos2(field.rect.right() - 20.0, field.rect.center().y);
    let rect = egui::Rect::from_center_size(center, Vec2::splat(32.0));
    let response = ui.interact(rect, id, Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, name));
    let t = Tokens::of(ui);
    let ink = if response.hovered() { t.text } else { t.text_weak };
    let icon: Icon = if shown { icon::HIDE } else { icon::SHOW };
    icon.paint(ui.painter(), rect.center(), 20.0, ink);
    focus_ring(ui, &response, RADIUS);
    response.on_hover_text(name).clicked()
}

/// A labelled list of choices; the first is "the system's". Returns a new choice.
pub fn combo(ui: &mut Ui, label: &str, none: &str, choices: &[String], chosen: Option<&str>) -> Option<Option<String>> {
    let mut picked = None;
    ui.spacing_mut().item_spacing.y = GRID;
    let name = field_name(ui, label);
    let width = ui.available_width();
    let shown = chosen.unwrap_or(none);
    let response = ComboBox::from_id_salt(label)
        .width(width)
        .truncate()
        .selected_text(body(shown))
        .icon(|ui, rect, _, _| icon::DOWN.paint(ui.painter(), rect.center(), 16.0, Tokens::of(ui).text_weak))
        .show_ui(ui, |ui| {
            let mut row = |value: Option<&str>| {
                let text = value.unwrap_or(none);
                if ui.selectable_label(chosen == value, body(text)).clicked() {
                    picked = Some(value.map(str::to_owned));
                    // Also where a screen reader pressed.
                    ui.close();
                }
            };
            row(None);
            choices.iter().for_each(|choice| row(Some(choice)));
        });
    response.response.labelled_by(name.id);
    picked
}

/// A labelled list of a few choices, one of them chosen.
pub fn choose<T: Copy + PartialEq>(
    ui: &mut Ui,
    label: &str,
    choices: &[T],
    chosen: &mut T,
    name: impl Fn(T) -> &'static str,
) {
    ui.spacing_mut().item_spacing.y = GRID;
    let label_shown = field_name(ui, label);
    let response = ComboBox::from_id_salt(label)
        .width(ui.available_width())
        .truncate()
        .selected_text(body(name(*chosen)))
        .icon(|ui, rect, _, _| icon::DOWN.paint(ui.painter(), rect.center(), 16.0, Tokens::of(ui).text_weak))
        .show_ui(ui, |ui| {
            for choice in choices {
                if ui.selectable_value(chosen, *choice, body(name(*choice))).clicked() {
                    ui.close();
                }
            }
        });
    response.response.labelled_by(label_shown.id);
}

/// A few words, and close under them what they mean.
pub fn explained(ui: &mut Ui, words: &str, hint: &str) {
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        ui.label(body(words));
        ui.label(small(hint).color(Tokens::of(ui).text_weak));
    });
}

/// A switch with its words at the left and an explanation under them; returns whether it was flipped.
pub fn switch(ui: &mut Ui, on: bool, label: &str, hint: &str) -> bool {
    let t = Tokens::of(ui);
    let start = ui.cursor().min;
    let width = ui.available_width();
    let words = ui.scope_builder(UiBuilder::new(), |ui| {
        ui.set_max_width(width - 56.0);
        explained(ui, label, hint);
    });
    let height = words.response.rect.height();
    let rect = egui::Rect::from_min_size(start, vec2(width, height));
    let response = ui.interact(rect, ui.scope_id().with(label), Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::Switch, true, on, label));
    let track =
        egui::Rect::from_center_size(pos2(rect.right() - 22.0, start.y + (height / 2.0).min(24.0)), vec2(44.0, 24.0));
    let fill = if on { t.accent.fill } else { mix(t.outline, t.surface, 0.25) };
    ui.painter().rect_filled(track, 12, fill);
    let x = if on { track.right() - 12.0 } else { track.left() + 12.0 };
    ui.painter().circle_filled(pos2(x, track.center().y), 9.0, t.accent.on_fill);
    focus_ring(ui, &response, RADIUS);
    response.clicked()
}
