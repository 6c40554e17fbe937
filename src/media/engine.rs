//! The media engine: one thread that owns every RTP socket, codec and jitter buffer, between the network and the audio device.
//!
//! ```text
//!            network                        one thread: "media"                               device threads
//!
//!  RTP  ──► UDP socket ─► Impair ─► Latch ─► Receiver ───────────────────────────┐
//!           (a pair                           │ RFC 4733 keys ─► EngineEvent     │ 10 ms blocks, 48 kHz
//!            for each                         │ JitterBuffer ─► Decoder          ▼
//!            session)                         │   conceal, recover, stretch   sum of sessions + Tone
//!                                             └ Resampler                        └► Limiter ─┬─► Card ─► ring ─► speaker callback
//!                                                                                   Exposure ◄┤
//!  RTP  ◄── UDP socket ◄─ Sender ◄─ microphone samples ◄─ Processor (echo, noise, gain) ◄─────┴── Card ◄─ ring ◄─ microphone callback
//!                          │ mute, in-band keys, or RFC 4733 instead
//!                          └ Resampler, Encoder, one packet each 20 ms
//!
//!  RTCP ◄─► UDP socket ◄─► RtcpSession ─► round trip, peer's loss ─► Encoder (FEC), MOS        Ring tone ─► ringer's Card
//! ```
//!
//! In a conference each Sender also gets what the other sessions' Receivers made. A Recorder hears both halves of a session.
//! With SRTP, a Shield opens packets before the Latch and seals them behind the Sender; it runs DTLS over the same socket.
//!
//! The thread sleeps until a packet, an order or the card's next step; it sleeps without end while there is no session, tone
//! or meter. The card's clock drives both halves: samples heard fill packets, samples wanted empty the jitter buffers.

mod audio;
mod conference;
mod orders;
mod passage;
mod ports;
mod recordings;
mod relay;
mod runner;
mod session;
mod sessions;

use super::{
    check,
    ice::RelayAccess,
    plan::{DtlsPlan, MediaPlan},
    record::{Ended, Recorder},
    security::DtlsIdentity,
    stats::CallStats,
    voice::{Exposure, ExposureRecord, VoiceProcessing},
};
pub use relay::{Carrier, RelayServer};
pub use session::SILENCE;

use orders::{Order, Orders};
use ports::PortPair;
use runner::Runner;
use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::{Arc, mpsc},
    thread::JoinHandle,
    time::Duration,
};

/// Names a call's media to the engine; the same number as the call.
pub type SessionId = u32;

/// Where sound comes from and goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AudioChoice {
    /// The sound card through cpal. `None` is the system's default; a name that is absent falls back to the default with a
    /// notice. `alert`: for short notices of other calls, which `None` plays to whoever talks. `alone`: during calls, microphone
    /// and speaker are used past the sound server where they are named and cards of their own, so that no other program is.
    Device {
        microphone: Option<String>,
        speaker: Option<String>,
        ringer: Option<String>,
        alert: Option<String>,
        alone: bool,
    },
    /// Sends silence, plays nothing.
    Null,
    /// A virtual sound card: see the headless contract.
    File { input: PathBuf, output: PathBuf },
    /// The microphone hears what the speaker plays; for a program that echoes.
    Echo,
    /// The microphone hears these samples (48 kHz) over and over, the speaker goes nowhere; for a program that speaks.
    Loop { samples: Arc<[i16]> },
}

/// How digits are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DtmfVia {
    /// RFC 4733 telephone-event.
    Rfc4733,
    /// Tones in the audio.
    Inband,
}

/// Sounds that belong to no call's audio. Ringing goes to the ringer device, what happens beside a call to the alert device where one
/// is chosen, the others to the talk device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// An incoming call.
    Ring,
    /// A second call while one is up: short beeps.
    CallWaiting,
    /// The far end rings, and nothing is heard of it.
    Ringback,
    /// Busy or congestion, for a few seconds.
    Busy,
    /// A call has answered itself: heard by whoever sits here, before they say what is not meant for the other side.
    Answered,
    /// A call is recorded: both sides hear it, four times a minute.
    Recording,
    /// "Test" in the audio settings: a short pleasant tone on the talk device, on the ringer when `ringer`.
    Test { ringer: bool },
}

