use super::{
    check,
    data::{Role, choice},
};
use crate::ui::{
    icon,
    screen::{
        Cx, Page,
        settings::ui::{page, plain},
    },
    snapshot::{Audio, Intent, Voice},
    text::t,
    theme::{Tokens, small},
    widget::{Button, Field, Look, banner, card, combo, meter, section, spacer, switch},
};
use egui::{Id, Ui};

pub fn show(ui: &mut Ui, cx: &mut Cx<'_>) {
    page(ui, cx, t().audio, Page::Settings, plain, |ui, cx| {
        if let Some(problem) = &cx.snapshot.audio.problem {
            banner(ui, icon::WARNING, Tokens::of(ui).hold, problem, |_| ());
        }
        // What is used every day comes first.
        card(ui, |ui| check::show(ui, cx));
        for role in Role::ALL {
            card(ui, |ui| device(ui, cx, role));
        }
        alone(ui, cx);
        card(ui, |ui| voice(ui, cx));
        card(ui, |ui| hold_music(ui, cx));
    });
}

fn voice(ui: &mut Ui, cx: &mut Cx<'_>) {
    section(ui, t().voice);
    let now = cx.snapshot.audio.voice;
    for (on, label, hint, flipped) in [
        (now.echo, t().cancel_echo, t().cancel_echo_hint, Voice { echo: !now.echo, ..now }),
        (now.noise, t().suppress_noise, t().suppress_noise_hint, Voice { noise: !now.noise, ..now }),
        (now.gain, t().level_voice, t().level_voice_hint, Voice { gain: !now.gain, ..now }),
        (
            now.suppress_silence,
            t().suppress_silence,
            t().suppress_silence_hint,
            Voice { suppress_silence: !now.suppress_silence, ..now },
        ),
    ] {
        if switch(ui, on, label, hint) {
            cx.ask(Intent::Voice(flipped));
        }
    }
}

fn hold_music(ui: &mut Ui, cx: &mut Cx<'_>) {
    let now = &cx.snapshot.audio.hold_music;
    let id = Id::unique("music on hold");
    // What is typed, and what it was when typing began.
    let kept = ui.data(|data| data.get_temp::<(String, String)>(id)).filter(|(from, _)| from == now);
    let (from, mut typed) = kept.unwrap_or_else(|| (now.clone(), now.clone()));
    ui.add(Field::new(t().hold_music, &mut typed).hint(t().hold_music_hint));
    spacer(ui, 1.0);
    let apply = Button::new(t().hold_music_use, Look::Tinted(Tokens::of(ui).accent)).enabled(typed.trim() != from);
    if ui.add(apply).clicked() {
        cx.ask(Intent::HoldMusic(typed.trim().to_owned()));
    }
    ui.data_mut(|data| data.insert_temp(id, (from, typed)));
}

fn choices(audio: &Audio) -> [Option<String>; 4] {
    Role::ALL.map(|role| choice(audio, role).chosen)
}

fn choose(cx: &mut Cx<'_>, [microphone, speaker, ringer, alert]: [Option<String>; 4], alone: bool) {
    cx.ask(Intent::ChooseAudio { microphone, speaker, ringer, alert, alone });
}

/// For devices that were chosen only: the default one changes.
fn alone(ui: &mut Ui, cx: &mut Cx<'_>) {
    let audio = &cx.snapshot.audio;
    if audio.microphone.is_none() && audio.speaker.is_none() {
        return;
    }
    card(ui, |ui| {
        if switch(ui, audio.alone, t().alone, t().alone_hint) {
            choose(cx, choices(audio), !audio.alone);
        }
    });
}

fn device(ui: &mut Ui, cx: &mut Cx<'_>, role: Role) {
    let audio = &cx.snapshot.audio;
    let shown = choice(audio, role);
    if let Some(picked) = combo(ui, shown.label, shown.default, &shown.devices, shown.chosen.as_deref()) {
        let mut chosen = choices(audio);
        chosen[role as usize] = picked;
        choose(cx, chosen, audio.alone);
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
            for about in [&audio.headset, &audio.exposure].into_iter().flatten() {
                ui.add_space(4.0);
                ui.label(small(about).color(Tokens::of(ui).text_weak));
            }
        }
        Role::Ringer => {
            if tone(ui, t().test_ringer) {
                cx.ask(Intent::TestTone { ringer: true });
            }
        }
        Role::Alert => {
            ui.label(small(t().alert_hint).color(Tokens::of(ui).text_weak));
        }
    }
}
