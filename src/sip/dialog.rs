//! Dialogs (RFC 3261 §12): the state that two user agents share, and the requests sent within it.

mod forks;
mod record;
#[cfg(test)]
mod tests;

pub use forks::Forks;
pub use record::DialogRecord;

use super::{
    msg::{Contact, HeaderError, Headers, Method, Replaces, Request, Response},
    uri::{NameAddr, Uri},
};

/// What makes a dialog, seen from one side (RFC 3261 §12). A tag that a peer of RFC 2543's time left out is empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DialogId {
    pub call_id: String,
    pub local_tag: String,
    pub remote_tag: String,
}

impl DialogId {
    /// The dialog that a request from the peer is meant for; `None` without a To tag (it is outside any dialog), and when
    /// its headers cannot be read.
    pub fn of_request(request: &Request) -> Option<Self> {
        let headers = &request.headers;
        let local_tag = headers.to().ok()?.tag()?.to_owned();
        Some(Self { call_id: headers.call_id().ok()?.to_owned(), local_tag, remote_tag: tag(&headers.from().ok()?) })
    }

    /// The dialog that a response from the peer belongs to; `None` without a To tag (a 100).
    pub fn of_response(response: &Response) -> Option<Self> {
        let headers = &response.headers;
        let remote_tag = headers.to().ok()?.tag()?.to_owned();
        Some(Self { call_id: headers.call_id().ok()?.to_owned(), local_tag: tag(&headers.from().ok()?), remote_tag })
    }

    /// How the peer of this dialog is told which one to replace (RFC 3891 §4).
    pub fn replaces(&self) -> Replaces {
        let Self { call_id, local_tag, remote_tag } = self.clone();
        Replaces { call_id, to_tag: remote_tag, from_tag: local_tag, early_only: false }
    }

    /// Whether a peer's Replaces means this dialog (RFC 3891 §3): a tag of `0` is also none at all.
    pub fn is_named_by(&self, replaces: &Replaces) -> bool {
        let same = |theirs: &str, ours: &str| theirs == ours || (theirs == "0" && ours.is_empty());
        self.call_id == replaces.call_id
            && same(&replaces.to_tag, &self.local_tag)
            && same(&replaces.from_tag, &self.remote_tag)
    }
}

fn tag(address: &NameAddr) -> String {
    address.tag().unwrap_or_default().to_owned()
}

/// How far a dialog has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Made by a provisional response.
    Early,
    /// Made or confirmed by a 2xx.
    Confirmed,
}

/// Why a message makes no dialog, or does not fit into one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DialogError {
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// To be answered 500 (RFC 3261 §12.2.2).
    #[error("the request is out of order: number {got} after {last}")]
    OutOfOrder { last: u32, got: u32 },
}

/// One side of a dialog.
#[derive(Clone, Debug)]
pub struct Dialog {
    id: DialogId,
    state: State,
    /// Our address with our tag: From of what we send.
    local: NameAddr,
    /// The peer's, with its tag: To of what we send.
    remote: NameAddr,
    /// The peer's Contact: where requests end up.
    remote_target: Uri,
    /// In the order of our Route header field.
    route_set: Vec<NameAddr>,
    local_cseq: Option<u32>,
    remote_cseq: Option<u32>,
}

impl Dialog {
    /// The dialog that a 101–2xx response to our `request` makes (RFC 3261 §12.1.2): early, or confirmed by a 2xx.
    ///
    /// # Errors
    /// Names the header that is missing or cannot be read. A missing Contact is taken for the Request-URI.
    pub fn uac(request: &Request, response: &Response) -> Result<Self, DialogError> {
        let (local, remote) = (request.headers.from()?, response.headers.to()?);
        let id = DialogId {
            call_id: request.headers.call_id()?.to_owned(),
            local_tag: tag(&local),
            remote_tag: tag(&remote),
        };
        Ok(Self {
            id,
            state: if response.is_success() { State::Confirmed } else { State::Early },
            local,
            remote,
            remote_target: contact(&response.headers)?.unwrap_or_else(|| request.uri.clone()),
            route_set: route_set_of_response(&response.headers)?,
            local_cseq: Some(request.headers.cseq()?.number),
            remote_cseq: None,
        })
    }

