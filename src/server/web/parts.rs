//! Pieces that pages are made of: fields with their errors, notes, marks, times.

use axum::http::StatusCode;
use jiff::Timestamp;
use maud::{Markup, Render, html};

use super::{icon::Icon, visitor::escape};
use crate::{
    server::{
        http::{
            page::Page,
            problem::{Answer, ApiError},
        },
        passwords, secrets,
    },
    tms::wire::Kind,
};

/// Why what a form asked for was not done, for the form's own page to say.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub status: StatusCode,
    pub sentence: String,
}

/// Parts what the person at the form can mend (or must be told there) from what ends the request.
pub fn refused<T>(answer: Answer<T>) -> Answer<Result<T, Refusal>> {
    match answer {
        Ok(done) => Ok(Ok(done)),
        Err(ApiError::Refused(problem)) if problem.status != 404 => Ok(Err(Refusal {
            status: StatusCode::from_u16(problem.status).unwrap_or(StatusCode::BAD_REQUEST),
            sentence: problem.detail,
        })),
        Err(error) => Err(error),
    }
}

impl Refusal {
    pub fn new(sentence: impl Into<String>) -> Self {
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, sentence: sentence.into() }
    }

    /// Whether it is about this field: its sentence starts with the field's name.
    fn concerns(&self, field: &str) -> bool {
        let sentence = self.sentence.strip_prefix("The ").unwrap_or(&self.sentence);
        sentence.strip_prefix(field).is_some_and(|rest| rest.starts_with([' ', ':']))
    }

    /// The sentence under its field, which people know by its label.
    fn under(&self, field: &str, label: &str) -> String {
        let rest = self.sentence.strip_prefix(field);
        rest.map_or_else(|| self.sentence.clone(), |rest| format!("{label}{rest}"))
    }
}

/// The status of a form's page.
pub fn status(refusal: Option<&Refusal>) -> StatusCode {
    refusal.map_or(StatusCode::OK, |r| r.status)
}

/// The refusal above a form, unless one of these fields shows it.
pub fn trouble(refusal: Option<&Refusal>, fields: &[&str]) -> Markup {
    html! {
        @if let Some(refusal) = refusal.filter(|r| !fields.iter().any(|f| r.concerns(f))) {
            div.said.stop role="alert" tabindex="-1" { (Icon::Warning.draw()) p { (refusal.sentence) } }
        }
    }
}

/// The hidden field of every form.
pub fn hidden(form_token: &str) -> Markup {
    html! { input type="hidden" name="form" value=(form_token); }
}

/// The same for a form that makes something: sent twice it is done once.
pub fn hidden_once(form_token: &str) -> Markup {
    html! { (hidden(form_token)) input type="hidden" name="once" value=(secrets::random(16)); }
}

/// One input with label, hint and error.
pub struct Field<'a> {
    name: &'a str,
    label: &'a str,
    kind: &'static str,
    value: &'a str,
    hint: Option<&'a str>,
    /// What stands before what is typed.
    affix: Option<&'a str>,
    refusal: Option<&'a Refusal>,
    autocomplete: &'static str,
    longest: usize,
    optional: bool,
    focused: bool,
    numeric: bool,
    secure: bool,
    fixed: bool,
    /// Id of the list of what is offered while typing.
    list: Option<&'a str>,
}

impl<'a> Field<'a> {
    pub fn text(name: &'a str, label: &'a str) -> Self {
        Self {
            name,
            label,
            kind: "text",
            value: "",
            hint: None,
            affix: None,
            refusal: None,
            autocomplete: "off",
            longest: 100,
            optional: false,
            focused: false,
            numeric: false,
            secure: false,
            fixed: false,
            list: None,
        }
    }

    pub fn password(name: &'a str, label: &'a str, autocomplete: &'static str) -> Self {
        Self { kind: "password", autocomplete, longest: passwords::LONGEST, ..Self::text(name, label) }
    }

    /// A password of one's choice: its underline turns green when it is secure enough, red when not.
    pub fn new_password(name: &'a str, label: &'a str) -> Self {
        Self { secure: true, ..Self::password(name, label, "new-password") }
    }

    /// A day; browsers bring a calendar for it.
    pub fn date(name: &'a str, label: &'a str) -> Self {
        Self { kind: "date", longest: 10, ..Self::text(name, label) }
    }

    pub fn value(self, value: &'a str) -> Self {
        Self { value, ..self }
    }

    pub fn hint(self, hint: &'a str) -> Self {
        Self { hint: Some(hint), ..self }
    }

    pub fn affix(self, affix: &'a str) -> Self {
        Self { affix: Some(affix), ..self }
    }

