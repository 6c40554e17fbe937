//! Keys by a handshake: who agrees on one, and what its lines may look like.

use super::*;
use crate::media::plan::{DtlsPlan, Fingerprint};

fn certified(policy: SrtpPolicy, name: &str) -> OfferAnswer {
    let crypto = LocalCrypto::new(policy, Some(Fingerprint::of(name.as_bytes())), &mut Entropy::from_seed(5763));
    OfferAnswer::new(&ALL, 42, crypto)
}

/// Caller, callee, and what protects the audio.
#[test]
fn a_handshake_is_agreed_on_where_it_is_wanted() {
    use SrtpPolicy::{Dtls, Off, Optional, Sdes};
    for (caller, callee, proto, expected) in [
        (Dtls, Optional, "UDP/TLS/RTP/SAVP", Ok("dtls")),
        (Dtls, Sdes, "UDP/TLS/RTP/SAVP", Ok("dtls")),
        (Dtls, Dtls, "UDP/TLS/RTP/SAVP", Ok("dtls")),
        (Optional, Dtls, "RTP/AVP", Ok("dtls")),
        (Optional, Optional, "RTP/AVP", Ok("sdes")),
        (Sdes, Dtls, "RTP/SAVP", Ok("sdes")),
        (Dtls, Off, "UDP/TLS/RTP/SAVP", Err(SdpError::EncryptedOnly)),
        (Off, Dtls, "RTP/AVP", Err(SdpError::PlainOnly)),
    ] {
        let (mut a, mut b) = (certified(caller, "a"), certified(callee, "b"));
        let offer = a.offer(local(), Direction::SendRecv);
        assert!(text(offer.clone()).contains(&format!("m=audio 4000 {proto} ")));
        let answered = b.answer(&offer, local(), Direction::SendRecv);
        let kind = |plan: &MediaPlan| match &plan.srtp {
            Some(KeyExchange::Sdes(_)) => "sdes",
            Some(KeyExchange::Dtls(_)) => "dtls",
            None => "off",
        };
        assert_eq!(
            answered.as_ref().map(|(_, plan)| kind(plan)).map_err(Clone::clone),
            expected,
            "{caller:?} {callee:?}"
        );
        let Ok((answer, theirs)) = answered else { continue };
        let ours = a.accept_answer(&answer).unwrap();
        assert_eq!(kind(&ours), kind(&theirs));
        if expected == Ok("dtls") {
            let plan = |active, of: &str| {
                Some(KeyExchange::Dtls(DtlsPlan { active, fingerprint: Fingerprint::of(of.as_bytes()) }))
            };
            assert_eq!((&ours.srtp, &theirs.srtp), (&plan(false, "b"), &plan(true, "a")));
            // A hold by either side changes nothing of it, whoever offers.
            let hold = b.offer(local(), Direction::SendOnly);
            let (answer, held) = a.answer(&hold, local(), Direction::SendRecv).unwrap();
            assert_eq!((held.srtp, b.accept_answer(&answer).unwrap().srtp), (ours.srtp, theirs.srtp));
        }
    }
}

/// The address of the audio, where the offer comes from, who may begin, and whether we do.
#[test]
fn whoever_is_hidden_begins_the_handshake() {
    let ice = "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=rtcp-mux\r\n\
        a=candidate:1 1 udp 2130706431 192.168.1.7 5000 typ host\r\n";
    for (address, source, setup, more, active) in [
        ("192.168.1.7", "203.0.113.5", "actpass", "", false),
        ("fd00::7", "2001:db8::5", "actpass", "", false),
        ("192.168.1.7", "203.0.113.5", "passive", "", true),
        ("192.168.1.7", "203.0.113.5", "actpass", ice, true),
        ("192.168.1.7", "192.168.1.1", "actpass", "", true),
        ("198.51.100.7", "203.0.113.5", "actpass", "", true),
    ] {
        let lines = format!("a=fingerprint:{}\r\na=setup:{setup}\r\n{more}", Fingerprint::of(b"peer"));
        let family = if address.contains(':') { "IP6" } else { "IP4" };
        let offer = text(sdp("0", &[])).replace("c=IN IP4 198.51.100.7", &format!("c=IN {family} {address}")) + &lines;
        let mut session =
            certified(SrtpPolicy::Optional, "ours").with_ice(LocalIce::new(false, &mut Entropy::from_seed(8445)));
        session.set_source(source.parse().unwrap());
        let (answer, plan) = session.answer(offer.as_bytes(), local(), Direction::SendRecv).unwrap();
        assert!(
            matches!(&plan.srtp, Some(KeyExchange::Dtls(plan)) if plan.active == active),
            "{address} {source} {setup}"
        );
        assert!(text(answer).contains(if active { "a=setup:active" } else { "a=setup:passive" }));
        // And it is not turned around by who comes from elsewhere.
        session.set_source([127, 0, 0, 1].into());
        let (_, again) = session.answer(offer.as_bytes(), local(), Direction::SendRecv).unwrap();
        assert_eq!(again.srtp, plan.srtp, "{address} {source} {setup}");
    }
}

/// What stands in an answer to our offer, and who begins; `None`: no audio.
#[test]
fn a_handshake_s_lines_are_read_as_peers_write_them() {
    let print = Fingerprint::of(b"peer");
    let (line, sha1) = (format!("a=fingerprint:{print}"), "a=fingerprint:sha-1 00:11".to_owned());
    for (lines, active) in [
        (vec![line.clone(), "a=setup:active".to_owned()], Some(false)),
        (vec![line.clone(), "a=setup:PASSIVE".to_owned()], Some(true)),
        (vec![line.clone()], Some(true)),
        (vec![sha1.clone(), line.clone(), "a=setup:active".to_owned()], Some(false)),
        (vec![line.clone(), "a=setup:holdconn".to_owned()], None),
        (vec![sha1, "a=setup:active".to_owned()], None),
        (vec![], None),
    ] {
        let mut session = certified(SrtpPolicy::Dtls, "ours");
        let offer = text(session.offer(local(), Direction::SendRecv));
        assert!(offer.contains("a=setup:actpass\r\n") && !offer.contains("a=crypto"), "{offer}");
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let answer = text(sdp("0", &lines)).replace("RTP/AVP", "UDP/TLS/RTP/SAVP");
        let plan = session.accept_answer(answer.as_bytes()).ok().and_then(|plan| plan.srtp);
        let expected = active.map(|active| KeyExchange::Dtls(DtlsPlan { active, fingerprint: print.clone() }));
        assert_eq!(plan, expected, "{lines:?}");
    }
}
