use super::*;
use crate::config::media::TurnAccess;

fn stun(addresses: &[SocketAddr]) -> Found {
    Found::Stun(Ok(addresses.to_vec()))
}

fn turn(uri: &str, username: &str) -> Option<Turn> {
    let access = TurnAccess { username: username.into(), ..TurnAccess::default() };
    Some(Turn { uri: uri.parse().unwrap(), access })
}

fn relay(carrier: Carrier, addresses: &[SocketAddr]) -> Found {
    Found::Relay(Ok(Relay { carrier, addresses: addresses.to_vec() }))
}

#[test]
fn no_call_waits_for_a_word_that_was_lost() {
    let (mut reach, now) = (Reach::new(Some("stun.example:3478".into()), None, None), Instant::now());
    let port = |n: u16| SocketAddr::from(([192, 0, 2, 1], n));
    assert!(!reach.begin(now, 1, port(4000)), "no server was found");
    reach.found(now, stun(&[SocketAddr::from(([192, 0, 2, 9], 3478))]));
    for (call, after) in [(1, 0), (2, 10), (3, 20)] {
        assert!(reach.begin(now + Duration::from_millis(after), call, port(4000 + call as u16)));
        assert!(matches!(reach.poll_ask(now), Some((asked, servers)) if asked == call && servers.stun.is_some()));
        assert!(reach.poll_ask(now).is_none());
    }
    assert_eq!(reach.answered(2), Some(port(4002)));
    assert_eq!((reach.poll_timeout(), reach.overdue(now)), (Some(now + PATIENCE), None));
    assert_eq!(reach.overdue(now + PATIENCE), Some((1, port(4001))));
    assert_eq!(reach.answered(1), None, "what comes later says nothing");
    assert_eq!(reach.overdue(now + PATIENCE), None);
    assert_eq!(reach.overdue(now + 2 * PATIENCE), Some((3, port(4003))));
    assert_eq!(reach.poll_timeout(), None);
}

#[test]
fn a_call_is_seen_to_by_servers_of_its_own_family() {
    let [v4, v6]: [SocketAddr; 2] = ["192.0.2.9:3478", "[2001:db8::9]:3478"].map(|text| text.parse().unwrap());
    let [ours, ours_v6] = ["192.0.2.1:4000", "[2001:db8::1]:4000"].map(|text| text.parse().unwrap());
    let stun_server = Some("stun.example:3478".into());
    let (mut reach, now) = (Reach::new(stun_server, turn("turn:relay.example", "1:a"), None), Instant::now());
    let mut asked = |carrier: &Carrier, at: &[SocketAddr], port| {
        reach.found(now, stun(at));
        reach.found(now, relay(carrier.clone(), at));
        reach.servers_for(port).map(|servers| (servers.stun, servers.relay.map(|relay| relay.address)))
    };
    for carrier in [Carrier::Udp, Carrier::Tcp] {
        assert_eq!(asked(&carrier, &[v4, v6], ours), Some((Some(v4), Some(v4))));
        assert_eq!(asked(&carrier, &[v4, v6], ours_v6), Some((Some(v6), Some(v6))));
    }
    assert_eq!(asked(&Carrier::Udp, &[v4], ours_v6), None);
    assert_eq!(asked(&Carrier::Tcp, &[v4], ours_v6), Some((None, Some(v4))), "the stream has its own address");
}

