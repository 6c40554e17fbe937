use super::{
    data::{Card, Controls, cards, conference},
    head::{Head, head},
    tools,
};
use crate::ui::{
    icon::{self, Icon},
    screen::{Cx, Page, Subject, transfer},
    snapshot::{CallState, Intent},
    text::{fill, t},
    theme::{BODY, CONTROL, GRID, MARGIN, RECORDED, SMALL, TALL, Tokens, semibold, small},
    widget::{Button, IconButton, Look, Tile, card, columns, keypad, line, paint_line, remark, spacer, with_shortcut},
};
use egui::{
    Align, Align2, Event, FontFamily, Frame, Layout, Panel, Sense, Ui, UiBuilder, WidgetInfo, accesskit::Role, pos2,
    vec2,
};

use std::time::Duration;

/// What the window remembers about calls.
#[derive(Default)]
pub struct Local {
    /// The call whose keypad is open.
    pub keypad: Option<u32>,
    /// It was opened just now.
    opened: bool,
    /// The last digits sent to that call.
    sent: String,
    /// Calls that ring, or just rang, and whose Answer is not in view.
    unseen: Vec<u32>,
    pub transfer: transfer::ui::Local,
}

/// Digits shown as sent; of more, the last ones.
const SENT: usize = 24;

/// So long a call that was answered in the strip stays there.
const SECOND_PRESS: Duration = Duration::from_secs(2);

/// Whether a call in the strip has its controls there, too.
pub type HasControls = bool;

impl Local {
    /// Where nobody can press Answer without scrolling, the strip has it. The call stays there for a moment after it, and for as long as
    /// its end is shown: a second press ends nobody who is under the strip.
    pub fn beside_main(&self, card: &Card) -> Option<HasControls> {
        self.unseen.contains(&card.call).then_some(matches!(card.controls, Controls::Ringing { .. }))
    }

    pub fn toggle_transfer(&mut self, call: u32) {
        self.keypad = None;
        self.transfer.toggle(call);
    }

    pub fn toggle_keypad(&mut self, call: u32) {
        self.transfer.open = None;
        self.keypad = if self.keypad == Some(call) { None } else { Some(call) };
        self.opened = true;
        self.sent.clear();
    }
}

/// A card for every call.
pub fn show(ui: &mut Ui, cx: &mut Cx<'_>, local: &mut Local) {
    let (cards, tick) = cards(cx.snapshot, cx.now);
    cx.tick_in(tick);
    let gone = |call: Option<u32>| call.is_some_and(|id| !cards.iter().any(|card| card.call == id));
    if gone(local.keypad) {
        local.keypad = None;
    }
    if gone(local.transfer.open) {
        local.transfer.open = None;
    }
    let now = cx.now;
    let rang = |id: &u32| {
        let call = cx.snapshot.calls.iter().find(|call| call.id == *id);
        call.is_some_and(|call| match call.state {
            CallState::Ringing => false,
            CallState::Ended { .. } => true,
            _ => now.saturating_duration_since(call.since) < SECOND_PRESS,
        })
    };
    let kept = local.unseen.iter().copied().filter(rang).collect();
    let unseen = std::mem::replace(&mut local.unseen, kept);
    if let Some(shown) = conference(cx.snapshot, cx.now) {
        tools::conference(ui, cx, &shown, local);
    }
    for one in &cards {
        ui.push_id(one.call, |ui| match one.small || one.controls == Controls::Ended {
            true => small_card(ui, cx, one, local),
            false => full_card(ui, cx, one, local),
        });
    }
    if local.unseen != unseen {
        // The strip was painted before them.
        ui.ctx().request_repaint();
    }
}

