use super::*;
use crate::media::BLOCK;

#[test]
fn what_happens_beside_a_call_has_its_own_device_where_one_is_chosen() {
    let waiting = [(Tone::CallWaiting, true), (Tone::Answered, true), (Tone::Ring, true), (Tone::Busy, false)];
    for alert in [None, Some("Desk".to_owned())] {
        for (tone, own) in waiting {
            let (microphone, speaker, ringer) = (None, None, None);
            let choice = AudioChoice::Device { microphone, speaker, ringer, alert: alert.clone(), alone: false };
            let mut audio = Audio::new(Instant::now(), choice).expect("nothing to open");
            audio.set_tone(Some(tone));
            assert_eq!(audio.rings(), own && (alert.is_some() || tone == Tone::Ring), "{tone:?} on {alert:?}");
        }
    }
}

/// Its device opens and begins as late as one of a sound server that sleeps.
#[test]
fn a_short_tone_is_heard_whole_however_late_its_device_begins() {
    let start = Instant::now();
    for opens_after in [0, 30, 250] {
        let (microphone, speaker, ringer) = (None, None, None);
        let desk = Some("Desk".to_owned());
        let choice = AudioChoice::Device { microphone, speaker, ringer, alert: desk.clone(), alone: false };
        let mut audio = Audio::new(start, choice).expect("nothing to open");
        let (card, mut device, flow) = SoundCard::simulated(start, "Desk");
        audio.bell.card = Some((desk, card));
        audio.set_tone(Some(Tone::Answered));
        let mut heard = Vec::new();
        for n in 0..400 {
            if n >= opens_after {
                flow.callbacks.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                heard.extend((0..BLOCK).map_while(|_| device.pop().ok()));
            }
            audio.poll(start + Duration::from_millis(10) * n, Demand::Nothing, &mut Vec::new());
        }
        assert!(audio.bell.tone().is_none(), "it is over");
        let sounds = heard.chunks(BLOCK).filter(|block| peak(block) > 0.1).count();
        assert!((29..=32).contains(&sounds), "{opens_after}: twice 150 ms, {sounds} blocks heard");
    }
}

#[test]
fn a_card_that_calls_have_for_themselves_is_given_up_for_ringing() {
    let [headset, desk] = ["Headset", "Desk"].map(|name| Some(name.to_owned()));
    for (ringer, elsewhere) in [(&headset, false), (&None, false), (&desk, true)] {
        let start = Instant::now();
        let (speaker, alert) = (headset.clone(), headset.clone());
        let choice = AudioChoice::Device { microphone: None, speaker, ringer: ringer.clone(), alert, alone: true };
        let mut audio = Audio::new(start, choice).expect("nothing to open");
        // Of the call before, which has just ended.
        audio.card = Some(Box::new(SoundCard::simulated(start, "Desk").0));
        audio.alone = true;
        audio.set_tone(Some(Tone::CallWaiting));
        assert!(!audio.rings(), "what happens beside a call is heard with it");
        audio.set_tone(Some(Tone::Ring));
        assert_eq!(audio.rings(), elsewhere, "and so is a ring on {ringer:?}");
        audio.bell.card = Some((ringer.clone(), SoundCard::simulated(start, "Desk").0));
        audio.poll(start, Demand::Soon, &mut Vec::new());
        assert!(audio.card.is_none() && audio.rings(), "before a call it rings on {ringer:?}");
        assert!(!audio.needs_card(Demand::Soon), "nothing takes the card ahead");
        audio.set_tone(None);
        assert!(audio.needs_card(Demand::Soon) && audio.needs_card(Demand::Running));
    }
}

/// A day of ringing in the headset is a part of the day's dose; a bell on the desk is not at the ear.
#[test]
fn a_ring_in_the_headset_counts_for_the_ears() {
    // As chosen, and as in use: of the speaker only while a call is at it.
    for (speaker, ringer, plays, rings, counts) in [
        (Some("Headset"), Some("Headset"), None, "Headset", true),
        (Some("Headset"), Some("Desk"), None, "Desk", false),
        (Some("Headset"), None, None, "Headset", true),
        (Some("Headset"), None, None, "Desk", false),
        (None, None, None, "Headset", true),
        (None, Some("Headset"), Some("Headset"), "Headset", true),
        (Some("Headset"), Some("Desk"), Some("Desk"), "Desk", true),
        (Some("Headset"), Some("Headset"), Some("Desk"), "Headset", false),
    ] {
        let start = Instant::now();
        let [speaker, ringer] = [speaker, ringer].map(|name| name.map(str::to_owned));
        let choice =
            AudioChoice::Device { microphone: None, speaker, ringer: ringer.clone(), alert: None, alone: false };
        let mut audio = Audio::new(start, choice).expect("nothing to open");
        let (card, mut device, flow) = SoundCard::simulated(start, rings);
        audio.bell.card = Some((ringer, card));
        if let Some(name) = plays {
            let mut card = SoundCard::simulated(start, name).0;
            card.poll(start, &mut Vec::new());
            audio.card = Some(Box::new(card));
        }
        audio.set_tone(Some(Tone::Ring));
        for n in 0..250 {
            flow.callbacks.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            while device.pop().is_ok() {}
            audio.poll(start + Duration::from_millis(10) * n, Demand::Nothing, &mut Vec::new());
        }
        let exposure = audio.exposure.exposure();
        assert_eq!(
            exposure.level_db > 40.0 && exposure.peak_db > 85.0,
            counts,
            "{exposure:?} of {rings} beside {plays:?}"
        );
        assert_eq!(exposure.heard > Duration::ZERO, counts, "{exposure:?}");
    }
}

