//! Which credentials a request carries (RFC 3261 §22).

use super::Stack;
use crate::{
    sip::{
        auth::{AuthError, ClientAuth, Credentials},
        entropy::Entropy,
        msg::{Request, Response},
        uri::Uri,
    },
    ua::api::Account,
};
use std::sync::Arc;

impl Stack {
    /// Gives a request the credentials that its server or proxies asked for before, where it goes to them: by a route of the
    /// account's, or to its domain. Another server has not asked and gets none.
    pub fn authorize(&mut self, account: &Arc<Account>, request: &mut Request) {
        let host = |uri: &Uri| uri.as_sip().map(|sip| sip.host.clone());
        if request.headers.contains("Route") || host(&request.uri) == host(&account.aor) {
            self.auth(account).0.authorize(request);
        }
    }

    /// Takes in a 401 or 407 and gives `request` credentials; the caller gives it the next CSeq and sends it again.
    pub fn answer_challenge(
        &mut self,
        account: &Arc<Account>,
        request: &mut Request,
        response: &Response,
    ) -> Result<(), AuthError> {
        let (auth, entropy) = self.auth(account);
        auth.answer(request, response, entropy)
    }

    fn auth(&mut self, account: &Arc<Account>) -> (&mut ClientAuth, &mut Entropy) {
        let known = self.auths.iter().position(|(a, _)| Arc::ptr_eq(a, account));
        let at = known.unwrap_or_else(|| {
            // Accounts that nothing refers to any more are forgotten.
            self.auths.retain(|(a, _)| Arc::strong_count(a) > 1);
            let credentials =
                Credentials { username: account.auth_username.clone(), password: account.password.0.clone() };
            self.auths.push((account.clone(), ClientAuth::new(credentials)));
            self.auths.len() - 1
        });
        (&mut self.auths[at].1, &mut self.entropy)
    }
}
