//! Where we stand, in words, with the lamps beside it and the way to the settings.

use super::data::{Lamp, Main, StatusLine};
use crate::ui::{
    icon,
    screen::{Cx, Page},
    snapshot::{Intent, Services},
    text::t,
    theme::{BODY, GRID, Hue, RADIUS, SMALL, Tokens, semibold},
    widget::{IconButton, Look, badge, focus_ring, paint_line},
};
use egui::{Align2, FontFamily, Frame, Margin, Sense, Stroke, Ui, WidgetInfo, accesskit::Role, pos2, vec2};

/// Size of the buttons at the right.
const WHEEL: f32 = 44.0;

pub fn header(ui: &mut Ui, cx: &mut Cx<'_>, shown: &Main) {
    let tokens = Tokens::of(ui);
    let frame = Frame::new().fill(tokens.surface).inner_margin(Margin::same(8));
    let painted = frame.show(ui, |ui| {
        ui.horizontal(|ui| {
            ui.set_min_height(48.0);
            ui.spacing_mut().item_spacing.x = GRID;
            let services = cx.snapshot.services.clone().filter(|_| shown.status.registration.is_some());
            let buttons = 1 + usize::from(services.is_some()) + usize::from(shown.voicemail.is_some());
            let width = ui.available_width() - buttons as f32 * (WHEEL + GRID);
            if status_button(ui, &shown.status, shown.unproved.as_deref(), width) {
                cx.go = Some(Page::Account);
            }
            if let Some(lamp) = &shown.voicemail {
                voicemail(ui, cx, lamp, shown.cannot_dial.is_none());
            }
            if let Some(services) = services {
                do_not_disturb(ui, cx, services);
            }
            let wheel = IconButton::new(icon::SETTINGS, t().settings, quiet(tokens)).size(WHEEL).shortcut("Ctrl+,");
            if ui.add(wheel).clicked() {
                cx.go = Some(Page::Settings);
            }
        });
    });
    let rect = painted.response.rect;
    ui.painter().hline(rect.x_range(), rect.bottom(), Stroke::new(1.0, tokens.hairline));
}

const fn quiet(tokens: &Tokens) -> Look {
    Look::Plain(Hue { text: tokens.text, ..tokens.neutral })
}

/// Lit, with the number of new ones, while something waits; a press listens.
fn voicemail(ui: &mut Ui, cx: &mut Cx<'_>, lamp: &Lamp, can_dial: bool) {
    let tokens = Tokens::of(ui);
    let look = if lamp.lit { Look::Tinted(tokens.accent) } else { quiet(tokens) };
    let can_listen = can_dial && lamp.dial.is_some();
    let button = ui.add(IconButton::new(icon::VOICEMAIL, &lamp.name, look).size(WHEEL).enabled(can_listen));
    if let Some(text) = &lamp.badge {
        badge(ui, button.rect, text, tokens.accent);
    }
    if button.clicked()
        && let Some(to) = &lamp.dial
    {
        cx.ask(Intent::Dial { to: to.clone() });
    }
}

/// A bell that is amber and struck through while no call rings here.
fn do_not_disturb(ui: &mut Ui, cx: &mut Cx<'_>, services: Services) {
    let tokens = Tokens::of(ui);
    let (sign, name, look) = match services.do_not_disturb {
        true => (icon::BELL_OFF, t().do_not_disturb_end, Look::Filled(tokens.hold)),
        false => (icon::BELL, t().do_not_disturb, quiet(tokens)),
    };
    if ui.add(IconButton::new(sign, name, look).size(WHEEL)).clicked() {
        cx.ask(Intent::Services(Services { do_not_disturb: !services.do_not_disturb, ..services }));
    }
}

/// The status in words; pressing it leads to *Select account*.
fn status_button(ui: &mut Ui, status: &StatusLine, unproved: Option<&str>, width: f32) -> bool {
    let tokens = Tokens::of(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(width, 48.0), Sense::click());
    let said = [Some(status.word), status.registration.as_deref(), status.kind.map(|(_, long)| long), unproved];
    let said: Vec<&str> = said.into_iter().flatten().collect();
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, said.join(", ")));
    if response.hovered() {
        ui.painter().rect_filled(rect, RADIUS, tokens.raised);
    }
    let painter = ui.painter();
    let middle = rect.center().y;
    let hue = if unproved.is_some() { tokens.hold } else { status.tone.hue(tokens) };
    painter.circle_filled(pos2(rect.left() + 16.0, middle), 6.0, hue.fill);
    let (left, width) = (rect.left() + 32.0, rect.width() - 64.0);
    let word_y = if status.registration.is_some() { middle - 11.0 } else { middle };
    let at = (pos2(left, word_y), Align2::LEFT_CENTER);
    let word = paint_line(painter, at, width, status.word, (BODY, semibold()), tokens.text);
    icon::DOWN.paint(painter, pos2(word.right() + 14.0, word_y + 1.0), 14.0, tokens.text_weak);
    if let Some(name) = &status.registration {
        let kind = status.kind.map_or("", |(short, _)| short);
        let (line, ink) = match unproved {
            Some(unproved) => (format!("{name} · {unproved}"), tokens.hold.text),
            None => (format!("{name} {kind}"), tokens.text_weak),
        };
        let at = (pos2(left, middle + 11.0), Align2::LEFT_CENTER);
        paint_line(painter, at, width + 24.0, &line, (SMALL, FontFamily::Proportional), ink);
    }
    focus_ring(ui, &response, RADIUS);
    response.on_hover_text(t().select_account).clicked()
}
