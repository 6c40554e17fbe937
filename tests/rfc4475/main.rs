//! The torture messages of RFC 4475, each with the outcome that the RFC asks for, at the layer that decides it: the reader
//! (here), authentication and the endpoint (`layers`), the user agent (`user_agent`); what the registrar and the proxy make
//! of them stands in `src/server/sip/torture.rs`. Those of RFC 5118 see `ipv6`.

#![allow(clippy::disallowed_methods, reason = "a test takes its instants from the clock")]

mod ipv6;
mod layers;
mod user_agent;
mod valid;

use agent_manager::sip::{
    msg::{Message, Request, Response},
    wire::{ReadError, read},
};
use std::{collections::BTreeSet, fs, path::PathBuf};

/// What reading a message leads to.
#[derive(Clone, Copy)]
enum Outcome {
    /// Read; `valid` looks at the values, and where the RFC wants a refusal from a higher layer, that layer's test does.
    Read,
    /// Answered with this code and a phrase that holds these words.
    Answer(u16, &'static str),
    /// Dropped without an answer.
    Drop,
}
use Outcome::{Answer, Drop, Read};

/// Every message by section of RFC 4475, without `.dat`.
const MESSAGES: [(&str, Outcome); 49] = [
    // 3.1.1 valid
    ("wsinv", Read),
    ("intmeth", Read),
    ("esc01", Read),
    ("escnull", Read),
    ("esc02", Read),
    ("lwsdisp", Read),
    ("longreq", Read),
    ("dblreq", Read),
    ("semiuri", Read),
    ("transports", Read),
    ("mpart01", Read),
    ("unreason", Read),
    ("noreason", Read),
    // 3.1.2 invalid
    ("badinv01", Answer(400, "Via")),
    ("clerr", Answer(400, "Content-Length")),
    ("ncl", Answer(400, "Content-Length")),
    ("scalar02", Answer(400, "CSeq")),
    ("scalarlg", Drop),
    ("quotbal", Answer(400, "To")),
    ("ltgtruri", Answer(400, "Request-URI")),
    ("lwsruri", Answer(400, "Request-URI")),
    ("lwsstart", Answer(400, "Request-URI")),
    ("trws", Answer(400, "request line")),
    ("escruri", Answer(400, "Request-URI")),
    // Nothing here uses Date; the RFC lets such an element take the message as it is.
    ("baddate", Read),
    ("regbadct", Answer(400, "Contact")),
    ("badaspec", Answer(400, "To")),
    ("baddn", Answer(400, "From")),
    ("badvers", Answer(505, "Version Not Supported")),
    ("mismatch01", Answer(400, "CSeq")),
    ("mismatch02", Answer(400, "CSeq")),
    ("bigcode", Drop),
    // 3.2 transaction layer
    ("badbranch", Read),
    // 3.3 application layer
    ("insuf", Answer(400, "From")),
    ("unkscm", Read),
    ("novelsc", Read),
    ("unksm2", Read),
    ("bext01", Read),
    ("invut", Read),
    ("regaut01", Read),
    ("multi01", Answer(400, "more than once")),
    ("mcl01", Answer(400, "Content-Length")),
    ("bcast", Read),
    ("zeromf", Read),
    ("cparam01", Read),
    ("cparam02", Read),
    ("regescrt", Read),
    ("sdp01", Read),
    // 3.4 backward compatibility
    ("inv2543", Read),
];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/rfc4475")
}

fn bytes(name: &str) -> Vec<u8> {
    fs::read(folder().join(format!("{name}.dat"))).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn request(name: &str) -> Request {
    match read(&bytes(name)) {
        Ok(Message::Request(request)) => request,
        other => panic!("{name}: {other:?}"),
    }
}

fn response(name: &str) -> Response {
    match read(&bytes(name)) {
        Ok(Message::Response(response)) => response,
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn each_message_has_its_outcome() {
    for (name, outcome) in MESSAGES {
        match (read(&bytes(name)), outcome) {
            (Ok(_), Read) | (Err(ReadError::Drop(_)), Drop) => {}
            (Err(ReadError::Answer(answer)), Answer(code, words)) => {
                assert_eq!(answer.code(), code, "{name}: {answer:?}");
                assert!(answer.reason.contains(words), "{name}: {}", answer.reason);
                assert!(answer.headers.contains("Via"), "{name}: nobody would know the answer as theirs");
            }
            (other, _) => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn the_table_and_the_folder_hold_the_same_messages() {
    let listed: BTreeSet<String> = MESSAGES.iter().map(|(name, _)| format!("{name}.dat")).collect();
    let files: BTreeSet<String> =
        fs::read_dir(folder()).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(listed, files);
}
