//! The client: answers challenges and remembers them, so that the next request carries credentials from the start.

use super::{Asker, Authorization, Challenge, authorization::Counted};
use crate::sip::{
    digest::{Ha1, Qop},
    entropy::Entropy,
    msg::{Request, Response},
};
use std::fmt;

/// A user name and a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub username: String,
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// Why a challenge cannot be answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// 401 or 407 without a challenge that is known here.
    #[error(
        "the server asks for a kind of authentication that is not supported (Digest with MD5, SHA-256 or SHA-512/256 is)"
    )]
    Unsupported,
    /// The credentials were refused, or every nonce is called stale.
    #[error("the server {realm:?} does not accept the user name or the password")]
    Refused {
        /// The realm that refused.
        realm: String,
    },
}

/// Challenges remembered at once; one more takes the place of the oldest.
const MAX_REALMS: usize = 8;
/// A fresh nonce called stale this often in a row is a refusal in disguise.
const MAX_STALE: u8 = 3;

/// The credentials of one account, and the challenges it has answered.
#[derive(Debug)]
pub struct ClientAuth {
    credentials: Credentials,
    realms: Vec<Realm>,
}

/// The challenge in force for one realm.
#[derive(Debug)]
struct Realm {
    asker: Asker,
    challenge: Challenge,
    qop: Option<Qop>,
    /// One for the life of the nonce, because a `-sess` key is bound to it.
    cnonce: String,
    used: u32,
    stale_in_a_row: u8,
}

impl ClientAuth {
    /// Nothing answered yet.
    pub fn new(credentials: Credentials) -> Self {
        Self { credentials, realms: Vec::new() }
    }

    /// Takes in the 401 or 407 that answered `request`, so that it can be sent again (with a new CSeq and branch) after
    /// [`ClientAuth::authorize`].
    ///
    /// # Errors
    /// When sending again is pointless; [`AuthError`] says why.
    pub fn handle_challenge(
        &mut self,
        request: &Request,
        response: &Response,
        entropy: &mut Entropy,
    ) -> Result<(), AuthError> {
        let asker = if response.code() == Asker::Proxy.code() { Asker::Proxy } else { Asker::Server };
        let mut chosen: Vec<Challenge> = Vec::new();
        for challenge in Challenge::read(&response.headers, asker) {
            // Of several for a realm the strongest counts, the first of equals (RFC 8760 §2.4).
            match chosen.iter_mut().find(|c| c.realm == challenge.realm) {
                Some(best) if strength(&challenge) > strength(best) => *best = challenge,
                Some(_) => {}
                None => chosen.push(challenge),
            }
        }
        if chosen.is_empty() {
            return Err(AuthError::Unsupported);
        }
        for challenge in chosen {
            self.remember(asker, challenge, request, entropy)?;
        }
        Ok(())
    }

    fn remember(
        &mut self,
        asker: Asker,
        challenge: Challenge,
        request: &Request,
        entropy: &mut Entropy,
    ) -> Result<(), AuthError> {
        let refused = |realm: &str| Err(AuthError::Refused { realm: realm.to_owned() });
        let at = self.realms.iter().position(|r| r.asker == asker && r.challenge.realm == challenge.realm);
        let mut stale_in_a_row = 0;
        if let Some(sent) = Authorization::read(&request.headers, asker, &challenge.realm) {
            // A nonce that worked before may have run out without being called stale; a fresh one may not. Without a qop
            // nothing in the request counts its uses (RFC 7616 §3.4).
            let uses = sent.nonce_count().unwrap_or_else(|| at.map_or(1, |at| self.realms[at].used));
            if uses == 1 {
                stale_in_a_row = at.map_or(1, |at| self.realms[at].stale_in_a_row + 1);
                if !challenge.stale || stale_in_a_row >= MAX_STALE {
                    self.realms.retain(|r| r.asker != asker || r.challenge.realm != challenge.realm);
                    return refused(&challenge.realm);
                }
            }
        }
        if at.is_none() && self.realms.len() >= MAX_REALMS {
            // Should its server still want it, it asks once more.
            self.realms.remove(0);
        }
        // `auth` before `auth-int`: intermediaries may change a body.
        let qop = [Qop::Auth, Qop::AuthInt].into_iter().find(|q| challenge.qop.contains(q));
        let realm = Realm { asker, challenge, qop, cnonce: entropy.hex(16), used: 0, stale_in_a_row };
        match at {
            Some(at) => self.realms[at] = realm,
            None => self.realms.push(realm),
        }
        Ok(())
    }

    /// The realms whose servers find credentials in a request.
    pub fn realms_of(&self, request: &Request, asker: Asker) -> Vec<String> {
        let asked = self.realms.iter().filter(|realm| realm.asker == asker).map(|realm| &realm.challenge.realm);
        asked.filter(|realm| Authorization::read(&request.headers, asker, realm).is_some()).cloned().collect()
    }

    /// As [`ClientAuth::handle_challenge`], and gives the request credentials for the realms that ask now and those that it
    /// carried already; a server somewhere else is not to have what is for the home's.
    ///
    /// # Errors
    /// As there; the request is as it was then.
    pub fn answer(
        &mut self,
        request: &mut Request,
        response: &Response,
        entropy: &mut Entropy,
    ) -> Result<(), AuthError> {
        self.handle_challenge(request, response, entropy)?;
        let asks = |r: &Realm| Challenge::read(&response.headers, r.asker).iter().any(|c| c.realm == r.challenge.realm);
        let carries = |r: &Realm| Authorization::read(&request.headers, r.asker, &r.challenge.realm).is_some();
        let wanted: Vec<bool> = self.realms.iter().map(|realm| asks(realm) || carries(realm)).collect();
        self.give(request, |at| wanted[at]);
        Ok(())
    }

    /// Gives a request the credentials for every realm that has asked so far, in place of those it carries. Call it last:
    /// method, Request-URI and body go into them.
    pub fn authorize(&mut self, request: &mut Request) {
        self.give(request, |_| true);
    }

    fn give(&mut self, request: &mut Request, wanted: impl Fn(usize) -> bool) {
        for asker in [Asker::Server, Asker::Proxy] {
            request.headers.remove(asker.credentials_header());
        }
        for (_, realm) in self.realms.iter_mut().enumerate().filter(|(at, _)| wanted(*at)) {
            let credentials = realm.answer(&self.credentials, request);
            request.headers.push(realm.asker.credentials_header(), credentials.to_string());
        }
    }
}

fn strength(challenge: &Challenge) -> impl Ord {
    challenge.algorithm.hash
}

impl Realm {
    fn answer(&mut self, credentials: &Credentials, request: &Request) -> Authorization {
        let Challenge { realm, nonce, algorithm, opaque, .. } = &self.challenge;
        self.used = self.used.saturating_add(1);
        // RFC 7616 §3.4: nc is hexadecimal.
        let protection =
            self.qop.map(|qop| Counted { qop, nc: format!("{:08x}", self.used), cnonce: self.cnonce.clone() });
        let mut answer = Authorization {
            username: credentials.username.clone(),
            realm: realm.clone(),
            nonce: nonce.clone(),
            uri: request.uri.to_string(),
            algorithm: *algorithm,
            opaque: opaque.clone(),
            response: String::new(),
            protection,
        };
        let ha1 = Ha1::new(algorithm.hash, &credentials.username, realm, &credentials.password);
        answer.response = answer.expected(&ha1, request);
        answer
    }
}
