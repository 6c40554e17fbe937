//! Handles for the programs a test starts, and for the sound they make.

pub mod kamailio;
pub mod phone;
pub mod process;
pub mod tone;
