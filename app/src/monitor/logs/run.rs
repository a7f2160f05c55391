//! The thread that keeps the nodes' logs.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use broker::logging::LogLine;
use broker::types::NodeId;
use crossbeam_channel::{Receiver, Sender, bounded, never, select, tick};

use super::delivery::{Delivery, usable};
use super::files::{LogFiles, Turn};
use super::levels::{self, KnownLogs, LevelTable};
use super::ring::Ring;
use super::{LogsStatus, LogsView, Wish};
use crate::monitor::order::{Answer, Done, Reply};
use crate::monitor::run::Word;
use crate::monitor::slot::ViewSlot;
use crate::monitor::view::Severity;

/// How many lines may wait; what finds no room is counted by its node, and told with its next line.
pub const LINES_WAITING: usize = 16_384;

/// How many wishes may wait.
const WISHES_WAITING: usize = 64;

/// At most 15 views a second.
const PUBLISH_EVERY: Duration = Duration::from_millis(66);

/// Lines taken in before anything else is looked at again.
const LINES_AT_ONCE: usize = 2_048;

/// A wish, and who waits for its answer.
pub type Asked = (Wish, Reply);

/// Something that happened to the nodes' logs, in words, for the events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogNews {
    /// Wall clock.
    pub at_ms: i64,
    /// Whose log; -1: all.
    pub node_id: NodeId,
    /// `logger_level_changed`, `log_files_failed`, …
    pub kind: &'static str,
    /// How grave it is.
    pub severity: Severity,
    /// One sentence.
    pub text: String,
    /// Why.
    pub cause: String,
    /// What it is about.
    pub subject: String,
}

/// What the keeper works with.
pub struct Surroundings {
    /// Where files go: a folder for each node.
    pub dir: PathBuf,
    /// Names the objects that are delivered.
    pub cluster_id: String,
    /// The nodes' logs; must not block.
    pub known_logs: Box<dyn Fn() -> KnownLogs + Send>,
    /// Where to tell what happens.
    pub words: Sender<Word>,
    /// Where views go.
    pub slot: ViewSlot,
}

/// The running keeper.
pub struct LogKeeper {
    asked: Sender<Asked>,
    closing: Sender<()>,
    thread: JoinHandle<()>,
}

impl LogKeeper {
    /// Starts the thread; `deliver_to` is usable, and gets all lines from the first.
    ///
    /// # Errors
    /// No thread could be had.
    pub fn start(
        surroundings: Surroundings,
        deliver_to: Option<PathBuf>,
        lines: Receiver<LogLine>,
    ) -> io::Result<LogKeeper> {
        let (asked, asked_in) = bounded(WISHES_WAITING);
        let (closing, closed) = bounded(1);
        let keeper = Keeper::new(surroundings, deliver_to);
        let run = move || keeper.run(lines, &asked_in, &closed);
        let thread = std::thread::Builder::new().name("logs".into()).spawn(run)?;
        Ok(LogKeeper { asked, closing, thread })
    }

    /// Where wishes go.
    pub fn asked(&self) -> Sender<Asked> {
        self.asked.clone()
    }

    /// Takes in what the nodes have written, writes and delivers it, and ends. For when no node runs any more.
    pub fn close(self) {
        // If the thread has ended by itself there is nobody to be told.
        let _ = self.closing.try_send(());
        // A panic of the thread was told on standard error.
        let _ = self.thread.join();
    }
}

struct Keeper {
    surroundings: Surroundings,
    ring: Ring,
    files: LogFiles,
    delivery: Delivery,
    levels: Arc<LevelTable>,
    lines_lost: u64,
    status: Arc<LogsStatus>,
    has_news: bool,
    next_publish: Instant,
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

impl Keeper {
    fn new(surroundings: Surroundings, deliver_to: Option<PathBuf>) -> Keeper {
        let mut delivery = Delivery::new(&surroundings.cluster_id);
        delivery.set_folder(deliver_to, 1, now_ms());
        Keeper {
            ring: Ring::default(),
            files: LogFiles::new(surroundings.dir.clone()),
            delivery,
            levels: Arc::default(),
            lines_lost: 0,
            status: Arc::default(),
            has_news: true,
            next_publish: Instant::now(),
            surroundings,
        }
    }

