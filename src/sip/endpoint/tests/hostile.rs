//! Peers that send anything, in any order.

use super::*;
use proptest::prelude::*;

/// Requests and responses around one INVITE and one OPTIONS of the peer's, and around our own INVITE; `{branch}` is ours.
const TEXTS: [&str; 8] = [
    "INVITE sip:bob@192.0.2.2 SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\nCSeq: 1 INVITE",
    "ACK sip:bob@192.0.2.2 SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\nCSeq: 1 ACK",
    "CANCEL sip:bob@192.0.2.2 SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\nCSeq: 1 CANCEL",
    "INVITE sip:bob@192.0.2.2 SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.1\nCSeq: 1 INVITE",
    "OPTIONS sip:bob@192.0.2.2 SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK2\nCSeq: 1 OPTIONS",
    "SIP/2.0 180 Ringing\nVia: SIP/2.0/UDP 192.0.2.2;branch={branch}\nCSeq: 7 INVITE",
    "SIP/2.0 200 OK\nVia: SIP/2.0/UDP 192.0.2.2;branch={branch}\nCSeq: 7 INVITE",
    "SIP/2.0 486 Busy Here\nVia: SIP/2.0/UDP 192.0.2.2;branch={branch}\nCSeq: 7 CANCEL",
];

/// One packet: which text, and bytes to overwrite.
type Packet = (usize, Vec<(prop::sample::Index, u8)>, u16);

fn packets() -> impl Strategy<Value = Vec<Packet>> {
    let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    prop::collection::vec((0..TEXTS.len(), edits, 0u16..3000), 1..40)
}

mod properties {
    use super::*;
    use crate::properties::config;

    proptest! {
        #![proptest_config(config(256, 3261))]

        #[test]
        fn nothing_panics_and_nothing_stays(
            packets in packets(),
            proxy: bool,
            cancel: bool,
            codes in prop::collection::vec(100u16..700, 40),
        ) {
            let (timers, entropy) = (Timers::default(), Entropy::from_seed(1));
            let endpoint = if proxy { Endpoint::for_proxy(timers, entropy) } else { Endpoint::new(timers, entropy) };
            let mut bench = Bench::with(endpoint);
            let flow = udp("192.0.2.1:5060");
            let ours = bench.send(flow, outgoing("INVITE"));
            let via = bench.last_request("INVITE").1.headers.top_via().expect("ours");
            let branch = via.branch().unwrap_or_default();
            for ((text, edits, after), code) in packets.into_iter().zip(codes) {
                let tail = "From: <sip:a@a>;tag=a\r\nTo: <sip:b@b>\r\nCall-ID: call\r\n\r\n";
                let head = TEXTS[text].replace("{branch}", branch).replace('\n', "\r\n");
                let mut bytes = format!("{head}\r\n{tail}").into_bytes();
                let is_whole = edits.is_empty();
                for (index, byte) in edits {
                    let at = index.index(bytes.len());
                    bytes[at] = byte;
                }
                let read = wire::read(&bytes);
                prop_assert!(read.is_ok() || !is_whole, "{read:?}");
                if let Ok(message) = read {
                    bench.endpoint.handle_message(bench.now, flow, message);
                    bench.drain();
                }
                for event in std::mem::take(&mut bench.events) {
                    if let Event::Request { transaction, request, .. } = event {
                        bench.respond(transaction, &request, code);
                        bench.respond(transaction, &request, 486);
                    }
                }
                bench.run_to(bench.now.duration_since(bench.start).as_millis() as u64 + u64::from(after));
            }
            if cancel {
                bench.endpoint.cancel(bench.now, ours, None);
            } else {
                bench.endpoint.transport_failed(bench.now, ours, "gone");
            }
            bench.drain();
            bench.run_to(1_000_000);
            bench.assert_empty();
        }
    }
}
