//! One direction of a sound card through cpal. A stream lives on a thread of its own that can be abandoned: when a sound
//! server dies, closing a stream may never return.

use super::{
    callback::{Feeder, Taker},
    names::{self, Found, Instead, Way},
    sound_server::{self, Placed, Released, Standard},
};
use cpal::{
    BufferSize, FromSample, SampleFormat, SizedSample, StreamConfig, SupportedBufferSize, SupportedStreamConfig,
    traits::{DeviceTrait, StreamTrait},
};
use rtrb::{Consumer, Producer, RingBuffer};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
        mpsc,
    },
    time::Duration,
};

/// Samples a ring holds: half a second at 96 kHz.
const RING: usize = 48_000;
/// Sample rates that are converted, in Hz.
const RATES: std::ops::RangeInclusive<u32> = 1_000..=384_000;

/// How often, and how many times after a lost buffer, a stream's place is looked after.
const LOOK: Duration = Duration::from_millis(250);
const LOOKS: u32 = 4;

/// How often, and how long in between, a card is asked for that is busy: whoever gave it up may still be at it.
const ASKED: u32 = 3;
const BUSY: Duration = Duration::from_millis(200);

/// Which device is to be opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// `None`: the default one.
    pub name: Option<String>,
    /// Past the sound server, so that nobody else uses it meanwhile; needs a name.
    pub alone: bool,
}

/// A stream that plays or records.
struct Running {
    stream: cpal::Stream,
    /// Where the server has put it.
    placed: Option<Placed>,
    opened: Opened,
    /// Given back after the stream.
    released: Option<Released>,
}

/// Taken at a time, in milliseconds; a card keeps two of them.
const TALKING: u32 = 10;
const RINGING: u32 = 50;

/// What the callbacks report; each field has one writer.
#[derive(Debug, Default)]
pub struct Flow {
    /// The stream failed and will not recover.
    pub failed: AtomicBool,
    /// Errors so far that may pass.
    pub errors: AtomicU32,
    /// Buffers lost so far.
    pub lost: AtomicU32,
    /// Callbacks so far: that they go on shows that the stream lives.
    pub callbacks: AtomicU32,
    /// Frames in the largest callback, which is not what was asked for.
    pub period: AtomicU32,
    /// Callbacks for which there were too few samples.
    pub starved: AtomicU32,
}

/// A stream that was opened.
#[derive(Clone, Debug)]
pub struct Opened {
    /// As in the list of devices.
    pub name: String,
    /// What is used now where no device is chosen, as far as that is known.
    pub standard: Standard,
    /// Why this is the default, and not the one asked for.
    pub instead: Option<Instead>,
    /// Hz.
    pub rate: u32,
}

/// The engine's end of a stream. Dropping it closes the stream, without waiting.
#[derive(Debug)]
pub struct Link<End> {
    pub flow: Arc<Flow>,
    pub ring: End,
    /// Says once whether the stream could be opened; errors are for people.
    pub opened: mpsc::Receiver<Result<Opened, String>>,
    _stop: mpsc::SyncSender<()>,
}

/// Starts playing on the device wanted, else on the default one.
pub fn speaker(wanted: Wanted) -> Link<Producer<f32>> {
    let (ring, played) = RingBuffer::new(RING);
    link(ring, move |flow, awaited| open_speaker(&wanted, played, (flow, awaited), TALKING))
}

/// The same for ringing, which nobody answers in the same breath: it may be late, and so seldom breaks off.
pub fn bell(wanted: Wanted) -> Link<Producer<f32>> {
    let (ring, played) = RingBuffer::new(RING);
    link(ring, move |flow, awaited| open_speaker(&wanted, played, (flow, awaited), RINGING))
}

/// Starts recording from the device wanted, else from the default one.
pub fn microphone(wanted: Wanted) -> Link<Consumer<f32>> {
    let (heard, ring) = RingBuffer::new(RING);
    link(ring, move |flow, awaited| open_microphone(&wanted, heard, (flow, awaited)))
}

/// A link without a stream; the test plays the device.
#[cfg(test)]
pub fn simulated<End>(ring: End, opened: Result<Opened, String>) -> Link<End> {
    let (tell, told) = mpsc::sync_channel(1);
    tell.send(opened).expect("there is room");
    Link { flow: Arc::default(), ring, opened: told, _stop: mpsc::sync_channel(1).0 }
}

