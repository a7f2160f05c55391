//! The dialog that breaks something: the fields that the kind of fault takes, and the call that does the same. What the fields can say that
//! makes no sense on this cluster, the command desk refuses in a sentence.

use egui::{Context, Ui};

use super::app::{Action, FaultTarget, Scene};
use super::as_command::{self, Around};
use super::commands::deeds::is_of_links;
use super::commands::{self, Id};
use super::tokens::{font, palette};
use super::widgets::dialog::{Buttons, Outcome, dialog_with};
use super::widgets::icon::Icon;
use super::widgets::picker::{Choice, labelled};
use super::widgets::{field, text};
use crate::monitor::command::{Command, End, FaultKind, FaultRequest, Operations};
use crate::monitor::names::{is_controller, node_inside};
use crate::monitor::snapshot::Snapshot;

/// A fault as it is being described.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultDraft {
    kind: FaultKind,
    target: FaultTarget,
    to: End,
    both_ways: bool,
    delay_ms: String,
    jitter_ms: String,
    bytes_per_s: String,
    percent: String,
    skew_ms: String,
    operations: Operations,
    log_dir: String,
    topic: String,
    partition: String,
    cut_off: bool,
    duration_s: String,
}

/// What is wrong with each field.
#[derive(Debug, Default, PartialEq)]
struct Complaints {
    delay_ms: Option<&'static str>,
    jitter_ms: Option<&'static str>,
    bytes_per_s: Option<&'static str>,
    percent: Option<&'static str>,
    skew_ms: Option<&'static str>,
    partition: Option<&'static str>,
    duration_s: Option<&'static str>,
}

/// An empty field says nothing; one that is filled must be a number within bounds.
fn number<T: std::str::FromStr + PartialOrd>(typed: &str, least: T, most: T) -> Result<Option<T>, ()> {
    let typed = typed.trim();
    if typed.is_empty() {
        return Ok(None);
    }
    typed.parse().ok().filter(|number| *number >= least && *number <= most).map(Some).ok_or(())
}

const DELAY_MAX_MS: u64 = 600_000;
const PER_RECORD_MAX_MS: u64 = 10_000;
const BANDWIDTH_MAX: u64 = 12_500_000_000;
const SKEW_MAX_MS: i64 = 10 * 365 * 24 * 3600 * 1000;
const DURATION_MAX_S: u64 = 7 * 24 * 3600;

impl FaultDraft {
    /// With values that show something.
    pub fn new(kind: FaultKind, target: FaultTarget, snapshot: &Snapshot) -> FaultDraft {
        let from = target.node();
        let all = snapshot.brokers.iter().map(|broker| broker.id);
        let mut all = all.chain(snapshot.quorum.voters.iter().map(|voter| voter.id));
        let delay_ms = if kind == FaultKind::SlowDisk { "20" } else { "50" };
        let to = match &target {
            FaultTarget::Link(_, to) => *to,
            _ => End::Node(all.find(|id| Some(*id) != from).unwrap_or(0)),
        };
        let (topic, partition) = match &target {
            FaultTarget::Log { topic, partition, .. } => (topic.clone(), partition.to_string()),
            _ => (String::new(), String::new()),
        };
        FaultDraft {
            kind,
            to,
            target,
            both_ways: false,
            delay_ms: delay_ms.into(),
            jitter_ms: String::new(),
            bytes_per_s: "100000".into(),
            percent: "10".into(),
            skew_ms: "-60000".into(),
            operations: Operations::All,
            log_dir: String::new(),
            topic,
            partition,
            cut_off: false,
            duration_s: String::new(),
        }
    }

    fn is_link(&self) -> bool {
        is_of_links(self.kind)
    }

    /// From which end, of a link.
    fn from(&self) -> Option<End> {
        match &self.target {
            FaultTarget::Link(from, _) => Some(*from),
            target => target.node().map(End::Node),
        }
    }

    fn is_late(&self) -> bool {
        matches!(self.kind, FaultKind::Delay | FaultKind::SlowDisk | FaultKind::SlowConsumer)
    }

