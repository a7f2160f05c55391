//! Records written to a file, on a thread of its own: what is found goes straight to the disk, and nothing is kept. One file at a time.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::files;
use super::operations::Servers;
use super::reader::Reading;
use crate::monitor::command::Notice;
use crate::monitor::messages::Message;
use crate::monitor::messages::export::{Export, ExportFormat, ExportView, Exported};
use crate::monitor::slot::ViewSlot;
use crate::monitor::writing::Writing;

/// News are told at most this often.
const TELL_EVERY: Duration = Duration::from_millis(200);

/// The file of now.
#[derive(Default)]
pub struct Exporter {
    cancel: Option<Arc<AtomicBool>>,
}

impl Exporter {
    /// Begins another file; `None`: only ends the one before. What was written of that is taken away.
    ///
    /// # Errors
    /// No thread can be had.
    pub fn export(&mut self, wish: Option<Export>, servers: Servers, slot: ViewSlot) -> io::Result<()> {
        if let Some(cancel) = self.cancel.take() {
            cancel.store(true, Ordering::Relaxed);
        }
        let Some(wish) = wish else { return Ok(()) };
        let cancel = Arc::new(AtomicBool::new(false));
        self.cancel = Some(cancel.clone());
        let run = move || run(wish, &cancel, &servers, &slot);
        std::thread::Builder::new().name("export".into()).spawn(run).map(drop)
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        if let Some(cancel) = &self.cancel {
            cancel.store(true, Ordering::Relaxed);
        }
    }
}

/// A file that records go to.
pub(super) struct Sink {
    path: PathBuf,
    format: ExportFormat,
    file: Writing,
    written: u64,
    failed: Arc<std::sync::Mutex<Option<io::Error>>>,
    slot: ViewSlot,
    told: Option<Instant>,
}

impl Sink {
    /// Whether it could be written.
    pub fn put(&mut self, message: &Message) -> bool {
        let line = self.format.record(message, self.written == 0);
        match self.file.write_all(line.as_bytes()) {
            Ok(()) => {
                self.written += 1;
                true
            }
            Err(error) => {
                *self.failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(error);
                false
            }
        }
    }

    /// Tells how far it is, now and then.
    pub fn tell(&mut self, scanned: u64, percent: u8) {
        if self.told.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
            self.told = Some(Instant::now());
            let path = Some(self.path.clone());
            self.slot.publish_export(ExportView { path, written: self.written, scanned, percent, generation: 0 });
        }
    }

    fn finish(mut self) -> io::Result<u64> {
        self.file.write_all(self.format.tail().as_bytes())?;
        self.file.finish()?;
        Ok(self.written)
    }
}

fn run(wish: Export, cancel: &Arc<AtomicBool>, servers: &Servers, slot: &ViewSlot) {
    let path = wish.path.clone();
    let told = write(wish, cancel, servers, slot);
    slot.publish_export(ExportView::default());
    let notice = match told {
        Ok(1) => Notice { ok: true, text: format!("1 record written to {}.", path.display()) },
        Ok(written) => Notice { ok: true, text: format!("{written} records written to {}.", path.display()) },
        Err(why) if why.is_empty() => Notice {
            ok: false,
            text: format!("The export to {} was cancelled; nothing is left of it.", path.display()),
        },
        Err(why) => Notice { ok: false, text: why },
    };
    slot.notify(notice);
}

/// How many; an error is a sentence, or empty where somebody cancelled.
fn write(wish: Export, cancel: &Arc<AtomicBool>, servers: &Servers, slot: &ViewSlot) -> Result<u64, String> {
    let not_written = |error: io::Error| files::not_written(&wish.path, &error);
    let mut file = Writing::begin(&wish.path).map_err(not_written)?;
    file.write_all(wish.format.head().as_bytes()).map_err(not_written)?;
    let failed = Arc::default();
    let sink = Sink {
        path: wish.path.clone(),
        format: wish.format,
        file,
        written: 0,
        failed: Arc::clone(&failed),
        slot: slot.clone(),
        told: None,
    };
    let drained = match wish.what {
        Exported::Found(found) => {
            let mut sink = sink;
            let is_over = |_: &&Arc<_>| cancel.load(Ordering::Relaxed);
            let stopped = found.iter().any(|seen| is_over(&seen) || !sink.put(&seen.message));
            if stopped { Err(String::new()) } else { Ok(sink) }
        }
        Exported::Reading(reading) => {
            let mut reading = Reading::new(*reading, cancel.clone(), slot.clone());
            reading.sink = Some(sink);
            reading.drain(servers)
        }
    };
    if let Some(error) = failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take() {
        return Err(not_written(error));
    }
    drained?.finish().map_err(not_written)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::create_topic;
    use crate::client::testing::{house, until};
    use crate::monitor::messages::filter::Filters;
    use crate::monitor::messages::read::{MESSAGES_MAX, ReadWish, Start};

    #[test]
    fn a_whole_reading_goes_to_a_file_and_a_cancelled_one_leaves_none() {
        let house = house();
        create_topic(&mut house.client(), "t", 1, 3, &[]).unwrap();
        // More than are kept of a reading that is shown.
        let count = MESSAGES_MAX as i64 + 500;
        house.write("t", 0, count);
        let dir = tempfile::tempdir().unwrap();
        let reading = |path: &str| ReadWish {
            filter: Filters { path: path.into(), ..Filters::default() },
            ..ReadWish::new("t".into(), Start::Beginning)
        };
        let (slot, servers) = (ViewSlot::default(), house.servers.clone());
        let servers: Servers = Arc::new(move || servers.clone());
        let export = |name: &str, wish: ReadWish| Export {
            path: dir.path().join(name),
            format: ExportFormat::JsonLines,
            what: Exported::Reading(Box::new(wish)),
        };
        let mut exporter = Exporter::default();
        let mut done = |wish: Export| {
            exporter.export(Some(wish), servers.clone(), slot.clone()).unwrap();
            let mut told = None;
            until("it is written", || {
                told = slot.take().notices.pop();
                if told.is_some() { Ok(()) } else { Err(slot.latest().export) }
            });
            told.unwrap()
        };
        let told = done(export("all", reading("")));
        assert_eq!(told.text, format!("{count} records written to {}.", dir.path().join("all").display()));
        let lines = std::fs::read_to_string(dir.path().join("all")).unwrap();
        assert_eq!(lines.lines().count() as i64, count);
        assert!(lines.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
        assert_eq!(slot.latest().export.path, None);
        assert!(done(export("some", reading("$ >= 2490"))).text.starts_with("10 records"));
        let nowhere = done(export("no/such", reading("")));
        assert!(!nowhere.ok && nowhere.text.ends_with("no such file or directory."), "{}", nowhere.text);
        // Cancelled before it begins.
        let cancel = Arc::new(AtomicBool::new(true));
        assert_eq!(write(export("cancelled", reading("")), &cancel, &servers, &slot), Err(String::new()));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "nothing is left of what was not finished");
    }
}
