//! A deterministic software renderer for egui's tessellated shapes, so that image snapshots are the same on every machine.
//!
//! Triangles with vertex colours times texture, clip rectangles, premultiplied blending in gamma space: what egui's OpenGL
//! shader does, without dithering.

use egui::{
    ClippedPrimitive, Color32, ImageData, Mesh, Rect, TextureId, TexturesDelta,
    epaint::{ImageDelta, Primitive, Vertex},
};
use image::{Rgba, RgbaImage};
use std::collections::HashMap;

/// Renders what a harness shows.
#[derive(Default)]
pub struct SoftwareRenderer {
    textures: HashMap<TextureId, Texture>,
}

struct Texture {
    width: usize,
    height: usize,
    pixels: Vec<Color32>,
}

impl egui_kittest::TestRenderer for SoftwareRenderer {
    fn handle_delta(&mut self, delta: &mut TexturesDelta) {
        for (id, changes) in delta.set.drain() {
            changes.iter().for_each(|change| self.update(id, change));
        }
        for id in delta.free.drain() {
            self.textures.remove(&id);
        }
    }

    fn render(&mut self, ctx: &egui::Context, output: &egui::FullOutput) -> Result<RgbaImage, String> {
        let scale = output.pixels_per_point;
        let size = ctx.content_rect().size() * scale;
        let primitives = ctx.tessellate(output.shapes.clone(), scale);
        let mut canvas = Canvas::new(size.x.round() as usize, size.y.round() as usize);
        for ClippedPrimitive { clip_rect, primitive } in &primitives {
            let Primitive::Mesh(mesh) = primitive else { return Err("paint callbacks are not supported".to_owned()) };
            let texture = self.textures.get(&mesh.texture_id).ok_or("a mesh names an unknown texture")?;
            canvas.mesh(mesh, texture, *clip_rect, scale);
        }
        Ok(canvas.into_image())
    }
}

impl SoftwareRenderer {
    fn update(&mut self, id: TextureId, change: &ImageDelta) {
        let ImageData::Color(image) = &change.image;
        let [width, height] = image.size;
        let Some([left, top]) = change.pos else {
            self.textures.insert(id, Texture { width, height, pixels: image.pixels.clone() });
            return;
        };
        if let Some(texture) = self.textures.get_mut(&id) {
            for (row, pixels) in image.pixels.chunks(width).enumerate() {
                let start = (top + row) * texture.width + left;
                texture.pixels[start..start + width].copy_from_slice(pixels);
            }
        }
    }
}

impl Texture {
    /// Bilinear sample, clamped at the edges; 0.0–255.0, premultiplied.
    fn sample(&self, u: f32, v: f32) -> [f32; 4] {
        let x = (u * self.width as f32 - 0.5).clamp(0.0, self.width as f32 - 1.0);
        let y = (v * self.height as f32 - 0.5).clamp(0.0, self.height as f32 - 1.0);
        let (x0, y0) = (x as usize, y as usize);
        let (x1, y1) = ((x0 + 1).min(self.width - 1), (y0 + 1).min(self.height - 1));
        let (fx, fy) = (x - x0 as f32, y - y0 as f32);
        let at = |x: usize, y: usize| self.pixels[y * self.width + x].to_array();
        let (a, b, c, d) = (at(x0, y0), at(x1, y0), at(x0, y1), at(x1, y1));
        let weights = ((1.0 - fx) * (1.0 - fy), fx * (1.0 - fy), (1.0 - fx) * fy, fx * fy);
        let mut sum = [0.0; 4];
        for i in 0..4 {
            sum[i] = f32::from(a[i]) * weights.0
                + f32::from(b[i]) * weights.1
                + f32::from(c[i]) * weights.2
                + f32::from(d[i]) * weights.3;
        }
        sum
    }
}

/// A triangle's corner in pixels.
#[derive(Clone, Copy)]
struct Corner {
    at: egui::Vec2,
    uv: egui::Vec2,
    /// Premultiplied, 0.0–255.0.
    color: [f32; 4],
}

struct Canvas {
    width: usize,
    height: usize,
    /// Premultiplied RGBA, 0–255, rounded after every blend as an eight-bit frame buffer does.
    pixels: Vec<[u8; 4]>,
}

impl Canvas {
    fn new(width: usize, height: usize) -> Self {
        Self { width, height, pixels: vec![[0; 4]; width * height] }
    }

