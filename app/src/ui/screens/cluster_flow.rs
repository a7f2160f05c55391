//! What flows through the cluster, as it was measured: who is connected to whom, what brokers copy from each other, which leaderships moved.
//!
//! Pure: views in, facts out. What nobody measures (which client writes to which partition) is not guessed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use broker::metrics::Reading;
use broker::metrics::table::{network, replica};
use broker::types::Id;

use crate::monitor::groups::GroupsView;
use crate::monitor::groups::lags::Row;
use crate::monitor::snapshot::{Group, Partition, Topic};
use crate::monitor::view::Measured;
use crate::ui::model::{Model, group_mood};
use crate::ui::verdicts;
use crate::ui::widgets::pill::Mood;

/// Clients that name the same software and version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Software {
    /// Name and version, as they told them (KIP-511).
    pub name: String,
    /// Connections, by broker.
    pub by_broker: BTreeMap<i32, u64>,
}

impl Software {
    /// Connections to all brokers.
    pub fn connections(&self) -> u64 {
        self.by_broker.values().sum()
    }
}

/// A group's members, as clients.
#[derive(Clone, Debug, PartialEq)]
pub struct Consumers {
    /// Its name.
    pub id: Arc<str>,
    /// How many.
    pub members: usize,
    /// Their `client.id`s, without what tells them apart from each other.
    pub clients: Vec<String>,
    /// Zones that they told.
    pub zones: Vec<String>,
    /// Brokers that lead what they read.
    pub leaders: Vec<i32>,
    /// Records that they committed per second, over the last seconds; `None`: not known.
    pub records_per_s: Option<f64>,
    /// How it is.
    pub mood: Mood,
}

/// Groups that are shown; all others are counted.
pub const GROUPS_MAX: usize = 8;
/// Partitions of a group that are looked at for their leaders.
const LOOKED_AT: usize = 2_000;

/// By software and version, the most connections first.
pub fn software(measured: &Measured) -> Vec<Software> {
    let mut all: BTreeMap<String, BTreeMap<i32, u64>> = BTreeMap::new();
    for (node, report) in measured {
        for series in report.of(&network::CONNECTIONS) {
            let word = |key: &str| series.label(key).map_or_else(String::new, ToString::to_string);
            let name = format!("{} {}", word("clientSoftwareName"), word("clientSoftwareVersion"));
            let count = series.value().max(0.0) as u64;
            if count > 0 {
                *all.entry(name.trim().to_owned()).or_default().entry(*node).or_default() += count;
            }
        }
    }
    let mut all: Vec<Software> = all.into_iter().map(|(name, by_broker)| Software { name, by_broker }).collect();
    all.sort_by_key(|one| std::cmp::Reverse(one.connections()));
    all
}

/// Groups with members: those in trouble first, then the largest; and how many there are in all.
pub fn consumers(model: &Model) -> (Vec<Consumers>, usize) {
    let mood = |group: &Group| {
        let verdict = verdicts::of(model, group).map_or(Mood::Quiet, verdicts::mood);
        let mood = group_mood(group).max(verdict);
        if mood >= Mood::Warning { mood } else { Mood::Quiet }
    };
    let groups = model.snapshot().groups.iter().filter(|group| !group.members.is_empty());
    let mut groups: Vec<(Mood, &Arc<Group>)> = groups.map(|group| (mood(group), group)).collect();
    groups.sort_by(|(mood, one), (other_mood, other)| {
        let by_size = other.members.len().cmp(&one.members.len());
        other_mood.cmp(mood).then(by_size).then_with(|| one.id.cmp(&other.id))
    });
    let all = groups.len();
    (groups.into_iter().take(GROUPS_MAX).map(|(mood, group)| of(model, group, mood)).collect(), all)
}

fn of(model: &Model, group: &Group, mood: Mood) -> Consumers {
    let sorted = |mut words: Vec<String>| {
        words.sort();
        words.dedup();
        words
    };
    let members = &group.members;
    Consumers {
        id: Arc::clone(&group.id),
        members: members.len(),
        clients: sorted(members.iter().map(|member| stem(&member.client_id).to_owned()).collect()),
        zones: sorted(
            members.iter().filter_map(|member| member.rack_id.clone()).filter(|zone| !zone.is_empty()).collect(),
        ),
        leaders: leaders(model, group),
        records_per_s: verdicts::watched(model, group).and_then(|watched| pace(&watched.rows)),
        mood,
    }
}

/// `orders-reader` of `orders-reader-12`.
fn stem(client_id: &str) -> &str {
    let stem = client_id.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches(['-', '_', '.']);
    if stem.is_empty() { client_id } else { stem }
}

