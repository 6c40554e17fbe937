//! Every screen in each of its states, light and dark, as an image.

use crate::{
    desk::{Desk, Setup, edge_to_edge},
    fake::{self, *},
    raster::SoftwareRenderer,
};
use agent_manager::ui::{
    screen::{
        Page,
        ring::{
            data::{Ringing, ring},
            ui::SIZE,
        },
    },
    snapshot::{
        Audio, Call, CallState, Check, DialAsked, Notice, NoticeKind, Proof, ProvedBy, Recording, RecordingRule,
        Services, Settings, Snapshot, Status, Transfer, Voicemail,
    },
    theme,
    window::SMALLEST,
};
use egui_kittest::{Harness, SnapshotOptions, SnapshotResults, kittest::Queryable};

/// The images of one test; they are judged together at its end, so that one run updates all of them.
#[derive(Default)]
struct Shots(SnapshotResults);

impl Shots {
    fn take<S>(&mut self, name: &str, harness: &mut Harness<'_, S>) {
        harness.remove_cursor();
        harness.run();
        harness.snapshot(name);
        self.0.extend(harness.take_snapshot_results());
    }

    fn both(&mut self, name: &str, setup: impl Fn() -> Setup) {
        self.both_after(name, setup, |_| ());
    }

    fn both_after(&mut self, name: &str, setup: impl Fn() -> Setup, act: impl Fn(&mut Harness<'_, Desk>)) {
        for (theme, mut harness) in [("light", setup().light()), ("dark", setup().dark())] {
            act(&mut harness);
            self.take(&format!("{name}.{theme}"), &mut harness);
        }
    }
}

#[test]
fn sign_in() {
    let mut shots = Shots::default();
    shots.both("sign_in.empty", || Setup::new(signed_out()));
    shots.both("sign_in.demo", || Setup::new(demo_form()));
    shots.both("sign_in.refused", || Setup::new(refused()));
    let talking = || Snapshot { calls: vec![talking()], ..refused() };
    shots.both("sign_in.talking", || Setup::new(talking()));
    shots.both("sign_in.tenant", || Setup::new(tenant_form()));
    shots.both("sign_in.sip", || Setup::new(sip_form()).size([380.0, 1_320.0]));
    shots.both_after(
        "sign_in.sip_empty",
        || Setup::new(signed_out()),
        |harness| {
            harness.get_by_label("Use a SIP account").click();
            harness.run();
        },
    );
    let away = || Snapshot { status: tms_unreachable().status, ..demo_form() };
    shots.both("sign_in.unreachable", || Setup::new(away()));
    shots.both("sign_in.busy", || Setup::new(Snapshot { status: Status::SigningIn, ..demo_form() }));
}

#[test]
fn main_screen() {
    let mut shots = Shots::default();
    shots.both("main.initialized", || Setup::new(initialized()));
    shots.both("main.online", || Setup::new(online()));
    shots.both("main.not_reachable", || Setup::new(unreachable()));
    shots.both("main.connecting", || Setup::new(connecting()));
    shots.both("main.tms_unreachable", || Setup::new(tms_unreachable()));
    shots.both("main.no_history", || Setup::new(Snapshot { history: vec![], ..online() }));
    shots.both("main.elsewhere", || Setup::new(elsewhere()));
    shots.both("main.stays", || Setup::new(stays()));
    shots.both("main.sip_password", || Setup::new(sip_password(None)));
    let wrong = "The server does not accept the user name or the password.";
    shots.both("main.sip_password_again", || Setup::new(sip_password(Some(wrong))));
    let why = "The folder /home/maria/.config/agent-manager belongs to another Agent Manager that is running. Quit that one \
               first, or start this one with --config-dir.";
    shots.both("main.fatal", || Setup::new(Snapshot { fatal: Some(why.to_owned()), ..Snapshot::default() }));
    shots.both("main.notice", || {
        let text = "The headset was unplugged. Sound now comes from Built-in speakers.".to_owned();
        Setup::new(online()).notice(Notice { kind: NoticeKind::Warning, text })
    });
}

#[test]
fn colleagues_and_lamps() {
    let mut shots = Shots::default();
    let open = |harness: &mut Harness<'_, Desk>| {
        harness.get_by_label("Colleagues").click();
        harness.run();
    };
    shots.both_after("people.lamps", || Setup::new(with_colleagues(vec![])), open);
    shots.both_after("people.in_call", || Setup::new(with_colleagues(vec![talking()])), open);
    shots.both_after("people.empty", || Setup::new(online()), open);
    shots.both_after(
        "people.edit",
        || Setup::new(with_colleagues(vec![])),
        |harness| {
            open(harness);
            harness.get_by_label("Edit colleagues").click();
            harness.run();
        },
    );
    shots.both_after(
        "people.typed",
        || Setup::new(with_colleagues(vec![])),
        |harness| {
            harness.get_by_label("Number or SIP address").type_text("e");
            harness.run();
        },
    );
    let services = || Some(Services { do_not_disturb: true, ..Services::default() });
    let voicemail = || Voicemail { waiting: true, new: 3, old: 1, account: Some("*97".into()) };
    let lamps = move || Snapshot { voicemail: voicemail(), services: services(), ..online() };
    shots.both("main.lamps", move || Setup::new(lamps()));
    let forwarding = || Some(Services { forward_always: "103".into(), ..Services::default() });
    let forwarded =
        move || Snapshot { services: forwarding(), voicemail: Voicemail { old: 2, ..voicemail() }, ..online() };
    shots.both("main.forwarded", move || Setup::new(forwarded()));
}