#[test]
fn nobody_waits_for_ever_for_a_device() {
    let start = Instant::now();
    let choice = AudioChoice::Device { microphone: None, speaker: None, ringer: None, alert: None, alone: false };
    let mut audio = Audio::new(start, choice).expect("nothing to open");
    audio.bell.card = Some((None, SoundCard::simulated(start, "Desk").0));
    audio.set_tone(Some(Tone::Test { ringer: true }));
    for n in 0..900 {
        audio.poll(start + Duration::from_millis(10) * n, Demand::Nothing, &mut Vec::new());
    }
    assert!(audio.bell.tone().is_none());
}

/// Noise suppression takes a quiet room for nothing; a microphone that gives it works all the same. Without one, none is to blame.
#[test]
fn a_microphone_in_a_quiet_room_lives() {
    let speaking = |level: i16| {
        let samples = (0..48_000).map(|n| if n % 2 == 0 { level } else { -level }).collect();
        AudioChoice::Loop { samples }
    };
    for (choice, lives) in [(speaking(0), false), (speaking(3), true), (AudioChoice::Null, true)] {
        let now = Instant::now();
        let mut audio = Audio::new(now, choice.clone()).expect("nothing to open");
        audio.set_voice(VoiceProcessing { noise: true, ..VoiceProcessing::OFF });
        audio.connected(now);
        let mut lived = 0;
        for n in 0..100 {
            audio.poll(now + Duration::from_millis(20) * n, Demand::Running, &mut Vec::new());
            lived += audio.microphone_lives_ms();
        }
        assert_eq!(lived > 1_000, lives, "{lived} ms of {choice:?}");
    }
}

/// It has nothing that rings, which is neither waited for nor a fault.
#[test]
fn a_check_of_no_device_goes_its_way() {
    let mut now = Instant::now();
    let mut audio = Audio::new(now, AudioChoice::Null).expect("nothing to open");
    audio.check();
    let told = std::cell::RefCell::new(Vec::new());
    let end = now + Duration::from_secs(12);
    while now < end && audio.check.is_some() {
        for _ in 0..audio.poll(now, Demand::Nothing, &mut Vec::new()) {
            audio.play(now, &mut [0.0; BLOCK]);
        }
        audio.report(now, &[], &|event| {
            if let EngineEvent::Check(step) = event {
                told.borrow_mut().push(step);
            }
        });
        if audio.check.is_some() && audio.bell.tone().is_none() {
            let next = audio.poll_timeout(now, Demand::Nothing).expect("it goes on");
            assert!(next > now, "{:?}", told.borrow());
        }
        now += Duration::from_millis(20);
    }
    let told = told.into_inner();
    let [Step::Speak, Step::Headset, Step::Ringer, Step::Done(findings)] = &told[..] else { panic!("{told:?}") };
    let what: Vec<_> = findings.iter().map(|finding| finding.what).collect();
    assert_eq!(what, ["microphone"], "of silence there is no more to be found");
}

#[test]
fn a_check_that_a_call_ends_has_an_end() {
    let now = Instant::now();
    let mut audio = Audio::new(now, AudioChoice::Null).expect("nothing to open");
    audio.check();
    let told = std::cell::RefCell::new(Vec::new());
    for (n, demand) in [Demand::Nothing, Demand::Running, Demand::Running].into_iter().enumerate() {
        let (now, mut microphone) = (now + Duration::from_millis(20) * n as u32, Vec::new());
        audio.poll(now, demand, &mut microphone);
        audio.report(now, &microphone, &|event| {
            if let EngineEvent::Check(step) = event {
                told.borrow_mut().push(step);
            }
        });
    }
    let told = told.into_inner();
    let [Step::Speak, Step::Done(findings)] = &told[..] else { panic!("{told:?}") };
    assert!(findings.iter().any(|finding| !finding.good && finding.words.contains("A call came")), "{findings:?}");
}
