//! A broker's log directories: the room on their volumes, and what lies in them, the largest first.

use std::sync::Arc;

use broker::metadata::report::NodeState;
use egui::Ui;

use crate::monitor::inquiry::{Findings, LogDir, Query, StoredReplica};
use crate::monitor::snapshot::Broker;
use crate::ui::app::{Action, Scene};
use crate::ui::asked::{Answer, Asked};
use crate::ui::format;
use crate::ui::model::Cached;
use crate::ui::tokens::{size, space};
use crate::ui::widgets::card::framed;
use crate::ui::widgets::empty::{empty, failed_once, loading, no_match};
use crate::ui::widgets::field::filter_box;
use crate::ui::widgets::icon::Icon;
use crate::ui::widgets::pill::{Mood, Pill};
use crate::ui::widgets::table::{Column, Item, Sort, Table, TableState};

/// What rows are asked for: of which broker and answer, by which filter and order.
type Wanted = (i32, i64, String, Option<Sort>);

/// What this panel remembers.
#[derive(Debug, Default)]
pub struct State {
    asked: Asked,
    dirs: TableState,
    replicas: TableState,
    filter: String,
    rows: Cached<Wanted, Vec<(usize, usize)>>,
}

const DIRS: [Column; 7] = [
    Column::text("Directory", 240.0, 1.6).unsorted(),
    Column::text("State", 110.0, 0.4).unsorted(),
    Column::number("Replicas", 70.0, 0.3).unsorted(),
    Column::number("Their size", 80.0, 0.4).help("Bytes of all logs in it").unsorted(),
    Column::text("Volume in use", 170.0, 0.8).help("By anybody, of the volume that the directory lies on").unsorted(),
    Column::number("Free", 84.0, 0.4).help("What could still be written there").unsorted(),
    Column::number("Volume", 84.0, 0.4).help("Size of the volume").unsorted(),
];

const REPLICAS: [Column; 5] = [
    Column::text("Replica", 180.0, 1.4),
    Column::number("Size", 90.0, 0.4),
    Column::number("Behind", 80.0, 0.4).help("Offsets behind the high watermark; of a copy, behind its original"),
    Column::text("Kind", 110.0, 0.4)
        .help("A future replica is a copy that will take the place of one in another directory"),
    Column::text("Directory", 200.0, 1.2),
];

/// A volume that is so full is trouble, of 1.
const FULL: f32 = 0.9;
const NEARLY_FULL: f32 = 0.8;

/// Paints it.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, broker: &Broker, state: &mut State, actions: &mut Vec<Action>) {
    if !matches!(broker.state, NodeState::Running | NodeState::Stopping) {
        let hint = "A broker tells of its directories while it runs.";
        return empty(ui, Icon::Folder, &format!("Broker {} does not run", broker.id), hint);
    }
    let (at_ms, findings) = match state.asked.look(scene, &Query::LogDirs(broker.id), actions) {
        Answer::Waiting => return loading(ui, "Asking the broker…", "Its log directories are told by itself."),
        Answer::Failed(why) => {
            if failed_once(ui, "The log directories are not known", &why) {
                state.asked.again();
            }
            return;
        }
        Answer::Found(at_ms, findings) => (at_ms, findings),
    };
    let Findings::LogDirs(dirs) = &*findings else { return };
    directories(ui, dirs, &mut state.dirs);
    ui.add_space(space::M);
    filter_box(ui, "Filter replicas", "Filter replicas", &mut state.filter);
    ui.add_space(space::XS);
    let filter = state.filter.trim().to_lowercase();
    let sort = state.replicas.sort;
    let rows = state.rows.get((broker.id, at_ms, filter.clone(), sort), || rows(dirs, &filter, sort));
    framed(ui, |ui| {
        if rows.is_empty() {
            if filter.is_empty() {
                empty(ui, Icon::Topics, "Nothing lies here yet", "Replicas that this broker is given appear here.");
            } else if no_match(ui, "No replica matches the filter", "It looks for its words in topic-partition.") {
                state.filter.clear();
            }
            return;
        }
        let table = Table {
            id: "replicas",
            columns: &REPLICAS,
            rows: rows.len(),
            row_height: size::ROW,
            max_height: None,
            active: true,
            selected: None,
        };
        let at = |index: usize| {
            let (dir, replica) = rows[index];
            (&dirs[dir], &dirs[dir].replicas[replica])
        };
        let menu = |index: usize| menu(scene, broker, at(index));
        let (pressed, chosen) = table.show_with(ui, &mut state.replicas, Some(&menu), |index, row| {
            let (dir, replica) = at(index);
            row.strong(&format!("{}-{}", replica.topic, replica.partition));
            row.text(&format::bytes(replica.size_bytes as f64));
            match replica.lag {
                None => row.text("–"),
                Some(0) => row.text(""),
                Some(lag) => row.toned(&format::count(lag), Mood::Warning),
            }
            if replica.is_future {
                row.toned("future replica", Mood::Busy);
            } else {
                row.text("replica");
            }
            row.mono(&dir.path);
        });
        actions.extend(chosen);
        if let Some(row) = pressed {
            let (_, replica) = at(row);
            let (topic, partition) = (Arc::clone(&replica.topic), replica.partition);
            actions.push(Action::OpenPartition { topic, partition });
        }
    });
}

