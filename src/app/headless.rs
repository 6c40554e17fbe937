//! The headless front end: joins the lines of standard input and output to the softphone.

use super::{
    footprint,
    headset::Handset,
    logging,
    setup::{CALLS_FILE, Setup, Softphone},
};
use crate::{
    config::{
        ConfigError,
        cli::HeadlessArgs,
        media::{MediaSettings, Turn, TurnAccess},
        options::HeadlessOptions,
        secrets::Secrets,
        settings::SignedInBy,
    },
    driver::{
        Commands, Driver, DriverError,
        api::{Command, Event, LoginState, Tagged},
    },
    headless::{command, event},
    headset::{self, Watcher, real_bus},
    media::engine::{AudioChoice, Notice},
    ua::api::Secret,
};
use std::{
    io::{BufRead, BufReader, Read, Write},
    process::ExitCode,
    sync::{Arc, mpsc::sync_channel},
    time::{Duration, Instant},
};
use told::Told;
use waiting::Waiting;

mod buttons;
mod told;
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
    Headset(headset::Told),
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
    let turn = secrets.turn.clone();
    let first = who::first_command(&options, secrets, &setup).map_err(StartError::Arguments)?;
    if let Err(e) = setup.memory.note_command(&first) {
        setup.notices.push(e.to_string());
    }
    if let Some(registration) = options.who.registration() {
        setup.memory.resume_with(registration.to_owned());
    }
    let lines = Arc::new(Waiting::default());
    let phone = softphone(options, turn, &setup);
    // Files and silence have no headset.
    let bus = matches!(phone.audio, AudioChoice::Device { .. }).then(real_bus).flatten();
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
    let headset = buttons::watch(bus, &lines);
    let (commands, (done, code)) = (driver.commands(), sync_channel(1));
    // Not waited for without end either: nobody may read standard output.
    std::thread::Builder::new()
        .name("lines".into())
        .spawn(move || done.send(write_lines(&lines, &commands, &mut setup, headset)))
        .map_err(DriverError::Thread)?;
    let _ = stopped.recv();
    driver.join();
    Ok(ExitCode::from(code.recv_timeout(LAST_LINES).unwrap_or(FATAL)))
}

fn softphone(options: HeadlessOptions, access: TurnAccess, setup: &Setup) -> Softphone {
    let turn = options.media.turn.map(|Turn { uri, .. }| Turn { uri, access });
    Softphone {
        bind: options.bind,
        transport: options.transport,
        audio: options.audio,
        voice: options.voice,
        hold_music: options.hold_music,
        codecs: options.codecs,
        silence_suppression: options.silence_suppression,
        recording_tone: options.recording_tone,
        auto_answer: options.auto_answer,
        max_calls: options.max_calls,
        services: setup.memory.settings().services.clone(),
        impairment: options.impairment,
        ca_file: options.ca_file,
        dns_server: options.dns_server,
        media: MediaSettings { turn, ..options.media },
        emergency_numbers: options.emergency_numbers.or_else(|| setup.memory.settings().emergency_numbers()),
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

/// Until the driver has stopped; what to exit with.
fn write_lines(lines: &Waiting, commands: &Commands, setup: &mut Setup, headset: Option<Watcher>) -> u8 {
    let handset = Handset::default();
    let mut writer = Writer { commands, setup, handset, headset, told: Told::default(), code: 0, text: String::new() };
    let mut output = std::io::stdout().lock();
    loop {
        // What has gathered meanwhile goes out in one piece.
        let is_over = lines.next().into_iter().any(|said| writer.say(said));
        let text = std::mem::take(&mut writer.text);
        if let Err(e) = output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
            tracing::warn!("standard output is closed ({e}), so this is the end");
            writer.quit();
        }
        if is_over {
            return writer.code;
        }
    }
}

/// Turns what is to be said into lines, and does what follows from it.
struct Writer<'a> {
    commands: &'a Commands,
    setup: &'a mut Setup,
    handset: Handset,
    headset: Option<Watcher>,
    told: Told,
    /// What to exit with.
    code: u8,
    /// Lines that are still to be written.
    text: String,
}

impl Writer<'_> {
    /// Whether it was the last.
    fn say(&mut self, said: Said) -> bool {
        match said {
            Said::Event(event) => {
                let xml = self.setup.memory.settings().signed_in_by == SignedInBy::Xml;
                footprint::note_event(&event.what);
                self.light_headset(&event.what);
                self.told.lines(clock(), &event, xml).into_iter().for_each(|line| self.write(&line));
                return self.follow(event.what);
            }
            Said::Rejected(rejected) => self.write(&event::rejected(&rejected)),
            Said::Lost(count) => self.warn(format!("{count} events were lost, because nobody read standard output.")),
            Said::Headset(told) => self.headset_says(told),
            Said::Ordered(command) => {
                self.handset.handle_command(&command);
                if let Err(e) = self.setup.memory.note_command(&command) {
                    self.warn(e.to_string());
                }
            }
        }
        false
    }

    fn follow(&mut self, event: Event) -> bool {
        match event {
            Event::Stopped { failure } => {
                if let Some(failure) = failure {
                    tracing::error!("{failure}");
                    self.code = FATAL;
                }
                return true;
            }
            Event::Ready { .. } => {
                let notices = std::mem::take(&mut self.setup.notices);
                notices.into_iter().for_each(|notice| self.warn(notice));
            }
            Event::Login(LoginState::Refused { .. }) if !self.told.initialized => {
                self.code = LOGIN_REFUSED;
                self.quit();
            }
            Event::Token(token) => {
                if let Err(e) = keep_session(self.setup, token) {
                    self.warn(e.to_string());
                }
            }
            event => match self.setup.memory.note_event(&event) {
                Ok(Some(what)) => {
                    if let Err(e) = self.commands.send(Tagged { id: None, what }) {
                        tracing::warn!("{e}");
                    }
                }
                Ok(None) => {}
                Err(e) => self.warn(e.to_string()),
            },
        }
        false
    }

    fn write(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn warn(&mut self, text: String) {
        self.notice(Notice::warning(text));
    }

    fn notice(&mut self, notice: Notice) {
        let notice = Tagged { id: None, what: Event::Notice(notice) };
        event::line(&notice).into_iter().for_each(|line| self.write(&line));
    }

    /// A driver that takes no commands any more is stopping anyway; one that is busy soon takes this one.
    fn quit(&self) {
        let _ = self.commands.send_waiting(Tagged { id: None, what: Command::Quit });
    }
}

#[expect(clippy::disallowed_methods, reason = "lines say how old a proof is")]
fn clock() -> Instant {
    Instant::now()
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
