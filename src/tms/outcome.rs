//! What an HTTP exchange with a TMS came to: a typed answer, the TMS's own words, or a sentence about what stood in the way.

use super::wire::Problem;
use serde::de::DeserializeOwned;

/// A whole HTTP response, as far as it matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// Without parameters, lower case.
    pub content_type: String,
    pub body: Vec<u8>,
}

/// Why there is no response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The name has no address.
    NoAddress,
    /// Nobody listens there.
    Refused,
    TimedOut,
    /// The certificate proves nothing; why, as a clause: "it has expired".
    Certificate(String),
    TooLarge,
    Other(String),
}

/// The exchange gave no usable answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// The TMS said no; `detail` is for people.
    #[error("{}", .0.detail)]
    Problem(Problem),
    /// Not there, or not a TMS, or in trouble: trying again later makes sense.
    #[error("{0}")]
    Unreachable(String),
}

/// Reads an answer from the TMS at `base` (named in the sentences).
///
/// # Errors
/// See [`ApiError`].
pub fn read<T: DeserializeOwned>(base: &str, result: Result<Answer, Failure>) -> Result<T, ApiError> {
    let answer = check(base, result)?;
    serde_json::from_slice(&answer.body).map_err(|_| ApiError::Unreachable(not_a_tms(base, &answer)))
}

/// Like [`read`] where the answer's body does not matter.
///
/// # Errors
/// See [`ApiError`].
pub fn check(base: &str, result: Result<Answer, Failure>) -> Result<Answer, ApiError> {
    let answer = result.map_err(|failure| ApiError::Unreachable(sentence(base, &failure)))?;
    if (200..300).contains(&answer.status) {
        return Ok(answer);
    }
    match serde_json::from_slice::<Problem>(&answer.body) {
        Ok(problem) if answer.content_type == "application/problem+json" => match answer.status {
            400..500 => Err(ApiError::Problem(Problem { status: answer.status, ..problem })),
            _ => Err(ApiError::Unreachable(problem.detail)),
        },
        _ => Err(ApiError::Unreachable(not_a_tms(base, &answer))),
    }
}

/// What to tell a person about a failure.
pub fn sentence(base: &str, failure: &Failure) -> String {
    match failure {
        Failure::NoAddress => format!("{base} cannot be found; check the address and your network."),
        Failure::Refused => {
            format!("Nothing answers at {base}; check the address, or ask your IT staff whether the TMS is running.")
        }
        Failure::TimedOut => format!("{base} takes too long to answer; check your network."),
        Failure::Certificate(why) => format!(
            "The connection to {base} is not safe, so nothing was sent: {why}. Ask your IT staff to renew the TMS's certificate, and check this computer's date."
        ),
        Failure::TooLarge => format!("{base} answers with more than a TMS would; check the address."),
        Failure::Other(why) => format!("The connection to {base} failed ({why}); check your network."),
    }
}

/// What to tell a person about an answer that no TMS gives.
pub(super) fn not_a_tms(base: &str, answer: &Answer) -> String {
    match answer.status {
        500.. => {
            format!("The TMS at {base} is in trouble (HTTP {}); ask your IT staff if this goes on.", answer.status)
        }
        _ if answer.content_type == "text/html" => format!(
            "{base} answers with a web page rather than as a TMS (HTTP {}); check the address, and whether your network wants you to sign in first.",
            answer.status
        ),
        status => format!("{base} does not answer as a TMS does (HTTP {status}); check the address."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tms::wire::User;

    fn answer(status: u16, content_type: &str, body: &str) -> Result<Answer, Failure> {
        Ok(Answer { status, content_type: content_type.into(), body: body.into() })
    }

    #[test]
    fn answers_and_sentences() {
        const JSON: &str = "application/json";
        const PROBLEM: &str = "application/problem+json";
        let said = r#"{"type":"urn:x","title":"No","status":403,"detail":"Tick Account enabled.","more":1}"#;
        for (result, expected) in [
            (answer(200, JSON, r#"{"name":"Ann","later":true}"#), Ok("Ann")),
            (answer(403, PROBLEM, said), Err("Tick Account enabled.")),
            (answer(503, PROBLEM, said), Err("Tick Account enabled.")),
            (answer(403, JSON, said), Err("does not answer as a TMS")),
            (answer(200, "text/html", "<html>"), Err("web page")),
            (answer(404, "text/html", "<html>"), Err("web page")),
            (answer(502, "text/html", "<html>"), Err("in trouble (HTTP 502)")),
            (answer(200, JSON, "{"), Err("does not answer as a TMS")),
            (answer(302, "", ""), Err("does not answer as a TMS")),
            (Err(Failure::NoAddress), Err("cannot be found")),
            (Err(Failure::Refused), Err("Nothing answers")),
            (Err(Failure::TimedOut), Err("too long")),
            (Err(Failure::Certificate("it has expired".into())), Err("it has expired")),
            (Err(Failure::TooLarge), Err("more than a TMS")),
            (Err(Failure::Other("reset".into())), Err("reset")),
        ] {
            match (read::<User>("https://tms.example", result.clone()), expected) {
                (Ok(user), Ok(name)) => assert_eq!(user.name, name),
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{result:?}: {error}"),
                (got, _) => panic!("{result:?}: {got:?}"),
            }
        }
    }
}
