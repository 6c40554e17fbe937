//! Audio › the check before the shift: a button, what to do while it runs, and each finding in a sentence.

use super::data::{Progress, progress};
use crate::ui::{
    icon,
    screen::Cx,
    snapshot::Intent,
    text::t,
    theme::{Tokens, body},
    widget::{Button, Field, Live, Look, announce, remark, section, spacer},
};
use egui::{Id, Label, Ui};

pub fn show(ui: &mut Ui, cx: &mut Cx<'_>) {
    let id = Id::unique("echo number");
    let audio = &cx.snapshot.audio;
    section(ui, t().check);
    // What is typed, and what it was when typing began.
    let kept = ui.data(|data| data.get_temp::<(String, String)>(id)).filter(|(from, _)| *from == audio.echo_number);
    let (from, mut typed) = kept.unwrap_or_else(|| (audio.echo_number.clone(), audio.echo_number.clone()));
    let shown = progress(audio.check.as_ref());
    let begin = Button::new(t().check_begin, Look::Tinted(Tokens::of(ui).accent)).icon(icon::CHECK).tip(t().check_tip);
    if ui.add(begin.enabled(!shown.runs)).clicked() {
        cx.ask(Intent::Check { echo: typed.trim().to_owned() });
    }
    result(ui, &shown);
    spacer(ui, 1.0);
    ui.add(Field::new(t().echo_number, &mut typed).hint(t().echo_number_hint).enabled(!shown.runs));
    ui.data_mut(|data| data.insert_temp(id, (from, typed)));
}

fn result(ui: &mut Ui, shown: &Progress) {
    announce(ui, "check", shown.now.unwrap_or_default(), Live::Polite);
    if let Some(now) = shown.now {
        spacer(ui, 1.0);
        ui.add(Label::new(body(now)).wrap());
    }
    for finding in &shown.findings {
        let tokens = Tokens::of(ui);
        let (sign, hue) = if finding.good { (icon::CHECK, tokens.go) } else { (icon::WARNING, tokens.hold) };
        spacer(ui, 1.0);
        remark(ui, sign, hue, &finding.words);
    }
}
