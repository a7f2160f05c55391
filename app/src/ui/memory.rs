//! What the window remembers from one run to the next: how it looks, and what was shown. What is remembered comes from a file that anybody may
//! have written: each part is taken if it makes sense, and otherwise as if it were not there.

use serde_json::{Map, Value, json};

use super::app::{Screen, ThemeChoice};
use super::finder::recents::Recents;
use super::screens::{Screens, metrics};
use super::widgets::table::{Sort, TableState};

/// Where it stands in the storage; `window` is eframe's own, for the place and size of the window.
pub const KEY: &str = "brokerscope";

/// Longer than this it is not ours, bytes.
const TEXT_MAX: usize = 64 * 1024;
/// No filter is longer, bytes.
const FILTER_MAX: usize = 400;
/// No table has more columns.
const COLUMNS_MAX: u64 = 64;
/// No column has a longer name, bytes.
const COLUMN_NAME_MAX: usize = 64;

/// The scale of everything.
pub const ZOOM: Bounds = Bounds { least: 0.5, most: 3.0, step: 0.1, own: 1.0 };
/// Size of text, points. Rows keep their height, and larger text would not fit.
pub const TEXT: Bounds = Bounds { least: 10.0, most: 17.0, step: 1.0, own: super::theme::TEXT_POINTS };

/// Between what something can be set, and how.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    least: f32,
    most: f32,
    step: f32,
    /// What it is when nobody sets it.
    pub own: f32,
}

impl Bounds {
    /// The next above or below, on whole steps.
    pub fn stepped(self, value: f32, steps: f32) -> f32 {
        let whole = (value / self.step).round() + steps;
        // To hundredths, so that steps do not add up to what nobody set.
        ((whole * self.step * 100.0).round() / 100.0).clamp(self.least, self.most)
    }

    fn read(self, value: &Value) -> Option<f32> {
        let value = value.as_f64()? as f32;
        (self.least..=self.most).contains(&value).then_some(value)
    }
}

/// How the window looks, and what it showed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    /// Dark or light.
    pub theme: Option<ThemeChoice>,
    /// Scale of everything.
    pub zoom: Option<f32>,
    /// Size of text.
    pub text_points: Option<f32>,
    /// The screen that was shown.
    pub screen: Option<Screen>,
    /// What was chosen in the palette.
    pub recents: Recents,
    /// All of it, from which the screens take their parts.
    pub document: Value,
}

impl Memory {
    /// As it was written down.
    pub fn read(text: &str) -> Memory {
        let parsed = Some(text).filter(|text| text.len() <= TEXT_MAX).map(serde_json::from_str);
        let Some(Ok(document @ Value::Object(_))) = parsed else { return Memory::default() };
        let themes = [ThemeChoice::Dark, ThemeChoice::Light];
        let recents = document["recents"].as_array().into_iter().flatten();
        Memory {
            theme: themes.into_iter().find(|theme| document["theme"] == theme.name()),
            zoom: ZOOM.read(&document["zoom"]),
            text_points: TEXT.read(&document["text_points"]),
            screen: document["screen"].as_str().and_then(|name| name.parse().ok()),
            recents: Recents::remembered(recents.filter_map(|key| key.as_str().map(str::to_owned))),
            document,
        }
    }

    /// Gives the screens back what they showed.
    pub fn restore(&self, screens: &mut Screens) {
        let document = &self.document;
        for (name, filter) in filters(screens) {
            if let Some(words) = document["filters"][name].as_str().filter(|words| words.len() <= FILTER_MAX) {
                *filter = words.to_owned();
            }
        }
        for (name, table) in tables(screens) {
            table.sort = sort(&document["sorts"][name]).or(table.sort);
            let hidden = document["hidden_columns"][name].as_array().into_iter().flatten();
            let names = hidden.filter_map(Value::as_str).filter(|name| name.len() <= COLUMN_NAME_MAX);
            table.hidden = names.take(COLUMNS_MAX as usize).map(str::to_owned).collect();
        }
        screens.topic.messages.wish.remember(&document["decoders"]);
        screens.topics.internal = document["internal_topics"].as_bool().unwrap_or(screens.topics.internal);
        if let Some(pins) = document["pins"].as_array() {
            let pins: Vec<&str> = pins.iter().filter_map(Value::as_str).collect();
            screens.metrics.pins = metrics::State::remembered(&pins.join("\n"));
        }
    }

