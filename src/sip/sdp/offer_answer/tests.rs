mod extensions;
mod secured;

use super::*;
use crate::{
    media::plan::{CryptoSuite, SrtpKeys, SrtpPolicy},
    sip::entropy::Entropy,
};

const LOCAL: &str = "192.0.2.1:4000";
const ALL: [Codec; 3] = [Codec::Opus, Codec::Pcmu, Codec::Pcma];

fn ours(codecs: &[Codec]) -> OfferAnswer {
    with(codecs, SrtpPolicy::Off)
}

fn with(codecs: &[Codec], policy: SrtpPolicy) -> OfferAnswer {
    OfferAnswer::new(codecs, 42, LocalCrypto::new(policy, None, &mut Entropy::from_seed(4568)))
}

fn local() -> SocketAddr {
    LOCAL.parse().unwrap()
}

/// A description of one audio line with these formats and further lines.
fn sdp(formats: &str, lines: &[&str]) -> Vec<u8> {
    let mut text = format!(
        "v=0\r\no=- 1 1 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\nm=audio 5000 RTP/AVP {formats}\r\n"
    );
    for line in lines {
        text.push_str(line);
        text.push_str("\r\n");
    }
    text.into_bytes()
}

fn text(body: Vec<u8>) -> String {
    String::from_utf8(body).unwrap()
}

const OPUS: &str = "a=rtpmap:111 opus/48000/2";
const CRYPTO: &str = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0e|2^31";
const TE_8: &str = "a=rtpmap:101 telephone-event/8000";
const TE_48: &str = "a=rtpmap:110 telephone-event/48000";

#[test]
fn the_offer_names_every_codec_in_order() {
    let body = text(ours(&ALL).offer(local(), Direction::SendRecv));
    let expected = "v=0\r\no=- 21 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
        m=audio 4000 RTP/AVP 96 0 8 97 101 98\r\n\
        a=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
        a=rtpmap:97 telephone-event/48000\r\na=fmtp:97 0-15\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n\
        a=rtpmap:98 red/48000/2\r\na=fmtp:98 96/96\r\n\
        a=ptime:20\r\na=sendrecv\r\na=rtcp-mux\r\na=rtcp-xr:voip-metrics\r\n";
    assert_eq!(body, expected);
    let body = text(ours(&[Codec::Pcma]).offer("[2001:db8::1]:4000".parse().unwrap(), Direction::SendOnly));
    assert!(body.contains("c=IN IP6 2001:db8::1\r\n"), "{body}");
    assert!(body.contains("m=audio 4000 RTP/AVP 8 101\r\n"), "{body}");
    assert!(body.contains("a=sendonly\r\n"), "{body}");
}

#[test]
fn copies_are_agreed_on_between_two_that_know_them() {
    let (mut caller, mut callee) = (ours(&ALL), ours(&ALL));
    let offer = caller.offer(local(), Direction::SendRecv);
    let (answer, theirs) = callee.answer(&offer, local(), Direction::SendRecv).expect("alike");
    assert!(text(answer.clone()).contains("a=rtpmap:98 red/48000/2\r\na=fmtp:98 96/96\r\n"));
    let plan = caller.accept_answer(&answer).expect("alike");
    let agreed = Some(Redundancy { send_payload_type: 98, receive_payload_type: 98 });
    assert_eq!((plan.opus.redundancy, theirs.opus.redundancy), (agreed, agreed));
    let red = "a=rtpmap:63 red/48000/2";
    for (formats, lines, expected) in [
        ("111 63", vec![OPUS, red, "a=fmtp:63 111/111"], Some(63)),
        ("111 63", vec![OPUS, red, "a=fmtp:63 111/111/111"], Some(63)),
        ("111 63", vec![OPUS, red, "a=fmtp:63 111/0"], None),
        ("111 63", vec![OPUS, red], None),
        ("0 111 63", vec![OPUS, red, "a=fmtp:63 111/111"], None),
        ("111", vec![OPUS], None),
    ] {
        let mut ours = ours(&ALL);
        let (answer, plan) = ours.answer(&sdp(formats, &lines), local(), Direction::SendRecv).expect(formats);
        assert_eq!(plan.opus.redundancy.map(|agreed| agreed.send_payload_type), expected, "{lines:?}");
        assert_eq!(text(answer).contains("red/48000"), expected.is_some(), "{lines:?}");
    }
}

