//! Audio: RTP and RTCP, jitter buffer, codecs, devices, and the engine that joins them. It knows no SIP: a call reaches
//! it as a [`plan::MediaPlan`].
//!
//! Pure (clock, randomness and bytes are arguments): [`check`], [`rtp`], [`rtcp`], [`jitter`], [`codec`], [`dsp`], [`dtmf`],
//! [`emodel`], [`evidence`], [`impair`], [`srtp`], [`security`], [`ice`], [`voice`], [`receiver`] and [`sender`]. Sockets, files, sound cards and the threads live in [`device`], [`music`],
//! [`record`] and [`engine`]. Samples are `f32` in ±1.0, one channel; whatever passes between a call and a device is at 48 kHz in blocks
//! of [`BLOCK`] samples.

pub mod check;
pub mod codec;
pub mod device;
pub mod dsp;
pub mod dtmf;
pub mod emodel;
pub mod engine;
pub mod evidence;
pub mod ice;
pub mod impair;
pub mod jitter;
pub mod music;
pub mod plan;
pub mod receiver;
pub mod record;
pub mod rtcp;
pub mod rtp;
pub mod security;
pub mod sender;
pub mod srtp;
pub mod stats;
pub mod voice;

/// The rate at which calls and devices meet, in Hz.
pub const SAMPLE_RATE: u32 = 48_000;

/// 10 ms at [`SAMPLE_RATE`]: the smallest amount that calls and devices exchange.
pub const BLOCK: usize = 480;
