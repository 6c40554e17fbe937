//! Audit: who did what on the account.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use maud::{Markup, html};

use super::{
    parts,
    shell::Section,
    visitor::{At, Signed},
};
use crate::server::{
    audit::manage::{self as audit, Entry},
    http::{
        App,
        input::{Asked, Segments},
        page::{Listed, Page},
        problem::Answer,
    },
    sessions::Right,
};

pub async fn page(
    State(app): State<Arc<App>>,
    signed: Signed,
    Segments(tenant): Segments<String>,
    Asked(asked): Asked<Page>,
) -> Answer<Response> {
    let access = signed.manager.account(&app, &tenant, Right::SeeAudit).await?;
    let asked = parts::short(asked);
    let entries = audit::list(&app, &signed.manager, &tenant, &asked).await?;
    let body = shown(&Section::Audit.of(&tenant), &entries, &asked, false);
    Ok(signed.page_at(&At::of(&access), Section::Audit, parts::status(None), Section::Audit.title(), None, &body))
}

/// For operators: every account's, and what is of none.
pub async fn of_all(State(app): State<Arc<App>>, signed: Signed, Asked(asked): Asked<Page>) -> Answer<Response> {
    let asked = parts::short(asked);
    let entries = audit::list_all(&app, &signed.manager, &asked).await?;
    Ok(signed.page(Section::AllAudit, Section::AllAudit.title(), &shown("/audit", &entries, &asked, true)))
}

/// `of_all`: each entry says of which account it is.
fn shown(base: &str, entries: &Listed<Entry>, asked: &Page, of_all: bool) -> Markup {
    let about = html! { "Every change, by whom and from where. Entries are only ever added." };
    html! {
        (parts::head(Section::Audit.title(), Some(&about), &html! {}))
        div.card {
            header { (parts::search(base, "Search by person, action or object", asked)) }
            @if entries.rows.is_empty() {
                div.empty {
                    @if parts::searched(asked) {
                        h2 { "Nothing found" }
                        p { "Nothing of that kind was done." }
                    } @else {
                        h2 { "Nothing yet" }
                        p { "Whatever is changed from now on stands here." }
                    }
                }
            } @else {
                div.scroll {
                    table.folds {
                        thead { tr {
                            th scope="col" { "When" } @if of_all { th scope="col" { "Account" } } th scope="col" { "Who" } th scope="col" { "What" }
                            th scope="col" { "Object" } th scope="col" { "From" }
                        } }
                        tbody { @for entry in &entries.rows { (row(entry, of_all)) } }
                    }
                }
                (parts::pages(base, asked, entries.next))
            }
        }
    }
}

fn row(entry: &Entry, of_all: bool) -> Markup {
    html! {
        tr {
            td { (parts::moment(entry.at)) }
            @if of_all { td data-label="Account" { span.code { (entry.tenant.as_deref().unwrap_or("–")) } } }
            td data-label="Who" { (entry.actor) }
            td data-label="What" { (sentence_case(&entry.action)) }
            td data-label="Object" { span.code { (entry.object) } }
            td data-label="From" { span.number.weak { (entry.address) } }
        }
    }
}

/// "create api key" as people read it.
fn sentence_case(action: &str) -> String {
    let action = action.replace("api key", "API key").replace("sip", "SIP");
    let mut letters = action.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
