//! One header field: rsip's `Header` seen as a name and a value.

use rsip::headers::{Header, UntypedHeader as _, untyped};

/// Ties each of rsip's variants to the header field's name.
macro_rules! fields {
    ($($variant:ident $name:literal)*) => {
        /// The header field's name: canonical where rsip knows it, else as written.
        pub(super) fn name(header: &Header) -> &str {
            match header {
                $(Header::$variant(_) => $name,)*
                Header::Other(name, _) => name,
            }
        }

        /// The header field's value.
        pub(super) fn value(header: &Header) -> &str {
            match header {
                $(Header::$variant(value) => value.value(),)*
                Header::Other(_, value) => value,
            }
        }

        /// A header field of that name, given in any case.
        pub(super) fn header(name: &str, value: String) -> Header {
            $(if name.eq_ignore_ascii_case($name) {
                return Header::$variant(untyped::$variant::new(value));
            })*
            Header::Other(name.to_owned(), value)
        }
    };
}

// The frequent ones first: `header` compares in this order.
fields! {
    Via "Via" From "From" To "To" CallId "Call-ID" CSeq "CSeq" Contact "Contact" MaxForwards "Max-Forwards"
    ContentLength "Content-Length" ContentType "Content-Type" Route "Route" RecordRoute "Record-Route" Allow "Allow"
    Supported "Supported" UserAgent "User-Agent" Expires "Expires" Authorization "Authorization"
    WwwAuthenticate "WWW-Authenticate" ProxyAuthenticate "Proxy-Authenticate" ProxyAuthorization "Proxy-Authorization"
    Accept "Accept" AcceptEncoding "Accept-Encoding" AcceptLanguage "Accept-Language" AlertInfo "Alert-Info"
    AuthenticationInfo "Authentication-Info" CallInfo "Call-Info" ContentDisposition "Content-Disposition"
    ContentEncoding "Content-Encoding" ContentLanguage "Content-Language" Date "Date" ErrorInfo "Error-Info"
    Event "Event" InReplyTo "In-Reply-To" MimeVersion "MIME-Version" MinExpires "Min-Expires"
    Organization "Organization" Priority "Priority" ProxyRequire "Proxy-Require" ReplyTo "Reply-To" Require "Require"
    RetryAfter "Retry-After" Server "Server" Subject "Subject" SubscriptionState "Subscription-State"
    Timestamp "Timestamp" Unsupported "Unsupported" Warning "Warning"
}

/// The full name of a compact one (RFC 3261 §7.3.3 and the IANA registry); any other name unchanged.
pub(in crate::sip) fn expand_compact(name: &str) -> &str {
    let [letter] = name.as_bytes() else { return name };
    match letter.to_ascii_lowercase() {
        b'a' => "Accept-Contact",
        b'b' => "Referred-By",
        b'c' => "Content-Type",
        b'd' => "Request-Disposition",
        b'e' => "Content-Encoding",
        b'f' => "From",
        b'i' => "Call-ID",
        b'j' => "Reject-Contact",
        b'k' => "Supported",
        b'l' => "Content-Length",
        b'm' => "Contact",
        b'n' => "Identity-Info",
        b'o' => "Event",
        b'r' => "Refer-To",
        b's' => "Subject",
        b't' => "To",
        b'u' => "Allow-Events",
        b'v' => "Via",
        b'x' => "Session-Expires",
        b'y' => "Identity",
        _ => name,
    }
}
