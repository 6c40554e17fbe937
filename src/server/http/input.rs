//! What comes in with a request, checked: JSON bodies, path segments, the peer's address, texts.

use std::net::{IpAddr, SocketAddr};

use axum::{
    Json,
    body::{Body, to_bytes},
    extract::{FromRequest, FromRequestParts, Path, Query, Request, rejection::JsonRejection},
    http::{StatusCode, request::Parts},
};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};

use super::problem::{Answer, ApiError, kind};

/// Largest body of a request in bytes.
pub const LARGEST_BODY: usize = 64 * 1024;

/// A JSON body; a wrong one is answered in words.
#[derive(Debug)]
pub struct Input<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Input<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Answer<Self> {
        let (parts, body) = request.into_parts();
        let body = to_bytes(body, LARGEST_BODY).await.map_err(|_| too_large())?;
        // serde would take an array for an object, field by field in the order of the code.
        if body.trim_ascii_start().starts_with(b"[") {
            return Err(ApiError::invalid("The body does not fit: expected an object, found an array."));
        }
        match Json::<T>::from_request(Request::from_parts(parts, Body::from(body)), state).await {
            Ok(Json(body)) => Ok(Self(body)),
            Err(JsonRejection::JsonSyntaxError(e)) => {
                Err(ApiError::malformed(format!("The body is not JSON: {}.", cause(&e))))
            }
            Err(JsonRejection::JsonDataError(e)) => {
                Err(ApiError::invalid(format!("The body does not fit: {}.", cause(&e))))
            }
            Err(JsonRejection::MissingJsonContentType(_)) => Err(ApiError::refused(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                kind::MALFORMED,
                "Not understood",
                "The body must be JSON, sent with Content-Type: application/json.",
            )),
            Err(other) if other.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(too_large()),
            Err(other) => Err(ApiError::malformed(format!("The body could not be read: {}.", other.body_text()))),
        }
    }
}

/// The innermost reason, such as "missing field `name` at line 1 column 2".
fn cause(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), cause)
}

pub fn too_large() -> ApiError {
    ApiError::refused(
        StatusCode::PAYLOAD_TOO_LARGE,
        kind::TOO_LARGE,
        "Too large",
        format!("The request is too large; at most {LARGEST_BODY} bytes are taken."),
    )
}

/// Segments of the path; one that cannot be anything's name is not found.
#[derive(Debug)]
pub struct Segments<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Segments<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Answer<Self> {
        let path = Path::<T>::from_request_parts(parts, state).await;
        path.map(|Path(segments)| Self(segments)).map_err(|_| ApiError::not_found("That address"))
    }
}

/// The query of the address; a wrong one is answered in words.
#[derive(Debug)]
pub struct Asked<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Answer<Self> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        query
            .map(|Query(query)| Self(query))
            .map_err(|e| ApiError::invalid(format!("The query does not fit: {}.", cause(&e))))
    }
}

/// Where the request came from; put into the request by the listener.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

impl Peer {
    pub fn ip(self) -> IpAddr {
        self.0.ip()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Peer {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Answer<Self> {
        let peer = parts.extensions.get::<Self>().copied();
        peer.ok_or_else(|| ApiError::malformed("The request came from nowhere."))
    }
}

/// Line and paragraph separators, and marks that make a text read otherwise than it is (Unicode TR 36 §2.10.1).
const DISGUISES: [char; 11] = [
    '\u{2028}', '\u{2029}', '\u{202a}', '\u{202b}', '\u{202d}', '\u{202e}', '\u{2066}', '\u{2067}', '\u{2068}',
    '\u{2069}', '\u{feff}',
];

/// A text for people, trimmed: 1 to 100 characters, none of them a control character.
pub fn text(field: &str, value: &str) -> Answer<String> {
    let value = value.trim();
    if value.is_empty() {
        return Err(ApiError::invalid(format!("{field} must not be empty.")));
    }
    if value.chars().count() > 100 {
        return Err(ApiError::invalid(format!("{field} may have at most 100 characters.")));
    }
    if value.chars().any(|c| c.is_control() || DISGUISES.contains(&c)) {
        return Err(ApiError::invalid(format!("{field} must not contain control characters.")));
    }
    Ok(value.to_owned())
}

/// A name that others refer to: `least` to `most` lower-case letters, digits and characters of `also`.
pub fn word(field: &str, value: &str, least: usize, most: usize, also: &str) -> Answer<String> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || also.contains(c);
    if value.len() < least || value.len() > most || !value.chars().all(fits) {
        let also = if also.is_empty() { String::new() } else { format!(" and {also}") };
        return Err(ApiError::invalid(format!(
            "{field} must have {least} to {most} characters: lower-case letters, digits{also}."
        )));
    }
    Ok(value.to_owned())
}

/// For PATCH: a field that is absent (`None`), null (`Some(None)`) or has a value.
pub fn nullable<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(from).map(Some)
}