fn leaders(model: &Model, group: &Group) -> Vec<i32> {
    let mut found: Vec<i32> = Vec::new();
    let mut topic: Option<&Topic> = None;
    for assigned in group.members.iter().flat_map(|member| &member.assignment).take(LOOKED_AT) {
        if topic.is_none_or(|topic| topic.name != assigned.topic) {
            topic = model.topic(&assigned.topic).map(|(topic, _)| &**topic);
        }
        let index = usize::try_from(assigned.partition).unwrap_or(usize::MAX);
        let leader = topic.and_then(|topic| topic.partitions.get(index)).map(|partition| partition.leader);
        found.extend(leader.filter(|leader| *leader >= 0 && !found.contains(leader)));
    }
    found.sort_unstable();
    found
}

/// How far back commits are counted: consumers commit every five seconds unless told otherwise.
const PACE_MS: i64 = 10_000;

/// Records committed per second.
fn pace(rows: &VecDeque<Arc<Row>>) -> Option<f64> {
    let newest = rows.back()?;
    let before = rows.iter().rev().take_while(|row| newest.at_ms - row.at_ms <= PACE_MS).last()?;
    let span_ms = newest.at_ms - before.at_ms;
    if span_ms <= 0 {
        return None;
    }
    let read = newest.names.iter().zip(&newest.samples).filter_map(|(name, now)| {
        let then = before.get(name)?;
        Some(now.committed.max(0).saturating_sub(then.committed.max(0)).max(0))
    });
    Some(read.sum::<i64>() as f64 * 1000.0 / span_ms as f64)
}

/// What followers fetch from leaders, pair by pair.
#[derive(Debug, Default)]
pub struct Replication {
    pairs: BTreeMap<(i32, i32), Counted>,
}

/// What was counted of a pair last.
#[derive(Debug)]
struct Counted {
    incarnation: Id,
    mono: Duration,
    bytes: u64,
    bytes_per_s: f64,
}

/// Past that, the last count is too old: what the broker itself says of the last minute is nearer.
const STALE: Duration = Duration::from_secs(5);

impl Replication {
    /// Takes in what brokers measured; what is known already changes nothing.
    pub fn read(&mut self, measured: &Measured) {
        for (follower, report) in measured {
            for series in report.of(&replica::FETCHER_BYTES) {
                let Reading::Meter(meter) = &series.reading else { continue };
                let Some(leader) = series.label("clientId").and_then(|label| leader_of(&label.to_string())) else {
                    continue;
                };
                let before = self.pairs.get(&(leader, *follower)).filter(|one| one.incarnation == report.incarnation);
                if before.is_some_and(|before| before.mono == report.mono) {
                    continue;
                }
                let bytes_per_s = before.and_then(|before| {
                    let passed = report.mono.checked_sub(before.mono).filter(|passed| *passed <= STALE)?;
                    Some(meter.count.checked_sub(before.bytes)? as f64 / passed.as_secs_f64())
                });
                // Where nothing was copied, that is so however long ago it was counted.
                let is_still = before.is_some_and(|before| before.bytes == meter.count);
                let bytes_per_s = if is_still { Some(0.0) } else { bytes_per_s };
                let counted = Counted {
                    incarnation: report.incarnation,
                    mono: report.mono,
                    bytes: meter.count,
                    bytes_per_s: bytes_per_s.unwrap_or(meter.one_minute_rate),
                };
                self.pairs.insert((leader, *follower), counted);
            }
        }
        self.pairs.retain(|(leader, follower), _| {
            // Nobody fetches from one that does not run.
            measured.contains_key(follower) && measured.contains_key(leader)
        });
    }

    /// Bytes per second from one zone to another (or within one), zones by `zone_of`.
    pub fn between(&self, zone_of: impl Fn(i32) -> Option<usize>) -> BTreeMap<(usize, usize), f64> {
        let mut sums = BTreeMap::new();
        for ((leader, follower), counted) in &self.pairs {
            if let (Some(from), Some(to)) = (zone_of(*leader), zone_of(*follower)) {
                *sums.entry((from, to)).or_default() += counted.bytes_per_s;
            }
        }
        sums
    }
}

/// Whether the same clients are connected, and nothing was copied between the two: then nothing that is shown of them differs.
pub fn is_measured_alike(one: &Measured, other: &Measured) -> bool {
    copied(one) == copied(other) && software(one) == software(other)
}

/// Bytes that brokers fetched, by the broker and its fetcher.
fn copied(measured: &Measured) -> Vec<(i32, Id, Option<String>, u64)> {
    let series = measured.iter().flat_map(|(id, report)| {
        let of_broker = report.of(&replica::FETCHER_BYTES);
        of_broker.map(move |series| (*id, report.incarnation, series))
    });
    let counted = series.filter_map(|(id, incarnation, series)| match &series.reading {
        Reading::Meter(meter) => {
            let fetcher = series.label("clientId").map(ToString::to_string);
            Some((id, incarnation, fetcher, meter.count))
        }
        _ => None,
    });
    counted.collect()
}

