//! The frame of every page: head, bar, navigation, what was just done.

use maud::{DOCTYPE, Markup, html};

use super::{
    assets,
    icon::{self, Icon},
};

/// Where a page is: an account's, or one of the person's own.
pub struct Place<'a> {
    pub account: Option<AccountPlace<'a>>,
    /// Of the person: shown with the way out.
    pub username: &'a str,
    pub operator: bool,
    pub form_token: &'a str,
    pub section: Section,
}

/// The account that is selected.
pub struct AccountPlace<'a> {
    pub name: &'a str,
    pub tenant: &'a str,
    /// What of it the person may see, in the order of the navigation.
    pub sections: &'a [Section],
}

/// A page of the menu.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    Accounts,
    Account,
    Extensions,
    Calls,
    ApiKeys,
    Users,
    Audit,
    /// Of every account, for operators.
    AllAudit,
    Downloads,
    Profile,
}

impl Section {
    pub fn title(self) -> &'static str {
        match self {
            Self::Accounts => "Accounts",
            Self::Account => "Account",
            Self::Extensions => "Extension Manager",
            Self::Calls => "Calls",
            Self::ApiKeys => "API Manager",
            Self::Users => "Users",
            Self::Audit | Self::AllAudit => "Audit",
            Self::Downloads => "Downloads and tools",
            Self::Profile => "Your profile",
        }
    }

    /// The last part of the address within an account.
    fn word(self) -> &'static str {
        match self {
            Self::Accounts | Self::Account | Self::AllAudit | Self::Profile => "",
            Self::Extensions => "/extensions",
            Self::Calls => "/calls",
            Self::ApiKeys => "/api-keys",
            Self::Users => "/users",
            Self::Audit => "/audit",
            Self::Downloads => "/downloads",
        }
    }

    fn icon(self) -> Icon {
        match self {
            Self::Accounts | Self::Account => Icon::Account,
            Self::Extensions => Icon::Extensions,
            Self::Calls => Icon::Calls,
            Self::ApiKeys => Icon::Key,
            Self::Users => Icon::People,
            Self::Audit | Self::AllAudit => Icon::Audit,
            Self::Downloads => Icon::Download,
            Self::Profile => Icon::Person,
        }
    }

    /// Its address on an account.
    pub fn of(self, tenant: &str) -> String {
        format!("/accounts/{tenant}{}", self.word())
    }
}

/// What a page of somebody who is signed in has besides its body.
#[derive(Default)]
pub struct Extras<'a> {
    /// A sentence on what was just done.
    pub said: Option<&'a str>,
    /// Where the page hears that something changed.
    pub events: Option<&'a str>,
}

/// A page with bar and navigation.
pub fn framed(title: &str, place: &Place, extras: &Extras, body: &Markup) -> Markup {
    let full = match &place.account {
        Some(account) => format!("{title} · {} · TMS", account.name),
        None => format!("{title} · TMS"),
    };
    document(
        &full,
        extras.events.is_some(),
        &html! {
            (bar(place))
            div.frame {
                (navigation(place))
                main #content tabindex="-1" data-events=[extras.events] {
                    (said(extras.said))
                    (body)
                }
            }
        },
    )
}

/// A page by itself: sign-in, an error.
pub fn alone(title: &str, said_before: Option<&str>, body: &Markup) -> Markup {
    document(
        &format!("{title} · TMS"),
        false,
        &html! {
            div.alone {
                main #content tabindex="-1" {
                    (said(said_before))
                    (body)
                }
            }
        },
    )
}

fn document(title: &str, live: bool, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                link rel="icon" href=(assets::address("icon.svg")) type="image/svg+xml";
                link rel="stylesheet" href=(assets::address("portal.css"));
                script src=(assets::address("portal.js")) defer {}
                @if live { noscript { meta http-equiv="refresh" content="20"; } }
            }
            body {
                a.skip href="#content" { "Skip to content" }
                (body)
            }
        }
    }
}

fn bar(place: &Place) -> Markup {
    html! {
        header.top {
            a.brand href="/" { (icon::brand()) "TMS" }
            @if let Some(account) = &place.account {
                div.where {
                    a href="/accounts" title="Select another account" { (account.name) }
                }
            }
            div.spring {}
            details.menu {
                summary aria-label={ "Menu of " (place.username) } { (Icon::Person.draw()) span { (place.username) } }
                div {
                    a href="/profile" { (Icon::Person.draw()) "Your profile" }
                    a href="/accounts" { (Icon::Account.draw()) @if place.operator { "Accounts" } @else { "Select account" } }
                    form method="post" action="/sign-out" {
                        input type="hidden" name="form" value=(place.form_token);
                        button type="submit" { (Icon::SignOut.draw()) "Sign out" }
                    }
                }
            }
        }
    }
}

fn navigation(place: &Place) -> Markup {
    let link = |section: Section, address: &str| {
        let current = (section == place.section).then_some("page");
        html! { a href=(address) aria-current=[current] { (section.icon().draw()) (section.title()) } }
    };
    html! {
        nav.nav aria-label="Main" {
            @match &place.account {
                Some(account) => @for section in account.sections { (link(*section, &section.of(account.tenant))) },
                None => {
                    (link(Section::Accounts, "/accounts"))
                    @if place.operator { (link(Section::AllAudit, "/audit")) }
                    (link(Section::Profile, "/profile"))
                }
            }
        }
    }
}

fn said(sentence: Option<&str>) -> Markup {
    html! {
        @if let Some(sentence) = sentence {
            div.said.go role="status" { (Icon::Done.draw()) p { (sentence) } }
        }
    }
}
