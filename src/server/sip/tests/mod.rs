//! Registrar and proxy in simulated time.

mod bench;
mod proxy;
mod registrar;
mod sockets;