    fn run(mut self, mut lines: Receiver<LogLine>, asked: &Receiver<Asked>, closed: &Receiver<()>) {
        let seconds = tick(Duration::from_secs(1));
        let mut asked = asked.clone();
        self.look_at_levels("");
        loop {
            let wait =
                if self.has_news { self.next_publish.saturating_duration_since(Instant::now()) } else { Duration::MAX };
            select! {
                recv(lines) -> line => match line {
                    Ok(line) => {
                        self.take(line);
                        lines.try_iter().take(LINES_AT_ONCE).for_each(|line| self.take(line));
                    }
                    // All nodes are gone for good; readers may still have wishes.
                    Err(_) => lines = never(),
                },
                recv(asked) -> wish => match wish {
                    Ok((wish, reply)) => self.carry_out(wish, reply),
                    Err(_) => asked = never(),
                },
                recv(seconds) -> _ => self.second(),
                recv(closed) -> _ => break,
                default(wait) => {}
            }
            if lines.is_empty() {
                let turn = self.files.flush(Instant::now());
                self.tell_turn(turn);
            }
            if self.has_news && Instant::now() >= self.next_publish {
                self.publish();
            }
        }
        lines.try_iter().for_each(|line| self.take(line));
        let turn = self.files.flush(Instant::now());
        self.tell_turn(turn);
        self.deliver();
        self.publish();
    }

    fn take(&mut self, line: LogLine) {
        self.lines_lost += line.lost_before;
        let (entry, fallen) = self.ring.push(line);
        let lost: u64 = fallen.iter().map(|chunk| self.delivery.forget(chunk)).sum();
        if lost > 0 && self.delivery.status().lines_lost == lost {
            let text = "Lines fall out of the ring before they can be delivered.".to_owned();
            self.tell(
                -1,
                "log_delivery_lost",
                Severity::Warning,
                text,
                "Delivery fails, or more is logged than it takes.",
            );
        }
        self.delivery.note(&entry);
        let turn = self.files.write(&entry, Instant::now());
        self.tell_turn(turn);
        if self.delivery.is_due(now_ms()) {
            self.deliver();
        }
        self.has_news = true;
    }

    fn second(&mut self) {
        self.look_at_levels("A client set it, or the node has started anew.");
        if self.delivery.is_due(now_ms()) {
            self.deliver();
        }
    }

    /// Tells what has changed since the last look.
    fn look_at_levels(&mut self, cause: &str) {
        let levels = levels::read(&(self.surroundings.known_logs)());
        if levels == *self.levels {
            return;
        }
        for change in levels::changes(&self.levels, &levels) {
            self.tell(change.node_id, "logger_level_changed", Severity::Info, change.text(), cause);
        }
        self.levels = Arc::new(levels);
        self.has_news = true;
    }

    fn carry_out(&mut self, wish: Wish, reply: Reply) {
        let answer = match wish {
            Wish::SetLevel { node, logger, level } => {
                let answer = levels::set(&(self.surroundings.known_logs)(), node, &logger, level);
                self.look_at_levels("It was asked for in the window or over HTTP.");
                answer
            }
            Wish::Deliver(folder) => self.deliver_to(folder),
        };
        // Who asked finds it in the view.
        self.publish();
        reply(answer);
    }

    fn deliver_to(&mut self, folder: Option<PathBuf>) -> Answer {
        let folder = folder.map(|folder| usable(&folder)).transpose()?;
        // What came until now is for the folder that there was.
        self.deliver();
        let text = match &folder {
            Some(folder) => format!("Brokers' logs are delivered to {} every five minutes.", folder.display()),
            None => "Brokers' logs are not delivered any more.".to_owned(),
        };
        self.delivery.set_folder(folder, self.ring.next_seq(), now_ms());
        self.tell(-1, "log_delivery_changed", Severity::Info, text.clone(), "");
        Ok(Done { id: None, text })
    }

