//! The media engine as the driver sees it: started with the first call, told of plans, connections, digits and tones.

use super::{exposure_file::ExposureFile, local, reach::Servers, tones};
use crate::{
    media::{
        engine::{AudioChoice, EngineCommand, EngineEvent, Impairment, MediaEngine, NoStats, Tone},
        evidence::{Fault, Span, Timeline, Verdict, verdict},
        ice::RelayAccess,
        plan::MediaPlan,
        security::DtlsIdentity,
        stats::CallStats,
        voice::{Exposure, ExposureRecord, VoiceProcessing},
    },
    ua::api::{CallId, CallInfo, CallState},
};
use jiff::Timestamp;
use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;

mod conference;
pub(super) mod dtmf;
mod recording;
mod silence;

use recording::Recording;

pub(super) struct Media {
    engine: Option<MediaEngine>,
    audio: AudioChoice,
    voice: VoiceProcessing,
    hold_music: Option<PathBuf>,
    exposure: Exposure,
    /// What the ear got before this start, for the engine; a little too much of it when that starts hours later.
    before: Option<(ExposureRecord, Duration)>,
    impairment: Option<Impairment>,
    identity: Option<DtlsIdentity>,
    bound: IpAddr,
    events: mpsc::Sender<EngineEvent>,
    calls: BTreeMap<CallId, Live>,
    /// How each call with audio sounds, and whose fault that was last.
    timelines: BTreeMap<CallId, (Timeline, Fault)>,
    /// What was agreed last for each call with audio.
    plans: BTreeMap<CallId, MediaPlan>,
    /// Calls in which the agent is not to be heard, the engine knowing of them or not.
    muted: BTreeSet<CallId>,
    tone: Option<Tone>,
    /// Calls to be joined as soon as all of them talk.
    joining: Option<Vec<CallId>>,
    /// The engine has orders that it has not been woken for.
    stirred: Cell<bool>,
}

/// A call that has not ended.
struct Live {
    info: CallInfo,
    /// The engine was told that it is connected.
    connected: bool,
    /// Before the answer: whether audio comes, whatever was agreed on; `None` until the engine has told.
    heard: Option<bool>,
    recording: Option<Recording>,
}

impl Media {
    pub(super) fn new(
        (audio, voice, hold_music): (AudioChoice, VoiceProcessing, Option<PathBuf>),
        impairment: Option<Impairment>,
        bound: IpAddr,
        events: mpsc::Sender<EngineEvent>,
    ) -> Self {
        Self {
            engine: None,
            audio,
            voice,
            hold_music,
            exposure: Exposure::default(),
            before: None,
            impairment,
            identity: None,
            bound,
            events,
            calls: BTreeMap::new(),
            timelines: BTreeMap::new(),
            plans: BTreeMap::new(),
            muted: BTreeSet::new(),
            tone: None,
            joining: None,
            stirred: Cell::new(false),
        }
    }

    /// Has the engine look at its orders, at the end of each turn of the loop: a call's answer is several.
    pub(super) fn wake(&self) {
        if let Some(engine) = self.engine.as_ref().filter(|_| self.stirred.take()) {
            engine.wake();
        }
    }

    /// Opens a call's audio ports on the address that `remote` sees.
    pub(super) fn open(&mut self, call: CallId, remote: SocketAddr) -> Result<SocketAddr, String> {
        let ip = local::ip_towards(self.bound, remote)
            .map_err(|e| format!("there is no way to {} ({e}); check your network", remote.ip()))?;
        let muted = self.muted.contains(&call);
        let engine = self.engine()?;
        let opened = engine.open(call, ip).map_err(|e| e.to_string())?;
        if muted {
            engine.queue(EngineCommand::Mute { session: call, on: true });
        }
        self.stirred.set(true);
        Ok(opened)
    }

    /// The certificate for the handshakes of calls.
    pub(super) fn set_identity(&mut self, identity: DtlsIdentity) {
        self.tell(EngineCommand::Identity(identity.clone()));
        self.identity = Some(identity);
    }

    /// Asks servers about a call's port; [`EngineEvent::Seen`] comes in any case.
    pub(super) fn ask_servers(&self, call: CallId, Servers { stun, relay }: Servers) {
        self.tell(EngineCommand::AskServer { session: call, stun, relay });
    }

