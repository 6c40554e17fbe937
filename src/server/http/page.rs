//! Long lists: searched and cut into pages.

use axum::{
    Json,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use super::problem::{Answer, ApiError};

/// Rows of a page where no number is asked for, and at most.
pub const ROWS: u32 = 1000;
/// Nobody turns pages beyond this many rows.
const FARTHEST: u32 = 1_000_000;

/// Which part of a list is wanted.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// Only rows that have this somewhere in their names; case does not matter.
    #[param(max_length = 100)]
    pub search: Option<String>,
    /// Rows left out before the first.
    #[param(minimum = 0, maximum = 1_000_000)]
    pub offset: Option<u32>,
    /// Rows at most, up to 1000.
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
}

/// A page of a list.
#[derive(Debug)]
pub struct Listed<T> {
    pub rows: Vec<T>,
    /// Offset of the next page; `None` on the last.
    pub next: Option<u32>,
}

impl Page {
    /// The pattern for `LIKE … ESCAPE '!'`; without a search it fits everything.
    ///
    /// # Errors
    /// When search, offset or limit is out of bounds.
    pub fn pattern(&self) -> Answer<String> {
        if self.offset.is_some_and(|offset| offset > FARTHEST) || self.limit.is_some_and(|n| !(1..=ROWS).contains(&n)) {
            return Err(ApiError::invalid(format!("offset may be at most {FARTHEST}, and limit 1 to {ROWS}.")));
        }
        let needle = self.search.as_deref().unwrap_or_default().trim();
        if needle.chars().count() > 100 || needle.contains('\0') {
            return Err(ApiError::invalid("search may have at most 100 characters, none of them a control character."));
        }
        let mut pattern = String::from("%");
        for c in needle.chars() {
            if matches!(c, '%' | '_' | '!') {
                pattern.push('!');
            }
            pattern.push(c);
        }
        pattern.push('%');
        Ok(pattern)
    }

    pub fn offset(&self) -> i64 {
        i64::from(self.offset.unwrap_or(0))
    }

    fn limit(&self) -> u32 {
        self.limit.unwrap_or(ROWS)
    }

    /// Rows to ask the database for: one more than are shown tells whether another page follows.
    pub fn rows(&self) -> i64 {
        i64::from(self.limit()) + 1
    }

    /// The page, of the rows that were found with [`Page::offset`] and [`Page::rows`].
    pub fn of<T, U>(&self, found: Vec<T>, show: impl FnMut(T) -> U) -> Listed<U> {
        let limit = self.limit();
        let more = found.len() > limit as usize;
        let next = more.then(|| self.offset.unwrap_or(0).saturating_add(limit));
        Listed { rows: found.into_iter().take(limit as usize).map(show).collect(), next }
    }
}

impl<T: Serialize> IntoResponse for Listed<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.rows).into_response();
        if let Some(next) = self.next {
            response.headers_mut().insert(NEXT.clone(), HeaderValue::from(next));
        }
        response
    }
}

/// Says where the next page starts.
static NEXT: header::HeaderName = header::HeaderName::from_static("next-offset");