    /// What is written down.
    pub fn write(&self, screens: &mut Screens) -> String {
        let mut words = Map::new();
        for (name, filter) in filters(screens) {
            if !filter.is_empty() && filter.len() <= FILTER_MAX {
                words.insert(name.to_owned(), json!(filter));
            }
        }
        let (mut sorts, mut hidden) = (Map::new(), Map::new());
        for (name, table) in tables(screens) {
            if let Some(Sort { column, descending }) = table.sort {
                sorts.insert(name.to_owned(), json!({ "column": column, "descending": descending }));
            }
            if !table.hidden.is_empty() {
                hidden.insert(name.to_owned(), json!(table.hidden));
            }
        }
        json!({
            "theme": self.theme.map(ThemeChoice::name),
            "zoom": self.zoom,
            "text_points": self.text_points,
            "screen": self.screen.map(Screen::name),
            "recents": self.recents.keys(),
            "filters": words,
            "sorts": sorts,
            "hidden_columns": hidden,
            "decoders": screens.topic.messages.wish.remembrance(),
            "internal_topics": screens.topics.internal,
            "pins": screens.metrics.pins,
        })
        .to_string()
    }
}

fn filters(screens: &mut Screens) -> [(&'static str, &mut String); 12] {
    [
        ("partitions", &mut screens.cluster.map.filter),
        ("topics", &mut screens.topics.filter),
        ("groups", &mut screens.groups.filter),
        ("brokers", &mut screens.brokers.filter),
        ("connections", &mut screens.wire.connections.filter),
        ("workloads", &mut screens.workloads.filter),
        ("metrics", &mut screens.metrics.explorer.filter),
        ("alarms", &mut screens.alarms.filter),
        ("events", &mut screens.events.filter),
        ("logs", &mut screens.logs.asked.words),
        ("metadata", &mut screens.quorum.log.filter),
        ("metadata_tree", &mut screens.quorum.tree.filter),
    ]
}

fn tables(screens: &mut Screens) -> [(&'static str, &mut TableState); 12] {
    [
        ("topics", &mut screens.topics.table),
        ("partitions", &mut screens.topic.table),
        ("groups", &mut screens.groups.table),
        ("brokers", &mut screens.brokers.table),
        ("connections", &mut screens.wire.connections.table),
        ("apis", &mut screens.wire.apis.table),
        ("workloads", &mut screens.workloads.table),
        ("alarms", &mut screens.alarms.table),
        ("events", &mut screens.events.table),
        ("logs", &mut screens.logs.table),
        ("quorum", &mut screens.quorum.members.table),
        ("metadata", &mut screens.quorum.log.table),
    ]
}

fn sort(value: &Value) -> Option<Sort> {
    let column = value["column"].as_u64().filter(|column| *column < COLUMNS_MAX)?;
    Some(Sort { column: column as usize, descending: value["descending"].as_bool()? })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set(screens: &mut Screens) {
        screens.topics.filter = "ord".into();
        screens.logs.asked.words = "/fenced/".into();
        screens.groups.table.sort = Some(Sort { column: 3, descending: true });
        screens.topics.table.hidden = vec!["Min ISR".into()];
        screens.topics.internal = true;
        let avro = json!({ "as": "Avro", "schema": "/tmp/order.avsc", "message": "" });
        screens.topic.messages.wish.remember(&json!({ "orders": { "key": { "as": "text" }, "value": avro } }));
        screens.metrics.toggle_pin("BytesInPerSec by Broker ID");
    }

    #[test]
    fn what_was_shown_is_shown_again() {
        let mut screens = Screens::default();
        set(&mut screens);
        let mut memory = Memory {
            theme: Some(ThemeChoice::Light),
            zoom: Some(1.2),
            text_points: Some(15.0),
            screen: Some(Screen::Events),
            ..Memory::default()
        };
        memory.recents.note("topic orders".into());
        let text = memory.write(&mut screens);
        let again = Memory::read(&text);
        assert_eq!(Memory { document: Value::Null, ..again.clone() }, memory);
        let mut screens = Screens::default();
        again.restore(&mut screens);
        assert_eq!((screens.topics.filter.as_str(), screens.logs.asked.words.as_str()), ("ord", "/fenced/"));
        assert_eq!(screens.groups.table.sort, Some(Sort { column: 3, descending: true }));
        assert_eq!(screens.topics.table.hidden, ["Min ISR"]);
        assert!(screens.topics.internal && screens.metrics.pins == ["BytesInPerSec by Broker ID"]);
        let avro = json!({ "key": { "as": "text", "schema": "", "message": "" },
            "value": { "as": "Avro", "schema": "/tmp/order.avsc", "message": "" } });
        assert_eq!(screens.topic.messages.wish.remembrance(), json!({ "orders": avro }));
        assert_eq!(again.write(&mut screens), text);
    }

    #[test]
    fn what_makes_no_sense_is_ignored_and_the_rest_taken() {
        for text in ["", "no", "[]", "null", "7", &"x".repeat(TEXT_MAX + 1)] {
            assert_eq!(Memory::read(text), Memory::default(), "{text:.20}");
        }
        let text = json!({
            "theme": "mauve", "zoom": 99, "text_points": "large", "screen": "topics", "recents": [1, "a"],
            "filters": { "topics": 7, "groups": "x".repeat(FILTER_MAX + 1), "events": "killed", "nobody": "y" },
            "sorts": { "topics": { "column": 1 }, "groups": { "column": -1, "descending": true } },
            "internal_topics": "yes", "decoders": { "a": 7, "b": { "value": { "as": "Klingon", "schema": ["x"] } } }, "pins": ["no such metric", "BytesInPerSec by Broker ID", 3],
        });
        let memory = Memory::read(&text.to_string());
        assert_eq!((memory.theme, memory.zoom, memory.text_points), (None, None, None));
        assert_eq!((memory.screen, memory.recents.keys()), (Some(Screen::Topics), &["a".to_owned()][..]));
        let mut screens = Screens::default();
        memory.restore(&mut screens);
        assert_eq!((screens.topics.filter.as_str(), screens.groups.filter.as_str()), ("", ""));
        assert_eq!(screens.events.filter, "killed");
        assert_eq!(screens.topic.messages.wish.remembrance(), json!({}));
        assert_eq!((screens.topics.table.sort, screens.groups.table.sort), (None, None));
        assert!(!screens.topics.internal && screens.metrics.pins == ["BytesInPerSec by Broker ID"]);
    }

    #[test]
    fn it_stands_beside_what_the_window_system_remembers() {
        assert!(!["window", "egui"].contains(&KEY), "eframe keeps the window's size and egui's memory there");
    }

    #[test]
    fn steps_are_whole_and_bounded() {
        assert_eq!(ZOOM.stepped(1.0, 1.0), 1.1);
        assert_eq!(ZOOM.stepped(1.04, -1.0), 0.9);
        assert_eq!((ZOOM.stepped(3.0, 1.0), ZOOM.stepped(0.5, -1.0)), (3.0, 0.5));
        assert_eq!((TEXT.stepped(13.0, 1.0), TEXT.stepped(17.0, 1.0)), (14.0, 17.0));
    }

    proptest! {
        #[test]
        fn whatever_is_remembered_is_survived(text in "\\PC{0,60}|\\{\"(theme|zoom|screen|filters|pins)\":[0-9a-z\"\\[\\]{}:,.-]{0,12}\\}") {
            Memory::read(&text).restore(&mut Screens::default());
        }
    }
}