#[test]
fn details() {
    let mut shots = Shots::default();
    let open = |harness: &mut Harness<'_, Desk>| {
        harness.get_by_label_contains("Outgoing, Chloë").click();
        harness.run();
        harness.get_by_label_contains("Details of").click();
        harness.run();
        harness.run();
    };
    shots.both_after("details.failed", || Setup::new(failed()).size([380.0, 1_000.0]), open);
    shots.both_after(
        "details.remembered",
        || Setup::new(remembered()).size([380.0, 1_000.0]),
        |harness| {
            harness.get_by_label_contains("Incoming, Maria").click();
            harness.run();
            harness.get_by_label_contains("Details of").click();
            harness.run();
            harness.run();
        },
    );
    shots.both_after(
        "details.message",
        || Setup::new(failed()).size([380.0, 1_080.0]),
        |harness| {
            open(harness);
            harness.get_by_label("10:42:07.123, sent, INVITE sip:101@acme.example").click();
            harness.run();
        },
    );
    shots.both_after(
        "details.poor",
        || Setup::new(Snapshot { trace: Some(trace(1)), ..with_calls(vec![poor()]) }).size([380.0, 1_200.0]),
        |harness| {
            harness.get_by_label("Details").click();
            harness.run();
            harness.run();
        },
    );
    shots.both_after(
        "wide.details",
        || Setup::new(Snapshot { trace: Some(trace(1)), ..with_calls(vec![talking()]) }).wide(),
        |harness| {
            harness.get_by_label("Messages").click();
            harness.run();
        },
    );
}

#[test]
fn keypad() {
    let mut shots = Shots::default();
    shots.both_after(
        "main.keypad",
        || Setup::new(online()),
        |harness| {
            harness.get_by_label("Show keypad").click();
            harness.run();
            harness.get_by_label("6").click();
            harness.run();
        },
    );
}

