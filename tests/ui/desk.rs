//! A window in a test harness: shows a snapshot, collects what is asked for, renders in software.

use crate::{fake, raster::SoftwareRenderer};
use agent_manager::ui::{
    screen::Page,
    snapshot::{Intent, Notice, Snapshot, ThemeChoice},
    theme,
    window::{COMPACT, Window},
};
use egui::{Key, Modifiers};
use egui_kittest::Harness;

/// What the harness keeps between frames.
pub struct Desk {
    pub window: Window,
    pub snapshot: Snapshot,
    pub asked: Vec<Intent>,
}

pub struct Setup {
    pub snapshot: Snapshot,
    pub page: Page,
    pub size: [f32; 2],
    pub notice: Option<Notice>,
}

impl Setup {
    pub fn new(snapshot: Snapshot) -> Self {
        Self { snapshot, page: Page::Main, size: COMPACT, notice: None }
    }
    pub fn page(self, page: Page) -> Self {
        Self { page, ..self }
    }
    pub fn wide(self) -> Self {
        Self { size: [960.0, 640.0], ..self }
    }
    pub fn size(self, size: [f32; 2]) -> Self {
        Self { size, ..self }
    }
    pub fn notice(self, notice: Notice) -> Self {
        Self { notice: Some(notice), ..self }
    }
    pub fn light(self) -> Harness<'static, Desk> {
        self.build(ThemeChoice::Light)
    }
    pub fn dark(self) -> Harness<'static, Desk> {
        self.build(ThemeChoice::Dark)
    }

    fn build(mut self, choice: ThemeChoice) -> Harness<'static, Desk> {
        self.snapshot.settings.theme = choice;
        let mut window = Window::default();
        if let Some(notice) = self.notice {
            window.notice(notice, fake::now());
        }
        let desk = Desk { window, snapshot: self.snapshot, asked: vec![] };
        let mut harness = Harness::builder()
            .with_size(self.size)
            .with_context_setup(theme::install)
            .renderer(SoftwareRenderer::default())
            .with_max_steps(10)
            .build_ui_state(
                |ui, desk: &mut Desk| {
                    let mut ui = edge_to_edge(ui);
                    let asked = desk.window.show(&mut ui, &desk.snapshot, fake::now());
                    desk.asked.extend(asked);
                },
                desk,
            );
        if self.page != Page::Main {
            harness.state_mut().window.open(self.page);
            harness.run_ok();
        }
        harness
    }
}

/// The whole surface: the harness keeps a margin around what it shows, a native window does not.
pub fn edge_to_edge(ui: &egui::Ui) -> egui::Ui {
    let surface = ui.ctx().content_rect();
    let id = egui::Id::unique("surface");
    let layer = ui.layer_id();
    egui::Ui::new(ui.ctx().clone(), id, egui::UiBuilder::new().max_rect(surface).layer_id(layer))
}

/// Presses a key with Ctrl.
pub fn press(harness: &mut Harness<'_, Desk>, key: Key) {
    harness.key_press_modifiers(Modifiers::COMMAND, key);
    harness.run();
}

/// What was asked for since the last look.
pub fn asked(harness: &mut Harness<'_, Desk>) -> Vec<Intent> {
    std::mem::take(&mut harness.state_mut().asked)
}