    fn is_on_disk(&self) -> bool {
        use FaultKind::{BitRot, CorruptTail, DiskError, DiskFull, SlowDisk};
        matches!(self.kind, SlowDisk | DiskFull | DiskError | CorruptTail | BitRot)
    }

    fn check(&self) -> Complaints {
        let late = |typed: &str| match number(typed, 0, DELAY_MAX_MS) {
            Ok(_) => None,
            Err(()) => Some("From 0 to 600,000 ms"),
        };
        let mut complaints = Complaints::default();
        if number(&self.duration_s, 1, DURATION_MAX_S).is_err() {
            complaints.duration_s = Some("From 1 s to a week, or empty");
        }
        match self.kind {
            FaultKind::SlowDisk | FaultKind::Delay => {
                complaints.delay_ms = late(&self.delay_ms);
                complaints.jitter_ms = late(&self.jitter_ms).filter(|_| self.kind == FaultKind::Delay);
                let is_nothing = |typed: &str| matches!(number(typed, 0, DELAY_MAX_MS), Ok(None | Some(0)));
                let never_late = self.kind == FaultKind::SlowDisk || is_nothing(&self.jitter_ms);
                if is_nothing(&self.delay_ms) && never_late {
                    complaints.delay_ms = Some("From 1 ms on");
                }
            }
            FaultKind::SlowConsumer => {
                let is_fine = matches!(number(&self.delay_ms, 1, PER_RECORD_MAX_MS), Ok(Some(_)));
                complaints.delay_ms = (!is_fine).then_some("From 1 to 10,000 ms");
            }
            FaultKind::Bandwidth => {
                let is_fine = matches!(number(&self.bytes_per_s, 1, BANDWIDTH_MAX), Ok(Some(_)));
                complaints.bytes_per_s = (!is_fine).then_some("From 1 byte a second on");
            }
            FaultKind::Drop => {
                let share = number(&self.percent, 0.0, 100.0).ok().flatten().filter(|share| *share > 0.0);
                complaints.percent = share.is_none().then_some("Above 0, and at most 100");
            }
            FaultKind::ClockSkew => {
                let skew_ms = number(&self.skew_ms, -SKEW_MAX_MS, SKEW_MAX_MS).ok().flatten();
                complaints.skew_ms = skew_ms.is_none_or(|skew_ms| skew_ms == 0).then_some("Not 0, within ten years");
            }
            FaultKind::CorruptTail | FaultKind::BitRot => {
                let partition = number(&self.partition, 0, i32::MAX);
                let needs_topic = self.topic.trim().is_empty() && partition.is_ok_and(|partition| partition.is_some());
                complaints.partition = match (partition, needs_topic) {
                    (Err(()), _) => Some("A whole number, or empty"),
                    (_, true) => Some("It needs its topic"),
                    _ => None,
                };
            }
            _ => {}
        }
        complaints
    }