    fn mesh(&mut self, mesh: &Mesh, texture: &Texture, clip: Rect, scale: f32) {
        let corner = |index: u32| {
            let vertex: &Vertex = &mesh.vertices[index as usize];
            let color = vertex.color.to_array().map(f32::from);
            Corner { at: vertex.pos.to_vec2() * scale, uv: vertex.uv.to_vec2(), color }
        };
        let clip = clip * scale;
        for corners in mesh.indices.chunks_exact(3) {
            self.triangle([corner(corners[0]), corner(corners[1]), corner(corners[2])], texture, clip);
        }
    }

    fn triangle(&mut self, [mut a, mut b, c]: [Corner; 3], texture: &Texture, clip: Rect) {
        let mut total = area(a.at, b.at, c.at);
        if total == 0.0 {
            return;
        }
        if total < 0.0 {
            std::mem::swap(&mut a, &mut b);
            total = -total;
        }
        // Most triangles are of one colour and need it only once.
        let flat = (a.uv == b.uv && b.uv == c.uv && a.color == b.color && b.color == c.color)
            .then(|| shade(&a, &b, &c, [1.0, 0.0, 0.0], texture));
        let columns = span([a.at.x, b.at.x, c.at.x], (clip.min.x, clip.max.x), self.width);
        let rows = span([a.at.y, b.at.y, c.at.y], (clip.min.y, clip.max.y), self.height);
        for y in rows {
            for x in columns.clone() {
                let at = egui::vec2(x as f32 + 0.5, y as f32 + 0.5);
                let (wa, wb, wc) = (area(b.at, c.at, at), area(c.at, a.at, at), area(a.at, b.at, at));
                if covers(wa, b.at, c.at) && covers(wb, c.at, a.at) && covers(wc, a.at, b.at) {
                    let color =
                        flat.unwrap_or_else(|| shade(&a, &b, &c, [wa / total, wb / total, wc / total], texture));
                    self.blend(y * self.width + x, color);
                }
            }
        }
    }

    fn blend(&mut self, pixel: usize, source: [f32; 4]) {
        let under = &mut self.pixels[pixel];
        let rest = 1.0 - source[3] / 255.0;
        for i in 0..4 {
            // Rounds halves up; the cast cuts at 255.
            under[i] = (source[i] + f32::from(under[i]) * rest + 0.5) as u8;
        }
    }

    fn into_image(self) -> RgbaImage {
        let (width, pixels) = (self.width, self.pixels);
        let straight = |[r, g, b, a]: [u8; 4]| Color32::from_rgba_premultiplied(r, g, b, a).to_srgba_unmultiplied();
        RgbaImage::from_fn(width as u32, self.height as u32, |x, y| {
            Rgba(straight(pixels[y as usize * width + x as usize]))
        })
    }
}

/// Twice the signed area.
fn area(p: egui::Vec2, q: egui::Vec2, r: egui::Vec2) -> f32 {
    (q.x - p.x) * (r.y - p.y) - (q.y - p.y) * (r.x - p.x)
}

/// The pixels that a triangle with these coordinates may touch inside the clip and the canvas.
fn span(values: [f32; 3], (low, high): (f32, f32), limit: usize) -> std::ops::Range<usize> {
    let least = values[0].min(values[1]).min(values[2]).floor().max(low.round()).max(0.0);
    let most = values[0].max(values[1]).max(values[2]).ceil().min(high.round()).max(0.0);
    least as usize..(most as usize).min(limit)
}

/// Inside an edge, or exactly on a top or left edge: neighbours never both paint a pixel, nor neither.
fn covers(weight: f32, from: egui::Vec2, to: egui::Vec2) -> bool {
    weight > 0.0 || (weight == 0.0 && ((from.y == to.y && to.x > from.x) || to.y < from.y))
}

/// The colour at a point that has these shares of the corners.
fn shade(a: &Corner, b: &Corner, c: &Corner, share: [f32; 3], texture: &Texture) -> [f32; 4] {
    let uv = a.uv * share[0] + b.uv * share[1] + c.uv * share[2];
    let texel = texture.sample(uv.x, uv.y);
    let mut color = [0.0; 4];
    for i in 0..4 {
        let mixed = a.color[i] * share[0] + b.color[i] * share[1] + c.color[i] * share[2];
        color[i] = mixed * texel[i] / 255.0;
    }
    color
}
