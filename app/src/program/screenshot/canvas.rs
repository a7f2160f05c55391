//! Paints egui's triangles into memory: textured, coloured, blended as egui's own shaders do it (premultiplied, in gamma space).

use std::sync::Arc;

use egui::epaint::{Mesh, Vertex};
use egui::{Color32, ColorImage, Pos2, Rect, TextureFilter, TextureOptions};
use image::RgbaImage;

/// Positions are snapped to this part of a pixel, so that neighbouring triangles share their edges exactly.
const SUBPIXELS: f32 = 256.0;

/// An image to paint with.
pub struct Texture {
    image: Arc<ColorImage>,
    linear: bool,
}

impl Texture {
    /// A whole texture.
    pub fn new(image: Arc<ColorImage>, options: TextureOptions) -> Texture {
        Texture { image, linear: options.magnification == TextureFilter::Linear }
    }

    /// Replaces a part.
    pub fn patch(&mut self, pos: [usize; 2], patch: &ColorImage) {
        let image = Arc::make_mut(&mut self.image);
        let [left, top] = pos;
        for row in 0..patch.height() {
            let from = row * patch.width();
            let to = (top + row) * image.width() + left;
            image.pixels[to..to + patch.width()].copy_from_slice(&patch.pixels[from..from + patch.width()]);
        }
    }

    fn texel(&self, x: i64, y: i64) -> [f32; 4] {
        // egui clamps to the edge.
        let x = x.clamp(0, self.image.width() as i64 - 1) as usize;
        let y = y.clamp(0, self.image.height() as i64 - 1) as usize;
        self.image.pixels[y * self.image.width() + x].to_array().map(f32::from)
    }

    fn sample(&self, u: f32, v: f32) -> [f32; 4] {
        let (x, y) = (u * self.image.width() as f32, v * self.image.height() as f32);
        if !self.linear {
            return self.texel(x.floor() as i64, y.floor() as i64);
        }
        let (x, y) = (x - 0.5, y - 0.5);
        let (left, top) = (x.floor(), y.floor());
        let (across, down) = (x - left, y - top);
        let (left, top) = (left as i64, top as i64);
        let mix = |from: [f32; 4], to: [f32; 4], part: f32| -> [f32; 4] {
            std::array::from_fn(|channel| from[channel] + (to[channel] - from[channel]) * part)
        };
        let upper = mix(self.texel(left, top), self.texel(left + 1, top), across);
        let lower = mix(self.texel(left, top + 1), self.texel(left + 1, top + 1), across);
        mix(upper, lower, down)
    }
}

/// The sheet.
pub struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<Color32>,
}

/// A corner of a triangle, in subpixels.
#[derive(Clone, Copy)]
struct Corner {
    x: i64,
    y: i64,
    u: f32,
    v: f32,
    color: [f32; 4],
}

impl Corner {
    fn new(vertex: &Vertex, scale: f32) -> Corner {
        let snap = |points: f32| (points * scale * SUBPIXELS).round() as i64;
        Corner {
            x: snap(vertex.pos.x),
            y: snap(vertex.pos.y),
            u: vertex.uv.x,
            v: vertex.uv.y,
            color: vertex.color.to_array().map(f32::from),
        }
    }
}

/// Twice the area of the triangle a, b, (x, y); positive on one side of the edge a→b.
fn side(a: Corner, b: Corner, x: i64, y: i64) -> i64 {
    (b.x - a.x) * (y - a.y) - (b.y - a.y) * (x - a.x)
}

/// A pixel whose centre lies on an edge belongs to one of the two triangles only: the one of which this is a top or left edge.
fn is_top_left(a: Corner, b: Corner) -> bool {
    (a.y == b.y && b.x > a.x) || b.y < a.y
}

/// First and last pixel (exclusive) whose centre may lie between two positions, within a bound.
fn span(from: i64, to: i64, least: f32, most: f32) -> std::ops::Range<i64> {
    let subpixels = SUBPIXELS as i64;
    // The scissor of egui's painters is rounded to whole pixels.
    (from.div_euclid(subpixels)).max(least.round() as i64)..(to.div_euclid(subpixels) + 1).min(most.round() as i64)
}

impl Canvas {
    /// A transparent sheet.
    pub fn new(width: u32, height: u32) -> Canvas {
        let (width, height) = (width as usize, height as usize);
        Canvas { width, height, pixels: vec![Color32::TRANSPARENT; width * height] }
    }

    /// Paints a mesh within `clip` (in pixels).
    pub fn draw(&mut self, mesh: &Mesh, texture: &Texture, clip: Rect, scale: f32) {
        let sheet = Rect::from_min_max(Pos2::ZERO, Pos2::new(self.width as f32, self.height as f32));
        let clip = clip.intersect(sheet);
        if !clip.is_positive() {
            return;
        }
        for triangle in mesh.indices.as_chunks::<3>().0 {
            let corner = |index: u32| mesh.vertices.get(index as usize).map(|vertex| Corner::new(vertex, scale));
            if let [Some(a), Some(b), Some(c)] = triangle.map(corner) {
                self.triangle(a, b, c, texture, clip);
            }
        }
    }