    /// What is asked for; where a field is wrong, without it.
    pub fn request(&self) -> FaultRequest {
        let mut request = FaultRequest::new(self.kind);
        let words = |typed: &str| Some(typed.trim().to_owned()).filter(|typed| !typed.is_empty());
        match &self.target {
            FaultTarget::Zone(zone) => request.zone = Some(zone.clone()),
            FaultTarget::Workload(id) => request.workload = Some(*id),
            _ if self.is_link() => {
                (request.from, request.to) = (self.from(), Some(self.to));
                request.both_ways = self.both_ways.then_some(true);
            }
            target => match target.node() {
                Some(id) if is_controller(id) => request.controller = Some(id),
                id => request.broker = id,
            },
        }
        let milliseconds = |typed: &str| number(typed, 0, DELAY_MAX_MS).ok().flatten();
        if self.is_late() {
            request.delay_ms = milliseconds(&self.delay_ms).or((self.kind == FaultKind::Delay).then_some(0));
        }
        match self.kind {
            FaultKind::Delay => request.jitter_ms = milliseconds(&self.jitter_ms),
            FaultKind::Bandwidth => request.bytes_per_s = number(&self.bytes_per_s, 1, BANDWIDTH_MAX).ok().flatten(),
            FaultKind::Drop => {
                let percent: Option<f64> = number(&self.percent, 0.0, 100.0).ok().flatten();
                request.probability = percent.map(|percent| percent / 100.0);
            }
            FaultKind::ClockSkew => request.skew_ms = number(&self.skew_ms, -SKEW_MAX_MS, SKEW_MAX_MS).ok().flatten(),
            FaultKind::DiskError => {
                request.operations = (self.operations != Operations::All).then_some(self.operations);
            }
            FaultKind::CorruptTail | FaultKind::BitRot => {
                request.topic = words(&self.topic);
                request.partition = number(&self.partition, 0, i32::MAX).ok().flatten();
                request.cut_off = self.cut_off.then_some(true);
            }
            _ => {}
        }
        if self.is_on_disk() {
            request.log_dir = words(&self.log_dir);
        }
        let duration_s: Option<u64> = number(&self.duration_s, 1, DURATION_MAX_S).ok().flatten();
        request.duration_ms = duration_s.map(|duration_s| duration_s * 1000);
        request
    }
}

/// Shows it.
pub fn show(ctx: &Context, scene: &Scene<'_>, draft: &mut FaultDraft, actions: &mut Vec<Action>) -> Outcome {
    let entry = commands::entry(Id::Fault(draft.kind));
    let whom = match &draft.target {
        FaultTarget::Zone(zone) => zone.clone(),
        FaultTarget::Node(id) => node_inside(*id),
        FaultTarget::Link(from, _) => called(*from),
        FaultTarget::Log { broker, topic, partition } => format!("{} ({topic}-{partition})", node_inside(*broker)),
        FaultTarget::Workload(id) => format!("workload {id}"),
    };
    let title = entry.map_or("", |entry| entry.name).replace('…', &whom);
    let symbol = entry.map_or(Icon::Kill, |entry| entry.icon);
    let outcome = dialog_with(ctx, "fault", &format!("{title}?"), symbol, |ui| {
        let style = palette(ui);
        let what = entry.map_or("", |entry| entry.what);
        text::paragraph(ui, &format!("{what}."), font::body(), style.muted);
        let complaints = draft.check();
        fields(ui, scene, draft, &complaints);
        let words = "Heals by itself after (s)";
        field::field(ui, words, "Until it is healed", &mut draft.duration_s, complaints.duration_s);
        let command = Command::InjectFault(draft.request());
        for line in as_command::lines(&command, &Around::scene(scene)) {
            field::command(ui, line.title, &line.text);
        }
        let is_fine = draft.check() == Complaints::default();
        Buttons { confirm: "Break it", enabled: is_fine, danger: true }
    });
    if outcome == Outcome::Confirmed {
        actions.push(Action::Send(Command::InjectFault(draft.request())));
    }
    outcome
}

