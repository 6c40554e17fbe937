//! A call's recording: what we say on the left, what the other side says on the right, complete to within half a second
//! whenever the machine stops, and the user's alone. The file is written on a thread of its own, since disks wait and audio does
//! not; that thread outlives the call until the file is complete.

mod file;
mod ogg;
mod place;

use super::{
    BLOCK, SAMPLE_RATE,
    engine::{MediaError, Notice},
};
use file::{Fault, Recording};
pub use place::new_file;
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    time::Duration,
};

/// Pieces that may wait for the disk: some ten seconds.
const QUEUE: usize = 1_024;
/// One direction may be ahead of the other by so much; then the other was silent.
const LEAD: usize = SAMPLE_RATE as usize / 5;

/// Records one call.
pub struct Recorder {
    ours: Vec<f32>,
    theirs: Vec<f32>,
    /// `None` once the disk has failed.
    queue: Option<SyncSender<Vec<f32>>>,
    /// Both sides are to hear a tone meanwhile.
    has_tone: bool,
    writer: Writer,
    /// That a piece did not get to the disk was told.
    told: bool,
}

/// What is wrong with a recording.
#[derive(Debug)]
pub struct Trouble {
    pub notice: Notice,
    /// Nothing more is recorded.
    pub is_over: bool,
}

/// The thread that writes, which ends soon after its queue.
pub struct Writer {
    /// Says why it failed, if it did; disconnected once it has ended.
    failure: Receiver<Fault>,
    file: PathBuf,
    /// A piece did not get to the disk, which is not told yet.
    has_gaps: bool,
}

impl Recorder {
    /// Begins a file, Opus or WAV by its name's ending; one that exists is left alone. Whether both sides hear a `tone` every 15 s is
    /// marked in it.
    ///
    /// # Errors
    /// Why there can be no such file.
    pub fn create(path: &Path, tone: bool) -> Result<Self, MediaError> {
        let unusable = |why: String| MediaError::File { path: path.to_owned(), why };
        let recorder = Self::start(Recording::create(path, mark(tone)).map_err(unusable)?, path)?;
        Ok(Self { has_tone: tone, ..recorder })
    }

    pub const fn has_tone(&self) -> bool {
        self.has_tone
    }

    /// Which recording this is.
    pub fn file(&self) -> &Path {
        &self.writer.file
    }

    fn start(recording: Recording, path: &Path) -> Result<Self, MediaError> {
        let (queue, pieces) = sync_channel(QUEUE);
        let (failed, failure) = sync_channel(1);
        std::thread::Builder::new()
            .name("recording".into())
            .spawn(move || {
                if let Err(why) = write(recording, &pieces) {
                    let _ = failed.send(why);
                }
            })
            .map_err(MediaError::Thread)?;
        let writer = Writer { failure, file: path.to_owned(), has_gaps: false };
        Ok(Self { ours: Vec::new(), theirs: Vec::new(), queue: Some(queue), has_tone: false, writer, told: false })
    }

    /// What we sent.
    pub fn said(&mut self, samples: &[f32]) {
        self.ours.extend_from_slice(samples);
        self.pass_on(false);
    }

    /// What we heard.
    pub fn heard(&mut self, samples: &[f32]) {
        self.theirs.extend_from_slice(samples);
        self.pass_on(false);
    }

    /// The recording has failed, or has gaps: each told once.
    pub fn poll_trouble(&mut self) -> Option<Trouble> {
        if let Ok(why) = self.writer.failure.try_recv() {
            self.queue = None;
            return Some(Trouble { notice: self.writer.failed(&why), is_over: true });
        }
        let news = std::mem::take(&mut self.writer.has_gaps) && !std::mem::replace(&mut self.told, true);
        news.then(|| Trouble { notice: self.writer.gaps(), is_over: false })
    }

    /// To a disk that is full.
    #[cfg(all(test, target_os = "linux"))]
    pub fn to_a_full_disk() -> Self {
        let full = std::fs::File::options().write(true).open("/dev/full").expect("Linux has one");
        let (channels, sample_format) = (2, hound::SampleFormat::Int);
        let spec = hound::WavSpec { channels, sample_rate: SAMPLE_RATE, bits_per_sample: 16, sample_format };
        // The header stays in the buffer, as it does while a disk fills up.
        let file = std::io::BufWriter::with_capacity(1 << 16, full);
        let writer = hound::WavWriter::new(file, spec).expect("a header");
        Self::start(Recording::Wav { writer, since_complete: 0, mark: None }, Path::new("call.wav")).expect("a thread")
    }

