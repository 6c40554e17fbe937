//! The lists under the dial field: recent calls and colleagues with their lamps; what is typed finds both.

mod colleagues;
pub mod data;
pub mod ui;
