//! How each screen looks, in both themes, with data that never changes: compared with the pictures in `app/looks`.
//!
//!     LOOKS=accept cargo test --lib looks      # takes what is painted now for right: look at the pictures before you commit them
//!
//! What differs is written to `target/looks`, as it is painted now, with what differs in red beside it.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{DynamicImage, ImageError, Rgba, RgbaImage};

use super::Studio;
use crate::monitor::history::run::History;
use crate::monitor::view::View;
use crate::ui::fixture::{self, Still, incident};
use crate::ui::fixture_faults;
use crate::ui::fixture_history;
use crate::ui::{BrokerscopeApp, EventsView, MetricsView, Options, Recorded, Screen, ThemeChoice, TopicView, WireView};

/// As wide as a laptop shows it beside something else.
const SIZE: (u32, u32) = (1280, 800);
/// Channels that differ by less are the rounding of another machine's floats.
const CHANNEL_TOLERANCE: u8 = 8;
/// How long what was recorded may take to be found.
const PATIENCE: Duration = Duration::from_secs(30);
/// Pixels that may differ by more: fewer than a digit has.
const PIXELS_TOLERANCE: usize = 10;

/// What has a picture: its name, what is known, how the window opens.
fn cases() -> Vec<(String, View, Options)> {
    let screens = Screen::ALL.into_iter().chain([Screen::Gallery]).map(|screen| {
        let topic = (screen == Screen::Topic).then(|| "clicks".to_owned());
        (screen.name().to_owned(), incident(), Options { screen, topic, ..Options::default() })
    });
    let walls = MetricsView::ALL.into_iter().filter(|view| *view != MetricsView::Signals).map(|metrics| {
        (metrics.name().to_owned(), incident(), Options { screen: Screen::Metrics, metrics, ..Options::default() })
    });
    let messages = Options {
        screen: Screen::Topic,
        topic: Some("orders".to_owned()),
        topic_view: TopicView::Messages,
        ..Options::default()
    };
    let messages = (TopicView::Messages.name().to_owned(), fixture::reading(), messages);
    let tape = Options { screen: Screen::Topic, topic: Some("clicks".to_owned()), tape: Some(4), ..Options::default() };
    let wires = WireView::ALL.into_iter().skip(1).map(|tab| {
        (tab.name().to_owned(), fixture::healthy(), Options { screen: Screen::Wire, wire: tab, ..Options::default() })
    });
    let faults = Options { screen: Screen::Faults, ..Options::default() };
    let faults = ("faults-script".to_owned(), fixture_faults::view(), faults);
    let (record, at_ms, newest) = fixture_history::recorded();
    let recorded = Recorded::Live(History::of(record));
    let past = Options { screen: Screen::Brokers, recorded, at_ms: Some(at_ms), ..Options::default() };
    let past = ("history".to_owned(), newest, past);
    let all = Options { screen: Screen::Events, events: EventsView::All, ..Options::default() };
    let all = (EventsView::All.name().to_owned(), incident(), all);
    screens
        .chain(walls)
        .chain(wires)
        .chain([messages, faults, ("tape".to_owned(), incident(), tape), all, past])
        .collect()
}

fn looks_as_before(theme: ThemeChoice) {
    let mut changed = Vec::new();
    for (name, view, options) in cases() {
        let name = format!("{name}-{}", theme.name());
        let image = paint(view, Options { theme, is_forgetful: true, ..options });
        if let Some(why) = judge(&name, &image) {
            changed.push(format!("{name}: {why}"));
        }
    }
    let to_do = "look at target/looks; if that is how it should be, LOOKS=accept cargo test --lib looks";
    assert!(changed.is_empty(), "{changed:#?} ({to_do})");
}

fn paint(view: View, options: Options) -> RgbaImage {
    let mut studio = Studio::new(SIZE, 1.0);
    let mut app = BrokerscopeApp::new(studio.context(), Box::new(Still::new(view)), options);
    let mut picture = || {
        let image = studio.picture(|ui| {
            app.logic(ui.ctx());
            app.show(ui);
        });
        (image, app.is_looking_back())
    };
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (image, is_looking) = picture();
        // The past is found on a thread of its own.
        if !is_looking {
            return image;
        }
        assert!(Instant::now() < deadline, "what was recorded is not found");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

fn judge(name: &str, image: &RgbaImage) -> Option<String> {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("looks").join(format!("{name}.png"));
    if std::env::var("LOOKS").is_ok_and(|wish| wish == "accept") {
        save(image, &kept);
        return None;
    }
    let before = match image::open(&kept) {
        Ok(before) => before.into_rgba8(),
        Err(error) => {
            save(image, &aside(name));
            return Some(format!("there is no picture to compare with: {error}"));
        }
    };
    if before.dimensions() != image.dimensions() {
        save(image, &aside(name));
        return Some(format!("{:?} now, {:?} before", image.dimensions(), before.dimensions()));
    }
    let (count, difference) = difference(&before, image);
    if count <= PIXELS_TOLERANCE {
        return None;
    }
    save(image, &aside(name));
    save(&difference, &aside(&format!("{name}-difference")));
    Some(format!("{count} pixels differ"))
}

/// How many pixels differ, and the newer picture with these in red. Both are of one size.
fn difference(before: &RgbaImage, now: &RgbaImage) -> (usize, RgbaImage) {
    let mut marked = now.clone();
    let mut count = 0;
    for (x, y, pixel) in now.enumerate_pixels() {
        let mut channels = pixel.0.iter().zip(before.get_pixel(x, y).0);
        if channels.any(|(now, before)| now.abs_diff(before) > CHANNEL_TOLERANCE) {
            count += 1;
            marked.put_pixel(x, y, Rgba([255, 0, 0, 255]));
        }
    }
    (count, marked)
}

fn aside(name: &str) -> PathBuf {
    let own = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(own, PathBuf::from);
    target.join("looks").join(format!("{name}.png"))
}

/// As small as PNG can be: they stand in the repository.
fn save(image: &RgbaImage, path: &Path) {
    let folder = path.parent().unwrap_or(path);
    let write = || {
        std::fs::create_dir_all(folder)?;
        let file = BufWriter::new(File::create(path)?);
        let encoder = PngEncoder::new_with_quality(file, CompressionType::Best, FilterType::NoFilter);
        DynamicImage::ImageRgba8(image.clone()).into_rgb8().write_with_encoder(encoder)
    };
    write().unwrap_or_else(|error: ImageError| panic!("{} cannot be written: {error}", path.display()));
}

#[test]
fn all_screens_look_as_before_in_the_dark() {
    looks_as_before(ThemeChoice::Dark);
}

#[test]
fn all_screens_look_as_before_in_the_light() {
    looks_as_before(ThemeChoice::Light);
}

#[test]
fn a_picture_that_differs_is_noticed_and_one_painted_twice_is_the_same() {
    let options = || Options { is_forgetful: true, ..Options::default() };
    let well = paint(incident(), options());
    assert_eq!(difference(&well, &paint(incident(), options())).0, 0);
    let mut view = incident();
    Arc::make_mut(&mut view.snapshot).faults.clear();
    assert!(difference(&well, &paint(view, options())).0 > PIXELS_TOLERANCE, "a band or a pill is gone");
}
