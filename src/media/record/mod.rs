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
pub enum Trouble {
    /// Parts of it are missing; it goes on.
    Gaps(Notice),
    /// Nothing more is recorded.
    Over(Ended),
}

/// How a recording ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    pub file: PathBuf,
    /// The file is complete, with what there may be to say of it; else why not all of it is there, and not whether there is another.
    pub outcome: Result<Option<Notice>, Notice>,
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
        let recording = Recording::create(path, mark(tone)).map_err(|why| unusable(path, why))?;
        let recorder = Self::start(recording, path)?;
        Ok(Self { has_tone: tone, ..recorder })
    }

    pub const fn has_tone(&self) -> bool {
        self.has_tone
    }

    fn start(recording: Recording, path: &Path) -> Result<Self, MediaError> {
        let (queue, pieces) = sync_channel(QUEUE);
        let (failed, failure) = sync_channel(1);
        let file = path.to_owned();
        std::thread::Builder::new()
            .name("recording".into())
            .spawn(move || {
                if let Err(why) = write(recording, &pieces, &file) {
                    let _ = failed.send(why);
                }
            })
            .map_err(|e| unusable(path, format!("{e}; close other programs and try again")))?;
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
            return Some(Trouble::Over(self.writer.ended(&why)));
        }
        let news = std::mem::take(&mut self.writer.has_gaps) && !std::mem::replace(&mut self.told, true);
        news.then(|| Trouble::Gaps(self.writer.gaps()))
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
        Self::start(Recording::Wav { writer, since_complete: 0, most: u32::MAX, mark: None }, Path::new("call.wav"))
            .expect("a thread")
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
    /// Waits so long for the file to be complete. `None`: it is not yet.
    pub fn wait(&self, patience: Duration) -> Option<Ended> {
        match self.failure.recv_timeout(patience) {
            Ok(why) => Some(self.ended(&why)),
            Err(RecvTimeoutError::Disconnected) => {
                Some(Ended { file: self.file.clone(), outcome: Ok(self.has_gaps.then(|| self.gaps())) })
            }
            Err(RecvTimeoutError::Timeout) => None,
        }
    }

    /// It is waited for no longer.
    pub fn cut_off(&self) -> Ended {
        let text = format!(
            "The recording {} may lack its last seconds: the disk was too slow to take them before the program ended.",
            self.file.display()
        );
        Ended { file: self.file.clone(), outcome: Err(Notice::warning(text)) }
    }

    fn ended(&self, fault: &Fault) -> Ended {
        let file = self.file.display();
        let outcome = match fault {
            Fault::Sound(why) => {
                Err(Notice::warning(format!("The recording {file} stopped ({why}); free some space.")))
            }
            Fault::Full => Err(Notice::warning(format!(
                "The recording {file} is full: a WAV file ends after six hours, one in .opus does not."
            ))),
            Fault::Gone => Err(Notice::warning(format!(
                "The recording {file} is lost: somebody has deleted or moved it meanwhile. Record into a folder that is left alone."
            ))),
            Fault::Mark(why) => Ok(Some(Notice::warning(format!(
                "The recording {file} is complete, but does not say whether there was a recording tone ({why}); make a \
                 note of that, and free some space."
            )))),
        };
        Ended { file: self.file.clone(), outcome }
    }

    fn gaps(&self) -> Notice {
        Notice::warning(format!(
            "The disk is too slow for the recording {}: parts of it are missing. Close programs that write much, or record \
             elsewhere.",
            self.file.display()
        ))
    }
}

fn unusable(path: &Path, why: String) -> MediaError {
    MediaError::File { path: path.to_owned(), why }
}

/// What stands in the file.
const fn mark(tone: bool) -> &'static str {
    match tone {
        true => "Both sides of a call, ours on the left. Both heard a recording tone every 15 seconds.",
        false => "Both sides of a call, ours on the left. There was no recording tone.",
    }
}

fn write(mut recording: Recording, pieces: &Receiver<Vec<f32>>, file: &Path) -> Result<(), Fault> {
    for piece in pieces {
        if !recording.takes(piece.len()) {
            recording.finish()?;
            return Err(Fault::Full);
        }
        recording.write(&piece).map_err(Fault::Sound)?;
    }
    recording.finish()?;
    // A name that is gone is no error to who has the file open.
    if matches!(std::fs::exists(file), Ok(false)) { Err(Fault::Gone) } else { Ok(()) }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("file", &self.writer.file).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
