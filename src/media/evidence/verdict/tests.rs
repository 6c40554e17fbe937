use super::*;

const GOOD: Evidence = Evidence {
    seconds: 60,
    began: true,
    packets: 3_000,
    unreadable: 0,
    loss: 0.001,
    late: 0.0,
    remote_loss: Some(0.0),
    remote_missing: Some(0.0),
    remote_late: Some(0.0),
    concealed: 0.0,
    jitter_ms: 4.0,
    rtt_ms: Some(40.0),
    delayed: 0.0,
    buffer_ms: 60.0,
    mos: Some(4.3),
    stalled: 0.0,
    absent: 0.0,
    unanswered: 0.0,
    unheard: 0,
    unsaid: 0,
};

const LOSSY: Evidence = Evidence { loss: 0.05, concealed: 0.05, ..GOOD };

#[test]
fn the_nearest_cause_that_explains_it() {
    for (evidence, fault, said) in [
        (GOOD, Fault::Nobody, "Nothing was wrong"),
        (Evidence { remote_loss: None, rtt_ms: None, ..GOOD }, Fault::Nobody, "Nothing was wrong"),
        (Evidence { seconds: 2, loss: 0.5, ..GOOD }, Fault::Nobody, "too short"),
        (LOSSY, Fault::Provider, "5.0 % of the sound to you"),
        (Evidence { remote_loss: None, remote_missing: None, ..LOSSY }, Fault::Network, "nobody can say where"),
        (
            Evidence { remote_loss: Some(0.03), remote_missing: Some(0.02), ..LOSSY },
            Fault::LocalNetwork,
            "5.0 % to you, 3.0 % from you",
        ),
        (
            Evidence { remote_loss: Some(0.2), remote_missing: None, ..GOOD },
            Fault::LocalNetwork,
            "20.0 % of what you said",
        ),
        // Copies and in-band correction have made up for it.
        (Evidence { concealed: 0.002, ..LOSSY }, Fault::Nobody, "(5.0 % to you, 0.0 % from you) was made up for"),
        (Evidence { remote_loss: Some(0.2), ..GOOD }, Fault::Nobody, "(0.1 % to you, 20.0 % from you) was made up for"),
        (Evidence { loss: 0.0, late: 0.04, ..LOSSY }, Fault::LocalNetwork, "5.0 % of the sound to you came too late"),
        (Evidence { loss: 0.0, ..LOSSY }, Fault::Network, "For 5.0 % of the time nothing was there"),
        (Evidence { jitter_ms: 55.0, ..GOOD }, Fault::LocalNetwork, "unevenly (by 55 ms)"),
        (Evidence { remote_late: Some(0.04), ..GOOD }, Fault::OtherSide, "4.0 % of what you said reached"),
        (Evidence { rtt_ms: Some(620.0), ..GOOD }, Fault::Provider, "620 ms"),
        (Evidence { rtt_ms: Some(820.0), delayed: 1.0, ..GOOD }, Fault::Provider, "820 ms"),
        (Evidence { delayed: 0.2, buffer_ms: 2_310.0, jitter_ms: 60.0, ..GOOD }, Fault::Network, "up to 2.3 s old"),
        (Evidence { began: false, packets: 0, mos: None, unheard: 60, ..GOOD }, Fault::Provider, "Nothing came"),
        (Evidence { packets: 0, mos: None, ..GOOD }, Fault::Network, "any more"),
        (
            Evidence { began: false, packets: 0, unreadable: 3_000, mos: None, unheard: 60, ..GOOD },
            Fault::Provider,
            "cannot be decrypted",
        ),
        (Evidence { packets: 0, unreadable: 3_000, mos: None, ..GOOD }, Fault::Provider, "cannot be decrypted"),
        (Evidence { packets: 0, unreadable: 3, mos: None, ..GOOD }, Fault::Network, "any more"),
        (Evidence { unreadable: 3, ..GOOD }, Fault::Nobody, "Nothing was wrong"),
        // It has said that it is silent.
        (Evidence { packets: 0, ..GOOD }, Fault::Nobody, "Nothing was wrong"),
        // What is wrong here explains the rest.
        (Evidence { stalled: 0.08, jitter_ms: 80.0, ..LOSSY }, Fault::Computer, "8.0 % of the time"),
        (Evidence { absent: 0.5, stalled: 0.08, ..GOOD }, Fault::Device, "stood still for 50.0 %"),
        // They heard nothing, which no report of theirs can tell.
        (
            Evidence { unanswered: 0.4, remote_loss: None, ..GOOD },
            Fault::OtherSide,
            "For 40.0 % of the time nothing answered",
        ),
        (Evidence { unanswered: 0.4, ..LOSSY }, Fault::OtherSide, "although you heard them"),
        (Evidence { unanswered: 0.4, concealed: 0.4, ..LOSSY }, Fault::Network, "hardly heard you, nor you them"),
        (Evidence { unanswered: 1.0, packets: 0, mos: None, ..GOOD }, Fault::Network, "at their end or at yours"),
        (Evidence { unanswered: 0.005, ..GOOD }, Fault::Nobody, "Nothing was wrong"),
        (Evidence { unsaid: 60, ..GOOD }, Fault::Device, "no sound in this call"),
        (Evidence { unsaid: 20, unheard: 20, ..GOOD }, Fault::Nobody, "Nothing was wrong"),
        (Evidence { unheard: 60, ..GOOD }, Fault::OtherSide, "silence"),
    ] {
        let Verdict { fault: found, words } = verdict(&evidence);
        assert!(found == fault && words.contains(said), "{evidence:?}: {found:?}, {words}");
        assert!(words.ends_with('.'), "{words}");
    }
}
