//! The agent's window: a function of a [`snapshot::Snapshot`] that sends [`snapshot::Intent`]s back. It knows nothing of SIP,
//! media or the TMS.
//!
//! [`theme`] holds colours, sizes and fonts, [`text`] every word, [`widget`] the controls. Each screen in [`screen`] is two
//! files: `data.rs` says exactly what is shown, `ui.rs` paints it.

pub mod format;
pub mod icon;
pub mod screen;
pub mod snapshot;
pub mod text;
pub mod theme;
pub mod widget;
pub mod window;
