//! `--faults FILE`: a script that runs once the cluster takes writes, and its verdicts on standard output.

use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use super::failure::Failure;
use super::session::Session;
use crate::monitor::command::Command;
use crate::monitor::script::Script;
use crate::monitor::script::status::{Outcome, ScriptStatus};
use crate::monitor::slot::ViewSlot;

/// How often a run is looked at whose verdicts are waited for.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// A script that is larger is none.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Reads it, before anything is started.
///
/// # Errors
/// It cannot be read, or is no script: bad usage.
pub fn read(path: &Path) -> Result<Script, Failure> {
    let wrong = |why: String| Failure::usage(format!("--faults {}: {why}", path.display()));
    let size = std::fs::metadata(path).map_err(|error| wrong(error.to_string()))?.len();
    if size > FILE_BYTES_MAX {
        return Err(wrong(format!("a script has at most {FILE_BYTES_MAX} bytes")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    Script::from_yaml(&text).map_err(|error| wrong(error.to_string()))
}

/// Runs it aside, as soon as the cluster takes writes, and tells how it ended.
///
/// # Errors
/// No thread could be had.
pub fn run(session: &Session, script: Script) -> Result<(), Failure> {
    let (slot, orders, ready) = (session.slot(), session.orders(), session.readiness());
    let play = move || {
        while !ready.load(std::sync::atomic::Ordering::Acquire) {
            std::thread::park_timeout(LOOK_EVERY);
        }
        let (answer, answered) = mpsc::channel();
        // Whoever runs the cluster may have gone.
        orders.ask(Command::RunScript(Box::new(script)), move |outcome| drop(answer.send(outcome)));
        match answered.recv() {
            Ok(Ok(done)) => {
                println!("Faults: {}", done.text);
                if let Some(id) = done.id {
                    tell(&wait_for_end(&slot, id));
                }
            }
            Ok(Err(refusal)) => eprintln!("brokerscope: --faults: {}", refusal.text),
            Err(_) => {}
        }
    };
    let spawned = std::thread::Builder::new().name("faults-file".into()).spawn(play);
    spawned.map(drop).map_err(|error| Failure::failed(format!("no thread could be started: {error}")))
}

/// Its thread ends with the program, if the script does not end before.
fn wait_for_end(slot: &ViewSlot, id: u64) -> ScriptStatus {
    loop {
        let snapshot = slot.latest().snapshot;
        if let Some(status) = snapshot.scripts.iter().find(|one| one.id == id && !one.phase.is_under_way()) {
            return status.clone();
        }
        std::thread::park_timeout(LOOK_EVERY);
    }
}

fn tell(status: &ScriptStatus) {
    if let Some(why) = &status.why {
        println!("Faults: {why}");
    }
    for verdict in status.steady.iter().filter(|one| one.outcome != Outcome::Held).chain(&status.verdicts) {
        let outcome = match verdict.outcome {
            Outcome::Held => "held",
            Outcome::Broken => "broken",
            Outcome::Open | Outcome::NotMeasured => "not measured",
        };
        println!("Faults: {outcome}: {}. {}", verdict.check, verdict.seen);
    }
    println!("Faults: script {} is over.", status.id);
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_file_that_is_no_script_is_bad_usage_with_its_line() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"steps:\n  - at_ms: 10\n    fault: {kind: kil, broker: 1}\n").unwrap();
        let failure = read(file.path()).unwrap_err();
        let text = failure.to_string();
        assert!(text.contains("line 3") && text.contains("kil") && !text.contains('\n'), "{text}");
        assert!(read(Path::new("/does/not/exist.yaml")).unwrap_err().to_string().contains("/does/not/exist.yaml"));
    }
}