fn full_card(ui: &mut Ui, cx: &mut Cx<'_>, one: &Card, local: &mut Local) {
    card(ui, |ui| {
        head(ui, &Head::of(one));
        spacer(ui, 1.0);
        let width = ui.available_width();
        match one.controls {
            Controls::Ringing { hold_other } => ringing(ui, cx, one.call, hold_other, local),
            Controls::Talking { held } => usual(ui, cx, one, held, local),
            Controls::Outgoing | Controls::Ended => usual(ui, cx, one, false, local),
        }
        // End and Reject stand in the same place, whatever becomes of the call: nothing else is ever under the pointer there.
        let stop = Tokens::of(ui).stop;
        let (label, look, intent) = match one.controls {
            Controls::Ringing { .. } => (t().reject, Look::Tinted(stop), Intent::Reject { call: one.call }),
            _ => (t().end, Look::Filled(stop), Intent::Hangup { call: one.call }),
        };
        let tip = with_shortcut(label, Some("Ctrl+E"));
        if ui.add(Button::new(label, look).icon(icon::END).width(width).tip(tip)).clicked() {
            cx.ask(intent);
        }
        if !matches!(one.controls, Controls::Talking { .. }) {
            return;
        }
        // Open panels take the tools' place: there is not room for all.
        match () {
            () if local.keypad == Some(one.call) => digits(ui, cx, one.call, local),
            () if local.transfer.open == Some(one.call) => {}
            () => {
                tools::tools(ui, cx, &one.tools, Some(one.call));
                verdict(ui, cx, one);
            }
        }
        transfer::ui::show(ui, cx, one.call, &mut local.transfer);
    });
}

/// What is wrong with the sound and what helps, under everything that is pressed; the call's details beside say it there.
fn verdict(ui: &mut Ui, cx: &Cx<'_>, one: &Card) {
    let Some(sound) = one.sound.as_ref().filter(|_| cx.detailed != Some(one.call)) else { return };
    if let Some(trouble) = sound.trouble() {
        remark(ui, icon::WARNING, sound.verdict_tone().hue(Tokens::of(ui)), &trouble.words);
    }
}

fn ringing(ui: &mut Ui, cx: &mut Cx<'_>, call: u32, hold_other: bool, local: &mut Local) {
    let tokens = Tokens::of(ui);
    let (label, sign, tip) = match hold_other {
        false => (t().answer, icon::ANSWER, t().answer),
        true => (t().answer_and_hold, icon::HOLD_AND_ANSWER, t().answer_and_hold_tip),
    };
    let answer = Button::new(label, Look::Filled(tokens.go)).icon(sign).tip(with_shortcut(tip, Some("Ctrl+Enter")));
    let answer = ui.add(answer.width(ui.available_width()).height(TALL));
    if answer.clicked() {
        cx.ask(Intent::Answer { call });
    }
    if !ui.clip_rect().contains_rect(answer.rect) {
        local.unseen.push(call);
    }
}

/// The usual controls, in the same places before the answer and after it; until then the microphone only can be switched.
fn usual(ui: &mut Ui, cx: &mut Cx<'_>, one: &Card, held: bool, local: &mut Local) {
    let tokens = Tokens::of(ui);
    let answered = one.controls != Controls::Outgoing;
    let gap = 2.0 * GRID;
    let mut widths = columns(ui.available_width(), 4, gap);
    let mut tile = |sign, word| Tile::new(sign, word, widths.next().unwrap_or_default());
    let call = one.call;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = gap;
        let muted = one.muted.is_some();
        let (mic, word) = match muted {
            true => (icon::MICROPHONE_OFF, t().unmute),
            false => (icon::MICROPHONE, t().mute),
        };
        let mute = tile(mic, word).on(muted.then_some(tokens.hold)).shortcut("Ctrl+M");
        if ui.add(mute).clicked() {
            cx.ask(Intent::Mute { call, on: !muted });
        }
        let (sign, word) = if held { (icon::RESUME, t().resume) } else { (icon::HOLD, t().hold) };
        let hold = tile(sign, word).on(held.then_some(tokens.hold)).shortcut("Ctrl+H");
        if ui.add(hold.enabled(answered)).clicked() {
            cx.ask(if held { Intent::Resume { call } } else { Intent::Hold { call } });
        }
        let open = local.keypad == Some(call);
        let keys = tile(icon::KEYPAD, t().keypad).on(open.then_some(tokens.accent)).shortcut("Ctrl+K");
        if ui.add(keys.enabled(answered)).clicked() {
            local.toggle_keypad(call);
        }
        let on = one.transferring || local.transfer.open == Some(call);
        let transfer = tile(icon::TRANSFER, t().transfer).on(on.then_some(tokens.accent)).shortcut("Ctrl+T");
        if ui.add(transfer.enabled(answered)).clicked() && !one.transferring {
            local.toggle_transfer(call);
        }
    });
}

