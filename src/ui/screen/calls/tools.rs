//! What else can be done with calls, in a quiet row under their usual controls; and the conference, which is one call to its
//! agent.

use super::{
    data::{Conference, Tools},
    head::{Head, head},
    ui::Local,
};
use crate::ui::{
    icon,
    screen::{Cx, Page, Subject},
    snapshot::Intent,
    text::t,
    theme::{Hue, Tokens},
    widget::{Button, Look, Tile, card, columns, spacer, with_shortcut},
};
use egui::Ui;

/// Between them and around them.
const GAP: f32 = 4.0;

/// Record, join, details: those that there are share the width. `of`: whose details.
pub fn tools(ui: &mut Ui, cx: &mut Cx<'_>, tools: &Tools, of: Option<u32>) {
    let tokens = Tokens::of(ui);
    let quiet = Look::Plain(Hue { text: tokens.text, ..tokens.neutral });
    let details = of.filter(|_| !cx.wide);
    let mut offered = vec![];
    if let Some(record) = &tools.record {
        let (label, sign, look) = match record.on {
            true => (t().record, icon::RECORD, quiet),
            false => (t().record_stop, icon::STOP, Look::Tinted(tokens.stop)),
        };
        offered.push((label, sign, look, label, "Ctrl+R", record.intents().collect()));
    }
    if !tools.join.is_empty() {
        let join = vec![Intent::Conference { calls: tools.join.clone() }];
        offered.push((t().join_calls, icon::JOIN, Look::Tinted(tokens.accent), t().join_calls_tip, "Ctrl+J", join));
    }
    if details.is_some() {
        offered.push((t().details, icon::ABOUT, quiet, t().details, "Ctrl+I", vec![]));
    }
    if offered.is_empty() {
        return;
    }
    let widths = columns(ui.available_width(), offered.len(), GAP);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = GAP;
        for ((label, sign, look, tip, shortcut, intents), width) in offered.into_iter().zip(widths) {
            let button = Button::new(label, look).icon(sign).tip(with_shortcut(tip, Some(shortcut)));
            if ui.add(button.width(width)).clicked() {
                if intents.is_empty() {
                    (cx.details, cx.go) = (details.map(Subject::Call), Some(Page::Details));
                }
                cx.intents.extend(intents);
            }
        }
    });
}

/// One card for all of them: who, how long, and what is done with everybody at once.
pub fn conference(ui: &mut Ui, cx: &mut Cx<'_>, shown: &Conference, local: &mut Local) {
    let tokens = Tokens::of(ui);
    card(ui, |ui| {
        head(
            ui,
            &Head {
                name: t().conference,
                line: Some(&shown.names),
                forwarded: None,
                initials: None,
                sign: icon::PEOPLE,
                state: shown.state,
                tone: shown.tone,
                clock: &shown.clock,
                muted: shown.muted.then_some(t().muted),
                sound: None,
                lock: None,
                recording: shown.recording.as_ref(),
            },
        );
        spacer(ui, 1.0);
        let all = |intent: &dyn Fn(u32) -> Intent| shown.calls.iter().map(|call| intent(*call)).collect::<Vec<_>>();
        let gap = 8.0;
        let mut widths = columns(ui.available_width(), 2, gap);
        let mut tile = |sign, word| Tile::new(sign, word, widths.next().unwrap_or_default());
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = gap;
            let (mic, word) = match shown.muted {
                true => (icon::MICROPHONE_OFF, t().unmute),
                false => (icon::MICROPHONE, t().mute),
            };
            let mute = tile(mic, word).on(shown.muted.then_some(tokens.hold)).shortcut("Ctrl+M");
            if ui.add(mute).clicked() {
                cx.intents.extend(all(&|call| Intent::Mute { call, on: !shown.muted }));
            }
            let (sign, word) = if shown.held { (icon::RESUME, t().resume) } else { (icon::HOLD, t().hold) };
            let hold = tile(sign, word).on(shown.held.then_some(tokens.hold)).shortcut("Ctrl+H");
            if ui.add(hold).clicked() {
                cx.intents.extend(match shown.held {
                    // The others of a conference follow.
                    true => shown.calls.first().map(|call| Intent::Resume { call: *call }).into_iter().collect(),
                    false => all(&|call| Intent::Hold { call }),
                });
            }
        });
        let tip = with_shortcut(t().end_conference, Some("Ctrl+E"));
        let end = Button::new(t().end_conference, Look::Filled(tokens.stop)).icon(icon::END).tip(tip);
        if ui.add(end.width(ui.available_width())).clicked() {
            cx.intents.extend(all(&|call| Intent::Hangup { call }));
            local.keypad = None;
        }
        tools(ui, cx, &shown.tools, None);
    });
}