/// Orders to the engine; they return at once.
#[derive(Debug)]
pub enum EngineCommand {
    /// Start or change a session's media; sessions without a plan hold their sockets only.
    Plan {
        session: SessionId,
        plan: MediaPlan,
    },
    /// The call is connected (the file card's tape starts at the first of these).
    Connected {
        session: SessionId,
    },
    Mute {
        session: SessionId,
        on: bool,
    },
    /// Each of these hears all the others and us; fewer than two end the conference.
    Conference {
        sessions: Vec<SessionId>,
    },
    /// Record from now on, or with `None` not any more.
    Record {
        session: SessionId,
        recorder: Option<Recorder>,
    },
    Dtmf {
        session: SessionId,
        digits: String,
        via: DtmfVia,
    },
    Close {
        session: SessionId,
    },
    /// `None` stops it.
    Tone {
        tone: Option<Tone>,
    },
    Audio(AudioChoice),
    /// What the microphone's sound goes through from now on; at first nothing.
    Voice(VoiceProcessing),
    /// What the ear got before, as [`EngineEvent::Exposure`] told it so long ago.
    Heard {
        before: ExposureRecord,
        age: Duration,
    },
    /// Ask a STUN server how it sees the session's RTP port, and a relay for an address: [`EngineEvent::Seen`] comes within half
    /// a second, with a relay within one.
    AskServer {
        session: SessionId,
        stun: Option<SocketAddr>,
        relay: Option<RelayServer>,
    },
    /// How sessions that lose an address of the relay of this name are let in for another. One that is lent is kept with what it
    /// was lent for (RFC 8656 §5).
    RelayAccess {
        name: String,
        access: RelayAccess,
    },
    /// The certificate for handshakes of calls that begin from now on.
    Identity(DtlsIdentity),
    /// Meters: report [`EngineEvent::Levels`] 15 times a second while on (also outside a call, opening the microphone).
    Meter {
        on: bool,
    },
    /// What whoever is on hold hears: a WAV file, or nothing.
    Music(Option<PathBuf>),
    /// Begin the check before the shift; a session ends it.
    Check,
    /// Damage incoming RTP, repeatably: see the headless contract.
    Impair(Option<Impairment>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Impairment {
    pub loss_percent: f64,
    /// Mean length of a loss in packets, at least 1; `None`: each packet is lost by itself.
    pub burst: Option<f64>,
    pub delay_ms: u32,
    pub jitter_ms: u32,
    pub seed: u64,
}

#[derive(Clone, Debug)]
pub enum EngineEvent {
    /// A digit from the peer by RFC 4733, once per key press.
    Dtmf {
        session: SessionId,
        digit: char,
    },
    /// Once a second while a session has a plan, and a last one after `Close`.
    Stats {
        session: SessionId,
        stats: CallStats,
        last: bool,
    },
    /// How far the check before the shift is.
    Check(check::Step),
    /// Peaks since the last, 0.0–1.0.
    Levels {
        microphone: f32,
        speaker: f32,
    },
    /// The devices that exist and those in use, after a change.
    Devices(DeviceList),
    Notice(Notice),
    /// A recording of the session is over, told once for each: its file is complete, or all there will be of it.
    Recorded {
        session: SessionId,
        ended: Ended,
    },
    /// A connected session has heard nothing of its peer, neither RTP nor RTCP, for [`SILENCE`]; told `again` every 30 s as
    /// long as it lasts. On hold a peer may have nothing to say. `unreadable`: audio comes that cannot be authenticated.
    Silent {
        session: SessionId,
        again: bool,
        unreadable: bool,
    },
    /// The peer of a connected session answers no checks any more, so that it is not sent to (RFC 7675 §5.1); told `again` every 30 s
    /// as long as it lasts. Other checks, of another plan, may find a way.
    ConsentLost {
        session: SessionId,
        again: bool,
    },
    /// Audio of a session that is not connected comes, or does not (any more); told first within half a second of its plan, and not
    /// while its sender pauses for less than 5 s.
    EarlyMedia {
        session: SessionId,
        comes: bool,
    },
    /// The other side of a call in a conference has begun to speak, or is quiet.
    Speaks {
        session: SessionId,
        on: bool,
    },
    /// Somebody talks into the microphone while the session is muted.
    TalksMuted {
        session: SessionId,
    },
    /// What the ear got of the last 24 hours; once a minute of sound, and when the last session closes.
    Exposure(Exposure, ExposureRecord),
    /// How the STUN server sees the session's RTP port, and a relay's address for it, as far as they said so.
    Seen {
        session: SessionId,
        reflexive: Option<SocketAddr>,
        relayed: Option<SocketAddr>,
    },
    /// The same in the midst of a call: a relay lends it another address in the place of one that was lost.
    SeenAnew {
        session: SessionId,
        reflexive: Option<SocketAddr>,
        relayed: Option<SocketAddr>,
    },
    /// The handshake for the keys that `plan` asks for is done, or has failed: a sentence. The session may have another plan
    /// meanwhile.
    Secured {
        session: SessionId,
        plan: DtlsPlan,
        result: Result<(), String>,
    },
    /// All queued digits of one `Dtmf` command are sent.
    DtmfSent {
        session: SessionId,
    },
}

/// Something a person should know, in a sentence: "The headset was unplugged; using …".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub severity: Severity,
    pub text: String,
}

impl Notice {
    /// Something is wrong; what and the way out.
    pub fn warning(text: String) -> Self {
        Self { severity: Severity::Warning, text }
    }
}

/// Whether something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// No longer, or never: good to know.
    Info,
    Warning,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceList {
    pub microphones: Vec<String>,
    pub speakers: Vec<String>,
    /// Names in use now; `None` while closed or absent.
    pub microphone: Option<String>,
    pub speaker: Option<String>,
    pub ringer: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    #[error("no free port pair for audio between {from} and {to}: close other calls or programs and try again")]
    NoPorts { from: u16, to: u16 },
    #[error("cannot open an audio port on {ip} ({source}); check the network connection and call again")]
    Bind { ip: IpAddr, source: std::io::Error },
    #[error("cannot start the audio engine ({0}); close other programs and try again")]
    Thread(std::io::Error),
    #[error("the audio engine has stopped; quit and start Agent Manager again")]
    Stopped,
    #[error("cannot use {path}: {why}")]
    File { path: PathBuf, why: String },
}

/// Why there are no figures of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoStats {
    #[error("it has no audio yet")]
    NoPlan,
    #[error("the engine's thread is late")]
    Late,
}

