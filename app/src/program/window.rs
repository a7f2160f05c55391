//! The window, by eframe.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command as Process;
use std::sync::Arc;

use eframe::{NativeOptions, Renderer};
use egui::{ViewportBuilder, ViewportCommand};

use super::file_dialogs::SystemDialogs;
use super::session::Session;
use super::waker::Waker;
use crate::monitor::command::{Command, Notice};
use crate::monitor::order::Orders;
use crate::monitor::slot::ViewSlot;
use crate::monitor::view::View;
use crate::ui::news::Shown;
use crate::ui::{Backend, BrokerscopeApp, Options, PickerHandle, Recorded};

/// What stands behind the window: the monitor's views and the command desk.
pub struct SessionBackend {
    slot: ViewSlot,
    orders: Orders,
    /// Nobody: whoever paints asks for views by itself.
    waker: Option<Waker>,
}

impl SessionBackend {
    /// Of this session.
    pub fn new(session: &Session) -> SessionBackend {
        SessionBackend { slot: session.slot(), orders: session.orders(), waker: None }
    }

    /// It wakes the window on `ctx` when there is something new for what that shows.
    fn waking(self, ctx: &egui::Context) -> SessionBackend {
        SessionBackend { waker: Some(Waker::new(self.slot.clone(), ctx)), ..self }
    }
}

impl Backend for SessionBackend {
    fn view(&mut self) -> View {
        let view = self.slot.take();
        if let Some(waker) = &self.waker {
            waker.begin(&view);
        }
        view
    }

    fn shows(&mut self, shown: Shown) {
        if let Some(waker) = &self.waker {
            waker.show(shown);
        }
    }

    fn send(&mut self, command: Command) {
        if !self.orders.send(command) {
            self.slot.notify(Notice { ok: false, text: "Too many commands are waiting; try again.".into() });
        }
    }
}

/// Opens the window and returns when it is closed, or when the session is to end.
///
/// # Errors
/// No window can open; one sentence says why.
pub fn run(session: &Session) -> Result<(), String> {
    let ctx = egui::Context::default();
    count_frames(session, &ctx);
    close_at_the_end(session, &ctx)?;
    let backend = SessionBackend::new(session).waking(&ctx);
    let is_forgetful = session.is_ephemeral();
    let options = Options {
        http: Some(session.http_url()),
        utc_offset_minutes: utc_offset_minutes(),
        is_forgetful,
        animates: true,
        picker: PickerHandle::new(SystemDialogs),
        recorded: Recorded::Live(session.history()),
        ..Options::default()
    };
    open(ctx, backend, options)
}

/// Opens a window on `backend` and returns when it is closed.
///
/// # Errors
/// No window can open; one sentence says why.
pub fn open(ctx: egui::Context, backend: impl Backend + 'static, options: Options) -> Result<(), String> {
    let is_forgetful = options.is_forgetful;
    let native = NativeOptions {
        viewport: ViewportBuilder::default()
            .with_title("Brokerscope")
            .with_app_id("brokerscope")
            .with_inner_size([1440.0, 900.0])
            .with_min_inner_size([960.0, 600.0]),
        renderer: Renderer::Glow,
        persist_window: !is_forgetful,
        ..NativeOptions::default()
    };
    let open = || {
        eframe::run_native_ext(
            "Brokerscope",
            native,
            Some(ctx),
            Box::new(move |cc| {
                let app = BrokerscopeApp::new(&cc.egui_ctx, Box::new(backend), options);
                Ok(Box::new(app.remembering(&cc.egui_ctx, cc.storage)))
            }),
        )
    };
    // Libraries that are missing at run time make the windowing crates panic. The session is not touched by what runs inside.
    match catch_unwind(AssertUnwindSafe(open)) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(reason(&error.to_string())),
        Err(_) => Err("the window system could not be used".into()),
    }
}

/// The windowing crates put places in their source code before what happened.
fn reason(error: &str) -> String {
    error.rsplit(": ").next().unwrap_or(error).to_string()
}

/// Tells how many frames were painted, so that one sees from outside whether the window is alive.
fn count_frames(session: &Session, ctx: &egui::Context) {
    let slot = session.slot();
    // At the end of a pass its frame is not counted yet.
    let tell = move |ui: &mut egui::Ui| slot.tell_frames(ui.ctx().cumulative_frame_nr() + 1);
    ctx.on_end_pass("frames", Arc::new(tell));
}

/// A signal, or a cluster that fails, closes the window.
fn close_at_the_end(session: &Session, ctx: &egui::Context) -> Result<(), String> {
    let (endings, ended) = session.endings();
    let ctx = ctx.clone();
    std::thread::Builder::new()
        .name("ending".into())
        .spawn(move || {
            if let Ok(ending) = ended.recv() {
                // Whoever closes the window wants to know how it ended.
                let _ = endings.try_send(ending);
                ctx.send_viewport_cmd(ViewportCommand::Close);
                ctx.request_repaint();
            }
        })
        .map(drop)
        .map_err(|error| error.to_string())
}

/// Minutes east of UTC, as the system's own `date` says; UTC where there is none.
pub fn utc_offset_minutes() -> i32 {
    let output = Process::new("date").arg("+%z").output().ok();
    output.and_then(|output| parse_offset(&String::from_utf8_lossy(&output.stdout))).unwrap_or(0)
}

/// `+0530` is 330.
fn parse_offset(text: &str) -> Option<i32> {
    let text = text.trim();
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    if digits.len() != 4 {
        return None;
    }
    let (hours, minutes) = digits.split_at_checked(2)?;
    Some(sign * (hours.parse::<i32>().ok()? * 60 + minutes.parse::<i32>().ok()?))
}

#[cfg(test)]
mod tests {
    use super::{parse_offset, reason};

    #[test]
    fn reasons_are_for_people() {
        let error = "winit EventLoopError: os error at /a/b/mod.rs:788: Failed to open connection to X server";
        assert_eq!(reason(error), "Failed to open connection to X server");
        assert_eq!(reason("no OpenGL"), "no OpenGL");
    }

    #[test]
    fn offsets() {
        for (text, expected) in [
            ("+0000\n", Some(0)),
            ("+0530", Some(330)),
            ("-0800\n", Some(-480)),
            ("UTC", None),
            ("", None),
            ("+00:00", None),
            ("é1234", None),
        ] {
            assert_eq!(parse_offset(text), expected, "{text}");
        }
    }
}