#[test]
fn calls() {
    let mut shots = Shots::default();
    shots.both("calls.ringing", || Setup::new(with_calls(vec![ringing()])));
    shots.both("calls.dialing", || Setup::new(with_calls(vec![dialing()])));
    shots.both("calls.talking", || Setup::new(with_calls(vec![talking()])));
    shots.both("calls.muted_recorded", || Setup::new(with_calls(vec![muted_and_recorded()])));
    shots.both("calls.muted", || Setup::new(with_calls(vec![muted()])));
    shots.both("calls.poor", || Setup::new(with_calls(vec![poor()])));
    shots.both("calls.unsaid", || Setup::new(with_calls(vec![unsaid()])));
    shots.both("wide.unsaid", || Setup::new(with_calls(vec![unsaid()])).wide());
    shots.both("calls.unheard", || Setup::new(with_calls(vec![unheard()])));
    shots.both("calls.second_ringing", || Setup::new(with_calls(vec![talking(), second_ringing()])));
    let calls = || [joined().calls, vec![second_ringing()]].concat();
    shots.both("calls.ringing_below", move || Setup::new(with_calls(calls())).size(SMALLEST));
    shots.both("calls.one_held", || Setup::new(with_calls(vec![talking(), held()])));
    shots.both("calls.held", || Setup::new(with_calls(vec![held()])));
    shots.both("calls.remote_held", || Setup::new(with_calls(vec![remote_held()])));
    let dialing_muted = || Call { muted: true, ..dialing() };
    shots.both("calls.dialing_muted", || Setup::new(with_calls(vec![dialing_muted()])));
    shots.both("calls.calling", || Setup::new(with_calls(vec![calling()])));
    shots.both("calls.locked", || Setup::new(with_calls(vec![locked(false)])));
    shots.both("calls.locked_in_the_open", || Setup::new(with_calls(vec![locked(true)])));
    shots.both("calls.ended", || Setup::new(with_calls(vec![ended()])));
    shots.both("calls.conference", || Setup::new(joined()));
    shots.both("calls.conference_recorded", || Setup::new(joined_and_recorded()));
    shots.both("calls.conference_bad", || Setup::new(joined_badly()));
    let away = || joined_and_recorded().calls.into_iter().map(|call| Call { state: CallState::Held, ..call }).collect();
    shots.both("calls.conference_held", || Setup::new(with_calls(away())));
    shots.both("wide.conference_bad", || Setup::new(joined_badly()).wide());
    shots.both("calls.recorded", || Setup::new(recorded()));
    let waiting = || Call { recorded: Some(fake::recording(12)), ..held() };
    shots.both("calls.held_recorded", || Setup::new(with_calls(vec![talking(), waiting()])));
    let by_itself = || Call { answered_by_itself: true, ..talking() };
    shots.both("calls.answered_by_itself", || Setup::new(with_calls(vec![by_itself()])));
    let forwarded = || Call { forwarded_by: Some("Anna Nkosi".into()), ..ringing() };
    shots.both("calls.forwarded", || Setup::new(with_calls(vec![forwarded()])));
    let lost = || Snapshot {
        network_lost: Some(fake::now() + std::time::Duration::from_secs(27)),
        ..with_calls(vec![talking()])
    };
    shots.both("calls.no_network", || Setup::new(lost()));
    shots.both("calls.strip", || Setup::new(with_calls(vec![talking(), second_ringing()])).page(Page::Audio));
}

#[test]
fn transfer() {
    let mut shots = Shots::default();
    let open = |harness: &mut Harness<'_, Desk>| {
        harness.get_by_label("Transfer").click();
        harness.run();
    };
    shots.both_after("transfer.open", || Setup::new(with_calls(vec![talking()])), open);
    shots.both_after("transfer.colleagues", || Setup::new(with_colleagues(vec![talking()])), open);
    shots.both_after("transfer.two", || Setup::new(with_calls(vec![talking(), held()])), open);
    let with = |transfer| Setup::new(with_calls(vec![Call { transfer: Some(transfer), ..talking() }]));
    shots.both("transfer.trying", || with(Transfer::Trying { ringing: true }));
    let reason = "The transfer did not succeed. Johan Botha is busy. The call is back with you.";
    shots.both("transfer.failed", || with(Transfer::Failed { reason: reason.to_owned() }));
    let dial_asked = DialAsked { request: 1, from: "crm@acme.example".into(), to: "102".into() };
    shots.both("transfer.asked", || Setup::new(Snapshot { dial_asked: Some(dial_asked.clone()), ..online() }));
}

#[test]
fn wide() {
    let mut shots = Shots::default();
    shots.both("wide.online", || Setup::new(online()).wide());
    shots.both("wide.talking", || Setup::new(with_calls(vec![talking(), held()])).wide());
    shots.both_after(
        "wide.recent",
        || Setup::new(online()).wide(),
        |harness| {
            harness.get_by_label_contains("Outgoing, Chloë").click();
            harness.run();
        },
    );
    shots.both("wide.account", || Setup::new(online()).wide().page(Page::Account));
}

#[test]
fn select_account() {
    let mut shots = Shots::default();
    shots.both("account.free", || Setup::new(initialized()).page(Page::Account));
    let proof = |by, is_listed| Some(Proof { by, is_listed });
    let proved = move || Snapshot { proof: proof(ProvedBy::Answer, true), ..online() };
    shots.both("account.online", move || Setup::new(proved()).page(Page::Account));
    shots.both("account.unproved", || Setup::new(unproved()).page(Page::Account));
    shots.both("account.plain", || Setup::new(plain()).page(Page::Account));
    shots.both("account.empty", || Setup::new(Snapshot { registrations: vec![], ..initialized() }).page(Page::Account));
    for (name, snapshot) in [("account.conflict", initialized()), ("account.stays", stays())] {
        shots.both_after(
            name,
            || Setup::new(snapshot.clone()).page(Page::Account),
            |harness| {
                harness.get_by_label_contains("100-acme, primary").click();
                harness.run();
            },
        );
    }
    shots.both_after(
        "account.search",
        || Setup::new(many()).page(Page::Account),
        |harness| {
            harness.get_by_label("Find an extension or registration").focus();
            harness.run();
            harness.get_by_label("Find an extension or registration").type_text("11");
            harness.run();
        },
    );
}

