//! Who looks at a page: anybody, or somebody who is signed in. Both end in an answer that carries the cookies along.

use std::{ops::Deref, sync::Arc};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts},
    response::{Html, IntoResponse, Response},
};
use maud::Markup;

use super::{
    cookie,
    shell::{self, AccountPlace, Extras, Place, Section},
};
pub use crate::server::http::percent::escape;
use crate::server::{
    http::{
        App,
        problem::{Answer, ApiError, kind},
    },
    secrets,
    sessions::{Access, Carrier, Manager, Presence, Role, State, own::OwnMembership},
};

/// The script asks so for what it shows in a dialog; it is told the next page instead of sent there.
static SHEET: HeaderName = HeaderName::from_static("x-sheet");
/// The script asks so for what it refreshes by itself.
static REFRESH: HeaderName = HeaderName::from_static("x-refresh");
static NEXT: HeaderName = HeaderName::from_static("x-location");

/// All that opens to who has not chosen a password yet.
const WITH_A_GIVEN_PASSWORD: [&str; 3] = ["/profile", "/profile/password", "/sign-out"];
/// For who has not chosen a password yet.
pub const CHOOSE_ANOTHER: &str =
    "Whoever gave you this password knows it. Choose one that you alone know; then everything is open to you.";

/// Anybody with a browser.
pub struct Visitor {
    pub app: Arc<App>,
    /// What the session's cookie holds; before sign-in a random value.
    pub token: String,
    pub presence: Presence,
    /// The random value is new, so the answer sets it.
    fresh: bool,
    said: Option<String>,
    sheet: bool,
}

/// Somebody who is signed in.
pub struct Signed {
    pub visitor: Visitor,
    pub manager: Manager,
}

impl FromRequestParts<Arc<App>> for Visitor {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        let token = cookie::read(app, &parts.headers, cookie::SESSION);
        Ok(Self {
            app: Arc::clone(app),
            fresh: token.is_none(),
            token: token.unwrap_or_else(|| secrets::random(32)),
            presence: presence(&parts.headers),
            said: cookie::read(app, &parts.headers, cookie::SAID).and_then(|said| unescape(&said)),
            sheet: parts.headers.contains_key(&SHEET),
        })
    }
}

/// Nobody need be there where an open page listens for changes (a browser says so itself) or fetches them.
fn presence(headers: &HeaderMap) -> Presence {
    let listens = headers.get_all(header::ACCEPT).iter().any(|accept| accept == "text/event-stream");
    if listens || headers.contains_key(&REFRESH) { Presence::Unknown } else { Presence::There }
}

impl FromRequestParts<Arc<App>> for Signed {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Answer<Self> {
        let Ok(visitor) = Visitor::from_request_parts(parts, app).await;
        let manager = Manager::of_token(app, &visitor.token, Carrier::Browser, visitor.presence).await?;
        if manager.password_given && !WITH_A_GIVEN_PASSWORD.contains(&parts.uri.path()) {
            return Err(ApiError::refused(StatusCode::FORBIDDEN, kind::PASSWORD_GIVEN, "Not allowed", CHOOSE_ANOTHER));
        }
        Ok(Self { visitor, manager })
    }
}

impl Deref for Signed {
    type Target = Visitor;

    fn deref(&self) -> &Visitor {
        &self.visitor
    }
}

impl Visitor {
    /// What every form must carry: it can be made only by who knows the cookie, which no other site does.
    pub fn form_token(&self) -> String {
        form_token(&self.token)
    }

    /// A page for somebody who is not signed in, or where it does not matter.
    pub fn page(&self, title: &str, body: &Markup) -> Response {
        self.answer(StatusCode::OK, shell::alone(title, self.said.as_deref(), body))
    }

    pub fn page_with(&self, status: StatusCode, title: &str, body: &Markup) -> Response {
        self.answer(status, shell::alone(title, self.said.as_deref(), body))
    }

    /// An answer with the cookies that go along: what was said is not said again.
    fn answer(&self, status: StatusCode, page: Markup) -> Response {
        let mut response = (status, Html(page.into_string())).into_response();
        if self.fresh {
            self.set_cookie(&mut response, cookie::SESSION, Some(&self.token));
        }
        if self.said.is_some() {
            self.set_cookie(&mut response, cookie::SAID, None);
        }
        response
    }

