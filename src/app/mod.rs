//! The composition root: configuration, the driver, channels and the front ends are joined here and nowhere else.
//!
//! [`setup`] is what both front ends share: the folder, the settings and what the softphone remembers of a session.

pub mod desktop;
pub mod footprint;
pub mod headless;
pub mod headset;
pub mod logging;
pub mod memory;
mod plain;
pub mod ring;
pub mod setup;
pub mod vault;
pub mod window;