/// Offer by the peer, our codecs, what is agreed: codec with its payload type, telephone-event, or the error.
#[test]
fn an_offer_is_answered_with_its_first_codec_that_we_know() {
    type Agreed = Result<((u8, Codec), Option<(u8, u32)>), SdpError>;
    let cases: [(&str, Vec<u8>, &[Codec], Agreed); 9] = [
        ("static, no rtpmap", sdp("0 8", &[]), &ALL, Ok(((0, Codec::Pcmu), None))),
        ("the offer's order wins", sdp("8 0 111", &[OPUS]), &ALL, Ok(((8, Codec::Pcma), None))),
        ("ours restrict", sdp("111 8 0", &[OPUS]), &[Codec::Pcmu], Ok(((0, Codec::Pcmu), None))),
        (
            "events beside Opus at 48000",
            sdp("111 0 101 110", &[OPUS, TE_8, TE_48]),
            &ALL,
            Ok(((111, Codec::Opus), Some((110, 48_000)))),
        ),
        ("or else at 8000", sdp("111 101", &[OPUS, TE_8]), &ALL, Ok(((111, Codec::Opus), Some((101, 8_000))))),
        (
            "events beside PCMU at 8000",
            sdp("0 110 101", &[TE_8, TE_48]),
            &ALL,
            Ok(((0, Codec::Pcmu), Some((101, 8_000)))),
        ),
        ("remapped static number", sdp("0", &["a=rtpmap:0 G722/8000"]), &ALL, Err(SdpError::NoCommonCodec)),
        ("G.722 by its static number", sdp("9 0", &[]), &[Codec::Pcmu, Codec::G722], Ok(((9, Codec::G722), None))),
        ("nothing in common", sdp("9 18", &[]), &ALL, Err(SdpError::NoCommonCodec)),
    ];
    for (name, offer, codecs, expected) in cases {
        let agreed = ours(codecs).answer(&offer, local(), Direction::SendRecv).map(|(answer, plan)| {
            assert_eq!(plan.receive, [plan.send], "{name}");
            let answer = text(answer);
            assert!(answer.contains(&format!("RTP/AVP {}", plan.send.0)), "{name}: {answer}");
            (plan.send, plan.telephone_event.map(|t| (t.receive_payload_type, t.clock_rate)))
        });
        assert_eq!(agreed, expected, "{name}");
    }
}

#[test]
fn offers_that_cannot_be_taken_say_why() {
    let with_proto = |proto: &str| text(sdp("0", &[])).replace("RTP/AVP", proto).into_bytes();
    let with_address = |address: &str| text(sdp("0", &[])).replace("c=IN IP4 198.51.100.7", address).into_bytes();
    for (offer, expected) in [
        (with_proto("RTP/SAVP"), SdpError::EncryptedOnly),
        (with_proto("UDP/TLS/RTP/SAVPF"), SdpError::EncryptedOnly),
        (with_proto("udptl"), SdpError::NoAudio),
        (with_address("c=IN IP4 224.2.1.1/127"), SdpError::Address("224.2.1.1/127".into())),
        (with_address("c=IN IP4 media.example.com"), SdpError::Address("media.example.com".into())),
        (text(sdp("0", &[])).replace("audio 5000", "audio 0").into_bytes(), SdpError::NoAudio),
        (text(sdp("0", &[])).replace("m=audio", "m=video").into_bytes(), SdpError::NoAudio),
        (b"v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\ns=-\r\nt=0 0\r\n".to_vec(), SdpError::NoAudio),
    ] {
        let result = ours(&ALL).answer(&offer, local(), Direction::SendRecv);
        assert_eq!(result.map(|_| ()).unwrap_err(), expected, "{}", String::from_utf8_lossy(&offer));
    }
    for garbage in [b"".as_slice(), b"\xff\xfe", b"hello", b"v=1\r\n", b"v=0\r\nm=audio 70000 RTP/AVP 0\r\n"] {
        let result = ours(&ALL).answer(garbage, local(), Direction::SendRecv);
        assert!(matches!(result, Err(SdpError::Malformed(_) | SdpError::NoAudio)), "{garbage:?}");
    }
    let many = format!("{}{}", text(sdp("0", &[])), "m=video 0 RTP/AVP 31\r\n".repeat(40));
    assert!(matches!(ours(&ALL).check_offer(many.as_bytes()), Err(SdpError::Malformed(_))));
}

