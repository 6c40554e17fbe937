//! Details of a call: beside the main column in the wide window, else a page. With the messages behind it, as a ladder.

pub mod data;
mod ladder;
pub mod ui;
