use super::{
    data::{Detail, detail, of},
    ladder::messages,
};
use crate::ui::{
    format::clock,
    icon,
    screen::{
        Cx, Page, Subject, Tone,
        main::data::main,
        settings::ui::{page, plain},
    },
    snapshot::Intent,
    text::{fill, t},
    theme::{GRID, MARGIN, TITLE, Tokens, body, semibold, small, title},
    widget::{Button, Look, avatar, banner, card, chart, empty_state, line, quality_bars, section, spacer},
};
use egui::{Align, Frame, Label, Layout, Margin, RichText, ScrollArea, Ui};
use std::{collections::BTreeSet, time::Duration};

/// What the window remembers about details.
#[derive(Default)]
pub struct Local {
    /// What the page is about.
    pub subject: Option<Subject>,
    /// The messages are shown.
    pub(super) open: bool,
    /// Those shown in full, by their number.
    pub(super) expanded: BTreeSet<usize>,
    /// Of which call, and how many were copied.
    pub(super) copied: Option<(u32, usize)>,
    /// Whose messages were looked at in this frame.
    pub traced: Option<u32>,
    /// Whose they were in the last one.
    shown: Option<u32>,
}

impl Local {
    /// The page is about this from now on.
    pub fn open(&mut self, subject: Subject) {
        (self.subject, self.open) = (Some(subject), true);
    }
}

/// Beside the main column.
pub fn show(ui: &mut Ui, cx: &mut Cx<'_>, local: &mut Local, chosen: Option<u64>) {
    ScrollArea::vertical().id_salt("detail").auto_shrink(false).show(ui, |ui| {
        Frame::new().inner_margin(Margin::symmetric(32, 32)).show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 3.0 * GRID;
            match detail(cx.snapshot, chosen, local.subject, cx.now) {
                Some(shown) => {
                    ui.set_max_width(ui.available_width().min(560.0));
                    thing(ui, cx, &shown, local);
                }
                None => {
                    ui.add_space((ui.available_height() / 3.0 - 80.0).max(0.0));
                    empty_state(ui, icon::CALL, t().detail_empty, t().detail_empty_hint);
                }
            }
        });
    });
}

/// A page of its own, where there is no room beside.
pub fn show_page(ui: &mut Ui, cx: &mut Cx<'_>, local: &mut Local) {
    page(ui, cx, t().details, Page::Main, plain, |ui, cx| {
        match local.subject.and_then(|subject| of(cx.snapshot, subject, cx.now)) {
            Some(shown) => thing(ui, cx, &shown, local),
            None => empty_state(ui, icon::CALL, t().detail_empty, t().detail_empty_hint),
        }
    });
}

fn thing(ui: &mut Ui, cx: &mut Cx<'_>, shown: &Detail, local: &mut Local) {
    let cannot = main(cx.snapshot, cx.now).cannot_dial;
    if local.shown != shown.call {
        local.expanded.clear();
        local.shown = shown.call;
    }
    let tokens = Tokens::of(ui);
    let hue = shown.tone.hue(tokens);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = MARGIN;
        avatar(ui, shown.initials.as_deref(), icon::CALL.filled(), hue, 72.0);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if let Some(clock) = &shown.clock {
                ui.label(RichText::new(clock).size(TITLE));
            }
            ui.with_layout(Layout::top_down(Align::Min), |ui| {
                ui.spacing_mut().item_spacing.y = 0.0;
                spacer(ui, 2.0);
                ui.add(Label::new(title(&shown.name)).wrap());
                ui.label(body(&shown.state).color(hue.text).family(semibold()));
            });
        });
    });
    if let Some(outcome) = &shown.outcome {
        let sign = if shown.tone == Tone::Stop { icon::ERROR } else { icon::INFO };
        banner(ui, sign, hue, outcome, |_| ());
    }
    facts(ui, &shown.facts);
    quality(ui, shown);
    if let Some(to) = &shown.call_back {
        let name = fill(t().call_back, &[&shown.name]);
        let look = Look::Filled(tokens.go);
        let button = Button::new(t().call_again, look).icon(icon::ANSWER).enabled(cannot.is_none()).name(&name);
        if ui.add(button.tip(cannot.unwrap_or(t().dial))).clicked() {
            cx.ask(Intent::Dial { to: to.clone() });
        }
    }
    if let Some(call) = shown.call {
        messages(ui, cx, call, local);
    }
}

/// How it sounds, and has sounded.
fn quality(ui: &mut Ui, shown: &Detail) {
    let (sound, course) = (shown.sound.as_ref(), shown.course.as_ref());
    if sound.is_none() && course.is_none() {
        return;
    }
    let tokens = Tokens::of(ui);
    ui.horizontal(|ui| {
        section(ui, t().quality);
        if let Some(sound) = sound {
            let hue = sound.tone.hue(tokens);
            quality_bars(ui, sound.bars, hue.text, sound.word);
            ui.label(small(sound.word).color(hue.text).family(semibold()));
        }
    });
    if let Some((sound, verdict)) = sound.and_then(|sound| Some((sound, sound.verdict.as_ref()?))) {
        let sign = if verdict.good { icon::INFO } else { icon::WARNING };
        banner(ui, sign, sound.verdict_tone().hue(tokens), &verdict.words, |_| ());
    }
    if let Some(course) = course {
        let pieces = course.pieces.iter().map(|(width, height, tone)| (*width, *height, tone.hue(tokens).text));
        chart(ui, pieces, (&clock(Duration::ZERO), &course.end), t().quality);
        if let Some(words) = &course.words {
            ui.label(small(words).color(tokens.text_weak));
        }
    }
    if let Some(sound) = sound {
        facts(ui, &sound.figures);
    }
}

fn facts(ui: &mut Ui, facts: &[(&'static str, String)]) {
    if facts.is_empty() {
        return;
    }
    card(ui, |ui| {
        for (label, value) in facts {
            ui.horizontal(|ui| {
                let weak = Tokens::of(ui).text_weak;
                ui.allocate_ui_with_layout(egui::vec2(120.0, 24.0), Layout::left_to_right(Align::Center), |ui| {
                    ui.set_min_width(120.0);
                    ui.label(body(*label).color(weak));
                });
                line(ui, body(value));
            });
        }
    });
}
