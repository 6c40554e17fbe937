//! The headless front end: joins the lines of standard input and output to the softphone.

use super::{
    logging,
    setup::{CALLS_FILE, Setup, Softphone},
};
use crate::{
    config::{ConfigError, cli::HeadlessArgs, options::HeadlessOptions, secrets::Secrets},
    driver::{
        Commands, Driver, DriverError,
        api::{Command, Event, LoginState, Tagged},
    },
    headless::{command, event},
    media::engine::Notice,
    ua::api::{ProvedBy, Reachable, RegistrationState, Secret},
};
use std::{
    io::{BufRead, BufReader, Read, Write},
    process::ExitCode,
    sync::{Arc, mpsc::sync_channel},
    time::Duration,
};
use waiting::Waiting;

mod waiting;
mod who;

/// How long the last lines may take to be read.
const LAST_LINES: Duration = Duration::from_secs(1);
/// Longer lines are no commands.
const LONGEST_LINE: u64 = 64 * 1024;

/// Exit codes of the contract.
const FATAL: u8 = 1;
const BAD_ARGUMENTS: u8 = 2;
const LOGIN_REFUSED: u8 = 3;

/// What standard output is to say next.
enum Said {
    Event(Tagged<Event>),
    Rejected(command::Rejected),
    /// So many events, because nobody read.
    Lost(u64),
    /// Nothing; but what was ordered is to be remembered.
    Ordered(Command),
}

/// What keeps the softphone from starting.
#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error(transparent)]
    Arguments(ConfigError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Driver(#[from] DriverError),
}

/// Runs until `quit`, the end of standard input, or a refused login.
pub fn run(args: &HeadlessArgs) -> ExitCode {
    match start(args) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("agent-manager: {error}");
            // A reader that is gone already needs no last word.
            let _ = writeln!(std::io::stdout(), "{}", event::fatal(&error.to_string()));
            ExitCode::from(match error {
                StartError::Arguments(_) => BAD_ARGUMENTS,
                StartError::Config(_) | StartError::Driver(_) => FATAL,
            })
        }
    }
}

fn start(args: &HeadlessArgs) -> Result<ExitCode, StartError> {
    let options = HeadlessOptions::new(args).map_err(StartError::Arguments)?;
    logging::start(&args.common, None).map_err(StartError::Arguments)?;
    let mut setup = Setup::open(&args.common)?;
    let mut input = BufReader::new(std::io::stdin());
    let secrets = match options.secrets_stdin {
        true => Secrets::from_line(&mut input).map_err(StartError::Arguments)?,
        false => Secrets::from_environment(),
    };
    let first = who::first_command(&options, secrets, &setup).map_err(StartError::Arguments)?;
    if let Err(e) = setup.memory.note_command(&first) {
        setup.notices.push(e.to_string());
    }
    if let Some(registration) = options.who.registration() {
        setup.memory.resume_with(registration.to_owned());
    }
    let lines = Arc::new(Waiting::default());
    let phone = softphone(options, &setup);
    let events = Arc::clone(&lines);
    let (stopping, stopped) = sync_channel(1);
    let driver = Driver::start(
        phone.options(setup.instance_id.clone(), setup.memory.folder().path().join(CALLS_FILE)),
        Some(first),
        move |event| {
            let is_last = matches!(event.what, Event::Stopped { .. });
            events.tell(event);
            if is_last {
                let _ = stopping.try_send(());
            }
        },
    )?;
    let (commands, answers) = (driver.commands(), Arc::clone(&lines));
    // Not waited for: it may stand in a read of standard input for ever.
    std::thread::Builder::new()
        .name("commands".into())
        .spawn(move || read_commands(input, &commands, &answers))
        .map_err(DriverError::Thread)?;
    let (commands, (done, code)) = (driver.commands(), sync_channel(1));
    // Not waited for without end either: nobody may read standard output.
    std::thread::Builder::new()
        .name("lines".into())
        .spawn(move || done.send(write_lines(&lines, &commands, &mut setup)))
        .map_err(DriverError::Thread)?;
    let _ = stopped.recv();
    driver.join();
    Ok(ExitCode::from(code.recv_timeout(LAST_LINES).unwrap_or(FATAL)))
}

fn softphone(options: HeadlessOptions, setup: &Setup) -> Softphone {
    Softphone {
        bind: options.bind,
        transport: options.transport,
        audio: options.audio,
        voice: options.voice,
        codecs: options.codecs,
        srtp: options.srtp,
        auto_answer: options.auto_answer,
        max_calls: options.max_calls,
        services: setup.memory.settings().services.clone(),
        impairment: options.impairment,
        ca_file: options.ca_file,
        dns_server: options.dns_server,
        stun: options.stun,
    }
}

/// Until the end of input, which means `quit`.
fn read_commands(mut input: impl BufRead, commands: &Commands, lines: &Waiting) {
    while let Ok(Some(line)) = read_line(&mut input) {
        if line.trim().is_empty() {
            continue;
        }
        match command::parse(&line) {
            Ok(command) => {
                let ordered = Said::Ordered(command.what.clone());
                if commands.send_waiting(command).is_err() {
                    return;
                }
                lines.say(ordered);
            }
            Err(rejected) => lines.say(Said::Rejected(rejected)),
        }
    }
    // The driver may have stopped already.
    let _ = commands.send_waiting(Tagged { id: None, what: Command::Quit });
}

