//! The window thread: eframe around [`Window`].

#![expect(clippy::disallowed_methods, reason = "a shell: it reads the clocks")]

use super::{
    handover,
    session::{self, Input},
    shared::Shared,
};
use crate::{
    config::cli::WindowArgs,
    ui::{
        snapshot::Intent,
        theme,
        window::{COMPACT, SMALLEST, Window},
    },
};
use eframe::{CreationContext, NativeOptions};
use egui::{ViewportBuilder, ViewportCommand};
use std::{
    process::ExitCode,
    sync::{Arc, mpsc::SyncSender},
    time::Instant,
};

/// Shows the window until it is closed, then hangs up, un-registers and signs out.
pub fn run(args: WindowArgs) -> ExitCode {
    if handover::to_running(&args) {
        return ExitCode::SUCCESS;
    }
    let shared = Arc::new(Shared::default());
    // Everything slow starts beside the window, not before it.
    let session = session::start(args, Arc::clone(&shared));
    let icon = eframe::icon_data::from_png_bytes(include_bytes!("../../../assets/icon.png"));
    let viewport = ViewportBuilder::default()
        .with_title(crate::ui::text::t().app)
        .with_app_id("agent-manager")
        .with_inner_size(COMPACT)
        .with_min_inner_size(SMALLEST)
        .with_icon(icon.unwrap_or_default());
    let options = NativeOptions { viewport, ..NativeOptions::default() };
    let input = session.input.clone();
    let shown = eframe::run_native(
        "agent-manager",
        options,
        Box::new(move |creation| Ok(Box::new(Desktop::new(creation, shared, input)))),
    );
    session.stop();
    match shown {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!(
                "agent-manager: the window cannot be shown ({why}). Without a display, use the subcommand headless."
            );
            ExitCode::FAILURE
        }
    }
}

struct Desktop {
    shared: Arc<Shared>,
    input: SyncSender<Input>,
    window: Window,
}

impl Desktop {
    fn new(creation: &CreationContext<'_>, shared: Arc<Shared>, input: SyncSender<Input>) -> Self {
        theme::install(&creation.egui_ctx);
        // The only place that sets it.
        let _ = shared.window.set(creation.egui_ctx.clone());
        Self { shared, input, window: Window::default() }
    }
}

impl eframe::App for Desktop {
    /// Also called while the window is hidden.
    fn logic(&mut self, ctx: &egui::Context, _frame: &mut eframe::Frame) {
        if self.shared.is_closing() {
            ctx.send_viewport_cmd(ViewportCommand::Close);
        }
        if self.shared.take_raised() {
            ctx.send_viewport_cmd(ViewportCommand::Minimized(false));
            ctx.send_viewport_cmd(ViewportCommand::Focus);
        }
    }

    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        let now = Instant::now();
        for notice in self.shared.take_notices() {
            self.window.notice(notice, now);
        }
        let snapshot = self.shared.latest();
        for intent in self.window.show(ui, &snapshot, now) {
            if intent == Intent::Quit {
                ui.ctx().send_viewport_cmd(ViewportCommand::Close);
            } else if self.input.try_send(Input::Intent(intent)).is_err() {
                tracing::error!("the session thread does not listen; what was asked for is lost");
            }
        }
    }
}
