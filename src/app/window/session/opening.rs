//! The snapshot before anything has happened: what settings and arguments say.

use crate::{
    app::{
        logging,
        setup::Setup,
        window::{intents, locale::locale, services},
    },
    config::{cli::WindowArgs, settings::SignedInBy},
    ua::api::usual_emergency_numbers,
    ui::snapshot::{About, Audio, Settings, SignInForm, Snapshot, ThemeChoice},
};

pub fn first_snapshot(setup: &Setup, args: &WindowArgs) -> Snapshot {
    let settings = setup.memory.settings();
    let (window, audio) = (&settings.window, &settings.audio);
    let typed_for_us = args.tms.is_some() || args.username.is_some();
    let xml = settings.signed_in_by == SignedInBy::Xml && !typed_for_us;
    let kept = |text: &Option<String>, wanted: bool| text.clone().filter(|_| wanted).unwrap_or_default();
    let theme = match () {
        () if args.light => ThemeChoice::Light,
        () if args.dark => ThemeChoice::Dark,
        () => window.theme,
    };
    let usual = || logging::usual(setup.memory.folder().path());
    let log_file = args.common.log_file.clone().unwrap_or_else(usual);
    Snapshot {
        locale: locale(|name| std::env::var(name).ok()),
        sign_in: SignInForm {
            server: args.tms.clone().unwrap_or_else(|| kept(&settings.server, true)),
            username: args.username.clone().unwrap_or_else(|| kept(&settings.username, !xml)),
            secrets_remembered: window.remember_secrets && settings.signed_in_by != SignedInBy::Link && !typed_for_us,
            xml,
            plain: settings.signed_in_by == SignedInBy::Sip && !typed_for_us,
            sip_account: settings.sip_account.clone(),
            tenant: kept(&settings.username, xml),
            sip_server: kept(&settings.sip_server, xml),
            ..SignInForm::default()
        },
        settings: Settings {
            theme,
            ringing_window: window.notifications,
            dtmf_via_info: window.dtmf_via_info,
            may_record: window.may_record,
            recording_tone: window.recording_tone,
        },
        services: Some(services::shown(&settings.services)),
        emergency_numbers: settings.emergency_numbers().unwrap_or_else(usual_emergency_numbers),
        audio: Audio {
            microphone: audio.microphone.clone(),
            speaker: audio.speaker.clone(),
            ringer: audio.ringer.clone(),
            alert: audio.alert.clone(),
            alone: audio.alone,
            voice: intents::shown(audio),
            hold_music: audio.hold_music.as_ref().map(|file| file.display().to_string()).unwrap_or_default(),
            echo_number: audio.echo_number.clone(),
            ..Audio::default()
        },
        about: About {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            instance_id: setup.instance_id.clone(),
            config_dir: setup.memory.folder().path().display().to_string(),
            log_file: Some(log_file.display().to_string()),
            ..About::default()
        },
        ..Snapshot::default()
    }
}
