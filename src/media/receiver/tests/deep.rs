//! Packets that look back (DRED).

use super::*;

/// So many frames of 20 ms, of which `loses` names those whose packet is lost; the payloads are repeated. Returns what was heard, the
/// delay at each frame and the milliseconds concealed.
fn replay(payloads: &[Vec<u8>], frames: usize, mut loses: impl FnMut(usize) -> bool) -> (Vec<f32>, Vec<f64>, u64) {
    let epoch = Instant::now();
    let mut receiver = Receiver::new(epoch, &MediaPlan::of(Codec::Opus));
    let (mut heard, mut delays) = (Vec::new(), Vec::new());
    for (frame, payload) in payloads.iter().cycle().take(frames).enumerate() {
        let now = epoch + Duration::from_millis(20 * frame as u64);
        if !loses(frame) {
            receiver.handle_packet(now, &packet(frame as u16, 960 * frame as u32, payload));
        }
        for half in 0..2 {
            let mut block = [0.0; BLOCK];
            receiver.play(now + Duration::from_millis(10 * half + 5), &mut block);
            heard.extend(block);
        }
        delays.push(receiver.stats().buffer_ms);
    }
    (heard, delays, receiver.stats().concealed_ms)
}

/// Whether each packet is lost: `begins` is the share after one that came, `goes_on` after one that was lost.
fn bursts(begins: f64, goes_on: f64) -> impl FnMut(usize) -> bool {
    let mut random = StdRng::seed_from_u64(11);
    let mut losing = false;
    move |_| {
        losing = random.random::<f64>() < if losing { goes_on } else { begins };
        losing
    }
}

/// Packets that look back are waited for as long as the network loses, three at most, and not for being there.
#[test]
fn packets_that_look_back_are_waited_for_while_the_network_loses() {
    let deep = codec::deep_packets(vowel, 500);
    let (_, delays, concealed) = replay(&deep, 600, |_| false);
    assert!(concealed <= 20 && delays[100..].iter().all(|ms| *ms <= 31.0), "{concealed} ms, {delays:?}");
    let plain: Vec<Vec<u8>> = encoded(Codec::Opus, vowel).take(500).collect();
    for (begins, goes_on) in [(0.1, 0.6), (0.2, 0.2)] {
        let (_, waited, _) = replay(&deep, 1_500, bursts(begins, goes_on));
        let (_, unwaited, _) = replay(&plain, 1_500, bursts(begins, goes_on));
        let bounds = |delays: &[f64]| {
            delays[500..].iter().fold((f64::INFINITY, 0.0f64), |(least, most), ms| (least.min(*ms), most.max(*ms)))
        };
        let ((least, most), (_, plain_most)) = (bounds(&waited), bounds(&unwaited));
        println!("{begins} {goes_on}: {least:.0} to {most:.0} ms, {plain_most:.0} ms where none looks back");
        assert!(least > 55.0 && most < 110.0, "{least} to {most} ms");
        assert!(plain_most < 70.0, "{plain_most} ms where none looks back");
    }
    // A lossy while, and a good one.
    let mut losing = bursts(0.1, 0.6);
    let (_, delays, _) = replay(&deep, 2_600, |frame| losing(frame) && frame < 600);
    assert!(delays[599] > 55.0 && delays[2_500..].iter().all(|ms| *ms <= 31.0), "{:?}", delays[599]);
}

#[test]
fn what_is_lost_in_bursts_is_heard_from_packets_that_look_back() {
    let syllables =
        |n: usize| vowel(n) * (0.5 + 0.5 * (2.0 * std::f32::consts::PI * 5.0 * n as f32 / SAMPLE_RATE as f32).sin());
    let payloads = codec::deep_packets(syllables, 1_000);
    let bare: Vec<Vec<u8>> = payloads.iter().map(|payload| without_padding(payload)).collect();
    let lost = |frame: usize| frame > 20 && frame % 14 < 3;
    let (wanted, delays, _) = replay(&payloads, 1_000, |_| false);
    // From the tenth second on how loud each 10 ms is, and which of them were lost.
    let envelope = |samples: &[f32]| -> Vec<f32> {
        samples.chunks_exact(480).map(|piece| 10.0 * (power(piece) + 1e-5).log10()).collect()
    };
    let (from, to) = (480_000, 900_000);
    let wanted = envelope(&wanted[from..to]);
    let is_lost = |piece: usize| lost((from + piece * 480 - 48 * delays[500] as usize) / 960);
    // By the delay that makes them most alike.
    let off = |heard: &[f32]| {
        let by = |later: usize| {
            let made = envelope(&heard[from + later..to + later]);
            let errors = made.iter().zip(&wanted).enumerate().filter(|(piece, _)| is_lost(*piece));
            let errors: Vec<f32> = errors.map(|(_, (a, b))| (a - b).abs()).collect();
            errors.iter().sum::<f32>() / errors.len() as f32
        };
        (0..7_200).step_by(120).map(by).fold(f32::INFINITY, f32::min)
    };
    let (heard, _, concealed) = replay(&payloads, 1_000, lost);
    let (deep, plain) = (off(&heard), off(&replay(&bare, 1_000, lost).0));
    println!("{deep:.1} dB off, {plain:.1} dB without looking back; {concealed} ms concealed");
    assert!(deep < 0.5 * plain, "{deep} dB off, {plain} without looking back");
    let missing = (0..1_000).filter(|&frame| lost(frame)).count() as u64 * 20;
    assert!(concealed.abs_diff(missing) < 100, "what is made up counts as concealed: {concealed} of {missing}");
}

/// A packet of one frame without what it is padded with (RFC 6716 §3.2.5).
fn without_padding(payload: &[u8]) -> Vec<u8> {
    let &[toc, count, ref rest @ ..] = payload else { return payload.to_vec() };
    if toc & 3 != 3 || count & 0x7f != 0x41 {
        return payload.to_vec();
    }
    let full = rest.iter().take_while(|&&octet| octet == 255).count();
    let padding = 254 * full + usize::from(rest[full]);
    [&[toc & !3], &rest[full + 1..rest.len() - padding]].concat()
}
