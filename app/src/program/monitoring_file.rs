//! The file in the data directory that remembers monitoring: the level, the set of alarms, and the alarms that were put by hand.
//!
//! It appears whole or not at all: it is written under another name, synced, and renamed. A thread of its own writes it, so that nobody waits for
//! the disk; of changes that come faster than the disk, the newest counts.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::monitor::cloudwatch::memory::{self, Remembered};
use crate::monitor::cloudwatch::watch::CloudwatchView;

/// Its name.
const NAME: &str = "monitoring.json";
/// While it is being written.
const NEW: &str = "monitoring.json.new";
/// What could not be understood; a later one takes its place.
const DAMAGED: &str = "monitoring.json.damaged";

/// What the file says, and one sentence where that is not what it should.
pub fn read(dir: &Path) -> (Option<Remembered>, Option<String>) {
    let path = dir.join(NAME);
    let bytes = match bytes_of(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return (None, None),
        Err(error) => return (None, Some(set_aside(dir, &error.to_string()))),
    };
    match memory::decode(&bytes) {
        Ok(remembered) => (Some(remembered), None),
        Err(error) => (None, Some(set_aside(dir, &error.to_string()))),
    }
}

fn bytes_of(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(memory::BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > memory::BYTES_MAX {
        return Err(io::Error::other(format!("it is longer than {} bytes", memory::BYTES_MAX)));
    }
    Ok(bytes)
}

fn set_aside(dir: &Path, why: &str) -> String {
    let aside = match std::fs::rename(dir.join(NAME), dir.join(DAMAGED)) {
        Ok(()) => format!("it is kept as {DAMAGED}"),
        Err(error) => format!("it could not be set aside ({error})"),
    };
    format!(
        "The alarms and the monitoring level of the last run are forgotten, as {NAME} cannot be read ({why}); {aside}."
    )
}

fn write(dir: &Path, view: &CloudwatchView) -> io::Result<()> {
    let new = dir.join(NEW);
    let mut file = File::create(&new)?;
    file.write_all(&memory::encode(view)?)?;
    file.sync_all()?;
    std::fs::rename(&new, dir.join(NAME))?;
    File::open(dir)?.sync_all()
}

/// A disk that takes longer to write it is not waited for at the end.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who writes the file.
#[derive(Debug)]
pub struct Keeper {
    /// Closed when all is written.
    done: Receiver<()>,
}

impl Keeper {
    /// Starts the thread. It ends when nobody can hand anything to it any more; what it was handed last is written then. `complain` hears of the
    /// first of failures in a row.
    ///
    /// # Errors
    /// No thread could be had.
    pub fn start(
        dir: &Path,
        complain: impl Fn(String) + Send + 'static,
    ) -> io::Result<(Keeper, Sender<CloudwatchView>)> {
        let (views, views_in) = bounded(1);
        let dir = dir.to_path_buf();
        let (ended, done) = bounded(0);
        let keep = move || {
            // Closed in any case when the thread ends.
            let _ended: Sender<()> = ended;
            keep(&dir, &views_in, &complain);
        };
        std::thread::Builder::new().name("monitoring".into()).spawn(keep)?;
        Ok((Keeper { done }, views))
    }

    /// Waits until all is written. Whoever hands views in must be gone.
    pub fn end(self) {
        // Nothing ever comes: it is closed, or the patience is over.
        let _ = self.done.recv_timeout(PATIENCE);
    }
}

fn keep(dir: &Path, views: &Receiver<CloudwatchView>, complain: &impl Fn(String)) {
    let mut is_failing = false;
    for view in views {
        match write(dir, &view) {
            Ok(()) => is_failing = false,
            Err(error) => {
                if !std::mem::replace(&mut is_failing, true) {
                    complain(format!("Alarms and the monitoring level could not be kept in {NAME}: {error}."));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::monitor::cloudwatch::catalog::Level;

    fn view(level: Level) -> CloudwatchView {
        CloudwatchView { level, ..CloudwatchView::default() }
    }

    #[test]
    fn the_newest_is_there_when_it_has_ended() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(read(dir.path()), (None, None)), "there is none at first");
        let (keeper, views) = Keeper::start(dir.path(), |sentence| panic!("{sentence}")).unwrap();
        for level in Level::all() {
            views.send(view(level)).unwrap();
        }
        drop(views);
        keeper.end();
        let (remembered, sentence) = read(dir.path());
        assert_eq!((remembered.unwrap().level, sentence), (Some(Level::PerTopicPerPartition), None));
        assert!(!dir.path().join(NEW).exists());
    }

    #[test]
    fn a_damaged_file_is_set_aside_with_one_sentence() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(NAME), "{\"version\":1,").unwrap();
        let (remembered, sentence) = read(dir.path());
        let sentence = sentence.unwrap();
        assert!(remembered.is_none() && sentence.ends_with("kept as monitoring.json.damaged."), "{sentence}");
        assert!(!sentence.contains('\n'));
        assert_eq!(std::fs::read_to_string(dir.path().join(DAMAGED)).unwrap(), "{\"version\":1,");
        assert!(matches!(read(dir.path()), (None, None)));
        std::fs::create_dir(dir.path().join(NAME)).unwrap();
        assert!(read(dir.path()).1.is_some(), "what is no file is no reason to fail either");
    }

    #[test]
    fn a_disk_that_fails_is_told_once() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join(NEW)).unwrap();
        let said = Arc::new(Mutex::new(Vec::new()));
        let heard = said.clone();
        let (keeper, views) = Keeper::start(dir.path(), move |sentence| heard.lock().unwrap().push(sentence)).unwrap();
        views.send(view(Level::Default)).unwrap();
        views.send(view(Level::Default)).unwrap();
        drop(views);
        keeper.end();
        assert_eq!(said.lock().unwrap().len(), 1);
    }
}