    /// Hands the rest over; the file is complete once the writer has ended. Returns at once.
    pub fn finish(mut self) -> Writer {
        self.pass_on(true);
        self.writer.has_gaps &= !self.told;
        // The writer ends with its queue.
        self.queue = None;
        self.writer
    }

    /// Hands over what both directions have; with `all`, what one of them has.
    fn pass_on(&mut self, all: bool) {
        let (least, most) = (self.ours.len().min(self.theirs.len()), self.ours.len().max(self.theirs.len()));
        let count = if all { most } else { least.max(most.saturating_sub(LEAD)) };
        if count == 0 || count < BLOCK && !all {
            return;
        }
        for side in [&mut self.ours, &mut self.theirs] {
            side.resize(side.len().max(count), 0.0);
        }
        let piece = self.ours.drain(..count).zip(self.theirs.drain(..count)).flat_map(|(l, r)| [l, r]).collect();
        if let Some(queue) = &self.queue {
            // A disk that is ten seconds behind loses a piece; the call goes on.
            self.writer.has_gaps |= matches!(queue.try_send(piece), Err(TrySendError::Full(_)));
        }
    }
}

impl Writer {
    /// Waits so long for the file to be complete. `None`: it is not yet; else what there is to say of it.
    pub fn wait(&self, patience: Duration) -> Option<Option<Notice>> {
        match self.failure.recv_timeout(patience) {
            Ok(why) => Some(Some(self.failed(&why))),
            Err(RecvTimeoutError::Disconnected) => Some(self.has_gaps.then(|| self.gaps())),
            Err(RecvTimeoutError::Timeout) => None,
        }
    }

    fn failed(&self, fault: &Fault) -> Notice {
        let file = self.file.display();
        Notice::warning(match fault {
            Fault::Sound(why) => format!("The recording {file} stopped ({why}); free some space and start another."),
            Fault::Mark(why) => format!(
                "The recording {file} is complete, but does not say whether there was a recording tone ({why}); make a \
                 note of that, and free some space."
            ),
        })
    }

    fn gaps(&self) -> Notice {
        Notice::warning(format!(
            "The disk is too slow for the recording {}: parts of it are missing. Close programs that write much, or record \
             elsewhere.",
            self.file.display()
        ))
    }
}

/// What stands in the file.
const fn mark(tone: bool) -> &'static str {
    match tone {
        true => "Both sides of a call, ours on the left. Both heard a recording tone every 15 seconds.",
        false => "Both sides of a call, ours on the left. There was no recording tone.",
    }
}

