//! For which realms a server has credentials (RFC 7616 §5.4): who could ask for another server's realm could try passwords against
//! the answer, or hand it on there as his own.

use super::{RequestId, Stack};
use crate::sip::{
    auth::{Asker, Challenge},
    flow::Flow,
    msg::{Method, Request, Response},
};
use std::net::IpAddr;

/// What servers there are for an account, and many more; of one too many nothing is remembered.
const MOST: usize = 32;

const ASKERS: [Asker; 2] = [Asker::Server, Asker::Proxy];

/// Who asks at an address. The registrar, a proxy and what takes calls behind one may be different servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Server {
    address: IpAddr,
    asker: Asker,
    registers: bool,
}

/// For what realms each server has let us in first; PBXs choose names such as "asterisk", so that nobody could guess them.
#[derive(Debug, Default)]
pub(super) struct Realms(Vec<(Server, Vec<String>)>);

impl Realms {
    /// `is_ours`: the request goes to our own servers.
    fn may_ask(&self, server: Server, realm: &str, is_ours: bool) -> bool {
        let has = |realms: &[String]| realms.iter().any(|known| known == realm);
        match self.0.iter().find(|(known, _)| *known == server) {
            Some((_, realms)) => has(realms),
            None => is_ours || !self.0.iter().any(|(known, realms)| known.address != server.address && has(realms)),
        }
    }

    fn let_in(&mut self, server: Server, realms: Vec<String>) {
        if !realms.is_empty() && self.0.len() < MOST && !self.0.iter().any(|(known, _)| *known == server) {
            self.0.push((server, realms));
        }
    }
}

impl Stack {
    /// A response to a request of ours: who lets us in is known by its realm from now on, and a challenge for a realm that is
    /// somebody else's is left out.
    ///
    /// # Errors
    /// A clause, where nothing that may be answered is left and nothing else goes on without.
    pub(super) fn inspect_challenge(
        &mut self,
        id: RequestId,
        response: &mut Response,
        flow: Flow,
    ) -> Result<(), String> {
        let asker = ASKERS.into_iter().find(|asker| asker.code() == response.code());
        let is_proved = |request: &Request| ASKERS.iter().any(|a| request.headers.contains(a.credentials_header()));
        let Some(pending) = self.requests.get(&id) else { return Ok(()) };
        if asker.is_none() && !(response.is_success() && is_proved(&pending.request)) {
            return Ok(());
        }
        let (account, request) = (pending.account.clone(), pending.request.clone());
        let registers = request.method == Method::REGISTER;
        let server = |asker| Server { address: flow.remote.ip(), asker, registers };
        let at_home = self.home.is_some_and(|home| home.remote.ip() == flow.remote.ip());
        let is_ours = registers || at_home || self.goes_home(&account, &request);
        let (client, realms) = self.client_and_realms(&account);
        let Some(asker) = asker else {
            for asker in ASKERS {
                realms.let_in(server(asker), client.realms_of(&request, asker));
            }
            return Ok(());
        };
        let asked = Challenge::read(&response.headers, asker);
        let may_ask = |realm: &str| match &account.realm {
            Some(ours) => is_ours && ours == realm,
            None => realms.may_ask(server(asker), realm, is_ours),
        };
        let (allowed, barred): (Vec<_>, Vec<_>) = asked.into_iter().partition(|asked| may_ask(&asked.realm));
        let Some(Challenge { realm, .. }) = barred.first() else { return Ok(()) };
        // Within a dialog it is a refusal like any other, and to an OPTIONS as good an answer.
        let goes_on = request.method == Method::OPTIONS || request.headers.to().is_ok_and(|to| to.tag().is_some());
        if allowed.is_empty() && !goes_on {
            return Err(format!(
                "{} asks for the password for “{realm}”, which is not its own or not this account's, and is not told it; ask \
                 your IT staff, or start Agent Manager again if they have just given the server another name",
                flow.remote
            ));
        }
        response.headers.remove(asker.challenge_header());
        for challenge in allowed {
            response.headers.push(asker.challenge_header(), challenge.to_string());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_server_keeps_the_realm_that_it_first_let_us_in_for() {
        let at = |last: u8, registers: bool| Server {
            address: IpAddr::from([192, 0, 2, last]),
            asker: Asker::Server,
            registers,
        };
        let mut realms = Realms::default();
        assert!(realms.may_ask(at(1, true), "asterisk", false), "the first");
        realms.let_in(at(1, true), vec!["asterisk".into()]);
        realms.let_in(at(1, true), vec!["later".into()]);
        for (server, realm, is_ours, expected) in [
            (at(1, true), "asterisk", false, true),
            (at(1, true), "later", true, false),
            // Behind the registrar another one may take calls, and beside it another of ours.
            (at(1, false), "pbx", false, true),
            (at(2, true), "asterisk", true, true),
            (at(2, true), "asterisk", false, false),
            (at(2, true), "elsewhere", false, true),
        ] {
            assert_eq!(realms.may_ask(server, realm, is_ours), expected, "{server:?} {realm} {is_ours}");
        }
        for last in 0..=255 {
            realms.let_in(at(last, false), vec!["x".into()]);
        }
        assert_eq!(realms.0.len(), MOST);
    }
}
