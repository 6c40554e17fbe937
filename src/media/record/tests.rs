use super::*;
use crate::media::dsp::tone_share;

fn tone(hz: f32, from: usize, count: usize) -> Vec<f32> {
    let at = |n: usize| 0.3 * (n as f32 * hz * 2.0 * std::f32::consts::PI / SAMPLE_RATE as f32).sin();
    (from..from + count).map(at).collect()
}

/// Complete, and nothing to say of it.
#[expect(clippy::unnecessary_wraps, reason = "as it is told")]
fn well(file: &Path) -> Option<Ended> {
    Some(Ended { file: file.to_owned(), outcome: Ok(None) })
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
    assert_eq!(recorder.finish().wait(Duration::from_secs(30)), well(path));
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
            assert_eq!(recorder.finish().wait(Duration::from_secs(30)), well(&path));
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
        if let Some(Trouble::Over(Ended { outcome: Err(notice), .. })) = recorder.poll_trouble() {
            break notice.text;
        }
        assert!(std::time::Instant::now() < end, "nothing is said");
        std::thread::yield_now();
    };
    assert!(told.contains("call.wav") && told.contains("No space left"), "{told}");
    assert!(told.ends_with("free some space."), "{told}");
    recorder.heard(&tone(440.0, 0, BLOCK));
    assert!(recorder.poll_trouble().is_none(), "once");
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
    let [(when, Trouble::Gaps(notice))] = &told[..] else { panic!("{told:?}") };
    assert!(*when == QUEUE && notice.text.contains("parts of it are missing"), "{when}: {}", notice.text);
    drop(real);
    assert_eq!(recorder.finish().wait(Duration::from_secs(30)), well(&dir.path().join("call.wav")), "it was told");
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
    let Some(Ended { outcome: Ok(Some(told)), .. }) = writer.wait(Duration::from_secs(30)) else {
        panic!("nothing is said")
    };
    let told = told.text;
    assert!(told.contains("parts of it are missing"), "{told}");
}

/// Six hours of a WAV, after which its lengths would begin anew.
#[test]
fn a_file_that_can_hold_no_more_is_complete_and_that_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("call.wav");
    let Ok(Recording::Wav { writer, since_complete, most, mark: words }) = Recording::create(&path, mark(true)) else {
        panic!()
    };
    let hours = f64::from(most) / 2.0 / f64::from(SAMPLE_RATE) / 3_600.0;
    assert!(hours > 6.0 && u64::from(most) * 2 + 1_000 < 1 << 32, "{hours}");
    let recording = Recording::Wav { writer, since_complete, most: 3 * SAMPLE_RATE, mark: words };
    let mut recorder = Recorder::start(recording, &path).unwrap();
    for n in 0..200 {
        recorder.said(&tone(440.0, n * BLOCK, BLOCK));
        recorder.heard(&tone(1_000.0, n * BLOCK, BLOCK));
    }
    let Some(Ended { outcome: Err(told), .. }) = recorder.finish().wait(Duration::from_secs(30)) else {
        panic!("nothing is said")
    };
    assert!(told.text.contains("is full") && told.text.contains(".opus"), "{}", told.text);
    assert_eq!(hound::WavReader::open(&path).unwrap().duration(), 3 * SAMPLE_RATE / 2, "all that it holds");
    assert!(String::from_utf8_lossy(&std::fs::read(&path).unwrap()).contains("heard a recording tone"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_without_its_mark_is_no_failed_recording() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("call.wav");
    let Ok(Recording::Wav { writer, since_complete, most, .. }) = Recording::create(&path, mark(true)) else {
        panic!()
    };
    let full = std::fs::File::options().write(true).open("/dev/full").expect("Linux has one");
    let recording = Recording::Wav { writer, since_complete, most, mark: Some((mark(true), full)) };
    let mut recorder = Recorder::start(recording, &path).unwrap();
    recorder.heard(&tone(440.0, 0, SAMPLE_RATE as usize));
    let Some(Ended { outcome: Ok(Some(told)), .. }) = recorder.finish().wait(Duration::from_secs(30)) else {
        panic!("nothing is said")
    };
    let told = told.text;
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
    let Some(Ended { outcome: Err(told), .. }) = writer.wait(Duration::ZERO) else { panic!("it failed") };
    assert!(told.text.contains("no space left"), "{}", told.text);
}

#[cfg(unix)]
#[test]
fn a_file_that_was_deleted_meanwhile_is_told() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["call.wav", "call.opus"] {
        let path = dir.path().join(name);
        let mut recorder = Recorder::create(&path, false).unwrap();
        recorder.heard(&tone(440.0, 0, SAMPLE_RATE as usize));
        std::fs::remove_file(&path).unwrap();
        let Some(Ended { outcome: Err(told), .. }) = recorder.finish().wait(Duration::from_secs(30)) else {
            panic!("{name}: nothing is said")
        };
        assert!(told.text.contains("is lost"), "{}", told.text);
    }
}
