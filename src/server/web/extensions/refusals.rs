//! Tab *Why won't it register?*: the last devices that were not let in, with the reason and the way out.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use maud::{Markup, html};

use super::{Open, Tab};
use crate::server::{
    http::{App, input::Segments, problem::Answer},
    refusals::{self, ShownRefusal},
    web::{parts, visitor::Signed},
};

pub async fn page(
    State(app): State<Arc<App>>,
    signed: Signed,
    Segments((tenant, number)): Segments<(String, String)>,
) -> Answer<Response> {
    let open = Open::read(&app, &signed, &tenant, &number).await?;
    let refusals = refusals::of_extension(&app, &signed.manager, &tenant, &number).await?;
    Ok(open.page(&signed, Tab::Refusals, None, &body(&refusals)))
}

fn body(refusals: &[ShownRefusal]) -> Markup {
    html! {
        div.card {
            header {
                div {
                    h2 { "Devices that were not let in" }
                    p.small.weak { "The last refusals of each registration, newest first. A device that got in since is fine." }
                }
            }
            div #refusals data-live {
                @if refusals.is_empty() {
                    div.empty {
                        h2 { "Nothing was refused" }
                        p { "If a device still does not register, it does not reach this TMS: check its registrar and proxy, which stand "
                            "under Details, and the network in between." }
                    }
                } @else {
                    div.scroll {
                        table.folds {
                            thead { tr {
                                th scope="col" { "Registration" } th scope="col" { "Why, and what to do" }
                                th scope="col" { "Device" } th scope="col" { "Last" }
                            } }
                            tbody { @for refusal in refusals { (row(refusal)) } }
                        }
                    }
                }
            }
        }
    }
}

fn row(refusal: &ShownRefusal) -> Markup {
    html! {
        tr {
            td { span.code { (refusal.registration) } }
            td.prose { (refusal.sentence) }
            td data-label="Device" {
                span.two-lines { (parts::device(&refusal.device)) span.weak.number { (refusal.address) } }
            }
            td data-label="Last" {
                span.two-lines {
                    (parts::moment(refusal.last_at))
                    @if refusal.times > 1 { span.weak { (refusal.times) " times since " (parts::moment(refusal.first_at)) } }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn a_refusal_is_a_sentence_with_device_and_count() {
        let at = Timestamp::from_second(1_800_000_000).expect("in range");
        let refusal = |times| ShownRefusal {
            registration: "100-acme".into(),
            sentence: "The password is wrong.".into(),
            address: "10.0.0.9".into(),
            device: "<Phone>".into(),
            times,
            first_at: at,
            last_at: at,
        };
        let page = body(&[refusal(3)]).into_string();
        for words in ["The password is wrong.", "&lt;Phone&gt;", "10.0.0.9", "3 times since"] {
            assert!(page.contains(words), "{words}: {page}");
        }
        assert!(!body(&[refusal(1)]).into_string().contains("times since"));
        assert!(body(&[]).into_string().contains("does not reach this TMS"));
    }
}
