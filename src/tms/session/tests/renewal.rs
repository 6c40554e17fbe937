//! The credential, and what came with it, before they end.

use super::*;

#[test]
fn the_credential_is_renewed_before_it_expires() {
    let mut bench = Bench::selected();
    let due = bench.session.poll_timeout().expect("a renewal") - bench.now;
    assert_eq!(due, Duration::from_secs(24 * 60), "four fifths of half an hour");
    bench.pass(due);
    let seen = bench.answer("/sip-credential", UNREACHABLE);
    assert_eq!(seen.events, [], "the old one still serves");
    let due = bench.session.poll_timeout().expect("tried again") - bench.now;
    bench.pass(due);
    let seen = bench.answer("/sip-credential", credential("100-acme~2"));
    assert!(
        matches!(&seen.events[..], [Event::Credential { credential, .. }] if credential.0.username == "100-acme~2")
    );
}

#[test]
fn the_credential_is_renewed_before_its_relay_s_password_expires() {
    for (expires_at, renewed_after) in
        [("00:10:00", 8 * 60), ("00:00:01", 5 * 60), ("00:00:00", 5 * 60), ("23:00:00", 24 * 60)]
    {
        let mut bench = Bench::signed_in();
        bench.session.select("100-acme", false);
        let turn = json!({"uri": "turn:r", "username": "1:a", "password": "s",
            "expires_at": format!("2026-01-01T{expires_at}Z")});
        bench.answer(
            "/sip-credential",
            ok(&json!({
                "aor": "100-acme", "username": "u", "password": "p", "realm": "acme", "outbound_proxy": "sip:127.0.0.1",
                "transports": ["udp"], "expires_at": "2026-01-01T00:30:00Z", "media": {"turn": turn}
            })),
        );
        let due = bench.session.poll_timeout().expect("a renewal") - bench.now;
        assert_eq!(due, Duration::from_secs(renewed_after), "{expires_at}");
    }
}

#[test]
fn a_calendar_that_goes_wrong_asks_ever_less() {
    let mut bench = Bench::signed_in();
    bench.session.select("100-acme", false);
    let with_relay_until = |ends: Timestamp| {
        ok(&json!({
            "aor": "100-acme", "username": "u", "password": "p", "realm": "acme", "outbound_proxy": "sip:127.0.0.1",
            "transports": ["udp"], "expires_at": "2026-03-01T00:00:00Z",
            "media": {"turn": {"uri": "turn:r", "username": "1:a", "password": "s", "expires_at": ends}}
        }))
    };
    let renewed = |bench: &mut Bench, ends| {
        bench.answer("/sip-credential", with_relay_until(ends));
        let due = bench.session.selection.timeout().expect("a renewal") - bench.now;
        bench.pass(due);
        due.as_secs() / 60
    };
    let asked: Vec<_> = (0..8)
        .map(|_| {
            let ends = bench.wall;
            renewed(&mut bench, ends)
        })
        .collect();
    assert_eq!(asked, [5, 10, 20, 40, 80, 160, 240, 240]);
    let day = bench.wall + jiff::SignedDuration::from_hours(24);
    assert_eq!(renewed(&mut bench, day), 24 * 48, "set right");
    let ends = bench.wall;
    assert_eq!(renewed(&mut bench, ends), 5);
}

#[test]
fn a_sleep_puts_the_renewal_off_no_longer_than_the_calendar_says() {
    let mut bench = Bench::selected();
    bench.wall += jiff::SignedDuration::from_mins(23);
    bench.session.handle_timeout(bench.now, bench.wall);
    assert_eq!(bench.seen().requests.len(), 0, "there is time");
    bench.wall += jiff::SignedDuration::from_mins(1);
    bench.session.handle_timeout(bench.now, bench.wall);
    let seen = bench.answer("/sip-credential", credential("100-acme~2"));
    assert!(matches!(&seen.events[..], [Event::Credential { .. }]), "{seen:?}");
}
