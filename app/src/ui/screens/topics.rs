//! All topics: filter, sort, create; a row opens the topic.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use egui::Ui;

use super::{header, starting};
use crate::monitor::snapshot::Topic;
use crate::ui::app::{Action, Dialog, Scene};
use crate::ui::commands::objects::{self, Object};
use crate::ui::commands::{self, Id};
use crate::ui::format;
use crate::ui::model::{Cached, Model, TopicHealth};
use crate::ui::tokens::{size, space};
use crate::ui::verdicts;
use crate::ui::widgets::button::{Button, Tone};
use crate::ui::widgets::card::framed;
use crate::ui::widgets::empty::{empty, no_match};
use crate::ui::widgets::field::{filter_box, toggle};
use crate::ui::widgets::icon::Icon;
use crate::ui::widgets::pill::Mood;
use crate::ui::widgets::table::{Column, Sort, Table, TableState};

/// What this screen remembers.
#[derive(Debug, Default)]
pub struct State {
    /// Words that names must have.
    pub filter: String,
    /// Whether internal topics are shown.
    pub internal: bool,
    /// Of the table.
    pub table: TableState,
    rows: Cached<(u64, String, bool, Option<Sort>), Vec<usize>>,
    lags: Cached<u64, Vec<Option<Behind>>>,
}

/// The group that is farthest behind in a topic.
#[derive(Clone, Debug, PartialEq)]
struct Behind {
    group: Arc<str>,
    /// Records that it has not read, over all partitions.
    lag: i64,
    /// How the group is.
    mood: Mood,
}

const COLUMNS: [Column; 10] = [
    Column::text("Topic", 180.0, 2.0),
    Column::text("Health", 132.0, 1.0),
    Column::number("Partitions", 66.0, 0.6),
    Column::number("Replicas", 62.0, 0.6).help("Replication factor"),
    Column::number("Min ISR", 54.0, 0.6)
        .help("min.insync.replicas: fewer in sync, and writes with acks=all are refused"),
    Column::number("Messages in", 84.0, 0.8).help("Records appended per second, over the last second or so"),
    Column::number("Size", 76.0, 0.8).help("Bytes on all replicas"),
    Column::number("Out of sync", 78.0, 0.7).help("Partitions with fewer in-sync replicas than replicas"),
    Column::number("Lag", 70.0, 0.7)
        .help("Records that the group farthest behind has not read; blank: nobody reads it"),
    Column::text("Farthest behind", 120.0, 1.4).help("The group with this lag, in the colour of its verdict"),
];

/// Paints it.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, state: &mut State, actions: &mut Vec<Action>) {
    let topics = &scene.model.snapshot().topics;
    let internal = topics.iter().filter(|topic| topic.internal).count();
    let summary = format!("{} · {internal} internal", format::plural(topics.len() - internal, "topic"));
    header(ui, "Topics", &summary, |ui| {
        let create = Button::new("Create topic").with_icon(Icon::Plus).tone(Tone::Primary).show(ui);
        if create.clicked() {
            actions.push(Action::Ask(Dialog::CreateTopic));
        }
        commands::tell(create, Id::CreateTopic);
    });
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = space::M;
        filter_box(ui, "Filter topics", "Filter topics", &mut state.filter);
        toggle(ui, "Show internal topics", &mut state.internal);
    });
    ui.add_space(space::XS);
    if starting(ui, scene, "Topics appear here") {
        return;
    }
    let filter = state.filter.trim().to_lowercase();
    let key = (scene.model.generation, filter.clone(), state.internal, state.table.sort);
    let (show_internal, sort) = (state.internal, state.table.sort);
    let behind = state.lags.get(scene.model.generation, || lags(scene.model));
    let rows = state.rows.get(key, || rows(topics, (&scene.model.topics, behind), &filter, show_internal, sort));
    framed(ui, |ui| {
        if rows.is_empty() {
            if filter.is_empty() {
                let hint =
                    "Create one here, with any Kafka client, or by starting the demo workload on the cluster screen.";
                empty(ui, Icon::Topics, "No topics yet", hint);
            } else if no_match(ui, "No topic matches the filter", "It looks for its words anywhere in the name.") {
                state.filter.clear();
            }
            return;
        }
        let table = Table {
            id: "topics",
            columns: &COLUMNS,
            rows: rows.len(),
            row_height: size::ROW,
            max_height: None,
            active: true,
            selected: None,
        };
        let menu = |index: usize| objects::menu(&Object::Topic(Arc::clone(&topics[rows[index]].name)), scene);
        let (pressed, chosen) = table.show_with(ui, &mut state.table, Some(&menu), |index, row| {
            let (topic, health) = (&topics[rows[index]], scene.model.topics[rows[index]]);
            if topic.internal {
                row.text(&topic.name)
            } else {
                row.strong(&topic.name)
            }
            row.pill(health.worst().pill().as_ref());
            row.text(&format::count(topic.partitions.len() as i64));
            row.text(&replication_factor(topic).to_string());
            row.text(&topic.min_insync_replicas.to_string());
            row.text(&format::rate(topic.messages_in_per_s));
            row.text(&format::bytes(topic.size_bytes as f64));
            row.trouble(health.under_replicated as i64, Mood::Warning);
            let behind = behind[rows[index]].as_ref();
            row.text(&behind.map_or_else(String::new, |behind| format::count(behind.lag)));
            match behind {
                Some(behind) => {
                    row.toned(&behind.group, behind.mood);
                    row.hint(|| behind.group.to_string());
                }
                None => row.text(""),
            }
        });
        actions.extend(chosen);
        if let Some(row) = pressed {
            actions.push(Action::OpenTopic(Arc::clone(&topics[rows[row]].name)));
        }
    });
}

