//! The services between the window's words and the user agent's. Pure.

use crate::{
    ua::api::{NoAnswer, Services},
    ui::snapshot,
};

/// As the window shows them.
pub fn shown(services: &Services) -> snapshot::Services {
    let text = |to: &Option<String>| to.clone().unwrap_or_default();
    let no_answer = services.forward_no_answer.clone().unwrap_or_default();
    snapshot::Services {
        do_not_disturb: services.do_not_disturb,
        do_not_disturb_as_unreachable: services.do_not_disturb_as_unreachable,
        forward_always: text(&services.forward_always),
        forward_busy: text(&services.forward_busy),
        forward_no_answer: no_answer.to,
        forward_after_s: no_answer.after_s,
        answer_on_request: services.answer_on_request,
        withhold_identity: services.withhold_identity,
        pickup_prefix: text(&services.pickup_prefix),
    }
}

/// As the person wants them.
pub fn wanted(shown: &snapshot::Services) -> Services {
    let number = |typed: &str| Some(typed.trim().to_owned()).filter(|typed| !typed.is_empty());
    Services {
        do_not_disturb: shown.do_not_disturb,
        do_not_disturb_as_unreachable: shown.do_not_disturb_as_unreachable,
        forward_always: number(&shown.forward_always),
        forward_busy: number(&shown.forward_busy),
        forward_no_answer: number(&shown.forward_no_answer).map(|to| NoAnswer { to, after_s: shown.forward_after_s }),
        answer_on_request: shown.answer_on_request,
        withhold_identity: shown.withhold_identity,
        pickup_prefix: number(&shown.pickup_prefix),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_what_is_wanted() {
        let services = Services {
            do_not_disturb: true,
            forward_busy: Some("103".into()),
            forward_no_answer: Some(NoAnswer { to: "104".into(), after_s: 7 }),
            ..Services::default()
        };
        for services in [Services::default(), services] {
            assert_eq!(wanted(&shown(&services)), services);
        }
    }
}