/// Handle to the engine's thread. Dropping it does not stop the engine; [`MediaEngine::shutdown`] does and waits.
pub struct MediaEngine {
    orders: Orders,
    thread: JoinHandle<()>,
}

impl MediaEngine {
    /// Starts the engine's thread. `events` is called on that thread and must return at once (it sends into a channel). Opens
    /// no device until one is needed.
    pub fn start(audio: AudioChoice, events: impl Fn(EngineEvent) + Send + 'static) -> Result<Self, MediaError> {
        let (runner, orders) = Runner::new(audio, Box::new(events))?;
        let thread =
            std::thread::Builder::new().name("media".into()).spawn(|| runner.run()).map_err(MediaError::Thread)?;
        Ok(Self { orders, thread })
    }

    /// Binds an RTP/RTCP port pair (even port, RTCP one above) on `local_ip` and hands the sockets to the engine. Returns at
    /// once with the RTP address. The engine sees to them once it is woken, as by [`MediaEngine::send`].
    pub fn open(&self, session: SessionId, local_ip: IpAddr) -> Result<SocketAddr, MediaError> {
        let pair = PortPair::bind(local_ip)?;
        let address = pair.address;
        self.orders.queue(Order::Open(session, pair)).then_some(address).ok_or(MediaError::Stopped)
    }

    /// Hands over a command; one for a session that is not open does nothing.
    pub fn send(&self, command: EngineCommand) {
        self.orders.send(Order::Command(command));
    }

    /// The same for one of several, behind the last of which is [`MediaEngine::wake`].
    pub fn queue(&self, command: EngineCommand) {
        self.orders.queue(Order::Command(command));
    }

    /// Has the thread look at what is queued.
    pub fn wake(&self) {
        self.orders.wake();
    }

    /// Figures of a session now.
    ///
    /// # Errors
    /// There are none.
    pub fn stats(&self, session: SessionId) -> Result<CallStats, NoStats> {
        self.ask(|answer| Order::Stats(session, answer)).ok_or(NoStats::Late)?.ok_or(NoStats::NoPlan)
    }

    /// What the ear got of the last day, up to now. `None`: the engine's thread is late.
    pub fn exposure(&self) -> Option<Exposure> {
        self.ask(Order::AskExposure)
    }

    /// Waits for the engine's thread, which takes about a millisecond.
    fn ask<T>(&self, order: impl FnOnce(mpsc::SyncSender<T>) -> Order) -> Option<T> {
        let (answer, answered) = mpsc::sync_channel(1);
        self.orders.send(order(answer));
        answered.recv_timeout(Duration::from_millis(250)).ok()
    }

    /// Stops sending, finishes the recording, joins the thread; within 500 ms.
    pub fn shutdown(self) {
        if self.orders.send(Order::Stop) {
            // The engine never blocks, so it gets there.
            let _ = self.thread.join();
        }
    }
}