fn menu(scene: &Scene<'_>, broker: &Broker, (dir, replica): (&LogDir, &StoredReplica)) -> Vec<Item<Action>> {
    let (topic, partition) = (Arc::clone(&replica.topic), replica.partition);
    let name = format!("{topic}-{partition}");
    let describe = format!(
        "kafka-log-dirs.sh --bootstrap-server {} --describe --broker-list {} --topic-list {topic}",
        scene.model.bootstrap, broker.id
    );
    vec![
        Item::new(format!("Open {name}"), Icon::Topics, Action::OpenPartition { topic, partition }),
        Item::copy("its directory", format!("{}/{name}", dir.path)),
        Item::copy("the command that describes it", describe),
    ]
}

fn directories(ui: &mut Ui, dirs: &[LogDir], table_state: &mut TableState) {
    const SHOWN: usize = 4;
    framed(ui, |ui| {
        let table = Table {
            id: "log directories",
            columns: &DIRS,
            rows: dirs.len(),
            row_height: size::ROW,
            max_height: Some(size::HEADER + size::ROW * dirs.len().clamp(1, SHOWN) as f32),
            active: false,
            selected: None,
        };
        table.show(ui, table_state, |index, row| {
            let dir = &dirs[index];
            row.mono(&dir.path);
            row.pill(Some(&match dir.error {
                None => Pill::new(Mood::Good, Icon::Check, "Online"),
                Some(_) => Pill::new(Mood::Critical, Icon::Warning, "Offline"),
            }));
            row.text(&format::count(dir.replicas.len() as i64));
            let bytes: u64 = dir.replicas.iter().map(|replica| replica.size_bytes).sum();
            row.text(&format::bytes(bytes as f64));
            match (dir.total_bytes, dir.usable_bytes) {
                (Some(total), Some(usable)) if total > 0 => {
                    let used = 1.0 - usable as f32 / total as f32;
                    let mood = match used {
                        used if used >= FULL => Mood::Critical,
                        used if used >= NEARLY_FULL => Mood::Warning,
                        _ => Mood::Quiet,
                    };
                    row.bar(used, &format!("{:.0} %", used * 100.0), mood);
                }
                _ => row.text("–"),
            }
            let told = |bytes: Option<u64>| bytes.map_or_else(|| "–".to_owned(), |bytes| format::bytes(bytes as f64));
            row.text(&told(dir.usable_bytes));
            row.text(&told(dir.total_bytes));
        });
    });
}

/// Of which directory, which replica: as the broker told them, the largest first.
fn rows(dirs: &[LogDir], filter: &str, sort: Option<Sort>) -> Vec<(usize, usize)> {
    let matches = |replica: &StoredReplica| {
        filter.is_empty() || format!("{}-{}", replica.topic, replica.partition).to_lowercase().contains(filter)
    };
    let mut rows: Vec<(usize, usize)> = Vec::new();
    for (index, dir) in dirs.iter().enumerate() {
        let kept = dir.replicas.iter().enumerate().filter(|(_, replica)| matches(replica));
        rows.extend(kept.map(|(replica, _)| (index, replica)));
    }
    let at = |row: &(usize, usize)| (&dirs[row.0], &dirs[row.0].replicas[row.1]);
    rows.sort_by(|one, other| {
        let ((one_dir, one), (other_dir, other)) = (at(one), at(other));
        let by_name = || (&one.topic, one.partition).cmp(&(&other.topic, other.partition));
        let Some(Sort { column, descending }) = sort else {
            return other.is_future.cmp(&one.is_future).then(other.size_bytes.cmp(&one.size_bytes)).then_with(by_name);
        };
        let order = match column {
            1 => one.size_bytes.cmp(&other.size_bytes),
            2 => one.lag.cmp(&other.lag),
            3 => one.is_future.cmp(&other.is_future),
            4 => one_dir.path.cmp(&other_dir.path),
            _ => by_name(),
        };
        (if descending { order.reverse() } else { order }).then_with(by_name)
    });
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_that_are_being_made_come_first_then_what_is_large() {
        let replica = |partition, size_bytes, is_future| StoredReplica {
            topic: "t".into(),
            partition,
            size_bytes,
            lag: Some(0),
            is_future,
        };
        let dir = |replicas| LogDir { replicas, ..LogDir::default() };
        let dirs = [dir(vec![replica(0, 5, false), replica(1, 90, false)]), dir(vec![replica(0, 3, true)])];
        assert_eq!(rows(&dirs, "", None), [(1, 0), (0, 1), (0, 0)]);
        assert_eq!(rows(&dirs, "t-1", None), [(0, 1)]);
        let by_name = Some(Sort { column: 0, descending: false });
        assert_eq!(rows(&dirs, "", by_name)[2], (0, 1));
    }
}