    fn deliver(&mut self) {
        let was_in_trouble = self.delivery.status().trouble.is_some();
        match self.delivery.deliver(&self.ring.lines(), now_ms()) {
            Err(text) if !was_in_trouble => {
                self.tell(-1, "log_delivery_failed", Severity::Warning, text, "It is tried again each minute.");
            }
            Ok(()) if was_in_trouble => {
                let text = "Brokers' logs are delivered again.".to_owned();
                self.tell(-1, "log_delivery_mended", Severity::Info, text, "");
            }
            _ => {}
        }
        self.has_news = true;
    }

    fn tell_turn(&mut self, turn: Option<Turn>) {
        match turn {
            None => {}
            Some(Turn::Failed(text)) => {
                let cause = "Lines are kept in memory meanwhile, and it is tried again every ten seconds.";
                self.tell(-1, "log_files_failed", Severity::Warning, text, cause);
            }
            Some(Turn::Mended) => {
                let text = "Log files can be written again.".to_owned();
                self.tell(-1, "log_files_mended", Severity::Info, text, "");
            }
        }
    }

    fn tell(&mut self, node_id: NodeId, kind: &'static str, severity: Severity, text: String, cause: &str) {
        let (at_ms, cause, subject) = (now_ms(), cause.to_owned(), "logs".to_owned());
        let news = LogNews { at_ms, node_id, kind, severity, text, cause, subject };
        // The monitor is not waited for: what is in force stands in the view too.
        let _ = self.surroundings.words.try_send(Word::Logs(news));
        self.has_news = true;
    }

    fn publish(&mut self) {
        let status = LogsStatus {
            dir: self.files.root().to_path_buf(),
            lines_lost: self.lines_lost,
            lines_unwritten: self.files.unwritten(),
            files_trouble: self.files.trouble().map(str::to_owned),
            delivery: self.delivery.status().clone(),
        };
        if *self.status != status {
            self.status = Arc::new(status);
        }
        let (levels, status) = (self.levels.clone(), self.status.clone());
        self.surroundings.slot.publish_logs(LogsView { lines: self.ring.lines(), levels, status });
        self.has_news = false;
        self.next_publish = Instant::now() + PUBLISH_EVERY;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::logs::levels::KnownLog;
    use crate::monitor::order::RefusalKind;
    use broker::logging::{Level, Logger, NodeLog};

    const PATIENCE: Duration = Duration::from_secs(20);

    struct Setup {
        keeper: LogKeeper,
        log: NodeLog,
        words: Receiver<Word>,
        slot: ViewSlot,
        woken: Receiver<()>,
    }

    fn start(dir: &std::path::Path, deliver_to: Option<PathBuf>) -> Setup {
        let (taker, lines) = bounded(LINES_WAITING);
        let log = NodeLog::new(1, taker, || 0);
        let known = log.clone();
        let known_logs = move || KnownLogs::from([(1, KnownLog { log: known.clone(), is_up: true })]);
        let (words_out, words) = crossbeam_channel::unbounded();
        let slot = ViewSlot::default();
        let (wake, woken) = crossbeam_channel::unbounded();
        slot.on_change(move || {
            // The receiver lives as long as the test.
            let _ = wake.send(());
        });
        let surroundings = Surroundings {
            dir: dir.join("logs"),
            cluster_id: "c".into(),
            known_logs: Box::new(known_logs),
            words: words_out,
            slot: slot.clone(),
        };
        let keeper = LogKeeper::start(surroundings, deliver_to, lines).unwrap();
        Setup { keeper, log, words, slot, woken }
    }

    impl Setup {
        fn wait_for(&self, pleases: impl Fn(&LogsView) -> bool) -> LogsView {
            let deadline = Instant::now() + PATIENCE;
            loop {
                let logs = self.slot.latest().logs;
                if pleases(&logs) {
                    return logs;
                }
                self.woken.recv_deadline(deadline).expect("a view in time");
            }
        }

        fn ask(&self, wish: Wish) -> Answer {
            let (answer, answered) = bounded(1);
            self.keeper.asked().send((wish, Box::new(move |outcome| answer.send(outcome).unwrap()))).unwrap();
            answered.recv_timeout(PATIENCE).unwrap()
        }

        fn news(&self) -> Vec<LogNews> {
            let news = |word| if let Word::Logs(news) = word { Some(news) } else { None };
            self.words.try_iter().filter_map(news).collect()
        }
    }

    #[test]
    fn lines_reach_readers_files_and_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let to = usable(&dir.path().join("to")).unwrap();
        let setup = start(dir.path(), Some(to.clone()));
        setup.log.info(Logger::KafkaApis, || "hello".into());
        setup.log.debug(Logger::KafkaApis, || unreachable!());
        let logs = setup.wait_for(|logs| logs.lines.len() == 1 && !logs.levels.is_empty());
        assert_eq!(*logs.lines.get(1).unwrap().message, *"hello");
        assert_eq!(logs.status.dir, dir.path().join("logs"));
        setup.log.info(Logger::KafkaApis, || "the last".into());
        let Setup { keeper, slot, .. } = setup;
        keeper.close();
        let logs = slot.latest().logs;
        assert_eq!(logs.lines.len(), 2, "what waits at the end is taken");
        let file = std::fs::read_to_string(dir.path().join("logs/broker-1/server.log")).unwrap();
        assert_eq!(file.lines().count(), 2);
        let delivery = &logs.status.delivery;
        assert_eq!((delivery.objects, delivery.lines, delivery.folder.as_ref()), (1, 2, Some(&to)));
        assert!(to.join(delivery.last_object.as_ref().unwrap()).exists());
    }

