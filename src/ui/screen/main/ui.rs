use super::data::{Advice, Help, Main, Recent, StatusLine, is_emergency, main};
use crate::{
    secret::Secret,
    ui::{
        icon::{self, Icon},
        screen::{Cx, Page, Tone, calls, transfer},
        snapshot::{HistoryKind, Intent, Services},
        text::{fill, t},
        theme::{BODY, CONTROL, GRID, Hue, MARGIN, RADIUS, SMALL, Tokens, body, semibold},
        widget::{
            Button, Field, IconButton, Look, Row, banner, empty_state, focus_ring, keypad, paint_line, section, spacer,
            with_shortcut,
        },
    },
};
use egui::{
    Align, Align2, FontFamily, Frame, Id, Key, Layout, Margin, ScrollArea, Sense, Stroke, TextEdit, Ui, UiBuilder,
    WidgetInfo, accesskit::Role, pos2, vec2,
};

/// Size of the settings wheel.
const WHEEL: f32 = 44.0;

/// What the window remembers about the main column.
#[derive(Default)]
pub struct Local {
    pub dial: String,
    /// What the driver was asked to dial; it stays in the field until there is a call, for it may be refused.
    asked: Option<String>,
    pub keypad: bool,
    /// The recent call that the wide window shows beside.
    pub chosen: Option<u64>,
    /// Give the dial field the keyboard at the next frame.
    pub focus_dial: bool,
    /// As typed, until it is applied.
    pub sip_password: Secret,
}

impl Local {
    /// There is a new call of ours: what was dialled has served.
    pub fn dialled(&mut self) {
        if self.asked.take().is_some_and(|to| to == self.dial.trim()) {
            self.dial.clear();
            self.keypad = false;
        }
    }
}

/// `chosen_shows`: whether there is room beside the column for a chosen recent call.
pub fn show(ui: &mut Ui, cx: &mut Cx<'_>, local: &mut Local, calls: &mut calls::ui::Local, chosen_shows: bool) {
    let shown = main(cx.snapshot, cx.now);
    cx.tick_in(shown.next_change);
    header(ui, cx, &shown.status);
    let margin = Margin::symmetric(MARGIN as i8, 0);
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        Frame::new().inner_margin(margin).show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 3.0 * GRID;
            spacer(ui, 1.0);
            if let Some(advice) = &shown.advice {
                show_advice(ui, cx, advice, &mut local.sip_password);
            }
            if let Some((text, account)) = &shown.voicemail {
                voicemail(ui, cx, text, account.as_deref(), shown.cannot_dial.is_none());
            }
            transfer::ui::asked(ui, cx);
            calls::ui::show(ui, cx, calls);
            dial(ui, cx, local, shown.cannot_dial);
            recent(ui, cx, local, &shown, chosen_shows);
            spacer(ui, 2.0);
        });
    });
}

fn header(ui: &mut Ui, cx: &mut Cx<'_>, status: &StatusLine) {
    let tokens = Tokens::of(ui);
    let frame = Frame::new().fill(tokens.surface).inner_margin(Margin { left: 8, right: 8, top: 8, bottom: 8 });
    let shown = frame.show(ui, |ui| {
        ui.horizontal(|ui| {
            ui.set_min_height(48.0);
            ui.spacing_mut().item_spacing.x = GRID;
            let services = cx.snapshot.services.clone().filter(|_| status.registration.is_some());
            let buttons = if services.is_some() { 2.0 } else { 1.0 };
            if status_button(ui, status, ui.available_width() - buttons * (WHEEL + GRID)) {
                cx.go = Some(Page::Account);
            }
            if let Some(services) = services {
                do_not_disturb(ui, cx, services);
            }
            let look = Look::Plain(Hue { text: tokens.text, ..tokens.neutral });
            let wheel = IconButton::new(icon::SETTINGS, t().settings, look).size(WHEEL).shortcut("Ctrl+,");
            if ui.add(wheel).clicked() {
                cx.go = Some(Page::Settings);
            }
        });
    });
    let rect = shown.response.rect;
    ui.painter().hline(rect.x_range(), rect.bottom(), Stroke::new(1.0, tokens.hairline));
}

fn voicemail(ui: &mut Ui, cx: &mut Cx<'_>, text: &str, account: Option<&str>, can_dial: bool) {
    let accent = Tokens::of(ui).accent;
    banner(ui, icon::INFO, accent, text, |ui| {
        let Some(to) = account else { return };
        if ui.add(Button::new(t().listen, Look::Filled(accent)).icon(icon::CALL).enabled(can_dial)).clicked() {
            cx.ask(Intent::Dial { to: to.to_owned() });
        }
    });
}

