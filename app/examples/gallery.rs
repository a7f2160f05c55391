//! The window on made-up clusters, to look at it without one, and to take pictures of it.
//!
//!     cargo run -p brokerscope --features gallery --example gallery -- [OPTIONS]
//!       --cluster incident|healthy|empty|starting|large|huge   --screen NAME   --theme dark|light   --size 1600x1000
//!       --dialog create|delete:TOPIC   --topic NAME   --group ID
//!       --out FILE.png   take a picture and leave   --hover X,Y   with the pointer there   --click X,Y   after a click there

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use brokerscope::monitor::view::View;
use brokerscope::ui::fixture::{self, Still};
use brokerscope::ui::{BrokerscopeApp, Dialog, Options, ThemeChoice};
use clap::Parser;
use eframe::egui::{self, Event, PointerButton, Pos2, RawInput};

#[derive(Debug, Parser)]
struct Arguments {
    #[arg(long, default_value = "incident")]
    cluster: String,
    #[arg(long, default_value = "cluster")]
    screen: String,
    #[arg(long, default_value = "dark")]
    theme: String,
    #[arg(long, default_value = "1600x1000")]
    size: String,
    #[arg(long)]
    dialog: Option<String>,
    #[arg(long)]
    topic: Option<String>,
    #[arg(long)]
    group: Option<String>,
    #[arg(long)]
    out: Option<PathBuf>,
    #[arg(long)]
    hover: Option<String>,
    #[arg(long)]
    click: Option<String>,
}

fn pair(text: &str, by: char) -> Result<[f32; 2], Box<dyn Error>> {
    let (x, y) = text.split_once(by).ok_or_else(|| format!("'{text}' is not two numbers"))?;
    Ok([x.parse()?, y.parse()?])
}

fn view(name: &str) -> Result<View, String> {
    match name {
        "incident" => Ok(fixture::incident()),
        "healthy" => Ok(fixture::healthy()),
        "empty" => Ok(fixture::empty()),
        "starting" => Ok(View::default()),
        "large" => Ok(fixture::large(1000, 3)),
        "huge" => Ok(fixture::large(1000, 10)),
        other => Err(format!("there is no made-up cluster '{other}'")),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let size = pair(&arguments.size, 'x')?;
    let dialog = arguments.dialog.as_deref().map(|dialog| match dialog.split_once(':') {
        Some((_, topic)) => Dialog::DeleteTopic(topic.to_owned()),
        None => Dialog::CreateTopic,
    });
    let options = Options {
        theme: if arguments.theme == "light" { ThemeChoice::Light } else { ThemeChoice::Dark },
        screen: arguments.screen.parse()?,
        topic: arguments.topic,
        group: arguments.group,
        dialog,
        http: Some("http://127.0.0.1:11001".into()),
        utc_offset_minutes: 0,
    };
    let view = view(&arguments.cluster)?;
    let at = |text: &Option<String>| text.as_deref().map(|text| pair(text, ',')).transpose();
    let (hover, click) = (at(&arguments.hover)?.map(Pos2::from), at(&arguments.click)?.map(Pos2::from));
    let native = eframe::NativeOptions {
        viewport: egui::ViewportBuilder::default().with_title("Brokerscope gallery").with_inner_size(size),
        persist_window: false,
        ..Default::default()
    };
    let out = arguments.out;
    eframe::run_native(
        "brokerscope-gallery",
        native,
        Box::new(move |cc| {
            let app = BrokerscopeApp::new(&cc.egui_ctx, Box::new(Still::new(view)), options);
            Ok(Box::new(Gallery { app, out, hover, click, frames: 0 }))
        }),
    )?;
    Ok(())
}

struct Gallery {
    app: BrokerscopeApp,
    out: Option<PathBuf>,
    hover: Option<Pos2>,
    click: Option<Pos2>,
    frames: u32,
}

/// Layout, tooltips and fades have settled by then.
const SETTLED: u32 = 24;

impl eframe::App for Gallery {
    fn logic(&mut self, ctx: &egui::Context, frame: &mut eframe::Frame) {
        eframe::App::logic(&mut self.app, ctx, frame);
    }

    fn ui(&mut self, ui: &mut egui::Ui, frame: &mut eframe::Frame) {
        eframe::App::ui(&mut self.app, ui, frame);
        let Some(out) = self.out.clone() else { return };
        let ctx = ui.ctx().clone();
        ctx.request_repaint_after(std::time::Duration::from_millis(20));
        self.frames += 1;
        if self.frames == SETTLED {
            let again = ctx.clone();
            ctx.request_screenshot(move |image| {
                if let Err(error) = save(&out, &image) {
                    eprintln!("cannot write {}: {error}", out.display());
                }
                again.send_viewport_cmd(egui::ViewportCommand::Close);
                again.request_repaint();
            });
        }
    }

    fn raw_input_hook(&mut self, _ctx: &egui::Context, input: &mut RawInput) {
        let button = |pos, pressed| Event::PointerButton {
            pos,
            button: PointerButton::Primary,
            pressed,
            modifiers: Default::default(),
        };
        match (self.frames, self.click, self.hover) {
            (3, Some(at), _) => input.events.push(Event::PointerMoved(at)),
            (4, Some(at), _) => input.events.push(button(at, true)),
            (5, Some(at), _) => input.events.push(button(at, false)),
            (7, _, Some(at)) => input.events.push(Event::PointerMoved(at)),
            _ => {}
        }
    }
}

fn save(out: &PathBuf, image: &Arc<egui::ColorImage>) -> Result<(), Box<dyn Error>> {
    let [width, height] = image.size;
    let bytes: Vec<u8> = image.pixels.iter().flat_map(|pixel| pixel.to_array()).collect();
    let picture =
        image::RgbaImage::from_raw(width as u32, height as u32, bytes).ok_or("the picture has an odd size")?;
    Ok(picture.save(out)?)
}
