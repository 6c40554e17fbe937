//! `agent-manager ring`: the ringing window. Standard input brings [`Ringing`] as JSON, a line for each change; its end means
//! that ringing has stopped. Standard output says what was pressed.
//!
//! On X11 the window is override-redirect: no window manager gives it the keyboard, also not when it is clicked. On Wayland no
//! window can stay on top, so a critical notification with actions stands in for it: [`notification`].

#![expect(clippy::disallowed_methods, reason = "a shell: it reads the clock")]

mod notification;

use crate::ui::{
    screen::ring::{
        data::{Pressed, Ringing, ring},
        ui::{SIZE, show},
    },
    text::t,
    theme,
};
use eframe::{CreationContext, NativeOptions};
use egui::{ThemePreference, ViewportBuilder, X11WindowType};
use raw_window_handle::{HasWindowHandle, RawWindowHandle};
use std::{
    io::{BufRead, Write},
    process::ExitCode,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};
use x11rb::{
    connection::Connection,
    protocol::{
        randr::ConnectionExt as _,
        xproto::{ConfigureWindowAux, ConnectionExt as _, StackMode},
    },
    rust_connection::RustConnection,
};

/// Distance from the screen's edges, in pixels.
const EDGE: i32 = 24;

/// What the reading thread and the window share.
#[derive(Default)]
struct Told {
    ringing: Mutex<Ringing>,
    window: OnceLock<egui::Context>,
}

/// Shows the window until the input ends.
pub fn run() -> ExitCode {
    let mut first = String::new();
    let read = std::io::stdin().lock().read_line(&mut first);
    let Some(ringing) = read.ok().and_then(|_| serde_json::from_str::<Ringing>(&first).ok()) else {
        eprintln!("agent-manager ring: one JSON object a line is expected; Agent Manager starts this by itself");
        return ExitCode::from(2);
    };
    if std::env::var_os("WAYLAND_DISPLAY").is_some_and(|name| !name.is_empty()) {
        return notification::run(ringing);
    }
    let since = Instant::now().checked_sub(Duration::from_millis(ringing.rung_ms)).unwrap_or_else(Instant::now);
    let told = Arc::new(Told { ringing: Mutex::new(ringing), window: OnceLock::new() });
    let heard = Arc::clone(&told);
    let change = move |ringing| {
        *lock(&heard.ringing) = ringing;
        if let Some(window) = heard.window.get() {
            window.request_repaint();
        }
    };
    follow_input(change, || ());
    let viewport = ViewportBuilder::default()
        .with_title(t().ringing)
        .with_inner_size(SIZE)
        .with_resizable(false)
        .with_decorations(false)
        .with_active(false)
        .with_taskbar(false)
        .with_always_on_top()
        .with_window_type(X11WindowType::Notification)
        .with_override_redirect(true);
    let options = NativeOptions { viewport, ..NativeOptions::default() };
    let shown = eframe::run_native(
        "agent-manager-ring",
        options,
        Box::new(move |creation| Ok(Box::new(RingWindow::new(creation, told, since)))),
    );
    if let Err(why) = shown {
        eprintln!("agent-manager ring: {why}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Reads on; the end of the input ends the process at once, after `end`, whatever it is doing.
fn follow_input(change: impl Fn(Ringing) + Send + 'static, end: impl FnOnce() + Send + 'static) {
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if let Ok(ringing) = serde_json::from_str(&line) {
                change(ringing);
            }
        }
        end();
        std::process::exit(0);
    });
}

/// What these locks guard is whole after a panic elsewhere.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn say(pressed: Pressed) {
    let mut out = std::io::stdout().lock();
    let line = serde_json::to_string(&pressed).expect("a plain name always serialises");
    // Nobody listens any more: then there is nothing to answer.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

struct RingWindow {
    told: Arc<Told>,
    since: Instant,
    place: Option<Place>,
    pressed: bool,
}

impl RingWindow {
    fn new(creation: &CreationContext<'_>, told: Arc<Told>, since: Instant) -> Self {
        theme::install(&creation.egui_ctx);
        // The only place that sets it.
        let _ = told.window.set(creation.egui_ctx.clone());
        let place = creation.window_handle().ok().and_then(|handle| Place::find(handle.as_raw()));
        Self { told, since, place, pressed: false }
    }
}

impl eframe::App for RingWindow {
    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        if let Some(place) = &self.place {
            place.top_right();
        }
        let ringing = lock(&self.told.ringing).clone();
        ui.ctx().set_theme(match ringing.dark {
            None => ThemePreference::System,
            Some(true) => ThemePreference::Dark,
            Some(false) => ThemePreference::Light,
        });
        ui.ctx().accesskit_node_builder(egui::accesskit_root_id(), |root| root.set_label(t().ringing));
        let shown = ring(&ringing, self.since, Instant::now());
        ui.ctx().request_repaint_after(shown.next_change);
        if let Some(pressed) = show(ui, &shown)
            && !std::mem::replace(&mut self.pressed, true)
        {
            say(pressed);
        }
    }
}

/// The window as the X server knows it. Window managers leave override-redirect windows alone, so this puts it in its corner
/// and, once a second, above what was raised since.
struct Place {
    connection: RustConnection,
    root: u32,
    window: u32,
}

impl Place {
    fn find(handle: RawWindowHandle) -> Option<Self> {
        let window = match handle {
            RawWindowHandle::Xlib(handle) => u32::try_from(handle.window).ok()?,
            RawWindowHandle::Xcb(handle) => handle.window.get(),
            _ => return None,
        };
        let (connection, screen) = RustConnection::connect(None).ok()?;
        let root = connection.setup().roots.get(screen)?.root;
        Some(Self { connection, root, window })
    }

    /// Where it cannot be moved it stays where it is: it still shows.
    fn top_right(&self) {
        let _ = self.try_top_right();
    }

    fn try_top_right(&self) -> Option<()> {
        let size = self.connection.get_geometry(self.window).ok()?.reply().ok()?;
        let monitors = self.connection.randr_get_monitors(self.root, true).ok()?.reply().ok()?.monitors;
        let monitor = monitors.iter().find(|monitor| monitor.primary).or(monitors.first())?;
        let right = i32::from(monitor.x) + i32::from(monitor.width);
        let changes = ConfigureWindowAux::new()
            .x(right - i32::from(size.width) - EDGE)
            .y(i32::from(monitor.y) + EDGE)
            .stack_mode(StackMode::ABOVE);
        self.connection.configure_window(self.window, &changes).ok()?;
        self.connection.flush().ok()
    }
}
