//! Which credentials a request carries (RFC 3261 §22).

use super::{Stack, realms::Realms};
use crate::{
    sip::{
        auth::{AuthError, ClientAuth, Credentials},
        entropy::Entropy,
        msg::{Request, Response},
        uri::{Host, Uri},
    },
    ua::api::Account,
};
use std::sync::Arc;

/// What an account has answered challenges with.
pub(super) struct Auth {
    account: Arc<Account>,
    client: ClientAuth,
    realms: Realms,
}

impl Stack {
    /// Gives a request the credentials that its server or proxies asked for before, where it goes to them. Another server has not
    /// asked and gets none.
    pub fn authorize(&mut self, account: &Arc<Account>, request: &mut Request) {
        if self.goes_home(account, request) {
            self.auth(account).0.client.authorize(request);
        }
    }

    /// Whether a request goes to the account's own servers: outside a dialog any route is the account's; within one the other side may
    /// have named it.
    pub(super) fn goes_home(&self, account: &Account, request: &Request) -> bool {
        let host = |uri: &Uri| uri.as_sip().map(|sip| sip.host.clone());
        let own = [host(&account.aor), account.outbound_proxy.as_ref().and_then(host)];
        let is_own = |uri: &Uri| {
            let to = host(uri);
            to.is_some() && (own.contains(&to) || to == self.home.map(|home| Host::Ip(home.remote.ip())))
        };
        let in_dialog = request.headers.to().is_ok_and(|to| to.tag().is_some());
        match request.headers.name_addrs("Route").unwrap_or_default().first() {
            Some(route) => !in_dialog || is_own(&route.uri),
            None => is_own(&request.uri),
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
        auth.client.answer(request, response, entropy)
    }

    /// And for which realms each server may ask.
    pub(super) fn client_and_realms(&mut self, account: &Arc<Account>) -> (&ClientAuth, &mut Realms) {
        let (Auth { client, realms, .. }, _) = self.auth(account);
        (client, realms)
    }

    fn auth(&mut self, account: &Arc<Account>) -> (&mut Auth, &mut Entropy) {
        let known = self.auths.iter().position(|auth| Arc::ptr_eq(&auth.account, account));
        let at = known.unwrap_or_else(|| {
            // Accounts that nothing refers to any more are forgotten.
            self.auths.retain(|auth| Arc::strong_count(&auth.account) > 1);
            let credentials =
                Credentials { username: account.auth_username.clone(), password: account.password.0.clone() };
            let (account, client) = (account.clone(), ClientAuth::new(credentials));
            self.auths.push(Auth { account, client, realms: Realms::default() });
            self.auths.len() - 1
        });
        (&mut self.auths[at], &mut self.entropy)
    }
}