fn fields(ui: &mut Ui, scene: &Scene<'_>, draft: &mut FaultDraft, complaints: &Complaints) {
    if draft.is_link() {
        links(ui, scene, draft);
    }
    match draft.kind {
        FaultKind::Delay => ui.columns(2, |columns| {
            field::field(&mut columns[0], "Late by (ms)", "50", &mut draft.delay_ms, complaints.delay_ms);
            let words = "And up to so much more (ms)";
            field::field(&mut columns[1], words, "0", &mut draft.jitter_ms, complaints.jitter_ms);
        }),
        FaultKind::SlowDisk => {
            field::field(ui, "Each operation takes longer by (ms)", "20", &mut draft.delay_ms, complaints.delay_ms);
        }
        FaultKind::SlowConsumer => {
            field::field(ui, "Each record takes (ms)", "50", &mut draft.delay_ms, complaints.delay_ms);
        }
        FaultKind::Bandwidth => {
            field::field(ui, "Bytes per second", "100000", &mut draft.bytes_per_s, complaints.bytes_per_s);
        }
        FaultKind::Drop => {
            field::field(ui, "Share that is lost (%)", "10", &mut draft.percent, complaints.percent);
        }
        FaultKind::ClockSkew => {
            let words = "Ahead by (ms); behind, if negative";
            field::field(ui, words, "-60000", &mut draft.skew_ms, complaints.skew_ms);
        }
        FaultKind::DiskError => {
            let choices = [
                (Operations::All, "Reads and writes"),
                (Operations::Reads, "Reads"),
                (Operations::Writes, "Writes, syncs, and changes of names"),
                (Operations::Syncs, "Syncs alone"),
            ];
            let choices = choices.map(|(value, name)| Choice { value, name, enabled: true });
            labelled(ui, "What fails", &mut draft.operations, &choices);
        }
        FaultKind::CorruptTail | FaultKind::BitRot => {
            ui.columns(2, |columns| {
                field::field(&mut columns[0], "Only of topic", "All topics", &mut draft.topic, None);
                let words = "Only its partition";
                field::field(&mut columns[1], words, "All", &mut draft.partition, complaints.partition);
            });
            if draft.kind == FaultKind::CorruptTail {
                field::toggle(ui, "Cut the last bytes off instead of flipping them", &mut draft.cut_off);
            }
        }
        _ => {}
    }
    if draft.is_on_disk() {
        field::field(ui, "Log directory", "All of the node's", &mut draft.log_dir, None);
    }
}

fn called(end: End) -> String {
    end.node().map_or_else(|| End::CLIENTS.to_owned(), node_inside)
}

