//! DTLS-SRTP in the session description (RFC 5763 §5, RFC 8842 §5): whose certificate, and who begins.

use super::format::attribute;
use crate::media::plan::{DtlsPlan, Fingerprint};
use sdp_types::{Attribute, Media, Session};

/// Nobody writes more.
const MOST_LINES: usize = 8;

/// What the peer's description says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RemoteDtls {
    fingerprint: Fingerprint,
    /// `None` where it does not say.
    setup: Option<Setup>,
}

/// Who begins the handshake (RFC 4145 §4), as its writer sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Setup {
    Active,
    Passive,
    /// Whatever the other wants.
    ActPass,
}

/// `None` where it offers no handshake, or none that we can take part in. The lines may stand above the media, too.
pub(super) fn read(session: &Session, media: &Media) -> Option<RemoteDtls> {
    let values = |name: &'static str| {
        let attributes = media.attributes.iter().chain(&session.attributes);
        attributes.filter(move |a| a.attribute.eq_ignore_ascii_case(name)).filter_map(|a| a.value.as_deref())
    };
    let fingerprint = values("fingerprint").take(MOST_LINES).find_map(Fingerprint::read)?;
    let setup = match values("setup").next().map(|value| value.trim().to_ascii_lowercase()).as_deref() {
        Some("active") => Some(Setup::Active),
        Some("passive") => Some(Setup::Passive),
        Some("actpass") => Some(Setup::ActPass),
        // Wants no handshake now.
        Some(_) => return None,
        None => None,
    };
    Some(RemoteDtls { fingerprint, setup })
}

impl RemoteDtls {
    /// As the one who answers: the offer says who begins, or leaves it to us. A handshake that has taken place (`before`) is
    /// not turned around (RFC 8842 §5.3); else we begin, which saves half a round trip (RFC 5763 §5), unless they are `hidden`:
    /// whom we cannot reach shows by beginning where it is.
    pub(super) fn answered(&self, before: Option<&DtlsPlan>, hidden: bool) -> DtlsPlan {
        let active = match self.setup {
            Some(Setup::Active) => false,
            Some(Setup::Passive) => true,
            Some(Setup::ActPass) | None => before.map_or(!hidden, |before| before.active),
        };
        DtlsPlan { active, fingerprint: self.fingerprint.clone() }
    }

    /// As the one who offered: we begin unless the answer does.
    pub(super) fn agreed(&self) -> DtlsPlan {
        DtlsPlan { active: self.setup != Some(Setup::Active), fingerprint: self.fingerprint.clone() }
    }
}

/// Lines of an offer.
pub(super) fn offer(ours: &Fingerprint) -> [Attribute; 2] {
    write(ours, "actpass")
}

/// Lines of an answer.
pub(super) fn answer(ours: &Fingerprint, plan: &DtlsPlan) -> [Attribute; 2] {
    write(ours, if plan.active { "active" } else { "passive" })
}

fn write(ours: &Fingerprint, setup: &str) -> [Attribute; 2] {
    [attribute("fingerprint", ours.to_string()), attribute("setup", setup)]
}
