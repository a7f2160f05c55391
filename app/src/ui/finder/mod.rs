//! The palette: one field that finds every command and every object. What is found is scored piece by piece, a bounded number of names in a
//! frame, so that it stays quick however large the cluster is.
//!
//! Knows the table of commands and the model; what is chosen becomes an action like any other.

pub mod items;
pub mod recents;
pub mod search;
mod view;

pub use view::{key_caps, show};

use std::cmp::Reverse;

use super::app::Scene;
use items::Item;
use recents::Recents;
use search::Query;

/// So many names are looked at in a frame.
const NAMES_PER_FRAME: usize = 6_000;
/// So many of those that fit are kept: nobody reads more.
const HITS_MAX: usize = 200;
/// What was chosen last comes sooner by so much.
const RECENT_BONUS: i32 = 60;
/// Without a query, what was chosen last stands above all commands.
const RECENT_FIRST: i32 = 10_000;

/// Something that fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Hit {
    score: Reverse<i32>,
    index: usize,
}

/// The open palette.
#[derive(Debug, Default)]
pub struct State {
    typed: String,
    query: Query,
    items: Vec<Item>,
    /// Items from here on are partitions that the query asks for.
    partitions_from: usize,
    fingerprint: Option<u64>,
    next: usize,
    hits: Vec<Hit>,
    chosen: usize,
    offset: f32,
    moved: bool,
}

impl State {
    /// Takes in what was typed and what changed; returns whether all names were looked at.
    fn update(&mut self, scene: &Scene<'_>, recents: &Recents) -> bool {
        let fingerprint = Some(items::fingerprint(scene));
        let query = Query::new(&self.typed);
        let is_other = query != self.query;
        if self.fingerprint != fingerprint {
            self.items = items::all(scene);
            self.partitions_from = self.items.len();
            self.fingerprint = fingerprint;
            self.restart(query, scene);
        } else if is_other {
            self.restart(query, scene);
        }
        if is_other {
            self.chosen = 0;
            self.moved = true;
        }
        let until = (self.next + NAMES_PER_FRAME).min(self.partitions_from);
        if self.next < until {
            let found = (self.next..until).filter_map(|index| {
                let score = self.score(index, recents)?;
                Some(Hit { score: Reverse(score), index })
            });
            let found: Vec<Hit> = found.collect();
            self.hits.extend(found);
            self.hits.sort_unstable();
            self.hits.truncate(HITS_MAX);
            self.next = until;
        }
        self.chosen = self.chosen.min(self.hits.len().saturating_sub(1));
        self.next >= self.partitions_from
    }

    fn restart(&mut self, query: Query, scene: &Scene<'_>) {
        self.items.truncate(self.partitions_from);
        self.next = 0;
        self.hits.clear();
        for (score, item) in items::partitions(&query, scene) {
            self.hits.push(Hit { score: Reverse(score), index: self.items.len() });
            self.items.push(item);
        }
        self.query = query;
    }

    fn score(&self, index: usize, recents: &Recents) -> Option<i32> {
        let item = self.items.get(index)?;
        let recent = |item: &Item| recents.rank(&item.key()).map(|rank| rank as i32);
        if self.query.is_empty() {
            return match recent(item) {
                Some(rank) => Some(RECENT_FIRST - rank),
                // In the order of the table.
                None => item.is_plain_command().then_some(0),
            };
        }
        let score = item.score(&self.query)?;
        Some(score + recent(item).map_or(0, |rank| RECENT_BONUS - 2 * rank))
    }

    fn item(&self, place: usize) -> Option<&Item> {
        self.items.get(self.hits.get(place)?.index)
    }

    fn chosen(&self) -> Option<&Item> {
        self.item(self.chosen)
    }
}

#[cfg(test)]
mod tests {
    use super::items::Kind;
    use super::*;
    use crate::monitor::view::View;
    use crate::ui::app::{Action, Options};
    use crate::ui::fixture;
    use crate::ui::model::Model;

    fn found(view: View, recents: &Recents, typed: &str) -> Vec<String> {
        let mut model = Model::default();
        model.update(view);
        let options = Options::default();
        let scene = Scene::plain(&model, &options);
        let mut state = State { typed: typed.into(), ..State::default() };
        while !state.update(&scene, recents) {}
        (0..state.hits.len()).filter_map(|place| state.item(place)).map(Item::key).collect()
    }

    #[test]
    fn all_kinds_of_things_are_found() {
        let view = fixture::incident();
        for (typed, first) in [
            ("kill b2", "command Kill broker 2"),
            ("broker 3", "broker Broker 3"),
            ("3001", "controller Controller 3001"),
            ("orders", "topic orders"),
            ("orders-3", "partition orders-3"),
            ("clicks 23", "partition clicks-23"),
            ("billing", "group billing"),
            ("sigkill", "command Kill broker 1"),
            ("kafka.request", "logger kafka.request.logger"),
            ("bytesinpersec by broker", "metric BytesInPerSec by Broker ID"),
            ("go log", "command Go to Logs"),
            ("delete topic orders", "command Delete topic orders"),
        ] {
            let all = found(view.clone(), &Recents::default(), typed);
            assert_eq!(all.first().map(String::as_str), Some(first), "{typed}: {:?}", &all[..all.len().min(5)]);
        }
        assert_eq!(found(view.clone(), &Recents::default(), "no such thing anywhere"), [""; 0]);
        assert!(!found(view, &Recents::default(), "clicks-24").contains(&"partition clicks-24".to_owned()));
    }

    #[test]
    fn without_a_query_recent_things_come_first_and_commands_after_them() {
        let view = fixture::incident();
        let recents = Recents::remembered(["topic orders".to_owned(), "command Help".into(), "broker Broker 2".into()]);
        let all = found(view, &recents, "");
        assert_eq!(all[..3], ["topic orders", "broker Broker 2", "command Filter"]);
        assert!(all.contains(&"command Heal all".to_owned()) && !all.contains(&"topic clicks".to_owned()));
    }

    #[test]
    fn a_large_cluster_is_looked_through_in_pieces_and_hits_are_bounded() {
        let mut model = Model::default();
        model.update(fixture::large(3_000, 1));
        let options = Options::default();
        let scene = Scene::plain(&model, &options);
        let mut state = State { typed: "service".into(), ..State::default() };
        let recents = Recents::default();
        assert!(!state.update(&scene, &recents), "{} items", state.items.len());
        let frames = state.items.len().div_ceil(NAMES_PER_FRAME);
        assert!((1..=frames).any(|_| state.update(&scene, &recents)), "{} items", state.items.len());
        assert_eq!(state.hits.len(), HITS_MAX);
        state.typed = "service-2999.events".into();
        while !state.update(&scene, &recents) {}
        let first = state.chosen().unwrap();
        assert_eq!((first.kind, first.name.as_str()), (Kind::Topic, "service-2999.events"));
        assert_eq!(first.action, Action::OpenTopic("service-2999.events".into()));
    }
}
