//! The message model: rsip's `Method`, `StatusCode`, `Header` and `Headers`, in the only module that names them.
//!
//! rsip's tokenizer never sees the wire and its `Display` never writes it: [`crate::sip::wire`] does both.

use super::uri::{NameAddr, Uri};

/// A request method (RFC 3261 §7.1), any token allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Method {
    Known(rsip::Method),
    /// A method rsip has no name for, as written (methods are case-sensitive).
    Extension(String),
}

#[allow(non_upper_case_globals, reason = "placeholder until the wire reader lands")]
impl Method {
    pub const ACK: Self = Self::Known(rsip::Method::Ack);
    pub const BYE: Self = Self::Known(rsip::Method::Bye);
    pub const CANCEL: Self = Self::Known(rsip::Method::Cancel);
    pub const INFO: Self = Self::Known(rsip::Method::Info);
    pub const INVITE: Self = Self::Known(rsip::Method::Invite);
    pub const MESSAGE: Self = Self::Known(rsip::Method::Message);
    pub const NOTIFY: Self = Self::Known(rsip::Method::Notify);
    pub const OPTIONS: Self = Self::Known(rsip::Method::Options);
    pub const PRACK: Self = Self::Known(rsip::Method::PRack);
    pub const PUBLISH: Self = Self::Known(rsip::Method::Publish);
    pub const REFER: Self = Self::Known(rsip::Method::Refer);
    pub const REGISTER: Self = Self::Known(rsip::Method::Register);
    pub const SUBSCRIBE: Self = Self::Known(rsip::Method::Subscribe);
    pub const UPDATE: Self = Self::Known(rsip::Method::Update);

    pub fn as_str(&self) -> &str {
        todo!()
    }
    /// From the token on the wire, case-sensitively.
    pub fn from_token(_token: &str) -> Self {
        todo!()
    }
}

/// Header fields in wire order; names compare without case, compact names are expanded when read (RFC 3261 §7.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(rsip::Headers);

impl Headers {
    pub fn new() -> Self {
        Self::default()
    }
    /// First value of that name, unfolded and trimmed.
    pub fn get(&self, _name: &str) -> Option<&str> {
        todo!()
    }
    /// Every header field value of that name in order; a comma list in one field counts once. Use the typed accessors
    /// for lists.
    pub fn get_all<'a>(&'a self, _name: &'a str) -> impl Iterator<Item = &'a str> {
        std::iter::empty()
    }
    pub fn contains(&self, _name: &str) -> bool {
        todo!()
    }
    /// Appends.
    pub fn push(&mut self, _name: &str, _value: impl Into<String>) {
        todo!()
    }
    /// Puts in front of the others (Via, Record-Route, Route).
    pub fn push_front(&mut self, _name: &str, _value: impl Into<String>) {
        todo!()
    }
    /// Replaces all of that name by one.
    pub fn set(&mut self, _name: &str, _value: impl Into<String>) {
        todo!()
    }
    pub fn remove(&mut self, _name: &str) {
        todo!()
    }
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        std::iter::empty()
    }

    // Typed access. `Err` names the header and what is wrong with it, for a 400's reason.
    pub fn vias(&self) -> Result<Vec<Via>, HeaderError> {
        todo!()
    }
    pub fn top_via(&self) -> Result<Via, HeaderError> {
        todo!()
    }
    /// Replaces the topmost Via (of a list or of a field of its own), keeping the rest.
    pub fn set_top_via(&mut self, _via: &Via) {
        todo!()
    }
    /// Removes the topmost Via, for a proxy passing a response on (RFC 3261 §16.7).
    pub fn pop_via(&mut self) {
        todo!()
    }
    pub fn from(&self) -> Result<NameAddr, HeaderError> {
        todo!()
    }
    pub fn to(&self) -> Result<NameAddr, HeaderError> {
        todo!()
    }
    pub fn call_id(&self) -> Result<&str, HeaderError> {
        todo!()
    }
    pub fn cseq(&self) -> Result<CSeq, HeaderError> {
        todo!()
    }
    /// `Contact` fields and comma lists, flattened; `*` is [`Contact::Star`].
    pub fn contacts(&self) -> Result<Vec<Contact>, HeaderError> {
        todo!()
    }
    /// A list of name-addrs: Route, Record-Route, Path, Service-Route, P-Asserted-Identity, …
    pub fn name_addrs(&self, _name: &str) -> Result<Vec<NameAddr>, HeaderError> {
        todo!()
    }
    /// A comma list of tokens: Supported, Require, Allow, Unsupported, …
    pub fn tokens(&self, _name: &str) -> Vec<String> {
        todo!()
    }
    /// A decimal header such as Expires, Min-Expires, Max-Forwards, Retry-After (its parameters ignored).
    pub fn number(&self, _name: &str) -> Option<u32> {
        todo!()
    }
}

/// `CSeq: 4711 INVITE` (RFC 3261 §20.16).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CSeq {
    pub number: u32,
    pub method: Method,
}

/// One Via value (RFC 3261 §20.42, RFC 3581).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Via {
    /// `UDP`, `TCP`, `TLS`, or whatever stood there.
    pub transport: String,
    /// The sent-by host as written, IPv6 in brackets.
    pub host: String,
    pub port: Option<u16>,
    /// Names in lower case, values as written; `rport` without a value is `("rport", None)`.
    pub params: Vec<(String, Option<String>)>,
}

impl Via {
    pub fn param(&self, _name: &str) -> Option<&str> {
        todo!()
    }
    pub fn has_param(&self, _name: &str) -> bool {
        todo!()
    }
    pub fn set_param(&mut self, _name: &str, _value: Option<&str>) {
        todo!()
    }
    pub fn branch(&self) -> Option<&str> {
        self.param("branch")
    }
}

/// One Contact value (RFC 3261 §20.10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contact {
    Star,
    Addr(NameAddr),
}

/// A header field that is missing or cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    #[error("the {0} header is missing")]
    Missing(&'static str),
    #[error("the {name} header cannot be read: {why}")]
    Malformed { name: String, why: &'static str },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub method: Method,
    pub uri: Uri,
    pub headers: Headers,
    pub body: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    pub status: rsip::StatusCode,
    /// As received; when written by us, the RFC's phrase or a better sentence.
    pub reason: String,
    pub headers: Headers,
    pub body: Vec<u8>,
}

impl Response {
    /// With the standard reason phrase and no headers.
    pub fn new(_code: u16) -> Self {
        todo!()
    }
    /// The skeleton of a response to `request`: Via, From, To, Call-ID, CSeq copied (RFC 3261 §8.2.6.2), To tag added
    /// when `to_tag` is given and none is there, and for 100 the Timestamp.
    pub fn to(_request: &Request, _code: u16, _to_tag: Option<&str>) -> Self {
        todo!()
    }
    pub fn code(&self) -> u16 {
        todo!()
    }
    pub fn is_provisional(&self) -> bool {
        self.code() < 200
    }
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.code())
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    Request(Request),
    Response(Response),
}

impl Message {
    pub fn headers(&self) -> &Headers {
        match self {
            Self::Request(r) => &r.headers,
            Self::Response(r) => &r.headers,
        }
    }
}