/// The keypad, under End so that it moves nothing, and what was sent. What is typed goes the same way, but into a field.
fn digits(ui: &mut Ui, cx: &mut Cx<'_>, call: u32, local: &mut Local) {
    if std::mem::take(&mut local.opened) && ui.ctx().text_edit_focused() {
        ui.memory_mut(egui::Memory::stop_text_input);
    }
    let hint = match local.sent.len() {
        0 => t().dtmf_hint.to_owned(),
        1..=SENT => fill(t().sent_digits, &[&local.sent]),
        many => fill(t().sent_digits, &[&format!("…{}", &local.sent[many - SENT..])]),
    };
    line(ui, small(hint).color(Tokens::of(ui).text_weak));
    let typed = if ui.ctx().text_edit_focused() { String::new() } else { ui.input(|i| typed(&i.events)) };
    let digits: String = typed.chars().chain(keypad(ui, None)).collect();
    if !digits.is_empty() {
        local.sent.push_str(&digits);
        // One more than is shown tells that there were more.
        local.sent.drain(..local.sent.len().saturating_sub(SENT + 1));
        cx.ask(Intent::Dtmf { call, digits });
    }
}

/// The telephone's keys among what is typed.
fn typed(events: &[Event]) -> String {
    let text = events.iter().filter_map(|event| if let Event::Text(text) = event { Some(text.chars()) } else { None });
    text.flatten().filter(|c| c.is_ascii_digit() || "*#".contains(*c)).collect()
}

/// One row: a call on hold beside another, or one that has ended.
fn small_card(ui: &mut Ui, cx: &mut Cx<'_>, one: &Card, local: &mut Local) {
    card(ui, |ui| {
        with_controls(ui, one, |ui| small_controls(ui, cx, one));
        if one.controls != Controls::Ended {
            transfer::ui::failure(ui, cx, one.call, &mut local.transfer);
        }
    });
}

/// Name over state at the left, controls at the right.
fn with_controls(ui: &mut Ui, one: &Card, controls: impl FnOnce(&mut Ui)) {
    let tokens = Tokens::of(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), CONTROL), Sense::hover());
    let state = [one.clock.as_deref(), Some(&one.state)].into_iter().flatten().collect::<Vec<_>>().join("  ");
    let recorded = one.recording.as_ref().map(|mark| fill(t().recording, &[&mark.clock]));
    let said: Vec<&str> = [Some(&*one.name), Some(&*state), recorded.as_deref()].into_iter().flatten().collect();
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, said.join(", ")));
    let layout = Layout::right_to_left(Align::Center);
    let mut right = ui.new_child(UiBuilder::new().max_rect(rect).layout(layout));
    controls(&mut right);
    let width = right.min_rect().left() - 2.0 * GRID - rect.left();
    let at = |y: f32| (pos2(rect.left(), rect.top() + y), Align2::LEFT_CENTER);
    paint_line(ui.painter(), at(10.0), width, &one.name, (BODY, semibold()), tokens.text);
    let ink = one.tone.hue(tokens).text;
    let dot = if recorded.is_some() { 2.0 * GRID + RECORDED } else { 0.0 };
    let words = paint_line(ui.painter(), at(31.0), width - dot, &state, (SMALL, FontFamily::Proportional), ink);
    if recorded.is_some() {
        let center = words.right_center() + vec2(dot - RECORDED / 2.0, 0.0);
        ui.painter().circle_filled(center, RECORDED / 2.0, tokens.stop.fill);
    }
}