    fn triangle(&mut self, a: Corner, b: Corner, c: Corner, texture: &Texture, clip: Rect) {
        let area = side(a, b, c.x, c.y);
        let (b, c) = if area < 0 { (c, b) } else { (b, c) };
        let area = area.abs();
        if area == 0 {
            return;
        }
        let bias = |from: Corner, to: Corner| if is_top_left(from, to) { 0 } else { -1 };
        let biases = (bias(b, c), bias(c, a), bias(a, b));
        // A flat triangle (most of a window) needs no mixing.
        let flat = (a.color == b.color && b.color == c.color && (a.u, a.v) == (b.u, b.v) && (b.u, b.v) == (c.u, c.v))
            .then(|| tint(a.color, texture.sample(a.u, a.v)));
        let half = SUBPIXELS as i64 / 2;
        for row in span(a.y.min(b.y).min(c.y), a.y.max(b.y).max(c.y), clip.min.y, clip.max.y) {
            for column in span(a.x.min(b.x).min(c.x), a.x.max(b.x).max(c.x), clip.min.x, clip.max.x) {
                let (x, y) = (column * SUBPIXELS as i64 + half, row * SUBPIXELS as i64 + half);
                let weights = (side(b, c, x, y), side(c, a, x, y), side(a, b, x, y));
                if weights.0 + biases.0 < 0 || weights.1 + biases.1 < 0 || weights.2 + biases.2 < 0 {
                    continue;
                }
                let color = flat.unwrap_or_else(|| {
                    let (wa, wb) = (weights.0 as f32 / area as f32, weights.1 as f32 / area as f32);
                    let mix = |of_a: f32, of_b: f32, of_c: f32| of_a * wa + of_b * wb + of_c * (1.0 - wa - wb);
                    let color =
                        std::array::from_fn(|channel| mix(a.color[channel], b.color[channel], c.color[channel]));
                    tint(color, texture.sample(mix(a.u, b.u, c.u), mix(a.v, b.v, c.v)))
                });
                self.blend(column as usize, row as usize, color);
            }
        }
    }

    fn blend(&mut self, x: usize, y: usize, source: [f32; 4]) {
        let pixel = &mut self.pixels[y * self.width + x];
        let keep = 1.0 - source[3] / 255.0;
        let below = pixel.to_array();
        let channel = |index: usize| (source[index] + f32::from(below[index]) * keep).round().clamp(0.0, 255.0) as u8;
        *pixel = Color32::from_rgba_premultiplied(channel(0), channel(1), channel(2), channel(3));
    }

    /// The picture. What nothing was painted on is black.
    pub fn into_image(self) -> RgbaImage {
        let (width, height) = (self.width as u32, self.height as u32);
        RgbaImage::from_fn(width, height, |x, y| {
            let [red, green, blue, _] = self.pixels[y as usize * self.width + x as usize].to_array();
            image::Rgba([red, green, blue, 255])
        })
    }
}

/// A vertex colour times a texel, both 0 to 255.
fn tint(color: [f32; 4], texel: [f32; 4]) -> [f32; 4] {
    std::array::from_fn(|channel| color[channel] * texel[channel] / 255.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use egui::pos2;

    fn white() -> Texture {
        Texture::new(Arc::new(ColorImage::filled([1, 1], Color32::WHITE)), TextureOptions::LINEAR)
    }

    fn everything() -> Rect {
        Rect::from_min_max(pos2(-1e6, -1e6), pos2(1e6, 1e6))
    }

    #[test]
    fn two_triangles_of_a_rectangle_cover_each_pixel_once() {
        let half = Color32::from_rgba_premultiplied(100, 0, 0, 128);
        for (rect, inside) in [
            (Rect::from_min_max(pos2(1.0, 1.0), pos2(9.0, 7.0)), 48),
            (Rect::from_min_max(pos2(0.3, 0.7), pos2(7.6, 5.2)), 8 * 4),
            (Rect::from_min_max(pos2(-5.0, -5.0), pos2(50.0, 50.0)), 100),
        ] {
            let mut mesh = Mesh::default();
            mesh.add_colored_rect(rect, half);
            let mut canvas = Canvas::new(10, 10);
            canvas.draw(&mesh, &white(), everything(), 1.0);
            let painted: Vec<_> = canvas.pixels.iter().filter(|pixel| pixel.a() > 0).collect();
            assert_eq!(painted.len(), inside, "{rect:?}");
            assert!(painted.iter().all(|pixel| **pixel == half), "{rect:?}");
        }
    }

    #[test]
    fn blending_is_premultiplied_and_clipped() {
        let mut canvas = Canvas::new(2, 1);
        let rect = Rect::from_min_max(pos2(0.0, 0.0), pos2(2.0, 1.0));
        let mut below = Mesh::default();
        below.add_colored_rect(rect, Color32::from_rgb(0, 200, 0));
        canvas.draw(&below, &white(), everything(), 1.0);
        let mut above = Mesh::default();
        above.add_colored_rect(rect, Color32::from_rgba_premultiplied(100, 0, 0, 127));
        canvas.draw(&above, &white(), Rect::from_min_max(pos2(1.0, 0.0), pos2(2.0, 1.0)), 1.0);
        assert_eq!(canvas.pixels, [Color32::from_rgb(0, 200, 0), Color32::from_rgb(100, 100, 0)]);
    }

    #[test]
    fn textures_are_sampled_and_patched() {
        let image = ColorImage::new([2, 1], vec![Color32::BLACK, Color32::BLACK]);
        let mut texture = Texture::new(Arc::new(image), TextureOptions::LINEAR);
        texture.patch([1, 0], &ColorImage::filled([1, 1], Color32::WHITE));
        assert_eq!(texture.sample(0.25, 0.5)[0], 0.0);
        assert_eq!(texture.sample(0.75, 0.5)[0], 255.0);
        assert_eq!(texture.sample(0.5, 0.5)[0], 127.5);
        let nearest = Texture::new(texture.image.clone(), TextureOptions::NEAREST);
        assert_eq!((nearest.sample(0.49, 0.5)[0], nearest.sample(0.51, 0.5)[0]), (0.0, 255.0));
    }
}