/// Whether groups commit as fast in both.
pub fn is_pace_alike(one: &GroupsView, other: &GroupsView) -> bool {
    let paces = |groups: &GroupsView| -> Vec<Option<f64>> {
        groups.watched.values().map(|watched| pace(&watched.rows)).collect()
    };
    Arc::ptr_eq(&one.watched, &other.watched) || paces(one) == paces(other)
}

/// The leader in the name of a fetcher, `ReplicaFetcherThread-0-3`.
fn leader_of(client_id: &str) -> Option<i32> {
    client_id.rsplit('-').next()?.parse().ok()
}

/// Leaderships that move.
#[derive(Debug, Default)]
pub struct Moves {
    /// As they were last, in the order of the snapshot.
    leaders: Vec<(Arc<str>, Vec<i32>)>,
    under_way: Vec<Move>,
}

/// Leaderships that went from one broker to another at the same time.
#[derive(Clone, Debug, PartialEq)]
pub struct Move {
    /// Who led.
    pub from: i32,
    /// Who leads.
    pub to: i32,
    /// The partition, if it is one alone; else how many.
    pub what: String,
    count: usize,
    began_s: f64,
}

/// How long a leadership is on its way.
const MOVE_S: f64 = 0.6;
/// More pairs than that at once are not told apart.
const PAIRS_MAX: usize = 12;

impl Moves {
    /// Takes the leaders in, at a time of the window's clock. One who looked away is not shown what moved meanwhile.
    pub fn note(&mut self, topics: &[Arc<Topic>], now_s: f64, looked_away: bool) {
        let mut moved: Vec<Move> = Vec::new();
        for (index, topic) in topics.iter().enumerate() {
            let leaders = |partitions: &[Partition]| partitions.iter().map(|one| one.leader).collect::<Vec<i32>>();
            match self.leaders.get_mut(index) {
                Some((name, known)) if *name == topic.name => {
                    if topic.partitions.iter().map(|one| one.leader).eq(known.iter().copied()) {
                        continue;
                    }
                    for (partition, from) in topic.partitions.iter().zip(&*known) {
                        note(&mut moved, topic, partition, *from, now_s);
                    }
                    *known = leaders(&topic.partitions);
                }
                // Topics came or went: the others are known anew, one by one.
                _ => {
                    let found = self.leaders.iter().skip(index).position(|(name, _)| *name == topic.name);
                    if let Some(after) = found {
                        self.leaders.drain(index..index + after);
                        let known = &mut self.leaders[index].1;
                        for (partition, from) in topic.partitions.iter().zip(&*known) {
                            note(&mut moved, topic, partition, *from, now_s);
                        }
                        *known = leaders(&topic.partitions);
                    } else {
                        self.leaders.insert(index, (Arc::clone(&topic.name), leaders(&topic.partitions)));
                    }
                }
            }
        }
        self.leaders.truncate(topics.len());
        if !looked_away {
            self.under_way.extend(moved);
            self.under_way.truncate(PAIRS_MAX);
        }
    }

    /// Those on their way, and how far they are, from 0 to 1.
    pub fn at(&mut self, now_s: f64) -> Vec<(Move, f32)> {
        self.under_way.retain(|one| now_s - one.began_s < MOVE_S);
        self.under_way
            .iter()
            .map(|one| (one.clone(), ((now_s - one.began_s) / MOVE_S).clamp(0.0, 1.0) as f32))
            .collect()
    }
}

fn note(moved: &mut Vec<Move>, topic: &Topic, partition: &Partition, from: i32, now_s: f64) {
    let to = partition.leader;
    if from < 0 || to < 0 || from == to {
        return;
    }
    match moved.iter_mut().find(|one| (one.from, one.to) == (from, to)) {
        Some(one) => {
            one.count += 1;
            one.what = format!("{} leaders", one.count);
        }
        None => {
            let what = format!("{}-{}", topic.name, partition.id);
            moved.push(Move { from, to, what, count: 1, began_s: now_s });
        }
    }
}

#[cfg(test)]
mod tests {
    use broker::metrics::{Label, MeterReading, MetricsReport, Series};

    use super::*;
    use crate::ui::fixture;