/// A bell that is amber and struck through while no call rings here.
fn do_not_disturb(ui: &mut Ui, cx: &mut Cx<'_>, services: Services) {
    let tokens = Tokens::of(ui);
    let (sign, name, look) = match services.do_not_disturb {
        true => (icon::BELL_OFF, t().do_not_disturb_end, Look::Filled(tokens.hold)),
        false => (icon::BELL, t().do_not_disturb, Look::Plain(Hue { text: tokens.text, ..tokens.neutral })),
    };
    if ui.add(IconButton::new(sign, name, look).size(WHEEL)).clicked() {
        cx.ask(Intent::Services(Services { do_not_disturb: !services.do_not_disturb, ..services }));
    }
}

/// The status in words; pressing it leads to *Select account*.
fn status_button(ui: &mut Ui, status: &StatusLine, width: f32) -> bool {
    let tokens = Tokens::of(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(width, 48.0), Sense::click());
    let said = [Some(status.word), status.registration.as_deref(), status.kind.map(|(_, long)| long)];
    let said: Vec<&str> = said.into_iter().flatten().collect();
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, said.join(", ")));
    if response.hovered() {
        ui.painter().rect_filled(rect, RADIUS, tokens.raised);
    }
    let painter = ui.painter();
    let middle = rect.center().y;
    painter.circle_filled(pos2(rect.left() + 16.0, middle), 6.0, status.tone.hue(tokens).fill);
    let (left, width) = (rect.left() + 32.0, rect.width() - 64.0);
    let word_y = if status.registration.is_some() { middle - 11.0 } else { middle };
    let at = (pos2(left, word_y), Align2::LEFT_CENTER);
    let word = paint_line(painter, at, width, status.word, (BODY, semibold()), tokens.text);
    icon::DOWN.paint(painter, pos2(word.right() + 14.0, word_y + 1.0), 14.0, tokens.text_weak);
    if let Some(name) = &status.registration {
        let name = format!("{name} {}", status.kind.map_or("", |(short, _)| short));
        let at = (pos2(left, middle + 11.0), Align2::LEFT_CENTER);
        paint_line(painter, at, width, &name, (SMALL, FontFamily::Proportional), tokens.text_weak);
    }
    focus_ring(ui, &response, RADIUS);
    response.on_hover_text(t().select_account).clicked()
}

fn show_advice(ui: &mut Ui, cx: &mut Cx<'_>, advice: &Advice, typed: &mut Secret) {
    let tokens = Tokens::of(ui);
    let hue = advice.tone.hue(tokens);
    let sign = if advice.tone == Tone::Accent { icon::INFO } else { icon::WARNING };
    banner(ui, sign, hue, &advice.text, |ui| match &advice.help {
        Help::None => {}
        Help::SelectAccount => {
            if ui.add(Button::new(t().select_account, Look::Filled(tokens.accent))).clicked() {
                cx.go = Some(Page::Account);
            }
        }
        Help::ChooseAnother => {
            if ui.add(Button::new(t().choose_another, Look::Filled(tokens.accent))).clicked() {
                cx.go = Some(Page::Account);
            }
        }
        Help::EndDoNotDisturb => {
            if ui.add(Button::new(t().do_not_disturb_end, Look::Filled(tokens.hold))).clicked()
                && let Some(services) = cx.snapshot.services.clone()
            {
                cx.ask(Intent::Services(Services { do_not_disturb: false, ..services }));
            }
        }
        Help::Forwarding => {
            if ui.add(Button::new(t().forwarding_change, Look::Filled(tokens.hold))).clicked() {
                cx.go = Some(Page::Calls);
            }
        }
        Help::Password { registration } => password(ui, cx, registration, typed),
        Help::Elsewhere { secondary, take_over } => {
            let mut select = |registration: &str, takeover| {
                cx.ask(Intent::Select { registration: registration.to_owned(), takeover });
            };
            ui.horizontal_wrapped(|ui| {
                if let Some(name) = secondary {
                    let tip = fill(t().use_secondary_about, &[name]);
                    if ui.add(Button::new(t().use_secondary, Look::Filled(tokens.accent)).tip(tip)).clicked() {
                        select(name, false);
                    }
                }
                if let Some(name) = take_over {
                    let tip = fill(t().take_over_about, &[name]);
                    let look = Look::Plain(tokens.hold);
                    if ui.add(Button::new(t().take_over, look).tip(tip)).clicked() {
                        select(name, true);
                    }
                }
            });
        }
    });
}

