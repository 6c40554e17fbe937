//! The demonstration's parties: desk phone, colleague, echo, call-back.