#[test]
fn addresses_and_packet_time_are_read_from_every_spelling() {
    let plan = |lines: &[&str]| ours(&ALL).answer(&sdp("0", lines), local(), Direction::SendRecv).unwrap().1;
    for (lines, rtp, rtcp, ptime) in [
        (vec![], "198.51.100.7:5000", "198.51.100.7:5001", 20),
        (vec!["a=rtcp:6001"], "198.51.100.7:5000", "198.51.100.7:6001", 20),
        (vec!["a=rtcp:6001 IN IP4 203.0.113.9"], "198.51.100.7:5000", "203.0.113.9:6001", 20),
        (vec!["a=rtcp:0"], "198.51.100.7:5000", "198.51.100.7:5001", 20),
        (vec!["a=rtcp:nonsense"], "198.51.100.7:5000", "198.51.100.7:5001", 20),
        (vec!["a=rtcp-mux"], "198.51.100.7:5000", "198.51.100.7:5000", 20),
        (vec!["c=IN IP4 203.0.113.5", "a=ptime:40"], "203.0.113.5:5000", "203.0.113.5:5001", 40),
        (vec!["c=IN IP6 2001:db8::5", "a=ptime:30"], "[2001:db8::5]:5000", "[2001:db8::5]:5001", 30),
        (vec!["a=ptime:garbage"], "198.51.100.7:5000", "198.51.100.7:5001", 20),
        (vec!["a=ptime:4000", "a=maxptime:10"], "198.51.100.7:5000", "198.51.100.7:5001", 10),
    ] {
        let plan = plan(&lines);
        assert_eq!((plan.remote_rtp.to_string(), plan.remote_rtcp.to_string()), (rtp.into(), rtcp.into()), "{lines:?}");
        assert_eq!(plan.ptime_ms, ptime, "{lines:?}");
    }
}

/// The peer's spelling of its direction, our wish, what is agreed and how our answer says it.
#[test]
fn hold_is_understood_in_all_its_spellings() {
    use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};
    for (lines, wanted, agreed, written) in [
        (vec![], SendRecv, SendRecv, "a=sendrecv"),
        (vec!["a=sendrecv"], SendRecv, SendRecv, "a=sendrecv"),
        (vec!["a=sendonly"], SendRecv, RecvOnly, "a=recvonly"),
        (vec!["a=recvonly"], SendRecv, SendOnly, "a=sendonly"),
        (vec!["a=inactive"], SendRecv, Inactive, "a=inactive"),
        (vec!["c=IN IP4 0.0.0.0"], SendRecv, RecvOnly, "a=recvonly"),
        (vec!["c=IN IP6 ::"], SendRecv, RecvOnly, "a=recvonly"),
        (vec!["c=IN IP4 0.0.0.0", "a=recvonly"], SendRecv, Inactive, "a=inactive"),
        (vec![], SendOnly, SendOnly, "a=sendonly"),
        (vec!["a=sendonly"], SendOnly, Inactive, "a=inactive"),
    ] {
        let (answer, plan) = ours(&ALL).answer(&sdp("0", &lines), local(), wanted).unwrap();
        assert_eq!((plan.direction, plan.on_hold), (agreed, wanted == SendOnly), "{lines:?} {wanted:?}");
        assert!(text(answer).contains(written), "{lines:?} {wanted:?}");
    }
    let session_level = text(sdp("0", &[])).replace("t=0 0", "t=0 0\r\na=inactive");
    assert_eq!(ours(&ALL).answer(session_level.as_bytes(), local(), SendRecv).unwrap().1.direction, Inactive);
}

#[test]
fn an_answer_may_number_the_codecs_its_own_way() {
    let mut session = ours(&ALL);
    session.offer(local(), Direction::SendRecv);
    let answer = sdp("111 0 110", &[OPUS, "a=fmtp:111 maxaveragebitrate=24000;useinbandfec=1", TE_48]);
    let early = session.preview(&answer).unwrap();
    let plan = session.accept_answer(&answer).unwrap();
    assert_eq!(early, plan);
    assert_eq!(plan.send, (111, Codec::Opus));
    assert_eq!(plan.receive, [(96, Codec::Opus), (0, Codec::Pcmu)]);
    assert_eq!(
        plan.telephone_event,
        Some(TelephoneEvent { send_payload_type: 110, receive_payload_type: 97, clock_rate: 48_000 })
    );
    assert_eq!((plan.opus.fec, plan.opus.max_average_bitrate), (true, Some(24_000)));
    assert_eq!(session.accept_answer(&answer), Err(SdpError::NoOffer));
}