    pub fn refusal(self, refusal: Option<&'a Refusal>) -> Self {
        Self { refusal: refusal.filter(|r| r.concerns(self.name)), ..self }
    }

    pub fn autocomplete(self, autocomplete: &'static str) -> Self {
        Self { autocomplete, ..self }
    }

    pub fn longest(self, longest: usize) -> Self {
        Self { longest, ..self }
    }

    pub fn optional(self) -> Self {
        Self { optional: true, ..self }
    }

    pub fn focused(self) -> Self {
        Self { focused: true, ..self }
    }

    pub fn list(self, list: &'a str) -> Self {
        Self { list: Some(list), ..self }
    }

    /// Shown, sent, not altered.
    pub fn fixed(self) -> Self {
        Self { fixed: true, ..self }
    }

    pub fn numeric(self) -> Self {
        Self { numeric: true, ..self }
    }

    fn input(&self) -> Markup {
        let (hint, wrong) = (format!("{}-hint", self.name), format!("{}-wrong", self.name));
        let described = match (self.hint.is_some() || self.secure, self.refusal.is_some()) {
            (true, true) => Some(format!("{hint} {wrong}")),
            (true, false) => Some(hint),
            (false, true) => Some(wrong),
            (false, false) => None,
        };
        html! {
            input id=(self.name) name=(self.name) type=(self.kind) autocomplete=(self.autocomplete) maxlength=(self.longest)
                value=[Some(self.value).filter(|v| !v.is_empty() && self.kind != "password")]
                required[!self.optional] readonly[self.fixed] autofocus[self.focused] inputmode=[self.numeric.then_some("numeric")]
                aria-describedby=[described] aria-invalid=[self.refusal.map(|_| "true")]
                autocapitalize="none" spellcheck="false" list=[self.list]
                data-shortest=[self.secure.then_some(passwords::SHORTEST)];
        }
    }
}

impl Render for Field<'_> {
    fn render(&self) -> Markup {
        let length = format!("At least {} characters; a few words make a good one.", passwords::SHORTEST);
        let hint = self.hint.or_else(|| self.secure.then_some(length.as_str()));
        html! {
            div.field {
                label for=(self.name) { (self.label) @if self.optional { span.weak { " (optional)" } } }
                @match self.affix {
                    Some(affix) => div.affix { span.code aria-hidden="true" { (affix) } (self.input()) },
                    None => (self.input()),
                }
                @if self.secure { div.strength id={ (self.name) "-strength" } {} }
                @if let Some(hint) = hint { span.hint id={ (self.name) "-hint" } aria-live=[self.secure.then_some("polite")] { (hint) } }
                @if let Some(refusal) = self.refusal {
                    span.wrong id={ (self.name) "-wrong" } { (refusal.under(self.name, self.label)) }
                }
            }
        }
    }
}

/// A list to choose from: value and words of each, and the value that is chosen.
pub fn select(name: &str, label: &str, options: &[(String, String)], chosen: &str) -> Markup {
    html! {
        div.field {
            label for=(name) { (label) }
            select id=(name) name=(name) {
                @for (value, words) in options { option value=(value) selected[value == chosen] { (words) } }
            }
        }
    }
}

/// A box to tick.
pub fn tick(name: &str, words: &str, on: bool) -> Markup {
    html! { label.tick { input type="checkbox" name=(name) value="yes" checked[on]; span { (words) } } }
}

/// A secret that is shown this once, with a button to copy it.
pub fn once(id: &str, label: &str, secret: &str) -> Markup {
    html! {
        div.field {
            label for=(id) { (label) }
            div.once {
                input id=(id) value=(secret) readonly autocomplete="off" spellcheck="false";
                button.main type="button" data-copy=(id) hidden { "Copy" }
            }
        }
    }
}

/// A moment; the script shows it in the reader's own time zone.
pub fn moment(at: Timestamp) -> Markup {
    let at = at.round(jiff::Unit::Second).unwrap_or(at);
    html! { time datetime=(at) { (at.strftime("%Y-%m-%d %H:%M UTC")) } }
}

/// The head of a page: its title, what it is about, what can be done.
pub fn head(title: &str, about: Option<&Markup>, actions: &Markup) -> Markup {
    html! {
        div.head {
            div {
                h1 { (title) }
                @if let Some(about) = about { p.weak { (about) } }
            }
            (actions)
        }
    }
}

/// The way back that stands above a page's title.
pub fn crumb(address: &str, words: &str) -> Markup {
    html! { div.crumb.only-page { a href=(address) { (words) } } }
}