    /// The dialog of a 2xx whose Contact or Record-Route cannot be read, good for its ACK and BYE: they go the
    /// INVITE's way.
    ///
    /// # Errors
    /// As [`Dialog::uac`].
    pub fn uac_by_request_uri(request: &Request, response: &Response) -> Result<Self, DialogError> {
        let mut response = response.clone();
        response.headers.remove("Contact");
        response.headers.remove("Record-Route");
        let route_set = request.headers.name_addrs("Route")?;
        Ok(Self { route_set, ..Self::uac(request, &response)? })
    }

    /// The dialog that our 101–2xx response with `local_tag` to the peer's `request` makes (RFC 3261 §12.1.1): early, until
    /// [`Dialog::confirm`].
    ///
    /// # Errors
    /// Names the header that is missing or cannot be read; to be answered 400. A Contact must be there.
    pub fn uas(request: &Request, local_tag: &str) -> Result<Self, DialogError> {
        let (mut local, remote) = (request.headers.to()?, request.headers.from()?);
        local.set_param("tag", Some(local_tag));
        let remote_target = match contact(&request.headers)? {
            Some(target) => target,
            // A peer of RFC 2543's time, known by its lack of a tag, may be reached by its From (RFC 4475 §3.4.1).
            None if remote.tag().is_none() => remote.uri.clone(),
            None => return Err(HeaderError::Missing("Contact").into()),
        };
        let id = DialogId {
            call_id: request.headers.call_id()?.to_owned(),
            local_tag: local_tag.to_owned(),
            remote_tag: tag(&remote),
        };
        Ok(Self {
            id,
            state: State::Early,
            local,
            remote,
            remote_target,
            route_set: request.headers.name_addrs("Record-Route")?,
            local_cseq: None,
            remote_cseq: Some(request.headers.cseq()?.number),
        })
    }

    /// The dialog that the first NOTIFY makes for our SUBSCRIBE, whose CSeq was `subscribed` (RFC 6665 §4.4.1).
    ///
    /// # Errors
    /// As [`Dialog::uas`].
    pub fn by_notify(notify: &Request, subscribed: u32) -> Result<Self, DialogError> {
        let local_tag = tag(&notify.headers.to()?);
        Ok(Self { state: State::Confirmed, local_cseq: Some(subscribed), ..Self::uas(notify, &local_tag)? })
    }

    /// Its name, as we see it.
    pub fn id(&self) -> &DialogId {
        &self.id
    }

    /// Our address of record.
    pub fn local(&self) -> &NameAddr {
        &self.local
    }

    /// The peer's address of record.
    pub fn remote(&self) -> &NameAddr {
        &self.remote
    }

    /// The peer's Contact.
    pub fn remote_target(&self) -> &Uri {
        &self.remote_target
    }

    /// Where to send requests (RFC 3261 §8.1.2): the first of the route set, loose or strict, else the remote target.
    pub fn next_hop(&self) -> &Uri {
        self.route_set.first().map_or(&self.remote_target, |route| &route.uri)
    }

    /// We send a 2xx: as UAS, the dialog is no longer early.
    pub fn confirm(&mut self) {
        self.state = State::Confirmed;
    }

    /// A request within this dialog (RFC 3261 §12.2.1.1): Request-URI, Route, From, To, Call-ID, Max-Forwards and the next
    /// CSeq. Contact and the rest are the caller's. For ACK see [`Dialog::ack`].
    pub fn request(&mut self, method: Method) -> Request {
        let number = self.next_cseq();
        self.build(method, number)
    }

    /// Gives a request of this dialog the next CSeq, for sending it anew with credentials (RFC 3261 §22.2).
    pub fn renew(&mut self, request: &mut Request) {
        let number = self.next_cseq();
        request.headers.set("CSeq", format!("{number} {}", request.method.as_str()));
    }

    /// The ACK for a 2xx to `invite`: with its CSeq number and its credentials (RFC 3261 §13.2.2.4).
    ///
    /// # Errors
    /// When `invite` has no CSeq.
    pub fn ack(&self, invite: &Request) -> Result<Request, DialogError> {
        let mut ack = self.build(Method::ACK, invite.headers.cseq()?.number);
        for name in ["Authorization", "Proxy-Authorization"] {
            for value in invite.headers.get_all(name) {
                ack.headers.push(name, value);
            }
        }
        Ok(ack)
    }