/// One line; what is longer than any command is skipped to its end and given back cut, which no parser takes for a command.
fn read_line(input: &mut impl BufRead) -> std::io::Result<Option<String>> {
    let mut line = Vec::new();
    if input.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    let mut rest = Vec::new();
    while line.len() as u64 == LONGEST_LINE && !line.ends_with(b"\n") && !rest.ends_with(b"\n") {
        rest.clear();
        if input.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut rest)? == 0 {
            break;
        }
    }
    Ok(Some(String::from_utf8_lossy(&line).into_owned()))
}

/// What was said already.
#[derive(Default)]
struct Before {
    /// The TMS took the login: the end of a session is no refused login.
    initialized: bool,
    registration: Option<(String, RegistrationState)>,
    /// The last one that calls can arrive.
    proof: Option<Reachable>,
    /// Kinds of proof that were told since the registration came online.
    kinds: Vec<ProvedBy>,
}

impl Before {
    /// Whether the event says nothing new to who reads lines: a refreshed registration.
    fn has_said(&mut self, event: &Tagged<Event>) -> bool {
        match &event.what {
            Event::Registration { name, state } => {
                let said = Some((name.clone(), state.clone()));
                let repeats = event.id.is_none() && self.registration == said;
                self.registration = said;
                if !matches!(state, RegistrationState::Online { .. }) {
                    self.kinds.clear();
                }
                repeats
            }
            // Each kind once; being online is told with the first.
            Event::Reachable { proof, .. } => {
                self.proof = Some(*proof);
                let repeats = proof.by == ProvedBy::Register || self.kinds.contains(&proof.by);
                if !repeats {
                    self.kinds.push(proof.by);
                }
                repeats
            }
            Event::Login(LoginState::Initialized(_)) => {
                self.initialized = true;
                false
            }
            _ => false,
        }
    }
}

/// Until the driver has stopped; what to exit with.
fn write_lines(lines: &Waiting, commands: &Commands, setup: &mut Setup) -> u8 {
    let mut code = 0;
    let mut before = Before::default();
    let mut output = std::io::stdout().lock();
    let quit = || {
        // A driver that takes no commands any more is stopping anyway; one that is busy soon takes this one.
        let _ = commands.send_waiting(Tagged { id: None, what: Command::Quit });
    };
    let mut write = |line: String| {
        if let Err(e) = writeln!(output, "{line}").and_then(|()| output.flush()) {
            tracing::warn!("standard output is closed ({e}), so this is the end");
            quit();
        }
    };
    loop {
        let event = match lines.next() {
            Said::Event(event) if before.has_said(&event) => continue,
            Said::Event(event) => {
                event::line_with(&event, before.proof).map(&mut write);
                event.what
            }
            Said::Rejected(rejected) => {
                write(event::rejected(&rejected));
                continue;
            }
            Said::Lost(count) => {
                write(warning(format!("{count} events were lost, because nobody read standard output.")));
                continue;
            }
            Said::Ordered(command) => {
                if let Err(e) = setup.memory.note_command(&command) {
                    write(warning(e.to_string()));
                }
                continue;
            }
        };
        match event {
            Event::Stopped { failure } => {
                if let Some(failure) = failure {
                    tracing::error!("{failure}");
                    code = FATAL;
                }
                return code;
            }
            Event::Ready { .. } => setup.notices.drain(..).map(warning).for_each(&mut write),
            Event::Login(LoginState::Refused { .. }) if !before.initialized => {
                code = LOGIN_REFUSED;
                quit();
            }
            Event::Token(token) => {
                if let Err(e) = keep_session(setup, token) {
                    write(warning(e.to_string()));
                }
            }
            event => match setup.memory.note_event(&event) {
                Ok(Some(what)) => {
                    if let Err(e) = commands.send(Tagged { id: None, what }) {
                        tracing::warn!("{e}");
                    }
                }
                Ok(None) => {}
                Err(e) => write(warning(e.to_string())),
            },
        }
    }
}

/// The line of a notice.
fn warning(text: String) -> String {
    event::line(&Tagged { id: None, what: Event::Notice(Notice::warning(text)) }).unwrap_or_default()
}

/// A link's code is used up: the next start needs the token of the session that it has opened.
///
/// # Errors
/// A sentence; the next start will not know.
fn keep_session(setup: &mut Setup, token: Secret) -> Result<(), ConfigError> {
    let login = setup.memory.note_token(token)?;
    setup.memory.vault().keep(&login, true)?;
    setup.memory.note_kept(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registration_is_told_when_it_changes_or_was_asked_for() {
        let mut before = Before::default();
        let online = || RegistrationState::Online { expires: std::time::Duration::from_secs(60) };
        let mut told = |id: Option<&str>, state| {
            let what = Event::Registration { name: "100".into(), state };
            !before.has_said(&Tagged { id: id.map(Into::into), what })
        };
        assert!(told(None, RegistrationState::Registering));
        assert!(told(None, online()));
        assert!(!told(None, online()));
        assert!(told(Some("select again"), online()));
        assert!(told(None, RegistrationState::Registering));
        assert!(told(None, online()));
    }

    #[test]
    fn lines_are_read_whole_or_rejected() {
        let long = "x".repeat(3 * LONGEST_LINE as usize);
        let text = format!("{{\"cmd\":\"quit\"}}\n{long}\n\u{fffd}\nlast");
        let mut input = text.as_bytes();
        let mut next = || read_line(&mut input).expect("memory cannot fail");
        assert_eq!(next().as_deref(), Some("{\"cmd\":\"quit\"}\n"));
        assert_eq!(next().map(|l| l.len() as u64), Some(LONGEST_LINE));
        assert_eq!(next().as_deref(), Some("\u{fffd}\n"));
        assert_eq!(next().as_deref(), Some("last"));
        assert_eq!(next(), None);
    }
}
