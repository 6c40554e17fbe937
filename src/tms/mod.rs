//! The TMS as the softphone sees it: wire types shared with the server, the session's state (pure) and its HTTP shell.
//!
//! [`session`] decides what to ask and what an answer means; [`client`] moves the bytes; [`outcome`] turns every way an HTTP
//! exchange can end into a typed result or a sentence; [`sse`] reads the stream of server-sent events. [`login`] has the ways
//! to sign in, one of which is a [`link`]. A TMS that has only the XML API has a session of its own kind, [`xml`];
//! [`sessions`] is whichever of the two is wanted.

pub mod client;
pub mod link;
pub mod login;
pub mod outcome;
pub mod session;
pub mod sessions;
pub mod sse;
pub mod url;
pub mod wire;
pub mod xml;