    /// A request from the peer within this dialog: checks the order of CSeq and takes over a new remote target (RFC 3261
    /// §12.2.2).
    ///
    /// # Errors
    /// [`DialogError::OutOfOrder`] is to be answered 500, an unreadable header 400.
    pub fn handle_request(&mut self, request: &Request) -> Result<(), DialogError> {
        if request.method == Method::ACK || request.method == Method::CANCEL {
            return Ok(()); // they carry their INVITE's number
        }
        let got = request.headers.cseq()?.number;
        if let Some(last) = self.remote_cseq.filter(|&last| got < last) {
            return Err(DialogError::OutOfOrder { last, got });
        }
        if refreshes_target(&request.method)
            && let Some(target) = contact(&request.headers)?
        {
            self.remote_target = target;
        }
        self.remote_cseq = Some(got);
        Ok(())
    }

    /// We have taken a request that may tell another identity of the same peer (RFC 4916 §4.3): its From is the To of what we
    /// send from now on. A name that is only left out stays.
    pub fn renamed(&mut self, request: &Request) {
        if let Ok(from) = request.headers.from()
            && tag(&from) == self.id.remote_tag
            && (from.uri != self.remote.uri || (from.display.is_some() && from.display != self.remote.display))
        {
            self.remote = from;
        }
    }

    /// A response from the peer to a request we sent with `method` in this dialog: a 2xx to INVITE confirms it, computing
    /// the route set anew (RFC 3261 §13.2.2.4); a 2xx to a target refresh request renews the remote target (§12.2.1.2).
    ///
    /// # Errors
    /// Names the header that cannot be read.
    pub fn handle_response(&mut self, method: &Method, response: &Response) -> Result<(), DialogError> {
        if !response.is_success() || !refreshes_target(method) {
            return Ok(());
        }
        let target = contact(&response.headers)?;
        if self.state == State::Early && *method == Method::INVITE {
            self.route_set = route_set_of_response(&response.headers)?;
            self.state = State::Confirmed;
        }
        if let Some(target) = target {
            self.remote_target = target;
        }
        Ok(())
    }

    fn next_cseq(&mut self) -> u32 {
        // RFC 3261 §8.1.1.5: below 2^31, which a dialog does not live to see.
        let next = self.local_cseq.map_or(1, |last| last.wrapping_add(1) & 0x7fff_ffff);
        self.local_cseq = Some(next);
        next
    }

    fn build(&self, method: Method, cseq: u32) -> Request {
        let (uri, routes) = self.routed();
        let mut headers = Headers::new();
        for route in routes {
            headers.push("Route", route.to_string());
        }
        headers.push("From", self.local.to_string());
        headers.push("To", self.remote.to_string());
        headers.push("Call-ID", self.id.call_id.as_str());
        headers.push("CSeq", format!("{cseq} {}", method.as_str()));
        headers.push("Max-Forwards", "70");
        Request { method, uri, headers, body: Vec::new() }
    }

    /// Request-URI and Route (RFC 3261 §12.2.1.1). A strict router, one without `lr`, wants to be the Request-URI itself,
    /// and the remote target at the end of the route.
    fn routed(&self) -> (Uri, Vec<NameAddr>) {
        match self.route_set.split_first() {
            Some((first, rest)) if !is_loose(&first.uri) => {
                let mut uri = first.uri.clone();
                if let Uri::Sip(uri) = &mut uri {
                    // §19.1.1, Table 1: not allowed in a Request-URI.
                    uri.headers.clear();
                    uri.params.retain(|(name, _)| name != "method");
                }
                let target = NameAddr::new(self.remote_target.clone());
                (uri, rest.iter().cloned().chain([target]).collect())
            }
            Some(_) | None => (self.remote_target.clone(), self.route_set.clone()),
        }
    }
}

fn is_loose(uri: &Uri) -> bool {
    uri.as_sip().is_some_and(|uri| uri.has_param("lr"))
}

/// RFC 3261 §12.2 (INVITE), RFC 3311 §5, RFC 6665 §4.4.1, RFC 3515 §2.4.
fn refreshes_target(method: &Method) -> bool {
    [Method::INVITE, Method::UPDATE, Method::SUBSCRIBE, Method::NOTIFY, Method::REFER].contains(method)
}

fn contact(headers: &Headers) -> Result<Option<Uri>, HeaderError> {
    Ok(headers.contacts()?.into_iter().find_map(|contact| match contact {
        Contact::Addr(address) => Some(address.uri),
        Contact::Star => None,
    }))
}

/// RFC 3261 §12.1.2: the Record-Route of a response lists the proxies from the far end.
fn route_set_of_response(headers: &Headers) -> Result<Vec<NameAddr>, HeaderError> {
    let mut routes = headers.name_addrs("Record-Route")?;
    routes.reverse();
    Ok(routes)
}
