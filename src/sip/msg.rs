//! The message model: rsip's `Method`, `StatusCode`, `Header` and `Headers`, in the only module that names them.
//!
//! rsip's tokenizer never sees the wire and its `Display` never writes it: [`crate::sip::wire`] does both.

mod events;
mod field;
mod headers;
mod method;
mod refer;
mod status;
mod values;

pub use events::{EventType, SubscriptionState, Substate, sipfrag, sipfrag_status};
pub use headers::Headers;
pub use method::Method;
pub use refer::Replaces;
pub use values::{CSeq, Contact, Via};

pub(in crate::sip) use field::expand_compact;

use super::uri::Uri;

/// A header field that is missing or cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// A header field that RFC 3261 §8.1.1 requires is not there.
    #[error("the {0} header is missing")]
    Missing(&'static str),
    /// It stands there, but not in the form its RFC gives it.
    #[error("the {name} header cannot be read: {why}")]
    Malformed {
        /// The header field's name, in full.
        name: String,
        /// What is wrong, in words.
        why: &'static str,
    },
}

/// A request (RFC 3261 §7.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub method: Method,
    /// The Request-URI.
    pub uri: Uri,
    pub headers: Headers,
    /// Exactly the bytes that Content-Length counts; the writer counts them anew.
    pub body: Vec<u8>,
}

/// A response (RFC 3261 §7.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    pub status: rsip::StatusCode,
    /// As received; when written by us, the RFC's phrase or a better sentence.
    pub reason: String,
    pub headers: Headers,
    /// Exactly the bytes that Content-Length counts; the writer counts them anew.
    pub body: Vec<u8>,
}

impl Response {
    /// With the standard reason phrase and no headers. `code` is 100 to 699.
    pub fn new(code: u16) -> Self {
        Self { status: code.into(), reason: status::phrase(code).into(), headers: Headers::new(), body: Vec::new() }
    }

    /// The skeleton of a response to `request`: Via, From, To, Call-ID, CSeq copied (RFC 3261 §8.2.6.2), To tag added
    /// when `to_tag` is given and none is there, and for 100 the Timestamp.
    pub fn to(request: &Request, code: u16, to_tag: Option<&str>) -> Self {
        Self::to_headers(&request.headers, code, to_tag)
    }

    /// [`Response::to`] for a request of which only the header fields could be read.
    pub(in crate::sip) fn to_headers(request: &Headers, code: u16, to_tag: Option<&str>) -> Self {
        let mut response = Self::new(code);
        for (name, value) in request.iter() {
            match name {
                "Via" | "From" | "Call-ID" | "CSeq" => response.headers.push(name, value),
                // The first only: a request with several is answered 400, and must not be worth a reading for each.
                "To" if !response.headers.contains("To") => {
                    response.headers.push(name, with_tag(value, to_tag, request));
                }
                "Timestamp" if code == 100 => response.headers.push(name, value),
                _ => {}
            }
        }
        response
    }

    /// The status code: 100 to 699.
    pub fn code(&self) -> u16 {
        self.status.code()
    }

    /// 1xx.
    pub fn is_provisional(&self) -> bool {
        self.code() < 200
    }

    /// 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.code())
    }
}

fn with_tag(to: &str, tag: Option<&str>, request: &Headers) -> String {
    match tag {
        // Where To cannot be read, a tag behind it could only make it worse.
        Some(tag) if request.to().is_ok_and(|to| to.tag().is_none()) => format!("{to};tag={tag}"),
        Some(_) | None => to.to_owned(),
    }
}

/// What travels between SIP elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    Request(Request),
    Response(Response),
}

impl Message {
    /// The header fields of either.
    pub fn headers(&self) -> &Headers {
        match self {
            Self::Request(r) => &r.headers,
            Self::Response(r) => &r.headers,
        }
    }
}

#[cfg(test)]
mod tests;