    fn report(node: i32, at_s: u64, counts: &[(i32, u64)]) -> (i32, Arc<MetricsReport>) {
        let series = counts.iter().map(|(leader, bytes)| Series {
            bean: &replica::FETCHER_BYTES,
            labels: Box::new([("clientId", Label::from(format!("ReplicaFetcherThread-0-{leader}")))]),
            reading: Reading::Meter(MeterReading { count: *bytes, one_minute_rate: 7.0, ..MeterReading::default() }),
        });
        let report = MetricsReport {
            node_id: node,
            mono: Duration::from_secs(at_s),
            series: series.collect(),
            ..MetricsReport::default()
        };
        (node, Arc::new(report))
    }

    #[test]
    fn what_a_pair_copies_is_the_difference_of_two_counts_and_before_that_what_the_broker_says() {
        let zone = |id: i32| usize::try_from(id).ok();
        let mut replication = Replication::default();
        let first: Measured = [report(1, 10, &[]), report(2, 10, &[(1, 1_000)])].into();
        replication.read(&first);
        assert_eq!(replication.between(zone), [((1, 2), 7.0)].into());
        replication.read(&first);
        assert_eq!(replication.between(zone), [((1, 2), 7.0)].into(), "the same is no news");
        let second: Measured = [report(1, 12, &[]), report(2, 12, &[(1, 5_000)])].into();
        replication.read(&second);
        assert_eq!(replication.between(zone), [((1, 2), 2_000.0)].into());
        assert_eq!(replication.between(|_| Some(0)), [((0, 0), 2_000.0)].into());
        let much_later: Measured = [report(1, 40, &[]), report(2, 40, &[(1, 5_000)])].into();
        assert!(is_measured_alike(&second, &much_later) && !is_measured_alike(&first, &second));
        replication.read(&much_later);
        assert_eq!(replication.between(zone), [((1, 2), 0.0)].into(), "nothing was copied meanwhile");
        let without: Measured = [report(2, 41, &[(1, 5_000)])].into();
        replication.read(&without);
        assert_eq!(replication.between(zone), BTreeMap::new(), "one that does not run gives nothing");
    }

    #[test]
    fn leaderships_move_once_by_pair_and_not_for_one_who_was_away() {
        let topics = |leaders: &[i32]| {
            let partitions = leaders.iter().enumerate().map(|(id, leader)| Partition {
                id: id as i32,
                leader: *leader,
                ..Partition::default()
            });
            vec![Arc::new(Topic { partitions: partitions.collect(), ..Topic::named("t") })]
        };
        let mut moves = Moves::default();
        moves.note(&topics(&[1, 2, 3]), 0.0, true);
        assert_eq!(moves.at(0.0), [], "all is new");
        moves.note(&topics(&[1, 3, 3]), 1.0, false);
        let seen = moves.at(1.0 + MOVE_S / 2.0);
        assert_eq!((seen.len(), seen[0].0.from, seen[0].0.to, seen[0].0.what.as_str()), (1, 2, 3, "t-1"));
        assert!((seen[0].1 - 0.5).abs() < 1e-3);
        assert_eq!(moves.at(1.0 + MOVE_S), [], "and then it is still");
        moves.note(&topics(&[2, 2, -1]), 20.0, false);
        let seen: Vec<String> = moves.at(20.0).into_iter().map(|(one, _)| one.what).collect();
        assert_eq!(seen, ["t-0", "t-1"], "a lost one goes nowhere");
        moves.note(&topics(&[1, 1, 1]), 60.0, true);
        assert_eq!(moves.at(60.0), []);
        moves.note(&topics(&[3, 3, 1]), 61.0, false);
        assert_eq!(moves.at(61.0)[0].0.what, "2 leaders");
        // A topic before it comes, and it is known again.
        let mut two = topics(&[3, 3, 1]);
        two.insert(0, Arc::new(Topic::named("a")));
        moves.note(&two, 62.0, false);
        assert_eq!(moves.at(62.0), []);
        moves.note(&topics(&[3, 3, 2]), 63.0, false);
        assert_eq!(moves.at(63.0)[0].0.what, "t-2");
    }

    #[test]
    fn clients_are_grouped_by_software_and_groups_told_with_their_pace() {
        let mut model = Model::default();
        model.update(fixture::healthy());
        let software = software(&model.view.metrics);
        assert_eq!(software[0].name, "librdkafka 2.10.0");
        assert_eq!(software[0].connections(), 18);
        assert_eq!(software[1].by_broker, [(1, 3), (2, 3), (3, 3)].into());
        let (groups, all) = consumers(&model);
        assert_eq!(groups.len(), all.min(GROUPS_MAX));
        let demo = groups.iter().find(|group| &*group.id == "demo-readers").unwrap();
        assert_eq!((demo.members, demo.leaders.as_slice()), (2, [1, 2, 3].as_slice()));
        assert_eq!(demo.clients, ["demo-readers"]);
        assert!(demo.records_per_s.is_some_and(|rate| rate > 0.0), "{demo:?}");
    }
}
