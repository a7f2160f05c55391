//! Looks up records for lags in time, on a thread of its own: files may be slow, and neither nodes nor the monitor wait for them.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use broker::log::{LogFiles, LogReader};
use crossbeam_channel::{Receiver, Sender};

use super::unread::{Answer, Found, Question};

/// What one round may take: what is left over is asked for again.
const ROUND_MAX: Duration = Duration::from_millis(100);
/// Logs of which it is remembered which segments they have.
const LOGS_KEPT: usize = 1_024;

/// The thread; it ends when this is gone.
#[derive(Debug)]
pub struct UnreadReader {
    questions: Sender<Vec<Question>>,
    answers: Receiver<Vec<Answer>>,
}

impl UnreadReader {
    /// Starts it.
    ///
    /// # Errors
    /// There can be no more threads.
    pub fn start() -> io::Result<UnreadReader> {
        // One round at a time: neither side waits for the other with more.
        let (questions, questions_in) = crossbeam_channel::bounded::<Vec<Question>>(1);
        let (answers_out, answers) = crossbeam_channel::bounded(1);
        std::thread::Builder::new().name("unread".into()).spawn(move || {
            let mut logs = Logs::default();
            for questions in questions_in {
                if answers_out.send(logs.round(questions)).is_err() {
                    return;
                }
            }
        })?;
        Ok(UnreadReader { questions, answers })
    }

    /// Has these looked up, unless it is at work still.
    pub fn ask(&self, questions: Vec<Question>) {
        // Who is not answered asks again.
        let _ = self.questions.try_send(questions);
    }

    /// Where answers come; not all questions may have one.
    pub fn answers(&self) -> &Receiver<Vec<Answer>> {
        &self.answers
    }
}

#[derive(Default)]
struct Logs {
    reader: LogReader,
    by_dir: HashMap<PathBuf, (LogFiles, u64)>,
    rounds: u64,
}

impl Logs {
    fn round(&mut self, questions: Vec<Question>) -> Vec<Answer> {
        self.rounds += 1;
        let began = Instant::now();
        let mut answers = Vec::with_capacity(questions.len());
        for question in questions {
            if began.elapsed() > ROUND_MAX {
                break;
            }
            let found = self.look_up(&question);
            answers.push(Answer { question, found });
        }
        if self.by_dir.len() > LOGS_KEPT {
            let rounds = self.rounds;
            self.by_dir.retain(|_, (_, used)| *used == rounds);
        }
        answers
    }

    fn look_up(&mut self, question: &Question) -> Found {
        let dir = &question.place.dir;
        if !self.by_dir.contains_key(dir) {
            self.by_dir.insert(dir.clone(), (self.reader.log(dir), 0));
        }
        let Some((files, used)) = self.by_dir.get_mut(dir) else { return Found::Unreadable };
        *used = self.rounds;
        match files.record_from(question.offset, question.high_watermark) {
            Ok(Some(found)) => Found::Record { offset: found.offset, timestamp_ms: found.timestamp_ms },
            Ok(None) => Found::Nothing,
            Err(_) => Found::Unreadable,
        }
    }
}
