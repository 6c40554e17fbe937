//! Calls: those in progress, and how those before went.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use maud::{Markup, html};

use super::{
    parts,
    shell::Section,
    visitor::{At, Signed},
};
use crate::server::{
    calls::manage::{self, LiveCall, PastCall},
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
    let access = signed.manager.account(&app, &tenant, Right::SeeCalls).await?;
    let asked = parts::short(asked);
    let past = manage::past(&app, &signed.manager, &tenant, &asked).await?;
    // A SIP side that does not answer is said in its place; what is over can be seen all the same.
    let live = manage::live(&app, &signed.manager, &tenant).await.ok();
    let body = shown(&tenant, live.as_deref(), &past, &asked);
    let events = format!("{}/events", Section::Account.of(&tenant));
    Ok(signed.page_at(
        &At::of(&access),
        Section::Calls,
        parts::status(None),
        Section::Calls.title(),
        Some(&events),
        &body,
    ))
}

fn shown(tenant: &str, live: Option<&[LiveCall]>, past: &Listed<PastCall>, asked: &Page) -> Markup {
    let base = Section::Calls.of(tenant);
    html! {
        (parts::head(Section::Calls.title(), None, &html! {}))
        div.card {
            header { h2 { "In progress" } }
            div.scroll #live-calls data-live data-every="5" { (in_progress(live)) }
        }
        div.card {
            header {
                div { h2 { "Before" } p.weak.small { "Calls of the last 90 days, newest first." } }
                (parts::search(&base, "Search by number or name", asked))
            }
            @if past.rows.is_empty() {
                div.empty {
                    @if parts::searched(asked) { h2 { "Nothing found" } p { "No call fits this search." } }
                    @else { h2 { "No calls yet" } p { "Each call stands here once it is over." } }
                }
            } @else {
                div.scroll {
                    table.folds {
                        thead { tr {
                            th scope="col" { "Began" } th scope="col" { "From" } th scope="col" { "To" }
                            th scope="col" { "Talked" } th scope="col" { "How it ended" }
                        } }
                        tbody { @for call in &past.rows { (past_row(call)) } }
                    }
                }
                (parts::pages(&base, asked, past.next))
            }
        }
    }
}

fn in_progress(live: Option<&[LiveCall]>) -> Markup {
    html! {
        @match live {
            None => div.empty { h2 { "Not known" } p { "The SIP side does not say which calls are in progress. The page looks again." } },
            Some([]) => div.empty { h2 { "Nobody is on a call" } p { "A call stands here from its first ring." } },
            Some(calls) => table.folds {
                thead { tr {
                    th scope="col" { "From" } th scope="col" { "To" } th scope="col" { "Since" } th scope="col" { "State" }
                } }
                tbody { @for call in calls {
                    tr {
                        td { strong.code { (call.from) } }
                        td data-label="To" { span.number { (call.to) } }
                        td data-label="Since" { (parts::moment(call.since)) }
                        td data-label="State" { span.state {
                            @if call.answered { span.dot.go {} "Talking" } @else { span.dot {} "Ringing" }
                        } }
                    }
                } }
            },
        }
    }
}

fn past_row(call: &PastCall) -> Markup {
    html! {
        tr {
            td { (parts::moment(call.started_at)) }
            td data-label="From" { div.two-lines { span.code { (call.from) } span.weak { (call.from_name) } } }
            td data-label="To" { div.two-lines { span.number { (call.to) } span.weak { (call.to_name) } } }
            td data-label="Talked" { span.number { (talked(call.duration)) } }
            td data-label="How it ended" { div.two-lines { span { (call.status) } span.weak { (call.detail) } } }
        }
    }
}

/// `1:02:03`, `2:03`; nothing where nobody talked.
fn talked(seconds: i64) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0) => "–".to_owned(),
        (0, minutes, seconds) => format!("{minutes}:{seconds:02}"),
        (hours, minutes, seconds) => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::talked;
    use crate::server::{http::testing::Harness, web::testing::Browser};
    use axum::http::Method;

    #[test]
    fn seconds_are_told_as_a_clock() {
        for (seconds, words) in [(0, "–"), (9, "0:09"), (123, "2:03"), (3723, "1:02:03")] {
            assert_eq!(talked(seconds), words);
        }
    }

    #[tokio::test]
    async fn calls_are_for_those_who_manage() {
        let h = Harness::new().await;
        let admin = Browser::signed_in(&h, &h.demo.admin.username, &h.demo.admin.password).await;
        let page = admin.open("/accounts/acme/calls").await;
        assert!(page.status == 200 && page.has("Not known") && page.has("No calls yet"), "{}", page.text());
        let none = admin.open("/accounts/acme/calls?search=nobody").await;
        assert!(none.has("No call fits this search"), "{}", none.text());
        let agent = Browser::signed_in(&h, &h.demo.username, &h.demo.password).await;
        assert_eq!(agent.open("/accounts/acme/calls").await.status, 403);
    }

    #[tokio::test]
    async fn a_page_left_open_lets_its_session_end() {
        let h = Harness::new().await;
        let (username, password) = (&h.demo.admin.username, &h.demo.admin.password);
        for (header, lasts) in
            [(("x-refresh", "1"), false), (("accept", "text/event-stream"), false), (("x-sheet", "1"), true)]
        {
            let browser = Browser::signed_in(&h, username, password).await;
            for _ in 0..5 {
                h.pass(30 * 60);
                browser.request(Method::GET, "/accounts/acme/calls", None, &[header]).await;
            }
            let opened = browser.open("/accounts/acme/calls").await;
            assert_eq!(opened.path == "/accounts/acme/calls", lasts, "{header:?}: {}", opened.path);
        }
    }
}