/// A SIP password, and the way online with it.
fn password(ui: &mut Ui, cx: &mut Cx<'_>, registration: &str, typed: &mut Secret) {
    ui.set_width(ui.available_width());
    let field = Field::new(t().sip_password, &mut typed.0).secret(t().show_sip_password, t().hide_sip_password);
    let response = ui.add(field);
    let entered = response.lost_focus() && ui.input(|i| i.key_pressed(Key::Enter));
    let ready = !typed.0.is_empty();
    let go = Button::new(t().go_online, Look::Filled(Tokens::of(ui).accent)).enabled(ready);
    if (ui.add(go).clicked() || entered) && ready {
        let (registration, password) = (registration.to_owned(), std::mem::take(typed));
        cx.ask(Intent::SipPassword { registration, password });
    }
}

/// The one field: type, Enter dials; the keypad opens under it.
fn dial(ui: &mut Ui, cx: &mut Cx<'_>, local: &mut Local, cannot: Option<&'static str>) {
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
    if dialled && cannot.is_none() && !local.dial.trim().is_empty() {
        let to = local.dial.trim().to_owned();
        local.asked = Some(to.clone());
        cx.ask(Intent::Dial { to });
    } else if entered {
        response.request_focus();
    }
    if local.keypad
        && let Some(digit) = keypad(ui, Some('+'))
    {
        local.dial.push(digit);
    }
}

fn recent(ui: &mut Ui, cx: &mut Cx<'_>, local: &mut Local, shown: &Main, chosen_shows: bool) {
    let tokens = Tokens::of(ui);
    let row = vec2(ui.available_width(), 32.0);
    ui.allocate_ui_with_layout(row, Layout::left_to_right(Align::Center), |ui| {
        section(ui, t().recent);
        if !shown.recent.is_empty() {
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let clear = IconButton::new(icon::TRASH, t().clear_recent, Look::Plain(tokens.neutral)).size(32.0);
                if ui.add(clear).clicked() {
                    cx.ask(Intent::ClearHistory);
                    local.chosen = None;
                }
            });
        }
    });
    if shown.recent.is_empty() {
        empty_state(ui, icon::HISTORY, t().recent_empty, t().recent_empty_hint);
        return;
    }
    ui.spacing_mut().item_spacing.y = GRID;
    for entry in &shown.recent {
        ui.push_id(entry.id, |ui| recent_row(ui, cx, local, entry, chosen_shows, shown.cannot_dial));
    }
}

fn recent_row(
    ui: &mut Ui,
    cx: &mut Cx<'_>,
    local: &mut Local,
    entry: &Recent,
    chosen_shows: bool,
    cannot: Option<&'static str>,
) {
    let tokens = Tokens::of(ui);
    let (sign, color) = mark(entry.kind, tokens);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = GRID;
        let row = Row::new(sign, &entry.title)
            .icon_color(color)
            .detail(Some(&entry.detail))
            .right(&entry.when)
            .keep(CONTROL + GRID)
            .selected(chosen_shows && local.chosen == Some(entry.id))
            .name(entry.name.clone());
        if ui.add(row).clicked() {
            // Ready to be dialled, not dialled: one press on a list never calls anybody.
            local.dial.clone_from(&entry.peer);
            local.chosen = Some(entry.id);
        }
        let name = fill(t().call_back, &[&entry.title]);
        let back =
            IconButton::new(icon::CALL, cannot.unwrap_or(&name), Look::Plain(tokens.go)).enabled(cannot.is_none());
        if ui.add(back).clicked() {
            local.asked = None;
            cx.ask(Intent::Dial { to: entry.peer.clone() });
        }
    });
}

/// Icon and colour of a kind of call.
pub fn mark(kind: HistoryKind, tokens: &Tokens) -> (Icon, egui::Color32) {
    match kind {
        HistoryKind::Incoming => (icon::INCOMING, tokens.go.text),
        HistoryKind::Outgoing => (icon::OUTGOING, tokens.accent.text),
        HistoryKind::Missed => (icon::MISSED, tokens.stop.text),
        HistoryKind::AnsweredElsewhere => (icon::INCOMING, tokens.text_weak),
        HistoryKind::Failed => (icon::OUTGOING, tokens.stop.text),
    }
}
