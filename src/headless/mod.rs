//! The softphone without its window: JSON lines in, JSON events out.
