//! The look: colours by meaning, three text sizes, a 4-point grid, corner radii, and egui's own style made to match.

#![expect(clippy::disallowed_methods, reason = "the one place where colours are made")]

use egui::{
    Color32, CornerRadius, FontData, FontDefinitions, FontFamily, FontId, RichText, Stroke, TextStyle, Theme, Ui, Vec2,
    epaint::Shadow, style::WidgetVisuals,
};
use std::sync::Arc;

/// One step of the spacing grid, in points.
pub const GRID: f32 = 4.0;
/// Margin of a page and of a card.
pub const MARGIN: f32 = 16.0;
/// Height of a control that is clicked: comfortable with a mouse, possible with a finger.
pub const CONTROL: f32 = 40.0;
/// Height of what a call's card offers besides its end.
pub const TALL: f32 = 60.0;
/// Corner radius of cards, of controls, and of small marks.
pub const RADIUS_CARD: u8 = 14;
pub const RADIUS: u8 = 10;
pub const RADIUS_MARK: u8 = 6;
/// Diameter of the dot that says that a call is recorded.
pub const RECORDED: f32 = 10.0;

/// The three text sizes, in points.
pub const SMALL: f32 = 14.0;
pub const BODY: f32 = 16.0;
pub const TITLE: f32 = 22.0;

/// One meaning's colours. `text` reads on the background, the surface and on `tint`; `on_fill` reads on `fill`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hue {
    pub fill: Color32,
    pub on_fill: Color32,
    pub tint: Color32,
    pub text: Color32,
}

/// Colours by meaning; every pair that is used for text has a contrast of at least 4.5:1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tokens {
    /// Behind everything.
    pub background: Color32,
    /// Cards, fields, the header.
    pub surface: Color32,
    /// Quiet buttons and keys.
    pub raised: Color32,
    /// Separators and the edge of cards: seen, not read.
    pub hairline: Color32,
    /// The edge of fields (3:1 against the surface, WCAG 1.4.11).
    pub outline: Color32,
    pub text: Color32,
    pub text_weak: Color32,
    /// What to do next; links; focus.
    pub accent: Hue,
    /// Talk.
    pub go: Hue,
    /// End, refusals.
    pub stop: Hue,
    /// Hold, warnings.
    pub hold: Hue,
    /// Everything else.
    pub neutral: Hue,
}

const fn rgb(hex: u32) -> Color32 {
    Color32::from_rgb((hex >> 16) as u8, (hex >> 8) as u8, hex as u8)
}

const fn hue(fill: u32, on_fill: u32, tint: u32, text: u32) -> Hue {
    Hue { fill: rgb(fill), on_fill: rgb(on_fill), tint: rgb(tint), text: rgb(text) }
}

pub const LIGHT: Tokens = Tokens {
    background: rgb(0xf4f5f8),
    surface: rgb(0xffffff),
    raised: rgb(0xedeff3),
    hairline: rgb(0xe2e5eb),
    outline: rgb(0x8b94a3),
    text: rgb(0x171b24),
    text_weak: rgb(0x566070),
    accent: hue(0x3056d3, 0xffffff, 0xe9eefd, 0x2748b8),
    go: hue(0x137a48, 0xffffff, 0xe2f4ea, 0x0f653b),
    stop: hue(0xc5301e, 0xffffff, 0xfdebe8, 0xad2616),
    hold: hue(0xf4b740, 0x2a1c00, 0xfff3dc, 0x7a4d00),
    neutral: hue(0xe4e7ec, 0x171b24, 0xedeff3, 0x566070),
};

pub const DARK: Tokens = Tokens {
    background: rgb(0x101318),
    surface: rgb(0x191d24),
    raised: rgb(0x252b34),
    hairline: rgb(0x2a303a),
    outline: rgb(0x727d8d),
    text: rgb(0xf0f3f7),
    text_weak: rgb(0xa6b0be),
    accent: hue(0x3d66de, 0xffffff, 0x1d2947, 0x9fb9ff),
    go: hue(0x18804e, 0xffffff, 0x14301f, 0x71d5a0),
    stop: hue(0xcf3b27, 0xffffff, 0x3b1c18, 0xffa091),
    hold: hue(0xf4b740, 0x2a1c00, 0x35290f, 0xf5c869),
    neutral: hue(0x323a46, 0xf0f3f7, 0x252b34, 0xa6b0be),
};

