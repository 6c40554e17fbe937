//! Audio: RTP and RTCP, jitter buffer, codecs, devices, and the engine that joins them. It knows no SIP: a call reaches
//! it as a [`plan::MediaPlan`].

pub mod engine;
pub mod plan;
pub mod stats;
