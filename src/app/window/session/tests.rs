mod headset;
mod settings;

use super::*;
use crate::{
    app::plain::Way,
    config::{cli::CommonArgs, settings::SignedInBy},
    media::check::Step,
    ui::snapshot::{AudioEncryption, SipAccount, Status, ThemeChoice},
};
use std::path::Path;

fn arguments(config_dir: &Path) -> WindowArgs {
    let common = CommonArgs { config_dir: Some(config_dir.to_owned()), ..CommonArgs::default() };
    WindowArgs { common, ..WindowArgs::default() }
}

/// Runs a session that hears `last` once it has started, to its end.
fn run_until(last: Input) -> Arc<Shared> {
    let dir = tempfile::tempdir().expect("temporary folder");
    let shared = Arc::new(Shared::default());
    let (input, inputs) = sync_channel(INPUTS);
    let running = Running::start(&arguments(dir.path()), input.clone(), Arc::clone(&shared)).expect("it starts");
    input.send(last).expect("there is room");
    running.run(&inputs);
    shared
}

#[test]
fn the_drivers_end_is_the_sessions_end_and_what_failed_stays_to_be_read() {
    for failure in [None, Some("The SIP sockets cannot be used; start again.".to_owned())] {
        let shared = run_until(Input::Event(Event::Stopped { failure: failure.clone() }));
        assert_eq!(shared.latest().fatal, failure);
        assert_eq!(shared.is_closing(), failure.is_none(), "after a signal the window goes");
    }
}

#[test]
fn closing_the_window_waits_for_the_driver_no_longer_than_it_may_take() {
    let began = Instant::now();
    let shared = run_until(Input::Closed);
    assert!(began.elapsed() < GOODBYE, "{:?}", began.elapsed());
    assert_eq!(shared.latest().fatal, None);
    assert!(!shared.latest().about.sip_address.is_empty(), "it had started");
}

#[test]
fn a_session_that_panics_says_so_and_one_that_ends_does_not() {
    for (body, said) in [((|| ()) as fn(), None), (|| panic!("on purpose"), Some(ENGINE_STOPPED))] {
        let shared = Arc::new(Shared::default());
        let told = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            let _last_words = LastWords(told);
            body();
        });
        assert_eq!(thread.join().is_err(), said.is_some());
        assert_eq!(shared.latest().fatal.as_deref(), said);
    }
}

#[test]
fn what_keeps_it_from_starting_is_a_sentence_with_the_way_out() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let file = dir.path().join("file");
    std::fs::write(&file, "no folder").expect("written");
    let start = |config_dir: &Path| {
        let (input, _) = sync_channel(INPUTS);
        Running::start(&arguments(config_dir), input, Arc::new(Shared::default()))
    };
    let _first = start(dir.path()).unwrap_or_else(|why| panic!("{why}"));
    for (config_dir, said) in [(file.as_path(), "--config-dir"), (dir.path(), "another Agent Manager")] {
        let why = start(config_dir).map(|_| ()).expect_err("it cannot start");
        assert!(why.contains(said), "{why}");
    }
}

#[test]
fn what_is_known_without_secrets_is_shown_from_the_start() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut args = arguments(dir.path());
    (args.tms, args.dark) = (Some("https://tms.example".into()), true);
    let setup = Setup::open(&args.common).expect("free");
    let shown = opening::first_snapshot(&setup, &args);
    assert_eq!((shown.sign_in.server.as_str(), shown.settings.theme), ("https://tms.example", ThemeChoice::Dark));
    assert_eq!(shown.about.config_dir, dir.path().display().to_string());
    assert!(shown.about.instance_id.starts_with("urn:uuid:"), "{}", shown.about.instance_id);
}

/// A session that has started, with the folder that it lives in.
fn running(dir: &Path) -> (Running, Receiver<Input>) {
    let (input, inputs) = sync_channel(INPUTS);
    (Running::start(&arguments(dir), input, Arc::new(Shared::default())).expect("it starts"), inputs)
}

#[test]
fn the_form_knows_what_the_keyring_keeps() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let (mut running, _inputs) = running(dir.path());
    let apply = |running: &mut Running, username: &str| {
        running.apply("https://tms.example", username.to_owned(), Secrets::default(), true);
    };
    let remembered = |running: &Running| running.fold.snapshot.sign_in.secrets_remembered;
    apply(&mut running, "ann");
    running.keyring_says(Answer::Kept { remember: true, done: Ok(()) });
    assert!(remembered(&running));
    apply(&mut running, "ann");
    assert!(remembered(&running));
    assert_eq!(running.fold.snapshot.status, Status::SigningIn);
    running.keyring_says(Answer::Loaded { serial: running.serial, kept: Ok(None) });
    let said = &running.fold.snapshot.status;
    assert!(
        matches!(said, Status::Refused { reason } if reason.contains("Type them")),
        "{said:?}: nothing empty is sent"
    );
    assert!(!remembered(&running));
    running.keyring_says(Answer::Kept { remember: true, done: Ok(()) });
    apply(&mut running, "bob");
    assert!(!remembered(&running), "those were Ann's");
    running.keyring_says(Answer::Kept { remember: false, done: Ok(()) });
    assert!(!remembered(&running));
}

