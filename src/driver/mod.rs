//! The softphone's only runtime: SIP sockets, DNS, clock and the TMS's HTTP around the pure cores; one loop over one event
//! enum on one thread.

pub mod api;