impl Tokens {
    /// The tokens of the theme this part of the window is painted in.
    pub fn of(ui: &Ui) -> &'static Self {
        if ui.visuals().dark_mode { &DARK } else { &LIGHT }
    }
}

/// `base` with `share` (0.0–1.0) of `over` mixed in, for hovered and pressed states.
pub fn mix(base: Color32, over: Color32, share: f32) -> Color32 {
    base.lerp_to_gamma(over, share)
}

/// Family of emphasised text.
pub fn semibold() -> FontFamily {
    FontFamily::Name("semibold".into())
}

pub fn small(text: impl Into<String>) -> RichText {
    RichText::new(text).size(SMALL)
}

pub fn body(text: impl Into<String>) -> RichText {
    RichText::new(text).size(BODY)
}

pub fn strong(text: impl Into<String>) -> RichText {
    body(text).family(semibold())
}

pub fn title(text: impl Into<String>) -> RichText {
    RichText::new(text).size(TITLE).family(semibold())
}

/// Makes the fonts and both themes known to a context. Call once, before the first frame.
pub fn install(ctx: &egui::Context) {
    ctx.set_fonts(fonts());
    // Where the system does not say.
    ctx.options_mut(|options| options.fallback_theme = Theme::Light);
    for (theme, tokens) in [(Theme::Light, &LIGHT), (Theme::Dark, &DARK)] {
        ctx.style_mut_of(theme, |style| apply(style, tokens));
    }
}

