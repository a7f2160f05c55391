//! Back and forward: what was shown, so much of it that one finds it again.

use std::collections::VecDeque;
use std::sync::Arc;

use super::app::Screen;
use super::screens::log_rows::Asked;
use super::screens::metrics::Half;
use super::screens::metrics_explorer::Source;
use super::screens::{Screens, events, quorum, topic, wire};

/// So many places are kept.
const PLACES_MAX: usize = 100;

/// What a screen shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// The screen.
    pub screen: Screen,
    subject: Subject,
    filter: String,
}

/// What of it.
#[derive(Clone, Debug, PartialEq)]
enum Subject {
    /// The screen's own choice.
    None,
    /// A topic, a group or an alarm.
    Named(Arc<str>),
    /// Half of the metrics, and which metric.
    Metrics(Half, Source, Option<String>),
    /// A tab of the quorum.
    Quorum(quorum::Tab),
    Wire(wire::Tab),
    Events(events::Tab),
    /// Lines of logs, their words apart.
    Lines(Box<Asked>),
}

impl Place {
    /// What is shown now.
    pub fn of(screen: Screen, screens: &Screens) -> Place {
        let named = |name: Option<&str>| name.map_or(Subject::None, |name| Subject::Named(name.into()));
        let (subject, filter) = match screen {
            Screen::Start => (Subject::None, String::new()),
            Screen::Cluster => (Subject::None, screens.cluster.map.filter.clone()),
            Screen::Topics => (Subject::None, screens.topics.filter.clone()),
            Screen::Topic => (named(screens.topic.name.as_deref()), String::new()),
            Screen::Groups => (named(screens.groups.chosen.as_deref()), screens.groups.filter.clone()),
            Screen::Brokers => {
                let chosen = screens.brokers.chosen.map(|id| id.to_string());
                (named(chosen.as_deref()), screens.brokers.filter.clone())
            }
            Screen::Wire => (Subject::Wire(screens.wire.tab), screens.wire.connections.filter.clone()),
            Screen::Workloads => {
                let chosen = screens.workloads.chosen.map(|id| id.to_string());
                (named(chosen.as_deref()), screens.workloads.filter.clone())
            }
            Screen::Faults => (Subject::None, screens.faults.filter.clone()),
            Screen::Ledger => {
                let chosen = screens.ledger.chosen.map(|id| id.to_string());
                (named(chosen.as_deref()), screens.ledger.filter.clone())
            }
            Screen::Metrics => {
                let (half, explorer) = (screens.metrics.half, &screens.metrics.explorer);
                (Subject::Metrics(half, explorer.source, explorer.chosen.clone()), explorer.filter.clone())
            }
            Screen::Alarms => (named(screens.alarms.chosen.as_deref()), screens.alarms.filter.clone()),
            Screen::Events => (Subject::Events(screens.events.tab), screens.events.filter.clone()),
            Screen::Quorum => {
                let quorum = &screens.quorum;
                let filter = [&quorum.log.filter, &quorum.tree.filter];
                (Subject::Quorum(quorum.tab), filter[usize::from(quorum.tab == quorum::Tab::Tree)].clone())
            }
            Screen::Gallery => (Subject::None, String::new()),
            Screen::Logs => {
                let asked = &screens.logs.asked;
                let wordless = Asked { words: String::new(), ..asked.clone() };
                (Subject::Lines(Box::new(wordless)), asked.words.clone())
            }
        };
        Place { screen, subject, filter }
    }

    /// Shows it again.
    pub fn restore(self, screens: &mut Screens) -> Screen {
        let Place { screen, subject, filter } = self;
        let name = match &subject {
            Subject::Named(name) => Some(Arc::clone(name)),
            _ => None,
        };
        match screen {
            Screen::Cluster => screens.cluster.map.filter = filter,
            Screen::Topics => screens.topics.filter = filter,
            Screen::Topic if screens.topic.name == name => {}
            Screen::Topic => screens.topic = name.map_or_else(topic::State::default, topic::State::of),
            Screen::Groups => (screens.groups.chosen, screens.groups.filter) = (name, filter),
            Screen::Brokers => {
                let chosen = name.and_then(|name| name.parse().ok());
                (screens.brokers.chosen, screens.brokers.filter) = (chosen, filter);
            }
            Screen::Wire => {
                if let Subject::Wire(tab) = subject {
                    (screens.wire.tab, screens.wire.connections.filter) = (tab, filter);
                }
            }
            Screen::Workloads => {
                let id = name.and_then(|name| name.parse().ok());
                (screens.workloads.chosen, screens.workloads.filter) = (id, filter);
            }
            Screen::Ledger => {
                let id = name.and_then(|name| name.parse().ok());
                (screens.ledger.chosen, screens.ledger.filter) = (id, filter);
            }
            Screen::Alarms => {
                (screens.alarms.chosen, screens.alarms.filter) = (name.map(|name| name.to_string()), filter);
            }
            Screen::Events => {
                if let Subject::Events(tab) = subject {
                    (screens.events.tab, screens.events.filter) = (tab, filter);
                }
            }
            Screen::Faults => screens.faults.filter = filter,
            Screen::Metrics => {
                if let Subject::Metrics(half, source, chosen) = subject {
                    let explorer = &mut screens.metrics.explorer;
                    (explorer.source, explorer.chosen, explorer.filter) = (source, chosen, filter);
                    screens.metrics.half = half;
                }
            }
            Screen::Quorum => {
                if let Subject::Quorum(tab) = subject {
                    screens.quorum.tab = tab;
                    match tab {
                        quorum::Tab::Members => {}
                        quorum::Tab::Log => screens.quorum.log.filter = filter,
                        quorum::Tab::Tree => screens.quorum.tree.filter = filter,
                    }
                }
            }
            Screen::Gallery | Screen::Start => {}
            Screen::Logs => {
                if let Subject::Lines(asked) = subject {
                    screens.logs.asked = Asked { words: filter, ..*asked };
                }
            }
        }
        screen
    }

