use super::data::{entries, shortcuts, theme_name};
use crate::ui::{
    icon,
    screen::{Cx, Page},
    snapshot::{Intent, Recording, RecordingRule, Settings, ThemeChoice},
    text::t,
    theme::{GRID, Hue, MARGIN, RADIUS_MARK, Tokens, body, semibold, small, strong},
    widget::{IconButton, Look, Row, card, explained, line, spacer, switch},
};
use egui::{Align, Frame, Layout, Margin, ScrollArea, Stroke, Ui, vec2};

/// Widest the contents of a settings page get.
const WIDEST: f32 = 520.0;

/// The frame of every settings page: back, title, something at the right, contents that scroll.
pub fn page(
    ui: &mut Ui,
    cx: &mut Cx<'_>,
    title: &str,
    back_to: Page,
    right: impl FnOnce(&mut Ui, &mut Cx<'_>),
    contents: impl FnOnce(&mut Ui, &mut Cx<'_>),
) {
    let tokens = Tokens::of(ui);
    let head = Frame::new().fill(tokens.surface).inner_margin(Margin::same(8)).show(ui, |ui| {
        let whole = ui.available_width();
        ui.horizontal(|ui| {
            ui.set_min_height(48.0);
            // What stands at the right ends where the contents end.
            ui.set_max_width(whole.min(WIDEST + 2.0 * MARGIN - 16.0));
            let look = Look::Plain(Hue { text: tokens.text, ..tokens.neutral });
            if ui.add(IconButton::new(icon::BACK, t().back, look).size(44.0).shortcut("Esc")).clicked() {
                cx.go = Some(back_to);
            }
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                right(ui, cx);
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| line(ui, strong(title)));
            });
        });
        ui.set_min_width(whole);
    });
    let rect = head.response.rect;
    ui.painter().hline(rect.x_range(), rect.bottom(), Stroke::new(1.0, tokens.hairline));
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        Frame::new().inner_margin(Margin::same(MARGIN as i8)).show(ui, |ui| {
            ui.set_max_width(ui.available_width().min(WIDEST));
            ui.spacing_mut().item_spacing.y = 3.0 * GRID;
            contents(ui, cx);
        });
    });
}

/// Nothing at the right of a page's title.
pub fn plain(_: &mut Ui, _: &mut Cx<'_>) {}

pub fn menu(ui: &mut Ui, cx: &mut Cx<'_>) {
    page(ui, cx, t().settings, Page::Main, plain, |ui, cx| {
        ui.spacing_mut().item_spacing.y = GRID;
        for entry in entries(cx.snapshot) {
            let row = Row::new(entry.icon, entry.title).detail(Some(&entry.detail)).right_icon(icon::OPEN);
            if ui.add(row).clicked() {
                cx.go = Some(entry.page);
            }
        }
        let signed_in = cx.snapshot.identity.is_some() || cx.snapshot.sip_account.is_some();
        if signed_in && ui.add(Row::new(icon::SIGN_OUT, t().sign_out)).clicked() {
            cx.ask(Intent::SignOut);
            cx.go = Some(Page::Main);
        }
    });
}

pub fn calls(ui: &mut Ui, cx: &mut Cx<'_>) {
    page(ui, cx, t().calls, Page::Settings, plain, |ui, cx| {
        let settings = &cx.snapshot.settings;
        let mut changed = settings.clone();
        card(ui, |ui| {
            if switch(ui, settings.ringing_window, t().ringing_window, t().ringing_window_hint) {
                changed.ringing_window = !settings.ringing_window;
            }
            spacer(ui, 3.0);
            if switch(ui, settings.dtmf_via_info, t().dtmf_via_info, t().dtmf_via_info_hint) {
                changed.dtmf_via_info = !settings.dtmf_via_info;
            }
            spacer(ui, 3.0);
            recording(ui, cx.snapshot.recording, &mut changed);
        });
        if changed != *settings {
            cx.ask(Intent::Settings(changed));
        }
        super::services::show(ui, cx);
    });
}

/// What is the agent's to say of recordings; and what the account says in its place.
fn recording(ui: &mut Ui, RecordingRule { rule, tone }: RecordingRule, changed: &mut Settings) {
    if rule == Recording::Allowed && switch(ui, changed.may_record, t().may_record, t().may_record_hint) {
        changed.may_record = !changed.may_record;
    }
    let recorded = if rule == Recording::Allowed { changed.may_record } else { rule == Recording::Required };
    let words: Vec<&str> = [
        (rule == Recording::Forbidden, t().recording_forbidden),
        (rule == Recording::Required, t().recording_required),
        (recorded && tone, t().recording_tone_required),
    ]
    .into_iter()
    .filter_map(|(holds, words)| holds.then_some(words))
    .collect();
    if !words.is_empty() {
        if rule == Recording::Allowed {
            spacer(ui, 3.0);
        }
        explained(ui, t().recordings, &words.join(" "));
    }
    if recorded && !tone {
        spacer(ui, 3.0);
        if switch(ui, changed.recording_tone, t().recording_tone, t().recording_tone_hint) {
            changed.recording_tone = !changed.recording_tone;
        }
    }
}

pub fn appearance(ui: &mut Ui, cx: &mut Cx<'_>) {
    page(ui, cx, t().appearance, Page::Settings, plain, |ui, cx| {
        let settings = &cx.snapshot.settings;
        let mut chosen = settings.theme;
        card(ui, |ui| {
            ui.label(small(t().theme).color(Tokens::of(ui).text_weak));
            for theme in [ThemeChoice::System, ThemeChoice::Light, ThemeChoice::Dark] {
                ui.radio_value(&mut chosen, theme, body(theme_name(theme)));
            }
        });
        ui.label(small(t().zoom_hint).color(Tokens::of(ui).text_weak));
        if chosen != settings.theme {
            cx.ask(Intent::Settings(Settings { theme: chosen, ..settings.clone() }));
        }
    });
}

pub fn shortcuts_page(ui: &mut Ui, cx: &mut Cx<'_>) {
    page(ui, cx, t().shortcuts, Page::Settings, plain, |ui, _| {
        card(ui, |ui| {
            for (keys, about) in shortcuts() {
                ui.horizontal(|ui| {
                    let tokens = Tokens::of(ui);
                    let key = Frame::new()
                        .fill(tokens.raised)
                        .corner_radius(RADIUS_MARK)
                        .inner_margin(Margin::symmetric(8, 2));
                    ui.allocate_ui_with_layout(vec2(104.0, 24.0), Layout::left_to_right(Align::Center), |ui| {
                        ui.set_min_width(104.0);
                        key.show(ui, |ui| ui.label(small(keys).family(semibold())));
                    });
                    ui.add(egui::Label::new(small(about)).wrap());
                });
            }
        });
    });
}
