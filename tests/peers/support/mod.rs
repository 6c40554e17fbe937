//! Handles for the programs a test starts, and for the sound they make.

pub mod baresip;
pub mod certificate;
pub mod coturn;
pub mod ip;
pub mod kamailio;
pub mod phone;
pub mod process;
pub mod sipp;
pub mod tone;