    /// Sends the browser to another of our pages, which says what was done.
    pub fn to(&self, path: &str, said: &str) -> Response {
        let mut response = self.sent_to(path);
        if !said.is_empty() {
            self.set_cookie(&mut response, cookie::SAID, Some(&escape(said)));
        }
        response
    }

    fn sent_to(&self, path: &str) -> Response {
        let place = HeaderValue::try_from(path).unwrap_or(HeaderValue::from_static("/"));
        if self.sheet {
            return (StatusCode::OK, [(NEXT.clone(), place)]).into_response();
        }
        (StatusCode::SEE_OTHER, [(header::LOCATION, place)]).into_response()
    }

    /// Another cookie: a new session at sign-in, or none.
    pub fn with_session(&self, mut response: Response, token: Option<&str>) -> Response {
        self.set_cookie(&mut response, cookie::SESSION, token);
        response
    }

    fn set_cookie(&self, response: &mut Response, name: &str, value: Option<&str>) {
        response.headers_mut().append(header::SET_COOKIE, cookie::set(&self.app, name, value));
    }
}

impl Signed {
    /// A page of the person's own, of no account.
    pub fn page(&self, section: Section, title: &str, body: &Markup) -> Response {
        self.page_with(StatusCode::OK, section, title, body)
    }

    pub fn page_with(&self, status: StatusCode, section: Section, title: &str, body: &Markup) -> Response {
        self.framed(None, section, status, title, None, body)
    }

    /// A page of an account. `events` is where it hears of changes.
    pub fn page_at(
        &self,
        at: &At,
        section: Section,
        status: StatusCode,
        title: &str,
        events: Option<&str>,
        body: &Markup,
    ) -> Response {
        let account = AccountPlace { name: &at.name, tenant: &at.tenant, sections: at.sections() };
        self.framed(Some(account), section, status, title, events, body)
    }

    fn framed(
        &self,
        account: Option<AccountPlace>,
        section: Section,
        status: StatusCode,
        title: &str,
        events: Option<&str>,
        body: &Markup,
    ) -> Response {
        let form_token = self.form_token();
        let place = Place {
            account,
            username: &self.manager.username,
            operator: self.manager.operator,
            form_token: &form_token,
            section,
        };
        let extras = Extras { said: self.said.as_deref(), events };
        self.answer(status, shell::framed(title, &place, &extras, body))
    }
}

/// An account that is selected, and what one is there.
pub struct At {
    pub name: String,
    pub tenant: String,
    /// `None` while the login is not enabled there.
    role: Option<Role>,
}

impl At {
    pub fn of(access: &Access) -> Self {
        let account = &access.account.account;
        Self { name: account.name.clone(), tenant: account.tenant.clone(), role: Some(access.role) }
    }

    pub fn of_membership(membership: &OwnMembership) -> Self {
        Self {
            name: membership.account.clone(),
            tenant: membership.tenant.clone(),
            role: (membership.state == State::Enabled).then_some(membership.role),
        }
    }

    fn sections(&self) -> &'static [Section] {
        use Section::{Account, ApiKeys, Audit, Calls, Downloads, Extensions, Users};
        match self.role {
            None => &[Account],
            Some(Role::Extension) => &[Extensions, Downloads, Account],
            Some(Role::Manager) => &[Extensions, Calls, ApiKeys, Users, Downloads, Account],
            Some(Role::Admin) => &[Extensions, Calls, ApiKeys, Users, Audit, Downloads, Account],
        }
    }
}

pub fn form_token(token: &str) -> String {
    secrets::hash(&format!("form {token}"))
}

fn unescape(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &rest[2..];
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_survives_its_cookie() {
        for said in ["Registration 100-acme-laptop was added.", "“Åsa” <b>; x=1, 100 %", ""] {
            let cookie = escape(said);
            assert!(!cookie.contains([';', ',', ' ', '"', '\\']) && cookie.is_ascii(), "{cookie}");
            assert_eq!(unescape(&cookie).as_deref(), Some(said));
        }
        for broken in ["%", "%4", "%zz", "%ff"] {
            assert_eq!(unescape(broken), None, "{broken}");
        }
    }
}
