//! The dial field with its keypad.

use super::{data::is_emergency, ui::Local};
use crate::ui::{
    icon,
    screen::{Cx, people::data::meant},
    snapshot::Intent,
    text::t,
    theme::{BODY, Tokens, body},
    widget::{IconButton, Look, keypad, with_shortcut},
};
use egui::{Align, Id, Key, Layout, Margin, TextEdit, Ui, UiBuilder, vec2};

/// The one field: type, Enter dials; the keypad opens under it.
pub fn dial(ui: &mut Ui, cx: &mut Cx<'_>, local: &mut Local, cannot: Option<&'static str>) {
    let cannot = cannot.filter(|_| !is_emergency(cx.snapshot, &local.dial));
    let tokens = Tokens::of(ui);
    let id = Id::unique("dial");
    let margin = Margin { left: 16, right: 124, top: 12, bottom: 12 };
    let field = TextEdit::singleline(&mut local.dial)
        .id(id)
        .hint_text(body(t().dial_hint))
        .margin(margin)
        .font(egui::FontId::new(BODY, egui::FontFamily::Proportional))
        .desired_width(f32::INFINITY)
        .char_limit(256);
    let response =
        ui.add(field).accessible_name(t().dial_hint).on_hover_text(with_shortcut(t().dial_hint, Some("Ctrl+L")));
    if std::mem::take(&mut local.focus_dial) {
        response.request_focus();
    }
    let entered = response.lost_focus() && ui.input(|i| i.key_pressed(Key::Enter));
    let inside = response.rect.shrink2(vec2(4.0, 0.0));
    let mut dialled = entered;
    let buttons = UiBuilder::new().max_rect(inside).layout(Layout::right_to_left(Align::Center));
    ui.scope_builder(buttons, |ui| {
        ui.spacing_mut().item_spacing.x = 0.0;
        let ready = cannot.is_none() && !local.dial.trim().is_empty();
        let look = Look::Filled(tokens.go);
        let name = cannot.unwrap_or(t().dial);
        dialled |= ui.add(IconButton::new(icon::ANSWER, name, look).enabled(ready)).clicked();
        let name = if local.keypad { t().hide_keypad } else { t().show_keypad };
        let look = if local.keypad { Look::Tinted(tokens.accent) } else { Look::Plain(tokens.neutral) };
        if ui.add(IconButton::new(icon::KEYPAD, name, look)).clicked() {
            local.keypad = !local.keypad;
        }
        let erase = IconButton::new(icon::BACKSPACE, t().erase, Look::Plain(tokens.neutral));
        if local.keypad && !local.dial.is_empty() && ui.add(erase).clicked() {
            local.dial.pop();
        }
    });
    if response.changed() {
        local.filled = false;
    }
    if dialled && cannot.is_none() && !local.dial.trim().is_empty() {
        let typed = local.dial.trim().to_owned();
        // A name is not dialled: whom it fits is.
        let to = meant(cx.snapshot, &typed).unwrap_or_else(|| typed.clone());
        local.asked = Some(typed);
        cx.ask(Intent::Dial { to });
    } else if entered {
        response.request_focus();
    }
    if local.keypad
        && let Some(digit) = keypad(ui, Some('+'))
    {
        local.dial.push(digit);
        local.filled = false;
    }
}
