//! Registrar and proxy in simulated time.

mod bench;
mod hostile;
mod lost;
mod originate;
mod proxy;
mod registrar;
mod sockets;
mod transfer;