#[test]
fn an_answer_that_takes_nothing_is_refused() {
    for (answer, expected) in [
        (text(sdp("0", &[])).replace("audio 5000", "audio 0").into_bytes(), SdpError::Refused),
        (sdp("9", &[]), SdpError::NoCommonCodec),
        (b"v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\ns=-\r\nt=0 0\r\n".to_vec(), SdpError::NoAudio),
        // Pictures are no answer to an offer of sound, whatever their formats are called.
        (text(sdp("0", &[])).replace("m=audio", "m=video").into_bytes(), SdpError::NoAudio),
        (text(sdp("0", &["m=audio 5002 RTP/AVP 0"])).replacen("m=audio", "m=video", 1).into_bytes(), SdpError::NoAudio),
    ] {
        let mut session = ours(&ALL);
        session.offer(local(), Direction::SendRecv);
        assert_eq!(session.accept_answer(&answer), Err(expected));
        assert!(session.is_offering());
    }
}

#[test]
fn further_lines_are_refused_in_their_place_and_stay() {
    let lines = ["m=video 6000 RTP/AVP 31", "a=rtpmap:31 H261/90000", "m=image 7000 udptl t38"];
    let mut session = ours(&ALL);
    let (answer, _) = session.answer(&sdp("0", &lines), local(), Direction::SendRecv).unwrap();
    let answer = text(answer);
    let m_lines = |t: &str| t.lines().filter(|l| l.starts_with("m=")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(m_lines(&answer), ["m=audio 4000 RTP/AVP 0", "m=video 0 RTP/AVP 31", "m=image 0 udptl t38"]);
    let offer = text(session.offer(local(), Direction::SendOnly));
    let expected = ["m=audio 4000 RTP/AVP 0 96 8 97 101 98", "m=video 0 RTP/AVP 31", "m=image 0 udptl t38"];
    assert_eq!(m_lines(&offer), expected);
}

#[test]
fn pictures_that_stand_first_are_refused_first() {
    let offer = text(sdp("0", &["m=audio 5002 RTP/AVP 8"])).replacen("m=audio", "m=video", 1);
    let mut session = ours(&ALL);
    let (answer, plan) = session.answer(offer.as_bytes(), local(), Direction::SendRecv).unwrap();
    assert_eq!((plan.send, plan.remote_rtp.port()), ((8, Codec::Pcma), 5002));
    assert!(text(answer).contains("m=video 0 RTP/AVP 0\r\nm=audio 4000 RTP/AVP 8\r\n"));
    // Our own later offer keeps both places, and its answer is read at ours.
    let hold = text(session.offer(local(), Direction::SendOnly));
    assert!(hold.contains("m=video 0 RTP/AVP 0\r\nm=audio 4000 RTP/AVP 8"), "{hold}");
    let plan = session.accept_answer(offer.replace("m=video 5000", "m=video 0").as_bytes()).unwrap();
    assert_eq!(plan.remote_rtp.port(), 5002);
}

#[test]
fn the_second_audio_line_serves_where_the_first_cannot() {
    let offer = text(sdp("0", &["m=audio 5002 RTP/AVP 8"])).replacen("RTP/AVP 0", "RTP/SAVP 0", 1);
    let (answer, plan) = ours(&ALL).answer(offer.as_bytes(), local(), Direction::SendRecv).unwrap();
    assert_eq!((plan.send, plan.remote_rtp.port()), ((8, Codec::Pcma), 5002));
    assert!(text(answer).contains("m=audio 0 RTP/SAVP 0\r\nm=audio 4000 RTP/AVP 8\r\n"));
}

#[test]
fn the_version_goes_up_exactly_when_the_description_changes() {
    let version = |body: &[u8]| remote::parse(body).unwrap().origin.sess_version;
    let mut session = ours(&ALL);
    let first = session.offer(local(), Direction::SendRecv);
    session.accept_answer(&sdp("111", &[OPUS])).unwrap();
    let same = session.offer(local(), Direction::SendRecv);
    session.offer_failed();
    let hold = session.offer(local(), Direction::SendOnly);
    session.accept_answer(&sdp("111", &[OPUS, "a=recvonly"])).unwrap();
    let resume = session.offer(local(), Direction::SendRecv);
    assert_eq!([&first, &same, &hold, &resume].map(|b| version(b)), [1, 1, 2, 3]);
    assert_eq!(first, same);
    assert!(text(resume).starts_with("v=0\r\no=- 21 3 "));
}

#[test]
fn payload_types_keep_their_meaning() {
    let mut session = ours(&ALL);
    // The peer calls Opus 97, which we would use for events.
    let offer = sdp("97 0", &["a=rtpmap:97 opus/48000/2"]);
    session.answer(&offer, local(), Direction::SendRecv).unwrap();
    let again = text(session.offer(local(), Direction::SendRecv));
    assert!(again.contains("a=rtpmap:97 opus/48000/2\r\n"), "{again}");
    assert!(again.contains("a=rtpmap:96 telephone-event/48000\r\n"), "{again}");
}

/// Both policies, and how the audio is protected on either side, or why there is none.
#[test]
fn the_policies_meet() {
    use SrtpPolicy::{Off, Optional, Sdes};
    for (caller, callee, expected) in [
        (Off, Off, Ok(false)),
        (Off, Optional, Ok(false)),
        (Optional, Off, Ok(false)),
        (Optional, Optional, Ok(true)),
        (Optional, Sdes, Ok(true)),
        (Sdes, Optional, Ok(true)),
        (Sdes, Sdes, Ok(true)),
        (Sdes, Off, Err(SdpError::EncryptedOnly)),
        (Off, Sdes, Err(SdpError::PlainOnly)),
    ] {
        let (mut a, mut b) = (with(&ALL, caller), with(&ALL, callee));
        // Of the same seed, they would have the same keys.
        b.crypto = LocalCrypto::new(callee, None, &mut Entropy::from_seed(1));
        let offer = a.offer(local(), Direction::SendRecv);
        let answered = b.answer(&offer, local(), Direction::SendRecv);
        assert_eq!(answered.as_ref().map(|(_, plan)| plan.srtp.is_some()).map_err(Clone::clone), expected);
        let Ok((answer, theirs)) = answered else { continue };
        let ours = a.accept_answer(&answer).unwrap();
        let keys = |plan: &MediaPlan| sdes(plan).map(|keys| (keys.send, keys.receive));
        assert_eq!(keys(&ours), keys(&theirs).map(|(send, receive)| (receive, send)), "{caller:?} {callee:?}");
        let proto = if caller == Sdes { "RTP/SAVP" } else { "RTP/AVP" };
        assert!(text(answer).contains(&format!("m=audio 4000 {proto} 96")));
        assert_eq!(sdes(&ours).map(|keys| keys.send.suite()), expected.unwrap().then_some(CryptoSuite::AeadAes256Gcm));
    }
}

#[test]
fn keys_stay_through_hold_and_the_peer_s_new_ones_are_taken() {
    let line = |key: char| format!("a=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:{}", key.to_string().repeat(40));
    let mut session = with(&ALL, SrtpPolicy::Optional);
    session.offer(local(), Direction::SendRecv);
    let first = sdes(&session.accept_answer(&sdp("0", &[&line('A')])).unwrap()).unwrap();
    // The suite in use comes first.
    let again = text(session.offer(local(), Direction::SendOnly));
    assert!(again.contains("a=crypto:1 AES_CM_128_HMAC_SHA1_80 ") && again.contains("a=crypto:2 AEAD_AES_256_GCM "));
    let answer = sdp("0", &[&line('A').replace("crypto:2", "crypto:1"), "a=recvonly"]);
    let held = sdes(&session.accept_answer(&answer).unwrap()).unwrap();
    assert_eq!(first, held);
    let (_, plan) = session.answer(&sdp("0", &[&line('B')]), local(), Direction::SendRecv).unwrap();
    let again = sdes(&plan).unwrap();
    assert_eq!(first.send, again.send);
    assert_ne!(first.receive, again.receive);
}

/// What may stand in an answer to an offer with keys, and what comes of it.
#[test]
fn an_answer_s_key_must_fit_the_offer() {
    let key = "A".repeat(40);
    let gcm = format!("{}=", "A".repeat(59));
    for (policy, lines, expected) in [
        (SrtpPolicy::Optional, vec![], Ok(false)),
        (SrtpPolicy::Optional, vec![format!("a=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:{key}")], Ok(true)),
        (SrtpPolicy::Optional, vec![format!("a=crypto:1 AEAD_AES_256_GCM inline:{gcm}")], Ok(true)),
        // Another tag, another suite, no key.
        (
            SrtpPolicy::Optional,
            vec![format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{key}")],
            Err(SdpError::NoCommonCrypto),
        ),
        (
            SrtpPolicy::Optional,
            vec![format!("a=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:{key}")],
            Err(SdpError::NoCommonCrypto),
        ),
        (SrtpPolicy::Optional, vec!["a=crypto:2".to_owned()], Err(SdpError::NoCommonCrypto)),
        (SrtpPolicy::Sdes, vec![], Err(SdpError::PlainOnly)),
        // Nobody asked for it.
        (SrtpPolicy::Off, vec![format!("a=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:{key}")], Ok(false)),
    ] {
        let mut session = with(&ALL, policy);
        session.offer(local(), Direction::SendRecv);
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let plan = session.accept_answer(&sdp("0", &lines));
        assert_eq!(plan.map(|plan| plan.srtp.is_some()), expected, "{policy:?} {lines:?}");
    }
}

fn sdes(plan: &MediaPlan) -> Option<SrtpKeys> {
    match &plan.srtp {
        Some(KeyExchange::Sdes(keys)) => Some(keys.clone()),
        Some(KeyExchange::Dtls(_)) | None => None,
    }
}

#[test]
fn other_secure_transports_are_named() {
    for (proto, policy, expected) in [
        ("UDP/TLS/RTP/SAVPF", SrtpPolicy::Optional, SdpError::NoCommonCrypto),
        ("RTP/SAVP", SrtpPolicy::Optional, SdpError::NoCommonCrypto),
        ("RTP/SAVPF", SrtpPolicy::Off, SdpError::EncryptedOnly),
        ("udptl", SrtpPolicy::Off, SdpError::NoAudio),
    ] {
        let offer = text(sdp("0", &[])).replace("RTP/AVP", proto);
        let refused = with(&ALL, policy).answer(offer.as_bytes(), local(), Direction::SendRecv).map(|_| ());
        assert_eq!(refused, Err(expected), "{proto} {policy:?}");
    }
}

#[test]
fn one_port_serves_where_both_sides_agree() {
    let mut session = ours(&ALL);
    session.offer(local(), Direction::SendRecv);
    assert!(session.preview(&sdp("0", &["a=rtcp-mux"])).unwrap().rtcp_mux);
    assert!(!session.preview(&sdp("0", &[])).unwrap().rtcp_mux);
}

/// Whatever stands in a description, reading it gives a plan or an error.
#[test]
fn mutated_descriptions_do_no_harm() {
    let mut entropy = crate::sip::entropy::Entropy::from_seed(8866);
    let seed = sdp(
        "111 0 8 101",
        &[OPUS, TE_8, "a=fmtp:111 useinbandfec=1", "a=rtcp:5001", "a=ptime:20", CRYPTO, "m=video 6000 RTP/AVP 31"],
    );
    for _ in 0..5_000 {
        let mut body = seed.clone();
        for _ in 0..=entropy.u32() % 8 {
            let at = entropy.u32() as usize % body.len();
            match entropy.u32() % 3 {
                0 => body[at] = entropy.u32() as u8,
                1 => drop(body.remove(at)),
                _ => body.insert(at, b" \r\n:=/0"[entropy.u32() as usize % 7]),
            }
        }
        let mut session = with(&ALL, SrtpPolicy::Optional);
        if let Ok((answer, _)) = session.answer(&body, local(), Direction::SendRecv) {
            let mut other = ours(&ALL);
            other.offer(local(), Direction::SendRecv);
            assert!(!matches!(other.preview(&answer), Err(SdpError::Malformed(_))), "our answer can be read");
        }
    }
}
