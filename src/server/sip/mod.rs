//! The SIP side of the TMS: registrar (RFC 3261 §10) and stateful forking proxy (§16) on [`crate::sip::endpoint`].

mod flow_token;
mod location;
