//! `brokerscope open`: the window on a recording, without a cluster; or a picture of it.

use std::path::Path;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::display;
use super::failure::Failure;
use super::screenshot::Studio;
use super::window::{self, utc_offset_minutes};
use crate::cli::OpenArgs;
use crate::monitor::command::{Command, Notice};
use crate::monitor::history::file;
use crate::monitor::history::record::Record;
use crate::monitor::view::View;
use crate::source::files;
use crate::ui::{Backend, BrokerscopeApp, Options, Recorded, Screen};

/// How long a picture waits for what was recorded to be found.
const PATIENCE: Duration = Duration::from_secs(30);
const ROUND: Duration = Duration::from_millis(50);
/// Notices that wait to be shown.
const NOTICES_WAITING: usize = 64;
/// Size of a picture, points.
const SIZE: (u32, u32) = (1600, 1000);

/// There is no cluster: nothing is newer, and nothing can be done but to write what is shown to a file.
struct Nothing {
    told: Sender<Notice>,
    notices: Receiver<Notice>,
    /// Woken when there is a notice.
    ctx: egui::Context,
}

impl Nothing {
    fn new(ctx: &egui::Context) -> Nothing {
        let (told, notices) = bounded(NOTICES_WAITING);
        Nothing { told, notices, ctx: ctx.clone() }
    }
}

impl Backend for Nothing {
    fn view(&mut self) -> View {
        View { notices: self.notices.try_iter().collect(), ..View::default() }
    }

    fn send(&mut self, command: Command) {
        let Command::Save(save) = command else {
            // Of so many that nobody has read, one more says nothing new.
            let _ = self.told.try_send(Notice { ok: false, text: "A recording cannot be changed.".into() });
            return;
        };
        let (told, ctx) = (self.told.clone(), self.ctx.clone());
        let write = move || {
            let _ = told.try_send(Notice::of(files::save(&save)));
            ctx.request_repaint();
        };
        if let Err(error) = std::thread::Builder::new().name("save".into()).spawn(write) {
            let text = format!("It was not written: no thread could be started ({error}).");
            let _ = self.told.try_send(Notice { ok: false, text });
        }
    }
}

/// Opens it.
///
/// # Errors
/// It is no recording, or no window can open.
pub fn run(args: &OpenArgs) -> Result<(), Failure> {
    let cannot =
        |why: &dyn std::fmt::Display| Failure::failed(format!("{} cannot be opened: {why}", args.file.display()));
    let record = file::open(&args.file).map_err(|error| cannot(&error))?;
    let name = args.file.file_name().unwrap_or(args.file.as_os_str()).to_string_lossy().into_owned();
    match &args.out {
        Some(path) => picture(args, name, record, path),
        None => {
            if let Some(why) = display::obstacle() {
                return Err(Failure::failed(format!("{why}; --out FILE.png makes a picture without one")));
            }
            let options = options(name, record);
            {
                let ctx = egui::Context::default();
                let backend = Nothing::new(&ctx);
                window::open(ctx, backend, options).map_err(|why| cannot(&why))
            }
        }
    }
}

fn options(name: String, record: Record) -> Options {
    Options {
        utc_offset_minutes: utc_offset_minutes(),
        animates: true,
        // What was looked at in a recording is not where one goes on with a cluster.
        is_forgetful: true,
        picker: crate::ui::PickerHandle::new(super::file_dialogs::SystemDialogs),
        recorded: Recorded::File(name, Box::new(record)),
        ..Options::default()
    }
}

fn picture(args: &OpenArgs, name: String, record: Record, path: &Path) -> Result<(), Failure> {
    let screen = args.screen.parse::<Screen>().map_err(|error| Failure::usage(error.to_string()))?;
    let options = Options { screen, at_ms: args.at_ms, ..options(name, record) };
    let mut studio = Studio::new(SIZE, 1.0);
    let mut app = BrokerscopeApp::new(studio.context(), Box::new(Nothing::new(studio.context())), options);
    let deadline = Instant::now() + PATIENCE;
    while !app.shows_something() {
        if Instant::now() > deadline {
            return Err(Failure::failed("what was recorded could not be read"));
        }
        studio.picture(|ui| {
            app.logic(ui.ctx());
            app.show(ui);
        });
        std::thread::park_timeout(ROUND);
    }
    let image = studio.picture(|ui| {
        app.logic(ui.ctx());
        app.show(ui);
    });
    image.save(path).map_err(|error| Failure::failed(format!("{} cannot be written: {error}", path.display())))?;
    println!("{}", path.display());
    Ok(())
}
