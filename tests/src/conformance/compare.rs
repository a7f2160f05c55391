//! Two lists of exchanges to the differences between them, grouped so that one cause is one line.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Value, json};

use super::known;
use super::side::Exchange;

/// One field that differs in one exchange.
#[derive(Clone, Debug)]
pub struct Difference {
    /// Which exchange.
    pub key: String,
    /// The API of it.
    pub api: String,
    /// Where, with `[]` for any element of an array.
    pub path: String,
    /// What Kafka says there.
    pub kafka: Value,
    /// What we say.
    pub ours: Value,
}

/// What came of a comparison.
#[derive(Default)]
pub struct Report {
    /// Exchanges that were compared.
    pub exchanges: usize,
    /// Of these, with no difference at all.
    pub same: usize,
    /// Differences that no entry explains.
    pub red: Vec<Difference>,
    /// Differences by the id of the entry that explains them.
    pub explained: BTreeMap<&'static str, Vec<Difference>>,
}

/// Compares.
pub fn compare(kafka: &[Exchange], ours: &[Exchange]) -> Report {
    let mut report = Report::default();
    let mine: HashMap<&str, &Value> = ours.iter().map(|one| (one.key.as_str(), &one.outcome)).collect();
    let theirs: BTreeSet<&str> = kafka.iter().map(|one| one.key.as_str()).collect();
    let absent = json!({"!": "not asked"});
    for exchange in kafka {
        let other = mine.get(exchange.key.as_str()).copied().unwrap_or(&absent);
        report.take(&exchange.key, &exchange.outcome, other);
    }
    for exchange in ours.iter().filter(|one| !theirs.contains(one.key.as_str())) {
        report.take(&exchange.key, &absent, &exchange.outcome);
    }
    report
}

impl Report {
    fn take(&mut self, key: &str, kafka: &Value, ours: &Value) {
        self.exchanges += 1;
        if kafka == ours {
            self.same += 1;
            return;
        }
        let api = key.split(' ').next().unwrap_or_default();
        let mut found = Vec::new();
        if sorted(kafka) == sorted(ours) {
            order(kafka, ours, String::new(), &mut found);
        } else {
            differences(&sorted(kafka), &sorted(ours), String::new(), &mut found);
        }
        for (path, kafka, ours) in found {
            let difference = Difference { key: key.to_owned(), api: api.to_owned(), path, kafka, ours };
            match known::explain(&difference) {
                Some(id) => self.explained.entry(id).or_default().push(difference),
                None => self.red.push(difference),
            }
        }
    }

    /// One line for each group of unexplained differences, the most frequent first: API, field, Kafka's value, ours, and where.
    pub fn lines(&self) -> Vec<String> {
        let mut groups: BTreeMap<(&str, &str, String, String), Vec<&str>> = BTreeMap::new();
        for one in &self.red {
            let group = (one.api.as_str(), one.path.as_str(), general(&one.kafka), general(&one.ours));
            groups.entry(group).or_default().push(&one.key);
        }
        let mut groups: Vec<_> = groups.into_iter().collect();
        groups.sort_by(|a, b| (a.0.0, b.1.len()).cmp(&(b.0.0, a.1.len())));
        let line = |((api, path, kafka, ours), keys): &(_, Vec<&str>)| {
            format!("{api} {path}: Kafka {kafka}, ours {ours}; {} times, {}", keys.len(), places(keys))
        };
        groups.iter().map(line).collect()
    }
}

/// The versions, and the first of the cases.
fn places(keys: &[&str]) -> String {
    let mut versions = BTreeSet::new();
    let mut cases = BTreeSet::new();
    for key in keys {
        let mut words = key.splitn(3, ' ');
        let (_, version, case) = (words.next(), words.next().unwrap_or_default(), words.next().unwrap_or_default());
        versions.insert(version.trim_start_matches('v').parse::<i32>().unwrap_or(-1));
        cases.insert(case);
    }
    let versions: Vec<String> = versions.iter().map(i32::to_string).collect();
    let some: Vec<&str> = cases.iter().take(4).copied().collect();
    let more = if cases.len() > 4 { format!(" and {} more", cases.len() - 4) } else { String::new() };
    format!("versions {}, in [{}]{more}", versions.join(","), some.join("] ["))
}

/// Shortened, and with numbers in texts left out.
fn general(value: &Value) -> String {
    let text = value.to_string();
    if !value.is_string() {
        return if text.len() > 300 { format!("{}…", text.chars().take(300).collect::<String>()) } else { text };
    }
    let mut result = String::new();
    for c in text.chars().take(400) {
        match c {
            '0'..='9' if result.ends_with('N') => {}
            '0'..='9' => result.push('N'),
            c => result.push(c),
        }
    }
    result
}

/// The same with each array in an order of its own making.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(sorted).collect();
            items.sort_by_cached_key(sort_key);
            Value::Array(items)
        }
        Value::Object(object) => {
            Value::Object(object.iter().map(|(key, value)| (key.clone(), sorted(value))).collect())
        }
        other => other.clone(),
    }
}

/// What identifies an element, if anything does.
fn identity(value: &Value) -> Option<String> {
    const NAMES: [&str; 16] = [
        "Name",
        "Topic",
        "TopicName",
        "ResourceType",
        "ResourceName",
        "GroupId",
        "TransactionalId",
        "MemberId",
        "PartitionIndex",
        "Partition",
        "PartitionId",
        "ApiKey",
        "NodeId",
        "Key",
        "Feature",
        "TopicId",
    ];
    let named: Vec<String> = NAMES
        .iter()
        .filter_map(|name| value.get(*name))
        .map(|value| value.as_i64().map_or_else(|| value.to_string(), |number| format!("{number:020}")))
        .collect();
    (!named.is_empty()).then(|| named.join(" "))
}