/// Whether the engine still waits for what is opened.
type Awaited<'a> = &'a dyn Fn() -> bool;

fn link<End>(
    ring: End,
    open: impl FnOnce(Arc<Flow>, Awaited<'_>) -> Result<Running, String> + Send + 'static,
) -> Link<End> {
    let flow = Arc::new(Flow::default());
    let (stop, stopped) = mpsc::sync_channel::<()>(1);
    let (tell, opened) = mpsc::sync_channel(1);
    let (for_thread, watched) = (flow.clone(), flow.clone());
    let body = move || {
        let _quiet = names::quiet();
        match open(for_thread, &|| stopped.try_recv() != Err(mpsc::TryRecvError::Disconnected)) {
            Ok(Running { stream, placed, opened, released }) => {
                let _ = tell.send(Ok(opened));
                wait(&stopped, &watched, placed);
                drop(stream);
                drop(released);
            }
            Err(why) => drop(tell.send(Err(why))),
        }
    };
    // Without a thread `opened` is disconnected, which reads as a failure.
    let _ = std::thread::Builder::new().name("audio stream".into()).spawn(body);
    Link { flow, ring, opened, _stop: stop }
}

/// Until the engine drops its end. A stream that has lost something may have been begun anew, elsewhere than it was placed.
fn wait(stopped: &mpsc::Receiver<()>, flow: &Flow, placed: Option<Placed>) {
    let Some(mut placed) = placed else {
        let _ = stopped.recv();
        return;
    };
    let trouble = || flow.lost.load(Relaxed).wrapping_add(flow.errors.load(Relaxed));
    let (mut seen, mut looks) = (0, 0);
    while stopped.recv_timeout(LOOK) == Err(mpsc::RecvTimeoutError::Timeout) {
        let now = trouble();
        if std::mem::replace(&mut seen, now) != now {
            looks = LOOKS;
        }
        if looks > 0 {
            looks -= 1;
            placed.keep();
        }
    }
}

fn open_speaker(
    wanted: &Wanted,
    ring: Consumer<f32>,
    (flow, awaited): (Arc<Flow>, Awaited<'_>),
    at_a_time_ms: u32,
) -> Result<Running, String> {
    let (found, default) = find(wanted, Way::Out, |device| device.default_output_config())?;
    open(found, (Way::Out, awaited), taking(at_a_time_ms, &default), |device, config| match default.sample_format() {
        SampleFormat::I16 => play::<i16>(device, config, ring, flow),
        SampleFormat::I32 => play::<i32>(device, config, ring, flow),
        _ => play::<f32>(device, config, ring, flow),
    })
}

fn open_microphone(
    wanted: &Wanted,
    ring: Producer<f32>,
    (flow, awaited): (Arc<Flow>, Awaited<'_>),
) -> Result<Running, String> {
    let (found, default) = find(wanted, Way::In, |device| device.default_input_config())?;
    open(found, (Way::In, awaited), taking(TALKING, &default), |device, config| match default.sample_format() {
        SampleFormat::I16 => record::<i16>(device, config, ring, flow),
        SampleFormat::I32 => record::<i32>(device, config, ring, flow),
        _ => record::<f32>(device, config, ring, flow),
    })
}

/// The device wanted, and what it says of itself when asked. For a card of which another program will not let go there is the default.
fn find(
    wanted: &Wanted,
    way: Way,
    ask: impl Fn(&cpal::Device) -> Result<SupportedStreamConfig, cpal::Error>,
) -> Result<((Found, Option<Released>), SupportedStreamConfig), String> {
    if let (Some(name), true) = (&wanted.name, wanted.alone) {
        let found = names::find_card(name, way)?;
        let asked = patiently(|| ask(&found.0.device)).map_err(|e| words(&e))?;
        return Ok((found, asked));
    }
    let found = names::find(wanted.name.as_deref(), way)?;
    match patiently(|| ask(&found.device)) {
        Err(e) if is_busy(&e) && wanted.name.is_some() && found.instead.is_none() => {
            let default = Found { instead: Some(Instead::Busy), ..names::find(None, way)? };
            let asked = ask(&default.device).map_err(|_| words(&e))?;
            Ok(((default, None), asked))
        }
        asked => Ok(((found, None), asked.map_err(|e| words(&e))?)),
    }
}

/// Asks again while the device is busy.
fn patiently<T>(ask: impl Fn() -> Result<T, cpal::Error>) -> Result<T, cpal::Error> {
    let mut asked = ask();
    for _ in 1..ASKED {
        if asked.as_ref().is_err_and(is_busy) {
            std::thread::sleep(BUSY);
            asked = ask();
        }
    }
    asked
}

fn is_busy(error: &cpal::Error) -> bool {
    error.kind() == cpal::ErrorKind::DeviceBusy
}

fn words(error: &cpal::Error) -> String {
    match error.kind() {
        cpal::ErrorKind::DeviceBusy => "another program is using it".to_owned(),
        _ => error.to_string(),
    }
}

/// Builds the stream, starts it, and has the sound server move it where it belongs.
fn open(
    (found, released): (Found, Option<Released>),
    (way, awaited): (Way, Awaited<'_>),
    config: StreamConfig,
    build: impl FnOnce(&cpal::Device, StreamConfig) -> Result<cpal::Stream, cpal::Error>,
) -> Result<Running, String> {
    if !RATES.contains(&config.sample_rate) {
        return Err(format!("it works at {} Hz, which no call can use", config.sample_rate));
    }
    let start = || build(&found.device, config).and_then(|stream| stream.play().map(|()| stream));
    let (stream, placed) = match &found.server_id {
        Some(id) => sound_server::open_on(way, id, awaited, start).ok_or("nobody waits for it any more")?,
        None => (start(), None),
    };
    let stream = stream.map_err(|e| words(&e))?;
    if matches!(found.standard, Standard::Other(_)) && !placed.as_ref().is_some_and(Placed::is_there) {
        return Err("the sound server takes what is played for it".to_owned());
    }
    let Found { name, standard, instead, .. } = found;
    let opened = Opened { name, standard, instead, rate: config.sample_rate };
    Ok(Running { stream, placed, opened, released })
}

/// Asks for so much at a time, or what the device can do next to it.
fn taking(ms: u32, default: &SupportedStreamConfig) -> StreamConfig {
    let wanted = default.sample_rate() / 1000 * ms;
    let frames = match *default.buffer_size() {
        SupportedBufferSize::Range { min, max } if min <= max => wanted.clamp(min, max),
        SupportedBufferSize::Range { .. } | SupportedBufferSize::Unknown => wanted,
    };
    StreamConfig { buffer_size: BufferSize::Fixed(frames), ..default.config() }
}

fn play<T: SizedSample + FromSample<f32>>(
    device: &cpal::Device,
    config: StreamConfig,
    ring: Consumer<f32>,
    flow: Arc<Flow>,
) -> Result<cpal::Stream, cpal::Error> {
    let failed = flow.clone();
    let mut feeder = Feeder::new(ring, flow, config.channels);
    let callback = move |data: &mut [T], _: &cpal::OutputCallbackInfo| feeder.fill(data);
    // When the sound server dies this is called without pause.
    device.build_output_stream(config, callback, move |error| note(&failed, &error), None)
}

fn record<T: SizedSample>(
    device: &cpal::Device,
    config: StreamConfig,
    ring: Producer<f32>,
    flow: Arc<Flow>,
) -> Result<cpal::Stream, cpal::Error>
where
    f32: FromSample<T>,
{
    let failed = flow.clone();
    let mut taker = Taker::new(ring, flow, config.channels);
    let callback = move |data: &[T], _: &cpal::InputCallbackInfo| taker.take(data);
    device.build_input_stream(config, callback, move |error| note(&failed, &error), None)
}

/// A lost buffer is no failure. PulseAudio's plugin for ALSA answers EIO for some milliseconds while a stream begins and after
/// a lost buffer: whether that passes, time tells. Anything else is a failure.
fn note(flow: &Flow, error: &cpal::Error) {
    match error.kind() {
        cpal::ErrorKind::RealtimeDenied => {}
        cpal::ErrorKind::Xrun => drop(flow.lost.fetch_add(1, Relaxed)),
        cpal::ErrorKind::BackendError => drop(flow.errors.fetch_add(1, Relaxed)),
        _ => flow.failed.store(true, Relaxed),
    }
}