    #[test]
    fn levels_are_set_and_told_and_clients_changes_are_seen() {
        let dir = tempfile::tempdir().unwrap();
        let setup = start(dir.path(), None);
        setup.wait_for(|logs| !logs.levels.is_empty());
        let wish = |logger: &str| {
            let (node, logger, level) = (Some(1), logger.to_owned(), Some(Level::Debug));
            Wish::SetLevel { node, logger, level }
        };
        assert_eq!(setup.ask(wish("nobody")).unwrap_err().kind, RefusalKind::NotFound);
        assert_eq!(setup.ask(wish("kafka")).unwrap().text, "kafka of broker 1 logs from level DEBUG on.");
        let level = |logs: &LogsView, logger: Logger| logs.levels[&1][logger as usize];
        let seen = level(&setup.slot.latest().logs, Logger::KafkaApis);
        assert_eq!((seen.level, seen.is_own), (Level::Debug, false), "it is in the view when the answer comes");
        setup.log.levels().unwrap().set(Logger::StateChange, Some(Level::Error)).unwrap();
        setup.wait_for(|logs| level(logs, Logger::StateChange).level == Level::Error);
        let told: Vec<String> = setup.news().into_iter().map(|news| format!("{} {}", news.text, news.cause)).collect();
        assert_eq!(
            told,
            [
                "kafka of broker 1 logs from level DEBUG on. It was asked for in the window or over HTTP.",
                "state.change.logger of broker 1 logs from level ERROR on. A client set it, or the node has started anew."
            ]
        );
        setup.keeper.close();
    }

    #[test]
    fn a_folder_is_chosen_and_left_while_it_runs() {
        let dir = tempfile::tempdir().unwrap();
        let setup = start(dir.path(), None);
        let to = dir.path().join("to");
        setup.log.info(Logger::KafkaApis, || "before".into());
        setup.wait_for(|logs| logs.lines.len() == 1);
        setup.ask(Wish::Deliver(Some(to.clone()))).unwrap();
        setup.log.info(Logger::KafkaApis, || "meanwhile".into());
        setup.wait_for(|logs| logs.lines.len() == 2);
        setup.ask(Wish::Deliver(None)).unwrap();
        let delivery = setup.slot.latest().logs.status.delivery.clone();
        assert_eq!((delivery.folder, delivery.lines), (None, 1));
        assert!(to.join(delivery.last_object.unwrap()).exists());
        std::fs::write(dir.path().join("file"), "").unwrap();
        assert_eq!(setup.ask(Wish::Deliver(Some(dir.path().join("file")))).unwrap_err().kind, RefusalKind::Invalid);
        assert_eq!(setup.news().len(), 2);
        setup.keeper.close();
    }
}
