//! What a message is matched to its transaction by, as one string each; the parts are joined by a line feed, which stands
//! in none of them.

use crate::sip::msg::{CSeq, HeaderError, Method, Request, Response, Via};

/// RFC 3261 §8.1.1.7: a branch that starts so is unique; any other was made by an implementation of RFC 2543.
const MAGIC_COOKIE: &str = "z9hG4bK";

/// Our own request: the branch is unique, CANCEL shares it with its INVITE (RFC 3261 §17.1.3).
pub fn client(branch: &str, method: &Method) -> String {
    format!("{branch}\n{}", method.as_str())
}

/// The transaction that a response answers; `None` when its Via or CSeq cannot be read.
pub fn of_response(response: &Response) -> Option<String> {
    let via = response.headers.top_via().ok()?;
    let cseq = response.headers.cseq().ok()?;
    Some(client(via.branch()?, &cseq.method))
}

/// The headers that every request must carry, read once.
#[derive(Debug)]
pub struct Identity {
    pub via: Via,
    pub from_tag: Option<String>,
    pub to_tag: Option<String>,
    pub call_id: String,
    pub cseq: CSeq,
}

impl Identity {
    /// `Err` says which header is at fault (the Via was readable).
    pub fn of(request: &Request, via: Via) -> Result<Self, HeaderError> {
        let headers = &request.headers;
        let cseq = headers.cseq()?;
        if cseq.method != request.method {
            return Err(HeaderError::Malformed { name: "CSeq".to_owned(), why: "its method is not the request's" });
        }
        Ok(Self {
            via,
            from_tag: headers.from()?.tag().map(str::to_owned),
            to_tag: headers.to()?.tag().map(str::to_owned),
            call_id: headers.call_id()?.to_owned(),
            cseq,
        })
    }

    /// The server transaction of a request as `method` (RFC 3261 §17.2.3): the request's own; INVITE for an ACK or CANCEL.
    pub fn server(&self, request: &Request, method: &Method) -> String {
        let via = &self.via;
        let sent_by = format!("{}:{}", via.host.to_ascii_lowercase(), via.port.unwrap_or(5060));
        match via.branch() {
            // The cookie with nothing behind it identifies nothing (RFC 4475 §3.2.1).
            Some(branch) if branch.strip_prefix(MAGIC_COOKIE).is_some_and(|id| !id.is_empty()) => {
                format!("{branch}\n{sent_by}\n{}", method.as_str())
            }
            // An INVITE's To tag is left out, because the ACK's is the response's; within a dialog the CSeq tells apart.
            branch => format!(
                "{}\n{}\n{}\n{}\n{sent_by}\n{}\n{}",
                request.uri,
                self.from_tag.as_deref().unwrap_or_default(),
                self.call_id,
                self.cseq.number,
                branch.unwrap_or_default(),
                method.as_str()
            ),
        }
    }

    /// Equal for a request that came on two ways (RFC 3261 §8.2.2.2); `None` inside a dialog.
    pub fn merged(&self) -> Option<String> {
        if self.to_tag.is_some() {
            return None;
        }
        let from_tag = self.from_tag.as_deref().unwrap_or_default();
        Some(format!("{from_tag}\n{}\n{}\n{}", self.call_id, self.cseq.number, self.cseq.method.as_str()))
    }
}