#[test]
fn a_sign_in_that_is_given_up_leaves_what_is_remembered() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let (mut running, _inputs) = running(dir.path());
    running.memory.change(|all| all.last_registration = Some("100-acme".into())).expect("written");
    let before = running.memory.settings().clone();
    running.apply("https://tms.example", "ann".into(), Secrets::default(), true);
    assert_eq!(running.fold.snapshot.status, Status::SigningIn);
    running.intent(Intent::CancelSignIn);
    assert_eq!(running.fold.snapshot.status, Status::SignedOut);
    running.keyring_says(Answer::Loaded { serial: running.serial, kept: Ok(Some(Secrets::default())) });
    assert_eq!(running.fold.snapshot.status, Status::SignedOut, "the keyring's answer came too late");
    assert_eq!(*running.memory.settings(), before);
}

#[test]
fn a_plain_account_is_checked_kept_and_has_its_own_way() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let (mut running, inputs) = running(dir.path());
    let typed = |address: &str| SipAccount { address: address.into(), register: false, ..SipAccount::default() };
    running.apply_sip(typed("nobody"), Secret::default(), false);
    let said = &running.fold.snapshot.status;
    assert!(matches!(said, Status::Refused { reason } if reason.contains("SIP address")), "{said:?}");
    assert_eq!(running.fold.snapshot.sip_account, None);

    running.event(Event::Check(Step::Speak));
    let account = SipAccount { encryption: AudioEncryption::Required, ..typed("101@127.0.0.1") };
    running.apply_sip(account.clone(), Secret("p".into()), false);
    assert_eq!(running.fold.snapshot.status, Status::Connecting { registration: "101".into() });
    assert_eq!(running.fold.snapshot.audio.check, None, "the driver that checked is gone: another may check");
    let settings = running.memory.settings();
    assert_eq!((&settings.sip_account, settings.signed_in_by), (&account, SignedInBy::Sip));
    // The driver with that way answers; an account that does not register is online at once.
    let deadline = Instant::now() + Duration::from_secs(10);
    while !matches!(running.fold.snapshot.status, Status::Online { .. }) {
        match inputs.recv_timeout(deadline.saturating_duration_since(Instant::now())).expect("it comes online") {
            Input::Event(event) => drop(running.event(event)),
            Input::Keyring(answer) => running.keyring_says(answer),
            _ => {}
        }
    }
    assert_eq!(running.memory.settings().last_registration.as_deref(), Some("101"), "and at the next start");
    running.intent(Intent::SignOut);
    assert_eq!(running.fold.snapshot.sip_account, None);
    assert_eq!(running.memory.settings().last_registration, None);
}

#[test]
fn colleagues_are_kept_and_bounded() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let (mut running, _inputs) = running(dir.path());
    let add = |running: &mut Running, name: &str, number: &str| {
        running.intent(Intent::AddColleague { name: name.into(), number: number.into() });
    };
    add(&mut running, "", " 102 ");
    add(&mut running, "Anna", "102");
    let shown = |running: &Running| {
        let colleagues = &running.fold.snapshot.colleagues;
        colleagues.iter().map(|one| format!("{} {}", one.name, one.number)).collect::<Vec<_>>()
    };
    assert_eq!(shown(&running), ["Anna 102"]);
    for number in 200..400 {
        add(&mut running, "x", &number.to_string());
    }
    assert_eq!((shown(&running).len(), running.shared.take_notices().len()), (100, 32));
    running.intent(Intent::RemoveColleague { number: "102".into() });
    assert_eq!(running.memory.settings().colleagues.len(), 99);
}

#[test]
fn a_settings_file_that_was_cut_short_is_said_so() {
    let dir = tempfile::tempdir().expect("temporary folder");
    std::fs::write(dir.path().join("settings.json"), r#"{"server":"https://tms.exa"#).expect("written");
    let (input, _inputs) = sync_channel(INPUTS);
    let shared = Arc::new(Shared::default());
    let _running = Running::start(&arguments(dir.path()), input, Arc::clone(&shared)).expect("it starts all the same");
    let said = shared.take_notices();
    assert!(said.iter().any(|n| n.kind == NoticeKind::Warning && n.text.contains("settings.json.bad")), "{said:?}");
}