#[test]
fn settings() {
    let mut shots = Shots::default();
    for (name, page) in
        [("menu", Page::Settings), ("calls", Page::Calls), ("appearance", Page::Appearance), ("about", Page::About)]
    {
        shots.both(&format!("settings.{name}"), || Setup::new(online()).page(page));
    }
    for (name, page, height) in [("audio", Page::Audio, 1_780.0), ("shortcuts", Page::Shortcuts, 720.0)] {
        shots.both(&format!("settings.{name}"), || Setup::new(online()).page(page).size([380.0, height]));
    }
    let services = Services {
        forward_always: "103".into(),
        forward_busy: "*97".into(),
        forward_no_answer: "+27 21 555 0142".into(),
        forward_after_s: 20,
        ..Services::default()
    };
    let forwarding = move || Snapshot { services: Some(services.clone()), ..online() };
    shots.both("settings.calls_forwarded", move || Setup::new(forwarding()).page(Page::Calls).size([380.0, 1_300.0]));
    let settings = Settings { may_record: true, recording_tone: true, ..online().settings };
    let recording = move || Snapshot { settings: settings.clone(), ..online() };
    shots.both("settings.calls_recorded", move || Setup::new(recording()).page(Page::Calls));
    let rule = RecordingRule { rule: Recording::Required, tone: true };
    let demanded = move || Snapshot { recording: rule, ..online() };
    shots.both("settings.calls_recorded_all", move || Setup::new(demanded()).page(Page::Calls));
    let checked = |check| Snapshot { audio: Audio { check: Some(check), ..fake::audio() }, ..online() };
    for (name, check) in [("speak", Check::Speak), ("done", fake::checked())] {
        let shown = move || Setup::new(checked(check.clone())).page(Page::Audio).size([380.0, 2_080.0]);
        shots.both(&format!("settings.audio_check_{name}"), shown);
    }
    shots.both_after(
        "settings.audio_choosing",
        || Setup::new(online()).page(Page::Audio).size([380.0, 1_000.0]),
        |harness| {
            harness.get_by_role_and_label(egui::accesskit::Role::ComboBox, "Ringing").click();
            harness.run();
        },
    );
    let problem = Some("No sound card was found. Plug in a headset: it is used as soon as it is there.".to_owned());
    let none = Audio { problem, ..Audio::default() };
    shots.both("settings.audio_none", || Setup::new(Snapshot { audio: none.clone(), ..online() }).page(Page::Audio));
}

#[test]
fn ringing_window() {
    let mut shots = Shots::default();
    let by_anna = Some("Forwarded by Anna Nkosi");
    for (name, hold_other, forwarded) in [("one", false, None), ("second", true, None), ("forwarded", false, by_anna)] {
        for (theme, which) in [("light", egui::Theme::Light), ("dark", egui::Theme::Dark)] {
            let line = Some("+27 21 555 0142 · for Sales".to_owned());
            let (name_shown, forwarded) = ("Maria Dlamini".to_owned(), forwarded.map(str::to_owned));
            let ringing = Ringing { call: 1, name: name_shown, line, forwarded, hold_other, ..Ringing::default() };
            let shown = ring(&ringing, fake::ago(7), fake::now());
            let mut harness = Harness::builder()
                .with_size(SIZE)
                .with_theme(which)
                .with_context_setup(theme::install)
                .renderer(SoftwareRenderer::default())
                .build_ui(|ui| {
                    agent_manager::ui::screen::ring::ui::show(&mut edge_to_edge(ui), &shown);
                });
            shots.take(&format!("ring.{name}.{theme}"), &mut harness);
        }
    }
}

/// The program's icon is the mark that the window paints.
#[test]
fn the_icon_is_current() {
    let mut harness = Harness::builder()
        .with_size([128.0, 128.0])
        .with_theme(egui::Theme::Light)
        .with_context_setup(theme::install)
        .renderer(SoftwareRenderer::default())
        .build_ui(|ui| {
            ui.ctx().all_styles_mut(|style| style.visuals.panel_fill = egui::Color32::TRANSPARENT);
            agent_manager::ui::screen::sign_in::ui::logo(&mut edge_to_edge(ui), 128.0);
        });
    harness.run();
    harness.snapshot_options("icon", &SnapshotOptions::new().output_path("assets"));
}