fn write(mut recording: Recording, pieces: &Receiver<Vec<f32>>) -> Result<(), Fault> {
    for piece in pieces {
        recording.write(&piece).map_err(Fault::Sound)?;
    }
    recording.finish()
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("file", &self.writer.file).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::dsp::tone_share;

    fn tone(hz: f32, from: usize, count: usize) -> Vec<f32> {
        let at = |n: usize| 0.3 * (n as f32 * hz * 2.0 * std::f32::consts::PI / SAMPLE_RATE as f32).sin();
        (from..from + count).map(at).collect()
    }

    /// Two seconds of conversation, our half ending after one.
    fn record(path: &Path) {
        let mut recorder = Recorder::create(path, false).unwrap();
        for n in 0..200 {
            if n < 100 {
                recorder.said(&tone(440.0, n * BLOCK, BLOCK));
            }
            recorder.heard(&tone(1_000.0, n * BLOCK, BLOCK));
        }
        assert!(recorder.poll_trouble().is_none());
        assert_eq!(recorder.finish().wait(Duration::from_secs(30)), Some(None));
    }

    #[test]
    fn a_wav_has_one_side_a_channel() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("call.wav");
        record(&path);
        let samples: Vec<f32> =
            hound::WavReader::open(&path).unwrap().samples::<i16>().map(|s| f32::from(s.unwrap()) / 32_768.0).collect();
        assert_eq!(samples.len(), 2 * 96_000);
        let side = |n| samples.iter().skip(n).step_by(2).copied().collect::<Vec<_>>();
        assert!(tone_share(&side(0)[..48_000], 440.0, SAMPLE_RATE) > 0.99);
        assert!(tone_share(&side(1), 1_000.0, SAMPLE_RATE) > 0.99);
        assert!(side(0)[48_000..].iter().all(|sample| *sample == 0.0));
    }

    #[test]
    fn a_file_says_whether_there_was_a_tone() {
        let dir = tempfile::tempdir().unwrap();
        for (tone, said) in [(true, "heard a recording tone"), (false, "no recording tone")] {
            for ending in ["wav", "opus"] {
                let path = dir.path().join(format!("{tone}.{ending}"));
                let mut recorder = Recorder::create(&path, tone).unwrap();
                assert_eq!(recorder.has_tone(), tone);
                recorder.heard(&self::tone(440.0, 0, SAMPLE_RATE as usize));
                assert_eq!(recorder.finish().wait(Duration::from_secs(30)), Some(None));
                let bytes = std::fs::read(&path).unwrap();
                assert!(String::from_utf8_lossy(&bytes).contains(said), "{}", path.display());
                if ending == "wav" {
                    assert_eq!(bytes[4..8], (bytes.len() as u32 - 8).to_le_bytes(), "the mark is a part of it");
                    assert_eq!(hound::WavReader::open(&path).unwrap().duration(), SAMPLE_RATE);
                }
            }
        }
    }

    #[test]
    fn an_opus_file_can_be_decoded() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("call.opus");
        record(&path);
        let bytes = std::fs::read(&path).unwrap();
        let mut decoder = opusic_c::Decoder::new(opusic_c::Channels::Stereo, opusic_c::SampleRate::Hz48000).unwrap();
        let (mut at, mut pages, mut samples) = (0, 0, Vec::new());
        while at < bytes.len() {
            assert_eq!(&bytes[at..at + 4], b"OggS");
            let segments = usize::from(bytes[at + 26]);
            let (lacing, mut body) = (&bytes[at + 27..at + 27 + segments], at + 27 + segments);
            let mut length = 0;
            for &part in lacing {
                length += usize::from(part);
                if part < 255 {
                    if pages >= 2 {
                        let mut frame = vec![0.0; 1_920];
                        let packet = &bytes[body..body + length];
                        assert_eq!(decoder.decode_float_to_slice(packet, &mut frame, false).unwrap(), 960);
                        samples.extend(frame);
                    }
                    (body, length) = (body + length, 0);
                }
            }
            (at, pages) = (body, pages + 1);
        }
        assert!((2 * 96_000..2 * 98_000).contains(&samples.len()), "{}", samples.len());
        let side = |n| samples.iter().skip(n).step_by(2).copied().collect::<Vec<_>>();
        assert!(tone_share(&side(0)[4_800..43_200], 440.0, SAMPLE_RATE) > 0.9);
        assert!(tone_share(&side(1)[4_800..91_200], 1_000.0, SAMPLE_RATE) > 0.9);
    }

    #[test]
    fn a_file_that_cannot_be_is_refused_in_words() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("there.wav"), "mine").unwrap();
        for (name, said) in
            [("there.wav", "exists already"), ("x.mp3", ".opus or .wav"), ("no/such/folder.opus", "can be written")]
        {
            let refused = Recorder::create(&dir.path().join(name), false).unwrap_err().to_string();
            assert!(refused.contains(said), "{refused}");
        }
        assert_eq!(std::fs::read(dir.path().join("there.wav")).unwrap(), b"mine");
    }

    #[cfg(unix)]
    #[test]
    fn what_was_said_is_nobody_else_s_to_read() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        for name in ["call.wav", "call.opus"] {
            record(&dir.path().join(name));
            assert_eq!(dir.path().join(name).metadata().unwrap().permissions().mode() & 0o777, 0o600, "{name}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_disk_that_fills_up_in_mid_call_is_told_once() {
        let mut recorder = Recorder::to_a_full_disk();
        let end = std::time::Instant::now() + Duration::from_secs(30);
        let told = loop {
            recorder.heard(&tone(440.0, 0, BLOCK));
            if let Some(Trouble { notice, is_over: true }) = recorder.poll_trouble() {
                break notice.text;
            }
            assert!(std::time::Instant::now() < end, "nothing is said");
            std::thread::yield_now();
        };
        assert!(told.contains("call.wav") && told.contains("No space left"), "{told}");
        assert!(told.ends_with("free some space and start another."), "{told}");
        recorder.heard(&tone(440.0, 0, BLOCK));
        assert!(recorder.poll_trouble().is_none(), "once");
        assert_eq!(recorder.finish().wait(Duration::from_secs(30)), Some(None));
    }

    #[test]
    fn pieces_that_a_slow_disk_does_not_take_are_told_once() {
        let dir = tempfile::tempdir().unwrap();
        let mut recorder = Recorder::create(&dir.path().join("call.wav"), false).unwrap();
        // It takes nothing.
        let (pieces, _taken) = sync_channel(QUEUE);
        let real = recorder.queue.replace(pieces);
        let second = tone(440.0, 0, BLOCK);
        let mut told = Vec::new();
        for n in 0..2 * QUEUE {
            recorder.said(&second);
            recorder.heard(&second);
            told.extend(recorder.poll_trouble().map(|trouble| (n, trouble)));
        }
        let [(when, Trouble { notice, is_over: false })] = &told[..] else { panic!("{told:?}") };
        assert!(*when == QUEUE && notice.text.contains("parts of it are missing"), "{when}: {}", notice.text);
        drop(real);
        assert_eq!(recorder.finish().wait(Duration::from_secs(30)), Some(None), "it was told");
    }

    #[test]
    fn a_piece_that_is_missing_at_the_very_end_is_told_once_the_rest_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let mut recorder = Recorder::create(&dir.path().join("call.wav"), false).unwrap();
        // It takes nothing, and has taken all before.
        let (pieces, _taken) = sync_channel(0);
        let real = recorder.queue.replace(pieces);
        recorder.said(&tone(440.0, 0, BLOCK));
        assert!(recorder.poll_trouble().is_none(), "it waits for the other side");
        let writer = recorder.finish();
        assert_eq!(writer.wait(Duration::ZERO), None);
        drop(real);
        let told = writer.wait(Duration::from_secs(30)).flatten().expect("a sentence").text;
        assert!(told.contains("parts of it are missing"), "{told}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_without_its_mark_is_no_failed_recording() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("call.wav");
        let Ok(Recording::Wav { writer, since_complete, .. }) = Recording::create(&path, mark(true)) else { panic!() };
        let full = std::fs::File::options().write(true).open("/dev/full").expect("Linux has one");
        let recording = Recording::Wav { writer, since_complete, mark: Some((mark(true), full)) };
        let mut recorder = Recorder::start(recording, &path).unwrap();
        recorder.heard(&tone(440.0, 0, SAMPLE_RATE as usize));
        let told = recorder.finish().wait(Duration::from_secs(30)).flatten().expect("a sentence").text;
        assert!(told.contains("is complete") && told.contains("No space left"), "{told}");
        assert_eq!(hound::WavReader::open(&path).unwrap().duration(), SAMPLE_RATE);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_disk_that_is_full_at_the_end_is_told_and_nobody_waits_for_a_slow_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("call.wav");
        let mut recorder = Recorder::create(&path, false).unwrap();
        // A disk that takes nothing, in the place of the real one.
        let (pieces, taken) = sync_channel::<Vec<f32>>(QUEUE);
        let (fails, failed) = sync_channel(1);
        let _real = (recorder.queue.replace(pieces), std::mem::replace(&mut recorder.writer.failure, failed));
        recorder.heard(&tone(440.0, 0, SAMPLE_RATE as usize));
        let writer = recorder.finish();
        assert_eq!(writer.wait(Duration::ZERO), None, "it still writes");
        assert_eq!(taken.iter().flatten().count(), 2 * SAMPLE_RATE as usize, "all was handed over");
        fails.send(Fault::Sound("no space left on device".into())).unwrap();
        let told = writer.wait(Duration::ZERO).flatten().expect("a sentence");
        assert!(told.text.contains("no space left"), "{}", told.text);
    }
}
