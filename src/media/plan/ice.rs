//! What was agreed on about ways through NATs (RFC 8445, RFC 8839).

use std::fmt;

/// One side's name and password for checks of the ways.
#[derive(Clone, PartialEq, Eq)]
pub struct IceCredentials {
    pub ufrag: String,
    pub password: String,
}

impl fmt::Debug for IceCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IceCredentials({}, …)", self.ufrag)
    }
}

/// Both sides of the checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IcePlan {
    pub local: IceCredentials,
    pub remote: IceCredentials,
    /// The peer's addresses as in `a=candidate`, of the component that carries RTP and RTCP.
    pub candidates: Vec<String>,
    /// We choose the way.
    pub controlling: bool,
}
