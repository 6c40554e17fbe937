use super::*;
use crate::{app::window::intents, ui::snapshot::Voice};

#[test]
fn the_switches_of_the_voice_are_kept_for_the_next_start() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let (mut running, _inputs) = running(dir.path());
    let usual = running.fold.snapshot.audio.voice;
    assert!(!usual.suppress_silence);
    for voice in
        [Voice { suppress_silence: true, ..usual }, Voice { suppress_silence: true, gain: !usual.gain, ..usual }]
    {
        running.intent(Intent::Voice(voice));
        let settings = running.memory.settings();
        assert_eq!((running.fold.snapshot.audio.voice, intents::shown(&settings.audio)), (voice, voice));
        assert!(engine::softphone(settings, &Way::default()).silence_suppression);
    }
}
