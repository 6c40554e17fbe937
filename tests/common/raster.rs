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
        let (x0, y0) = (x.floor() as usize, y.floor() as usize);
        let (x1, y1) = ((x0 + 1).min(self.width - 1), (y0 + 1).min(self.height - 1));
        let (fx, fy) = (x - x0 as f32, y - y0 as f32);
        let at = |x: usize, y: usize| self.pixels[y * self.width + x].to_array().map(f32::from);
        let mut sum = [0.0; 4];
        for (pixel, weight) in [
            (at(x0, y0), (1.0 - fx) * (1.0 - fy)),
            (at(x1, y0), fx * (1.0 - fy)),
            (at(x0, y1), (1.0 - fx) * fy),
            (at(x1, y1), fx * fy),
        ] {
            for channel in 0..4 {
                sum[channel] += pixel[channel] * weight;
            }
        }
        sum
    }
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
        for corners in mesh.indices.chunks_exact(3) {
            let triangle = [0, 1, 2].map(|corner| mesh.vertices[corners[corner] as usize]);
            self.triangle(triangle, texture, clip, scale);
        }
    }

    fn triangle(&mut self, corners: [Vertex; 3], texture: &Texture, clip: Rect, scale: f32) {
        let [mut a, mut b, c] = corners.map(|corner| (corner, corner.pos.to_vec2() * scale));
        let area = |p: egui::Vec2, q: egui::Vec2, r: egui::Vec2| (q.x - p.x) * (r.y - p.y) - (q.y - p.y) * (r.x - p.x);
        let mut total = area(a.1, b.1, c.1);
        if total == 0.0 {
            return;
        }
        if total < 0.0 {
            std::mem::swap(&mut a, &mut b);
            total = -total;
        }
        let bounds = |pick: fn(egui::Vec2) -> f32, low: f32, high: f32, limit: usize| {
            let values = [pick(a.1), pick(b.1), pick(c.1)];
            let least = values.into_iter().fold(f32::INFINITY, f32::min).floor();
            let most = values.into_iter().fold(f32::NEG_INFINITY, f32::max).ceil();
            let first = least.max((low * scale).round()).max(0.0) as usize;
            first..(most.min((high * scale).round()).max(0.0) as usize).min(limit)
        };
        let columns = bounds(|p| p.x, clip.min.x, clip.max.x, self.width);
        let rows = bounds(|p| p.y, clip.min.y, clip.max.y, self.height);
        for y in rows {
            for x in columns.clone() {
                let at = egui::vec2(x as f32 + 0.5, y as f32 + 0.5);
                let weights = [area(b.1, c.1, at), area(c.1, a.1, at), area(a.1, b.1, at)];
                let edges = [(b.1, c.1), (c.1, a.1), (a.1, b.1)];
                if weights.iter().zip(edges).all(|(weight, edge)| covers(*weight, edge)) {
                    let share = weights.map(|weight| weight / total);
                    let color = shade([&a.0, &b.0, &c.0], share, texture);
                    self.blend(x, y, color);
                }
            }
        }
    }

    fn blend(&mut self, x: usize, y: usize, source: [f32; 4]) {
        let under = &mut self.pixels[y * self.width + x];
        let rest = 1.0 - source[3] / 255.0;
        for channel in 0..4 {
            under[channel] = (source[channel] + f32::from(under[channel]) * rest).round().clamp(0.0, 255.0) as u8;
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

/// Inside an edge, or exactly on a top or left edge: neighbours never both paint a pixel, nor neither.
fn covers(weight: f32, (from, to): (egui::Vec2, egui::Vec2)) -> bool {
    let top_left = (from.y == to.y && to.x > from.x) || to.y < from.y;
    weight > 0.0 || (weight == 0.0 && top_left)
}

fn shade(corners: [&Vertex; 3], share: [f32; 3], texture: &Texture) -> [f32; 4] {
    let mix = |pick: &dyn Fn(&Vertex) -> f32| (0..3).map(|i| pick(corners[i]) * share[i]).sum::<f32>();
    let texel = texture.sample(mix(&|v| v.uv.x), mix(&|v| v.uv.y));
    let mut color = [0.0; 4];
    for channel in 0..4 {
        color[channel] = mix(&|v| f32::from(v.color.to_array()[channel])) * texel[channel] / 255.0;
    }
    color
}