/// What identifies an element comes first, so that elements of the same name stand opposite each other.
fn sort_key(value: &Value) -> String {
    format!("{}\u{0}{value}", identity(value).unwrap_or_default())
}

type Found = Vec<(String, Value, Value)>;

fn order(kafka: &Value, ours: &Value, path: String, found: &mut Found) {
    match (kafka, ours) {
        (Value::Array(a), Value::Array(b)) if a != b => {
            let names = |items: &[Value]| -> Vec<String> {
                items.iter().map(|item| identity(item).unwrap_or_else(|| item.to_string())).collect()
            };
            if names(a) != names(b) {
                let text = |items| names(items).join(", ").chars().take(200).collect::<String>();
                found.push((format!("{path}[] order"), Value::from(text(a)), Value::from(text(b))));
                return;
            }
            for (a, b) in a.iter().zip(b) {
                order(a, b, format!("{path}[]"), found);
            }
        }
        (Value::Object(a), Value::Object(b)) => {
            for (key, value) in a {
                order(value, b.get(key).unwrap_or(&Value::Null), format!("{path}.{key}"), found);
            }
        }
        _ => {}
    }
}

/// Elements by what identifies them, if each is the only one of its name.
fn by_identity(items: &[Value]) -> Option<BTreeMap<String, &Value>> {
    let map: Option<BTreeMap<String, &Value>> = items.iter().map(|item| Some((identity(item)?, item))).collect();
    map.filter(|map| map.len() == items.len())
}

fn differences(kafka: &Value, ours: &Value, path: String, found: &mut Found) {
    let absent = Value::String("(absent)".into());
    match (kafka, ours) {
        (Value::Object(a), Value::Object(b)) if !a.contains_key("!") && !b.contains_key("!") => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let (a, b) = (a.get(key).unwrap_or(&absent), b.get(key).unwrap_or(&absent));
                differences(a, b, format!("{path}.{key}"), found);
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            if let Some((a, b)) = by_identity(a).zip(by_identity(b)) {
                let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
                for key in keys {
                    let (a, b) = (a.get(key).copied().unwrap_or(&absent), b.get(key).copied().unwrap_or(&absent));
                    // What a config is to be is a matter of which one it is.
                    let name = a.get("Name").or(b.get("Name")).and_then(Value::as_str);
                    let element = name.filter(|_| path.ends_with(".Configs")).unwrap_or_default();
                    differences(a, b, format!("{path}[{element}]"), found);
                }
            } else if a.len() == b.len() {
                for (a, b) in a.iter().zip(b) {
                    differences(a, b, format!("{path}[]"), found);
                }
            } else {
                let missing = |from: &[Value], other: &[Value]| -> Vec<Value> {
                    from.iter().filter(|item| !other.contains(item)).take(5).cloned().collect()
                };
                let path = format!("{path}[] ({} of Kafka's, {} of ours)", a.len(), b.len());
                found.push((path, Value::from(missing(a, b)), Value::from(missing(b, a))));
            }
        }
        (a, b) if a != b => found.push((path, a.clone(), b.clone())),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(outcome: Value) -> Vec<Exchange> {
        vec![Exchange { key: "Fetch v4 case: step".into(), outcome }]
    }

    #[test]
    fn one_field_that_differs_is_one_line() {
        let kafka = one(json!({"Topics": [{"Name": "a", "ErrorCode": 0}, {"Name": "b", "ErrorCode": 3}]}));
        let ours = one(json!({"Topics": [{"Name": "b", "ErrorCode": 5}, {"Name": "a", "ErrorCode": 0}]}));
        let report = compare(&kafka, &ours);
        assert_eq!((report.exchanges, report.same, report.red.len()), (1, 0, 1));
        assert_eq!(
            report.lines(),
            ["Fetch .Topics[].ErrorCode: Kafka 3, ours 5; 1 times, versions 4, in [case: step]"]
        );
    }

    #[test]
    fn order_presence_and_silence_are_differences() {
        let red = |kafka: Value, ours: Value| compare(&one(kafka), &one(ours)).red;
        assert_eq!(red(json!({"A": [1, 2]}), json!({"A": [2, 1]}))[0].path, ".A[] order");
        assert_eq!(red(json!({"A": 1, "B": 2}), json!({"A": 1}))[0].path, ".B");
        assert_eq!(red(json!({"A": 1}), json!({"!": "closed"})).len(), 1);
        assert_eq!(red(json!({"A": 1}), json!({"A": 1})).len(), 0);
        assert_eq!(compare(&one(json!({})), &[]).red.len(), 1, "what one side was not asked");
        assert_eq!(compare(&[], &one(json!({}))).red.len(), 1);
    }

    #[test]
    fn documentation_may_be_another_but_must_not_be_missing() {
        let told = |text: Value| {
            let configs = json!([{"Name": "retention.ms", "Documentation": text}]);
            vec![Exchange {
                key: "DescribeConfigs v4 case: step".into(),
                outcome: json!({"Results": [{"Configs": configs}]}),
            }]
        };
        let (theirs, ours, empty) = (json!("theirs"), json!("ours"), json!(""));
        for (kafka, ours, is_explained) in [
            (&theirs, &ours, true),
            (&theirs, &Value::Null, false),
            (&Value::Null, &ours, false),
            (&theirs, &empty, false),
            (&empty, &ours, false),
        ] {
            let report = compare(&told(kafka.clone()), &told(ours.clone()));
            assert_eq!(report.red.is_empty(), is_explained, "{kafka} {ours}");
            assert_eq!(report.explained.contains_key("own-documentation"), is_explained);
        }
    }
}
