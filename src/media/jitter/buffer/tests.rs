use super::*;

const AUDIO: Kind = Kind::Audio(Codec::Pcmu);
const FIRST: u64 = 0x1_0000;

fn filled(sequences: &[u64]) -> JitterBuffer {
    let mut buffer = JitterBuffer::new(8_000);
    for &n in sequences {
        buffer.insert(FIRST + n, 160 * n as i64, AUDIO, &[n as u8; 160]);
    }
    buffer
}

fn played(buffer: &mut JitterBuffer) -> Vec<String> {
    let mut order = Vec::new();
    for _ in 0..20 {
        order.push(match buffer.take() {
            Next::Packet { payload, .. } => format!("{}", payload[0]),
            Next::Lost { duration, missing, following } => {
                format!("lost {duration} of {missing}{}", if following.is_some() { "+" } else { "" })
            }
            Next::Pause { duration, .. } => format!("pause {duration}"),
            Next::Empty => break,
        });
    }
    order
}

#[test]
fn orders_and_names_what_is_missing() {
    let mut buffer = filled(&[0, 2, 1, 4, 7]);
    assert_eq!(
        played(&mut buffer),
        ["0", "1", "2", "lost 160 of 160+", "4", "lost 160 of 320+", "lost 160 of 160+", "7"]
    );
    assert_eq!(buffer.insert(FIRST + 3, 480, AUDIO, &[3; 160]), Insert::Late);
    assert_eq!(buffer.insert(FIRST + 4, 640, AUDIO, &[4; 160]), Insert::Duplicate);
    assert_eq!(buffer.insert(FIRST + 8, 1_280, AUDIO, &[]), Insert::Refused);
}

#[test]
fn time_bridged_counts_towards_a_loss() {
    let mut buffer = filled(&[0]);
    assert_eq!(played(&mut buffer), ["0"]);
    buffer.bridged(80);
    buffer.insert(FIRST + 2, 320, AUDIO, &[2; 160]);
    assert_eq!(played(&mut buffer), ["lost 80 of 80+", "2"]);
}

#[test]
fn key_tones_and_pauses_are_no_loss() {
    let mut buffer = filled(&[0]);
    for n in 1..5 {
        buffer.insert(FIRST + n, 160, Kind::Other, &[]);
    }
    buffer.insert(FIRST + 5, 480, AUDIO, &[5; 160]);
    assert_eq!(played(&mut buffer), ["0", "pause 80", "pause 80", "pause 80", "pause 80", "5"]);
}

#[test]
fn a_jump_in_the_stream_starts_over() {
    let mut buffer = filled(&[0, 1]);
    assert_eq!(played(&mut buffer), ["0", "1"]);
    buffer.insert(FIRST + 2_000, 0, AUDIO, &[9; 160]);
    assert_eq!(played(&mut buffer), ["9"]);
    assert_eq!((buffer.take_skipped(), buffer.take_skipped()), (1_998, 0));
}

#[test]
fn what_is_left_out_is_the_oldest_and_was_discarded_or_lost() {
    let mut buffer = filled(&[0, 1, 3, 4, 6, 7]);
    buffer.insert_copy(FIRST + 5, 800, AUDIO, &[5; 160]);
    buffer.insert(FIRST + 8, 160 * 500, AUDIO, &[8; 160]);
    assert_eq!(buffer.sound(), 8 * 160);
    buffer.shed(2 * 160 + 1);
    assert_eq!((buffer.take_discarded(), buffer.take_skipped()), (4, 2), "0, 1, 3 and 4; 2 and 5");
    assert_eq!(buffer.insert(FIRST + 3, 480, AUDIO, &[3; 160]), Insert::Duplicate);
    assert_eq!(buffer.insert(FIRST + 2, 320, AUDIO, &[2; 160]), Insert::Late);
    assert!(matches!(buffer.take(), Next::Packet { payload: [6, ..], paused: 0, .. }));
    buffer.shed(0);
    assert_eq!((buffer.take_discarded(), played(&mut buffer)), (1, vec!["8".to_owned()]), "the newest stays");
}

#[test]
fn more_at_once_than_there_is_room_for_is_discarded() {
    let mut buffer = filled(&(0..SLOTS + 3).collect::<Vec<_>>());
    assert_eq!((buffer.take_discarded(), buffer.take_skipped()), (SLOTS, 0));
    assert_eq!((buffer.position(), buffer.sound()), (Some(160 * SLOTS as i64), 3 * 160));
}

/// What came of the time that was bridged is known once the next packet is here.
#[test]
fn what_was_bridged_was_a_pause_a_loss_or_a_standstill() {
    let second = 8_000;
    for (bridged, sequence, ahead, paused) in [
        // Silence suppression, however late its end is seen.
        (second, 1, second, second),
        (second, 1, second - 80, second - 80),
        // What comes is of the moment when nothing came any more.
        (second, 1, 0, 0),
        // Lost, many or few, however long each was.
        (second, 51, second, 0),
        (second / 2, 11, 10 * 160, 0),
        (second, 11, second, 0),
        // Whoever stops so long means it, unless what is missing says otherwise.
        (6 * second, 1, 0, 6 * second),
        (6 * second, 201, 6 * second, 0),
        (6 * second, 1_001, 6 * second, 0),
    ] {
        let mut buffer = filled(&[0]);
        assert_eq!(played(&mut buffer), ["0"]);
        buffer.bridged(bridged);
        buffer.insert(FIRST + sequence, i64::from(160 + ahead), AUDIO, &[1; 160]);
        let case = (bridged, sequence, ahead);
        let Next::Packet { paused: found, .. } = buffer.take() else { panic!("{case:?}") };
        assert_eq!(found, paused, "{case:?}");
    }
}
