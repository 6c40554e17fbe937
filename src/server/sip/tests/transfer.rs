//! Transfers through the proxy: REFER, its notifications, and the INVITE that takes a call over.

use super::proxy::{Ringing, ringing};
use crate::sip::{dialog::Dialog, msg::Method};

#[test]
fn a_transfer_passes_from_side_to_side() {
    let Ringing { mut bench, colleague, client, invite, desk, laptop } = ringing();
    bench.answer(laptop.0, laptop.1, &laptop.2, 200);
    let ok = bench.final_response(colleague, client);
    bench.answer(desk.0, desk.1, &desk.2, 487);
    let mut caller = Dialog::uac(&invite, &ok).expect("a dialog");
    let mut callee = Dialog::uas(&laptop.2, "tag-100-acme-laptop").expect("a dialog");
    bench.send_ack(colleague, caller.ack(&invite).expect("an ACK"));
    // REFER one way and NOTIFY the other, with what they carry.
    let refer_to = "<sip:102@acme?Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2&Require=replaces>";
    let mut refer = caller.request(Method::REFER);
    for (name, value) in [("Refer-To", refer_to), ("Referred-By", "<sip:101-acme@acme>"), ("Refer-Sub", "true")] {
        refer.headers.push(name, value);
    }
    let mut notify = callee.request(Method::NOTIFY);
    notify.headers.push("Event", "refer");
    notify.headers.push("Subscription-State", "active;expires=60");
    notify.headers.push("Content-Type", "message/sipfrag");
    notify.body = b"SIP/2.0 100 Trying\r\n".to_vec();
    for (from, to, request, code) in [(colleague, laptop.0, refer, 202), (laptop.0, colleague, notify, 200)] {
        let sent = bench.send(from, request.clone());
        let (server, heard) = bench.heard_request(to).expect("it arrives");
        for name in ["Refer-To", "Referred-By", "Refer-Sub", "Event", "Subscription-State", "Content-Type"] {
            assert_eq!(heard.headers.get(name), request.headers.get(name));
        }
        assert_eq!(heard.body, request.body);
        bench.answer(to, server, &heard, code);
        assert_eq!(bench.final_response(from, sent).code(), code);
    }
    // The call that takes this one's place reaches the additional registration that is in it, and no other device.
    let mut takes_over = bench.invite(colleague, "sip:100-acme-laptop@acme");
    takes_over.headers.push("Replaces", "a@b;to-tag=1;from-tag=2");
    assert_eq!(bench.ask(colleague, takes_over).code(), 403, "where it might ring");
    let mut takes_over = bench.invite(colleague, "sip:100-acme-laptop@acme");
    takes_over.headers.push("Replaces", "a@b;to-tag=1;from-tag=2");
    takes_over.headers.push("Require", "replaces");
    let sent = bench.send_authorized(colleague, takes_over);
    let (server, heard) = bench.heard_request(laptop.0).expect("it arrives");
    assert_eq!(heard.headers.get("Replaces"), Some("a@b;to-tag=1;from-tag=2"));
    assert!(bench.heard_request(desk.0).is_none());
    bench.answer(laptop.0, server, &heard, 481);
    assert_eq!(bench.final_response(colleague, sent).code(), 481);
}