/// Of its first partition; Kafka allows others to differ only during a reassignment.
pub fn replication_factor(topic: &Topic) -> usize {
    topic.partitions.first().map_or(0, |partition| partition.replicas.len())
}

/// For each topic, the group that is farthest behind in it.
fn lags(model: &Model) -> Vec<Option<Behind>> {
    let snapshot = model.snapshot();
    let index: HashMap<&str, usize> =
        snapshot.topics.iter().enumerate().map(|(index, topic)| (&*topic.name, index)).collect();
    let mut worst: Vec<Option<Behind>> = vec![None; snapshot.topics.len()];
    for group in snapshot.groups.iter().filter(|group| group.has_lag()) {
        let mut sums: HashMap<&str, i64> = HashMap::new();
        for offset in &group.offsets {
            *sums.entry(&*offset.topic).or_default() += offset.lag;
        }
        let verdict = verdicts::of(model, group).map_or(Mood::Quiet, verdicts::mood);
        let mood = if verdict >= Mood::Warning { verdict } else { Mood::Quiet };
        for (topic, lag) in sums {
            let Some(place) = index.get(topic).and_then(|index| worst.get_mut(*index)) else { continue };
            // Groups come by name: of two that are as far behind, the first stays.
            if place.as_ref().is_none_or(|known| known.lag < lag) {
                *place = Some(Behind { group: Arc::clone(&group.id), lag, mood });
            }
        }
    }
    worst
}

fn rows(
    topics: &[Arc<Topic>],
    (health, behind): (&[TopicHealth], &[Option<Behind>]),
    filter: &str,
    internal: bool,
    sort: Option<Sort>,
) -> Vec<usize> {
    let lag = |index: usize| behind.get(index).and_then(Option::as_ref).map(|behind| behind.lag);
    let group = |index: usize| behind.get(index).and_then(Option::as_ref).map(|behind| &behind.group);
    let matches = |topic: &Topic| (internal || !topic.internal) && topic.name.to_lowercase().contains(filter);
    let mut rows: Vec<usize> = (0..topics.len()).filter(|index| matches(&topics[*index])).collect();
    rows.sort_by(|&a, &b| {
        let (one, other) = (&topics[a], &topics[b]);
        let order = match sort {
            None => health[b].worst().cmp(&health[a].worst()).then(one.internal.cmp(&other.internal)),
            Some(Sort { column, descending }) => {
                let order = match column {
                    1 => health[a].worst().cmp(&health[b].worst()),
                    2 => one.partitions.len().cmp(&other.partitions.len()),
                    3 => replication_factor(one).cmp(&replication_factor(other)),
                    4 => one.min_insync_replicas.cmp(&other.min_insync_replicas),
                    5 => one.messages_in_per_s.total_cmp(&other.messages_in_per_s),
                    6 => one.size_bytes.cmp(&other.size_bytes),
                    7 => health[a].under_replicated.cmp(&health[b].under_replicated),
                    8 => lag(a).cmp(&lag(b)),
                    9 => group(a).cmp(&group(b)),
                    _ => Ordering::Equal,
                };
                let order = if column == 0 { one.name.cmp(&other.name) } else { order };
                if descending { order.reverse() } else { order }
            }
        };
        order.then_with(|| one.name.cmp(&other.name))
    });
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::fixture;

    fn names(filter: &str, internal: bool, sort: Option<Sort>) -> Vec<String> {
        let mut model = Model::default();
        model.update(fixture::incident());
        let topics = &model.snapshot().topics;
        rows(topics, (&model.topics, &lags(&model)), filter, internal, sort)
            .into_iter()
            .map(|row| topics[row].name.to_string())
            .collect()
    }

    #[test]
    fn trouble_first_then_by_name() {
        assert_eq!(names("", false, None), ["audit", "clicks", "payments", "demo", "orders"]);
    }

    #[test]
    fn the_group_farthest_behind_is_told() {
        let mut model = Model::default();
        model.update(fixture::incident());
        let lags = lags(&model);
        let of = |name: &str| {
            let index = model.snapshot().topics.iter().position(|topic| &*topic.name == name).unwrap();
            lags[index].as_ref()
        };
        let orders = of("orders").unwrap();
        let billing = model.group("billing").unwrap();
        assert_eq!((&*orders.group, orders.lag), ("billing", billing.total_lag));
        assert!(orders.mood >= Mood::Warning);
        assert_eq!(of("audit"), None, "nobody reads it");
    }

    #[test]
    fn filters_and_sorts() {
        assert_eq!(names("ord", false, None), ["orders"]);
        assert!(names("", true, None).contains(&"__consumer_offsets".to_owned()));
        let by_partitions = names("", true, Some(Sort { column: 2, descending: true }));
        assert_eq!(by_partitions[..2], ["__consumer_offsets", "clicks"]);
        let by_lag = names("", false, Some(Sort { column: 8, descending: true }));
        assert_eq!(by_lag[..2], ["clicks", "orders"], "search-indexer and billing do not keep up");
        let by_name = names("", false, Some(Sort { column: 0, descending: true }));
        assert_eq!(by_name[0], "payments");
    }
}