fn fonts() -> FontDefinitions {
    let files: [(&str, &'static [u8]); 4] = [
        ("regular", include_bytes!("../../assets/fonts/SourceSans3-Regular.ttf")),
        ("semibold", include_bytes!("../../assets/fonts/SourceSans3-SemiBold.ttf")),
        ("icons", include_bytes!("../../assets/fonts/Phosphor.ttf")),
        ("icons-fill", include_bytes!("../../assets/fonts/Phosphor-Fill.ttf")),
    ];
    let mut fonts = FontDefinitions::empty();
    for (name, bytes) in files {
        fonts.font_data.insert(name.to_owned(), Arc::new(FontData::from_static(bytes)));
        fonts.families.insert(FontFamily::Name(name.into()), vec![name.to_owned()]);
    }
    // egui's own two families must exist; figures of the text face are tabular, so nothing needs a monospaced one.
    for family in [FontFamily::Proportional, FontFamily::Monospace] {
        fonts.families.insert(family, vec!["regular".to_owned()]);
    }
    fonts
}

fn apply(style: &mut egui::Style, t: &Tokens) {
    style.text_styles = [
        (TextStyle::Small, FontId::new(SMALL, FontFamily::Proportional)),
        (TextStyle::Body, FontId::new(BODY, FontFamily::Proportional)),
        (TextStyle::Button, FontId::new(BODY, FontFamily::Proportional)),
        (TextStyle::Heading, FontId::new(TITLE, semibold())),
        (TextStyle::Monospace, FontId::new(SMALL, FontFamily::Monospace)),
    ]
    .into();
    style.animation_time = 0.0; // nothing moves that doesn't have to
    style.spacing.item_spacing = Vec2::splat(2.0 * GRID);
    style.spacing.button_padding = Vec2::new(3.0 * GRID, 2.0 * GRID);
    style.spacing.interact_size.y = 6.0 * GRID;
    // Of its open list; a longer one scrolls.
    style.spacing.combo_height = 8.0 * CONTROL;
    // The smallest window has room for it.
    style.spacing.tooltip_width = 280.0;
    style.spacing.icon_width = 20.0;
    style.spacing.icon_width_inner = 12.0;
    style.spacing.icon_spacing = 2.0 * GRID;
    style.spacing.menu_margin = egui::Margin::same(GRID as i8);
    style.spacing.scroll = egui::style::ScrollStyle::floating();
    style.interaction.selectable_labels = false;
    style.interaction.tooltip_delay = 0.4;

    let v = &mut style.visuals;
    v.override_text_color = None;
    v.weak_text_color = Some(t.text_weak);
    v.hyperlink_color = t.accent.text;
    v.panel_fill = t.background;
    v.window_fill = t.surface;
    v.window_stroke = Stroke::new(1.0, t.hairline);
    v.window_corner_radius = CornerRadius::same(RADIUS_CARD);
    v.menu_corner_radius = CornerRadius::same(RADIUS);
    v.popup_shadow = Shadow { offset: [0, 4], blur: 16, spread: 0, color: Color32::from_black_alpha(48) };
    v.extreme_bg_color = t.surface;
    v.text_edit_bg_color = Some(t.surface);
    v.faint_bg_color = t.raised;
    v.selection.bg_fill = t.accent.tint;
    v.selection.stroke = Stroke::new(2.0, t.accent.text);
    v.warn_fg_color = t.hold.text;
    v.error_fg_color = t.stop.text;
    v.text_cursor.stroke = Stroke::new(2.0, t.accent.text);
    // Blinking would repaint an idle window twice a second, for ever.
    v.text_cursor.blink = false;
    let widget = |fill, edge: Color32, text| WidgetVisuals {
        bg_fill: fill,
        weak_bg_fill: fill,
        bg_stroke: Stroke::new(1.0, edge),
        fg_stroke: Stroke::new(1.0, text),
        corner_radius: CornerRadius::same(RADIUS),
        expansion: 0.0,
    };
    v.widgets.noninteractive = widget(t.surface, t.hairline, t.text);
    v.widgets.inactive = widget(t.surface, t.outline, t.text);
    v.widgets.hovered = widget(t.raised, t.text_weak, t.text);
    v.widgets.active = widget(t.raised, t.accent.text, t.text);
    v.widgets.open = widget(t.raised, t.accent.text, t.text);
}

/// WCAG 2.2 contrast ratio of two opaque colours, 1.0–21.0.
pub fn contrast(a: Color32, b: Color32) -> f32 {
    let luminance = |c: Color32| {
        let linear = egui::Rgba::from(c);
        0.2126 * linear.r() + 0.7152 * linear.g() + 0.0722 * linear.b()
    };
    let (x, y) = (luminance(a), luminance(b));
    (x.max(y) + 0.05) / (x.min(y) + 0.05)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_pair_has_a_contrast_of_four_and_a_half() {
        for (theme, t) in [("light", &LIGHT), ("dark", &DARK)] {
            let mut pairs = vec![];
            for on in [t.background, t.surface, t.raised] {
                pairs.extend([(t.text, on), (t.text_weak, on)]);
            }
            for hue in [&t.accent, &t.go, &t.stop, &t.hold, &t.neutral] {
                pairs.push((hue.on_fill, hue.fill));
                // Hovered and pressed fills are mixed towards the text colour on them.
                pairs.extend([
                    (hue.text, hue.tint),
                    (hue.text, t.background),
                    (hue.text, t.surface),
                    (t.text, hue.tint),
                ]);
            }
            for (text, on) in pairs {
                let ratio = contrast(text, on);
                assert!(ratio >= 4.5, "{theme}: {text:?} on {on:?} has only {ratio:.2}:1");
            }
            assert!(contrast(t.outline, t.surface) >= 3.0, "{theme}: the edge of a field is too faint");
        }
    }

    #[test]
    fn contrast_is_that_of_wcag() {
        assert!((contrast(Color32::BLACK, Color32::WHITE) - 21.0).abs() < 0.01);
        assert!((contrast(rgb(0x767676), Color32::WHITE) - 4.54).abs() < 0.01);
    }
}