/// A page of one thing to do, which the script shows in a dialog.
pub fn sheet(crumb: &Markup, title: &str, body: &Markup) -> Markup {
    html! {
        (crumb)
        div.card.pad.alone-in-card { div.sheet { h1 { (title) } (body) } }
    }
}

/// The buttons of such a form.
pub fn send(words: &str, back: &str) -> Markup {
    html! {
        div.row.end {
            a.button href=(back) data-close { "Cancel" }
            button.main type="submit" { (words) }
        }
    }
}

/// The button of a sheet that only shows something.
pub fn close(back: &str) -> Markup {
    html! { div.row.end { a.button.main href=(back) data-close { "Done" } } }
}

/// The form that does what cannot be undone, after a page that said what that is.
pub fn confirm(action: &str, form_token: &str, words: &str, back: &str) -> Markup {
    html! {
        form method="post" action=(action) {
            (hidden(form_token))
            div.row.end {
                a.button href=(back) data-close { "Cancel" }
                button.danger type="submit" { (words) }
            }
        }
    }
}

/// Rows of a page of a list.
const ROWS: u32 = 50;

/// A list as the portal shows it: in short pages.
pub fn short(asked: Page) -> Page {
    Page { limit: Some(asked.limit.unwrap_or(ROWS).min(ROWS)), ..asked }
}

/// Whether something was searched for.
pub fn searched(asked: &Page) -> bool {
    asked.search.as_deref().is_some_and(|s| !s.trim().is_empty())
}

/// The field to search a list.
pub fn search(action: &str, words: &str, asked: &Page) -> Markup {
    html! {
        form.search role="search" method="get" action=(action) {
            input type="search" name="search" value=[asked.search.as_deref()] placeholder=(words) aria-label=(words) maxlength="100" autocomplete="off";
            button type="submit" { "Search" }
        }
    }
}

/// Earlier and later pages of a list, where there are such.
pub fn pages(base: &str, asked: &Page, next: Option<u32>) -> Markup {
    let offset = asked.offset.unwrap_or(0);
    let to = |offset: u32| {
        let search = asked.search.as_deref().unwrap_or_default();
        format!("{base}?search={}&offset={offset}", escape(search))
    };
    html! {
        @if offset > 0 || next.is_some() {
            nav.pages aria-label="Pages" {
                @if offset > 0 { a.button.slim href=(to(offset.saturating_sub(ROWS))) { "Previous" } }
                div.spring {}
                @if let Some(next) = next { a.button.slim href=(to(next)) { "Next" } }
            }
        }
    }
}

pub fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::P => "P",
        Kind::S => "S",
    }
}

/// What a device calls itself, which is whatever it likes: cut, and without control characters.
pub fn device(device: &str) -> String {
    let clean: String = device.chars().filter(|c| !c.is_control()).take(60).collect();
    if clean.trim().is_empty() { "Unnamed device".to_owned() } else { clean }
}

/// A browser's User-Agent in the words that people use; any other device as it calls itself.
pub fn browser(agent: &str) -> String {
    let has = |word: &str| agent.contains(word);
    let first =
        |known: &[(&'static str, &'static str)]| known.iter().find(|(mark, _)| has(mark)).map(|(_, name)| *name);
    // The order matters: most claim to be others too.
    let name = first(&[
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ]);
    let system = first(&[
        ("Windows", "Windows"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Android"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ]);
    match (agent.starts_with("Mozilla/"), name, system) {
        (true, Some(name), Some(system)) => format!("{name} on {system}"),
        _ => device(agent),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_stands_under_the_field_it_is_about() {
        for (sentence, under) in [
            ("name must not be empty.", Some("Full name must not be empty.")),
            ("The name Anna exists already; choose another.", Some("The name Anna exists already; choose another.")),
            ("names are long.", None),
            ("Only an operator may do this.", None),
        ] {
            let refusal = Refusal::new(sentence);
            let field = Field::text("name", "Full name").refusal(Some(&refusal)).render().into_string();
            let above = trouble(Some(&refusal), &["name"]).into_string();
            assert_eq!(field.contains("aria-invalid"), under.is_some(), "{sentence}");
            assert_eq!(above.is_empty(), under.is_some(), "{sentence}");
            assert!(field.contains(under.unwrap_or_default()), "{field}");
        }
    }

    #[test]
    fn what_is_typed_is_text_and_passwords_are_not_repeated() {
        let text = Field::text("name", "Name").value("\"><script>").render().into_string();
        assert!(text.contains("&quot;&gt;&lt;script&gt;") && !text.contains("<script"), "{text}");
        let password = Field::new_password("password", "Password").value("secret words").render().into_string();
        assert!(!password.contains("secret words") && password.contains("data-shortest=\"10\""), "{password}");
    }
}
