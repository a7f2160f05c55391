//! The window on made-up clusters, to look at it without one, and to take pictures of it without a display.
//!
//!     cargo run -p brokerscope --example gallery -- [OPTIONS]
//!       --cluster incident|healthy|empty|starting|large|huge|busy   --screen NAME   --theme dark|light   --size 1600x1000
//!       --dialog create|delete:TOPIC   --topic NAME   --group ID
//!       --out FILE.png   take a picture and leave   --hover X,Y   with the pointer there   --click X,Y   after a click there (--right: the other
//!       button); --scroll N   after turning the wheel by so many points

use std::error::Error;
use std::path::{Path, PathBuf};

use brokerscope::monitor::view::View;
use brokerscope::program::Studio;
use brokerscope::ui::fixture::{self, Busy, Still};
use brokerscope::ui::{BrokerscopeApp, Dialog, MetricsView, Options, Screen, ThemeChoice};
use clap::Parser;
use egui::{Event, Modifiers, MouseWheelSource, MouseWheelUnit, PointerButton, Pos2, TouchPhase, vec2};

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
    #[arg(long)]
    right: bool,
    #[arg(long)]
    scroll: Option<f32>,
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
        "busy" => Ok(Busy::new(12, 1000).turn()),
        other => Err(format!("there is no made-up cluster '{other}'")),
    }
}

fn options(arguments: &Arguments) -> Result<Options, Box<dyn Error>> {
    let metrics = MetricsView::ALL.into_iter().find(|view| view.name() == arguments.screen);
    let dialog = arguments.dialog.as_deref().map(|dialog| match dialog.split_once(':') {
        Some((_, topic)) => Dialog::DeleteTopic(topic.to_owned()),
        None => Dialog::CreateTopic,
    });
    Ok(Options {
        theme: if arguments.theme == "light" { ThemeChoice::Light } else { ThemeChoice::Dark },
        screen: if metrics.is_some() { Screen::Metrics } else { arguments.screen.parse()? },
        metrics: metrics.unwrap_or_default(),
        topic: arguments.topic.clone(),
        group: arguments.group.clone(),
        dialog,
        http: Some("http://127.0.0.1:11001".into()),
        ..Options::default()
    })
}

/// What happens before the picture is taken.
fn events(arguments: &Arguments) -> Result<Vec<(u32, Event)>, Box<dyn Error>> {
    let mut events = Vec::new();
    if let Some(scroll) = arguments.scroll {
        events.push((1, Event::PointerMoved(Pos2::new(700.0, 500.0))));
        let (unit, delta) = (MouseWheelUnit::Point, vec2(0.0, -scroll));
        let (phase, modifiers, source) = (TouchPhase::Move, Modifiers::NONE, MouseWheelSource::Unknown);
        events.push((2, Event::MouseWheel { unit, delta, phase, modifiers, source }));
    }
    if let Some(click) = &arguments.click {
        let pos = Pos2::from(pair(click, ',')?);
        let button = if arguments.right { PointerButton::Secondary } else { PointerButton::Primary };
        events.push((1, Event::PointerMoved(pos)));
        for (frame, pressed) in [(2, true), (3, false)] {
            events.push((frame, Event::PointerButton { pos, button, pressed, modifiers: Modifiers::NONE }));
        }
    }
    if let Some(hover) = &arguments.hover {
        events.push((4, Event::PointerMoved(Pos2::from(pair(hover, ',')?))));
    }
    Ok(events)
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let size = pair(&arguments.size, 'x')?;
    let (view, options) = (view(&arguments.cluster)?, options(&arguments)?);
    match &arguments.out {
        Some(out) => picture(out, size, events(&arguments)?, view, options),
        None => window(size, view, options),
    }
}

fn picture(
    out: &Path,
    [width, height]: [f32; 2],
    events: Vec<(u32, Event)>,
    view: View,
    options: Options,
) -> Result<(), Box<dyn Error>> {
    let mut studio = Studio::new((width as u32, height as u32), 1.0).with_events(events);
    let mut app = BrokerscopeApp::new(studio.context(), Box::new(Still::new(view)), options);
    let image = studio.picture(|ui| {
        app.logic(ui.ctx());
        app.show(ui);
    });
    Ok(image.save(out)?)
}

fn window(size: [f32; 2], view: View, options: Options) -> Result<(), Box<dyn Error>> {
    let native = eframe::NativeOptions {
        viewport: egui::ViewportBuilder::default().with_title("Brokerscope gallery").with_inner_size(size),
        persist_window: false,
        ..Default::default()
    };
    let open = move |cc: &eframe::CreationContext<'_>| -> Result<Box<dyn eframe::App>, Box<dyn Error + Send + Sync>> {
        Ok(Box::new(BrokerscopeApp::new(&cc.egui_ctx, Box::new(Still::new(view)), options)))
    };
    Ok(eframe::run_native("brokerscope-gallery", native, Box::new(open))?)
}