fn links(ui: &mut Ui, scene: &Scene<'_>, draft: &mut FaultDraft) {
    let snapshot = scene.model.snapshot();
    let brokers = snapshot.brokers.iter().map(|broker| broker.id);
    let from = draft.from();
    // Clients reach brokers only.
    let has_clients = |end: End| end.node().is_none_or(|id| !is_controller(id));
    let nodes = brokers.chain(snapshot.quorum.voters.iter().map(|voter| voter.id)).map(End::Node);
    let all = nodes.chain(from.is_some_and(has_clients).then_some(End::Clients));
    let is_other = |end: &End| Some(*end) != from && (from != Some(End::Clients) || has_clients(*end));
    let others: Vec<(End, String)> = all.filter(is_other).map(|end| (end, called(end))).collect();
    let choices: Vec<Choice<'_, End>> =
        others.iter().map(|(value, name)| Choice { value: *value, name, enabled: true }).collect();
    labelled(ui, "To", &mut draft.to, &choices);
    field::toggle(ui, "The other way too", &mut draft.both_ways);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::fixture;

    fn draft(kind: FaultKind, node: i32) -> FaultDraft {
        FaultDraft::new(kind, FaultTarget::Node(node), &fixture::healthy().snapshot)
    }

    #[test]
    fn as_it_opens_it_makes_sense_and_says_only_what_its_kind_takes() {
        let json = |draft: &FaultDraft| {
            assert_eq!(draft.check(), Complaints::default());
            serde_json::to_string(&draft.request()).unwrap()
        };
        for (kind, node, expected) in [
            (FaultKind::Kill, 2, r#"{"kind":"kill","broker":2}"#),
            (FaultKind::PowerLoss, 3000, r#"{"kind":"power_loss","controller":3000}"#),
            (FaultKind::Cut, 1, r#"{"kind":"cut","from":1,"to":2}"#),
            (FaultKind::Delay, 3001, r#"{"kind":"delay","from":3001,"to":1,"delay_ms":50}"#),
            (FaultKind::Drop, 2, r#"{"kind":"drop","from":2,"to":1,"probability":0.1}"#),
            (FaultKind::SlowDisk, 1, r#"{"kind":"slow_disk","broker":1,"delay_ms":20}"#),
            (FaultKind::DiskFull, 1, r#"{"kind":"disk_full","broker":1}"#),
            (FaultKind::DiskError, 1, r#"{"kind":"disk_error","broker":1}"#),
            (FaultKind::CorruptTail, 1, r#"{"kind":"corrupt_tail","broker":1}"#),
            (FaultKind::ClockSkew, 1, r#"{"kind":"clock_skew","broker":1,"skew_ms":-60000}"#),
        ] {
            assert_eq!(json(&draft(kind, node)), expected);
        }
        let snapshot = fixture::healthy().snapshot;
        for (kind, target, expected) in [
            (
                FaultKind::Bandwidth,
                FaultTarget::Link(End::Clients, End::Node(2)),
                r#"{"kind":"bandwidth","from":"clients","to":2,"bytes_per_s":100000}"#,
            ),
            (
                FaultKind::BitRot,
                FaultTarget::Log { broker: 1, topic: "orders".into(), partition: 3 },
                r#"{"kind":"bit_rot","broker":1,"topic":"orders","partition":3}"#,
            ),
            (
                FaultKind::SlowConsumer,
                FaultTarget::Workload(4),
                r#"{"kind":"slow_consumer","delay_ms":50,"workload":4}"#,
            ),
            (FaultKind::CrashConsumer, FaultTarget::Workload(4), r#"{"kind":"crash_consumer","workload":4}"#),
            (FaultKind::ZombieProducer, FaultTarget::Workload(4), r#"{"kind":"zombie_producer","workload":4}"#),
        ] {
            assert_eq!(json(&FaultDraft::new(kind, target, &snapshot)), expected);
        }
        let zone = FaultTarget::Zone("a".into());
        let outage = FaultDraft::new(FaultKind::ZoneOutage, zone, &fixture::healthy().snapshot);
        assert_eq!(json(&outage), r#"{"kind":"zone_outage","zone":"a"}"#);
    }

    #[test]
    fn what_is_filled_in_is_asked_for() {
        let mut late = draft(FaultKind::Delay, 1);
        (late.delay_ms, late.jitter_ms, late.both_ways) = (String::new(), "20".into(), true);
        late.duration_s = "5".into();
        let request = late.request();
        assert_eq!((request.delay_ms, request.jitter_ms, request.both_ways), (Some(0), Some(20), Some(true)));
        assert_eq!((late.check(), request.duration_ms), (Complaints::default(), Some(5_000)));
        let mut tail = draft(FaultKind::CorruptTail, 1);
        (tail.topic, tail.partition, tail.cut_off) = (" orders ".into(), "0".into(), true);
        tail.log_dir = "disk-2".into();
        let request = tail.request();
        assert_eq!((request.topic.as_deref(), request.partition), (Some("orders"), Some(0)));
        assert_eq!((request.log_dir.as_deref(), request.cut_off), (Some("disk-2"), Some(true)));
        let mut disk = draft(FaultKind::DiskError, 1);
        disk.operations = Operations::Writes;
        assert_eq!(disk.request().operations, Some(Operations::Writes));
    }

    #[test]
    fn what_makes_no_sense_is_said() {
        let mut late = draft(FaultKind::Delay, 1);
        late.delay_ms = "0".into();
        assert!(late.check().delay_ms.is_some());
        late.jitter_ms = "many".into();
        assert!(late.check().jitter_ms.is_some());
        let mut lossy = draft(FaultKind::Drop, 1);
        for percent in ["0", "101", "", "NaN", "-1"] {
            lossy.percent = percent.into();
            assert!(lossy.check().percent.is_some(), "{percent}");
        }
        let mut clock = draft(FaultKind::ClockSkew, 1);
        for skew_ms in ["0", "", "soon"] {
            clock.skew_ms = skew_ms.into();
            assert!(clock.check().skew_ms.is_some(), "{skew_ms}");
        }
        let mut tail = draft(FaultKind::CorruptTail, 1);
        tail.partition = "1".into();
        assert_eq!(tail.check().partition, Some("It needs its topic"));
        let mut kill = draft(FaultKind::Kill, 1);
        kill.duration_s = "0".into();
        assert!(kill.check().duration_s.is_some());
    }
}
