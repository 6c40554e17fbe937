//! The agent's window: a function of a [`snapshot::Snapshot`] that sends [`snapshot::Intent`]s back. It knows nothing of SIP,
//! media or the TMS.

pub mod snapshot;
