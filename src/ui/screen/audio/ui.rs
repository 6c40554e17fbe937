use super::data::{Role, choice};
use crate::ui::{
    icon,
    screen::{
        Cx, Page,
        settings::ui::{page, plain},
    },
    snapshot::Intent,
    text::t,
    theme::{Tokens, small},
    widget::{Button, Look, banner, card, combo, meter},
};
use egui::Ui;

pub fn show(ui: &mut Ui, cx: &mut Cx<'_>) {
    page(ui, cx, t().audio, Page::Settings, plain, |ui, cx| {
        if let Some(problem) = &cx.snapshot.audio.problem {
            banner(ui, icon::WARNING, Tokens::of(ui).hold, problem, |_| ());
        }
        for role in [Role::Microphone, Role::Speaker, Role::Ringer] {
            card(ui, |ui| device(ui, cx, role));
        }
    });
}

fn device(ui: &mut Ui, cx: &mut Cx<'_>, role: Role) {
    let audio = &cx.snapshot.audio;
    let shown = choice(audio, role);
    if let Some(picked) = combo(ui, shown.label, t().system_default, &shown.devices, shown.chosen.as_deref()) {
        let chosen = |this: Role, now: &Option<String>| if this == role { picked.clone() } else { now.clone() };
        cx.ask(Intent::ChooseAudio {
            microphone: chosen(Role::Microphone, &audio.microphone),
            speaker: chosen(Role::Speaker, &audio.speaker),
            ringer: chosen(Role::Ringer, &audio.ringer),
        });
    }
    ui.add_space(4.0);
    let tone = |ui: &mut Ui, about: &str| {
        let look = Look::Tinted(Tokens::of(ui).accent);
        ui.add(Button::new(t().test_tone, look).icon(icon::TONE).name(about).tip(about)).clicked()
    };
    match role {
        Role::Microphone => {
            meter(ui, audio.microphone_level, t().level_microphone);
            ui.label(small(t().speak_hint).color(Tokens::of(ui).text_weak));
        }
        Role::Speaker => {
            meter(ui, audio.speaker_level, t().level_speaker);
            ui.add_space(4.0);
            if tone(ui, t().test_speaker) {
                cx.ask(Intent::TestTone { ringer: false });
            }
        }
        Role::Ringer => {
            if tone(ui, t().test_ringer) {
                cx.ask(Intent::TestTone { ringer: true });
            }
        }
    }
}
