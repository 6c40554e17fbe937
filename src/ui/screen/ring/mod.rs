//! The ringing window: who, through which number, how long; answer, reject, hold and answer.

pub mod data;
pub mod ui;