    /// Whether it is the same but for what is typed into the filter, or for what the screen chose by itself.
    fn is_refined(&self, before: &Place) -> bool {
        let is_own = |subject: &Subject| *subject == Subject::None;
        self.screen == before.screen && (self.subject == before.subject || is_own(&before.subject))
    }
}

/// Where one was, and where one went back from.
#[derive(Debug, Default)]
pub struct History {
    back: VecDeque<Place>,
    now: Option<Place>,
    forward: Vec<Place>,
}

impl History {
    /// Takes note of what is shown.
    pub fn note(&mut self, place: Place) {
        if self.now.as_ref() == Some(&place) {
            return;
        }
        match self.now.replace(place) {
            Some(before) if !self.now.as_ref().is_some_and(|now| now.is_refined(&before)) => {
                if self.back.len() == PLACES_MAX {
                    self.back.pop_front();
                }
                self.back.push_back(before);
                self.forward.clear();
            }
            _ => {}
        }
    }

    /// Whether there is a way back, and one forward.
    pub fn can_go(&self) -> (bool, bool) {
        (!self.back.is_empty(), !self.forward.is_empty())
    }

    /// What was shown before.
    pub fn back(&mut self) -> Option<Place> {
        let place = self.back.pop_back()?;
        self.forward.extend(self.now.replace(place.clone()));
        Some(place)
    }

    /// What one went back from.
    pub fn forward(&mut self) -> Option<Place> {
        let place = self.forward.pop()?;
        self.back.extend(self.now.replace(place.clone()));
        Some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(screen: Screen, name: &str, filter: &str) -> Place {
        let subject = if name.is_empty() { Subject::None } else { Subject::Named(name.into()) };
        Place { screen, subject, filter: filter.into() }
    }

    #[test]
    fn back_and_forward_again_until_one_goes_elsewhere() {
        let mut history = History::default();
        let places = [
            place(Screen::Cluster, "", ""),
            place(Screen::Topics, "", ""),
            place(Screen::Topic, "orders", ""),
            place(Screen::Topic, "clicks", ""),
        ];
        places.iter().for_each(|place| history.note(place.clone()));
        assert_eq!(history.can_go(), (true, false));
        assert_eq!(history.back(), Some(places[2].clone()));
        history.note(places[2].clone());
        assert_eq!(history.can_go(), (true, true), "showing what one went back to is no news");
        assert_eq!(history.back(), Some(places[1].clone()));
        assert_eq!(history.forward(), Some(places[2].clone()));
        history.note(place(Screen::Logs, "", ""));
        assert_eq!(history.forward(), None);
        assert_eq!(history.back(), Some(places[2].clone()));
    }

    #[test]
    fn what_is_typed_into_a_filter_is_no_place_of_its_own() {
        let mut history = History::default();
        history.note(place(Screen::Topics, "", ""));
        history.note(place(Screen::Topics, "", "o"));
        history.note(place(Screen::Topics, "", "or"));
        assert_eq!(history.can_go(), (false, false));
        history.note(place(Screen::Events, "", ""));
        assert_eq!(history.back(), Some(place(Screen::Topics, "", "or")));
        assert_eq!(history.back(), None);
    }

    #[test]
    fn what_a_screen_chooses_by_itself_is_no_step() {
        let mut history = History::default();
        history.note(place(Screen::Topic, "", ""));
        history.note(place(Screen::Topic, "audit", ""));
        assert_eq!(history.can_go(), (false, false));
    }

    #[test]
    fn it_is_bounded() {
        let mut history = History::default();
        for index in 0..1_000 {
            history.note(place(Screen::Topic, &format!("topic-{index}"), ""));
        }
        assert_eq!(history.back.len(), PLACES_MAX);
        let steps = std::iter::from_fn(|| history.back()).count();
        assert_eq!((steps, history.forward.len()), (PLACES_MAX, PLACES_MAX));
    }

    #[test]
    fn places_are_shown_again_with_what_they_showed() {
        let mut screens = Screens::default();
        screens.groups.chosen = Some("billing".into());
        screens.groups.filter = "bil".into();
        screens.logs.asked.node = Some(2);
        screens.logs.asked.words = "fenced".into();
        let places = [Place::of(Screen::Groups, &screens), Place::of(Screen::Logs, &screens)];
        screens = Screens::default();
        for place in places {
            place.restore(&mut screens);
        }
        assert_eq!((screens.groups.chosen.as_deref(), screens.groups.filter.as_str()), (Some("billing"), "bil"));
        assert_eq!((screens.logs.asked.node, screens.logs.asked.words.as_str()), (Some(2), "fenced"));
    }
}
