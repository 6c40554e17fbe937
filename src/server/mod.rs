//! The TMS: HTTP, store, registrar and proxy, one folder per capability.