#[tokio::test]
async fn a_name_that_is_looked_up_for_long_holds_up_the_first_call_only() {
    let (mut reach, now) = (Reach::new(Some("192.0.2.9:3478".into()), None, None), Instant::now());
    let port = SocketAddr::from(([192, 0, 2, 1], 4000));
    reach.look_ups.spawn(std::future::pending());
    reach.found(now, stun(&[SocketAddr::from(([192, 0, 2, 9], 3478))]));
    assert!(reach.begin(now, 1, port) && reach.poll_ask(now).is_none(), "the other may come at once");
    let later = now + LOOK_UP;
    assert_eq!(reach.poll_timeout(), Some(later));
    assert!(matches!(reach.poll_ask(later), Some((1, servers)) if servers.stun.is_some()), "one is known");
    assert_eq!(reach.poll_timeout(), Some(now + PATIENCE));
    assert!(reach.begin(later, 2, port) && matches!(reach.poll_ask(later), Some((2, _))), "at once");
    let elsewhere = "[2001:db8::1]:4000".parse().unwrap();
    assert!(!reach.begin(later, 3, elsewhere), "nobody else is known");
    // In another network names lead elsewhere.
    reach.look_up();
    reach.look_ups.spawn(std::future::pending());
    assert!(reach.begin(later, 4, elsewhere) && reach.poll_ask(later).is_none());
    reach.look_up();
    reach.look_ups.spawn(std::future::pending());
    assert!(reach.poll_ask(later).is_none(), "it waits for these instead");
    assert!(reach.poll_ask(later + LOOK_UP).is_some(), "no longer than for those");
}

#[tokio::test]
async fn another_password_costs_no_call_its_relay() {
    let (at, now): (SocketAddr, _) = ("192.0.2.9:3478".parse().unwrap(), Instant::now());
    let username = |reach: &Reach| {
        reach.servers_for(([192, 0, 2, 1], 4000).into()).and_then(|to| to.relay).map(|relay| relay.access.username)
    };
    let mut reach = Reach::new(None, turn("turn:relay.example", "1:a"), None);
    reach.found(now, relay(Carrier::Udp, &[at]));
    reach.use_servers(None, turn("turn:relay.example", "2:a"));
    assert_eq!((username(&reach).as_deref(), reach.look_ups.len()), (Some("2:a"), 0), "at once");
    reach.use_servers(None, turn("turn:other.example", "3:a"));
    assert_eq!((username(&reach).as_deref(), reach.look_ups.len()), (Some("2:a"), 1), "until the other is found");
    reach.found(now, Found::Relay(Err("lost".into())));
    assert_eq!(username(&reach).as_deref(), Some("2:a"));
    reach.found(now, relay(Carrier::Udp, &[at]));
    assert_eq!(username(&reach).as_deref(), Some("3:a"));
    reach.use_servers(None, None);
    assert_eq!(username(&reach), None);
}

#[tokio::test]
async fn a_server_that_is_not_found_is_looked_up_again_by_itself() {
    let stun_server = Some("192.0.2.9:3478".to_owned());
    let (mut reach, now) = (Reach::new(stun_server.clone(), turn("turn:192.0.2.8", "1:a"), None), Instant::now());
    reach.look_up();
    for _ in 0..2 {
        let found = reach.next().await.expect("an address is its own name");
        reach.found(now, found);
    }
    let servers = |reach: &Reach| reach.servers_for(([192, 0, 2, 1], 4000).into()).expect("both");
    assert_eq!(servers(&reach).stun, Some("192.0.2.9:3478".parse().unwrap()));
    assert_eq!(servers(&reach).relay.map(|relay| relay.address), Some("192.0.2.8:3478".parse().unwrap()));
    // In another network names are not served for a while.
    reach.look_up();
    reach.look_ups.abort_all();
    while reach.look_ups.join_next().await.is_some() {}
    reach.found(now, Found::Stun(Err("lost".into())));
    reach.found(now, relay(Carrier::Udp, &["192.0.2.7:3478".parse().unwrap()]));
    let at = reach.poll_timeout().expect("another try");
    assert!(servers(&reach).stun.is_some(), "where it was before");
    reach.handle_timeout(at - Duration::from_millis(1));
    assert_eq!(reach.look_ups.len(), 0);
    reach.handle_timeout(at);
    assert_eq!((reach.look_ups.len(), reach.poll_timeout()), (1, None), "the other is known");
    // The next credential says the same.
    reach.use_servers(stun_server, turn("turn:192.0.2.8", "2:a"));
    let found = reach.next().await.expect("an address is its own name");
    reach.found(at, found);
    assert_eq!((servers(&reach).stun.is_some(), reach.poll_timeout()), (true, None));
}
