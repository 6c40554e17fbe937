//! A headset's buttons and lamps, by the telephony page of USB's human interface devices (HID).
//!
//! ```text
//!   hidraw --report--> reader thread --+                                          +--Told::Pressed(Press)--> app
//!                                      +--> thread "headset" -- Headset (pure) ---+
//!   hidraw <--report-------------------+        ^ Calls: what the lamps are to say, from app
//! ```
//!
//! [`descriptor`] finds where in its reports a device puts what we want; [`Headset`] knows what a button means at the moment and
//! what the lamps are to show. Both are pure. [`Watcher`] is the thread that looks for devices through a [`Bus`] and moves
//! reports; `hid` has the real one. Nothing here knows what a call is: [`Calls`] says all that a headset can show.

mod buttons;
pub mod descriptor;
mod hid;
mod watcher;

pub use buttons::{Calls, Headset, Output, Press};
pub use hid::real_bus;
pub use watcher::{Bus, Found, Plugged, Read, Told, Watcher, Write};
