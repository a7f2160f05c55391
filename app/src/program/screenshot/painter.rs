//! Runs egui without a window and paints what it wants painted.

use std::collections::HashMap;

use egui::epaint::{ImageDelta, Primitive, textures::TexturesDelta};
use egui::{Context, Event, ImageData, Pos2, RawInput, Rect, TextureId, Ui, ViewportId, vec2};
use image::RgbaImage;

use super::canvas::{Canvas, Texture};

/// Frames before the picture: sizes settle, animations end.
const FRAMES: u32 = 8;

/// Time that passes from frame to frame, s.
const FRAME_S: f64 = 0.25;

/// egui with a sheet of paper for a screen.
pub struct Studio {
    ctx: Context,
    size: (u32, u32),
    scale: f32,
    textures: HashMap<TextureId, Texture>,
    events: Vec<(u32, Event)>,
}

impl Studio {
    /// `size` in points, `scale` pixels a point.
    pub fn new(size: (u32, u32), scale: f32) -> Studio {
        Studio { ctx: Context::default(), size, scale, textures: HashMap::new(), events: Vec::new() }
    }

    /// For what is set up before the first frame.
    pub fn context(&self) -> &Context {
        &self.ctx
    }

    /// What happens to the window, and in which of its frames (there are eight).
    pub fn with_events(mut self, events: Vec<(u32, Event)>) -> Studio {
        self.events = events;
        self
    }

    /// Lets `paint` run for some frames and gives the last.
    pub fn picture(&mut self, mut paint: impl FnMut(&mut Ui)) -> RgbaImage {
        let mut output = egui::FullOutput::default();
        for frame in 0..FRAMES {
            output = self.ctx.run_ui(self.input(frame), &mut paint);
            self.take_textures(&mut output.textures_delta);
        }
        let pixels = |points: u32| (points as f32 * self.scale).round() as u32;
        let mut canvas = Canvas::new(pixels(self.size.0), pixels(self.size.1));
        for clipped in self.ctx.tessellate(output.shapes, self.scale) {
            // Our screens use no paint callbacks.
            let Primitive::Mesh(mesh) = clipped.primitive else { continue };
            let Some(texture) = self.textures.get(&mesh.texture_id) else { continue };
            let clip = Rect::from_min_max(at(clipped.clip_rect.min, self.scale), at(clipped.clip_rect.max, self.scale));
            canvas.draw(&mesh, texture, clip, self.scale);
        }
        canvas.into_image()
    }

    fn input(&self, frame: u32) -> RawInput {
        let mut input = RawInput {
            screen_rect: Some(Rect::from_min_size(Pos2::ZERO, vec2(self.size.0 as f32, self.size.1 as f32))),
            time: Some(f64::from(frame) * FRAME_S),
            focused: true,
            events: self.events.iter().filter(|(when, _)| *when == frame).map(|(_, event)| event.clone()).collect(),
            max_texture_side: Some(8192),
            ..RawInput::default()
        };
        input.viewports.entry(ViewportId::ROOT).or_default().native_pixels_per_point = Some(self.scale);
        input
    }

    fn take_textures(&mut self, delta: &mut TexturesDelta) {
        let deltas = delta.set.iter().flat_map(|(id, deltas)| deltas.iter().map(move |delta| (*id, delta)));
        for (id, ImageDelta { image: ImageData::Color(image), options, pos }) in deltas {
            match (pos, self.textures.get_mut(&id)) {
                (Some(pos), Some(texture)) => texture.patch(*pos, image),
                _ => drop(self.textures.insert(id, Texture::new(image.clone(), *options))),
            }
        }
        delta.clear();
    }
}

fn at(point: Pos2, scale: f32) -> Pos2 {
    Pos2::new(point.x * scale, point.y * scale)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::fixture::{Still, incident};
    use crate::ui::{BrokerscopeApp, Options, Screen};

    #[test]
    fn screens_are_painted_without_a_display() {
        for screen in [Screen::Cluster, Screen::Metrics] {
            let mut studio = Studio::new((900, 500), 1.0);
            let options = Options { screen, ..Options::default() };
            let mut app = BrokerscopeApp::new(studio.context(), Box::new(Still::new(incident())), options);
            let image = studio.picture(|ui| {
                app.logic(ui.ctx());
                app.show(ui);
            });
            assert_eq!(image.dimensions(), (900, 500));
            let colours: std::collections::HashSet<_> = image.pixels().collect();
            assert!(colours.len() > 100, "{screen}: only {} colours", colours.len());
        }
    }
}