fn small_controls(ui: &mut Ui, cx: &mut Cx<'_>, one: &Card) {
    let tokens = Tokens::of(ui);
    let call = one.call;
    if one.controls == Controls::Ended {
        let name = fill(t().call_back, &[&one.name]);
        let again = IconButton::new(icon::CALL, &name, Look::Tinted(tokens.go));
        if !one.peer.is_empty() && ui.add(again).clicked() {
            cx.ask(Intent::Dial { to: one.peer.clone() });
        }
        details(ui, cx, one, icon::ABOUT, Look::Tinted(tokens.neutral));
        return;
    }
    if ui.add(IconButton::new(icon::END, t().end, Look::Tinted(tokens.stop))).clicked() {
        cx.ask(Intent::Hangup { call });
    }
    if one.in_conference {
        // A row has no room for the sentence, and nothing may move: it stands in the details.
        if let Some(sound) = one.sound.as_ref().filter(|sound| sound.trouble().is_some()) {
            details(ui, cx, one, icon::WARNING, Look::Plain(sound.verdict_tone().hue(tokens)));
        }
        return;
    }
    let (label, sign, tip) = match &one.swap {
        Some(tip) => (t().swap, icon::SWAP, with_shortcut(tip, Some("Ctrl+S"))),
        None => (t().resume, icon::RESUME, with_shortcut(t().resume, Some("Ctrl+H"))),
    };
    if ui.add(Button::new(label, Look::Tinted(tokens.hold)).icon(sign).tip(tip)).clicked() {
        cx.ask(Intent::Resume { call });
    }
}

/// Leads to the call's details.
fn details(ui: &mut Ui, cx: &mut Cx<'_>, one: &Card, sign: Icon, look: Look) {
    let name = fill(t().details_of, &[&one.name]);
    if ui.add(IconButton::new(sign, &name, look)).clicked() {
        (cx.details, cx.go) = (Some(Subject::Call(one.call)), Some(Page::Details));
    }
}

/// A strip at the bottom that keeps calls within reach whose cards are elsewhere: who, how long, and the main control. Returns the
/// strip's height.
pub fn strip(ui: &mut Ui, cx: &mut Cx<'_>, elsewhere: impl Fn(&Card) -> Option<HasControls>) -> f32 {
    let (cards, tick) = cards(cx.snapshot, cx.now);
    cx.tick_in(tick);
    let cards: Vec<_> = cards.iter().filter_map(|card| Some((card, elsewhere(card)?))).collect();
    if cards.is_empty() {
        return 0.0;
    }
    let panel = Panel::bottom("calls").frame(Frame::new().inner_margin(MARGIN / 2.0)).show_separator_line(false);
    let shown = panel.show(ui, |ui| {
        for (one, has_controls) in cards {
            ui.push_id(("strip", one.call), |ui| {
                card(ui, |ui| {
                    with_controls(ui, one, |ui| {
                        if has_controls {
                            strip_controls(ui, cx, one)
                        }
                    })
                });
            });
        }
    });
    shown.response.rect.height()
}

fn strip_controls(ui: &mut Ui, cx: &mut Cx<'_>, one: &Card) {
    let tokens = Tokens::of(ui);
    let call = one.call;
    if let Controls::Ringing { hold_other } = one.controls {
        if ui.add(IconButton::new(icon::END, t().reject, Look::Tinted(tokens.stop))).clicked() {
            cx.ask(Intent::Reject { call });
        }
        let (sign, tip) =
            if hold_other { (icon::HOLD_AND_ANSWER, t().answer_and_hold_tip) } else { (icon::ANSWER, t().answer) };
        if ui.add(Button::new(t().answer, Look::Filled(tokens.go)).icon(sign).tip(tip)).clicked() {
            cx.ask(Intent::Answer { call });
        }
        return;
    }
    if ui.add(IconButton::new(icon::END, t().end, Look::Filled(tokens.stop))).clicked() {
        cx.ask(Intent::Hangup { call });
    }
    let muted = one.muted.is_some();
    let mic = match muted {
        true => IconButton::new(icon::MICROPHONE_OFF, t().unmute, Look::Filled(tokens.hold)),
        false => IconButton::new(icon::MICROPHONE, t().mute, Look::Tinted(tokens.neutral)),
    };
    if ui.add(mic).clicked() {
        cx.ask(Intent::Mute { call, on: !muted });
    }
}
