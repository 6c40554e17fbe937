//! Extension Manager: the list, and an extension's tabs.

mod api_key;
mod details;
mod label;
mod list;
mod ready;
mod refusals;
mod registrations;
mod remove;
#[cfg(test)]
mod tests;
mod tms_admin;

use std::sync::Arc;

use axum::{
    Router,
    response::Response,
    routing::{get, post},
};
use maud::{Markup, html};

use super::{
    parts::{self, Refusal},
    shell::Section,
    visitor::{At, Signed},
};
use crate::server::{
    extensions::manage::{self, ManagedExtension},
    http::{App, problem::Answer},
    registrations::manage::ManagedRegistration,
    sessions::{Access, Right, Role},
};

pub fn routes() -> Router<Arc<App>> {
    const BASE: &str = "/accounts/{tenant}/extensions";
    let at = |rest: &str| format!("{BASE}/{{number}}{rest}");
    Router::new()
        .route(BASE, get(list::page))
        .route(&format!("{BASE}/new"), get(list::new).post(list::create))
        .route(&at(""), get(details::page).post(details::update))
        .route(&at("/sip-password"), post(details::sip_password))
        .route(&at("/remove"), get(remove::page).post(remove::remove))
        .route(&at("/registrations"), get(registrations::page))
        .route(&at("/registrations/new"), get(registrations::new).post(registrations::create))
        .route(&at("/registrations/{name}"), post(registrations::update))
        .route(&at("/registrations/{name}/state"), post(registrations::switch))
        .route(&at("/registrations/{name}/label"), get(label::page).post(label::update))
        .route(&at("/registrations/{name}/remove"), get(registrations::ask_remove).post(registrations::remove))
        .route(&at("/tms-admin"), get(tms_admin::page))
        .route(&at("/tms-admin/create"), get(tms_admin::new).post(tms_admin::create))
        .route(&at("/tms-admin/assign"), get(tms_admin::choose).post(tms_admin::assign))
        .route(&at("/tms-admin/take"), get(tms_admin::ask_take).post(tms_admin::take))
        .route(&at("/refusals"), get(refusals::page))
        .route(&at("/api-key"), get(api_key::page).post(api_key::update))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tab {
    Details,
    Registrations,
    TmsAdmin,
    ApiKey,
    Refusals,
}

impl Tab {
    const ALL: [Self; 5] = [Self::Details, Self::Registrations, Self::TmsAdmin, Self::ApiKey, Self::Refusals];
    /// What an agent sees of an extension of his own.
    const AGENT: [Self; 3] = [Self::Details, Self::Registrations, Self::Refusals];

    fn title(self) -> &'static str {
        match self {
            Self::Details => "Details",
            Self::Registrations => "Registrations",
            Self::TmsAdmin => "TMS Admin",
            Self::ApiKey => "API key",
            Self::Refusals => "Why won't it register?",
        }
    }

    fn of(self, tenant: &str, number: &str) -> String {
        let rest = match self {
            Self::Details => "",
            Self::Registrations => "/registrations",
            Self::TmsAdmin => "/tms-admin",
            Self::ApiKey => "/api-key",
            Self::Refusals => "/refusals",
        };
        format!("{}/{number}{rest}", Section::Extensions.of(tenant))
    }
}

/// An extension that is open, and what the person may do with it.
struct Open {
    access: Access,
    extension: ManagedExtension,
    registrations: Vec<ManagedRegistration>,
}

impl Open {
    async fn read(app: &App, signed: &Signed, tenant: &str, number: &str) -> Answer<Self> {
        let access = signed.manager.account(app, tenant, Right::SeeExtensions).await?;
        let extension = manage::read(app, &signed.manager, tenant, number).await?;
        let registrations = crate::server::registrations::manage::list(app, &signed.manager, tenant, number).await?;
        Ok(Self { access, extension, registrations })
    }

    /// Agents see their extensions; managers and administrators set them up.
    fn managed(&self) -> bool {
        self.access.role >= Role::Manager
    }

    fn tenant(&self) -> &str {
        &self.access.account.account.tenant
    }

    fn path(&self, tab: Tab) -> String {
        tab.of(self.tenant(), &self.extension.number)
    }

    /// The extension's page with this tab in front.
    fn page(&self, signed: &Signed, tab: Tab, refusal: Option<&Refusal>, body: &Markup) -> Response {
        let title = format!("{} {} · {}", self.extension.number, self.extension.name, tab.title());
        let events = format!("{}/events", Section::Account.of(self.tenant()));
        let body = html! {
            (self.head())
            (self.tabs(tab))
            (body)
        };
        let at = At::of(&self.access);
        signed.page_at(&at, Section::Extensions, parts::status(refusal), &title, Some(&events), &body)
    }

    /// A page of one form, which the script shows in a dialog over the extension.
    fn sheet(&self, signed: &Signed, title: &str, refusal: Option<&Refusal>, body: &Markup) -> Response {
        let at = At::of(&self.access);
        let crumb =
            parts::crumb(&self.path(Tab::Details), &format!("{} {}", self.extension.number, self.extension.name));
        signed.page_at(
            &at,
            Section::Extensions,
            parts::status(refusal),
            title,
            None,
            &parts::sheet(&crumb, title, body),
        )
    }

    fn head(&self) -> Markup {
        let extension = &self.extension;
        html! {
            div.head {
                div {
                    div.crumb { a href=(Section::Extensions.of(self.tenant())) { "Extension Manager" } }
                    h1 { span.number { (extension.number) } " " (extension.name) }
                }
                div.row #state data-live { (list::state(extension.enabled, &self.registrations, true)) }
            }
        }
    }

    fn tabs(&self, front: Tab) -> Markup {
        let tabs = if self.managed() { &Tab::ALL[..] } else { &Tab::AGENT[..] };
        html! {
            nav.tabs aria-label="Extension" {
                @for tab in tabs {
                    a href=(self.path(*tab)) aria-current=[(*tab == front).then_some("page")] { (tab.title()) }
                }
            }
        }
    }
}
