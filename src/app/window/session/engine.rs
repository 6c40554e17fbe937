//! The driver that the session works with; a plain account may need another one, with its own way to the server.

use super::{super::shared::Shared, Input, Running};
use crate::{
    app::{
        plain::Way,
        setup::{CALLS_FILE, Softphone},
    },
    config::{
        folder::ConfigFolder,
        options::CODECS,
        settings::{Audio, Settings},
    },
    driver::{
        Driver,
        api::{Command, Event, Tagged},
    },
    media::engine::AudioChoice,
    ua::api::Package,
    ui::snapshot::{CallState, Notice, NoticeKind, RecordingRule},
};
use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
        mpsc::SyncSender,
    },
};

/// Starts drivers, one in the place of the other.
pub struct Starter {
    input: SyncSender<Input>,
    instance_id: String,
    /// What the running one was started with.
    way: Way,
    /// Which one is listened to: what an earlier one says is of no interest any more.
    current: Arc<AtomicU32>,
}

impl Starter {
    pub fn new(input: SyncSender<Input>, instance_id: String) -> Self {
        Self { input, instance_id, way: Way::default(), current: Arc::default() }
    }

    #[cfg(test)]
    pub fn input(&self) -> SyncSender<Input> {
        self.input.clone()
    }

    /// # Errors
    /// A sentence.
    pub fn start(&self, folder: &ConfigFolder, settings: &Settings) -> Result<Driver, String> {
        let mine = self.current.fetch_add(1, Ordering::AcqRel) + 1;
        let (events, current) = (self.input.clone(), Arc::clone(&self.current));
        let options = softphone(settings, &self.way).options(self.instance_id.clone(), folder.path().join(CALLS_FILE));
        let driver = Driver::start(options, None, move |event| {
            if current.load(Ordering::Acquire) != mine {
                return;
            }
            // A level that is not shown is not missed; everything else waits its turn.
            let lossy = matches!(event.what, Event::Levels { .. });
            let input = Input::Event(event.what);
            // A session that is gone needs no word of it any more.
            let _ = if lossy { events.try_send(input).is_ok() } else { events.send(input).is_ok() };
        });
        driver.map_err(|why| why.to_string())
    }
}

impl Running {
    /// What every driver is told first: voicemail and colleagues, of whatever account comes online.
    pub(super) fn introduce(&self) {
        self.send(Command::Subscribe { package: Package::MessageSummary, to: String::new() });
        for colleague in &self.memory.settings().colleagues {
            self.watch(&colleague.number);
        }
    }

    /// Goes another way to the server from now on.
    ///
    /// # Errors
    /// A sentence; the way stays as it was.
    pub(super) fn go(&mut self, way: &Way) -> Result<(), String> {
        if self.starter.way == *way {
            return Ok(());
        }
        let is_live = |state: &CallState| !matches!(state, CallState::Ended { .. });
        if self.fold.snapshot.calls.iter().any(|call| is_live(&call.state)) {
            return Err("A call is still running. End it, then press Apply again.".to_owned());
        }
        let before = std::mem::replace(&mut self.starter.way, way.clone());
        match self.starter.start(self.memory.folder(), self.memory.settings()) {
            Ok(driver) => {
                leave(std::mem::replace(&mut self.driver, driver), &self.shared);
                self.introduce();
                self.fold.drop_check();
                self.fold.snapshot.recording = RecordingRule::default();
                self.history.forget_numbers();
                self.show_history();
                Ok(())
            }
            Err(why) => {
                self.starter.way = before;
                Err(why)
            }
        }
    }
}

/// Nobody waits while it hangs up and un-registers.
fn leave(old: Driver, shared: &Shared) {
    let _ = old.send(Tagged { id: None, what: Command::Quit });
    let thread = std::thread::Builder::new().name("driver-end".into()).spawn(move || old.join());
    if let Err(why) = thread {
        let text = format!("The system gives no thread to work on: {why}. Close other programs.");
        shared.notice(Notice { kind: NoticeKind::Warning, text });
    }
}

pub(super) fn softphone(settings: &Settings, way: &Way) -> Softphone {
    let Audio { microphone, speaker, ringer, alert, alone, voice, suppress_silence, hold_music, .. } =
        settings.audio.clone();
    Softphone {
        bind: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        transport: way.transport,
        audio: AudioChoice::Device { microphone, speaker, ringer, alert, alone },
        voice,
        hold_music,
        codecs: CODECS.to_vec(),
        silence_suppression: suppress_silence,
        recording_tone: settings.window.recording_tone,
        auto_answer: None,
        max_calls: None,
        services: settings.services.clone(),
        impairment: None,
        ca_file: way.ca_file.clone(),
        dns_server: way.dns_server,
        media: way.media.clone(),
        emergency_numbers: settings.emergency_numbers(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::media::MediaSettings, media::plan::SrtpPolicy};

    #[test]
    fn what_a_plain_account_says_of_its_calls_reaches_the_driver() {
        let quality_report = Some("sip:quality@pbx.example".parse().expect("an address"));
        let media = MediaSettings { quality_report, srtp: Some(SrtpPolicy::Dtls), ..MediaSettings::default() };
        let way = Way { media: media.clone(), ..Way::default() };
        let options = |way: &Way| softphone(&Settings::default(), way).options(String::new(), CALLS_FILE.into());
        assert_eq!((options(&way).media, options(&way).agent.srtp), (media, SrtpPolicy::Dtls));
        assert_eq!(options(&Way::default()).media, MediaSettings::default());
    }
}
