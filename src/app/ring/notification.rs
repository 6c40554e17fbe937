//! Where no window can stay on top: the desktop's own notification, with buttons. One that is dismissed comes back, for only
//! the end of the input means that ringing has stopped.

use super::{follow_input, lock, say};
use crate::ui::{
    screen::ring::data::{Pressed, Ringing},
    text::{fill, t},
};
use notify_rust::{Hint, Notification, Timeout, Urgency};
use std::{
    process::ExitCode,
    sync::{Arc, Mutex},
    time::Duration,
};

/// Before a notification comes back; a desktop that shows none is asked no more often.
const PAUSE: Duration = Duration::from_secs(1);

/// What the reading thread and the showing one share.
struct Told {
    ringing: Ringing,
    /// The number of the notification that is up.
    up: Option<u32>,
}

/// Shows the notification until the input ends.
pub fn run(ringing: Ringing) -> ExitCode {
    let told = Arc::new(Mutex::new(Told { ringing, up: None }));
    let (changing, ending) = (Arc::clone(&told), Arc::clone(&told));
    let change = move |ringing| {
        let mut told = lock(&changing);
        if let Some(id) = told.up {
            // What could not be shown anew still says who calls.
            let _ = notification(&ringing).id(id).show();
        }
        told.ringing = ringing;
    };
    let end = move || {
        let told = lock(&ending);
        // Taking its place is the only way to close a notification that another thread waits for.
        if let Some(Ok(same)) = told.up.map(|id| notification(&told.ringing).id(id).show()) {
            same.close();
        }
        // Held to the end, so that none comes up any more.
        std::process::exit(0);
    };
    follow_input(change, end);
    loop {
        let mut now = lock(&told);
        let handle = match notification(&now.ringing).show() {
            Ok(handle) => handle,
            Err(why) => {
                eprintln!("agent-manager ring: the desktop shows no notification: {why}");
                return ExitCode::FAILURE;
            }
        };
        now.up = Some(handle.id());
        drop(now);
        let mut pressed = None;
        handle.wait_for_action(|action| {
            pressed = match action {
                "answer" => Some(Pressed::Answer),
                "reject" => Some(Pressed::Reject),
                _ => None,
            }
        });
        lock(&told).up = None;
        if let Some(pressed) = pressed {
            say(pressed);
            loop {
                std::thread::park();
            }
        }
        std::thread::sleep(PAUSE);
    }
}

fn notification(ringing: &Ringing) -> Notification {
    let answer = if ringing.hold_other { t().answer_and_hold } else { t().answer };
    Notification::new()
        .appname(t().app)
        .icon("agent-manager")
        .summary(&fill(t().ringing_from, &[&ringing.name]))
        .body(ringing.line.as_deref().unwrap_or_default())
        .urgency(Urgency::Critical)
        .timeout(Timeout::Never)
        .hint(Hint::Category("call.incoming".into()))
        .action("answer", answer)
        .action("reject", t().reject)
        .finalize()
}
