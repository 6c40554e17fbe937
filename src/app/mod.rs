//! The composition root: configuration, the driver, channels and the front ends are joined here and nowhere else.

pub mod ring;
