//! Every error of the HTTP side, and how it turns into an answer: problem details whose `detail` is a sentence for people
//! (RFC 9457).

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::{
    server::{passwords::PasswordError, store::StoreError},
    tms::wire::Problem,
};

pub type Answer<T> = Result<T, ApiError>;

/// What a handler fails with.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    #[error("{}", .0.detail)]
    Refused(Box<Problem>),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Query(#[from] sqlx::Error),
    #[error(transparent)]
    Password(#[from] PasswordError),
}

/// Problem types of the management routes; those that the softphone tells apart stand in [`crate::tms::wire::problem`].
pub mod kind {
    pub const MALFORMED: &str = "urn:tms:problem:malformed";
    pub const INVALID: &str = "urn:tms:problem:invalid";
    pub const TOO_LARGE: &str = "urn:tms:problem:too-large";
    pub const NOT_FOUND: &str = "urn:tms:problem:not-found";
    pub const METHOD_NOT_ALLOWED: &str = "urn:tms:problem:method-not-allowed";
    pub const SIGNED_OUT: &str = "urn:tms:problem:signed-out";
    /// The password was right; the code of the second factor is missing, wrong or asked too late.
    pub const SECOND_FACTOR: &str = "urn:tms:problem:second-factor";
    /// The portal opens once its owner has chosen a password.
    pub const PASSWORD_GIVEN: &str = "urn:tms:problem:password-given";
    pub const FORBIDDEN: &str = "urn:tms:problem:forbidden";
    pub const TAKEN: &str = "urn:tms:problem:taken";
    pub const EDITION: &str = "urn:tms:problem:edition";
    pub const CONFLICT: &str = "urn:tms:problem:conflict";
    pub const REPEATED: &str = "urn:tms:problem:idempotency-key";
    /// Somebody who is signed in asks faster than anybody needs.
    pub const TOO_FAST: &str = "urn:tms:problem:too-fast";
    pub const BUSY: &str = "urn:tms:problem:busy";
    pub const SLOW: &str = "urn:tms:problem:timeout";
    pub const FAILED: &str = "urn:tms:problem:failed";
}

impl ApiError {
    pub fn refused(status: StatusCode, kind: &str, title: &str, detail: impl Into<String>) -> Self {
        Self::Refused(Box::new(Problem {
            kind: kind.to_owned(),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            retry_after: None,
        }))
    }

    /// A field's value that cannot be taken; `detail` names the field and what it must be.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::refused(StatusCode::UNPROCESSABLE_ENTITY, kind::INVALID, "Not accepted", detail)
    }

    /// A request whose form is wrong.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::refused(StatusCode::BAD_REQUEST, kind::MALFORMED, "Not understood", detail)
    }

    /// `what` starts the sentence: "The extension 100". Also said of what belongs to others.
    pub fn not_found(what: impl std::fmt::Display) -> Self {
        Self::refused(StatusCode::NOT_FOUND, kind::NOT_FOUND, "Not found", format!("{what} does not exist here."))
    }

    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::refused(StatusCode::FORBIDDEN, kind::FORBIDDEN, "Not allowed", detail)
    }

    pub fn conflict(kind: &str, detail: impl Into<String>) -> Self {
        Self::refused(StatusCode::CONFLICT, kind, "In conflict", detail)
    }

    /// Somebody who is signed in asks faster than anybody needs.
    pub fn too_fast(seconds: u64) -> Self {
        let detail = "These are more requests than one session may send. Slow down, and go on in a second.";
        Self::refused(StatusCode::TOO_MANY_REQUESTS, kind::TOO_FAST, "Too fast", detail).retry_after(seconds)
    }

    pub fn retry_after(mut self, seconds: u64) -> Self {
        if let Self::Refused(problem) = &mut self {
            problem.retry_after = Some(seconds);
        }
        self
    }

    /// A broken rule of the database in words; anything else stays what it is. `taken` is said where a name exists already.
    pub fn from_rule(error: sqlx::Error, taken: impl FnOnce() -> String) -> Self {
        let Some(database) = error.as_database_error() else { return error.into() };
        if database.message().contains("additional_not_on_express") {
            return Self::conflict(
                kind::EDITION,
                "An Express account has one registration per extension. Remove the additional registrations first, or \
                 change the account's edition.",
            );
        }
        if database.message().contains("realm_in_use") {
            return Self::conflict(
                kind::CONFLICT,
                "The realm stays: SIP passwords or softphones depend on it. Make a new account for another realm.",
            );
        }
        if database.is_unique_violation() {
            return Self::conflict(kind::TAKEN, taken());
        }
        if database.is_check_violation() {
            return Self::invalid("One of the values is not accepted by the database's rules.");
        }
        error.into()
    }

    fn into_problem(self) -> Problem {
        let failed = |status: StatusCode, kind: &str, title: &str, detail: &str, retry_after| Problem {
            kind: kind.to_owned(),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: detail.to_owned(),
            retry_after,
        };
        match self {
            Self::Refused(problem) => *problem,
            Self::Password(PasswordError::Busy) => failed(
                StatusCode::SERVICE_UNAVAILABLE,
                kind::BUSY,
                "Busy",
                "Too many people are signing in at this moment. Try again in a few seconds.",
                Some(5),
            ),
            Self::Store(StoreError::Query(error)) | Self::Query(error) => {
                tracing::error!(%error, "database");
                failed(
                    StatusCode::SERVICE_UNAVAILABLE,
                    kind::BUSY,
                    "Database unavailable",
                    "The TMS's database does not answer. Nothing was changed; try again, and tell whoever runs the TMS if \
                     it lasts.",
                    Some(10),
                )
            }
            Self::Store(error) => {
                tracing::error!(%error, "store");
                failed(StatusCode::INTERNAL_SERVER_ERROR, kind::FAILED, "Failed", BROKEN, None)
            }
            Self::Password(error) => {
                tracing::error!(%error, "password");
                failed(StatusCode::INTERNAL_SERVER_ERROR, kind::FAILED, "Failed", BROKEN, None)
            }
        }
    }
}

const BROKEN: &str = "The TMS failed; whoever runs it finds the reason in its log.";

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let problem = self.into_problem();
        let retry_after = problem.retry_after;
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