    /// A call that loses the relay of this name asks it so for another address.
    pub(super) fn exchange_access(&self, name: String, access: RelayAccess) {
        self.tell(EngineCommand::RelayAccess { name, access });
    }

    pub(super) fn plan(&mut self, call: CallId, plan: MediaPlan) {
        self.plans.insert(call, plan.clone());
        self.tell(EngineCommand::Plan { session: call, plan });
    }

    pub(super) fn close(&mut self, call: CallId) {
        self.plans.remove(&call);
        self.tell(EngineCommand::Close { session: call });
    }

    /// `call` is about to take the place of `old`; whether it is muted as that was.
    pub(super) fn take_over(&mut self, call: CallId, old: CallId) -> bool {
        self.muted.contains(&old) && self.muted.insert(call)
    }

    /// Follows a call's state: what is connected, which tone fits.
    pub(super) fn follow(&mut self, info: &CallInfo) {
        let mut answered = false;
        if matches!(info.state, CallState::Ended { .. }) {
            self.calls.remove(&info.call);
            self.muted.remove(&info.call);
        } else {
            let live = self.calls.entry(info.call).or_insert_with(|| Live {
                info: info.clone(),
                connected: false,
                heard: None,
                recording: None,
            });
            live.info = info.clone();
            if info.state.is_answered() && !live.connected {
                (live.connected, answered) = (true, true);
                self.tell(EngineCommand::Connected { session: info.call });
            }
        }
        let tone = match self.tone_of_states() {
            None if tones::is_busy(info) => Some(Tone::Busy),
            None if answered && info.origin.answers_itself => Some(Tone::Answered),
            tone => tone,
        };
        self.play(tone);
    }

    /// Audio of a call that is not answered yet comes, or does not (any more).
    pub(super) fn heard_early(&mut self, call: CallId, comes: bool) {
        let Some(live) = self.calls.get_mut(&call) else { return };
        live.heard = Some(comes);
        if matches!(live.info.state, CallState::Early { .. }) {
            self.play(self.tone_of_states());
        }
    }

    fn tone_of_states(&self) -> Option<Tone> {
        tones::tone(self.calls.values().map(|live| (&live.info, live.heard)), self.tone)
    }

    /// # Errors
    /// A sentence.
    pub(super) fn mute(&mut self, call: CallId, on: bool) -> Result<(), String> {
        self.live(call)?;
        if on {
            self.muted.insert(call);
        } else {
            self.muted.remove(&call);
        }
        self.tell(EngineCommand::Mute { session: call, on });
        Ok(())
    }

    /// Takes in a call's figures; the last ones with `last`. Returns what is to be said of its quality, and how it went.
    pub(super) fn judge(&mut self, call: CallId, stats: &CallStats, last: bool) -> Option<(Verdict, Vec<Span>)> {
        let (timeline, fault) = self.timelines.entry(call).or_insert((Timeline::default(), Fault::Nobody));
        // On hold, or before the answer, a peer may have nothing to say.
        let talks = self.calls.get(&call).is_some_and(|live| live.info.state == CallState::Connected);
        let receives = self.plans.get(&call).is_some_and(|plan| plan.direction.receives());
        if talks && receives {
            timeline.push(stats);
        } else {
            timeline.skip(stats);
        }
        if last {
            let (timeline, _) = self.timelines.remove(&call)?;
            return Some((verdict(&timeline.evidence(true)), timeline.spans().to_vec()));
        }
        let now = verdict(&timeline.evidence(false));
        (std::mem::replace(fault, now.fault) != now.fault).then(|| (now, timeline.spans().to_vec()))
    }

    /// # Errors
    /// A sentence.
    pub(super) fn stats(&self, call: CallId) -> Result<CallStats, String> {
        self.live(call)?;
        let stats = self.engine.as_ref().map_or(Err(NoStats::NoPlan), |engine| engine.stats(call));
        stats.map_err(|why| match why {
            NoStats::NoPlan => format!("Call {call} has no audio yet."),
            NoStats::Late => {
                format!("This computer is too busy to say how call {call} sounds. Close other programs and ask again.")
            }
        })
    }

    /// # Errors
    /// A sentence.
    pub(super) fn audio(&mut self, audio: AudioChoice) -> Result<(), String> {
        self.audio = audio.clone();
        self.engine()?.send(EngineCommand::Audio(audio));
        Ok(())
    }

