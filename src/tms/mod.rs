//! The TMS as the softphone sees it: wire types shared with the server, the session's state (pure) and its HTTP shell.

pub mod wire;