    pub(super) fn process_voice(&mut self, voice: VoiceProcessing) {
        self.voice = voice;
        self.tell(EngineCommand::Voice(voice));
    }

    pub(super) fn play_on_hold(&mut self, file: Option<PathBuf>) {
        self.hold_music.clone_from(&file);
        self.tell(EngineCommand::Music(file));
    }

    /// # Errors
    /// A sentence.
    pub(super) fn check(&mut self) -> Result<(), String> {
        if !self.calls.is_empty() {
            return Err("The check is for before the shift; end your calls first.".into());
        }
        if !matches!(self.audio, AudioChoice::Device { .. }) {
            return Err("There is no sound card to check; start with --audio device.".into());
        }
        self.engine()?.send(EngineCommand::Check);
        Ok(())
    }

    /// What the ear got of the last day before the program was started.
    pub(super) fn heard_before(&mut self, file: &ExposureFile, now: Timestamp, clock: Instant) {
        self.exposure = file.exposure(now, clock);
        self.before = Some(file.last(now));
    }

    /// As the engine tells it.
    pub(super) const fn exposed(&mut self, exposure: Exposure) {
        self.exposure = exposure;
    }

    /// What the ear got of the last day, up to now; from an engine that is late, as it told last.
    pub(super) fn exposure(&self) -> Exposure {
        self.engine.as_ref().and_then(MediaEngine::exposure).unwrap_or(self.exposure)
    }

    /// # Errors
    /// A sentence.
    pub(super) fn meter(&mut self, on: bool) -> Result<(), String> {
        if on || self.engine.is_some() {
            self.engine()?.send(EngineCommand::Meter { on });
        }
        Ok(())
    }

    /// # Errors
    /// A sentence.
    pub(super) fn test_tone(&mut self, ringer: bool) -> Result<(), String> {
        self.engine()?.send(EngineCommand::Tone { tone: Some(Tone::Test { ringer }) });
        Ok(())
    }

    pub(super) fn shutdown(&mut self) {
        if let Some(engine) = self.engine.take() {
            engine.shutdown();
        }
    }

    fn live(&self, call: CallId) -> Result<&Live, String> {
        self.calls.get(&call).ok_or_else(|| no_call(call))
    }

    fn play(&mut self, tone: Option<Tone>) {
        // Silence and files have nobody to call to the phone.
        if tone == self.tone || !matches!(self.audio, AudioChoice::Device { .. }) {
            return;
        }
        self.tone = tone;
        if tone.is_some()
            && let Err(why) = self.engine()
        {
            tracing::warn!("no tone can be played: {why}");
        }
        self.tell(EngineCommand::Tone { tone });
    }

    fn tell(&self, command: EngineCommand) {
        if let Some(engine) = &self.engine {
            engine.queue(command);
            self.stirred.set(true);
        }
    }

    fn engine(&mut self) -> Result<&MediaEngine, String> {
        let engine = match self.engine.take() {
            Some(engine) => engine,
            None => {
                let events = self.events.clone();
                let started = MediaEngine::start(self.audio.clone(), move |event| {
                    // Figures and levels come again: they leave half of the queue to what is told once. Nothing is waited
                    // for, since the loop may wait for the engine.
                    let comes_again =
                        matches!(event, EngineEvent::Stats { last: false, .. } | EngineEvent::Levels { .. });
                    if !comes_again || events.capacity() > events.max_capacity() / 2 {
                        drop(events.try_send(event));
                    }
                });
                let engine = started.map_err(|e| e.to_string())?;
                engine.send(EngineCommand::Voice(self.voice));
                if self.hold_music.is_some() {
                    engine.send(EngineCommand::Music(self.hold_music.clone()));
                }
                if let Some((before, age)) = self.before.take() {
                    engine.send(EngineCommand::Heard { before, age });
                }
                if self.impairment.is_some() {
                    engine.send(EngineCommand::Impair(self.impairment));
                }
                if let Some(identity) = &self.identity {
                    engine.send(EngineCommand::Identity(identity.clone()));
                }
                engine
            }
        };
        Ok(self.engine.insert(engine))
    }
}

fn no_call(call: CallId) -> String {
    format!("There is no call {call}.")
}

#[cfg(test)]
mod tests;
